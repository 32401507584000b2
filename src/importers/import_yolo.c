/* SPDX-License-Identifier: Apache-2.0
 * YOLO segmentation: a text file for each image, with a line for each object: class, then x y x y ... as fractions of
 * the image's width and height. Names are in data.yaml or classes.txt (docs.ultralytics.com/datasets/segment). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/text.h"
#include "classes/class_list.h"
#include "dataset/formats.h"
#include "importers/internal.h"
#include "dataset/text_lines.h"

enum { MAX_TEXT = 64 << 20, MAX_YAML = 1 << 20, MAX_OBJECTS = 1 << 20, MAX_YAML_DEPTH = 32 };

static const char *const yaml_names[] = {"data.yaml", "data.yml", "dataset.yaml", NULL};

static char *find_yaml(icseg_arena *arena, const char *source) {
    for (const char *const *name = yaml_names; *name; name++) {
        char *path = icseg_arena_printf(arena, "%s/%s", source, *name);
        if (path && icseg_file_exists(path)) return path;
    }
    return NULL;
}

/* ---- names: a list, or a mapping of numbers to names, under the key "names" of the outermost mapping ---- */

typedef struct name_list {
    char **names; /* (count) */
    size_t count;
} name_list;

static icseg_status fail_yaml(const char *path, size_t line, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: line %zu: \"names\" must be a list, or a mapping 0: name, 1: name, ...", path, line + 1);
}

typedef struct yaml_walk {
    const char *path;
    icseg_arena *arena;
    name_list *out;
    int depth;
    bool key, in_names, mapping; /* key: the next scalar of the outermost mapping is a key */
    bool number;                 /* in a mapping of names: the next scalar is a number */
} yaml_walk;

static icseg_status add_name(const yaml_walk *w, const char *name, icseg_error *error) {
    name_list *list = w->out;
    if (list->count == ICSEG_CLASSES_MAX)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: names: more than %d classes", w->path, ICSEG_CLASSES_MAX);
    list->names[list->count] = icseg_arena_strdup(w->arena, name);
    return list->names[list->count++] ? ICSEG_OK : icseg_fail_memory(error, strlen(name) + 1, "class names");
}

static icseg_status take_scalar(yaml_walk *w, const char *text, size_t line, icseg_error *error) {
    int64_t number;
    if (w->in_names && w->mapping && w->number) {
        w->number = false;
        if (!icseg_parse_i64(text, &number) || number != (int64_t)w->out->count)
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: names: expected the number %zu, not \"%.40s\"",
                              w->path, line + 1, w->out->count, text);
        return ICSEG_OK;
    }
    if (w->in_names) {
        w->number = true;
        return add_name(w, text, error);
    }
    if (w->depth == 1 && w->key && !strcmp(text, "names")) w->in_names = true;
    if (w->depth == 1) w->key = !w->key;
    return ICSEG_OK;
}

static icseg_status take_event(yaml_walk *w, const yaml_event_t *event, icseg_error *error) {
    bool start = event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;
    if (event->type == YAML_SCALAR_EVENT) {
        if (w->in_names && w->depth == 1) return fail_yaml(w->path, event->start_mark.line, error);
        return take_scalar(w, (const char *)event->data.scalar.value, event->start_mark.line, error);
    }
    if (start && (++w->depth > MAX_YAML_DEPTH || (w->in_names && w->depth > 2)))
        return fail_yaml(w->path, event->start_mark.line, error);
    if (start && w->depth == 1) w->key = event->type == YAML_MAPPING_START_EVENT;
    if (start && w->depth == 2) {
        w->key = true; /* after this value */
        w->mapping = w->number = event->type == YAML_MAPPING_START_EVENT;
    }
    if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
        if (--w->depth == 1) w->in_names = false;
    return ICSEG_OK;
}

static icseg_status read_yaml(icseg_arena *arena, const char *path, name_list *out, icseg_error *error) {
    unsigned char *text;
    size_t size;
    yaml_parser_t parser;
    yaml_walk w = {.path = path, .arena = arena, .out = out};
    ICSEG_TRY(icseg_file_read(path, MAX_YAML, &text, &size, error));
    if (!yaml_parser_initialize(&parser)) {
        icseg_free(text);
        return icseg_fail_memory(error, 0, path);
    }
    yaml_parser_set_input_string(&parser, text, size);
    icseg_status status = ICSEG_OK;
    for (bool more = true; more && status == ICSEG_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: not YAML: %s", path,
                                parser.problem_mark.line + 1, parser.problem ? parser.problem : "unreadable");
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        status = take_event(&w, &event, error);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    icseg_free(text);
    if (status == ICSEG_OK && !out->count)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: no class names under \"names\"", path);
    return status;
}

/* Names in the order of the class numbers. */
static icseg_status read_names(icseg_import *im, name_list *out, icseg_error *error) {
    const char *source = im->options->source;
    char *yaml = find_yaml(im->arena, source), *list = icseg_arena_printf(im->arena, "%s/classes.txt", source);
    out->names = icseg_arena_array(im->arena, ICSEG_CLASSES_MAX, sizeof *out->names);
    if (!list || !out->names) return icseg_fail_memory(error, 0, source);
    if (yaml) return read_yaml(im->arena, yaml, out, error);
    int32_t count = 0;
    if (icseg_file_exists(list))
        ICSEG_TRY(icseg_classes_read(im->arena, list, &out->names, &count, error));
    else if (im->fixed)
        out->names = im->names, count = im->classes;
    else
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "classes_file", ICSEG_REMEDY_SET_FIELD,
                                "%s: no data.yaml or classes.txt with the class names; add one, or give a class list",
                                source);
    out->count = (size_t)count;
    return ICSEG_OK;
}

/* ---- one image ---- */

typedef struct yolo {
    icseg_import *im;
    const int32_t *labels; /* (count): class number to label */
    size_t count;
} yolo;

static icseg_status fail_line(const char *path, size_t line, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: %s", path, line, what);
}

static icseg_status read_line(const yolo *y, icseg_arena *arena, const char *path, size_t line, const char *text,
                              const icseg_import_item *item, icseg_object *out, icseg_error *error) {
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || number < 0 || (size_t)number >= y->count)
        return fail_line(path, line, "the first number is not a class", error);
    size_t fields = 0;
    for (const char *p = end; *(p += strspn(p, " \t")); fields++) p += strcspn(p, " \t");
    if (fields == 4) return fail_line(path, line, "a box, not a polygon: export segmentation, not detection", error);
    if (fields < 6 || fields % 2) return fail_line(path, line, "expected: class x y x y x y ...", error);
    icseg_outline *o = icseg_arena_alloc(arena, sizeof *o);
    if (!o || !(o->xy = icseg_arena_array(arena, fields, sizeof *o->xy))) return icseg_fail_memory(error, 0, path);
    const char *p = end;
    for (size_t i = 0; i < fields; i++) {
        char *after;
        double fraction = icseg_text_number(p, &after);
        if (after == p || (*after && *after != ' ' && *after != '\t') || !(fraction >= -1e3 && fraction <= 1e3))
            return fail_line(path, line, "a coordinate is not a fraction of the image (0..1)", error);
        o->xy[i] = fraction * (double)(i % 2 ? item->height : item->width);
        p = after;
    }
    o->count = fields / 2;
    *out = (icseg_object){.label = (int16_t)y->labels[number], .outlines = o};
    return ICSEG_OK;
}

/* A missing label file means that there are no objects. */
static icseg_status read_objects(const yolo *y, icseg_arena *arena, const char *path, icseg_import_item *item,
                                 icseg_error *error) {
    unsigned char *text;
    size_t size, most = 1;
    if (!icseg_file_exists(path)) return ICSEG_OK;
    ICSEG_TRY(icseg_file_read(path, MAX_TEXT, &text, &size, error));
    for (size_t i = 0; i < size; i++) most += text[i] == '\n';
    icseg_status status = ICSEG_OK;
    if (most > MAX_OBJECTS)
        status = fail_line(path, MAX_OBJECTS, "too many objects", error);
    else if (!(item->objects = icseg_arena_array(arena, most, sizeof *item->objects)))
        status = icseg_fail_memory(error, most * sizeof *item->objects, path);
    icseg_text_lines lines = icseg_text_lines_of(text, size);
    for (char *line; status == ICSEG_OK && (line = icseg_text_lines_next(&lines));) {
        if (!*line) continue;
        status = read_line(y, arena, path, lines.number, line, item, &item->objects[item->object_count], error);
        item->object_count += status == ICSEG_OK;
        status = icseg_import_problem(y->im, status, error);
    }
    icseg_free(text);
    return status;
}

static icseg_status import_image(const yolo *y, icseg_arena *arena, const char *images, const char *labels,
                                 const char *split, const char *name, icseg_error *error) {
    char stem[NAME_MAX + 1];
    int32_t width, height;
    icseg_path_stem(name, stem, sizeof stem);
    char *image = icseg_arena_printf(arena, "%s/%s", images, name);
    char *text = icseg_arena_printf(arena, "%s/%s.txt", labels, stem);
    if (!image || !text) return icseg_fail_memory(error, 0, images);
    ICSEG_TRY(icseg_image_read_size(&width, &height, image, error));
    icseg_import_item item = {
        .split = split, .name = name, .image = image, .source = text, .width = width, .height = height};
    ICSEG_TRY(read_objects(y, arena, text, &item, error));
    return icseg_import_write(y->im, &item, error);
}

static icseg_status import_folder(const yolo *y, const char *images, const char *labels, const char *split,
                                  icseg_error *error) {
    char **names;
    size_t count;
    if (!icseg_folder_exists(images) || !icseg_folder_exists(labels)) return ICSEG_OK;
    ICSEG_TRY(icseg_import_list(y->im->arena, images, icseg_dataset_image_types, &names, &count, error));
    y->im->stage.total += (int64_t)count;
    for (size_t i = 0; i < count; i++) {
        icseg_arena *arena;
        ICSEG_TRY(icseg_arena_open(&arena, error));
        icseg_status status = import_image(y, arena, images, labels, split, names[i], error);
        icseg_arena_close(&arena);
        ICSEG_TRY(icseg_import_problem(y->im, status, error));
    }
    return ICSEG_OK;
}

/* images/SPLIT with labels/SPLIT, SPLIT/images with SPLIT/labels, or images with labels. */
static icseg_status import_splits(const yolo *y, icseg_error *error) {
    static const char *const splits[] = {"train", "valid", "val", "test", ""};
    static const char *const forms[] = {"%s/images/%s", "%s/labels/%s", "%s/%s/images", "%s/%s/labels"};
    const char *source = y->im->options->source;
    int found = 0;
    for (int pass = 0; pass < 2; pass++) /* count first, to know whether there is only one */
        for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
            for (int form = 0; form < (splits[i][0] ? 4 : 2); form += 2) {
                char images[PATH_MAX], labels[PATH_MAX];
                const char *split = splits[i][0] ? splits[i] : "train";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                snprintf(images, sizeof images, forms[form], source, splits[i]);
                snprintf(labels, sizeof labels, forms[form + 1], source, splits[i]);
#pragma GCC diagnostic pop
                if (!icseg_folder_exists(images) || !icseg_folder_exists(labels)) continue;
                if (!pass) {
                    found += splits[i][0] || !found; /* images/ itself contains the splits */
                    continue;
                }
                y->im->one_split = found == 1;
                if (y->im->options->split && found == 1) split = y->im->options->split;
                if (!strcmp(split, "valid")) split = "val";
                ICSEG_TRY(import_folder(y, images, labels, split, error));
            }
    if (found) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: no images and labels; expected are images/train with labels/train, train/images with "
                      "train/labels, or images with labels",
                      source);
}

icseg_status icseg_import_yolo(icseg_import *im, icseg_error *error) {
    name_list list = {0};
    ICSEG_TRY(read_names(im, &list, error));
    ICSEG_TRY(icseg_import_background(im, error));
    int32_t *labels = icseg_arena_array(im->arena, list.count, sizeof *labels);
    if (!labels) return icseg_fail_memory(error, list.count * sizeof *labels, im->options->source);
    for (size_t i = 0; i < list.count; i++)
        ICSEG_TRY(icseg_import_class(im, list.names[i], im->options->source, &labels[i], error));
    return import_splits(&(yolo){im, labels, list.count}, error);
}

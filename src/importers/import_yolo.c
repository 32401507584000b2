/* SPDX-License-Identifier: Apache-2.0
 * YOLO segmentation: a text file beside each picture, a line for each object: class, then x y x y ... as shares of the
 * picture's width and height. Names are in data.yaml or classes.txt. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/text.h"
#include "classes/class_list.h"
#include "importers/import.h"
#include "dataset/lines.h"

enum { TEXT_MOST = 64 << 20, YAML_MOST = 1 << 20, OBJECTS_MOST = 1 << 20, YAML_DEPTH_MOST = 32 };

static const char *const image_types[] = {"jpg", "jpeg", "png", "webp", "tif", "tiff", NULL};
static const char *const yaml_names[] = {"data.yaml", "data.yml", "dataset.yaml", NULL};

static char *find_yaml(icseg_arena *arena, const char *source) {
    for (const char *const *name = yaml_names; *name; name++) {
        char *path = icseg_arena_printf(arena, "%s/%s", source, *name);
        if (path && icseg_file_exists(path)) return path;
    }
    return NULL;
}

static bool has_folder(const char *source, const char *name) {
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/%s", source, name) < (int)sizeof path && icseg_folder_exists(path);
}

bool icseg_export_yolo_fits(const char *source) {
    icseg_arena *arena;
    if (icseg_arena_open(&arena, NULL) != ICSEG_OK) return false;
    bool fits = find_yaml(arena, source) || has_folder(source, "labels") || has_folder(source, "train/labels");
    icseg_arena_close(&arena);
    return fits;
}

/* ---- names: a list, or a mapping of numbers to names, under the key "names" of the outermost mapping ---- */

typedef struct name_list {
    char **names; /* (count) */
    size_t count;
} name_list;

static icseg_status fail_yaml(const char *path, size_t line, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: line %zu: \"names\" as a list, or as 0: name, 1: name, ..., is "
                      "expected",
                      path, line + 1);
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
    if (list->count == ICSEG_EXPORT_CLASSES_MOST)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: names: more than %d classes", w->path,
                          ICSEG_EXPORT_CLASSES_MOST);
    list->names[list->count] = icseg_arena_strdup(w->arena, name);
    return list->names[list->count++] ? ICSEG_OK : icseg_fail_memory(error, strlen(name), "class names");
}

static icseg_status take_scalar(yaml_walk *w, const char *text, size_t line, icseg_error *error) {
    int64_t number;
    if (w->in_names && w->mapping && w->number) {
        w->number = false;
        if (!icseg_parse_i64(text, &number) || number != (int64_t)w->out->count)
            return icseg_fail(error, ICSEG_ERROR_FORMAT,
                              "%s: line %zu: names: the number %zu is expected, not \"%.40s\"", w->path, line + 1,
                              w->out->count, text);
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
    if (start && (++w->depth > YAML_DEPTH_MOST || (w->in_names && w->depth > 2)))
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
    ICSEG_TRY(icseg_file_read(path, YAML_MOST, &text, &size, error));
    if (!yaml_parser_initialize(&parser)) {
        icseg_free(text);
        return icseg_fail_memory(error, sizeof parser, path);
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

/* Names in the order of the export's class numbers. */
static icseg_status read_names(icseg_export *e, name_list *out, icseg_error *error) {
    const char *source = e->options->source;
    char *yaml = find_yaml(e->arena, source), *list = icseg_arena_printf(e->arena, "%s/classes.txt", source);
    out->names = icseg_arena_array(e->arena, ICSEG_EXPORT_CLASSES_MOST, sizeof *out->names);
    if (!list || !out->names) return icseg_fail_memory(error, strlen(source), source);
    if (yaml) return read_yaml(e->arena, yaml, out, error);
    int32_t count = 0;
    if (icseg_file_exists(list))
        ICSEG_TRY(icseg_classes_read(e->arena, list, &out->names, &count, error));
    else if (e->fixed)
        out->names = e->names, count = e->classes;
    else
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: no data.yaml or classes.txt with the class names; or give them "
                          "with --classes",
                          source);
    out->count = (size_t)count;
    return ICSEG_OK;
}

/* ---- one picture ---- */

typedef struct yolo {
    icseg_export *e;
    const int32_t *labels; /* (count): class number to label */
    size_t count;
} yolo;

static icseg_status fail_line(const char *path, size_t line, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: %s", path, line, what);
}

static icseg_status read_line(const yolo *y, icseg_arena *arena, const char *path, size_t line, const char *text,
                              const icseg_export_item *item, icseg_object *out, icseg_error *error) {
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || number < 0 || (size_t)number >= y->count)
        return fail_line(path, line, "the first number is none of the classes", error);
    size_t fields = 0;
    for (const char *p = end; *(p += strspn(p, " \t")); fields++) p += strcspn(p, " \t");
    if (fields == 4) return fail_line(path, line, "a box, not a polygon: export segmentation, not detection", error);
    if (fields < 6 || fields % 2) return fail_line(path, line, "class x y x y x y ... is expected", error);
    icseg_outline *o = icseg_arena_alloc(arena, sizeof *o);
    if (!o || !(o->xy = icseg_arena_array(arena, fields, sizeof *o->xy)))
        return icseg_fail_memory(error, fields * sizeof *o->xy, path);
    const char *p = end;
    for (size_t i = 0; i < fields; i++) {
        char *after;
        double share = icseg_text_number(p, &after);
        if (after == p || (*after && *after != ' ' && *after != '\t') || !(share >= -1e3 && share <= 1e3))
            return fail_line(path, line, "a coordinate is no share of the picture (0..1)", error);
        o->xy[i] = share * (double)(i % 2 ? item->height : item->width);
        p = after;
    }
    o->count = fields / 2;
    *out = (icseg_object){.label = (int16_t)y->labels[number], .outlines = o};
    return ICSEG_OK;
}

/* No label file: no objects. */
static icseg_status read_objects(const yolo *y, icseg_arena *arena, const char *path, icseg_export_item *item,
                                 icseg_error *error) {
    unsigned char *text;
    size_t size, most = 1;
    if (!icseg_file_exists(path)) return ICSEG_OK;
    ICSEG_TRY(icseg_file_read(path, TEXT_MOST, &text, &size, error));
    for (size_t i = 0; i < size; i++) most += text[i] == '\n';
    icseg_status status = ICSEG_OK;
    if (most > OBJECTS_MOST)
        status = fail_line(path, OBJECTS_MOST, "too many objects", error);
    else if (!(item->objects = icseg_arena_array(arena, most, sizeof *item->objects)))
        status = icseg_fail_memory(error, most * sizeof *item->objects, path);
    icseg_lines lines = icseg_lines_of(text, size);
    for (char *line; status == ICSEG_OK && (line = icseg_lines_next(&lines));) {
        if (!*line) continue;
        status = read_line(y, arena, path, lines.number, line, item, &item->objects[item->object_count], error);
        item->object_count += status == ICSEG_OK;
        status = icseg_export_fault(y->e, status, error);
    }
    icseg_free(text);
    return status;
}

static icseg_status convert_picture(const yolo *y, icseg_arena *arena, const char *images, const char *labels,
                                    const char *split, const char *name, icseg_error *error) {
    char stem[NAME_MAX + 1];
    int32_t width, height;
    icseg_path_stem(name, stem, sizeof stem);
    char *image = icseg_arena_printf(arena, "%s/%s", images, name);
    char *text = icseg_arena_printf(arena, "%s/%s.txt", labels, stem);
    if (!image || !text) return icseg_fail_memory(error, strlen(name), images);
    ICSEG_TRY(icseg_image_read_size(&width, &height, image, error));
    icseg_export_item item = {
        .split = split, .name = name, .image = image, .source = text, .width = width, .height = height};
    ICSEG_TRY(read_objects(y, arena, text, &item, error));
    return icseg_export_write(y->e, &item, error);
}

static icseg_status convert_folder(const yolo *y, const char *images, const char *labels, const char *split,
                                   icseg_error *error) {
    char **names;
    size_t count;
    if (!icseg_folder_exists(images) || !icseg_folder_exists(labels)) return ICSEG_OK;
    ICSEG_TRY(icseg_export_list(y->e->arena, images, image_types, &names, &count, error));
    y->e->total += (double)count;
    for (size_t i = 0; i < count; i++) {
        icseg_arena *arena;
        ICSEG_TRY(icseg_arena_open(&arena, error));
        icseg_status status = convert_picture(y, arena, images, labels, split, names[i], error);
        icseg_arena_close(&arena);
        ICSEG_TRY(icseg_export_fault(y->e, status, error));
    }
    return ICSEG_OK;
}

/* images/SPLIT with labels/SPLIT, SPLIT/images with SPLIT/labels, or images with labels. */
static icseg_status convert_splits(const yolo *y, icseg_error *error) {
    static const char *const splits[] = {"train", "valid", "val", "test", ""};
    static const char *const forms[] = {"%s/images/%s", "%s/labels/%s", "%s/%s/images", "%s/%s/labels"};
    const char *source = y->e->options->source;
    int found = 0;
    for (int pass = 0; pass < 2; pass++) /* first count, to know whether there is but one */
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
                    found += splits[i][0] || !found; /* images/ itself holds the splits' folders */
                    continue;
                }
                y->e->one_split = found == 1;
                if (y->e->options->split && found == 1) split = y->e->options->split;
                if (!strcmp(split, "valid")) split = "val";
                ICSEG_TRY(convert_folder(y, images, labels, split, error));
            }
    if (found) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: no images and labels: images/train with labels/train, train/images "
                      "with train/labels, or images with labels is expected",
                      source);
}

icseg_status icseg_export_yolo(icseg_export *e, icseg_error *error) {
    name_list list = {0};
    ICSEG_TRY(read_names(e, &list, error));
    ICSEG_TRY(icseg_export_background(e, error));
    int32_t *labels = icseg_arena_array(e->arena, list.count, sizeof *labels);
    if (!labels) return icseg_fail_memory(error, list.count * sizeof *labels, e->options->source);
    for (size_t i = 0; i < list.count; i++)
        ICSEG_TRY(icseg_export_class(e, list.names[i], e->options->source, &labels[i], error));
    return convert_splits(&(yolo){e, labels, list.count}, error);
}

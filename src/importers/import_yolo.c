/* SPDX-License-Identifier: Apache-2.0
 * YOLO segmentation: a text file for each image with a line for each object: class x y x y ..., the coordinates as
 * fractions of the image's width and height. Names are in data.yaml or classes.txt
 * (docs.ultralytics.com/datasets/segment). */
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
#include "image/codec.h"

enum {
    MAX_TEXT = 64 << 20,
    MAX_YAML = 1 << 20,
    MAX_OBJECTS = 1 << 20,
    MAX_YAML_DEPTH = 32,
    MAX_YAML_KEYS = 256,
    MAX_SPLITS = 9
};

/* Polygons may extend a little beyond the image; larger coordinates are in pixels. */
#define MAX_FRACTION 1.1

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

static icseg_status fail_yaml(const char *path, size_t line, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: %s", path, line + 1, what);
}

static const char names_expected[] = "\"names\" must be a list, or a mapping 0: name, 1: name, ...";

/* A key of the outermost mapping. */
typedef struct yaml_key {
    const char *name;
    size_t line; /* from 0, as libyaml counts */
} yaml_key;

typedef struct yaml_walk {
    const char *path;
    icseg_arena *arena;
    name_list *out;
    yaml_key keys[MAX_YAML_KEYS];
    size_t key_count;
    int depth, documents;
    bool key, in_names, mapping; /* key: the next value at the outermost level is a key */
    bool number;                 /* in a mapping of names: the next scalar is a number */
} yaml_walk;

static icseg_status add_name(const yaml_walk *w, const char *name, icseg_error *error) {
    name_list *list = w->out;
    if (list->count == ICSEG_CLASSES_MAX)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: names: more than %d classes", w->path, ICSEG_CLASSES_MAX);
    if (!icseg_import_append(w->arena, &list->names, list->count, name))
        return icseg_fail_memory(error, 0, "class names");
    list->count++;
    return ICSEG_OK;
}

static icseg_status add_key(yaml_walk *w, const char *name, size_t line, icseg_error *error) {
    for (size_t i = 0; i < w->key_count; i++)
        if (!strcmp(w->keys[i].name, name))
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: \"%.40s\" is set twice, first in line %zu",
                              w->path, line + 1, name, w->keys[i].line + 1);
    if (w->key_count == MAX_YAML_KEYS) return fail_yaml(w->path, line, "too many keys", error);
    yaml_key *key = &w->keys[w->key_count++];
    *key = (yaml_key){icseg_arena_strdup(w->arena, name), line};
    if (!key->name) return icseg_fail_memory_in(error, 0, w->path);
    w->in_names = !strcmp(name, "names");
    return ICSEG_OK;
}

static icseg_status take_scalar(yaml_walk *w, const char *text, size_t line, icseg_error *error) {
    int64_t number;
    if (w->depth == 1) {
        if (w->in_names) return fail_yaml(w->path, line, names_expected, error);
        w->key = !w->key;
        return w->key ? ICSEG_OK : add_key(w, text, line, error);
    }
    if (!w->in_names) return ICSEG_OK;
    if (w->mapping && w->number) {
        w->number = false;
        if (!icseg_parse_i64(text, &number) || number != (int64_t)w->out->count)
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: names: expected the number %zu, not \"%.40s\"",
                              w->path, line + 1, w->out->count, text);
        return ICSEG_OK;
    }
    w->number = true;
    return add_name(w, text, error);
}

static icseg_status take_event(yaml_walk *w, const yaml_event_t *event, icseg_error *error) {
    size_t line = event->start_mark.line;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return w->documents++ ? fail_yaml(w->path, line, "contains a second document; expected one", error) : ICSEG_OK;
    case YAML_SCALAR_EVENT: {
        const char *text = (const char *)event->data.scalar.value;
        if (strlen(text) != event->data.scalar.length)
            return fail_yaml(w->path, line, "the text contains a NUL byte", error);
        if (!w->depth) return fail_yaml(w->path, line, "expected keys such as \"names:\"", error);
        return take_scalar(w, text, line, error);
    }
    case YAML_ALIAS_EVENT:
        if (w->in_names || w->key)
            return fail_yaml(w->path, line, "aliases (*name) are not accepted; write the value out", error);
        w->key = w->depth == 1;
        return ICSEG_OK;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        w->depth++;
        if (w->depth > MAX_YAML_DEPTH) return fail_yaml(w->path, line, "nested too deeply", error);
        if (w->in_names && w->depth > 2) return fail_yaml(w->path, line, names_expected, error);
        if (w->depth == 1 ? event->type != YAML_MAPPING_START_EVENT : w->depth == 2 && w->key)
            return fail_yaml(w->path, line, "expected keys such as \"names:\"", error);
        if (w->depth == 1) w->key = true;
        if (w->depth == 2) w->mapping = w->number = event->type == YAML_MAPPING_START_EVENT;
        return ICSEG_OK;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        if (--w->depth != 1) return ICSEG_OK;
        w->in_names = false;
        w->key = true; /* after this value */
        return ICSEG_OK;
    default: return ICSEG_OK;
    }
}

static icseg_status read_yaml(icseg_arena *arena, const char *path, name_list *out, icseg_error *error) {
    unsigned char *text;
    size_t size;
    yaml_parser_t parser;
    yaml_walk w = {.path = path, .arena = arena, .out = out};
    ICSEG_TRY(icseg_file_read_text(path, MAX_YAML, &text, &size, error));
    if (!yaml_parser_initialize(&parser)) {
        icseg_free(text);
        return icseg_fail_memory_in(error, 0, path);
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

/* Reads the names in the order of the class numbers. */
static icseg_status read_names(icseg_import *im, name_list *out, icseg_error *error) {
    const char *source = im->options->source;
    char *yaml = find_yaml(im->arena, source), *list = icseg_arena_printf(im->arena, "%s/classes.txt", source);
    if (!list) return icseg_fail_memory_in(error, 0, source);
    if (yaml) return read_yaml(im->arena, yaml, out, error);
    int32_t count = 0;
    if (icseg_file_exists(list))
        ICSEG_TRY(icseg_classes_read(im->arena, list, &out->names, &count, error));
    else if (im->fixed)
        out->names = im->names, count = im->classes;
    else
        return icseg_fail_field(
            error, ICSEG_ERROR_DATA, "classes_file", ICSEG_REMEDY_SET_FIELD,
            "%s: no data.yaml or classes.txt with the class names; add one, or specify a class list", source);
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

/* The next word, NUL-terminated in place; NULL at the end of the line. */
static char *next_word(char **rest) {
    char *word = *rest + strspn(*rest, " \t"), *end = word + strcspn(word, " \t");
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return *word ? word : NULL;
}

static icseg_status read_coordinate(const icseg_import_item *item, size_t line, const char *word, double *out,
                                    icseg_error *error) {
    if (!icseg_parse_f64(word, out) || *out < -MAX_FRACTION)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: line %zu: the coordinate \"%.40s\" is not a fraction of the image (0..1)", item->source,
                          line, word);
    if (*out <= MAX_FRACTION) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: line %zu: the coordinate %.40s seems to be in pixels; YOLO's coordinates are fractions of "
                      "the image (0..1): "
                      "divide x by the image's width and y by its height",
                      item->source, line, word);
}

/* out->outlines stays NULL for a box. Overwrites the line. */
static icseg_status read_line(const yolo *y, const icseg_import_item *item, size_t line, char *text, icseg_object *out,
                              icseg_error *error) {
    const char *path = item->source, *class = next_word(&text);
    int64_t number;
    size_t fields = 0;
    *out = (icseg_object){0};
    if (!class || !icseg_parse_between(class, 0, (int64_t)y->count - 1, &number))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: \"%.40s\" is not a class number from 0 to %zu",
                          path, line, class ? class : "", y->count - 1);
    for (const char *p = text; *(p += strspn(p, " \t")); fields++) p += strcspn(p, " \t");
    if (fields < 4 || fields % 2) return fail_line(path, line, "expected: class x y x y x y ...", error);
    icseg_outline *o = icseg_arena_alloc(item->arena, sizeof *o);
    if (!o || !(o->xy = icseg_arena_array(item->arena, fields, sizeof *o->xy)))
        return icseg_fail_memory_in(error, 0, path);
    for (size_t i = 0; i < fields; i++) {
        ICSEG_TRY(read_coordinate(item, line, next_word(&text), &o->xy[i], error));
        o->xy[i] *= (double)(i % 2 ? item->height : item->width);
    }
    o->count = fields / 2;
    if (fields > 4) *out = (icseg_object){.label = (int16_t)y->labels[number], .outlines = o};
    return ICSEG_OK;
}

/* A missing label file means that there are no objects. */
static icseg_status read_objects(const yolo *y, icseg_import_item *item, icseg_error *error) {
    const char *path = item->source;
    unsigned char *text;
    size_t size, max_lines = 1;
    bool found;
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (!found) return ICSEG_OK;
    ICSEG_TRY(icseg_file_read_text(path, MAX_TEXT, &text, &size, error));
    for (size_t i = 0; i < size; i++) max_lines += text[i] == '\n';
    icseg_status status = ICSEG_OK;
    if (max_lines > MAX_OBJECTS)
        status = fail_line(path, MAX_OBJECTS, "too many objects", error);
    else if (!(item->objects = icseg_arena_array(item->arena, max_lines, sizeof *item->objects)))
        status = icseg_fail_memory_in(error, max_lines * sizeof *item->objects, path);
    icseg_text_lines lines = icseg_text_lines_of(text, size);
    for (char *line; status == ICSEG_OK && (line = icseg_text_lines_next(&lines));) {
        if (!*line) continue;
        icseg_object *object = &item->objects[item->object_count];
        status = read_line(y, item, lines.number, line, object, error);
        if (status == ICSEG_OK && object->outlines)
            item->object_count++;
        else if (status == ICSEG_OK)
            y->im->summary.skipped++;
        status = icseg_import_problem(y->im, status, error);
    }
    icseg_free(text);
    return status;
}

/* ---- splits ---- */

typedef struct split_folders {
    const char *split, *images, *labels;
} split_folders;

static icseg_status import_image(const yolo *y, icseg_arena *arena, const split_folders *folders, const char *name,
                                 icseg_error *error) {
    char stem[NAME_MAX + 1];
    int32_t width, height;
    icseg_path_stem(name, stem, sizeof stem);
    char *image = icseg_arena_printf(arena, "%s/%s", folders->images, name);
    char *text = icseg_arena_printf(arena, "%s/%s.txt", folders->labels, stem);
    if (!image || !text) return icseg_fail_memory_in(error, 0, folders->images);
    ICSEG_TRY(icseg_image_read_size(&width, &height, image, error));
    icseg_import_item item = {.arena = arena,
                              .split = folders->split,
                              .name = name,
                              .image = image,
                              .source = text,
                              .width = width,
                              .height = height};
    ICSEG_TRY(read_objects(y, &item, error));
    return icseg_import_write(y->im, &item, error);
}

static icseg_status import_folders(const yolo *y, const split_folders *folders, icseg_error *error) {
    char **names;
    size_t count;
    ICSEG_TRY(icseg_import_list(y->im->arena, folders->images, icseg_image_types, &names, &count, error));
    y->im->stage.total += (int64_t)count;
    for (size_t i = 0; i < count; i++) {
        icseg_arena *arena;
        ICSEG_TRY(icseg_arena_open(&arena, error));
        icseg_status status = import_image(y, arena, folders, names[i], error);
        icseg_arena_close(&arena);
        ICSEG_TRY(icseg_import_problem(y->im, status, error));
    }
    return ICSEG_OK;
}

/* Finds images/SPLIT with labels/SPLIT, SPLIT/images with SPLIT/labels, and images with labels, which may contain the
 * splits' folders or the files themselves. */
static icseg_status find_splits(const yolo *y, split_folders *list, int *count, icseg_error *error) {
    static const char *const splits[] = {"train", "valid", "val", "test", NULL};
    const char *source = y->im->options->source;
    icseg_arena *arena = y->im->arena;
    *count = 0;
    for (int i = 0; i < MAX_SPLITS; i++) {
        const char *split = splits[i / 2];
        bool split_last = i % 2 == 0;
        const char *images = !split       ? icseg_arena_printf(arena, "%s/images", source)
                             : split_last ? icseg_arena_printf(arena, "%s/images/%s", source, split)
                                          : icseg_arena_printf(arena, "%s/%s/images", source, split);
        const char *labels = !split       ? icseg_arena_printf(arena, "%s/labels", source)
                             : split_last ? icseg_arena_printf(arena, "%s/labels/%s", source, split)
                                          : icseg_arena_printf(arena, "%s/%s/labels", source, split);
        if (!images || !labels) return icseg_fail_memory_in(error, 0, source);
        bool found, labelled;
        ICSEG_TRY(icseg_path_find(images, S_IFDIR, &found, error));
        ICSEG_TRY(icseg_path_find(labels, S_IFDIR, &labelled, error));
        if (found && labelled) list[(*count)++] = (split_folders){split, images, labels};
    }
    return ICSEG_OK;
}

static icseg_status import_splits(const yolo *y, icseg_error *error) {
    split_folders list[MAX_SPLITS];
    int count, named = 0;
    ICSEG_TRY(find_splits(y, list, &count, error));
    for (int i = 0; i < count; i++) named += list[i].split != NULL;
    y->im->one_split = named <= 1;
    for (int i = 0; i < count; i++) {
        split_folders *f = &list[i];
        if (!f->split) f->split = "train";
        if (y->im->options->split && y->im->one_split) f->split = y->im->options->split;
        if (!strcmp(f->split, "valid")) f->split = "val";
        ICSEG_TRY(import_folders(y, f, error));
    }
    if (count) return ICSEG_OK;
    return icseg_fail(
        error, ICSEG_ERROR_DATA,
        "%s: no images and labels; expected images/train with labels/train, train/images with train/labels, "
        "or images with labels",
        y->im->options->source);
}

icseg_status icseg_import_yolo(icseg_import *im, icseg_error *error) {
    name_list list = {0};
    ICSEG_TRY(read_names(im, &list, error));
    ICSEG_TRY(icseg_import_background(im, error));
    int32_t *labels = icseg_arena_array(im->arena, list.count, sizeof *labels);
    if (!labels) return icseg_fail_memory_in(error, list.count * sizeof *labels, im->options->source);
    for (size_t i = 0; i < list.count; i++)
        ICSEG_TRY(icseg_import_class(im, list.names[i], im->options->source, &labels[i], error));
    return import_splits(&(yolo){im, labels, list.count}, error);
}

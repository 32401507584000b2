/* SPDX-License-Identifier: Apache-2.0
 * LabelMe: one JSON beside each picture, with shapes in pixels. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "importers/import.h"

enum { SHAPES_MOST = 1 << 20, MASK_BYTES_MOST = 1 << 28 };

static const char *const json_types[] = {"json", NULL};

typedef struct labelme {
    icseg_export *e;
    icseg_arena *arena; /* of this picture */
    const char *path, *folder;
} labelme;

bool icseg_export_labelme_fits(const char *source) {
    char path[PATH_MAX], **names = NULL;
    size_t count = 0;
    bool found = false;
    if (!icseg_folder_exists(source) || icseg_folder_list(source, &names, &count, NULL) != ICSEG_OK) return false;
    for (size_t i = 0; i < count && !found; i++) {
        icseg_map map;
        static const char key[] = "\"shapes\"";
        if (strcmp(icseg_path_extension(names[i]), "json") != 0) continue;
        if (snprintf(path, sizeof path, "%s/%s", source, names[i]) >= (int)sizeof path) continue;
        if (icseg_map_open(&map, path, NULL) != ICSEG_OK) continue;
        found = map.data && memmem(map.data, map.size, key, sizeof key - 1);
        icseg_map_close(&map);
    }
    icseg_free(names);
    return found;
}

/* ---- base64 ---- */

/* Digits only, with padding at the end; line breaks between. NULL when it is something else. */
static unsigned char *decode_base64(icseg_arena *arena, const char *text, size_t length, size_t *size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char *out = icseg_arena_alloc(arena, length / 4 * 3 + 4);
    uint32_t bits = 0, held = 0;
    *size = 0;
    while (length && (text[length - 1] == '=' || text[length - 1] == '\n')) length--;
    for (size_t i = 0; out && i < length; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (text[i] == '\n' || text[i] == '\r') continue;
        if (!digit) return NULL;
        held = held << 6 | (uint32_t)(digit - digits);
        if ((bits += 6) >= 8) out[(*size)++] = (unsigned char)(held >> (bits -= 8));
    }
    return out;
}

/* ---- shapes ---- */

static icseg_status fail_shape(const labelme *l, size_t at, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: shapes[%zu]: %s", l->path, at, what);
}

static icseg_status read_points(const labelme *l, size_t at, const json_t *points, icseg_outline *o,
                                icseg_error *error) {
    char where[PATH_MAX + 40];
    size_t count = json_array_size(points);
    if (!(o->xy = icseg_arena_array(l->arena, count, 2 * sizeof *o->xy)))
        return icseg_fail_memory(error, count * 2 * sizeof *o->xy, l->path);
    snprintf(where, sizeof where, "%s: shapes[%zu]", l->path, at);
    for (size_t i = 0; i < 2 * count; i++) {
        const json_t *point = json_array_get(points, i / 2);
        if (json_array_size(point) != 2) return fail_shape(l, at, "a point is a list of x and y", error);
        ICSEG_TRY(icseg_export_number(json_array_get(point, i % 2), where, &o->xy[i], error));
    }
    o->count = count;
    return ICSEG_OK;
}

/* Two opposite corners to four. */
static icseg_status make_rectangle(const labelme *l, icseg_outline *o, icseg_error *error) {
    double *c = icseg_arena_array(l->arena, 8, sizeof *c), x0 = o->xy[0], y0 = o->xy[1], x1 = o->xy[2], y1 = o->xy[3];
    if (!c) return icseg_fail_memory(error, 8 * sizeof *c, l->path);
    memcpy(c, (const double[]){x0, y0, x1, y0, x1, y1, x0, y1}, 8 * sizeof *c);
    o->xy = c;
    o->count = 4;
    return ICSEG_OK;
}

/* Shape type "mask": a PNG whose corner lies at the first point. */
static icseg_status read_mask(const labelme *l, size_t at, const json_t *text, icseg_outline *o, icseg_error *error) {
    size_t size;
    if (!json_is_string(text) || json_string_length(text) > MASK_BYTES_MOST || !o->count)
        return fail_shape(l, at, "a mask needs its corner in \"points\" and a PNG (base64) in \"mask\"", error);
    unsigned char *data = decode_base64(l->arena, json_string_value(text), json_string_length(text), &size);
    icseg_image picture = {0};
    if (!data) return fail_shape(l, at, "\"mask\" is not base64", error);
    ICSEG_TRY(icseg_image_read_memory(&picture, data, size, l->path, error));
    size_t pixels = (size_t)picture.width * (size_t)picture.height;
    o->mask = (icseg_mask){.width = picture.width, .height = picture.height, .bits = 8};
    o->mask.data = icseg_alloc_array(pixels, sizeof *o->mask.data);
    for (size_t i = 0; o->mask.data && i < pixels; i++) o->mask.data[i] = picture.data[3 * i];
    icseg_image_close(&picture);
    if (!o->mask.data) return icseg_fail_memory(error, pixels * sizeof *o->mask.data, l->path);
    o->kind = ICSEG_OUTLINE_MASK;
    o->x = (int32_t)o->xy[0];
    o->y = (int32_t)o->xy[1];
    return ICSEG_OK;
}

/* out->outlines stays NULL for shapes without an area. */
static icseg_status read_shape(const labelme *l, size_t at, const json_t *shape, icseg_object *out,
                               icseg_error *error) {
    const json_t *label = json_object_get(shape, "label"), *points = json_object_get(shape, "points");
    const char *type = json_string_value(json_object_get(shape, "shape_type"));
    char where[PATH_MAX + 40];
    int32_t class_label;
    *out = (icseg_object){0};
    if (!type) type = "polygon"; /* files older than the key */
    if (!json_is_string(label) || !json_is_array(points))
        return fail_shape(l, at, "a text \"label\" and a list \"points\" are expected", error);
    snprintf(where, sizeof where, "%s: shapes[%zu]", l->path, at);
    ICSEG_TRY(icseg_export_class(l->e, json_string_value(label), where, &class_label, error));
    out->label = (int16_t)class_label;
    if (!strcmp(type, "point") || !strcmp(type, "points") || !strcmp(type, "line") || !strcmp(type, "linestrip"))
        return ICSEG_OK;
    icseg_outline *o = icseg_arena_alloc(l->arena, sizeof *o);
    if (!o) return icseg_fail_memory(error, sizeof *o, l->path);
    ICSEG_TRY(read_points(l, at, points, o, error));
    if (!strcmp(type, "rectangle") && o->count == 2)
        ICSEG_TRY(make_rectangle(l, o, error));
    else if (!strcmp(type, "mask"))
        ICSEG_TRY(read_mask(l, at, json_object_get(shape, "mask"), o, error));
    else if (!strcmp(type, "circle") && o->count == 2)
        o->kind = ICSEG_OUTLINE_CIRCLE;
    else if (strcmp(type, "polygon") != 0 && strcmp(type, "rectangle") != 0 && strcmp(type, "oriented_rectangle") != 0)
        return icseg_fail(
            error, ICSEG_ERROR_FORMAT,
            "%s: shape_type \"%.40s\" with %zu points; polygon, rectangle, circle (2 points) and mask are "
            "read, points and lines left out",
            where, type, o->count);
    out->outlines = o;
    return ICSEG_OK;
}

static icseg_status read_shapes(const labelme *l, const json_t *root, icseg_export_item *item, icseg_error *error) {
    const json_t *shapes = json_object_get(root, "shapes"), *shape;
    size_t i, count = json_array_size(shapes);
    if (!json_is_array(shapes) || count > SHAPES_MOST)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: no LabelMe file: a list \"shapes\" of at most %d is expected",
                          l->path, SHAPES_MOST);
    if (!(item->objects = icseg_arena_array(l->arena, count, sizeof *item->objects)))
        return icseg_fail_memory(error, count * sizeof *item->objects, l->path);
    json_array_foreach(shapes, i, shape) {
        icseg_object *object = &item->objects[item->object_count];
        icseg_status status = read_shape(l, i, shape, object, error);
        if (status != ICSEG_OK)
            ICSEG_TRY(icseg_export_fault(l->e, status, error));
        else if (object->outlines)
            item->object_count++;
        else
            l->e->summary->skipped++;
    }
    return ICSEG_OK;
}

/* ---- pictures ---- */

/* The file named by imagePath, one of the JSON's own stem, or the copy inside the JSON. */
static icseg_status find_picture(const labelme *l, const json_t *root, icseg_export_item *item, icseg_error *error) {
    const json_t *data = json_object_get(root, "imageData"), *name = json_object_get(root, "imagePath");
    const char *folders[] = {l->folder, icseg_arena_printf(l->arena, "%s/../images", l->folder), NULL};
    char *path = NULL;
    if (!folders[1]) return icseg_fail_memory(error, strlen(l->folder), l->path);
    if (json_is_string(name))
        ICSEG_TRY(icseg_export_find_image(l->e, l->arena, folders, json_string_value(name), false, &path, error));
    if (!path) ICSEG_TRY(icseg_export_find_image(l->e, l->arena, folders, item->name, true, &path, error));
    item->image = path;
    if (path) return ICSEG_OK;
    if (json_is_string(data))
        item->data = decode_base64(l->arena, json_string_value(data), json_string_length(data), &item->size);
    if (item->data) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: its picture \"%.200s\" is not beside it, and no copy is inside (imageData); name the folder "
                      "of the pictures with --image-folder",
                      l->path, json_is_string(name) ? json_string_value(name) : "");
}

static icseg_status convert_root(const labelme *l, const char *split, const json_t *root, icseg_error *error) {
    icseg_export_item item = {.split = split,
                              .name = icseg_path_name(l->path),
                              .source = l->path,
                              .width = json_integer_value(json_object_get(root, "imageWidth")),
                              .height = json_integer_value(json_object_get(root, "imageHeight"))};
    ICSEG_TRY(icseg_export_fault(l->e, find_picture(l, root, &item, error), error));
    icseg_status status = read_shapes(l, root, &item, error);
    if (status == ICSEG_OK && (item.image || item.data)) return icseg_export_write(l->e, &item, error);
    icseg_export_item_close(&item);
    return status;
}

static icseg_status convert_file(icseg_export *e, const char *folder, const char *split, const char *name,
                                 icseg_error *error) {
    labelme l = {.e = e, .folder = folder};
    json_t *root = NULL;
    icseg_status status;
    ICSEG_TRY(icseg_arena_open(&l.arena, error));
    if (!(l.path = icseg_arena_printf(l.arena, "%s/%s", folder, name)))
        status = icseg_fail_memory(error, strlen(folder), folder);
    else
        status = icseg_export_read_json(&root, l.path, error);
    if (status == ICSEG_OK) status = convert_root(&l, split, root, error);
    json_decref(root);
    icseg_arena_close(&l.arena);
    return status;
}

/* ---- the classes: all labels, in the order of the alphabet ---- */

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static icseg_status note_labels(icseg_export *e, const char *path, icseg_error *error) {
    json_t *root;
    const json_t *shape;
    size_t i;
    icseg_status status = ICSEG_OK;
    ICSEG_TRY(icseg_export_read_json(&root, path, error));
    json_array_foreach(json_object_get(root, "shapes"), i, shape) {
        const char *label = json_string_value(json_object_get(shape, "label"));
        int32_t ignored;
        if (label && status != ICSEG_ERROR_MEMORY) status = icseg_export_class(e, label, path, &ignored, error);
    }
    json_decref(root);
    return status;
}

static icseg_status collect_classes(icseg_export *e, const char *folder, char *const *names, size_t count,
                                    icseg_error *error) {
    int32_t first = e->classes;
    if (e->fixed) return ICSEG_OK;
    for (size_t i = 0; i < count; i++) {
        char *path = icseg_arena_printf(e->arena, "%s/%s", folder, names[i]);
        if (!path) return icseg_fail_memory(error, strlen(folder), folder);
        icseg_status status = note_labels(e, path, error); /* faults come up again when the file is converted */
        if (status == ICSEG_ERROR_MEMORY) return status;
    }
    if (e->classes > first) qsort(e->names + first, (size_t)(e->classes - first), sizeof *e->names, compare_names);
    return ICSEG_OK;
}

icseg_status icseg_export_labelme(icseg_export *e, icseg_error *error) {
    const char *folder = e->options->source, *split = e->options->split ? e->options->split : "train";
    char **names;
    size_t count;
    ICSEG_TRY(icseg_export_list(e->arena, folder, json_types, &names, &count, error));
    ICSEG_TRY(icseg_export_background(e, error));
    ICSEG_TRY(collect_classes(e, folder, names, count, error));
    e->one_split = true;
    e->total = (double)count;
    for (size_t i = 0; i < count; i++)
        ICSEG_TRY(icseg_export_fault(e, convert_file(e, folder, split, names[i], error), error));
    return ICSEG_OK;
}

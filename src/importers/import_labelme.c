/* SPDX-License-Identifier: Apache-2.0
 * LabelMe: one JSON file next to each image, with shapes in pixels. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "base/file.h"
#include "base/text.h"
#include "importers/internal.h"

enum { MAX_SHAPES = 1 << 20, MAX_MASK_BYTES = 1 << 28 };

static const char *const json_types[] = {"json", NULL};

typedef struct labelme {
    icseg_import *im;
    icseg_arena *arena;        /* of this image */
    const char *path, *folder; /* of the JSON file */
    const char *name;          /* its path below the source */
} labelme;

/* ---- shapes ---- */

static icseg_status fail_shape(const labelme *l, size_t at, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: shapes[%zu]: %s", l->path, at, what);
}

static icseg_status read_points(const labelme *l, size_t at, const json_t *points, icseg_outline *o,
                                icseg_error *error) {
    char where[PATH_MAX + 40];
    size_t count = json_array_size(points);
    o->xy = icseg_arena_array(l->arena, count, 2 * sizeof *o->xy);
    if (!o->xy) return icseg_fail_memory_in(error, count * 2 * sizeof *o->xy, l->path);
    snprintf(where, sizeof where, "%s: shapes[%zu]", l->path, at);
    for (size_t i = 0; i < 2 * count; i++) {
        const json_t *point = json_array_get(points, i / 2);
        if (json_array_size(point) != 2) return fail_shape(l, at, "a point must be a list of x and y", error);
        ICSEG_TRY(icseg_import_number(json_array_get(point, i % 2), where, &o->xy[i], error));
    }
    o->count = count;
    return ICSEG_OK;
}

/* Replaces two opposite corners by all four. */
static icseg_status make_rectangle(const labelme *l, icseg_outline *o, icseg_error *error) {
    double *c = icseg_arena_array(l->arena, 8, sizeof *c), x0 = o->xy[0], y0 = o->xy[1], x1 = o->xy[2], y1 = o->xy[3];
    if (!c) return icseg_fail_memory_in(error, 8 * sizeof *c, l->path);
    memcpy(c, (const double[]){x0, y0, x1, y0, x1, y1, x0, y1}, 8 * sizeof *c);
    o->xy = c;
    o->count = 4;
    return ICSEG_OK;
}

/* Shape type "mask": a PNG whose upper left corner is the first point. */
static icseg_status read_mask(const labelme *l, size_t at, const json_t *text, icseg_outline *o, icseg_error *error) {
    size_t size;
    if (!json_is_string(text) || json_string_length(text) > MAX_MASK_BYTES || !o->count)
        return fail_shape(l, at, "a mask needs its corner in \"points\" and a base64 PNG in \"mask\"", error);
    unsigned char *data;
    icseg_image image = {0};
    ICSEG_TRY(icseg_import_base64(l->arena, text, &data, &size, error));
    if (!data) return fail_shape(l, at, "\"mask\" is not base64", error);
    ICSEG_TRY(icseg_image_read_memory(&image, data, size, l->path, error));
    size_t pixels = (size_t)image.width * (size_t)image.height;
    o->mask = (icseg_mask){.width = image.width, .height = image.height, .bits = 8};
    o->mask.data = icseg_alloc_array(pixels, sizeof *o->mask.data);
    for (size_t i = 0; o->mask.data && i < pixels; i++) o->mask.data[i] = image.data[3 * i];
    icseg_image_close(&image);
    if (!o->mask.data) return icseg_fail_memory_in(error, pixels * sizeof *o->mask.data, l->path);
    o->kind = ICSEG_OUTLINE_MASK;
    o->x = (int32_t)o->xy[0];
    o->y = (int32_t)o->xy[1];
    return ICSEG_OK;
}

/* The type of a shape; old files do not have the key. */
static const char *type_of(const json_t *shape) {
    const char *type = json_string_value(json_object_get(shape, "shape_type"));
    return type ? type : "polygon";
}

/* The types whose points are corners. LabelMe has the first two; X-AnyLabeling writes the others. */
static bool has_corners(const char *type) {
    static const char *const types[] = {"polygon", "rectangle", "oriented_rectangle", "rotation", "quadrilateral"};
    size_t i = 0;
    while (i < sizeof types / sizeof *types && strcmp(type, types[i]) != 0) i++;
    return i < sizeof types / sizeof *types;
}

/* Whether the type does not have an area, or one that its points do not enclose. */
static bool find_skip(const char *type, icseg_skip *out) {
    bool point = !strcmp(type, "point") || !strcmp(type, "points"), cuboid = !strcmp(type, "cuboid");
    *out = point ? ICSEG_SKIP_POINT : cuboid ? ICSEG_SKIP_CUBOID : ICSEG_SKIP_LINE;
    return point || cuboid || !strcmp(type, "line") || !strcmp(type, "linestrip");
}

/* out->outlines stays NULL for shapes without an area. */
static icseg_status read_shape(const labelme *l, size_t at, const json_t *shape, icseg_object *out,
                               icseg_error *error) {
    const json_t *label = json_object_get(shape, "label"), *points = json_object_get(shape, "points");
    const char *type = type_of(shape);
    char where[PATH_MAX + 40];
    int32_t class_label;
    icseg_skip skip;
    *out = (icseg_object){0};
    if (!json_is_string(label) || !json_is_array(points))
        return fail_shape(l, at, "expected a string \"label\" and a list \"points\"", error);
    if (find_skip(type, &skip)) return icseg_import_skip(l->im, skip), ICSEG_OK;
    snprintf(where, sizeof where, "%s: shapes[%zu]", l->path, at);
    ICSEG_TRY(icseg_import_class(l->im, json_string_value(label), where, &class_label, error));
    out->label = (int16_t)class_label;
    icseg_outline *o = icseg_arena_alloc(l->arena, sizeof *o);
    if (!o) return icseg_fail_memory_in(error, 0, l->path);
    ICSEG_TRY(read_points(l, at, points, o, error));
    if (!strcmp(type, "rectangle") && o->count == 2)
        ICSEG_TRY(make_rectangle(l, o, error));
    else if (!strcmp(type, "mask"))
        ICSEG_TRY(read_mask(l, at, json_object_get(shape, "mask"), o, error));
    else if (!strcmp(type, "circle") && o->count == 2)
        o->kind = ICSEG_OUTLINE_CIRCLE;
    else if (!has_corners(type))
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: shape_type \"%.40s\" with %zu points is not supported; polygons, rectangles (also "
                          "rotated ones), circles (2 "
                          "points) and masks are read; points, lines and cuboids are skipped",
                          where, type, o->count);
    out->outlines = o;
    return ICSEG_OK;
}

static icseg_status read_shapes(const labelme *l, const json_t *root, icseg_import_item *item, icseg_error *error) {
    const json_t *shapes = json_object_get(root, "shapes"), *shape;
    size_t i, count = json_array_size(shapes);
    if (!json_is_array(shapes) || count > MAX_SHAPES)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not a LabelMe file; expected a list of at most %d \"shapes\"",
                          l->path, MAX_SHAPES);
    if (!(item->objects = icseg_arena_array(l->arena, count, sizeof *item->objects)))
        return icseg_fail_memory_in(error, count * sizeof *item->objects, l->path);
    json_array_foreach(shapes, i, shape) {
        icseg_object *object = &item->objects[item->object_count];
        icseg_status status = read_shape(l, i, shape, object, error);
        if (status != ICSEG_OK)
            ICSEG_TRY(icseg_import_problem(l->im, status, error));
        else if (object->outlines)
            item->object_count++;
    }
    return ICSEG_OK;
}

/* ---- images ---- */

/* imagePath starts from the JSON file's folder; Windows writes it with backslashes. It may lead to folders beside the
 * source, as LabelMe writes it when labels are kept apart from images, but not further up. *out NULL: missing. */
static icseg_status find_beside(const labelme *l, const char *name, char **out, icseg_error *error) {
    char *path = icseg_arena_strdup(l->arena, name);
    int depth = 1; /* folders from the source's parent to the file */
    bool found;
    *out = NULL;
    if (!path) return icseg_fail_memory_in(error, 0, l->path);
    for (char *c = path; *c; c++)
        if (*c == '\\') *c = '/';
    if (path[0] == '/' || (path[0] && path[1] == ':')) return ICSEG_OK;
    for (const char *p = l->name; (p = strchr(p, '/')); p++) depth++;
    for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL) {
        bool up = !strncmp(p, "../", 3) || !strcmp(p, "..");
        if (strncmp(p, "./", 2) != 0 && *p != '/') depth += up ? -1 : 1;
        if (depth < 0) return ICSEG_OK;
    }
    char *whole = icseg_arena_printf(l->arena, "%s/%s", l->folder, path);
    if (!whole) return icseg_fail_memory_in(error, 0, l->path);
    ICSEG_TRY(icseg_path_find(whole, S_IFREG, &found, error));
    if (found) *out = whole;
    return ICSEG_OK;
}

/* Finds the file named by imagePath, one with the stem of the JSON file, or the copy in the JSON file. */
static icseg_status find_image(const labelme *l, const json_t *root, icseg_import_item *item, icseg_error *error) {
    const json_t *data = json_object_get(root, "imageData"), *name = json_object_get(root, "imagePath");
    bool has_above = strchr(l->name, '/') != NULL; /* inside the source; `labelme` beside the images is such a folder */
    const char *folders[] = {l->folder, icseg_arena_printf(l->arena, "%s/../images", l->folder), NULL, NULL};
    char *path = NULL;
    if (has_above) folders[2] = icseg_arena_printf(l->arena, "%s/..", l->folder);
    if (!folders[1] || (has_above && !folders[2])) return icseg_fail_memory_in(error, 0, l->path);
    if (json_is_string(name)) ICSEG_TRY(find_beside(l, json_string_value(name), &path, error));
    if (json_is_string(name) && !path)
        ICSEG_TRY(icseg_import_find_image(
            l->im, l->arena, (icseg_image_query){.folders = folders, .name = json_string_value(name)}, &path, error));
    if (!path)
        ICSEG_TRY(icseg_import_find_image(l->im, l->arena,
                                          (icseg_image_query){.folders = folders, .name = item->name, .any_type = true},
                                          &path, error));
    item->image = path;
    if (path) return ICSEG_OK;
    unsigned char *copy = NULL;
    if (json_is_string(data)) ICSEG_TRY(icseg_import_base64(l->arena, data, &copy, &item->size, error));
    item->data = copy;
    if (copy) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "image_folder", ICSEG_REMEDY_SET_FIELD,
                            "%s: its image \"%.200s\" is missing, and the file does not contain a copy (imageData); "
                            "specify the folder of the images",
                            l->path, json_is_string(name) ? json_string_value(name) : "");
}

static icseg_status import_root(const labelme *l, const char *split, const json_t *root, icseg_error *error) {
    icseg_import_item item = {.arena = l->arena,
                              .split = split,
                              .name = l->name,
                              .source = l->path,
                              .width = json_integer_value(json_object_get(root, "imageWidth")),
                              .height = json_integer_value(json_object_get(root, "imageHeight"))};
    ICSEG_TRY(icseg_import_problem(l->im, find_image(l, root, &item, error), error));
    icseg_status status = read_shapes(l, root, &item, error);
    if (status == ICSEG_OK && (item.image || item.data)) return icseg_import_write(l->im, &item, error);
    icseg_import_item_close(&item);
    return status;
}

static bool is_labelme(const json_t *root) {
    return json_object_get(root, "shapes") || json_object_get(root, "imagePath");
}

/* A JSON file of another tool. */
static icseg_status note_foreign(icseg_import *im, const char *folder, const char *name, icseg_error *error) {
    char *path = icseg_arena_printf(im->arena, "%s/%s", folder, name);
    if (!path) return icseg_fail_memory_in(error, 0, folder);
    icseg_import_unused(im, path);
    return ICSEG_OK;
}

static icseg_status import_file(icseg_import *im, const char *folder, const char *split, const char *name,
                                icseg_error *error) {
    labelme l = {.im = im, .name = name};
    json_t *root = NULL;
    icseg_status status;
    ICSEG_TRY(icseg_arena_open(&l.arena, error));
    const char *slash = strrchr(name, '/');
    l.path = icseg_arena_printf(l.arena, "%s/%s", folder, name);
    l.folder = slash ? icseg_arena_printf(l.arena, "%s/%.*s", folder, (int)(slash - name), name) : folder;
    if (!l.path || !l.folder)
        status = icseg_fail_memory_in(error, 0, folder);
    else
        status = icseg_import_parse_json(&root, l.path, error);
    if (status == ICSEG_OK && !is_labelme(root))
        status = note_foreign(im, folder, name, error);
    else if (status == ICSEG_OK)
        status = import_root(&l, split, root, error);
    json_decref(root);
    icseg_arena_close(&l.arena);
    return status;
}

/* ---- the classes: all labels, in alphabetical order ---- */

static icseg_status note_labels(icseg_import *im, const char *path, icseg_error *error) {
    json_t *root;
    const json_t *shape;
    size_t i;
    icseg_status status = ICSEG_OK;
    ICSEG_TRY(icseg_import_parse_json(&root, path, error));
    json_array_foreach(json_object_get(root, "shapes"), i, shape) {
        const char *label = json_string_value(json_object_get(shape, "label"));
        int32_t ignored;
        icseg_skip skip;
        if (find_skip(type_of(shape), &skip)) continue;
        if (label && status != ICSEG_ERROR_MEMORY) status = icseg_import_class(im, label, path, &ignored, error);
    }
    json_decref(root);
    return status;
}

static icseg_status collect_classes(icseg_import *im, const char *folder, char *const *names, size_t count,
                                    icseg_error *error) {
    int32_t first = im->classes;
    if (im->fixed) return ICSEG_OK;
    for (size_t i = 0; i < count; i++) {
        char *path = icseg_arena_printf(im->arena, "%s/%s", folder, names[i]);
        if (!path) return icseg_fail_memory_in(error, 0, folder);
        icseg_status status = note_labels(im, path, error); /* problems are recorded when the file is imported */
        if (status == ICSEG_ERROR_MEMORY) return status;
    }
    if (im->classes > first)
        qsort(im->names + first, (size_t)(im->classes - first), sizeof *im->names, icseg_compare_names);
    return ICSEG_OK;
}

icseg_status icseg_import_labelme(icseg_import *im, icseg_error *error) {
    const char *folder = im->options->source, *split = im->options->split ? im->options->split : "train";
    char **names;
    size_t count;
    ICSEG_TRY(icseg_import_list_tree(im->arena, folder, json_types, &names, &count, error));
    ICSEG_TRY(icseg_import_background(im, error));
    ICSEG_TRY(collect_classes(im, folder, names, count, error));
    im->one_split = true;
    im->stage.total = (int64_t)count;
    for (size_t i = 0; i < count; i++)
        ICSEG_TRY(icseg_import_problem(im, import_file(im, folder, split, names[i], error), error));
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * Supervisely: meta.json with the classes, and folders with img/NAME and ann/NAME.json
 * (docs.supervisely.com, "Supervisely annotation format"). */
#include <limits.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "importers/internal.h"

enum { MAX_OBJECTS = 1 << 20, MAX_MASK_BYTES = 1 << 28 };

typedef struct supervisely {
    icseg_import *im;
    icseg_arena *arena; /* of this image */
    const char *path;   /* of its annotations */
} supervisely;

static icseg_status fail_object(const supervisely *s, size_t at, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: objects[%zu]: %s", s->path, at, what);
}

/* ---- outlines ---- */

static icseg_status read_ring(const supervisely *s, size_t at, const json_t *points, icseg_outline *o,
                              icseg_error *error) {
    size_t count = json_array_size(points);
    char where[PATH_MAX + 40];
    if (!json_is_array(points)) return fail_object(s, at, "expected lists of points", error);
    o->xy = icseg_arena_array(s->arena, count + 1, 2 * sizeof *o->xy);
    if (!o->xy) return icseg_fail_memory_in(error, 0, s->path);
    snprintf(where, sizeof where, "%s: objects[%zu]", s->path, at);
    for (size_t i = 0; i < 2 * count; i++) {
        const json_t *point = json_array_get(points, i / 2);
        if (json_array_size(point) != 2) return fail_object(s, at, "a point must be a list of x and y", error);
        ICSEG_TRY(icseg_import_number(json_array_get(point, i % 2), where, &o->xy[i], error));
    }
    o->count = count;
    return ICSEG_OK;
}

/* The exterior and its holes as one polygon: a hole is reached along an edge that is passed twice, and so encloses
 * nothing by the even-odd rule. */
static icseg_status read_polygon(const supervisely *s, size_t at, const json_t *points, icseg_outline *o,
                                 icseg_error *error) {
    const json_t *holes = json_object_get(points, "interior"), *hole;
    size_t i;
    ICSEG_TRY(read_ring(s, at, json_object_get(points, "exterior"), o, error));
    if (holes && !json_is_null(holes) && !json_is_array(holes))
        return fail_object(s, at, "\"interior\" must be a list of lists of points", error);
    if (!o->count) return ICSEG_OK;
    json_array_foreach(holes, i, hole) {
        icseg_outline ring = {.kind = ICSEG_OUTLINE_POLYGON};
        ICSEG_TRY(read_ring(s, at, hole, &ring, error));
        if (!ring.count) continue;
        size_t count = o->count + ring.count + 2;
        double *xy = icseg_arena_array(s->arena, count, 2 * sizeof *xy);
        if (!xy) return icseg_fail_memory_in(error, 0, s->path);
        memcpy(xy, o->xy, o->count * 2 * sizeof *xy); /* ends where it began: at its first corner */
        memcpy(xy + 2 * o->count, o->xy, 2 * sizeof *xy);
        memcpy(xy + 2 * (o->count + 1), ring.xy, ring.count * 2 * sizeof *xy);
        memcpy(xy + 2 * (o->count + 1 + ring.count), ring.xy, 2 * sizeof *xy);
        o->xy = xy;
        o->count = count;
    }
    return ICSEG_OK;
}

/* A PNG whose opaque pixels, or, without transparency, whose pixels that are not black, are inside. */
static icseg_status read_png(const supervisely *s, size_t at, const unsigned char *data, size_t size, icseg_mask *out,
                             icseg_error *error) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&image, data, size))
        return fail_object(s, at, "the bitmap is not a PNG", error);
    bool alpha = image.format & PNG_FORMAT_FLAG_ALPHA;
    uint8_t *pixels = NULL;
    icseg_status status = ICSEG_OK;
    if (image.width > ICSEG_IMAGE_MAX_SIDE || image.height > ICSEG_IMAGE_MAX_SIDE)
        status = fail_object(s, at, "the bitmap is too large", error);
    size_t count = (size_t)image.width * image.height;
    image.format = PNG_FORMAT_GA;
    if (status == ICSEG_OK) {
        pixels = icseg_alloc_array(count, 2);
        *out = (icseg_mask){.width = (int32_t)image.width, .height = (int32_t)image.height, .bits = 8};
        out->data = icseg_alloc_array(count, sizeof *out->data);
        if (!pixels || !out->data)
            status = icseg_fail_memory_in(error, 0, s->path);
        else if (!png_image_finish_read(&image, NULL, pixels, 0, NULL))
            status = fail_object(s, at, "the bitmap's PNG is damaged", error);
    }
    for (size_t i = 0; status == ICSEG_OK && i < count; i++) out->data[i] = pixels[2 * i + alpha] != 0;
    icseg_free(pixels);
    png_image_free(&image);
    return status;
}

/* A bitmap: base64 of a zlib stream of a PNG, and the place of its upper left corner. */
static icseg_status read_bitmap(const supervisely *s, size_t at, const json_t *bitmap, icseg_outline *o,
                                icseg_error *error) {
    const json_t *data = json_object_get(bitmap, "data"), *origin = json_object_get(bitmap, "origin");
    double corner[2];
    unsigned char *packed;
    size_t packed_size;
    if (!json_is_string(data) || json_string_length(data) > MAX_MASK_BYTES || json_array_size(origin) != 2)
        return fail_object(s, at, "a bitmap needs \"data\" and \"origin\"", error);
    for (size_t i = 0; i < 2; i++)
        ICSEG_TRY(icseg_import_number(json_array_get(origin, i), s->path, &corner[i], error));
    ICSEG_TRY(icseg_import_base64(s->arena, data, &packed, &packed_size, error));
    if (!packed) return fail_object(s, at, "\"data\" is not base64", error);
    /* deflate makes data at most 1032 times as small */
    uLongf size = packed_size < MAX_MASK_BYTES / 1032 ? packed_size * 1032 + 64 : MAX_MASK_BYTES;
    unsigned char *png = icseg_alloc(size);
    if (!png) return icseg_fail_memory_in(error, size, s->path);
    icseg_status status = uncompress(png, &size, packed, packed_size) == Z_OK
                              ? read_png(s, at, png, size, &o->mask, error)
                              : fail_object(s, at, "\"data\" is not a compressed PNG", error);
    icseg_free(png);
    o->kind = ICSEG_OUTLINE_MASK;
    o->x = (int32_t)corner[0];
    o->y = (int32_t)corner[1];
    return status;
}

static icseg_skip kind_of(const char *type) {
    static const struct {
        const char *type;
        icseg_skip kind;
    } types[] = {{"rectangle", ICSEG_SKIP_BOX}, {"line", ICSEG_SKIP_LINE},      {"point", ICSEG_SKIP_POINT},
                 {"cuboid", ICSEG_SKIP_CUBOID}, {"graph", ICSEG_SKIP_SKELETON}, {"oriented_bbox", ICSEG_SKIP_BOX}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].type, type)) return types[i].kind;
    return ICSEG_SKIP_OTHER;
}

/* out->outlines stays NULL for boxes, lines and points. */
static icseg_status read_object(const supervisely *s, size_t at, const json_t *object, icseg_object *out,
                                icseg_error *error) {
    const char *name = json_string_value(json_object_get(object, "classTitle"));
    const char *type = json_string_value(json_object_get(object, "geometryType"));
    char where[PATH_MAX + 40];
    int32_t label;
    *out = (icseg_object){0};
    if (!name || !type) return fail_object(s, at, "expected \"classTitle\" and \"geometryType\"", error);
    bool polygon = !strcmp(type, "polygon"), bitmap = !strcmp(type, "bitmap");
    if (!polygon && !bitmap) return icseg_import_skip(s->im, kind_of(type)), ICSEG_OK;
    snprintf(where, sizeof where, "%s: objects[%zu]", s->path, at);
    ICSEG_TRY(icseg_import_class(s->im, name, where, &label, error));
    icseg_outline *o = icseg_arena_alloc(s->arena, sizeof *o);
    if (!o) return icseg_fail_memory_in(error, sizeof *o, s->path);
    *o = (icseg_outline){.kind = ICSEG_OUTLINE_POLYGON};
    *out = (icseg_object){.label = (int16_t)label, .outlines = o};
    return polygon ? read_polygon(s, at, json_object_get(object, "points"), o, error)
                   : read_bitmap(s, at, json_object_get(object, "bitmap"), o, error);
}

static icseg_status read_objects(const supervisely *s, const json_t *root, icseg_import_item *item,
                                 icseg_error *error) {
    const json_t *objects = json_object_get(root, "objects"), *object;
    size_t i, count = json_array_size(objects);
    if (!json_is_array(objects) || count > MAX_OBJECTS)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: expected a list of at most %d \"objects\"", s->path,
                          MAX_OBJECTS);
    item->objects = icseg_arena_array(s->arena, count + 1, sizeof *item->objects);
    if (!item->objects) return icseg_fail_memory_in(error, 0, s->path);
    json_array_foreach(objects, i, object) {
        icseg_object *out = &item->objects[item->object_count];
        icseg_status status = read_object(s, i, object, out, error);
        if (out->outlines) item->object_count++; /* also after a problem: its mask must be closed */
        ICSEG_TRY(icseg_import_problem(s->im, status, error));
    }
    return ICSEG_OK;
}

/* ---- images ---- */

/* The size of the image that was labelled. */
static icseg_status read_size(const supervisely *s, const json_t *root, icseg_import_item *item, icseg_error *error) {
    const json_t *size = json_object_get(root, "size");
    const json_t *width = json_object_get(size, "width"), *height = json_object_get(size, "height");
    item->width = json_integer_value(width);
    item->height = json_integer_value(height);
    if (item->width > 0 && item->height > 0) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: \"size\" must have the image's \"width\" and \"height\" as whole numbers", s->path);
}

static icseg_status import_root(const supervisely *s, const char *split, const char *image, const char *name,
                                const json_t *root, icseg_error *error) {
    icseg_import_item item = {.arena = s->arena, .split = split, .name = name, .image = image, .source = s->path};
    icseg_status status = read_objects(s, root, &item, error);
    if (status == ICSEG_OK) status = read_size(s, root, &item, error);
    if (status == ICSEG_OK) return icseg_import_write(s->im, &item, error);
    icseg_import_item_close(&item);
    return status;
}

/* folder: of the data set inside the project; name: of a file in its ann, "IMAGE.json". */
static icseg_status import_file(icseg_import *im, const char *folder, const char *split, const char *prefix,
                                const char *name, icseg_error *error) {
    supervisely s = {.im = im};
    json_t *root = NULL;
    bool found = false;
    ICSEG_TRY(icseg_arena_open(&s.arena, error));
    int stem = (int)(strlen(name) - strlen(".json"));
    char *image = icseg_arena_printf(s.arena, "%s/img/%.*s", folder, stem, name);
    char *new_name = icseg_arena_printf(s.arena, "%s%.*s", prefix, stem, name);
    s.path = icseg_arena_printf(s.arena, "%s/ann/%s", folder, name);
    icseg_status status = image && new_name && s.path ? ICSEG_OK : icseg_fail_memory_in(error, 0, folder);
    if (status == ICSEG_OK) status = icseg_path_find(image, S_IFREG, &found, error);
    if (status == ICSEG_OK && !found)
        status = icseg_fail(error, ICSEG_ERROR_DATA, "%s: its image %s is missing", s.path, image);
    if (status == ICSEG_OK) status = icseg_import_read_json(&root, s.path, error);
    if (status == ICSEG_OK) status = import_root(&s, split, image, new_name, root, error);
    json_decref(root);
    icseg_arena_close(&s.arena);
    return icseg_import_problem(im, status, error);
}

/* ---- the project ---- */

static icseg_status read_classes(icseg_import *im, icseg_error *error) {
    char *path = icseg_arena_printf(im->arena, "%s/meta.json", im->options->source);
    json_t *root;
    const json_t *class;
    size_t i;
    int32_t label;
    icseg_import_declared declared = {0};
    icseg_status status = ICSEG_OK;
    if (!path) return icseg_fail_memory_in(error, 0, im->options->source);
    ICSEG_TRY(icseg_import_background(im, error));
    if (im->fixed) return ICSEG_OK;
    ICSEG_TRY(icseg_import_read_json(&root, path, error));
    const json_t *classes = json_object_get(root, "classes");
    if (!json_is_array(classes)) status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: \"classes\" must be a list", path);
    json_array_foreach(classes, i, class) {
        const char *name = json_string_value(json_object_get(class, "title"));
        if (status == ICSEG_OK)
            status = name ? icseg_import_declare(im, &declared, name, path, &label, error)
                          : icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: classes[%zu]: expected a \"title\"", path, i);
    }
    json_decref(root);
    return status;
}

static bool is_split(const char *name) {
    return !strcmp(name, "train") || !strcmp(name, "val") || !strcmp(name, "valid") || !strcmp(name, "test");
}

/* The data sets of the project are folders with ann. Those called train, val and test are splits; the images of others
 * are put into one split, and their names begin with that of their data set. */
icseg_status icseg_import_supervisely(icseg_import *im, icseg_error *error) {
    static const char *const types[] = {"json", NULL};
    const char *source = im->options->source, *only = im->options->split;
    char **paths;
    size_t count, splits = 0;
    ICSEG_TRY(read_classes(im, error));
    ICSEG_TRY(icseg_import_list_tree(im->arena, source, types, &paths, &count, error));
    im->one_split = true;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < count; i++) {
            const char *name = icseg_path_name(paths[i]);
            size_t length = (size_t)(name - paths[i]);
            if (length < 4 || strncmp(name - 4, "ann/", 4) != 0 || (length > 4 && name[-5] != '/')) continue;
            char *set = icseg_arena_printf(im->arena, "%.*s", length > 5 ? (int)(length - 5) : 0, paths[i]);
            char *folder = set ? icseg_arena_printf(im->arena, "%s/%s", source, set) : NULL;
            char *prefix = set ? icseg_arena_printf(im->arena, "%s%s", set, *set ? "/" : "") : NULL;
            if (!folder || !prefix) return icseg_fail_memory_in(error, 0, source);
            const char *split = !is_split(set) ? "train" : !strcmp(set, "valid") ? "val" : set;
            if (!pass) {
                im->stage.total++;
                splits |= !strcmp(split, "train") ? 1U : !strcmp(split, "val") ? 2U : 4U;
                im->one_split = !(splits & (splits - 1));
                continue;
            }
            ICSEG_TRY(import_file(im, folder, im->one_split && only ? only : split, is_split(set) ? "" : prefix, name,
                                  error));
        }
    return ICSEG_OK;
}

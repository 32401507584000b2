/* SPDX-License-Identifier: Apache-2.0
 * GeoJSON (RFC 7946) with coordinates in pixels and y downwards, as QuPath exports it: one file for each image, a
 * FeatureCollection or a list of Features, whose classes are in properties.classification.name
 * (qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html). */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "importers/internal.h"
#include "importers/json_stream.h"

enum { MAX_FEATURES = 1 << 20 };

static const char *const geojson_types[] = {"geojson", NULL};

typedef struct geojson {
    icseg_import *im;
    const char *path, *folder; /* of the file */
    icseg_import_item item;    /* item.arena owns the objects */
    size_t capacity;           /* of item.objects */
    size_t feature;            /* its index */
} geojson;

static icseg_status fail_feature(const geojson *g, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: features[%zu]: %s", g->path, g->feature, what);
}

/* ---- geometries ---- */

static icseg_status add_point(const geojson *g, const json_t *point, icseg_outline *o, icseg_error *error) {
    char where[PATH_MAX + 40];
    if (json_array_size(point) < 2) /* a third number is the height */
        return fail_feature(g, "a position must be a list of x and y", error);
    snprintf(where, sizeof where, "%s: features[%zu]", g->path, g->feature);
    for (size_t i = 0; i < 2; i++)
        ICSEG_TRY(icseg_import_number(json_array_get(point, i), where, &o->xy[2 * o->count + i], error));
    o->count++;
    return ICSEG_OK;
}

/* The rings, which may be closed or not, become one line: from the first corner around the first ring, and from there
 * around each hole and back. By the even-odd rule, the ways to and from a hole enclose nothing. */
static icseg_status read_polygon(const geojson *g, const json_t *rings, icseg_object *out, icseg_error *error) {
    size_t i, k, capacity = 0;
    const json_t *ring, *point, *first = json_array_get(json_array_get(rings, 0), 0);
    icseg_outline *o = icseg_arena_alloc(g->item.arena, sizeof *o);
    if (!json_is_array(rings)) return fail_feature(g, "a polygon must be a list of rings", error);
    json_array_foreach(rings, i, ring) capacity += json_array_size(ring) + 2;
    if (!o || !(o->xy = icseg_arena_array(g->item.arena, capacity, 2 * sizeof *o->xy)))
        return icseg_fail_memory_in(error, 0, g->path);
    json_array_foreach(rings, i, ring) {
        if (!json_array_size(ring)) return fail_feature(g, "a ring must be a list of positions", error);
        json_array_foreach(ring, k, point) ICSEG_TRY(add_point(g, point, o, error));
        if (i) ICSEG_TRY(add_point(g, json_array_get(ring, 0), o, error));
        ICSEG_TRY(add_point(g, first, o, error));
    }
    o->next = out->outlines;
    out->outlines = o;
    return ICSEG_OK;
}

/* out->outlines stays NULL for a geometry without an area. */
static icseg_status read_geometry(const geojson *g, const json_t *geometry, icseg_object *out, icseg_error *error) {
    const char *type = json_string_value(json_object_get(geometry, "type"));
    const json_t *coordinates = json_object_get(geometry, "coordinates"), *polygon;
    size_t i;
    if (!type) return fail_feature(g, "expected a \"geometry\" with a \"type\"", error);
    if (!strcmp(type, "Polygon")) return read_polygon(g, coordinates, out, error);
    if (!strcmp(type, "MultiPolygon")) {
        if (!json_is_array(coordinates)) return fail_feature(g, "a MultiPolygon must be a list of polygons", error);
        json_array_foreach(coordinates, i, polygon) ICSEG_TRY(read_polygon(g, polygon, out, error));
        return ICSEG_OK;
    }
    if (!strcmp(type, "Point") || !strcmp(type, "MultiPoint") || !strcmp(type, "LineString") ||
        !strcmp(type, "MultiLineString"))
        return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: features[%zu]: the geometry \"%.40s\" is not supported; Polygon and MultiPolygon are read",
                      g->path, g->feature, type);
}

/* ---- features ---- */

static icseg_status read_feature(const geojson *g, const json_t *feature, icseg_object *out, icseg_error *error) {
    const json_t *class = json_object_get(json_object_get(feature, "properties"), "classification");
    const char *name = json_string_value(json_object_get(class, "name"));
    char where[PATH_MAX + 40];
    int32_t label;
    *out = (icseg_object){0};
    ICSEG_TRY(read_geometry(g, json_object_get(feature, "geometry"), out, error));
    if (!out->outlines) return ICSEG_OK;
    if (!name) return fail_feature(g, "an object must have a class (properties.classification.name)", error);
    snprintf(where, sizeof where, "%s: features[%zu]", g->path, g->feature);
    ICSEG_TRY(icseg_import_starred_class(g->im, name, where, &label, error));
    out->label = (int16_t)label;
    return ICSEG_OK;
}

/* Of a feature without an area. */
static icseg_skip kind_of(const json_t *feature) {
    const char *type = json_string_value(json_object_get(json_object_get(feature, "geometry"), "type"));
    if (!type) return ICSEG_SKIP_OTHER;
    return strstr(type, "Line") ? ICSEG_SKIP_LINE : strstr(type, "Point") ? ICSEG_SKIP_POINT : ICSEG_SKIP_OTHER;
}

static icseg_status grow_objects(geojson *g, icseg_error *error) {
    icseg_import_item *item = &g->item;
    if (item->object_count < g->capacity) return ICSEG_OK;
    if (g->capacity >= MAX_FEATURES) return fail_feature(g, "the image has too many objects", error);
    size_t capacity = g->capacity ? 2 * g->capacity : 64;
    icseg_object *objects = icseg_arena_array(item->arena, capacity, sizeof *objects);
    if (!objects) return icseg_fail_memory_in(error, capacity * sizeof *objects, g->path);
    if (item->object_count) memcpy(objects, item->objects, item->object_count * sizeof *objects);
    item->objects = objects;
    g->capacity = capacity;
    return ICSEG_OK;
}

/* A list of features follows. Those with a problem are recorded and left out. */
static icseg_status read_features(geojson *g, icseg_json_stream *stream, icseg_error *error) {
    bool more;
    for (;; g->feature++) {
        json_t *feature;
        ICSEG_TRY(icseg_json_stream_element(stream, &more, error));
        if (!more) return ICSEG_OK;
        ICSEG_TRY(icseg_json_stream_read(stream, &feature, NULL, error));
        icseg_status status = grow_objects(g, error);
        icseg_object object;
        if (status == ICSEG_OK) {
            status = read_feature(g, feature, &object, error);
            if (status == ICSEG_OK && object.outlines)
                g->item.objects[g->item.object_count++] = object;
            else if (status == ICSEG_OK)
                icseg_import_skip(g->im, kind_of(feature));
        }
        json_decref(feature);
        ICSEG_TRY(icseg_import_problem(g->im, status, error));
    }
}

/* ---- files ---- */

/* *out: whether the root of the file is a list. */
static icseg_status find_root(const char *path, bool *out, icseg_error *error) {
    char text[64];
    icseg_file_reader *file;
    ICSEG_TRY(icseg_file_reader_open(&file, path, error));
    size_t size = icseg_file_reader_size(file) < sizeof text ? icseg_file_reader_size(file) : sizeof text;
    icseg_status status = icseg_file_reader_read(file, 0, text, size, error);
    icseg_file_reader_close(&file);
    ICSEG_TRY(status);
    size_t at = icseg_bom_size(text, size);
    while (at < size && strchr(" \t\r\n", text[at])) at++;
    *out = at < size && text[at] == '[';
    return ICSEG_OK;
}

/* Files of maps. QuPath does not write the key. */
static icseg_status refuse_places(const geojson *g, icseg_json_stream *stream, icseg_error *error) {
    json_t *crs;
    ICSEG_TRY(icseg_json_stream_read(stream, &crs, NULL, error));
    bool is_null = json_is_null(crs);
    json_decref(crs);
    if (is_null) return ICSEG_OK;
    return icseg_fail(
        error, ICSEG_ERROR_DATA,
        "%s: the key \"crs\" says that coordinates are places on the Earth; convert them to pixels of the "
        "image, x to the right and y downwards, and remove the key",
        g->path);
}

static icseg_status read_file(geojson *g, icseg_error *error) {
    icseg_json_stream *stream;
    char key[ICSEG_JSON_KEY_SIZE];
    bool is_list, more = true, found = false;
    ICSEG_TRY(find_root(g->path, &is_list, error));
    icseg_status status = is_list ? icseg_json_stream_open_list(&stream, g->path, error)
                                  : icseg_json_stream_open(&stream, g->path, error);
    ICSEG_TRY(status);
    if (is_list) status = read_features(g, stream, error);
    while (!is_list && (status = icseg_json_stream_member(stream, key, &more, error)) == ICSEG_OK && more) {
        bool entered = false;
        if (!strcmp(key, "features") && !found) status = icseg_json_stream_enter(stream, &entered, error);
        if (status == ICSEG_OK)
            status = entered              ? read_features(g, stream, error)
                     : strcmp(key, "crs") ? icseg_json_stream_skip(stream, error)
                                          : refuse_places(g, stream, error);
        if (status != ICSEG_OK) break;
        found |= entered;
    }
    icseg_json_stream_close(&stream);
    if (status == ICSEG_OK && !is_list && !found)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT,
                            "%s: not a GeoJSON FeatureCollection; expected a list of \"features\"", g->path);
    return status;
}

/* The image has the name of the file without ".geojson", or the stem of that. */
static icseg_status find_image(geojson *g, icseg_error *error) {
    icseg_arena *arena = g->item.arena;
    const char *folders[] = {g->folder, icseg_arena_printf(arena, "%s/images", g->folder),
                             icseg_arena_printf(arena, "%s/../images", g->folder), NULL};
    const char *extension = icseg_path_extension(g->item.name);
    int stem = (int)(strlen(g->item.name) - strlen(extension) - (*extension != '\0'));
    char *path, *name = icseg_arena_printf(arena, "%.*s", stem, g->item.name);
    if (!name || !folders[1] || !folders[2]) return icseg_fail_memory_in(error, 0, g->path);
    ICSEG_TRY(
        icseg_import_find_image(g->im, arena, (icseg_image_query){.folders = folders, .name = name}, &path, error));
    if (path)
        g->item.name = name;
    else
        ICSEG_TRY(icseg_import_find_image(
            g->im, arena, (icseg_image_query){.folders = folders, .name = g->item.name, .any_type = true}, &path,
            error));
    g->item.image = path;
    if (path) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "image_folder", ICSEG_REMEDY_SET_FIELD,
                            "%s: the image with this name is missing; specify the folder of the images", g->path);
}

static icseg_status import_file(icseg_import *im, const char *folder, const char *name, icseg_error *error) {
    geojson g = {.im = im, .item = {.name = name, .split = im->options->split ? im->options->split : "train"}};
    const char *slash = strrchr(name, '/');
    ICSEG_TRY(icseg_arena_open(&g.item.arena, error));
    g.path = g.item.source = icseg_arena_printf(g.item.arena, "%s/%s", folder, name);
    g.folder = slash ? icseg_arena_printf(g.item.arena, "%s/%.*s", folder, (int)(slash - name), name) : folder;
    icseg_status status = g.path && g.folder ? ICSEG_OK : icseg_fail_memory_in(error, 0, folder);
    if (status == ICSEG_OK) status = icseg_import_problem(im, find_image(&g, error), error);
    if (status == ICSEG_OK) status = read_file(&g, error);
    if (status == ICSEG_OK && g.item.image) status = icseg_import_write(im, &g.item, error);
    icseg_arena_close(&g.item.arena);
    return status;
}

static icseg_status import_one(icseg_import *im, const char *path, icseg_error *error) {
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? icseg_arena_printf(im->arena, "%.*s", (int)(slash - path), path) : ".";
    if (!folder) return icseg_fail_memory_in(error, 0, path);
    im->stage.total = 1;
    return icseg_import_problem(im, import_file(im, folder, slash ? slash + 1 : path, error), error);
}

icseg_status icseg_import_geojson(icseg_import *im, icseg_error *error) {
    const char *source = im->options->source;
    char **names;
    size_t count;
    ICSEG_TRY(icseg_import_background(im, error));
    im->one_split = true;
    if (!icseg_folder_exists(source)) return import_one(im, source, error);
    ICSEG_TRY(icseg_import_list_tree(im->arena, source, geojson_types, &names, &count, error));
    im->stage.total = (int64_t)count;
    for (size_t i = 0; i < count; i++)
        ICSEG_TRY(icseg_import_problem(im, import_file(im, source, names[i], error), error));
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * Label Studio's JSON export: a list of tasks, each with the annotations of one image; and JSON_MIN: a list of
 * annotations, each with the task's data and, under the names of the labelling interface's tags, lists of regions.
 * Polygons are in per cent of the image, brush strokes are run lengths of single bits (labelstud.io/guide/export,
 * label_studio_sdk/converter/brush.py). Of several annotations of a task, the newest that was submitted counts. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "image/codec.h"
#include "importers/json_stream.h"
#include "importers/label_studio.h"

enum {
    MAX_RESULTS = 1 << 20,
    CHANNELS = 4,     /* of a brush stroke: only the last is used */
    MAX_PERCENT = 110 /* outlines may extend a little beyond the image */
};

/* ---- brush strokes ---- */

typedef struct bits {
    const json_t *bytes; /* a list of numbers 0..255 */
    size_t at;           /* bit */
    bool failed;
} bits;

static uint32_t take(bits *b, int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; i++, b->at++) {
        const json_t *byte = json_array_get(b->bytes, b->at / 8);
        json_int_t n = json_is_integer(byte) ? json_integer_value(byte) : -1;
        b->failed |= n < 0 || n > 255;
        if (b->failed) return 0;
        value = value << 1 | ((uint32_t)n >> (7 - b->at % 8) & 1);
    }
    return value;
}

/* A header (the number of values, their bits, and four bit widths of lengths), then runs: one bit says whether the run
 * repeats a value, two bits choose the width of its length, then come the length and the value or values. The values
 * are the image's red, green, blue and alpha. */
static bool decode_brush(bits *b, icseg_mask *mask) {
    uint64_t values = (uint64_t)mask->width * (uint64_t)mask->height * CHANNELS;
    int widths[4];
    if (take(b, 32) != values) return false;
    int bits_of_value = (int)take(b, 5) + 1;
    for (int i = 0; i < 4; i++) widths[i] = (int)take(b, 4) + 1;
    for (uint64_t i = 0; i < values && !b->failed;) {
        bool repeated = take(b, 1);
        uint64_t end = i + 1 + take(b, widths[take(b, 2)]);
        if (end > values) return false;
        for (uint32_t value = repeated ? take(b, bits_of_value) : 0; i < end && !b->failed; i++) {
            if (!repeated) value = take(b, bits_of_value);
            if (i % CHANNELS == CHANNELS - 1) mask->data[i / CHANNELS] = value != 0;
        }
    }
    return !b->failed;
}

static icseg_status read_brush(const icseg_studio *s, const icseg_import_item *item, const json_t *value,
                               icseg_outline *o, icseg_error *error) {
    const json_t *rle = json_object_get(value, "rle");
    bits b = {.bytes = rle};
    if (!json_is_array(rle)) return icseg_studio_fail(s, "a brush stroke must have run lengths (rle)", error);
    if (item->width * item->height > INT32_MAX / CHANNELS) return icseg_studio_fail(s, "the image is too large", error);
    o->mask = (icseg_mask){.width = (int32_t)item->width, .height = (int32_t)item->height, .bits = 8};
    o->mask.data = icseg_calloc_array((size_t)(item->width * item->height), sizeof *o->mask.data);
    if (!o->mask.data) return icseg_fail_memory_in(error, 0, s->path);
    o->kind = ICSEG_OUTLINE_MASK;
    if (decode_brush(&b, &o->mask)) return ICSEG_OK;
    return icseg_studio_fail(s, "the run lengths of a brush stroke do not fit the size of the image", error);
}

/* ---- polygons ---- */

static icseg_status read_polygon(const icseg_studio *s, const icseg_import_item *item, const json_t *value,
                                 icseg_outline *o, icseg_error *error) {
    const json_t *points = json_object_get(value, "points");
    size_t count = json_array_size(points);
    char where[PATH_MAX + 32];
    if (!json_is_array(points)) return icseg_studio_fail(s, "a polygon must have a list of points", error);
    o->xy = icseg_arena_array(s->arena, count + 1, 2 * sizeof *o->xy);
    if (!o->xy) return icseg_fail_memory_in(error, 0, s->path);
    snprintf(where, sizeof where, "%s: task %zu", s->path, s->task + 1);
    for (size_t i = 0; i < 2 * count; i++) {
        const json_t *point = json_array_get(points, i / 2);
        if (json_array_size(point) != 2) return icseg_studio_fail(s, "a point must be a list of x and y", error);
        ICSEG_TRY(icseg_import_number(json_array_get(point, i % 2), where, &o->xy[i], error));
        if (fabs(o->xy[i]) > MAX_PERCENT)
            return icseg_fail(
                error, ICSEG_ERROR_FORMAT,
                "%s: the coordinate %.9g is not a percentage of the image (0 to 100); if it is in pixels, "
                "divide x by the image's width and y by its height, and multiply by 100",
                where, o->xy[i]);
        o->xy[i] *= (double)(i % 2 ? item->height : item->width) / 100;
    }
    o->count = count;
    return ICSEG_OK;
}

/* ---- results ---- */

typedef enum result_kind {
    KIND_POLYGON,
    KIND_BRUSH,
    KIND_LABELS, /* the class of a shape that is another result */
    KIND_SKIPPED,
    KIND_OTHER /* not a region: choices, texts */
} result_kind;

/* Types that are not known are regions of which no pixels are taken. */
static result_kind kind_of(const char *type, icseg_skip *skip) {
    static const struct {
        const char *type;
        result_kind kind;
        icseg_skip skip;
    } types[] = {{"polygon", KIND_POLYGON, 0},
                 {"brush", KIND_BRUSH, 0},
                 {"rectangle", KIND_SKIPPED, ICSEG_SKIP_BOX},
                 {"ellipse", KIND_SKIPPED, ICSEG_SKIP_ELLIPSE},
                 {"keypoint", KIND_SKIPPED, ICSEG_SKIP_POINT},
                 {"vector", KIND_SKIPPED, ICSEG_SKIP_LINE},
                 {"choices", KIND_OTHER, 0},
                 {"textarea", KIND_OTHER, 0},
                 {"rating", KIND_OTHER, 0},
                 {"number", KIND_OTHER, 0},
                 {"datetime", KIND_OTHER, 0},
                 {"taxonomy", KIND_OTHER, 0},
                 {"pairwise", KIND_OTHER, 0},
                 {"ranker", KIND_OTHER, 0},
                 {"relation", KIND_OTHER, 0}};
    size_t length = strlen(type);
    *skip = ICSEG_SKIP_OTHER;
    if (!strcmp(type, "labels")) return KIND_LABELS;
    if (length > 6 && !strcmp(type + length - 6, "labels")) length -= 6;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strlen(types[i].type) != length || strncmp(types[i].type, type, length) != 0) continue;
        *skip = types[i].skip;
        return types[i].kind;
    }
    return KIND_SKIPPED;
}

/* The first text of a list whose key ends in "labels"; NULL: none. *count: the texts of the list. */
static const char *class_of(const json_t *value, size_t *count) {
    const char *key;
    json_t *list;
    json_object_foreach((json_t *)(uintptr_t)value, key, list) {
        size_t length = strlen(key);
        const char *name = json_string_value(json_array_get(list, 0));
        *count = json_array_size(list);
        if (name && length >= 6 && !strcmp(key + length - 6, "labels")) return name;
    }
    return NULL;
}

/* The results of a task. With the tags <Polygon> and <Labels>, the shape and the class of a region are two results with
 * the same id. */
typedef struct regions {
    icseg_text_table ids;
    const char **classes; /* (ids.count) NULL: none */
    bool *shaped;         /* (ids.count) whether a result is the shape */
    int64_t several;      /* results with several classes */
} regions;

static icseg_status find_regions(const icseg_studio *s, const json_t *results, regions *out, icseg_error *error) {
    size_t i, at, count = json_array_size(results);
    const json_t *result;
    icseg_skip skip;
    out->classes = icseg_arena_array(s->arena, count + 1, sizeof *out->classes);
    out->shaped = icseg_arena_array(s->arena, count + 1, sizeof *out->shaped);
    if (!out->classes || !out->shaped) return icseg_fail_memory_in(error, 0, s->path);
    json_array_foreach(results, i, result) {
        const char *id = json_string_value(json_object_get(result, "id"));
        const char *type = json_string_value(json_object_get(result, "type"));
        size_t names = 0;
        const char *class = class_of(json_object_get(result, "value"), &names);
        if (!type) continue;
        result_kind kind = kind_of(type, &skip);
        out->several += class && names > 1 && (kind == KIND_POLYGON || kind == KIND_BRUSH || kind == KIND_LABELS);
        if (!id) continue;
        ICSEG_TRY(icseg_text_table_add(&out->ids, s->arena, id, "regions", &at, error));
        if (class) out->classes[at] = class;
        out->shaped[at] |= kind != KIND_LABELS && kind != KIND_OTHER;
    }
    return ICSEG_OK;
}

/* Results of type "labels" repeat the geometry of their region. Those without another result are read by it. */
static result_kind kind_of_labels(const json_t *value, icseg_skip *skip) {
    *skip = json_object_get(value, "width") ? ICSEG_SKIP_BOX : ICSEG_SKIP_OTHER;
    return json_object_get(value, "points") ? KIND_POLYGON : json_object_get(value, "rle") ? KIND_BRUSH : KIND_SKIPPED;
}

/* Checks the members that all shapes have. */
static icseg_status check_result(const icseg_studio *s, const json_t *result, icseg_error *error) {
    const json_t *turned = json_object_get(result, "image_rotation");
    if (!json_is_object(json_object_get(result, "value")))
        return icseg_studio_fail(s, "\"value\" of a result must be an object", error);
    if (turned && !json_is_null(turned) && !json_is_number(turned))
        return icseg_studio_fail(s, "\"image_rotation\" must be a number", error);
    if (json_number_value(turned) != 0)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: task %zu: image_rotation is %g: objects that were drawn on a rotated image cannot be "
                          "imported; rotate the image file instead, and label it again",
                          s->path, s->task + 1, json_number_value(turned));
    return ICSEG_OK;
}

/* out->outlines stays NULL for what has no outline. */
static icseg_status read_result(const icseg_studio *s, const icseg_import_item *item, const regions *all,
                                const json_t *result, icseg_object *out, icseg_error *error) {
    const char *type = json_string_value(json_object_get(result, "type"));
    const char *id = json_string_value(json_object_get(result, "id"));
    const json_t *value = json_object_get(result, "value");
    int32_t label;
    char where[PATH_MAX + 32];
    size_t at;
    icseg_skip skip;
    *out = (icseg_object){0};
    if (!type) return icseg_studio_fail(s, "a result must be an object with a text \"type\"", error);
    bool known = id && icseg_text_table_find(&all->ids, id, &at);
    result_kind kind = kind_of(type, &skip);
    if (kind == KIND_OTHER || (kind == KIND_LABELS && known && all->shaped[at])) return ICSEG_OK;
    if (kind == KIND_LABELS) kind = kind_of_labels(value, &skip);
    if (kind == KIND_SKIPPED) return icseg_import_skip(s->im, skip), ICSEG_OK;
    ICSEG_TRY(check_result(s, result, error));
    size_t names = 0;
    const char *name = class_of(value, &names);
    if (!name && known) name = all->classes[at];
    if (!name) return icseg_studio_fail(s, "an object must have a class (polygonlabels, brushlabels or labels)", error);
    snprintf(where, sizeof where, "%s: task %zu", s->path, s->task + 1);
    ICSEG_TRY(icseg_import_class(s->im, name, where, &label, error));
    icseg_outline *o = icseg_arena_alloc(s->arena, sizeof *o);
    if (!o) return icseg_fail_memory_in(error, sizeof *o, s->path);
    *o = (icseg_outline){.kind = ICSEG_OUTLINE_POLYGON};
    *out = (icseg_object){.label = (int16_t)label, .outlines = o};
    return kind == KIND_POLYGON ? read_polygon(s, item, value, o, error) : read_brush(s, item, value, o, error);
}

/* A whole number in either notation; 0 for anything else. */
static int64_t whole_number(const json_t *value) {
    double number = json_number_value(value);
    return number == floor(number) && fabs(number) <= INT32_MAX ? (int64_t)number : 0;
}

/* The size that the results state; 0 if none does. */
static icseg_status read_size(const icseg_studio *s, const json_t *results, icseg_import_item *item,
                              icseg_error *error) {
    size_t i;
    const json_t *result;
    json_array_foreach(results, i, result) {
        const json_t *across = json_object_get(result, "original_width");
        const json_t *down = json_object_get(result, "original_height");
        int64_t width = whole_number(across), height = whole_number(down);
        if ((!across || json_is_null(across)) && (!down || json_is_null(down))) continue;
        if (width < 1 || height < 1 || width > ICSEG_IMAGE_MAX_SIDE || height > ICSEG_IMAGE_MAX_SIDE ||
            (item->width && (item->width != width || item->height != height)))
            return icseg_studio_fail(s, "original_width and original_height are not the size of one image", error);
        item->width = width;
        item->height = height;
    }
    return ICSEG_OK;
}

static icseg_status read_results(icseg_studio *s, const json_t *results, regions *all, icseg_import_item *item,
                                 icseg_error *error) {
    size_t i, count = json_array_size(results);
    const json_t *result;
    if (count > MAX_RESULTS) return icseg_studio_fail(s, "too many objects", error);
    ICSEG_TRY(find_regions(s, results, all, error));
    s->several += all->several;
    item->objects = icseg_arena_array(s->arena, count + 1, sizeof *item->objects);
    if (!item->objects) return icseg_fail_memory_in(error, 0, s->path);
    json_array_foreach(results, i, result) {
        icseg_object *object = &item->objects[item->object_count];
        icseg_status status = read_result(s, item, all, result, object, error);
        if (object->outlines) item->object_count++; /* also after a problem: its mask must be closed */
        ICSEG_TRY(icseg_import_problem(s->im, status, error));
    }
    return ICSEG_OK;
}

/* *out: the newest annotation that was submitted; NULL: none. Times are ISO 8601 texts, whose order is that of time. */
static icseg_status choose_annotation(icseg_studio *s, const json_t *task, const json_t **out, icseg_error *error) {
    const json_t *annotations = json_object_get(task, "annotations"), *annotation;
    const char *newest_time = "";
    size_t i, submitted = 0;
    *out = NULL;
    if (!annotations) annotations = json_object_get(task, "completions"); /* before version 1.0 */
    if (annotations && !json_is_array(annotations))
        return icseg_studio_fail(s, "\"annotations\" must be a list", error);
    json_array_foreach(annotations, i, annotation) {
        const char *time = json_string_value(json_object_get(annotation, "updated_at"));
        if (!json_is_object(annotation)) return icseg_studio_fail(s, "an annotation must be an object", error);
        if (!time) time = json_string_value(json_object_get(annotation, "created_at"));
        if (!time) time = "";
        if (json_is_true(json_object_get(annotation, "was_cancelled"))) continue;
        submitted++;
        if (*out && strcmp(time, newest_time) < 0) continue;
        *out = annotation;
        newest_time = time;
    }
    if (submitted > 1) s->others += (int64_t)submitted - 1;
    if (submitted) return ICSEG_OK;
    s->unlabelled++;
    if (json_array_size(annotations))
        s->cancelled++;
    else
        s->drafts += json_array_size(json_object_get(task, "drafts")) > 0;
    return ICSEG_OK;
}

/* ---- JSON_MIN ---- */

/* The type of a region, which is the name of its list of classes: "brushlabels"; NULL: not a region. */
static const char *type_of(json_t *region) {
    const char *key;
    json_t *value;
    json_object_foreach(region, key, value) {
        size_t length = strlen(key);
        if (length >= 6 && !strcmp(key + length - 6, "labels") && json_is_array(value)) return key;
    }
    return json_object_get(region, "points") ? "polygon" : json_object_get(region, "rle") ? "brush" : NULL;
}

/* Regions do not have ids. The shape and the class of one region, if they are two, have the same geometry. */
static bool add_id(json_t *result, const char *type, const json_t *region) {
    const json_t *points = json_object_get(region, "points"), *rle = json_object_get(region, "rle");
    bool separate = !strcmp(type, "labels") || !strcmp(type, "polygon") || !strcmp(type, "brush");
    if (!separate || (!points && !rle)) return true;
    char *text = json_dumps(points ? points : rle, JSON_COMPACT | JSON_ENCODE_ANY);
    bool added = text && json_object_set_new(result, "id", json_string(text)) == 0;
    free(text);
    return added;
}

/* Adds the regions of a tag as results of the JSON export. False: out of memory. */
static bool add_regions(json_t *results, const json_t *tag) {
    size_t i;
    json_t *region;
    json_array_foreach(tag, i, region) {
        const char *type = json_is_object(region) ? type_of(region) : NULL;
        if (!type) continue;
        json_t *width = json_object_get(region, "original_width"), *height = json_object_get(region, "original_height");
        json_t *result = json_pack("{s:s, s:O}", "type", type, "value", region);
        if (!result || json_array_append_new(results, result) != 0) return false;
        json_t *turned = json_object_get(region, "image_rotation");
        if (!add_id(result, type, region)) return false;
        if (turned && json_object_set(result, "image_rotation", turned) != 0) return false;
        if (width && json_object_set(result, "original_width", width) != 0) return false;
        if (height && json_object_set(result, "original_height", height) != 0) return false;
    }
    return true;
}

/* Free *out with json_decref. */
static icseg_status results_of_min(const icseg_studio *s, const json_t *task, json_t **out, icseg_error *error) {
    const char *key;
    json_t *tag;
    bool complete = (*out = json_array()) != NULL;
    json_object_foreach((json_t *)(uintptr_t)task, key, tag) {
        if (complete && json_is_array(tag)) complete = add_regions(*out, tag);
    }
    return complete ? ICSEG_OK : icseg_fail_memory_in(error, 0, s->path);
}

/* ---- images ---- */

static icseg_status find_image(const icseg_studio *s, const char *name, char **out, icseg_error *error) {
    ICSEG_TRY(icseg_studio_find_image(s, name, out, error));
    if (*out) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "image_folder", ICSEG_REMEDY_SET_FIELD,
                            "%s: task %zu: the image \"%.200s\" is missing; export the images too, or specify their "
                            "folder",
                            s->path, s->task + 1, name);
}

static icseg_status import_results(icseg_studio *s, const json_t *task, const json_t *results, icseg_error *error) {
    const char *name, *source = icseg_arena_printf(s->arena, "%s: task %zu", s->path, s->task + 1);
    char *image;
    icseg_import_item item = {.arena = s->arena, .split = s->im->options->split, .source = source};
    if (!source) return icseg_fail_memory_in(error, 0, s->path);
    if (!item.split) item.split = "train";
    ICSEG_TRY(icseg_studio_image_name(s, task, &name, &item.name, error));
    ICSEG_TRY(find_image(s, name, &image, error));
    item.image = image;
    ICSEG_TRY(read_size(s, results, &item, error));
    regions all = {0};
    icseg_status status = read_results(s, results, &all, &item, error);
    icseg_text_table_close(&all.ids);
    if (status == ICSEG_OK) return icseg_import_write(s->im, &item, error);
    icseg_import_item_close(&item);
    return status;
}

static icseg_status import_task(icseg_studio *s, const json_t *task, icseg_error *error) {
    json_t *results = NULL;
    if (icseg_studio_is_min(task)) {
        if (s->task < s->older_count && s->older[s->task]) return s->others++, ICSEG_OK;
        icseg_status status = results_of_min(s, task, &results, error);
        if (status == ICSEG_OK) status = import_results(s, task, results, error);
        json_decref(results);
        return status;
    }
    if (!json_is_object(json_object_get(task, "data")))
        return icseg_studio_fail(s, "not a task of Label Studio's JSON export: expected \"data\" and \"annotations\"",
                                 error);
    const json_t *annotation, *list;
    ICSEG_TRY(choose_annotation(s, task, &annotation, error));
    if (!annotation) return ICSEG_OK;
    list = json_object_get(annotation, "result");
    if (!json_is_array(list)) return icseg_studio_fail(s, "\"result\" of an annotation must be a list", error);
    return import_results(s, task, list, error);
}

/* ---- the file ---- */

/* An annotation of JSON_MIN. */
typedef struct annotation {
    int64_t id;    /* of its task */
    char time[40]; /* ISO 8601 */
    size_t index;
} annotation;

typedef struct annotations {
    annotation *list; /* (count) from the heap */
    size_t count, capacity;
} annotations;

/* By task, the newest last. */
static int compare_annotations(const void *a, const void *b) {
    const annotation *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    int order = strcmp(x->time, y->time);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static icseg_status add_annotation(annotations *all, const json_t *task, size_t index, icseg_error *error) {
    enum { MAX_TASKS = 1 << 24 };
    const char *time = json_string_value(json_object_get(task, "updated_at"));
    if (!time) time = json_string_value(json_object_get(task, "created_at"));
    if (!icseg_studio_is_min(task) || !json_is_integer(json_object_get(task, "id"))) return ICSEG_OK;
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? 2 * all->capacity : 256;
        annotation *grown =
            capacity > MAX_TASKS ? NULL : icseg_realloc_array(all->list, all->capacity, capacity, sizeof *grown);
        if (!grown) return icseg_fail_memory(error, 0, "a list of annotations");
        all->list = grown;
        all->capacity = capacity;
    }
    annotation *a = &all->list[all->count++];
    *a = (annotation){.id = json_integer_value(json_object_get(task, "id")), .index = index};
    snprintf(a->time, sizeof a->time, "%s", time ? time : "");
    return ICSEG_OK;
}

/* JSON_MIN repeats a task for each of its annotations. Tasks are marked of which a newer annotation exists. */
static icseg_status find_older(icseg_studio *s, icseg_error *error) {
    icseg_json_stream *stream;
    annotations all = {0};
    icseg_status status;
    size_t tasks = 0;
    ICSEG_TRY(icseg_json_stream_open_list(&stream, s->path, error));
    for (bool more = true; (status = icseg_json_stream_element(stream, &more, error)) == ICSEG_OK && more; tasks++) {
        json_t *task;
        if ((status = icseg_json_stream_read(stream, &task, NULL, error)) != ICSEG_OK) break;
        status = add_annotation(&all, task, tasks, error);
        json_decref(task);
        if (status != ICSEG_OK) break;
    }
    icseg_json_stream_close(&stream);
    bool *older = status == ICSEG_OK ? icseg_arena_array(s->im->arena, tasks + 1, sizeof *older) : NULL;
    if (status == ICSEG_OK && !older) status = icseg_fail_memory_in(error, 0, s->path);
    if (older && all.count) qsort(all.list, all.count, sizeof *all.list, compare_annotations);
    for (size_t i = 1; older && i < all.count; i++) older[all.list[i - 1].index] = all.list[i - 1].id == all.list[i].id;
    icseg_free(all.list);
    s->older = older;
    s->older_count = older ? tasks : 0;
    return status;
}

static icseg_status import_tasks(icseg_studio *s, icseg_error *error) {
    icseg_json_stream *stream;
    icseg_status status;
    ICSEG_TRY(find_older(s, error));
    ICSEG_TRY(icseg_json_stream_open_list(&stream, s->path, error));
    for (bool more = true; (status = icseg_json_stream_element(stream, &more, error)) == ICSEG_OK && more; s->task++) {
        json_t *task;
        if ((status = icseg_json_stream_read(stream, &task, NULL, error)) != ICSEG_OK) break;
        s->im->stage.total++;
        status = icseg_arena_open(&s->arena, error);
        if (status == ICSEG_OK) status = import_task(s, task, error);
        icseg_arena_close(&s->arena);
        json_decref(task);
        if ((status = icseg_import_problem(s->im, status, error)) != ICSEG_OK) break;
    }
    icseg_json_stream_close(&stream);
    return status;
}

static icseg_status import_folder(icseg_studio *s, icseg_error *error) {
    static const char *const types[] = {"json", NULL}, *const mask_types[] = {"png", NULL};
    char **names;
    size_t count;
    ICSEG_TRY(icseg_import_list(s->im->arena, s->folder, mask_types, &names, &count, error));
    for (size_t i = 0; i < count; i++)
        if (icseg_studio_is_mask(names[i])) return icseg_studio_import_masks(s->im, s->folder, error);
    ICSEG_TRY(icseg_import_list(s->im->arena, s->folder, types, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        s->path = icseg_arena_printf(s->im->arena, "%s/%s", s->folder, names[i]);
        s->task = 0;
        ICSEG_TRY(s->path ? import_tasks(s, error) : icseg_fail_memory_in(error, 0, s->folder));
    }
    return ICSEG_OK;
}

icseg_status icseg_import_label_studio(icseg_import *im, icseg_error *error) {
    icseg_studio s = {.im = im};
    ICSEG_TRY(icseg_import_background(im, error));
    im->one_split = true;
    if (icseg_folder_exists(im->options->source)) {
        s.folder = im->options->source;
        ICSEG_TRY(import_folder(&s, error));
    } else {
        const char *slash = strrchr(im->options->source, '/');
        s.path = im->options->source;
        s.folder = slash ? icseg_arena_printf(im->arena, "%.*s", (int)(slash - s.path), s.path) : ".";
        ICSEG_TRY(s.folder ? import_tasks(&s, error) : icseg_fail_memory_in(error, 0, s.path));
    }
    icseg_studio_report(&s);
    return ICSEG_OK;
}

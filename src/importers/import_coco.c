/* SPDX-License-Identifier: Apache-2.0
 * COCO instances JSON: images, categories, and annotations whose segmentation is a list of polygons or run lengths, as
 * numbers or packed into a string (github.com/cocodataset/cocoapi, common/maskApi.c). COCO panoptic JSON: annotations
 * that name a PNG file of segments. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "importers/id_table.h"
#include "importers/internal.h"
#include "importers/json_stream.h"
#include "importers/panoptic.h"

enum { MAX_SOURCES = 64, MAX_IMAGES = 1 << 24, MAX_ANNOTATIONS = 1 << 26 };

/* One JSON file and its split. */
typedef struct source_file {
    char *path, *folder; /* folder: the root for finding images */
    const char *split;   /* NULL until name_splits, unless the file's name contains it */
    bool named;          /* the file's name contains it; set by name_splits */
} source_file;

typedef struct source_list {
    source_file *files;
    size_t count;
} source_list;

typedef struct category {
    int64_t id;
    int32_t label;
} category;

/* An annotation: its position in the file, and the image to which it belongs. There may be tens of millions. */
typedef struct link {
    int64_t image_id;
    uint64_t offset;
    uint32_t size;
    uint32_t annotation : 30; /* its index in the list */
    uint32_t used : 1;
    uint32_t lost : 1; /* without an image_id */
} link;

/* A first pass over the file finds its images and annotations; each is read again when it is imported. So memory holds
 * only their positions. */
typedef struct coco {
    icseg_import *im;
    const char *path;
    const source_file *file;
    icseg_json_stream *stream;
    icseg_text_table ids; /* of texts that are ids */
    int64_t *used;        /* (used_count), sorted: the categories that annotations have */
    size_t used_count, used_capacity;
    icseg_import_declared declared;
    json_t *category_list;
    category *categories;
    size_t category_count;
    icseg_json_span *images;
    size_t image_count, image_capacity;
    link *links; /* sorted by link_annotations */
    size_t link_count, link_capacity;
    bool has_images, has_annotations;
    bool images_lost; /* some images are unreadable: annotations without an image are then not reported */
    bool is_panoptic; /* an annotation has "segments_info" */
    bool empty_said;  /* a message told of pixels that belong to no segment */
} coco;

/* ---- the files ---- */

static const char *const json_types[] = {"json", NULL};

/* What follows "instances_" or "panoptic_"; otherwise the stem itself. */
static const char *split_in(const char *stem) {
    return !strncmp(stem, "instances_", 10) ? stem + 10 : !strncmp(stem, "panoptic_", 9) ? stem + 9 : stem;
}

/* split NULL: from the name; that of "instances_train2017.json" is train2017. */
static icseg_status add_source(icseg_import *im, source_list *list, const char *path, const char *folder,
                               const char *split, icseg_error *error) {
    char stem[NAME_MAX + 1];
    icseg_path_stem(icseg_path_name(path), stem, sizeof stem);
    bool named = !split && split_in(stem) != stem && *split_in(stem);
    if (list->count == MAX_SOURCES)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: more than %d COCO JSON files; import them in several parts",
                          folder, MAX_SOURCES);
    source_file *f = &list->files[list->count++];
    *f = (source_file){
        .path = icseg_arena_strdup(im->arena, path), .folder = icseg_arena_strdup(im->arena, folder), .split = split};
    if (named) f->split = icseg_arena_strdup(im->arena, icseg_import_split_name(split_in(stem))); /* of CVAT */
    return f->path && f->folder && (f->split || !named) ? ICSEG_OK : icseg_fail_memory_in(error, 0, path);
}

/* Adds the JSON files of one folder: only instances_*.json, if there are any, because others contain captions and key
 * points. */
static icseg_status add_folder(icseg_import *im, source_list *list, const char *folder, const char *root,
                               icseg_error *error) {
    char **names;
    size_t count, instances = 0;
    ICSEG_TRY(icseg_import_list(im->arena, folder, json_types, &names, &count, error));
    for (size_t i = 0; i < count; i++) instances += !strncmp(names[i], "instances", 9);
    for (size_t i = 0; i < count; i++) {
        char *path = icseg_arena_printf(im->arena, "%s/%s", folder, names[i]);
        if (!path) return icseg_fail_memory_in(error, 0, folder);
        if (instances && strncmp(names[i], "instances", 9) != 0) {
            if (!strncmp(names[i], "panoptic", 8)) icseg_import_unused(im, path);
            continue;
        }
        ICSEG_TRY(add_source(im, list, path, root, NULL, error));
    }
    return ICSEG_OK;
}

static icseg_status find_sources(icseg_import *im, source_list *list, icseg_error *error) {
    static const char *const splits[] = {"train", "valid", "val", "test"};
    const char *source = im->options->source;
    list->files = icseg_arena_array(im->arena, MAX_SOURCES, sizeof *list->files);
    if (!list->files) return icseg_fail_memory_in(error, MAX_SOURCES * sizeof *list->files, source);
    if (!icseg_folder_exists(source)) {
        const char *name = icseg_path_name(source);
        char *folder = name == source ? icseg_arena_strdup(im->arena, ".")
                                      : icseg_arena_printf(im->arena, "%.*s", (int)(name - source - 1), source);
        if (!folder) return icseg_fail_memory_in(error, 0, source);
        return add_source(im, list, source, folder, NULL, error);
    }
    char *below = icseg_arena_printf(im->arena, "%s/annotations", source);
    if (!below) return icseg_fail_memory_in(error, 0, source);
    ICSEG_TRY(add_folder(im, list, below, source, error));
    if (!list->count) ICSEG_TRY(add_folder(im, list, source, source, error));
    bool none = !list->count;
    for (size_t i = 0; none && i < sizeof splits / sizeof *splits; i++) {
        char *path = icseg_arena_printf(im->arena, "%s/%s/_annotations.coco.json", source, splits[i]);
        char *folder = icseg_arena_printf(im->arena, "%s/%s", source, splits[i]);
        if (!path || !folder) return icseg_fail_memory_in(error, 0, source);
        bool found;
        ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
        if (found) ICSEG_TRY(add_source(im, list, path, folder, strcmp(splits[i], "valid") ? splits[i] : "val", error));
    }
    if (list->count) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no COCO JSON files; expected annotations/instances_*.json", source);
}

/* The caller's split applies to a single file, whatever its name, and to all files whose names do not contain one.
 * Files are merged into one split only if the caller sets it. */
static icseg_status name_splits(icseg_import *im, source_list *list, icseg_error *error) {
    const char *given = im->options->split;
    for (size_t i = 0; i < list->count; i++) {
        source_file *f = &list->files[i];
        f->named = f->split != NULL;
        if (!f->named || (given && list->count == 1)) f->split = given ? given : "train";
        if (!icseg_import_is_split(f->split))
            return icseg_fail_field(
                error, ICSEG_ERROR_DATA, "split", ICSEG_REMEDY_SET_FIELD,
                "%s: the file's name contains the split \"%s\", which begins with a dot; rename it to "
                "instances_SPLIT.json%s",
                f->path, f->split, list->count == 1 ? ", or set the split" : "");
        im->split_used |= !f->named;
        for (size_t k = 0; k < i; k++) {
            const source_file *other = &list->files[k];
            bool joined = given && !f->named && !other->named;
            if (joined || strcmp(other->split, f->split) != 0) continue;
            return icseg_fail_field(error, ICSEG_ERROR_DATA, "split", ICSEG_REMEDY_SET_FIELD,
                                    "%s and %s would both be the split %s; %s", other->path, f->path, f->split,
                                    given || (f->named && other->named)
                                        ? "rename one of them, or import them one by one"
                                        : "rename them to instances_SPLIT.json, or set one split for all of them");
        }
    }
    im->one_split = true;
    for (size_t i = 1; i < list->count; i++) im->one_split &= !strcmp(list->files[i].split, list->files[0].split);
    return ICSEG_OK;
}

/* ---- categories and annotations ---- */

static icseg_status fail_field(const coco *c, const char *list, size_t i, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: %s[%zu]: %s", c->path, list, i, what);
}

static int compare_categories(const void *a, const void *b) {
    const category *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int compare_ids(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Roboflow adds a category with the name of the project, which is the supercategory of the others. */
static bool is_empty_parent(const coco *c, const json_t *list, category parent) {
    const json_t *name = json_object_get(json_array_get(list, (size_t)parent.label), "name"), *other;
    size_t i;
    if (c->used_count && bsearch(&parent.id, c->used, c->used_count, sizeof *c->used, compare_ids)) return false;
    json_array_foreach(list, i, other) {
        const json_t *above = json_object_get(other, "supercategory");
        if ((int32_t)i != parent.label && json_is_string(above) && json_equal(above, name)) return true;
    }
    return false;
}

/* Gives the category its label; until then, the label is its position in the list. */
static icseg_status name_category(coco *c, const json_t *list, category *entry, icseg_error *error) {
    int32_t at = entry->label;
    const char *name = json_string_value(json_object_get(json_array_get(list, (size_t)at), "name"));
    char where[PATH_MAX + 40];
    if (is_empty_parent(c, list, *entry)) {
        icseg_progress_say(c->im->stage.progress, ICSEG_MESSAGE_WARNING,
                           "%s: the category \"%s\" is only the parent of others and has no annotations; it was left "
                           "out",
                           c->path, name);
        entry->label = ICSEG_LABEL_IGNORE;
        return ICSEG_OK;
    }
    snprintf(where, sizeof where, "%s: categories[%d]", c->path, at);
    return icseg_import_declare(c->im, &c->declared, name, where, &entry->label, error);
}

/* Labels are assigned in the order of category ids, or, if ids are texts, in the order of the list. */
static icseg_status read_categories(coco *c, const json_t *list, icseg_error *error) {
    size_t count = json_array_size(list);
    bool texts = false;
    if (!count || count > ICSEG_CLASSES_MAX)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: categories: expected a list of 1 to %d", c->path,
                          ICSEG_CLASSES_MAX);
    c->categories = icseg_arena_array(c->im->arena, count, sizeof *c->categories);
    size_t *order = icseg_arena_array(c->im->arena, count, sizeof *order);
    if (!c->categories || !order) return icseg_fail_memory_in(error, count * sizeof *c->categories, c->path);
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_object_get(json_array_get(list, i), "id");
        bool valid;
        ICSEG_TRY(icseg_id_table_find(&c->ids, c->im->arena, id, &c->categories[i].id, &valid, error));
        if (!valid || !json_is_string(json_object_get(json_array_get(list, i), "name")))
            return fail_field(c, "categories", i, "expected an \"id\" and a string \"name\"", error);
        c->categories[i].label = (int32_t)i;
        texts |= json_is_string(id);
    }
    qsort(c->categories, count, sizeof *c->categories, compare_categories);
    for (size_t i = 0; i < count; i++) {
        size_t at = (size_t)c->categories[i].label;
        if (i && c->categories[i - 1].id == c->categories[i].id)
            return fail_field(c, "categories", at, "another category has the same \"id\"", error);
        order[texts ? at : i] = i;
    }
    for (size_t i = 0; i < count; i++) ICSEG_TRY(name_category(c, list, &c->categories[order[i]], error));
    c->category_count = count;
    return ICSEG_OK;
}

static int compare_links(const void *a, const void *b) {
    const link *x = a, *y = b;
    if (x->image_id != y->image_id) return x->image_id < y->image_id ? -1 : 1;
    return (x->annotation > y->annotation) - (x->annotation < y->annotation);
}

/* Records annotations without an image_id as problems, and sorts the others. */
static icseg_status link_annotations(coco *c, icseg_error *error) {
    size_t kept = 0;
    for (size_t i = 0; i < c->link_count; i++) {
        if (!c->links[i].lost)
            c->links[kept++] = c->links[i];
        else
            ICSEG_TRY(icseg_import_problem(
                c->im, fail_field(c, "annotations", i, "\"image_id\" is neither an integer nor a text", error), error));
    }
    c->link_count = kept;
    if (kept) qsort(c->links, kept, sizeof *c->links, compare_links);
    return ICSEG_OK;
}

static size_t first_link(const coco *c, int64_t image_id) {
    size_t low = 0, high = c->link_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->links[middle].image_id < image_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- segmentations ---- */

static icseg_status read_polygons(const coco *c, const icseg_import_item *item, size_t at, const json_t *list,
                                  icseg_object *out, icseg_error *error) {
    size_t i;
    const json_t *numbers;
    json_array_foreach(list, i, numbers) {
        size_t count = json_array_size(numbers);
        if (!json_is_array(numbers) || count % 2)
            return fail_field(c, "annotations", at, "a polygon must be a list x, y, x, y, ...", error);
        icseg_outline *o = icseg_arena_alloc(item->arena, sizeof *o);
        if (!o || !(o->xy = icseg_arena_array(item->arena, count, sizeof *o->xy)))
            return icseg_fail_memory_in(error, 0, c->path);
        char where[PATH_MAX + 40];
        snprintf(where, sizeof where, "%s: annotations[%zu]", c->path, at);
        for (size_t k = 0; k < count; k++)
            ICSEG_TRY(icseg_import_number(json_array_get(numbers, k), where, &o->xy[k], error));
        o->count = count / 2;
        o->next = out->outlines;
        out->outlines = o;
    }
    return ICSEG_OK;
}

/* COCO's packed run lengths: each letter, counted from '0', contains 5 bits, the lowest first; 0x20: more letters
 * follow; 0x10 in the last letter: the number is negative. From the fourth run on, a number is the difference from the
 * run two before it. False for invalid text. */
static bool unpack_runs(const char *text, size_t length, uint32_t *runs, size_t *count) {
    size_t at = 0;
    for (*count = 0; at < length; (*count)++) {
        int64_t value = 0;
        for (int shift = 0, more = 1; more; shift += 5) {
            int letter = at < length ? text[at++] - '0' : -1;
            if (letter < 0 || letter > 63 || shift > 35) return false;
            value |= (int64_t)(letter & 31) << shift;
            more = letter & 32;
            if (!more && letter & 16) value |= -((int64_t)32 << shift);
        }
        if (*count > 2) value += runs[*count - 2];
        if (value < 0 || value > UINT32_MAX) return false;
        runs[*count] = (uint32_t)value;
    }
    return true;
}

static icseg_status read_runs(const coco *c, const icseg_import_item *item, size_t at, const json_t *rle,
                              icseg_object *out, icseg_error *error) {
    int64_t width = item->width, height = item->height;
    const json_t *size = json_object_get(rle, "size"), *counts = json_object_get(rle, "counts");
    if (json_array_size(size) != 2 || json_integer_value(json_array_get(size, 0)) != height ||
        json_integer_value(json_array_get(size, 1)) != width)
        return fail_field(c, "annotations", at, "the \"size\" of the run lengths is not the image's height and width",
                          error);
    size_t count = json_is_string(counts) ? json_string_length(counts) : json_array_size(counts);
    icseg_outline *o = icseg_arena_alloc(item->arena, sizeof *o);
    if (!o || !(o->runs = icseg_arena_array(item->arena, count, sizeof *o->runs)))
        return icseg_fail_memory_in(error, 0, c->path);
    bool valid = true;
    o->kind = ICSEG_OUTLINE_RUNS;
    o->count = count;
    if (json_is_string(counts))
        valid = unpack_runs(json_string_value(counts), count, o->runs, &o->count);
    else
        for (size_t i = 0; i < count && valid; i++) {
            const json_t *run = json_array_get(counts, i);
            valid = json_is_integer(run) && json_integer_value(run) >= 0 && json_integer_value(run) <= UINT32_MAX;
            if (valid) o->runs[i] = (uint32_t)json_integer_value(run);
        }
    uint64_t sum = 0, pixels = (uint64_t)width * (uint64_t)height;
    for (size_t i = 0; i < o->count && valid && sum <= pixels; i++) sum += o->runs[i];
    if (!valid || sum != pixels)
        return fail_field(c, "annotations", at, "the run lengths do not add up to the image's pixels", error);
    out->outlines = o;
    return ICSEG_OK;
}

/* The label of the "category_id" of an annotation or a segment. */
static icseg_status read_category(coco *c, size_t at, const json_t *value, int16_t *out, icseg_error *error) {
    bool valid;
    category key = {0};
    ICSEG_TRY(
        icseg_id_table_find(&c->ids, c->im->arena, json_object_get(value, "category_id"), &key.id, &valid, error));
    const category *found = bsearch(&key, c->categories, c->category_count, sizeof *c->categories, compare_categories);
    if (!valid || !found)
        return fail_field(c, "annotations", at, "\"category_id\" is not one of the categories", error);
    *out = (int16_t)found->label;
    return ICSEG_OK;
}

static icseg_status read_object(coco *c, const icseg_import_item *item, size_t at, const json_t *annotation,
                                icseg_object *out, icseg_error *error) {
    const json_t *segmentation = json_object_get(annotation, "segmentation");
    *out = (icseg_object){0};
    ICSEG_TRY(read_category(c, at, annotation, &out->label, error));
    if (json_is_object(segmentation)) return read_runs(c, item, at, segmentation, out, error);
    if (json_is_array(segmentation)) return read_polygons(c, item, at, segmentation, out, error);
    if (!segmentation || json_is_null(segmentation)) return ICSEG_OK;
    return fail_field(c, "annotations", at, "\"segmentation\" is neither polygons nor run lengths", error);
}

/* ---- panoptic annotations ---- */

static icseg_status fail_png(const coco *c, const char *name, icseg_arena *arena, icseg_error *error) {
    const char *folder = icseg_panoptic_folder(arena, c->path);
    if (!folder) return icseg_fail_memory_in(error, 0, c->path);
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: the PNG file \"%.200s\" with the segments of an image is missing; expected it in the folder "
                      "%s",
                      c->path, name, folder);
}

/* Without the folder of the PNG files, each image would be a problem. */
static icseg_status check_panoptic(const coco *c, icseg_error *error) {
    json_t *annotation;
    char *path;
    if (!c->is_panoptic || !c->link_count) return ICSEG_OK;
    const link *l = &c->links[0];
    ICSEG_TRY(icseg_json_stream_load(c->stream, (icseg_json_span){l->offset, l->size}, &annotation, error));
    const char *name = json_string_value(json_object_get(annotation, "file_name"));
    const char *folder = icseg_panoptic_folder(c->im->arena, c->path);
    icseg_status status = folder ? ICSEG_OK : icseg_fail_memory_in(error, 0, c->path);
    if (status == ICSEG_OK && name && !icseg_folder_exists(folder)) {
        status = icseg_panoptic_find(c->im->arena, c->path, c->file->folder, name, &path, error);
        if (status == ICSEG_OK && !path) status = fail_png(c, name, c->im->arena, error);
    }
    json_decref(annotation);
    return status;
}

static icseg_status read_segments(coco *c, icseg_arena *arena, size_t at, const json_t *annotation, icseg_labels *out,
                                  icseg_error *error) {
    const json_t *list = json_object_get(annotation, "segments_info"), *one;
    const char *name = json_string_value(json_object_get(annotation, "file_name"));
    size_t i, count = json_array_size(list);
    char *path, where[PATH_MAX + 40];
    bool has_empty;
    if (!json_is_array(list) || !name)
        return fail_field(c, "annotations", at, "expected a string \"file_name\" and a list \"segments_info\"", error);
    ICSEG_TRY(icseg_panoptic_find(arena, c->path, c->file->folder, name, &path, error));
    if (!path) return fail_png(c, name, arena, error);
    icseg_panoptic_segment *segments = icseg_arena_array(arena, count, sizeof *segments);
    if (!segments) return icseg_fail_memory_in(error, count * sizeof *segments, c->path);
    json_array_foreach(list, i, one) {
        const json_t *id = json_object_get(one, "id");
        if (!json_is_integer(id))
            return fail_field(c, "annotations", at, "the \"id\" of a segment is not an integer", error);
        segments[i].id = json_integer_value(id);
        ICSEG_TRY(read_category(c, at, one, &segments[i].label, error));
    }
    snprintf(where, sizeof where, "%s: annotations[%zu]", c->path, at);
    int16_t empty = icseg_import_background_label(c->im);
    ICSEG_TRY(icseg_import_claim_file(c->im, path, error));
    ICSEG_TRY(icseg_panoptic_read(out, path, segments, count, empty, &has_empty, where, error));
    c->im->summary.objects += (int64_t)count;
    if (has_empty && empty == ICSEG_LABEL_IGNORE && !c->empty_said) {
        icseg_progress_say(c->im->stage.progress, ICSEG_MESSAGE_INFO,
                           "note: %s: pixels that belong to no segment are unlabelled", c->path);
        c->empty_said = true;
    }
    return ICSEG_OK;
}

/* The label map of image `at` of the list; none if no annotation has the image. Close it in any case. */
static icseg_status read_panoptic(coco *c, icseg_arena *arena, size_t at, int64_t id, icseg_labels *out,
                                  icseg_error *error) {
    size_t first = first_link(c, id);
    json_t *annotation;
    if (first == c->link_count || c->links[first].image_id != id) return ICSEG_OK;
    link *l = &c->links[first];
    if (l->used) return fail_field(c, "images", at, "another image has the same \"id\"", error);
    if (first + 1 < c->link_count && l[1].image_id == id) {
        for (size_t i = first; i < c->link_count && c->links[i].image_id == id; i++) c->links[i].used = true;
        return fail_field(c, "annotations", l[1].annotation, "the image has another annotation with segments", error);
    }
    l->used = true;
    ICSEG_TRY(icseg_json_stream_load(c->stream, (icseg_json_span){l->offset, l->size}, &annotation, error));
    icseg_status status = read_segments(c, arena, l->annotation, annotation, out, error);
    json_decref(annotation);
    return status;
}

/* ---- images ---- */

static icseg_status find_image(const coco *c, icseg_arena *arena, const char *name, char **out, icseg_error *error) {
    const char *root = c->file->folder, *stem = icseg_path_name(c->path);
    char split[NAME_MAX + 1];
    icseg_path_stem(stem, split, sizeof split);
    const char *own = icseg_import_is_split(split_in(split)) ? split_in(split) : "";
    const char *folders[] = {icseg_arena_printf(arena, "%s/images/%s", root, own),
                             icseg_arena_printf(arena, "%s/%s", root, own),
                             icseg_arena_printf(arena, "%s/images", root),
                             icseg_arena_printf(arena, "%s", root),
                             icseg_arena_printf(arena, "%s/../images/%s", root, own),
                             icseg_arena_printf(arena, "%s/../%s", root, own),
                             icseg_arena_printf(arena, "%s/../images", root),
                             NULL};
    for (int i = 0; i < 7; i++)
        if (!folders[i]) return icseg_fail_memory_in(error, 0, root);
    /* a file may be in a folder of many other things */
    const char *tree = icseg_folder_exists(c->im->options->source) ? root : folders[2];
    ICSEG_TRY(icseg_import_find_image(c->im, arena, (icseg_image_query){folders, name, false, tree}, out, error));
    if (*out) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "image_folder", ICSEG_REMEDY_SET_FIELD,
                            "%s: the image \"%.200s\" is missing (searched images/%s, %s, images and the file's "
                            "folder); specify the folder of the images",
                            c->path, name, own, own);
}

/* Reads the image's annotations. Those with a problem are recorded and left out. */
static icseg_status read_objects(coco *c, size_t at, int64_t id, icseg_import_item *item, icseg_error *error) {
    size_t first = first_link(c, id), count = 0;
    while (first + count < c->link_count && c->links[first + count].image_id == id) count++;
    item->objects = icseg_arena_array(item->arena, count, sizeof *item->objects);
    if (!item->objects) return icseg_fail_memory_in(error, count * sizeof *item->objects, c->path);
    for (size_t i = 0; i < count; i++) {
        icseg_object *object = &item->objects[item->object_count];
        link *l = &c->links[first + i];
        if (l->used) return fail_field(c, "images", at, "another image has the same \"id\"", error);
        json_t *annotation;
        ICSEG_TRY(icseg_json_stream_load(c->stream, (icseg_json_span){l->offset, l->size}, &annotation, error));
        icseg_status status = read_object(c, item, l->annotation, annotation, object, error);
        bool is_box = json_array_size(json_object_get(annotation, "bbox")) == 4;
        json_decref(annotation);
        l->used = true;
        if (status != ICSEG_OK)
            ICSEG_TRY(icseg_import_problem(c->im, status, error));
        else if (object->outlines)
            item->object_count++;
        else
            icseg_import_skip(c->im, is_box ? ICSEG_SKIP_BOX : ICSEG_SKIP_OTHER);
    }
    return ICSEG_OK;
}

static icseg_status import_image(coco *c, icseg_arena *arena, size_t at, const json_t *image, icseg_error *error) {
    const json_t *file_name = json_object_get(image, "file_name");
    int64_t id;
    bool valid_id;
    const char *name;
    ICSEG_TRY(icseg_id_table_find(&c->ids, c->im->arena, json_object_get(image, "id"), &id, &valid_id, error));
    if (!valid_id) c->images_lost = true;
    if (!valid_id || !json_is_string(file_name))
        return fail_field(c, "images", at, "expected an \"id\" and a string \"file_name\"", error);
    ICSEG_TRY(icseg_import_url_name(arena, json_string_value(file_name), &name, error));
    char *path = NULL, *source = icseg_arena_printf(arena, "%s: images[%zu]", c->path, at);
    if (!source) return icseg_fail_memory_in(error, 0, c->path);
    ICSEG_TRY(icseg_import_problem(c->im, find_image(c, arena, name, &path, error), error));
    icseg_import_item item = {.arena = arena,
                              .split = c->file->split,
                              .name = name == json_string_value(file_name) ? name : icseg_path_name(name),
                              .image = path,
                              .source = source,
                              .width = json_integer_value(json_object_get(image, "width")),
                              .height = json_integer_value(json_object_get(image, "height"))};
    bool valid =
        item.width > 0 && item.height > 0 && item.width <= ICSEG_IMAGE_MAX_SIDE && item.height <= ICSEG_IMAGE_MAX_SIDE;
    if (!valid) {
        c->images_lost = true;
        return fail_field(c, "images", at, "\"width\" and \"height\" are not a valid image size", error);
    }
    if (!c->is_panoptic) {
        ICSEG_TRY(read_objects(c, at, id, &item, error));
        return path ? icseg_import_write(c->im, &item, error) : ICSEG_OK;
    }
    icseg_labels labels = {0};
    icseg_status status = read_panoptic(c, arena, at, id, &labels, error);
    if (labels.data) item.ready = &labels;
    if (status == ICSEG_OK && path) status = icseg_import_write(c->im, &item, error);
    icseg_labels_close(&labels);
    return status;
}

static icseg_status import_images(coco *c, icseg_error *error) {
    for (size_t i = 0; i < c->image_count; i++) {
        icseg_arena *arena;
        json_t *image = NULL;
        ICSEG_TRY(icseg_arena_open(&arena, error));
        icseg_status status = icseg_json_stream_load(c->stream, c->images[i], &image, error);
        if (status == ICSEG_OK) status = import_image(c, arena, i, image, error);
        json_decref(image);
        icseg_arena_close(&arena);
        ICSEG_TRY(icseg_import_problem(c->im, status, error));
    }
    for (size_t i = 0; i < c->link_count && !c->images_lost; i++)
        if (!c->links[i].used) {
            icseg_status status =
                fail_field(c, "annotations", c->links[i].annotation, "\"image_id\" is not one of the images", error);
            ICSEG_TRY(icseg_import_problem(c->im, status, error));
        }
    return ICSEG_OK;
}

/* ---- one file ---- */

/* Makes space for one more element. */
static icseg_status grow(const coco *c, void **list, size_t count, size_t *capacity, size_t size, icseg_error *error) {
    if (count < *capacity) return ICSEG_OK;
    size_t more = *capacity ? *capacity + *capacity / 2 : 256;
    void *grown = icseg_realloc_array(*list, *capacity, more, size);
    if (!grown) return icseg_fail_memory_in(error, more * size, c->path);
    *list = grown;
    *capacity = more;
    return ICSEG_OK;
}

static icseg_status scan_image(coco *c, icseg_error *error) {
    json_t *image;
    void *list = c->images;
    if (c->image_count == MAX_IMAGES)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: more than %d images", c->path, MAX_IMAGES);
    ICSEG_TRY(grow(c, &list, c->image_count, &c->image_capacity, sizeof *c->images, error));
    c->images = list;
    ICSEG_TRY(icseg_json_stream_read(c->stream, &image, &c->images[c->image_count], error));
    json_decref(image);
    c->image_count++;
    return ICSEG_OK;
}

/* Categories beyond the number of classes that can exist are not noted: they are errors later. */
static icseg_status note_category(coco *c, const json_t *value, icseg_error *error) {
    int64_t id;
    bool valid;
    void *list = c->used;
    size_t at = c->used_count;
    ICSEG_TRY(icseg_id_table_find(&c->ids, c->im->arena, value, &id, &valid, error));
    if (!valid || c->used_count == ICSEG_CLASSES_MAX) return ICSEG_OK;
    if (at && bsearch(&id, c->used, at, sizeof id, compare_ids)) return ICSEG_OK;
    ICSEG_TRY(grow(c, &list, at, &c->used_capacity, sizeof id, error));
    c->used = list;
    for (; at && c->used[at - 1] > id; at--) c->used[at] = c->used[at - 1];
    c->used[at] = id;
    c->used_count++;
    return ICSEG_OK;
}

static icseg_status scan_annotation(coco *c, icseg_error *error) {
    json_t *annotation;
    icseg_json_span span;
    void *list = c->links;
    if (c->link_count == MAX_ANNOTATIONS)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: more than %d annotations", c->path, MAX_ANNOTATIONS);
    ICSEG_TRY(grow(c, &list, c->link_count, &c->link_capacity, sizeof *c->links, error));
    c->links = list;
    ICSEG_TRY(icseg_json_stream_read(c->stream, &annotation, &span, error));
    link *l = &c->links[c->link_count];
    bool valid;
    *l = (link){.offset = span.offset, .size = span.size, .annotation = (uint32_t)c->link_count & 0x3fffffff};
    icseg_status status = icseg_id_table_find(&c->ids, c->im->arena, json_object_get(annotation, "image_id"),
                                              &l->image_id, &valid, error);
    l->lost = !valid;
    const json_t *segments = json_object_get(annotation, "segments_info"), *one;
    size_t i;
    c->is_panoptic |= json_is_array(segments);
    if (status == ICSEG_OK) status = note_category(c, json_object_get(annotation, "category_id"), error);
    json_array_foreach(segments, i, one) if (status == ICSEG_OK) status =
        note_category(c, json_object_get(one, "category_id"), error);
    json_decref(annotation);
    c->link_count++;
    return status;
}

static icseg_status scan_list(coco *c, bool *found, icseg_status (*scan_one)(coco *c, icseg_error *error),
                              icseg_error *error) {
    bool more;
    ICSEG_TRY(icseg_json_stream_enter(c->stream, found, error));
    if (!*found) return icseg_json_stream_skip(c->stream, error);
    for (;;) {
        ICSEG_TRY(icseg_json_stream_element(c->stream, &more, error));
        if (!more) return ICSEG_OK;
        ICSEG_TRY(scan_one(c, error));
    }
}

/* Finds the three lists, in any order, and scans the elements of images and annotations. */
static icseg_status scan_file(coco *c, icseg_error *error) {
    static const char *const lists[] = {"images", "annotations", "categories"};
    enum { IMAGES, ANNOTATIONS, CATEGORIES, LISTS };
    bool seen[LISTS] = {false}, more;
    char key[ICSEG_JSON_KEY_SIZE];
    for (;;) {
        int list = 0;
        ICSEG_TRY(icseg_json_stream_member(c->stream, key, &more, error));
        if (!more) break;
        while (list < LISTS && strcmp(key, lists[list]) != 0) list++;
        if (list < LISTS && seen[list])
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: \"%s\" occurs twice; remove one of them", c->path, key);
        if (list < LISTS) seen[list] = true;
        ICSEG_TRY(list == IMAGES        ? scan_list(c, &c->has_images, scan_image, error)
                  : list == ANNOTATIONS ? scan_list(c, &c->has_annotations, scan_annotation, error)
                  : list == CATEGORIES  ? icseg_json_stream_read(c->stream, &c->category_list, NULL, error)
                                        : icseg_json_stream_skip(c->stream, error));
    }
    if (c->has_images && c->has_annotations) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: not a COCO file; expected lists \"images\", \"annotations\" and \"categories\"", c->path);
}

static icseg_status import_file(icseg_import *im, const source_file *file, icseg_error *error) {
    coco c = {.im = im, .path = file->path, .file = file};
    icseg_status status;
    ICSEG_TRY(icseg_json_stream_open(&c.stream, file->path, error));
    ICSEG_TRY_GOTO(scan_file(&c, error));
    /* Panoptic annotations cover the image: what belongs to no segment is unlabelled, unless the caller names a class.
     */
    if (!c.is_panoptic || im->options->background) ICSEG_TRY_GOTO(icseg_import_background(im, error));
    ICSEG_TRY_GOTO(read_categories(&c, c.category_list, error));
    im->stage.total += (int64_t)c.image_count;
    ICSEG_TRY_GOTO(link_annotations(&c, error));
    ICSEG_TRY_GOTO(check_panoptic(&c, error));
    status = import_images(&c, error);
fail:
    json_decref(c.category_list);
    icseg_free(c.images);
    icseg_free(c.links);
    icseg_free(c.used);
    icseg_text_table_close(&c.ids);
    icseg_json_stream_close(&c.stream);
    return status;
}

icseg_status icseg_import_coco(icseg_import *im, icseg_error *error) {
    source_list list = {0};
    ICSEG_TRY(find_sources(im, &list, error));
    ICSEG_TRY(name_splits(im, &list, error));
    for (size_t i = 0; i < list.count; i++) {
        int32_t classes = im->classes;
        ICSEG_TRY(import_file(im, &list.files[i], error));
        if (i && im->classes != classes)
            return icseg_fail_field(error, ICSEG_ERROR_DATA, "classes_file", ICSEG_REMEDY_SET_FIELD,
                                    "%s: has categories that %s does not have; specify a class list with all of them",
                                    list.files[i].path, list.files[0].path);
    }
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * COCO instances JSON: pictures, categories, and annotations whose segmentation is a list of polygons or run lengths,
 * plain or packed into a string. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "importers/import.h"

/* One JSON file and the split it stands for. */
typedef struct source_file {
    char *path, *folder; /* folder: what the export is in; pictures are looked for below it */
    const char *split;   /* NULL until name_splits: the file's name tells none */
    bool named;          /* from name_splits on: it told one */
} source_file;

typedef struct source_list {
    source_file *files;
    size_t count;
} source_list;

typedef struct category {
    int64_t id;
    int32_t label;
} category;

/* An annotation under the picture it belongs to, by the places of both in their lists. */
typedef struct link {
    int64_t image_id;
    size_t annotation;
    bool used;
} link;

typedef struct coco {
    icseg_export *e;
    const char *path;
    const source_file *file;
    json_t *images, *annotations;
    category *categories;
    size_t category_count;
    link *links; /* sorted */
    size_t link_count;
    bool images_lost; /* faults in the list of images: annotations without one are no faults of their own */
} coco;

/* ---- the files of an export ---- */

static const char *const json_types[] = {"json", NULL};

enum { SOURCES_MOST = 64 };

/* `split`: NULL to take it from the name, "instances_train2017.json" is train2017. */
static icseg_status add_source(icseg_export *e, source_list *list, const char *path, const char *folder,
                               const char *split, icseg_error *error) {
    char stem[NAME_MAX + 1];
    icseg_path_stem(icseg_path_name(path), stem, sizeof stem);
    bool named = !split && !strncmp(stem, "instances_", 10) && stem[10];
    if (list->count == SOURCES_MOST)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: more than %d COCO JSON files; convert them in several parts",
                          folder, SOURCES_MOST);
    source_file *f = &list->files[list->count++];
    *f = (source_file){
        .path = icseg_arena_strdup(e->arena, path), .folder = icseg_arena_strdup(e->arena, folder), .split = split};
    if (named) f->split = icseg_arena_strdup(e->arena, stem + 10);
    return f->path && f->folder && (f->split || !named) ? ICSEG_OK : icseg_fail_memory(error, 0, path);
}

/* The JSON files of one folder: instances_*.json alone, when there are such (captions and key points lie beside). */
static icseg_status add_folder(icseg_export *e, source_list *list, const char *folder, const char *root,
                               icseg_error *error) {
    char **names;
    size_t count, instances = 0;
    ICSEG_TRY(icseg_export_list(e->arena, folder, json_types, &names, &count, error));
    for (size_t i = 0; i < count; i++) instances += !strncmp(names[i], "instances", 9);
    for (size_t i = 0; i < count; i++) {
        if (instances && strncmp(names[i], "instances", 9) != 0) continue;
        char *path = icseg_arena_printf(e->arena, "%s/%s", folder, names[i]);
        if (!path) return icseg_fail_memory(error, 0, folder);
        ICSEG_TRY(add_source(e, list, path, root, NULL, error));
    }
    return ICSEG_OK;
}

static icseg_status find_sources(icseg_export *e, source_list *list, icseg_error *error) {
    static const char *const splits[] = {"train", "valid", "val", "test"};
    const char *source = e->options->source;
    list->files = icseg_arena_array(e->arena, SOURCES_MOST, sizeof *list->files);
    if (!list->files) return icseg_fail_memory(error, SOURCES_MOST * sizeof *list->files, source);
    if (!icseg_folder_exists(source)) {
        const char *name = icseg_path_name(source);
        char *folder = name == source ? icseg_arena_strdup(e->arena, ".")
                                      : icseg_arena_printf(e->arena, "%.*s", (int)(name - source - 1), source);
        if (!folder) return icseg_fail_memory(error, strlen(source), source);
        return add_source(e, list, source, folder, NULL, error);
    }
    char *below = icseg_arena_printf(e->arena, "%s/annotations", source);
    if (!below) return icseg_fail_memory(error, strlen(source), source);
    ICSEG_TRY(add_folder(e, list, below, source, error));
    if (!list->count) ICSEG_TRY(add_folder(e, list, source, source, error));
    bool none = !list->count;
    for (size_t i = 0; none && i < sizeof splits / sizeof *splits; i++) {
        char *path = icseg_arena_printf(e->arena, "%s/%s/_annotations.coco.json", source, splits[i]);
        char *folder = icseg_arena_printf(e->arena, "%s/%s", source, splits[i]);
        if (!path || !folder) return icseg_fail_memory(error, strlen(source), source);
        if (icseg_file_exists(path))
            ICSEG_TRY(add_source(e, list, path, folder, strcmp(splits[i], "valid") ? splits[i] : "val", error));
    }
    if (list->count) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no COCO JSON: annotations/instances_*.json is expected", source);
}

/* --split names a single file, whatever it is called, and all files that name no split: unasked none are joined. */
static icseg_status name_splits(icseg_export *e, source_list *list, icseg_error *error) {
    const char *given = e->options->split;
    for (size_t i = 0; i < list->count; i++) {
        source_file *f = &list->files[i];
        f->named = f->split != NULL;
        if (!f->named || (given && list->count == 1)) f->split = given ? given : "train";
        e->split_used |= !f->named;
        for (size_t k = 0; k < i; k++) {
            const source_file *other = &list->files[k];
            bool joined = given && !f->named && !other->named;
            if (joined || strcmp(other->split, f->split) != 0) continue;
            return icseg_fail(error, ICSEG_ERROR_DATA, "%s and %s would both be the split %s; %s", other->path, f->path,
                              f->split,
                              given || (f->named && other->named)
                                  ? "give one of them another name, or convert them one by one"
                                  : "call them instances_SPLIT.json, or ask for one split with --split NAME");
        }
    }
    e->one_split = true;
    for (size_t i = 1; i < list->count; i++) e->one_split &= !strcmp(list->files[i].split, list->files[0].split);
    return ICSEG_OK;
}

/* Whether the file's beginning or end names the three lists of a COCO file: LabelMe's JSON has none of them. */
static bool looks_like_coco(const char *path) {
    icseg_map map;
    static const char key[] = "\"categories\"";
    if (icseg_map_open(&map, path, NULL) != ICSEG_OK) return false;
    bool found = map.data && memmem(map.data, map.size, key, sizeof key - 1);
    icseg_map_close(&map);
    return found;
}

bool icseg_export_coco_fits(const char *source) {
    icseg_arena *arena;
    icseg_convert_options options = {.source = source};
    if (icseg_arena_open(&arena, NULL) != ICSEG_OK) return false;
    icseg_export e = {.arena = arena, .options = &options};
    source_list list = {0};
    (void)find_sources(&e, &list, NULL); /* too many files are COCO's too */
    bool fits = list.count && list.files[0].path && looks_like_coco(list.files[0].path);
    icseg_arena_close(&arena);
    return fits;
}

/* ---- categories and annotations ---- */

static icseg_status fail_field(const coco *c, const char *list, size_t i, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: %s[%zu]: %s", c->path, list, i, what);
}

static int compare_categories(const void *a, const void *b) {
    const category *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Classes get labels in the order of their category ids. */
static icseg_status read_categories(coco *c, const json_t *list, icseg_error *error) {
    size_t count = json_array_size(list);
    if (!count || count > ICSEG_EXPORT_CLASSES_MOST)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: categories: a list of 1..%d is expected", c->path,
                          ICSEG_EXPORT_CLASSES_MOST);
    c->categories = icseg_arena_array(c->e->arena, count, sizeof *c->categories);
    if (!c->categories) return icseg_fail_memory(error, count * sizeof *c->categories, c->path);
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_object_get(json_array_get(list, i), "id");
        if (!json_is_integer(id) || !json_is_string(json_object_get(json_array_get(list, i), "name")))
            return fail_field(c, "categories", i, "a whole number \"id\" and a text \"name\" are expected", error);
        c->categories[i] = (category){json_integer_value(id), (int32_t)i};
    }
    qsort(c->categories, count, sizeof *c->categories, compare_categories);
    for (size_t i = 0; i < count; i++) {
        size_t at = (size_t)c->categories[i].label;
        char where[PATH_MAX + 40];
        if (i && c->categories[i - 1].id == c->categories[i].id)
            return fail_field(c, "categories", at, "the id stands there twice", error);
        snprintf(where, sizeof where, "%s: categories[%zu]", c->path, at);
        ICSEG_TRY(icseg_export_class(c->e, json_string_value(json_object_get(json_array_get(list, at), "name")), where,
                                     &c->categories[i].label, error));
    }
    c->category_count = count;
    return ICSEG_OK;
}

static int compare_links(const void *a, const void *b) {
    const link *x = a, *y = b;
    if (x->image_id != y->image_id) return x->image_id < y->image_id ? -1 : 1;
    return (x->annotation > y->annotation) - (x->annotation < y->annotation);
}

static icseg_status link_annotations(coco *c, icseg_error *error) {
    size_t count = json_array_size(c->annotations), i;
    const json_t *annotation;
    c->links = icseg_arena_array(c->e->arena, count, sizeof *c->links);
    if (!c->links) return icseg_fail_memory(error, count * sizeof *c->links, c->path);
    json_array_foreach(c->annotations, i, annotation) {
        const json_t *id = json_object_get(annotation, "image_id");
        if (json_is_integer(id))
            c->links[c->link_count++] = (link){json_integer_value(id), i, false};
        else
            ICSEG_TRY(icseg_export_fault(c->e, fail_field(c, "annotations", i, "no whole number \"image_id\"", error),
                                         error));
    }
    if (c->link_count) qsort(c->links, c->link_count, sizeof *c->links, compare_links);
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

static icseg_status read_polygons(const coco *c, icseg_arena *arena, size_t at, const json_t *list, icseg_object *out,
                                  icseg_error *error) {
    size_t i;
    const json_t *numbers;
    json_array_foreach(list, i, numbers) {
        size_t count = json_array_size(numbers);
        if (!json_is_array(numbers) || count % 2)
            return fail_field(c, "annotations", at, "a polygon is a list of x, y, x, y, ...", error);
        icseg_outline *o = icseg_arena_alloc(arena, sizeof *o);
        if (!o || !(o->xy = icseg_arena_array(arena, count, sizeof *o->xy)))
            return icseg_fail_memory(error, count * sizeof *o->xy, c->path);
        char where[PATH_MAX + 40];
        snprintf(where, sizeof where, "%s: annotations[%zu]", c->path, at);
        for (size_t k = 0; k < count; k++)
            ICSEG_TRY(icseg_export_number(json_array_get(numbers, k), where, &o->xy[k], error));
        o->count = count / 2;
        o->next = out->outlines;
        out->outlines = o;
    }
    return ICSEG_OK;
}

/* COCO's packing of run lengths: 5 bits a letter from '0', the lowest first, 0x20 = more follow, the last letter's 0x10
 * = negative; from the fourth run on, the difference to the run before the last. False for what it cannot be. */
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

static icseg_status read_runs(const coco *c, icseg_arena *arena, size_t at, const json_t *rle, int64_t width,
                              int64_t height, icseg_object *out, icseg_error *error) {
    const json_t *size = json_object_get(rle, "size"), *counts = json_object_get(rle, "counts");
    if (json_array_size(size) != 2 || json_integer_value(json_array_get(size, 0)) != height ||
        json_integer_value(json_array_get(size, 1)) != width)
        return fail_field(c, "annotations", at, "run lengths of another \"size\" than the picture's height, width",
                          error);
    size_t count = json_is_string(counts) ? json_string_length(counts) : json_array_size(counts);
    icseg_outline *o = icseg_arena_alloc(arena, sizeof *o);
    if (!o || !(o->runs = icseg_arena_array(arena, count, sizeof *o->runs)))
        return icseg_fail_memory(error, count * sizeof *o->runs, c->path);
    bool fine = true;
    o->kind = ICSEG_OUTLINE_RUNS;
    o->count = count;
    if (json_is_string(counts))
        fine = unpack_runs(json_string_value(counts), count, o->runs, &o->count);
    else
        for (size_t i = 0; i < count && fine; i++) {
            const json_t *run = json_array_get(counts, i);
            fine = json_is_integer(run) && json_integer_value(run) >= 0 && json_integer_value(run) <= UINT32_MAX;
            if (fine) o->runs[i] = (uint32_t)json_integer_value(run);
        }
    uint64_t sum = 0, pixels = (uint64_t)width * (uint64_t)height;
    for (size_t i = 0; i < o->count && fine && sum <= pixels; i++) sum += o->runs[i];
    if (!fine || sum != pixels)
        return fail_field(c, "annotations", at, "run lengths that do not add up to the picture's pixels", error);
    out->outlines = o;
    return ICSEG_OK;
}

static icseg_status read_object(const coco *c, icseg_arena *arena, size_t at, const icseg_export_item *item,
                                icseg_object *out, icseg_error *error) {
    const json_t *annotation = json_array_get(c->annotations, at), *id = json_object_get(annotation, "category_id");
    const json_t *segmentation = json_object_get(annotation, "segmentation");
    category key = {json_is_integer(id) ? json_integer_value(id) : INT64_MIN, 0};
    const category *found = bsearch(&key, c->categories, c->category_count, sizeof *c->categories, compare_categories);
    *out = (icseg_object){0};
    if (!found) return fail_field(c, "annotations", at, "\"category_id\" is none of the categories", error);
    out->label = (int16_t)found->label;
    if (json_is_object(segmentation))
        return read_runs(c, arena, at, segmentation, item->width, item->height, out, error);
    if (json_is_array(segmentation)) return read_polygons(c, arena, at, segmentation, out, error);
    if (!segmentation || json_is_null(segmentation)) return ICSEG_OK;
    return fail_field(c, "annotations", at, "\"segmentation\" is neither polygons nor run lengths", error);
}

/* ---- pictures ---- */

static icseg_status find_picture(const coco *c, icseg_arena *arena, const char *name, char **out, icseg_error *error) {
    const char *root = c->file->folder, *stem = icseg_path_name(c->path);
    char split[NAME_MAX + 1];
    icseg_path_stem(stem, split, sizeof split);
    const char *own = !strncmp(split, "instances_", 10) ? split + 10 : split;
    const char *folders[] = {icseg_arena_printf(arena, "%s/images/%s", root, own),
                             icseg_arena_printf(arena, "%s/%s", root, own),
                             icseg_arena_printf(arena, "%s/images", root),
                             icseg_arena_printf(arena, "%s", root),
                             icseg_arena_printf(arena, "%s/../images/%s", root, own),
                             icseg_arena_printf(arena, "%s/../%s", root, own),
                             icseg_arena_printf(arena, "%s/../images", root),
                             NULL};
    for (int i = 0; i < 7; i++)
        if (!folders[i]) return icseg_fail_memory(error, strlen(root), root);
    ICSEG_TRY(icseg_export_find_image(c->e, arena, folders, name, false, out, error));
    if (*out) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: the picture \"%.200s\" is not there (looked in images/%s, %s, images and beside it); name "
                      "its folder with --image-folder",
                      c->path, name, own, own);
}

/* The picture's annotations; those with a fault are noted and left out. */
static icseg_status read_objects(coco *c, icseg_arena *arena, size_t at, int64_t id, icseg_export_item *item,
                                 icseg_error *error) {
    size_t first = first_link(c, id), count = 0;
    while (first + count < c->link_count && c->links[first + count].image_id == id) count++;
    item->objects = icseg_arena_array(arena, count, sizeof *item->objects);
    if (!item->objects) return icseg_fail_memory(error, count * sizeof *item->objects, c->path);
    for (size_t i = 0; i < count; i++) {
        icseg_object *object = &item->objects[item->object_count];
        link *l = &c->links[first + i];
        if (l->used) return fail_field(c, "images", at, "another picture has the same \"id\"", error);
        icseg_status status = read_object(c, arena, l->annotation, item, object, error);
        l->used = true;
        if (status != ICSEG_OK)
            ICSEG_TRY(icseg_export_fault(c->e, status, error));
        else if (object->outlines)
            item->object_count++;
        else
            c->e->summary->skipped++;
    }
    return ICSEG_OK;
}

static icseg_status convert_image(coco *c, icseg_arena *arena, size_t at, icseg_error *error) {
    const json_t *image = json_array_get(c->images, at), *id = json_object_get(image, "id");
    const json_t *name = json_object_get(image, "file_name");
    if (!json_is_integer(id)) c->images_lost = true;
    if (!json_is_integer(id) || !json_is_string(name))
        return fail_field(c, "images", at, "a whole number \"id\" and a text \"file_name\" are expected", error);
    char *path = NULL, *source = icseg_arena_printf(arena, "%s: images[%zu]", c->path, at);
    if (!source) return icseg_fail_memory(error, 0, c->path);
    ICSEG_TRY(icseg_export_fault(c->e, find_picture(c, arena, json_string_value(name), &path, error), error));
    icseg_export_item item = {.split = c->file->split,
                              .name = json_string_value(name),
                              .image = path,
                              .source = source,
                              .width = json_integer_value(json_object_get(image, "width")),
                              .height = json_integer_value(json_object_get(image, "height"))};
    bool fine =
        item.width > 0 && item.height > 0 && item.width <= ICSEG_IMAGE_MAX_SIDE && item.height <= ICSEG_IMAGE_MAX_SIDE;
    if (!fine) {
        c->images_lost = true;
        return fail_field(c, "images", at, "\"width\" and \"height\" are no picture's size", error);
    }
    ICSEG_TRY(read_objects(c, arena, at, json_integer_value(id), &item, error));
    return path ? icseg_export_write(c->e, &item, error) : ICSEG_OK;
}

static icseg_status convert_images(coco *c, icseg_error *error) {
    for (size_t i = 0; i < json_array_size(c->images); i++) {
        icseg_arena *arena;
        ICSEG_TRY(icseg_arena_open(&arena, error));
        icseg_status status = convert_image(c, arena, i, error);
        icseg_arena_close(&arena);
        ICSEG_TRY(icseg_export_fault(c->e, status, error));
    }
    for (size_t i = 0; i < c->link_count && !c->images_lost; i++)
        if (!c->links[i].used) {
            icseg_status status =
                fail_field(c, "annotations", c->links[i].annotation, "\"image_id\" is none of the images", error);
            ICSEG_TRY(icseg_export_fault(c->e, status, error));
        }
    return ICSEG_OK;
}

static icseg_status convert_file(icseg_export *e, const source_file *file, icseg_error *error) {
    coco c = {.e = e, .path = file->path, .file = file};
    json_t *root;
    icseg_status status;
    ICSEG_TRY(icseg_export_read_json(&root, file->path, error));
    c.images = json_object_get(root, "images");
    c.annotations = json_object_get(root, "annotations");
    if (!json_is_array(c.images) || !json_is_array(c.annotations))
        status = icseg_fail(error, ICSEG_ERROR_FORMAT,
                            "%s: not a COCO file: lists \"images\", \"annotations\" and \"categories\" are expected",
                            file->path);
    else
        status = read_categories(&c, json_object_get(root, "categories"), error);
    e->total += (double)json_array_size(c.images);
    if (status == ICSEG_OK) status = link_annotations(&c, error);
    if (status == ICSEG_OK) status = convert_images(&c, error);
    json_decref(root);
    return status;
}

icseg_status icseg_export_coco(icseg_export *e, icseg_error *error) {
    source_list list = {0};
    ICSEG_TRY(find_sources(e, &list, error));
    ICSEG_TRY(name_splits(e, &list, error));
    ICSEG_TRY(icseg_export_background(e, error));
    for (size_t i = 0; i < list.count; i++) {
        int32_t classes = e->classes;
        ICSEG_TRY(convert_file(e, &list.files[i], error));
        if (i && e->classes != classes)
            return icseg_fail(error, ICSEG_ERROR_DATA, "%s: has categories that %s has not; give all with --classes",
                              list.files[i].path, list.files[0].path);
    }
    return ICSEG_OK;
}

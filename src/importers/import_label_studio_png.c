/* SPDX-License-Identifier: Apache-2.0
 * Label Studio's PNG export of brush strokes: one mask for each stroke, which is white where the stroke is, called
 * task-TASK-annotation-ANNOTATION-by-USER-TAG-LABEL-NUMBER.png (label_studio_sdk/converter/brush.py). The names of the
 * images are in a JSON export beside the masks; without one, images are called by the number of their task. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "importers/json_stream.h"
#include "importers/label_studio.h"

static const char *const mask_types[] = {"png", NULL};
static const char *const json_types[] = {"json", NULL};

/* A mask by its name. */
typedef struct stroke {
    int64_t task, annotation;
    const char *file;
    const char *label; /* with the tag before it */
    size_t length;     /* of the label */
} stroke;

/* The image of a task. */
typedef struct task_image {
    int64_t task;
    const char *name, *own; /* to find it; to name the new files */
    size_t index;           /* of the task in its file, for messages */
} task_image;

typedef struct masks {
    icseg_import *im;
    const char *folder;
    stroke *strokes; /* (count), by task and annotation */
    size_t count;
    task_image *images; /* (image_count), by task, from the heap */
    size_t image_count, image_capacity;
    int64_t others;
} masks;

/* ---- names ---- */

/* Takes a number of at most 18 digits after `prefix`; NULL: the text is another one. */
static const char *take_number(const char *text, const char *prefix, int64_t *out) {
    size_t length = strlen(prefix), digits = strncmp(text, prefix, length) ? 0 : strspn(text + length, "0123456789");
    *out = 0;
    if (!digits || digits > 18) return NULL;
    for (size_t i = 0; i < digits; i++) *out = *out * 10 + (text[length + i] - '0');
    return text + length + digits;
}

/* The user's name does not contain a hyphen. The label is followed by the number of the stroke. */
static bool parse(const char *name, stroke *out) {
    *out = (stroke){.file = name};
    const char *at = take_number(name, "task-", &out->task);
    if (at) at = take_number(at, "-annotation-", &out->annotation);
    if (!at || strncmp(at, "-by-", 4) != 0 || !(at = strchr(at + 4, '-'))) return false;
    const char *end = strrchr(at, '.');
    if (!end || strcmp(end, ".png") != 0) return false;
    while (end > at && end[-1] >= '0' && end[-1] <= '9') end--;
    if (end[-1] != '-' || end - 1 <= at || *end == '.') return false;
    out->label = at + 1;
    out->length = (size_t)(end - 1 - out->label);
    return out->length && memchr(out->label, '-', out->length) != NULL;
}

bool icseg_studio_is_mask(const char *name) {
    stroke s;
    return parse(name, &s);
}

static int compare_strokes(const void *a, const void *b) {
    const stroke *x = a, *y = b;
    if (x->task != y->task) return x->task < y->task ? -1 : 1;
    if (x->annotation != y->annotation) return x->annotation < y->annotation ? -1 : 1;
    return strcmp(x->file, y->file);
}

/* The class: of the caller's list the longest name that ends the label; otherwise what follows the tag, which is taken
 * to end at the first hyphen. */
static const char *class_of(const masks *m, icseg_arena *arena, const stroke *s) {
    size_t best = 0, tag = (size_t)((const char *)memchr(s->label, '-', s->length) - s->label) + 1;
    for (int32_t k = 0; m->im->fixed && k < m->im->classes; k++) {
        size_t length = strlen(m->im->names[k]);
        if (length > best && length < s->length && s->label[s->length - length - 1] == '-' &&
            !memcmp(s->label + s->length - length, m->im->names[k], length))
            best = length;
    }
    if (best) tag = s->length - best;
    return icseg_arena_printf(arena, "%.*s", (int)(s->length - tag), s->label + tag);
}

/* ---- images ---- */

static int compare_images(const void *a, const void *b) {
    const task_image *x = a, *y = b;
    if (x->task != y->task) return x->task < y->task ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static icseg_status add_image(masks *m, icseg_studio *s, const json_t *task, icseg_error *error) {
    const json_t *id = json_object_get(task, "id");
    const char *name, *own;
    if (!json_is_integer(id)) return ICSEG_OK;
    ICSEG_TRY(icseg_studio_image_name(s, task, &name, &own, error));
    if (m->image_count == m->image_capacity) {
        size_t capacity = m->image_capacity ? 2 * m->image_capacity : 256;
        task_image *grown = icseg_realloc_array(m->images, m->image_capacity, capacity, sizeof *grown);
        if (!grown) return icseg_fail_memory_in(error, 0, s->path);
        m->images = grown;
        m->image_capacity = capacity;
    }
    name = icseg_arena_strdup(m->im->arena, name);
    own = icseg_arena_strdup(m->im->arena, own);
    if (!name || !own) return icseg_fail_memory_in(error, 0, s->path);
    m->images[m->image_count++] = (task_image){json_integer_value(id), name, own, s->task};
    return ICSEG_OK;
}

/* Reads the names of the images from a JSON export. */
static icseg_status read_images(masks *m, const char *path, icseg_error *error) {
    icseg_studio s = {.im = m->im, .path = path, .folder = m->folder};
    icseg_json_stream *stream;
    icseg_status status;
    ICSEG_TRY(icseg_json_stream_open_list(&stream, path, error));
    for (bool more = true; (status = icseg_json_stream_element(stream, &more, error)) == ICSEG_OK && more; s.task++) {
        json_t *task;
        if ((status = icseg_json_stream_read(stream, &task, NULL, error)) != ICSEG_OK) break;
        status = icseg_arena_open(&s.arena, error);
        if (status == ICSEG_OK) status = add_image(m, &s, task, error);
        icseg_arena_close(&s.arena);
        json_decref(task);
        if (status != ICSEG_OK) break;
    }
    icseg_json_stream_close(&stream);
    return status;
}

/* *out: NULL if the image is missing. *name is what it is called by. */
static icseg_status find_image(const masks *m, icseg_arena *arena, int64_t task, const char **name, char **out,
                               icseg_error *error) {
    const icseg_studio s = {.im = m->im, .path = m->folder, .folder = m->folder, .arena = arena};
    const task_image *found = NULL;
    for (size_t low = 0, high = m->image_count; low < high && !found;) {
        size_t middle = low + (high - low) / 2;
        if (m->images[middle].task == task)
            found = &m->images[middle];
        else if (m->images[middle].task < task)
            low = middle + 1;
        else
            high = middle;
    }
    if (found) {
        *name = found->own;
        return icseg_studio_find_image(&s, found->name, out, error);
    }
    const char *folders[] = {icseg_arena_printf(arena, "%s/images", m->folder), m->folder, NULL};
    *name = icseg_arena_printf(arena, "%lld.png", (long long)task);
    if (!folders[0] || !*name) return icseg_fail_memory_in(error, 0, m->folder);
    return icseg_import_find_image(
        m->im, arena, (icseg_image_query){.folders = folders, .name = *name, .any_type = true}, out, error);
}

/* ---- masks ---- */

static icseg_status read_stroke(const masks *m, icseg_import_item *item, const stroke *s, icseg_error *error) {
    int32_t label;
    const char *path = icseg_arena_printf(item->arena, "%s/%s", m->folder, s->file);
    const char *name = class_of(m, item->arena, s);
    icseg_outline *o = icseg_arena_alloc(item->arena, sizeof *o);
    if (!path || !name || !o) return icseg_fail_memory_in(error, 0, m->folder);
    ICSEG_TRY(icseg_import_class(m->im, name, path, &label, error));
    *o = (icseg_outline){.kind = ICSEG_OUTLINE_MASK};
    ICSEG_TRY(icseg_mask_read(&o->mask, path, error));
    item->objects[item->object_count++] = (icseg_object){.label = (int16_t)label, .outlines = o};
    if ((item->width && item->width != o->mask.width) || (item->height && item->height != o->mask.height))
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %dx%d pixels, but another mask of task %lld has %lldx%lld",
                          path, o->mask.width, o->mask.height, (long long)s->task, (long long)item->width,
                          (long long)item->height);
    item->width = o->mask.width;
    item->height = o->mask.height;
    return ICSEG_OK;
}

static icseg_status import_task(masks *m, icseg_arena *arena, const stroke *strokes, size_t count, icseg_error *error) {
    char *image;
    icseg_import_item item = {.arena = arena, .split = m->im->options->split ? m->im->options->split : "train"};
    item.source = icseg_arena_printf(arena, "%s/%s", m->folder, strokes[0].file);
    item.objects = icseg_arena_array(arena, count, sizeof *item.objects);
    if (!item.source || !item.objects) return icseg_fail_memory_in(error, 0, m->folder);
    ICSEG_TRY(find_image(m, arena, strokes[0].task, &item.name, &image, error));
    if (!image)
        return icseg_fail_field(
            error, ICSEG_ERROR_DATA, "image_folder", ICSEG_REMEDY_SET_FIELD,
            "%s: its image \"%.200s\" is missing; put a JSON export, which contains the names of the "
            "images, beside the masks, and the images too, or specify their folder",
            item.source, item.name);
    item.image = image;
    for (size_t i = 0; i < count; i++) {
        icseg_status status = read_stroke(m, &item, &strokes[i], error);
        if (status == ICSEG_OK) continue;
        icseg_import_item_close(&item);
        return status;
    }
    return icseg_import_write(m->im, &item, error);
}

/* Of several annotations of a task the one with the highest number, which is the newest. */
static icseg_status import_strokes(masks *m, icseg_error *error) {
    for (size_t i = 0; i < m->count; i++) { /* they are not images */
        const char *path = icseg_arena_printf(m->im->arena, "%s/%s", m->folder, m->strokes[i].file);
        ICSEG_TRY(path ? icseg_import_claim_file(m->im, path, error) : icseg_fail_memory_in(error, 0, m->folder));
    }
    for (size_t first = 0, end; first < m->count; first = end) {
        size_t newest = first;
        for (end = first + 1; end < m->count && m->strokes[end].task == m->strokes[first].task; end++) {
            if (m->strokes[end].annotation == m->strokes[newest].annotation) continue;
            newest = end;
            m->others++;
        }
        icseg_arena *arena;
        ICSEG_TRY(icseg_arena_open(&arena, error));
        m->im->stage.total++;
        icseg_status status = import_task(m, arena, &m->strokes[newest], end - newest, error);
        icseg_arena_close(&arena);
        ICSEG_TRY(icseg_import_problem(m->im, status, error));
    }
    icseg_studio_report(&(icseg_studio){.im = m->im, .others = m->others});
    return ICSEG_OK;
}

static icseg_status import(masks *m, icseg_error *error) {
    char **names;
    size_t count;
    ICSEG_TRY(icseg_import_list(m->im->arena, m->folder, json_types, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        const char *path = icseg_arena_printf(m->im->arena, "%s/%s", m->folder, names[i]);
        ICSEG_TRY(path ? read_images(m, path, error) : icseg_fail_memory_in(error, 0, m->folder));
    }
    if (m->image_count) qsort(m->images, m->image_count, sizeof *m->images, compare_images);
    ICSEG_TRY(icseg_import_list(m->im->arena, m->folder, mask_types, &names, &count, error));
    m->strokes = icseg_arena_array(m->im->arena, count, sizeof *m->strokes);
    if (!m->strokes) return icseg_fail_memory_in(error, 0, m->folder);
    for (size_t i = 0; i < count; i++) m->count += parse(names[i], &m->strokes[m->count]);
    qsort(m->strokes, m->count, sizeof *m->strokes, compare_strokes);
    return import_strokes(m, error);
}

icseg_status icseg_studio_import_masks(icseg_import *im, const char *folder, icseg_error *error) {
    masks m = {.im = im, .folder = folder};
    icseg_status status = import(&m, error);
    icseg_free(m.images);
    return status;
}

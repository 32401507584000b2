/* SPDX-License-Identifier: Apache-2.0
 * One image of an import: draws its objects, and writes image and label file to the staging folder. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/system.h"
#include "base/text.h"
#include "dataset/formats.h"
#include "importers/internal.h"
#include "image/codec.h"

enum { MAX_IMAGE_BYTES = 1 << 30 };

typedef struct layer {
    const icseg_object *object;
    int64_t pixels;
    size_t at;
} layer;

static int compare_layers(const void *a, const void *b) {
    const layer *x = a, *y = b;
    if (x->object->order != y->object->order) return x->object->order < y->object->order ? -1 : 1;
    if (x->pixels != y->pixels) return x->pixels < y->pixels ? 1 : -1;
    return (x->at > y->at) - (x->at < y->at);
}

static void draw(icseg_region *region, const icseg_object *object) {
    icseg_region_clear(region);
    for (const icseg_outline *o = object->outlines; o; o = o->next) switch (o->kind) {
        case ICSEG_OUTLINE_POLYGON: icseg_region_add_polygon(region, o->xy, o->count); break;
        case ICSEG_OUTLINE_CIRCLE:
            icseg_region_add_circle(region, o->xy[0], o->xy[1], hypot(o->xy[2] - o->xy[0], o->xy[3] - o->xy[1]));
            break;
        case ICSEG_OUTLINE_RUNS: icseg_region_add_runs(region, o->runs, o->count); break;
        case ICSEG_OUTLINE_MASK: icseg_region_add_mask(region, &o->mask, o->x, o->y); break;
        }
}

/* Objects that cover no pixel are often a sign of labels that belong to another image, or of wrong units. */
static icseg_status note_outside(icseg_import *im, const icseg_import_item *item, size_t outside, icseg_error *error) {
    if (!outside) return ICSEG_OK;
    im->outside += (int64_t)outside;
    im->summary.skipped += (int64_t)outside;
    if (!im->first_outside) im->first_outside = icseg_arena_strdup(im->arena, item->source);
    return im->first_outside ? ICSEG_OK : icseg_fail_memory_in(error, 0, item->source);
}

static icseg_status draw_objects(icseg_import *im, const icseg_import_item *item, icseg_labels *labels,
                                 icseg_error *error) {
    icseg_region region = {0};
    icseg_status status;
    size_t outside = 0;
    layer *layers = icseg_alloc_array(item->object_count, sizeof *layers);
    if (!layers) return icseg_fail_memory_in(error, item->object_count * sizeof *layers, item->source);
    ICSEG_TRY_GOTO(icseg_region_open(&region, labels->width, labels->height, error));
    for (size_t i = 0; i < item->object_count; i++) {
        draw(&region, &item->objects[i]);
        layers[i] = (layer){&item->objects[i], icseg_region_count(&region), i};
        outside += layers[i].pixels == 0;
    }
    ICSEG_TRY_GOTO(note_outside(im, item, outside, error));
    im->summary.objects += (int64_t)(item->object_count - outside);
    qsort(layers, item->object_count, sizeof *layers, compare_layers);
    for (size_t i = 0; i < item->object_count; i++) {
        draw(&region, layers[i].object);
        icseg_region_paint(&region, labels, layers[i].object->label);
    }
fail:
    icseg_region_close(&region);
    icseg_free(layers);
    return status;
}

void icseg_import_item_close(const icseg_import_item *item) {
    for (size_t i = 0; i < item->object_count; i++)
        for (icseg_outline *o = item->objects[i].outlines; o; o = o->next) icseg_mask_close(&o->mask);
}

/* "a/b.jpg" becomes "a_b". A leading dot, which would hide the file, becomes "_". */
static icseg_status make_stem(const icseg_import_item *item, char out[NAME_MAX - 8], icseg_error *error) {
    const char *name = item->name;
    while (!strncmp(name, "../", 3) || !strncmp(name, "./", 2)) name = strchr(name, '/') + 1;
    const char *extension = icseg_path_extension(name);
    size_t length = strlen(name) - (extension[0] ? strlen(extension) + 1 : 0);
    if (!length || length >= NAME_MAX - 8)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: \"%.80s\" cannot be the name of a file", item->source,
                          item->name);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        out[i] = (char)(c == '/' || c == '\\' || c < 0x20 || c == 0x7f || (i == 0 && c == '.') ? '_' : c);
    }
    out[length] = '\0';
    return ICSEG_OK;
}

/* One image while it is written. */
typedef struct entry {
    const icseg_import_item *item;
    const char *split;
    const unsigned char *data; /* (size): the image file */
    size_t size;
    unsigned char *owned; /* `data` if it was read from a file */
    icseg_image image;
    icseg_labels labels;
} entry;

static icseg_status read_image(entry *e, icseg_error *error) {
    const icseg_import_item *item = e->item;
    const icseg_image *image = &e->image;
    const char *name = item->image ? item->image : item->source;
    e->data = item->data;
    e->size = item->size;
    if (item->image) {
        ICSEG_TRY(icseg_file_read(item->image, MAX_IMAGE_BYTES, &e->owned, &e->size, error));
        e->data = e->owned;
    }
    ICSEG_TRY(icseg_image_read_memory(&e->image, e->data, e->size, name, error));
    int64_t width = item->ready ? item->ready->width : item->width,
            height = item->ready ? item->ready->height : item->height;
    if ((width && width != image->width) || (height && height != image->height))
        return icseg_fail(
            error, ICSEG_ERROR_DATA,
            "%s: labels of %lldx%lld pixels, but %s is %dx%d (EXIF rotation applied); is it another image, "
            "or was it resized or rotated after labelling?",
            item->source, (long long)width, (long long)height, item->image ? item->image : "its image", image->width,
            image->height);
    return ICSEG_OK;
}

static icseg_status make_labels(icseg_import *im, entry *e, icseg_error *error) {
    const icseg_import_item *item = e->item;
    icseg_labels *labels = &e->labels;
    size_t pixels = (size_t)e->image.width * (size_t)e->image.height;
    ICSEG_TRY(icseg_labels_create(labels, e->image.width, e->image.height, error));
    if (item->ready) {
        memcpy(labels->data, item->ready->data, pixels * sizeof *labels->data);
        return ICSEG_OK;
    }
    int16_t empty = icseg_import_background_label(im);
    im->summary.no_background = empty == ICSEG_LABEL_IGNORE && im->background[0];
    for (size_t i = 0; i < pixels; i++) labels->data[i] = empty;
    return item->object_count ? draw_objects(im, item, labels, error) : ICSEG_OK;
}

/* Writes the label file even after a problem, to find images with the same name. */
static icseg_status write_labels(icseg_import *im, const entry *e, const char *stem, icseg_error *error) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/annotations/%s/%s.png", im->staging.path, e->split, stem);
    bool found;
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (found)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: another image is also called %s; rename one", e->item->source,
                          stem);
    im->broken = true;
    if (im->palette.size != im->classes) {
        icseg_palette_close(&im->palette);
        ICSEG_TRY(icseg_palette_create_for(&im->palette, (const char *const *)im->names, im->classes, error));
    }
    icseg_status status = icseg_labels_write_png(&e->labels, &im->palette, path, error);
    im->broken = status != ICSEG_OK;
    return status;
}

/* The extension in lower case; "jpg" for an unknown one, as readers examine the content. */
static const char *choose_extension(const icseg_import_item *item) {
    const char *extension = icseg_path_extension(item->image ? item->image : item->name);
    const char *const *type = icseg_image_types;
    while (*type && strcasecmp(*type, extension) != 0) type++;
    return *type ? *type : icseg_image_types[0];
}

static icseg_status write_files(icseg_import *im, const entry *e, icseg_error *error) {
    static const char *const roots[] = {"images", "annotations"};
    char stem[NAME_MAX - 8], path[PATH_MAX];
    ICSEG_TRY(make_stem(e->item, stem, error));
    if (!im->classes) return ICSEG_OK; /* reported at the end, after other problems */
    im->broken = true;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", im->staging.path, roots[i], e->split);
        ICSEG_TRY(icseg_folder_create(path, error));
    }
    im->broken = false;
    ICSEG_TRY(write_labels(im, e, stem, error));
    if (im->problems.count) return ICSEG_OK;
    snprintf(path, sizeof path, "%s/images/%s/%s.%s", im->staging.path, e->split, stem, choose_extension(e->item));
    icseg_status status = icseg_file_write(path, e->data, e->size, error);
    im->broken = status != ICSEG_OK;
    return status;
}

/* Assigns a share of the images of a single split, evenly distributed, to val. */
static const char *choose_split(icseg_import *im, const icseg_import_item *item) {
    double share = im->options->val_share;
    int64_t i = im->in_split++;
    return im->one_split && floor((double)(i + 1) * share) > floor((double)i * share) ? "val" : item->split;
}

/* Whether a pixel has a class other than the background. */
static bool has_object(const icseg_import *im, const icseg_labels *labels) {
    int16_t empty = icseg_import_background_label(im);
    size_t pixels = (size_t)labels->width * (size_t)labels->height;
    for (size_t i = 0; i < pixels; i++)
        if (labels->data[i] != empty && labels->data[i] != ICSEG_LABEL_IGNORE) return true;
    return false;
}

static icseg_status write_entry(icseg_import *im, entry *e, icseg_error *error) {
    ICSEG_TRY(read_image(e, error));
    ICSEG_TRY(make_labels(im, e, error));
    e->split = choose_split(im, e->item);
    ICSEG_TRY(write_files(im, e, error));
    im->summary.images++;
    im->summary.images_without_objects += !has_object(im, &e->labels);
    return icseg_stage_report(&im->stage, im->summary.images, "", error);
}

icseg_status icseg_import_write(icseg_import *im, const icseg_import_item *item, icseg_error *error) {
    entry e = {.item = item};
    icseg_status status = icseg_import_claim_image(im, item, error);
    if (status == ICSEG_OK) status = write_entry(im, &e, error);
    icseg_labels_close(&e.labels);
    icseg_image_close(&e.image);
    icseg_free(e.owned);
    icseg_import_item_close(item);
    return status;
}

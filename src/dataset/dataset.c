/* SPDX-License-Identifier: Apache-2.0
 * Data sets: opening one, and reading one pair of picture and labels. */
#include "icseg/dataset.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "classes/class_list.h"
#include "dataset/internal.h"
#include "image/codec.h"

icseg_dataset_options icseg_dataset_options_default(void) { return (icseg_dataset_options){.split = "train"}; }

static icseg_status read_names(icseg_dataset *d, const icseg_dataset_options *o, icseg_error *error) {
    char *classes = o->classes_file ? icseg_arena_strdup(d->arena, o->classes_file)
                                    : icseg_arena_printf(d->arena, "%s/classes.txt", o->folder);
    if (!classes) return icseg_fail_memory(error, strlen(o->folder), o->folder);
    bool needed = d->layout->format == ICSEG_DATASET_FOLDER && !o->images_only;
    if (o->classes_file || needed || (d->layout->format == ICSEG_DATASET_FOLDER && icseg_file_exists(classes)))
        ICSEG_TRY(icseg_classes_read(d->arena, classes, &d->names, &d->classes, error));
    return icseg_dataset_take_names(d, error);
}

icseg_status icseg_dataset_open(icseg_dataset **out, const icseg_dataset_options *o, icseg_error *error) {
    const icseg_dataset_layout *layout;
    icseg_status status;
    *out = NULL;
    if (!o->folder || !o->folder[0]) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "no data folder was given");
    ICSEG_TRY(icseg_dataset_find_layout(&layout, o, error));
    icseg_dataset *d = icseg_calloc_array(1, sizeof *d);
    if (!d) return icseg_fail_memory(error, sizeof *d, "a data set");
    d->layout = layout;
    d->images_only = o->images_only;
    d->check_images = o->check_images;
    ICSEG_TRY_GOTO(icseg_arena_open(&d->arena, error));
    ICSEG_TRY_GOTO(read_names(d, o, error));
    ICSEG_TRY_GOTO(icseg_dataset_find_files(d, o, error));
    ICSEG_TRY_GOTO(icseg_dataset_set_rule(d, o, error));
    *out = d;
    return ICSEG_OK;
fail:
    icseg_dataset_close(&d);
    return status;
}

void icseg_dataset_close(icseg_dataset **dataset) {
    if (!dataset || !*dataset) return;
    icseg_arena_close(&(*dataset)->arena);
    icseg_free(*dataset);
    *dataset = NULL;
}

int64_t icseg_dataset_count(const icseg_dataset *d) { return d->count; }
int32_t icseg_dataset_classes(const icseg_dataset *d) { return d->classes; }
const char *const *icseg_dataset_class_names(const icseg_dataset *d) { return (const char *const *)d->names; }
const char *const *icseg_dataset_class_synonyms(const icseg_dataset *d) { return (const char *const *)d->synonyms; }
icseg_dataset_format icseg_dataset_recognised(const icseg_dataset *d) { return d->layout->format; }
const char *icseg_dataset_description(const icseg_dataset *d) { return d->description; }
const char *icseg_dataset_image_path(const icseg_dataset *d, int64_t index) { return d->pairs[index].image; }
const char *icseg_dataset_label_path(const icseg_dataset *d, int64_t index) { return d->pairs[index].label; }

/* Whether the picture's EXIF orientation swaps its sides. */
static bool is_turned(const char *path) {
    icseg_map map;
    icseg_header header;
    if (icseg_map_open(&map, path, NULL) != ICSEG_OK) return false;
    icseg_source source = {.data = map.data, .size = map.size, .name = path};
    bool turned = icseg_header_read(&header, &source, NULL) == ICSEG_OK && header.orientation >= 5;
    icseg_map_close(&map);
    return turned;
}

icseg_status icseg_dataset_check_size(const icseg_dataset_pair *pair, int32_t width, int32_t height,
                                      const icseg_mask *mask, icseg_error *error) {
    if (mask->width == width && mask->height == height) return ICSEG_OK;
    if (mask->width == height && mask->height == width && is_turned(pair->image))
        return icseg_fail(
            error, ICSEG_ERROR_DATA,
            "%s: the mask is %dx%d, which fits %s only without its EXIF rotation (%dx%d with it); turn the "
            "mask, or remove the image's EXIF orientation",
            pair->label, mask->width, mask->height, pair->image, width, height);
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: the mask is %dx%d but its image %s is %dx%d; they must be equal",
                      pair->label, mask->width, mask->height, pair->image, width, height);
}

icseg_status icseg_dataset_fail_value(const icseg_dataset *d, const char *path, const icseg_mask *mask,
                                      icseg_error *error) {
    const int16_t *rule = icseg_dataset_rule(d, mask->bits);
    size_t n = (size_t)mask->width * (size_t)mask->height, first = n, others = 0;
    for (size_t i = 0; i < n; i++)
        if (rule[mask->data[i]] == ICSEG_LABEL_INVALID) {
            if (first == n)
                first = i;
            else
                others++;
        }
    if (first == n) return icseg_fail(error, ICSEG_ERROR_INTERNAL, "%s: no value is out of range", path);
    int32_t value = mask->data[first], low = d->reduce_zero_label ? 1 : 0, high = d->classes - 1 + low;
    char more[64] = "";
    size_t x = first % (size_t)mask->width, y = first / (size_t)mask->width;
    if (others) snprintf(more, sizeof more, " and %zu more pixels out of range", others);
    if (d->layout->format != ICSEG_DATASET_FOLDER)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: value %d at x=%zu, y=%zu%s; label files of %s hold %s: another edition of the set, or "
                          "labels of your own? (data.format)",
                          path, value, x, y, more, d->description, d->layout->values);
    const char *remedy = value == high + 1 && !d->reduce_zero_label
                             ? "if 0 means unlabelled and classes count from 1, set data.reduce_zero_label; if"
                             : "if";
    return icseg_fail(
        error, ICSEG_ERROR_DATA,
        "%s: value %d at x=%zu, y=%zu%s; classes are %d..%d and %d is ignored; %s %d means unlabelled, add "
        "it to data.ignore; if it is a class, add its name to the class list",
        path, value, x, y, more, low, high, mask->bits == 16 ? 65535 : 255, remedy, value);
}

/* Stored values to labels. */
static icseg_status apply_rule(const icseg_dataset *d, const char *path, const icseg_mask *mask, icseg_labels *labels,
                               icseg_error *error) {
    ICSEG_TRY(icseg_labels_create(labels, mask->width, mask->height, error));
    const int16_t *rule = icseg_dataset_rule(d, mask->bits);
    size_t n = (size_t)mask->width * (size_t)mask->height;
    bool invalid = false;
    for (size_t i = 0; i < n; i++) {
        int16_t label = rule[mask->data[i]];
        invalid |= label == ICSEG_LABEL_INVALID;
        labels->data[i] = label;
    }
    return invalid ? icseg_dataset_fail_value(d, path, mask, error) : ICSEG_OK;
}

icseg_status icseg_dataset_read(const icseg_dataset *d, int64_t index, icseg_image *image, icseg_labels *labels,
                                icseg_error *error) {
    *image = (icseg_image){0};
    *labels = (icseg_labels){0};
    if (index < 0 || index >= d->count)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "image %lld of a data set of %lld", (long long)index,
                          (long long)d->count);
    const icseg_dataset_pair *pair = &d->pairs[index];
    icseg_mask mask = {0};
    icseg_status status;
    if (!pair->label && !d->images_only) return icseg_dataset_fail_unpaired(d, pair, error);
    ICSEG_TRY_GOTO(icseg_image_read(image, pair->image, error));
    if (!d->images_only) {
        ICSEG_TRY_GOTO(icseg_dataset_read_mask(d, pair->label, &mask, error));
        ICSEG_TRY_GOTO(icseg_dataset_check_size(pair, image->width, image->height, &mask, error));
        ICSEG_TRY_GOTO(apply_rule(d, pair->label, &mask, labels, error));
    }
    icseg_mask_close(&mask);
    return ICSEG_OK;
fail:
    icseg_mask_close(&mask);
    icseg_labels_close(labels);
    icseg_image_close(image);
    return status;
}

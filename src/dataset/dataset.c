/* SPDX-License-Identifier: Apache-2.0
 * Data sets: opening, and reading images with their labels. */
#include "icseg/dataset.h"

#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/struct_size.h"
#include "base/text.h"
#include "classes/class_list.h"
#include "dataset/hold_out.h"
#include "dataset/internal.h"
#include "image/check.h"

enum {
    FIRST_OPTIONS_SIZE = sizeof(icseg_dataset_options), /* in the first release, as below */
    FIRST_SAMPLE_SIZE = sizeof(icseg_dataset_sample)
};

/* The caller's list, FOLDER/classes.txt, or the published one. */
static icseg_status open_classes(icseg_dataset *d, const icseg_dataset_options *o, icseg_error *error) {
    const icseg_class_table *table = d->layout->classes;
    const char *path = o->classes_file ? o->classes_file : icseg_arena_printf(d->arena, "%s/classes.txt", o->folder);
    if (!path) return icseg_fail_memory_in(error, 0, o->folder);
    if (o->classes_file || (!table && (!o->images_only || icseg_file_exists(path))))
        ICSEG_TRY(icseg_class_list_open(&d->list, path, error));
    else if (table)
        ICSEG_TRY(icseg_class_list_open_table(&d->list, table, error));
    d->classes = icseg_class_list_count(d->list);
    if (table && d->classes != table->count)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "classes_file", ICSEG_REMEDY_SET_FIELD,
                                "%s: %d %s, but %s has %d classes", path, d->classes,
                                icseg_plural(d->classes, "class name", "class names"), d->layout->title, table->count);
    return ICSEG_OK;
}

static icseg_status open_dataset(icseg_dataset *d, const icseg_dataset_options *o, icseg_error *error) {
    d->images_only = o->images_only;
    ICSEG_TRY(icseg_image_values_read(&d->values, o->values, error));
    ICSEG_TRY(icseg_dataset_notes_open(&d->notes, error));
    ICSEG_TRY(icseg_arena_open(&d->arena, error));
    if (!d->images_only) ICSEG_TRY(icseg_dataset_check_source(d->layout, o->folder, error));
    ICSEG_TRY(open_classes(d, o, error));
    ICSEG_TRY(icseg_dataset_find_files(d, o, error));
    if (o->val_share > 0) ICSEG_TRY(icseg_dataset_hold_out(d, o, error));
    return icseg_dataset_set_rule(d, o, error);
}

icseg_status icseg_dataset_open_layout(icseg_dataset **out, const icseg_dataset_options *o,
                                       const icseg_dataset_layout *layout, icseg_error *error) {
    *out = NULL;
    icseg_dataset *d = icseg_calloc_array(1, sizeof *d);
    if (!d) return icseg_fail_memory(error, sizeof *d, "a data set");
    d->layout = layout;
    icseg_status status = open_dataset(d, o, error);
    if (status == ICSEG_OK)
        *out = d;
    else
        icseg_dataset_close(&d);
    return status;
}

icseg_status icseg_dataset_open(icseg_dataset **out, const icseg_dataset_options *options, icseg_error *error) {
    icseg_dataset_options o;
    const icseg_dataset_layout *layout;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(options);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_OPTIONS_SIZE, "icseg_dataset_options", error));
    if (!o.folder || !o.folder[0])
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "folder", ICSEG_REMEDY_SET_FIELD,
                                "folder: is not set; set it to the folder of the data set");
    if (!(o.val_share >= 0 && o.val_share <= 0.9))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "val_share", ICSEG_REMEDY_SET_FIELD,
                                "val_share: must be between 0 and 0.9");
    ICSEG_TRY(icseg_dataset_find_layout(&layout, &o, error));
    return icseg_dataset_open_layout(out, &o, layout, error);
}

void icseg_dataset_close(icseg_dataset **dataset) {
    if (!dataset || !*dataset) return;
    icseg_class_list_close(&(*dataset)->list);
    icseg_dataset_notes_close(&(*dataset)->notes);
    icseg_arena_close(&(*dataset)->arena);
    icseg_free(*dataset);
    *dataset = NULL;
}

/* ---- contents ---- */

static const icseg_dataset_pair *pair_at(const icseg_dataset *d, int64_t index) {
    return d && index >= 0 && index < d->count ? &d->pairs[index] : NULL;
}

int64_t icseg_dataset_count(const icseg_dataset *d) { return d ? d->count : 0; }

int32_t icseg_dataset_classes(const icseg_dataset *d) { return d ? d->classes : 0; }

const char *const *icseg_dataset_class_names(const icseg_dataset *d) {
    return d ? icseg_class_list_names(d->list) : NULL;
}

const char *const *icseg_dataset_class_synonyms(const icseg_dataset *d) {
    return d ? icseg_class_list_synonyms(d->list) : NULL;
}

icseg_dataset_format icseg_dataset_recognised(const icseg_dataset *d) {
    return d ? d->layout->format : ICSEG_DATASET_AUTO;
}

const char *icseg_dataset_description(const icseg_dataset *d) { return d ? d->description : NULL; }

const char *icseg_dataset_image_path(const icseg_dataset *d, int64_t index) {
    const icseg_dataset_pair *pair = pair_at(d, index);
    return pair ? pair->image : NULL;
}

const char *icseg_dataset_label_path(const icseg_dataset *d, int64_t index) {
    const icseg_dataset_pair *pair = pair_at(d, index);
    return pair ? pair->label : NULL;
}

/* ---- reading ---- */

static icseg_status read_image(const icseg_dataset *d, int64_t index, icseg_image *image, icseg_error *error) {
    icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT, .path = d->pairs[index].image, .values = &d->values};
    icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
    ICSEG_TRY(icseg_image_load(image, &input, &info, error));
    icseg_dataset_take_note(d, index, &info);
    return ICSEG_OK;
}

/* Maps stored values to labels. */
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

icseg_status icseg_dataset_read(const icseg_dataset *dataset, int64_t index, icseg_image *image, icseg_labels *labels,
                                icseg_error *error) {
    ICSEG_NEED(image);
    ICSEG_NEED(labels);
    *image = (icseg_image){0};
    *labels = (icseg_labels){0};
    ICSEG_NEED(dataset);
    const icseg_dataset *d = dataset;
    const icseg_dataset_pair *pair = pair_at(d, index);
    if (!pair)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: index is %lld; the data set has %lld %s", __func__,
                          (long long)index, (long long)d->count, icseg_plural(d->count, "image", "images"));
    icseg_mask mask = {0};
    icseg_status status;
    if (!pair->label && !d->images_only) return icseg_dataset_fail_unpaired(d, pair, error);
    ICSEG_TRY_GOTO(read_image(d, index, image, error));
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

/* ---- iteration ---- */

static icseg_status check_sample(const icseg_dataset *dataset, const icseg_dataset_sample *sample, icseg_error *error) {
    if (!dataset) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_dataset_next: dataset is NULL");
    if (sample->struct_size < FIRST_SAMPLE_SIZE || sample->next < 0)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "icseg_dataset_next: the sample's struct_size is %zu and its next index %lld; initialise it "
                          "with ICSEG_DATASET_SAMPLE_INIT",
                          sample->struct_size, (long long)sample->next);
    return ICSEG_OK;
}

bool icseg_dataset_next(const icseg_dataset *dataset, icseg_dataset_sample *s, icseg_error *error) {
    if (!s) {
        icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_dataset_next: sample is NULL");
        return false;
    }
    s->status = check_sample(dataset, s, error);
    if (s->status != ICSEG_OK) return false;
    icseg_image_close(&s->image);
    icseg_labels_close(&s->labels);
    s->image_path = s->label_path = NULL;
    if (s->next >= dataset->count) return false;
    s->index = s->next++;
    s->image_path = icseg_dataset_image_path(dataset, s->index);
    s->label_path = icseg_dataset_label_path(dataset, s->index);
    s->status = icseg_dataset_read(dataset, s->index, &s->image, &s->labels, error);
    return s->status == ICSEG_OK;
}

void icseg_dataset_sample_close(icseg_dataset_sample *sample) {
    if (!sample) return;
    icseg_image_close(&sample->image);
    icseg_labels_close(&sample->labels);
    icseg_struct_write(sample, &(icseg_dataset_sample){0}, sizeof *sample, FIRST_SAMPLE_SIZE, "icseg_dataset_sample",
                       NULL);
}

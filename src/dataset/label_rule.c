/* SPDX-License-Identifier: Apache-2.0
 * The meaning of the values in label files: a class, unlabelled, or invalid. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "dataset/value_map.h"

static void fill(icseg_dataset *d, int16_t label) {
    for (int bits = 0; bits < 2; bits++) icseg_value_map_fill(d->rule[bits], label);
}

static void set_value(icseg_dataset *d, int32_t value, int32_t label) {
    d->rule[0][value] = d->rule[1][value] = (int16_t)label;
}

/* Classes are numbered from 0, or from 1 if 0 means unlabelled. */
static void set_plain_rule(icseg_dataset *d, bool reduce_zero_label) {
    fill(d, ICSEG_LABEL_INVALID);
    if (reduce_zero_label) set_value(d, 0, ICSEG_LABEL_IGNORE);
    for (int32_t k = 0; k < d->classes; k++) set_value(d, reduce_zero_label ? k + 1 : k, k);
    d->rule[0][255] = d->rule[1][65535] = ICSEG_LABEL_IGNORE;
}

static void set_mat_rule(icseg_dataset *d) {
    bool v1_0 = icseg_dataset_is_cocostuff_1_0(d);
    fill(d, ICSEG_LABEL_INVALID);
    set_value(d, v1_0, ICSEG_LABEL_IGNORE);
    for (int32_t k = 0; k < d->classes; k++) set_value(d, v1_0 ? k + 2 : icseg_classes_cocostuff10k[k].stored, k);
    d->description = v1_0 ? "COCO-Stuff 10k v1.0 (.mat: 1 is unlabelled, classes are 2..172)"
                          : "COCO-Stuff 10k v1.1 (.mat: 0 is unlabelled, classes are COCO's ids 1..182)";
}

static void set_published_rule(icseg_dataset *d) {
    switch (d->layout->format) {
    case ICSEG_DATASET_COCOSTUFF10K:
        if (d->layout->source == ICSEG_LABELS_MAT)
            set_mat_rule(d);
        else
            set_plain_rule(d, true);
        break;
    case ICSEG_DATASET_ADE20K_FULL:
        if (d->layout->source == ICSEG_LABELS_OBJECTS) { /* objects beyond the 847 classes are unlabelled */
            fill(d, ICSEG_LABEL_IGNORE);
            for (int32_t k = 0; k < d->classes; k++) set_value(d, icseg_classes_ade20k_full[k].stored, k);
        } else {
            set_plain_rule(d, false);
            for (int32_t v = 0; v < 256; v++)
                d->rule[0][v] = ICSEG_LABEL_INVALID; /* 8 bits cannot represent 847 classes */
        }
        break;
    default: set_plain_rule(d, true);
    }
}

static bool looks_like_ade20k(const icseg_dataset *d) {
    const char *const *names = icseg_class_list_names(d->list);
    return d->layout->format == ICSEG_DATASET_FOLDER && d->classes == ICSEG_ADE20K_CLASSES && !d->reduce_zero_label &&
           !strncmp(names[0], "wall", 4) && d->count && !strncmp(icseg_path_name(d->pairs[0].image), "ADE_", 4);
}

static icseg_status ignore_values(icseg_dataset *d, const icseg_dataset_options *o, icseg_error *error) {
    if (o->ignore_count < 0 || (o->ignore_count && !o->ignore))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "ignore", ICSEG_REMEDY_SET_FIELD,
                                "ignore: ignore_count is %d, but ignore is %s", o->ignore_count,
                                o->ignore ? "set" : "NULL");
    for (int32_t i = 0; i < o->ignore_count; i++) {
        if (o->ignore[i] < 0 || o->ignore[i] >= ICSEG_LABEL_VALUES)
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "ignore", ICSEG_REMEDY_SET_FIELD,
                                    "ignore: %d is not a label value; label values are 0..65535", o->ignore[i]);
        set_value(d, o->ignore[i], ICSEG_LABEL_IGNORE);
        d->ignores_white |= o->ignore[i] == 255 || o->ignore[i] == 65535;
    }
    return ICSEG_OK;
}

static icseg_status map_values(icseg_dataset *d, const char *map, icseg_error *error) {
    for (int bits = 0; bits < 2; bits++) ICSEG_TRY(icseg_value_map_apply(map, d->rule[bits], error));
    d->ignores_white |= icseg_value_map_has(map, 255) || icseg_value_map_has(map, 65535);
    return ICSEG_OK;
}

icseg_status icseg_dataset_set_rule(icseg_dataset *d, const icseg_dataset_options *o, icseg_error *error) {
    const icseg_dataset_layout *l = d->layout;
    d->description = l->title;
    d->reduce_zero_label = o->reduce_zero_label;
    if (l->format == ICSEG_DATASET_FOLDER)
        set_plain_rule(d, o->reduce_zero_label);
    else if (o->reduce_zero_label && l->format == ICSEG_DATASET_ADE20K_FULL)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "reduce_zero_label", ICSEG_REMEDY_SET_FIELD,
                                "reduce_zero_label: does not apply to %s; unset it", l->title);
    else
        set_published_rule(d);
    ICSEG_TRY(ignore_values(d, o, error));
    if (o->map && *o->map) ICSEG_TRY(map_values(d, o->map, error));
    d->looks_like_ade20k = looks_like_ade20k(d);
    return ICSEG_OK;
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
    if (others)
        snprintf(more, sizeof more, " and %zu more %s out of range", others,
                 icseg_plural((int64_t)others, "pixel", "pixels"));
    if (d->layout->format != ICSEG_DATASET_FOLDER)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "format", ICSEG_REMEDY_SET_FIELD,
                                "%s: value %d at x=%zu, y=%zu%s; the label files of %s contain %s; if this is another "
                                "edition or your own data set, set its format",
                                path, value, x, y, more, d->description, d->layout->values);
    const char *shifted = value == high + 1 && !d->reduce_zero_label
                              ? " if 0 means unlabelled and classes count from 1, set reduce_zero_label;"
                              : "";
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "ignore", ICSEG_REMEDY_SET_FIELD,
                            "%s: value %d at x=%zu, y=%zu%s; classes are %d..%d and %d is ignored;%s if %d is a class, "
                            "add its name to the class list; if it stands for another value, map it (%d=%d); if it "
                            "means unlabelled, add it to the ignored values",
                            path, value, x, y, more, low, high, mask->bits == 16 ? 65535 : 255, shifted, value, value,
                            high);
}

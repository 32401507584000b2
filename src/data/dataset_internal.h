/* SPDX-License-Identifier: Apache-2.0
 * What dataset.c and dataset_check.c share: the file list, the label rule, and the text of faults found in one pair. */
#ifndef ICSEG_DATA_DATASET_INTERNAL_H
#define ICSEG_DATA_DATASET_INTERNAL_H

#include "base/memory.h"
#include "icseg/dataset.h"

enum {
    ICSEG_LABEL_VALUES = 65536,
    ICSEG_LABEL_INVALID = -2 /* a stored value that is neither a class nor ignored */
};

typedef struct icseg_dataset_pair {
    const char *image; /* paths */
    const char *label; /* NULL: images_only, or no partner (keep_unpaired) */
    const char *hint;  /* NULL, or a label file of almost that name, when label is NULL */
} icseg_dataset_pair;

struct icseg_dataset {
    icseg_arena *arena; /* owns everything below, and the struct's strings */
    char *label_folder;
    icseg_dataset_pair *pairs; /* (count), by stem */
    int64_t count;
    const char **orphans; /* (orphan_count): label files without an image, by stem */
    int64_t orphan_count;
    char **names; /* (classes) */
    int32_t classes;
    bool images_only, check_images, reduce_zero_label,
        ignores_255;                     /* ignores_255: the user said so, beyond the default */
    int16_t rule[2][ICSEG_LABEL_VALUES]; /* stored value -> label; [1] for 16-bit files */
};

/* Which rule a file of that depth follows. */
static inline const int16_t *icseg_dataset_rule(const icseg_dataset *dataset, int32_t bits) {
    return dataset->rule[bits == 16];
}

/* The text of a missing label file. */
icseg_status icseg_dataset_fail_unpaired(const icseg_dataset *dataset, const icseg_dataset_pair *pair,
                                         icseg_error *error);

/* Fails when picture and mask differ in size. */
icseg_status icseg_dataset_check_size(const icseg_dataset_pair *pair, int32_t width, int32_t height,
                                      const icseg_mask *mask, icseg_error *error);

/* The fault of a mask that holds a value outside the rule; names the first one in reading order. */
icseg_status icseg_dataset_fail_value(const icseg_dataset *dataset, const char *path, const icseg_mask *mask,
                                      icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The pixels of each class in each image of a data set. */
#ifndef ICSEG_DATASET_LABEL_COUNTS_H
#define ICSEG_DATASET_LABEL_COUNTS_H

#include "base/progress.h"
#include "dataset/internal.h"

typedef struct icseg_class_pixels {
    int32_t class;
    int64_t pixels;
} icseg_class_pixels;

/* The classes of one image, by number. */
typedef struct icseg_label_count {
    icseg_class_pixels *classes; /* (count) owned; NULL if the image has no labelled pixel */
    int32_t count;
} icseg_label_count;

/* Reads all label files. *out: (images) counts; free them with icseg_label_counts_close. Of several faults the error is
 * that of the first image in the order of the data set. */
icseg_status icseg_label_counts_open(icseg_label_count **out, const icseg_dataset *dataset, int threads,
                                     const icseg_progress *progress, icseg_error *error);
void icseg_label_counts_close(icseg_label_count **counts, int64_t images);

#endif

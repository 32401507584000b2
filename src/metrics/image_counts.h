/* SPDX-License-Identifier: Apache-2.0
 * Counts the pixels of each class in each image of an evaluation, whose images may be divided among processes. */
#ifndef ICSEG_METRICS_IMAGE_COUNTS_H
#define ICSEG_METRICS_IMAGE_COUNTS_H

#include "group/group.h"
#include "icseg/image.h"
#include "metrics/image_results.h"

typedef struct icseg_image_counts {
    int32_t classes;
    int64_t images;
    int64_t *entries;          /* (images) how many entries of the list each image has */
    icseg_class_pixels *list;  /* (count) the entries of the images, one image after the other */
    size_t count, capacity;    /* of the list */
    icseg_class_pixels *table; /* (classes) zeros between images */
} icseg_image_counts;

/* Close it also after an error. */
icseg_status icseg_image_counts_open(icseg_image_counts *out, int32_t classes, int64_t images, icseg_error *error);
void icseg_image_counts_close(icseg_image_counts *counts);

/* Counts image `index`; call it in ascending order. Labels and predictions have the same size, and each is a class, or
 * for labels ICSEG_LABEL_IGNORE. */
icseg_status icseg_image_counts_add(icseg_image_counts *counts, int64_t index, const icseg_labels *labels,
                                    const icseg_labels *predicted, icseg_error *error);

/* Gives every process of the group the entries of all images. Each has counted its own share, from image `first` on. */
icseg_status icseg_image_counts_share(icseg_image_counts *counts, icseg_group *group, int64_t first,
                                      icseg_error *error);

#endif

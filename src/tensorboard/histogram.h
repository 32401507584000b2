/* SPDX-License-Identifier: Apache-2.0
 * Histograms of floats. Buckets are 1/16 to 1/8 of their values wide, so that their number follows from a value's bits;
 * one bucket contains everything that is closer to 0 than 2^-40. */
#ifndef ICSEG_TENSORBOARD_HISTOGRAM_H
#define ICSEG_TENSORBOARD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    ICSEG_HISTOGRAM_SIDE = 8 * 168, /* buckets of positive numbers, and of negative ones: 2^-40 to 2^128 */
    ICSEG_HISTOGRAM_CELLS = 2 * ICSEG_HISTOGRAM_SIDE + 1
};

/* Zero-initialise it. */
typedef struct icseg_histogram {
    int64_t count;
    double min, max, sum, square_sum; /* of the counted values; 0 if there are none */
    int64_t cell[ICSEG_HISTOGRAM_CELLS];
} icseg_histogram;

/* Counts `scale` times each value. Values that are not finite are left out. */
void icseg_histogram_add(icseg_histogram *histogram, const float *values, int64_t count, float scale);

/* The buckets from the first to the last that is not empty, where several empty ones in a row become one. A bucket
 * contains what is below limit[i] and not in the bucket before. limit, bucket: (ICSEG_HISTOGRAM_CELLS). Returns their
 * number, at least 1. */
size_t icseg_histogram_buckets(const icseg_histogram *histogram, double *limit, double *bucket);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * A resized image, row by row and only between two columns, for crops. Half-pixel centres; 8-bit values and 11-bit
 * weights in integers, as OpenCV's INTER_LINEAR, so that the result is the same on every machine. */
#ifndef ICSEG_IMAGE_RESAMPLE_H
#define ICSEG_IMAGE_RESAMPLE_H

#include "icseg/image.h"

typedef struct icseg_resample icseg_resample;

/* Columns x .. x + columns - 1 of `image` as if resized to width x height. The image must outlive it. */
icseg_status icseg_resample_open(icseg_resample **out, const icseg_image *image, int32_t width, int32_t height,
                                 int32_t x, int32_t columns, icseg_error *error);
/* Computes row y of the resized image, out (columns, 3). Any order of rows is possible; an ascending one is fast. */
void icseg_resample_row(icseg_resample *resample, int32_t y, uint8_t *out);
void icseg_resample_close(icseg_resample **resample);

/* out[i]: the source position nearest to position first + i, when `size` positions are resized to `full`. */
void icseg_resample_nearest(int32_t *out, int32_t size, int32_t full, int32_t first, int32_t count);

#endif

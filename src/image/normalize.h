/* SPDX-License-Identifier: Apache-2.0
 * Pixels as the network's input, and the size to which an image is resized first. */
#ifndef ICSEG_IMAGE_NORMALIZE_H
#define ICSEG_IMAGE_NORMALIZE_H

#include <stdint.h>

#include "icseg/image.h"

/* CLIP's pixel statistics, of values in 0..1. */
#define ICSEG_MEAN                                                                                                     \
    { 0.48145466f, 0.4578275f, 0.40821073f }
#define ICSEG_STD                                                                                                      \
    { 0.26862954f, 0.26130258f, 0.27577711f }

/* table[c][v]: the normalised value of channel c's byte v. */
void icseg_normalize_table(float table[3][256]);

/* Normalises a whole image to (H, W, 3) float with CLIP's statistics. */
void icseg_image_normalize(const icseg_image *image, float *out);

/* The size to which an image is resized (mmsegmentation's Resize with ratio_range, mmcv's imrescale): both limits times
 * r are truncated, the scale is the smaller of the two, sides are rounded. resize_short 0: the image's own size times
 * r; resize_long 0: no limit. */
void icseg_resize_target(int32_t resize_short, int32_t resize_long, double r, int32_t width, int32_t height,
                         int32_t *out_width, int32_t *out_height);

#endif

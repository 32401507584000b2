/* SPDX-License-Identifier: Apache-2.0
 * The positions of the windows of sliding-window evaluation, as in mmsegmentation: steps of `stride` from the top left;
 * the last window of a row or column is moved back inside the image. A side shorter than the crop is one window. */
#ifndef ICSEG_INFERENCE_SLIDING_H
#define ICSEG_INFERENCE_SLIDING_H

#include <stdint.h>

#include "base/error.h"

typedef struct icseg_sliding_options {
    int32_t crop_width, crop_height;     /* window size, pixels */
    int32_t stride_width, stride_height; /* 1 .. crop; 0: two thirds of the crop, rounded down (at least 1) */
} icseg_sliding_options;

/* One axis; the windows of an image are the product of its two axes. */
typedef struct icseg_sliding_axis {
    int32_t length; /* of the image */
    int32_t window; /* min(crop, length): every window has this size */
    int32_t stride, count;
} icseg_sliding_axis;

typedef struct icseg_sliding {
    icseg_sliding_axis x, y;
} icseg_sliding;

typedef struct icseg_window {
    int32_t x, y, width, height;
} icseg_window;

icseg_status icseg_sliding_open(icseg_sliding *out, const icseg_sliding_options *options, int32_t width, int32_t height,
                                icseg_error *error);

int64_t icseg_sliding_count(const icseg_sliding *sliding);
/* Window `index` of icseg_sliding_count, row by row. */
icseg_window icseg_sliding_window(const icseg_sliding *sliding, int64_t index);

/* First pixel of window `index` along one axis. */
int32_t icseg_sliding_start(const icseg_sliding_axis *axis, int32_t index);
/* cover: (axis->length); the number of windows that contain each position. cover_x[x] * cover_y[y] windows contain
 * pixel (x, y). */
void icseg_sliding_cover(const icseg_sliding_axis *axis, int32_t *cover);

#endif

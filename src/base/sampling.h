/* SPDX-License-Identifier: Apache-2.0
 * How a resized axis reads its source, in PyTorch's float arithmetic: linear interpolation and the nearest sample.
 * (image/resample.c resizes 8-bit images with OpenCV's integer arithmetic instead.) */
#ifndef ICSEG_BASE_SAMPLING_H
#define ICSEG_BASE_SAMPLING_H

#include <stdint.h>

#include "base/system.h"

/* One output reads (1 - weight) * source[low] + weight * source[high]. */
typedef struct icseg_interpolation {
    int32_t low, high;
    float weight;
} icseg_interpolation;

/* At position `source`, counted from the centre of the first of `in` samples; clamped at the edges. */
static inline icseg_interpolation icseg_interpolation_near(float source, int64_t in) {
    if (source < 0) source = 0;
    int32_t low = (int32_t)source;
    if (low > in - 1) low = (int32_t)(in - 1);
    return (icseg_interpolation){.low = low, .high = low + (low < in - 1), .weight = source - (float)low};
}

/* For output `index` of `out`, with half-pixel centres: PyTorch's align_corners=False. */
static inline icseg_interpolation icseg_interpolation_at(int64_t index, int64_t in, int64_t out) {
    return icseg_interpolation_near(((float)index + 0.5f) * ((float)in / (float)out) - 0.5f, in);
}

/* The sample that output `index` of `out` copies: PyTorch's 'nearest', floor(index * in / out). */
static inline int64_t icseg_nearest_at(int64_t index, int64_t in, int64_t out) {
    int64_t source = (int64_t)((float)index * ((float)in / (float)out));
    return source < in - 1 ? source : in - 1;
}

/* out = factor * ((1 - weight) a + weight b) */
ICSEG_INLINE void icseg_lerp(float *out, const float *a, const float *b, float weight, float factor, int64_t n) {
    float wa = factor * (1 - weight), wb = factor * weight;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) out[i] = wa * a[i] + wb * b[i];
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Bilinear upsampling one row at a time, for operators that never hold the upsampled map. */
#ifndef ICSEG_GRAPH_OPS_UPSAMPLE_H
#define ICSEG_GRAPH_OPS_UPSAMPLE_H

#include <stdint.h>

#include "base/system.h"

/* Where one output coordinate reads: (1 - weight) * low + weight * high. */
typedef struct icseg_tap {
    int32_t low, high;
    float weight;
} icseg_tap;

/* Between the two of `in` samples nearest to a position counted from the centre of the first; clamped at the edges. */
static inline icseg_tap icseg_tap_near(float source, int64_t in) {
    if (source < 0) source = 0;
    int32_t low = (int32_t)source;
    if (low > in - 1) low = (int32_t)(in - 1);
    return (icseg_tap){.low = low, .high = low + (low < in - 1), .weight = source - (float)low};
}

/* PyTorch's align_corners=False: half-pixel centres. */
static inline icseg_tap icseg_tap_at(int64_t index, int64_t in, int64_t out) {
    return icseg_tap_near(((float)index + 0.5f) * ((float)in / (float)out) - 0.5f, in);
}

/* out = factor * ((1 - weight) a + weight b) */
ICSEG_INLINE void icseg_lerp(float *out, const float *a, const float *b, float weight, float factor, int64_t n) {
    float wa = factor * (1 - weight), wb = factor * weight;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) out[i] = wa * a[i] + wb * b[i];
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Detecting NaN and infinity. */
#include "base/finite.h"

#include <math.h>

/* 1 for a block with NaN or infinity. */
static int not_finite(const float *values, int64_t count) {
    float sum = 0; /* NaN and infinity times 0 are NaN */
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) sum += values[i] * 0.0f;
    return sum != 0;
}

/* Two loops: clang 14 -O1 compiles `parallel for simd` with a reduction of floats incorrectly. */
bool icseg_all_finite(const float *values, int64_t count) {
    enum { BLOCK = 1 << 14 };
    int bad = 0;
#pragma omp parallel for reduction(+ : bad)
    for (int64_t i = 0; i < count; i += BLOCK) bad += not_finite(values + i, count - i < BLOCK ? count - i : BLOCK);
    return bad == 0;
}

int64_t icseg_count_not_finite(const float *values, int64_t count) {
    int64_t bad = 0;
    for (int64_t i = 0; i < count; i++) bad += !isfinite(values[i]);
    return bad;
}

int64_t icseg_first_not_finite(const float *values, int64_t count) {
    int64_t i = 0;
    while (i < count && isfinite(values[i])) i++;
    return i;
}

/* SPDX-License-Identifier: Apache-2.0
 * Detecting NaN and infinity. */
#include "base/finite.h"

#include <math.h>

bool icseg_all_finite(const float *values, int64_t count) {
    float sum = 0; /* NaN and infinity times 0 are NaN */
#pragma omp parallel for simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) sum += values[i] * 0.0f;
    return sum == 0;
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "tensorboard/histogram.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The upper bits of a float, without its sign, count the buckets: eight of exponent and three of mantissa. */
enum { MANTISSA_BITS = 3, PARTS = 1 << MANTISSA_BITS, LEAST_EXPONENT = -40 };

/* The bucket's distance from the middle one: 0 for |value| < 2^-40, then 1, 2, ... */
static int32_t distance(uint32_t bits) {
    int32_t number = (int32_t)((bits & 0x7fffffff) >> (23 - MANTISSA_BITS));
    int32_t least = (127 + LEAST_EXPONENT) * PARTS;
    return number < least ? 0 : number - least + 1;
}

void icseg_histogram_add(icseg_histogram *h, const float *values, int64_t count, float scale) {
    for (int64_t i = 0; i < count; i++) {
        float value = scale * values[i];
        uint32_t bits;
        if (!isfinite(value)) continue;
        memcpy(&bits, &value, sizeof bits);
        int32_t away = distance(bits);
        h->cell[ICSEG_HISTOGRAM_SIDE + (value < 0 ? -away : away)]++;
        double number = (double)value;
        if (!h->count || number < h->min) h->min = number;
        if (!h->count || number > h->max) h->max = number;
        h->count++;
        h->sum += number;
        h->square_sum += number * number;
    }
}

/* The smallest number of the bucket that is `away` + 1 buckets above the middle one. */
static double edge(int32_t away) { return ldexp(1 + (double)(away % PARTS) / PARTS, away / PARTS + LEAST_EXPONENT); }

static double upper_limit(int32_t cell) {
    int32_t away = cell - ICSEG_HISTOGRAM_SIDE;
    return away >= 0 ? edge(away) : -edge(-away - 1);
}

size_t icseg_histogram_buckets(const icseg_histogram *h, double *limit, double *bucket) {
    size_t count = 0;
    int32_t first = 0, last = ICSEG_HISTOGRAM_CELLS - 1;
    while (first < last && !h->cell[first]) first++;
    while (last > first && !h->cell[last]) last--;
    for (int32_t i = first; i <= last; i++) {
        if (count && !h->cell[i] && !(bucket[count - 1] > 0)) count--;
        limit[count] = upper_limit(i);
        bucket[count++] = (double)h->cell[i];
    }
    return count;
}

/* SPDX-License-Identifier: Apache-2.0
 * Quantising rows of values to rows of panels. */
#include "compute/reduced/quantize.h"

#include <string.h>

#include "compute/reduced/multiplier.h"

enum { BYTES = ICSEG_ROW_BYTES, SHORTS = ICSEG_ROW_BYTES / 2 };

/* Begin at value i of a row of `in`: how many values its panel holds. */
ICSEG_INLINE int64_t panel_values(int64_t i, int64_t in, int64_t capacity) {
    return in - i < capacity ? in - i : capacity;
}

ICSEG_INLINE void to_bytes(const float *x, int64_t n, float inverse, float zero, uint8_t *to) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) to[j] = (uint8_t)(icseg_centred_byte(x[j], inverse, zero) + (int32_t)zero);
}

ICSEG_INLINE void to_shorts(const float *x, int64_t n, float inverse, float zero, int16_t *to) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) to[j] = (int16_t)icseg_centred_byte(x[j], inverse, zero);
}

ICSEG_INLINE void centre(const uint8_t *x, int64_t n, int32_t zero, int16_t *to) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) to[j] = (int16_t)(x[j] - zero);
}

ICSEG_KERNEL void icseg_convert_to_bytes(const float *x, int64_t rows, int64_t in, icseg_quantization q, char *to,
                                         size_t low, size_t next) {
    (void)low;
    float inverse = 1 / q.scale, zero = (float)q.zero_point;
    for (int64_t r = 0; r < rows; r++, to += ICSEG_ROW_BYTES)
        for (int64_t i = 0; i < in; i += BYTES) {
            uint8_t *row = (uint8_t *)to + (size_t)(i / BYTES) * next;
            int64_t n = panel_values(i, in, BYTES);
            if (x && n == BYTES) {
                to_bytes(x + r * in + i, BYTES, inverse, zero, row);
                continue;
            }
            memset(row, q.zero_point, BYTES);
            if (x) to_bytes(x + r * in + i, n, inverse, zero, row);
        }
}

ICSEG_KERNEL void icseg_convert_to_shorts(const float *x, int64_t rows, int64_t in, icseg_quantization q, char *to,
                                          size_t low, size_t next) {
    (void)low;
    float inverse = 1 / q.scale, zero = (float)q.zero_point;
    for (int64_t r = 0; r < rows; r++, to += ICSEG_ROW_BYTES)
        for (int64_t i = 0; i < in; i += SHORTS) {
            int16_t *row = (int16_t *)(void *)(to + (size_t)(i / SHORTS) * next);
            int64_t n = panel_values(i, in, SHORTS);
            if (x && n == SHORTS) {
                to_shorts(x + r * in + i, SHORTS, inverse, zero, row);
                continue;
            }
            memset(row, 0, BYTES);
            if (x) to_shorts(x + r * in + i, n, inverse, zero, row);
        }
}

void icseg_copy_to_bytes(const uint8_t *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t next) {
    for (int64_t r = 0; r < rows; r++, to += ICSEG_ROW_BYTES)
        for (int64_t i = 0; i < in; i += BYTES) {
            char *row = to + (size_t)(i / BYTES) * next;
            int64_t n = panel_values(i, in, BYTES);
            if (n < BYTES) memset(row, q.zero_point, BYTES);
            if (n == BYTES)
                memcpy(row, x + r * in + i, BYTES);
            else
                memcpy(row, x + r * in + i, (size_t)n);
        }
}

ICSEG_KERNEL void icseg_copy_to_shorts(const uint8_t *x, int64_t rows, int64_t in, icseg_quantization q, char *to,
                                       size_t next) {
    for (int64_t r = 0; r < rows; r++, to += ICSEG_ROW_BYTES)
        for (int64_t i = 0; i < in; i += SHORTS) {
            int16_t *row = (int16_t *)(void *)(to + (size_t)(i / SHORTS) * next);
            int64_t n = panel_values(i, in, SHORTS);
            if (n < SHORTS) memset(row, 0, BYTES);
            if (n == SHORTS)
                centre(x + r * in + i, SHORTS, q.zero_point, row);
            else
                centre(x + r * in + i, n, q.zero_point, row);
        }
}

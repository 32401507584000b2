/* SPDX-License-Identifier: Apache-2.0
 * The linear maps of Winograd's convolution: one-dimensional maps, and the loops that apply one to columns and then to
 * rows. */
#include "graph/ops/winograd_transform.h"

#include <stddef.h>

#include "base/system.h"

enum {
    MAX_LINE = ICSEG_WINOGRAD_LARGE_IN,
    LANES = 64
}; /* channels at a time, so that the columns' results stay in the first-level cache */

/* The points +-a, +-b, and the normalisers of their polynomials. */
#define A  0.625f
#define B  1.5f
#define AA (A * A)
#define BB (B * B)
#define N0 (AA * BB)
#define NA (2 * AA * (AA - BB))
#define NB (2 * BB * (BB - AA))

typedef void (*line)(const float *const *x, float *const *y, int64_t n);

ICSEG_INLINE void input_line(const float *const *x, float *const *y, int64_t n) {
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5];
    float *y0 = y[0], *y1 = y[1], *y2 = y[2], *y3 = y[3], *y4 = y[4], *y5 = y[5];
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        float even_a = x4[j] - BB * x2[j], odd_a = A * (x3[j] - BB * x1[j]);
        float even_b = x4[j] - AA * x2[j], odd_b = B * (x3[j] - AA * x1[j]);
        float first = AA * BB * x0[j] - (AA + BB) * x2[j] + x4[j];
        float last = AA * BB * x1[j] - (AA + BB) * x3[j] + x5[j];
        y0[j] = first;
        y1[j] = even_a + odd_a;
        y2[j] = even_a - odd_a;
        y3[j] = even_b + odd_b;
        y4[j] = even_b - odd_b;
        y5[j] = last;
    }
}

ICSEG_INLINE void output_line(const float *const *x, float *const *y, int64_t n) {
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5];
    float *y0 = y[0], *y1 = y[1], *y2 = y[2], *y3 = y[3];
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        float even_a = x1[j] + x2[j], odd_a = x1[j] - x2[j], even_b = x3[j] + x4[j], odd_b = x3[j] - x4[j];
        float first = x0[j] + even_a + even_b, last = A * AA * odd_a + B * BB * odd_b + x5[j];
        y0[j] = first;
        y1[j] = A * odd_a + B * odd_b;
        y2[j] = AA * even_a + BB * even_b;
        y3[j] = last;
    }
}

ICSEG_INLINE void output_gradient_line(const float *const *x, float *const *y, int64_t n) {
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    float *y0 = y[0], *y1 = y[1], *y2 = y[2], *y3 = y[3], *y4 = y[4], *y5 = y[5];
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        float first = x0[j], last = x3[j];
        float even_a = first + AA * x2[j], odd_a = A * x1[j] + A * AA * last;
        float even_b = first + BB * x2[j], odd_b = B * x1[j] + B * BB * last;
        y0[j] = first;
        y1[j] = even_a + odd_a;
        y2[j] = even_a - odd_a;
        y3[j] = even_b + odd_b;
        y4[j] = even_b - odd_b;
        y5[j] = last;
    }
}

ICSEG_INLINE void weight_line(const float *const *x, float *const *y, int64_t n) {
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2];
    float *y0 = y[0], *y1 = y[1], *y2 = y[2], *y3 = y[3], *y4 = y[4], *y5 = y[5];
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        float first = x0[j], last = x2[j];
        float even_a = (first + AA * last) * (1 / NA), odd_a = x1[j] * (A / NA);
        float even_b = (first + BB * last) * (1 / NB), odd_b = x1[j] * (B / NB);
        y0[j] = first * (1 / N0);
        y1[j] = even_a + odd_a;
        y2[j] = even_a - odd_a;
        y3[j] = even_b + odd_b;
        y4[j] = even_b - odd_b;
        y5[j] = last;
    }
}

ICSEG_INLINE void weight_gradient_line(const float *const *x, float *const *y, int64_t n) {
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5];
    float *y0 = y[0], *y1 = y[1], *y2 = y[2];
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        float even_a = (x1[j] + x2[j]) * (1 / NA), odd_a = (x1[j] - x2[j]) * (A / NA);
        float even_b = (x3[j] + x4[j]) * (1 / NB), odd_b = (x3[j] - x4[j]) * (B / NB);
        float first = x0[j] * (1 / N0) + even_a + even_b, last = AA * even_a + BB * even_b + x5[j];
        y0[j] = first;
        y1[j] = odd_a + odd_b;
        y2[j] = last;
    }
}

/* -- F(6 x 6, 3 x 3): the points 0, +-1/2, +-1, +-2, infinity */

#define C  0.5f
#define D  1.0f
#define E  2.0f
#define CC (C * C)
#define DD (D * D)
#define EE (E * E)
#define NC (2 * CC * (CC - DD) * (CC - EE))
#define ND (2 * DD * (DD - CC) * (DD - EE))
#define NE (2 * EE * (EE - CC) * (EE - DD))

ICSEG_INLINE void large_input_line(const float *const *x, float *const *y, int64_t n) {
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5], *x6 = x[6], *x7 = x[7];
    float *y0 = y[0], *y1 = y[1], *y2 = y[2], *y3 = y[3], *y4 = y[4], *y5 = y[5], *y6 = y[6], *y7 = y[7];
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        float even_c = x6[j] - (DD + EE) * x4[j] + DD * EE * x2[j],
              odd_c = C * (x5[j] - (DD + EE) * x3[j] + DD * EE * x1[j]);
        float even_d = x6[j] - (CC + EE) * x4[j] + CC * EE * x2[j],
              odd_d = D * (x5[j] - (CC + EE) * x3[j] + CC * EE * x1[j]);
        float even_e = x6[j] - (CC + DD) * x4[j] + CC * DD * x2[j],
              odd_e = E * (x5[j] - (CC + DD) * x3[j] + CC * DD * x1[j]);
        float first = x6[j] - (CC + DD + EE) * x4[j] + (CC * DD + CC * EE + DD * EE) * x2[j] - CC * DD * EE * x0[j];
        float last = x7[j] - (CC + DD + EE) * x5[j] + (CC * DD + CC * EE + DD * EE) * x3[j] - CC * DD * EE * x1[j];
        y0[j] = first;
        y1[j] = even_c + odd_c;
        y2[j] = even_c - odd_c;
        y3[j] = even_d + odd_d;
        y4[j] = even_d - odd_d;
        y5[j] = even_e + odd_e;
        y6[j] = even_e - odd_e;
        y7[j] = last;
    }
}

ICSEG_INLINE void large_output_line(const float *const *x, float *const *y, int64_t n) {
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5], *x6 = x[6], *x7 = x[7];
    float *y0 = y[0], *y1 = y[1], *y2 = y[2], *y3 = y[3], *y4 = y[4], *y5 = y[5];
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        float even_c = x1[j] + x2[j], odd_c = C * (x1[j] - x2[j]), even_d = x3[j] + x4[j], odd_d = D * (x3[j] - x4[j]);
        float even_e = x5[j] + x6[j], odd_e = E * (x5[j] - x6[j]);
        float first = x0[j] + even_c + even_d + even_e;
        float last = CC * CC * odd_c + DD * DD * odd_d + EE * EE * odd_e + x7[j];
        y0[j] = first;
        y1[j] = odd_c + odd_d + odd_e;
        y2[j] = CC * even_c + DD * even_d + EE * even_e;
        y3[j] = CC * odd_c + DD * odd_d + EE * odd_e;
        y4[j] = CC * CC * even_c + DD * DD * even_d + EE * EE * even_e;
        y5[j] = last;
    }
}

ICSEG_INLINE void large_weight_line(const float *const *x, float *const *y, int64_t n) {
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2];
    float *y0 = y[0], *y1 = y[1], *y2 = y[2], *y3 = y[3], *y4 = y[4], *y5 = y[5], *y6 = y[6], *y7 = y[7];
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        float first = x0[j], last = x2[j];
        float even_c = (first + CC * last) * (1 / NC), odd_c = x1[j] * (C / NC);
        float even_d = (first + DD * last) * (1 / ND), odd_d = x1[j] * (D / ND);
        float even_e = (first + EE * last) * (1 / NE), odd_e = x1[j] * (E / NE);
        y0[j] = first * (-1 / (CC * DD * EE));
        y1[j] = even_c + odd_c;
        y2[j] = even_c - odd_c;
        y3[j] = even_d + odd_d;
        y4[j] = even_d - odd_d;
        y5[j] = even_e + odd_e;
        y6[j] = even_e - odd_e;
        y7[j] = last;
    }
}

ICSEG_INLINE void add_bias(float *const *y, int count, const float *bias, bool relu, int64_t n) {
    for (int i = 0; i < count; i++) {
        float *row = y[i];
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            float sum = row[j] + bias[j];
            row[j] = relu && sum < 0 ? 0 : sum;
        }
    }
}

/* Of so many rows, the hardware prefetcher loads none. The values after a tile's last channel are those of the next
 * tile. Prefetching beyond a tensor is harmless. */
ICSEG_INLINE void prefetch(const float *x) {
    enum { LINE = 16 };
    for (int i = 0; i < LANES; i += LINE) __builtin_prefetch(x + i);
}

/* Applies a map to columns and then to rows; in and out are the lengths of a line before and after it. bias: (c), or
 * NULL, which also means no relu. */
ICSEG_INLINE void apply_2d(line map, int in, int out, const float *const *from, float *const *to, int64_t c,
                           const float *bias, bool relu) {
    float between[MAX_LINE * MAX_LINE][LANES]; /* (out, in) */
    for (int64_t at = 0; at < c; at += LANES) {
        int64_t n = c - at < LANES ? c - at : LANES;
        for (int column = 0; column < in; column++) {
            const float *x[MAX_LINE];
            float *y[MAX_LINE];
            for (int i = 0; i < in; i++) {
                x[i] = from[i * in + column] + at;
                prefetch(x[i] + LANES);
            }
            for (int i = 0; i < out; i++) y[i] = between[i * in + column];
            map(x, y, n);
        }
        for (int row = 0; row < out; row++) {
            const float *x[MAX_LINE];
            float *y[MAX_LINE];
            for (int i = 0; i < in; i++) x[i] = between[row * in + i];
            for (int i = 0; i < out; i++) y[i] = to[row * out + i] + at;
            map(x, y, n);
            if (bias) add_bias(y, out, bias + at, relu, n);
        }
    }
}

ICSEG_KERNEL void icseg_winograd_input(const float *const *from, float *const *to, int64_t c) {
    apply_2d(input_line, ICSEG_WINOGRAD_IN, ICSEG_WINOGRAD_IN, from, to, c, NULL, false);
}

ICSEG_KERNEL void icseg_winograd_output(const float *const *from, float *const *to, int64_t c, const float *bias,
                                        bool relu) {
    apply_2d(output_line, ICSEG_WINOGRAD_IN, ICSEG_WINOGRAD_OUT, from, to, c, bias, relu);
}

ICSEG_KERNEL void icseg_winograd_output_gradient(const float *const *from, float *const *to, int64_t c) {
    apply_2d(output_gradient_line, ICSEG_WINOGRAD_OUT, ICSEG_WINOGRAD_IN, from, to, c, NULL, false);
}

ICSEG_KERNEL void icseg_winograd_weights(const float *const *from, float *const *to, int64_t c) {
    apply_2d(weight_line, ICSEG_WINOGRAD_KERNEL, ICSEG_WINOGRAD_IN, from, to, c, NULL, false);
}

ICSEG_KERNEL void icseg_winograd_weight_gradient(const float *const *from, float *const *to, int64_t c) {
    apply_2d(weight_gradient_line, ICSEG_WINOGRAD_IN, ICSEG_WINOGRAD_KERNEL, from, to, c, NULL, false);
}

ICSEG_KERNEL void icseg_winograd_large_input(const float *const *from, float *const *to, int64_t c) {
    apply_2d(large_input_line, ICSEG_WINOGRAD_LARGE_IN, ICSEG_WINOGRAD_LARGE_IN, from, to, c, NULL, false);
}

ICSEG_KERNEL void icseg_winograd_large_output(const float *const *from, float *const *to, int64_t c, const float *bias,
                                              bool relu) {
    apply_2d(large_output_line, ICSEG_WINOGRAD_LARGE_IN, ICSEG_WINOGRAD_LARGE_OUT, from, to, c, bias, relu);
}

ICSEG_KERNEL void icseg_winograd_large_weights(const float *const *from, float *const *to, int64_t c) {
    apply_2d(large_weight_line, ICSEG_WINOGRAD_KERNEL, ICSEG_WINOGRAD_LARGE_IN, from, to, c, NULL, false);
}

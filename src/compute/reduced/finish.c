/* SPDX-License-Identifier: Apache-2.0
 * Finishing rows of 32 sums. A row stays in registers: the kind of each step is a constant where the code is inlined.
 */
#include "compute/reduced/finish.h"

#include <string.h>

#include "base/vmath.h"
#include "compute/reduced/quantize.h"

enum { N = ICSEG_BLOCK };

typedef enum addend { NOTHING, FLOATS, QUANTISED } addend; /* what is added to a row */

typedef struct kind {
    bool integers, bytes; /* sums; results */
    addend added;
    icseg_activation activation;
} kind;

ICSEG_INLINE void scale_row(const icseg_finish *f, const void *sums, bool integers, float *v) {
    if (integers) {
        int32_t sum[N];
        memcpy(sum, sums, sizeof sum);
#pragma omp simd
        for (int i = 0; i < N; i++)
            v[i] = (float)(int32_t)((uint32_t)sum[i] - (uint32_t)f->excess[i]) * f->scale[i] + f->bias[i];
    } else {
        float sum[N];
        memcpy(sum, sums, sizeof sum);
#pragma omp simd
        for (int i = 0; i < N; i++) v[i] = sum[i] + f->bias[i];
    }
}

ICSEG_INLINE void add_row(addend added, const void *x, icseg_quantization q, float *v) {
    if (added == FLOATS) {
        float value[N];
        memcpy(value, x, sizeof value);
#pragma omp simd
        for (int i = 0; i < N; i++) v[i] += value[i];
    } else if (added == QUANTISED) {
        uint8_t value[N];
        memcpy(value, x, sizeof value);
#pragma omp simd
        for (int i = 0; i < N; i++) v[i] += (float)(value[i] - q.zero_point) * q.scale;
    }
}

ICSEG_INLINE void activate_row(icseg_activation activation, float *v) {
    /* NOLINTNEXTLINE(bugprone-branch-clone): the check does not compare the loops below the pragmas */
    if (activation == ICSEG_ACTIVATION_RELU) {
#pragma omp simd
        for (int i = 0; i < N; i++) v[i] = v[i] < 0 ? 0 : v[i];
    } else if (activation == ICSEG_ACTIVATION_QUICK_GELU) {
#pragma omp simd
        for (int i = 0; i < N; i++) v[i] = v[i] / (1 + icseg_exp(-1.702f * v[i]));
    } else if (activation == ICSEG_ACTIVATION_GELU) {
#pragma omp simd
        for (int i = 0; i < N; i++) v[i] = icseg_exact_gelu(v[i]);
    }
}

ICSEG_INLINE void store_row(const float *v, bool bytes, icseg_quantization q, int64_t columns, void *out) {
    if (bytes) {
        uint8_t to[N];
        float inverse = 1 / q.scale, zero = (float)q.zero_point;
#pragma omp simd
        for (int i = 0; i < N; i++) to[i] = (uint8_t)(icseg_centred_byte(v[i], inverse, zero) + q.zero_point);
        memcpy(out, to, (size_t)columns);
    } else {
        memcpy(out, v, (size_t)columns * sizeof *v);
    }
}

/* Rows of 32 values. */
ICSEG_INLINE void finish_whole(const icseg_finish *f, const char *sums, int64_t rows, const char *added, char *out,
                               int64_t stride, kind k) {
    const icseg_primitive_options *o = f->options;
    size_t next = (size_t)stride * (k.bytes ? 1 : sizeof(float));
    size_t next_added = (size_t)stride * (k.added == QUANTISED ? 1 : sizeof(float));
    for (int64_t r = 0; r < rows; r++) {
        float v[N];
        scale_row(f, sums + (size_t)r * N * sizeof(float), k.integers, v);
        if (k.added != NOTHING) add_row(k.added, added + (size_t)r * next_added, o->residual_bytes, v);
        activate_row(k.activation, v);
        store_row(v, k.bytes, o->out_bytes, N, out + (size_t)r * next);
    }
}

ICSEG_INLINE void choose_activation(const icseg_finish *f, const char *sums, int64_t rows, const char *added, char *out,
                                    int64_t stride, kind k) {
    switch (f->options->activation) {
    case ICSEG_ACTIVATION_NONE: finish_whole(f, sums, rows, added, out, stride, k); break;
    case ICSEG_ACTIVATION_RELU:
        k.activation = ICSEG_ACTIVATION_RELU;
        finish_whole(f, sums, rows, added, out, stride, k);
        break;
    case ICSEG_ACTIVATION_QUICK_GELU:
        k.activation = ICSEG_ACTIVATION_QUICK_GELU;
        finish_whole(f, sums, rows, added, out, stride, k);
        break;
    case ICSEG_ACTIVATION_GELU:
        k.activation = ICSEG_ACTIVATION_GELU;
        finish_whole(f, sums, rows, added, out, stride, k);
        break;
    }
}

/* One function for each kind of sums and results keeps them small enough to be optimised. */
#define FINISH(name, integers, bytes)                                                                                  \
    ICSEG_KERNEL static void name(const icseg_finish *f, const char *sums, int64_t rows, addend added,                 \
                                  const char *residual, char *out, int64_t stride) {                                   \
        if (added == NOTHING)                                                                                          \
            choose_activation(f, sums, rows, residual, out, stride, (kind){integers, bytes, NOTHING, 0});              \
        else if (added == FLOATS)                                                                                      \
            choose_activation(f, sums, rows, residual, out, stride, (kind){integers, bytes, FLOATS, 0});               \
        else                                                                                                           \
            choose_activation(f, sums, rows, residual, out, stride, (kind){integers, bytes, QUANTISED, 0});            \
    }
FINISH(finish_floats, false, false)
FINISH(finish_integers, true, false)
FINISH(finish_to_bytes, true, true)

static void finish(const icseg_finish *f, const void *sums, int64_t rows, addend added, const void *residual, void *out,
                   int64_t stride) {
    bool bytes = f->options->out == ICSEG_U8;
    (!f->integers ? finish_floats
     : bytes      ? finish_to_bytes
                  : finish_integers)(f, sums, rows, added, residual, out, stride);
}

/* Fewer than 32 columns: with whole rows of its own in between. */
static void finish_part(const icseg_finish *f, const char *sums, int64_t rows, int64_t columns, addend added,
                        const char *residual, char *out, int64_t stride) {
    size_t size = f->options->out == ICSEG_U8 ? 1 : sizeof(float), size_added = added == QUANTISED ? 1 : sizeof(float);
    for (int64_t r = 0; r < rows; r++) {
        float row[N] = {0}, result[N];
        if (added != NOTHING) memcpy(row, residual + (size_t)(r * stride) * size_added, (size_t)columns * size_added);
        finish(f, sums + (size_t)r * N * sizeof(float), 1, added, row, result, N);
        memcpy(out + (size_t)(r * stride) * size, result, (size_t)columns * size);
    }
}

void icseg_finish_rows(const icseg_finish *f, const void *sums, int64_t rows, int64_t columns, const void *residual,
                       void *out, int64_t stride) {
    const icseg_primitive_options *o = f->options;
    addend added = o->accumulate ? FLOATS : !o->residual ? NOTHING : o->residual_type == ICSEG_U8 ? QUANTISED : FLOATS;
    if (o->accumulate) residual = out;
    if (columns == N)
        finish(f, sums, rows, added, residual, out, stride);
    else
        finish_part(f, sums, rows, columns, added, residual, out, stride);
}

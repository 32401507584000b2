/* SPDX-License-Identifier: Apache-2.0
 * Finishing rows of 32 sums. The kind of each step is a constant where the code is inlined. */
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

ICSEG_INLINE float activate(icseg_activation activation, float x) {
    switch (activation) {
    case ICSEG_ACTIVATION_RELU: return x < 0 ? 0 : x;
    case ICSEG_ACTIVATION_QUICK_GELU: return x / (1 + icseg_exp(-1.702f * x));
    case ICSEG_ACTIVATION_GELU: return icseg_exact_gelu(x);
    default: return x;
    }
}

ICSEG_INLINE float product_of(int32_t sum, int32_t excess, float scale) {
    return (float)(int32_t)((uint32_t)sum - (uint32_t)excess) * scale;
}

/* Rows of 32 values. Each step's kind is a constant, so the loop over a row has no branches. */
ICSEG_INLINE void finish_whole(const icseg_finish *f, const void *sums, int64_t rows, const void *added, void *out,
                               int64_t stride, kind k) {
    const icseg_quantization from = f->options->residual_bytes, to = f->options->out_bytes;
    const float *restrict scale = f->scale[0], *restrict bias = f->bias;
    const int32_t *restrict excess = f->excess[0];
    float inverse = 1 / to.scale;
    for (int64_t r = 0; r < rows; r++) {
        const float *real = (const float *)sums + r * N;
        const int32_t *whole = (const int32_t *)sums + r * N;
        const float *floats = k.added == FLOATS ? (const float *)added + r * stride : NULL;
        const uint8_t *bytes = k.added == QUANTISED ? (const uint8_t *)added + r * stride : NULL;
        float *result = (float *)out + r * stride;
        uint8_t *rounded = (uint8_t *)out + r * stride;
#pragma omp simd
        for (int i = 0; i < N; i++) {
            float x = k.integers ? product_of(whole[i], excess[i], scale[i]) : real[i];
            x += bias[i];
            if (k.added == FLOATS) x += floats[i];
            if (k.added == QUANTISED) x += (float)(bytes[i] - from.zero_point) * from.scale;
            x = activate(k.activation, x);
            if (k.bytes)
                rounded[i] = icseg_quantized(x, inverse, to.zero_point);
            else
                result[i] = x;
        }
    }
}

ICSEG_INLINE void choose_activation(const icseg_finish *f, const void *sums, int64_t rows, const void *added, void *out,
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
    ICSEG_KERNEL static void name(const icseg_finish *f, const void *sums, int64_t rows, addend added,                 \
                                  const void *residual, void *out, int64_t stride) {                                   \
        if (added == NOTHING)                                                                                          \
            choose_activation(f, sums, rows, residual, out, stride, (kind){integers, bytes, NOTHING, 0});              \
        else if (added == FLOATS)                                                                                      \
            choose_activation(f, sums, rows, residual, out, stride, (kind){integers, bytes, FLOATS, 0});               \
        else                                                                                                           \
            choose_activation(f, sums, rows, residual, out, stride, (kind){integers, bytes, QUANTISED, 0});            \
    }
FINISH(finish_floats, false, false)
FINISH(finish_floats_to_bytes, false, true)
FINISH(finish_integers, true, false)
FINISH(finish_to_bytes, true, true)

static void finish(const icseg_finish *f, const void *sums, int64_t rows, addend added, const void *residual, void *out,
                   int64_t stride) {
    bool bytes = f->options->out == ICSEG_U8;
    (f->integers ? (bytes ? finish_to_bytes : finish_integers)
                 : (bytes ? finish_floats_to_bytes : finish_floats))(f, sums, rows, added, residual, out, stride);
}

ICSEG_KERNEL void icseg_finish_join(const icseg_finish *f, const int32_t *first, const int32_t *second, float *sums) {
    for (int r = 0; r < N; r++)
#pragma omp simd
        for (int i = 0; i < N; i++)
            sums[r * N + i] = product_of(first[r * N + i], f->excess[0][i], f->scale[0][i]) +
                              product_of(second[r * N + i], f->excess[1][i], f->scale[1][i]);
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

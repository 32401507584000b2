/* SPDX-License-Identifier: Apache-2.0
 * layer_norm over the last axis; keeps mean and 1 / standard deviation of each row for the gradient. */
#include <math.h>
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/cast.h"
#include "graph/ops/chunks.h"
#include "graph/ops/norm.h"
#include "tensor/bf16.h"

typedef struct moments {
    float *mean, *inv; /* (rows) */
} moments;

ICSEG_INLINE void set_element(void *y, icseg_format format, float steps, int64_t i, float value) {
    if (format.dtype == ICSEG_U8)
        ((uint8_t *)y)[i] = icseg_quantized(value, steps, format.quantization.zero_point);
    else
        icseg_set_element(y, format.dtype == ICSEG_BF16, i, value);
}

/* The type is a constant. */
ICSEG_INLINE void forward_types(const float *x, const float *weight, const float *bias, float eps, int64_t rows,
                                int64_t c, void *out, icseg_format format, moments to) {
    float steps = 1 / format.quantization.scale;
    for (int64_t r = 0; r < rows; r++, x += c) {
        void *y = (char *)out + (size_t)(r * c) * icseg_dtype_size(format.dtype);
        float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < c; j++) sum += x[j];
        float m = sum / (float)c;
#pragma omp simd reduction(+ : squares)
        for (int64_t j = 0; j < c; j++) squares += (x[j] - m) * (x[j] - m);
        float s = 1 / sqrtf(squares / (float)c + eps);
#pragma omp simd
        for (int64_t j = 0; j < c; j++) set_element(y, format, steps, j, (x[j] - m) * s * weight[j] + bias[j]);
        to.mean[r] = m;
        to.inv[r] = s;
    }
}

ICSEG_KERNEL static void forward_rows(const float *x, const float *weight, const float *bias, float eps, int64_t rows,
                                      int64_t c, void *y, icseg_format format, moments to) {
    if (format.dtype == ICSEG_U8)
        forward_types(x, weight, bias, eps, rows, c, y, (icseg_format){ICSEG_U8, format.quantization}, to);
    else if (format.dtype == ICSEG_BF16)
        forward_types(x, weight, bias, eps, rows, c, y, (icseg_format){.dtype = ICSEG_BF16}, to);
    else
        forward_types(x, weight, bias, eps, rows, c, y, (icseg_format){.dtype = ICSEG_F32}, to);
}

/* Adds to dweight and dbias (c). */
ICSEG_KERNEL static void parameter_rows(const float *x, const float *dy, const float *mean, const float *inv,
                                        int64_t rows, int64_t c, float *dweight, float *dbias) {
    for (int64_t r = 0; r < rows; r++, x += c, dy += c) {
        float m = mean[r], s = inv[r];
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            dweight[j] += dy[j] * ((x[j] - m) * s);
            dbias[j] += dy[j];
        }
    }
}

/* With g = dy weight and n = (x - mean) inv: dx = inv (g - mean of g - n mean of g n). */
ICSEG_KERNEL static void gradient_rows(const float *x, const float *dy, const float *weight, const float *mean,
                                       const float *inv, int64_t rows, int64_t c, float *dx) {
    for (int64_t r = 0; r < rows; r++, x += c, dy += c, dx += c) {
        float m = mean[r], s = inv[r], sum = 0, dot = 0;
#pragma omp simd reduction(+ : sum, dot)
        for (int64_t j = 0; j < c; j++) {
            float g = dy[j] * weight[j];
            sum += g;
            dot += g * ((x[j] - m) * s);
        }
        sum /= (float)c;
        dot /= (float)c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) dx[j] = s * (dy[j] * weight[j] - sum - (x[j] - m) * s * dot);
    }
}

static icseg_status layer_norm_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    float eps = *(const float *)k->node->attributes;
    int64_t c = icseg_kernel_in(k, 1)->count;
    icseg_chunks m = icseg_chunks_of(icseg_kernel_in(k, 0)->count / c, c);
    icseg_format format = icseg_format_of(icseg_kernel_out(k, 0));
    const float *x = k->in[0];
    float *mean = k->out[1], *inv = k->out[2];
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m.count; i++) {
        int64_t row = i * m.step;
        forward_rows(x + row * c, k->in[1], k->in[2], eps, icseg_chunk_rows(&m, i), c,
                     (char *)k->out[0] + (size_t)(row * c) * icseg_dtype_size(format.dtype), format,
                     (moments){mean + row, inv + row});
    }
    return ICSEG_OK;
}

/* -- gradient: x, dy, weight, mean, inv -> [dx,] [dweight, dbias] */

static icseg_status gradient_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    int64_t c = icseg_kernel_in(k, ICSEG_NORM_WEIGHT)->count;
    icseg_chunks m = icseg_chunks_of(icseg_kernel_in(k, ICSEG_NORM_X)->count / c, c);
    if (((const icseg_norm_gradient_attributes *)k->node->attributes)->needs_parameters)
        k->scratch_size = (size_t)(2 * c * m.count) * sizeof(float);
    return ICSEG_OK;
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const icseg_norm_gradient_attributes *o = k->node->attributes;
    int64_t c = icseg_kernel_in(k, ICSEG_NORM_WEIGHT)->count;
    icseg_chunks m = icseg_chunks_of(icseg_kernel_in(k, ICSEG_NORM_X)->count / c, c);
    const float *x = k->in[ICSEG_NORM_X], *dy = k->in[ICSEG_NORM_DY], *mean = k->in[ICSEG_NORM_MEAN],
                *inv = k->in[ICSEG_NORM_INV];
    float *partial = run->scratch, *dx = o->needs_x ? k->out[0] : NULL;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m.count; i++) {
        int64_t row = i * m.step, at = row * c, rows = icseg_chunk_rows(&m, i);
        if (o->needs_parameters) { /* first, because dx may overwrite x or dy */
            float *p = partial + i * 2 * c;
            memset(p, 0, (size_t)(2 * c) * sizeof *p);
            parameter_rows(x + at, dy + at, mean + row, inv + row, rows, c, p, p + c);
        }
        if (dx) gradient_rows(x + at, dy + at, k->in[ICSEG_NORM_WEIGHT], mean + row, inv + row, rows, c, dx + at);
    }
    if (!o->needs_parameters) return ICSEG_OK;
    icseg_sum_partials(partial, m.count, 2 * c, c, k->out[o->needs_x]);
    icseg_sum_partials(partial + c, m.count, 2 * c, c, k->out[o->needs_x + 1]);
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "layer_norm_gradient",
                                     .prepare = gradient_prepare,
                                     .run = gradient_run,
                                     .in_place = 1 << ICSEG_NORM_X | 1 << ICSEG_NORM_DY};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_norm_gradient(g, &gradient_op, node, grad_out[0], grad_in);
}

const icseg_op icseg_op_layer_norm = {.name = "layer_norm",
                                      .gradient = gradient,
                                      .cheap = true,
                                      .run = layer_norm_run,
                                      .in_place = 1,
                                      .bf16 = {.out = 1},
                                      .int8 = {.out = 1, .mixed = true}};

icseg_value icseg_layer_norm(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias, float eps) {
    icseg_shape rows = x == ICSEG_NONE ? ICSEG_SHAPE(1) : icseg_graph_value(g, x)->shape;
    rows.dim[rows.rank - 1] = 1;
    return icseg_norm_node(g, &icseg_op_layer_norm, x, weight, bias, eps, rows);
}

/* SPDX-License-Identifier: Apache-2.0
 * group_norm with one group, over a whole sample. Moments and gradient sums take one pass over memory each, in chunks
 * of rows that are combined in order (as in batch_norm). */
#include <math.h>
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/chunks.h"
#include "graph/ops/norm.h"

enum { BLOCK = 1024 }; /* floats that are summed in float, before the sum is added in double */

/* Mean and sum of centred squares of n numbers. */
ICSEG_KERNEL static void chunk_moments(const float *x, int64_t n, double *mean, double *m2) {
    double total = 0, squares = 0;
    for (int64_t at = 0; at < n; at += BLOCK) {
        int64_t size = n - at < BLOCK ? n - at : BLOCK;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < size; j++) sum += x[at + j];
        total += (double)sum;
    }
    float m = (float)(total / (double)n);
    for (int64_t at = 0; at < n; at += BLOCK) {
        int64_t size = n - at < BLOCK ? n - at : BLOCK;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < size; j++) sum += (x[at + j] - m) * (x[at + j] - m);
        squares += (double)sum;
    }
    double rounding = (double)m - total / (double)n; /* of m */
    *mean = total / (double)n;
    *m2 = squares - (double)n * rounding * rounding;
}

ICSEG_KERNEL static void apply_rows(const float *x, const float *weight, const float *bias, float mean, float inv,
                                    int64_t rows, int64_t c, float *y) {
    for (int64_t r = 0; r < rows; r++, x += c, y += c)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) y[j] = (x[j] - mean) * inv * weight[j] + bias[j];
}

/* Sums over rows of dy and of dy (x - mean) inv. */
ICSEG_KERNEL static void chunk_sums(const float *x, const float *dy, float mean, float inv, int64_t rows, int64_t c,
                                    float *sum, float *dot) {
    memset(sum, 0, (size_t)c * sizeof *sum);
    memset(dot, 0, (size_t)c * sizeof *dot);
    for (int64_t r = 0; r < rows; r++, x += c, dy += c)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            sum[j] += dy[j];
            dot[j] += dy[j] * ((x[j] - mean) * inv);
        }
}

/* dx = inv (dy weight - a - b (x - mean) inv). */
ICSEG_KERNEL static void gradient_rows(const float *x, const float *dy, const float *weight, float mean, float inv,
                                       float a, float b, int64_t rows, int64_t c, float *dx) {
    for (int64_t r = 0; r < rows; r++, x += c, dy += c, dx += c)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) dx[j] = inv * (dy[j] * weight[j] - a - (x[j] - mean) * inv * b);
}

/* One sample's rows. */
static icseg_chunks chunks_of(const icseg_kernel *k, int weight) {
    const icseg_value_info *x = icseg_kernel_in(k, 0);
    int64_t c = icseg_kernel_in(k, weight)->count;
    return icseg_chunks_of(x->count / x->shape.dim[0] / c, c);
}

static icseg_status group_norm_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    k->scratch_size = (size_t)(2 * icseg_kernel_in(k, 0)->shape.dim[0] * chunks_of(k, 1).count) * sizeof(double);
    return ICSEG_OK;
}

static icseg_status group_norm_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    float eps = *(const float *)k->node->attributes;
    icseg_chunks m = chunks_of(k, 1);
    int64_t batch = icseg_kernel_in(k, 0)->shape.dim[0], c = m.width, sample = m.rows * c, step = m.step * c;
    const float *x = k->in[0];
    float *y = k->out[0], *mean = k->out[1], *inv = k->out[2];
    double *partial = run->scratch; /* (batch, chunks, 2): mean, m2 */
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < batch; b++)
        for (int64_t i = 0; i < m.count; i++) {
            double *p = partial + 2 * (b * m.count + i);
            chunk_moments(x + b * sample + i * step, icseg_chunk_rows(&m, i) * c, p, p + 1);
        }
    for (int64_t b = 0; b < batch; b++) {
        const double *p = partial + 2 * b * m.count;
        double total = 0, m2 = 0;
        for (int64_t i = 0; i < m.count; i++) total += (double)icseg_chunk_rows(&m, i) * p[2 * i];
        total /= (double)m.rows;
        for (int64_t i = 0; i < m.count; i++)
            m2 += p[2 * i + 1] + (double)(icseg_chunk_rows(&m, i) * c) * (p[2 * i] - total) * (p[2 * i] - total);
        mean[b] = (float)total;
        inv[b] = (float)(1 / sqrt(m2 / (double)sample + (double)eps));
    }
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < batch; b++)
        for (int64_t i = 0; i < m.count; i++) {
            int64_t at = b * sample + i * step;
            apply_rows(x + at, k->in[1], k->in[2], mean[b], inv[b], icseg_chunk_rows(&m, i), c, y + at);
        }
    return ICSEG_OK;
}

/* -- gradient: x, dy, weight, mean, inv -> [dx,] [dweight, dbias] */

static icseg_status gradient_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    icseg_chunks m = chunks_of(k, ICSEG_NORM_WEIGHT);
    k->scratch_size =
        (size_t)(2 * icseg_kernel_in(k, ICSEG_NORM_X)->shape.dim[0] * (m.count + 1) * m.width) * sizeof(float);
    return ICSEG_OK;
}

static void parameter_gradients(const icseg_kernel *k, const float *sums, int64_t batch, int64_t c) {
    int first = ((const icseg_norm_gradient_attributes *)k->node->attributes)->needs_x;
    icseg_sum_partials(sums, batch, 2 * c, c, k->out[first + 1]);
    icseg_sum_partials(sums + c, batch, 2 * c, c, k->out[first]);
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const icseg_norm_gradient_attributes *o = k->node->attributes;
    icseg_chunks m = chunks_of(k, ICSEG_NORM_WEIGHT);
    int64_t batch = icseg_kernel_in(k, ICSEG_NORM_X)->shape.dim[0], c = m.width, sample = m.rows * c, step = m.step * c;
    const float *x = k->in[ICSEG_NORM_X], *dy = k->in[ICSEG_NORM_DY], *weight = k->in[ICSEG_NORM_WEIGHT],
                *mean = k->in[ICSEG_NORM_MEAN];
    const float *inv = k->in[ICSEG_NORM_INV];
    float *sums = run->scratch, *partial = sums + 2 * batch * c; /* (batch, 2, c), (batch, chunks, 2, c): sum, dot */
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < batch; b++)
        for (int64_t i = 0; i < m.count; i++) {
            int64_t at = b * sample + i * step;
            float *p = partial + 2 * c * (b * m.count + i);
            chunk_sums(x + at, dy + at, mean[b], inv[b], icseg_chunk_rows(&m, i), c, p, p + c);
        }
    for (int64_t b = 0; b < batch; b++)
        icseg_sum_partials(partial + 2 * c * b * m.count, m.count, 2 * c, 2 * c, sums + 2 * c * b);
    if (o->needs_parameters) parameter_gradients(k, sums, batch, c);
    if (!o->needs_x) return ICSEG_OK;
    float *dx = k->out[0];
    for (int64_t b = 0; b < batch; b++) {
        double sum = 0, dot = 0;
        for (int64_t j = 0; j < c; j++) {
            sum += (double)weight[j] * (double)sums[2 * c * b + j];
            dot += (double)weight[j] * (double)sums[2 * c * b + c + j];
        }
        float mean_sum = (float)(sum / (double)sample), mean_dot = (float)(dot / (double)sample);
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < m.count; i++) {
            int64_t at = b * sample + i * step;
            gradient_rows(x + at, dy + at, weight, mean[b], inv[b], mean_sum, mean_dot, icseg_chunk_rows(&m, i), c,
                          dx + at);
        }
    }
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "group_norm_gradient",
                                     .prepare = gradient_prepare,
                                     .run = gradient_run,
                                     .in_place = 1 << ICSEG_NORM_X | 1 << ICSEG_NORM_DY};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_norm_gradient(g, &gradient_op, node, grad_out[0], grad_in);
}

const icseg_op icseg_op_group_norm = {
    .name = "group_norm", .gradient = gradient, .prepare = group_norm_prepare, .run = group_norm_run, .in_place = 1};

icseg_value icseg_group_norm(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias, float eps) {
    icseg_shape shape = x == ICSEG_NONE ? ICSEG_SHAPE(1, 1) : icseg_graph_value(g, x)->shape;
    if (shape.rank < 2) {
        char s[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "group_norm", ICSEG_ERROR_SHAPE, "x is %s; (B, ..., C) is expected",
                                icseg_shape_text(shape, s, sizeof s));
    }
    return icseg_norm_node(g, &icseg_op_group_norm, x, weight, bias, eps, ICSEG_SHAPE(shape.dim[0]));
}

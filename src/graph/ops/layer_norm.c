/* SPDX-License-Identifier: Apache-2.0
 * layer_norm over the last axis; keeps mean and 1 / standard deviation of each row for the gradient. */
#include <math.h>
#include <string.h>

#include "base/system.h"
#include "graph/op.h"
#include "graph/ops.h"
#include "graph/ops/chunks.h"

ICSEG_KERNEL static void forward_rows(const float *x, const float *weight, const float *bias, float eps, int64_t rows,
                                      int64_t c, float *y, float *mean, float *inv) {
    for (int64_t r = 0; r < rows; r++, x += c, y += c) {
        float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < c; j++) sum += x[j];
        float m = sum / (float)c;
#pragma omp simd reduction(+ : squares)
        for (int64_t j = 0; j < c; j++) squares += (x[j] - m) * (x[j] - m);
        float s = 1 / sqrtf(squares / (float)c + eps);
#pragma omp simd
        for (int64_t j = 0; j < c; j++) y[j] = (x[j] - m) * s * weight[j] + bias[j];
        mean[r] = m;
        inv[r] = s;
    }
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

static icseg_status layer_norm_run(icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    float eps = *(const float *)k->node->attributes;
    int64_t c = icseg_kernel_in(k, 1)->count;
    icseg_chunks m = icseg_chunks_of(icseg_kernel_in(k, 0)->count / c, c);
    const float *x = k->in[0];
    float *y = k->out[0], *mean = k->out[1], *inv = k->out[2];
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m.count; i++) {
        int64_t row = i * m.step;
        forward_rows(x + row * c, k->in[1], k->in[2], eps, icseg_chunk_rows(&m, i), c, y + row * c, mean + row,
                     inv + row);
    }
    return ICSEG_OK;
}

/* -- gradient: x, dy, weight, mean, inv -> [dx,] [dweight, dbias] */

enum { G_X, G_DY, G_WEIGHT, G_MEAN, G_INV, G_INPUTS };

typedef struct gradient_attributes {
    bool wants_x, wants_parameters; /* which outputs there are */
} gradient_attributes;

static icseg_status gradient_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    int64_t c = icseg_kernel_in(k, G_WEIGHT)->count;
    icseg_chunks m = icseg_chunks_of(icseg_kernel_in(k, G_X)->count / c, c);
    if (((const gradient_attributes *)k->node->attributes)->wants_parameters)
        k->scratch_size = (size_t)(2 * c * m.count) * sizeof(float);
    return ICSEG_OK;
}

static icseg_status gradient_run(icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const gradient_attributes *o = k->node->attributes;
    int64_t c = icseg_kernel_in(k, G_WEIGHT)->count;
    icseg_chunks m = icseg_chunks_of(icseg_kernel_in(k, G_X)->count / c, c);
    const float *x = k->in[G_X], *dy = k->in[G_DY], *mean = k->in[G_MEAN], *inv = k->in[G_INV];
    float *partial = run->scratch, *dx = o->wants_x ? k->out[0] : NULL;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m.count; i++) {
        int64_t row = i * m.step, at = row * c, rows = icseg_chunk_rows(&m, i);
        if (o->wants_parameters) { /* first: dx may lie where x or dy lay */
            float *p = partial + i * 2 * c;
            memset(p, 0, (size_t)(2 * c) * sizeof *p);
            parameter_rows(x + at, dy + at, mean + row, inv + row, rows, c, p, p + c);
        }
        if (dx) gradient_rows(x + at, dy + at, k->in[G_WEIGHT], mean + row, inv + row, rows, c, dx + at);
    }
    if (!o->wants_parameters) return ICSEG_OK;
    icseg_sum_partials(partial, m.count, 2 * c, c, k->out[o->wants_x]);
    icseg_sum_partials(partial + c, m.count, 2 * c, c, k->out[o->wants_x + 1]);
    return ICSEG_OK;
}

static const icseg_op gradient_op = {
    .name = "layer_norm_gradient", .prepare = gradient_prepare, .run = gradient_run, .in_place = 1 << G_X | 1 << G_DY};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    gradient_attributes attributes = {.wants_x = icseg_node_wants(g, node, 0),
                                      .wants_parameters = icseg_node_wants(g, node, 1) || icseg_node_wants(g, node, 2)};
    icseg_value in[G_INPUTS] = {node->input[0], grad_out[0], node->input[1], node->output[1], node->output[2]};
    icseg_node *n = icseg_node_append(g, &gradient_op, &attributes, sizeof attributes, in, G_INPUTS, 0);
    if (!n) return;
    icseg_shape channels = icseg_graph_value(g, node->input[1])->shape;
    if (attributes.wants_x)
        grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, node->input[0])->shape);
    if (!attributes.wants_parameters) return;
    grad_in[1] = icseg_node_output(g, n, ICSEG_F32, channels);
    grad_in[2] = icseg_node_output(g, n, ICSEG_F32, channels);
}

const icseg_op icseg_op_layer_norm = {.name = "layer_norm", .gradient = gradient, .run = layer_norm_run, .in_place = 1};

icseg_value icseg_layer_norm(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias, float eps) {
    icseg_value in[] = {x, weight, bias};
    icseg_node *node = icseg_node_append(g, &icseg_op_layer_norm, &eps, sizeof eps, in, 3, 0);
    if (!node || !icseg_check_channels(g, "layer_norm", x, "weight", weight) ||
        !icseg_check_channels(g, "layer_norm", x, "bias", bias))
        return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, x)->shape, rows = shape;
    rows.dim[rows.rank - 1] = 1;
    icseg_value y = icseg_node_output(g, node, ICSEG_F32, shape);
    icseg_node_output(g, node, ICSEG_F32, rows); /* mean, for the gradient */
    icseg_node_output(g, node, ICSEG_F32, rows); /* 1 / sqrt(var + eps) */
    return y;
}

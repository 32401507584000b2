/* SPDX-License-Identifier: Apache-2.0
 * normalize: rows divided by their length. The gradient needs y and 1 / length, but not x. */
#include <math.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/chunks.h"

#define MIN_LENGTH 1e-12f /* shorter rows are divided by this constant */

ICSEG_KERNEL static void forward_rows(const float *x, int64_t rows, int64_t c, float *y, float *inv) {
    for (int64_t r = 0; r < rows; r++, x += c, y += c) {
        float squares = 0;
#pragma omp simd reduction(+ : squares)
        for (int64_t j = 0; j < c; j++) squares += x[j] * x[j];
        float length = sqrtf(squares), s = 1 / (length < MIN_LENGTH ? MIN_LENGTH : length);
#pragma omp simd
        for (int64_t j = 0; j < c; j++) y[j] = x[j] * s;
        inv[r] = s;
    }
}

ICSEG_KERNEL static void gradient_rows(const float *y, const float *dy, const float *inv, int64_t rows, int64_t c,
                                       float *dx) {
    for (int64_t r = 0; r < rows; r++, y += c, dy += c, dx += c) {
        float dot = 0, s = inv[r];
#pragma omp simd reduction(+ : dot)
        for (int64_t j = 0; j < c; j++) dot += y[j] * dy[j];
        if (s >= 1 / MIN_LENGTH) dot = 0;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) dx[j] = s * (dy[j] - y[j] * dot);
    }
}

static icseg_chunks chunks_of(const icseg_kernel *k) {
    const icseg_value_info *x = icseg_kernel_in(k, 0);
    int64_t c = x->shape.dim[x->shape.rank - 1];
    return icseg_chunks_of(x->count / c, c);
}

static icseg_status normalize_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    icseg_chunks m = chunks_of(k);
    const float *x = k->in[0];
    float *y = k->out[0], *inv = k->out[1];
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m.count; i++) {
        int64_t row = i * m.step, at = row * m.width;
        forward_rows(x + at, icseg_chunk_rows(&m, i), m.width, y + at, inv + row);
    }
    return ICSEG_OK;
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    icseg_chunks m = chunks_of(k);
    const float *y = k->in[0], *dy = k->in[1], *inv = k->in[2];
    float *dx = k->out[0];
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m.count; i++) {
        int64_t row = i * m.step, at = row * m.width;
        gradient_rows(y + at, dy + at, inv + row, icseg_chunk_rows(&m, i), m.width, dx + at);
    }
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "normalize_gradient", .run = gradient_run, .in_place = 1 | 1 << 1};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_value in[] = {node->output[0], grad_out[0], node->output[1]};
    icseg_node *n = icseg_node_append(g, &gradient_op, NULL, 0, in, 3, 0);
    if (n) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, in[0])->shape);
}

const icseg_op icseg_op_normalize = {.name = "normalize", .gradient = gradient, .run = normalize_run, .in_place = 1};

icseg_value icseg_normalize(icseg_graph *g, icseg_value x) {
    icseg_node *node = icseg_node_append(g, &icseg_op_normalize, NULL, 0, &x, 1, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, x)->shape, rows = shape;
    if (shape.rank < 1) return icseg_graph_fail(g, "normalize", ICSEG_ERROR_SHAPE, "x is (); (..., C) is expected");
    rows.dim[rows.rank - 1] = 1;
    icseg_value y = icseg_node_output(g, node, ICSEG_F32, shape);
    icseg_node_output(g, node, ICSEG_F32, rows); /* 1 / length, for the gradient */
    return y;
}

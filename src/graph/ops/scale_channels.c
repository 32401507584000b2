/* SPDX-License-Identifier: Apache-2.0
 * scale_channels: x times one factor per channel; towards x, the gradient is the same operator. */
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/chunks.h"

ICSEG_KERNEL static void scale_rows(const float *x, const float *gamma, int64_t rows, int64_t c, float *y) {
    for (int64_t r = 0; r < rows; r++, x += c, y += c)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) y[j] = x[j] * gamma[j];
}

ICSEG_KERNEL static void dot_rows(const float *x, const float *dy, int64_t rows, int64_t c, float *dot) {
    memset(dot, 0, (size_t)c * sizeof *dot);
    for (int64_t r = 0; r < rows; r++, x += c, dy += c)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) dot[j] += x[j] * dy[j];
}

static icseg_chunks chunks_of(const icseg_kernel *k, int64_t c) {
    return icseg_chunks_of(icseg_kernel_in(k, 0)->count / c, c);
}

static icseg_status scale_channels_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    icseg_chunks m = chunks_of(k, icseg_kernel_in(k, 1)->count);
    const float *x = k->in[0];
    float *y = k->out[0];
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m.count; i++) {
        int64_t at = i * m.step * m.width;
        scale_rows(x + at, k->in[1], icseg_chunk_rows(&m, i), m.width, y + at);
    }
    return ICSEG_OK;
}

/* -- gradient of the factors: x, dy -> (C) */

static icseg_status factors_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    icseg_chunks m = chunks_of(k, icseg_kernel_out(k, 0)->count);
    k->scratch_size = (size_t)(m.count * m.width) * sizeof(float);
    return ICSEG_OK;
}

static icseg_status factors_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    icseg_chunks m = chunks_of(k, icseg_kernel_out(k, 0)->count);
    const float *x = k->in[0], *dy = k->in[1];
    float *partial = run->scratch;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m.count; i++) {
        int64_t at = i * m.step * m.width;
        dot_rows(x + at, dy + at, icseg_chunk_rows(&m, i), m.width, partial + i * m.width);
    }
    icseg_sum_partials(partial, m.count, m.width, m.width, k->out[0]);
    return ICSEG_OK;
}

static const icseg_op factors_op = {.name = "scale_channels_gradient", .prepare = factors_prepare, .run = factors_run};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    if (icseg_node_needs_grad(g, node, 0)) grad_in[0] = icseg_scale_channels(g, grad_out[0], node->input[1]);
    if (!icseg_node_needs_grad(g, node, 1)) return;
    icseg_value in[] = {node->input[0], grad_out[0]};
    icseg_node *n = icseg_node_append(g, &factors_op, NULL, 0, in, 2, 0);
    if (n) grad_in[1] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, node->input[1])->shape);
}

const icseg_op icseg_op_scale_channels = {
    .name = "scale_channels", .gradient = gradient, .run = scale_channels_run, .in_place = 1};

icseg_value icseg_scale_channels(icseg_graph *g, icseg_value x, icseg_value gamma) {
    icseg_value in[] = {x, gamma};
    icseg_node *node = icseg_node_append(g, &icseg_op_scale_channels, NULL, 0, in, 2, 0);
    if (!node || !icseg_check_channels(g, "scale_channels", x, "gamma", gamma)) return ICSEG_NONE;
    return icseg_node_output(g, node, ICSEG_F32, icseg_graph_value(g, x)->shape);
}

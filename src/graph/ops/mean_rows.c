/* SPDX-License-Identifier: Apache-2.0
 * mean_rows: the mean over the rows of each sample. */
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/chunks.h"

ICSEG_KERNEL static void sum_rows(const float *x, int64_t rows, int64_t c, float *sum) {
    memset(sum, 0, (size_t)c * sizeof *sum);
    for (int64_t r = 0; r < rows; r++, x += c)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) sum[j] += x[j];
}

ICSEG_KERNEL static void scale_row(const float *x, float factor, int64_t c, float *y) {
#pragma omp simd
    for (int64_t j = 0; j < c; j++) y[j] = x[j] * factor;
}

static icseg_status mean_rows_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    const int64_t *dim = icseg_kernel_in(k, 0)->shape.dim;
    icseg_chunks m = icseg_chunks_of(dim[1], dim[2]);
    k->scratch_size = (size_t)(dim[0] * m.count * m.width) * sizeof(float);
    return ICSEG_OK;
}

static icseg_status mean_rows_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const int64_t *dim = icseg_kernel_in(k, 0)->shape.dim;
    icseg_chunks m = icseg_chunks_of(dim[1], dim[2]);
    int64_t c = m.width;
    const float *x = k->in[0];
    float *y = k->out[0], *partial = run->scratch; /* (batch, chunks, c) */
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < dim[0]; b++)
        for (int64_t i = 0; i < m.count; i++)
            sum_rows(x + (b * m.rows + i * m.step) * c, icseg_chunk_rows(&m, i), c, partial + (b * m.count + i) * c);
    for (int64_t b = 0; b < dim[0]; b++) {
        icseg_sum_partials(partial + b * m.count * c, m.count, c, c, y + b * c);
        scale_row(y + b * c, 1 / (float)m.rows, c, y + b * c);
    }
    return ICSEG_OK;
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const int64_t *dim = icseg_kernel_out(k, 0)->shape.dim;
    const float *dy = k->in[0];
    float *dx = k->out[0], share = 1 / (float)dim[1];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < dim[0]; b++)
        for (int64_t r = 0; r < dim[1]; r++) scale_row(dy + b * dim[2], share, dim[2], dx + (b * dim[1] + r) * dim[2]);
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "mean_rows_gradient", .run = gradient_run};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_node *n = icseg_node_append(g, &gradient_op, NULL, 0, grad_out, 1, 0);
    if (n) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, node->input[0])->shape);
}

const icseg_op icseg_op_mean_rows = {
    .name = "mean_rows", .gradient = gradient, .prepare = mean_rows_prepare, .run = mean_rows_run};

icseg_value icseg_mean_rows(icseg_graph *g, icseg_value x) {
    icseg_node *node = icseg_node_append(g, &icseg_op_mean_rows, NULL, 0, &x, 1, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, x)->shape;
    if (shape.rank != 3) {
        char s[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "mean_rows", ICSEG_ERROR_SHAPE, "x is %s; (B, L, C) is expected",
                                icseg_shape_text(shape, s, sizeof s));
    }
    shape.dim[1] = 1;
    return icseg_node_output(g, node, ICSEG_F32, shape);
}

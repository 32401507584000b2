/* SPDX-License-Identifier: Apache-2.0
 * repeat: `count` copies of a tensor along a new first axis; its gradient sums them. */
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/chunks.h"

enum { BLOCK = 1024 }; /* columns that a task of the gradient sums */

static icseg_status repeat_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    int64_t size = icseg_kernel_in(k, 0)->count;
    icseg_copy_runs((icseg_runs){k->out[0], {.dtype = ICSEG_F32}, size},
                    (icseg_runs){k->in[0], {.dtype = ICSEG_F32}, 0}, icseg_kernel_out(k, 0)->shape.dim[0], size);
    return ICSEG_OK;
}

ICSEG_KERNEL static void sum_columns(const float *dy, int64_t count, int64_t stride, int64_t n, float *dx) {
    memcpy(dx, dy, (size_t)n * sizeof *dx);
    for (int64_t i = 1; i < count; i++)
#pragma omp simd
        for (int64_t j = 0; j < n; j++) dx[j] += dy[i * stride + j];
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    int64_t size = icseg_kernel_out(k, 0)->count, count = icseg_kernel_in(k, 0)->shape.dim[0];
    const float *dy = k->in[0];
    float *dx = k->out[0];
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < size; at += BLOCK)
        sum_columns(dy + at, count, size, size - at < BLOCK ? size - at : BLOCK, dx + at);
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "repeat_gradient", .run = gradient_run};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_node *n = icseg_node_append(g, &gradient_op, NULL, 0, grad_out, 1, 0);
    if (n) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, node->input[0])->shape);
}

const icseg_op icseg_op_repeat = {.name = "repeat", .gradient = gradient, .run = repeat_run};

icseg_value icseg_repeat(icseg_graph *g, icseg_value x, int64_t count) {
    icseg_node *node = icseg_node_append(g, &icseg_op_repeat, NULL, 0, &x, 1, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape from = icseg_graph_value(g, x)->shape, shape = {.rank = from.rank + 1, .dim = {count}};
    if (count < 1 || from.rank == ICSEG_MAX_RANK) {
        char s[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "repeat", ICSEG_ERROR_SHAPE, "cannot make %lld copies of %s", (long long)count,
                                icseg_shape_text(from, s, sizeof s));
    }
    memcpy(shape.dim + 1, from.dim, (size_t)from.rank * sizeof *shape.dim);
    return icseg_node_output(g, node, ICSEG_F32, shape);
}

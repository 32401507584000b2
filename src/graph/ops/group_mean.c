/* SPDX-License-Identifier: Apache-2.0
 * group_mean: the mean over neighbouring rows, group by group, so that several rows of a class become one. */
#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/attributes.h"

static int64_t first_row(const icseg_groups_attributes *a, int group) { return group ? a->ends[group - 1] : 0; }

/* x (rows, c) -> y (c) */
ICSEG_KERNEL static void mean(const float *x, int64_t rows, int64_t c, float *y) {
    float share = 1 / (float)rows;
    for (int64_t j = 0; j < c; j++) {
        float sum = 0;
        for (int64_t r = 0; r < rows; r++) sum += x[r * c + j];
        y[j] = sum * share;
    }
}

static icseg_status group_mean_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const icseg_groups_attributes *a = k->node->attributes;
    const int64_t *dim = icseg_kernel_in(k, 0)->shape.dim;
    const float *x = k->in[0];
    float *y = k->out[0];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < dim[0]; b++)
        for (int i = 0; i < a->count; i++) {
            int64_t first = first_row(a, i);
            mean(x + (b * dim[1] + first) * dim[2], a->ends[i] - first, dim[2], y + (b * a->count + i) * dim[2]);
        }
    return ICSEG_OK;
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const icseg_groups_attributes *a = k->node->attributes;
    const int64_t *dim = icseg_kernel_out(k, 0)->shape.dim;
    int64_t c = dim[2];
    const float *dy = k->in[0];
    float *dx = k->out[0];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < dim[0]; b++)
        for (int i = 0; i < a->count; i++) {
            int64_t first = first_row(a, i);
            const float *from = dy + (b * a->count + i) * c;
            float share = 1 / (float)(a->ends[i] - first);
            for (int64_t r = first; r < a->ends[i]; r++)
                for (int64_t j = 0; j < c; j++) dx[(b * dim[1] + r) * c + j] = from[j] * share;
        }
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "group_mean_gradient", .run = gradient_run};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_node *n =
        icseg_node_append(g, &gradient_op, node->attributes, sizeof(icseg_groups_attributes), grad_out, 1, 0);
    if (n) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, node->input[0])->shape);
}

const icseg_op icseg_op_group_mean = {.name = "group_mean", .gradient = gradient, .run = group_mean_run};

icseg_value icseg_group_mean(icseg_graph *g, icseg_value x, int count, const int32_t *sizes) {
    int64_t rows = 0;
    if (count < 1) return icseg_graph_fail(g, "group_mean", ICSEG_ERROR_SHAPE, "there are no groups");
    int32_t *ends = icseg_arena_array(icseg_graph_arena(g), (size_t)count, sizeof *ends);
    if (!ends) return icseg_graph_fail(g, "group_mean", ICSEG_ERROR_MEMORY, "out of memory");
    for (int i = 0; i < count; i++) {
        if (sizes[i] < 1 || rows + sizes[i] > INT32_MAX)
            return icseg_graph_fail(g, "group_mean", ICSEG_ERROR_SHAPE, "group %d has %d rows", i, (int)sizes[i]);
        ends[i] = (int32_t)(rows += sizes[i]);
    }
    icseg_groups_attributes attributes = {count, ends};
    icseg_node *node = icseg_node_append(g, &icseg_op_group_mean, &attributes, sizeof attributes, &x, 1, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, x)->shape;
    if (shape.rank != 3 || shape.dim[1] != rows) {
        char s[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "group_mean", ICSEG_ERROR_SHAPE, "x is %s; (B, %lld, C) is expected",
                                icseg_shape_text(shape, s, sizeof s), (long long)rows);
    }
    shape.dim[1] = count;
    return icseg_node_output(g, node, ICSEG_F32, shape);
}

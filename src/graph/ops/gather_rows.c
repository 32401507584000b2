/* SPDX-License-Identifier: Apache-2.0
 * gather_rows: the listed rows of every sample; the gradient of the other rows is zero. */
#include <string.h>

#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/attributes.h"

static icseg_status gather_rows_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const icseg_rows_attributes *a = k->node->attributes;
    const int64_t *dim = icseg_kernel_in(k, 0)->shape.dim;
    const float *x = k->in[0];
    float *y = k->out[0];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < dim[0]; b++)
        for (int i = 0; i < a->count; i++)
            memcpy(y + (b * a->count + i) * dim[2], x + (b * dim[1] + a->rows[i]) * dim[2], (size_t)dim[2] * sizeof *y);
    return ICSEG_OK;
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const icseg_rows_attributes *a = k->node->attributes;
    const int64_t *dim = icseg_kernel_out(k, 0)->shape.dim;
    const float *dy = k->in[0];
    float *dx = k->out[0];
    size_t row = (size_t)dim[2] * sizeof *dx;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < dim[0]; b++)
        for (int i = 0; i <= a->count; i++) { /* the rows before row i that were not read, then row i's */
            int64_t first = i ? a->rows[i - 1] + 1 : 0, last = i < a->count ? a->rows[i] : dim[1];
            float *to = dx + (b * dim[1] + first) * dim[2];
            memset(to, 0, (size_t)(last - first) * row);
            if (i < a->count) memcpy(to + (last - first) * dim[2], dy + (b * a->count + i) * dim[2], row);
        }
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "gather_rows_gradient", .run = gradient_run};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_node *n = icseg_node_append(g, &gradient_op, node->attributes, sizeof(icseg_rows_attributes), grad_out, 1, 0);
    if (n) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, node->input[0])->shape);
}

const icseg_op icseg_op_gather_rows = {.name = "gather_rows", .gradient = gradient, .run = gather_rows_run};

icseg_value icseg_gather_rows(icseg_graph *g, icseg_value x, int count, const int32_t *rows) {
    if (count < 1) return icseg_graph_fail(g, "gather_rows", ICSEG_ERROR_SHAPE, "no rows are listed");
    icseg_rows_attributes attributes = {
        .count = count, .rows = icseg_arena_copy(icseg_graph_arena(g), rows, (size_t)count * sizeof *rows)};
    if (!attributes.rows) return icseg_graph_fail(g, "gather_rows", ICSEG_ERROR_MEMORY, "out of memory");
    icseg_node *node = icseg_node_append(g, &icseg_op_gather_rows, &attributes, sizeof attributes, &x, 1, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, x)->shape;
    char s[ICSEG_SHAPE_TEXT];
    if (shape.rank != 3)
        return icseg_graph_fail(g, "gather_rows", ICSEG_ERROR_SHAPE, "x is %s; (B, L, C) is expected",
                                icseg_shape_text(shape, s, sizeof s));
    for (int i = 0; i < count; i++)
        if (rows[i] < 0 || rows[i] >= shape.dim[1] || (i > 0 && rows[i] <= rows[i - 1]))
            return icseg_graph_fail(g, "gather_rows", ICSEG_ERROR_SHAPE,
                                    "row %d, the %d-th listed, is outside x %s or not above the one before it",
                                    (int)rows[i], i, icseg_shape_text(shape, s, sizeof s));
    shape.dim[1] = count;
    return icseg_node_output(g, node, ICSEG_F32, shape);
}

/* SPDX-License-Identifier: Apache-2.0
 * lookup: rows of a table, by ids that each run is given; its gradient adds up the rows of each id. */
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"

enum { BLOCK = 64 }; /* columns that a task of the gradient sums */

static icseg_status check_ids(const icseg_value_info *ids, const int32_t *id, int64_t rows, icseg_error *error) {
    for (int64_t i = 0; i < ids->count; i++)
        if (id[i] < 0 || id[i] >= rows)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "lookup: id %d is not in 0..%lld", (int)id[i],
                              (long long)rows - 1);
    return ICSEG_OK;
}

static icseg_status lookup_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run;
    const icseg_shape *table = &icseg_kernel_in(k, 0)->shape;
    const icseg_value_info *ids = icseg_kernel_in(k, 1);
    const int32_t *id = k->in[1];
    const float *x = k->in[0];
    float *y = k->out[0];
    int64_t width = table->dim[1];
    ICSEG_TRY(check_ids(ids, id, table->dim[0], error));
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < ids->count; i++) memcpy(y + i * width, x + id[i] * width, (size_t)width * sizeof *y);
    return ICSEG_OK;
}

ICSEG_KERNEL static void add_row(const float *x, int64_t n, float *y) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) y[j] += x[j];
}

/* Blocks of columns are independent, and within one the rows are added in the order of the ids. */
static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const icseg_value_info *ids = icseg_kernel_in(k, 0), *out = icseg_kernel_out(k, 0);
    const int32_t *id = k->in[0];
    const float *dy = k->in[1];
    float *dx = k->out[0];
    int64_t width = out->shape.dim[1];
    memset(dx, 0, (size_t)out->count * sizeof *dx);
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < width; at += BLOCK)
        for (int64_t i = 0; i < ids->count; i++)
            add_row(dy + i * width + at, width - at < BLOCK ? width - at : BLOCK, dx + id[i] * width + at);
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "lookup_gradient", .run = gradient_run};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_value in[] = {node->input[1], grad_out[0]};
    icseg_node *n = icseg_node_append(g, &gradient_op, NULL, 0, in, 2, 0);
    if (n) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, node->input[0])->shape);
}

const icseg_op icseg_op_lookup = {.name = "lookup", .gradient = gradient, .run = lookup_run};

icseg_value icseg_lookup(icseg_graph *g, icseg_value table, icseg_value ids) {
    icseg_value in[] = {table, ids};
    icseg_node *node = icseg_node_append(g, &icseg_op_lookup, NULL, 0, in, 2, 0);
    if (!node) return ICSEG_NONE;
    const icseg_value_info *x = icseg_graph_value(g, table), *i = icseg_graph_value(g, ids);
    icseg_shape shape = i->shape;
    if (x->shape.rank != 2 || i->dtype != ICSEG_I32 || shape.rank == ICSEG_MAX_RANK) {
        char s[ICSEG_SHAPE_TEXT], t[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "lookup", ICSEG_ERROR_SHAPE, "%s by %s: a table (R, C) and I32 ids are expected",
                                icseg_shape_text(x->shape, s, sizeof s), icseg_shape_text(shape, t, sizeof t));
    }
    shape.dim[shape.rank++] = x->shape.dim[1];
    return icseg_node_output(g, node, ICSEG_F32, shape);
}

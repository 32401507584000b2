/* SPDX-License-Identifier: Apache-2.0
 * similarity: a b^T for each image; each image has its own b, or all share one. */
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/linear_algebra.h"

static const icseg_op a_gradient_op = ICSEG_PRODUCT_OP("similarity_gradient_a", NULL, 0, 0);
static const icseg_op b_gradient_op = ICSEG_PRODUCT_OP("similarity_gradient_b", NULL, 0, 0);

typedef struct sizes {
    int64_t batch, rows, channels, columns; /* with a shared b: one image of batch * rows rows */
} sizes;

static sizes sizes_of(const icseg_shape *a, const icseg_shape *b) {
    bool shared = b->dim[0] == 1;
    return (sizes){.batch = shared ? 1 : a->dim[0],
                   .rows = shared ? a->dim[0] * a->dim[1] : a->dim[1],
                   .channels = a->dim[2],
                   .columns = b->dim[1]};
}

static void similarity_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out,
                                icseg_value *grad_in) {
    icseg_value a = node->input[0], b = node->input[1], dy = grad_out[0];
    icseg_shape a_shape = icseg_graph_value(g, a)->shape, b_shape = icseg_graph_value(g, b)->shape;
    sizes s = sizes_of(&a_shape, &b_shape);
    if (icseg_node_needs_grad(g, node, 0)) {
        icseg_value from[] = {dy, b};
        grad_in[0] =
            icseg_product(g, &a_gradient_op, icseg_product_batch(s.batch, s.rows, s.columns, s.channels, false, false),
                          from, 2, a_shape);
    }
    if (icseg_node_needs_grad(g, node, 1)) {
        icseg_value from[] = {dy, a};
        grad_in[1] =
            icseg_product(g, &b_gradient_op, icseg_product_batch(s.batch, s.columns, s.rows, s.channels, true, false),
                          from, 2, b_shape);
    }
}

const icseg_op icseg_op_similarity = ICSEG_PRODUCT_OP("similarity", similarity_gradient, 0, 0);

icseg_value icseg_similarity(icseg_graph *g, icseg_value a, icseg_value b) {
    if (a == ICSEG_NONE || b == ICSEG_NONE) return icseg_graph_fail(g, "similarity", ICSEG_ERROR_INTERNAL, "no input");
    icseg_shape x = icseg_graph_value(g, a)->shape, y = icseg_graph_value(g, b)->shape;
    if (x.rank != 3 || y.rank != 3 || x.dim[2] != y.dim[2] || (y.dim[0] != 1 && y.dim[0] != x.dim[0])) {
        char xt[ICSEG_SHAPE_TEXT], yt[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "similarity", ICSEG_ERROR_SHAPE,
                                "%s and %s: (B, M, C) with (B, N, C) or (1, N, C) is expected",
                                icseg_shape_text(x, xt, sizeof xt), icseg_shape_text(y, yt, sizeof yt));
    }
    sizes s = sizes_of(&x, &y);
    icseg_value inputs[] = {a, b};
    return icseg_product(g, &icseg_op_similarity,
                         icseg_product_batch(s.batch, s.rows, s.channels, s.columns, false, true), inputs, 2,
                         ICSEG_SHAPE(x.dim[0], x.dim[1], y.dim[1]));
}

/* SPDX-License-Identifier: Apache-2.0
 * linear: x W^T + b; project: x W. Both treat x (..., I) as one matrix (rows, I). */
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/linear_algebra.h"

static const icseg_op input_gradient_op = ICSEG_PRODUCT_OP("linear_gradient_input", NULL, 1, 1, .in = 0);
static const icseg_op weight_gradient_op = ICSEG_PRODUCT_OP("linear_gradient_weight", NULL, 1 | 1 << 1, 0, .in = 0);

/* W is stored (O, I) by linear, (I, O) by project. */
static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in,
                     bool out_first) {
    icseg_value dy = grad_out[0];
    const icseg_value_info *x = icseg_graph_value(g, node->input[0]), *w = icseg_graph_value(g, node->input[1]);
    int64_t in = w->shape.dim[out_first], out = w->shape.dim[!out_first], rows = x->count / in;
    if (icseg_node_needs_grad(g, node, 0)) {
        icseg_value from[] = {dy, node->input[1]};
        grad_in[0] = icseg_product(g, &input_gradient_op, icseg_product_shape(rows, out, in, false, !out_first), from,
                                   2, x->shape);
    }
    if (icseg_node_needs_grad(g, node, 1)) {
        icseg_value from[] = {out_first ? dy : node->input[0], out_first ? node->input[0] : dy};
        icseg_matmul_shape product = icseg_product_shape(w->shape.dim[0], rows, w->shape.dim[1], true, false);
        grad_in[1] = icseg_product(g, &weight_gradient_op, product, from, 2, w->shape);
    }
    if (node->input_count > 2 && icseg_node_needs_grad(g, node, 2)) grad_in[2] = icseg_bias_gradient(g, dy);
}

static void linear_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    gradient(g, node, grad_out, grad_in, true);
}

static void project_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out,
                             icseg_value *grad_in) {
    gradient(g, node, grad_out, grad_in, false);
}

const icseg_op icseg_op_linear =
    ICSEG_PRODUCT_OP("linear", linear_gradient, 1, 1, .reduces = icseg_product_reduces, .in = 1, .out = 1);
const icseg_op icseg_op_project =
    ICSEG_PRODUCT_OP("project", project_gradient, 1, 1, .reduces = icseg_product_reduces, .in = 1, .out = 1);

static icseg_value map(icseg_graph *g, const icseg_op *op, icseg_value x, icseg_value weight, icseg_value bias,
                       bool out_first) {
    if (x == ICSEG_NONE || weight == ICSEG_NONE) return icseg_graph_fail(g, op->name, ICSEG_ERROR_INTERNAL, "no input");
    icseg_shape s = icseg_graph_value(g, x)->shape, w = icseg_graph_value(g, weight)->shape;
    char st[ICSEG_SHAPE_TEXT], wt[ICSEG_SHAPE_TEXT], bt[ICSEG_SHAPE_TEXT];
    if (s.rank < 1 || w.rank != 2 || s.dim[s.rank - 1] != w.dim[out_first])
        return icseg_graph_fail(g, op->name, ICSEG_ERROR_SHAPE, "x %s does not fit a weight %s; (%s) is expected",
                                icseg_shape_text(s, st, sizeof st), icseg_shape_text(w, wt, sizeof wt),
                                out_first ? "out, in" : "in, out");
    int64_t in = w.dim[out_first], out = w.dim[!out_first];
    if (bias != ICSEG_NONE && !icseg_shape_equal(icseg_graph_value(g, bias)->shape, ICSEG_SHAPE(out)))
        return icseg_graph_fail(g, op->name, ICSEG_ERROR_SHAPE, "the bias %s does not fit a weight %s",
                                icseg_shape_text(icseg_graph_value(g, bias)->shape, bt, sizeof bt),
                                icseg_shape_text(w, wt, sizeof wt));
    icseg_value inputs[] = {x, weight, bias};
    icseg_matmul_shape product = icseg_product_shape(icseg_graph_value(g, x)->count / in, in, out, false, out_first);
    s.dim[s.rank - 1] = out;
    return icseg_product(g, op, product, inputs, bias == ICSEG_NONE ? 2 : 3, s);
}

icseg_value icseg_linear(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias) {
    return map(g, &icseg_op_linear, x, weight, bias, true);
}

icseg_value icseg_project(icseg_graph *g, icseg_value x, icseg_value weight) {
    return map(g, &icseg_op_project, x, weight, ICSEG_NONE, false);
}

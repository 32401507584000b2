/* SPDX-License-Identifier: Apache-2.0
 * Shared by layer norm and group norm: x, weight (C), bias (C) -> y, mean, 1 / standard deviation; and their
 * gradients. */
#include "graph/ops/norm.h"

#include "graph/ops/chunks.h"

icseg_value icseg_norm_node(icseg_graph *g, const icseg_op *op, icseg_value x, icseg_value weight, icseg_value bias,
                            float eps, icseg_shape statistics) {
    icseg_value in[] = {x, weight, bias};
    icseg_node *node = icseg_node_append(g, op, &eps, sizeof eps, in, 3, 0);
    if (!node || !icseg_check_channels(g, op->name, x, "weight", weight) ||
        !icseg_check_channels(g, op->name, x, "bias", bias))
        return ICSEG_NONE;
    icseg_value y = icseg_node_output(g, node, ICSEG_F32, icseg_graph_value(g, x)->shape);
    icseg_node_output(g, node, ICSEG_F32, statistics);
    icseg_node_output(g, node, ICSEG_F32, statistics);
    return y;
}

void icseg_norm_gradient(icseg_graph *g, const icseg_op *gradient, const icseg_node *node, icseg_value grad_out,
                         icseg_value *grad_in) {
    icseg_norm_gradient_attributes attributes = {.needs_x = icseg_node_needs_grad(g, node, 0),
                                                 .needs_parameters = icseg_node_needs_grad(g, node, 1) ||
                                                                     icseg_node_needs_grad(g, node, 2)};
    icseg_value x = node->input[0], weight = node->input[1];
    icseg_value in[ICSEG_NORM_INPUTS] = {x, grad_out, weight, node->output[1], node->output[2]};
    icseg_node *n = icseg_node_append(g, gradient, &attributes, sizeof attributes, in, ICSEG_NORM_INPUTS, 0);
    if (!n) return;
    if (attributes.needs_x) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, x)->shape);
    if (!attributes.needs_parameters) return;
    icseg_shape channels = icseg_graph_value(g, weight)->shape;
    grad_in[1] = icseg_node_output(g, n, ICSEG_F32, channels);
    grad_in[2] = icseg_node_output(g, n, ICSEG_F32, channels);
}

/* SPDX-License-Identifier: Apache-2.0
 * Shared by layer norm and group norm: x, weight (C), bias (C) -> y, mean, 1 / standard deviation; and their
 * gradients. */
#ifndef ICSEG_GRAPH_OPS_NORM_H
#define ICSEG_GRAPH_OPS_NORM_H

#include "graph/node.h"

/* Appends `op` with attribute eps; mean and 1 / standard deviation, for the gradient, have the shape `statistics`. */
icseg_value icseg_norm_node(icseg_graph *g, const icseg_op *op, icseg_value x, icseg_value weight, icseg_value bias,
                            float eps, icseg_shape statistics);

/* Inputs of the gradient. */
enum { ICSEG_NORM_X, ICSEG_NORM_DY, ICSEG_NORM_WEIGHT, ICSEG_NORM_MEAN, ICSEG_NORM_INV, ICSEG_NORM_INPUTS };

typedef struct icseg_norm_gradient_attributes {
    bool needs_x, needs_parameters; /* which outputs exist: dx; dweight and dbias */
} icseg_norm_gradient_attributes;

/* Appends the gradient of `node`; grad_in as in icseg_op.gradient. */
void icseg_norm_gradient(icseg_graph *g, const icseg_op *gradient, const icseg_node *node, icseg_value grad_out,
                         icseg_value *grad_in);

#endif

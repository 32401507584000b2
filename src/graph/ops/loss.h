/* SPDX-License-Identifier: Apache-2.0
 * Shared by the loss operators. */
#ifndef ICSEG_GRAPH_OPS_LOSS_H
#define ICSEG_GRAPH_OPS_LOSS_H

#include "graph/graph.h"

/* The gradient that a loss stored for an incoming gradient of 1, times the incoming gradient (1). */
icseg_value icseg_loss_gradient(icseg_graph *g, icseg_value unit_gradient, icseg_value grad_out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * What the loss operators share. */
#ifndef ICSEG_GRAPH_OPS_LOSS_H
#define ICSEG_GRAPH_OPS_LOSS_H

#include "graph/graph.h"

/* The gradient a loss left for a loss gradient of 1, times the loss's gradient (1). */
icseg_value icseg_loss_gradient(icseg_graph *g, icseg_value unit_gradient, icseg_value grad_out);

#endif

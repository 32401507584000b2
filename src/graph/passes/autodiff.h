/* SPDX-License-Identifier: Apache-2.0
 * Reverse-mode differentiation. */
#ifndef ICSEG_GRAPH_PASSES_AUTODIFF_H
#define ICSEG_GRAPH_PASSES_AUTODIFF_H

#include "graph/graph.h"

/* Appends gradient nodes for d(sum over i of <outputs[i], grads[i]>); grads[i] has the shape of outputs[i]. Each run
 * then writes (accumulate: adds) the gradient of every trainable parameter behind the outputs to param->grad. The
 * param->grad of a parameter that no output depends on is unchanged. */
void icseg_graph_backward(icseg_graph *graph, int count, const icseg_value *outputs, const icseg_value *grads,
                          bool accumulate);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Shared by the loss operators. */
#ifndef ICSEG_GRAPH_OPS_LOSS_H
#define ICSEG_GRAPH_OPS_LOSS_H

#include "base/sampling.h"
#include "graph/graph.h"

/* The label of position (y, x) of a map of h x w: the nearest one of the labels (height, width). */
static inline int16_t icseg_label_at(const int16_t *labels, int64_t height, int64_t width, int64_t y, int64_t x,
                                     int64_t h, int64_t w) {
    return labels[icseg_nearest_at(y, height, h) * width + icseg_nearest_at(x, width, w)];
}

/* The gradient that a loss stored for an incoming gradient of 1, times the incoming gradient (1). */
icseg_value icseg_loss_gradient(icseg_graph *g, icseg_value unit_gradient, icseg_value grad_out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Shared by operators that change height and width: pooling in windows, resizing. */
#ifndef ICSEG_GRAPH_OPS_SPACE_H
#define ICSEG_GRAPH_OPS_SPACE_H

#include "graph/node.h"

/* Appends `op` on x (B, H, W, C) in size x size windows, stride = size: (B, H / size, W / size, C). Its attribute is
 * the size. */
icseg_value icseg_pool_node(icseg_graph *g, const icseg_op *op, icseg_value x, int size);

/* One row of windows: x (size rows of width * c) -> y (out, c), both of the operator's type. */
typedef void icseg_pool_row(const void *x, int64_t width, int64_t c, int64_t size, int64_t out, void *y);
/* Runs a pooling operator's forward kernel on each of its rows, in parallel. */
void icseg_pool_rows(const icseg_kernel *k, icseg_pool_row *row);

/* Appends `op`, with attributes (`size` bytes), on x (B, H, W, C) -> (B, height, width, C). Returns x itself if it
 * already has that size. */
icseg_value icseg_resize_node(icseg_graph *g, const icseg_op *op, const void *attributes, size_t size, icseg_value x,
                              int64_t height, int64_t width);

/* Appends `gradient`, with the attributes (`size` bytes) of `node`. It computes the gradient of the input from that of
 * the output alone. */
icseg_value icseg_space_gradient(icseg_graph *g, const icseg_op *gradient, const icseg_node *node, size_t size,
                                 icseg_value grad_out);

#endif

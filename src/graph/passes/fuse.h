/* SPDX-License-Identifier: Apache-2.0
 * Fusion, for graphs that are only run forward: the same results with fewer passes over memory. */
#ifndef ICSEG_GRAPH_PASSES_FUSE_H
#define ICSEG_GRAPH_PASSES_FUSE_H

#include "graph/graph.h"

/* Folds batch norms that use their running statistics into the weights of the convolution before them, and makes
 * biases, residual sums and activations part of the convolution or linear layer before them. Values that are kept or
 * have several readers stay. Call it once, after the last icseg_graph_keep, on a graph without gradients. Values keep
 * their indices. */
void icseg_graph_fuse(icseg_graph *graph);

/* Makes a transposed convolution and the 1x1 convolution that alone reads it one map, where that saves work. Call it
 * after icseg_graph_fuse. */
void icseg_graph_fuse_transposed(icseg_graph *graph);

/* Combines the two linear layers of a large MLP into one node that works in blocks of rows. Call it after
 * icseg_graph_fuse, on graphs that stay f32. */
void icseg_graph_fuse_pairs(icseg_graph *graph);

#endif

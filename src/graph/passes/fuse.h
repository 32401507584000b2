/* SPDX-License-Identifier: Apache-2.0
 * Rewriting a graph that is only run forward: same results, fewer passes over memory. */
#ifndef ICSEG_GRAPH_PASSES_FUSE_H
#define ICSEG_GRAPH_PASSES_FUSE_H

#include "graph/graph.h"

/* Batch norms that use their running statistics go into the weights of the convolution before them; bias, residual sum
 * and activation after a convolution or a linear map become part of it. Values that are kept or read by several nodes
 * stay. Call once, after the last icseg_graph_keep, on a graph without gradients. Values keep their indices. */
void icseg_graph_fuse(icseg_graph *graph);

/* After that: an MLP's two linear maps, where they are large, become one node that works in blocks of rows. For graphs
 * that stay f32. */
void icseg_graph_fuse_pairs(icseg_graph *graph);

#endif

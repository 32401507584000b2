/* SPDX-License-Identifier: Apache-2.0
 * Rewriting a graph to compute in bf16 where it pays. */
#ifndef ICSEG_GRAPH_PASSES_PRECISION_H
#define ICSEG_GRAPH_PASSES_PRECISION_H

#include "graph/graph.h"

/* Convolutions and linear maps, forward and backward, multiply in bf16 and add in f32; casts appear where they read
 * f32. What lies between them is bf16 where every reader takes it; parameters, their gradients, sums, statistics,
 * softmax, scores, losses, what reads an input of the graph and all values that are kept stay f32. The operators'
 * icseg_bf16_rules say which tensors may change. Call once, after the last icseg_graph_keep, after icseg_graph_backward
 * and icseg_graph_fuse. Values keep their indices, nodes do not. */
void icseg_graph_use_bf16(icseg_graph *graph);

#endif

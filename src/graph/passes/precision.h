/* SPDX-License-Identifier: Apache-2.0
 * Precision: rewriting a graph to compute in bf16 where it is faster. */
#ifndef ICSEG_GRAPH_PASSES_PRECISION_H
#define ICSEG_GRAPH_PASSES_PRECISION_H

#include "graph/graph.h"

/* Convolutions and linear layers, forward and backward, multiply in bf16 and add in f32; their f32 inputs are cast.
 * Values between them are bf16 if all readers accept it. Parameters, their gradients, sums, statistics, softmax,
 * scores, losses, nodes that read an input of the graph, and kept values stay f32. The operators' icseg_bf16_rules say
 * which tensors may change. Call it once, after the last icseg_graph_keep, icseg_graph_backward and icseg_graph_fuse.
 * Values keep their indices, nodes do not. */
void icseg_graph_use_bf16(icseg_graph *graph);

#endif

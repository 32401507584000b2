/* SPDX-License-Identifier: Apache-2.0
 * Rewriting a graph with gradients to keep fewer results of the forward pass: the backward pass computes them again. */
#ifndef ICSEG_GRAPH_PASSES_RECOMPUTE_H
#define ICSEG_GRAPH_PASSES_RECOMPUTE_H

#include "graph/graph.h"

typedef enum icseg_memory {
    ICSEG_MEMORY_NORMAL, /* again: what is little work (op->cheap, few flops a byte) from values that are kept anyway */
    ICSEG_MEMORY_LOW     /* again: everything between two boundaries (icseg_graph_boundary), another forward pass */
} icseg_memory;

/* Loss and gradients stay the same, bit by bit: the same operators run on the same inputs. Call once, last of all. */
void icseg_graph_recompute(icseg_graph *graph, icseg_memory memory);

#endif

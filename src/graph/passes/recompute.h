/* SPDX-License-Identifier: Apache-2.0
 * Recomputation: keeping fewer results of the forward pass, which the backward pass then computes again. */
#ifndef ICSEG_GRAPH_PASSES_RECOMPUTE_H
#define ICSEG_GRAPH_PASSES_RECOMPUTE_H

#include "graph/graph.h"

typedef enum icseg_memory {
    ICSEG_MEMORY_NORMAL, /* recomputes cheap results (op->cheap, few flops per byte) from values that are kept anyway */
    ICSEG_MEMORY_LOW /* recomputes everything between two boundaries (icseg_graph_boundary): a second forward pass */
} icseg_memory;

/* Loss and gradients stay bit-identical: the same operators run on the same inputs. Call it once, after all other
 * passes. */
void icseg_graph_recompute(icseg_graph *graph, icseg_memory memory);

#endif

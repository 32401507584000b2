/* SPDX-License-Identifier: Apache-2.0
 * Recomputation: keeping fewer results of the forward pass, which the backward pass then computes again. */
#ifndef ICSEG_GRAPH_PASSES_RECOMPUTE_H
#define ICSEG_GRAPH_PASSES_RECOMPUTE_H

#include "graph/graph.h"

typedef enum icseg_memory {
    ICSEG_MEMORY_NORMAL, /* recomputes cheap results (op->cheap, few flops per byte) from values that are kept anyway */
    /* Recomputes what is between two boundaries (icseg_graph_boundary), but keeps the results with the most work per
     * byte, so that recomputing is at most 15 % of the work of a step. */
    ICSEG_MEMORY_LOW
} icseg_memory;

/* Loss and gradients stay bit-identical: the same operators run on the same inputs. Call it once, after all other
 * passes. */
void icseg_graph_recompute(icseg_graph *graph, icseg_memory memory);

#endif

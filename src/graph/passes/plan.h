/* SPDX-License-Identifier: Apache-2.0
 * The memory plan of a graph: which nodes run, and where each computed value is in one block of memory. Two values
 * share bytes when their lifetimes do not overlap. */
#ifndef ICSEG_GRAPH_PASSES_PLAN_H
#define ICSEG_GRAPH_PASSES_PLAN_H

#include "graph/graph.h"

/* One value's storage. Views and results computed in place share the storage of their `root`. */
typedef struct icseg_plan_storage {
    icseg_value root;    /* itself, or the next value on the way to the root (icseg_plan_root) */
    int32_t first, last; /* the nodes between which it is alive; last = node count for kept values */
    size_t bytes, offset;
    bool planned; /* placed in the block: computed, live, and not a parameter's gradient */
} icseg_plan_storage;

typedef struct icseg_plan {
    bool *live;                  /* (nodes): its results are needed */
    icseg_plan_storage *storage; /* (values) */
    size_t activations;          /* bytes of the block */
    size_t unplanned;            /* bytes that the same values would take without reuse */
} icseg_plan;

icseg_status icseg_plan_open(icseg_plan *out, const icseg_graph *graph, icseg_error *error);
void icseg_plan_close(icseg_plan *plan);

/* The value that owns the storage of `value`. */
icseg_value icseg_plan_root(const icseg_plan *plan, icseg_value value);

/* The lowest offset at which `bytes` are free while `node` runs: scratch memory is placed there, between or after the
 * values. */
size_t icseg_plan_gap(const icseg_plan *plan, const icseg_graph *graph, int32_t node, size_t bytes);

/* The node at which the planned values take the most memory. bytes (icseg_graph_value_count): of each value at that
 * node; 0 if it is not alive or shares the storage of another. */
int32_t icseg_plan_peak(const icseg_plan *plan, const icseg_graph *graph, size_t *bytes);

#endif

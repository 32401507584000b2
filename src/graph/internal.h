/* SPDX-License-Identifier: Apache-2.0
 * The graph's representation, for the code that builds and rewrites graphs. */
#ifndef ICSEG_GRAPH_INTERNAL_H
#define ICSEG_GRAPH_INTERNAL_H

#include "graph/graph.h"

struct icseg_graph {
    icseg_arena *arena; /* owns nodes, values, names, attributes, constants */
    bool training, once;
    bool forward_only;
    icseg_product_precision precision;
    icseg_activation_ranges *ranges; /* NULL when not set */
    icseg_error error;               /* the first one */
    icseg_value_info **values;
    icseg_node **nodes;
    int32_t value_count, value_capacity, node_count, node_capacity;
    icseg_value *param_table; /* open-addressing hash of parameters -> value, or ICSEG_NONE */
    int32_t param_count, param_capacity;
    char scope[256];          /* "visual.layer1." */
    uint16_t scope_start[16]; /* lengths before each push */
    int32_t scope_depth;
    const char *inherited_scope; /* the scope of the node that a pass works on, instead of `scope`; or NULL */
    bool in_backward;            /* nodes appended now belong to the backward pass */
};

/* NULL when the graph has an error. */
icseg_value_info *icseg_graph_value_add(icseg_graph *graph, icseg_value_kind kind, icseg_dtype dtype, icseg_shape shape,
                                        const char *name, icseg_value *index);

/* Appends a node, which is new or was removed from the list. False, with the graph's error set, when out of memory. */
bool icseg_graph_node_add(icseg_graph *graph, icseg_node *node);

/* The scope of nodes appended now, without a dot at its end, in the graph's arena. NULL when out of memory. */
const char *icseg_graph_node_scope(icseg_graph *graph);

/* -- liveness */

/* live[n]: node n's results are kept, stored as a parameter's gradient, or read by such nodes. */
void icseg_graph_find_live(const icseg_graph *graph, bool *live);
/* Counts the live nodes that read each value: (values), in the graph's arena. NULL, with the graph's error set, when
 * out of memory. */
int32_t *icseg_graph_count_readers(icseg_graph *graph);

#endif

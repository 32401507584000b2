/* SPDX-License-Identifier: Apache-2.0
 * The graph's representation, shared by building, differentiating and planning. */
#ifndef ICSEG_GRAPH_INTERNAL_H
#define ICSEG_GRAPH_INTERNAL_H

#include "graph/op.h"
#include "graph/activation_ranges.h"

struct icseg_graph {
    icseg_arena *arena; /* owns nodes, values, names, attributes, constants */
    bool training;
    icseg_product_precision precision;
    icseg_activation_ranges *ranges; /* NULL: none */
    icseg_error error;               /* the first fault */
    icseg_value_info **values;
    icseg_node **nodes;
    int32_t value_count, value_room, node_count, node_room;
    char scope[256];          /* "visual.layer1." */
    uint16_t scope_start[16]; /* lengths before each push */
    int32_t scope_depth;
    bool in_backward;
};

/* NULL after a fault. */
icseg_value_info *icseg_graph_value_add(icseg_graph *graph, icseg_value_kind kind, icseg_dtype dtype, icseg_shape shape,
                                        const char *name, icseg_value *index);

/* (values): how many nodes that somebody needs read each; NULL, and a fault, when memory is out. */
int32_t *icseg_graph_uses(icseg_graph *graph);

/* live[n]: node n's results are kept, stored as a parameter's gradient, or read by such nodes. */
void icseg_graph_find_live(const icseg_graph *graph, bool *live);

/* Puts a node that was taken out of the list at its end. */
void icseg_graph_reappend(icseg_graph *graph, icseg_node *node);

#endif

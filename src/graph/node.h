/* SPDX-License-Identifier: Apache-2.0
 * Appending nodes to a graph, for the operators' builders and the passes. */
#ifndef ICSEG_GRAPH_NODE_H
#define ICSEG_GRAPH_NODE_H

#include "graph/op.h"

/* Copies the attributes (size bytes) and the inputs; outputs are added with icseg_node_output, in order. Returns NULL
 * when the graph has an error, when an input that is not `optional` (bit mask) is ICSEG_NONE, or when out of memory.
 * Node pointers are stable. */
icseg_node *icseg_node_append(icseg_graph *graph, const icseg_op *op, const void *attributes, size_t size,
                              const icseg_value *inputs, int count, uint32_t optional);
icseg_value icseg_node_output(icseg_graph *graph, icseg_node *node, icseg_dtype dtype, icseg_shape shape);
/* An output that shares input 0's storage: the same number of elements in another shape. */
icseg_value icseg_node_output_view(icseg_graph *graph, icseg_node *node, icseg_shape shape);

/* Replaces a node's operator and scope. */
void icseg_node_become(icseg_graph *graph, icseg_node *node, const icseg_op *op, const char *scope);
/* Gives `copy`, which computes the same as `node`, its scope and name. */
void icseg_node_name_like(icseg_node *copy, const icseg_node *node);

/* Whether input i of a node needs a gradient. */
static inline bool icseg_node_needs_grad(const icseg_graph *graph, const icseg_node *node, int i) {
    return node->input[i] != ICSEG_NONE && icseg_graph_value(graph, node->input[i])->needs_grad;
}

#endif

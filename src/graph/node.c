/* SPDX-License-Identifier: Apache-2.0
 * Appending and replacing nodes. */
#include "graph/node.h"

#include <string.h>

#include "base/check.h"
#include "graph/internal.h"

/* False, with the graph's error set, when out of memory. */
static bool set_op(icseg_graph *g, icseg_node *node, const icseg_op *op, const char *scope) {
    node->op = op;
    node->scope = scope;
    node->name = scope ? icseg_arena_printf(g->arena, "%s%s%s", scope, *scope ? "." : "", op->name) : NULL;
    if (!node->name) icseg_graph_fail(g, op->name, ICSEG_ERROR_MEMORY, "out of memory");
    return node->name != NULL;
}

icseg_node *icseg_node_append(icseg_graph *g, const icseg_op *op, const void *attributes, size_t size,
                              const icseg_value *inputs, int count, uint32_t optional) {
    if (g->error.status != ICSEG_OK) return NULL;
    ICSEG_CHECK(count <= ICSEG_MAX_INPUTS);
    if (count > ICSEG_MAX_INPUTS) {
        icseg_graph_fail(g, op->name, ICSEG_ERROR_INTERNAL, "%d inputs, more than %d", count, ICSEG_MAX_INPUTS);
        return NULL;
    }
    for (int i = 0; i < count; i++)
        if (inputs[i] == ICSEG_NONE && !(optional >> i & 1)) {
            icseg_graph_fail(g, op->name, ICSEG_ERROR_INTERNAL, "input %d is missing", i);
            return NULL;
        }
    icseg_node *node = icseg_arena_alloc(g->arena, sizeof *node);
    if (node && size) node->attributes = icseg_arena_copy(g->arena, attributes, size);
    if (!node || (size && !node->attributes)) {
        icseg_graph_fail(g, op->name, ICSEG_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    node->input_count = count;
    node->backward = g->in_backward;
    memcpy(node->input, inputs, (size_t)count * sizeof *inputs);
    return set_op(g, node, op, icseg_graph_node_scope(g)) && icseg_graph_node_add(g, node) ? node : NULL;
}

icseg_value icseg_node_output(icseg_graph *g, icseg_node *node, icseg_dtype dtype, icseg_shape shape) {
    icseg_value value;
    ICSEG_CHECK(node->output_count < ICSEG_MAX_OUTPUTS);
    if (node->output_count == ICSEG_MAX_OUTPUTS)
        return icseg_graph_fail(g, node->op->name, ICSEG_ERROR_INTERNAL, "more than %d outputs", ICSEG_MAX_OUTPUTS);
    icseg_value_info *info = icseg_graph_value_add(g, ICSEG_VALUE_COMPUTED, dtype, shape, node->name, &value);
    if (!info) return ICSEG_NONE;
    info->producer = node->index;
    if (node->op->gradient)
        for (int i = 0; i < node->input_count; i++) info->needs_grad |= icseg_node_needs_grad(g, node, i);
    node->output[node->output_count++] = value;
    return value;
}

icseg_value icseg_node_output_view(icseg_graph *g, icseg_node *node, icseg_shape shape) {
    const icseg_value_info *from = icseg_graph_value(g, node->input[0]);
    icseg_value value = icseg_node_output(g, node, from->dtype, shape);
    if (value == ICSEG_NONE) return value;
    ICSEG_CHECK(g->values[value]->count == from->count);
    if (g->values[value]->count != from->count)
        return icseg_graph_fail(g, node->op->name, ICSEG_ERROR_INTERNAL, "a view of another size");
    g->values[value]->view_of = node->input[0];
    return value;
}

void icseg_node_become(icseg_graph *g, icseg_node *node, const icseg_op *op, const char *scope) {
    set_op(g, node, op, scope);
}

void icseg_node_name_like(icseg_node *copy, const icseg_node *node) {
    copy->scope = node->scope;
    copy->name = node->name;
}

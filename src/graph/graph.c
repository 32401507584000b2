/* SPDX-License-Identifier: Apache-2.0
 * Building graphs: values, nodes, scopes, the first fault. */
#include <stdio.h>
#include <string.h>

#include "graph/internal.h"

icseg_status icseg_graph_open(icseg_graph **out, bool training, icseg_error *error) {
    *out = NULL;
    icseg_arena *arena;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_graph *g = icseg_arena_alloc(arena, sizeof *g);
    if (!g) {
        icseg_arena_close(&arena);
        return icseg_fail_memory(error, sizeof *g, "a graph");
    }
    g->arena = arena;
    g->training = training;
    *out = g;
    return ICSEG_OK;
}

void icseg_graph_close(icseg_graph **graph) {
    if (!graph || !*graph) return;
    icseg_free((*graph)->values);
    icseg_free((*graph)->nodes);
    icseg_arena *arena = (*graph)->arena;
    icseg_arena_close(&arena);
    *graph = NULL;
}

icseg_status icseg_graph_status(const icseg_graph *g, icseg_error *error) {
    if (g->error.status != ICSEG_OK && error) *error = g->error;
    return g->error.status;
}

bool icseg_graph_training(const icseg_graph *g) { return g->training; }

void icseg_graph_use_precision(icseg_graph *g, icseg_product_precision kind, icseg_activation_ranges *ranges) {
    g->precision = kind;
    g->ranges = ranges;
}

icseg_arena *icseg_graph_arena(icseg_graph *g) { return g->arena; }
int32_t icseg_graph_value_count(const icseg_graph *g) { return g->value_count; }
int32_t icseg_graph_node_count(const icseg_graph *g) { return g->node_count; }
const icseg_value_info *icseg_graph_value(const icseg_graph *g, icseg_value value) { return g->values[value]; }
const icseg_node *icseg_graph_node(const icseg_graph *g, int32_t index) { return g->nodes[index]; }

int64_t icseg_graph_dim(const icseg_graph *g, icseg_value value, int axis) {
    if (value < 0 || value >= g->value_count) return 0;
    const icseg_shape *shape = &g->values[value]->shape;
    int i = axis < 0 ? axis + shape->rank : axis;
    return i >= 0 && i < shape->rank ? shape->dim[i] : 0;
}

icseg_value icseg_graph_fail(icseg_graph *g, const char *op, icseg_status status, const char *format, ...) {
    if (g->error.status != ICSEG_OK) return ICSEG_NONE;
    va_list args;
    va_start(args, format);
    icseg_fail_v(&g->error, status, format, args);
    va_end(args);
    icseg_fail_prefix(&g->error, "%s%s", g->scope, op);
    return ICSEG_NONE;
}

void icseg_graph_push(icseg_graph *g, const char *format, ...) {
    size_t used = strlen(g->scope), depth = sizeof g->scope_start / sizeof *g->scope_start;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(g->scope + used, sizeof g->scope - used, format, args);
    va_end(args);
    if (length < 0 || used + (size_t)length + 2 > sizeof g->scope || (size_t)g->scope_depth >= depth) {
        g->scope[used] = '\0';
        icseg_graph_fail(g, "scope", ICSEG_ERROR_INTERNAL, "scopes nest too deeply");
        return;
    }
    strcat(g->scope, ".");
    g->scope_start[g->scope_depth++] = (uint16_t)used;
}

void icseg_graph_pop(icseg_graph *g) {
    if (g->scope_depth > 0) g->scope[g->scope_start[--g->scope_depth]] = '\0';
}

const char *icseg_graph_scope(const icseg_graph *g) { return g->scope; }

/* Room for one more pointer. */
static bool grow(icseg_graph *g, void **array, int32_t count, int32_t *room) {
    if (count < *room) return true;
    int32_t wanted = *room ? *room * 2 : 256;
    void *grown = icseg_realloc_array(*array, (size_t)count, (size_t)wanted, sizeof(void *));
    if (!grown) {
        icseg_graph_fail(g, "graph", ICSEG_ERROR_MEMORY, "out of memory");
        return false;
    }
    *array = grown;
    *room = wanted;
    return true;
}

icseg_value_info *icseg_graph_value_add(icseg_graph *g, icseg_value_kind kind, icseg_dtype dtype, icseg_shape shape,
                                        const char *name, icseg_value *index) {
    *index = ICSEG_NONE;
    if (g->error.status != ICSEG_OK || !grow(g, (void **)&g->values, g->value_count, &g->value_room)) return NULL;
    int64_t count = icseg_shape_count(shape);
    if (count < 1) {
        char text[ICSEG_SHAPE_TEXT];
        icseg_graph_fail(g, name, ICSEG_ERROR_SHAPE, "a tensor of shape %s has no elements or too many",
                         icseg_shape_text(shape, text, sizeof text));
        return NULL;
    }
    icseg_value_info *info = icseg_arena_alloc(g->arena, sizeof *info);
    if (info) info->name = icseg_arena_strdup(g->arena, name);
    if (!info || !info->name) {
        icseg_graph_fail(g, name, ICSEG_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    info->kind = kind;
    info->dtype = dtype;
    info->shape = shape;
    info->count = count;
    info->producer = -1;
    info->view_of = ICSEG_NONE;
    *index = g->value_count;
    g->values[g->value_count++] = info;
    return info;
}

icseg_value icseg_graph_input(icseg_graph *g, const char *name, icseg_dtype dtype, icseg_shape shape) {
    icseg_value value;
    icseg_graph_value_add(g, ICSEG_VALUE_INPUT, dtype, shape, name, &value);
    return value;
}

icseg_value icseg_graph_param(icseg_graph *g, icseg_param *param) {
    if (!param) return icseg_graph_fail(g, "parameter", ICSEG_ERROR_INTERNAL, "missing from the parameter store");
    for (icseg_value v = 0; v < g->value_count; v++)
        if (g->values[v]->kind == ICSEG_VALUE_PARAM && g->values[v]->param == param) return v;
    icseg_value value;
    icseg_value_info *info = icseg_graph_value_add(g, ICSEG_VALUE_PARAM, ICSEG_F32, param->shape, param->name, &value);
    if (info) {
        info->param = param;
        info->needs_grad = param->options.trainable;
    }
    return value;
}

icseg_value icseg_graph_constant(icseg_graph *g, const char *name, icseg_dtype dtype, icseg_shape shape,
                                 const void *data) {
    icseg_value value;
    icseg_value_info *info = icseg_graph_value_add(g, ICSEG_VALUE_CONSTANT, dtype, shape, name, &value);
    if (!info) return ICSEG_NONE;
    info->constant = icseg_arena_copy(g->arena, data, (size_t)info->count * icseg_dtype_size(dtype));
    return info->constant ? value : icseg_graph_fail(g, name, ICSEG_ERROR_MEMORY, "out of memory");
}

icseg_value icseg_graph_boundary(icseg_graph *g, icseg_value value) {
    if (value >= 0 && g->error.status == ICSEG_OK) g->values[value]->boundary = true;
    return value;
}

void icseg_graph_keep(icseg_graph *g, icseg_value value, const char *name) {
    if (value < 0 || g->error.status != ICSEG_OK) return;
    g->values[value]->keep = true;
    char *copy = icseg_arena_strdup(g->arena, name);
    if (copy)
        g->values[value]->name = copy;
    else
        icseg_graph_fail(g, name, ICSEG_ERROR_MEMORY, "out of memory");
}

icseg_node *icseg_node_append(icseg_graph *g, const icseg_op *op, const void *attributes, size_t size,
                              const icseg_value *inputs, int count, uint32_t optional) {
    if (g->error.status != ICSEG_OK || !grow(g, (void **)&g->nodes, g->node_count, &g->node_room)) return NULL;
    for (int i = 0; i < count; i++)
        if (inputs[i] == ICSEG_NONE && !(optional >> i & 1)) {
            icseg_graph_fail(g, op->name, ICSEG_ERROR_INTERNAL, "input %d is missing", i);
            return NULL;
        }
    icseg_node *node = icseg_arena_alloc(g->arena, sizeof *node);
    if (node) node->name = icseg_arena_printf(g->arena, "%s%s", g->scope, op->name);
    if (node && size) node->attributes = icseg_arena_copy(g->arena, attributes, size);
    if (!node || !node->name || (size && !node->attributes)) {
        icseg_graph_fail(g, op->name, ICSEG_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    node->op = op;
    node->index = g->node_count;
    node->input_count = count;
    node->backward = g->in_backward;
    memcpy(node->input, inputs, (size_t)count * sizeof *inputs);
    g->nodes[g->node_count++] = node;
    return node;
}

void icseg_graph_reappend(icseg_graph *g, icseg_node *node) {
    if (g->error.status != ICSEG_OK || !grow(g, (void **)&g->nodes, g->node_count, &g->node_room)) return;
    node->index = g->node_count;
    for (int o = 0; o < node->output_count; o++) g->values[node->output[o]]->producer = node->index;
    g->nodes[g->node_count++] = node;
}

icseg_value icseg_node_output(icseg_graph *g, icseg_node *node, icseg_dtype dtype, icseg_shape shape) {
    icseg_value value;
    icseg_value_info *info = icseg_graph_value_add(g, ICSEG_VALUE_COMPUTED, dtype, shape, node->name, &value);
    if (!info) return ICSEG_NONE;
    info->producer = node->index;
    if (node->op->gradient)
        for (int i = 0; i < node->input_count; i++) info->needs_grad |= icseg_node_wants(g, node, i);
    node->output[node->output_count++] = value;
    return value;
}

icseg_value icseg_node_output_view(icseg_graph *g, icseg_node *node, icseg_shape shape) {
    const icseg_value_info *from = g->values[node->input[0]];
    icseg_value value = icseg_node_output(g, node, from->dtype, shape);
    if (value == ICSEG_NONE) return value;
    if (g->values[value]->count != from->count)
        return icseg_graph_fail(g, node->op->name, ICSEG_ERROR_INTERNAL, "a view of another size");
    g->values[value]->view_of = node->input[0];
    return value;
}

void icseg_graph_find_live(const icseg_graph *g, bool *live) {
    int32_t nodes = icseg_graph_node_count(g);
    for (int32_t n = nodes - 1; n >= 0; n--) { /* consumers come after producers, so one backward sweep is enough */
        const icseg_node *node = icseg_graph_node(g, n);
        for (int i = 0; i < node->output_count; i++) {
            const icseg_value_info *v = icseg_graph_value(g, node->output[i]);
            live[n] |= v->keep || v->param;
        }
        if (!live[n]) continue;
        for (int i = 0; i < node->input_count; i++) {
            icseg_value in = node->input[i];
            int32_t producer = in == ICSEG_NONE ? -1 : icseg_graph_value(g, in)->producer;
            if (producer >= 0) live[producer] = true;
        }
    }
}

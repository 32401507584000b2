/* SPDX-License-Identifier: Apache-2.0
 * Building graphs: values, scopes, the first error. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "graph/internal.h"

icseg_status icseg_graph_open(icseg_graph **out, bool training, icseg_error *error) {
    *out = NULL;
    icseg_arena *arena;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_graph *g = icseg_arena_alloc(arena, sizeof *g);
    if (!g) {
        icseg_arena_close(&arena);
        return icseg_fail_memory(error, 0, "a graph");
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
    icseg_free((*graph)->param_table);
    icseg_arena *arena = (*graph)->arena;
    icseg_arena_close(&arena);
    *graph = NULL;
}

icseg_status icseg_graph_status(const icseg_graph *g, icseg_error *error) {
    if (g->error.status != ICSEG_OK && error) *error = g->error;
    return g->error.status;
}

bool icseg_graph_training(const icseg_graph *g) { return g->training; }
bool icseg_graph_forward_only(const icseg_graph *g) { return g->forward_only; }
void icseg_graph_use_once(icseg_graph *g) { g->once = true; }
bool icseg_graph_is_used_once(const icseg_graph *g) { return g->once; }

void icseg_graph_use_precision(icseg_graph *g, icseg_product_precision precision, icseg_activation_ranges *ranges) {
    g->precision = precision;
    g->ranges = ranges;
}

icseg_product_precision icseg_graph_precision(const icseg_graph *g) { return g->precision; }
icseg_activation_ranges *icseg_graph_activation_ranges(const icseg_graph *g) { return g->ranges; }
icseg_arena *icseg_graph_arena(icseg_graph *g) { return g->arena; }
int32_t icseg_graph_value_count(const icseg_graph *g) { return g->value_count; }
int32_t icseg_graph_node_count(const icseg_graph *g) { return g->node_count; }

const icseg_value_info *icseg_graph_value(const icseg_graph *g, icseg_value value) {
    ICSEG_CHECK(value >= 0 && value < g->value_count);
    return g->values[value];
}

const icseg_node *icseg_graph_node(const icseg_graph *g, int32_t index) {
    ICSEG_CHECK(index >= 0 && index < g->node_count);
    return g->nodes[index];
}

icseg_value icseg_graph_owner(const icseg_graph *g, icseg_value value) {
    while (icseg_graph_value(g, value)->view_of != ICSEG_NONE) value = g->values[value]->view_of;
    return value;
}

icseg_param *icseg_graph_param_of(const icseg_graph *g, icseg_value value) {
    const icseg_value_info *owner = icseg_graph_value(g, icseg_graph_owner(g, value));
    return owner->kind == ICSEG_VALUE_PARAM ? owner->param : NULL;
}

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
    if (g->inherited_scope)
        icseg_fail_prefix(&g->error, "%s%s%s", g->inherited_scope, *g->inherited_scope ? "." : "", op);
    else
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
        ICSEG_CHECK(!"scopes are nested too deeply");
        icseg_graph_fail(g, "scope", ICSEG_ERROR_INTERNAL, "scopes are nested too deeply");
        return;
    }
    strcat(g->scope, ".");
    g->scope_start[g->scope_depth++] = (uint16_t)used;
}

void icseg_graph_pop(icseg_graph *g) {
    ICSEG_CHECK(g->scope_depth > 0 || g->error.status != ICSEG_OK);
    if (g->scope_depth > 0) g->scope[g->scope_start[--g->scope_depth]] = '\0';
}

const char *icseg_graph_scope(const icseg_graph *g) { return g->scope; }

const char *icseg_graph_node_scope(icseg_graph *g) {
    if (g->inherited_scope) return g->inherited_scope;
    int length = (int)strlen(g->scope);
    return icseg_arena_printf(g->arena, "%.*s", length ? length - 1 : 0, g->scope);
}

/* Ensures capacity for one more pointer. */
static bool grow(icseg_graph *g, void **array, int32_t count, int32_t *capacity) {
    if (count < *capacity) return true;
    int32_t larger = *capacity ? *capacity * 2 : 256;
    void *grown = icseg_realloc_array(*array, (size_t)count, (size_t)larger, sizeof(void *));
    if (!grown) {
        icseg_graph_fail(g, "graph", ICSEG_ERROR_MEMORY, "out of memory");
        return false;
    }
    *array = grown;
    *capacity = larger;
    return true;
}

icseg_value_info *icseg_graph_value_add(icseg_graph *g, icseg_value_kind kind, icseg_dtype dtype, icseg_shape shape,
                                        const char *name, icseg_value *index) {
    *index = ICSEG_NONE;
    if (g->error.status != ICSEG_OK || !grow(g, (void **)&g->values, g->value_count, &g->value_capacity)) return NULL;
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

/* -- parameters: a hash table, so that building a deep graph takes linear time */

/* The parameter's slot in the table, or the empty slot for it. */
static icseg_value *param_slot(const icseg_graph *g, const icseg_param *param) {
    uint64_t mask = (uint64_t)g->param_capacity - 1;
    uint64_t at = ((uint64_t)(uintptr_t)param >> 4) * 0x9e3779b97f4a7c15u >> 32 & mask;
    while (g->param_table[at] != ICSEG_NONE && g->values[g->param_table[at]]->param != param) at = (at + 1) & mask;
    return &g->param_table[at];
}

/* Ensures space for one more parameter: at most half of the table is in use. */
static bool grow_params(icseg_graph *g) {
    if (2 * (g->param_count + 1) <= g->param_capacity) return true;
    int32_t old_capacity = g->param_capacity, capacity = old_capacity ? 2 * old_capacity : 512;
    icseg_value *old = g->param_table, *table = icseg_alloc_array((size_t)capacity, sizeof *table);
    if (!table) {
        icseg_graph_fail(g, "graph", ICSEG_ERROR_MEMORY, "out of memory");
        return false;
    }
    for (int32_t i = 0; i < capacity; i++) table[i] = ICSEG_NONE;
    g->param_table = table;
    g->param_capacity = capacity;
    for (int32_t i = 0; i < old_capacity; i++)
        if (old[i] != ICSEG_NONE) *param_slot(g, g->values[old[i]]->param) = old[i];
    icseg_free(old);
    return true;
}

icseg_value icseg_graph_param(icseg_graph *g, icseg_param *param) {
    if (!param) return icseg_graph_fail(g, "parameter", ICSEG_ERROR_INTERNAL, "missing from the parameter store");
    if (g->error.status != ICSEG_OK || !grow_params(g)) return ICSEG_NONE;
    icseg_value value, *slot = param_slot(g, param);
    if (*slot != ICSEG_NONE) return *slot;
    icseg_value_info *info = icseg_graph_value_add(g, ICSEG_VALUE_PARAM, ICSEG_F32, param->shape, param->name, &value);
    if (info) {
        info->param = param;
        info->needs_grad = param->options.trainable;
        *slot = value;
        g->param_count++;
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

bool icseg_graph_node_add(icseg_graph *g, icseg_node *node) {
    if (g->error.status != ICSEG_OK || !grow(g, (void **)&g->nodes, g->node_count, &g->node_capacity)) return false;
    node->index = g->node_count;
    for (int o = 0; o < node->output_count; o++) g->values[node->output[o]]->producer = node->index;
    g->nodes[g->node_count++] = node;
    return true;
}

/* -- liveness */

void icseg_graph_find_live(const icseg_graph *g, bool *live) {
    for (int32_t n = g->node_count - 1; n >= 0; n--) { /* readers follow producers: one backward sweep is enough */
        const icseg_node *node = g->nodes[n];
        for (int i = 0; i < node->output_count; i++) {
            const icseg_value_info *v = g->values[node->output[i]];
            live[n] |= v->keep || v->param;
        }
        for (int i = 0; live[n] && i < node->input_count; i++) {
            int32_t producer = node->input[i] == ICSEG_NONE ? -1 : g->values[node->input[i]]->producer;
            if (producer >= 0) live[producer] = true;
        }
    }
}

int32_t *icseg_graph_count_readers(icseg_graph *g) {
    int32_t *readers = icseg_arena_array(g->arena, (size_t)g->value_count + 1, sizeof *readers);
    bool *live = icseg_arena_array(g->arena, (size_t)g->node_count + 1, sizeof *live);
    if (!readers || !live) {
        icseg_graph_fail(g, "graph", ICSEG_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    icseg_graph_find_live(g, live);
    for (int32_t n = 0; n < g->node_count; n++)
        for (int i = 0; live[n] && i < g->nodes[n]->input_count; i++)
            if (g->nodes[n]->input[i] != ICSEG_NONE) readers[g->nodes[n]->input[i]]++;
    return readers;
}

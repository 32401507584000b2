/* SPDX-License-Identifier: Apache-2.0
 * bf16: decides the element type of every storage, then inserts casts before the products that read f32. */
#include "graph/passes/precision.h"

#include <string.h>

#include "graph/internal.h"
#include "graph/ops/cast.h"

typedef struct lowering {
    icseg_graph *graph;
    bool *live;    /* (nodes) */
    bool *product; /* (nodes): multiplies in bf16 */
    bool *bf16;    /* (values): whether the storage that this value owns is bf16 */
} lowering;

/* Inputs of the graph are never rounded. Rounding the image changes a network's gradient more than any other rounding:
 * on CamVid it causes half of the change (docs/performance.md), while the first convolution is a thousandth of the
 * work. */
static bool reads_input(const icseg_graph *g, const icseg_node *node) {
    for (int i = 0; i < node->input_count; i++)
        if (node->input[i] != ICSEG_NONE && g->values[icseg_graph_owner(g, node->input[i])]->kind == ICSEG_VALUE_INPUT)
            return true;
    return false;
}

static bool is_product(const icseg_graph *g, const icseg_node *node) {
    const icseg_bf16_rules *r = &node->op->bf16;
    return r->product && !reads_input(g, node) && (!r->is_faster || r->is_faster(g, node));
}

/* The inputs and outputs of a node that may be bf16. */
static uint32_t inputs_of(const lowering *l, const icseg_node *node) {
    const icseg_bf16_rules *r = &node->op->bf16;
    return r->product && !l->product[node->index] ? 0 : r->in | r->product;
}

static uint32_t outputs_of(const lowering *l, const icseg_node *node) {
    const icseg_bf16_rules *r = &node->op->bf16;
    return r->product && !l->product[node->index] ? 0 : r->out;
}

/* Marks every storage whose producer can write bf16. */
static void mark_storages(lowering *l) {
    icseg_graph *g = l->graph;
    for (icseg_value v = 0; v < g->value_count; v++) {
        const icseg_value_info *info = g->values[v];
        if (info->kind != ICSEG_VALUE_COMPUTED || info->view_of != ICSEG_NONE || info->dtype != ICSEG_F32) continue;
        const icseg_node *node = g->nodes[info->producer];
        for (int o = 0; o < node->output_count; o++)
            if (node->output[o] == v) l->bf16[v] = outputs_of(l, node) >> o & 1 && l->live[node->index];
    }
    for (icseg_value v = 0; v < g->value_count; v++)
        if (g->values[v]->keep || g->values[v]->param) l->bf16[icseg_graph_owner(g, v)] = false;
}

/* Unmarks storages with a reader that needs f32: rounding them would gain nothing. */
static void unmark_f32_readers(lowering *l) {
    icseg_graph *g = l->graph;
    for (int32_t n = 0; n < g->node_count; n++) {
        const icseg_node *node = g->nodes[n];
        if (!l->live[n] || !node->op->run) continue;
        for (int i = 0; i < node->input_count; i++)
            if (node->input[i] != ICSEG_NONE && !(inputs_of(l, node) >> i & 1))
                l->bf16[icseg_graph_owner(g, node->input[i])] = false;
    }
}

/* If a node's tensors must have one type and do not, they become f32. Returns whether anything changed. */
static bool unify(lowering *l, const icseg_node *node) {
    icseg_graph *g = l->graph;
    const icseg_bf16_rules *r = &node->op->bf16;
    bool all = true, any = false;
    for (int pass = 0; pass < 2; pass++)
        for (int side = 0; side < 2; side++)
            for (int i = 0; i < (side ? node->output_count : node->input_count); i++) {
                icseg_value v = side ? node->output[i] : node->input[i];
                if (v == ICSEG_NONE || !((side ? r->out : r->in) >> i & 1)) continue;
                bool *bf16 = &l->bf16[icseg_graph_owner(g, v)];
                if (pass == 0) {
                    all &= *bf16;
                    any |= *bf16;
                } else if (!all) {
                    *bf16 = false;
                }
            }
    return any && !all;
}

static void unify_all(lowering *l) {
    icseg_graph *g = l->graph;
    for (bool changed = true; changed;) {
        changed = false;
        for (int32_t n = 0; n < g->node_count; n++)
            if (l->live[n] && g->nodes[n]->op->bf16.same) changed |= unify(l, g->nodes[n]);
    }
}

/* -- casts */

/* Appends casts of the f32 inputs of `node`'s product; cast[v] is an existing cast of v. */
static void cast_inputs(lowering *l, icseg_node *node, icseg_value *cast) {
    icseg_graph *g = l->graph;
    for (int i = 0; i < node->input_count; i++) {
        icseg_value v = node->input[i];
        if (!(node->op->bf16.product >> i & 1) || v == ICSEG_NONE || l->bf16[icseg_graph_owner(g, v)]) continue;
        if (cast[v] == ICSEG_NONE) {
            g->inherited_scope = node->scope;
            g->in_backward = node->backward;
            cast[v] = icseg_cast(g, v, ICSEG_BF16);
            g->inherited_scope = NULL;
            g->in_backward = false;
            if (cast[v] == ICSEG_NONE) return;
        }
        node->input[i] = cast[v];
    }
}

/* Moves each appended cast in front of its first reader. Casts were appended in the order of their readers. */
static void reorder(lowering *l, int32_t count, const int32_t *casts_before) {
    icseg_graph *g = l->graph;
    icseg_node **old = icseg_arena_copy(g->arena, g->nodes, (size_t)g->node_count * sizeof *old);
    if (!old) {
        icseg_graph_fail(g, "precision", ICSEG_ERROR_MEMORY, "out of memory");
        return;
    }
    int32_t at = 0, cast = count;
    for (int32_t n = 0; n < count; n++) {
        for (int32_t i = 0; i < casts_before[n]; i++) g->nodes[at++] = old[cast++];
        g->nodes[at++] = old[n];
    }
    for (int32_t n = 0; n < g->node_count; n++) {
        icseg_node *node = g->nodes[n];
        node->index = n;
        for (int o = 0; o < node->output_count; o++) g->values[node->output[o]]->producer = n;
    }
}

static void insert_casts(lowering *l) {
    icseg_graph *g = l->graph;
    int32_t count = g->node_count;
    int32_t *before = icseg_arena_array(g->arena, (size_t)count + 1, sizeof *before);
    icseg_value *cast = icseg_arena_array(g->arena, (size_t)g->value_count + 1, sizeof *cast);
    if (!before || !cast) {
        icseg_graph_fail(g, "precision", ICSEG_ERROR_MEMORY, "out of memory");
        return;
    }
    for (icseg_value v = 0; v < g->value_count; v++) cast[v] = ICSEG_NONE;
    for (int32_t n = 0; n < count && g->error.status == ICSEG_OK; n++) {
        int32_t so_far = g->node_count;
        if (l->live[n] && l->product[n]) cast_inputs(l, g->nodes[n], cast);
        before[n] = g->node_count - so_far;
    }
    if (g->error.status == ICSEG_OK) reorder(l, count, before);
}

void icseg_graph_use_bf16(icseg_graph *g) {
    if (g->error.status != ICSEG_OK) return;
    size_t nodes = (size_t)g->node_count + 1, values = (size_t)g->value_count + 1;
    lowering l = {.graph = g,
                  .live = icseg_arena_array(g->arena, nodes, sizeof *l.live),
                  .product = icseg_arena_array(g->arena, nodes, sizeof *l.product),
                  .bf16 = icseg_arena_array(g->arena, values, sizeof *l.bf16)};
    if (!l.live || !l.product || !l.bf16) {
        icseg_graph_fail(g, "precision", ICSEG_ERROR_MEMORY, "out of memory");
        return;
    }
    icseg_graph_find_live(g, l.live);
    for (int32_t n = 0; n < g->node_count; n++) l.product[n] = is_product(g, g->nodes[n]);
    mark_storages(&l);
    unmark_f32_readers(&l);
    unify_all(&l);
    for (icseg_value v = 0; v < g->value_count; v++)
        if (l.bf16[icseg_graph_owner(g, v)]) g->values[v]->dtype = ICSEG_BF16;
    insert_casts(&l);
}

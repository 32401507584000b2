/* SPDX-License-Identifier: Apache-2.0
 * Which values are stored as bytes. */
#include "graph/passes/quantize.h"

#include "graph/activation_ranges.h"
#include "graph/internal.h"
#include "graph/op.h"
#include "graph/ops/linear_algebra.h"

typedef struct quantization {
    icseg_graph *graph;
    bool *live;                    /* (nodes) */
    bool *reduced;                 /* (nodes): multiplies in INT8 */
    bool *useful;                  /* (values): whether a layer in INT8 reads the storage, be it after moves */
    bool *bytes;                   /* (values): whether the storage that this value owns becomes bytes */
    icseg_activation_range *range; /* (values): of the storages, over the layers that read them */
} quantization;

static icseg_activation_range range_of_input(const quantization *q, const icseg_node *node, int i) {
    return icseg_activation_ranges_of_input(q->graph, node, i);
}

static bool is_reduced(const quantization *q, const icseg_node *node) {
    if (!node->op->int8.reduces) return false;
    icseg_primitive_options options = {.precision = ICSEG_PRODUCT_INT8,
                                       .in_bytes = icseg_activation_range_quantization(range_of_input(q, node, 0)),
                                       .second = icseg_second_input_of(q->graph, node)};
    return node->op->int8.reduces(q->graph, node, options);
}

/* It has no weights, and moves or averages values. */
static bool only_moves(const icseg_node *node) { return node->op->int8.in && !node->op->int8.reduces; }

static bool is_empty(icseg_activation_range r) { return r.low == 0 && r.high == 0; }

/* It can write bytes, be it because it moves values or because it quantises what it computed in f32. */
static bool writes_bytes(const quantization *q, const icseg_node *node) {
    return q->reduced[node->index] || (node->op->int8.out && !node->op->int8.reduces);
}

/* Marks the results of nodes that can write bytes. */
static void mark_results(quantization *q) {
    const icseg_graph *g = q->graph;
    for (int32_t n = 0; n < g->node_count; n++) {
        const icseg_node *node = g->nodes[n];
        if (!q->live[n] || !writes_bytes(q, node)) continue;
        for (int o = 0; o < node->output_count; o++) {
            const icseg_value_info *v = g->values[node->output[o]];
            if (v->view_of == ICSEG_NONE && v->dtype == ICSEG_F32 && !v->param)
                q->bytes[node->output[o]] = node->op->int8.out >> o & 1;
        }
    }
    for (icseg_value v = 0; v < g->value_count; v++)
        if (g->values[v]->keep) q->bytes[icseg_graph_owner(g, v)] = false;
}

/* Unmarks storages that a node reads as f32, and collects the ranges of the layers that read the others. */
static void follow_readers(quantization *q) {
    const icseg_graph *g = q->graph;
    for (int32_t n = 0; n < g->node_count; n++) {
        const icseg_node *node = g->nodes[n];
        if (!q->live[n] || !node->op->run) continue;
        for (int i = 0; i < node->input_count; i++) {
            if (node->input[i] == ICSEG_NONE) continue;
            icseg_value v = icseg_graph_owner(g, node->input[i]);
            if (!((q->reduced[n] || only_moves(node)) && node->op->int8.in >> i & 1)) q->bytes[v] = false;
            if (q->reduced[n] && (i == 0 || (icseg_node_has_second(node) && i == node->op->int8.second)))
                q->range[v] = icseg_join_ranges(q->range[v], range_of_input(q, node, i));
        }
    }
}

/* The range of a result that no layer multiplies: of the layer that computes it, or of the values that are moved. */
static icseg_activation_range range_of_result(const quantization *q, const icseg_node *node) {
    const icseg_param *layer = icseg_activation_ranges_layer(q->graph, node);
    if (q->reduced[node->index]) return icseg_activation_ranges_find(q->graph->ranges, layer, ICSEG_LAYER_OUT);
    const icseg_activation_range none = {0};
    return node->op->int8.mixed ? none : q->range[icseg_graph_owner(q->graph, node->input[0])];
}

/* In the order of nodes, so that ranges follow values that are moved several times. */
static void complete_ranges(quantization *q) {
    const icseg_graph *g = q->graph;
    for (int32_t n = 0; n < g->node_count; n++) {
        const icseg_node *node = g->nodes[n];
        icseg_value v = node->output_count ? node->output[0] : ICSEG_NONE;
        if (v == ICSEG_NONE || !q->bytes[v]) continue;
        if (is_empty(q->range[v]) || node->op->int8.same) q->range[v] = range_of_result(q, node);
        q->bytes[v] = icseg_activation_range_quantization(q->range[v]).scale > 0;
    }
}

/* Unmarks storages whose bytes no layer would read, be it after moves: they would lose precision for nothing. */
static void unmark_useless(quantization *q) {
    const icseg_graph *g = q->graph;
    for (int32_t n = g->node_count - 1; n >= 0; n--) {
        const icseg_node *node = g->nodes[n];
        if (!q->live[n] || !node->op->run) continue;
        for (int o = 0; o < node->output_count; o++) q->bytes[node->output[o]] &= q->useful[node->output[o]];
        if (!q->reduced[n] && !(only_moves(node) && q->bytes[node->output[0]])) continue;
        for (int i = 0; i < node->input_count; i++)
            if (node->input[i] != ICSEG_NONE && node->op->int8.in >> i & 1)
                q->useful[icseg_graph_owner(g, node->input[i])] = true;
    }
}

/* A node that moves values has bytes on both sides or on none, unless its rules allow both. Nodes are in order, so one
 * pass back and one forth follow chains. */
static void unify_moves(quantization *q) {
    const icseg_graph *g = q->graph;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < g->node_count; i++) {
            const icseg_node *node = g->nodes[pass == 0 ? g->node_count - 1 - i : i];
            if (!q->live[node->index] || !only_moves(node) || node->op->int8.mixed) continue;
            bool *in = &q->bytes[icseg_graph_owner(g, node->input[0])], *out = &q->bytes[node->output[0]];
            *(pass == 0 ? in : out) &= *(pass == 0 ? out : in);
        }
}

static void store_as_bytes(quantization *q) {
    icseg_graph *g = q->graph;
    for (icseg_value v = 0; v < g->value_count; v++) {
        icseg_value owner = icseg_graph_owner(g, v);
        if (!q->bytes[owner]) continue;
        g->values[v]->dtype = ICSEG_U8;
        g->values[v]->quantization = icseg_activation_range_quantization(q->range[owner]);
    }
}

void icseg_graph_use_bytes(icseg_graph *g) {
    if (g->error.status != ICSEG_OK || !g->ranges || icseg_activation_ranges_recording(g->ranges)) return;
    size_t nodes = (size_t)g->node_count + 1, values = (size_t)g->value_count + 1;
    quantization q = {.graph = g,
                      .live = icseg_arena_array(g->arena, nodes, sizeof *q.live),
                      .reduced = icseg_arena_array(g->arena, nodes, sizeof *q.reduced),
                      .useful = icseg_arena_array(g->arena, values, sizeof *q.useful),
                      .bytes = icseg_arena_array(g->arena, values, sizeof *q.bytes),
                      .range = icseg_arena_array(g->arena, values, sizeof *q.range)};
    if (!q.live || !q.reduced || !q.useful || !q.bytes || !q.range) {
        icseg_graph_fail(g, "quantize", ICSEG_ERROR_MEMORY, "out of memory");
        return;
    }
    icseg_graph_find_live(g, q.live);
    for (int32_t n = 0; n < g->node_count; n++) q.reduced[n] = q.live[n] && is_reduced(&q, g->nodes[n]);
    mark_results(&q);
    follow_readers(&q);
    complete_ranges(&q);
    unmark_useless(&q);
    unify_moves(&q);
    store_as_bytes(&q);
}

/* SPDX-License-Identifier: Apache-2.0
 * Recomputation. A forward value that a backward node reads is either kept or restored: copies of the nodes that lead
 * to it from kept values are placed right before its first backward reader. Nodes in between are copied once and their
 * values live until their last reader, so that only the values of one block exist at a time. */
#include "graph/passes/recompute.h"

#include <string.h>

#include "graph/internal.h"
#include "graph/node.h"

enum { MIN_BYTES = 64 << 10 };        /* smaller values are always kept */
static const double max_flops = 64;   /* per byte of the result: a narrow layer with a wide output */
static const double low_share = 0.15; /* ICSEG_MEMORY_LOW: recomputed work, as a share of the step's */

typedef struct rewriting {
    icseg_graph *graph;
    bool *used;       /* (values): a backward node reads it, or a view of it */
    bool *restorable; /* (values) */
    icseg_value *restored;
} rewriting;

static void find_used(rewriting *r, int32_t first_backward) {
    const icseg_graph *g = r->graph;
    for (int32_t n = first_backward; n < g->node_count; n++)
        for (int i = 0; i < g->nodes[n]->input_count; i++)
            if (g->nodes[n]->input[i] != ICSEG_NONE) r->used[icseg_graph_owner(g, g->nodes[n]->input[i])] = true;
}

static size_t bytes_of(const icseg_graph *g, icseg_value v) {
    return (size_t)g->values[v]->count * icseg_dtype_size(g->values[v]->dtype);
}

/* Whether the value is available in the backward pass, kept or restored. */
static bool is_available(const rewriting *r, icseg_value owner) {
    return r->graph->values[owner]->kind != ICSEG_VALUE_COMPUTED || bytes_of(r->graph, owner) < MIN_BYTES ||
           r->used[owner] || r->restorable[owner];
}

/* Bytes of the inputs that would have to be kept in order to run the node again. */
static size_t missing_bytes(const rewriting *r, const icseg_node *node) {
    size_t missing = 0;
    for (int i = 0; i < node->input_count; i++) {
        icseg_value in = node->input[i] == ICSEG_NONE ? ICSEG_NONE : icseg_graph_owner(r->graph, node->input[i]);
        if (in != ICSEG_NONE && !is_available(r, in)) missing += bytes_of(r->graph, in);
    }
    return missing;
}

static double flops_of(const icseg_graph *g, const icseg_node *node) {
    return node->op->flops ? node->op->flops(g, node) : 0;
}

/* Whether recomputing the node is little work for the memory that it saves, and its inputs are available or small
 * compared with the result (class scores that are joined to feature maps). */
static bool is_worthwhile(const rewriting *r, const icseg_node *node, size_t bytes) {
    double flops = flops_of(r->graph, node);
    bool cheap = node->op->cheap || (flops > 0 && flops <= max_flops * (double)bytes);
    return cheap && missing_bytes(r, node) <= bytes / 4;
}

static void keep_inputs(rewriting *r, const icseg_node *node) {
    for (int i = 0; i < node->input_count; i++)
        if (node->input[i] != ICSEG_NONE) r->used[icseg_graph_owner(r->graph, node->input[i])] = true;
}

static bool may_restore(const rewriting *r, const icseg_node *node, icseg_memory memory) {
    const icseg_value_info *info = r->graph->values[node->output[0]];
    size_t bytes = bytes_of(r->graph, node->output[0]);
    if (node->op->never_recompute || info->keep || info->boundary || info->param || bytes < MIN_BYTES) return false;
    return memory == ICSEG_MEMORY_LOW || is_worthwhile(r, node, bytes);
}

/* Outputs other than the first are statistics: small, and kept. */
static void find_restorable(rewriting *r, int32_t first_backward, icseg_memory memory) {
    const icseg_graph *g = r->graph;
    for (int32_t n = 0; n < first_backward; n++) {
        const icseg_node *node = g->nodes[n];
        icseg_value v = node->output[0], owner = icseg_graph_owner(g, v);
        r->restorable[v] = owner == v ? may_restore(r, node, memory) : r->restorable[owner];
        if (memory != ICSEG_MEMORY_LOW && owner == v && r->restorable[v] && missing_bytes(r, node))
            keep_inputs(r, node);
    }
}

/* Nodes whose results would be computed again, if all restorable values were; NULL when out of memory. */
static bool *find_repeated(const rewriting *r, int32_t first_backward) {
    const icseg_graph *g = r->graph;
    bool *repeated = icseg_arena_array(g->arena, (size_t)first_backward, sizeof *repeated);
    bool *needed = icseg_arena_copy(g->arena, r->used, (size_t)g->value_count * sizeof *needed);
    if (!repeated || !needed) return NULL;
    for (int32_t n = first_backward - 1; n >= 0; n--) {
        const icseg_node *node = g->nodes[n];
        icseg_value owner = icseg_graph_owner(g, node->output[0]);
        repeated[n] = owner == node->output[0] && needed[owner] && r->restorable[owner];
        for (int i = 0; repeated[n] && i < node->input_count; i++)
            if (node->input[i] != ICSEG_NONE) needed[icseg_graph_owner(g, node->input[i])] = true;
    }
    return repeated;
}

/* The repeated node with the most work per byte of its result, the first of several; -1: none has any work. */
static int32_t most_expensive(const icseg_graph *g, const bool *repeated, int32_t count) {
    int32_t most = -1;
    double most_per_byte = 0;
    for (int32_t n = 0; n < count; n++) {
        double per_byte = repeated[n] ? flops_of(g, g->nodes[n]) / (double)bytes_of(g, g->nodes[n]->output[0]) : 0;
        if (per_byte > most_per_byte) most = n, most_per_byte = per_byte;
    }
    return most;
}

/* Keeps the results with the most work per byte until the rest is little work. */
static void keep_expensive(rewriting *r, int32_t first_backward) {
    const icseg_graph *g = r->graph;
    bool *repeated = find_repeated(r, first_backward);
    if (!repeated) {
        icseg_graph_fail(r->graph, "recompute", ICSEG_ERROR_MEMORY, "out of memory");
        return;
    }
    double step = 0, again = 0;
    for (int32_t n = 0; n < g->node_count; n++) step += flops_of(g, g->nodes[n]);
    for (int32_t n = 0; n < first_backward; n++) again += repeated[n] ? flops_of(g, g->nodes[n]) : 0;
    while (again > low_share * step) {
        int32_t most = most_expensive(g, repeated, first_backward);
        if (most < 0) return;
        repeated[most] = r->restorable[g->nodes[most]->output[0]] = false;
        again -= flops_of(g, g->nodes[most]);
    }
}

static icseg_value restore(rewriting *r, icseg_value v) {
    icseg_graph *g = r->graph;
    icseg_value in[ICSEG_MAX_INPUTS];
    if (v == ICSEG_NONE || !r->restorable[v]) return v;
    if (r->restored[v] != ICSEG_NONE) return r->restored[v];
    const icseg_node *node = g->nodes[g->values[v]->producer];
    for (int i = 0; i < node->input_count; i++) in[i] = restore(r, node->input[i]);
    if (node->op->recompute) return r->restored[v] = node->op->recompute(g, node, in);
    icseg_node *copy = icseg_node_append(g, node->op, NULL, 0, in, node->input_count, UINT32_MAX);
    if (!copy) return ICSEG_NONE;
    icseg_node_name_like(copy, node);
    copy->attributes = node->attributes;
    for (int o = 0; o < node->output_count; o++) {
        const icseg_value_info *like = g->values[node->output[o]];
        icseg_value made = like->view_of == ICSEG_NONE ? icseg_node_output(g, copy, like->dtype, like->shape)
                                                       : icseg_node_output_view(g, copy, like->shape);
        if (o == 0) r->restored[v] = made;
    }
    return r->restored[v];
}

void icseg_graph_recompute(icseg_graph *g, icseg_memory memory) {
    int32_t count = g->node_count, first = 0, values = g->value_count;
    while (first < count && !g->nodes[first]->backward) first++;
    if (g->error.status != ICSEG_OK || first == count) return;
    rewriting r = {.graph = g,
                   .used = icseg_arena_array(g->arena, (size_t)values, sizeof *r.used),
                   .restorable = icseg_arena_array(g->arena, (size_t)values, sizeof *r.restorable),
                   .restored = icseg_arena_array(g->arena, (size_t)values, sizeof *r.restored)};
    icseg_node **backward = icseg_arena_copy(g->arena, g->nodes + first, (size_t)(count - first) * sizeof *backward);
    if (!r.used || !r.restorable || !r.restored || !backward) {
        icseg_graph_fail(g, "recompute", ICSEG_ERROR_MEMORY, "out of memory");
        return;
    }
    for (icseg_value v = 0; v < values; v++) r.restored[v] = ICSEG_NONE;
    find_used(&r, first);
    find_restorable(&r, first, memory);
    if (memory == ICSEG_MEMORY_LOW) keep_expensive(&r, first);
    g->in_backward = true;
    g->node_count = first; /* the backward nodes are appended again, each after the copies that it needs */
    for (int32_t n = 0; n < count - first && g->error.status == ICSEG_OK; n++) {
        icseg_node *node = backward[n];
        for (int i = 0; i < node->input_count; i++) node->input[i] = restore(&r, node->input[i]);
        icseg_graph_node_add(g, node);
    }
    g->in_backward = false;
}

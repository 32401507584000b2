/* SPDX-License-Identifier: Apache-2.0
 * The memory plan: lifetimes, sharing in place, placement. Values are placed largest first, each at the lowest offset
 * that is free during its life (greedy by size: within a few per cent of the lower bound on these graphs). */
#include "graph/passes/plan.h"

#include <stdlib.h>

#include "graph/internal.h"
#include "graph/op.h"

enum { ALIGNMENT = 64 };

typedef icseg_plan_storage storage;

static icseg_value root_of(const storage *s, icseg_value v) {
    while (s[v].root != v) v = s[v].root;
    return v;
}

/* Lifetimes of the storages behind views. */
static void find_lifetimes(const icseg_graph *g, const bool *live, storage *s) {
    int32_t nodes = icseg_graph_node_count(g), values = icseg_graph_value_count(g);
    for (icseg_value v = 0; v < values; v++) {
        const icseg_value_info *info = icseg_graph_value(g, v);
        size_t bytes = (size_t)info->count * icseg_dtype_size(info->dtype);
        s[v] = (storage){.root = info->view_of == ICSEG_NONE ? v : root_of(s, info->view_of),
                         .first = info->producer,
                         .last = info->producer,
                         .bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT};
        s[v].planned = s[v].root == v && info->kind == ICSEG_VALUE_COMPUTED && !info->param && live[info->producer];
        if (info->keep) s[s[v].root].last = nodes;
    }
    for (int32_t n = 0; n < nodes; n++) {
        const icseg_node *node = icseg_graph_node(g, n);
        for (int i = 0; live[n] && i < node->input_count; i++) {
            if (node->input[i] == ICSEG_NONE) continue;
            storage *root = &s[s[node->input[i]].root];
            if (root->last < n) root->last = n;
        }
    }
}

static bool same_size(const icseg_graph *g, icseg_value value, const icseg_node *node) {
    const icseg_value_info *a = icseg_graph_value(g, value), *b = icseg_graph_value(g, node->output[0]);
    return a->dtype == b->dtype && a->count == b->count;
}

/* Lets a result take the storage of an input whose last reader is its node, if the operator allows it. */
static void share_in_place(const icseg_graph *g, const bool *live, storage *s) {
    for (int32_t n = 0; n < icseg_graph_node_count(g); n++) {
        const icseg_node *node = icseg_graph_node(g, n);
        if (!live[n] || !node->op->in_place || !s[node->output[0]].planned) continue;
        storage *out = &s[node->output[0]];
        for (int i = 0; i < node->input_count; i++) {
            if (!(node->op->in_place >> i & 1) || node->input[i] == ICSEG_NONE) continue;
            icseg_value r = root_of(s, node->input[i]);
            bool reusable = s[r].planned && s[r].last == n && same_size(g, r, node);
            for (int j = 0; j < node->input_count && reusable; j++) /* also read as an input that is not in place */
                if (!(node->op->in_place >> j & 1) && node->input[j] != ICSEG_NONE && root_of(s, node->input[j]) == r)
                    reusable = false;
            if (!reusable) continue;
            s[r].last = out->last;
            out->root = r;
            out->planned = false;
            break;
        }
    }
}

typedef struct placement {
    icseg_value value;
    size_t bytes;
} placement;

static int larger_first(const void *a, const void *b) {
    const placement *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->value < y->value ? -1 : 1;
}

/* Sets the offsets of all planned storages and returns the size of the block. `order` and `placed` are work arrays with
 * space for every value. */
static size_t place(storage *s, int32_t values, placement *order, icseg_value *placed) {
    int32_t count = 0, done = 0;
    size_t peak = 0;
    for (icseg_value v = 0; v < values; v++)
        if (s[v].planned) order[count++] = (placement){v, s[v].bytes};
    qsort(order, (size_t)count, sizeof *order, larger_first);
    for (int32_t i = 0; i < count; i++) {
        storage *now = &s[order[i].value];
        size_t offset = 0;
        for (int32_t j = 0; j < done; j++) { /* `placed` is kept in order of offset */
            const storage *other = &s[placed[j]];
            if (other->last < now->first || other->first > now->last) continue;
            if (other->offset >= offset + now->bytes) break;
            if (other->offset + other->bytes > offset) offset = other->offset + other->bytes;
        }
        now->offset = offset;
        int32_t at = done++;
        for (; at > 0 && s[placed[at - 1]].offset > offset; at--) placed[at] = placed[at - 1];
        placed[at] = order[i].value;
        if (offset + now->bytes > peak) peak = offset + now->bytes;
    }
    return peak;
}

icseg_status icseg_plan_open(icseg_plan *out, const icseg_graph *g, icseg_error *error) {
    size_t values = (size_t)icseg_graph_value_count(g), nodes = (size_t)icseg_graph_node_count(g);
    *out = (icseg_plan){.live = icseg_calloc_array(nodes + 1, sizeof *out->live),
                        .storage = icseg_calloc_array(values + 1, sizeof *out->storage)};
    placement *order = icseg_alloc_array(values + 1, sizeof *order);
    icseg_value *placed = icseg_alloc_array(values + 1, sizeof *placed);
    icseg_status status = ICSEG_OK;
    if (out->live && out->storage && order && placed) {
        icseg_graph_find_live(g, out->live);
        find_lifetimes(g, out->live, out->storage);
        for (size_t v = 0; v < values; v++)
            if (out->storage[v].planned) out->unplanned += out->storage[v].bytes;
        share_in_place(g, out->live, out->storage);
        out->activations = place(out->storage, (int32_t)values, order, placed);
    } else {
        status = icseg_fail_memory(error, 0, "the memory plan");
        icseg_plan_close(out);
    }
    icseg_free(order);
    icseg_free(placed);
    return status;
}

void icseg_plan_close(icseg_plan *plan) {
    icseg_free(plan->live);
    icseg_free(plan->storage);
    *plan = (icseg_plan){0};
}

icseg_value icseg_plan_root(const icseg_plan *plan, icseg_value value) { return root_of(plan->storage, value); }

static bool is_alive(const storage *s, int32_t node) { return s->planned && s->first <= node && s->last >= node; }

/* The end of a storage that is alive at `node` and overlaps offset .. offset + bytes - 1, or 0. */
static size_t end_of_overlap(const icseg_plan *plan, int32_t values, int32_t node, size_t offset, size_t bytes) {
    for (icseg_value v = 0; v < values; v++) {
        const storage *s = &plan->storage[v];
        if (is_alive(s, node) && s->offset < offset + bytes && s->offset + s->bytes > offset)
            return s->offset + s->bytes;
    }
    return 0;
}

size_t icseg_plan_gap(const icseg_plan *plan, const icseg_graph *g, int32_t node, size_t bytes) {
    int32_t values = icseg_graph_value_count(g);
    size_t offset = 0, end;
    while ((end = end_of_overlap(plan, values, node, offset, bytes))) offset = end;
    return offset;
}

int32_t icseg_plan_peak(const icseg_plan *plan, const icseg_graph *g, size_t *bytes) {
    int32_t values = icseg_graph_value_count(g), peak = 0;
    size_t largest = 0;
    for (int32_t n = 0; n < icseg_graph_node_count(g); n++) {
        size_t sum = 0;
        for (icseg_value v = 0; v < values; v++)
            if (is_alive(&plan->storage[v], n)) sum += plan->storage[v].bytes;
        if (sum <= largest) continue;
        largest = sum;
        peak = n;
    }
    for (icseg_value v = 0; v < values; v++) bytes[v] = is_alive(&plan->storage[v], peak) ? plan->storage[v].bytes : 0;
    return peak;
}

/* SPDX-License-Identifier: Apache-2.0
 * Profiles: sums by name, sorted, and written as tables. */
#include "graph/run/profile.h"

#include <stdlib.h>
#include <string.h>

enum { MODULE_DEPTH = 2 };

/* The name of a node's row: the first characters of *name; returns how many. */
static size_t key_of(const icseg_node *node, icseg_profile_key key, const char **name) {
    *name = key == ICSEG_PROFILE_OPERATOR ? node->op->name : key == ICSEG_PROFILE_MODULE ? node->scope : node->name;
    size_t end = strlen(*name);
    for (size_t i = 0, dots = 0; key == ICSEG_PROFILE_MODULE && i < end; i++)
        if ((*name)[i] == '.' && ++dots == MODULE_DEPTH) end = i;
    return end;
}

static icseg_profile_row *find_row(icseg_profile *p, const char *name, size_t length) {
    for (size_t i = 0; i < p->count; i++)
        if (!strncmp(p->rows[i].name, name, length) && !p->rows[i].name[length]) return &p->rows[i];
    return NULL;
}

static int slower_first(const void *a, const void *b) {
    const icseg_profile_row *x = a, *y = b;
    double s = x->forward + x->backward, t = y->forward + y->backward;
    return s != t ? (s < t) - (s > t) : strcmp(x->name, y->name);
}

static int larger_first(const void *a, const void *b) {
    const icseg_profile_row *x = a, *y = b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes) - (x->bytes > y->bytes) : strcmp(x->name, y->name);
}

static icseg_status get_row(icseg_profile *p, const icseg_node *node, icseg_profile_key key, icseg_arena *arena,
                            icseg_profile_row **row, icseg_error *error) {
    const char *name;
    size_t length = key_of(node, key, &name);
    *row = find_row(p, name, length);
    if (*row) return ICSEG_OK;
    *row = &p->rows[p->count];
    (*row)->name = icseg_arena_printf(arena, "%.*s", (int)length, name);
    if (!(*row)->name) return icseg_fail_memory(error, 0, "a profile");
    p->count++;
    return ICSEG_OK;
}

icseg_status icseg_profile_sum(icseg_profile *out, const icseg_graph *graph, const double *seconds,
                               icseg_profile_key key, icseg_arena *arena, icseg_error *error) {
    int32_t nodes = icseg_graph_node_count(graph);
    *out = (icseg_profile){.rows = icseg_arena_array(arena, (size_t)nodes + 1, sizeof *out->rows)};
    if (!out->rows) return icseg_fail_memory(error, (size_t)nodes * sizeof *out->rows, "a profile");
    for (int32_t n = 0; n < nodes; n++) {
        const icseg_node *node = icseg_graph_node(graph, n);
        if (seconds[n] <= 0) continue; /* a view, or not live */
        icseg_profile_row *row;
        ICSEG_TRY(get_row(out, node, key, arena, &row, error));
        row->nodes++;
        *(node->backward ? &row->backward : &row->forward) += seconds[n];
        if (node->op->flops) row->flops += node->op->flops(graph, node);
        out->seconds += seconds[n];
    }
    qsort(out->rows, out->count, sizeof *out->rows, slower_first);
    return ICSEG_OK;
}

icseg_status icseg_profile_memory(icseg_profile *out, const icseg_executor *executor, const icseg_graph *graph,
                                  icseg_profile_key key, icseg_arena *arena, icseg_error *error) {
    size_t values = (size_t)icseg_graph_value_count(graph), nodes = (size_t)icseg_graph_node_count(graph);
    *out = (icseg_profile){.rows = icseg_arena_array(arena, nodes + 1, sizeof *out->rows)};
    size_t *bytes = icseg_arena_array(arena, values + 1, sizeof *bytes);
    if (!out->rows || !bytes) return icseg_fail_memory(error, 0, "a profile");
    icseg_plan_peak(icseg_executor_plan(executor), graph, bytes);
    for (size_t v = 0; v < values; v++) {
        if (!bytes[v]) continue;
        icseg_profile_row *row;
        const icseg_node *node = icseg_graph_node(graph, icseg_graph_value(graph, (icseg_value)v)->producer);
        ICSEG_TRY(get_row(out, node, key, arena, &row, error));
        row->nodes++;
        row->bytes += (double)bytes[v];
        out->bytes += (double)bytes[v];
    }
    qsort(out->rows, out->count, sizeof *out->rows, larger_first);
    return ICSEG_OK;
}

void icseg_profile_memory_table(const icseg_profile *p, size_t rows, icseg_string *out) {
    const double mib = 1 << 20;
    icseg_string_printf(out, "%-46s %6s %10s %7s\n", "alive at peak memory", "values", "MiB", "share");
    for (size_t i = 0; i < p->count && i < rows; i++) {
        const icseg_profile_row *r = &p->rows[i];
        icseg_string_printf(out, "%-46s %6lld %10.1f %6.1f%%\n", r->name[0] ? r->name : "(top)", (long long)r->nodes,
                            r->bytes / mib, 100 * r->bytes / p->bytes);
    }
}

void icseg_profile_table(const icseg_profile *p, int64_t runs, size_t rows, icseg_string *out) {
    double of_run = runs > 0 ? 1 / (double)runs : 0;
    icseg_string_printf(out, "%-46s %6s %10s %10s %10s %7s %9s\n", "", "nodes", "forward", "backward", "ms", "share",
                        "GFLOP/s");
    for (size_t i = 0; i < p->count && i < rows; i++) {
        const icseg_profile_row *r = &p->rows[i];
        double seconds = (r->forward + r->backward) * of_run;
        icseg_string_printf(out, "%-46s %6lld %10.2f %10.2f %10.2f %6.1f%%", r->name[0] ? r->name : "(top)",
                            (long long)r->nodes, 1e3 * r->forward * of_run, 1e3 * r->backward * of_run, 1e3 * seconds,
                            p->seconds > 0 ? 100 * (r->forward + r->backward) / p->seconds : 0);
        if (r->flops > 0 && seconds > 0) icseg_string_printf(out, " %9.1f", 1e-9 * r->flops / seconds);
        icseg_string_printf(out, "\n");
    }
}

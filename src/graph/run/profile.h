/* SPDX-License-Identifier: Apache-2.0
 * Time and memory of a graph by operator, module or node, also as tables. */
#ifndef ICSEG_GRAPH_RUN_PROFILE_H
#define ICSEG_GRAPH_RUN_PROFILE_H

#include "base/text.h"
#include "graph/run/executor.h"

typedef struct icseg_profile_row {
    const char *name;
    int64_t nodes;
    double forward, backward; /* seconds, over all runs */
    double flops;             /* of one run */
    double bytes;             /* of the values that are alive when memory use is highest */
} icseg_profile_row;

typedef struct icseg_profile {
    icseg_profile_row *rows; /* slowest first */
    size_t count;
    double seconds, bytes; /* of all rows */
} icseg_profile;

typedef enum icseg_profile_key {
    ICSEG_PROFILE_OPERATOR, /* "conv2d_gradient_input" */
    ICSEG_PROFILE_MODULE,   /* the first two names of a node's scope: "visual.layer1", "decoder.head" */
    ICSEG_PROFILE_NODE      /* every node: "visual.layer1.0.conv1.conv2d_fused" */
} icseg_profile_key;

/* Sums `seconds` (one per node, icseg_executor_seconds) by key. Rows are in the arena. */
icseg_status icseg_profile_sum(icseg_profile *out, const icseg_graph *graph, const double *seconds,
                               icseg_profile_key key, icseg_arena *arena, icseg_error *error);

/* Sums the values that are alive when memory use is highest by the nodes that compute them. */
icseg_status icseg_profile_memory(icseg_profile *out, const icseg_executor *executor, const icseg_graph *graph,
                                  icseg_profile_key key, icseg_arena *arena, icseg_error *error);
/* Appends its table, largest first, at most `rows` rows. */
void icseg_profile_memory_table(const icseg_profile *profile, size_t rows, icseg_string *out);

/* Appends the table, at most `rows` rows: milliseconds of a run, share, GFLOP/s. runs: number of runs over which the
 * seconds were summed. */
void icseg_profile_table(const icseg_profile *profile, int64_t runs, size_t rows, icseg_string *out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Running a graph: its memory plan (liveness, one arena), its prepared kernels. */
#ifndef ICSEG_GRAPH_RUN_EXECUTOR_H
#define ICSEG_GRAPH_RUN_EXECUTOR_H

#include "graph/op.h"

/* The activations' memory, shared by executors that never run at the same time; grows to the largest. */
typedef struct icseg_workspace icseg_workspace;
icseg_status icseg_workspace_open(icseg_workspace **out, icseg_error *error);
void icseg_workspace_close(icseg_workspace **workspace);

typedef struct icseg_executor icseg_executor;

/* Plans the graph and prepares its kernels. Graph and workspace must outlive the executor. One executor of a workspace
 * runs at a time; outputs are valid until the next run of any of them. */
icseg_status icseg_executor_open(icseg_executor **out, const icseg_graph *graph, icseg_workspace *workspace,
                                 icseg_error *error);
void icseg_executor_close(icseg_executor **executor);

void icseg_executor_bind(icseg_executor *executor, icseg_value input, const void *data);
icseg_status icseg_executor_run(icseg_executor *executor, uint64_t seed, int64_t step, icseg_error *error);
/* The same run, looking at every output: ICSEG_ERROR_NUMERIC names the first operator that gave a value that is not
 * finite. */
icseg_status icseg_executor_run_checked(icseg_executor *executor, uint64_t seed, int64_t step, icseg_error *error);
/* Data of a kept value, an input, a constant or a parameter. */
const void *icseg_executor_data(const icseg_executor *executor, icseg_value value);

typedef struct icseg_plan_summary {
    size_t activations; /* bytes of the planned arena */
    size_t unplanned;   /* what the same values would take without reuse */
    size_t scratch;
    double flops, bytes;
} icseg_plan_summary;
icseg_plan_summary icseg_executor_summary(const icseg_executor *executor);

/* The node while which the planned values take most memory; bytes (icseg_graph_value_count): what each takes then, 0
 * for what shares another one's storage or is not alive. */
int32_t icseg_executor_fullest(const icseg_executor *executor, size_t *bytes);

/* Seconds spent in each node, summed over runs, once profiling is switched on; array of icseg_graph_node_count. */
void icseg_executor_profile(icseg_executor *executor, bool on);
const double *icseg_executor_seconds(const icseg_executor *executor);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Running a graph. Opening an executor is slow and is done once for a graph: it plans the memory, prepares the kernels
 * and reserves the workspace. Running it allocates nothing, except for parameters that are loaded or packed when they
 * are first used. */
#ifndef ICSEG_GRAPH_RUN_EXECUTOR_H
#define ICSEG_GRAPH_RUN_EXECUTOR_H

#include "graph/op.h"
#include "graph/passes/plan.h"

/* The memory of activations, shared by executors that never run at the same time. It grows to the largest of them. */
typedef struct icseg_workspace icseg_workspace;
icseg_status icseg_workspace_open(icseg_workspace **out, icseg_error *error);
void icseg_workspace_close(icseg_workspace **workspace);

typedef struct icseg_executor icseg_executor;

/* Graph and workspace must outlive the executor. The executors of a workspace run one at a time; outputs are valid
 * until one of them runs or another one is opened. */
icseg_status icseg_executor_open(icseg_executor **out, const icseg_graph *graph, icseg_workspace *workspace,
                                 icseg_error *error);
void icseg_executor_close(icseg_executor **executor);

void icseg_executor_bind(icseg_executor *executor, icseg_value input, const void *data);
icseg_status icseg_executor_run(icseg_executor *executor, uint64_t seed, int64_t step, icseg_error *error);
/* The same, checking every output: ICSEG_ERROR_NUMERIC names the first operator that returned a value that is not
 * finite. */
icseg_status icseg_executor_run_checked(icseg_executor *executor, uint64_t seed, int64_t step, icseg_error *error);
/* Data of a kept value, an input, a constant or a parameter. */
const void *icseg_executor_data(const icseg_executor *executor, icseg_value value);

typedef struct icseg_plan_summary {
    size_t activations; /* bytes that the values need */
    size_t unplanned;   /* bytes that the same values would take without reuse */
    size_t scratch;     /* bytes of scratch memory of the node that needs the most */
    size_t workspace;   /* bytes of the block with both, at most their sum: scratch memory uses gaps between values */
    double flops, bytes;
} icseg_plan_summary;
icseg_plan_summary icseg_executor_summary(const icseg_executor *executor);
const icseg_plan *icseg_executor_plan(const icseg_executor *executor);

/* Numbers of layers (graph/activation_ranges.h) that are computed in each precision. */
typedef struct icseg_layer_count {
    int32_t f32, bf16, bf16x2, int8;
} icseg_layer_count;
icseg_layer_count icseg_executor_layers(const icseg_executor *executor);

/* Seconds spent in each node (icseg_graph_node_count), summed over the runs with profiling switched on. */
void icseg_executor_profile(icseg_executor *executor, bool on);
const double *icseg_executor_seconds(const icseg_executor *executor);

#endif

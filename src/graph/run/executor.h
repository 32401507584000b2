/* SPDX-License-Identifier: Apache-2.0
 * Running a program. An executor belongs to one thread at a time: it has the pointers of the inputs and the memory of
 * the activations. Running it allocates nothing, except for parameters that are loaded or packed when they are first
 * used. */
#ifndef ICSEG_GRAPH_RUN_EXECUTOR_H
#define ICSEG_GRAPH_RUN_EXECUTOR_H

#include "graph/run/program.h"

/* The memory of activations, shared by executors that never run at the same time. It grows to the largest of them. */
typedef struct icseg_workspace icseg_workspace;
icseg_status icseg_workspace_open(icseg_workspace **out, icseg_error *error);
void icseg_workspace_close(icseg_workspace **workspace);

typedef struct icseg_executor icseg_executor;

/* Prepares the graph and opens an executor of its own program. Graph and workspace must outlive it. The executors of a
 * workspace run one at a time; outputs are valid until one of them runs or another one is opened. */
icseg_status icseg_executor_open(icseg_executor **out, const icseg_graph *graph, icseg_workspace *workspace,
                                 icseg_error *error);
/* The same for a program that several executors run. The program must outlive the executor. */
icseg_status icseg_executor_open_shared(icseg_executor **out, const icseg_program *program, icseg_workspace *workspace,
                                        icseg_error *error);
void icseg_executor_close(icseg_executor **executor);

void icseg_executor_bind(icseg_executor *executor, icseg_value input, const void *data);
icseg_status icseg_executor_run(icseg_executor *executor, uint64_t seed, int64_t step, icseg_error *error);
/* The same, checking every output: ICSEG_ERROR_NUMERIC names the first operator that returned a value that is not
 * finite. */
icseg_status icseg_executor_run_checked(icseg_executor *executor, uint64_t seed, int64_t step, icseg_error *error);
/* The processes that run the same graph at the same time, each on its part of the batch; they must outlive the
 * executor. NULL: this one alone. */
void icseg_executor_set_group(icseg_executor *executor, icseg_group *group);
/* Called after each node of a run; NULL: nothing. It may read and send what the node computed. */
typedef icseg_status icseg_node_done(void *user, const icseg_node *node, icseg_error *error);
void icseg_executor_watch(icseg_executor *executor, icseg_node_done *done, void *user);

/* Data of a kept value, an input, a constant or a parameter. */
const void *icseg_executor_data(const icseg_executor *executor, icseg_value value);

icseg_plan_summary icseg_executor_summary(const icseg_executor *executor);
const icseg_plan *icseg_executor_plan(const icseg_executor *executor);

const icseg_program *icseg_executor_program(const icseg_executor *executor);

/* Seconds spent in each node (icseg_graph_node_count), summed over the runs with profiling switched on. */
void icseg_executor_profile(icseg_executor *executor, bool on);
const double *icseg_executor_seconds(const icseg_executor *executor);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The sums of gradients over the processes of a group. They travel in buckets of a few MiB while the rest of the
 * backward pass runs. */
#ifndef ICSEG_TRAIN_GRADIENTS_H
#define ICSEG_TRAIN_GRADIENTS_H

#include "graph/run/executor.h"
#include "group/group.h"

typedef struct icseg_gradient_sums icseg_gradient_sums;

/* Divides the parameters' gradients into buckets, in the order in which the executor's graph completes them. bf16: they
 * are rounded to bf16 on their way, half the bytes. Group and executor must outlive it. */
icseg_status icseg_gradient_sums_open(icseg_gradient_sums **out, icseg_group *group, icseg_params *params,
                                      const icseg_executor *executor, bool bf16, icseg_error *error);
void icseg_gradient_sums_close(icseg_gradient_sums **sums);

/* Before a run whose gradients are to be summed: after each node, what is complete starts to travel. */
void icseg_gradient_sums_begin(icseg_gradient_sums *sums, icseg_executor *executor);
/* After it: waits, and replaces the gradients by their sums. */
icseg_status icseg_gradient_sums_finish(icseg_gradient_sums *sums, icseg_executor *executor, icseg_error *error);

/* Whether they belong to this executor. */
bool icseg_gradient_sums_fit(const icseg_gradient_sums *sums, const icseg_executor *executor);

#endif

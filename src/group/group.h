/* SPDX-License-Identifier: Apache-2.0
 * Messages between the processes of a group. Every call is made by all of them in the same order, except where it says
 * otherwise. NULL is the group of a process that works alone: sums and maxima leave the data as they are. */
#ifndef ICSEG_GROUP_GROUP_H
#define ICSEG_GROUP_GROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "group/transport.h"
#include "icseg/group.h"

/* Each element of data becomes its sum, or largest value, over all processes. */
icseg_status icseg_group_reduce(icseg_group *group, icseg_reduction how, void *data, int64_t count, icseg_error *error);
/* Copies rank 0's bytes to all processes. */
icseg_status icseg_group_broadcast(icseg_group *group, void *data, size_t bytes, icseg_error *error);
/* all (size, bytes): what each process has. */
icseg_status icseg_group_gather(icseg_group *group, const void *mine, size_t bytes, void *all, icseg_error *error);

/* The texts of all processes (size, longest), each of them ended by zeros. The caller frees *all. */
icseg_status icseg_group_gather_texts(icseg_group *group, const char *mine, char **all, size_t *longest,
                                      icseg_error *error);

/* -- sums that travel while the process computes; at most ICSEG_GROUP_PENDING at a time */

enum { ICSEG_GROUP_PENDING = 1024 };

/* Starts to replace data by its sums over all processes. They must not be touched before icseg_group_finish. */
icseg_status icseg_group_start_sum(icseg_group *group, icseg_reduction how, void *data, int64_t count,
                                   icseg_error *error);
/* Lets sums that were started make progress. Call it often; the processes need not call it in step. */
icseg_status icseg_group_progress(icseg_group *group, icseg_error *error);
/* Waits for all of them. */
icseg_status icseg_group_finish(icseg_group *group, icseg_error *error);

/* What travelled so far. */
typedef struct icseg_group_traffic {
    int64_t messages, bytes; /* calls, and the bytes that this process contributed */
    double seconds;          /* spent waiting */
} icseg_group_traffic;
icseg_group_traffic icseg_group_traffic_of(const icseg_group *group);
void icseg_group_forget_traffic(icseg_group *group);

/* How many compute threads a process of the group should have: those of its machine, divided by the processes there. */
int icseg_group_threads(const icseg_group *group);

#endif

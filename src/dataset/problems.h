/* SPDX-License-Identifier: Apache-2.0
 * Problems of a data set or an import on their way to the caller; the first is kept for the error at the end. */
#ifndef ICSEG_DATASET_PROBLEMS_H
#define ICSEG_DATASET_PROBLEMS_H

#include "base/error.h"
#include "icseg/dataset.h"

typedef struct icseg_problems {
    icseg_dataset_problem on_problem; /* or NULL */
    void *user;
    int64_t count;
    icseg_error first;
} icseg_problems;

/* Counts the problem and passes it to the caller. */
void icseg_problems_add(icseg_problems *problems, const icseg_error *problem);
/* The error of a check that found problems: the first, and how many more. Returns ICSEG_ERROR_DATA. */
icseg_status icseg_problems_fail(const icseg_problems *problems, icseg_error *error);

/* A problem in as few bytes as it takes, for those that wait for others; icseg_free. NULL when out of memory. */
typedef struct icseg_kept_problem icseg_kept_problem;
icseg_kept_problem *icseg_problem_keep(const icseg_error *problem);
void icseg_problem_restore(const icseg_kept_problem *kept, icseg_error *out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Reports the problems of a data set or an import to the caller, and keeps the first one for the final error. */
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
/* The final error: the first problem, and the number of others. Returns ICSEG_ERROR_DATA. */
icseg_status icseg_problems_fail(const icseg_problems *problems, icseg_error *error);

/* A compact copy of a problem that cannot be reported yet; free it with icseg_free. NULL if memory runs out. */
typedef struct icseg_kept_problem icseg_kept_problem;
icseg_kept_problem *icseg_problem_keep(const icseg_error *problem);
void icseg_problem_restore(const icseg_kept_problem *kept, icseg_error *out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Faults of a data set or an export on their way to the user: each in one line, the first kept for the error text. */
#ifndef ICSEG_DATASET_FAULTS_H
#define ICSEG_DATASET_FAULTS_H

#include "base/error.h"
#include "icseg/dataset.h"

typedef struct icseg_faults {
    icseg_dataset_fault on_fault; /* or NULL */
    void *user;
    int64_t count;
    char first[960];
} icseg_faults;

void icseg_faults_add(icseg_faults *faults, const char *line);
/* The error of a check that found some: the first, and how many more. */
icseg_status icseg_faults_fail(const icseg_faults *faults, icseg_error *error);

#endif

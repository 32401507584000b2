/* SPDX-License-Identifier: Apache-2.0
 * Agreement with the PyTorch reference on a fixture that python/make_fixtures.py wrote (docs/method.md, "Parity"). */
#ifndef ICSEG_DIAGNOSTICS_PARITY_H
#define ICSEG_DIAGNOSTICS_PARITY_H

#include <stdbool.h>

#include "icseg/model.h"

typedef enum icseg_parity_group {
    ICSEG_PARITY_EVAL,     /* forward outputs in evaluation mode */
    ICSEG_PARITY_TRAIN,    /* forward outputs in training mode */
    ICSEG_PARITY_LOSS,     /* each loss term */
    ICSEG_PARITY_GRADIENT, /* each trainable parameter */
    ICSEG_PARITY_RUNNING,  /* batch-norm running statistics after one step */
    ICSEG_PARITY_CURVE,    /* total loss and learning rate at each of the AdamW steps */
    ICSEG_PARITY_GROUPS
} icseg_parity_group;

/* One group's result: `worst` is the largest ||ours - reference|| / ||reference|| among its tensors. */
typedef struct icseg_parity_result {
    const char *title;
    int tensors, failed;
    double worst, bound;
    char worst_name[200];
} icseg_parity_result;

/* Runs all groups on one fixture. ICSEG_OK means that it could be run; what agrees stands in `out`. Errors: a fixture
 * that is damaged or lacks tensors, or whose model has dropout; bf16 on a processor that does not have it
 * (ICSEG_ERROR_UNSUPPORTED). */
icseg_status icseg_parity_run(const char *fixture, icseg_precision precision,
                              icseg_parity_result out[ICSEG_PARITY_GROUPS], icseg_error *error);

#endif

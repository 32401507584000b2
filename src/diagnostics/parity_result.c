/* SPDX-License-Identifier: Apache-2.0
 * The results of a comparison: their titles and bounds, and recording a difference. */
#include "diagnostics/parity_result.h"

#include <stdio.h>
#include <string.h>

static const icseg_parity_result groups[ICSEG_PARITY_GROUPS] = {
    [ICSEG_PARITY_EVAL] = {.title = "evaluation outputs", .bound = 1e-4},
    [ICSEG_PARITY_TRAIN] = {.title = "training outputs", .bound = 1e-4},
    [ICSEG_PARITY_LOSS] = {.title = "losses", .bound = 1e-5},
    [ICSEG_PARITY_GRADIENT] = {.title = "gradients", .bound = 1e-3},
    [ICSEG_PARITY_RUNNING] = {.title = "running statistics", .bound = 1e-4},
    [ICSEG_PARITY_CURVE] = {.title = "training curve", .bound = 1e-3},
    [ICSEG_PARITY_OPEN_SCORES] = {.title = "open vocabulary", .bound = 1e-4},
    [ICSEG_PARITY_OPEN_LABELS] = {.title = "its labels", .bound = 1e-3},
};

/* bf16 has 8 bits of precision, and values pass through about a hundred operators. */
static const double bf16_bounds[ICSEG_PARITY_GROUPS] = {
    [ICSEG_PARITY_EVAL] = 2e-2,        [ICSEG_PARITY_TRAIN] = 2e-2,       [ICSEG_PARITY_LOSS] = 2e-2,
    [ICSEG_PARITY_GRADIENT] = 5e-2,    [ICSEG_PARITY_RUNNING] = 2e-2,     [ICSEG_PARITY_CURVE] = 5e-2,
    [ICSEG_PARITY_OPEN_SCORES] = 2e-2, [ICSEG_PARITY_OPEN_LABELS] = 5e-2,
};

void icseg_parity_result_widen(icseg_parity_result *result) {
    for (int i = 0; i < ICSEG_PARITY_GROUPS; i++) result[i].bound = bf16_bounds[i];
}

void icseg_parity_result_open(icseg_parity_result *result) { memcpy(result, groups, sizeof groups); }

void icseg_parity_record(icseg_parity_result *r, const char *name, double difference) {
    r->compared++;
    if (!(difference <= r->bound)) r->failed++; /* NaN fails */
    if (r->compared > 1 && difference <= r->worst) return;
    r->worst = difference;
    snprintf(r->worst_name, sizeof r->worst_name, "%s", name);
}

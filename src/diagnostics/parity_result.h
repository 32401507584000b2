/* SPDX-License-Identifier: Apache-2.0
 * The results of a comparison: icseg_parity_result (ICSEG_PARITY_GROUPS). */
#ifndef ICSEG_DIAGNOSTICS_PARITY_RESULT_H
#define ICSEG_DIAGNOSTICS_PARITY_RESULT_H

#include "icseg/parity.h"

/* Sets titles and the bounds of f32. */
void icseg_parity_result_open(icseg_parity_result *result);
/* Sets the bounds of bf16. */
void icseg_parity_result_widen(icseg_parity_result *result);
/* Records a difference, which fails if it is above the bound or NaN. */
void icseg_parity_record(icseg_parity_result *result, const char *name, double difference);

#endif

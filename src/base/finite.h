/* SPDX-License-Identifier: Apache-2.0
 * Detecting NaN and infinity. */
#ifndef ICSEG_BASE_FINITE_H
#define ICSEG_BASE_FINITE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether all `count` values are finite; the work is split between threads. */
bool icseg_all_finite(const float *values, int64_t count);

int64_t icseg_count_not_finite(const float *values, int64_t count);

/* The index of the first value that is NaN or infinite; `count` when there is none. */
int64_t icseg_first_not_finite(const float *values, int64_t count);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Products of signed with unsigned bytes in AMX's tiles, for the attention operator in INT8. */
#ifndef ICSEG_COMPUTE_REDUCED_BYTE_TILES_H
#define ICSEG_COMPUTE_REDUCED_BYTE_TILES_H

#include <stdint.h>

enum { ICSEG_BYTE_TILES = 3, ICSEG_BYTE_COLUMNS = 16 * ICSEG_BYTE_TILES };

/* sums (16, 48) = a b, over `steps` times 64 inner values, for the first 16 * tiles columns. a (steps, 16 rows, 64):
 * signed bytes. b (steps, 16, 48 columns, 4): unsigned bytes, four adjacent inner values of a column side by side. The
 * sums must fit 32 bits. The processor must support icseg_multiplier_amx_int8, and the thread must be between its
 * `begin` and `end`. */
void icseg_byte_tiles_multiply(const char *a, const char *b, int64_t steps, int tiles, int32_t *sums);

#endif

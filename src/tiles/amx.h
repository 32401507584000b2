/* SPDX-License-Identifier: Apache-2.0
 * The tile registers of x86 processors with AMX: blocks of 32 x 32 sums of products of split numbers (tiles/split.h).
 */
#ifndef ICSEG_TILES_AMX_H
#define ICSEG_TILES_AMX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A tile has 16 rows of 64 bytes: 32 bf16 values, or 16 sums. A block is two tiles by two. */
enum {
    ICSEG_TILE_ROWS = 16,
    ICSEG_TILE_INNER = 32,
    ICSEG_TILE_BYTES = 1024,
    ICSEG_BLOCK = 32,                        /* rows and columns of a block */
    ICSEG_STEP_BYTES = 4 * ICSEG_TILE_BYTES, /* what one step reads of each side: two tiles, high and low parts */
    ICSEG_ROW_BYTES = 2 * ICSEG_TILE_INNER   /* a row of a panel: 32 values of one part */
};

/* Whether processor and kernel offer tiles for bf16; asks the kernel for them when first called. */
bool icseg_amx_there(void);

/* Between these two calls the thread's tile registers are ours. */
void icseg_amx_begin(void);
void icseg_amx_end(void);

/* A block of sums over `steps` steps of 32 inner values: a_high b_high + a_high b_low + a_low b_high.
 * a: rows of ICSEG_ROW_BYTES, 32 of them at a + from[step] (high parts) and low bytes further on (low parts);
 * b: ICSEG_STEP_BYTES for each step, packed by icseg_split_pack; sums: (32, 32), 64-byte aligned. */
void icseg_amx_block(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, float *sums);

/* Splits `rows` rows of `in` values (x NULL: zeros). Of each, 32 values make row r of a panel: their high parts at
 * `to`, low parts `low` bytes further on, the next 32 values `next` bytes further on. What the last panel lacks is 0.
 */
void icseg_amx_split(const float *x, int64_t rows, int64_t in, char *to, size_t low, size_t next);

#endif

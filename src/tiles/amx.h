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
    ICSEG_TILE_INNER = 32,
    ICSEG_TILE_BYTES = 1024,
    ICSEG_ROW_BYTES = 64,
    ICSEG_BLOCK = 32,                       /* rows and columns of a block */
    ICSEG_PART_BYTES = 2 * ICSEG_TILE_BYTES /* one part of 32 rows (a) or columns (b) of 32 values */
};

/* Whether processor and kernel offer tiles for bf16; asks the kernel for them when first called. */
bool icseg_amx_there(void);

/* Between these two calls the thread's tile registers are ours. */
void icseg_amx_begin(void);
void icseg_amx_end(void);

/* A block of sums over `steps` steps of 32 inner values. Numbers have two parts, high and low, or three; the products
 * are high high, high low, low high; of three parts also middle middle, high low, low high.
 * a: 32 rows of ICSEG_ROW_BYTES at a + from[step], the next part `part` bytes further on; b: of each step all parts,
 * ICSEG_PART_BYTES each, made by icseg_amx_split of packed weights; sums: (32, 32), 64-byte aligned. */
void icseg_amx_block(int parts, const char *a, size_t part, const size_t *from, const char *b, int64_t steps,
                     float *sums);

/* Splits `rows` rows of `in` values (x NULL: zeros). Of each, 32 values make row r of a panel: their first parts at
 * `to`, the next `part` bytes further on; the next 32 values `next` bytes further on. What the last panel lacks is 0.
 */
void icseg_amx_split(int parts, const float *x, int64_t rows, int64_t in, char *to, size_t part, size_t next);

#endif

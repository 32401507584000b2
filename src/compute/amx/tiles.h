/* SPDX-License-Identifier: Apache-2.0
 * The tile registers of x86 processors with AMX: blocks of 32 x 32 sums of products of split numbers
 * (compute/amx/product.h).
 */
#ifndef ICSEG_COMPUTE_AMX_TILES_H
#define ICSEG_COMPUTE_AMX_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A tile has 16 rows of 64 bytes: 32 bf16 or 64 int8 values, or 16 sums. A block is two tiles by two. A panel holds the
 * 32 bf16 or 64 int8 values of many rows, one row behind the other. */
enum {
    ICSEG_ROW_BYTES = 64,
    ICSEG_TILE_ROWS = 16,
    ICSEG_TILE_BYTES = ICSEG_TILE_ROWS * ICSEG_ROW_BYTES,
    ICSEG_BLOCK = 32 /* rows and columns of a block */
};

/* Whether processor and kernel offer tiles for bf16 and int8; asks the kernel for them when first called. */
bool icseg_amx_available(void);

/* Between these two calls the thread's tile registers are ours. */
void icseg_amx_begin(void);
void icseg_amx_end(void);

/* A block of sums over `steps` steps, each a panel's width of inner values: rows of a at a + from[step], columns of b
 * as tiles, two a step, in which pairs (bf16) or fours (int8) of inner values of a column lie together. bf16x2: a_high
 * b_high + a_high b_low + a_low b_high; a's low parts lie `low` bytes further on, b has four tiles a step, high parts
 * first. sums: f32 (bf16x2) or int32 (int8), (32, 32), 64-byte aligned. */
void icseg_amx_block_bf16x2(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, float *sums);
void icseg_amx_block_int8(const char *a, const size_t *from, const char *b, int64_t steps, int32_t *sums);

/* `rows` rows of `in` values (x NULL: zeros) become row r of panels at `to`, `next` bytes from one panel to the next.
 * What the last panel lacks is 0. Split: high parts, low parts `low` bytes further on. Quantised: the integers nearest
 * to x / unit, from -128 to 127. */
void icseg_amx_split(const float *x, int64_t rows, int64_t in, char *to, size_t low, size_t next);
void icseg_amx_quantise(const float *x, int64_t rows, int64_t in, float unit, char *to, size_t next);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The tile registers of x86 processors with AMX: blocks of 32 x 32 sums of products. */
#ifndef ICSEG_COMPUTE_AMX_TILES_H
#define ICSEG_COMPUTE_AMX_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A tile has 16 rows of 64 bytes: 32 bf16 values, 64 int8 values, or 16 sums. A block is two tiles by two. A panel
 * holds 32 bf16 or 64 int8 values of each of many rows, row after row. */
enum {
    ICSEG_ROW_BYTES = 64,
    ICSEG_TILE_ROWS = 16,
    ICSEG_TILE_BYTES = ICSEG_TILE_ROWS * ICSEG_ROW_BYTES,
    ICSEG_BLOCK = 32 /* rows and columns of a block */
};

/* Whether processor and operating system support tiles of bf16 and int8. The first call requests them from Linux. */
bool icseg_amx_available(void);

/* The thread's tile registers may be used between these two calls. */
void icseg_amx_begin(void);
void icseg_amx_end(void);

/* Computes a block of sums over `steps` steps; a step is a panel's width of inner values. Rows of a are at a +
 * from[step]. Columns of b are tiles, two a step, in which pairs (bf16) or groups of four (int8) of a column's inner
 * values are adjacent. bf16x2 computes a_high b_high + a_high b_low + a_low b_high: the low parts of a are `low` bytes
 * after the high ones, and b has four tiles a step, high parts first. sums (32, 32): f32 (bf16x2) or int32 (int8),
 * 64-byte aligned. */
void icseg_amx_block_bf16x2(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, float *sums);
void icseg_amx_block_int8(const char *a, const size_t *from, const char *b, int64_t steps, int32_t *sums);

/* Converts `rows` rows of `in` values (x NULL: zeros) to rows of panels at `to`, which are `next` bytes apart. The last
 * panel is padded with 0. split writes the high parts, and the low parts `low` bytes after them. quantise writes the
 * integers nearest to x / unit, clamped to -128..127. */
void icseg_amx_split(const float *x, int64_t rows, int64_t in, char *to, size_t low, size_t next);
void icseg_amx_quantise(const float *x, int64_t rows, int64_t in, float unit, char *to, size_t next);

#endif

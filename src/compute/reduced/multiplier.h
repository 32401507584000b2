/* SPDX-License-Identifier: Apache-2.0
 * Blocks of 32 x 32 sums of products in reduced precision: one set of functions for each kind of processor. */
#ifndef ICSEG_COMPUTE_REDUCED_MULTIPLIER_H
#define ICSEG_COMPUTE_REDUCED_MULTIPLIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compute/backend/shapes.h"

/* A panel holds some inner values of each of many rows of x, row after row: 64 bytes of a row. Weights are tiles: 16
 * rows of 16 columns, of which each has 4 bytes, adjacent inner values. (Paired tiles: 8 rows, 8 bytes.) A block is 32
 * rows of x times two tiles. */
enum {
    ICSEG_ROW_BYTES = 64,
    ICSEG_TILE_ROWS = 16,
    ICSEG_TILE_BYTES = ICSEG_TILE_ROWS * ICSEG_ROW_BYTES,
    ICSEG_BLOCK = 32 /* rows and columns of a block */
};

typedef struct icseg_multiplier {
    const char *name;
    icseg_product_precision precision;
    int64_t inner;     /* values in a row of a panel */
    int64_t parts;     /* of a value: 2 in BF16X2 (high and low), 1 in INT8 */
    bool centred;      /* INT8: panels hold each byte minus the zero point in 16 bits; otherwise, the byte itself */
    bool from_128;     /* INT8: panels hold each byte minus 128, as a signed byte */
    bool paired;       /* tiles are paired */
    bool convolutions; /* 3x3 convolutions are faster than in f32, where Winograd's algorithm saves most products */
    bool (*supported)(void); /* by processor and operating system */

    /* A thread calls `convert` and `multiply` between these two; NULL: nothing is needed. */
    void (*begin)(void), (*end)(void);

    /* Converts `rows` rows of `in` values (x NULL: zeros) to rows of panels at `to`, which are `next` bytes apart. The
     * last panel is padded with zeros. BF16X2: the high parts, and the low parts `low` bytes after them. */
    void (*convert)(const float *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t low, size_t next);

    /* INT8: the same for x of bytes that are quantised already; x is not NULL. */
    void (*copy)(const uint8_t *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t next);

    /* Computes a block of sums over `steps` steps; a step is a panel's width of inner values. Rows of a are at a +
     * from[step]. b has two tiles a step; in BF16X2 four, high parts first, and the result is a_high b_high + a_high
     * b_low + a_low b_high. sums (32, 32): f32 (BF16X2) or int32 (INT8), 64-byte aligned. */
    void (*multiply)(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, void *sums);
} icseg_multiplier;

/* The fastest ones that this processor supports; NULL: none. */
const icseg_multiplier *icseg_multiplier_find(icseg_product_precision precision);

/* All of them, the fastest first; NULL after the last. */
extern const icseg_multiplier *const icseg_multipliers[];

extern const icseg_multiplier icseg_multiplier_amx_bf16x2, icseg_multiplier_amx_int8;
extern const icseg_multiplier icseg_multiplier_avx512_vnni, icseg_multiplier_avx_vnni, icseg_multiplier_avx2;
extern const icseg_multiplier icseg_multiplier_neon_i8mm, icseg_multiplier_neon_dotprod, icseg_multiplier_neon;

#endif

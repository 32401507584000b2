/* SPDX-License-Identifier: Apache-2.0
 * Products of two panels, whose sums stay in registers, for processors with 32 vector registers of 128 bits. */
#ifndef ICSEG_COMPUTE_DENSE_KERNEL_H
#define ICSEG_COMPUTE_DENSE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/* The sums of a tile fill 24 registers; 3 + 2 hold values of a and b. */
enum {
    ICSEG_DENSE_ROWS = 12,   /* lines of a's panels */
    ICSEG_DENSE_COLUMNS = 8, /* lines of b's panels */
    ICSEG_DENSE_TILE = ICSEG_DENSE_ROWS * ICSEG_DENSE_COLUMNS
};

typedef struct icseg_dense_kernel {
    const char *name;
    bool bf16;               /* panels hold bf16, otherwise f32 */
    int64_t group;           /* adjacent inner values of a line in a panel */
    bool (*supported)(void); /* by the processor */

    /* tile (12, 8) = or += a b, over n inner values, a whole number of groups. */
    void (*multiply)(const void *a, const void *b, int64_t n, bool add, float *tile);
} icseg_dense_kernel;

extern const icseg_dense_kernel icseg_dense_kernel_f32;  /* plain C */
extern const icseg_dense_kernel icseg_dense_kernel_bf16; /* bfmmla */

/* Writes four numbers of each of four rows as columns of `to`, whose rows are `pitch` numbers apart. */
void icseg_dense_transpose(const float *a, const float *b, const float *c, const float *d, float *to, int64_t pitch);

#endif

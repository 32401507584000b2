/* SPDX-License-Identifier: Apache-2.0
 * f32 products of rows with a panel of columns, for each instruction set. */
#ifndef ICSEG_COMPUTE_PANELS_KERNEL_H
#define ICSEG_COMPUTE_PANELS_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

enum { ICSEG_PANELS_ROWS = 12, ICSEG_PANELS_COLUMNS = 32 }; /* of a block and of a panel, at most */

/* out = a b + bias, or out + a b + bias; then max(0, .) if relu. */
typedef struct icseg_panels_block {
    const float *a;    /* (rows, inner) */
    const float *b;    /* (inner, columns of a panel) */
    const float *bias; /* (columns of a panel), or NULL */
    float *out;        /* rows are out_pitch numbers apart */
    int64_t inner, out_pitch;
    bool accumulate, relu;
    /* Memory that later blocks read. For each inner value, one line of each part is prefetched, `step` bytes after the
     * last one. */
    struct icseg_panels_later {
        const char *from;
        int64_t step;
    } later[2];
} icseg_panels_block;

typedef struct icseg_panels_kernel {
    const char *name;
    bool (*supported)(void); /* by the processor */
    int64_t rows, columns;   /* of a block, at most; of a panel */
    /* rows: 1 to `rows`. A sum adds its products in order; its bits do not depend on the rows of its block. */
    void (*multiply)(const icseg_panels_block *block, int64_t rows);
} icseg_panels_kernel;

extern const icseg_panels_kernel *const icseg_panels_kernels[]; /* the fastest first; NULL after the last */
const icseg_panels_kernel *icseg_panels_kernel_find(void);      /* for this processor */

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The matrix products of Winograd's convolution. Other products read one operand in the order in which a model stores
 * it. Here the transforms write both, so that nothing has to be copied; the matrices of a convolution, which the
 * third-level cache holds, are loaded into the inner caches before they are needed. */
#ifndef ICSEG_GRAPH_OPS_WINOGRAD_PRODUCT_H
#define ICSEG_GRAPH_OPS_WINOGRAD_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

/* Some rows of a product times one panel of columns. */
typedef struct icseg_winograd_block {
    const float *a; /* (rows, inner) */
    const float *b; /* (inner, columns of a panel) */
    float *out;     /* rows are out_pitch numbers apart */
    int64_t inner, out_pitch;
    /* Memory that later blocks read. For each inner value, one line of each part is prefetched, `step` bytes after the
     * last one. */
    struct icseg_winograd_later {
        const char *from;
        int64_t step;
    } later[2];
} icseg_winograd_block;

typedef struct icseg_winograd_kernel {
    const char *name;
    bool (*supported)(void); /* by the processor */
    int64_t rows, columns;   /* of a block, at most; of a panel, at most ICSEG_WINOGRAD_COLUMNS */
    /* rows: of this block, a multiple of ICSEG_WINOGRAD_ROWS. Each sum adds its products in order, whatever `rows` is.
     */
    void (*multiply)(const icseg_winograd_block *block, int64_t rows);
} icseg_winograd_kernel;

enum { ICSEG_WINOGRAD_ROWS = 4, ICSEG_WINOGRAD_COLUMNS = 32 };

extern const icseg_winograd_kernel *const icseg_winograd_kernels[]; /* the fastest first; NULL after the last */
const icseg_winograd_kernel *icseg_winograd_kernel_find(void);      /* for this processor */

/* out (matrices, pitch_rows, out_pitch) = a (matrices, pitch_rows, inner) b (matrices, panels, inner, columns of a
 * panel), for the first `rows` of the rows. The last panel writes all of its columns. */
typedef struct icseg_winograd_product {
    const icseg_winograd_kernel *kernel;
    int64_t matrices, rows, pitch_rows; /* rows: a multiple of ICSEG_WINOGRAD_ROWS */
    int64_t inner, panels, out_pitch;
} icseg_winograd_product;

/* The bits do not depend on the number of threads. */
void icseg_winograd_multiply(const icseg_winograd_product *product, const float *a, const float *b, float *out);

#endif

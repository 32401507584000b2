/* SPDX-License-Identifier: Apache-2.0
 * What follows the sums of a product, in one pass: scales, bias, residual, activation, quantisation. */
#ifndef ICSEG_COMPUTE_REDUCED_FINISH_H
#define ICSEG_COMPUTE_REDUCED_FINISH_H

#include "compute/backend/shapes.h"
#include "compute/reduced/multiplier.h"

/* For 32 output channels; those that do not exist have any finite values. */
typedef struct icseg_finish {
    bool integers;               /* sums are int32: (sum - excess) * scale is the product. Otherwise f32 */
    int32_t excess[ICSEG_BLOCK]; /* what the zero point of x adds to the sums */
    float scale[ICSEG_BLOCK];    /* of x times that of the weights */
    float bias[ICSEG_BLOCK];
    const icseg_primitive_options *options; /* accumulate, residual, activation, out and their quantisations */
} icseg_finish;

/* Writes rows of `columns` <= 32 values to `out`, `stride` elements apart. sums (rows, 32), 64-byte aligned. residual:
 * like out; NULL unless the options say so. */
void icseg_finish_rows(const icseg_finish *f, const void *sums, int64_t rows, int64_t columns, const void *residual,
                       void *out, int64_t stride);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * What follows the sums of a product, in one pass: scales, bias, residual, activation, quantisation. */
#ifndef ICSEG_COMPUTE_REDUCED_FINISH_H
#define ICSEG_COMPUTE_REDUCED_FINISH_H

#include "compute/backend/shapes.h"
#include "compute/reduced/multiplier.h"

enum { ICSEG_SOURCES = 2 }; /* tensors of which x consists, at most */

/* For 32 output channels; those that do not exist have any finite values. */
typedef struct icseg_finish {
    bool integers; /* sums are int32: (sum - excess) * scale is the product with a source of x. Otherwise f32 */
    int32_t excess[ICSEG_SOURCES][ICSEG_BLOCK]; /* what the zero point of the source adds to the sums */
    float scale[ICSEG_SOURCES][ICSEG_BLOCK];    /* of the source times that of its weights */
    float bias[ICSEG_BLOCK];
    const icseg_primitive_options *options; /* accumulate, residual, activation, out and their quantisations */
} icseg_finish;

/* The f32 sums (32, 32) of two sources from their integers. All are 64-byte aligned and do not overlap. */
void icseg_finish_join(const icseg_finish *f, const int32_t *first, const int32_t *second, float *sums);

/* Writes rows of `columns` <= 32 values to `out`, `stride` elements apart. sums (rows, 32), 64-byte aligned; integers
 * are those of the first source. residual: like out; NULL unless the options say so. */
void icseg_finish_rows(const icseg_finish *f, const void *sums, int64_t rows, int64_t columns, const void *residual,
                       void *out, int64_t stride);

#endif

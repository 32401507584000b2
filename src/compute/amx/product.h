/* SPDX-License-Identifier: Apache-2.0
 * Linear maps and 3x3 convolutions of f32 tensors by the tile registers of processors with AMX, which multiply bf16 ten
 * times as fast as f32 and int8 twenty times. What is read and written is f32.
 *
 * BF16X2: each number as the sum of two bf16, x = high + low + e with |e| <= 2^-17 |x|, and a b = a_high b_high +
 * a_high b_low + a_low b_high, summed in f32. Of a sum of products the error is 4e-6 (root of the mean square, relative
 * to the root of the sum of squares). INT8: numbers as multiples of a unit: for x one unit, a 127th of its range in a
 * calibration, from -128 to 127 of them; for weights one for each output channel, from -127 to 127. Sums are exact.
 *
 * Infinities in x become NaN (BF16X2); of INT8 NaN becomes the largest number and infinities the nearest, and only
 * weights that are not finite show in the results. Results do not depend on the number of threads. */
#ifndef ICSEG_COMPUTE_AMX_PRODUCT_H
#define ICSEG_COMPUTE_AMX_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tensor/activation.h"

typedef enum icseg_tiles_kind { ICSEG_TILES_NONE, ICSEG_TILES_BF16X2, ICSEG_TILES_INT8 } icseg_tiles_kind;

/* How weights (out, kernel, kernel, in) lie, 3x3 taps `in` apart: all that packed weights depend on. */
typedef struct icseg_tiles_weights {
    icseg_tiles_kind kind;
    int64_t in, out;
    int64_t kernel;            /* 1, or 3 with a border of zeros around x */
    int64_t next_out, next_in; /* elements from one output channel to the next, from one input channel to the next */
} icseg_tiles_weights;

/* x (images, height, width, in), dense -> out (images, height, width, out), dense. */
typedef struct icseg_tiles_shape {
    int64_t images, height, width;
    icseg_tiles_weights weights;
    float range;     /* INT8: values of x from -range to range are told apart, others are taken for the nearest */
    bool accumulate; /* adds to what `out` holds, before the activation */
    icseg_activation activation;
} icseg_tiles_shape;

/* Whether this processor can, and would gain. */
bool icseg_tiles_pays(const icseg_tiles_shape *shape);

typedef struct icseg_tiles icseg_tiles;
icseg_status icseg_tiles_open(icseg_tiles **out, const icseg_tiles_shape *shape, icseg_error *error);
void icseg_tiles_close(icseg_tiles **product);
size_t icseg_tiles_scratch(const icseg_tiles *product);

/* Weights packed, 4 bytes each (BF16X2) or 1 (INT8), with channels rounded up to whole tiles. */
size_t icseg_tiles_packed_size(const icseg_tiles *product);
void icseg_tiles_pack(const icseg_tiles *product, const float *weights, void *packed);
icseg_tiles_weights icseg_tiles_layout(const icseg_tiles *product);
bool icseg_tiles_same_weights(icseg_tiles_weights a, icseg_tiles_weights b);

/* bias (out) may be NULL. scratch: 64-byte aligned. Not inside an `omp parallel` region. */
void icseg_tiles_run(const icseg_tiles *product, const float *x, const void *packed, const float *bias, float *out,
                     void *scratch);

#endif

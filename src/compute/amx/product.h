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

typedef enum icseg_product_precision {
    ICSEG_PRODUCT_F32,
    ICSEG_PRODUCT_BF16X2,
    ICSEG_PRODUCT_INT8
} icseg_product_precision;

/* How weights (out, kernel, kernel, in) lie, 3x3 taps `in` apart: all that packed weights depend on. */
typedef struct icseg_amx_weights {
    icseg_product_precision kind;
    int64_t in, out;
    int64_t kernel;            /* 1, or 3 with a border of zeros around x */
    int64_t next_out, next_in; /* elements from one output channel to the next, from one input channel to the next */
} icseg_amx_weights;

/* x (images, height, width, in), dense -> out (images, height, width, out), dense. */
typedef struct icseg_amx_shape {
    int64_t images, height, width;
    icseg_amx_weights weights;
    float range;     /* INT8: values of x from -range to range are told apart, others are taken for the nearest */
    bool accumulate; /* adds to what `out` holds, before the activation */
    icseg_activation activation;
} icseg_amx_shape;

/* Whether this processor can, and would gain. */
bool icseg_amx_pays(const icseg_amx_shape *shape);

typedef struct icseg_amx_product icseg_amx_product;
icseg_status icseg_amx_product_open(icseg_amx_product **out, const icseg_amx_shape *shape, icseg_error *error);
void icseg_amx_product_close(icseg_amx_product **product);
size_t icseg_amx_product_scratch(const icseg_amx_product *product);

/* Weights packed, 4 bytes each (BF16X2) or 1 (INT8), with channels rounded up to whole tiles. */
size_t icseg_amx_product_packed_size(const icseg_amx_product *product);
void icseg_amx_product_pack(const icseg_amx_product *product, const float *weights, void *packed);
icseg_amx_weights icseg_amx_layout(const icseg_amx_product *product);
bool icseg_amx_same_weights(icseg_amx_weights a, icseg_amx_weights b);

/* bias (out) may be NULL. scratch: 64-byte aligned. Not inside an `omp parallel` region. */
void icseg_amx_product_run(const icseg_amx_product *product, const float *x, const void *packed, const float *bias,
                           float *out, void *scratch);

#endif

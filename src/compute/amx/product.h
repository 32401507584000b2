/* SPDX-License-Identifier: Apache-2.0
 * Linear layers and 3x3 convolutions of f32 tensors on processors with AMX, which multiply bf16 ten times as fast as
 * f32, and int8 twenty times. compute/backend/shapes.h defines the two precisions.
 *
 * In BF16X2, infinities in x become NaN. In INT8, NaN in x becomes the largest number and infinities are clamped; a
 * weight that is not finite makes the results of its output channel NaN. Results do not depend on the number of
 * threads. */
#ifndef ICSEG_COMPUTE_AMX_PRODUCT_H
#define ICSEG_COMPUTE_AMX_PRODUCT_H

#include "base/error.h"
#include "compute/backend/shapes.h"

/* The weights (out, kernel, kernel, in), kernel positions `in` elements apart: their packed form depends on nothing
 * else. */
typedef struct icseg_amx_weights {
    icseg_product_precision kind;
    int64_t in, out;
    int64_t kernel;                /* 1, or 3 with a border of zeros around x */
    int64_t out_stride, in_stride; /* elements between output channels, between input channels */
} icseg_amx_weights;

/* x (images, height, width, in), dense -> out (images, height, width, out), dense. */
typedef struct icseg_amx_shape {
    int64_t images, height, width;
    icseg_amx_weights weights;
    float range;     /* INT8: values of x outside -range to range are clamped */
    bool accumulate; /* adds to the contents of `out`, before the activation */
    icseg_activation activation;
} icseg_amx_shape;

/* Whether this processor supports the product and computes it faster than in f32. */
bool icseg_amx_is_faster(const icseg_amx_shape *shape);

typedef struct icseg_amx_product icseg_amx_product;
icseg_status icseg_amx_product_open(icseg_amx_product **out, const icseg_amx_shape *shape, icseg_error *error);
void icseg_amx_product_close(icseg_amx_product **product);
size_t icseg_amx_product_scratch(const icseg_amx_product *product);

/* A packed weight takes 4 bytes (BF16X2) or 1 (INT8); channels are rounded up to whole tiles. */
size_t icseg_amx_product_packed_size(const icseg_amx_product *product);
void icseg_amx_product_pack(const icseg_amx_product *product, const float *weights, void *packed);
icseg_amx_weights icseg_amx_layout(const icseg_amx_product *product);
bool icseg_amx_same_weights(icseg_amx_weights a, icseg_amx_weights b);

/* bias (out) may be NULL. scratch is 64-byte aligned. Do not call it inside an `omp parallel` region. */
void icseg_amx_product_run(const icseg_amx_product *product, const float *x, const void *packed, const float *bias,
                           float *out, void *scratch);

#endif

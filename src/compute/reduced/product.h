/* SPDX-License-Identifier: Apache-2.0
 * Linear layers and 3x3 convolutions of f32 tensors in reduced precision. AMX multiplies bf16 ten times as fast as f32
 * and int8 twenty times, VNNI int8 four times, AVX2 nearly twice. compute/backend/shapes.h defines the two precisions.
 *
 * In BF16X2, infinities in x become NaN. In INT8, NaN in x becomes the largest number and infinities are clamped; a
 * weight that is not finite makes the results of its output channel NaN, or the largest byte. Results do not depend on
 * the number of threads. */
#ifndef ICSEG_COMPUTE_REDUCED_PRODUCT_H
#define ICSEG_COMPUTE_REDUCED_PRODUCT_H

#include "base/error.h"
#include "compute/backend/shapes.h"
#include "compute/reduced/multiplier.h"

/* The weights (out, kernel, kernel, in), kernel positions `in` elements apart: their packed form
 * depends on nothing else. */
typedef struct icseg_reduced_weights {
    const icseg_multiplier *multiplier; /* how they are multiplied; NULL: not on this processor */
    int64_t in, out;
    int64_t kernel;                /* 1, or 3 with a border of zeros around x */
    int64_t out_stride, in_stride; /* elements between output channels, between input channels */
    icseg_input_means means;       /* of x; without values: biases are not corrected */
    int64_t second;                /* INT8: the last channels of `in` that are in a second tensor, with a kernel of 1 */
} icseg_reduced_weights;

/* x (images, height, width, in), dense, or in two such tensors that divide the channels -> out (images, height, width,
 * out), dense. */
typedef struct icseg_reduced_shape {
    int64_t images, height, width;
    icseg_reduced_weights weights;
    icseg_primitive_options options; /* not: precision, pack, bias */
} icseg_reduced_shape;

/* Whether the product is supported and faster than in f32. */
bool icseg_reduced_is_faster(const icseg_reduced_shape *shape);

typedef struct icseg_reduced_product icseg_reduced_product;
icseg_status icseg_reduced_product_open(icseg_reduced_product **out, const icseg_reduced_shape *shape,
                                        icseg_error *error);
void icseg_reduced_product_close(icseg_reduced_product **product);
size_t icseg_reduced_product_scratch(const icseg_reduced_product *product);

/* A packed weight takes 4 bytes (BF16X2) or 1 (INT8); channels are rounded up to whole tiles. Packing returns whether
 * INT8 can use the weights: they are finite. */
size_t icseg_reduced_product_packed_size(const icseg_reduced_product *product);
bool icseg_reduced_product_pack(const icseg_reduced_product *product, const float *weights, void *packed);
icseg_reduced_weights icseg_reduced_layout(const icseg_reduced_product *product);
bool icseg_reduced_same_weights(icseg_reduced_weights a, icseg_reduced_weights b);

/* The operands a (x), second, b (packed), bias, which may be NULL, residual and out. scratch is 64-byte aligned. Do not
 * call it inside an `omp parallel` region. */
void icseg_reduced_product_run(const icseg_reduced_product *product, icseg_operands operands, void *scratch);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Convolutions and matrix products in f32 or of bf16 operands with f32 sums: by oneDNN, or as products of our own on
 * tiles (src/tiles). Only src/dnnl includes <dnnl.h>.
 *
 * A primitive belongs to one shape and one thread at a time, keeps no tensors, and works in scratch memory that the
 * caller lends it. It must not be run inside an `omp parallel` region: oneDNN gives wrong results or hangs there, so
 * icseg_primitive_run refuses. */
#ifndef ICSEG_COMPUTE_PRIMITIVE_H
#define ICSEG_COMPUTE_PRIMITIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tensor/dtype.h"
#include "compute/amx/product.h"

typedef struct icseg_primitive icseg_primitive;

/* x (batch, height, width, in), weights (out, kernel, kernel, in) -> (batch, out_height, out_width, out). */
typedef struct icseg_conv_shape {
    int64_t batch, height, width, in, out, kernel_height, kernel_width, stride, padding, out_height, out_width;
} icseg_conv_shape;

/* out = a b over two batch axes; strides are elements from one (outer batch, inner batch, row, column) to the next. */
typedef struct icseg_matmul_shape {
    int64_t batch[2]; /* 1 where there is none */
    int64_t rows, inner, columns;
    int64_t a_stride[4], b_stride[4], out_stride[4]; /* a (.., rows, inner), b (.., inner, columns) */
} icseg_matmul_shape;

typedef struct icseg_primitive_options {
    bool bias;                   /* adds a vector of the output channels or columns */
    bool accumulate;             /* adds to what `out` holds: gradients in parts, residual connections */
    icseg_activation activation; /* last of all */
    icseg_product_precision
        precision;       /* how to multiply on tiles, where that pays: forward, of f32 (compute/amx/product.h) */
    float range;         /* of a or x, for ICSEG_PRODUCT_INT8; 0: not known, so not on tiles */
    bool pack;           /* matmul: b in the layout the primitive likes best (a convolution's weights always are) */
    icseg_dtype in, out; /* of the operands a and b, and of the result: ICSEG_F32, or ICSEG_BF16 where in is BF16. A b
                            that is packed is given in f32; bias and gradients of weights are always f32 */
} icseg_primitive_options;

/* What this processor does in bf16. Below ICSEG_BF16_FAST primitives of bf16 are slower than those of f32; where there
 * is none, opening one fails. */
typedef enum icseg_bf16_support {
    ICSEG_BF16_NONE,
    ICSEG_BF16_EMULATED, /* AVX-512 without instructions for it */
    ICSEG_BF16_FAST,     /* AVX512_BF16: twice the rate of f32, so less than Winograd gains */
    ICSEG_BF16_AMX       /* AMX: eight times and more */
} icseg_bf16_support;
icseg_bf16_support icseg_compute_bf16(void);

/* Whether a convolution forward with these options is a product on tiles. */
bool icseg_conv_in_precision(const icseg_conv_shape *shape, icseg_primitive_options options);

icseg_status icseg_conv_forward_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                     icseg_primitive_options options, icseg_error *error);
/* Of the options only `in` and `out` apply. */
icseg_status icseg_conv_backward_data_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                           icseg_primitive_options options, icseg_error *error);
icseg_status icseg_conv_backward_weights_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                              icseg_primitive_options options, icseg_error *error);
icseg_status icseg_matmul_open(icseg_primitive **out, const icseg_matmul_shape *shape, icseg_primitive_options options,
                               icseg_error *error);
void icseg_primitive_close(icseg_primitive **primitive);

/* oneDNN's name of the implementation, or "tiles"; one with "ref" in it is a hundred times too slow. */
const char *icseg_primitive_implementation(const icseg_primitive *primitive);
size_t icseg_primitive_scratch(const icseg_primitive *primitive); /* bytes lent to each run, 64-byte aligned */

/* What the operands are:  forward x, weights, bias -> y;  backward data dy, weights -> dx;
 * backward weights x, dy -> dweights;  matmul a, b, bias -> out. */
typedef struct icseg_operands {
    const void *a;
    const void *b; /* packed when icseg_primitive_packed_size is not 0 */
    const float *bias;
    void *out;
} icseg_operands;
icseg_status icseg_primitive_run(icseg_primitive *primitive, icseg_operands operands, void *scratch,
                                 icseg_error *error);

/* Bytes of the packed second operand; 0: it is taken as it is. */
size_t icseg_primitive_packed_size(const icseg_primitive *primitive);
icseg_status icseg_primitive_pack(const icseg_primitive *primitive, const float *plain, void *packed,
                                  icseg_error *error);

/* Packed copies of one tensor, one for each layout that some primitive needs; shared by all primitives. *list is NULL
 * at first. A copy is made when first asked for, and again when the version differs from the one it was made of. One
 * thread at a time may call icseg_packed_get; others may search the list meanwhile if they pass the same version. */
typedef struct icseg_packed icseg_packed;
icseg_status icseg_packed_get(icseg_packed *_Atomic *list, const icseg_primitive *primitive, const float *plain,
                              uint64_t version, const void **packed, icseg_error *error);
/* The copy of this version if there is one, else NULL. */
const void *icseg_packed_find(const icseg_packed *list, const icseg_primitive *primitive, uint64_t version);
void icseg_packed_free(icseg_packed *list);

typedef struct icseg_packed_summary {
    int64_t layouts, packings; /* copies kept; times one was made */
    size_t bytes;
} icseg_packed_summary;
icseg_packed_summary icseg_packed_count(const icseg_packed *list);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The shapes, options and operands of primitives: convolutions and matrix products. */
#ifndef ICSEG_COMPUTE_BACKEND_SHAPES_H
#define ICSEG_COMPUTE_BACKEND_SHAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/activation.h"
#include "tensor/dtype.h"
#include "tensor/quantization.h"

/* x (batch, height, width, in), weights (out, kernel_height, kernel_width, in) -> (batch, out_height, out_width,
 * out). */
typedef struct icseg_conv_shape {
    int64_t batch, height, width, in, out, kernel_height, kernel_width, stride, padding, out_height, out_width;
} icseg_conv_shape;

/* out = a b over two batch axes; strides are elements from one (outer batch, inner batch, row, column) to the next. */
typedef struct icseg_matmul_shape {
    int64_t batch[2]; /* 1 for an axis that is not used */
    int64_t rows, inner, columns;
    int64_t a_stride[4], b_stride[4], out_stride[4]; /* a (.., rows, inner), b (.., inner, columns) */
} icseg_matmul_shape;

/* How f32 operands are multiplied; tensors stay f32.
 *
 * BF16X2 (split bf16): each number is the sum of two bf16, x = high + low + e with |e| <= 2^-17 |x|, and a b = a_high
 * b_high + a_high b_low + a_low b_high, summed in f32. The error of a sum of products is 4e-6 (root mean square,
 * relative to the root of the sum of squares).
 *
 * INT8: x is quantised to bytes. Weights have one scale for each output channel, with multiples from -127 to 127. Sums
 * are exact. Attention quantises its operands itself (graph/ops/attention_int8.h). */
typedef enum icseg_product_precision {
    ICSEG_PRODUCT_F32,
    ICSEG_PRODUCT_BF16X2,
    ICSEG_PRODUCT_INT8
} icseg_product_precision;

/* INT8: the means of x's channels on typical data. Rounding the weights changes the mean of an output channel by the
 * sum of means times (rounded weight - weight), which is subtracted from its bias. */
typedef struct icseg_input_means {
    const float *values; /* NULL: biases are not corrected */
    int64_t count;       /* of x's channels; another number is ignored */
    uint64_t hash;       /* of the values: packed weights depend on them */
} icseg_input_means;

/* INT8: the last of x's channels are in a tensor of their own, (batch, height, width, channels), which has its own
 * quantisation. Weights have one scale for each output channel and tensor. Of 1x1 convolutions, if
 * icseg_conv_reduces_precision says so. */
typedef struct icseg_second_input {
    int64_t channels; /* 0: there is none */
    icseg_dtype type; /* ICSEG_F32 or ICSEG_U8 */
    icseg_quantization bytes;
} icseg_second_input;

typedef struct icseg_primitive_options {
    bool bias;                         /* adds a vector over the output channels or columns */
    bool accumulate;                   /* adds to the contents of `out`: partial gradients, residual connections */
    bool residual;                     /* adds an operand; INT8 only */
    icseg_activation activation;       /* applied last */
    icseg_product_precision precision; /* forward, of f32; F32 is used when this is not supported or not faster */
    bool pack; /* matmul: b in the layout that the primitive prefers (as a convolution's weights always are) */
    icseg_dtype in, out; /* of the operands a and b, and of the result: ICSEG_F32, or ICSEG_BF16 if `in` is BF16. A
                            packed b is given in f32; bias and gradients of weights are always f32. In INT8, a and the
                            result may be ICSEG_U8 */
    icseg_input_means in_means;
    icseg_second_input second;
    icseg_dtype residual_type;                              /* ICSEG_F32 or ICSEG_U8 */
    icseg_quantization in_bytes, residual_bytes, out_bytes; /* INT8: of a, also if it is f32, and of U8 tensors. If the
                                                               scale of a is 0, F32 is used */
} icseg_primitive_options;

typedef enum icseg_primitive_kind {
    ICSEG_CONV_FORWARD,
    ICSEG_CONV_BACKWARD_DATA,
    ICSEG_CONV_BACKWARD_WEIGHTS,
    ICSEG_MATMUL
} icseg_primitive_kind;

typedef struct icseg_primitive_spec {
    icseg_primitive_kind kind;
    icseg_conv_shape conv;     /* of a convolution */
    icseg_matmul_shape matmul; /* of ICSEG_MATMUL */
    icseg_primitive_options options;
} icseg_primitive_spec;

/* The operands:  forward x, weights, bias -> y;  backward data dy, weights -> dx;
 * backward weights x, dy -> dweights;  matmul a, b, bias -> out. */
typedef struct icseg_operands {
    const void *a;
    const void *b; /* packed when icseg_primitive_packed_size is not 0 */
    const float *bias;
    const void *residual; /* like out */
    const void *second;   /* the last channels of a: see icseg_second_input */
    void *out;
} icseg_operands;

/* bf16 on this processor. Below FAST, primitives of bf16 are slower than those of f32; with NONE they fail to open. */
typedef enum icseg_bf16_support {
    ICSEG_BF16_NONE,
    ICSEG_BF16_EMULATED, /* AVX-512 or NEON without instructions for it */
    ICSEG_BF16_FAST,     /* AVX512_BF16 or ARM's bf16: twice the rate of f32, which is less than Winograd gains */
    ICSEG_BF16_AMX       /* AMX: eight times the rate of f32 and more */
} icseg_bf16_support;

#endif

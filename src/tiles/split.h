/* SPDX-License-Identifier: Apache-2.0
 * Linear maps and 3x3 convolutions of f32 tensors by split products: each number as the sum of two bf16, x = high + low
 * + e with |e| <= 2^-17 |x|, and a b = a_high b_high + a_high b_low + a_low b_high, summed in f32. Of a sum of products
 * the error is 4e-6 (root of the mean square, relative to the root of the sum of squares), as that of Winograd's
 * convolution in f32; a processor with AMX takes a quarter of the time of f32 products for it.
 *
 * Infinities become NaN. Results do not depend on the number of threads. */
#ifndef ICSEG_TILES_SPLIT_H
#define ICSEG_TILES_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tensor/activation.h"

/* How weights (out, kernel, kernel, in) lie, 3x3 taps `in` apart: all that packed weights depend on. */
typedef struct icseg_split_weights {
    int64_t in, out;
    int64_t kernel;            /* 1, or 3 with a border of zeros around x */
    int64_t next_out, next_in; /* elements from one output channel to the next, from one input channel to the next */
} icseg_split_weights;

/* x (images, height, width, in), dense -> out (images, height, width, out), dense. */
typedef struct icseg_split_shape {
    int64_t images, height, width;
    icseg_split_weights weights;
    bool accumulate; /* adds to what `out` holds, before the activation */
    icseg_activation activation;
} icseg_split_shape;

/* Whether this processor can, and would gain. */
bool icseg_split_pays(const icseg_split_shape *shape);

typedef struct icseg_split icseg_split;
icseg_status icseg_split_open(icseg_split **out, const icseg_split_shape *shape, icseg_error *error);
void icseg_split_close(icseg_split **split);
size_t icseg_split_scratch(const icseg_split *split);

/* Weights split and packed: 4 bytes each, with channels rounded up to whole tiles. */
size_t icseg_split_packed_size(const icseg_split *split);
void icseg_split_pack(const icseg_split *split, const float *weights, void *packed);
icseg_split_weights icseg_split_layout(const icseg_split *split);
bool icseg_split_same_layout(icseg_split_weights a, icseg_split_weights b);

/* bias (out) may be NULL. scratch: 64-byte aligned. Not inside an `omp parallel` region. */
void icseg_split_run(const icseg_split *split, const float *x, const void *packed, const float *bias, float *out,
                     void *scratch);

#endif

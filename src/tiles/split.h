/* SPDX-License-Identifier: Apache-2.0
 * Linear maps and 3x3 convolutions of f32 tensors by split products: each number as a sum of bf16 numbers, the products
 * of their parts summed in f32 by the tile registers of processors with AMX, which multiply bf16 ten times as fast as
 * f32.
 *
 * Three parts hold the 24 bits of an f32 number; six products (what is left out is below 2^-24) are as exact as f32's.
 * Two parts hold 16 bits; three products are off by 4e-6 (root of the mean square, relative to the root of the sum of
 * the squares of what is added).
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
    int parts;       /* 2 or 3 */
    bool accumulate; /* adds to what `out` holds, before the activation */
    icseg_activation activation;
} icseg_split_shape;

/* Whether this processor can, and would gain. */
bool icseg_split_pays(const icseg_split_shape *shape);

typedef struct icseg_split icseg_split;
icseg_status icseg_split_open(icseg_split **out, const icseg_split_shape *shape, icseg_error *error);
void icseg_split_close(icseg_split **split);
size_t icseg_split_scratch(const icseg_split *split);

/* Weights in the order of tiles, with channels rounded up to whole ones: f32, split anew by each run. */
size_t icseg_split_packed_size(const icseg_split *split);
void icseg_split_pack(const icseg_split *split, const float *weights, float *packed);
icseg_split_weights icseg_split_layout(const icseg_split *split);
bool icseg_split_same_layout(icseg_split_weights a, icseg_split_weights b);

/* bias (out) may be NULL. scratch: 64-byte aligned. Not inside an `omp parallel` region. */
void icseg_split_run(const icseg_split *split, const float *x, const float *packed, const float *bias, float *out,
                     void *scratch);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Transposed convolutions whose kernel and stride are 2: a matrix product turns every input pixel into a square of four
 * output pixels, which are then moved to their places. */
#ifndef ICSEG_GRAPH_OPS_CONV_TRANSPOSE_H
#define ICSEG_GRAPH_OPS_CONV_TRANSPOSE_H

#include <stdint.h>

/* x (batch, height, width, in) -> (batch, 2 height, 2 width, out) */
typedef struct icseg_transpose_shape {
    int64_t batch, height, width, in, out;
} icseg_transpose_shape;

/* Some lines of one image: squares (lines W, 2, 2, O) of input lines from `first` on -> image (2H, 2W, O). Adds the
 * bias and the residual, of the image's shape, which may be NULL. The residual may be the image. */
void icseg_transpose_spread(const icseg_transpose_shape *t, int64_t first, int64_t lines, const float *squares,
                            const float *bias, const float *residual, float *image);

#endif

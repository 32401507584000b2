/* SPDX-License-Identifier: Apache-2.0
 * 3 x 3 convolutions (stride 1, padding 1) in f32 with Winograd's F(4 x 4, 3 x 3): 36 matrix products over tiles of 4 x
 * 4 outputs, with a quarter of the multiplications. Large tiles, F(6 x 6, 3 x 3), need 64 products and a fifth of the
 * multiplications; their error is four times as large (6e-6, root mean square). Activations stay NHWC: tiles are
 * gathered in place. */
#ifndef ICSEG_GRAPH_OPS_WINOGRAD_H
#define ICSEG_GRAPH_OPS_WINOGRAD_H

#include "compute/primitive.h"

/* Whether it is faster than the direct convolution: a fixed rule of the shape, so that results do not depend on
 * timing. docs/performance.md has the measurements behind it. */
bool icseg_winograd_is_faster(const icseg_conv_shape *shape);
/* Whether large tiles are faster still; likewise. */
bool icseg_winograd_large_is_faster(const icseg_conv_shape *shape);

typedef struct icseg_winograd icseg_winograd;
/* large: with large tiles; only forward. */
icseg_status icseg_winograd_open(icseg_winograd **out, const icseg_conv_shape *shape, icseg_primitive_kind direction,
                                 bool large, icseg_error *error);
void icseg_winograd_set_relu(icseg_winograd *winograd); /* forward: max(0, .) of the result */
void icseg_winograd_close(icseg_winograd **winograd);

size_t icseg_winograd_scratch(const icseg_winograd *winograd); /* bytes of each run, 64-byte aligned */

/* Operands as in icseg_primitive_run; b: unpacked weights (out, 3, 3, in), or dy. */
icseg_status icseg_winograd_run(icseg_winograd *winograd, icseg_operands operands, void *scratch, icseg_error *error);

#endif

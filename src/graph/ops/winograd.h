/* SPDX-License-Identifier: Apache-2.0
 * 3 x 3 convolutions (stride 1, padding 1) in f32 with Winograd's F(4 x 4, 3 x 3): 36 matrix products over tiles of 4 x
 * 4 outputs, with a quarter of the multiplications. Activations stay NHWC: tiles are gathered in place. */
#ifndef ICSEG_GRAPH_OPS_WINOGRAD_H
#define ICSEG_GRAPH_OPS_WINOGRAD_H

#include "compute/primitive.h"

/* Whether it is faster than the direct convolution: a fixed rule of the shape, so that results do not depend on
 * timing. docs/performance.md has the measurements behind it. */
bool icseg_winograd_is_faster(const icseg_conv_shape *shape);

typedef struct icseg_winograd icseg_winograd;
icseg_status icseg_winograd_open(icseg_winograd **out, const icseg_conv_shape *shape, icseg_primitive_kind direction,
                                 icseg_error *error);
void icseg_winograd_set_relu(icseg_winograd *winograd); /* forward: max(0, .) of the result */
void icseg_winograd_close(icseg_winograd **winograd);

size_t icseg_winograd_scratch(const icseg_winograd *winograd); /* bytes of each run, 64-byte aligned */

/* Operands as in icseg_primitive_run; b: unpacked weights (out, 3, 3, in), or dy. */
icseg_status icseg_winograd_run(icseg_winograd *winograd, icseg_operands operands, void *scratch, icseg_error *error);

#endif

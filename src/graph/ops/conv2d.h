/* SPDX-License-Identifier: Apache-2.0
 * Implementations of convolution: primitives, Winograd's algorithm, and patches laid out as rows of a matrix. */
#ifndef ICSEG_GRAPH_OPS_CONV2D_H
#define ICSEG_GRAPH_OPS_CONV2D_H

#include "graph/ops/linear_algebra.h"

/* Kernel = stride > 1, no padding (a ViT's patch embedding): inputs x, weight and optionally bias. */
icseg_value icseg_patch_conv(icseg_graph *g, const icseg_conv_shape *shape, const icseg_value *inputs, int count);
/* For nodes whose attributes begin with an icseg_conv_shape. */
static inline double icseg_conv_flops(const icseg_graph *g, const icseg_node *node) {
    (void)g;
    const icseg_conv_shape *s = node->attributes;
    return 2.0 * (double)s->batch * (double)s->out_height * (double)s->out_width * (double)s->out * (double)s->in *
           (double)s->kernel_height * (double)s->kernel_width;
}
/* For icseg_int8_rules. */
static inline bool icseg_conv_reduces(const icseg_graph *g, const icseg_node *node, icseg_primitive_options options) {
    (void)g;
    return icseg_conv_reduces_precision(node->attributes, options);
}
/* Whether to use Winograd's algorithm rather than a primitive with these options. */
bool icseg_conv_is_winograd(const icseg_conv_shape *shape, icseg_primitive_options options);
bool icseg_conv_bf16_is_faster(const icseg_graph *g, const icseg_node *node);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Shared by operators that change height and width: pooling in windows, resizing. */
#include "graph/ops/space.h"

#include "tensor/bf16.h"

icseg_value icseg_pool_node(icseg_graph *g, const icseg_op *op, icseg_value x, int size) {
    icseg_node *node = icseg_node_append(g, op, &size, sizeof size, &x, 1, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, x)->shape;
    if (shape.rank != 4 || size < 1 || shape.dim[1] < size || shape.dim[2] < size) {
        char s[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, op->name, ICSEG_ERROR_SHAPE, "%d x %d windows do not fit x %s, (B, H, W, C)", size,
                                size, icseg_shape_text(shape, s, sizeof s));
    }
    shape.dim[1] /= size;
    shape.dim[2] /= size;
    return icseg_node_output(g, node, ICSEG_F32, shape);
}

void icseg_pool_rows(const icseg_kernel *k, icseg_pool_row *row) {
    int size = *(const int *)k->node->attributes;
    const int64_t *in = icseg_kernel_in(k, 0)->shape.dim, *out = icseg_kernel_out(k, 0)->shape.dim;
    int64_t c = in[3], in_row = in[2] * c, out_row = out[2] * c;
    bool bf16 = icseg_kernel_in(k, 0)->dtype == ICSEG_BF16;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < out[0]; b++)
        for (int64_t h = 0; h < out[1]; h++)
            row(icseg_at(k->in[0], bf16, (b * in[1] + h * size) * in_row), in[2], c, size, out[2],
                icseg_at(k->out[0], bf16, (b * out[1] + h) * out_row));
}

icseg_value icseg_resize_node(icseg_graph *g, const icseg_op *op, const void *attributes, size_t size, icseg_value x,
                              int64_t height, int64_t width) {
    if (x != ICSEG_NONE && icseg_graph_dim(g, x, 1) == height && icseg_graph_dim(g, x, 2) == width) return x;
    icseg_node *node = icseg_node_append(g, op, attributes, size, &x, 1, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, x)->shape;
    const int64_t limit = 1 << 24; /* so that floats hold positions exactly */
    if (shape.rank != 4 || height < 1 || width < 1 || height > limit || width > limit || shape.dim[1] > limit ||
        shape.dim[2] > limit) {
        char s[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, op->name, ICSEG_ERROR_SHAPE, "x %s, (B, H, W, C), cannot become %lld x %lld",
                                icseg_shape_text(shape, s, sizeof s), (long long)height, (long long)width);
    }
    shape.dim[1] = height;
    shape.dim[2] = width;
    return icseg_node_output(g, node, ICSEG_F32, shape);
}

icseg_value icseg_space_gradient(icseg_graph *g, const icseg_op *gradient, const icseg_node *node, size_t size,
                                 icseg_value grad_out) {
    icseg_value x = node->input[0];
    icseg_node *n = icseg_node_append(g, gradient, node->attributes, size, &grad_out, 1, 0);
    return n ? icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, x)->shape) : ICSEG_NONE;
}

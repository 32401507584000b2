/* SPDX-License-Identifier: Apache-2.0
 * add: the sum of two tensors, the second broadcast over leading axes; its gradient sums over them. */
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "tensor/bf16.h"

enum { BLOCK = 16384 };

ICSEG_KERNEL static void add_block(const float *a, const float *b, float *y, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

ICSEG_INLINE void add_types(const void *a, bool ha, const void *b, bool hb, void *y, bool hy, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) icseg_set_element(y, hy, i, icseg_element(a, ha, i) + icseg_element(b, hb, i));
}

/* If their types differ, the first is bf16. */
ICSEG_KERNEL static void add_bf16_block(const void *a, const void *b, bool hb, void *y, bool hy, int64_t n) {
    if (hb && hy)
        add_types(a, true, b, true, y, true, n);
    else if (hb)
        add_types(a, true, b, true, y, false, n);
    else if (hy)
        add_types(a, true, b, false, y, true, n);
    else
        add_types(a, true, b, false, y, false, n);
}

ICSEG_KERNEL static void add_to_bf16_block(const float *a, const float *b, void *y, int64_t n) {
    add_types(a, false, b, false, y, true, n);
}

static void add_any_block(const void *a, bool ha, const void *b, bool hb, void *y, bool hy, int64_t n) {
    if (ha)
        add_bf16_block(a, b, hb, y, hy, n);
    else if (hb)
        add_bf16_block(b, a, false, y, hy, n);
    else if (hy)
        add_to_bf16_block(a, b, y, n);
    else
        add_block(a, b, y, n);
}

static icseg_status add_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    bool ha = icseg_kernel_in(k, 0)->dtype == ICSEG_BF16, hb = icseg_kernel_in(k, 1)->dtype == ICSEG_BF16;
    bool hy = icseg_kernel_out(k, 0)->dtype == ICSEG_BF16;
    int64_t n = icseg_kernel_out(k, 0)->count, period = icseg_kernel_in(k, 1)->count;
    int64_t block = period < BLOCK ? period : BLOCK, blocks = (period + block - 1) / block;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t row = 0; row < n; row += period)
        for (int64_t i = 0; i < blocks; i++) {
            int64_t at = i * block, size = period - at < block ? period - at : block;
            add_any_block(icseg_at(k->in[0], ha, row + at), ha, icseg_at(k->in[1], hb, at), hb,
                          icseg_at(k->out[0], hy, row + at), hy, size);
        }
    return ICSEG_OK;
}

/* Sum over the leading axes: x (R, period) -> (period). Columns are split between threads, so the order of the sum is
 * fixed. */
static icseg_status sum_leading_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const float *x = k->in[0];
    float *y = k->out[0];
    int64_t n = icseg_kernel_in(k, 0)->count, period = icseg_kernel_out(k, 0)->count;
    int64_t block = 256, blocks = (period + block - 1) / block;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < blocks; i++) {
        int64_t at = i * block, size = period - at < block ? period - at : block;
        memcpy(y + at, x + at, (size_t)size * sizeof *y);
        for (int64_t row = period; row < n; row += period) add_block(y + at, x + row + at, y + at, size);
    }
    return ICSEG_OK;
}

static const icseg_op sum_leading_op = {.name = "sum_leading", .run = sum_leading_run};

static void add_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    grad_in[0] = grad_out[0];
    grad_in[1] = grad_out[0];
    const icseg_value_info *a = icseg_graph_value(g, node->input[0]), *b = icseg_graph_value(g, node->input[1]);
    if (icseg_shape_equal(a->shape, b->shape) || !icseg_node_needs_grad(g, node, 1)) return;
    if (a->count == b->count) { /* only leading axes of size 1 */
        grad_in[1] = icseg_reshape(g, grad_out[0], b->shape);
        return;
    }
    icseg_node *sum = icseg_node_append(g, &sum_leading_op, NULL, 0, grad_out, 1, 0);
    grad_in[1] = sum ? icseg_node_output(g, sum, ICSEG_F32, b->shape) : ICSEG_NONE;
}

const icseg_op icseg_op_add = {.name = "add",
                               .gradient = add_gradient,
                               .run = add_run,
                               .in_place = 1 | 1 << 1,
                               .bf16 = {.in = 1 | 1 << 1, .out = 1}};

icseg_value icseg_add(icseg_graph *g, icseg_value a, icseg_value b) {
    icseg_value in[] = {a, b};
    icseg_node *node = icseg_node_append(g, &icseg_op_add, NULL, 0, in, 2, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape x = icseg_graph_value(g, a)->shape, y = icseg_graph_value(g, b)->shape;
    bool fits = y.rank <= x.rank;
    for (int i = 1; fits && i <= y.rank; i++) fits = x.dim[x.rank - i] == y.dim[y.rank - i];
    if (!fits) {
        char s[ICSEG_SHAPE_TEXT], t[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "add", ICSEG_ERROR_SHAPE, "%s cannot be added to %s",
                                icseg_shape_text(y, t, sizeof t), icseg_shape_text(x, s, sizeof s));
    }
    return icseg_node_output(g, node, ICSEG_F32, x);
}

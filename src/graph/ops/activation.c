/* SPDX-License-Identifier: Apache-2.0
 * relu, quick_gelu, gelu: pointwise functions and their gradients. */
#include <math.h>

#include "base/system.h"
#include "base/vmath.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "tensor/dtype.h"

enum { BLOCK = 8192 }; /* elements of a task: fit the second-level cache and the stack */

typedef void (*forward_kernel)(const float *x, float *y, int64_t n);
typedef void (*backward_kernel)(const float *saved, const float *dy, float *dx, int64_t n);

ICSEG_KERNEL static void relu_forward(const float *x, float *y, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i]; /* NaN stays NaN */
}

/* dy is read in any case: NEON and SSE cannot read parts of a vector. */
ICSEG_KERNEL static void relu_backward(const float *y, const float *dy, float *dx, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float gradient = dy[i];
        dx[i] = y[i] > 0 ? gradient : 0;
    }
}

ICSEG_KERNEL static void quick_gelu_forward(const float *x, float *y, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = x[i] / (1 + icseg_exp(-1.702f * x[i]));
}

ICSEG_KERNEL static void quick_gelu_backward(const float *x, const float *dy, float *dx, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float s = 1 / (1 + icseg_exp(-1.702f * x[i]));
        dx[i] = dy[i] * (s + 1.702f * x[i] * s * (1 - s));
    }
}

ICSEG_KERNEL static void gelu_forward(const float *x, float *y, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = icseg_exact_gelu(x[i]);
}

ICSEG_KERNEL static void gelu_backward(const float *x, const float *dy, float *dx, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float cdf = 0.5f * (1 + icseg_erf(x[i] * 0.70710678f));
        float pdf = 0.39894228f * icseg_exp_below(-0.5f * x[i] * x[i]);
        dx[i] = dy[i] * (cdf + x[i] * pdf);
    }
}

/* One block of n elements from `at` on; bf16 results pass through `buffer`. */
static void run_block(const icseg_kernel *k, forward_kernel forward, backward_kernel backward, int64_t at, int64_t n,
                      float *buffer) {
    bool bf16 = icseg_kernel_out(k, 0)->dtype == ICSEG_BF16;
    const float *x = k->in[0], *dy = k->in[1];
    float *out = bf16 ? buffer : (float *)k->out[0] + at;
    if (forward)
        forward(x + at, out, n);
    else
        backward(x + at, dy + at, out, n);
    if (bf16) icseg_bf16_from_f32((uint16_t *)k->out[0] + at, buffer, (size_t)n);
}

/* Runs one of the kernels; the other is NULL. */
static void run_blocks(const icseg_kernel *k, forward_kernel forward, backward_kernel backward) {
    int64_t n = icseg_kernel_out(k, 0)->count;
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += BLOCK) {
        float buffer[BLOCK];
        run_block(k, forward, backward, at, n - at < BLOCK ? n - at : BLOCK, buffer);
    }
}

/* Everything but the mathematics of an activation. SAVED: the tensor that the gradient reads, input x or output y. */
#define ACTIVATION(NAME, SAVED, IN_PLACE, CHEAP)                                                                       \
    static icseg_status NAME##_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {                  \
        (void)run, (void)error;                                                                                        \
        run_blocks(k, NAME##_forward, NULL);                                                                           \
        return ICSEG_OK;                                                                                               \
    }                                                                                                                  \
    static icseg_status NAME##_gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {         \
        (void)run, (void)error;                                                                                        \
        run_blocks(k, NULL, NAME##_backward);                                                                          \
        return ICSEG_OK;                                                                                               \
    }                                                                                                                  \
    static const icseg_op NAME##_gradient_op = {                                                                       \
        .name = #NAME "_gradient", .run = NAME##_gradient_run, .in_place = 1 << 1, .bf16 = {.out = 1}};                \
    static void NAME##_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out,                   \
                                icseg_value *grad_in) {                                                                \
        icseg_value in[] = {node->SAVED[0], grad_out[0]};                                                              \
        grad_in[0] = same_shape(g, &NAME##_gradient_op, in, 2);                                                        \
    }                                                                                                                  \
    const icseg_op icseg_op_##NAME = {.name = #NAME,                                                                   \
                                      .gradient = NAME##_gradient,                                                     \
                                      .run = NAME##_run,                                                               \
                                      .in_place = IN_PLACE,                                                            \
                                      .cheap = CHEAP,                                                                  \
                                      .bf16 = {.out = 1}};                                                             \
    icseg_value icseg_##NAME(icseg_graph *g, icseg_value x) { return same_shape(g, &icseg_op_##NAME, &x, 1); }

static icseg_value same_shape(icseg_graph *g, const icseg_op *op, const icseg_value *in, int count) {
    icseg_node *node = icseg_node_append(g, op, NULL, 0, in, count, 0);
    return node ? icseg_node_output(g, node, ICSEG_F32, icseg_graph_value(g, in[0])->shape) : ICSEG_NONE;
}

ACTIVATION(relu, output, 1, false)
ACTIVATION(quick_gelu, input, 0, true)
ACTIVATION(gelu, input, 0, false)

/* SPDX-License-Identifier: Apache-2.0
 * avg_pool: means of size x size windows, stride = size; rows and columns that fill no window are left out. */
#include <string.h>

#include "base/system.h"
#include "graph/op.h"
#include "graph/ops.h"
#include "graph/ops/space.h"

/* One row of windows: x (size rows of width * c) -> y (out, c). */
ICSEG_KERNEL static void forward_row(const float *x, int64_t width, int64_t c, int64_t size, int64_t out, float *y) {
    float share = 1 / (float)(size * size);
    for (int64_t o = 0; o < out; o++, y += c) {
        const float *first = x + o * size * c, *second = first + width * c;
        if (size == 2) {
#pragma omp simd
            for (int64_t j = 0; j < c; j++) y[j] = ((first[j] + first[j + c]) + (second[j] + second[j + c])) * share;
            continue;
        }
        memset(y, 0, (size_t)c * sizeof *y);
        for (int64_t p = 0; p < size * size; p++) {
            const float *from = first + (p / size * width + p % size) * c;
#pragma omp simd
            for (int64_t j = 0; j < c; j++) y[j] += from[j];
        }
#pragma omp simd
        for (int64_t j = 0; j < c; j++) y[j] *= share;
    }
}

/* One row of dx (width, c) from the row of dy (out, c) that read it. */
ICSEG_KERNEL static void gradient_row(const float *dy, int64_t width, int64_t c, int64_t size, int64_t out, float *dx) {
    float share = 1 / (float)(size * size);
    for (int64_t o = 0; o < out; o++, dy += c)
        for (int64_t p = 0; p < size; p++, dx += c)
#pragma omp simd
            for (int64_t j = 0; j < c; j++) dx[j] = dy[j] * share;
    memset(dx, 0, (size_t)((width - out * size) * c) * sizeof *dx);
}

static icseg_status avg_pool_run(icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    icseg_pool_rows(k, forward_row);
    return ICSEG_OK;
}

static icseg_status gradient_run(icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    int size = *(const int *)k->node->attributes;
    const int64_t *in = icseg_kernel_out(k, 0)->shape.dim, *out = icseg_kernel_in(k, 0)->shape.dim;
    int64_t c = in[3], in_row = in[2] * c, out_row = out[2] * c;
    const float *dy = k->in[0];
    float *dx = k->out[0];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < in[0]; b++)
        for (int64_t h = 0; h < in[1]; h++) {
            int64_t windows = h / size < out[1] ? out[2] : 0;
            gradient_row(dy + (b * out[1] + h / size) * out_row, in[2], c, size, windows,
                         dx + (b * in[1] + h) * in_row);
        }
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "avg_pool_gradient", .run = gradient_run};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    grad_in[0] = icseg_space_gradient(g, &gradient_op, node, sizeof(int), grad_out[0]);
}

const icseg_op icseg_op_avg_pool = {.name = "avg_pool", .gradient = gradient, .run = avg_pool_run};

icseg_value icseg_avg_pool(icseg_graph *g, icseg_value x, int size) {
    return icseg_pool_node(g, &icseg_op_avg_pool, x, size);
}

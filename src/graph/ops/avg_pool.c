/* SPDX-License-Identifier: Apache-2.0
 * avg_pool: means of size x size windows, stride = size; rows and columns that do not fill a window are left out. */
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/space.h"
#include "tensor/bf16.h"

/* One row of 2 x 2 windows, f32 or bf16. */
ICSEG_INLINE void forward_pairs(const void *x, void *y, bool bf16, int64_t width, int64_t c, int64_t out) {
    for (int64_t o = 0; o < out; o++) {
        const void *first = icseg_at(x, bf16, o * 2 * c), *second = icseg_at(first, bf16, width * c);
        void *to = icseg_at(y, bf16, o * c);
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            float above = icseg_element(first, bf16, j) + icseg_element(first, bf16, j + c);
            float below = icseg_element(second, bf16, j) + icseg_element(second, bf16, j + c);
            icseg_set_element(to, bf16, j, (above + below) * 0.25f);
        }
    }
}

ICSEG_KERNEL static void forward_bf16_row(const void *x, int64_t width, int64_t c, int64_t size, int64_t out, void *y) {
    if (size == 2) {
        forward_pairs(x, y, true, width, c, out);
        return;
    }
    for (int64_t i = 0; i < out * c; i++) {
        float sum = 0;
        for (int64_t p = 0; p < size * size; p++)
            sum += icseg_element(x, true, (p / size * width + i / c * size + p % size) * c + i % c);
        icseg_set_element(y, true, i, sum / (float)(size * size));
    }
}

/* One row of windows: x (size rows of width * c) -> y (out, c). */
ICSEG_KERNEL static void forward_row(const void *from_rows, int64_t width, int64_t c, int64_t size, int64_t out,
                                     void *to_row) {
    const float *x = from_rows;
    float *y = to_row;
    float share = 1 / (float)(size * size);
    if (size == 2) {
        forward_pairs(x, y, false, width, c, out);
        return;
    }
    for (int64_t o = 0; o < out; o++, y += c) {
        const float *first = x + o * size * c;
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

/* The means of one window: `n` <= POOL_BLOCK channels of bytes, whose columns are c and whose rows are `pitch` apart.
 */
enum { POOL_BLOCK = 64 };
ICSEG_INLINE void mean_bytes(const uint8_t *x, int64_t pitch, int64_t c, int64_t size, int64_t n, int32_t zero_in,
                             float factor, int32_t zero_out, uint8_t *y) {
    int32_t sum[POOL_BLOCK] = {0};
    for (int64_t row = 0; row < size; row++)
        for (int64_t column = 0; column < size; column++) {
            const uint8_t *from = x + row * pitch + column * c;
#pragma omp simd
            for (int64_t j = 0; j < n; j++) sum[j] += from[j];
        }
#pragma omp simd
    for (int64_t j = 0; j < n; j++) y[j] = icseg_quantized((float)(sum[j] - zero_in), factor, zero_out);
}

/* One row of windows of bytes. */
ICSEG_KERNEL static void forward_byte_row(const uint8_t *x, icseg_quantization from, int64_t width, int64_t c,
                                          int64_t size, int64_t out, icseg_quantization to, uint8_t *y) {
    int32_t area = (int32_t)(size * size), zero = area * from.zero_point;
    float factor = from.scale / ((float)area * to.scale);
    for (int64_t o = 0; o < out; o++)
        for (int64_t j = 0; j < c; j += POOL_BLOCK) {
            const uint8_t *first = x + o * size * c + j;
            uint8_t *mean = y + o * c + j;
            if (c - j < POOL_BLOCK)
                mean_bytes(first, width * c, c, size, c - j, zero, factor, to.zero_point, mean);
            else if (size == 2)
                mean_bytes(first, width * c, c, 2, POOL_BLOCK, zero, factor, to.zero_point, mean);
            else
                mean_bytes(first, width * c, c, size, POOL_BLOCK, zero, factor, to.zero_point, mean);
        }
}

static void run_bytes(const icseg_kernel *k) {
    int size = *(const int *)k->node->attributes;
    const icseg_value_info *x = icseg_kernel_in(k, 0), *y = icseg_kernel_out(k, 0);
    const int64_t *in = x->shape.dim, *out = y->shape.dim;
    int64_t c = in[3];
    const uint8_t *from = k->in[0];
    uint8_t *to = k->out[0];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < out[0]; b++)
        for (int64_t h = 0; h < out[1]; h++)
            forward_byte_row(from + (b * in[1] + h * size) * in[2] * c, x->quantization, in[2], c, size, out[2],
                             y->quantization, to + (b * out[1] + h) * out[2] * c);
}

static icseg_status avg_pool_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    icseg_dtype dtype = icseg_kernel_in(k, 0)->dtype;
    if (dtype == ICSEG_U8)
        run_bytes(k);
    else
        icseg_pool_rows(k, dtype == ICSEG_BF16 ? forward_bf16_row : forward_row);
    return ICSEG_OK;
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
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

const icseg_op icseg_op_avg_pool = {.name = "avg_pool",
                                    .gradient = gradient,
                                    .cheap = true,
                                    .run = avg_pool_run,
                                    .bf16 = {.in = 1, .out = 1, .same = true},
                                    .int8 = {.in = 1, .out = 1}};

icseg_value icseg_avg_pool(icseg_graph *g, icseg_value x, int size) {
    return icseg_pool_node(g, &icseg_op_avg_pool, x, size);
}

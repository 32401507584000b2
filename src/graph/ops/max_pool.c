/* SPDX-License-Identifier: Apache-2.0
 * max_pool: maxima of size x size windows, stride = size; rows and columns that do not fill a window are left out. The
 * gradient goes to the first maximum of each window, which is found again in x. NaN counts as the largest value. */
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/space.h"

enum { LANES = 64 };

/* One row of windows: x (size rows of width * c) -> y (out, c). */
ICSEG_KERNEL static void forward_row(const void *from_rows, int64_t width, int64_t c, int64_t size, int64_t out,
                                     void *to_row) {
    const float *x = from_rows;
    float *y = to_row;
    for (int64_t o = 0; o < out; o++, y += c) {
        const float *first = x + o * size * c;
        memcpy(y, first, (size_t)c * sizeof *y);
        for (int64_t p = 1; p < size * size; p++) {
            const float *from = first + (p / size * width + p % size) * c;
#pragma omp simd
            for (int64_t j = 0; j < c; j++) y[j] = from[j] <= y[j] || y[j] != y[j] ? y[j] : from[j];
        }
    }
}

/* One row of windows, n <= LANES channels of c: fills `size` rows of dx, except for the columns outside all windows. */
ICSEG_KERNEL static void gradient_row(const float *x, const float *dy, int64_t width, int64_t c, int64_t n,
                                      int64_t size, int64_t out, float *dx) {
    float best[LANES];
    int32_t at[LANES];
    for (int64_t o = 0; o < out; o++, dy += c) {
        int64_t first = o * size * c;
        memcpy(best, x + first, (size_t)n * sizeof *best);
        memset(at, 0, sizeof at);
        for (int32_t p = 1; p < size * size; p++) {
            const float *from = x + first + (p / size * width + p % size) * c;
#pragma omp simd
            for (int64_t j = 0; j < n; j++) {
                bool keep = from[j] <= best[j] || best[j] != best[j];
                at[j] = keep ? at[j] : p;
                best[j] = keep ? best[j] : from[j];
            }
        }
        for (int32_t p = 0; p < size * size; p++) {
            float *to = dx + first + (p / size * width + p % size) * c;
#pragma omp simd
            for (int64_t j = 0; j < n; j++) to[j] = at[j] == p ? dy[j] : 0;
        }
    }
}

static icseg_status max_pool_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    icseg_pool_rows(k, forward_row);
    return ICSEG_OK;
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    int size = *(const int *)k->node->attributes;
    const int64_t *in = icseg_kernel_in(k, 0)->shape.dim, *out = icseg_kernel_in(k, 1)->shape.dim;
    int64_t c = in[3], in_row = in[2] * c, out_row = out[2] * c, covered = out[2] * size * c;
    const float *x = k->in[0], *dy = k->in[1];
    float *dx = k->out[0];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < in[0]; b++)
        for (int64_t h = 0; h < in[1]; h++) {
            int64_t at = (b * in[1] + h) * in_row, window = h / size, skip = window < out[1] ? covered : 0;
            memset(dx + at + skip, 0, (size_t)(in_row - skip) * sizeof *dx);
            if (h % size || window == out[1]) continue; /* the first row of a window handles all of its rows */
            for (int64_t j = 0; j < c; j += LANES)
                gradient_row(x + at + j, dy + (b * out[1] + window) * out_row + j, in[2], c,
                             c - j < LANES ? c - j : LANES, size, out[2], dx + at + j);
        }
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "max_pool_gradient", .run = gradient_run};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_value in[] = {node->input[0], grad_out[0]};
    icseg_node *n = icseg_node_append(g, &gradient_op, node->attributes, sizeof(int), in, 2, 0);
    if (n) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, in[0])->shape);
}

const icseg_op icseg_op_max_pool = {.name = "max_pool", .gradient = gradient, .run = max_pool_run};

icseg_value icseg_max_pool(icseg_graph *g, icseg_value x, int size) {
    return icseg_pool_node(g, &icseg_op_max_pool, x, size);
}

/* SPDX-License-Identifier: Apache-2.0
 * The gradient of a bias: sums over the columns of a matrix. */
#include <string.h>

#include "base/system.h"
#include "graph/ops/linear_algebra.h"

enum { ROWS = 1024, MAX_PARTS = 64 }; /* rows of a part, unless there would be too many parts */

static int64_t parts_of(int64_t rows) {
    int64_t parts = (rows + ROWS - 1) / ROWS;
    return parts < MAX_PARTS ? parts : MAX_PARTS;
}

ICSEG_KERNEL static void sum_rows(const float *x, int64_t rows, int64_t columns, float *sum) {
    memset(sum, 0, (size_t)columns * sizeof *sum);
    for (int64_t r = 0; r < rows; r++) {
#pragma omp simd
        for (int64_t c = 0; c < columns; c++) sum[c] += x[r * columns + c];
    }
}

static icseg_status bias_gradient_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    int64_t columns = icseg_kernel_out(k, 0)->count, rows = icseg_kernel_in(k, 0)->count / columns;
    icseg_scratch_reserve(k, (size_t)(parts_of(rows) * columns) * sizeof(float));
    return ICSEG_OK;
}

static icseg_status bias_gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    int64_t columns = icseg_kernel_out(k, 0)->count, rows = icseg_kernel_in(k, 0)->count / columns;
    int64_t parts = parts_of(rows);
    const float *x = k->in[0];
    float *partial = run->scratch;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < parts; i++) {
        int64_t from = rows * i / parts, to = rows * (i + 1) / parts;
        sum_rows(x + from * columns, to - from, columns, partial + i * columns);
    }
    sum_rows(partial, parts, columns, k->out[0]);
    return ICSEG_OK;
}

static const icseg_op bias_gradient_op = {
    .name = "bias_gradient", .prepare = bias_gradient_prepare, .run = bias_gradient_run};

icseg_value icseg_bias_gradient(icseg_graph *g, icseg_value dy) {
    icseg_node *node = icseg_node_append(g, &bias_gradient_op, NULL, 0, &dy, 1, 0);
    return node ? icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(icseg_graph_dim(g, dy, -1))) : ICSEG_NONE;
}

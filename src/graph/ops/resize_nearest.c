/* SPDX-License-Identifier: Apache-2.0
 * resize_nearest: PyTorch's 'nearest'. The gradient gathers: each source pixel sums the output pixels that read it. */
#include <string.h>

#include "base/sampling.h"
#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/space.h"

/* For each axis, the outputs that read source s are begin[s] .. begin[s + 1] - 1. */
typedef struct nearest_state {
    int32_t *row, *column;               /* (in + 1) each */
    int32_t *row_source, *column_source; /* (out) */
} nearest_state;

static bool axis_open(int64_t in, int64_t out, int32_t **begin, int32_t **source) {
    *begin = icseg_alloc_array((size_t)in + 1, sizeof **begin);
    *source = icseg_alloc_array((size_t)out, sizeof **source);
    if (!*begin || !*source) return false;
    int32_t s = 0;
    for (int32_t o = 0; o < out; o++) {
        (*source)[o] = (int32_t)icseg_nearest_at(o, in, out);
        while (s <= (*source)[o]) (*begin)[s++] = o;
    }
    while (s <= in) (*begin)[s++] = (int32_t)out;
    return true;
}

static icseg_status prepare(icseg_kernel *k, const icseg_shape *in, const icseg_shape *out, icseg_error *error) {
    nearest_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s || !axis_open(in->dim[1], out->dim[1], &s->row, &s->row_source) ||
        !axis_open(in->dim[2], out->dim[2], &s->column, &s->column_source))
        return icseg_fail_memory(error, 0, "tables of a resize");
    return ICSEG_OK;
}

static void resize_release(icseg_kernel *k) {
    nearest_state *s = k->state;
    if (!s) return;
    icseg_free(s->row);
    icseg_free(s->row_source);
    icseg_free(s->column);
    icseg_free(s->column_source);
    icseg_free(s);
    k->state = NULL;
}

/* Copies pixels of `bytes` bytes. */
static void forward_row(const char *x, const int32_t *source, int64_t width, int64_t bytes, char *y) {
    for (int64_t o = 0; o < width; o++) memcpy(y + o * bytes, x + source[o] * bytes, (size_t)bytes);
}

/* Adds to dx (width, c) from one row of dy. */
ICSEG_KERNEL static void collect_row(const float *dy, const int32_t *begin, int64_t width, int64_t c, float *dx) {
    for (int64_t s = 0; s < width; s++, dx += c)
        for (int64_t o = begin[s]; o < begin[s + 1]; o++)
#pragma omp simd
            for (int64_t j = 0; j < c; j++) dx[j] += dy[o * c + j];
}

static icseg_status resize_prepare(icseg_kernel *k, icseg_error *error) {
    return prepare(k, &icseg_kernel_in(k, 0)->shape, &icseg_kernel_out(k, 0)->shape, error);
}

static icseg_status resize_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const nearest_state *s = k->state;
    const int64_t *in = icseg_kernel_in(k, 0)->shape.dim, *out = icseg_kernel_out(k, 0)->shape.dim;
    int64_t pixel = in[3] * (int64_t)icseg_dtype_size(icseg_kernel_in(k, 0)->dtype);
    const char *x = k->in[0];
    char *y = k->out[0];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < out[0]; b++)
        for (int64_t h = 0; h < out[1]; h++)
            forward_row(x + (b * in[1] + s->row_source[h]) * in[2] * pixel, s->column_source, out[2], pixel,
                        y + (b * out[1] + h) * out[2] * pixel);
    return ICSEG_OK;
}

static icseg_status gradient_prepare(icseg_kernel *k, icseg_error *error) {
    return prepare(k, &icseg_kernel_out(k, 0)->shape, &icseg_kernel_in(k, 0)->shape, error);
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const nearest_state *s = k->state;
    const int64_t *in = icseg_kernel_out(k, 0)->shape.dim, *out = icseg_kernel_in(k, 0)->shape.dim;
    int64_t c = in[3], in_row = in[2] * c;
    const float *dy = k->in[0];
    float *dx = k->out[0];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < in[0]; b++)
        for (int64_t h = 0; h < in[1]; h++) {
            float *to = dx + (b * in[1] + h) * in_row;
            memset(to, 0, (size_t)in_row * sizeof *to);
            for (int64_t o = s->row[h]; o < s->row[h + 1]; o++)
                collect_row(dy + (b * out[1] + o) * out[2] * c, s->column, in[2], c, to);
        }
    return ICSEG_OK;
}

static const icseg_op gradient_op = {
    .name = "resize_nearest_gradient", .prepare = gradient_prepare, .run = gradient_run, .release = resize_release};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    grad_in[0] = icseg_space_gradient(g, &gradient_op, node, 0, grad_out[0]);
}

const icseg_op icseg_op_resize_nearest = {.name = "resize_nearest",
                                          .gradient = gradient,
                                          .cheap = true,
                                          .prepare = resize_prepare,
                                          .run = resize_run,
                                          .release = resize_release,
                                          .bf16 = {.in = 1, .out = 1, .same = true},
                                          .int8 = {.in = 1, .out = 1, .same = true}};

icseg_value icseg_resize_nearest(icseg_graph *g, icseg_value x, int64_t height, int64_t width) {
    return icseg_resize_node(g, &icseg_op_resize_nearest, NULL, 0, x, height, width);
}

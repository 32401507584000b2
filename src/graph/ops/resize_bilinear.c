/* SPDX-License-Identifier: Apache-2.0
 * resize_bilinear with half-pixel centres and clamped edges: PyTorch's interpolate(align_corners=False). The gradient
 * gathers: each source pixel collects from the output pixels that read it, so that no two threads write the same
 * element and the order of the sum is fixed. */
#include <string.h>

#include "base/sampling.h"
#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/space.h"
#include "tensor/bf16.h"

/* One axis. Output o reads source first[o] with weight 1 - lambda[o] and second[o] with lambda[o]. Source s is read by
 * outputs begin[s] .. begin[s] + count[s] - 1 with weights collected[offset[s]] ... */
typedef struct axis {
    int32_t *first, *second, *begin, *count, *offset;
    float *lambda, *collected;
} axis;

typedef struct resize_state {
    axis row, column;
} resize_state;

static void fill_forward(axis *a, int64_t in, int64_t out) {
    for (int64_t o = 0; o < out; o++) {
        icseg_interpolation at = icseg_interpolation_at(o, in, out);
        a->first[o] = at.low;
        a->second[o] = at.high;
        a->lambda[o] = at.weight;
    }
}

static void fill_backward(axis *a, int64_t in, int64_t out) {
    int32_t begin = 0, used = 0;
    for (int32_t s = 0; s < in; s++) {
        while (begin < out && a->second[begin] < s) begin++;
        a->begin[s] = begin;
        a->offset[s] = used;
        for (int32_t o = begin; o < out && a->first[o] <= s; o++)
            a->collected[used++] = (a->first[o] == s ? 1 - a->lambda[o] : 0) + (a->second[o] == s ? a->lambda[o] : 0);
        a->count[s] = used - a->offset[s];
    }
}

static bool axis_open(axis *a, int64_t in, int64_t out) {
    a->first = icseg_alloc_array((size_t)out, sizeof *a->first);
    a->second = icseg_alloc_array((size_t)out, sizeof *a->second);
    a->lambda = icseg_alloc_array((size_t)out, sizeof *a->lambda);
    a->begin = icseg_alloc_array((size_t)in, sizeof *a->begin);
    a->count = icseg_alloc_array((size_t)in, sizeof *a->count);
    a->offset = icseg_alloc_array((size_t)in, sizeof *a->offset);
    a->collected = icseg_alloc_array((size_t)out * 2, sizeof *a->collected);
    if (!a->first || !a->second || !a->lambda || !a->begin || !a->count || !a->offset || !a->collected) return false;
    fill_forward(a, in, out);
    fill_backward(a, in, out);
    return true;
}

static void axis_close(axis *a) {
    icseg_free(a->first);
    icseg_free(a->second);
    icseg_free(a->lambda);
    icseg_free(a->begin);
    icseg_free(a->count);
    icseg_free(a->offset);
    icseg_free(a->collected);
}

static icseg_status prepare(icseg_kernel *k, const icseg_shape *in, const icseg_shape *out, icseg_error *error) {
    resize_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s || !axis_open(&s->row, in->dim[1], out->dim[1]) || !axis_open(&s->column, in->dim[2], out->dim[2]))
        return icseg_fail_memory(error, 0, "tables of a resize");
    return ICSEG_OK;
}

static void resize_release(icseg_kernel *k) {
    resize_state *s = k->state;
    if (!s) return;
    axis_close(&s->row);
    axis_close(&s->column);
    icseg_free(s);
    k->state = NULL;
}

/* One output row from two source rows (., c) that are weighted 1 - v and v, plus `residual` (width, c) unless NULL. */
ICSEG_INLINE void forward_types(const void *top, const void *bottom, float v, const axis *column, int64_t width,
                                int64_t c, const void *residual, void *y, bool bf16) {
    for (int64_t o = 0; o < width; o++) {
        int64_t left = column->first[o] * c, right = column->second[o] * c;
        float h = column->lambda[o];
        float a = (1 - v) * (1 - h), b = (1 - v) * h, d = v * (1 - h), e = v * h;
        void *to = icseg_at(y, bf16, o * c);
        if (residual) {
            const void *plus = icseg_at(residual, bf16, o * c);
#pragma omp simd
            for (int64_t j = 0; j < c; j++) {
                float above = a * icseg_element(top, bf16, left + j) + b * icseg_element(top, bf16, right + j);
                float below = d * icseg_element(bottom, bf16, left + j) + e * icseg_element(bottom, bf16, right + j);
                icseg_set_element(to, bf16, j, icseg_element(plus, bf16, j) + (above + below));
            }
            continue;
        }
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            float above = a * icseg_element(top, bf16, left + j) + b * icseg_element(top, bf16, right + j);
            float below = d * icseg_element(bottom, bf16, left + j) + e * icseg_element(bottom, bf16, right + j);
            icseg_set_element(to, bf16, j, above + below);
        }
    }
}

ICSEG_KERNEL static void forward_row(const void *top, const void *bottom, float v, const axis *column, int64_t width,
                                     int64_t c, const void *residual, void *y, bool bf16) {
    if (bf16)
        forward_types(top, bottom, v, column, width, c, residual, y, true);
    else
        forward_types(top, bottom, v, column, width, c, residual, y, false);
}

/* dx (c) += v * sum over t < count of weight[t] * dy[t * c ..]. */
ICSEG_KERNEL static void collect(const float *dy, float v, const float *weight, int64_t count, int64_t c, float *dx) {
    int64_t t = 0;
    for (; t + 4 <= count; t += 4, dy += 4 * c) {
        float a = v * weight[t], b = v * weight[t + 1], d = v * weight[t + 2], e = v * weight[t + 3];
#pragma omp simd
        for (int64_t j = 0; j < c; j++) dx[j] += (a * dy[j] + b * dy[j + c]) + (d * dy[j + 2 * c] + e * dy[j + 3 * c]);
    }
    for (; t < count; t++, dy += c) {
        float a = v * weight[t];
#pragma omp simd
        for (int64_t j = 0; j < c; j++) dx[j] += a * dy[j];
    }
}

static icseg_status resize_prepare(icseg_kernel *k, icseg_error *error) {
    return prepare(k, &icseg_kernel_in(k, 0)->shape, &icseg_kernel_out(k, 0)->shape, error);
}

static icseg_status resize_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const resize_state *s = k->state;
    const int64_t *in = icseg_kernel_in(k, 0)->shape.dim, *out = icseg_kernel_out(k, 0)->shape.dim;
    int64_t c = in[3], in_row = in[2] * c, out_row = out[2] * c;
    bool bf16 = icseg_kernel_in(k, 0)->dtype == ICSEG_BF16;
    const void *residual = k->node->input_count > 1 ? k->in[1] : NULL;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < out[0]; b++)
        for (int64_t h = 0; h < out[1]; h++) {
            const void *image = icseg_at(k->in[0], bf16, b * in[1] * in_row);
            int64_t at = (b * out[1] + h) * out_row;
            forward_row(icseg_at(image, bf16, s->row.first[h] * in_row),
                        icseg_at(image, bf16, s->row.second[h] * in_row), s->row.lambda[h], &s->column, out[2], c,
                        residual ? icseg_at(residual, bf16, at) : NULL, icseg_at(k->out[0], bf16, at), bf16);
        }
    return ICSEG_OK;
}

static icseg_status gradient_prepare(icseg_kernel *k, icseg_error *error) {
    return prepare(k, &icseg_kernel_out(k, 0)->shape, &icseg_kernel_in(k, 0)->shape, error);
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const axis *row = &((const resize_state *)k->state)->row, *column = &((const resize_state *)k->state)->column;
    const int64_t *in = icseg_kernel_out(k, 0)->shape.dim, *out = icseg_kernel_in(k, 0)->shape.dim;
    int64_t c = in[3], out_row = out[2] * c;
    const float *dy = k->in[0];
    float *dx = k->out[0];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < in[0]; b++)
        for (int64_t h = 0; h < in[1]; h++) {
            const float *from = dy + (b * out[1] + row->begin[h]) * out_row, *v = row->collected + row->offset[h];
            float *to = dx + (b * in[1] + h) * in[2] * c;
            for (int64_t w = 0; w < in[2]; w++, to += c) {
                memset(to, 0, (size_t)c * sizeof *to);
                for (int64_t t = 0; t < row->count[h]; t++)
                    collect(from + t * out_row + column->begin[w] * c, v[t], column->collected + column->offset[w],
                            column->count[w], c, to);
            }
        }
    return ICSEG_OK;
}

static const icseg_op gradient_op = {
    .name = "resize_bilinear_gradient", .prepare = gradient_prepare, .run = gradient_run, .release = resize_release};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    grad_in[0] = icseg_space_gradient(g, &gradient_op, node, 0, grad_out[0]);
}

/* A second input, of the output's shape, is added; only icseg_graph_fuse sets one. */
const icseg_op icseg_op_resize_bilinear = {.name = "resize_bilinear",
                                           .gradient = gradient,
                                           .cheap = true,
                                           .prepare = resize_prepare,
                                           .run = resize_run,
                                           .release = resize_release,
                                           .in_place = 1 << 1,
                                           .bf16 = {.in = 3, .out = 1, .same = true}};

icseg_value icseg_resize_bilinear(icseg_graph *g, icseg_value x, int64_t height, int64_t width) {
    return icseg_resize_node(g, &icseg_op_resize_bilinear, NULL, 0, x, height, width);
}

/* SPDX-License-Identifier: Apache-2.0
 * resize_bilinear with half-pixel centres and clamped edges: PyTorch's interpolate(align_corners=False). The gradient
 * gathers: each source pixel collects from the output pixels that read it, so that no two threads write the same
 * element and the order of the sum is fixed. */
#include <string.h>

#include "base/sampling.h"
#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/cast.h"
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

/* One row of a tensor: f32, bf16 or bytes. */
typedef struct tensor_row {
    const void *data;
    icseg_format format;
} tensor_row;

/* Element i, of a type that is a constant where this is inlined. */
ICSEG_INLINE float element(const tensor_row *r, icseg_dtype dtype, int64_t i) {
    return dtype == ICSEG_U8 ? (float)((const uint8_t *)r->data)[i] : icseg_element(r->data, dtype == ICSEG_BF16, i);
}

/* What sums of weighted elements mean, when the weights add up to 1. */
ICSEG_INLINE float value(const tensor_row *r, icseg_dtype dtype, float sum) {
    const icseg_quantization *q = &r->format.quantization;
    return dtype == ICSEG_U8 ? (sum - (float)q->zero_point) * q->scale : sum;
}

/* One output row from two source rows (., c), in one format, that are weighted 1 - v and v, plus `residual` (width, c)
 * unless its data is NULL. */
typedef struct resized_row {
    tensor_row top, bottom, residual;
    float v;
    const axis *column;
    int64_t width, c;
    void *to;
    icseg_format format; /* of `to` */
} resized_row;

ICSEG_INLINE void forward_types(const resized_row *r, icseg_dtype in, icseg_dtype plus, bool adds, icseg_dtype out) {
    const tensor_row top = r->top, bottom = r->bottom, residual = r->residual;
    int64_t c = r->c;
    int32_t zero = r->format.quantization.zero_point;
    float v = r->v, inverse = 1 / r->format.quantization.scale;
    for (int64_t o = 0; o < r->width; o++) {
        int64_t left = r->column->first[o] * c, right = r->column->second[o] * c;
        float h = r->column->lambda[o];
        float a = (1 - v) * (1 - h), b = (1 - v) * h, d = v * (1 - h), e = v * h;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            float above = a * element(&top, in, left + j) + b * element(&top, in, right + j);
            float below = d * element(&bottom, in, left + j) + e * element(&bottom, in, right + j);
            float y = value(&top, in, above + below);
            if (adds) y = value(&residual, plus, element(&residual, plus, o * c + j)) + y;
            if (out == ICSEG_U8)
                ((uint8_t *)r->to)[o * c + j] = icseg_quantized(y, inverse, zero);
            else
                icseg_set_element(r->to, out == ICSEG_BF16, o * c + j, y);
        }
    }
}

ICSEG_INLINE void forward_residual(const resized_row *r, icseg_dtype in, icseg_dtype out) {
    if (!r->residual.data)
        forward_types(r, in, ICSEG_F32, false, out);
    else if (r->residual.format.dtype == ICSEG_U8)
        forward_types(r, in, ICSEG_U8, true, out);
    else
        forward_types(r, in, ICSEG_F32, true, out);
}

ICSEG_KERNEL static void forward_row(const resized_row *r) {
    bool bytes_in = r->top.format.dtype == ICSEG_U8, bytes_out = r->format.dtype == ICSEG_U8;
    if (r->format.dtype == ICSEG_BF16)
        forward_types(r, ICSEG_BF16, ICSEG_BF16, r->residual.data != NULL, ICSEG_BF16);
    else if (bytes_in && bytes_out)
        forward_residual(r, ICSEG_U8, ICSEG_U8);
    else if (bytes_in)
        forward_residual(r, ICSEG_U8, ICSEG_F32);
    else if (bytes_out)
        forward_residual(r, ICSEG_F32, ICSEG_U8);
    else
        forward_residual(r, ICSEG_F32, ICSEG_F32);
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

/* The row that begins with element `at` of a tensor, which may be NULL. */
static tensor_row row_at(const void *tensor, const icseg_value_info *info, int64_t at) {
    return (tensor_row){tensor ? (const char *)tensor + (size_t)at * icseg_dtype_size(info->dtype) : NULL,
                        icseg_format_of(info)};
}

static icseg_status resize_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const resize_state *s = k->state;
    const icseg_value_info *x = icseg_kernel_in(k, 0), *y = icseg_kernel_out(k, 0);
    const icseg_value_info *residual = k->node->input_count > 1 ? icseg_kernel_in(k, 1) : y;
    const void *plus = k->node->input_count > 1 ? k->in[1] : NULL;
    const int64_t *in = x->shape.dim, *out = y->shape.dim;
    int64_t c = in[3], in_row = in[2] * c, out_row = out[2] * c;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < out[0]; b++)
        for (int64_t h = 0; h < out[1]; h++) {
            int64_t image = b * in[1] * in_row, at = (b * out[1] + h) * out_row;
            const resized_row r = {.top = row_at(k->in[0], x, image + s->row.first[h] * in_row),
                                   .bottom = row_at(k->in[0], x, image + s->row.second[h] * in_row),
                                   .residual = row_at(plus, residual, at),
                                   .v = s->row.lambda[h],
                                   .column = &s->column,
                                   .width = out[2],
                                   .c = c,
                                   .to = (void *)row_at(k->out[0], y, at).data,
                                   .format = icseg_format_of(y)};
            forward_row(&r);
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
                                           .bf16 = {.in = 3, .out = 1, .same = true},
                                           .int8 = {.in = 3, .out = 1, .mixed = true}};

icseg_value icseg_resize_bilinear(icseg_graph *g, icseg_value x, int64_t height, int64_t width) {
    return icseg_resize_node(g, &icseg_op_resize_bilinear, NULL, 0, x, height, width);
}

/* SPDX-License-Identifier: Apache-2.0
 * segment_attention: causal self-attention of sequences that share a prefix (docs/method.md 2). The prefix's keys and
 * values are computed once and read by every segment; nothing is padded. A row sees at most prefix + its segment, so
 * the probabilities of one row are all that is ever held; the gradient computes them again. */
#include <math.h>
#include <string.h>

#include "base/system.h"
#include "base/vmath.h"
#include "graph/op.h"
#include "graph/ops.h"

typedef struct attributes {
    int32_t heads, prefix, count, longest; /* longest: most rows that one row sees */
    int32_t lengths[];
} attributes;

/* One head of one image: rows of q, k, v are `stride` floats apart, those of out `out_stride`. */
typedef struct head {
    const float *q, *k, *v;
    int64_t stride, out_stride;
    int64_t width; /* of one head */
    float scale;   /* 1 / sqrt(width) */
} head;

/* What row `row` sees: [0, shared) of the prefix and [own, row] of its segment. */
typedef struct span {
    int64_t shared, own, row;
} span;

ICSEG_INLINE float dot(const float *a, const float *b, int64_t n) {
    float lane[ICSEG_LANES] = {0}, rest = 0;
    int64_t k = 0;
    for (; k + ICSEG_LANES <= n; k += ICSEG_LANES)
#pragma omp simd
        for (int j = 0; j < ICSEG_LANES; j++) lane[j] += a[k + j] * b[k + j];
    for (; k < n; k++) rest += a[k] * b[k];
    return icseg_lanes_sum(lane) + rest;
}

ICSEG_INLINE void add_scaled(float *y, const float *x, float factor, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] += factor * x[i];
}

/* Index of the i-th row seen. */
ICSEG_INLINE int64_t seen(const span *s, int64_t i) { return i < s->shared ? i : s->own + i - s->shared; }
ICSEG_INLINE int64_t seen_count(const span *s) { return s->shared + s->row - s->own + 1; }

/* Softmax probabilities of one row, into p. */
ICSEG_INLINE void probabilities(const head *h, const span *s, float *p) {
    int64_t n = seen_count(s);
    float largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        p[i] = h->scale * dot(h->q + s->row * h->stride, h->k + seen(s, i) * h->stride, h->width);
        largest = p[i] > largest ? p[i] : largest;
    }
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        p[i] = icseg_exp(p[i] - largest);
        sum += p[i];
    }
    for (int64_t i = 0; i < n; i++) p[i] /= sum;
}

ICSEG_KERNEL static void forward_row(const head *h, const span *s, float *p, float *out) {
    probabilities(h, s, p);
    float *y = out + s->row * h->out_stride;
    memset(y, 0, (size_t)h->width * sizeof *y);
    for (int64_t i = 0; i < seen_count(s); i++) add_scaled(y, h->v + seen(s, i) * h->stride, p[i], h->width);
}

/* dq is written, dk and dv are added to: d* have the strides of q, k, v. */
ICSEG_KERNEL static void backward_row(const head *h, const span *s, float *p, float *dp, const float *dout, float *dq,
                                      float *dk, float *dv) {
    int64_t n = seen_count(s);
    const float *dy = dout + s->row * h->out_stride;
    float *dq_row = dq + s->row * h->stride, mean = 0;
    probabilities(h, s, p);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = seen(s, i) * h->stride;
        dp[i] = dot(dy, h->v + at, h->width);
        mean += p[i] * dp[i];
        add_scaled(dv + at, dy, p[i], h->width);
    }
    memset(dq_row, 0, (size_t)h->width * sizeof *dq_row);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = seen(s, i) * h->stride;
        float ds = h->scale * p[i] * (dp[i] - mean);
        add_scaled(dq_row, h->k + at, ds, h->width);
        add_scaled(dk + at, h->q + s->row * h->stride, ds, h->width);
    }
}

/* Rows [begin, end) of a segment; segment -1 is the prefix. */
static span segment_at(const attributes *a, int64_t segment, int64_t begin, int64_t *end) {
    *end = begin + (segment < 0 ? a->prefix : a->lengths[segment]);
    return (span){.shared = segment < 0 ? 0 : a->prefix, .own = begin, .row = begin};
}

static head head_of(const icseg_kernel *k, const attributes *a, int64_t image, int64_t index) {
    const icseg_shape *shape = &icseg_kernel_in(k, 0)->shape;
    int64_t width = shape->dim[2] / 3, per_head = width / a->heads;
    const float *base = (const float *)k->in[0] + image * shape->dim[1] * shape->dim[2] + index * per_head;
    return (head){.q = base,
                  .k = base + width,
                  .v = base + 2 * width,
                  .stride = shape->dim[2],
                  .out_stride = width,
                  .width = per_head,
                  .scale = 1 / sqrtf((float)per_head)};
}

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    const attributes *a = k->node->attributes;
    int64_t tasks = icseg_kernel_in(k, 0)->shape.dim[0] * a->heads;
    k->scratch_size = (size_t)tasks * 2 * (size_t)a->longest * sizeof(float);
    return ICSEG_OK;
}

static icseg_status forward_run(icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const attributes *a = k->node->attributes;
    const icseg_shape *shape = &icseg_kernel_out(k, 0)->shape;
    int64_t tasks = shape->dim[0] * a->heads;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < tasks; task++) {
        int64_t image = task / a->heads, index = task % a->heads;
        head h = head_of(k, a, image, index);
        float *p = (float *)run->scratch + task * 2 * a->longest;
        float *out = (float *)k->out[0] + image * shape->dim[1] * shape->dim[2] + index * h.width;
        for (int64_t segment = -1, row = 0, end; segment < a->count; segment++, row = end)
            for (span s = segment_at(a, segment, row, &end); s.row < end; s.row++) forward_row(&h, &s, p, out);
    }
    return ICSEG_OK;
}

/* inputs: qkv, gradient of the output; output: gradient of qkv */
static icseg_status backward_run(icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const attributes *a = k->node->attributes;
    const icseg_shape *shape = &icseg_kernel_in(k, 0)->shape;
    int64_t tasks = shape->dim[0] * a->heads, rows = shape->dim[1];
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < tasks; task++) {
        int64_t image = task / a->heads, index = task % a->heads;
        head h = head_of(k, a, image, index);
        float *p = (float *)run->scratch + task * 2 * a->longest;
        const float *dout = (const float *)k->in[1] + image * rows * h.out_stride + index * h.width;
        float *dq = (float *)k->out[0] + (h.q - (const float *)k->in[0]);
        float *dk = dq + h.out_stride, *dv = dk + h.out_stride;
        for (int64_t row = 0; row < rows; row++) {
            memset(dk + row * h.stride, 0, (size_t)h.width * sizeof *dk);
            memset(dv + row * h.stride, 0, (size_t)h.width * sizeof *dv);
        }
        for (int64_t segment = -1, row = 0, end; segment < a->count; segment++, row = end)
            for (span s = segment_at(a, segment, row, &end); s.row < end; s.row++)
                backward_row(&h, &s, p, p + a->longest, dout, dq, dk, dv);
    }
    return ICSEG_OK;
}

/* Multiply-adds of q k^T and p v: 4 FLOP per pair of rows and channel. */
static double forward_flops(const icseg_graph *g, const icseg_node *node) {
    const attributes *a = node->attributes;
    double pairs = 0.5 * a->prefix * (a->prefix + 1);
    for (int32_t i = 0; i < a->count; i++)
        pairs += (double)a->lengths[i] * a->prefix + 0.5 * a->lengths[i] * (a->lengths[i] + 1);
    const icseg_shape *shape = &icseg_graph_value(g, node->input[0])->shape;
    return 4 * pairs * (double)(shape->dim[0] * shape->dim[2] / 3);
}

static double backward_flops(const icseg_graph *g, const icseg_node *node) { return 2.5 * forward_flops(g, node); }

static const icseg_op gradient_op = {
    .name = "segment_attention_gradient", .prepare = prepare, .run = backward_run, .flops = backward_flops};

static size_t attributes_size(const attributes *a) { return sizeof *a + (size_t)a->count * sizeof *a->lengths; }

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_value in[] = {node->input[0], grad_out[0]};
    icseg_node *n = icseg_node_append(g, &gradient_op, node->attributes, attributes_size(node->attributes), in, 2, 0);
    if (n) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, in[0])->shape);
}

const icseg_op icseg_op_segment_attention = {
    .name = "segment_attention", .gradient = gradient, .prepare = prepare, .run = forward_run, .flops = forward_flops};

icseg_value icseg_segment_attention(icseg_graph *g, icseg_value qkv, int heads, int prefix, int count,
                                    const int32_t *lengths) {
    if (icseg_graph_status(g, NULL) != ICSEG_OK) return ICSEG_NONE;
    attributes *a = icseg_arena_alloc(icseg_graph_arena(g), sizeof *a + (size_t)count * sizeof *a->lengths);
    if (!a) return icseg_graph_fail(g, "segment_attention", ICSEG_ERROR_MEMORY, "out of memory");
    *a = (attributes){.heads = heads, .prefix = prefix, .count = count};
    int64_t rows = prefix, longest = 0;
    for (int i = 0; i < count; i++) {
        a->lengths[i] = lengths[i];
        rows += lengths[i];
        if (lengths[i] > longest) longest = lengths[i];
    }
    a->longest = (int32_t)(prefix + longest);
    icseg_node *node = icseg_node_append(g, &icseg_op_segment_attention, a, attributes_size(a), &qkv, 1, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, qkv)->shape;
    if (shape.rank != 3 || shape.dim[1] != rows || heads < 1 || shape.dim[2] % (3 * (int64_t)heads)) {
        char text[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "segment_attention", ICSEG_ERROR_SHAPE,
                                "qkv has shape %s; %lld rows in the segments, %d heads",
                                icseg_shape_text(shape, text, sizeof text), (long long)rows, heads);
    }
    shape.dim[2] /= 3;
    return icseg_node_output(g, node, ICSEG_F32, shape);
}

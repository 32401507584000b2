/* SPDX-License-Identifier: Apache-2.0
 * segment_attention: causal self-attention of sequences that share a prefix (docs/method.md 2). The prefix's keys and
 * values are computed once and read by every segment; nothing is padded. Probabilities exist for a few rows at a time;
 * the gradient recomputes them. */
#include <math.h>
#include <string.h>

#include "base/system.h"
#include "base/vmath.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/attributes.h"

/* PIECES: tasks among which the segments of a head are divided. CHUNK: rows whose gradients are added to the prefix's
 * at once. AHEAD: rows to prefetch. */
enum { LANES = ICSEG_LANES, PIECES = 4, CHUNK = 16, AHEAD = 3 };

/* One head of one image: rows of q, k, v are `stride` floats apart, those of out `out_stride`. */
typedef struct head {
    const float *q, *k, *v;
    int64_t stride, out_stride;
    int64_t width; /* of one head */
    float scale;   /* 1 / sqrt(width) */
} head;

/* Rows [first, first + rows). Each attends to the `shared` rows of the prefix, and to rows from `first` to itself. */
typedef struct part {
    int64_t shared, first, rows;
} part;

/* A task's scratch memory: the prefix's keys and values with one column for each row, (width, padded); probabilities
 * and their gradients, (rows, pitch), the prefix's columns first and then the part's own. */
typedef struct buffers {
    float *keys, *values, *p, *ds;
    int64_t padded, pitch;
} buffers;

static int64_t round_up(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

/* -- products of rows */

ICSEG_INLINE float dot(const float *a, const float *b, int64_t n) {
    float lane[LANES], rest = 0;
    icseg_vector low = {0}, high = {0};
    int64_t k = 0;
    for (; k + LANES <= n; k += LANES) {
        const icseg_vector *x = (const icseg_vector *)(a + k), *y = (const icseg_vector *)(b + k);
        low += x[0] * y[0], high += x[1] * y[1];
    }
    for (; k < n; k++) rest += a[k] * b[k];
    ((icseg_vector *)lane)[0] = low, ((icseg_vector *)lane)[1] = high;
    return icseg_lanes_sum(lane) + rest;
}

/* out (padded) = x (width) times columns (width, padded) */
ICSEG_INLINE void times_columns(const float *x, const float *columns, int64_t width, int64_t padded, float *out) {
    for (int64_t at = 0; at < padded; at += LANES) {
        const float *c = columns + at;
        icseg_vector a_low = {0}, a_high = {0}, b_low = {0}, b_high = {0}, *to = (icseg_vector *)(out + at);
        int64_t d = 0;
        for (; d + 2 <= width; d += 2, c += 2 * padded) {
            const icseg_vector *first = (const icseg_vector *)c, *second = (const icseg_vector *)(c + padded);
            a_low += x[d] * first[0], a_high += x[d] * first[1];
            b_low += x[d + 1] * second[0], b_high += x[d + 1] * second[1];
        }
        const icseg_vector *last = (const icseg_vector *)c;
        if (d < width) a_low += x[d] * last[0], a_high += x[d] * last[1];
        to[0] = a_low + b_low, to[1] = a_high + b_high;
    }
}

/* y (width) += sum over i < n of weight[i * step] * rows[i * stride ..] */
ICSEG_INLINE void add_rows(float *y, const float *weight, int64_t step, const float *rows, int64_t stride, int64_t n,
                           int64_t width) {
    int64_t at = 0;
    for (; at + 4 * LANES <= width; at += 4 * LANES) {
        icseg_vector *to = (icseg_vector *)(y + at), a = to[0], b = to[1], c = to[2], d = to[3];
        icseg_vector e = to[4], f = to[5], g = to[6], h = to[7];
        for (int64_t i = 0; i < n; i++) {
            const icseg_vector *from = (const icseg_vector *)(rows + i * stride + at);
            float w = weight[i * step];
            a += w * from[0], b += w * from[1], c += w * from[2], d += w * from[3];
            e += w * from[4], f += w * from[5], g += w * from[6], h += w * from[7];
        }
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;
        to[4] = e, to[5] = f, to[6] = g, to[7] = h;
    }
    for (int64_t i = 0; i < n && at < width; i++) {
        const float *from = rows + i * stride;
        float w = weight[i * step];
#pragma omp simd
        for (int64_t j = at; j < width; j++) y[j] += w * from[j];
    }
}

/* rows (n, ..) to columns (width, padded); columns past n are zero. */
static void transpose(const float *rows, int64_t stride, int64_t n, int64_t width, int64_t padded, float *columns) {
    memset(columns, 0, (size_t)(width * padded) * sizeof *columns);
    for (int64_t i = 0; i < n; i++)
        for (int64_t d = 0; d < width; d++) columns[d * padded + i] = rows[i * stride + d];
}

/* -- softmax */

/* p = softmax(scale * p) of n scores; p has space for whole vectors. */
ICSEG_INLINE void softmax(float *p, int64_t n, float scale) {
    int64_t end = round_up(n);
    float lane[LANES], sums[LANES] = {0};
    for (int64_t i = n; i < end; i++) p[i] = -INFINITY;
    memcpy(lane, p, sizeof lane);
    for (int64_t i = LANES; i < end; i += LANES)
#pragma omp simd
        for (int j = 0; j < LANES; j++) lane[j] = p[i + j] > lane[j] ? p[i + j] : lane[j];
    float top = icseg_lanes_max(lane);
    for (int64_t i = 0; i < end; i += LANES)
#pragma omp simd
        for (int j = 0; j < LANES; j++) {
            p[i + j] = icseg_exp_below(scale * (p[i + j] - top)); /* past n: 1e-38, lost in a sum that is at least 1 */
            sums[j] += p[i + j];
        }
    float inverse = 1 / icseg_lanes_sum(sums);
    for (int64_t i = 0; i < end; i += LANES)
#pragma omp simd
        for (int j = 0; j < LANES; j++) p[i + j] *= inverse;
}

/* Probabilities of the part's row i, into p. */
ICSEG_INLINE void probabilities(const head *h, const buffers *r, const part *s, int64_t i, float *p) {
    const float *q = h->q + (s->first + i) * h->stride, *own = h->k + s->first * h->stride;
    if (s->shared) times_columns(q, r->keys, h->width, r->padded, p);
    for (int64_t j = 0; j <= i; j++) p[s->shared + j] = dot(q, own + j * h->stride, h->width);
    softmax(p, s->shared + i + 1, h->scale);
}

/* Rows are too far apart for the hardware prefetcher. Prefetching rows beyond the last one is harmless. */
ICSEG_INLINE void prefetch(const head *h, int64_t row) {
    for (int64_t at = 0; at < h->width; at += LANES) {
        __builtin_prefetch(h->q + row * h->stride + at);
        __builtin_prefetch(h->k + row * h->stride + at);
        __builtin_prefetch(h->v + row * h->stride + at);
    }
}

/* -- forward and backward of one part */

ICSEG_KERNEL static void forward_part(const head *h, const buffers *r, const part *s, float *out) {
    const float *own = h->v + s->first * h->stride;
    for (int64_t i = 0; i < s->rows; i++) {
        float *y = out + (s->first + i) * h->out_stride;
        prefetch(h, s->first + i + AHEAD);
        probabilities(h, r, s, i, r->p);
        memset(y, 0, (size_t)h->width * sizeof *y);
        add_rows(y, r->p, 1, h->v, h->stride, s->shared, h->width);
        add_rows(y, r->p + s->shared, 1, own, h->stride, i + 1, h->width);
    }
}

typedef struct gradients {
    const float *out; /* of the output, with its stride */
    float *q, *k, *v; /* with the stride of q, k, v */
} gradients;

/* Computes probabilities p and gradients ds of the products q k^T into the rows from `at` on of the buffers. Writes dq,
 * and adds the part's contribution to its own keys and values to dk and dv. */
ICSEG_KERNEL static void backward_part(const head *h, const buffers *r, const part *s, int64_t at, const gradients *d) {
    const float *own_k = h->k + s->first * h->stride, *own_v = h->v + s->first * h->stride;
    const float *own_q = h->q + s->first * h->stride, *own_dy = d->out + s->first * h->out_stride;
    float *all_p = r->p + at * r->pitch, *all_ds = r->ds + at * r->pitch;
    for (int64_t i = 0; i < s->rows; i++) {
        const float *dy = own_dy + i * h->out_stride;
        float *p = all_p + i * r->pitch, *ds = all_ds + i * r->pitch, *dq = d->q + (s->first + i) * h->stride;
        int64_t n = s->shared + i + 1, end = round_up(n);
        probabilities(h, r, s, i, p);
        if (s->shared) times_columns(dy, r->values, h->width, r->padded, ds);
        for (int64_t j = 0; j <= i; j++) ds[s->shared + j] = dot(dy, own_v + j * h->stride, h->width);
        for (int64_t j = n; j < end; j++) p[j] = ds[j] = 0;
        float mean = dot(p, ds, end);
#pragma omp simd
        for (int64_t j = 0; j < end; j++) ds[j] = h->scale * p[j] * (ds[j] - mean);
        memset(dq, 0, (size_t)h->width * sizeof *dq);
        add_rows(dq, ds, 1, h->k, h->stride, s->shared, h->width);
        add_rows(dq, ds + s->shared, 1, own_k, h->stride, i + 1, h->width);
    }
    for (int64_t j = 0; j < s->rows; j++) { /* rows j, j + 1, .. attend to row j */
        int64_t to = (s->first + j) * h->stride, from = j * r->pitch + s->shared + j, n = s->rows - j;
        add_rows(d->v + to, all_p + from, r->pitch, own_dy + j * h->out_stride, h->out_stride, n, h->width);
        add_rows(d->k + to, all_ds + from, r->pitch, own_q + j * h->stride, h->stride, n, h->width);
    }
}

/* Adds the contribution of rows [first, first + n), the first n of the buffers, to the prefix's gradient. */
ICSEG_KERNEL static void backward_prefix(const head *h, const buffers *r, int64_t prefix, int64_t first, int64_t n,
                                         const gradients *d) {
    for (int64_t i = 0; i < prefix; i++) {
        add_rows(d->v + i * h->stride, r->p + i, r->pitch, d->out + first * h->out_stride, h->out_stride, n, h->width);
        add_rows(d->k + i * h->stride, r->ds + i, r->pitch, h->q + first * h->stride, h->stride, n, h->width);
    }
}

/* -- tasks */

static head head_of(const icseg_kernel *k, const icseg_segment_attributes *a, int64_t image, int64_t index) {
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

/* A task's part of scratch memory; with scratch NULL, only its size in floats. It is small, so one layout serves both
 * directions. */
static int64_t buffers_of(const icseg_segment_attributes *a, int64_t width, float *scratch, int64_t task,
                          buffers *out) {
    int64_t padded = round_up(a->prefix), pitch = padded + round_up(a->longest);
    int64_t columns = round_up(width * padded), rows = (CHUNK + a->longest) * pitch, floats = 2 * (columns + rows);
    if (!scratch) return floats;
    float *base = scratch + task * floats;
    *out = (buffers){.keys = base,
                     .values = base + columns,
                     .p = base + 2 * columns,
                     .ds = base + 2 * columns + rows,
                     .padded = padded,
                     .pitch = pitch};
    return floats;
}

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    const icseg_segment_attributes *a = k->node->attributes;
    const icseg_shape *shape = &icseg_kernel_in(k, 0)->shape;
    int64_t tasks = shape->dim[0] * a->heads * PIECES;
    k->scratch_size =
        (size_t)tasks * (size_t)buffers_of(a, shape->dim[2] / 3 / a->heads, NULL, 0, NULL) * sizeof(float);
    return ICSEG_OK;
}

static icseg_status forward_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const icseg_segment_attributes *a = k->node->attributes;
    const icseg_shape *shape = &icseg_kernel_out(k, 0)->shape;
    int64_t tasks = shape->dim[0] * a->heads * PIECES;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < tasks; task++) {
        int64_t image = task / PIECES / a->heads, index = task / PIECES % a->heads, piece = task % PIECES;
        head h = head_of(k, a, image, index);
        buffers r;
        buffers_of(a, h.width, run->scratch, task, &r);
        float *out = (float *)k->out[0] + image * shape->dim[1] * shape->dim[2] + index * h.width;
        transpose(h.k, h.stride, a->prefix, h.width, r.padded, r.keys);
        part s = {.rows = a->prefix};
        if (piece == 0) forward_part(&h, &r, &s, out);
        s = (part){.shared = a->prefix, .first = a->prefix};
        for (int64_t i = 0; i < (piece + 1) * a->count / PIECES; i++, s.first += s.rows) {
            s.rows = a->lengths[i];
            if (i >= piece * a->count / PIECES) forward_part(&h, &r, &s, out);
        }
    }
    return ICSEG_OK;
}

static void backward_head(const icseg_segment_attributes *a, const head *h, buffers *r, const gradients *d,
                          int64_t rows) {
    transpose(h->k, h->stride, a->prefix, h->width, r->padded, r->keys);
    transpose(h->v, h->stride, a->prefix, h->width, r->padded, r->values);
    for (int64_t row = 0; row < rows; row++) {
        memset(d->k + row * h->stride, 0, (size_t)h->width * sizeof *d->k);
        memset(d->v + row * h->stride, 0, (size_t)h->width * sizeof *d->v);
    }
    part s = {.rows = a->prefix};
    backward_part(h, r, &s, 0, d);
    s = (part){.shared = a->prefix, .first = a->prefix};
    int64_t pending = 0; /* rows whose contribution to the prefix's gradient is not added yet */
    for (int64_t i = 0; i < a->count; i++) {
        s.rows = a->lengths[i];
        backward_part(h, r, &s, pending, d);
        pending += s.rows;
        s.first += s.rows;
        if (pending < CHUNK && i + 1 < a->count) continue;
        backward_prefix(h, r, a->prefix, s.first - pending, pending, d);
        pending = 0;
    }
}

/* inputs: qkv, gradient of the output; output: gradient of qkv */
static icseg_status backward_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const icseg_segment_attributes *a = k->node->attributes;
    const icseg_shape *shape = &icseg_kernel_in(k, 0)->shape;
    int64_t tasks = shape->dim[0] * a->heads, rows = shape->dim[1];
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < tasks; task++) {
        int64_t image = task / a->heads, index = task % a->heads;
        head h = head_of(k, a, image, index);
        buffers r;
        buffers_of(a, h.width, run->scratch, task, &r);
        float *dq = (float *)k->out[0] + (h.q - (const float *)k->in[0]);
        gradients d = {.out = (const float *)k->in[1] + image * rows * h.out_stride + index * h.width,
                       .q = dq,
                       .k = dq + h.out_stride,
                       .v = dq + 2 * h.out_stride};
        backward_head(a, &h, &r, &d, rows);
    }
    return ICSEG_OK;
}

/* Multiply-adds of q k^T and p v: 4 FLOP per pair of rows and channel. */
static double forward_flops(const icseg_graph *g, const icseg_node *node) {
    const icseg_segment_attributes *a = node->attributes;
    double pairs = 0.5 * a->prefix * (a->prefix + 1);
    for (int32_t i = 0; i < a->count; i++)
        pairs += (double)a->lengths[i] * a->prefix + 0.5 * a->lengths[i] * (a->lengths[i] + 1);
    const icseg_shape *shape = &icseg_graph_value(g, node->input[0])->shape;
    int64_t width = shape->dim[2] / 3; /* without a remainder: q, k and v */
    return 4 * pairs * (double)(shape->dim[0] * width);
}

static double backward_flops(const icseg_graph *g, const icseg_node *node) { return 2.5 * forward_flops(g, node); }

static const icseg_op gradient_op = {
    .name = "segment_attention_gradient", .prepare = prepare, .run = backward_run, .flops = backward_flops};

static size_t attributes_size(const icseg_segment_attributes *a) {
    return sizeof *a + (size_t)a->count * sizeof *a->lengths;
}

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
    icseg_segment_attributes *a =
        icseg_arena_alloc(icseg_graph_arena(g), sizeof *a + (size_t)count * sizeof *a->lengths);
    if (!a) return icseg_graph_fail(g, "segment_attention", ICSEG_ERROR_MEMORY, "out of memory");
    *a = (icseg_segment_attributes){.heads = heads, .prefix = prefix, .count = count};
    int64_t rows = prefix, longest = prefix;
    for (int i = 0; i < count; i++) {
        a->lengths[i] = lengths[i];
        rows += lengths[i];
        if (lengths[i] > longest) longest = lengths[i];
    }
    a->longest = (int32_t)longest;
    icseg_node *node = icseg_node_append(g, &icseg_op_segment_attention, a, attributes_size(a), &qkv, 1, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, qkv)->shape;
    if (shape.rank != 3 || shape.dim[1] != rows || heads < 1 || shape.dim[2] % (3 * (int64_t)heads)) {
        char text[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "segment_attention", ICSEG_ERROR_SHAPE,
                                "qkv has shape %s, which does not fit %lld rows in the segments and %d heads",
                                icseg_shape_text(shape, text, sizeof text), (long long)rows, heads);
    }
    shape.dim[2] /= 3;
    return icseg_node_output(g, node, ICSEG_F32, shape);
}

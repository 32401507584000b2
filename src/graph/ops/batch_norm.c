/* SPDX-License-Identifier: Apache-2.0
 * batch_norm: normalisation per channel with the batch's or the running statistics, and an optional fused ReLU. The
 * batch's moments take one pass over memory: each chunk of rows is read twice while it is in the cache (mean, then
 * centred squares), and the chunks' moments are combined in double (Chan, Golub and LeVeque). The gradient recomputes
 * the ReLU's mask from x, which it reads anyway. Synchronised moments are those of the whole group's batch. */
#include <math.h>
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/chunks.h"
#include "tensor/bf16.h"

enum { X, WEIGHT, BIAS, RUNNING_MEAN, RUNNING_VAR, INPUTS };
enum { LANES = 64 };

/* Mean and sum of centred squares of each column of x (rows, c). */
ICSEG_KERNEL static void chunk_moments(const float *x, int64_t rows, int64_t c, float *mean, float *m2) {
    memset(mean, 0, (size_t)c * sizeof *mean);
    memset(m2, 0, (size_t)c * sizeof *m2);
    int64_t r = 0;
    for (const float *p = x; r + 4 <= rows; r += 4, p += 4 * c)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) mean[j] += (p[j] + p[j + c]) + (p[j + 2 * c] + p[j + 3 * c]);
    for (; r < rows; r++)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) mean[j] += x[r * c + j];
#pragma omp simd
    for (int64_t j = 0; j < c; j++) mean[j] /= (float)rows;
    r = 0;
    for (const float *p = x; r + 4 <= rows; r += 4, p += 4 * c)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            float a = p[j] - mean[j], b = p[j + c] - mean[j], d = p[j + 2 * c] - mean[j], e = p[j + 3 * c] - mean[j];
            m2[j] += (a * a + b * b) + (d * d + e * e);
        }
    for (; r < rows; r++)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) m2[j] += (x[r * c + j] - mean[j]) * (x[r * c + j] - mean[j]);
}

/* Moments of n columns from those of the chunks: partial (chunks, 2, width). */
ICSEG_KERNEL static void combine_moments(const float *partial, const icseg_chunks *m, int64_t n, double *mean,
                                         double *m2) {
    for (int64_t j = 0; j < n; j++) mean[j] = m2[j] = 0;
    for (int64_t i = 0; i < m->count; i++) {
        const float *p = partial + i * 2 * m->width;
        double rows = (double)icseg_chunk_rows(m, i);
#pragma omp simd
        for (int64_t j = 0; j < n; j++) mean[j] += rows * (double)p[j];
    }
    for (int64_t j = 0; j < n; j++) mean[j] /= (double)m->rows;
    for (int64_t i = 0; i < m->count; i++) {
        const float *p = partial + i * 2 * m->width;
        double rows = (double)icseg_chunk_rows(m, i);
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            double d = (double)p[j] - mean[j];
            m2[j] += (double)p[j + m->width] + rows * d * d;
        }
    }
}

ICSEG_INLINE void apply_types(const float *x, const float *scale, const float *shift, bool relu, void *to, bool bf16,
                              int64_t rows, int64_t c) {
    float floor = relu ? 0 : -INFINITY;
    for (int64_t r = 0; r < rows; r++, x += c) {
        void *y = icseg_at(to, bf16, r * c);
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            float v = x[j] * scale[j] + shift[j];
            icseg_set_element(y, bf16, j, v < floor ? floor : v); /* NaN stays NaN */
        }
    }
}

ICSEG_KERNEL static void apply_rows(const float *x, const float *scale, const float *shift, bool relu, void *y,
                                    bool bf16, int64_t rows, int64_t c) {
    if (bf16)
        apply_types(x, scale, shift, relu, y, true, rows, c);
    else
        apply_types(x, scale, shift, relu, y, false, rows, c);
}

/* Sums over rows of g and of g (x - mean), where g is dy masked by the ReLU. */
ICSEG_KERNEL static void chunk_sums(const float *x, const float *dy, const float *mean, const float *scale,
                                    const float *shift, bool relu, int64_t rows, int64_t c, float *sum, float *dot) {
    float floor = relu ? 0 : -INFINITY;
    memset(sum, 0, (size_t)c * sizeof *sum);
    memset(dot, 0, (size_t)c * sizeof *dot);
    int64_t r = 0;
    for (; r + 2 <= rows; r += 2, x += 2 * c, dy += 2 * c)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            float p = x[j], q = x[j + c], g = dy[j],
                  h = dy[j + c]; /* loaded before masking, which avoids masked loads */
            g = p * scale[j] + shift[j] <= floor ? 0 : g;
            h = q * scale[j] + shift[j] <= floor ? 0 : h;
            float products = g * (p - mean[j]) + h * (q - mean[j]);
            sum[j] += g + h;
            dot[j] += products;
        }
    if (r == rows) return;
#pragma omp simd
    for (int64_t j = 0; j < c; j++) {
        float g = dy[j];
        g = x[j] * scale[j] + shift[j] <= floor ? 0 : g;
        sum[j] += g;
        dot[j] += g * (x[j] - mean[j]);
    }
}

/* The terms of the gradient, per channel. */
typedef struct gradient_terms {
    const float *mean, *scale, *shift, *a, *b;
    bool relu;
} gradient_terms;

/* dx = scale (g - a - b (x - mean)). */
ICSEG_INLINE void gradient_types(const float *x, const float *dy, const gradient_terms *t, int64_t rows, int64_t c,
                                 void *to, bool bf16) {
    const float *mean = t->mean, *scale = t->scale, *shift = t->shift, *a = t->a, *b = t->b;
    float floor = t->relu ? 0 : -INFINITY;
    for (int64_t r = 0; r < rows; r++, x += c, dy += c) {
        void *dx = icseg_at(to, bf16, r * c);
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            float g = dy[j];
            g = x[j] * scale[j] + shift[j] <= floor ? 0 : g;
            icseg_set_element(dx, bf16, j, scale[j] * (g - a[j] - b[j] * (x[j] - mean[j])));
        }
    }
}

ICSEG_KERNEL static void gradient_rows(const float *x, const float *dy, const gradient_terms *t, int64_t rows,
                                       int64_t c, void *dx, bool bf16) {
    if (bf16)
        gradient_types(x, dy, t, rows, c, dx, true);
    else
        gradient_types(x, dy, t, rows, c, dx, false);
}

static icseg_chunks chunks_of(const icseg_kernel *k, int like, int channels) {
    int64_t c = icseg_kernel_in(k, channels)->count;
    return icseg_chunks_of(icseg_kernel_in(k, like)->count / c, c);
}

/* y = x scale + shift, with the same scale and shift forward and backward, so that the ReLU's mask is the same. */
static void affine(const float *weight, const float *bias, const float *mean, const float *inv, int64_t c, float *scale,
                   float *shift) {
    for (int64_t j = 0; j < c; j++) {
        scale[j] = weight[j] * inv[j];
        shift[j] = bias[j] - mean[j] * scale[j];
    }
}

/* Turns the mean and the sum of centred squares of this process's rows into those of the group's. A process's rows are
 * shifted by the running mean, which is the same in all of them, so that plain sums lose no digits that matter. */
static icseg_status share_moments(icseg_group *group, const float *shift, int64_t rows, int64_t c, double *mean,
                                  double *m2, icseg_error *error) {
    double n = (double)rows, all = n * icseg_group_size(group);
    for (int64_t j = 0; j < c; j++) {
        mean[j] = n * (mean[j] - (double)shift[j]);
        m2[j] += mean[j] * mean[j] / n;
    }
    ICSEG_TRY(icseg_group_reduce(group, ICSEG_SUM_F64, mean, 2 * c, error)); /* m2 follows mean */
    for (int64_t j = 0; j < c; j++) {
        m2[j] = fmax(m2[j] - mean[j] * mean[j] / all, 0);
        mean[j] = mean[j] / all + (double)shift[j];
    }
    return ICSEG_OK;
}

/* Writes mean and 1 / sqrt(var + eps) (C) of the batch and updates the running statistics. */
static icseg_status batch_moments(const icseg_kernel *k, const icseg_chunks *m, const icseg_run *run,
                                  icseg_error *error) {
    const icseg_batch_norm_options *o = k->node->attributes;
    const float *x = k->in[X];
    float *mean = k->out[1], *inv = k->out[2], *running_mean = k->in[RUNNING_MEAN], *running_var = k->in[RUNNING_VAR];
    int64_t c = m->width;
    double *means = run->scratch, *m2 = means + c;
    float *partial = (float *)(m2 + c);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m->count; i++) {
        float *p = partial + i * 2 * c;
        chunk_moments(x + i * m->step * c, icseg_chunk_rows(m, i), c, p, p + c);
    }
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < c; at += LANES)
        combine_moments(partial + at, m, c - at < LANES ? c - at : LANES, means + at, m2 + at);
    icseg_group *group = o->synchronised ? run->group : NULL;
    if (group) ICSEG_TRY(share_moments(group, running_mean, m->rows, c, means, m2, error));
    double n = (double)m->rows * icseg_group_size(group);
    for (int64_t j = 0; j < c; j++) {
        mean[j] = (float)means[j];
        inv[j] = (float)(1 / sqrt(m2[j] / n + (double)o->eps));
        running_mean[j] += o->momentum * ((float)means[j] - running_mean[j]);
        running_var[j] += o->momentum * ((float)(m2[j] / (n - 1)) - running_var[j]);
    }
    icseg_kernel_in(k, RUNNING_MEAN)->param->version++;
    icseg_kernel_in(k, RUNNING_VAR)->param->version++;
    return ICSEG_OK;
}

static icseg_status batch_norm_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    icseg_chunks m = chunks_of(k, X, WEIGHT);
    k->scratch_size = (size_t)(2 * m.width) * sizeof(double) + (size_t)(2 * m.width * m.count) * sizeof(float);
    return ICSEG_OK;
}

/* Computes y from x and its statistics. */
static void normalise(const icseg_kernel *k, const float *mean, const float *inv, bool relu, float *scratch) {
    icseg_chunks m = chunks_of(k, X, WEIGHT);
    int64_t c = m.width;
    const float *x = k->in[X];
    float *scale = scratch, *shift = scale + c;
    bool bf16 = icseg_kernel_out(k, 0)->dtype == ICSEG_BF16;
    affine(k->in[WEIGHT], k->in[BIAS], mean, inv, c, scale, shift);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m.count; i++)
        apply_rows(x + i * m.step * c, scale, shift, relu, icseg_at(k->out[0], bf16, i * m.step * c), bf16,
                   icseg_chunk_rows(&m, i), c);
}

static icseg_status batch_norm_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const icseg_batch_norm_options *o = k->node->attributes;
    icseg_chunks m = chunks_of(k, X, WEIGHT);
    int64_t c = m.width;
    float *mean = k->out[1], *inv = k->out[2];
    if (o->batch_statistics) {
        ICSEG_TRY(batch_moments(k, &m, run, error));
    } else {
        const float *var = k->in[RUNNING_VAR];
        memcpy(mean, k->in[RUNNING_MEAN], (size_t)c * sizeof *mean);
        for (int64_t j = 0; j < c; j++) inv[j] = 1 / sqrtf(var[j] + o->eps);
    }
    normalise(k, mean, inv, o->relu, run->scratch);
    return ICSEG_OK;
}

/* -- recomputing the output for the backward pass: x, weight, bias, mean, inv -> y */

enum { R_MEAN = BIAS + 1, R_INV, R_INPUTS };

static icseg_status recompute_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const icseg_batch_norm_options *o = k->node->attributes;
    normalise(k, k->in[R_MEAN], k->in[R_INV], o->relu, run->scratch);
    return ICSEG_OK;
}

static const icseg_op recompute_op = {
    .name = "batch_norm", .prepare = batch_norm_prepare, .run = recompute_run, .in_place = 1};

/* Recomputes y from the saved statistics and does not update the running ones again. */
static icseg_value recompute(icseg_graph *g, const icseg_node *node, const icseg_value *inputs) {
    icseg_value in[R_INPUTS] = {inputs[X], inputs[WEIGHT], inputs[BIAS], node->output[1], node->output[2]};
    icseg_node *n =
        icseg_node_append(g, &recompute_op, node->attributes, sizeof(icseg_batch_norm_options), in, R_INPUTS, 0);
    if (!n) return ICSEG_NONE;
    icseg_node_name_like(n, node);
    const icseg_value_info *y = icseg_graph_value(g, node->output[0]);
    return icseg_node_output(g, n, y->dtype, y->shape);
}

/* -- gradient: x, dy, weight, bias, mean, inv -> [dx,] [dweight, dbias] */

enum { G_X, G_DY, G_WEIGHT, G_BIAS, G_MEAN, G_INV, G_INPUTS };

typedef struct gradient_attributes {
    bool batch_statistics, synchronised, relu;
    bool needs_x, needs_parameters; /* which outputs exist */
} gradient_attributes;

static icseg_status gradient_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    icseg_chunks m = chunks_of(k, G_DY, G_WEIGHT);
    k->scratch_size = (size_t)(2 * m.width * (m.count + 3)) * sizeof(float);
    return ICSEG_OK;
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const gradient_attributes *o = k->node->attributes;
    icseg_chunks m = chunks_of(k, G_DY, G_WEIGHT);
    int64_t c = m.width;
    const float *x = k->in[G_X], *dy = k->in[G_DY], *mean = k->in[G_MEAN], *inv = k->in[G_INV];
    float *scale = run->scratch, *shift = scale + c, *sum = shift + c, *dot = sum + c, *a = dot + c, *b = a + c;
    float *partial = b + c;
    affine(k->in[G_WEIGHT], k->in[G_BIAS], mean, inv, c, scale, shift);
    memset(sum, 0, (size_t)(4 * c) * sizeof *sum); /* also dot, a, b: running statistics do not depend on x */
    if (o->batch_statistics || o->needs_parameters) {
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < m.count; i++) {
            float *p = partial + i * 2 * c;
            int64_t at = i * m.step * c;
            chunk_sums(x + at, dy + at, mean, scale, shift, o->relu, icseg_chunk_rows(&m, i), c, p, p + c);
        }
        icseg_sum_partials(partial, m.count, 2 * c, c, sum);
        icseg_sum_partials(partial + c, m.count, 2 * c, c, dot);
    }
    if (o->batch_statistics) {
        icseg_group *group = o->synchronised ? run->group : NULL;
        memcpy(a, sum, (size_t)(2 * c) * sizeof *a); /* b and dot follow */
        ICSEG_TRY(icseg_group_reduce(group, ICSEG_SUM_F32, a, 2 * c, error));
        float rows = (float)m.rows * (float)icseg_group_size(group);
        for (int64_t j = 0; j < c; j++) {
            a[j] /= rows;
            b[j] = b[j] * inv[j] * inv[j] / rows;
        }
    }
    gradient_terms terms = {mean, scale, shift, a, b, o->relu};
    bool bf16 = icseg_kernel_out(k, 0)->dtype == ICSEG_BF16;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < (o->needs_x ? m.count : 0); i++) {
        int64_t at = i * m.step * c;
        gradient_rows(x + at, dy + at, &terms, icseg_chunk_rows(&m, i), c, icseg_at(k->out[0], bf16, at), bf16);
    }
    if (!o->needs_parameters) return ICSEG_OK;
    float *dweight = k->out[o->needs_x], *dbias = k->out[o->needs_x + 1];
    for (int64_t j = 0; j < c; j++) dweight[j] = dot[j] * inv[j];
    memcpy(dbias, sum, (size_t)c * sizeof *dbias);
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "batch_norm_gradient",
                                     .prepare = gradient_prepare,
                                     .run = gradient_run,
                                     .in_place = 1 << G_X | 1 << G_DY,
                                     .bf16 = {.out = 1}};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    const icseg_batch_norm_options *o = node->attributes;
    gradient_attributes attributes = {.batch_statistics = o->batch_statistics,
                                      .synchronised = o->synchronised,
                                      .relu = o->relu,
                                      .needs_x = icseg_node_needs_grad(g, node, X),
                                      .needs_parameters = icseg_node_needs_grad(g, node, WEIGHT) ||
                                                          icseg_node_needs_grad(g, node, BIAS)};
    icseg_value in[G_INPUTS] = {node->input[X],    grad_out[0],     node->input[WEIGHT],
                                node->input[BIAS], node->output[1], node->output[2]};
    if (!o->batch_statistics && !o->relu && !attributes.needs_parameters)
        in[G_X] = in[G_DY]; /* a scaling: the factor b of x is 0, so x need not be kept */
    icseg_node *n = icseg_node_append(g, &gradient_op, &attributes, sizeof attributes, in, G_INPUTS, 0);
    if (!n) return;
    icseg_shape channels = icseg_graph_value(g, node->input[WEIGHT])->shape;
    if (attributes.needs_x)
        grad_in[X] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, node->input[X])->shape);
    if (!attributes.needs_parameters) return;
    grad_in[WEIGHT] = icseg_node_output(g, n, ICSEG_F32, channels);
    grad_in[BIAS] = icseg_node_output(g, n, ICSEG_F32, channels);
}

const icseg_op icseg_op_batch_norm = {.name = "batch_norm",
                                      .gradient = gradient,
                                      .prepare = batch_norm_prepare,
                                      .run = batch_norm_run,
                                      .cheap = true,
                                      .recompute = recompute,
                                      .in_place = 1,
                                      .bf16 = {.out = 1}};

icseg_value icseg_batch_norm(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias,
                             icseg_value running_mean, icseg_value running_var, icseg_batch_norm_options options) {
    icseg_value in[INPUTS] = {x, weight, bias, running_mean, running_var};
    static const char *const names[INPUTS] = {"x", "weight", "bias", "running_mean", "running_var"};
    icseg_node *node = icseg_node_append(g, &icseg_op_batch_norm, &options, sizeof options, in, INPUTS, 0);
    if (!node) return ICSEG_NONE;
    for (int i = WEIGHT; i < INPUTS; i++)
        if (!icseg_check_channels(g, "batch_norm", x, names[i], in[i])) return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, x)->shape, channels = icseg_graph_value(g, weight)->shape;
    if (options.batch_statistics && icseg_graph_value(g, x)->count == channels.dim[0]) {
        char s[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(
            g, "batch_norm", ICSEG_ERROR_SHAPE,
            "training needs more than one value per channel, but x is %s; use a larger batch or crop",
            icseg_shape_text(shape, s, sizeof s));
    }
    for (int i = RUNNING_MEAN; i < INPUTS && options.batch_statistics; i++)
        if (icseg_graph_value(g, in[i])->kind != ICSEG_VALUE_PARAM)
            return icseg_graph_fail(g, "batch_norm", ICSEG_ERROR_INTERNAL,
                                    "%s is not a parameter and cannot be updated", names[i]);
    icseg_value y = icseg_node_output(g, node, ICSEG_F32, shape);
    icseg_node_output(g, node, ICSEG_F32, channels); /* mean, for the gradient */
    icseg_node_output(g, node, ICSEG_F32, channels); /* 1 / sqrt(var + eps) */
    return y;
}

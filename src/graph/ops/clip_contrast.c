/* SPDX-License-Identifier: Apache-2.0
 * clip_contrast: CLIP's loss of a batch of images and their texts (reference: clip_loss). In the matrix of logits
 * exp(s) * similarity, pair i is the right one of row i and of column i. The forward pass writes the gradients, too. */
#include <math.h>
#include <string.h>

#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/loss.h"

/* A row (step 1) or a column (step n) of the similarities. */
typedef struct line {
    const float *x;
    int64_t n, step;
} line;

/* log(sum of exp(scale * x)). NaN if a value is NaN. */
static double log_sum(line l, double scale) {
    double largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < l.n; i++) largest = fmax(largest, scale * (double)l.x[i * l.step]);
    for (int64_t i = 0; i < l.n; i++) sum += exp(scale * (double)l.x[i * l.step] - largest);
    return largest + log(sum); /* cppcheck-suppress invalidFunctionArg ; the largest value adds 1 */
}

static icseg_status clip_contrast_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    k->scratch_size = (size_t)(3 * icseg_kernel_in(k, 0)->shape.dim[1]) * sizeof(double);
    return ICSEG_OK;
}

/* Row i of d loss / d similarity, and its part of d loss / d s. */
static double row_gradient(const float *x, int64_t i, int64_t n, double scale, const double *row_sum,
                           const double *column_sum, float *gradient) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        double logit = scale * (double)x[j];
        double d = (exp(logit - row_sum[i]) + exp(logit - column_sum[j]) - (i == j ? 2 : 0)) / (2 * (double)n);
        gradient[j] = (float)(d * scale);
        sum += d * logit;
    }
    return sum;
}

static icseg_status clip_contrast_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    int64_t n = icseg_kernel_in(k, 0)->shape.dim[1];
    const float *x = k->in[0];
    double scale = exp((double)*(const float *)k->in[1]), loss = 0;
    double *row_sum = run->scratch, *column_sum = row_sum + n, *part = column_sum + n; /* (n) each */
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        row_sum[i] = log_sum((line){x + i * n, n, 1}, scale);
        column_sum[i] = log_sum((line){x + i, n, n}, scale);
    }
    for (int64_t i = 0; i < n; i++) loss += row_sum[i] + column_sum[i] - 2 * scale * (double)x[i * n + i];
    *(float *)k->out[0] = (float)(loss / (2 * (double)n));
    if (k->node->output_count == 1) return ICSEG_OK;
    float *gradient = k->out[1];
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        part[i] = row_gradient(x + i * n, i, n, scale, row_sum, column_sum, gradient + i * n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += part[i];
    *(float *)k->out[2] = (float)sum;
    return ICSEG_OK;
}

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    for (int i = 0; i < 2; i++)
        if (icseg_node_needs_grad(g, node, i)) grad_in[i] = icseg_loss_gradient(g, node->output[1 + i], grad_out[0]);
}

const icseg_op icseg_op_clip_contrast = {.name = "clip_contrast",
                                         .gradient = gradient,
                                         .never_recompute = true,
                                         .prepare = clip_contrast_prepare,
                                         .run = clip_contrast_run};

icseg_value icseg_clip_contrast(icseg_graph *g, icseg_value similarity, icseg_value log_scale) {
    icseg_value in[] = {similarity, log_scale};
    icseg_node *node = icseg_node_append(g, &icseg_op_clip_contrast, NULL, 0, in, 2, 0);
    if (!node) return ICSEG_NONE;
    const icseg_value_info *x = icseg_graph_value(g, similarity), *s = icseg_graph_value(g, log_scale);
    if (x->shape.rank != 3 || x->shape.dim[0] != 1 || x->shape.dim[1] != x->shape.dim[2] || s->count != 1) {
        char a[ICSEG_SHAPE_TEXT], b[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "clip_contrast", ICSEG_ERROR_SHAPE,
                                "%s and %s: similarities (1, N, N) and one scale are expected",
                                icseg_shape_text(x->shape, a, sizeof a), icseg_shape_text(s->shape, b, sizeof b));
    }
    icseg_value loss = icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(1));
    if (x->needs_grad || s->needs_grad) {
        icseg_node_output(g, node, ICSEG_F32, x->shape);
        icseg_node_output(g, node, ICSEG_F32, s->shape);
    }
    return loss;
}

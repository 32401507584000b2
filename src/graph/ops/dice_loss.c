/* SPDX-License-Identifier: Apache-2.0
 * dice_loss: the soft Dice loss of bilinearly upsampled logits. Its gradient needs sums over the whole batch, so the
 * rows are interpolated twice: first for the sums, then for the gradient, which a second output stores. */
#include <string.h>

#include "graph/ops.h"
#include "graph/ops/loss.h"
#include "graph/ops/upsampled.h"

enum { LOGITS, LABELS };
enum { COMMON, PREDICTED, LABELLED, SUMS }; /* sums of a class over labelled pixels: p of its own, p, own pixels */

typedef struct state {
    icseg_upsampling map;
    float weight;
    bool needs_gradient;
} state;

/* One run. The loss is a function of the sums: dL/dp_k of a pixel is slope[k], plus own_slope[k] where k is its label.
 */
typedef struct dice {
    const int16_t *labels;
    double *partial;  /* (bands, SUMS, K) */
    double *sum;      /* (SUMS, K) */
    float *slope;     /* (P) */
    float *own_slope; /* (K) */
    float *below;     /* (bands, w, K) */
    float *buffer;    /* of the threads */
    size_t size;      /* of all, in bytes */
} dice;

/* scratch NULL: only the size */
static dice lay_out(const state *s, unsigned char *scratch) {
    const icseg_upsampling *u = &s->map;
    int64_t bands = u->batch * u->h, f32 = (int64_t)sizeof(float), f64 = (int64_t)sizeof(double);
    dice d = {.size = 0};
    d.partial = icseg_scratch_part(scratch, &d.size, bands * SUMS * u->classes * f64);
    d.sum = icseg_scratch_part(scratch, &d.size, SUMS * u->classes * f64);
    d.slope = icseg_scratch_part(scratch, &d.size, u->padded * f32);
    d.own_slope = icseg_scratch_part(scratch, &d.size, u->classes * f32);
    d.below = icseg_scratch_part(scratch, &d.size, s->needs_gradient ? bands * u->w * u->classes * f32 : 0);
    d.buffer = icseg_scratch_part(scratch, &d.size, (int64_t)icseg_upsampled_buffer_size(u));
    return d;
}

/* total (P) is a float sum over one row. */
ICSEG_KERNEL static void sum_row(const icseg_upsampling *u, const icseg_upsampled_buffers *b, const int16_t *labels,
                                 float *total, double *sum) {
    int64_t n = u->padded, classes = u->classes;
    memset(total, 0, (size_t)n * sizeof *total);
    for (int64_t x = 0; x < u->width; x++) {
        int64_t label = labels[x];
        if (label < 0) continue;
        icseg_interpolation at = u->x[x];
        float largest, inverse = 1 / icseg_upsampled_exponentials(b->pixel, b->row + at.low * n, b->row + at.high * n,
                                                                  at.weight, n, &largest);
#pragma omp simd
        for (int64_t k = 0; k < n; k++) total[k] += inverse * b->pixel[k];
        sum[COMMON * classes + label] += (double)(inverse * b->pixel[label]);
        sum[LABELLED * classes + label] += 1;
    }
    for (int64_t k = 0; k < classes; k++) sum[PREDICTED * classes + k] += (double)total[k];
}

static void read_sums(const icseg_upsampling *u, const icseg_upsampled_buffers *b, int64_t band, int64_t row,
                      void *user) {
    const dice *d = user;
    sum_row(u, b, d->labels + row * u->width, b->row_grad, d->partial + band * SUMS * u->classes);
}

/* dL/dlogit_k = p_k (dL/dp_k - the mean of dL/dp over all classes, weighed by p) */
ICSEG_KERNEL static void differentiate_row(const icseg_upsampling *u, const icseg_upsampled_buffers *b,
                                           const int16_t *labels, const float *slope, const float *own_slope) {
    int64_t n = u->padded;
    for (int64_t x = 0; x < u->width; x++) {
        int64_t label = labels[x];
        if (label < 0) continue;
        icseg_interpolation at = u->x[x];
        float largest, inverse = 1 / icseg_upsampled_exponentials(b->pixel, b->row + at.low * n, b->row + at.high * n,
                                                                  at.weight, n, &largest);
        float own = own_slope[label] * b->pixel[label] * inverse, mean = 0;
#pragma omp simd reduction(+ : mean)
        for (int64_t k = 0; k < n; k++) mean += slope[k] * b->pixel[k];
        mean = mean * inverse + own;
        for (int side = 0; side < 2; side++) {
            float *grad = b->row_grad + (side ? at.high : at.low) * n, share = side ? at.weight : 1 - at.weight;
#pragma omp simd
            for (int64_t k = 0; k < n; k++) grad[k] += share * inverse * b->pixel[k] * (slope[k] - mean);
            grad[label] += share * own;
        }
    }
}

static void read_gradient(const icseg_upsampling *u, const icseg_upsampled_buffers *b, int64_t band, int64_t row,
                          void *user) {
    (void)band;
    const dice *d = user;
    differentiate_row(u, b, d->labels + row * u->width, d->slope, d->own_slope);
}

/* The loss from the sums; fills the slopes. */
static double loss_of(const state *s, const dice *d) {
    int64_t classes = s->map.classes, present = 0;
    double total = 0;
    memset(d->slope, 0, (size_t)s->map.padded * sizeof *d->slope);
    memset(d->own_slope, 0, (size_t)classes * sizeof *d->own_slope);
    for (int64_t k = 0; k < classes; k++) present += d->sum[LABELLED * classes + k] > 0;
    for (int64_t k = 0; k < classes; k++) {
        double labelled = d->sum[LABELLED * classes + k];
        if (labelled == 0) continue;
        double both = d->sum[PREDICTED * classes + k] + labelled, factor = (double)s->weight / (double)present,
               coefficient = 2 * d->sum[COMMON * classes + k] / both;
        total += factor * (1 - coefficient);
        d->slope[k] = (float)(factor * coefficient / both);
        d->own_slope[k] = (float)(-2 * factor / both);
    }
    return total;
}

static icseg_status dice_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const state *s = k->state;
    const icseg_upsampling *u = &s->map;
    dice d = lay_out(s, run->scratch);
    int64_t labelled, bands = u->batch * u->h, sums = SUMS * u->classes;
    size_t gradients = (size_t)(bands * u->w * u->classes) * sizeof(float);
    d.labels = k->in[LABELS];
    ICSEG_TRY(icseg_upsampled_count(u, d.labels, &labelled, error));
    memset(d.partial, 0, (size_t)(bands * sums) * sizeof *d.partial);
    memset(d.sum, 0, (size_t)sums * sizeof *d.sum);
    icseg_upsampled_read(u, k->in[LOGITS], NULL, NULL, d.buffer, read_sums, &d);
    for (int64_t band = 0; band < bands; band++)
        for (int64_t i = 0; i < sums; i++) d.sum[i] += d.partial[band * sums + i];
    ICSEG_TRY(icseg_group_reduce(run->group, ICSEG_SUM_F64, d.sum, sums, error));
    /* Losses and gradients are sums over the processes: each has its share of the loss. */
    *(float *)k->out[0] = (float)(loss_of(s, &d) / icseg_group_size(run->group));
    if (!s->needs_gradient) return ICSEG_OK;
    memset(k->out[1], 0, gradients);
    memset(d.below, 0, gradients);
    icseg_upsampled_read(u, k->in[LOGITS], k->out[1], d.below, d.buffer, read_gradient, &d);
    icseg_upsampled_finish(u, k->out[1], d.below, 1);
    return ICSEG_OK;
}

static icseg_status dice_prepare(icseg_kernel *k, icseg_error *error) {
    state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "tables");
    s->weight = *(const float *)k->node->attributes;
    s->needs_gradient = k->node->output_count > 1;
    ICSEG_TRY(
        icseg_upsampling_open(&s->map, &icseg_kernel_in(k, LOGITS)->shape, &icseg_kernel_in(k, LABELS)->shape, error));
    k->scratch_size = lay_out(s, NULL).size;
    return ICSEG_OK;
}

static void dice_release(icseg_kernel *k) {
    state *s = k->state;
    if (!s) return;
    icseg_upsampling_close(&s->map);
    icseg_free(s);
}

/* About 20 operations per class and labelled pixel, gradient included. */
static double dice_flops(const icseg_graph *g, const icseg_node *node) {
    return 20.0 * (double)icseg_graph_value(g, node->input[LABELS])->count *
           (double)icseg_graph_dim(g, node->input[LOGITS], 3);
}

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    grad_in[LOGITS] = icseg_loss_gradient(g, node->output[1], grad_out[0]);
}

const icseg_op icseg_op_dice_loss = {.name = "dice_loss",
                                     .gradient = gradient,
                                     .never_recompute = true,
                                     .prepare = dice_prepare,
                                     .run = dice_run,
                                     .release = dice_release,
                                     .flops = dice_flops};

icseg_value icseg_dice_loss(icseg_graph *g, icseg_value logits, icseg_value labels, float weight) {
    icseg_value in[] = {logits, labels};
    icseg_node *node = icseg_node_append(g, &icseg_op_dice_loss, &weight, sizeof weight, in, 2, 0);
    if (!node || !icseg_upsampled_check(g, "dice_loss", logits, labels)) return ICSEG_NONE;
    icseg_value loss = icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(1));
    const icseg_value_info *x = icseg_graph_value(g, logits);
    if (x->needs_grad) icseg_node_output(g, node, ICSEG_F32, x->shape);
    return loss;
}

/* SPDX-License-Identifier: Apache-2.0
 * upsampled_cross_entropy: cross-entropy of bilinearly upsampled logits, row by row, so that the upsampled map never
 * exists. If the gradient is needed, the same pass stores it in a second output, and the gradient node only scales it.
 */
#include <math.h>
#include <string.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/chunks.h"
#include "graph/ops/loss.h"
#include "graph/ops/upsampled.h"

enum { LOGITS, LABELS, CLASS_WEIGHT, INPUTS };
typedef struct state {
    icseg_upsampling map;
    bool needs_gradient;
    icseg_cross_entropy_options form;
} state;

typedef icseg_upsampled_buffers buffers;

static size_t round_up(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* grad (n) += factor * (v * inverse - onehot) */
ICSEG_INLINE void add_gradient(float *grad, const float *v, float inverse, float factor, int64_t n, int64_t label) {
    float each = factor * inverse;
#pragma omp simd
    for (int64_t k = 0; k < n; k++) grad[k] += each * v[k];
    grad[label] -= factor;
}

/* What a row's shaped loss needs besides the buffers. */
typedef struct shape_inputs {
    const float *class_weight; /* (K), or NULL: all 1 */
    double class_weight_sum;
    const float *probability; /* (width): of each pixel's label, or NULL: all pixels count */
    float below;              /* only pixels with a lower probability count */
} shape_inputs;

/* Sums over pixels. */
typedef struct loss_sums {
    double loss, weight;
} loss_sums;

/* The sum of weight_k times the logits between low and high. */
ICSEG_INLINE float weighted_logits(const float *low, const float *high, float at, const float *weight,
                                   int64_t classes) {
    float sum = 0;
    for (int64_t k = 0; k < classes; k++) sum += (weight ? weight[k] : 1) * ((1 - at) * low[k] + at * high[k]);
    return sum;
}

/* The focal loss of a label with this log-probability, and the factor of the gradient of its cross-entropy. */
static float focal_loss(float gamma, float log_p, float *factor) {
    float p = expf(log_p), q = fmaxf(1 - p, 0), power = powf(q, gamma); /* p may be rounded to more than 1 */
    *factor = q > 0 ? power - gamma * (power / q) * p * log_p : 0;
    return -power * log_p;
}

/* row_loss with class weights, label smoothing, a focal factor, or only the hardest pixels. */
ICSEG_KERNEL static loss_sums shaped_row_loss(const state *s, const buffers *b, const int16_t *labels,
                                              const shape_inputs *in) {
    loss_sums sums = {0};
    int64_t n = s->map.padded;
    float spread = s->form.smoothing / (float)s->map.classes, even = spread * (float)in->class_weight_sum;
    for (int64_t x = 0; x < s->map.width; x++) {
        int64_t label = labels[x];
        if (label < 0 || (in->probability && in->probability[x] >= in->below)) continue;
        icseg_interpolation at = s->map.x[x];
        const float *low = b->row + at.low * n, *high = b->row + at.high * n;
        float own = (1 - at.weight) * low[label] + at.weight * high[label], largest, factor = 1;
        float sum = icseg_upsampled_exponentials(b->pixel, low, high, at.weight, n, &largest),
              whole = largest + logf(sum);
        float weight = in->class_weight ? in->class_weight[label] : 1, part = weight * (1 - s->form.smoothing);
        float loss = s->form.gamma > 0 ? focal_loss(s->form.gamma, own - whole, &factor) : whole - own;
        sums.weight += (double)weight;
        sums.loss += (double)(part * loss);
        if (spread > 0)
            sums.loss += (double)(even * whole -
                                  spread * weighted_logits(low, high, at.weight, in->class_weight, s->map.classes));
        for (int side = 0; side < 2 && s->needs_gradient; side++) {
            float *grad = b->row_grad + (side ? at.high : at.low) * n, share = side ? at.weight : 1 - at.weight;
            add_gradient(grad, b->pixel, 1 / sum, share * (part * factor + even), n, label);
            grad[label] += share * even; /* which add_gradient took away */
            for (int64_t k = 0; k < s->map.classes && spread > 0; k++)
                grad[k] -= share * spread * (in->class_weight ? in->class_weight[k] : 1);
        }
    }
    return sums;
}

/* The probability of the label of each labelled pixel of one output row. */
ICSEG_KERNEL static void row_probabilities(const state *s, const buffers *b, const int16_t *labels, float *out) {
    int64_t n = s->map.padded;
    for (int64_t x = 0; x < s->map.width; x++) {
        int64_t label = labels[x];
        if (label < 0) continue;
        icseg_interpolation at = s->map.x[x];
        const float *low = b->row + at.low * n, *high = b->row + at.high * n;
        float own = (1 - at.weight) * low[label] + at.weight * high[label], largest;
        float sum = icseg_upsampled_exponentials(b->pixel, low, high, at.weight, n, &largest);
        out[x] = expf(own - largest) / sum;
    }
}

/* Sum of the losses of one output row; its gradient with respect to row is added to row_grad (unless NULL). */
ICSEG_KERNEL static double row_loss(const state *s, const buffers *b, const int16_t *labels) {
    double loss = 0;
    int64_t n = s->map.padded;
    for (int64_t x = 0; x < s->map.width; x++) {
        int64_t label = labels[x];
        if (label < 0) continue;
        icseg_interpolation at = s->map.x[x];
        const float *low = b->row + at.low * n, *high = b->row + at.high * n;
        float own = (1 - at.weight) * low[label] + at.weight * high[label], largest;
        float sum = icseg_upsampled_exponentials(b->pixel, low, high, at.weight, n, &largest), inverse = 1 / sum;
        loss += (double)(logf(sum) + largest - own);
        if (!s->needs_gradient) continue;
        add_gradient(b->row_grad + at.low * n, b->pixel, inverse, 1 - at.weight, n, label);
        add_gradient(b->row_grad + at.high * n, b->pixel, inverse, at.weight, n, label);
    }
    return loss;
}

/* All output rows below source row r of one image. above, below: gradients of rows r and r + 1. */
static loss_sums band_loss(const state *s, const buffers *b, const float *logits, const int16_t *labels, int64_t r,
                           const shape_inputs *shape, float *above, float *below) {
    int64_t line = s->map.w * s->map.classes;
    loss_sums sums = {0};
    if (s->needs_gradient) {
        memset(above, 0, (size_t)line * sizeof *above);
        memset(below, 0, (size_t)line * sizeof *below);
    }
    for (int64_t y = s->map.first[r]; y < s->map.first[r + 1]; y++) {
        icseg_interpolation at = s->map.y[y];
        icseg_upsampled_interpolate(&s->map, b->row, logits + at.low * line, logits + at.high * line, at.weight,
                                    s->form.scale);
        if (s->needs_gradient) memset(b->row_grad, 0, (size_t)(s->map.w * s->map.padded) * sizeof *b->row_grad);
        if (shape) {
            shape_inputs row = *shape;
            if (row.probability) row.probability += y * s->map.width;
            loss_sums found = shaped_row_loss(s, b, labels + y * s->map.width, &row);
            sums.loss += found.loss;
            sums.weight += found.weight;
        } else {
            sums.loss += row_loss(s, b, labels + y * s->map.width);
        }
        if (!s->needs_gradient) continue;
        icseg_upsampled_add_row(&s->map, above, b->row_grad, 1 - at.weight);
        icseg_upsampled_add_row(&s->map, below, b->row_grad, at.weight);
    }
    return sums;
}

/* -- hard example mining */

enum { DIGIT = 1 << 16 }; /* half of the bits of a float */

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The value of this rank, from 0, among the probabilities of the group's labelled pixels: numbers that are not negative
 * have the order of their bits. count: DIGIT numbers of scratch memory. */
static icseg_status value_of_rank(const int16_t *labels, const float *value, int64_t n, int64_t rank, int32_t *count,
                                  icseg_group *group, float *out, icseg_error *error) {
    uint32_t high = 0, low = 0;
    memset(count, 0, DIGIT * sizeof *count);
    for (int64_t i = 0; i < n; i++)
        if (labels[i] >= 0) count[bits_of(value[i]) / DIGIT]++;
    ICSEG_TRY(icseg_group_reduce(group, ICSEG_SUM_I32, count, DIGIT, error));
    for (; rank >= count[high]; high++) rank -= count[high];
    memset(count, 0, DIGIT * sizeof *count);
    for (int64_t i = 0; i < n; i++)
        if (labels[i] >= 0 && bits_of(value[i]) / DIGIT == high) count[bits_of(value[i]) % DIGIT]++;
    ICSEG_TRY(icseg_group_reduce(group, ICSEG_SUM_I32, count, DIGIT, error));
    for (; rank >= count[low]; low++) rank -= count[low];
    uint32_t bits = high * DIGIT + low;
    memcpy(out, &bits, sizeof *out);
    return ICSEG_OK;
}

/* Fills `probability` (batch, height, width); only pixels below *threshold count. labelled: of the group */
static icseg_status mine(const icseg_kernel *k, const state *s, icseg_group *group, int64_t labelled,
                         float *probability, int32_t *count, float *buffer, float *threshold, icseg_error *error) {
    const float *logits = k->in[LOGITS];
    const int16_t *labels = k->in[LABELS];
    int64_t line = s->map.w * s->map.classes, rows = s->map.batch * s->map.height,
            rank = s->form.mined_least * s->map.batch * icseg_group_size(group);
#pragma omp parallel for schedule(static) num_threads(s->map.threads)
    for (int64_t i = 0; i < rows; i++) {
        buffers b = icseg_upsampled_buffers_of(&s->map, buffer);
        const float *image = logits + i / s->map.height * s->map.h * line;
        icseg_interpolation at = s->map.y[i % s->map.height];
        icseg_upsampled_interpolate(&s->map, b.row, image + at.low * line, image + at.high * line, at.weight,
                                    s->form.scale);
        row_probabilities(s, &b, labels + i * s->map.width, probability + i * s->map.width);
    }
    if (rank >= labelled) rank = labelled - 1;
    float least;
    ICSEG_TRY(value_of_rank(labels, probability, rows * s->map.width, rank, count, group, &least, error));
    *threshold = fmaxf(least, s->form.mined_below);
    return ICSEG_OK;
}

static bool is_shaped(const icseg_kernel *k, const state *s) {
    return k->node->input[CLASS_WEIGHT] != ICSEG_NONE || s->form.smoothing > 0 || s->form.gamma > 0 ||
           s->form.mined_below > 0;
}

/* Where the parts of the scratch memory begin (bytes). The first part, at 0, is the loss_sums of each band. */
typedef struct layout {
    size_t below;       /* (bands, w, K): gradients of the rows below, if they are needed */
    size_t probability; /* (batch, height, width), with mining */
    size_t count;       /* (DIGIT), with mining */
    size_t buffer;      /* of the threads */
    size_t size;
} layout;

static layout scratch_layout(const state *s) {
    bool mines = s->form.mined_below > 0;
    size_t bands = (size_t)(s->map.batch * s->map.h), line = (size_t)(s->map.w * s->map.classes);
    size_t pixels = (size_t)(s->map.batch * s->map.height * s->map.width);
    layout l = {.below = round_up(bands * sizeof(loss_sums))};
    l.probability = l.below + (s->needs_gradient ? round_up(bands * line * sizeof(float)) : 0);
    l.count = l.probability + (mines ? round_up(pixels * sizeof(float)) : 0);
    l.buffer = l.count + (mines ? DIGIT * sizeof(int32_t) : 0);
    l.size = l.buffer + icseg_upsampled_buffer_size(&s->map);
    return l;
}

static icseg_status loss_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const state *s = k->state;
    const float *logits = k->in[LOGITS], *class_weight = k->in[CLASS_WEIGHT];
    const int16_t *labels = k->in[LABELS];
    int64_t labelled, line = s->map.w * s->map.classes, bands = s->map.batch * s->map.h;
    layout l = scratch_layout(s);
    unsigned char *scratch = run->scratch;
    loss_sums *partial = run->scratch;
    float *below = (float *)(scratch + l.below), *buffer = (float *)(scratch + l.buffer);
    shape_inputs shape = {.class_weight = class_weight, .class_weight_sum = (double)s->map.classes};
    ICSEG_TRY(icseg_upsampled_count(&s->map, labels, &labelled, error));
    ICSEG_TRY(icseg_group_reduce(run->group, ICSEG_SUM_I64, &labelled, 1, error));
    if (class_weight) shape.class_weight_sum = 0;
    for (int64_t c = 0; c < s->map.classes && class_weight; c++) shape.class_weight_sum += (double)class_weight[c];
    if (s->form.mined_below > 0 && labelled) {
        float *probability = (float *)(scratch + l.probability);
        ICSEG_TRY(
            mine(k, s, run->group, labelled, probability, (int32_t *)(scratch + l.count), buffer, &shape.below, error));
        shape.probability = probability;
    }
#pragma omp parallel for schedule(static) num_threads(s->map.threads)
    for (int64_t band = 0; band < bands; band++) {
        buffers b = icseg_upsampled_buffers_of(&s->map, buffer);
        int64_t image = band / s->map.h, pixels = image * s->map.height * s->map.width;
        float *above = s->needs_gradient ? (float *)k->out[1] + band * line : NULL;
        shape_inputs of_image = shape;
        if (of_image.probability) of_image.probability += pixels;
        partial[band] = band_loss(s, &b, logits + image * s->map.h * line, labels + pixels, band % s->map.h,
                                  is_shaped(k, s) ? &of_image : NULL, above, below + band * line);
    }
    loss_sums sum = {0};
    for (int64_t band = 0; band < bands; band++) {
        sum.loss += partial[band].loss;
        sum.weight += partial[band].weight;
    }
    if (is_shaped(k, s)) ICSEG_TRY(icseg_group_reduce(run->group, ICSEG_SUM_F64, &sum.weight, 1, error));
    double over = is_shaped(k, s) ? sum.weight : (double)labelled, mean = over > 0 ? s->form.weight / over : 0;
    *(float *)k->out[0] = (float)(sum.loss * mean);
    if (s->needs_gradient) icseg_upsampled_finish(&s->map, k->out[1], below, (float)(mean * s->form.scale));
    return ICSEG_OK;
}

static icseg_status loss_prepare(icseg_kernel *k, icseg_error *error) {
    const icseg_shape *logits = &icseg_kernel_in(k, LOGITS)->shape, *labels = &icseg_kernel_in(k, LABELS)->shape;
    state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "tables");
    s->needs_gradient = k->node->output_count > 1;
    s->form = *(const icseg_cross_entropy_options *)k->node->attributes;
    ICSEG_TRY(icseg_upsampling_open(&s->map, logits, labels, error));
    k->scratch_size = scratch_layout(s).size;
    return ICSEG_OK;
}

static void loss_release(icseg_kernel *k) {
    state *s = k->state;
    if (!s) return;
    icseg_upsampling_close(&s->map);
    icseg_free(s);
}

/* About 12 operations per class and labelled pixel, gradient included. */
static double loss_flops(const icseg_graph *g, const icseg_node *node) {
    return 12.0 * (double)icseg_graph_value(g, node->input[1])->count * (double)icseg_graph_dim(g, node->input[0], 3);
}

/* inputs: gradient of the logits for a loss gradient of 1, gradient of the loss (1) */
static icseg_status scale_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    int64_t n = icseg_kernel_out(k, 0)->count;
    const float *in = k->in[0], factor = *(const float *)k->in[1];
    float *out = k->out[0];
#pragma omp parallel for simd
    for (int64_t i = 0; i < n; i++) out[i] = factor * in[i];
    return ICSEG_OK;
}

static const icseg_op scale_op = {.name = "loss_gradient", .run = scale_run, .in_place = 1};

icseg_value icseg_loss_gradient(icseg_graph *g, icseg_value unit_gradient, icseg_value grad_out) {
    icseg_value in[] = {unit_gradient, grad_out};
    icseg_node *n = icseg_node_append(g, &scale_op, NULL, 0, in, 2, 0);
    return n ? icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, unit_gradient)->shape) : ICSEG_NONE;
}

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    grad_in[0] = icseg_loss_gradient(g, node->output[1], grad_out[0]);
}

const icseg_op icseg_op_upsampled_cross_entropy = {.name = "upsampled_cross_entropy",
                                                   .gradient = gradient,
                                                   .never_recompute = true,
                                                   .prepare = loss_prepare,
                                                   .run = loss_run,
                                                   .release = loss_release,
                                                   .flops = loss_flops};

icseg_value icseg_upsampled_cross_entropy(icseg_graph *g, icseg_value logits, icseg_value labels,
                                          icseg_value class_weight, icseg_cross_entropy_options options) {
    icseg_value in[INPUTS] = {logits, labels, class_weight};
    icseg_node *node = icseg_node_append(g, &icseg_op_upsampled_cross_entropy, &options, sizeof options, in, INPUTS,
                                         1 << CLASS_WEIGHT);
    if (!node) return ICSEG_NONE;
    if (class_weight != ICSEG_NONE &&
        !icseg_check_channels(g, "upsampled_cross_entropy", logits, "class_weight", class_weight))
        return ICSEG_NONE;
    if (!icseg_upsampled_check(g, "upsampled_cross_entropy", logits, labels)) return ICSEG_NONE;
    icseg_value loss = icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(1));
    const icseg_value_info *x = icseg_graph_value(g, logits);
    if (x->needs_grad) icseg_node_output(g, node, ICSEG_F32, x->shape);
    return loss;
}

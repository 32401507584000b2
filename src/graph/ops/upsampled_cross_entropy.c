/* SPDX-License-Identifier: Apache-2.0
 * upsampled_cross_entropy: cross-entropy of bilinearly upsampled logits, row by row, so that the upsampled map never
 * exists. If the gradient is needed, the same pass stores it in a second output, and the gradient node only scales it.
 *
 * Output rows are grouped by the source row above them. A task owns the rows between source rows r and r + 1. It adds
 * the gradient of row r to one buffer and that of row r + 1 to another; a last pass adds the two. Results therefore do
 * not depend on the number of threads. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/sampling.h"
#include "base/system.h"
#include "base/text.h"
#include "base/vmath.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/chunks.h"
#include "graph/ops/loss.h"

enum { LOGITS, LABELS, CLASS_WEIGHT, INPUTS };
enum { LANES = 16 };    /* a pixel's classes are padded to a multiple, so that loops over them have no remainder */
#define NO_CLASS -1e30f /* logit of the padding */
#define TINY     -60.0f /* e^x of less is 0: it changes no sum, and denormal products are a hundred times slower */

typedef struct state {
    int64_t batch, h, w, classes, height, width;
    int64_t blocks; /* of LANES classes */
    int threads;
    icseg_interpolation *x, *y; /* (width), (height) */
    int64_t *first;             /* (h + 1): output rows [first[r], first[r + 1]) are below source row r */
    bool needs_gradient;
    icseg_cross_entropy_options form;
} state;

/* Buffers of one thread. P: classes with padding. */
typedef struct buffers {
    float *row;      /* (w, P) logits of one output row, before horizontal interpolation */
    float *row_grad; /* (w, P) */
    float *pixel;    /* (P) */
} buffers;

static size_t round_up(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t thread_floats(const state *s) { return (size_t)((2 * s->w + 1) * s->blocks * LANES); }

static buffers thread_buffers(const state *s, float *buffer) {
    size_t padded = (size_t)(s->w * s->blocks * LANES);
    float *mine = buffer + (size_t)omp_get_thread_num() * thread_floats(s);
    return (buffers){mine, mine + padded, mine + 2 * padded};
}

/* v (n) = the logits between low and high. Returns the sum of v = e^(v - largest). */
ICSEG_INLINE float exponentials(float *v, const float *low, const float *high, float weight, int64_t n,
                                float *largest) {
    float lane[LANES];
    for (int j = 0; j < LANES; j++) lane[j] = NO_CLASS;
    for (int64_t k = 0; k < n; k += LANES)
#pragma omp simd
        for (int j = 0; j < LANES; j++) {
            float logit = (1 - weight) * low[k + j] + weight * high[k + j];
            v[k + j] = logit;
            lane[j] = lane[j] > logit ? lane[j] : logit; /* a NaN shows in the sum */
        }
    float top = *largest = icseg_lanes_max(lane);
    for (int j = 0; j < LANES; j++) lane[j] = 0;
    for (int64_t k = 0; k < n; k += LANES)
#pragma omp simd
        for (int j = 0; j < LANES; j++) {
            float below = v[k + j] - top, e = icseg_exp_below(below);
            e = below < TINY ? 0 : e;
            v[k + j] = e;
            lane[j] += e;
        }
    return icseg_lanes_sum(lane);
}

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
    int64_t n = s->blocks * LANES;
    float spread = s->form.smoothing / (float)s->classes, even = spread * (float)in->class_weight_sum;
    for (int64_t x = 0; x < s->width; x++) {
        int64_t label = labels[x];
        if (label < 0 || (in->probability && in->probability[x] >= in->below)) continue;
        icseg_interpolation at = s->x[x];
        const float *low = b->row + at.low * n, *high = b->row + at.high * n;
        float own = (1 - at.weight) * low[label] + at.weight * high[label], largest, factor = 1;
        float sum = exponentials(b->pixel, low, high, at.weight, n, &largest), whole = largest + logf(sum);
        float weight = in->class_weight ? in->class_weight[label] : 1, part = weight * (1 - s->form.smoothing);
        float loss = s->form.gamma > 0 ? focal_loss(s->form.gamma, own - whole, &factor) : whole - own;
        sums.weight += (double)weight;
        sums.loss += (double)(part * loss);
        if (spread > 0)
            sums.loss +=
                (double)(even * whole - spread * weighted_logits(low, high, at.weight, in->class_weight, s->classes));
        for (int side = 0; side < 2 && s->needs_gradient; side++) {
            float *grad = b->row_grad + (side ? at.high : at.low) * n, share = side ? at.weight : 1 - at.weight;
            add_gradient(grad, b->pixel, 1 / sum, share * (part * factor + even), n, label);
            grad[label] += share * even; /* which add_gradient took away */
            for (int64_t k = 0; k < s->classes && spread > 0; k++)
                grad[k] -= share * spread * (in->class_weight ? in->class_weight[k] : 1);
        }
    }
    return sums;
}

/* The probability of the label of each labelled pixel of one output row. */
ICSEG_KERNEL static void row_probabilities(const state *s, const buffers *b, const int16_t *labels, float *out) {
    int64_t n = s->blocks * LANES;
    for (int64_t x = 0; x < s->width; x++) {
        int64_t label = labels[x];
        if (label < 0) continue;
        icseg_interpolation at = s->x[x];
        const float *low = b->row + at.low * n, *high = b->row + at.high * n;
        float own = (1 - at.weight) * low[label] + at.weight * high[label], largest;
        float sum = exponentials(b->pixel, low, high, at.weight, n, &largest);
        out[x] = expf(own - largest) / sum;
    }
}

/* Sum of the losses of one output row; its gradient with respect to row is added to row_grad (unless NULL). */
ICSEG_KERNEL static double row_loss(const state *s, const buffers *b, const int16_t *labels) {
    double loss = 0;
    int64_t n = s->blocks * LANES;
    for (int64_t x = 0; x < s->width; x++) {
        int64_t label = labels[x];
        if (label < 0) continue;
        icseg_interpolation at = s->x[x];
        const float *low = b->row + at.low * n, *high = b->row + at.high * n;
        float own = (1 - at.weight) * low[label] + at.weight * high[label], largest;
        float sum = exponentials(b->pixel, low, high, at.weight, n, &largest), inverse = 1 / sum;
        loss += (double)(logf(sum) + largest - own);
        if (!s->needs_gradient) continue;
        add_gradient(b->row_grad + at.low * n, b->pixel, inverse, 1 - at.weight, n, label);
        add_gradient(b->row_grad + at.high * n, b->pixel, inverse, at.weight, n, label);
    }
    return loss;
}

/* (w, K) above and below an output row -> (w, P) */
ICSEG_KERNEL static void interpolate_row(const state *s, float *out, const float *a, const float *b, float weight,
                                         float factor) {
    for (int64_t x = 0; x < s->w; x++, out += s->blocks * LANES, a += s->classes, b += s->classes) {
        icseg_lerp(out, a, b, weight, factor, s->classes);
        for (int64_t k = s->classes; k < s->blocks * LANES; k++) out[k] = NO_CLASS;
    }
}

/* y (w, K) += factor * x (w, P) */
ICSEG_KERNEL static void add_row(const state *s, float *y, const float *x, float factor) {
    for (int64_t i = 0; i < s->w; i++, y += s->classes, x += s->blocks * LANES)
#pragma omp simd
        for (int64_t k = 0; k < s->classes; k++) y[k] += factor * x[k];
}

ICSEG_KERNEL static void add_scaled(float *y, const float *x, float factor, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] += factor * x[i];
}

/* All output rows below source row r of one image. above, below: gradients of rows r and r + 1. */
static loss_sums band_loss(const state *s, const buffers *b, const float *logits, const int16_t *labels, int64_t r,
                           const shape_inputs *shape, float *above, float *below) {
    int64_t line = s->w * s->classes;
    loss_sums sums = {0};
    if (s->needs_gradient) {
        memset(above, 0, (size_t)line * sizeof *above);
        memset(below, 0, (size_t)line * sizeof *below);
    }
    for (int64_t y = s->first[r]; y < s->first[r + 1]; y++) {
        icseg_interpolation at = s->y[y];
        interpolate_row(s, b->row, logits + at.low * line, logits + at.high * line, at.weight, s->form.scale);
        if (s->needs_gradient) memset(b->row_grad, 0, (size_t)(s->w * s->blocks * LANES) * sizeof *b->row_grad);
        if (shape) {
            shape_inputs row = *shape;
            if (row.probability) row.probability += y * s->width;
            loss_sums found = shaped_row_loss(s, b, labels + y * s->width, &row);
            sums.loss += found.loss;
            sums.weight += found.weight;
        } else {
            sums.loss += row_loss(s, b, labels + y * s->width);
        }
        if (!s->needs_gradient) continue;
        add_row(s, above, b->row_grad, 1 - at.weight);
        add_row(s, below, b->row_grad, at.weight);
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
    int64_t line = s->w * s->classes, rows = s->batch * s->height,
            rank = s->form.mined_least * s->batch * icseg_group_size(group);
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int64_t i = 0; i < rows; i++) {
        buffers b = thread_buffers(s, buffer);
        const float *image = logits + i / s->height * s->h * line;
        icseg_interpolation at = s->y[i % s->height];
        interpolate_row(s, b.row, image + at.low * line, image + at.high * line, at.weight, s->form.scale);
        row_probabilities(s, &b, labels + i * s->width, probability + i * s->width);
    }
    if (rank >= labelled) rank = labelled - 1;
    float least;
    ICSEG_TRY(value_of_rank(labels, probability, rows * s->width, rank, count, group, &least, error));
    *threshold = fmaxf(least, s->form.mined_below);
    return ICSEG_OK;
}

static icseg_status count_labelled(const state *s, const int16_t *labels, int64_t *out, icseg_error *error) {
    int64_t n = s->batch * s->height * s->width, labelled = 0, wrong = 0;
#pragma omp parallel for reduction(+ : labelled, wrong)
    for (int64_t i = 0; i < n; i++) {
        labelled += labels[i] >= 0;
        wrong += labels[i] >= s->classes;
    }
    *out = labelled;
    if (wrong)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%lld %s a label over %lld", (long long)wrong,
                          icseg_plural(wrong, "pixel has", "pixels have"), (long long)s->classes - 1);
    return ICSEG_OK;
}

/* gradient = factor * (above + the previous band's gradient of this row) */
static void finish_gradient(const state *s, float *gradient, const float *below, float factor) {
    int64_t line = s->w * s->classes;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < s->batch * s->h; row++) {
        float *g = gradient + row * line;
        int64_t r = row % s->h;
        if (r > 0) add_scaled(g, below + (row - 1) * line, 1, line);
        if (r == s->h - 1)
            add_scaled(g, below + row * line, 1, line); /* clamped: the last row is its own lower neighbour */
        for (int64_t i = 0; i < line; i++) g[i] *= factor;
    }
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
    size_t bands = (size_t)(s->batch * s->h), line = (size_t)(s->w * s->classes);
    size_t pixels = (size_t)(s->batch * s->height * s->width);
    layout l = {.below = round_up(bands * sizeof(loss_sums))};
    l.probability = l.below + (s->needs_gradient ? round_up(bands * line * sizeof(float)) : 0);
    l.count = l.probability + (mines ? round_up(pixels * sizeof(float)) : 0);
    l.buffer = l.count + (mines ? DIGIT * sizeof(int32_t) : 0);
    l.size = l.buffer + (size_t)s->threads * thread_floats(s) * sizeof(float);
    return l;
}

static icseg_status loss_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const state *s = k->state;
    const float *logits = k->in[LOGITS], *class_weight = k->in[CLASS_WEIGHT];
    const int16_t *labels = k->in[LABELS];
    int64_t labelled, line = s->w * s->classes, bands = s->batch * s->h;
    layout l = scratch_layout(s);
    unsigned char *scratch = run->scratch;
    loss_sums *partial = run->scratch;
    float *below = (float *)(scratch + l.below), *buffer = (float *)(scratch + l.buffer);
    shape_inputs shape = {.class_weight = class_weight, .class_weight_sum = (double)s->classes};
    ICSEG_TRY(count_labelled(s, labels, &labelled, error));
    ICSEG_TRY(icseg_group_reduce(run->group, ICSEG_SUM_I64, &labelled, 1, error));
    if (class_weight) shape.class_weight_sum = 0;
    for (int64_t c = 0; c < s->classes && class_weight; c++) shape.class_weight_sum += (double)class_weight[c];
    if (s->form.mined_below > 0 && labelled) {
        float *probability = (float *)(scratch + l.probability);
        ICSEG_TRY(
            mine(k, s, run->group, labelled, probability, (int32_t *)(scratch + l.count), buffer, &shape.below, error));
        shape.probability = probability;
    }
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int64_t band = 0; band < bands; band++) {
        buffers b = thread_buffers(s, buffer);
        int64_t image = band / s->h, pixels = image * s->height * s->width;
        float *above = s->needs_gradient ? (float *)k->out[1] + band * line : NULL;
        shape_inputs of_image = shape;
        if (of_image.probability) of_image.probability += pixels;
        partial[band] = band_loss(s, &b, logits + image * s->h * line, labels + pixels, band % s->h,
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
    if (s->needs_gradient) finish_gradient(s, k->out[1], below, (float)(mean * s->form.scale));
    return ICSEG_OK;
}

static icseg_status loss_prepare(icseg_kernel *k, icseg_error *error) {
    const icseg_shape *logits = &icseg_kernel_in(k, LOGITS)->shape, *labels = &icseg_kernel_in(k, LABELS)->shape;
    state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "tables");
    *s = (state){.batch = logits->dim[0],
                 .h = logits->dim[1],
                 .w = logits->dim[2],
                 .classes = logits->dim[3],
                 .blocks = (logits->dim[3] + LANES - 1) / LANES,
                 .height = labels->dim[1],
                 .width = labels->dim[2],
                 .threads = omp_get_max_threads(),
                 .needs_gradient = k->node->output_count > 1,
                 .form = *(const icseg_cross_entropy_options *)k->node->attributes};
    s->x = icseg_alloc_array((size_t)s->width, sizeof *s->x);
    s->y = icseg_alloc_array((size_t)s->height, sizeof *s->y);
    s->first = icseg_alloc_array((size_t)s->h + 1, sizeof *s->first);
    if (!s->x || !s->y || !s->first) return icseg_fail_memory(error, 0, "tables");
    for (int64_t x = 0; x < s->width; x++) s->x[x] = icseg_interpolation_at(x, s->w, s->width);
    for (int64_t y = 0; y < s->height; y++) s->y[y] = icseg_interpolation_at(y, s->h, s->height);
    for (int64_t r = 0, y = 0; r <= s->h; r++) {
        while (y < s->height && s->y[y].low < r) y++;
        s->first[r] = y;
    }
    k->scratch_size = scratch_layout(s).size;
    return ICSEG_OK;
}

static void loss_release(icseg_kernel *k) {
    state *s = k->state;
    if (!s) return;
    icseg_free(s->x);
    icseg_free(s->y);
    icseg_free(s->first);
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
    const icseg_value_info *x = icseg_graph_value(g, logits), *y = icseg_graph_value(g, labels);
    if (x->shape.rank != 4 || y->shape.rank != 3 || y->dtype != ICSEG_I16 || x->shape.dim[0] != y->shape.dim[0]) {
        char s[ICSEG_SHAPE_TEXT], t[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "upsampled_cross_entropy", ICSEG_ERROR_SHAPE,
                                "logits %s do not fit labels %s (I16 expected)",
                                icseg_shape_text(x->shape, s, sizeof s), icseg_shape_text(y->shape, t, sizeof t));
    }
    icseg_value loss = icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(1));
    if (x->needs_grad) icseg_node_output(g, node, ICSEG_F32, x->shape);
    return loss;
}

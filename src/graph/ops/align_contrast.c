/* SPDX-License-Identifier: Apache-2.0
 * align_contrast: the align-guided contrastive loss (docs/method.md, "Losses"; reference: align_guided_contrast). For
 * each image and each class in it, the positives are the positions of the class with the lowest scores, and the
 * negatives are the labelled positions of other classes with the highest scores. The forward pass writes the gradient
 * to a second output. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/finite.h"
#include "base/sampling.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/loss.h"

typedef struct candidate {
    float a; /* score / tau */
    int32_t position;
} candidate;

/* One image's part of the scratch memory. */
typedef struct buffers {
    int16_t *label;         /* (h * w): labels at the score map's size */
    unsigned char *present; /* (K) */
    candidate *own, *other; /* (h * w) */
} buffers;

/* Scores are finite where candidates are sorted (image_loss): a NaN is neither lower nor higher than any number. */
static int lowest_first(const void *x, const void *y) {
    const candidate *p = x, *q = y;
    if (p->a != q->a) return p->a < q->a ? -1 : 1;
    return p->position < q->position ? -1 : 1;
}

static int highest_first(const void *x, const void *y) {
    const candidate *p = x, *q = y;
    if (p->a != q->a) return p->a > q->a ? -1 : 1;
    return p->position < q->position ? -1 : 1;
}

/* Loss of one pair (image, class); gradient, (h * w, K) or NULL, gets d loss / d a at the chosen positions. */
static double pair_loss(const icseg_contrast_options *o, candidate *own, int64_t owns, candidate *other, int64_t others,
                        int64_t classes, float *gradient) {
    qsort(own, (size_t)owns, sizeof *own, lowest_first);
    qsort(other, (size_t)others, sizeof *other, highest_first);
    int64_t positives = owns < o->positives ? owns : o->positives;
    int64_t negatives = others < o->negatives ? others : o->negatives;
    double sum = 0, loss = 0, push = 0, largest = other[0].a;
    for (int64_t j = 0; j < negatives; j++) sum += exp(other[j].a - largest);
    double rest = largest + log(sum); /* cppcheck-suppress invalidFunctionArg ; the largest score adds 1 */
    for (int64_t i = 0; i < positives; i++) {
        double d = rest - own[i].a; /* loss = log(1 + e^d) */
        loss += d > 0 ? d + log1p(exp(-d)) : log1p(exp(d));
        double share = 1 / (1 + exp(-d)); /* of the negatives in the denominator */
        push += share;
        if (gradient) gradient[own[i].position * classes] -= (float)(share / (double)positives);
    }
    for (int64_t j = 0; j < negatives && gradient; j++)
        gradient[other[j].position * classes] += (float)(push / (double)positives * exp(other[j].a - largest) / sum);
    return loss / (double)positives;
}

/* All classes of one image. Returns the number of pairs. A score that is not finite makes the loss NaN. */
static int64_t image_loss(const icseg_contrast_options *o, const icseg_shape *score_shape, const float *score,
                          const icseg_shape *label_shape, const int16_t *labels, buffers b, float *gradient,
                          double *loss) {
    int64_t h = score_shape->dim[1], w = score_shape->dim[2], classes = score_shape->dim[3], pairs = 0;
    int64_t height = label_shape->dim[1], width = label_shape->dim[2];
    memset(b.present, 0, (size_t)classes);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            int16_t c = labels[icseg_nearest_at(y, height, h) * width + icseg_nearest_at(x, width, w)];
            b.label[y * w + x] = c;
            if (c >= 0 && c < classes) b.present[c] = 1;
        }
    *loss = 0;
    if (icseg_first_not_finite(score, h * w * classes) < h * w * classes) { /* sorting would hide a NaN */
        *loss = NAN;
        return 1;
    }
    for (int64_t c = 0; c < classes; c++) {
        if (!b.present[c]) continue;
        int64_t owns = 0, others = 0;
        for (int64_t i = 0; i < h * w; i++) {
            candidate found = {score[i * classes + c] / o->tau, (int32_t)i};
            if (b.label[i] == c)
                b.own[owns++] = found;
            else if (b.label[i] >= 0)
                b.other[others++] = found;
        }
        if (!others) continue;
        *loss += pair_loss(o, b.own, owns, b.other, others, classes, gradient ? gradient + c : NULL);
        pairs++;
    }
    return pairs;
}

/* Bytes of one image's buffers. */
static size_t image_bytes(const icseg_shape *score) {
    size_t positions = (size_t)(score->dim[1] * score->dim[2]);
    size_t bytes = positions * (2 * sizeof(candidate) + sizeof(int16_t)) + (size_t)score->dim[3];
    return (bytes + 63) / 64 * 64;
}

static icseg_status contrast_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    const icseg_shape *score = &icseg_kernel_in(k, 0)->shape;
    k->scratch_size = (size_t)score->dim[0] * (image_bytes(score) + 2 * 64);
    return ICSEG_OK;
}

static icseg_status contrast_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const icseg_contrast_options *o = k->node->attributes;
    const icseg_shape *score = &icseg_kernel_in(k, 0)->shape, *label = &icseg_kernel_in(k, 1)->shape;
    int64_t batch = score->dim[0], positions = score->dim[1] * score->dim[2], size = positions * score->dim[3];
    float *gradient = k->node->output_count > 1 ? k->out[1] : NULL;
    double *loss = run->scratch;              /* (batch) */
    int64_t *pairs = (int64_t *)loss + batch; /* (batch) */
    unsigned char *buffer = (unsigned char *)run->scratch + (size_t)batch * 128;
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < batch; i++) {
        unsigned char *mine = buffer + (size_t)i * image_bytes(score);
        buffers b = {.own = (candidate *)mine, .other = (candidate *)mine + positions};
        b.label = (int16_t *)(b.other + positions);
        b.present = (unsigned char *)(b.label + positions);
        if (gradient) memset(gradient + i * size, 0, (size_t)size * sizeof *gradient);
        pairs[i] = image_loss(o, score, (const float *)k->in[0] + i * size, label,
                              (const int16_t *)k->in[1] + i * label->dim[1] * label->dim[2], b,
                              gradient ? gradient + i * size : NULL, &loss[i]);
    }
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < batch; i++) {
        sum += loss[i];
        count += pairs[i];
    }
    double mean = count ? o->weight / (double)count : 0;
    *(float *)k->out[0] = (float)(sum * mean);
    float factor = (float)(mean / o->tau);
    for (int64_t i = 0; gradient && i < batch * size; i++) gradient[i] *= factor;
    return ICSEG_OK;
}

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    grad_in[0] = icseg_loss_gradient(g, node->output[1], grad_out[0]);
}

const icseg_op icseg_op_align_contrast = {.name = "align_contrast",
                                          .gradient = gradient,
                                          .never_recompute = true,
                                          .prepare = contrast_prepare,
                                          .run = contrast_run};

icseg_value icseg_align_contrast(icseg_graph *g, icseg_value score, icseg_value labels,
                                 icseg_contrast_options options) {
    icseg_value in[] = {score, labels};
    icseg_node *node = icseg_node_append(g, &icseg_op_align_contrast, &options, sizeof options, in, 2, 0);
    if (!node) return ICSEG_NONE;
    const icseg_value_info *x = icseg_graph_value(g, score), *y = icseg_graph_value(g, labels);
    if (x->shape.rank != 4 || y->shape.rank != 3 || y->dtype != ICSEG_I16 || x->shape.dim[0] != y->shape.dim[0]) {
        char s[ICSEG_SHAPE_TEXT], t[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "align_contrast", ICSEG_ERROR_SHAPE,
                                "score %s does not fit labels %s (I16 expected)",
                                icseg_shape_text(x->shape, s, sizeof s), icseg_shape_text(y->shape, t, sizeof t));
    }
    icseg_value loss = icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(1));
    if (x->needs_grad) icseg_node_output(g, node, ICSEG_F32, x->shape);
    return loss;
}

/* SPDX-License-Identifier: Apache-2.0
 * align_contrast: the align-guided contrastive loss (docs/method.md, "Losses"; reference: align_guided_contrast). An
 * anchor is a class in an image, which is compared with positions, or a position, which is compared with classes. The
 * scores select the positives and negatives. The forward pass writes the gradients to further outputs. */
#include <math.h>
#include <string.h>

#include "base/finite.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/loss.h"
#include "graph/ops/select.h"

enum { SCORE, LABELS, MEMORY_SCORE, MEMORY, INPUTS };

/* What a run works on. */
typedef struct work {
    const icseg_contrast_options *options;
    int64_t batch, h, w, classes;
    int64_t first;                    /* index of the first image in the group's batch */
    int64_t entries;                  /* K * M; 0 without a memory */
    uint64_t key;                     /* of the random selection */
    double text_factor, image_factor; /* of one pair's loss in the total */
} work;

/* One image's part of the scratch memory. */
typedef struct buffers {
    int16_t *label;               /* (h * w): labels at the score map's size */
    bool *present;                /* (K): classes with a position */
    icseg_candidate *own, *other; /* (h * w + K * M, or K) */
} buffers;

/* One image's tensors; the gradients may be NULL. */
typedef struct image {
    const float *score, *memory_score; /* (h * w, K), (K, K * M) */
    float *gradient, *memory_gradient;
    int64_t index;
} image;

/* The loss of positives over negatives, which are not empty, and its gradient with respect to their a. */
typedef struct comparison {
    double loss;
    double largest, sum; /* of the negatives: sum of e^(a - largest) */
} comparison;

static comparison begin_comparison(const icseg_candidate *negative, int64_t count) {
    comparison c = {.largest = negative[0].a};
    for (int64_t j = 1; j < count; j++) c.largest = fmax(c.largest, negative[j].a);
    for (int64_t j = 0; j < count; j++) c.sum += exp(negative[j].a - c.largest);
    return c;
}

/* Adds -log(e^a / (e^a + negatives)); returns the share of the negatives in the denominator. */
static double compare(comparison *c, double a) {
    double d = c->largest + log(c->sum) - a; /* loss = log(1 + e^d); cppcheck-suppress invalidFunctionArg ; sum >= 1 */
    c->loss += d > 0 ? d + log1p(exp(-d)) : log1p(exp(d));
    return 1 / (1 + exp(-d));
}

/* Where the gradient of an anchor's candidate belongs: positions come first, then the memory's entries. */
static float *gradient_at(const work *o, const image *m, int64_t c, int32_t index) {
    int64_t positions = o->h * o->w;
    return index < positions ? m->gradient + index * o->classes + c
                             : m->memory_gradient + c * o->entries + (index - positions);
}

/* Compares the embedding of class c with positions and memory. 0 without negatives. */
static double text_loss(const work *o, const image *m, const bool *filled, buffers b, int64_t c) {
    int64_t positions = o->h * o->w, owns = 0, others = 0;
    float tau = o->options->tau;
    for (int64_t i = 0; i < positions; i++) {
        icseg_candidate found = {.a = m->score[i * o->classes + c] / tau, .index = (int32_t)i};
        if (b.label[i] == c)
            b.own[owns++] = found;
        else if (b.label[i] >= 0)
            b.other[others++] = found;
    }
    for (int64_t e = 0; e < o->entries; e++) {
        icseg_candidate found = {.a = m->memory_score[c * o->entries + e] / tau, .index = (int32_t)(positions + e)};
        if (!filled[e]) continue;
        if (e / (o->entries / o->classes) == c)
            b.own[owns++] = found;
        else
            b.other[others++] = found;
    }
    if (!others) return 0;
    uint64_t key = icseg_select_key(o->key, m->index * o->classes + c);
    owns = icseg_select(b.own, owns, o->options->positives, true, o->options->part, key);
    others = icseg_select(b.other, others, o->options->negatives, false, o->options->part, key);
    comparison r = begin_comparison(b.other, others);
    double push = 0, each = o->text_factor / ((double)owns * tau);
    for (int64_t i = 0; i < owns; i++) {
        double share = compare(&r, b.own[i].a);
        push += share;
        if (m->gradient) *gradient_at(o, m, c, b.own[i].index) -= (float)(each * share);
    }
    for (int64_t j = 0; j < others && m->gradient; j++)
        *gradient_at(o, m, c, b.other[j].index) += (float)(each * push * exp(b.other[j].a - r.largest) / r.sum);
    return o->text_factor * r.loss / (double)owns;
}

/* Compares positions of class c with the embeddings of all classes. */
static double image_loss(const work *o, const image *m, buffers b, int64_t c) {
    int64_t positions = o->h * o->w, owns = 0;
    float tau = o->options->tau;
    double loss = 0;
    for (int64_t i = 0; i < positions; i++)
        if (b.label[i] == c)
            b.own[owns++] = (icseg_candidate){.a = m->score[i * o->classes + c] / tau, .index = (int32_t)i};
    uint64_t key = icseg_select_key(o->key, m->index * o->classes + c);
    owns = icseg_select(b.own, owns, o->options->positives, true, o->options->part, key);
    double each = o->image_factor / ((double)owns * tau);
    for (int64_t i = 0; i < owns; i++) {
        int64_t at = b.own[i].index * o->classes, others = 0;
        for (int64_t k = 0; k < o->classes; k++)
            if (k != c) b.other[others++] = (icseg_candidate){.a = m->score[at + k] / tau, .index = (int32_t)k};
        others = icseg_select(b.other, others, o->options->negatives, false, o->options->part,
                              icseg_select_key(key, b.own[i].index));
        comparison r = begin_comparison(b.other, others);
        double share = compare(&r, b.own[i].a);
        loss += r.loss;
        if (!m->gradient) continue;
        m->gradient[at + c] -= (float)(each * share);
        for (int64_t j = 0; j < others; j++)
            m->gradient[at + b.other[j].index] += (float)(each * share * exp(b.other[j].a - r.largest) / r.sum);
    }
    return o->image_factor * loss / (double)owns;
}

/* Reads the labels at the map's size. Returns the number of classes in the image. */
static int64_t read_labels(const work *o, const icseg_shape *shape, const int16_t *labels, buffers b) {
    int64_t found = 0;
    memset(b.present, 0, (size_t)o->classes * sizeof *b.present);
    for (int64_t y = 0; y < o->h; y++)
        for (int64_t x = 0; x < o->w; x++) {
            int16_t c = icseg_label_at(labels, shape->dim[1], shape->dim[2], y, x, o->h, o->w);
            b.label[y * o->w + x] = c;
            if (c < 0 || c >= o->classes || b.present[c]) continue;
            b.present[c] = true;
            found++;
        }
    return found;
}

/* Whether the memory has an entry of a class that the image does not show. */
static bool memory_differs(const work *o, const bool *filled, const bool *present) {
    for (int64_t e = 0; e < o->entries; e++)
        if (filled[e] && !present[e / (o->entries / o->classes)]) return true;
    return false;
}

/* The loss of one image. A score that is not finite makes it NaN: sorting would hide it. */
static double whole_loss(const work *o, const image *m, const bool *filled, buffers b) {
    double loss = 0;
    int64_t scores = o->h * o->w * o->classes, remembered = o->classes * o->entries;
    if (icseg_first_not_finite(m->score, scores) < scores) return NAN;
    if (remembered && icseg_first_not_finite(m->memory_score, remembered) < remembered) return NAN;
    for (int64_t c = 0; c < o->classes; c++) {
        if (!b.present[c]) continue;
        if (o->text_factor > 0) loss += text_loss(o, m, filled, b, c);
        if (o->image_factor > 0) loss += image_loss(o, m, b, c);
    }
    return loss;
}

/* -- the operator */

static int64_t candidate_count(const work *o) {
    int64_t text = o->h * o->w + o->entries;
    return text > o->classes ? text : o->classes;
}

static work open_work(const icseg_kernel *k) {
    const icseg_shape *score = &icseg_kernel_in(k, SCORE)->shape;
    work o = {.options = k->node->attributes,
              .batch = score->dim[0],
              .h = score->dim[1],
              .w = score->dim[2],
              .classes = score->dim[3]};
    if (k->node->input[MEMORY] != ICSEG_NONE) o.entries = icseg_kernel_in(k, MEMORY_SCORE)->shape.dim[2];
    return o;
}

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t image_bytes(const work *o) {
    return aligned((size_t)candidate_count(o) * 2 * sizeof(icseg_candidate) + (size_t)(o->h * o->w) * sizeof(int16_t) +
                   (size_t)o->classes * sizeof(bool));
}

/* Before the images' buffers: the loss of each image, how many classes each has, and which entries are filled. */
static size_t shared_bytes(const work *o) {
    return aligned((size_t)o->batch * (sizeof(double) + sizeof(int64_t)) + (size_t)o->entries * sizeof(bool));
}

static buffers image_buffers(const work *o, unsigned char *scratch, int64_t index) {
    unsigned char *mine = scratch + shared_bytes(o) + (size_t)index * image_bytes(o);
    buffers b = {.own = (icseg_candidate *)mine};
    b.other = b.own + candidate_count(o);
    b.label = (int16_t *)(b.other + candidate_count(o));
    b.present = (bool *)(b.label + o->h * o->w);
    return b;
}

static icseg_status contrast_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    work o = open_work(k);
    k->scratch_size = shared_bytes(&o) + (size_t)o.batch * image_bytes(&o);
    return ICSEG_OK;
}

/* Counts the pairs of an image and a class in it that have a negative, and so finds the share of each in the group. */
static icseg_status find_factors(const icseg_kernel *k, work *o, icseg_group *group, const bool *filled, int64_t *found,
                                 unsigned char *scratch, icseg_error *error) {
    const icseg_shape *shape = &icseg_kernel_in(k, LABELS)->shape;
    const int16_t *labels = k->in[LABELS];
    double pairs[2] = {0}; /* with anchors from the text, and from the image */
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < o->batch; i++)
        found[i] = read_labels(o, shape, labels + i * shape->dim[1] * shape->dim[2], image_buffers(o, scratch, i));
    for (int64_t i = 0; i < o->batch; i++) {
        bool negatives =
            found[i] > 1 || (found[i] == 1 && memory_differs(o, filled, image_buffers(o, scratch, i).present));
        if (negatives) pairs[0] += (double)found[i];
        if (o->classes > 1) pairs[1] += (double)found[i];
    }
    ICSEG_TRY(icseg_group_reduce(group, ICSEG_SUM_F64, pairs, 2, error));
    const icseg_contrast_options *a = o->options;
    double weight = a->text_anchors && a->image_anchors ? 0.5 * a->weight : a->weight;
    if (a->text_anchors && pairs[0] > 0) o->text_factor = weight / pairs[0];
    if (a->image_anchors && pairs[1] > 0) o->image_factor = weight / pairs[1];
    return ICSEG_OK;
}

static icseg_status contrast_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    work o = open_work(k);
    int64_t size = o.h * o.w * o.classes, remembered = o.classes * o.entries;
    float *gradient = k->node->output_count > 1 ? k->out[1] : NULL;
    float *memory_gradient = k->node->output_count > 2 ? k->out[2] : NULL;
    unsigned char *scratch = run->scratch;
    double *loss = run->scratch;                  /* (batch) */
    int64_t *found = (int64_t *)(loss + o.batch); /* (batch) */
    bool *filled = (bool *)(found + o.batch);     /* (entries) */
    for (int64_t e = 0; e < o.entries; e++) {
        int64_t channels = icseg_kernel_in(k, MEMORY)->shape.dim[2];
        const float *entry = (const float *)k->in[MEMORY] + e * channels;
        filled[e] = false;
        for (int64_t j = 0; j < channels && !filled[e]; j++) filled[e] = entry[j] != 0;
    }
    o.key = icseg_select_key(run->seed, run->step);
    o.first = o.batch * icseg_group_rank(run->group);
    ICSEG_TRY(find_factors(k, &o, run->group, filled, found, scratch, error));
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < o.batch; i++) {
        image m = {.score = (const float *)k->in[SCORE] + i * size, .index = o.first + i};
        if (o.entries) m.memory_score = (const float *)k->in[MEMORY_SCORE] + i * remembered;
        if (gradient) m.gradient = memset(gradient + i * size, 0, (size_t)size * sizeof *gradient);
        if (memory_gradient)
            m.memory_gradient = memset(memory_gradient + i * remembered, 0, (size_t)remembered * sizeof *gradient);
        loss[i] = whole_loss(&o, &m, filled, image_buffers(&o, scratch, i));
    }
    double sum = 0;
    for (int64_t i = 0; i < o.batch; i++) sum += loss[i];
    *(float *)k->out[0] = (float)sum;
    return ICSEG_OK;
}

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    grad_in[SCORE] = icseg_loss_gradient(g, node->output[1], grad_out[0]);
    if (node->output_count > 2) grad_in[MEMORY_SCORE] = icseg_loss_gradient(g, node->output[2], grad_out[0]);
}

const icseg_op icseg_op_align_contrast = {.name = "align_contrast",
                                          .gradient = gradient,
                                          .never_recompute = true,
                                          .prepare = contrast_prepare,
                                          .run = contrast_run};

static bool fits(const icseg_value_info *score, const icseg_value_info *labels) {
    return score->shape.rank == 4 && labels->shape.rank == 3 && labels->dtype == ICSEG_I16 &&
           score->shape.dim[0] == labels->shape.dim[0];
}

static bool memory_fits(const icseg_value_info *score, const icseg_value_info *memory_score,
                        const icseg_value_info *memory) {
    const icseg_shape *s = &score->shape, *r = &memory_score->shape, *m = &memory->shape;
    return r->rank == 3 && m->rank == 3 && r->dim[0] == s->dim[0] && r->dim[1] == s->dim[3] && m->dim[0] == s->dim[3] &&
           r->dim[2] == m->dim[0] * m->dim[1];
}

icseg_value icseg_align_contrast(icseg_graph *g, icseg_value score, icseg_value labels, icseg_value memory_score,
                                 icseg_value memory, icseg_contrast_options options) {
    icseg_value in[INPUTS] = {score, labels, memory_score, memory};
    icseg_node *node = icseg_node_append(g, &icseg_op_align_contrast, &options, sizeof options, in, INPUTS,
                                         1 << MEMORY_SCORE | 1 << MEMORY);
    char s[ICSEG_SHAPE_TEXT], t[ICSEG_SHAPE_TEXT], u[ICSEG_SHAPE_TEXT];
    if (!node) return ICSEG_NONE;
    const icseg_value_info *x = icseg_graph_value(g, score), *y = icseg_graph_value(g, labels), *remembered = NULL;
    if (!fits(x, y))
        return icseg_graph_fail(g, "align_contrast", ICSEG_ERROR_SHAPE,
                                "score %s does not fit labels %s (I16 expected)",
                                icseg_shape_text(x->shape, s, sizeof s), icseg_shape_text(y->shape, t, sizeof t));
    if (memory != ICSEG_NONE) {
        remembered = icseg_graph_value(g, memory_score);
        const icseg_value_info *m = icseg_graph_value(g, memory);
        if (!memory_fits(x, remembered, m))
            return icseg_graph_fail(
                g, "align_contrast", ICSEG_ERROR_SHAPE, "the memory %s and its scores %s do not fit score %s",
                icseg_shape_text(m->shape, s, sizeof s), icseg_shape_text(remembered->shape, t, sizeof t),
                icseg_shape_text(x->shape, u, sizeof u));
    }
    icseg_value loss = icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(1));
    if (!x->needs_grad && !(remembered && remembered->needs_grad)) return loss;
    icseg_node_output(g, node, ICSEG_F32, x->shape);
    if (remembered) icseg_node_output(g, node, ICSEG_F32, remembered->shape);
    return loss;
}

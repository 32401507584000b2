/* SPDX-License-Identifier: Apache-2.0
 * Losses and predictions on upsampled maps, against definitions that materialise the upsampled map. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "graph/passes/autodiff.h"
#include "graph/run/executor.h"
#include "support/op_bits.h"
#include "support/op_check.h"

/* Value of channel k at (y, x) of the map upsampled to (height, width). */
static double upsampled(const double *map, const icseg_shape *s, int64_t b, int64_t y, int64_t x, int64_t k,
                        int64_t height, int64_t width) {
    int64_t h = s->dim[1], w = s->dim[2], classes = s->dim[3];
    double sy = fmax(0, (y + 0.5) * (double)h / (double)height - 0.5);
    double sx = fmax(0, (x + 0.5) * (double)w / (double)width - 0.5);
    int64_t y0 = (int64_t)sy, x0 = (int64_t)sx, y1 = y0 + 1 < h ? y0 + 1 : h - 1, x1 = x0 + 1 < w ? x0 + 1 : w - 1;
    double wy = sy - (double)y0, wx = sx - (double)x0;
    const double *m = map + b * h * w * classes + k;
    return (1 - wy) * ((1 - wx) * m[(y0 * w + x0) * classes] + wx * m[(y0 * w + x1) * classes]) +
           wy * ((1 - wx) * m[(y1 * w + x0) * classes] + wx * m[(y1 * w + x1) * classes]);
}

/* The numbers of a case: scale, weight, label smoothing, exponent of the focal loss, and of the hardest pixels the
 * probability and the least number in an image. A third input has the weights of the classes. */
static icseg_value build_cross_entropy(icseg_graph *g, const icseg_value *in, const op_case *c) {
    icseg_cross_entropy_options options = {.scale = (float)c->number[0],
                                           .weight = (float)c->number[1],
                                           .smoothing = (float)c->number[2],
                                           .gamma = (float)c->number[3],
                                           .mined_below = (float)c->number[4],
                                           .mined_least = (int64_t)c->number[5]};
    return icseg_upsampled_cross_entropy(g, in[0], in[1], c->inputs > 2 ? in[2] : ICSEG_NONE, options);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* -log p of class k at a pixel of image b. */
static double surprise(const op_case *c, const double *logits, int64_t b, int64_t y, int64_t x, int64_t k) {
    const icseg_shape *s = &c->input[0].shape, *l = &c->input[1].shape;
    double total = 0, most = 0, own = upsampled(logits, s, b, y, x, k, l->dim[1], l->dim[2]);
    for (int64_t j = 0; j < s->dim[3]; j++)
        most = fmax(most, c->number[0] * (upsampled(logits, s, b, y, x, j, l->dim[1], l->dim[2]) - own));
    for (int64_t j = 0; j < s->dim[3]; j++)
        total += exp(c->number[0] * (upsampled(logits, s, b, y, x, j, l->dim[1], l->dim[2]) - own) - most);
    return most + log(total);
}

/* Only pixels whose label has a lower probability count. */
static double mining_threshold(const op_case *c, const double *const *in) {
    const icseg_shape *l = &c->input[1].shape;
    int64_t pixels = l->dim[0] * l->dim[1] * l->dim[2], n = 0, rank = (int64_t)c->number[5] * l->dim[0];
    double *p = malloc((size_t)pixels * sizeof *p);
    if (c->number[4] == 0) {
        free(p);
        return 2;
    }
    for (int64_t i = 0; i < pixels; i++)
        if (in[1][i] >= 0)
            p[n++] = exp(-surprise(c, in[0], i / (l->dim[1] * l->dim[2]), i / l->dim[2] % l->dim[1], i % l->dim[2],
                                   (int64_t)in[1][i]));
    qsort(p, (size_t)n, sizeof *p, ascending);
    double least = p[rank < n - 1 ? rank : n - 1];
    free(p);
    return fmax(least, c->number[4]);
}

static void cross_entropy(const op_case *c, const double *const *in, double *out) {
    const icseg_shape *s = &c->input[0].shape, *l = &c->input[1].shape;
    double sum = 0, weights = 0, spread = c->number[2], below = mining_threshold(c, in);
    for (int64_t b = 0; b < l->dim[0]; b++)
        for (int64_t y = 0; y < l->dim[1]; y++)
            for (int64_t x = 0; x < l->dim[2]; x++) {
                int64_t label = (int64_t)in[1][(b * l->dim[1] + y) * l->dim[2] + x];
                if (label < 0) continue;
                double own = surprise(c, in[0], b, y, x, label), weight = c->inputs > 2 ? in[2][label] : 1;
                if (exp(-own) >= below) continue;
                sum += (1 - spread) * weight * pow(1 - exp(-own), c->number[3]) * own;
                for (int64_t k = 0; k < s->dim[3] && spread > 0; k++)
                    sum += spread / (double)s->dim[3] * (c->inputs > 2 ? in[2][k] : 1) * surprise(c, in[0], b, y, x, k);
                weights += weight;
            }
    out[0] = c->number[1] * sum / weights;
}

/* Softmax probability of class k at pixel i of all images. */
static double probability(const op_case *c, const double *logits, int64_t i, int64_t k) {
    const icseg_shape *s = &c->input[0].shape, *l = &c->input[1].shape;
    int64_t h = l->dim[1], w = l->dim[2], b = i / (h * w), y = i / w % h, x = i % w;
    double total = 0, own = upsampled(logits, s, b, y, x, k, h, w);
    for (int64_t j = 0; j < s->dim[3]; j++) total += exp(upsampled(logits, s, b, y, x, j, h, w) - own);
    return 1 / total;
}

static icseg_value build_dice(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_dice_loss(g, in[0], in[1], (float)c->number[0]);
}

static void dice(const op_case *c, const double *const *in, double *out) {
    const icseg_shape *l = &c->input[1].shape;
    double sum = 0, present = 0;
    for (int64_t k = 0; k < c->input[0].shape.dim[3]; k++) {
        double common = 0, predicted = 0, labelled = 0;
        for (int64_t i = 0; i < l->dim[0] * l->dim[1] * l->dim[2]; i++) {
            if (in[1][i] < 0) continue;
            double p = probability(c, in[0], i, k);
            predicted += p;
            if ((int64_t)in[1][i] == k) common += p, labelled++;
        }
        if (labelled > 0) sum += 1 - 2 * common / (predicted + labelled), present++;
    }
    out[0] = c->number[0] * sum / present;
}

static icseg_value build_lovasz(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_lovasz_loss(g, in[0], in[1], (float)c->number[0]);
}

typedef struct pixel_error {
    double error;
    bool own;
} pixel_error;

static int by_error(const void *a, const void *b) {
    double x = ((const pixel_error *)a)->error, y = ((const pixel_error *)b)->error;
    return (x < y) - (x > y);
}

static void lovasz(const op_case *c, const double *const *in, double *out) {
    const icseg_shape *l = &c->input[1].shape;
    int64_t pixels = l->dim[0] * l->dim[1] * l->dim[2];
    double sum = 0, present = 0;
    pixel_error *e = malloc((size_t)pixels * sizeof *e);
    for (int64_t k = 0; k < c->input[0].shape.dim[3]; k++) {
        int64_t n = 0;
        double size = 0, missed = 0, extra = 0;
        for (int64_t i = 0; i < pixels; i++) {
            if (in[1][i] < 0) continue;
            double p = probability(c, in[0], i, k);
            bool own = (int64_t)in[1][i] == k;
            e[n++] = (pixel_error){own ? 1 - p : p, own};
            size += own;
        }
        if (size == 0) continue;
        qsort(e, (size_t)n, sizeof *e, by_error);
        for (int64_t i = 0; i < n; i++) {
            double before = 1 - (size - missed) / (size + extra);
            *(e[i].own ? &missed : &extra) += 1;
            sum += e[i].error * (1 - (size - missed) / (size + extra) - before);
        }
        present++;
    }
    free(e);
    out[0] = c->number[0] * sum / present;
}

static icseg_value build_clip_contrast(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_clip_contrast(g, in[0], in[1]);
}

static void clip_contrast(const op_case *c, const double *const *in, double *out) {
    int64_t n = c->input[0].shape.dim[1];
    double scale = exp(in[1][0]);
    out[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        double row = 0, column = 0, right = exp(scale * in[0][i * n + i]);
        for (int64_t j = 0; j < n; j++) {
            row += exp(scale * in[0][i * n + j]);
            column += exp(scale * in[0][j * n + i]);
        }
        out[0] -= (log(right / row) + log(right / column)) / (2 * (double)n);
    }
}

static icseg_value build_argmax(icseg_graph *g, const icseg_value *in, const op_case *c) {
    icseg_value out[2];
    icseg_upsampled_argmax(g, in[0], (int64_t)c->number[0], (int64_t)c->number[1], c->number[2] > 0, out);
    return out[(int)c->number[2]];
}

static void argmax(const op_case *c, const double *const *in, double *out) {
    const icseg_shape *s = &c->input[0].shape;
    int64_t height = (int64_t)c->number[0], width = (int64_t)c->number[1];
    for (int64_t i = 0; i < s->dim[0] * height * width; i++) {
        double best = -1e300, total = 0;
        int64_t at = 0;
        for (int64_t k = 0; k < s->dim[3]; k++) {
            double v = upsampled(in[0], s, i / (height * width), i / width % height, i % width, k, height, width);
            if (v > best) best = v, at = k;
        }
        for (int64_t k = 0; k < s->dim[3]; k++)
            total +=
                exp(upsampled(in[0], s, i / (height * width), i / width % height, i % width, k, height, width) - best);
        out[i] = c->number[2] > 0 ? 1 / total : (double)at;
    }
}

#define X(...)                                                                                                         \
    { OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define FIXED(...)                                                                                                     \
    { OP_FIXED, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define L(K, ...)                                                                                                      \
    { OP_LABELS, ICSEG_SHAPE(__VA_ARGS__), K }
#define STATE(...)                                                                                                     \
    { OP_STATE, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define UPSAMPLED_CROSS_ENTROPY(LABEL, SCALE, WEIGHT, ...) SHAPED(LABEL, SCALE, WEIGHT, 0, 0, 0, 0, 2, __VA_ARGS__)
#define SHAPED(LABEL, SCALE, WEIGHT, SMOOTHING, GAMMA, BELOW, LEAST, COUNT, ...)                                       \
    {                                                                                                                  \
        "upsampled_cross_entropy", LABEL, COUNT, {__VA_ARGS__}, build_cross_entropy, cross_entropy, 1e-6, 1e-5, false, \
            {SCALE, WEIGHT, SMOOTHING, GAMMA, BELOW, LEAST}, NULL                                                      \
    }
#define REGION(OP, NAME, LABEL, WEIGHT, TOLERANCE, ...)                                                                \
    { NAME, LABEL, 2, {__VA_ARGS__}, build_##OP, OP, 1e-6, TOLERANCE, false, {WEIGHT}, NULL }
#define DICE_LOSS(LABEL, WEIGHT, ...)   REGION(dice, "dice_loss", LABEL, WEIGHT, 1e-5, __VA_ARGS__)
#define LOVASZ_LOSS(LABEL, WEIGHT, ...) REGION(lovasz, "lovasz_loss", LABEL, WEIGHT, 1e-5, __VA_ARGS__)
#define CLIP_CONTRAST(LABEL, ...)                                                                                      \
    { "clip_contrast", LABEL, 2, {__VA_ARGS__}, build_clip_contrast, clip_contrast, 1e-6, 1e-5, false, {0}, NULL }
/* Labels are the same integers, probabilities have a tolerance. */
#define UPSAMPLED_ARGMAX(LABEL, CONFIDENCE, TOLERANCE, HEIGHT, WIDTH, ...)                                             \
    {                                                                                                                  \
        "upsampled_argmax", LABEL, 1, {X(__VA_ARGS__)}, build_argmax, argmax, TOLERANCE, 0, false,                     \
            {HEIGHT, WIDTH, CONFIDENCE}, NULL                                                                          \
    }

static void losses_agree_with_their_definitions(void **state) {
    (void)state;
    const op_case cases[] = {
        UPSAMPLED_CROSS_ENTROPY("x4", 1, 1, X(2, 5, 6, 7), L(7, 2, 20, 24)),
        UPSAMPLED_CROSS_ENTROPY("odd sizes, tau", 1 / 0.07, 0.4, X(1, 3, 4, 19), L(19, 1, 13, 17)),
        UPSAMPLED_CROSS_ENTROPY("one source pixel, one class more", 1, 1, X(2, 1, 1, 2), L(2, 2, 32, 33)),
        UPSAMPLED_CROSS_ENTROPY("labels smaller than the logits", 1, 2, X(1, 9, 8, 3), L(3, 1, 4, 5)),
        UPSAMPLED_CROSS_ENTROPY("300 classes", 1, 1, X(1, 3, 4, 300), L(300, 1, 7, 9)),
        SHAPED("smoothing", 1, 1, 0.2, 0, 0, 0, 2, X(2, 5, 6, 7), L(7, 2, 20, 24)),
        SHAPED("class weights", 1, 0.5, 0, 0, 0, 0, 3, X(2, 5, 6, 7), L(7, 2, 20, 24), STATE(7)),
        SHAPED("smoothing, class weights, 19 classes", 2, 1, 0.1, 0, 0, 0, 3, X(1, 3, 4, 19), L(19, 1, 13, 17),
               STATE(19)),
        SHAPED("focal", 1, 1, 0, 2, 0, 0, 2, X(2, 5, 6, 7), L(7, 2, 20, 24)),
        SHAPED("focal below 1, class weights", 1, 1, 0, 0.5, 0, 0, 3, X(1, 3, 4, 19), L(19, 1, 13, 17), STATE(19)),
        {"upsampled_cross_entropy",
         "focal, certain pixels",
         2,
         {FIXED(4, 5, 6, 7), L(7, 4, 50, 64)},
         build_cross_entropy,
         cross_entropy,
         1e-6,
         0,
         false,
         {2000, 1, 0, 1.5},
         NULL},
        SHAPED("the less probable pixels", 1, 1, 0, 0, 0.15, 3, 2, X(2, 5, 6, 7), L(7, 2, 20, 24)),
        SHAPED("the hardest pixels", 1, 1, 0.1, 0, 1e-6, 31, 3, X(2, 5, 6, 7), L(7, 2, 20, 24), STATE(7)),
        SHAPED("100 of an image", 1, 1, 0, 0, 1e-6, 100, 2, X(2, 5, 6, 7), L(7, 2, 20, 24)),
        SHAPED("150 of an image", 1, 1, 0, 0, 1e-6, 150, 2, X(2, 5, 6, 7), L(7, 2, 20, 24)),
        SHAPED("200 of an image", 1, 1, 0, 0, 1e-6, 200, 2, X(2, 5, 6, 7), L(7, 2, 20, 24)),
        SHAPED("all pixels are mined", 1, 1, 0, 0, 0.3, 100000, 2, X(1, 3, 4, 5), L(5, 1, 13, 17)),
        DICE_LOSS(NULL, 1, X(2, 5, 6, 7), L(7, 2, 20, 24)),
        DICE_LOSS("odd sizes, 19 classes, few of which are present", 0.3, X(1, 3, 4, 19), L(4, 1, 13, 17)),
        DICE_LOSS("labels smaller than the logits, one class", 2, X(1, 9, 8, 3), L(1, 1, 4, 5)),
        DICE_LOSS("one source pixel", 1, X(2, 1, 1, 2), L(2, 2, 9, 7)),
        LOVASZ_LOSS(NULL, 1, X(2, 5, 6, 7), L(7, 2, 10, 12)),
        LOVASZ_LOSS("odd sizes, 19 classes, few of which are present", 0.3, X(1, 3, 4, 19), L(4, 1, 13, 17)),
        LOVASZ_LOSS("several chunks of pixels", 1, X(1, 2, 2, 3), L(3, 1, 300, 301)),
        LOVASZ_LOSS("labels smaller than the logits, one class", 2, X(1, 9, 8, 3), L(1, 1, 4, 5)),
        CLIP_CONTRAST(NULL, X(1, 7, 7), X(1)),
        CLIP_CONTRAST("two pairs", X(1, 2, 2), X(1)),
        CLIP_CONTRAST("a fixed scale", X(1, 33, 33), FIXED(1)),
        CLIP_CONTRAST("only the scale trains", FIXED(1, 20, 20), X(1)),
        UPSAMPLED_ARGMAX("labels", 0, 0, 21, 23, 2, 5, 6, 7),
        UPSAMPLED_ARGMAX("labels, 300 classes", 0, 0, 13, 11, 1, 4, 5, 300),
        UPSAMPLED_ARGMAX("confidence", 1, 1e-6, 21, 23, 2, 5, 6, 7),
        UPSAMPLED_ARGMAX("confidence, 300 classes", 1, 2e-6, 13, 11, 1, 4, 5, 300),
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void random_sizes_agree(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 1, 3), h = op_draw(&rng, 2, 8), w = op_draw(&rng, 2, 8), k = op_draw(&rng, 2, 20);
        int64_t height = op_draw(&rng, 5, 20), width = op_draw(&rng, 5, 20); /* up or down */
        const op_case cases[] = {
            UPSAMPLED_CROSS_ENTROPY(NULL, 2, 0.4, X(b, h, w, k), L(k, b, height, width)),
            SHAPED(NULL, 1, 1, 0.3, 0, 0.2, 4, 3, X(b, h, w, k), L(k, b, height, width), STATE(k)),
            SHAPED(NULL, 1, 1, 0, 1.5, 0, 0, 3, X(b, h, w, k), L(k, b, height, width), STATE(k)),
            DICE_LOSS(NULL, 1, X(b, h, w, k), L(k, b, height, width)),
            LOVASZ_LOSS(NULL, 1, X(b, h, w, k), L(k, b, height, width)),
            CLIP_CONTRAST(NULL, X(1, height, height), X(1)),
            UPSAMPLED_ARGMAX(NULL, 0, 0, height, width, b, h, w, k),
            UPSAMPLED_ARGMAX(NULL, 1, 2e-6, height, width, b, h, w, k),
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

static void bits_do_not_depend_on_the_number_of_threads(void **state) {
    (void)state;
    const op_case cases[] = {
        DICE_LOSS(NULL, 1, X(2, 9, 7, 19), L(19, 2, 33, 31)),
        LOVASZ_LOSS(NULL, 1, X(2, 9, 7, 3), L(3, 2, 233, 231)),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) op_same_bits(&cases[i]);
}

typedef enum loss_kind { CROSS_ENTROPY, CONTRAST, DICE, LOVASZ } loss_kind;

static icseg_value build_loss(icseg_graph *g, loss_kind kind, icseg_value x, icseg_value labels) {
    icseg_contrast_options options = {.tau = 1, .weight = 1, .positives = 1, .negatives = 1, .text_anchors = true};
    if (kind == DICE) return icseg_dice_loss(g, x, labels, 1);
    if (kind == LOVASZ) return icseg_lovasz_loss(g, x, labels, 1);
    if (kind == CONTRAST) return icseg_align_contrast(g, x, labels, ICSEG_NONE, ICSEG_NONE, options);
    return icseg_upsampled_cross_entropy(g, x, labels, ICSEG_NONE,
                                         (icseg_cross_entropy_options){.scale = 1, .weight = 1});
}

/* Runs a loss on constant logits and given labels. */
static icseg_status run_loss(loss_kind kind, const int16_t *labels, float *loss, icseg_error *error) {
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    float logits[2 * 2 * 3] = {0};
    assert_int_equal(icseg_graph_open(&g, true, NULL), ICSEG_OK);
    assert_int_equal(icseg_workspace_open(&workspace, NULL), ICSEG_OK);
    icseg_value x = icseg_graph_constant(g, "x", ICSEG_F32, ICSEG_SHAPE(1, 2, 2, 3), logits);
    icseg_value l = icseg_graph_input(g, "labels", ICSEG_I16, ICSEG_SHAPE(1, 2, 2));
    icseg_value y = build_loss(g, kind, x, l);
    icseg_graph_keep(g, y, "loss");
    assert_int_equal(icseg_executor_open(&executor, g, workspace, NULL), ICSEG_OK);
    icseg_executor_bind(executor, l, labels);
    icseg_status status = icseg_executor_run(executor, 0, 0, error);
    *loss = *(const float *)icseg_executor_data(executor, y);
    icseg_executor_close(&executor);
    icseg_graph_close(&g);
    icseg_workspace_close(&workspace);
    return status;
}

static void unlabelled_maps_have_zero_loss_and_a_wrong_label_is_an_error(void **state) {
    (void)state;
    int16_t none[4] = {-1, -1, -1, -1}, wrong[4] = {0, 1, 3, -1}, one_class[4] = {1, 1, -1, 1};
    float loss;
    icseg_error error = {0};
    for (loss_kind kind = CROSS_ENTROPY; kind <= LOVASZ; kind++) {
        assert_int_equal(run_loss(kind, none, &loss, &error), ICSEG_OK);
        assert_true(loss == 0);
        if (kind == CONTRAST) continue;
        assert_int_equal(run_loss(kind, wrong, &loss, &error), ICSEG_ERROR_DATA);
        assert_non_null(strstr(error.message, "over 2"));
    }
    assert_int_equal(run_loss(CONTRAST, one_class, &loss, &error), ICSEG_OK);
    assert_true(loss == 0);
}

/* All three classes have the probability 1/3 at all pixels, and the labels are 1, 1, none, 1: the Dice coefficient of
 * class 1 is 2 * 1 / (1 + 3), and its errors are 2/3. */
static void losses_of_even_probabilities_are_those_worked_out_by_hand(void **state) {
    (void)state;
    int16_t labels[4] = {1, 1, -1, 1};
    float loss;
    assert_int_equal(run_loss(DICE, labels, &loss, NULL), ICSEG_OK);
    assert_true(fabsf(loss - 0.5f) < 1e-6f);
    assert_int_equal(run_loss(LOVASZ, labels, &loss, NULL), ICSEG_OK);
    assert_true(fabsf(loss - 2 / 3.0f) < 1e-6f);
}

static void shapes_that_do_not_fit_are_named(void **state) {
    (void)state;
    const op_case wrong_dice = DICE_LOSS(NULL, 1, X(2, 5, 6, 7), L(7, 3, 20, 24));
    op_refuses(&wrong_dice, 3, (const char *const[]){"dice_loss", "(2, 5, 6, 7)", "(3, 20, 24)"});
    const op_case wrong_lovasz = LOVASZ_LOSS(NULL, 1, X(2, 5, 7), L(7, 2, 20, 24));
    op_refuses(&wrong_lovasz, 3, (const char *const[]){"lovasz_loss", "(2, 5, 7)", "(2, 20, 24)"});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_agree_with_their_definitions),
        cmocka_unit_test(random_sizes_agree),
        cmocka_unit_test(bits_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(losses_of_even_probabilities_are_those_worked_out_by_hand),
        cmocka_unit_test(shapes_that_do_not_fit_are_named),
        cmocka_unit_test(unlabelled_maps_have_zero_loss_and_a_wrong_label_is_an_error),
    };
    return cmocka_run_group_tests_name("losses", tests, NULL, NULL);
}

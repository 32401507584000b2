/* SPDX-License-Identifier: Apache-2.0
 * The align-guided contrastive loss against its definition, the selection of positives and negatives, and the memory of
 * earlier images. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "graph/ops/select.h"
#include "graph/passes/autodiff.h"
#include "graph/run/executor.h"
#include "support/op_check.h"

/* PyTorch's 'nearest', which computes in float. */
static int64_t nearest(int64_t o, int64_t in, int64_t out) {
    return (int64_t)floorf((float)o * ((float)in / (float)out));
}

/* The numbers of a case: tau, weight, positives, negatives, whether the text and the image are anchors, and which part
 * of the candidates is drawn from. */
static icseg_value build_contrast(icseg_graph *g, const icseg_value *in, const op_case *c) {
    icseg_contrast_options options = {.tau = (float)c->number[0],
                                      .weight = (float)c->number[1],
                                      .positives = (int32_t)c->number[2],
                                      .negatives = (int32_t)c->number[3],
                                      .text_anchors = c->number[4] > 0,
                                      .image_anchors = c->number[5] > 0,
                                      .part = (int32_t)c->number[6]};
    bool memory = c->inputs > 2;
    return icseg_align_contrast(g, in[0], in[1], memory ? in[2] : ICSEG_NONE, memory ? in[3] : ICSEG_NONE, options);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The mean loss of the `p` lowest of own over the `q` highest of other. */
static double hardest_loss(double *own, int64_t owns, double *other, int64_t others, double positives,
                           double negatives) {
    int64_t p = owns < positives ? owns : (int64_t)positives, q = others < negatives ? others : (int64_t)negatives;
    double loss = 0, sum = 0;
    qsort(own, (size_t)owns, sizeof *own, ascending);
    qsort(other, (size_t)others, sizeof *other, ascending);
    for (int64_t j = 0; j < q; j++) sum += exp(other[others - 1 - j]);
    for (int64_t i = 0; i < p; i++) loss -= log(exp(own[i]) / (exp(own[i]) + sum));
    return loss / (double)p;
}

static int64_t label_of(const op_case *c, const double *labels, int64_t b, int64_t i) {
    const icseg_shape *s = &c->input[0].shape, *l = &c->input[1].shape;
    int64_t y = nearest(i / s->dim[2], l->dim[1], s->dim[1]), x = nearest(i % s->dim[2], l->dim[2], s->dim[2]);
    return (int64_t)labels[(b * l->dim[1] + y) * l->dim[2] + x];
}

/* One pair with the class's embedding as the anchor; -1 without positives or negatives. */
static double text_pair(const op_case *c, const double *const *in, int64_t b, int64_t k, double *own, double *other) {
    const icseg_shape *s = &c->input[0].shape;
    int64_t n = s->dim[1] * s->dim[2], classes = s->dim[3], owns = 0, others = 0, shown = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t label = label_of(c, in[1], b, i);
        double a = in[0][(b * n + i) * classes + k] / c->number[0];
        shown += label == k;
        if (label == k) own[owns++] = a;
        if (label >= 0 && label != k) other[others++] = a;
    }
    int64_t entries = c->inputs > 2 ? c->input[2].shape.dim[2] : 0, kept = entries / classes;
    for (int64_t e = 0; e < entries; e++) {
        double a = in[2][(b * classes + k) * entries + e] / c->number[0];
        if (e / kept == k)
            own[owns++] = a;
        else
            other[others++] = a;
    }
    return shown && others ? hardest_loss(own, owns, other, others, c->number[2], c->number[3]) : -1;
}

/* One pair with the hardest positions of the class as anchors. */
static double image_pair(const op_case *c, const double *const *in, int64_t b, int64_t k, double *own, double *other) {
    const icseg_shape *s = &c->input[0].shape;
    int64_t n = s->dim[1] * s->dim[2], classes = s->dim[3], owns = 0, p;
    for (int64_t i = 0; i < n; i++)
        if (label_of(c, in[1], b, i) == k) own[owns++] = in[0][(b * n + i) * classes + k];
    if (!owns || classes < 2) return -1;
    qsort(own, (size_t)owns, sizeof *own, ascending);
    p = owns < c->number[2] ? owns : (int64_t)c->number[2];
    double loss = 0, last = own[p - 1];
    for (int64_t i = 0; i < n; i++) {
        const double *score = in[0] + (b * n + i) * classes;
        double a = score[k] / c->number[0];
        int64_t others = 0;
        if (label_of(c, in[1], b, i) != k || score[k] > last) continue;
        for (int64_t j = 0; j < classes; j++)
            if (j != k) other[others++] = score[j] / c->number[0];
        loss += hardest_loss(&a, 1, other, others, 1, c->number[3]);
    }
    return loss / (double)p;
}

static void contrast(const op_case *c, const double *const *in, double *out) {
    const icseg_shape *s = &c->input[0].shape;
    int64_t classes = s->dim[3], entries = c->inputs > 2 ? c->input[2].shape.dim[2] : 0;
    int64_t most = s->dim[1] * s->dim[2] + entries + classes;
    double sum[2] = {0}, pairs[2] = {0}, *own = malloc((size_t)most * sizeof *own);
    double *other = malloc((size_t)most * sizeof *other);
    for (int64_t b = 0; b < s->dim[0]; b++)
        for (int64_t k = 0; k < classes; k++)
            for (int kind = 0; kind < 2; kind++) {
                double loss = (kind ? image_pair : text_pair)(c, in, b, k, own, other);
                if (c->number[4 + kind] == 0 || loss < 0) continue;
                sum[kind] += loss;
                pairs[kind]++;
            }
    free(own);
    free(other);
    out[0] = 0;
    for (int kind = 0; kind < 2; kind++)
        if (pairs[kind] > 0) out[0] += c->number[1] * sum[kind] / pairs[kind] / (c->number[4] + c->number[5]);
}

static icseg_value build_memory(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_class_memory(g, in[0], in[1], in[2]);
}

/* Its output is what it held before. */
static void memory(const op_case *c, const double *const *in, double *out) {
    const icseg_shape *s = &c->input[2].shape;
    memcpy(out, in[2], (size_t)(s->dim[0] * s->dim[1] * s->dim[2]) * sizeof *out);
}

#define X(...)                                                                                                         \
    { OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define FIXED(...)                                                                                                     \
    { OP_FIXED, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define STATE(...)                                                                                                     \
    { OP_STATE, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define L(K, ...)                                                                                                      \
    { OP_LABELS, ICSEG_SHAPE(__VA_ARGS__), K }
#define ALIGN_CONTRAST(LABEL, TAU, WEIGHT, POSITIVES, NEGATIVES, TEXT, IMAGE, PART, COUNT, ...)                        \
    {                                                                                                                  \
        "align_contrast", LABEL, COUNT, {__VA_ARGS__}, build_contrast, contrast, 1e-6, 1e-5, false,                    \
            {TAU, WEIGHT, POSITIVES, NEGATIVES, TEXT, IMAGE, PART}, NULL                                               \
    }
#define CLASS_MEMORY(LABEL, ...)                                                                                       \
    { "class_memory", LABEL, 3, {__VA_ARGS__}, build_memory, memory, 0, 0, false, {0}, NULL }

static void losses_agree_with_their_definitions(void **state) {
    (void)state;
    const op_case cases[] = {
        ALIGN_CONTRAST("all chosen", 0.5, 0.1, 100, 100, 1, 0, 0, 2, X(2, 4, 5, 3), L(3, 2, 8, 10)),
        ALIGN_CONTRAST("few chosen", 0.3, 1, 3, 5, 1, 0, 0, 2, X(3, 6, 7, 5), L(5, 3, 24, 28)),
        ALIGN_CONTRAST("300 classes", 0.3, 10, 3, 5, 1, 0, 0, 2, X(2, 6, 7, 300), L(300, 2, 12, 14)),
        ALIGN_CONTRAST("image anchors", 0.5, 0.1, 100, 100, 0, 1, 0, 2, X(2, 4, 5, 3), L(3, 2, 8, 10)),
        ALIGN_CONTRAST("few positions, few classes", 0.3, 1, 3, 2, 0, 1, 0, 2, X(3, 6, 7, 5), L(5, 3, 24, 28)),
        ALIGN_CONTRAST("both", 0.3, 1, 3, 4, 1, 1, 0, 2, X(3, 6, 7, 5), L(5, 3, 24, 28)),
        ALIGN_CONTRAST("all, in a random order", 0.5, 1, 100, 100, 1, 1, 1, 2, X(2, 4, 5, 3), L(3, 2, 8, 10)),
        ALIGN_CONTRAST("one class", 0.5, 1, 3, 4, 1, 1, 0, 2, X(2, 4, 5, 1), L(1, 2, 8, 10)),
        ALIGN_CONTRAST("memory", 0.5, 1, 3, 6, 1, 0, 0, 4, X(2, 4, 5, 3), L(3, 2, 8, 10), X(2, 3, 6), FIXED(3, 2, 8)),
        ALIGN_CONTRAST("memory, all", 0.5, 1, 99, 99, 1, 1, 0, 4, X(1, 3, 3, 4), L(4, 1, 3, 3), X(1, 4, 4),
                       FIXED(4, 1, 2)),
        ALIGN_CONTRAST("only the memory's scores train", 0.5, 1, 3, 6, 1, 0, 0, 4, FIXED(2, 4, 5, 3), L(3, 2, 8, 10),
                       X(2, 3, 6), FIXED(3, 2, 8)),
        CLASS_MEMORY("copied", FIXED(2, 4, 5, 8), L(3, 2, 8, 10), STATE(3, 2, 8)),
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void random_sizes_agree(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 1, 3), h = op_draw(&rng, 2, 8), w = op_draw(&rng, 2, 8), k = op_draw(&rng, 2, 20);
        int64_t height = op_draw(&rng, 5, 20), width = op_draw(&rng, 5, 20); /* up or down */
        int64_t positives = op_draw(&rng, 2, 5), negatives = op_draw(&rng, 2, 9), kept = op_draw(&rng, 1, 4);
        const op_case cases[] = {
            ALIGN_CONTRAST(NULL, 0.3, 1, positives, negatives, 1, 0, 0, 2, X(b, h, w, k), L(k, b, height, width)),
            ALIGN_CONTRAST(NULL, 0.3, 1, positives, negatives, 0, 1, 0, 2, X(b, h, w, k), L(k, b, height, width)),
            ALIGN_CONTRAST(NULL, 0.3, 1, positives, negatives, 1, 1, 0, 4, X(b, h, w, k), L(k, b, height, width),
                           X(b, k, k * kept), FIXED(k, kept, 3)),
            CLASS_MEMORY(NULL, FIXED(b, h, w, 5), L(k, b, height, width), STATE(k, kept, 5)),
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

/* A graph with parameters, in a test. */
typedef struct fixture {
    icseg_graph *graph;
    icseg_params *params;
    icseg_workspace *workspace;
    icseg_executor *executor;
    icseg_value labels;
} fixture;

static icseg_error error;

static void open_fixture(fixture *f) {
    assert_int_equal(icseg_params_open(&f->params, &error), ICSEG_OK);
    assert_int_equal(icseg_graph_open(&f->graph, true, &error), ICSEG_OK);
    assert_int_equal(icseg_workspace_open(&f->workspace, &error), ICSEG_OK);
}

static void start(fixture *f, icseg_value output, const int16_t *labels) {
    icseg_graph_keep(f->graph, output, "output");
    if (icseg_graph_status(f->graph, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(icseg_executor_open(&f->executor, f->graph, f->workspace, &error), ICSEG_OK);
    icseg_executor_bind(f->executor, f->labels, labels);
}

static void run(fixture *f) {
    if (icseg_executor_run(f->executor, 0, 0, &error) != ICSEG_OK) fail_msg("%s", error.message);
}

static void close_fixture(fixture *f) {
    icseg_executor_close(&f->executor);
    icseg_graph_close(&f->graph);
    icseg_workspace_close(&f->workspace);
    icseg_params_close(&f->params);
}

/* One positive and one negative of each class are chosen among equal scores: the first in the image. The gradient says
 * which. Worked by hand for scores that are all 0 and tau = 1: each chosen pair gets d loss / d score of the same size,
 * and every other position 0. */
static void of_equal_scores_the_first_are_chosen(void **state) {
    (void)state;
    enum { SIDE = 2, KINDS = 2, COUNT = SIDE * SIDE * KINDS };
    static const int16_t labels[SIDE * SIDE] = {1, 0, 0, 1};
    fixture f;
    open_fixture(&f);
    icseg_param *score = icseg_params_declare(f.params, "score", ICSEG_SHAPE(1, SIDE, SIDE, KINDS),
                                              (icseg_param_options){.trainable = true}, &error);
    assert_non_null(score);
    assert_int_equal(icseg_params_allocate_gradients(f.params, &error), ICSEG_OK);
    f.labels = icseg_graph_input(f.graph, "labels", ICSEG_I16, ICSEG_SHAPE(1, SIDE, SIDE));
    icseg_contrast_options options = {.tau = 1, .weight = 1, .positives = 1, .negatives = 1, .text_anchors = true};
    icseg_value loss =
        icseg_align_contrast(f.graph, icseg_graph_param(f.graph, score), f.labels, ICSEG_NONE, ICSEG_NONE, options);
    const float one = 1;
    icseg_value unit = icseg_graph_constant(f.graph, "one", ICSEG_F32, ICSEG_SHAPE(1), &one);
    icseg_graph_backward(f.graph, 1, &loss, &unit, false);
    start(&f, loss, labels);
    run(&f);
    /* class 0: own pixels 1 and 2, others 0 and 3; class 1: own 0 and 3, others 1 and 2 */
    static const int sign[COUNT] = {
        [0 * KINDS + 0] = 1, [1 * KINDS + 0] = -1, [0 * KINDS + 1] = -1, [1 * KINDS + 1] = 1};
    for (int i = 0; i < COUNT; i++) {
        int got = (score->grad[i] > 0) - (score->grad[i] < 0);
        if (got != sign[i]) fail_msg("element %d: gradient %g", i, (double)score->grad[i]);
        if (got) assert_true(fabsf(fabsf(score->grad[i]) - fabsf(score->grad[0])) < 1e-6f);
    }
    close_fixture(&f);
}

/* 40 candidates with the scores 0, 1, ..., 39. */
static int64_t select_from(icseg_candidate *list, int64_t wanted, bool lowest, int32_t part, uint64_t key) {
    for (int32_t i = 0; i < 40; i++) list[i] = (icseg_candidate){.a = (float)(i * 7 % 40), .index = i};
    return icseg_select(list, 40, wanted, lowest, part, key);
}

static void the_hardest_are_selected_in_order(void **state) {
    (void)state;
    icseg_candidate list[40];
    assert_int_equal(select_from(list, 5, true, 0, 1), 5);
    for (int i = 0; i < 5; i++) assert_true(list[i].a == (float)i);
    assert_int_equal(select_from(list, 5, false, 0, 1), 5);
    for (int i = 0; i < 5; i++) assert_true(list[i].a == (float)(39 - i));
    assert_int_equal(select_from(list, 100, true, 0, 1), 40);
}

static void random_ones_come_from_the_part_that_was_asked_for(void **state) {
    (void)state;
    icseg_candidate list[40];
    int count[40] = {0};
    for (uint64_t key = 0; key < 400; key++) {
        assert_int_equal(select_from(list, 2, true, 4, key), 2);
        for (int i = 0; i < 2; i++) count[(int)list[i].a]++;
    }
    for (int i = 0; i < 40; i++)
        if (i < 10 ? count[i] < 40 || count[i] > 130 : count[i] > 0)
            fail_msg("score %d was chosen %d times", i, count[i]);
    assert_int_equal(select_from(list, 8, true, 10, 1), 8); /* a tenth is too small: the 8 hardest */
    for (int i = 0; i < 8; i++) assert_true(list[i].a < 8);
}

static void a_selection_is_a_function_of_its_key(void **state) {
    (void)state;
    icseg_candidate list[40], again[40];
    int different = 0;
    select_from(list, 10, false, 1, 5);
    select_from(again, 10, false, 1, 5);
    for (int i = 0; i < 10; i++) assert_int_equal(list[i].index, again[i].index);
    select_from(again, 10, false, 1, 6);
    for (int i = 0; i < 10; i++) different += list[i].index != again[i].index;
    assert_true(different > 4);
    assert_true(icseg_select_key(icseg_select_key(1, 2), 3) != icseg_select_key(icseg_select_key(1, 3), 2));
}

/* Two images of 1x2 positions: class 0 in both, class 1 in the second. Two runs. */
static void the_memory_keeps_the_last_images_of_each_class(void **state) {
    (void)state;
    enum { KINDS = 3, KEPT = 3, WIDTH = 2 };
    static const float v[2 * 2 * WIDTH] = {3, 0, 1, 0, 0, 2, -5, 0};
    static const int16_t labels[4] = {0, 0, 0, 1};
    fixture f;
    open_fixture(&f);
    icseg_param *kept = icseg_params_declare(f.params, "kept", ICSEG_SHAPE(KINDS, KEPT, WIDTH),
                                             (icseg_param_options){.buffer = true}, &error);
    assert_non_null(kept);
    f.labels = icseg_graph_input(f.graph, "labels", ICSEG_I16, ICSEG_SHAPE(2, 1, 2));
    icseg_value x = icseg_graph_constant(f.graph, "v", ICSEG_F32, ICSEG_SHAPE(2, 1, 2, WIDTH), v);
    icseg_value before = icseg_class_memory(f.graph, x, f.labels, icseg_graph_param(f.graph, kept));
    start(&f, before, labels);
    run(&f);
    static const float first[KINDS * KEPT * WIDTH] = {0, 1, 1, 0, 0, 0, -1, 0};
    const float *copy = icseg_executor_data(f.executor, before);
    for (int i = 0; i < KINDS * KEPT * WIDTH; i++) {
        assert_true(kept->data[i] == first[i]);
        assert_true(copy[i] == 0);
    }
    run(&f);
    static const float second[KINDS * KEPT * WIDTH] = {0, 1, 1, 0, 0, 1, -1, 0, -1, 0};
    copy = icseg_executor_data(f.executor, before);
    for (int i = 0; i < KINDS * KEPT * WIDTH; i++) {
        assert_true(kept->data[i] == second[i]);
        assert_true(copy[i] == first[i]);
    }
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_agree_with_their_definitions),
        cmocka_unit_test(random_sizes_agree),
        cmocka_unit_test(of_equal_scores_the_first_are_chosen),
        cmocka_unit_test(the_hardest_are_selected_in_order),
        cmocka_unit_test(random_ones_come_from_the_part_that_was_asked_for),
        cmocka_unit_test(a_selection_is_a_function_of_its_key),
        cmocka_unit_test(the_memory_keeps_the_last_images_of_each_class),
    };
    return cmocka_run_group_tests_name("contrast", tests, NULL, NULL);
}

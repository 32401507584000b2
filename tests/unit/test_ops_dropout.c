/* SPDX-License-Identifier: Apache-2.0
 * dropout: the statistics of its masks, that the gradient's mask is the forward one, and when masks repeat. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "graph/run/executor.h"
#include "graph/passes/autodiff.h"
#include "support/op_bits.h"
#include "support/op_check.h"

static int64_t size_of(const op_case *c, int input) { return icseg_shape_count(c->input[input].shape); }

/* One dropout of ones, with its gradient for a gradient of ones. */
typedef struct bench {
    icseg_params *params;
    icseg_graph *graph;
    icseg_workspace *workspace;
    icseg_executor *executor;
    icseg_param *x;
    icseg_value y;
    int64_t count;
} bench;

static void bench_open(bench *b, icseg_shape shape, float p, icseg_dropout_mode mode) {
    icseg_error error;
    assert_int_equal(icseg_params_open(&b->params, &error), ICSEG_OK);
    assert_int_equal(icseg_graph_open(&b->graph, true, &error), ICSEG_OK);
    b->x = icseg_params_declare(b->params, "x", shape, (icseg_param_options){.trainable = true}, &error);
    assert_int_equal(icseg_params_allocate_gradients(b->params, &error), ICSEG_OK);
    assert_int_equal(icseg_param_load(b->x, &error), ICSEG_OK);
    b->count = b->x->count;
    for (int64_t i = 0; i < b->count; i++) b->x->data[i] = 1;
    b->y = icseg_dropout(b->graph, icseg_graph_param(b->graph, b->x), p, mode);
    icseg_value ones = icseg_graph_constant(b->graph, "ones", ICSEG_F32, shape, b->x->data);
    icseg_graph_keep(b->graph, b->y, "y");
    icseg_graph_backward(b->graph, 1, &b->y, &ones, false);
    assert_int_equal(icseg_workspace_open(&b->workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_open(&b->executor, b->graph, b->workspace, &error), ICSEG_OK);
}

static const float *bench_run(bench *b, uint64_t seed, int64_t step) {
    icseg_error error;
    assert_int_equal(icseg_executor_run(b->executor, seed, step, &error), ICSEG_OK);
    return icseg_executor_data(b->executor, b->y);
}

static void bench_close(bench *b) {
    icseg_executor_close(&b->executor);
    icseg_workspace_close(&b->workspace);
    icseg_graph_close(&b->graph);
    icseg_params_close(&b->params);
}

/* -- through op_check: a linear operator, its factors those of a run on ones (seed and step are op_check's, and at step
 * 0 the key is the node's index, 0 in both graphs) */

static icseg_value build_dropout(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_dropout(g, in[0], (float)c->number[0], (icseg_dropout_mode)c->number[1]);
}

static void dropout(const op_case *c, const double *const *in, double *out) {
    bench b;
    bench_open(&b, c->input[0].shape, (float)c->number[0], (icseg_dropout_mode)c->number[1]);
    const float *factor = bench_run(&b, 1, 0);
    for (int64_t i = 0; i < size_of(c, 0); i++) out[i] = in[0][i] * (double)factor[i];
    bench_close(&b);
}

#define DROPOUT(LABEL, P, MODE, ...)                                                                                   \
    {                                                                                                                  \
        "dropout", LABEL, 1, {{OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0}}, build_dropout, dropout, 1e-6, 1e-5, true,      \
            {P, MODE}, NULL                                                                                            \
    }

static void it_scales_and_its_gradient_has_the_same_mask(void **state) {
    (void)state;
    const op_case cases[] = {
        DROPOUT("elements", 0.4, ICSEG_DROPOUT_ELEMENT, 3, 5, 17),
        DROPOUT("channels", 0.4, ICSEG_DROPOUT_CHANNEL, 3, 5, 2, 17),
        DROPOUT("channels, no middle axes", 0.4, ICSEG_DROPOUT_CHANNEL, 3, 64),
        DROPOUT("samples", 0.4, ICSEG_DROPOUT_SAMPLE, 16, 5, 2),
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
    bench b;
    bench_open(&b, ICSEG_SHAPE(5, 7000), 0.3f, ICSEG_DROPOUT_ELEMENT);
    for (int64_t step = 0; step < 3; step++)
        assert_memory_equal(bench_run(&b, 3, step), b.x->grad, (size_t)b.count * sizeof(float));
    bench_close(&b);
}

static void random_sizes_agree(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 2, 9), rows = op_draw(&rng, 1, 9), channels = op_draw(&rng, 3, 40);
        const op_case cases[] = {
            DROPOUT("elements", 0.4, ICSEG_DROPOUT_ELEMENT, b, rows, channels),
            DROPOUT("channels", 0.4, ICSEG_DROPOUT_CHANNEL, b, rows, channels),
            DROPOUT("samples", 0.4, ICSEG_DROPOUT_SAMPLE, b, rows, channels),
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

/* -- statistics */

static void elements_are_dropped_with_probability_p_independently(void **state) {
    (void)state;
    enum { N = 400000 };
    const float probabilities[] = {0.1f, 0.5f, 0.9f};
    for (int t = 0; t < 3; t++) {
        float p = probabilities[t];
        bench b;
        bench_open(&b, ICSEG_SHAPE(N), p, ICSEG_DROPOUT_ELEMENT);
        const float *y = bench_run(&b, 11, 5);
        int64_t zeros = 0;
        const int64_t lags[] = {1, 2, 16, 256, 16384};
        double together[5] = {0}, q = (double)p, deviation = sqrt(q * (1 - q) * N);
        for (int64_t i = 0; i < N; i++) {
            assert_true(y[i] == 0 || fabsf(y[i] * (1 - p) - 1) < 1e-6f);
            zeros += y[i] == 0;
            for (int l = 0; l < 5; l++) together[l] += i >= lags[l] && y[i] == 0 && y[i - lags[l]] == 0;
        }
        assert_true(fabs((double)zeros - q * N) < 4.5 * deviation);
        for (int l = 0; l < 5; l++) {
            double pairs = (double)(N - lags[l]), expected = q * q * pairs;
            assert_true(fabs(together[l] - expected) < 6 * sqrt(pairs * q * q * (1 - q * q)) + 4.5 * q * deviation);
        }
        bench_close(&b);
    }
}

static void whole_channels_of_a_sample_are_dropped(void **state) {
    (void)state;
    enum { B = 4, M = 700, C = 300 };
    bench b;
    bench_open(&b, ICSEG_SHAPE(B, M, C), 0.25f, ICSEG_DROPOUT_CHANNEL);
    const float *y = bench_run(&b, 2, 7);
    int zeros = 0, differing = 0;
    for (int s = 0; s < B; s++)
        for (int c = 0; c < C; c++) {
            const float *first = y + s * M * C + c;
            for (int m = 1; m < M; m++) assert_true(first[m * C] == first[0]);
            zeros += *first == 0;
            differing += *first != y[c];
        }
    assert_true(abs(zeros - B * C / 4) < 68); /* 4.5 deviations */
    assert_true(differing > 100);             /* each sample has its own mask */
    bench_close(&b);
}

static void whole_samples_are_dropped(void **state) {
    (void)state;
    enum { B = 1000, M = 7 };
    bench b;
    bench_open(&b, ICSEG_SHAPE(B, M), 0.2f, ICSEG_DROPOUT_SAMPLE);
    const float *y = bench_run(&b, 2, 7);
    int zeros = 0;
    for (int s = 0; s < B; s++) {
        for (int m = 1; m < M; m++) assert_true(y[s * M + m] == y[s * M]);
        zeros += y[s * M] == 0;
    }
    assert_true(abs(zeros - 200) < 57);
    bench_close(&b);
}

/* -- when masks repeat */

static void masks_repeat_with_seed_and_step_and_differ_otherwise(void **state) {
    (void)state;
    enum { N = 20000 };
    static float first[N];
    bench b;
    bench_open(&b, ICSEG_SHAPE(N), 0.5f, ICSEG_DROPOUT_ELEMENT);
    memcpy(first, bench_run(&b, 1, 0), sizeof first);
    const struct {
        uint64_t seed;
        int64_t step;
    } others[] = {{1, 1}, {2, 0}, {1, 1000000}, {UINT64_MAX, 0}};
    for (size_t t = 0; t < sizeof others / sizeof *others; t++) {
        const float *y = bench_run(&b, others[t].seed, others[t].step);
        int same = 0;
        for (int i = 0; i < N; i++) same += y[i] == first[i];
        assert_true(abs(same - N / 2) < 400);
    }
    assert_memory_equal(bench_run(&b, 1, 0), first, sizeof first);
    bench_close(&b);
}

static void two_dropouts_of_a_graph_have_different_masks(void **state) {
    (void)state;
    enum { N = 20000 };
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    icseg_error error;
    static float ones[N];
    for (int i = 0; i < N; i++) ones[i] = 1;
    assert_int_equal(icseg_graph_open(&g, true, &error), ICSEG_OK);
    icseg_value x = icseg_graph_constant(g, "ones", ICSEG_F32, ICSEG_SHAPE(N), ones);
    icseg_value a = icseg_dropout(g, x, 0.5f, ICSEG_DROPOUT_ELEMENT);
    icseg_value c = icseg_dropout(g, x, 0.5f, ICSEG_DROPOUT_ELEMENT);
    icseg_graph_keep(g, a, "a");
    icseg_graph_keep(g, c, "c");
    assert_int_equal(icseg_workspace_open(&workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_open(&executor, g, workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_run(executor, 1, 3, &error), ICSEG_OK);
    const float *p = icseg_executor_data(executor, a), *q = icseg_executor_data(executor, c);
    int same = 0;
    for (int i = 0; i < N; i++) same += p[i] == q[i];
    assert_true(abs(same - N / 2) < 400);
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
}

static void bits_do_not_depend_on_the_number_of_threads(void **state) {
    (void)state;
    const op_case cases[] = {
        DROPOUT(NULL, 0.4, ICSEG_DROPOUT_ELEMENT, 3, 500, 64),
        DROPOUT(NULL, 0.4, ICSEG_DROPOUT_CHANNEL, 3, 500, 64),
        DROPOUT(NULL, 0.4, ICSEG_DROPOUT_SAMPLE, 3, 500, 64),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) op_same_bits(&cases[i]);
}

static void without_training_or_probability_there_is_no_node(void **state) {
    (void)state;
    icseg_error error;
    for (int training = 0; training < 2; training++) {
        icseg_graph *g;
        assert_int_equal(icseg_graph_open(&g, training, &error), ICSEG_OK);
        icseg_value x = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(4, 3));
        assert_int_equal(icseg_dropout(g, x, training ? 0 : 0.5f, ICSEG_DROPOUT_ELEMENT), x);
        assert_int_equal(icseg_graph_node_count(g), 0);
        icseg_graph_close(&g);
    }
}

static void impossible_probabilities_and_shapes_are_refused(void **state) {
    (void)state;
    icseg_error error;
    const float wrong[] = {-0.1f, 1, 2, NAN};
    for (int i = 0; i < 4; i++) {
        icseg_graph *g;
        assert_int_equal(icseg_graph_open(&g, true, &error), ICSEG_OK);
        icseg_value x = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(4, 3));
        assert_int_equal(icseg_dropout(g, x, wrong[i], ICSEG_DROPOUT_ELEMENT), ICSEG_NONE);
        assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "[0, 1)"));
        icseg_graph_close(&g);
    }
    const op_case flat = DROPOUT(NULL, 0.4, ICSEG_DROPOUT_CHANNEL, 12);
    op_refuses(&flat, 2, (const char *const[]){"(12)", "(B, ..., C)"});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_scales_and_its_gradient_has_the_same_mask),
        cmocka_unit_test(random_sizes_agree),
        cmocka_unit_test(elements_are_dropped_with_probability_p_independently),
        cmocka_unit_test(whole_channels_of_a_sample_are_dropped),
        cmocka_unit_test(whole_samples_are_dropped),
        cmocka_unit_test(masks_repeat_with_seed_and_step_and_differ_otherwise),
        cmocka_unit_test(two_dropouts_of_a_graph_have_different_masks),
        cmocka_unit_test(bits_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(without_training_or_probability_there_is_no_node),
        cmocka_unit_test(impossible_probabilities_and_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("dropout", tests, NULL, NULL);
}

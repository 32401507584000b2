/* SPDX-License-Identifier: Apache-2.0
 * Normalisation and scaling of channels against their definitions; running statistics; equal bits; messages. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "graph/run/executor.h"
#include "graph/passes/autodiff.h"
#include "support/near.h"
#include "support/op_bits.h"
#include "support/op_check.h"

static int64_t size_of(const op_case *c, int input) { return icseg_shape_count(c->input[input].shape); }

/* -- batch_norm: number[0] batch statistics, [1] relu */

static icseg_value build_batch_norm(icseg_graph *g, const icseg_value *in, const op_case *c) {
    icseg_batch_norm_options options = {
        .eps = 1e-5f, .momentum = 0.1f, .batch_statistics = c->number[0] != 0, .relu = c->number[1] != 0};
    return icseg_batch_norm(g, in[0], in[1], in[2], in[3], in[4], options);
}

static void batch_norm(const op_case *c, const double *const *in, double *out) {
    int64_t n = size_of(c, 0), channels = size_of(c, 1), rows = n / channels;
    for (int64_t j = 0; j < channels; j++) {
        double mean = in[3][j], var = in[4][j];
        if (c->number[0] != 0) {
            mean = var = 0;
            for (int64_t i = j; i < n; i += channels) mean += in[0][i] / (double)rows;
            for (int64_t i = j; i < n; i += channels) var += (in[0][i] - mean) * (in[0][i] - mean) / (double)rows;
        }
        for (int64_t i = j; i < n; i += channels) {
            out[i] = (in[0][i] - mean) / sqrt(var + (double)1e-5f) * in[1][j] + in[2][j];
            if (c->number[1] != 0 && out[i] < 0) out[i] = 0;
        }
    }
}

/* -- layer_norm */

static icseg_value build_layer_norm(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_layer_norm(g, in[0], in[1], in[2], 1e-5f);
}

/* `group` consecutive elements share their moments. */
static void norm(const op_case *c, const double *const *in, double *out, int64_t group) {
    int64_t channels = size_of(c, 1);
    for (int64_t at = 0; at < size_of(c, 0); at += group) {
        double mean = 0, var = 0;
        for (int64_t i = at; i < at + group; i++) mean += in[0][i] / (double)group;
        for (int64_t i = at; i < at + group; i++) var += (in[0][i] - mean) * (in[0][i] - mean) / (double)group;
        for (int64_t i = at; i < at + group; i++)
            out[i] = (in[0][i] - mean) / sqrt(var + (double)1e-5f) * in[1][i % channels] + in[2][i % channels];
    }
}

static void layer_norm(const op_case *c, const double *const *in, double *out) { norm(c, in, out, size_of(c, 1)); }

/* -- group_norm: a group is a sample */

static icseg_value build_group_norm(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_group_norm(g, in[0], in[1], in[2], 1e-5f);
}

static void group_norm(const op_case *c, const double *const *in, double *out) {
    norm(c, in, out, size_of(c, 0) / c->input[0].shape.dim[0]);
}

/* -- normalize */

static icseg_value build_normalize(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_normalize(g, in[0]);
}

static void normalize(const op_case *c, const double *const *in, double *out) {
    int64_t width = c->input[0].shape.dim[c->input[0].shape.rank - 1];
    for (int64_t at = 0; at < size_of(c, 0); at += width) {
        double squares = 0;
        for (int64_t i = at; i < at + width; i++) squares += in[0][i] * in[0][i];
        for (int64_t i = at; i < at + width; i++) out[i] = in[0][i] / fmax(sqrt(squares), 1e-12);
    }
}

/* -- scale_channels */

static icseg_value build_scale_channels(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_scale_channels(g, in[0], in[1]);
}

static void scale_channels(const op_case *c, const double *const *in, double *out) {
    for (int64_t i = 0; i < size_of(c, 0); i++) out[i] = in[0][i] * in[1][i % size_of(c, 1)];
}

#define X(...)                                                                                                         \
    { OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define FIXED(...)                                                                                                     \
    { OP_FIXED, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define STATE(C)                                                                                                       \
    { OP_STATE, ICSEG_SHAPE(C), 0 }
#define BATCH_NORM(LABEL, BATCH, RELU, C, ...)                                                                         \
    {                                                                                                                  \
        "batch_norm", LABEL, 5, {X(__VA_ARGS__, C), X(C), X(C), STATE(C), STATE(C)}, build_batch_norm, batch_norm,     \
            1e-6, 1e-5, true, {BATCH, RELU}, NULL                                                                      \
    }
#define LAYER_NORM(LABEL, C, ...)                                                                                      \
    {                                                                                                                  \
        "layer_norm", LABEL, 3, {X(__VA_ARGS__, C), X(C), X(C)}, build_layer_norm, layer_norm, 1e-6, 1e-5, false, {0}, \
            NULL                                                                                                       \
    }

#define GROUP_NORM(LABEL, C, ...)                                                                                      \
    {                                                                                                                  \
        "group_norm", LABEL, 3, {X(__VA_ARGS__, C), X(C), X(C)}, build_group_norm, group_norm, 1e-6, 1e-5, false, {0}, \
            NULL                                                                                                       \
    }
#define SCALE_CHANNELS(LABEL, C, ...)                                                                                  \
    {                                                                                                                  \
        "scale_channels", LABEL, 2, {X(__VA_ARGS__, C), X(C)}, build_scale_channels, scale_channels, 1e-6, 1e-5,       \
            false, {0}, NULL                                                                                           \
    }

static void operators_agree_with_their_definitions(void **state) {
    (void)state;
    const op_case cases[] = {
        BATCH_NORM("batch statistics", 1, 0, 17, 2, 5, 7),
        BATCH_NORM("batch statistics, one channel", 1, 0, 1, 3, 5, 5),
        BATCH_NORM("batch statistics, three channels, many chunks", 1, 0, 3, 1, 41, 37),
        BATCH_NORM("batch statistics, relu", 1, 1, 64, 3, 3, 5),
        BATCH_NORM("batch statistics, relu, two blocks of lanes", 1, 1, 65, 1, 9, 11),
        BATCH_NORM("batch statistics, four rows", 1, 0, 8, 4),
        BATCH_NORM("running statistics", 0, 0, 17, 2, 5, 7),
        BATCH_NORM("running statistics, relu", 0, 1, 64, 1, 7, 3),
        BATCH_NORM("running statistics, one row", 0, 1, 5, 1),
        {"batch_norm",
         "only x trains, running statistics",
         5,
         {X(2, 5, 4), FIXED(4), FIXED(4), STATE(4), STATE(4)},
         build_batch_norm,
         batch_norm,
         1e-6,
         1e-5,
         true,
         {0, 0},
         NULL},
        {"batch_norm",
         "only x trains, running statistics, relu",
         5,
         {X(2, 5, 4), FIXED(4), FIXED(4), STATE(4), STATE(4)},
         build_batch_norm,
         batch_norm,
         1e-6,
         1e-5,
         true,
         {0, 1},
         NULL},
        {"batch_norm",
         "only x trains, batch statistics",
         5,
         {X(2, 5, 4), FIXED(4), FIXED(4), STATE(4), STATE(4)},
         build_batch_norm,
         batch_norm,
         1e-6,
         1e-5,
         true,
         {1, 1},
         NULL},
        {"batch_norm",
         "x does not train",
         5,
         {FIXED(2, 5, 4), X(4), X(4), STATE(4), STATE(4)},
         build_batch_norm,
         batch_norm,
         1e-6,
         1e-5,
         true,
         {1, 1},
         NULL},
        LAYER_NORM(NULL, 64, 3, 5),
        LAYER_NORM("odd width", 17, 2, 9),
        LAYER_NORM("two channels", 2, 3, 7),
        LAYER_NORM("several chunks", 33, 1, 700),
        {"layer_norm",
         "only x trains",
         3,
         {X(5, 12), FIXED(12), FIXED(12)},
         build_layer_norm,
         layer_norm,
         1e-6,
         1e-5,
         false,
         {0},
         NULL},
        {"layer_norm",
         "x does not train",
         3,
         {FIXED(5, 12), X(12), X(12)},
         build_layer_norm,
         layer_norm,
         1e-6,
         1e-5,
         false,
         {0},
         NULL},
        GROUP_NORM(NULL, 64, 2, 3, 5),
        GROUP_NORM("odd width, several chunks", 17, 3, 29, 23),
        GROUP_NORM("one channel", 1, 2, 9),
        GROUP_NORM("no middle axes", 12, 3),
        {"group_norm",
         "only x trains",
         3,
         {X(2, 5, 12), FIXED(12), FIXED(12)},
         build_group_norm,
         group_norm,
         1e-6,
         1e-5,
         false,
         {0},
         NULL},
        {"group_norm",
         "x does not train",
         3,
         {FIXED(2, 5, 12), X(12), X(12)},
         build_group_norm,
         group_norm,
         1e-6,
         1e-5,
         false,
         {0},
         NULL},
        {"normalize", NULL, 1, {X(3, 5, 64)}, build_normalize, normalize, 1e-6, 1e-5, false, {0}, NULL},
        {"normalize", "odd width", 1, {X(70, 17)}, build_normalize, normalize, 1e-6, 1e-5, false, {0}, NULL},
        SCALE_CHANNELS(NULL, 64, 2, 5),
        SCALE_CHANNELS("odd width, several chunks", 17, 1300),
        SCALE_CHANNELS("one row", 3, 1),
        {"scale_channels",
         "only gamma trains",
         2,
         {FIXED(6, 5), X(5)},
         build_scale_channels,
         scale_channels,
         1e-6,
         1e-5,
         false,
         {0},
         NULL},
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void random_sizes_agree(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 1, 4), h = op_draw(&rng, 3, 9), w = op_draw(&rng, 3, 9); /* 9 rows make a variance */
        int64_t channels = op_draw(&rng, 6, 70);
        const op_case cases[] = {
            BATCH_NORM("batch statistics", 1, 0, channels, b, h, w),
            BATCH_NORM("running statistics", 0, 0, channels, b, h, w),
            LAYER_NORM(NULL, channels, b, h),
            GROUP_NORM(NULL, channels, b, h, w),
            {"normalize", NULL, 1, {X(b, h, channels)}, build_normalize, normalize, 1e-6, 1e-5, false, {0}, NULL},
            SCALE_CHANNELS(NULL, channels, b, h),
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

static void bits_do_not_depend_on_the_number_of_threads(void **state) {
    (void)state;
    const op_case cases[] = {
        BATCH_NORM(NULL, 1, 1, 64, 2, 37, 41), BATCH_NORM(NULL, 1, 0, 3, 1, 73, 41),
        BATCH_NORM(NULL, 0, 1, 80, 1, 37, 41), LAYER_NORM(NULL, 96, 2, 800),
        GROUP_NORM(NULL, 96, 2, 800),          SCALE_CHANNELS(NULL, 96, 2, 800),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) op_same_bits(&cases[i]);
}

static void shapes_that_do_not_fit_are_named(void **state) {
    (void)state;
    const op_case wrong_weight = {
        "batch_norm", NULL,   5,   {X(2, 3, 8), X(7), X(8), STATE(8), STATE(8)}, build_batch_norm, NULL, 0, 0,
        true,         {1, 0}, NULL};
    op_refuses(&wrong_weight, 3, (const char *const[]){"weight", "(7)", "(2, 3, 8)"});
    const op_case wrong_var = {
        "batch_norm", NULL,   5,   {X(2, 3, 8), X(8), X(8), STATE(8), STATE(1)}, build_batch_norm, NULL, 0, 0,
        true,         {1, 0}, NULL};
    op_refuses(&wrong_var, 3, (const char *const[]){"running_var", "(1)", "(2, 3, 8)"});
    const op_case one_value = BATCH_NORM(NULL, 1, 0, 8, 1, 1, 1);
    op_refuses(&one_value, 2, (const char *const[]){"more than one value per channel", "(1, 1, 1, 8)"});
    const op_case wrong_bias = {"layer_norm", NULL, 3,   {X(4, 8), X(8), X(4, 8)}, build_layer_norm, NULL, 0, 0,
                                true,         {0},  NULL};
    op_refuses(&wrong_bias, 2, (const char *const[]){"bias has shape (4, 8)", "x (4, 8)"});
    const op_case gamma = {
        "scale_channels", NULL, 2, {X(4, 8), X(9)}, build_scale_channels, NULL, 0, 0, true, {0}, NULL};
    op_refuses(&gamma, 2, (const char *const[]){"gamma has shape (9)", "x (4, 8)"});
    const op_case flat = {"group_norm", NULL, 3, {X(8), X(8), X(8)}, build_group_norm, NULL, 0, 0, true, {0}, NULL};
    op_refuses(&flat, 1, (const char *const[]){"x is (8)"});
}

/* -- what a training step does to the running statistics, and values far from zero */

enum { ROWS = 300, CHANNELS = 5 };

typedef struct bench {
    icseg_params *params;
    icseg_graph *graph;
    icseg_workspace *workspace;
    icseg_executor *executor;
    icseg_param *param[5];
    icseg_value y;
    uint64_t version[2]; /* of the running statistics, before the run */
} bench;

static void bench_open(bench *b, bool batch_statistics) {
    icseg_error error;
    icseg_value in[5];
    static const char *const names[] = {"x", "weight", "bias", "mean", "var"};
    assert_int_equal(icseg_params_open(&b->params, &error), ICSEG_OK);
    assert_int_equal(icseg_graph_open(&b->graph, true, &error), ICSEG_OK);
    for (int i = 0; i < 5; i++) {
        icseg_shape shape = i ? ICSEG_SHAPE(CHANNELS) : ICSEG_SHAPE(ROWS, CHANNELS);
        b->param[i] = icseg_params_declare(b->params, names[i], shape, (icseg_param_options){0}, &error);
        assert_non_null(b->param[i]);
        assert_int_equal(icseg_param_load(b->param[i], &error), ICSEG_OK);
        in[i] = icseg_graph_param(b->graph, b->param[i]);
    }
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 9);
    for (int i = 0; i < ROWS * CHANNELS; i++) b->param[0]->data[i] = 3000 + icseg_rng_normal(&rng);
    for (int j = 0; j < CHANNELS; j++) {
        b->param[1]->data[j] = 1;
        b->param[3]->data[j] = 10;
        b->param[4]->data[j] = 4;
    }
    for (int i = 0; i < 2; i++) b->version[i] = b->param[3 + i]->version;
    icseg_batch_norm_options options = {.eps = 1e-5f, .momentum = 0.1f, .batch_statistics = batch_statistics};
    b->y = icseg_batch_norm(b->graph, in[0], in[1], in[2], in[3], in[4], options);
    icseg_graph_keep(b->graph, b->y, "y");
    assert_int_equal(icseg_workspace_open(&b->workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_open(&b->executor, b->graph, b->workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_run(b->executor, 0, 0, &error), ICSEG_OK);
}

static void bench_close(bench *b) {
    icseg_executor_close(&b->executor);
    icseg_workspace_close(&b->workspace);
    icseg_graph_close(&b->graph);
    icseg_params_close(&b->params);
}

static void column_moments(const float *x, int j, double *mean, double *squares) {
    *mean = *squares = 0;
    for (int i = 0; i < ROWS; i++) *mean += (double)x[i * CHANNELS + j] / ROWS;
    for (int i = 0; i < ROWS; i++) {
        double d = (double)x[i * CHANNELS + j] - *mean;
        *squares += d * d;
    }
}

static void running_statistics_move_a_tenth_towards_the_unbiased_estimate(void **state) {
    (void)state;
    bench b;
    bench_open(&b, true);
    for (int j = 0; j < CHANNELS; j++) {
        double mean, squares;
        column_moments(b.param[0]->data, j, &mean, &squares);
        assert_near(b.param[3]->data[j], 0.9 * 10 + 0.1 * mean, 1e-4);
        assert_near(b.param[4]->data[j], 0.9 * 4 + 0.1 * squares / (ROWS - 1), 1e-5);
    }
    assert_true(b.param[3]->version > b.version[0] &&
                b.param[4]->version > b.version[1]); /* so packed copies are renewed */
    bench_close(&b);
}

static void running_statistics_stay_in_inference(void **state) {
    (void)state;
    bench b;
    bench_open(&b, false);
    const float *y = icseg_executor_data(b.executor, b.y);
    for (int j = 0; j < CHANNELS; j++) {
        assert_true(b.param[3]->data[j] == 10 && b.param[4]->data[j] == 4);
        assert_near(y[j], (b.param[0]->data[j] - 10) / 2, 1e-2);
    }
    assert_int_equal(b.param[3]->version, b.version[0]);
    bench_close(&b);
}

static void values_far_from_zero_are_normalised_accurately(void **state) {
    (void)state;
    bench b;
    bench_open(&b, true);
    const float *y = icseg_executor_data(b.executor, b.y);
    for (int j = 0; j < CHANNELS; j++) {
        double mean, squares;
        column_moments(b.param[0]->data, j, &mean, &squares);
        for (int i = 0; i < ROWS; i++) {
            double x = b.param[0]->data[i * CHANNELS + j];
            assert_near(y[i * CHANNELS + j], (x - mean) / sqrt(squares / ROWS + 1e-5), 1e-3);
        }
    }
    bench_close(&b);
}

static void rows_too_short_are_divided_by_a_constant(void **state) {
    (void)state;
    icseg_error error;
    icseg_params *params;
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    assert_int_equal(icseg_params_open(&params, &error), ICSEG_OK);
    assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
    icseg_param *x =
        icseg_params_declare(params, "x", ICSEG_SHAPE(3, 3), (icseg_param_options){.trainable = true}, &error);
    assert_int_equal(icseg_params_allocate_gradients(params, &error), ICSEG_OK);
    assert_int_equal(icseg_param_load(x, &error), ICSEG_OK);
    x->data[0] = 3;
    x->data[2] = -4;
    for (int i = 6; i < 9; i++) x->data[i] = 1e-13f; /* and the row between is zero */
    const float ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    icseg_value y = icseg_normalize(g, icseg_graph_param(g, x));
    icseg_value grad = icseg_graph_constant(g, "grad", ICSEG_F32, ICSEG_SHAPE(3, 3), ones);
    icseg_graph_keep(g, y, "y");
    icseg_graph_backward(g, 1, &y, &grad, false);
    assert_int_equal(icseg_workspace_open(&workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_open(&executor, g, workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_run_checked(executor, 0, 0, &error), ICSEG_OK);
    const float *out = icseg_executor_data(executor, y);
    assert_near(out[0], 0.6, 1e-7);
    for (int i = 3; i < 9; i++) {
        assert_near(out[i], i < 6 ? 0 : 0.1, 1e-7);
        assert_near(x->grad[i], 1e12, 1e6); /* the slope of x / 1e-12 */
    }
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
    icseg_params_close(&params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_agree_with_their_definitions),
        cmocka_unit_test(random_sizes_agree),
        cmocka_unit_test(bits_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(shapes_that_do_not_fit_are_named),
        cmocka_unit_test(running_statistics_move_a_tenth_towards_the_unbiased_estimate),
        cmocka_unit_test(running_statistics_stay_in_inference),
        cmocka_unit_test(rows_too_short_are_divided_by_a_constant),
        cmocka_unit_test(values_far_from_zero_are_normalised_accurately),
    };
    return cmocka_run_group_tests_name("normalisation", tests, NULL, NULL);
}

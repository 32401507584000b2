/* SPDX-License-Identifier: Apache-2.0
 * Pooling and resizing against their definitions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "graph/run/executor.h"
#include "graph/passes/autodiff.h"
#include "support/op_bits.h"
#include "support/op_check.h"

/* -- pooling by windows of number[0] */

static icseg_value build_avg_pool(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_avg_pool(g, in[0], (int)c->number[0]);
}

static icseg_value build_max_pool(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_max_pool(g, in[0], (int)c->number[0]);
}

static void pool(const op_case *c, const double *x, bool maximum, double *out) {
    const int64_t *d = c->input[0].shape.dim, size = (int64_t)c->number[0];
    for (int64_t b = 0; b < d[0]; b++)
        for (int64_t h = 0; h < d[1] / size; h++)
            for (int64_t w = 0; w < d[2] / size; w++)
                for (int64_t j = 0; j < d[3]; j++) {
                    double sum = 0, most = -INFINITY;
                    for (int64_t p = 0; p < size; p++)
                        for (int64_t q = 0; q < size; q++) {
                            double v = x[((b * d[1] + h * size + p) * d[2] + w * size + q) * d[3] + j];
                            sum += v;
                            most = v > most ? v : most;
                        }
                    *out++ = maximum ? most : sum / (double)(size * size);
                }
}

static void avg_pool(const op_case *c, const double *const *in, double *out) { pool(c, in[0], false, out); }
static void max_pool(const op_case *c, const double *const *in, double *out) { pool(c, in[0], true, out); }

/* -- resizing to number[0] x number[1] */

static icseg_value build_resize_bilinear(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_resize_bilinear(g, in[0], (int64_t)c->number[0], (int64_t)c->number[1]);
}

static icseg_value build_resize_nearest(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_resize_nearest(g, in[0], (int64_t)c->number[0], (int64_t)c->number[1]);
}

static double at(const op_case *c, const double *x, int64_t b, int64_t h, int64_t w, int64_t j) {
    const int64_t *d = c->input[0].shape.dim;
    h = h < d[1] ? h : d[1] - 1;
    w = w < d[2] ? w : d[2] - 1;
    return x[((b * d[1] + h) * d[2] + w) * d[3] + j];
}

/* A position in float, as PyTorch computes it. */
static double position(int64_t o, int64_t in, int64_t out) {
    float scale = (float)in / (float)out, p = scale * ((float)o + 0.5f) - 0.5f;
    return p < 0 ? 0 : (double)p;
}

static void resize_bilinear(const op_case *c, const double *const *in, double *out) {
    const int64_t *d = c->input[0].shape.dim, height = (int64_t)c->number[0], width = (int64_t)c->number[1];
    for (int64_t b = 0; b < d[0]; b++)
        for (int64_t h = 0; h < height; h++)
            for (int64_t w = 0; w < width; w++)
                for (int64_t j = 0; j < d[3]; j++) {
                    double y = position(h, d[1], height), x = position(w, d[2], width);
                    int64_t p = (int64_t)y, q = (int64_t)x;
                    double v = y - (double)p, u = x - (double)q;
                    *out++ = (1 - v) * ((1 - u) * at(c, in[0], b, p, q, j) + u * at(c, in[0], b, p, q + 1, j)) +
                             v * ((1 - u) * at(c, in[0], b, p + 1, q, j) + u * at(c, in[0], b, p + 1, q + 1, j));
                }
}

static void resize_nearest(const op_case *c, const double *const *in, double *out) {
    const int64_t *d = c->input[0].shape.dim, height = (int64_t)c->number[0], width = (int64_t)c->number[1];
    float y = (float)d[1] / (float)height, x = (float)d[2] / (float)width;
    for (int64_t b = 0; b < d[0]; b++)
        for (int64_t h = 0; h < height; h++)
            for (int64_t w = 0; w < width; w++)
                for (int64_t j = 0; j < d[3]; j++)
                    *out++ = at(c, in[0], b, (int64_t)floorf((float)h * y), (int64_t)floorf((float)w * x), j);
}

/* -- bicubic resizing to number[0] x number[1], with the factors number[2] and number[3] */

static icseg_value build_resize_bicubic(icseg_graph *g, const icseg_value *in, const op_case *c) {
    const double *n = c->number;
    return icseg_resize_bicubic(g, in[0], (int64_t)n[0], (int64_t)n[1], n[2], n[3]);
}

static double keys(double d) {
    d = fabs(d);
    if (d < 1) return 1.25 * d * d * d - 2.25 * d * d + 1;
    return d < 2 ? -0.75 * (d * d * d - 5 * d * d + 8 * d - 4) : 0;
}

static int64_t clamped(int64_t i, int64_t n) { return i < 0 ? 0 : i < n ? i : n - 1; }

static void resize_bicubic(const op_case *c, const double *const *in, double *out) {
    const int64_t *d = c->input[0].shape.dim, height = (int64_t)c->number[0], width = (int64_t)c->number[1];
    for (int64_t b = 0; b < d[0]; b++)
        for (int64_t h = 0; h < height; h++)
            for (int64_t w = 0; w < width; w++)
                for (int64_t j = 0; j < d[3]; j++) {
                    double y = ((double)h + 0.5) / c->number[2] - 0.5, x = ((double)w + 0.5) / c->number[3] - 0.5;
                    *out = 0;
                    for (int64_t p = (int64_t)floor(y) - 2; p < (int64_t)floor(y) + 4; p++)
                        for (int64_t q = (int64_t)floor(x) - 2; q < (int64_t)floor(x) + 4; q++)
                            *out += keys(y - (double)p) * keys(x - (double)q) *
                                    at(c, in[0], b, clamped(p, d[1]), clamped(q, d[2]), j);
                    out++;
                }
}

#define RESIZE_BICUBIC(LABEL, H, W, Y, X_, ...)                                                                        \
    {                                                                                                                  \
        "resize_bicubic", LABEL, 1, {{OP_FIXED, ICSEG_SHAPE(__VA_ARGS__), 0}}, build_resize_bicubic, resize_bicubic,   \
            2e-6, 0, true, {H, W, Y, X_}, NULL                                                                         \
    }

static void bicubic_resizing_agrees_with_its_definition(void **state) {
    (void)state;
    const op_case cases[] = {
        RESIZE_BICUBIC("larger", 9, 13, 9 / 5.0, 13 / 7.0, 2, 5, 7, 17),
        RESIZE_BICUBIC("larger, with DINO's factors", 7, 10, 7.1 / 4, 10.1 / 4, 1, 4, 4, 64),
        RESIZE_BICUBIC("smaller", 3, 2, 3.1 / 6, 2.1 / 6, 1, 6, 6, 5),
        RESIZE_BICUBIC("one axis keeps its size", 4, 9, 4.1 / 4, 9.1 / 4, 1, 4, 4, 3),
        RESIZE_BICUBIC("from one position", 3, 4, 3.1, 4.1, 1, 1, 1, 8),
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

#define X(...)                                                                                                         \
    { OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define POOL(NAME, LABEL, SIZE, TOLERANCE, ...)                                                                        \
    { #NAME, LABEL, 1, {X(__VA_ARGS__) }, build_##NAME, NAME, TOLERANCE, 1e-5, false, {SIZE }, NULL }
#define RESIZE(NAME, LABEL, HEIGHT, WIDTH, TOLERANCE, ...)                                                             \
    { #NAME, LABEL, 1, {X(__VA_ARGS__) }, build_##NAME, NAME, TOLERANCE, 1e-5, false, {HEIGHT, WIDTH }, NULL }

static void pooling_agrees_with_its_definition(void **state) {
    (void)state;
    const op_case cases[] = {
        POOL(avg_pool, "2 x 2", 2, 1e-6, 2, 6, 8, 17),
        POOL(avg_pool, "odd sizes: a row and a column are left out", 2, 1e-6, 3, 5, 7, 64),
        POOL(avg_pool, "3 x 3, one channel", 3, 1e-6, 1, 10, 11, 1),
        POOL(avg_pool, "1 x 1", 1, 0, 1, 3, 3, 3),
        POOL(avg_pool, "the whole map", 4, 1e-6, 2, 4, 4, 5),
        POOL(max_pool, "2 x 2", 2, 0, 2, 6, 8, 17),
        POOL(max_pool, "odd sizes, two blocks of lanes", 2, 0, 3, 5, 7, 70),
        POOL(max_pool, "3 x 3, one channel", 3, 0, 1, 10, 11, 1),
        POOL(max_pool, "a row without windows", 3, 0, 1, 5, 3, 3),
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void resizing_agrees_with_its_definition(void **state) {
    (void)state;
    const op_case cases[] = {
        RESIZE(resize_bilinear, "x 2", 10, 14, 1e-6, 2, 5, 7, 17),
        RESIZE(resize_bilinear, "x 4", 12, 20, 1e-6, 1, 3, 5, 64),
        RESIZE(resize_bilinear, "x 1.4, x 2.2", 7, 11, 1e-6, 3, 5, 5, 3),
        RESIZE(resize_bilinear, "down by 2", 4, 3, 1e-6, 2, 8, 6, 1),
        RESIZE(resize_bilinear, "down by fractions: sources that nobody reads", 3, 5, 1e-6, 1, 11, 17, 3),
        RESIZE(resize_bilinear, "one axis only", 5, 9, 1e-6, 1, 5, 3, 4),
        RESIZE(resize_bilinear, "up and down", 9, 2, 1e-6, 2, 4, 7, 5),
        RESIZE(resize_bilinear, "from one pixel", 4, 3, 1e-6, 2, 1, 1, 3),
        RESIZE(resize_bilinear, "to one pixel", 1, 1, 1e-6, 2, 4, 5, 3),
        RESIZE(resize_nearest, "x 2", 10, 14, 0, 2, 5, 7, 17),
        RESIZE(resize_nearest, "x 3, x 4", 9, 20, 0, 1, 3, 5, 64),
        RESIZE(resize_nearest, "x 1.4, x 2.2", 7, 11, 0, 3, 5, 5, 3),
        RESIZE(resize_nearest, "down by fractions", 3, 5, 0, 1, 11, 17, 3),
        RESIZE(resize_nearest, "down by 2, one axis up", 4, 13, 0, 2, 8, 6, 1),
        RESIZE(resize_nearest, "from one pixel", 4, 3, 0, 2, 1, 1, 3),
        RESIZE(resize_nearest, "to one pixel", 1, 1, 0, 2, 4, 5, 3),
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void random_sizes_agree(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 1, 3), h = op_draw(&rng, 3, 9), w = op_draw(&rng, 3, 9), c = op_draw(&rng, 3, 20);
        int64_t high = op_draw(&rng, 1, 15), wide = w + op_draw(&rng, 1, 9), window = op_draw(&rng, 1, 3);
        const op_case cases[] = {
            POOL(avg_pool, NULL, window, 1e-6, b, h, w, c),
            POOL(max_pool, NULL, window, 0, b, h, w, c),
            RESIZE(resize_bilinear, "wider", high, wide, 2e-6, b, h, w, c),
            RESIZE(resize_bilinear, "narrower", h, w, 2e-6, b, high, wide, c),
            RESIZE(resize_nearest, "wider", high, wide, 0, b, h, w, c),
            RESIZE(resize_nearest, "narrower", h, w, 0, b, high, wide, c),
            RESIZE_BICUBIC("random", (double)high, (double)wide, ((double)high + 0.1) / (double)h,
                           (double)wide / (double)w, b, h, w, c),
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

static void resizing_to_the_same_size_adds_nothing(void **state) {
    (void)state;
    icseg_graph *g;
    icseg_error error;
    assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
    icseg_value x = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(1, 3, 4, 2));
    assert_int_equal(icseg_resize_bilinear(g, x, 3, 4), x);
    assert_int_equal(icseg_resize_nearest(g, x, 3, 4), x);
    assert_int_equal(icseg_graph_node_count(g), 0);
    icseg_graph_close(&g);
}

static void max_pool_gives_the_gradient_to_the_first_of_equal_maxima(void **state) {
    (void)state;
    icseg_error error;
    icseg_params *params;
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    assert_int_equal(icseg_params_open(&params, &error), ICSEG_OK);
    assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
    icseg_param *x =
        icseg_params_declare(params, "x", ICSEG_SHAPE(1, 2, 4, 1), (icseg_param_options){.trainable = true}, &error);
    assert_int_equal(icseg_params_allocate_gradients(params, &error), ICSEG_OK);
    assert_int_equal(icseg_param_load(x, &error), ICSEG_OK);
    const float values[] = {1, 2, 5, NAN, 2, 2, 9, 9}, grads[] = {3, 4}, expected[] = {0, 3, 0, 4, 0, 0, 0, 0};
    for (int i = 0; i < 8; i++) x->data[i] = values[i];
    icseg_value y = icseg_max_pool(g, icseg_graph_param(g, x), 2);
    icseg_value grad = icseg_graph_constant(g, "grad", ICSEG_F32, ICSEG_SHAPE(1, 1, 2, 1), grads);
    icseg_graph_keep(g, y, "y");
    icseg_graph_backward(g, 1, &y, &grad, false);
    assert_int_equal(icseg_workspace_open(&workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_open(&executor, g, workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_run(executor, 0, 0, &error), ICSEG_OK);
    const float *out = icseg_executor_data(executor, y);
    assert_true(out[0] == 2 && isnan(out[1]));
    for (int i = 0; i < 8; i++) assert_true(x->grad[i] == expected[i]);
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
    icseg_params_close(&params);
}

static void bits_do_not_depend_on_the_number_of_threads(void **state) {
    (void)state;
    const op_case cases[] = {
        POOL(avg_pool, NULL, 2, 0, 2, 9, 9, 33),
        POOL(max_pool, NULL, 2, 0, 2, 9, 9, 33),
        RESIZE(resize_bilinear, NULL, 17, 31, 0, 2, 9, 9, 33),
        RESIZE(resize_nearest, NULL, 17, 31, 0, 2, 9, 9, 33),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) op_same_bits(&cases[i]);
}

static void shapes_that_do_not_fit_are_named(void **state) {
    (void)state;
    const op_case avg = POOL(avg_pool, NULL, 4, 0, 2, 3, 8, 5), max = POOL(max_pool, NULL, 4, 0, 2, 8, 3, 5);
    op_refuses(&avg, 2, (const char *const[]){"4 x 4", "(2, 3, 8, 5)"});
    op_refuses(&max, 2, (const char *const[]){"4 x 4", "(2, 8, 3, 5)"});
    const op_case none = RESIZE(resize_bilinear, NULL, 0, 3, 0, 2, 8, 3, 5),
                  flat = RESIZE(resize_nearest, NULL, 2, 3, 0, 2, 8, 15);
    op_refuses(&none, 2, (const char *const[]){"0 x 3", "(2, 8, 3, 5)"});
    op_refuses(&flat, 2, (const char *const[]){"2 x 3", "(2, 8, 15)"});
    const op_case factor = RESIZE_BICUBIC(NULL, 4, 6, 2, 0, 2, 8, 3, 5);
    op_refuses(&factor, 1, (const char *const[]){"the factors 2 and 0 must be positive"});
}

/* Both resizes with their gradients, from opening the graph to a run. */
static icseg_status resize_all(icseg_param *x, icseg_error *error) {
    static const float grads[2 * 3 * 5 * 3];
    icseg_graph *g = NULL;
    icseg_workspace *workspace = NULL;
    icseg_executor *executor = NULL;
    icseg_status status = icseg_graph_open(&g, true, error);
    if (status != ICSEG_OK) return status;
    icseg_value y = icseg_resize_nearest(g, icseg_resize_bilinear(g, icseg_graph_param(g, x), 6, 7), 3, 5);
    icseg_value grad = icseg_graph_constant(g, "grad", ICSEG_F32, ICSEG_SHAPE(2, 3, 5, 3), grads);
    icseg_graph_keep(g, y, "y");
    icseg_graph_backward(g, 1, &y, &grad, false);
    status = icseg_workspace_open(&workspace, error);
    if (status == ICSEG_OK) status = icseg_executor_open(&executor, g, workspace, error);
    if (status == ICSEG_OK) status = icseg_executor_run(executor, 0, 0, error);
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
    return status;
}

static void resizing_survives_any_allocation_failing(void **state) {
    (void)state;
    icseg_error error;
    icseg_params *params;
    assert_int_equal(icseg_params_open(&params, &error), ICSEG_OK);
    icseg_param *x =
        icseg_params_declare(params, "x", ICSEG_SHAPE(2, 4, 4, 3), (icseg_param_options){.trainable = true}, &error);
    assert_int_equal(icseg_params_allocate_gradients(params, &error), ICSEG_OK);
    int failures = 0;
    for (icseg_status status = ICSEG_ERROR_MEMORY; status != ICSEG_OK; failures++) {
        icseg_memory_fail_after(failures);
        status = resize_all(x, &error);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
    }
    assert_true(failures > 2 * (2 * 7 + 2 * 2)); /* the tables: forward and backward, two axes, 7 and 2 */
    icseg_params_close(&params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pooling_agrees_with_its_definition),
        cmocka_unit_test(resizing_agrees_with_its_definition),
        cmocka_unit_test(bicubic_resizing_agrees_with_its_definition),
        cmocka_unit_test(random_sizes_agree),
        cmocka_unit_test(resizing_to_the_same_size_adds_nothing),
        cmocka_unit_test(max_pool_gives_the_gradient_to_the_first_of_equal_maxima),
        cmocka_unit_test(bits_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(resizing_survives_any_allocation_failing),
        cmocka_unit_test(shapes_that_do_not_fit_are_named),
    };
    return cmocka_run_group_tests_name("pooling and resizing", tests, NULL, NULL);
}

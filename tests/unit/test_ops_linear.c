/* SPDX-License-Identifier: Apache-2.0
 * linear, project and similarity against triple loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/op_check.h"

static icseg_value build_linear(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_linear(g, in[0], in[1], c->inputs > 2 ? in[2] : ICSEG_NONE);
}

static void linear(const op_case *c, const double *const *in, double *out) {
    int64_t o = c->input[1].shape.dim[0], n = c->input[1].shape.dim[1], rows = icseg_shape_count(c->input[0].shape) / n;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < o; j++, out++) {
            *out = c->inputs > 2 ? in[2][j] : 0;
            for (int64_t i = 0; i < n; i++) *out += in[0][r * n + i] * in[1][j * n + i];
        }
}

static icseg_value build_project(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_project(g, in[0], in[1]);
}

static void project(const op_case *c, const double *const *in, double *out) {
    int64_t n = c->input[1].shape.dim[0], o = c->input[1].shape.dim[1], rows = icseg_shape_count(c->input[0].shape) / n;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < o; j++, out++) {
            *out = 0;
            for (int64_t i = 0; i < n; i++) *out += in[0][r * n + i] * in[1][i * o + j];
        }
}

/* A bias that is computed, and a weight that is: relu of a parameter. */
static icseg_value build_linear_computed(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_linear(g, in[0], icseg_relu(g, in[1]), icseg_relu(g, in[2]));
}

static icseg_value build_similarity(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_similarity(g, in[0], in[1]);
}

static void similarity(const op_case *c, const double *const *in, double *out) {
    const int64_t *a = c->input[0].shape.dim, *b = c->input[1].shape.dim;
    for (int64_t image = 0; image < a[0]; image++)
        for (int64_t m = 0; m < a[1]; m++)
            for (int64_t n = 0; n < b[1]; n++, out++) {
                const double *x = in[0] + (image * a[1] + m) * a[2];
                const double *y = in[1] + ((b[0] == 1 ? 0 : image) * b[1] + n) * a[2];
                *out = 0;
                for (int64_t i = 0; i < a[2]; i++) *out += x[i] * y[i];
            }
}

#define X(...)                                                                                                         \
    { OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define POSITIVE(...)                                                                                                  \
    { OP_POSITIVE, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define FIXED(...)                                                                                                     \
    { OP_FIXED, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define CASE(OP, LABEL, TRAINING, COUNT, ...)                                                                          \
    { #OP, LABEL, COUNT, {__VA_ARGS__ }, build_##OP, OP, 5e-6, 1e-5, TRAINING, {0 }, NULL }

static void products_agree_with_loops(void **state) {
    (void)state;
    const op_case cases[] = {
        CASE(linear, "inference: a packed weight", false, 3, X(3, 5, 16), X(48, 16), X(48)),
        CASE(linear, "training: the weight as it is", true, 3, X(3, 5, 16), X(48, 16), X(48)),
        CASE(linear, "no bias, odd sizes", true, 2, X(7, 33), X(19, 33)),
        CASE(linear, "one row, one column", false, 3, X(1, 9), X(1, 9), X(1)),
        CASE(linear, "more rows than one part of the bias's sum", true, 3, X(2, 700, 3), X(4, 3), X(4)),
        CASE(linear, "one number each", false, 3, X(4, 1), X(5, 1), X(5)),
        CASE(linear, "input without gradient", true, 3, FIXED(6, 9), X(8, 9), X(8)),
        CASE(linear, "frozen weight and bias", true, 3, X(6, 9), FIXED(8, 9), FIXED(8)),
        {"linear",
         "a computed weight",
         3,
         {X(6, 9), POSITIVE(8, 9), POSITIVE(8)},
         build_linear_computed,
         linear,
         5e-6,
         1e-5,
         false,
         {0},
         NULL},
        CASE(project, "inference", false, 2, X(3, 5, 16), X(16, 24)),
        CASE(project, "training, odd sizes", true, 2, X(2, 3, 3, 13), X(13, 7)),
        CASE(project, "frozen weight", true, 2, X(5, 13), FIXED(13, 7)),
        CASE(similarity, "b of each image", false, 2, X(3, 11, 8), X(3, 5, 8)),
        CASE(similarity, "b of each image, one row", true, 2, X(2, 1, 7), X(2, 9, 7)),
        CASE(similarity, "shared b", true, 2, X(3, 7, 17), X(1, 5, 17)),
        CASE(similarity, "shared b, inference", false, 2, X(2, 9, 16), X(1, 19, 16)),
        CASE(similarity, "one image", false, 2, X(1, 9, 16), X(1, 2, 16)),
        CASE(similarity, "fixed b", false, 2, X(3, 9, 16), FIXED(3, 4, 16)),
        CASE(similarity, "fixed a", false, 2, FIXED(3, 9, 16), X(3, 4, 16)),
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void random_sizes_agree(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 1, 4), rows = op_draw(&rng, 1, 20), columns = op_draw(&rng, 1, 20);
        int64_t in = op_draw(&rng, 3, 40), out = op_draw(&rng, 3, 40);
        bool training = draw % 2;
        const op_case cases[] = {
            CASE(linear, NULL, training, 3, X(b, rows, in), X(out, in), X(out)),
            CASE(project, NULL, training, 2, X(b, rows, in), X(in, out)),
            CASE(similarity, "b of each image", training, 2, X(b, rows, in), X(b, columns, in)),
            CASE(similarity, "shared b", training, 2, X(b, rows, in), X(1, columns, in)),
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

typedef icseg_value (*builder)(icseg_graph *g, const icseg_value *in, const op_case *c);

static void shapes_that_do_not_fit_are_refused_with_both_in_the_text(void **state) {
    (void)state;
    const struct {
        builder build;
        int inputs;
        icseg_shape shape[3];
    } wrong[] = {
        {build_linear, 2, {ICSEG_SHAPE(2, 5), ICSEG_SHAPE(5, 4)}},
        {build_linear, 2, {ICSEG_SHAPE(2, 5), ICSEG_SHAPE(5)}},
        {build_project, 2, {ICSEG_SHAPE(2, 5), ICSEG_SHAPE(4, 5)}},
        {build_project, 2, {ICSEG_SHAPE(2, 5), ICSEG_SHAPE(5, 4, 1)}},
        {build_similarity, 2, {ICSEG_SHAPE(2, 3, 5), ICSEG_SHAPE(2, 3, 4)}},
        {build_similarity, 2, {ICSEG_SHAPE(2, 3, 5), ICSEG_SHAPE(3, 3, 5)}},
        {build_similarity, 2, {ICSEG_SHAPE(3, 5), ICSEG_SHAPE(1, 3, 5)}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        icseg_error error = {0};
        icseg_graph *g;
        icseg_value in[3];
        const op_case c = {.inputs = wrong[i].inputs};
        assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
        for (int j = 0; j < wrong[i].inputs; j++) in[j] = icseg_graph_input(g, "input", ICSEG_F32, wrong[i].shape[j]);
        assert_int_equal(wrong[i].build(g, in, &c), ICSEG_NONE);
        assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_SHAPE);
        for (int j = 0; j < wrong[i].inputs; j++) {
            char text[ICSEG_SHAPE_TEXT];
            assert_non_null(strstr(error.message, icseg_shape_text(wrong[i].shape[j], text, sizeof text)));
        }
        icseg_graph_close(&g);
    }
}

static void a_bias_of_another_size_is_refused(void **state) {
    (void)state;
    icseg_error error = {0};
    icseg_graph *g;
    assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
    icseg_linear(g, icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(2, 5)),
                 icseg_graph_input(g, "weight", ICSEG_F32, ICSEG_SHAPE(4, 5)),
                 icseg_graph_input(g, "bias", ICSEG_F32, ICSEG_SHAPE(5)));
    assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_SHAPE);
    assert_non_null(strstr(error.message, "(5)"));
    assert_non_null(strstr(error.message, "(4, 5)"));
    icseg_graph_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_agree_with_loops),
        cmocka_unit_test(random_sizes_agree),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused_with_both_in_the_text),
        cmocka_unit_test(a_bias_of_another_size_is_refused),
    };
    return cmocka_run_group_tests_name("matrix products", tests, NULL, NULL);
}

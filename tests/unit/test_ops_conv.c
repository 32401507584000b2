/* SPDX-License-Identifier: Apache-2.0
 * conv2d and conv_transpose2x2 against nested loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "graph/ops/winograd.h"
#include "support/op_check.h"

enum { STRIDE, PADDING, WINOGRAD };

static bool winograd_is_faster(const op_case *c) {
    const int64_t *d = c->input[0].shape.dim, *w = c->input[1].shape.dim;
    icseg_conv_shape shape = {.batch = d[0],
                              .height = d[1],
                              .width = d[2],
                              .in = d[3],
                              .out = w[0],
                              .kernel_height = w[1],
                              .kernel_width = w[2],
                              .stride = (int64_t)c->number[STRIDE],
                              .padding = (int64_t)c->number[PADDING]};
    return icseg_winograd_is_faster(&shape);
}

static icseg_value build_conv2d(icseg_graph *g, const icseg_value *in, const op_case *c) {
    assert_int_equal(winograd_is_faster(c), c->number[WINOGRAD] != 0); /* the case tests the algorithm it names */
    icseg_value bias = c->inputs > 2 ? in[2] : ICSEG_NONE;
    return icseg_conv2d(g, in[0], in[1], bias, (int)c->number[STRIDE], (int)c->number[PADDING]);
}

static double conv2d_at(const op_case *c, const double *const *in, int64_t b, int64_t y, int64_t x, int64_t o) {
    const int64_t *d = c->input[0].shape.dim, *w = c->input[1].shape.dim;
    double sum = c->inputs > 2 ? in[2][o] : 0;
    for (int64_t v = 0; v < w[1]; v++)
        for (int64_t u = 0; u < w[2]; u++) {
            int64_t row = y * (int64_t)c->number[STRIDE] - (int64_t)c->number[PADDING] + v;
            int64_t column = x * (int64_t)c->number[STRIDE] - (int64_t)c->number[PADDING] + u;
            if (row < 0 || row >= d[1] || column < 0 || column >= d[2]) continue;
            for (int64_t i = 0; i < d[3]; i++)
                sum += in[0][((b * d[1] + row) * d[2] + column) * d[3] + i] *
                       in[1][((o * w[1] + v) * w[2] + u) * w[3] + i];
        }
    return sum;
}

static void conv2d(const op_case *c, const double *const *in, double *out) {
    const int64_t *d = c->input[0].shape.dim, *w = c->input[1].shape.dim;
    int64_t stride = (int64_t)c->number[STRIDE], padding = (int64_t)c->number[PADDING];
    int64_t height = (d[1] + 2 * padding - w[1]) / stride + 1, width = (d[2] + 2 * padding - w[2]) / stride + 1;
    for (int64_t b = 0; b < d[0]; b++)
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++)
                for (int64_t o = 0; o < w[0]; o++) *out++ = conv2d_at(c, in, b, y, x, o);
}

static icseg_value build_conv_transpose2x2(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_conv_transpose2x2(g, in[0], in[1], c->inputs > 2 ? in[2] : ICSEG_NONE);
}

static void conv_transpose2x2(const op_case *c, const double *const *in, double *out) {
    const int64_t *d = c->input[0].shape.dim, channels = c->input[1].shape.dim[2];
    for (int64_t b = 0; b < d[0]; b++)
        for (int64_t y = 0; y < 2 * d[1]; y++)
            for (int64_t x = 0; x < 2 * d[2]; x++)
                for (int64_t o = 0; o < channels; o++, out++) {
                    const double *pixel = in[0] + ((b * d[1] + y / 2) * d[2] + x / 2) * d[3];
                    const double *weight = in[1] + ((y % 2 * 2 + x % 2) * channels + o) * d[3];
                    *out = c->inputs > 2 ? in[2][o] : 0;
                    for (int64_t i = 0; i < d[3]; i++) *out += pixel[i] * weight[i];
                }
}

#define X(...)                                                                                                         \
    { OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define FIXED(...)                                                                                                     \
    { OP_FIXED, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define CONV2D(LABEL, STRIDE_, PADDING_, TRAINING, COUNT, ...)                                                         \
    { "conv2d", LABEL, COUNT, {__VA_ARGS__}, build_conv2d, conv2d, 5e-6, 1e-5, TRAINING, {STRIDE_, PADDING_, 0}, NULL }
#define CONV2D_WINOGRAD(LABEL, TRAINING, COUNT, ...)                                                                   \
    { "conv2d", LABEL, COUNT, {__VA_ARGS__}, build_conv2d, conv2d, 5e-6, 1e-5, TRAINING, {1, 1, 1}, NULL }

static void conv2d_agrees_with_nested_loops(void **state) {
    (void)state;
    const op_case cases[] = {
        CONV2D("3x3, padding 1", 1, 1, false, 2, X(2, 7, 5, 16), X(32, 3, 3, 16)),
        CONV2D("3x3, padding 1, bias", 1, 1, true, 3, X(1, 9, 6, 7), X(5, 3, 3, 7), X(5)),
        CONV2D("3x3, padding 0", 1, 0, false, 2, X(3, 5, 8, 4), X(3, 3, 3, 4)),
        CONV2D("3x3, stride 2, padding 1: a stem of three channels", 2, 1, true, 2, X(2, 11, 8, 3), X(32, 3, 3, 3)),
        CONV2D("3x3, stride 2, padding 1, even size", 2, 1, false, 3, X(1, 8, 8, 18), X(20, 3, 3, 18), X(20)),
        CONV2D("1x1", 1, 0, false, 2, X(2, 5, 7, 33), X(17, 1, 1, 33)),
        CONV2D("1x1, bias, one channel in", 1, 0, false, 3, X(1, 6, 5, 1), X(9, 1, 1, 1), X(9)),
        CONV2D("1x1, stride 2", 2, 0, false, 2, X(2, 7, 6, 8), X(12, 1, 1, 8)),
        CONV2D_WINOGRAD("3x3, Winograd, a fixed image", false, 3, FIXED(2, 15, 14, 32), X(64, 3, 3, 32), X(64)),
        CONV2D_WINOGRAD("3x3, Winograd, a frozen weight", true, 2, X(2, 14, 15, 64), FIXED(32, 3, 3, 64)),
        CONV2D("oblong kernel", 1, 1, false, 2, X(1, 6, 7, 5), X(4, 3, 1, 5)),
        CONV2D("7x7, stride 2, padding 3, as large as the image", 2, 3, false, 2, X(1, 7, 7, 3), X(8, 7, 7, 3)),
        CONV2D("the image needs no gradient", 1, 1, true, 3, FIXED(2, 6, 6, 3), X(8, 3, 3, 3), X(8)),
        CONV2D("a frozen weight", 1, 1, true, 3, X(2, 6, 6, 3), FIXED(8, 3, 3, 3), X(8)),
        CONV2D("patches 4x4", 4, 0, false, 3, X(2, 8, 12, 3), X(10, 4, 4, 3), X(10)),
        CONV2D("patches 3x3 with a rest in both directions", 3, 0, true, 2, X(2, 8, 11, 5), X(7, 3, 3, 5)),
        CONV2D("patches of a fixed image", 2, 0, true, 2, FIXED(3, 6, 7, 3), X(6, 2, 2, 3)),
        CONV2D("patches, frozen weight", 2, 0, false, 2, X(1, 6, 6, 3), FIXED(6, 2, 2, 3)),
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

#define CONV_TRANSPOSE2X2(LABEL, TRAINING, COUNT, ...)                                                                 \
    {                                                                                                                  \
        "conv_transpose2x2", LABEL, COUNT, {__VA_ARGS__}, build_conv_transpose2x2, conv_transpose2x2, 5e-6, 1e-5,      \
            TRAINING, {0}, NULL                                                                                        \
    }

static void conv_transpose2x2_agrees_with_nested_loops(void **state) {
    (void)state;
    const op_case cases[] = {
        CONV_TRANSPOSE2X2("bias", false, 3, X(2, 3, 5, 16), X(2, 2, 8, 16), X(8)),
        CONV_TRANSPOSE2X2("no bias, odd sizes", true, 2, X(3, 4, 3, 5), X(2, 2, 7, 5)),
        CONV_TRANSPOSE2X2("one pixel, one channel", true, 3, X(1, 1, 1, 1), X(2, 2, 1, 1), X(1)),
        CONV_TRANSPOSE2X2("fixed image", true, 3, FIXED(2, 3, 4, 6), X(2, 2, 5, 6), X(5)),
        CONV_TRANSPOSE2X2("frozen weight", false, 3, X(2, 3, 4, 6), FIXED(2, 2, 5, 6), X(5)),
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void random_sizes_agree(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 1, 3), h = op_draw(&rng, 4, 9), w = op_draw(&rng, 4, 9);
        int64_t in = op_draw(&rng, 3, 12), out = op_draw(&rng, 3, 12), patch = op_draw(&rng, 2, 4);
        bool training = draw % 2;
        const op_case cases[] = {
            CONV2D("3x3", 1, 1, training, 3, X(b, h, w, in), X(out, 3, 3, in), X(out)),
            CONV2D("1x1", 1, 0, training, 3, X(b, h, w, in), X(out, 1, 1, in), X(out)),
            CONV2D("stride 2", 2, 1, training, 2, X(b, h, w, in), X(out, 3, 3, in)),
            CONV2D("patches", patch, 0, training, 3, X(b, h, w, in), X(out, patch, patch, in), X(out)),
            CONV_TRANSPOSE2X2(NULL, training, 3, X(b, h, w, in), X(2, 2, out, in), X(out)),
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

/* A few draws only: Winograd is not used for small convolutions, and the naive one is slow. */
static void random_sizes_agree_where_winograd_is_faster(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(2, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < 3; draw++) {
        int64_t h = op_draw(&rng, 14, 16), w = op_draw(&rng, 14, 16);
        int64_t in = op_draw(&rng, 32, 37), out = op_draw(&rng, 64, 69);
        const op_case c = CONV2D_WINOGRAD("Winograd", draw % 2, 2, X(2, h, w, in), X(out, 3, 3, in));
        op_check_draw(&c, 1, draw);
    }
}

static void shapes_that_do_not_fit_are_refused_with_both_in_the_text(void **state) {
    (void)state;
    const struct {
        icseg_shape x, weight, bias;
        int stride, padding;
    } wrong[] = {
        {ICSEG_SHAPE(1, 8, 8, 3), ICSEG_SHAPE(5, 3, 3, 4), ICSEG_SHAPE(5), 1, 1},
        {ICSEG_SHAPE(1, 8, 8, 3), ICSEG_SHAPE(5, 3, 3, 3), ICSEG_SHAPE(6), 1, 1},
        {ICSEG_SHAPE(1, 8, 8, 3), ICSEG_SHAPE(5, 3, 3, 3), ICSEG_SHAPE(5), 0, 1},
        {ICSEG_SHAPE(1, 8, 8, 3), ICSEG_SHAPE(5, 3, 3, 3), ICSEG_SHAPE(5), 1, -1},
        {ICSEG_SHAPE(1, 2, 2, 3), ICSEG_SHAPE(5, 3, 3, 3), ICSEG_SHAPE(5), 1, 0},
        {ICSEG_SHAPE(8, 8, 3), ICSEG_SHAPE(5, 3, 3, 3), ICSEG_SHAPE(5), 1, 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        icseg_error error = {0};
        icseg_graph *g;
        char x[ICSEG_SHAPE_TEXT], weight[ICSEG_SHAPE_TEXT];
        assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
        icseg_value out =
            icseg_conv2d(g, icseg_graph_input(g, "x", ICSEG_F32, wrong[i].x),
                         icseg_graph_input(g, "weight", ICSEG_F32, wrong[i].weight),
                         icseg_graph_input(g, "bias", ICSEG_F32, wrong[i].bias), wrong[i].stride, wrong[i].padding);
        assert_int_equal(out, ICSEG_NONE);
        assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_SHAPE);
        assert_non_null(strstr(error.message, icseg_shape_text(wrong[i].x, x, sizeof x)));
        assert_non_null(strstr(error.message, icseg_shape_text(wrong[i].weight, weight, sizeof weight)));
        icseg_graph_close(&g);
    }
}

static void a_transposed_convolution_of_another_kernel_is_refused(void **state) {
    (void)state;
    const icseg_shape wrong[] = {ICSEG_SHAPE(3, 3, 5, 4), ICSEG_SHAPE(2, 2, 5, 3), ICSEG_SHAPE(2, 5, 4)};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        icseg_error error = {0};
        icseg_graph *g;
        char text[ICSEG_SHAPE_TEXT];
        assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
        icseg_conv_transpose2x2(g, icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(1, 6, 6, 4)),
                                icseg_graph_input(g, "weight", ICSEG_F32, wrong[i]), ICSEG_NONE);
        assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_SHAPE);
        assert_non_null(strstr(error.message, "(1, 6, 6, 4)"));
        assert_non_null(strstr(error.message, icseg_shape_text(wrong[i], text, sizeof text)));
        icseg_graph_close(&g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv2d_agrees_with_nested_loops),
        cmocka_unit_test(conv_transpose2x2_agrees_with_nested_loops),
        cmocka_unit_test(random_sizes_agree),
        cmocka_unit_test(random_sizes_agree_where_winograd_is_faster),
        cmocka_unit_test(a_transposed_convolution_of_another_kernel_is_refused),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused_with_both_in_the_text),
    };
    return cmocka_run_group_tests_name("convolutions", tests, NULL, NULL);
}

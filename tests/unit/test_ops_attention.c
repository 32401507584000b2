/* SPDX-License-Identifier: Apache-2.0
 * attention against its definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/op_check.h"

enum { HEADS, ROWS, COLUMNS, DEVIATION };

/* One row of queries (depth) over `keys` rows, all `pitch` apart; writes only `out` (depth). plus: (keys), what is
 * added to the scaled scores, or NULL. */
static void attend_plus(const double *q, const double *k, const double *v, int64_t keys, int64_t pitch, int64_t depth,
                        const double *plus, double *out) {
    double top = -INFINITY, sum = 0;
    for (int64_t d = 0; d < depth; d++) out[d] = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t j = 0; j < keys; j++) {
            double score = 0;
            for (int64_t d = 0; d < depth; d++) score += q[d] * k[j * pitch + d];
            score /= sqrt((double)depth);
            if (plus) score += plus[j];
            if (pass == 0) {
                top = fmax(top, score);
                continue;
            }
            double e = exp(score - top);
            sum += e;
            for (int64_t d = 0; d < depth; d++) out[d] += e * v[j * pitch + d];
        }
    for (int64_t d = 0; d < depth; d++) out[d] /= sum;
}

static void attend(const double *q, const double *k, const double *v, int64_t keys, int64_t pitch, int64_t depth,
                   double *out) {
    attend_plus(q, k, v, keys, pitch, depth, NULL, out);
}

static icseg_value build_attention(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_attention(g, in[0], in[1], in[2], (int)c->number[HEADS]);
}

static void attention(const op_case *c, const double *const *in, double *out) {
    const int64_t *q = c->input[0].shape.dim, keys = c->input[1].shape.dim[1], width = q[2];
    int64_t heads = (int64_t)c->number[HEADS], depth = width / heads;
    for (int64_t b = 0; b < q[0]; b++)
        for (int64_t i = 0; i < q[1]; i++)
            for (int64_t h = 0; h < heads; h++)
                attend(in[0] + (b * q[1] + i) * width + h * depth, in[1] + b * keys * width + h * depth,
                       in[2] + b * keys * width + h * depth, keys, width, depth,
                       out + (b * q[1] + i) * width + h * depth);
}

static icseg_value build_grid(icseg_graph *g, const icseg_value *in, const op_case *c) {
    icseg_attention_grid grid = {(int64_t)c->number[ROWS], (int64_t)c->number[COLUMNS], c->number[DEVIATION]};
    return icseg_grid_attention(g, in[0], in[1], in[2], (int)c->number[HEADS], grid);
}

static void grid(const op_case *c, const double *const *in, double *out) {
    const int64_t *q = c->input[0].shape.dim, keys = c->input[1].shape.dim[1], width = q[2];
    int64_t heads = (int64_t)c->number[HEADS], depth = width / heads, columns = (int64_t)c->number[COLUMNS];
    double plus[64];
    assert_true(keys <= 64);
    for (int64_t b = 0; b < q[0]; b++)
        for (int64_t i = 0; i < q[1]; i++) {
            for (int64_t j = 0; j < keys; j++) {
                int64_t at = j - (keys - q[1]), dy = i / columns - at / columns, dx = i % columns - at % columns;
                plus[j] = at < 0 ? 0 : exp(-(double)(dy * dy + dx * dx) / (2 * pow(c->number[DEVIATION], 2)));
            }
            for (int64_t h = 0; h < heads; h++)
                attend_plus(in[0] + (b * q[1] + i) * width + h * depth, in[1] + b * keys * width + h * depth,
                            in[2] + b * keys * width + h * depth, keys, width, depth, plus,
                            out + (b * q[1] + i) * width + h * depth);
        }
}

static icseg_value build_attention_packed(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_attention_packed(g, in[0], (int)c->number[HEADS]);
}

static void attention_packed(const op_case *c, const double *const *in, double *out) {
    const int64_t *d = c->input[0].shape.dim, width = d[2] / 3;
    int64_t heads = (int64_t)c->number[HEADS], depth = width / heads;
    for (int64_t b = 0; b < d[0]; b++)
        for (int64_t i = 0; i < d[1]; i++)
            for (int64_t h = 0; h < heads; h++) {
                const double *image = in[0] + b * d[1] * d[2] + h * depth;
                attend(image + i * d[2], image + width, image + 2 * width, d[1], d[2], depth,
                       out + (b * d[1] + i) * width + h * depth);
            }
}

/* The same tensor as queries, keys and values: three gradients meet in one. */
static icseg_value build_self(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_attention(g, in[0], in[0], in[0], (int)c->number[HEADS]);
}

static void self(const op_case *c, const double *const *in, double *out) {
    op_case copy = *c;
    copy.input[1] = copy.input[0];
    const double *const same[] = {in[0], in[0], in[0]};
    attention(&copy, same, out);
}

static icseg_value build_attention_weights(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_attention_weights(g, in[0], in[1], (int)c->number[HEADS]);
}

static void attention_weights(const op_case *c, const double *const *in, double *out) {
    const int64_t *q = c->input[0].shape.dim, keys = c->input[1].shape.dim[1], width = q[2];
    int64_t heads = (int64_t)c->number[HEADS], depth = width / heads;
    double score[64];
    assert_true(keys <= 64);
    for (int64_t i = 0; i < q[0] * q[1] * keys; i++) out[i] = 0;
    for (int64_t i = 0; i < q[0] * q[1]; i++)
        for (int64_t h = 0; h < heads; h++) {
            double sum = 0;
            for (int64_t j = 0; j < keys; j++) {
                score[j] = 0;
                for (int64_t d = h * depth; d < (h + 1) * depth; d++)
                    score[j] += in[0][i * width + d] * in[1][(i / q[1] * keys + j) * width + d];
                sum += score[j] = exp(score[j] / sqrt((double)depth));
            }
            for (int64_t j = 0; j < keys; j++) out[i * keys + j] += score[j] / sum / (double)heads;
        }
}

#define X(...)                                                                                                         \
    { OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define FIXED(...)                                                                                                     \
    { OP_FIXED, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define ATTENTION(LABEL, HEADS_, ...)                                                                                  \
    { "attention", LABEL, 3, {__VA_ARGS__}, build_attention, attention, 5e-6, 2e-5, true, {HEADS_}, NULL }
#define GRID(LABEL, HEADS_, ROWS_, COLUMNS_, DEVIATION_, ...)                                                          \
    {                                                                                                                  \
        "attention", LABEL, 3, {__VA_ARGS__}, build_grid, grid, 5e-6, 2e-5, true,                                      \
            {HEADS_, ROWS_, COLUMNS_, DEVIATION_}, NULL                                                                \
    }
#define ATTENTION_PACKED(LABEL, HEADS_, ...)                                                                           \
    {                                                                                                                  \
        "attention_packed", LABEL, 1, {__VA_ARGS__}, build_attention_packed, attention_packed, 5e-6, 2e-5, true,       \
            {HEADS_}, NULL                                                                                             \
    }

#define ATTENTION_WEIGHTS(LABEL, HEADS_, ...)                                                                          \
    {                                                                                                                  \
        "attention_weights", LABEL, 2, {__VA_ARGS__}, build_attention_weights, attention_weights, 5e-6, 0, false,      \
            {HEADS_}, NULL                                                                                             \
    }

static void attention_agrees_with_its_definition(void **state) {
    (void)state;
    const op_case cases[] = {
        ATTENTION("one head", 1, X(1, 5, 8), X(1, 5, 8), X(1, 5, 8)),
        ATTENTION("more keys than queries", 4, X(2, 3, 16), X(2, 11, 16), X(2, 11, 16)),
        ATTENTION("more queries than keys", 2, X(3, 13, 6), X(3, 4, 6), X(3, 4, 6)),
        ATTENTION("one query, one key", 2, X(2, 1, 6), X(2, 1, 6), X(2, 1, 6)),
        ATTENTION("one key", 3, X(1, 9, 12), X(1, 1, 12), X(1, 1, 12)),
        ATTENTION("fixed queries", 2, FIXED(2, 7, 8), X(2, 5, 8), X(2, 5, 8)),
        ATTENTION("fixed keys", 2, X(2, 7, 8), FIXED(2, 5, 8), X(2, 5, 8)),
        ATTENTION("fixed values", 2, X(2, 7, 8), X(2, 5, 8), FIXED(2, 5, 8)),
        ATTENTION("only values", 2, FIXED(2, 7, 8), FIXED(2, 5, 8), X(2, 5, 8)),
        ATTENTION("blocks of query rows, the last smaller", 2, X(1, 523, 8), X(1, 37, 8), X(1, 37, 8)),
        ATTENTION("blocks of query rows, two images", 1, X(2, 300, 4), X(2, 19, 4), X(2, 19, 4)),
        {"attention", "of a tensor to itself", 1, {X(2, 9, 8)}, build_self, self, 5e-6, 2e-5, true, {2}, NULL},
        GRID("a grid and one row before it", 2, 3, 5, 1.5, X(2, 15, 8), X(2, 16, 8), X(2, 16, 8)),
        GRID("a grid alone", 1, 4, 2, 5, X(1, 8, 4), X(1, 8, 4), X(1, 8, 4)),
        GRID("a grid of one row", 2, 1, 7, 0.7, X(1, 7, 6), X(1, 8, 6), X(1, 8, 6)),
        ATTENTION_PACKED("one head", 1, X(1, 6, 24)),
        ATTENTION_PACKED("heads and images", 4, X(3, 17, 48)),
        ATTENTION_PACKED("odd depth", 3, X(2, 10, 45)),
        ATTENTION_PACKED("one row", 2, X(2, 1, 12)),
        ATTENTION_PACKED("depth 64, as in CLIP", 2, X(1, 33, 384)),
        ATTENTION_PACKED("blocks of query rows", 2, X(1, 301, 12)),
        ATTENTION_WEIGHTS("one head", 1, FIXED(1, 5, 8), FIXED(1, 7, 8)),
        ATTENTION_WEIGHTS("heads and images", 4, FIXED(3, 5, 24), FIXED(3, 50, 24)),
        ATTENTION_WEIGHTS("one key", 2, FIXED(2, 3, 6), FIXED(2, 1, 6)),
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void random_sizes_agree(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 1, 3), queries = op_draw(&rng, 1, 20), keys = op_draw(&rng, 2, 20);
        int64_t heads = op_draw(&rng, 1, 4), width = heads * op_draw(&rng, 2, 9);
        const op_case cases[] = {
            ATTENTION(NULL, heads, X(b, queries, width), X(b, keys, width), X(b, keys, width)),
            ATTENTION_PACKED(NULL, heads, X(b, keys, 3 * width)),
            ATTENTION_WEIGHTS(NULL, heads, FIXED(b, queries, width), FIXED(b, keys, width)),
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

static void shapes_that_do_not_fit_are_refused(void **state) {
    (void)state;
    const struct {
        icseg_shape q, k, v;
        int heads;
    } wrong[] = {
        {ICSEG_SHAPE(1, 4, 8), ICSEG_SHAPE(1, 4, 6), ICSEG_SHAPE(1, 4, 6), 2},
        {ICSEG_SHAPE(1, 4, 8), ICSEG_SHAPE(1, 5, 8), ICSEG_SHAPE(1, 4, 8), 2},
        {ICSEG_SHAPE(2, 4, 8), ICSEG_SHAPE(1, 4, 8), ICSEG_SHAPE(1, 4, 8), 2},
        {ICSEG_SHAPE(1, 4, 8), ICSEG_SHAPE(1, 4, 8), ICSEG_SHAPE(1, 4, 8), 3},
        {ICSEG_SHAPE(1, 4, 8), ICSEG_SHAPE(1, 4, 8), ICSEG_SHAPE(1, 4, 8), 0},
        {ICSEG_SHAPE(4, 8), ICSEG_SHAPE(4, 8), ICSEG_SHAPE(4, 8), 2},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        icseg_error error = {0};
        icseg_graph *g;
        char text[ICSEG_SHAPE_TEXT];
        assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
        icseg_attention(g, icseg_graph_input(g, "q", ICSEG_F32, wrong[i].q),
                        icseg_graph_input(g, "k", ICSEG_F32, wrong[i].k),
                        icseg_graph_input(g, "v", ICSEG_F32, wrong[i].v), wrong[i].heads);
        assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_SHAPE);
        assert_non_null(strstr(error.message, icseg_shape_text(wrong[i].q, text, sizeof text)));
        assert_non_null(strstr(error.message, icseg_shape_text(wrong[i].v, text, sizeof text)));
        icseg_graph_close(&g);

        assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
        icseg_attention_packed(g, icseg_graph_input(g, "qkv", ICSEG_F32, ICSEG_SHAPE(2, 4, 25)), 1);
        assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_SHAPE);
        assert_non_null(strstr(error.message, "(2, 4, 25)"));
        icseg_graph_close(&g);
    }
}

static void weights_of_shapes_that_do_not_fit_are_refused(void **state) {
    (void)state;
    const struct {
        icseg_shape q, k;
        int heads;
    } wrong[] = {
        {ICSEG_SHAPE(1, 4, 8), ICSEG_SHAPE(1, 5, 6), 2}, {ICSEG_SHAPE(2, 4, 8), ICSEG_SHAPE(1, 5, 8), 2},
        {ICSEG_SHAPE(1, 4, 8), ICSEG_SHAPE(1, 5, 8), 3}, {ICSEG_SHAPE(1, 4, 8), ICSEG_SHAPE(1, 5, 8), 0},
        {ICSEG_SHAPE(4, 8), ICSEG_SHAPE(5, 8), 2},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        icseg_error error = {0};
        icseg_graph *g;
        char text[ICSEG_SHAPE_TEXT];
        assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
        icseg_attention_weights(g, icseg_graph_input(g, "q", ICSEG_F32, wrong[i].q),
                                icseg_graph_input(g, "k", ICSEG_F32, wrong[i].k), wrong[i].heads);
        assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_SHAPE);
        assert_non_null(strstr(error.message, icseg_shape_text(wrong[i].k, text, sizeof text)));
        icseg_graph_close(&g);
    }
}

static void grids_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const icseg_attention_grid wrong[] = {{2, 3, 1}, {-2, -2, 1}, {2, 0, 1}, {2, 2, 0}, {2, 2, NAN}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        icseg_error error = {0};
        icseg_graph *g;
        assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
        icseg_value x = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(1, 4, 8));
        icseg_grid_attention(g, x, x, x, 2, wrong[i]);
        assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_SHAPE);
        assert_non_null(strstr(error.message, "4 queries and 4 keys: a grid of "));
        icseg_graph_close(&g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_agrees_with_its_definition),
        cmocka_unit_test(random_sizes_agree),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
        cmocka_unit_test(weights_of_shapes_that_do_not_fit_are_refused),
        cmocka_unit_test(grids_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests_name("attention", tests, NULL, NULL);
}

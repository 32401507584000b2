/* SPDX-License-Identifier: Apache-2.0
 * add and the activations against their definitions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_check.h"

static int64_t size_of(const op_case *c, int input) { return icseg_shape_count(c->input[input].shape); }

static icseg_value build_relu(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_relu(g, in[0]);
}

static void relu(const op_case *c, const double *const *in, double *out) {
    for (int64_t i = 0; i < size_of(c, 0); i++) out[i] = in[0][i] > 0 ? in[0][i] : 0;
}

static icseg_value build_quick_gelu(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_quick_gelu(g, in[0]);
}

static void quick_gelu(const op_case *c, const double *const *in, double *out) {
    for (int64_t i = 0; i < size_of(c, 0); i++) out[i] = in[0][i] / (1 + exp(-1.702 * in[0][i]));
}

static icseg_value build_gelu(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_gelu(g, in[0]);
}

static void gelu(const op_case *c, const double *const *in, double *out) {
    for (int64_t i = 0; i < size_of(c, 0); i++) out[i] = in[0][i] * (1 + erf(in[0][i] / sqrt(2))) / 2;
}

static icseg_value build_add(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_add(g, in[0], in[1]);
}

static void add(const op_case *c, const double *const *in, double *out) {
    for (int64_t i = 0; i < size_of(c, 0); i++) out[i] = in[0][i] + in[1][i % size_of(c, 1)];
}

static icseg_value build_add_self(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_add(g, icseg_relu(g, in[0]), icseg_relu(g, in[0]));
}

static void add_self(const op_case *c, const double *const *in, double *out) {
    for (int64_t i = 0; i < size_of(c, 0); i++) out[i] = in[0][i] > 0 ? 2 * in[0][i] : 0;
}

/* Another operator computes the second operand and must receive a gradient of that operand's shape. */
static icseg_value build_add_concat(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    icseg_value halves[] = {icseg_slice(g, in[1], 0, 0, 3), icseg_slice(g, in[1], 0, 3, 4)};
    return icseg_add(g, in[0], icseg_concat(g, 2, halves, 0));
}

/* The second operand dies here, smaller than the result, though the storage of both is rounded up to the same size. */
static icseg_value build_add_small(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    icseg_value parts[] = {icseg_slice(g, in[1], 0, 0, 1), icseg_slice(g, in[1], 0, 1, 2)};
    return icseg_add(g, in[0], icseg_concat(g, 2, parts, 0));
}

#define X(...)                                                                                                         \
    { OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0 }

static void operators_agree_with_their_definitions(void **state) {
    (void)state;
    const op_case cases[] = {
        {"relu", NULL, 1, {X(3, 5, 7)}, build_relu, relu, 0, 1e-6, false, {0}, NULL},
        {"quick_gelu", NULL, 1, {X(41, 503)}, build_quick_gelu, quick_gelu, 1e-6, 1e-6, false, {0}, NULL},
        {"gelu", NULL, 1, {X(17, 33)}, build_gelu, gelu, 1e-6, 1e-6, false, {0}, NULL},
        {"add", "same shape", 2, {X(4, 33), X(4, 33)}, build_add, add, 1e-6, 1e-6, false, {0}, NULL},
        {"add", "bias", 2, {X(2, 3, 300), X(300)}, build_add, add, 1e-6, 1e-6, false, {0}, NULL},
        {"add", "positions", 2, {X(5, 7, 9), X(7, 9)}, build_add, add, 1e-6, 1e-6, false, {0}, NULL},
        {"add", "leading one", 2, {X(1, 7, 9), X(7, 9)}, build_add_concat, add, 1e-6, 1e-6, false, {0}, NULL},
        {"add", "small", 2, {X(4, 3), X(3)}, build_add_small, add, 1e-6, 1e-6, false, {0}, NULL},
        {"add", "one value used twice", 1, {X(6, 7)}, build_add_self, add_self, 1e-6, 1e-6, false, {0}, NULL},
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void random_sizes_agree(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 1, 5), rows = op_draw(&rng, 1, 12), channels = op_draw(&rng, 3, 70);
        const op_case cases[] = {
            {"relu", NULL, 1, {X(b, rows, channels)}, build_relu, relu, 0, 1e-6, false, {0}, NULL},
            {"quick_gelu", NULL, 1, {X(rows, channels)}, build_quick_gelu, quick_gelu, 1e-6, 1e-6, false, {0}, NULL},
            {"gelu", NULL, 1, {X(rows, channels)}, build_gelu, gelu, 1e-6, 1e-6, false, {0}, NULL},
            {"add", "bias", 2, {X(b, rows, channels), X(channels)}, build_add, add, 1e-6, 1e-6, false, {0}, NULL},
            {"add", "rows", 2, {X(b, rows, channels), X(rows, channels)}, build_add, add, 1e-6, 1e-6, false, {0}, NULL},
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_agree_with_their_definitions),
        cmocka_unit_test(random_sizes_agree),
    };
    return cmocka_run_group_tests_name("pointwise operators", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * Operators that move, repeat or average rows, against index arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_bits.h"
#include "support/op_check.h"

static int64_t size_of(const op_case *c, int input) { return icseg_shape_count(c->input[input].shape); }

/* Elements before and after an axis. */
static int64_t product(icseg_shape shape, int from, int to) {
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= shape.dim[i];
    return n;
}

/* -- reshape to (number[0], number[1]), between two operators, so that the view's storage is reused */

static icseg_value build_reshape(icseg_graph *g, const icseg_value *in, const op_case *c) {
    icseg_value flat = icseg_reshape(g, in[0], ICSEG_SHAPE((int64_t)c->number[0], (int64_t)c->number[1]));
    return icseg_relu(g, icseg_reshape(g, icseg_relu(g, flat), c->input[0].shape));
}

static void reshape(const op_case *c, const double *const *in, double *out) {
    for (int64_t i = 0; i < size_of(c, 0); i++) out[i] = in[0][i] > 0 ? in[0][i] : 0;
}

/* -- concat along number[0] */

static icseg_value build_concat(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_concat(g, c->inputs, in, (int)c->number[0]);
}

static void concat(const op_case *c, const double *const *in, double *out) {
    int rank = c->input[0].shape.rank, axis = (int)c->number[0];
    if (axis < 0) axis += rank;
    for (int64_t row = 0; row < product(c->input[0].shape, 0, axis); row++)
        for (int i = 0; i < c->inputs; i++) {
            int64_t run = product(c->input[i].shape, axis, rank);
            for (int64_t j = 0; j < run; j++) *out++ = in[i][row * run + j];
        }
}

/* -- slice of axis number[0] from number[1], number[2] entries */

static icseg_value build_slice(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_slice(g, in[0], (int)c->number[0], (int64_t)c->number[1], (int64_t)c->number[2]);
}

static void slice(const op_case *c, const double *const *in, double *out) {
    icseg_shape shape = c->input[0].shape;
    int axis = (int)c->number[0] < 0 ? (int)c->number[0] + shape.rank : (int)c->number[0];
    int64_t before = product(shape, 0, axis), after = product(shape, axis + 1, shape.rank);
    for (int64_t i = 0; i < before; i++)
        for (int64_t j = 0; j < (int64_t)c->number[2]; j++)
            for (int64_t k = 0; k < after; k++)
                *out++ = in[0][(i * shape.dim[axis] + (int64_t)c->number[1] + j) * after + k];
}

/* -- repeat number[0] times */

static icseg_value build_repeat(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_repeat(g, in[0], (int64_t)c->number[0]);
}

static void repeat(const op_case *c, const double *const *in, double *out) {
    for (int64_t i = 0; i < size_of(c, 0) * (int64_t)c->number[0]; i++) out[i] = in[0][i % size_of(c, 0)];
}

/* -- lookup */

static icseg_value build_lookup(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_lookup(g, in[0], in[1]);
}

static void lookup(const op_case *c, const double *const *in, double *out) {
    int64_t width = c->input[0].shape.dim[1];
    for (int64_t i = 0; i < size_of(c, 1); i++)
        for (int64_t j = 0; j < width; j++) *out++ = in[0][(int64_t)in[1][i] * width + j];
}

/* -- gather_rows: number[0] rows, listed in integers */

static icseg_value build_gather_rows(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_gather_rows(g, in[0], (int)c->number[0], c->integers);
}

static void gather_rows(const op_case *c, const double *const *in, double *out) {
    const int64_t *dim = c->input[0].shape.dim;
    for (int64_t b = 0; b < dim[0]; b++)
        for (int i = 0; i < (int)c->number[0]; i++)
            for (int64_t j = 0; j < dim[2]; j++) *out++ = in[0][(b * dim[1] + c->integers[i]) * dim[2] + j];
}

/* -- mean_rows */

static icseg_value build_mean_rows(icseg_graph *g, const icseg_value *in, const op_case *c) {
    (void)c;
    return icseg_mean_rows(g, in[0]);
}

static void mean_rows(const op_case *c, const double *const *in, double *out) {
    const int64_t *dim = c->input[0].shape.dim;
    for (int64_t b = 0; b < dim[0]; b++)
        for (int64_t j = 0; j < dim[2]; j++) {
            double sum = 0;
            for (int64_t r = 0; r < dim[1]; r++) sum += in[0][(b * dim[1] + r) * dim[2] + j];
            *out++ = sum / (double)dim[1];
        }
}

#define X(...)                                                                                                         \
    { OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define FIXED(...)                                                                                                     \
    { OP_FIXED, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define IDS(ROWS, ...)                                                                                                 \
    { OP_IDS, ICSEG_SHAPE(__VA_ARGS__), ROWS }

static void operators_agree_with_index_arithmetic(void **state) {
    (void)state;
    static const int32_t some[] = {0, 2, 3, 6}, last[] = {4}, all[] = {0, 1, 2};
    const op_case cases[] = {
        {"reshape", NULL, 1, {X(2, 3, 5)}, build_reshape, reshape, 0, 1e-6, false, {6, 5}, NULL},
        {"concat", "first axis", 2, {X(2, 5), X(3, 5)}, build_concat, concat, 0, 1e-6, false, {0}, NULL},
        {"concat",
         "channels",
         3,
         {X(3, 4, 1), X(3, 4, 17), X(3, 4, 64)},
         build_concat,
         concat,
         0,
         1e-6,
         false,
         {2},
         NULL},
        {"concat",
         "middle axis, counted from the end",
         2,
         {X(3, 1, 8), X(3, 9, 8)},
         build_concat,
         concat,
         0,
         1e-6,
         false,
         {-2},
         NULL},
        {"concat", "one input", 1, {X(3, 4)}, build_concat, concat, 0, 1e-6, false, {1}, NULL},
        {"concat",
         "an input that does not train",
         2,
         {FIXED(3, 4), X(3, 2)},
         build_concat,
         concat,
         0,
         1e-6,
         false,
         {1},
         NULL},
        {"slice", "first axis", 1, {X(5, 3, 4)}, build_slice, slice, 0, 1e-6, false, {0, 1, 3}, NULL},
        {"slice", "channels", 1, {X(2, 7, 20)}, build_slice, slice, 0, 1e-6, false, {-1, 3, 17}, NULL},
        {"slice", "one row", 1, {X(3, 6, 5)}, build_slice, slice, 0, 1e-6, false, {1, 5, 1}, NULL},
        {"slice", "all of it", 1, {X(3, 6)}, build_slice, slice, 0, 1e-6, false, {1, 0, 6}, NULL},
        {"slice", "runs longer than a task", 1, {X(2, 3, 30000)}, build_slice, slice, 0, 1e-5, false, {1, 1, 2}, NULL},
        {"repeat", NULL, 1, {X(3, 17)}, build_repeat, repeat, 0, 1e-6, false, {4}, NULL},
        {"repeat", "once", 1, {X(5)}, build_repeat, repeat, 0, 1e-6, false, {1}, NULL},
        {"repeat", "several tasks", 1, {X(3, 1000)}, build_repeat, repeat, 0, 1e-6, false, {3}, NULL},
        {"lookup",
         "most rows are not used",
         2,
         {X(50, 17), IDS(50, 4)},
         build_lookup,
         lookup,
         0,
         1e-6,
         false,
         {0},
         NULL},
        {"lookup", "one row", 2, {X(1, 3), IDS(1, 2, 5)}, build_lookup, lookup, 0, 1e-6, false, {0}, NULL},
        {"lookup", "several tasks", 2, {X(4, 130), IDS(4, 9)}, build_lookup, lookup, 0, 1e-6, false, {0}, NULL},
        {"lookup", "frozen", 2, {FIXED(4, 8), IDS(4, 9)}, build_lookup, lookup, 0, 0, false, {0}, NULL},
        {"gather_rows", NULL, 1, {X(3, 8, 17)}, build_gather_rows, gather_rows, 0, 1e-6, false, {4}, some},
        {"gather_rows", "the last", 1, {X(1, 5, 64)}, build_gather_rows, gather_rows, 0, 1e-6, false, {1}, last},
        {"gather_rows", "all", 1, {X(2, 3, 1)}, build_gather_rows, gather_rows, 0, 1e-6, false, {3}, all},
        {"mean_rows", NULL, 1, {X(3, 7, 17)}, build_mean_rows, mean_rows, 1e-6, 1e-5, false, {0}, NULL},
        {"mean_rows", "one row", 1, {X(2, 1, 64)}, build_mean_rows, mean_rows, 0, 1e-5, false, {0}, NULL},
        {"mean_rows", "several chunks", 1, {X(2, 1100, 3)}, build_mean_rows, mean_rows, 1e-6, 1e-5, false, {0}, NULL},
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void random_sizes_agree(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 1, 4), n = op_draw(&rng, 2, 20), m = op_draw(&rng, 1, 20), c = op_draw(&rng, 3, 40);
        int64_t begin = op_draw(&rng, 0, n - 1), length = op_draw(&rng, 1, n - begin), times = op_draw(&rng, 1, 5);
        int32_t rows[20], count = 0;
        for (int32_t row = 0; row < n; row++) /* the first and about half of the others */
            if (row == 0 || op_draw(&rng, 0, 1)) rows[count++] = row;
        const op_case cases[] = {
            {"reshape", NULL, 1, {X(b, n, c)}, build_reshape, reshape, 0, 1e-6, false, {b * n, c}, NULL},
            {"concat", NULL, 2, {X(b, n, c), X(b, m, c)}, build_concat, concat, 0, 1e-6, false, {1}, NULL},
            {"slice", NULL, 1, {X(b, n, c)}, build_slice, slice, 0, 1e-6, false, {1, begin, length}, NULL},
            {"lookup", NULL, 2, {X(n, c), IDS((int)n, b, m)}, build_lookup, lookup, 0, 1e-6, false, {0}, NULL},
            {"repeat", NULL, 1, {X(n, c)}, build_repeat, repeat, 0, 1e-6, false, {times}, NULL},
            {"gather_rows", NULL, 1, {X(b, n, c)}, build_gather_rows, gather_rows, 0, 1e-6, false, {count}, rows},
            {"mean_rows", NULL, 1, {X(b, n, c)}, build_mean_rows, mean_rows, 1e-6, 1e-5, false, {0}, NULL},
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

static void shapes_that_do_not_fit_are_named(void **state) {
    (void)state;
    const op_case wrong_count = {"reshape", NULL, 1, {X(2, 3, 5)}, build_reshape, NULL, 0, 0, false, {6, 6}, NULL};
    op_refuses(&wrong_count, 2, (const char *const[]){"(2, 3, 5)", "(6, 6)"});
    const op_case wrong_axis = {"concat", NULL, 2, {X(2, 3), X(2, 4)}, build_concat, NULL, 0, 0, false, {0}, NULL};
    op_refuses(&wrong_axis, 2, (const char *const[]){"(2, 3)", "(2, 4)"});
    const op_case no_axis = {"concat", NULL, 2, {X(2, 3), X(2, 3)}, build_concat, NULL, 0, 0, false, {2}, NULL};
    op_refuses(&no_axis, 2, (const char *const[]){"(2, 3)", "axis 2"});
    const op_case too_long = {"slice", NULL, 1, {X(2, 6)}, build_slice, NULL, 0, 0, false, {1, 3, 4}, NULL};
    op_refuses(&too_long, 2, (const char *const[]){"(2, 6)", "4 entries from 3 on of axis 1"});
    const op_case negative = {"slice", NULL, 1, {X(2, 6)}, build_slice, NULL, 0, 0, false, {1, -1, 2}, NULL};
    op_refuses(&negative, 1, (const char *const[]){"(2, 6)"});
    const op_case outside = {"slice", NULL, 1, {X(2, 6)}, build_slice, NULL, 0, 0, false, {3, 0, 1}, NULL};
    op_refuses(&outside, 1, (const char *const[]){"axis 3"});
    static const int32_t twice[] = {1, 1}, above[] = {0, 5};
    const op_case repeated = {"gather_rows", NULL, 1, {X(2, 5, 3)}, build_gather_rows, NULL, 0, 0, false, {2}, twice};
    op_refuses(&repeated, 2, (const char *const[]){"(2, 5, 3)", "row 1"});
    const op_case beyond = {"gather_rows", NULL, 1, {X(2, 5, 3)}, build_gather_rows, NULL, 0, 0, false, {2}, above};
    op_refuses(&beyond, 2, (const char *const[]){"(2, 5, 3)", "row 5"});
    const op_case map = {"mean_rows", NULL, 1, {X(2, 5, 3, 4)}, build_mean_rows, NULL, 0, 0, false, {0}, NULL};
    op_refuses(&map, 1, (const char *const[]){"(2, 5, 3, 4)"});
    const op_case not_a_table = {"lookup", NULL, 2,   {X(2, 5, 3), IDS(2, 4)}, build_lookup, NULL, 0, 0,
                                 false,    {0},  NULL};
    op_refuses(&not_a_table, 2, (const char *const[]){"(2, 5, 3)", "(4)"});
    const op_case not_ids = {"lookup", NULL, 2, {X(2, 5), X(4)}, build_lookup, NULL, 0, 0, false, {0}, NULL};
    op_refuses(&not_ids, 1, (const char *const[]){"I32"});
    const op_case never = {"repeat", NULL, 1, {X(2, 5)}, build_repeat, NULL, 0, 0, false, {0}, NULL};
    op_refuses(&never, 2, (const char *const[]){"0 copies", "(2, 5)"});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_agree_with_index_arithmetic),
        cmocka_unit_test(random_sizes_agree),
        cmocka_unit_test(shapes_that_do_not_fit_are_named),
    };
    return cmocka_run_group_tests_name("shape operators", tests, NULL, NULL);
}

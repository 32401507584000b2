/* SPDX-License-Identifier: Apache-2.0
 * Every copy of attention's tiles that this processor can run, against the definition. The file is included, so that
 * the test reaches them all; the linker then takes nothing from the library's object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "graph/ops/attention_tile.c"
#include "support/attention.h"

enum { IMPLEMENTATIONS = sizeof implementations / sizeof *implementations, GAP = 3 };

typedef struct head_case {
    int64_t queries, keys, depth, rows, columns; /* rows, columns: of the grid, or 0 */
} head_case;

/* Queries around the tiles of 12, 24 and 48, keys around blocks of 128 and panels of 4 and 8, any depth. */
static const head_case cases[] = {
    {1, 1, 1, 0, 0},     {11, 127, 8, 0, 0},     {12, 128, 64, 0, 0}, {13, 129, 5, 0, 0},     {24, 9, 80, 0, 0},
    {47, 300, 64, 0, 0}, {48, 7, 13, 0, 0},      {49, 257, 88, 0, 0}, {100, 8, 64, 0, 0},     {150, 131, 32, 0, 0},
    {12, 13, 16, 3, 4},  {150, 151, 64, 10, 15}, {17, 17, 7, 17, 1},  {130, 135, 24, 1, 130},
};

typedef struct problem {
    head_case c;
    float *q, *k, *v, *out, *near, *scratch;
    icseg_attention_head head;
} problem;

static float *values(icseg_rng *rng, int64_t n) {
    float *x = icseg_alloc_array((size_t)n, sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)icseg_rng_normal(rng);
    return x;
}

static problem open_problem(head_case c, const implementation *how) {
    icseg_rng rng = icseg_rng_open(7, ICSEG_RNG_TEST, (uint64_t)(c.queries * 1000 + c.keys));
    int64_t pitch = c.depth + GAP, distances = 2 * (c.rows + c.columns);
    problem p = {.c = c,
                 .q = values(&rng, c.queries * pitch),
                 .k = values(&rng, c.keys * pitch),
                 .v = values(&rng, c.keys * pitch),
                 .out = values(&rng, c.queries * pitch),
                 .near = values(&rng, distances ? distances : 1)};
    p.head = test_attention_head(p.q, p.k, p.v, p.out, pitch, c.queries, c.keys, c.depth);
    if (c.rows)
        p.head.near =
            (icseg_attention_near){c.rows, c.columns, p.near + c.rows - 1, p.near + 2 * c.rows + c.columns - 2};
    buffers unused;
    size_t floats = divide(&unused, NULL, c.keys, c.depth, &p.head.near, how->rows, how->tile);
    p.scratch = icseg_alloc_array(floats, sizeof *p.scratch);
    assert_non_null(p.scratch);
    for (size_t i = 0; i < floats; i++) p.scratch[i] = NAN; /* what is read must have been written */
    return p;
}

static void close_problem(problem *p) {
    float *all[] = {p->q, p->k, p->v, p->out, p->near, p->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) icseg_free(all[i]);
}

static void run_tiles(const problem *p, const implementation *how, int64_t first, int64_t end) {
    buffers b;
    divide(&b, p->scratch, p->c.keys, p->c.depth, &p->head.near, how->rows, how->tile);
    how->run(&p->head, first, end, &b);
}

static double score(const problem *p, int64_t i, int64_t j) {
    const icseg_attention_near *n = &p->head.near;
    int64_t pitch = p->head.q_pitch, at = j - (p->c.keys - n->rows * n->columns);
    double sum = 0;
    for (int64_t d = 0; d < p->c.depth; d++) sum += (double)p->q[i * pitch + d] * (double)p->k[j * pitch + d];
    sum *= (double)p->head.scale;
    if (n->rows && at >= 0)
        sum += (double)n->row[i / n->columns - at / n->columns] * (double)n->column[i % n->columns - at % n->columns];
    return sum;
}

static void assert_agrees(const problem *p, const implementation *how, double tolerance) {
    int64_t pitch = p->head.q_pitch;
    for (int64_t i = 0; i < p->c.queries; i++) {
        double top = -INFINITY, sum = 0, want[128] = {0};
        for (int64_t j = 0; j < p->c.keys; j++) top = fmax(top, score(p, i, j));
        for (int64_t j = 0; j < p->c.keys; j++) {
            double e = exp(score(p, i, j) - top);
            sum += e;
            for (int64_t d = 0; d < p->c.depth; d++) want[d] += e * (double)p->v[j * pitch + d];
        }
        for (int64_t d = 0; d < p->c.depth; d++)
            if (!(fabs((double)p->out[i * pitch + d] - want[d] / sum) < tolerance)) /* also NaN */
                fail_msg("%s: %lld queries, %lld keys, depth %lld: row %lld, column %lld: %g in place of %g", how->name,
                         (long long)p->c.queries, (long long)p->c.keys, (long long)p->c.depth, (long long)i,
                         (long long)d, (double)p->out[i * pitch + d], want[d] / sum);
    }
}

static void for_each(void (*test)(problem *p, const implementation *how)) {
    for (int i = 0; i < IMPLEMENTATIONS; i++) {
        if (!implementations[i].supported()) {
            print_message("skipped: this processor does not support %s\n", implementations[i].name);
            continue;
        }
        for (size_t j = 0; j < sizeof cases / sizeof *cases; j++) {
            problem p = open_problem(cases[j], &implementations[i]);
            test(&p, &implementations[i]);
            close_problem(&p);
        }
    }
}

static int64_t tiles_of(const problem *p, const implementation *how) {
    return (p->c.queries + how->tile - 1) / how->tile;
}

static void check_definition(problem *p, const implementation *how) {
    float gap = p->out[p->c.depth];
    run_tiles(p, how, 0, tiles_of(p, how));
    assert_agrees(p, how, 1e-5);
    assert_true(p->out[p->c.depth] == gap); /* nothing is written between rows */
}

static void agrees_with_the_definition(void **state) {
    (void)state;
    for_each(check_definition);
}

static void check_single_tiles(problem *p, const implementation *how) {
    int64_t floats = p->c.queries * p->head.out_pitch, tiles = tiles_of(p, how);
    run_tiles(p, how, 0, tiles);
    float *all = icseg_alloc_array((size_t)floats, sizeof *all);
    assert_non_null(all);
    memcpy(all, p->out, (size_t)floats * sizeof *all);
    for (int64_t t = tiles - 1; t >= 0; t--) run_tiles(p, how, t, t + 1);
    assert_memory_equal(all, p->out, (size_t)floats * sizeof *all);
    icseg_free(all);
}

static void tiles_do_not_depend_on_each_other(void **state) {
    (void)state;
    for_each(check_single_tiles);
}

/* Scores that differ by more than e^x can hold, first small and then large: sums are rescaled to nearly 0. */
static void check_large_scores(problem *p, const implementation *how) {
    for (int64_t j = 0; j < p->c.keys; j++)
        for (int64_t d = 0; d < p->c.depth; d++) p->k[j * p->head.kv_pitch + d] *= j % 3 ? 3 : (float)j;
    run_tiles(p, how, 0, tiles_of(p, how));
    assert_agrees(p, how, 1e-3); /* scores of several hundred have errors of 1e-5 */
}

static void large_scores_do_not_overflow(void **state) {
    (void)state;
    for_each(check_large_scores);
}

static void check_nan(problem *p, const implementation *how) {
    int64_t pitch = p->head.q_pitch, last = p->c.queries - 1;
    p->q[last * pitch] = NAN;
    run_tiles(p, how, 0, tiles_of(p, how));
    assert_true(isnan(p->out[last * pitch]));
    for (int64_t i = 0; i < last; i++) assert_true(isfinite(p->out[i * pitch]));
    p->k[(p->c.keys - 1) * pitch] = NAN;
    run_tiles(p, how, 0, tiles_of(p, how));
    for (int64_t i = 0; i <= last; i++) assert_true(isnan(p->out[i * pitch]));
}

static void nan_reaches_the_result(void **state) {
    (void)state;
    for_each(check_nan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_definition),
        cmocka_unit_test(tiles_do_not_depend_on_each_other),
        cmocka_unit_test(large_scores_do_not_overflow),
        cmocka_unit_test(nan_reaches_the_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

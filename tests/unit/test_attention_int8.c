/* SPDX-License-Identifier: Apache-2.0
 * Attention in INT8 for every kind of processor that this one can be, against the definition; the operator, and when it
 * uses INT8. The file is included, so that the test reaches all kinds; the linker then takes nothing from the library's
 * object. With AMX's tiles emulated; test_attention_int8_native uses the processor's. */
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "graph/activation_ranges.h"
#include "graph/ops.h"
#include "graph/ops/attention_int8.c"
#include "graph/run/executor.h"
#include "support/attention.h"

enum { GAP = 3, MARK = 0x5a, GUARD = 64 };

typedef struct size {
    int64_t queries, keys, depth;
} size;

/* Queries around the tiles of 24 and 48, keys around blocks of 128 and panels of 16, any depth around panels of 16 and
 * steps of 32 and 64. */
static const size sizes[] = {
    {1, 1, 1},     {5, 2, 3},     {23, 127, 8},   {24, 128, 64}, {25, 129, 5},   {47, 300, 64},  {48, 7, 13},
    {49, 257, 88}, {100, 16, 65}, {150, 131, 32}, {17, 15, 48},  {70, 400, 128}, {150, 200, 80}, {33, 33, 160},
};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Operands and scratch memory are surrounded by marks. */
typedef struct problem {
    const implementation *how;
    size s;
    float *q, *k, *v, *out;
    char *operands, *scratch;
    size_t operands_size, scratch_size;
    icseg_attention_head head;
} problem;

static float *values(icseg_rng *rng, int64_t n) {
    float *x = icseg_alloc_array((size_t)n, sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = icseg_rng_normal(rng);
    return x;
}

static char *guarded(size_t bytes) {
    char *block = icseg_alloc(bytes + 2 * GUARD);
    assert_non_null(block);
    memset(block, MARK, bytes + 2 * GUARD); /* what is read must have been written: as a float, this is 1.5e16 */
    return block + GUARD;
}

static void release_guarded(char *data, size_t bytes) {
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(data[i - GUARD], MARK);
        assert_int_equal(data[bytes + i], MARK);
    }
    icseg_free(data - GUARD);
}

static problem open_problem(size s, const implementation *how) {
    icseg_rng rng = icseg_rng_open(7, ICSEG_RNG_TEST, (uint64_t)(s.queries * 1000 + s.keys));
    int64_t pitch = s.depth + GAP;
    icseg_attention_operands unused;
    buffers none;
    problem p = {.how = how,
                 .s = s,
                 .q = values(&rng, s.queries * pitch),
                 .k = values(&rng, s.keys * pitch),
                 .v = values(&rng, s.keys * pitch),
                 .out = values(&rng, s.queries * pitch)};
    p.head = test_attention_head(p.q, p.k, p.v, p.out, pitch, s.queries, s.keys, s.depth);
    p.operands_size = icseg_attention_operands_divide(&unused, NULL, s.keys, s.depth, PANEL * how->group);
    p.scratch_size = divide(&none, NULL, s.depth, how->tile, how->group);
    p.operands = guarded(p.operands_size);
    p.scratch = guarded(p.scratch_size);
    return p;
}

static void close_problem(problem *p) {
    float *all[] = {p->q, p->k, p->v, p->out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) icseg_free(all[i]);
    release_guarded(p->operands, p->operands_size);
    release_guarded(p->scratch, p->scratch_size);
}

static int64_t tiles_of(const problem *p) { return (p->s.queries + p->how->tile - 1) / p->how->tile; }

static void run_tiles(const problem *p, int64_t first, int64_t end) {
    icseg_attention_operands o;
    buffers b;
    icseg_attention_operands_divide(&o, p->operands, p->s.keys, p->s.depth, PANEL * p->how->group);
    divide(&b, p->scratch, p->s.depth, p->how->tile, p->how->group);
    icseg_attention_quantise_keys(&p->head, &o);
    icseg_attention_quantise_values(&p->head, &o);
    if (p->how->multiplier->begin) p->how->multiplier->begin();
    p->how->run(&p->head, &o, first, end, &b);
    if (p->how->multiplier->end) p->how->multiplier->end();
}

static void run_all(const problem *p) { run_tiles(p, 0, tiles_of(p)); }

static double score(const problem *p, int64_t i, int64_t j) {
    int64_t pitch = p->head.q_pitch;
    double sum = 0;
    for (int64_t d = 0; d < p->s.depth; d++) sum += (double)p->q[i * pitch + d] * (double)p->k[j * pitch + d];
    return sum * (double)p->head.scale;
}

/* The square of the error of row i, and of its norm. */
static void compare_row(const problem *p, int64_t i, double *error, double *norm) {
    int64_t pitch = p->head.q_pitch;
    double top = -INFINITY, sum = 0, want[160] = {0};
    for (int64_t j = 0; j < p->s.keys; j++) top = fmax(top, score(p, i, j));
    for (int64_t j = 0; j < p->s.keys; j++) {
        double e = exp(score(p, i, j) - top);
        sum += e;
        for (int64_t d = 0; d < p->s.depth; d++) want[d] += e * (double)p->v[j * pitch + d];
    }
    for (int64_t d = 0; d < p->s.depth; d++) {
        double expected = want[d] / sum, difference = (double)p->out[i * pitch + d] - expected;
        *error += difference * difference;
        *norm += expected * expected;
    }
}

/* The norm of the error, relative to that of the result. */
static double error_of(const problem *p) {
    double error = 0, norm = 0;
    for (int64_t i = 0; i < p->s.queries; i++) compare_row(p, i, &error, &norm);
    return sqrt(error / norm);
}

static void assert_agrees(const problem *p, double tolerance) {
    double error = error_of(p);
    if (!(error < tolerance)) /* also NaN */
        fail_msg("%s: %lld queries, %lld keys, depth %lld: off by %g of the norm", p->how->multiplier->name,
                 (long long)p->s.queries, (long long)p->s.keys, (long long)p->s.depth, error);
}

static void for_size(void (*test)(problem *p), size s) {
    for (const implementation *i = implementations; i->multiplier; i++) {
        if (!supported(i)) continue;
        problem p = open_problem(s, i);
        test(&p);
        close_problem(&p);
    }
}

static void for_each(void (*test)(problem *p)) {
    if (!chosen()) skip();
    for (const implementation *i = implementations; i->multiplier; i++)
        if (!supported(i)) print_message("skipped: this processor does not support %s\n", i->multiplier->name);
    for (size_t j = 0; j < SIZES; j++) for_size(test, sizes[j]);
}

/* -- the numbers */

static void check_definition(problem *p) {
    float gap = p->out[p->s.depth];
    run_all(p);
    assert_agrees(p, 0.02);
    assert_true(p->out[p->s.depth] == gap); /* nothing is written between rows */
}

static void agrees_with_the_definition(void **state) {
    (void)state;
    for_each(check_definition);
}

static void check_image(problem *p) {
    run_all(p);
    assert_agrees(p, 0.014);
}

static void an_image_has_an_error_near_one_per_cent(void **state) {
    (void)state;
    for_each(check_definition);
    for_size(check_image, (size){60, 1601, 64});
}

static void multiply_channels(float *x, const problem *p, int64_t rows, float factor, float offset) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 3; d < p->s.depth; d += 20) {
            float *at = x + i * p->head.q_pitch + d;
            *at = *at * factor + offset;
        }
}

/* As in trained models: large keys meet small queries, or are the same for all positions. */
static void check_outliers(problem *p) {
    multiply_channels(p->k, p, p->s.keys, 50, 0);
    run_all(p);
    assert_agrees(p, 0.04);
    multiply_channels(p->q, p, p->s.queries, 1.0f / 50, 0);
    run_all(p);
    assert_agrees(p, 0.02);
    multiply_channels(p->k, p, p->s.keys, 1.0f / 50, 50);
    multiply_channels(p->q, p, p->s.queries, 50, 0);
    run_all(p);
    assert_agrees(p, 0.02);
    multiply_channels(p->v, p, p->s.keys, 50, 1000);
    run_all(p);
    assert_agrees(p, 0.02);
}

static void a_few_large_channels_do_not_cost_the_others_their_precision(void **state) {
    (void)state;
    if (!chosen()) skip();
    for_size(check_outliers, (size){60, 500, 64});
    for_size(check_outliers, (size){25, 129, 80});
}

/* Scores that differ by more than e^x can hold, first small and then large: sums are rescaled to nearly 0. */
static void check_large_scores(problem *p) {
    for (int64_t j = 0; j < p->s.keys; j++)
        for (int64_t d = 0; d < p->s.depth; d++) p->k[j * p->head.kv_pitch + d] *= j % 3 ? 3 : (float)(j + 1);
    run_all(p);
    assert_agrees(p, 0.25); /* scores of several hundred have errors above 1 */
}

static void large_scores_do_not_overflow(void **state) {
    (void)state;
    for_each(check_large_scores);
}

/* -- exact results */

static void fill(float *x, const problem *p, int64_t rows, float value) {
    for (int64_t i = 0; i < rows * p->head.q_pitch; i++) x[i] = value;
}

static void assert_rows_are(const problem *p, const float *row, float tolerance) {
    for (int64_t i = 0; i < p->s.queries; i++)
        for (int64_t d = 0; d < p->s.depth; d++)
            assert_true(fabsf(p->out[i * p->head.out_pitch + d] - row[d]) <= tolerance);
}

static void check_zeros(problem *p) {
    fill(p->q, p, p->s.queries, 0);
    run_all(p);
    assert_agrees(p, 0.02); /* the mean of the values */
    fill(p->k, p, p->s.keys, 0);
    fill(p->v, p, p->s.keys, 0);
    run_all(p);
    assert_rows_are(p, p->v, 0);
}

static void zeros_give_the_mean_of_the_values(void **state) {
    (void)state;
    for_each(check_zeros);
}

static void check_constants(problem *p) {
    fill(p->k, p, p->s.keys, -7.25f);
    run_all(p);
    assert_agrees(p, 0.02);
    for (int64_t j = 1; j < p->s.keys; j++)
        memcpy(p->v + j * p->head.kv_pitch, p->v, (size_t)p->s.depth * sizeof *p->v);
    run_all(p);
    assert_rows_are(p, p->v, 0);
}

static void equal_values_are_returned_exactly(void **state) {
    (void)state;
    for_each(check_constants);
}

static void check_one_key(problem *p) {
    run_all(p);
    assert_rows_are(p, p->v, 0);
}

static void one_key_returns_its_value(void **state) {
    (void)state;
    if (!chosen()) skip();
    for_size(check_one_key, (size){50, 1, 64});
    for_size(check_one_key, (size){3, 1, 1});
}

/* -- numbers that are not finite */

static bool row_is_nan(const problem *p, int64_t i) {
    int nan = 0;
    for (int64_t d = 0; d < p->s.depth; d++) nan += isnan(p->out[i * p->head.out_pitch + d]);
    assert_true(nan == 0 || nan == p->s.depth);
    return nan;
}

static void check_bad_queries(problem *p) {
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (int b = 0; b < 4; b++) {
        int64_t at = p->s.queries / 2;
        p->q[at * p->head.q_pitch + p->s.depth - 1] = bad[b];
        run_all(p);
        for (int64_t i = 0; i < p->s.queries; i++) assert_true(row_is_nan(p, i) == (i == at));
    }
}

static void check_bad_keys(problem *p) {
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int b = 0; b < 3; b++) {
        p->k[(p->s.keys - 1) * p->head.kv_pitch + p->s.depth / 2] = bad[b];
        run_all(p);
        for (int64_t i = 0; i < p->s.queries; i++) assert_true(row_is_nan(p, i));
    }
}

static void check_bad_values(problem *p) {
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int b = 0; b < 3; b++) {
        int64_t at = p->s.depth / 2;
        p->v[(p->s.keys - 1) * p->head.kv_pitch + at] = bad[b];
        run_all(p);
        for (int64_t i = 0; i < p->s.queries; i++)
            for (int64_t d = 0; d < p->s.depth; d++) assert_true(isnan(p->out[i * p->head.out_pitch + d]) == (d == at));
    }
}

static void what_is_not_finite_reaches_the_result(void **state) {
    (void)state;
    for_each(check_bad_queries);
    for_each(check_bad_keys);
    for_each(check_bad_values);
}

/* Whether each result is NaN or between the smallest and the largest value. */
static bool lies_between_values(const problem *p) {
    for (int64_t d = 0; d < p->s.depth; d++) {
        float low = INFINITY, high = -INFINITY;
        for (int64_t j = 0; j < p->s.keys; j++) {
            low = fminf(low, p->v[j * p->head.kv_pitch + d]);
            high = fmaxf(high, p->v[j * p->head.kv_pitch + d]);
        }
        float margin = 1e-5f * (high - low);
        for (int64_t i = 0; i < p->s.queries; i++) {
            float x = p->out[i * p->head.out_pitch + d];
            if (!isnan(x) && !(x >= low - margin && x <= high + margin)) return false;
        }
    }
    return true;
}

/* Finite, but sums and squares are not. Large scores have large errors, so that another key may decide. */
static void check_extremes(problem *p) {
    const float sizes_of_numbers[] = {1e20f, 1e30f, 3e38f, 1e-20f, 1e-30f, 1e-44f};
    for (int l = 0; l < 6; l++)
        for (int which = 0; which < 3; which++) {
            float size_here = sizes_of_numbers[l];
            problem other = open_problem(p->s, p->how);
            float *x = which == 0 ? other.q : which == 1 ? other.k : other.v;
            int64_t rows = which == 0 ? p->s.queries : p->s.keys;
            for (int64_t i = 0; i < rows * p->head.q_pitch; i++) x[i] = copysignf(size_here, x[i]);
            run_all(&other);
            if (!lies_between_values(&other)) fail_msg("%g in tensor %d", (double)size_here, which);
            if (size_here < 1 && which < 2) assert_agrees(&other, 0.02);
            close_problem(&other);
        }
}

/* One key decides, or takes no part. */
static void check_one_large_key(problem *p) {
    const float factor[] = {1e4f, 1e12f, 1e25f, 1e36f, 1e38f};
    for (int f = 0; f < 5; f++) {
        problem other = open_problem(p->s, p->how);
        float *key = other.k + 3 * p->head.kv_pitch;
        for (int64_t d = 0; d < p->s.depth; d++) key[d] = fminf(fmaxf(key[d] * factor[f], -3e38f), 3e38f);
        run_all(&other);
        for (int64_t i = 0; i < p->s.queries; i++) {
            double error = 0, norm = 0;
            compare_row(&other, i, &error, &norm);
            if (!isnan(error) && !(error < 0.01 * norm))
                fail_msg("%g: row %lld is off by %g of %g", (double)factor[f], (long long)i, sqrt(error), sqrt(norm));
        }
        close_problem(&other);
    }
}

static void extreme_numbers_give_no_wrong_result(void **state) {
    (void)state;
    if (!chosen()) skip();
    for_size(check_one_large_key, (size){20, 40, 64});
    for_size(check_one_large_key, (size){20, 300, 64});
    for_size(check_extremes, (size){10, 40, 64});
}

/* -- equal bits */

static void check_single_tiles(problem *p) {
    int64_t floats = p->s.queries * p->head.out_pitch;
    run_all(p);
    float *all = icseg_alloc_array((size_t)floats, sizeof *all);
    assert_non_null(all);
    memcpy(all, p->out, (size_t)floats * sizeof *all);
    for (int64_t t = tiles_of(p) - 1; t >= 0; t--) run_tiles(p, t, t + 1);
    assert_memory_equal(all, p->out, (size_t)floats * sizeof *all);
    icseg_free(all);
}

static void tiles_do_not_depend_on_each_other(void **state) {
    (void)state;
    for_each(check_single_tiles);
}

static void all_kinds_of_processors_give_the_same_bits(void **state) {
    (void)state;
    if (!chosen()) skip();
    for (size_t j = 0; j < SIZES; j++) {
        problem first = open_problem(sizes[j], chosen());
        size_t bytes = (size_t)(sizes[j].queries * first.head.out_pitch) * sizeof *first.out;
        run_all(&first);
        for (const implementation *i = chosen() + 1; i->multiplier; i++) {
            if (!supported(i)) continue;
            problem p = open_problem(sizes[j], i);
            run_all(&p);
            assert_memory_equal(first.out, p.out, bytes);
            close_problem(&p);
        }
        close_problem(&first);
    }
}

/* -- the operator */

enum { BATCH = 2, ROWS = 400, HEADS = 3, DEPTH = 20, WIDTH = HEADS * DEPTH, COUNT = BATCH * ROWS * WIDTH };

typedef enum mode { F32, INT8, RECORDING, WITHOUT_RANGES, GRID } mode;

static void ok(icseg_status status, const icseg_error *error) {
    if (status != ICSEG_OK) fail_msg("%s", error->message);
}

/* attention_packed, or attention over a grid, of the same random input. Returns the precision. */
static icseg_product_precision run_operator(mode m, float *out) {
    icseg_error error;
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    icseg_activation_ranges *ranges;
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 1);
    float *x = values(&rng, 3 * COUNT);
    ok(icseg_activation_ranges_open(&ranges, &error), &error);
    ok(icseg_graph_open(&g, false, &error), &error);
    if (m == RECORDING) icseg_activation_ranges_record(ranges, true);
    if (m != F32) icseg_graph_use_precision(g, ICSEG_PRODUCT_INT8, m == WITHOUT_RANGES ? NULL : ranges);
    icseg_value in = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(BATCH, ROWS, m == GRID ? WIDTH : 3 * WIDTH));
    icseg_attention_grid grid = {ROWS / 10, 10, 1};
    icseg_value result =
        m == GRID ? icseg_grid_attention(g, in, in, in, HEADS, grid) : icseg_attention_packed(g, in, HEADS);
    icseg_graph_keep(g, result, "out");
    ok(icseg_workspace_open(&workspace, &error), &error);
    ok(icseg_executor_open(&executor, g, workspace, &error), &error);
    icseg_executor_bind(executor, in, x);
    ok(icseg_executor_run(executor, 0, 0, &error), &error);
    memcpy(out, icseg_executor_data(executor, result), COUNT * sizeof *out);
    icseg_product_precision precision =
        icseg_executor_program(executor)->kernels[icseg_graph_value(g, result)->producer].precision;
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
    icseg_activation_ranges_close(&ranges);
    icseg_free(x);
    return precision;
}

static double difference(const float *a, const float *b) {
    double error = 0, norm = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        error += pow((double)a[i] - (double)b[i], 2);
        norm += pow((double)b[i], 2);
    }
    return sqrt(error / norm);
}

static void only_calibrated_graphs_use_int8(void **state) {
    (void)state;
    static float f32[COUNT], other[COUNT];
    assert_int_equal(run_operator(F32, f32), ICSEG_PRODUCT_F32);
    assert_int_equal(run_operator(RECORDING, other), ICSEG_PRODUCT_F32);
    assert_memory_equal(f32, other, sizeof f32);
    assert_int_equal(run_operator(WITHOUT_RANGES, other), ICSEG_PRODUCT_F32);
    assert_memory_equal(f32, other, sizeof f32);
    assert_int_equal(run_operator(GRID, other), ICSEG_PRODUCT_F32);
    bool fast = chosen();
    assert_int_equal(run_operator(INT8, other), fast ? ICSEG_PRODUCT_INT8 : ICSEG_PRODUCT_F32);
    assert_true(!fast || memcmp(f32, other, sizeof f32));
    assert_true(difference(other, f32) < 0.02);
}

static void few_rows_and_deep_heads_stay_f32(void **state) {
    (void)state;
    assert_int_equal(icseg_attention_int8_is_faster(100, 100, 64), chosen() != NULL);
    assert_false(icseg_attention_int8_is_faster(31, 100, 64));
    assert_false(icseg_attention_int8_is_faster(100, 31, 64));
    assert_false(icseg_attention_int8_is_faster(100, 100, 513)); /* f32 does not hold all sums of much deeper heads */
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    static float first[COUNT], other[COUNT];
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
    run_operator(INT8, first);
    for (int n = 2; n < 8; n += 2) {
        omp_set_num_threads(n);
        run_operator(INT8, other);
        assert_memory_equal(first, other, sizeof first);
    }
    omp_set_num_threads(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_definition),
        cmocka_unit_test(an_image_has_an_error_near_one_per_cent),
        cmocka_unit_test(a_few_large_channels_do_not_cost_the_others_their_precision),
        cmocka_unit_test(large_scores_do_not_overflow),
        cmocka_unit_test(zeros_give_the_mean_of_the_values),
        cmocka_unit_test(equal_values_are_returned_exactly),
        cmocka_unit_test(one_key_returns_its_value),
        cmocka_unit_test(what_is_not_finite_reaches_the_result),
        cmocka_unit_test(extreme_numbers_give_no_wrong_result),
        cmocka_unit_test(tiles_do_not_depend_on_each_other),
        cmocka_unit_test(all_kinds_of_processors_give_the_same_bits),
        cmocka_unit_test(only_calibrated_graphs_use_int8),
        cmocka_unit_test(few_rows_and_deep_heads_stay_f32),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

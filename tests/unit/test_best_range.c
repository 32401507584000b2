/* SPDX-License-Identifier: Apache-2.0
 * The range of a tensor for its quantisation, by each rule, on distributions whose best range is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "graph/best_range.h"

enum { COUNT = 1 << 22, STEPS = 255 };
static float x[COUNT];

static const icseg_range_rule mse = {ICSEG_RANGE_MSE, 0}, all = {ICSEG_RANGE_MAX, 0};

static void fill(float low, float high) {
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 0);
    for (int i = 0; i < COUNT; i++) x[i] = icseg_rng_range(&rng, low, high);
}

static void is_near(float value, double expected, double tolerance) {
    if (!(fabs((double)value - expected) <= tolerance))
        fail_msg("%g is not within %g of %g", (double)value, tolerance, expected);
}

static icseg_activation_range percentile(double p) {
    return icseg_best_range(x, COUNT, (icseg_range_rule){ICSEG_RANGE_PERCENTILE, p});
}

static void the_rule_max_covers_all_values(void **state) {
    (void)state;
    fill(-1, 2);
    x[5] = 70;
    x[6] = -3;
    icseg_activation_range r = icseg_best_range(x, COUNT, all);
    assert_true(r.low == -3 && r.high == 70);
    fill(1, 2);
    assert_true(icseg_best_range(x, COUNT, all).low == 0); /* 0 is always a byte */
    memset(x, 0, sizeof x);
    assert_true(icseg_best_range(x, COUNT, all).high == 0);
}

static void percentiles_leave_out_a_share_on_each_side(void **state) {
    (void)state;
    fill(-1, 3);
    icseg_activation_range r = percentile(99);
    is_near(r.low, -1 + 0.04, 0.004);
    is_near(r.high, 3 - 0.04, 0.004);
    r = percentile(75);
    is_near(r.low, 0, 0.004); /* a bin is 4 / 2048 */
    is_near(r.high, 2, 0.01);
    r = percentile(100);
    assert_true(r.low < -0.999f && r.high > 2.999f);
    fill(0, 1);
    assert_true(percentile(99.9).low == 0);
    is_near(percentile(99.9).high, 0.999, 0.001);
}

static void a_percentile_is_exact_beside_huge_values(void **state) {
    (void)state;
    fill(0, 1);
    for (int i = 0; i < 100; i++) x[31 * i] = 1e5f; /* 0.002 % */
    is_near(percentile(99).high, 0.99, 0.002);
}

/* Of n values that are even in [0, 0.01] and one that is 1, h clamps 1 - h and rounds to steps of h / 255: the error
 * (1 - h)^2 + n (h / 255)^2 / 12 is smallest at 1 / (1 + n / 255^2 / 12). */
static void the_least_error_is_found_beside_a_value_100_times_the_others(void **state) {
    (void)state;
    fill(0, 0.01f);
    x[77] = 1;
    double best = 1 / (1 + (double)COUNT / STEPS / STEPS / 12);
    icseg_activation_range r = icseg_best_range(x, COUNT, mse);
    assert_true(r.low == 0);
    is_near(r.high, best, 0.03 * best);
    for (int i = 0; i < COUNT; i++) x[i] = -x[i];
    is_near(icseg_best_range(x, COUNT, mse).low, -best, 0.03 * best);
}

static void even_values_are_not_clamped(void **state) {
    (void)state;
    fill(-2, 1);
    icseg_activation_range r = icseg_best_range(x, COUNT, mse);
    is_near(r.low, -2, 0.001);
    is_near(r.high, 1, 0.001);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_max_covers_all_values),
        cmocka_unit_test(percentiles_leave_out_a_share_on_each_side),
        cmocka_unit_test(a_percentile_is_exact_beside_huge_values),
        cmocka_unit_test(the_least_error_is_found_beside_a_value_100_times_the_others),
        cmocka_unit_test(even_values_are_not_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

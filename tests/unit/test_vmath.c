/* SPDX-License-Identifier: Apache-2.0
 * Functions for vector loops against those of libm. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/vmath.h"

static void near(const char *name, double x, double value, double expected, double bound) {
    if (!(fabs(value - expected) <= bound)) fail_msg("%s(%g) is %.9g in place of %.9g", name, x, value, expected);
}

static void exponentials_have_small_relative_errors(void **state) {
    (void)state;
    for (double x = -86.5; x < 87.5; x += 0.0137) {
        double expected = exp((double)(float)x);
        near("icseg_exp", x, (double)icseg_exp((float)x), expected, 3e-7 * expected);
        near("icseg_exp_below", x, (double)icseg_exp_below((float)x), expected, 3e-7 * expected);
    }
    assert_true(icseg_exp(-1000) > 0 && icseg_exp(-1000) < 1e-37f);
    assert_true(icseg_exp(-INFINITY) == icseg_exp(-87) && icseg_exp_below(-INFINITY) == icseg_exp(-87));
    assert_true(icseg_exp(1000) == icseg_exp(88) && isfinite(icseg_exp(1000)));
    assert_true(isnan(icseg_exp(NAN)) && isnan(icseg_exp_below(NAN)));
}

static void powers_of_2_have_small_relative_errors(void **state) {
    (void)state;
    for (double x = -124.5; x < 126.5; x += 0.0137) {
        double expected = exp2((double)(float)x);
        near("icseg_exp2_below", x, (double)icseg_exp2_below((float)x), expected, 3e-7 * expected);
    }
    assert_true(icseg_exp2_below(0) == 1 && icseg_exp2_below(-3) == 0.125f);
    assert_true(icseg_exp2_below(-INFINITY) == icseg_exp2_below(-125) && icseg_exp2_below(-1000) > 0);
    assert_true(isnan(icseg_exp2_below(NAN)));
}

static void gelu_is_exact_to_single_precision(void **state) {
    (void)state;
    for (double x = -12; x < 12; x += 0.00137) {
        double f = (double)(float)x;
        near("icseg_erf", f, (double)icseg_erf((float)x), erf(f), 6e-7);
        near("icseg_exact_gelu", f, (double)icseg_exact_gelu((float)x), f / 2 * (1 + erf(f / sqrt(2))),
             3e-7 * fabs(f) + 1e-12);
    }
    assert_true(icseg_erf(INFINITY) == 1 && icseg_erf(-INFINITY) == -1 && isnan(icseg_erf(NAN)));
    assert_true(icseg_exact_gelu(INFINITY) == INFINITY && isnan(icseg_exact_gelu(NAN)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponentials_have_small_relative_errors),
        cmocka_unit_test(powers_of_2_have_small_relative_errors),
        cmocka_unit_test(gelu_is_exact_to_single_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

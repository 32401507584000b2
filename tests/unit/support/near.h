/* SPDX-License-Identifier: Apache-2.0
 * Comparison of numbers with a tolerance. */
#ifndef ICSEG_TESTS_NEAR_H
#define ICSEG_TESTS_NEAR_H

#include <math.h>

/* For cmocka's assert_float_equal, NaN and infinity are equal to anything. */
#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Numbers that are equal but for a tolerance. */
#ifndef ICSEG_TESTS_NEAR_H
#define ICSEG_TESTS_NEAR_H

#include <math.h>

/* cmocka's assert_float_equal takes NaN and infinity for equal to anything. */
#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

#endif

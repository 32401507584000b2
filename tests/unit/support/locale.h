/* SPDX-License-Identifier: Apache-2.0
 * A locale with decimal commas, on any machine. */
#ifndef ICSEG_TESTS_LOCALE_H
#define ICSEG_TESTS_LOCALE_H

/* Numbers of the program's C library have a comma from here on. Fails the test where that cannot be had. */
void test_decimal_commas(void);
/* As the program began. */
void test_decimal_points(void);

#endif

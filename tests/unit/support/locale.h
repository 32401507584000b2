/* SPDX-License-Identifier: Apache-2.0
 * A locale with decimal commas, on any machine. */
#ifndef ICSEG_TESTS_LOCALE_H
#define ICSEG_TESTS_LOCALE_H

/* Makes the C library write numbers with a decimal comma. Fails the test when that is not possible. */
void test_decimal_commas(void);
/* Restores the locale of the program's start. */
void test_decimal_points(void);

#endif

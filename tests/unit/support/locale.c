/* SPDX-License-Identifier: Apache-2.0 */
#include "support/locale.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* glibc's compiled category, as localedef writes it for `decimal_point ","` and no grouping: a magic number, the number
 * of fields, the offset of each, the fields. */
static const unsigned char lc_numeric[] = "\x14\x11\x03\x20\x06\0\0\0"
                                          "\x20\0\0\0\x22\0\0\0\x23\0\0\0\x24\0\0\0\x28\0\0\0\x2c\0\0\0"
                                          ",\0\0\0,\0\0\0,\0\0\0\0\0\0\0ANSI_X3.4-1968";

void test_decimal_commas(void) {
    char folder[] = "/tmp/icseg_locale_XXXXXX", locale[64], path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(locale, sizeof locale, "%s/comma", folder);
    snprintf(path, sizeof path, "%s/comma/LC_NUMERIC", folder);
    assert_int_equal(mkdir(locale, 0777), 0);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(lc_numeric, sizeof lc_numeric, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(setenv("LOCPATH", folder, 1), 0);
    const char *set = setlocale(LC_NUMERIC, "comma");
    unsetenv("LOCPATH");
    unlink(path);
    rmdir(locale);
    rmdir(folder);
    assert_non_null(set);
    assert_string_equal(localeconv()->decimal_point, ",");
}

void test_decimal_points(void) { assert_non_null(setlocale(LC_NUMERIC, "C")); }

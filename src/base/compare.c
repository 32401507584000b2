/* SPDX-License-Identifier: Apache-2.0
 * Comparisons for qsort and bsearch. */
#include "base/compare.h"

#include <string.h>

int icseg_compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int icseg_compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* SPDX-License-Identifier: Apache-2.0
 * Comparisons for qsort and bsearch. */
#ifndef ICSEG_BASE_COMPARE_H
#define ICSEG_BASE_COMPARE_H

int icseg_compare_names(const void *a, const void *b);   /* elements are char *; in byte order */
int icseg_compare_doubles(const void *a, const void *b); /* elements are double, not NaN; ascending */

#endif

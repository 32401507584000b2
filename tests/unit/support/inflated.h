/* SPDX-License-Identifier: Apache-2.0
 * Counts what zlib decompresses, in libicseg and in the libraries that it uses: the work that a file causes, without a
 * clock. */
#ifndef TESTS_SUPPORT_INFLATED_H
#define TESTS_SUPPORT_INFLATED_H

#include <stdint.h>

/* Bytes since the last call. */
uint64_t test_inflated(void);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Failing allocations of the libraries that libicseg uses. A test program that calls these functions replaces malloc,
 * calloc, realloc, posix_memalign and aligned_alloc, for all shared libraries in the process. */
#ifndef TESTS_SUPPORT_HEAP_H
#define TESTS_SUPPORT_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* The n-th allocation from now (0: the next) and all after it fail; < 0 switches it off. (jansson loses characters when
 * only one fails.) libicseg's own allocations, which icseg_memory_fail_after covers, do not count, nor do those of the
 * loader, the OpenMP runtime, the sanitizers and oneDNN, which end the process when one fails. Returns whether one has
 * failed since the last call. */
bool test_heap_fail_after(int64_t n);

#endif

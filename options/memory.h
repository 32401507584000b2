/* SPDX-License-Identifier: Apache-2.0
 * Allocation: every block is 64-byte aligned, every size is overflow-checked, and tests can make the n-th one fail. */
#ifndef ICSEG_OPTIONS_MEMORY_H
#define ICSEG_OPTIONS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Under the address sanitizer, every block is an allocation of exactly its size, so that an access to the first byte
 * beyond it is reported; arenas do not combine blocks. GCC and clang announce the sanitizer in different ways. */
#if defined(__SANITIZE_ADDRESS__)
#define ICSEG_EXACT_BLOCKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ICSEG_EXACT_BLOCKS 1
#endif
#endif
#ifndef ICSEG_EXACT_BLOCKS
#define ICSEG_EXACT_BLOCKS 0
#endif

/* NULL when out of memory or when count * size overflows. Free blocks with icseg_free. A block of size 0 is valid. */
void *icseg_alloc(size_t bytes);
void *icseg_alloc_array(size_t count, size_t size);
void *icseg_calloc_array(size_t count, size_t size);
/* Grows or shrinks an array of `old_count` elements. Returns NULL on failure; the old block is then unchanged. */
void *icseg_realloc_array(void *block, size_t old_count, size_t count, size_t size);
char *icseg_strdup(const char *text);
void icseg_free(void *block);

/* Test hook, process-wide: the n-th allocation from now fails (0: the next one), and later ones succeed. A negative n
 * disarms the hook. Returns whether the hook was disarmed: true after an allocation has failed. */
bool icseg_memory_fail_after(int64_t n);

#endif

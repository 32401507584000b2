/* SPDX-License-Identifier: Apache-2.0
 * Allocation: every block is 64-byte aligned, every size is overflow-checked, and tests can make the n-th one fail. */
#ifndef ICSEG_OPTIONS_MEMORY_H
#define ICSEG_OPTIONS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Under the address sanitizer every block is an allocation of exactly its size, so that the first byte beyond it is
 * noticed; arenas put nothing together. GCC and clang say it in different ways. */
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

/* NULL when out of memory or when count * size overflows. Freed with icseg_free. A size of 0 gives a valid block. */
void *icseg_alloc(size_t bytes);
void *icseg_alloc_array(size_t count, size_t size);
void *icseg_calloc_array(size_t count, size_t size);
/* Grows or shrinks an array of `old_count` elements; on failure the old block stays as it was and NULL is returned. */
void *icseg_realloc_array(void *block, size_t old_count, size_t count, size_t size);
char *icseg_strdup(const char *text);
void icseg_free(void *block);

/* Test hook, process-wide: the n-th allocation from now fails (0 = the next), then all work again; < 0 switches it off.
 * Returns whether the hook was off: switching it off returns true if an allocation has failed. */
bool icseg_memory_fail_after(int64_t n);

#endif

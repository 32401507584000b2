/* SPDX-License-Identifier: Apache-2.0
 * Allocation: every block is 64-byte aligned, every size is overflow-checked, and tests can make the n-th one fail. */
#ifndef ICSEG_BASE_MEMORY_H
#define ICSEG_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* NULL when out of memory or when count * size overflows. Freed with icseg_free. A size of 0 gives a valid block. */
void *icseg_alloc(size_t bytes);
void *icseg_alloc_array(size_t count, size_t size);
void *icseg_calloc_array(size_t count, size_t size);
/* Grows or shrinks an array of `old_count` elements; on failure the old block stays as it was and NULL is returned. */
void *icseg_realloc_array(void *block, size_t old_count, size_t count, size_t size);
char *icseg_strdup(const char *text);
void icseg_free(void *block);

/* Test hook, process-wide: the n-th allocation from now fails (0 = the next), then all work again; < 0 switches it off.
 */
void icseg_memory_fail_after(int64_t n);

/* An arena: many small blocks, freed together. Blocks are 16-byte aligned. */
typedef struct icseg_arena icseg_arena;
icseg_status icseg_arena_open(icseg_arena **out, icseg_error *error);
void icseg_arena_close(icseg_arena **arena);
void *icseg_arena_alloc(icseg_arena *arena, size_t bytes);                  /* zeroed; NULL when out of memory */
void *icseg_arena_array(icseg_arena *arena, size_t count, size_t size);     /* the same, overflow-checked */
void *icseg_arena_copy(icseg_arena *arena, const void *from, size_t bytes); /* NULL when out of memory */
char *icseg_arena_strdup(icseg_arena *arena, const char *text);
char *icseg_arena_printf(icseg_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The largest resident set this process has had, in bytes; 0 when the system does not tell. */
size_t icseg_memory_peak(void);

#endif

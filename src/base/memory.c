/* SPDX-License-Identifier: Apache-2.0
 * Aligned allocation, arenas, the failure hook. */
#include "base/memory.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "icseg/memory.h"

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20, PAGE = 64 << 10, ARENA_ALIGNMENT = 16, ARENA_CHUNK = 64 * 1024 };

/* The one process-wide state of the library, and tests only write it: counts down to the allocation that fails. */
static _Atomic int64_t fail_countdown = -1;

void icseg_memory_fail_after(int64_t n) { atomic_store(&fail_countdown, n); }

static int should_fail(void) {
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) < 0) return 0;
    return atomic_fetch_sub(&fail_countdown, 1) == 0;
}

/* PAGE is a multiple of what any system calls a page. */
static size_t whole_pages(size_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

/* Activations and weights in pages of 2 MB, where the system has them: fewer page faults and TLB misses (a training
 * step gains several per cent, docs/performance.md). What is over the last whole one stays in small pages: rounded up,
 * a model of many 7 and 9 MB tensors would take a tenth more. */
static void *alloc_huge(size_t bytes) {
    void *block;
    if (posix_memalign(&block, HUGE_PAGE, whole_pages(bytes)) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    madvise(block, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* advice: that it is not taken is no failure */
#endif
    return block;
}

void *icseg_alloc(size_t bytes) {
    if (should_fail() || bytes > SIZE_MAX - HUGE_PAGE) return NULL;
    if (bytes >= 2 * HUGE_PAGE) return alloc_huge(bytes);
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return aligned_alloc(ALIGNMENT, rounded ? rounded : ALIGNMENT);
}

void *icseg_alloc_array(size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : icseg_alloc(bytes);
}

void *icseg_calloc_array(size_t count, size_t size) {
    void *block = icseg_alloc_array(count, size);
    if (!block) return NULL;
#ifdef MADV_DONTNEED /* large blocks are whole pages: given back, they read as zero, and cost nothing until then */
    if (count * size >= 2 * HUGE_PAGE && madvise(block, whole_pages(count * size), MADV_DONTNEED) == 0) return block;
#endif
    return memset(block, 0, count * size);
}

void *icseg_realloc_array(void *block, size_t old_count, size_t count, size_t size) {
    void *grown = icseg_alloc_array(count, size);
    if (!grown) return NULL;
    if (block) memcpy(grown, block, (old_count < count ? old_count : count) * size);
    icseg_free(block);
    return grown;
}

char *icseg_strdup(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = icseg_alloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

void icseg_free(void *block) { free(block); }

void icseg_buffer_free(void *buffer) { icseg_free(buffer); }

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(ARENA_ALIGNMENT) unsigned char data[];
} chunk;

struct icseg_arena {
    chunk *head;
};

icseg_status icseg_arena_open(icseg_arena **out, icseg_error *error) {
    *out = icseg_calloc_array(1, sizeof **out);
    return *out ? ICSEG_OK : icseg_fail_memory(error, sizeof **out, "an arena");
}

void icseg_arena_close(icseg_arena **arena) {
    if (!arena || !*arena) return;
    for (chunk *c = (*arena)->head; c;) {
        chunk *next = c->next;
        icseg_free(c);
        c = next;
    }
    icseg_free(*arena);
    *arena = NULL;
}

void *icseg_arena_alloc(icseg_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    chunk *c = arena->head;
    if (!c || c->size - c->used < bytes) {
        size_t size = bytes > ARENA_CHUNK ? bytes : ARENA_CHUNK;
        c = icseg_alloc(sizeof *c + size);
        if (!c) return NULL;
        *c = (chunk){.next = arena->head, .size = size};
        arena->head = c;
    }
    void *block = c->data + c->used;
    c->used += bytes;
    return memset(block, 0, bytes);
}

void *icseg_arena_array(icseg_arena *arena, size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : icseg_arena_alloc(arena, bytes);
}

void *icseg_arena_copy(icseg_arena *arena, const void *from, size_t bytes) {
    void *copy = icseg_arena_alloc(arena, bytes);
    return copy && bytes ? memcpy(copy, from, bytes) : copy;
}

char *icseg_arena_strdup(icseg_arena *arena, const char *text) {
    return icseg_arena_copy(arena, text, strlen(text) + 1);
}

char *icseg_arena_printf(icseg_arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : icseg_arena_alloc(arena, (size_t)length + 1);
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

size_t icseg_memory_peak(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}

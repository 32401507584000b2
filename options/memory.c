/* SPDX-License-Identifier: Apache-2.0
 * Aligned allocation and the failure hook. */
#include "options/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

/* Counts down to the allocation that fails; only tests write it. */
static _Atomic int64_t fail_countdown = -1;

bool icseg_memory_fail_after(int64_t n) { return atomic_exchange(&fail_countdown, n) < 0; }

static int should_fail(void) {
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) < 0) return 0;
    return atomic_fetch_sub(&fail_countdown, 1) == 0;
}

/* Precedes every block. Large blocks are mapped: they start as zeros, take no memory until they are written to, and
 * return to the system when they are freed, while the C library's heap would keep some of them. */
typedef struct header {
    size_t mapped; /* bytes from `start`; 0: from the heap */
    void *start;
} header;

static void *with_header(void *block, void *start, size_t mapped) {
    *(header *)(void *)((char *)block - ALIGNMENT) = (header){mapped, start};
    return block;
}

static const size_t MAP_THRESHOLD = 1 << 20; /* bytes */

/* Blocks of 4 MiB and more use pages of 2 MiB where the system has them, which saves page faults and TLB misses: a
 * training step gains several per cent (docs/performance.md). */
static void *alloc_mapped(size_t bytes) {
    size_t alignment = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : ALIGNMENT, mapped = bytes + alignment + ALIGNMENT;
    char *start = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return NULL;
    char *block = start + ALIGNMENT;
    block += (alignment - (uintptr_t)block % alignment) % alignment;
#ifdef MADV_HUGEPAGE
    if (alignment == HUGE_PAGE) madvise(block, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* a hint */
#endif
    return with_header(block, start, mapped);
}

static void *alloc_exact(size_t bytes) {
    void *block;
    return posix_memalign(&block, ALIGNMENT, bytes) == 0 ? block : NULL;
}

void *icseg_alloc(size_t bytes) {
    if (should_fail() || bytes > SIZE_MAX / 2) return NULL;
    if (ICSEG_EXACT_BLOCKS) return alloc_exact(bytes);
    if (bytes >= MAP_THRESHOLD) return alloc_mapped(bytes);
    char *start = aligned_alloc(ALIGNMENT, ALIGNMENT + (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    return start ? with_header(start + ALIGNMENT, start, 0) : NULL;
}

void icseg_free(void *block) {
    if (!block) return;
    if (ICSEG_EXACT_BLOCKS) {
        free(block);
        return;
    }
    const header *h = (const header *)(const void *)((char *)block - ALIGNMENT);
    if (h->mapped)
        munmap(h->start, h->mapped);
    else
        free(h->start);
}

void *icseg_alloc_array(size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : icseg_alloc(bytes);
}

void *icseg_calloc_array(size_t count, size_t size) {
    void *block = icseg_alloc_array(count, size);
    if (!block || (!ICSEG_EXACT_BLOCKS && count * size >= MAP_THRESHOLD)) return block; /* mapped: already zero */
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

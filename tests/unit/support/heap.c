/* SPDX-License-Identifier: Apache-2.0
 * The replaced allocation functions, in front of the C library's or the sanitizer's. */
#include "support/heap.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* GCC */
#define SANITIZED
#elif defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#ifdef SANITIZED
#define REAL(name) __interceptor_##name
void *__interceptor_malloc(size_t size);
void *__interceptor_calloc(size_t count, size_t size);
void *__interceptor_realloc(void *block, size_t size);
void *__interceptor_aligned_alloc(size_t alignment, size_t size);
#else
#define REAL(name)           __libc_##name
#define __libc_aligned_alloc __libc_memalign
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
#endif

enum { SPARED = 64 };
static const int64_t OFF = INT64_MAX;

/* Code whose allocations do not fail. */
static struct { uintptr_t begin, end; } spared[SPARED];
static int spared_count = -1;
static _Atomic int64_t countdown = INT64_MAX; /* the number that succeed before all fail; OFF: all */

static int spare(struct dl_phdr_info *info, size_t size, void *data) {
    static const char *const names[] = {
        "libgomp", "ld-linux",  "libasan", "libubsan", "libtsan", "libcmocka",
        "libdnnl", "libstdc++", "libav",   "libsw",    "libx26", /* FFmpeg ends the process when a codec has no memory
                                                                  */
#ifdef SANITIZED
        "libc.so", /* a sanitizer ends the process when it cannot find the bounds of a new thread's stack */
#endif
    };
    (void)size, (void)data;
    bool found = !info->dlpi_name[0]; /* the program, with libicseg in it */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) found = found || strstr(info->dlpi_name, names[i]);
    for (int i = 0; found && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || spared_count == SPARED) continue;
        spared[spared_count].begin = info->dlpi_addr + segment->p_vaddr;
        spared[spared_count].end = spared[spared_count].begin + segment->p_memsz;
        spared_count++;
    }
    return 0;
}

bool test_heap_fail_after(int64_t n) {
    if (spared_count < 0) {
        spared_count = 0;
        dl_iterate_phdr(spare, NULL);
    }
    return atomic_exchange(&countdown, n < 0 ? OFF : n) < 0;
}

static bool should_fail(void *caller) {
    if (atomic_load_explicit(&countdown, memory_order_relaxed) == OFF) return false;
    for (int i = 0; i < spared_count; i++)
        if ((uintptr_t)caller >= spared[i].begin && (uintptr_t)caller < spared[i].end) return false;
    if (atomic_fetch_sub(&countdown, 1) > 0) return false;
    errno = ENOMEM;
    return true;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size) { return should_fail(CALLER) ? NULL : REAL(malloc)(size); }
void *calloc(size_t count, size_t size) { return should_fail(CALLER) ? NULL : REAL(calloc)(count, size); }
void *realloc(void *block, size_t size) { return should_fail(CALLER) ? NULL : REAL(realloc)(block, size); }

void *aligned_alloc(size_t alignment, size_t size) {
    return should_fail(CALLER) ? NULL : REAL(aligned_alloc)(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    void *block =
        should_fail(CALLER) ? NULL : REAL(aligned_alloc)(alignment, (size + alignment - 1) / alignment * alignment);
    if (!block) return ENOMEM;
    *out = block;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * The process's peak memory, and the public allocation functions. */
#include "base/memory.h"

#include <sys/resource.h>

#include "icseg/memory.h"

void icseg_buffer_free(void *buffer) { icseg_free(buffer); }

size_t icseg_memory_peak(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}

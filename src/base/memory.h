/* SPDX-License-Identifier: Apache-2.0
 * Memory: blocks and arenas (from the option library) and the peak memory of the process. */
#ifndef ICSEG_BASE_MEMORY_H
#define ICSEG_BASE_MEMORY_H

#include "base/error.h"
#include "options/arena.h"
#include "options/memory.h"
#include "options/poison.h"

/* The largest resident set this process has had, in bytes; 0 when the system does not say. */
size_t icseg_memory_peak(void);
/* The resident set of this process now. */
size_t icseg_memory_resident(void);
/* The largest resident set that this process can reach now: what the system has available, within the limits of its
 * control groups and its resource limits (RLIMIT_AS, RLIMIT_DATA). SIZE_MAX when the system does not say. */
size_t icseg_memory_allowance(void);

/* What the control group of the folder `group`, or one above it up to the folder `root`, still lets its processes
 * allocate (memory.max of version 2, memory.limit_in_bytes of version 1); files that can be dropped from memory do not
 * count. SIZE_MAX: no limit. */
size_t icseg_memory_of_group(const char *root, const char *group);

#endif

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

#endif

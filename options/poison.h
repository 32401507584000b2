/* SPDX-License-Identifier: Apache-2.0
 * Manual poisoning: under the address sanitizer, an access to a poisoned region ends the process with a report. It
 * marks parts of blocks, of which the sanitizer does not know by itself. Does nothing in other builds. */
#ifndef ICSEG_OPTIONS_POISON_H
#define ICSEG_OPTIONS_POISON_H

#include <stddef.h>

#include "options/memory.h"

#if ICSEG_EXACT_BLOCKS
#include <sanitizer/asan_interface.h>
#define ICSEG_POISON(address, bytes)   __asan_poison_memory_region(address, bytes)
#define ICSEG_UNPOISON(address, bytes) __asan_unpoison_memory_region(address, bytes)
#else
#define ICSEG_POISON(address, bytes)   ((void)(address), (void)(bytes))
#define ICSEG_UNPOISON(address, bytes) ((void)(address), (void)(bytes))
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The number of OpenMP threads of the library's own work. A caller's settings are restored when the work is done, and
 * they have no influence on it: results depend on the number of threads that the object was opened with. */
#ifndef ICSEG_BASE_THREADS_H
#define ICSEG_BASE_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* The calling thread's OpenMP settings before icseg_threads_enter. */
typedef struct icseg_threads {
    int count, dynamic, active_levels;
} icseg_threads;

enum { ICSEG_MAX_THREADS = 1024 }; /* that any part of the library accepts */

/* ICSEG_ERROR_ARGUMENT with the field "threads" unless `threads`, an option, is 0..ICSEG_MAX_THREADS. */
icseg_status icseg_threads_check(int32_t threads, icseg_error *error);

/* The number of threads of an object that is opened with `threads`: icseg_cores() for 0 and for negative values, and
 * never more than OpenMP's thread limit. */
int icseg_threads_resolve(int threads);

/* Parallel regions of the calling thread have exactly `threads` threads until icseg_threads_leave. Calls nest. Do not
 * enter inside an active parallel region: teams there have one thread, and oneDNN refuses to run. */
icseg_threads icseg_threads_enter(int threads);
void icseg_threads_leave(icseg_threads before);

/* Calls work(user) with `threads` threads and returns its status. The work runs on the calling thread, or on a new
 * thread if the calling thread is inside an active parallel region and cannot have a team of its own. */
icseg_status icseg_threads_run(int threads, icseg_status (*work)(void *user), void *user, icseg_error *error);

#endif

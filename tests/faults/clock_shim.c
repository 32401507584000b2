/* SPDX-License-Identifier: Apache-2.0
 * A library for LD_PRELOAD, in which clocks go wrong. For scripts/faults.sh. FAULT_CLOCK says how:
 *
 *   SECONDS   the wall clock stays at this time
 *   jumps     the wall clock jumps back and forth by years with every call
 *   frozen    the monotonic clock stays too */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static bool is_monotonic(clockid_t clock) {
    return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE ||
           clock == CLOCK_BOOTTIME;
}

static time_t wall_clock(void) {
    static atomic_uint calls;
    const char *how = getenv("FAULT_CLOCK");
    if (how && !strcmp(how, "jumps")) return (time_t)(atomic_fetch_add(&calls, 1) * 2654435761u);
    return how ? (time_t)strtoll(how, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    const char *how = getenv("FAULT_CLOCK");
    if (is_monotonic(clock) && how && !strcmp(how, "frozen")) {
        *now = (struct timespec){1000, 0};
        return 0;
    }
    if (is_monotonic(clock) || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
        return ((int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime"))(clock, now);
    *now = (struct timespec){wall_clock(), 0};
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    *now = (struct timeval){wall_clock(), 0};
    return 0;
}

time_t time(time_t *out) {
    time_t now = wall_clock();
    if (out) *out = now;
    return now;
}

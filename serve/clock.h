/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_CLOCK_H
#define SERVE_CLOCK_H

#include <time.h>

/* Monotonic, from an arbitrary start. */
static inline double clock_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

#endif

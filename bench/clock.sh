# SPDX-License-Identifier: Apache-2.0
# Sourced by the other scripts. If CPU_TIME is set, `env "${clock[@]}" COMMAND` runs a command whose clock is the CPU time
# of its only thread, and `threads` is 1. Otherwise `clock` is empty.
clock=()
if [ -n "${CPU_TIME:-}" ]; then
    threads=1
    cat >"$work/clock.c" <<'END_OF_C'
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    return (int)syscall(SYS_clock_gettime, clock == CLOCK_MONOTONIC ? CLOCK_THREAD_CPUTIME_ID : clock, now);
}
END_OF_C
    cc -O2 -shared -fPIC "$work/clock.c" -o "$work/clock.so" || exit 1
    clock=("LD_PRELOAD=$work/clock.so")
fi
what="$threads threads"
[ ${#clock[@]} -eq 0 ] || what="CPU time of one thread"

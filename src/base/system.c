/* SPDX-License-Identifier: Apache-2.0
 * Clock, cores, and how the processor treats denormal numbers. */
#include "base/system.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
enum { DENORMALS_OFF = 0x8040 }; /* flush to zero, denormals are zero */
static unsigned mode(void) { return _mm_getcsr(); }
static void set_mode(unsigned value) { _mm_setcsr(value); }
#elif defined(__aarch64__)
enum { DENORMALS_OFF = 1 << 24 }; /* FPCR.FZ */
static unsigned mode(void) {
    unsigned long value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return (unsigned)value;
}
static void set_mode(unsigned value) { __asm__ volatile("msr fpcr, %0" ::"r"((unsigned long)value)); }
#else
enum { DENORMALS_OFF = 0 };
static unsigned mode(void) { return 0; }
static void set_mode(unsigned value) { (void)value; }
#endif

double icseg_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int icseg_cores_of_quota(const char *text) {
    char *end;
    /* strtoll returns 0 for "max" and LLONG_MAX for a number that is too large. */
    long long quota = strtoll(text, &end, 10), period = strtoll(end, NULL, 10);
    if (quota <= 0 || period <= 0) return 0;
    long long cores = quota / period + (quota % period != 0);
    return cores > INT_MAX ? INT_MAX : (int)cores;
}

/* The CPU quota of a container (control groups, version 2). OpenMP considers the affinity mask only; with more threads
 * than the quota allows, all of them are paused for the rest of each period. */
static int granted_cores(void) {
    char text[64];
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!file) return 0;
    int cores = fgets(text, sizeof text, file) ? icseg_cores_of_quota(text) : 0;
    (void)fclose(file);
    return cores;
}

int icseg_cores(void) {
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1, granted = granted_cores();
    if (granted && granted < cores) cores = granted;
    return cores > 0 ? cores : 1;
}

bool icseg_cores_have_quota(void) {
    cpu_set_t set;
    int granted = granted_cores();
    return granted && sched_getaffinity(0, sizeof set, &set) == 0 && granted < CPU_COUNT(&set);
}

void icseg_machine_name(char *out, size_t size) {
    char line[256], name[160] = "";
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file && !name[0] && fgets(line, sizeof line, file))
        if (!strncmp(line, "model name", 10) && strchr(line, ':'))
            snprintf(name, sizeof name, "%.150s", strchr(line, ':') + 1 + strspn(strchr(line, ':') + 1, " \t"));
    if (file) (void)fclose(file);
    name[strcspn(name, "\n")] = '\0';
    int cores = icseg_cores();
    snprintf(out, size, "%s%s%d core%s", name, name[0] ? ", " : "", cores, cores == 1 ? "" : "s");
}

/* GCC's runtime leaves each thread its mode. LLVM's gives the calling thread's mode to the team when a region begins,
 * and undoes changes when it ends. */
static void set_mode_of_team(unsigned value) {
#pragma omp parallel
    set_mode(value);
    set_mode(value);
}

icseg_float_mode icseg_denormals_off(void) {
    unsigned before = mode();
    set_mode_of_team(before | DENORMALS_OFF);
    return before;
}

void icseg_denormals_restore(icseg_float_mode before) { set_mode_of_team(before); }

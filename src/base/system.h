/* SPDX-License-Identifier: Apache-2.0
 * Clock, cores, and the macro that compiles a kernel once per instruction set. */
#ifndef ICSEG_BASE_SYSTEM_H
#define ICSEG_BASE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

/* Seconds from an arbitrary start, monotonic. */
double icseg_clock(void);

/* Cores that this process may use: its affinity mask, or its container's CPU quota if that is less; at least 1. */
int icseg_cores(void);
/* Whether a quota of the control group, and not the affinity mask, limits icseg_cores(). */
bool icseg_cores_have_quota(void);

/* "AMD EPYC 7B13, 2 cores"; "2 cores" where the processor has no name. */
void icseg_machine_name(char *out, size_t size);

/* The number of cores that a control group's cpu.max allows, rounded up: 2 for "150000 100000". 0: no limit. */
int icseg_cores_of_quota(const char *text);

/* Denormal numbers (below 1.2e-38) cost a hundred times more than others and make no difference here. Between these two
 * calls the calling thread and OpenMP's team treat them as 0. Calls nest; the second restores the former mode. */
typedef unsigned icseg_float_mode;
icseg_float_mode icseg_denormals_off(void);
void icseg_denormals_restore(icseg_float_mode mode);

/* Marks a leaf kernel (plain loops, no `omp parallel` inside: outlined regions are not cloned) to be compiled for each
 * instruction set and chosen at load time. Loops meant for vector units carry `#pragma omp simd`. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(ICSEG_NO_CLONES)
#define ICSEG_KERNEL_CLONES 1
#define ICSEG_KERNEL        __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ICSEG_KERNEL
#endif
/* For a function that kernels call; if it were not inlined, it would be compiled for the oldest instruction set
 * only. */
#define ICSEG_INLINE static inline __attribute__((always_inline))

#endif

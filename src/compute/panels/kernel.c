/* SPDX-License-Identifier: Apache-2.0
 * Compiles kernel_body.h for each instruction set. Vectors and blocks have other sizes for each, which ICSEG_KERNEL's
 * clones cannot have. */
#include "compute/panels/kernel.h"

#include <stddef.h>

#include "base/system.h"

static bool supported_baseline(void) { return true; }

/* The instruction set for which all of the library is compiled. */
#define NAMED(name) name##_baseline
#define NAME        "baseline"
#if defined(__AVX512F__)
#define LANES 16
#define ROWS  12
#elif defined(__AVX2__)
#define LANES 8
#define ROWS  6
#else
#define LANES 4
#ifdef __aarch64__ /* which has twice as many registers */
#define ROWS 12
#else
#define ROWS 6
#endif
#endif
#include "compute/panels/kernel_body.h"

#ifdef ICSEG_KERNEL_CLONES
static bool supported_avx2(void) { return __builtin_cpu_supports("x86-64-v3"); }
static bool supported_avx512(void) { return __builtin_cpu_supports("x86-64-v4"); }

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LANES       8
#define ROWS        6
#define NAME        "AVX2"
#define NAMED(name) name##_avx2
#include "compute/panels/kernel_body.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4", "prefer-vector-width=512")
#define LANES       16
#define ROWS        12
#define NAME        "AVX-512"
#define NAMED(name) name##_avx512
#include "compute/panels/kernel_body.h"
#pragma GCC pop_options
#endif

const icseg_panels_kernel *const icseg_panels_kernels[] = {
#ifdef ICSEG_KERNEL_CLONES
    &kernel_avx512, &kernel_avx2,
#endif
    &kernel_baseline, NULL};

const icseg_panels_kernel *icseg_panels_kernel_find(void) {
    const icseg_panels_kernel *const *kernel = icseg_panels_kernels;
    while (!(*kernel)->supported()) kernel++;
    return *kernel;
}

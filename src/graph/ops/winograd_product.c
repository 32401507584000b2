/* SPDX-License-Identifier: Apache-2.0
 * Compiles winograd_product_kernel.h for each instruction set, and divides a product into blocks. Vectors and blocks
 * have other sizes for each instruction set, which ICSEG_KERNEL's clones cannot have. */
#include "graph/ops/winograd_product.h"

#include <omp.h>
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
#include "graph/ops/winograd_product_kernel.h"

#ifdef ICSEG_KERNEL_CLONES
static bool supported_avx2(void) { return __builtin_cpu_supports("x86-64-v3"); }
static bool supported_avx512(void) { return __builtin_cpu_supports("x86-64-v4"); }

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LANES       8
#define ROWS        6
#define NAME        "AVX2"
#define NAMED(name) name##_avx2
#include "graph/ops/winograd_product_kernel.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4", "prefer-vector-width=512")
#define LANES       16
#define ROWS        12
#define NAME        "AVX-512"
#define NAMED(name) name##_avx512
#include "graph/ops/winograd_product_kernel.h"
#pragma GCC pop_options
#endif

const icseg_winograd_kernel *const icseg_winograd_kernels[] = {
#ifdef ICSEG_KERNEL_CLONES
    &kernel_avx512, &kernel_avx2,
#endif
    &kernel_baseline, NULL};

const icseg_winograd_kernel *icseg_winograd_kernel_find(void) {
    const icseg_winograd_kernel *const *kernel = icseg_winograd_kernels;
    while (!(*kernel)->supported()) kernel++;
    return *kernel;
}

enum { LINE = 64 };

static int64_t quotient(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* The part of a matrix that a thread computes: rows [first, end). A panel stays in the first-level cache for all of
 * them, and the rows of a in the second-level cache for all panels. */
typedef struct task {
    const float *a, *b;
    float *out;
    int64_t first, end;
} task;

/* Prefetches the next panel, which is that of the next matrix after the last one, and the next rows of a that no panel
 * was multiplied by yet. */
static void run_task(const icseg_winograd_product *p, const task *t) {
    int64_t step = p->kernel->rows, columns = p->kernel->columns, blocks = quotient(t->end - t->first, step);
    int64_t panel = p->inner * columns, row_bytes = step * p->inner * (int64_t)sizeof(float);
    int64_t slice = quotient(panel * (int64_t)sizeof(float), blocks * LINE) * LINE; /* of the next panel */
    const float *next_a = t->a + p->pitch_rows * p->inner;                          /* the next matrix's */
    for (int64_t i = 0; i < p->panels; i++) {
        const float *b = t->b + i * panel;
        const char *later = (const char *)(b + panel);
        for (int64_t row = t->first; row < t->end; row += step, later += slice) {
            const float *a = t->a + row * p->inner;
            const float *soon = i == 0 && row + step < t->end ? a + step * p->inner : next_a + t->first * p->inner;
            icseg_winograd_block block = {
                .a = a,
                .b = b,
                .out = t->out + row * p->out_pitch + i * columns,
                .inner = p->inner,
                .out_pitch = p->out_pitch,
                .later = {{later, quotient(slice, p->inner)}, {(const char *)soon, quotient(row_bytes, p->inner)}}};
            p->kernel->multiply(&block, t->end - row < step ? t->end - row : step);
        }
    }
}

/* Into how many parts the rows of a matrix are divided, so that all threads end at about the same time. */
static int64_t count_parts(const icseg_winograd_product *p) {
    enum { TASKS = 8 }; /* of each thread */
    int64_t wanted = quotient((int64_t)TASKS * omp_get_max_threads(), p->matrices);
    int64_t most = quotient(p->rows, p->kernel->rows);
    return wanted < most ? wanted : most;
}

void icseg_winograd_multiply(const icseg_winograd_product *p, const float *a, const float *b, float *out) {
    int64_t parts = count_parts(p), blocks = quotient(p->rows, p->kernel->rows), step = p->kernel->rows;
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t m = 0; m < p->matrices; m++)
        for (int64_t i = 0; i < parts; i++) {
            int64_t end = (i + 1) * blocks / parts * step;
            task t = {.a = a + m * p->pitch_rows * p->inner,
                      .b = b + m * p->panels * p->inner * p->kernel->columns,
                      .out = out + m * p->pitch_rows * p->out_pitch,
                      .first = i * blocks / parts * step,
                      .end = end < p->rows ? end : p->rows};
            run_task(p, &t);
        }
}

/* SPDX-License-Identifier: Apache-2.0
 * bf16 on ARM processors with bfmmla, which adds to 2 x 2 sums four products each. */
#include "base/processor.h"
#include "base/system.h"
#include "compute/dense/kernel.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && (defined(__clang__) ? __clang_major__ >= 16 : __GNUC__ >= 10)
#include <arm_neon.h>

enum { ROWS = ICSEG_DENSE_ROWS, COLUMNS = ICSEG_DENSE_COLUMNS, GROUP = 4, PAIR = 2 * GROUP };

#define BF16 __attribute__((target("arch=armv8.2-a+bf16")))

/* Two lines of a group. */
BF16 ICSEG_INLINE bfloat16x8_t load(const uint16_t *x) { return vreinterpretq_bf16_u16(vld1q_u16(x)); }

BF16 static void multiply(const void *panel_a, const void *panel_b, int64_t n, bool add, float *tile) {
    const uint16_t *a = panel_a, *b = panel_b;
    float32x4_t sum[ROWS / 2][COLUMNS / 2];
#pragma GCC unroll 6
    for (int r = 0; r < ROWS / 2; r++)
#pragma GCC unroll 4
        for (int c = 0; c < COLUMNS / 2; c++) sum[r][c] = vdupq_n_f32(0);
    for (int64_t i = 0; i < n; i += GROUP, a += ROWS * GROUP, b += COLUMNS * GROUP) {
        bfloat16x8_t column[] = {load(b), load(b + PAIR), load(b + 2 * PAIR), load(b + 3 * PAIR)};
#pragma GCC unroll 6
        for (int r = 0; r < ROWS / 2; r++) {
            bfloat16x8_t row = load(a + r * PAIR);
            __asm__ volatile("" ::: "memory"); /* GCC would load all rows first and run out of registers */
#pragma GCC unroll 4
            for (int c = 0; c < COLUMNS / 2; c++) sum[r][c] = vbfmmlaq_f32(sum[r][c], row, column[c]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < ROWS / 2; r++)
#pragma GCC unroll 4
        for (int c = 0; c < COLUMNS / 2; c++) {
            float *first = tile + (int64_t)r * 2 * COLUMNS + 2 * c, *second = first + COLUMNS;
            float32x2_t top = vget_low_f32(sum[r][c]), bottom = vget_high_f32(sum[r][c]);
            vst1_f32(first, add ? vadd_f32(vld1_f32(first), top) : top);
            vst1_f32(second, add ? vadd_f32(vld1_f32(second), bottom) : bottom);
        }
}

const icseg_dense_kernel icseg_dense_kernel_bf16 = {
    .name = "neon_bf16", .bf16 = true, .group = GROUP, .supported = icseg_processor_has_bf16, .multiply = multiply};

#else

static bool unsupported(void) { return false; }

const icseg_dense_kernel icseg_dense_kernel_bf16 = {.name = "neon_bf16", .supported = unsupported};

#endif

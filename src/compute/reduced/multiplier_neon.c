/* SPDX-License-Identifier: Apache-2.0
 * INT8 blocks on 64-bit ARM: usmmla (i8mm), sdot (dotprod), and NEON as every such processor has it.
 *
 * Each kernel keeps sixteen sums in registers, enough to hide the latency of its instruction. NEON alone adds two
 * products in 16 bits, at most 2 * 127 * 128, which do not overflow because weights are at least -127. */
#include "base/processor.h"
#include "base/system.h"
#include "compute/reduced/multiplier.h"
#include "compute/reduced/quantize.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && (defined(__clang__) ? __clang_major__ >= 16 : __GNUC__ >= 10)
#include <arm_neon.h>

#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#define I8MM    __attribute__((target("arch=armv8.2-a+i8mm")))

enum { BYTES = ICSEG_ROW_BYTES, LOAD = 16, BLOCK = ICSEG_BLOCK, COLUMNS = ICSEG_TILE_ROWS };

/* -- conversion to signed bytes: sdot and smull do not multiply unsigned bytes by signed ones */

static void subtract_128(int64_t rows, int64_t in, char *to, size_t next) {
    for (int64_t i = 0; i < in; i += BYTES, to += next)
        for (int64_t j = 0; j < rows * BYTES; j += LOAD)
            vst1q_u8((uint8_t *)to + j, veorq_u8(vld1q_u8((uint8_t *)to + j), vdupq_n_u8(128)));
}

static void convert(const float *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t low, size_t next) {
    icseg_convert_to_bytes(x, rows, in, q, to, low, next);
    subtract_128(rows, in, to, next);
}

static void copy(const uint8_t *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t next) {
    icseg_copy_to_bytes(x, rows, in, q, to, next);
    subtract_128(rows, in, to, next);
}

/* -- NEON: 4 rows times 8 columns, each sum in two parts */

enum { NEON_ROWS = 4, NEON_COLUMNS = 8 };

/* Adds the products of two groups of four columns and the same groups of a row. */
ICSEG_INLINE void add_groups(int32x4_t sum[2], int8x16_t b0, int8x16_t b1, int8x16_t a0, int8x16_t a1) {
    int16x8_t low = vmull_s8(vget_low_s8(b0), vget_low_s8(a0)), high = vmull_high_s8(b0, a0);
    sum[0] = vpadalq_s16(sum[0], vmlal_s8(low, vget_low_s8(b1), vget_low_s8(a1)));
    sum[1] = vpadalq_s16(sum[1], vmlal_high_s8(high, b1, a1));
}

/* Four bytes of a row, four times. */
ICSEG_INLINE int8x16_t group_of(const char *row) {
    return vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)(const void *)row));
}

static void multiply_neon(const char *a, const size_t *from, const char *b, int64_t steps, int32_t *sums) {
    int32x4_t left[NEON_ROWS][2], right[NEON_ROWS][2];
#pragma GCC unroll 4
    for (int r = 0; r < NEON_ROWS; r++) left[r][0] = left[r][1] = right[r][0] = right[r][1] = vdupq_n_s32(0);
    for (int64_t i = 0; i < steps; i++, b += 2 * ICSEG_TILE_BYTES)
        for (int64_t g = 0; g < ICSEG_TILE_ROWS; g += 2) {
            const int8_t *columns = (const int8_t *)b + g * ICSEG_ROW_BYTES;
            int8x16_t x0 = vld1q_s8(columns), x1 = vld1q_s8(columns + ICSEG_ROW_BYTES);
            int8x16_t y0 = vld1q_s8(columns + LOAD), y1 = vld1q_s8(columns + ICSEG_ROW_BYTES + LOAD);
#pragma GCC unroll 4
            for (int r = 0; r < NEON_ROWS; r++) {
                const char *row = a + from[i] + r * BYTES + 4 * g;
                int8x16_t a0 = group_of(row), a1 = group_of(row + 4);
                __asm__ volatile("" ::: "memory"); /* GCC would load all rows first and run out of registers */
                add_groups(left[r], x0, x1, a0, a1);
                add_groups(right[r], y0, y1, a0, a1);
            }
        }
#pragma GCC unroll 4
    for (int r = 0; r < NEON_ROWS; r++) {
        vst1q_s32(sums + (int64_t)r * BLOCK, vpaddq_s32(left[r][0], left[r][1]));
        vst1q_s32(sums + (int64_t)r * BLOCK + 4, vpaddq_s32(right[r][0], right[r][1]));
    }
}

static void block_neon(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, void *sums) {
    (void)low;
    for (int64_t c = 0; c < BLOCK; c += NEON_COLUMNS)
        for (int64_t r = 0; r < BLOCK; r += NEON_ROWS)
            multiply_neon(a + r * ICSEG_ROW_BYTES, from, b + c / COLUMNS * ICSEG_TILE_BYTES + c % COLUMNS * 4, steps,
                          (int32_t *)sums + r * BLOCK + c);
}

/* -- dotprod: 8 rows times 8 columns */

enum { DOT_ROWS = 8, DOT_COLUMNS = 8 };

DOTPROD static void multiply_dot(const char *a, const size_t *from, const char *b, int64_t steps, int32_t *sums) {
    int32x4_t left[DOT_ROWS], right[DOT_ROWS];
#pragma GCC unroll 8
    for (int r = 0; r < DOT_ROWS; r++) left[r] = right[r] = vdupq_n_s32(0);
    for (int64_t i = 0; i < steps; i++, b += 2 * ICSEG_TILE_BYTES)
        for (int64_t at = 0; at < BYTES; at += LOAD) { /* four groups of each row */
            const int8_t *columns = (const int8_t *)b + at / 4 * ICSEG_ROW_BYTES;
            int8x16_t row[DOT_ROWS];
#pragma GCC unroll 8
            for (int r = 0; r < DOT_ROWS; r++) row[r] = vld1q_s8((const int8_t *)a + from[i] + r * BYTES + at);
#define ADD_GROUP(g)                                                                                                   \
    {                                                                                                                  \
        int8x16_t x = vld1q_s8(columns + (g)*ICSEG_ROW_BYTES), y = vld1q_s8(columns + (g)*ICSEG_ROW_BYTES + LOAD);     \
        _Pragma("GCC unroll 8") for (int r = 0; r < DOT_ROWS; r++) {                                                   \
            left[r] = vdotq_laneq_s32(left[r], x, row[r], g);                                                          \
            right[r] = vdotq_laneq_s32(right[r], y, row[r], g);                                                        \
        }                                                                                                              \
    }
            ADD_GROUP(0)
            ADD_GROUP(1)
            ADD_GROUP(2)
            ADD_GROUP(3)
#undef ADD_GROUP
        }
#pragma GCC unroll 8
    for (int r = 0; r < DOT_ROWS; r++) {
        vst1q_s32(sums + (int64_t)r * BLOCK, left[r]);
        vst1q_s32(sums + (int64_t)r * BLOCK + 4, right[r]);
    }
}

static void block_dot(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, void *sums) {
    (void)low;
    for (int64_t c = 0; c < BLOCK; c += DOT_COLUMNS)
        for (int64_t r = 0; r < BLOCK; r += DOT_ROWS)
            multiply_dot(a + r * ICSEG_ROW_BYTES, from, b + c / COLUMNS * ICSEG_TILE_BYTES + c % COLUMNS * 4, steps,
                         (int32_t *)sums + r * BLOCK + c);
}

/* -- i8mm: 4 rows times 16 columns, in squares of 2 x 2 sums */

enum { MM_ROWS = 4, MM_SQUARES = COLUMNS / 2 };

I8MM static void multiply_mm(const char *a, const size_t *from, const char *b, int64_t steps, int32_t *sums) {
    int32x4_t top[MM_SQUARES], bottom[MM_SQUARES]; /* of rows 0 and 1, of rows 2 and 3 */
#pragma GCC unroll 8
    for (int c = 0; c < MM_SQUARES; c++) top[c] = bottom[c] = vdupq_n_s32(0);
    for (int64_t i = 0; i < steps; i++, b += 2 * ICSEG_TILE_BYTES)
        for (int64_t at = 0; at < BYTES; at += LOAD) { /* two groups of each row */
            const int8_t *columns = (const int8_t *)b + at / 4 * ICSEG_ROW_BYTES;
            int64x2_t row[MM_ROWS];
#pragma GCC unroll 4
            for (int r = 0; r < MM_ROWS; r++)
                row[r] = vreinterpretq_s64_s8(vld1q_s8((const int8_t *)a + from[i] + r * BYTES + at));
            uint8x16_t upper[] = {vreinterpretq_u8_s64(vzip1q_s64(row[0], row[1])),
                                  vreinterpretq_u8_s64(vzip2q_s64(row[0], row[1]))};
            uint8x16_t lower[] = {vreinterpretq_u8_s64(vzip1q_s64(row[2], row[3])),
                                  vreinterpretq_u8_s64(vzip2q_s64(row[2], row[3]))};
#pragma GCC unroll 2
            for (int g = 0; g < 2; g++)
#pragma GCC unroll 8
                for (int c = 0; c < MM_SQUARES; c++) {
                    int8x16_t pair = vld1q_s8(columns + g * 2 * ICSEG_ROW_BYTES + c * LOAD);
                    top[c] = vusmmlaq_s32(top[c], upper[g], pair);
                    bottom[c] = vusmmlaq_s32(bottom[c], lower[g], pair);
                }
        }
#pragma GCC unroll 8
    for (int c = 0; c < MM_SQUARES; c++) { /* a square is two columns of a row, and then of the next */
        int32_t *to = sums + (int64_t)2 * c;
        vst1_s32(to, vget_low_s32(top[c]));
        vst1_s32(to + BLOCK, vget_high_s32(top[c]));
        vst1_s32(to + 2 * BLOCK, vget_low_s32(bottom[c]));
        vst1_s32(to + 3 * BLOCK, vget_high_s32(bottom[c]));
    }
}

static void block_mm(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, void *sums) {
    (void)low;
    for (int64_t c = 0; c < BLOCK; c += COLUMNS)
        for (int64_t r = 0; r < BLOCK; r += MM_ROWS)
            multiply_mm(a + r * ICSEG_ROW_BYTES, from, b + c / COLUMNS * ICSEG_TILE_BYTES, steps,
                        (int32_t *)sums + r * BLOCK + c);
}

const icseg_multiplier icseg_multiplier_neon_i8mm = {.name = "neon_i8mm",
                                                     .precision = ICSEG_PRODUCT_INT8,
                                                     .inner = BYTES,
                                                     .paired = true,
                                                     .parts = 1,
                                                     .convolutions = true,
                                                     .supported = icseg_processor_has_i8mm,
                                                     .convert = icseg_convert_to_bytes,
                                                     .copy = icseg_copy_to_bytes,
                                                     .multiply = block_mm};

const icseg_multiplier icseg_multiplier_neon_dotprod = {.name = "neon_dotprod",
                                                        .precision = ICSEG_PRODUCT_INT8,
                                                        .inner = BYTES,
                                                        .parts = 1,
                                                        .convolutions = true,
                                                        .supported = icseg_processor_has_dotprod,
                                                        .from_128 = true,
                                                        .convert = convert,
                                                        .copy = copy,
                                                        .multiply = block_dot};

const icseg_multiplier icseg_multiplier_neon = {.name = "neon",
                                                .precision = ICSEG_PRODUCT_INT8,
                                                .inner = BYTES,
                                                .parts = 1,
                                                .supported = icseg_processor_is_arm64,
                                                .from_128 = true,
                                                .convert = convert,
                                                .copy = copy,
                                                .multiply = block_neon};

#else

static bool unsupported(void) { return false; }

const icseg_multiplier icseg_multiplier_neon_i8mm = {.name = "neon_i8mm", .supported = unsupported};
const icseg_multiplier icseg_multiplier_neon_dotprod = {.name = "neon_dotprod", .supported = unsupported};
const icseg_multiplier icseg_multiplier_neon = {.name = "neon", .supported = unsupported};

#endif

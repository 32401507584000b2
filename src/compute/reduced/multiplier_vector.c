/* SPDX-License-Identifier: Apache-2.0
 * INT8 blocks on vector units: AVX-512 VNNI, AVX-VNNI, AVX2.
 *
 * VNNI multiplies unsigned by signed bytes and adds four products to a 32-bit sum, which does not saturate. AVX2 alone
 * has no such instruction: adding pairs of products of bytes in 16 bits could overflow, so bytes are widened to 16
 * bits, whose pairs of products have 32 bits. */
#include "base/system.h"
#include "compute/reduced/multiplier.h"
#include "compute/reduced/quantize.h"

#if defined(__x86_64__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#include <cpuid.h>
#include <immintrin.h>

/* -- products: WIDE rows times 32 columns, or NARROW rows times 16 columns, whose sums stay in registers */

enum {
    WIDE = 8,
    NARROW = 4,
    BYTES = ICSEG_ROW_BYTES,
    SHORTS = BYTES / 2,
    HALF = ICSEG_BLOCK / 2,
    HALF_VECTOR = ICSEG_ROW_BYTES / 2
};

/* Four bytes of a row, or two 16-bit integers. */
ICSEG_INLINE int32_t group_of(const char *row, int64_t group) {
    return *(const int32_t *)(const void *)(row + 4 * group);
}

__attribute__((target("avx512f,avx512bw,avx512vnni"))) static void
multiply_512(const char *a, const size_t *from, const char *b, int64_t steps, int32_t *sums) {
    __m512i left[WIDE], right[WIDE];
#pragma GCC unroll 8
    for (int r = 0; r < WIDE; r++) left[r] = right[r] = _mm512_setzero_si512();
    for (int64_t i = 0; i < steps; i++, b += 2 * ICSEG_TILE_BYTES)
        for (int64_t g = 0; g < ICSEG_TILE_ROWS; g++) {
            __m512i x = _mm512_load_si512(b + g * ICSEG_ROW_BYTES),
                    y = _mm512_load_si512(b + ICSEG_TILE_BYTES + g * ICSEG_ROW_BYTES);
#pragma GCC unroll 8
            for (int r = 0; r < WIDE; r++) {
                __m512i v = _mm512_set1_epi32(group_of(a + from[i] + r * ICSEG_ROW_BYTES, g));
                left[r] = _mm512_dpbusd_epi32(left[r], v, x);
                right[r] = _mm512_dpbusd_epi32(right[r], v, y);
            }
        }
#pragma GCC unroll 8
    for (int r = 0; r < WIDE; r++) {
        _mm512_store_si512(sums + r * ICSEG_BLOCK, left[r]);
        _mm512_store_si512(sums + r * ICSEG_BLOCK + HALF, right[r]);
    }
}

/* The same for 256-bit vectors; `product(sum, x, y)` adds the products of groups. */
#define MULTIPLY_256(name, isa, product)                                                                               \
    __attribute__((target(isa))) static void name(const char *a, const size_t *from, const char *b, int64_t steps,     \
                                                  int32_t *sums) {                                                     \
        __m256i left[NARROW], right[NARROW];                                                                           \
        _Pragma("GCC unroll 4") for (int r = 0; r < NARROW; r++) left[r] = right[r] = _mm256_setzero_si256();          \
        for (int64_t i = 0; i < steps; i++, b += 2 * ICSEG_TILE_BYTES)                                                 \
            for (int64_t g = 0; g < ICSEG_TILE_ROWS; g++) {                                                            \
                const char *row = b + g * ICSEG_ROW_BYTES;                                                             \
                __m256i x = _mm256_load_si256((const __m256i *)(const void *)row),                                     \
                        y = _mm256_load_si256((const __m256i *)(const void *)(row + HALF_VECTOR));                     \
                _Pragma("GCC unroll 4") for (int r = 0; r < NARROW; r++) {                                             \
                    __m256i v = _mm256_set1_epi32(group_of(a + from[i] + r * ICSEG_ROW_BYTES, g));                     \
                    left[r] = product(left[r], v, x);                                                                  \
                    right[r] = product(right[r], v, y);                                                                \
                }                                                                                                      \
            }                                                                                                          \
        _Pragma("GCC unroll 4") for (int r = 0; r < NARROW; r++) {                                                     \
            __m256i *to = (__m256i *)(void *)(sums + r * ICSEG_BLOCK);                                                 \
            _mm256_store_si256(to, left[r]);                                                                           \
            _mm256_store_si256(to + 1, right[r]);                                                                      \
        }                                                                                                              \
    }

#define ADD_PAIRS(sum, x, y) _mm256_add_epi32(sum, _mm256_madd_epi16(x, y))
MULTIPLY_256(multiply_vnni, "avx2,avxvnni", _mm256_dpbusd_avx_epi32)
MULTIPLY_256(multiply_pairs, "avx2", ADD_PAIRS)

static void block_512(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, void *sums) {
    (void)low;
    for (int64_t r = 0; r < ICSEG_BLOCK; r += WIDE)
        multiply_512(a + r * ICSEG_ROW_BYTES, from, b, steps, (int32_t *)sums + r * ICSEG_BLOCK);
}

ICSEG_INLINE void block_256(void (*multiply)(const char *a, const size_t *from, const char *b, int64_t steps,
                                             int32_t *),
                            const char *a, const size_t *from, const char *b, int64_t steps, int32_t *sums) {
    for (int64_t c = 0; c < 2; c++)
        for (int64_t r = 0; r < ICSEG_BLOCK; r += NARROW)
            multiply(a + r * ICSEG_ROW_BYTES, from, b + c * ICSEG_TILE_BYTES, steps, sums + r * ICSEG_BLOCK + c * HALF);
}

static void block_vnni(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, void *sums) {
    (void)low;
    block_256(multiply_vnni, a, from, b, steps, sums);
}

static void block_pairs(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, void *sums) {
    (void)low;
    block_256(multiply_pairs, a, from, b, steps, sums);
}

/* -- processors */

static bool has_avx512_vnni(void) { return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni"); }

static bool has_avx_vnni(void) {
    enum { AVX_VNNI = 1 << 4 };
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & AVX_VNNI;
}

static bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }

const icseg_multiplier icseg_multiplier_avx512_vnni = {.name = "avx512_vnni",
                                                       .precision = ICSEG_PRODUCT_INT8,
                                                       .inner = BYTES,
                                                       .parts = 1,
                                                       .convolutions = true,
                                                       .supported = has_avx512_vnni,
                                                       .convert = icseg_convert_to_bytes,
                                                       .copy = icseg_copy_to_bytes,
                                                       .multiply = block_512};

const icseg_multiplier icseg_multiplier_avx_vnni = {.name = "avx_vnni",
                                                    .precision = ICSEG_PRODUCT_INT8,
                                                    .inner = BYTES,
                                                    .parts = 1,
                                                    .convolutions = true,
                                                    .supported = has_avx_vnni,
                                                    .convert = icseg_convert_to_bytes,
                                                    .copy = icseg_copy_to_bytes,
                                                    .multiply = block_vnni};

const icseg_multiplier icseg_multiplier_avx2 = {.name = "avx2",
                                                .precision = ICSEG_PRODUCT_INT8,
                                                .inner = SHORTS,
                                                .parts = 1,
                                                .supported = has_avx2,
                                                .convert = icseg_convert_to_shorts,
                                                .copy = icseg_copy_to_shorts,
                                                .centred = true,
                                                .multiply = block_pairs};

#else

static bool unsupported(void) { return false; }

const icseg_multiplier icseg_multiplier_avx512_vnni = {.name = "avx512_vnni", .supported = unsupported};
const icseg_multiplier icseg_multiplier_avx_vnni = {.name = "avx_vnni", .supported = unsupported};
const icseg_multiplier icseg_multiplier_avx2 = {.name = "avx2", .supported = unsupported};

#endif

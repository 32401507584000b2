/* SPDX-License-Identifier: Apache-2.0
 * AMX tile registers: requesting them, splitting numbers, multiplying blocks. */
#include "compute/reduced/multiplier.h"
#include "compute/reduced/quantize.h"

#include <pthread.h>

#if defined(ICSEG_AMX_EMULATION) /* for tests: a header that defines the intrinsics in plain C */
#define ICSEG_AMX_BUILT
#include ICSEG_AMX_EMULATION

#define TILES
#define SPLIT
#define processor_has_amx() true

#elif defined(__x86_64__) && defined(__linux__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define ICSEG_AMX_BUILT
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TILES __attribute__((target("amx-tile,amx-bf16,amx-int8")))
#define SPLIT __attribute__((target("avx512f,avx512bw,avx512bf16")))

/* Linux allocates the state of tile registers (8 KiB a thread) only for a process that requests it. */
static bool processor_has_amx(void) {
    enum {
        AMX_BF16 = 1 << 22,
        AMX_TILE = 1 << 24,
        AMX_INT8 = 1 << 25,
        ARCH_REQ_XCOMP_PERM = 0x1023,
        XFEATURE_XTILEDATA = 18
    };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || ~d & (AMX_BF16 | AMX_TILE | AMX_INT8)) return false;
    if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512bf16")) return false; /* for splitting */
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

#endif

#ifdef ICSEG_AMX_BUILT

/* Written once, under pthread_once. */
static pthread_once_t request_once = PTHREAD_ONCE_INIT;
static bool available;

static void request(void) { available = processor_has_amx(); }

static bool amx_is_available(void) {
    pthread_once(&request_once, request);
    return available;
}

enum { SPLIT_INNER = 32, INT8_INNER = 64 }; /* values in a row of a panel */

TILES static void begin(void) {
    enum { B = ICSEG_ROW_BYTES, R = ICSEG_TILE_ROWS };
    /* static, because GCC does not know that the instruction reads all of it */
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16]; /* of a row of each tile */
        uint8_t rows[16];
    } config = {.palette = 1, .bytes = {B, B, B, B, B, B, B, B}, .rows = {R, R, R, R, R, R, R, R}};
    _tile_loadconfig(&config);
}

TILES static void end(void) { _tile_release(); }

/* The bf16 nearest to each of 32 values. */
SPLIT static __m512i round_pair(__m512 first, __m512 second) { return (__m512i)_mm512_cvtne2ps_pbh(second, first); }

SPLIT static void split(const float *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t low,
                        size_t next) {
    (void)q;
    for (int64_t r = 0; r < rows; r++, to += ICSEG_ROW_BYTES)
        for (int64_t i = 0; i < in; i += SPLIT_INNER) {
            const float *from = x + r * in + i;
            int64_t left = x ? in - i : 0;
            uint32_t mask = left >= SPLIT_INNER ? ~0u : (1u << left) - 1;
            __m512 a = _mm512_maskz_loadu_ps((__mmask16)mask, from);
            __m512 b = _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), from + 16);
            __m512i high = round_pair(a, b);
            a = a - (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(high)), 16);
            b = b - (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(high, 1)), 16);
            char *panel = to + (size_t)(i / SPLIT_INNER) * next;
            _mm512_store_si512(panel, high);
            _mm512_store_si512(panel + low, round_pair(a, b));
        }
}

/* Tiles 0 to 3 hold the sums, 4 and 5 rows of a, 6 and 7 columns of b. */
#define CLEAR_SUMS()                                                                                                   \
    _tile_zero(0);                                                                                                     \
    _tile_zero(1);                                                                                                     \
    _tile_zero(2);                                                                                                     \
    _tile_zero(3)
#define STORE_SUMS(to)                                                                                                 \
    _tile_stored(0, to, STRIDE);                                                                                       \
    _tile_stored(1, (to) + RIGHT, STRIDE);                                                                             \
    _tile_stored(2, (to) + BELOW, STRIDE);                                                                             \
    _tile_stored(3, (to) + BELOW + RIGHT, STRIDE)
enum { STRIDE = ICSEG_BLOCK * 4, RIGHT = STRIDE / 2, BELOW = ICSEG_TILE_ROWS * STRIDE }; /* bytes */

TILES static void block_bf16x2(const char *a, size_t low, const size_t *from, const char *b, int64_t steps,
                               void *sums) {
    CLEAR_SUMS();
    for (int64_t i = 0; i < steps; i++, b += 4 * ICSEG_TILE_BYTES) {
        const char *high_a = a + from[i], *low_a = high_a + low;
        _tile_loadd(4, low_a, ICSEG_ROW_BYTES);
        _tile_loadd(6, b, ICSEG_ROW_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, b + ICSEG_TILE_BYTES, ICSEG_ROW_BYTES);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, low_a + ICSEG_TILE_BYTES, ICSEG_ROW_BYTES);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(4, high_a, ICSEG_ROW_BYTES);
        _tile_loadd(5, high_a + ICSEG_TILE_BYTES, ICSEG_ROW_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(6, b + 2 * ICSEG_TILE_BYTES, ICSEG_ROW_BYTES);
        _tile_loadd(7, b + 3 * ICSEG_TILE_BYTES, ICSEG_ROW_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    STORE_SUMS((char *)sums);
}

TILES static void block_int8(const char *a, size_t low, const size_t *from, const char *b, int64_t steps, void *sums) {
    (void)low;
    CLEAR_SUMS();
    for (int64_t i = 0; i < steps; i++, b += 2 * ICSEG_TILE_BYTES) {
        _tile_loadd(4, a + from[i], ICSEG_ROW_BYTES);
        _tile_loadd(6, b, ICSEG_ROW_BYTES);
        _tile_dpbusd(0, 4, 6);
        _tile_loadd(7, b + ICSEG_TILE_BYTES, ICSEG_ROW_BYTES);
        _tile_dpbusd(1, 4, 7);
        _tile_loadd(5, a + from[i] + ICSEG_TILE_BYTES, ICSEG_ROW_BYTES);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    STORE_SUMS((char *)sums);
}

const icseg_multiplier icseg_multiplier_amx_bf16x2 = {.name = "amx",
                                                      .precision = ICSEG_PRODUCT_BF16X2,
                                                      .inner = SPLIT_INNER,
                                                      .parts = 2,
                                                      .convolutions = true,
                                                      .supported = amx_is_available,
                                                      .begin = begin,
                                                      .end = end,
                                                      .convert = split,
                                                      .multiply = block_bf16x2};

const icseg_multiplier icseg_multiplier_amx_int8 = {.name = "amx",
                                                    .precision = ICSEG_PRODUCT_INT8,
                                                    .inner = INT8_INNER,
                                                    .parts = 1,
                                                    .convolutions = true,
                                                    .supported = amx_is_available,
                                                    .begin = begin,
                                                    .end = end,
                                                    .convert = icseg_convert_to_bytes,
                                                    .copy = icseg_copy_to_bytes,
                                                    .multiply = block_int8};

#else

static bool unsupported(void) { return false; }

const icseg_multiplier icseg_multiplier_amx_bf16x2 = {.name = "amx", .supported = unsupported};
const icseg_multiplier icseg_multiplier_amx_int8 = {.name = "amx", .supported = unsupported};

#endif

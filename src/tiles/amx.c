/* SPDX-License-Identifier: Apache-2.0
 * Tile registers: asking for them, and the block of products. */
#include "tiles/amx.h"

#if defined(__x86_64__) && defined(__linux__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TILES __attribute__((target("amx-tile,amx-bf16")))
#define SPLIT __attribute__((target("avx512f,avx512bw,avx512bf16")))

/* Written once, under pthread_once. */
static pthread_once_t there_once = PTHREAD_ONCE_INIT;
static bool there;

/* Linux gives a process the state of tile registers (8 KiB a thread) only if it asks. */
static void ask(void) {
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & AMX_BF16) || !(d & AMX_TILE)) return;
    there = syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

bool icseg_amx_there(void) {
    pthread_once(&there_once, ask);
    return there;
}

TILES void icseg_amx_begin(void) {
    enum { B = ICSEG_ROW_BYTES, R = ICSEG_TILE_BYTES / ICSEG_ROW_BYTES };
    /* static: GCC does not see that the instruction reads all of it */
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16]; /* of a row of each tile */
        uint8_t rows[16];
    } config = {.palette = 1, .bytes = {B, B, B, B, B, B, B, B}, .rows = {R, R, R, R, R, R, R, R}};
    _tile_loadconfig(&config);
}

TILES void icseg_amx_end(void) { _tile_release(); }

/* The bf16 numbers nearest to 32 values, of which they are subtracted. */
SPLIT static __m512i round_part(__m512 *first, __m512 *second) {
    __m512i part = (__m512i)_mm512_cvtne2ps_pbh(*second, *first);
    *first -= (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(part)), 16);
    *second -= (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(part, 1)), 16);
    return part;
}

/* Their upper halves, of which there are three in a number: half the work of rounding, and exact. */
SPLIT static __m512i cut_part(__m512 *first, __m512 *second, __m512i upper_halves) {
    __m512i mask = _mm512_set1_epi32((int)0xffff0000);
    __m512i a = _mm512_and_si512((__m512i)*first, mask), b = _mm512_and_si512((__m512i)*second, mask);
    *first -= (__m512)a;
    *second -= (__m512)b;
    return _mm512_permutex2var_epi16(a, upper_halves, b);
}

SPLIT void icseg_amx_split(int parts, const float *x, int64_t rows, int64_t in, char *to, size_t part, size_t next) {
    uint16_t order[32];
    for (int i = 0; i < 32; i++) order[i] = (uint16_t)(2 * i + 1);
    __m512i upper_halves = _mm512_loadu_si512(order);
    for (int64_t r = 0; r < rows; r++, to += ICSEG_ROW_BYTES)
        for (int64_t i = 0; i < in; i += ICSEG_TILE_INNER) {
            const float *from = x + r * in + i;
            int64_t left = x ? in - i : 0;
            uint32_t mask = left >= ICSEG_TILE_INNER ? ~0u : (1u << left) - 1;
            __m512 first = _mm512_maskz_loadu_ps((__mmask16)mask, from);
            __m512 second = _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), from + 16);
            char *panel = to + (size_t)(i / ICSEG_TILE_INNER) * next;
            for (int n = 0; n < parts; n++)
                _mm512_store_si512(panel + (size_t)n * part,
                                   parts == 2 ? round_part(&first, &second) : cut_part(&first, &second, upper_halves));
        }
}

/* Tiles 0 to 3 hold the sums, 4 and 5 rows of a, 6 and 7 columns of b. */
#define LOAD_A(from)                                                                                                   \
    _tile_loadd(4, from, ICSEG_ROW_BYTES);                                                                             \
    _tile_loadd(5, (from) + ICSEG_TILE_BYTES, ICSEG_ROW_BYTES)
#define LOAD_B(from)                                                                                                   \
    _tile_loadd(6, from, ICSEG_ROW_BYTES);                                                                             \
    _tile_loadd(7, (from) + ICSEG_TILE_BYTES, ICSEG_ROW_BYTES)
#define MULTIPLY()                                                                                                     \
    _tile_dpbf16ps(0, 4, 6);                                                                                           \
    _tile_dpbf16ps(1, 4, 7);                                                                                           \
    _tile_dpbf16ps(2, 5, 6);                                                                                           \
    _tile_dpbf16ps(3, 5, 7)

/* The smallest products come first; each differs from the one before in one operand where that can be. */
TILES static void add_two_parts(const char *a, size_t part, const char *b) {
    enum { LOW = ICSEG_PART_BYTES };
    LOAD_A(a + part);
    LOAD_B(b);
    MULTIPLY();
    LOAD_A(a);
    MULTIPLY();
    LOAD_B(b + LOW);
    MULTIPLY();
}

TILES static void add_three_parts(const char *a, size_t part, const char *b) {
    enum { MIDDLE = ICSEG_PART_BYTES, LOW = 2 * ICSEG_PART_BYTES };
    LOAD_A(a + 2 * part);
    LOAD_B(b);
    MULTIPLY();
    LOAD_A(a + part);
    MULTIPLY();
    LOAD_B(b + MIDDLE);
    MULTIPLY();
    LOAD_A(a);
    MULTIPLY();
    LOAD_B(b + LOW);
    MULTIPLY();
    LOAD_B(b);
    MULTIPLY();
}

TILES void icseg_amx_block(int parts, const char *a, size_t part, const size_t *from, const char *b, int64_t steps,
                           float *sums) {
    enum { STRIDE = ICSEG_BLOCK * (int)sizeof(float), RIGHT = ICSEG_BLOCK / 2, BELOW = ICSEG_BLOCK * ICSEG_BLOCK / 2 };
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    if (parts == 2)
        for (int64_t i = 0; i < steps; i++, b += 2 * ICSEG_PART_BYTES) add_two_parts(a + from[i], part, b);
    else
        for (int64_t i = 0; i < steps; i++, b += 3 * ICSEG_PART_BYTES) add_three_parts(a + from[i], part, b);
    _tile_stored(0, sums, STRIDE);
    _tile_stored(1, sums + RIGHT, STRIDE);
    _tile_stored(2, sums + BELOW, STRIDE);
    _tile_stored(3, sums + BELOW + RIGHT, STRIDE);
}

#else

bool icseg_amx_there(void) { return false; }
void icseg_amx_begin(void) {}
void icseg_amx_end(void) {}

void icseg_amx_split(int parts, const float *x, int64_t rows, int64_t in, char *to, size_t part, size_t next) {
    (void)parts, (void)x, (void)rows, (void)in, (void)to, (void)part, (void)next;
}

void icseg_amx_block(int parts, const char *a, size_t part, const size_t *from, const char *b, int64_t steps,
                     float *sums) {
    (void)parts, (void)a, (void)part, (void)from, (void)b, (void)steps, (void)sums;
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The instructions of AMX that src/compute/reduced/ uses, in portable C, by the names of their intrinsics: test
 * programs compile its files with this one on every processor. Semantics are those of Intel's Software Developer's
 * Manual. */
#ifndef ICSEG_TESTS_EMULATION_AMX_H
#define ICSEG_TESTS_EMULATION_AMX_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/bf16.h"

/* -- tiles: 8 registers of 16 rows of 64 bytes, of which multiplier_amx.c configures all */

enum { EMULATED_ROWS = 16, EMULATED_ROW_BYTES = 64, EMULATED_COLUMNS = 16 };

typedef struct emulated_tile {
    _Alignas(64) uint8_t row[EMULATED_ROWS][EMULATED_ROW_BYTES];
} emulated_tile;

/* Weak: the files that include this one share the registers of a thread. */
__attribute__((weak)) _Thread_local emulated_tile emulated_tiles[8];
__attribute__((weak)) _Thread_local bool emulated_configured;

/* A processor raises an invalid-opcode exception when a tile is used without a configuration. */
static inline emulated_tile *emulated_register(int i) {
    if (!emulated_configured) abort();
    return &emulated_tiles[i];
}

/* Denormal operands and results count as zero. */
static inline float emulated_flush(float x) { return fabsf(x) < FLT_MIN ? copysignf(0, x) : x; }

static inline void _tile_loadconfig(const void *config) {
    (void)config;
    memset(emulated_tiles, 0, sizeof emulated_tiles);
    emulated_configured = true;
}

static inline void _tile_release(void) { emulated_configured = false; }
static inline void _tile_zero(int to) { memset(emulated_register(to), 0, sizeof(emulated_tile)); }

static inline void _tile_loadd(int to, const void *from, size_t stride) {
    emulated_tile *t = emulated_register(to);
    for (int r = 0; r < EMULATED_ROWS; r++)
        memcpy(t->row[r], (const char *)from + (size_t)r * stride, sizeof t->row[r]);
}

static inline void _tile_stored(int from, void *to, size_t stride) {
    const emulated_tile *t = emulated_register(from);
    for (int r = 0; r < EMULATED_ROWS; r++) memcpy((char *)to + (size_t)r * stride, t->row[r], sizeof t->row[r]);
}

/* sum += a b for one pair of bf16 in each of 16 columns: the low half (shift 16) or the high half (shift 0) of the
 * dwords. The product of two bf16 is exact in f32 unless it is denormal or infinite; this is a fused multiply-add
 * whether or not the compiler fuses it. */
static inline void emulated_add(float *sum, uint32_t a, const uint32_t *b, int shift) {
    float factor = emulated_flush(icseg_float_of_bits(a << shift & 0xffff0000u));
#pragma omp simd
    for (int n = 0; n < EMULATED_COLUMNS; n++) {
        float other = emulated_flush(icseg_float_of_bits(b[n] << shift & 0xffff0000u));
        sum[n] = emulated_flush(sum[n] + factor * other);
    }
}

/* TDPBF16PS: first and second values of the pairs are summed apart from each other, from zero; then the two sums are
 * added, and their sum is added to the destination. */
static inline void _tile_dpbf16ps(int to, int from_a, int from_b) {
    const emulated_tile *a = emulated_register(from_a), *b = emulated_register(from_b);
    emulated_tile *t = emulated_register(to);
    uint32_t columns[EMULATED_ROWS][EMULATED_COLUMNS];
    memcpy(columns, b->row, sizeof columns);
    for (int m = 0; m < EMULATED_ROWS; m++) {
        float first[EMULATED_COLUMNS] = {0}, second[EMULATED_COLUMNS] = {0}, sums[EMULATED_COLUMNS];
        uint32_t pairs[EMULATED_COLUMNS];
        memcpy(pairs, a->row[m], sizeof pairs);
        memcpy(sums, t->row[m], sizeof sums);
        for (int k = 0; k < EMULATED_ROWS; k++) {
            emulated_add(first, pairs[k], columns[k], 16);
            emulated_add(second, pairs[k], columns[k], 0);
        }
        for (int n = 0; n < EMULATED_COLUMNS; n++)
            sums[n] = emulated_flush(emulated_flush(sums[n]) + emulated_flush(first[n] + second[n]));
        memcpy(t->row[m], sums, sizeof sums);
    }
}

/* The integers of a byte. */
static inline int32_t emulated_signed(uint8_t byte) { return (int8_t)byte; }
static inline int32_t emulated_unsigned(uint8_t byte) { return byte; }

/* Groups of four bytes, summed in int32. */
#define EMULATED_BYTES(NAME, INTEGER_A, INTEGER_B)                                                                     \
    static inline void NAME(int to, int from_a, int from_b) {                                                          \
        const emulated_tile *a = emulated_register(from_a), *b = emulated_register(from_b);                            \
        emulated_tile *t = emulated_register(to);                                                                      \
        for (int m = 0; m < EMULATED_ROWS; m++) {                                                                      \
            int32_t sums[EMULATED_COLUMNS];                                                                            \
            memcpy(sums, t->row[m], sizeof sums);                                                                      \
            for (int k = 0; k < EMULATED_ROWS; k++)                                                                    \
                for (int n = 0; n < EMULATED_COLUMNS; n++)                                                             \
                    for (int j = 0; j < 4; j++)                                                                        \
                        sums[n] += INTEGER_A(a->row[m][4 * k + j]) * INTEGER_B(b->row[k][4 * n + j]);                  \
            memcpy(t->row[m], sums, sizeof sums);                                                                      \
        }                                                                                                              \
    }
EMULATED_BYTES(_tile_dpbusd, emulated_unsigned, emulated_signed) /* TDPBUSD */
EMULATED_BYTES(_tile_dpbsud, emulated_signed, emulated_unsigned) /* TDPBSUD */

/* -- vectors of 512 bits */

typedef float __m512 __attribute__((vector_size(64)));
typedef int32_t __m512i __attribute__((vector_size(64)));
typedef uint16_t emulated_words __attribute__((vector_size(64)));
typedef uint16_t __m256i __attribute__((vector_size(32)));
typedef uint16_t __mmask16;

/* Reads only what the mask asks for. */
static inline __m512 _mm512_maskz_loadu_ps(__mmask16 mask, const float *from) {
    __m512 x = {0};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) x[i] = from[i];
    return x;
}

static inline __m512 _mm512_set1_ps(float value) {
    __m512 x;
    for (int i = 0; i < 16; i++) x[i] = value;
    return x;
}

/* VCVTNE2PS2BF16: to nearest, ties to even; denormals become zero; NaN becomes quiet. */
static inline uint16_t emulated_bf16(float x) {
    return isnan(x) ? (uint16_t)(icseg_float_bits(x) >> 16 | 0x40) : icseg_narrow_bf16(emulated_flush(x));
}

static inline __m512i _mm512_cvtne2ps_pbh(__m512 upper, __m512 lower) {
    emulated_words x;
    for (int i = 0; i < 16; i++) {
        x[i] = emulated_bf16(lower[i]);
        x[i + 16] = emulated_bf16(upper[i]);
    }
    return (__m512i)x;
}

static inline __m256i _mm512_extracti64x4_epi64(__m512i x, int half) {
    __m256i part;
    memcpy(&part, (const char *)&x + half * (int)sizeof part, sizeof part);
    return part;
}

static inline __m256i _mm512_castsi512_si256(__m512i x) { return _mm512_extracti64x4_epi64(x, 0); }

static inline __m512i _mm512_cvtepu16_epi32(__m256i x) {
    __m512i wide;
    for (int i = 0; i < 16; i++) wide[i] = x[i];
    return wide;
}

static inline __m512i _mm512_slli_epi32(__m512i x, int bits) { return x << bits; }

/* Aligned stores fault on a pointer that is not aligned. */
static inline void emulated_store(void *to, const void *from, size_t bytes) {
    if ((uintptr_t)to % bytes) abort();
    memcpy(to, from, bytes);
}

static inline void _mm512_store_si512(void *to, __m512i x) { emulated_store(to, &x, sizeof x); }

#endif

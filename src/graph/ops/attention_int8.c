/* SPDX-License-Identifier: Apache-2.0
 * Compiles attention_int8_kernel.h for each kind of processor, and chooses one. */
#include "graph/ops/attention_int8.h"

#include <math.h>
#include <string.h>

#include "base/system.h"
#include "compute/reduced/byte_tiles.h"
#include "graph/ops/attention_int8_operands.h"

/* VECTORS: vectors of queries in a tile. BLOCK: keys whose scores are computed at a time, whole steps of each kind. */
enum {
    VECTORS = 3,
    BLOCK = 128,
    PANEL = ICSEG_TILE_ROWS,
    PANEL_BYTES = ICSEG_TILE_BYTES,
    WORD = 4 /* bytes */
};

/* Adding this rounds to an integer, which is then in the low bits. */
#define ROUNDER 12582912.0f

static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/* Scratch memory of a thread. */
typedef struct buffers {
    float *p;         /* (BLOCK, tile): scores */
    char *bytes;      /* (BLOCK / group, tile, group): e^(score - the largest of the block), in integers */
    char *q;          /* (deep / group, tile, group): integers */
    float *out;       /* (16 panels of depth, tile), in the values' units and before it is divided by the sum */
    float *unit;      /* (tile): of the queries */
    float *top;       /* (tile): the block's largest score */
    float *most;      /* (tile): the largest so far */
    float *sum;       /* (tile) */
    float *old, *new; /* (tile): by what the sums so far, and those of the block, are multiplied */
    float *row;       /* (deep) */
} buffers;

static size_t divide(buffers *b, char *scratch, int64_t depth, int64_t tile, int64_t group) {
    int64_t inner = PANEL * group, deep = round_up(depth, inner), longest = deep > BLOCK ? deep : BLOCK;
    struct {
        void *pointer;
        int64_t numbers;
    } part[] = {
        {&b->p, BLOCK * tile},
        {&b->bytes, round_up(longest / group, PANEL) * tile},
        {&b->q, deep / group * tile},
        {&b->out, round_up(depth, PANEL) * tile},
        {&b->unit, tile},
        {&b->top, tile},
        {&b->most, tile},
        {&b->sum, tile},
        {&b->old, tile},
        {&b->new, tile},
        {&b->row, deep},
    };
    int64_t at = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        char *address = scratch ? scratch + at : NULL;
        memcpy(part[i].pointer, &address, sizeof address);
        at += round_up(part[i].numbers * WORD, 64);
    }
    return (size_t)at;
}

typedef struct implementation {
    const icseg_multiplier *multiplier; /* of the same instructions */
    bool (*supported)(void);            /* what the multiplier does not need */
    int64_t tile, group;                /* queries of a tile; integers in 32 bits */
    void (*run)(const icseg_attention_head *head, const icseg_attention_operands *operands, int64_t first, int64_t end,
                const buffers *buffers);
} implementation;

#if defined(ICSEG_KERNEL_CLONES) && __GNUC__ >= 11
#include <immintrin.h>

static bool has_avx2(void) { return __builtin_cpu_supports("x86-64-v3"); }
static bool has_avx512(void) { return __builtin_cpu_supports("x86-64-v4"); }

/* -- 256-bit vectors */

#define LANES              8
#define FLOATS             __m256
#define INTEGERS           __m256i
#define SPREAD             _mm256_set1_ps
#define SPREAD_INTEGER     _mm256_set1_epi32
#define MAX                _mm256_max_ps
#define FMA                _mm256_fmadd_ps
#define FLOOR(x)           _mm256_round_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
#define SCALE(x, exponent) (__m256) _mm256_add_epi32((__m256i)(x), _mm256_slli_epi32(_mm256_cvtps_epi32(exponent), 23))
#define TO_FLOATS          _mm256_cvtepi32_ps
#define CLAMP(x)           _mm256_max_ps(x, _mm256_set1_ps(-64)) /* SCALE needs a bound */
/* The low halves of two vectors, side by side. */
#define PAIR(x, y) _mm256_blend_epi16((__m256i)(x), _mm256_slli_epi32((__m256i)(y), 16), 0xaa)

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define ROWS           4
#define GROUP          2
#define DOT(sum, x, y) _mm256_add_epi32(sum, _mm256_madd_epi16(x, y))
#define PACK(x)        PAIR((x)[0], (x)[1])
#define ONES           _mm256_set1_epi16(1)
#define NAMED(name)    name##_avx2
#include "graph/ops/attention_int8_kernel.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3,avxvnni")
#define ROWS        4
#define GROUP       4
#define DOT         _mm256_dpbusd_avx_epi32
#define PACK(x)     _mm256_or_si256(PAIR((x)[0], (x)[2]), _mm256_slli_epi32(PAIR((x)[1], (x)[3]), 8))
#define ONES        _mm256_set1_epi8(1)
#define NAMED(name) name##_avx_vnni
#include "graph/ops/attention_int8_kernel.h"
#pragma GCC pop_options

#undef LANES
#undef FLOATS
#undef INTEGERS
#undef SPREAD
#undef SPREAD_INTEGER
#undef MAX
#undef FMA
#undef FLOOR
#undef SCALE
#undef TO_FLOATS
#undef CLAMP

/* -- 512-bit vectors */

#define LANES              16
#define FLOATS             __m512
#define INTEGERS           __m512i
#define SPREAD             _mm512_set1_ps
#define SPREAD_INTEGER     _mm512_set1_epi32
#define MAX                _mm512_max_ps
#define FMA                _mm512_fmadd_ps
#define FLOOR(x)           _mm512_roundscale_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
#define SCALE(x, exponent) _mm512_scalef_ps(x, exponent)
#define TO_FLOATS          _mm512_cvtepi32_ps
#define CLAMP(x)           (x)

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,avx512vnni,prefer-vector-width=512")

/* The low byte of each number, moved to byte `index`. */
#define MOVED(to, index, x) _mm512_mask_shuffle_epi8(to, 0x1111111111111111u << (index), x, SPREAD_BYTES)
#define SPREAD_BYTES        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12))
ICSEG_INLINE __m512i pack_512(const __m512 x[4]) {
    __m512i low = MOVED((__m512i)x[0], 1, (__m512i)x[1]);
    return MOVED(MOVED(low, 2, (__m512i)x[2]), 3, (__m512i)x[3]);
}

#define ROWS        8
#define GROUP       4
#define DOT         _mm512_dpbusd_epi32
#define PACK        pack_512
#define ONES        _mm512_set1_epi8(1)
#define NAMED(name) name##_avx512_vnni
#include "graph/ops/attention_int8_kernel.h"

#define TILES
#define GROUP       4
#define DOT         _mm512_dpbusd_epi32
#define PACK        pack_512
#define ONES        _mm512_set1_epi8(1)
#define NAMED(name) name##_amx
#include "graph/ops/attention_int8_kernel.h"
#pragma GCC pop_options

#elif defined(__aarch64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 10
#include <arm_neon.h>

/* -- 128-bit vectors */

static bool always(void) { return true; }

/* GCC would load the words of all rows first and run out of registers. */
ICSEG_INLINE int32x4_t spread_integer(int32_t x) {
    __asm__ volatile("" ::: "memory");
    return vdupq_n_s32(x);
}

/* The low byte of each number, moved to byte `index`: the bytes below it are those of `to`. */
#define MOVED(to, index, x) vsliq_n_s32(to, (int32x4_t)(x), 8 * (index))

#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+i8mm")
#define LANES              4
#define FLOATS             float32x4_t
#define INTEGERS           int32x4_t
#define SPREAD             vdupq_n_f32
#define SPREAD_INTEGER     spread_integer
#define MAX                vmaxnmq_f32
#define FMA(x, y, z)       vfmaq_f32(z, x, y)
#define FLOOR              vrndmq_f32
#define SCALE(x, exponent) (float32x4_t) vaddq_s32((int32x4_t)(x), vshlq_n_s32(vcvtq_s32_f32(exponent), 23))
#define TO_FLOATS          vcvtq_f32_s32
#define CLAMP(x)           vmaxnmq_f32(x, vdupq_n_f32(-64)) /* SCALE needs a bound */
#define ROWS               8
#define GROUP              4
#define DOT(sum, x, y)     vusdotq_s32(sum, (uint8x16_t)(x), (int8x16_t)(y))
#define PACK(x)            MOVED(MOVED(MOVED((int32x4_t)(x)[0], 1, (x)[1]), 2, (x)[2]), 3, (x)[3])
#define ONES               vdupq_n_s32(0x01010101)
#define NAMED(name)        name##_i8mm
#include "graph/ops/attention_int8_kernel.h"
#pragma GCC pop_options
#endif

/* The fastest first. */
static const implementation implementations[] = {
#if defined(LANES) && defined(__aarch64__)
    {&icseg_multiplier_neon_i8mm, always, TILE_i8mm, GROUP_i8mm, run_i8mm},
#elif defined(LANES)
    {&icseg_multiplier_amx_int8, has_avx512, TILE_amx, GROUP_amx, run_amx},
    {&icseg_multiplier_avx512_vnni, has_avx512, TILE_avx512_vnni, GROUP_avx512_vnni, run_avx512_vnni},
    {&icseg_multiplier_avx_vnni, has_avx2, TILE_avx_vnni, GROUP_avx_vnni, run_avx_vnni},
    {&icseg_multiplier_avx2, has_avx2, TILE_avx2, GROUP_avx2, run_avx2},
#endif
    {0}};

static bool supported(const implementation *i) { return i->multiplier->supported() && i->supported(); }

/* NULL: none. */
static const implementation *chosen(void) {
    const implementation *i = implementations;
    while (i->multiplier && !supported(i)) i++;
    return i->multiplier ? i : NULL;
}

bool icseg_attention_int8_is_faster(int64_t queries, int64_t keys, int64_t depth) {
    enum { FEWEST = 32, DEEPEST = 512 }; /* a sum of more products would not be exact in f32 */
    return chosen() && queries >= FEWEST && keys >= FEWEST && depth <= DEEPEST;
}

static size_t operands_of(icseg_attention_operands *o, char *memory, int64_t keys, int64_t depth) {
    return icseg_attention_operands_divide(o, memory, keys, depth, PANEL * chosen()->group);
}

size_t icseg_attention_int8_operands(int64_t keys, int64_t depth) {
    icseg_attention_operands unused;
    return operands_of(&unused, NULL, keys, depth);
}

size_t icseg_attention_int8_scratch(int64_t depth) {
    buffers unused;
    return divide(&unused, NULL, depth, chosen()->tile, chosen()->group);
}

int64_t icseg_attention_int8_tiles(int64_t queries) { return round_up(queries, chosen()->tile) / chosen()->tile; }

void icseg_attention_int8_keys(const icseg_attention_head *head, char *operands) {
    icseg_attention_operands o;
    operands_of(&o, operands, head->keys, head->depth);
    icseg_attention_quantise_keys(head, &o);
}

void icseg_attention_int8_values(const icseg_attention_head *head, char *operands) {
    icseg_attention_operands o;
    operands_of(&o, operands, head->keys, head->depth);
    icseg_attention_quantise_values(head, &o);
}

void icseg_attention_int8_run(const icseg_attention_head *head, char *operands, int64_t first, int64_t end,
                              char *scratch) {
    const implementation *i = chosen();
    icseg_attention_operands o;
    buffers b;
    operands_of(&o, operands, head->keys, head->depth);
    divide(&b, scratch, head->depth, i->tile, i->group);
    if (i->multiplier->begin) i->multiplier->begin();
    i->run(head, &o, first, end, &b);
    if (i->multiplier->end) i->multiplier->end();
}

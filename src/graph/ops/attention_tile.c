/* SPDX-License-Identifier: Apache-2.0
 * Compiles attention_tile_kernel.h for each instruction set, and chooses one. Its vectors and its blocks of registers
 * have other sizes for each, which ICSEG_KERNEL's clones cannot have. */
#include "graph/ops/attention_tile.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/system.h"
#include "base/vmath.h"

static const float LOG2_E = 1.44269504f;

/* VECTORS: vectors of queries in a tile. BLOCK: keys whose scores are computed at a time. */
enum { VECTORS = 3, BLOCK = 128 };

static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/* Scratch memory of a thread. Panels hold `rows` columns of a matrix side by side. */
typedef struct buffers {
    float *keys;               /* (panels of keys, depth, rows) */
    float *values;             /* (panels of depth, keys, rows) */
    float *q;                  /* (depth, tile), scaled */
    float *p;                  /* (BLOCK, tile): scores, then probabilities before they are divided by their sum */
    float *out;                /* (panels of depth * rows, tile) */
    float *top, *sum, *factor; /* (tile): the largest score so far, the sum, and by what the next block rescales it */
    float *near_row, *near_column; /* (near.rows, tile), (near.columns, tile) */
} buffers;

static size_t divide(buffers *b, float *scratch, int64_t keys, int64_t depth, const icseg_attention_near *near,
                     int64_t rows, int64_t tile) {
    int64_t deep = round_up(depth, rows);
    struct {
        float **at;
        int64_t floats;
    } part[] = {
        {&b->keys, round_up(keys, rows) * depth},
        {&b->values, keys * deep},
        {&b->q, depth * tile},
        {&b->p, BLOCK * tile},
        {&b->out, deep * tile},
        {&b->top, tile},
        {&b->sum, tile},
        {&b->factor, tile},
        {&b->near_row, near->rows * tile},
        {&b->near_column, near->rows ? near->columns * tile : 0},
    };
    int64_t at = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        *part[i].at = scratch ? scratch + at : NULL;
        at += round_up(part[i].floats, 16);
    }
    return (size_t)at;
}

typedef struct implementation {
    const char *name;
    bool (*supported)(void);
    int64_t rows, tile; /* rows of a panel, queries of a tile */
    void (*run)(const icseg_attention_head *head, int64_t first, int64_t end, const buffers *buffers);
} implementation;

static bool has_baseline(void) { return true; }

#define LANES 4
#ifdef __aarch64__ /* which has twice as many registers */
#define ROWS 8
#else
#define ROWS 4
#endif
#define NAMED(name) name##_baseline
#include "graph/ops/attention_tile_kernel.h"

#ifdef ICSEG_KERNEL_CLONES
static bool has_avx2(void) { return __builtin_cpu_supports("x86-64-v3"); }
static bool has_avx512(void) { return __builtin_cpu_supports("x86-64-v4"); }

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LANES       8
#define ROWS        4
#define NAMED(name) name##_avx2
#include "graph/ops/attention_tile_kernel.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4", "prefer-vector-width=512")
#define LANES       16
#define ROWS        8
#define NAMED(name) name##_avx512
#include "graph/ops/attention_tile_kernel.h"
#pragma GCC pop_options
#endif

/* The fastest first. */
static const implementation implementations[] = {
#ifdef ICSEG_KERNEL_CLONES
    {"AVX-512", has_avx512, ROWS_avx512, TILE_avx512, run_avx512},
    {"AVX2", has_avx2, ROWS_avx2, TILE_avx2, run_avx2},
#endif
    {"baseline", has_baseline, ROWS_baseline, TILE_baseline, run_baseline}};

static const implementation *chosen(void) {
    const implementation *i = implementations;
    while (!i->supported()) i++;
    return i;
}

int64_t icseg_attention_tiles(int64_t queries) {
    int64_t tile = chosen()->tile;
    return (queries + tile - 1) / tile;
}

size_t icseg_attention_scratch(int64_t keys, int64_t depth, const icseg_attention_near *near) {
    const implementation *i = chosen();
    buffers unused;
    return divide(&unused, NULL, keys, depth, near, i->rows, i->tile);
}

void icseg_attention_run(const icseg_attention_head *head, int64_t first, int64_t end, float *scratch) {
    const implementation *i = chosen();
    buffers b;
    divide(&b, scratch, head->keys, head->depth, &head->near, i->rows, i->tile);
    i->run(head, first, end, &b);
}

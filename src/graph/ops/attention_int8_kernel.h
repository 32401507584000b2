/* SPDX-License-Identifier: Apache-2.0
 * The body of attention_int8.c, which includes it once for each kind of processor. LANES: numbers in a vector. ROWS:
 * rows of a block; its sums with a tile's columns stay in registers. FLOATS, INTEGERS: vectors. GROUP: integers in 32
 * bits. DOT: adds the products of groups of unsigned with signed integers. TILES: AMX multiplies. NAMED: makes the
 * names of this copy. */

#define TILE (VECTORS * LANES)
enum { NAMED(TILE) = TILE, NAMED(GROUP) = GROUP };

#ifdef TILES
#define ROWS PANEL
ICSEG_INLINE void NAMED(multiply)(const int vectors, INTEGERS sum[ROWS][VECTORS], const char *a, const char *b,
                                  int64_t groups) {
    icseg_byte_tiles_multiply(a, b, (groups + PANEL - 1) / PANEL, vectors, (int32_t *)sum);
}
#else

/* out = the products of ROWS rows with the first `vectors` vectors of a tile's columns; for each group, b has those of
 * all columns */
ICSEG_INLINE void NAMED(product)(const int vectors, INTEGERS out[ROWS][VECTORS], const char *a, const char *b,
                                 int64_t groups) {
    INTEGERS sum[ROWS][VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 3
        for (int c = 0; c < vectors; c++) sum[r][c] = (INTEGERS){0};
    for (int64_t g = 0; g < groups; g++, b += TILE * WORD) {
        const char *row = a + g / PANEL * PANEL_BYTES + g % PANEL * WORD;
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++) {
            INTEGERS x = SPREAD_INTEGER(*(const int32_t *)(const void *)(row + r * ICSEG_ROW_BYTES));
#pragma GCC unroll 3
            for (int c = 0; c < vectors; c++) sum[r][c] = DOT(sum[r][c], ((const INTEGERS *)(const void *)b)[c], x);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 3
        for (int c = 0; c < vectors; c++) out[r][c] = sum[r][c];
}

/* Not inlined: GCC then keeps the sums in registers. */
__attribute__((noinline)) static void NAMED(multiply)(int vectors, INTEGERS out[ROWS][VECTORS], const char *a,
                                                      const char *b, int64_t groups) {
    switch (vectors) {
    case 1: NAMED(product)(1, out, a, b, groups); break;
    case 2: NAMED(product)(2, out, a, b, groups); break;
    default: NAMED(product)(3, out, a, b, groups);
    }
}
#endif

/* 2^x for x <= 0; relative error 1.2e-4, of 2^0 none. Below -64, and for NaN: 2^-64, 0 or NaN. */
ICSEG_INLINE FLOATS NAMED(power)(FLOATS x) {
    FLOATS bounded = CLAMP(x), whole = FLOOR(bounded), r = bounded - whole;
    FLOATS p = FMA(r, SPREAD(0.07751163602f), SPREAD(0.22748836398f));
    p = FMA(p, r, SPREAD(0.695f));
    p = FMA(p, r, SPREAD(1));
    return SCALE(p, whole);
}

static void NAMED(pack_queries)(const icseg_attention_head *h, const icseg_attention_operands *o, int64_t first,
                                int64_t rows, const buffers *b) {
    int64_t groups = o->deep / GROUP;
    for (int64_t i = 0; i < TILE; i++) {
        icseg_attention_prefetch(h->q + (first + TILE + i) * h->q_pitch, h->depth);
        icseg_attention_prefetch(icseg_attention_out(h, first + i), h->bytes.scale > 0 ? h->depth / WORD : h->depth);
        b->unit[i] = 0;
        if (i < rows)
            b->unit[i] = icseg_attention_quantise_query(h->q + (first + i) * h->q_pitch, h->depth, o, b->row, b->bytes);
        else
            memset(b->bytes, 0, (size_t)groups * WORD);
        for (int64_t g = 0; g < groups; g++) memcpy(b->q + (g * TILE + i) * WORD, b->bytes + g * WORD, WORD);
    }
}

/* The scores of the keys [first, first + n), before they are multiplied with the queries' units, and the largest. */
ICSEG_INLINE void NAMED(score)(const int vectors, const icseg_attention_operands *o, int64_t depth, int64_t first,
                               int64_t n, const buffers *b) {
    FLOATS top[VECTORS], *to = (FLOATS *)(void *)b->p;
    for (int c = 0; c < vectors; c++) top[c] = SPREAD(-INFINITY);
    for (int64_t j = first; j < first + n; j += ROWS, to += ROWS * VECTORS) {
        INTEGERS sum[ROWS][VECTORS];
        const char *rows = o->keys + j / PANEL * o->key_steps * PANEL_BYTES + j % PANEL * ICSEG_ROW_BYTES;
        const float *unit = o->key_unit + j, *bias = o->key_bias + j;
        NAMED(multiply)(vectors, sum, rows, b->q, (depth + GROUP - 1) / GROUP);
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; r++) {
            FLOATS u = SPREAD(unit[r]), v = SPREAD(bias[r]);
#pragma GCC unroll 3
            for (int c = 0; c < vectors; c++) {
                FLOATS score = FMA(TO_FLOATS(sum[r][c]), u, v);
                to[r * VECTORS + c] = score;
                top[c] = MAX(score, top[c]);
            }
        }
    }
    for (int c = 0; c < vectors; c++) ((FLOATS *)(void *)b->top)[c] = top[c];
}

/* The bytes of a group of scores, of which `n` are valid; the others become 0. */
ICSEG_INLINE INTEGERS NAMED(group)(const int n, const FLOATS *score, FLOATS top, FLOATS unit) {
    FLOATS x[GROUP];
#pragma GCC unroll 4
    for (int t = 0; t < GROUP; t++)
        x[t] = t < n ? FMA(NAMED(power)((score[t * VECTORS] - top) * unit), SPREAD(255), SPREAD(ROUNDER))
                     : SPREAD(ROUNDER);
    return PACK(x);
}

/* The scores of n keys -> bytes, 255 at the largest of them; adds the sums. */
ICSEG_INLINE void NAMED(exponentials)(const int vectors, int64_t n, const buffers *b) {
    for (int c = 0; c < vectors; c++) {
        FLOATS unit = ((FLOATS *)(void *)b->unit)[c], top = ((FLOATS *)(void *)b->top)[c];
        FLOATS *most = (FLOATS *)(void *)b->most + c, *total = (FLOATS *)(void *)b->sum + c;
        const FLOATS *score = (const FLOATS *)(const void *)b->p + c;
        INTEGERS sum = {0}, *to = (INTEGERS *)(void *)b->bytes + c;
        for (int64_t left = n; left > 0; left -= GROUP, to += VECTORS, score += GROUP * VECTORS) {
            INTEGERS bytes;
            switch (left) {
            case 1: bytes = NAMED(group)(1, score, top, unit); break;
            case 2: bytes = NAMED(group)(2, score, top, unit); break;
            case 3: bytes = NAMED(group)(3, score, top, unit); break;
            default: bytes = NAMED(group)(GROUP, score, top, unit);
            }
            *to = bytes;
            sum = DOT(sum, bytes, ONES);
        }
        FLOATS least = SPREAD(-64), before = *most, after = MAX(before, top);
        FLOATS old = NAMED(power)(MAX((before - after) * unit, least));
        FLOATS new = NAMED(power)(MAX((top - after) * unit, least));
        *total = FMA(TO_FLOATS(sum), new, *total * old);
        *most = after;
        ((FLOATS *)(void *)b->old)[c] = old;
        ((FLOATS *)(void *)b->new)[c] = new;
    }
}

/* Adds n keys' values from step `step` on, times their bytes. */
ICSEG_INLINE void NAMED(accumulate)(const int vectors, const icseg_attention_operands *o, int64_t depth, int64_t step,
                                    int64_t n, const buffers *b) {
    const FLOATS *old = (const FLOATS *)(void *)b->old, *new = (const FLOATS *)(void *)b->new;
    FLOATS *out = (FLOATS *)(void *)b->out;
    for (int64_t d = 0; d < depth; d += ROWS) {
        INTEGERS sum[ROWS][VECTORS];
        const char *rows = o->values + (d / PANEL * o->value_steps + step) * PANEL_BYTES + d % PANEL * ICSEG_ROW_BYTES;
        NAMED(multiply)(vectors, sum, rows, b->bytes, (n + GROUP - 1) / GROUP);
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 3
            for (int c = 0; c < vectors; c++) {
                FLOATS *to = out + (d + r) * VECTORS + c;
                *to = FMA(TO_FLOATS(sum[r][c]), new[c], *to * old[c]);
            }
    }
}

ICSEG_INLINE void NAMED(attend)(const int vectors, const icseg_attention_head *h, const icseg_attention_operands *o,
                                const buffers *b) {
    for (int64_t j = 0; j < h->keys; j += BLOCK) {
        int64_t n = h->keys - j < BLOCK ? h->keys - j : BLOCK;
        NAMED(score)(vectors, o, h->depth, j, n, b);
        NAMED(exponentials)(vectors, n, b);
        NAMED(accumulate)(vectors, o, h->depth, j / o->inner, n, b);
    }
}

ICSEG_INLINE void NAMED(quantise)(const float *row, int64_t depth, icseg_quantization q, uint8_t *to) {
    float steps = 1 / q.scale;
#pragma omp simd
    for (int64_t d = 0; d < depth; d++) to[d] = icseg_quantized(row[d], steps, q.zero_point);
}

/* A query whose unit is not finite has the sum 0, and so the result NaN. */
static void NAMED(write)(const icseg_attention_head *h, const icseg_attention_operands *o, int64_t first, int64_t rows,
                         const buffers *b) {
    FLOATS inverse[VECTORS], *out = (FLOATS *)(void *)b->out, poison = SPREAD(*o->poison);
    for (int c = 0; c < VECTORS; c++) inverse[c] = SPREAD(1) / ((const FLOATS *)(const void *)b->sum)[c];
    for (int64_t d = 0; d < h->depth; d++, out += VECTORS) {
        FLOATS unit = SPREAD(o->value_unit[d]), centre = SPREAD(o->value_centre[d]);
        for (int c = 0; c < VECTORS; c++) out[c] = FMA(out[c] * inverse[c], unit, centre) + poison;
    }
    for (int64_t i = 0; i < rows; i++) {
        float *to = h->bytes.scale > 0 ? b->row : icseg_attention_out(h, first + i);
        for (int64_t d = 0; d < h->depth; d++) to[d] = b->out[d * TILE + i];
        if (h->bytes.scale > 0) NAMED(quantise)(b->row, h->depth, h->bytes, icseg_attention_out(h, first + i));
    }
}

static void NAMED(run)(const icseg_attention_head *h, const icseg_attention_operands *o, int64_t first, int64_t end,
                       const buffers *b) {
    for (int64_t t = first; t < end; t++) {
        int64_t at = t * TILE, rows = h->queries - at < TILE ? h->queries - at : TILE;
        NAMED(pack_queries)(h, o, at, rows, b);
        memset(b->out, 0, (size_t)(o->value_panels * PANEL * TILE) * sizeof *b->out);
        for (int i = 0; i < TILE; i++) b->most[i] = -INFINITY, b->sum[i] = 0;
        switch ((rows + LANES - 1) / LANES) {
        case 1: NAMED(attend)(1, h, o, b); break;
        case 2: NAMED(attend)(2, h, o, b); break;
        default: NAMED(attend)(3, h, o, b);
        }
        NAMED(write)(h, o, at, rows, b);
    }
}

#undef TILE
#undef ROWS
#undef TILES
#undef DOT
#undef PACK
#undef ONES
#undef GROUP
#undef NAMED

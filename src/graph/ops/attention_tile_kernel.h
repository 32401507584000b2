/* SPDX-License-Identifier: Apache-2.0
 * The body of attention_tile.c, which includes it once for each instruction set. LANES: numbers in a vector. ROWS: rows
 * of a panel; ROWS x VECTORS sums stay in registers. NAMED: makes the names of this copy. */

#define TILE  (VECTORS * LANES)
#define lanes NAMED(lanes)
enum { NAMED(ROWS) = ROWS, NAMED(TILE) = TILE };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

/* sum (ROWS, TILE) = or += panel^T (n, ROWS) times x (n, TILE), for the first `vectors` vectors of a tile */
ICSEG_INLINE void NAMED(multiply)(const int vectors, float *out, bool add, const float *panel, const float *x,
                                  int64_t n) {
    lanes sum[ROWS][VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 3
        for (int c = 0; c < vectors; c++) sum[r][c] = add ? *(const lanes *)(out + r * TILE + c * LANES) : (lanes){0};
    for (int64_t i = 0; i < n; i++, panel += ROWS, x += TILE) {
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 3
            for (int c = 0; c < vectors; c++) sum[r][c] += panel[r] * *(const lanes *)(x + c * LANES);
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 3
        for (int c = 0; c < vectors; c++) *(lanes *)(out + r * TILE + c * LANES) = sum[r][c];
}

/* Rows are too far apart for the hardware prefetcher. Prefetching rows beyond the last one is harmless. */
ICSEG_INLINE void NAMED(prefetch)(const float *row, int64_t depth) {
    enum { LINE = 16 };
    for (int64_t d = 0; d < depth; d += LINE) __builtin_prefetch(row + d);
}

static void NAMED(pack_keys)(const icseg_attention_head *h, float *to) {
    for (int64_t j = 0; j < h->keys; j += ROWS, to += ROWS * h->depth)
        for (int r = 0; r < ROWS; r++) {
            const float *row = h->k + (j + r) * h->kv_pitch;
            NAMED(prefetch)(row + ROWS * h->kv_pitch, h->depth);
            for (int64_t d = 0; d < h->depth; d++) to[d * ROWS + r] = j + r < h->keys ? row[d] : 0;
        }
}

static void NAMED(pack_values)(const icseg_attention_head *h, float *to) {
    int64_t whole = h->depth - h->depth % ROWS, panel = h->keys * ROWS;
    for (int64_t j = 0; j < h->keys; j++, to += ROWS) {
        const float *row = h->v + j * h->kv_pitch;
        float *out = to;
        NAMED(prefetch)(row + ROWS * h->kv_pitch, h->depth);
        for (int64_t d = 0; d < whole; d += ROWS, out += panel) memcpy(out, row + d, ROWS * sizeof *out);
        for (int r = 0; r < ROWS && whole < h->depth; r++) out[r] = whole + r < h->depth ? row[whole + r] : 0;
    }
}

/* Scores are for powers of 2 instead of e. */
static void NAMED(pack_queries)(const icseg_attention_head *h, int64_t first, int64_t rows, float *to) {
    const float *row = h->q + first * h->q_pitch, scale = h->scale * LOG2_E;
    for (int64_t i = 0; i < rows; i++, row += h->q_pitch) {
        NAMED(prefetch)(row + ROWS * h->q_pitch, h->depth);
        for (int64_t d = 0; d < h->depth; d++) to[d * TILE + i] = scale * row[d];
    }
    for (int64_t i = rows; i < TILE; i++)
        for (int64_t d = 0; d < h->depth; d++) to[d * TILE + i] = 0;
}

static void NAMED(pack_near)(const icseg_attention_near *n, int64_t first, int64_t rows, const buffers *b) {
    for (int64_t i = 0; i < TILE; i++) {
        int64_t query = i < rows ? first + i : first, y = query / n->columns, x = query % n->columns;
        for (int64_t j = 0; j < n->rows; j++) b->near_row[j * TILE + i] = LOG2_E * n->row[y - j];
        for (int64_t j = 0; j < n->columns; j++) b->near_column[j * TILE + i] = n->column[x - j];
    }
}

/* Adds to the scores of the keys [first, first + n). */
static void NAMED(add_near)(const icseg_attention_head *h, int64_t first, int64_t n, const buffers *b) {
    int64_t others = h->keys - h->near.rows * h->near.columns;
    for (int64_t j = first < others ? others : first; j < first + n; j++) {
        const float *row = b->near_row + (j - others) / h->near.columns * TILE;
        const float *column = b->near_column + (j - others) % h->near.columns * TILE;
        float *p = b->p + (j - first) * TILE;
#pragma omp simd
        for (int i = 0; i < TILE; i++) p[i] += row[i] * column[i];
    }
}

/* top = the largest of it and of `keys` rows of scores */
ICSEG_INLINE void NAMED(find_top)(const int width, const int keys, const float *p, float *top) {
#pragma omp simd
    for (int i = 0; i < width; i++) {
        float most = p[i];
#pragma GCC unroll 8
        for (int j = 1; j < keys; j++) most = p[j * TILE + i] > most ? p[j * TILE + i] : most;
        top[i] = most > top[i] ? most : top[i];
    }
}

/* p = 2^(p - top), for `keys` rows, and sum += p */
ICSEG_INLINE void NAMED(to_powers)(const int width, const int keys, float *p, const float *top, float *sum) {
#pragma omp simd
    for (int i = 0; i < width; i++) {
        float part = 0;
#pragma GCC unroll 8
        for (int j = 0; j < keys; j++) {
            float e = icseg_exp2_below(p[j * TILE + i] - top[i]);
            p[j * TILE + i] = e;
            part += e;
        }
        sum[i] += part;
    }
}

/* Scores of n keys -> 2^(score - the largest so far), and adds them to the sums. Several keys at a time, because `top`
 * and `sum` pass through memory. */
ICSEG_INLINE void NAMED(exponentials)(const int width, int64_t n, const buffers *b) {
    enum { KEYS = 4 };
    float top[TILE], sum[TILE];
    int64_t whole = n - n % KEYS;
#pragma omp simd
    for (int i = 0; i < width; i++) top[i] = b->top[i];
    for (int64_t j = 0; j < whole; j += KEYS) NAMED(find_top)(width, KEYS, b->p + j * TILE, top);
    for (int64_t j = whole; j < n; j++) NAMED(find_top)(width, 1, b->p + j * TILE, top);
#pragma omp simd
    for (int i = 0; i < width; i++) {
        b->factor[i] = icseg_exp2_below(b->top[i] - top[i]);
        b->top[i] = top[i];
        sum[i] = b->sum[i] * b->factor[i];
    }
    for (int64_t j = 0; j < whole; j += KEYS) NAMED(to_powers)(width, KEYS, b->p + j * TILE, top, sum);
    for (int64_t j = whole; j < n; j++) NAMED(to_powers)(width, 1, b->p + j * TILE, top, sum);
#pragma omp simd
    for (int i = 0; i < width; i++) b->sum[i] = sum[i];
}

ICSEG_INLINE void NAMED(rescale)(const int width, int64_t rows, float *out, const float *factor) {
    for (int64_t d = 0; d < rows; d++)
#pragma omp simd
        for (int i = 0; i < width; i++) out[d * TILE + i] *= factor[i];
}

/* b->out = the tile's result before it is divided by b->sum; queries fill the first `vectors` vectors */
ICSEG_INLINE void NAMED(attend)(const int vectors, const icseg_attention_head *h, const buffers *b) {
    int64_t deep = round_up(h->depth, ROWS);
    for (int64_t j = 0; j < h->keys; j += BLOCK) {
        int64_t n = h->keys - j < BLOCK ? h->keys - j : BLOCK;
        for (int64_t r = 0; r < n; r += ROWS)
            NAMED(multiply)(vectors, b->p + r * TILE, false, b->keys + (j + r) * h->depth, b->q, h->depth);
        if (h->near.rows) NAMED(add_near)(h, j, n, b);
        NAMED(exponentials)(vectors * LANES, n, b);
        if (j) NAMED(rescale)(vectors * LANES, deep, b->out, b->factor);
        for (int64_t d = 0; d < deep; d += ROWS)
            NAMED(multiply)(vectors, b->out + d * TILE, j > 0, b->values + d * h->keys + j * ROWS, b->p, n);
    }
}

static void NAMED(write)(const icseg_attention_head *h, int64_t first, int64_t rows, const buffers *b) {
    for (int64_t i = 0; i < rows; i++) {
        float *to = icseg_attention_out(h, first + i), inverse = 1 / b->sum[i];
        for (int64_t d = 0; d < h->depth; d++) to[d] = b->out[d * TILE + i] * inverse;
    }
}

static void NAMED(write_bytes)(const icseg_attention_head *h, int64_t first, int64_t rows, const buffers *b) {
    float steps = 1 / h->bytes.scale;
    for (int64_t i = 0; i < rows; i++) {
        uint8_t *to = icseg_attention_out(h, first + i);
        float inverse = 1 / b->sum[i];
        for (int64_t d = 0; d < h->depth; d++)
            to[d] = icseg_quantized(b->out[d * TILE + i] * inverse, steps, h->bytes.zero_point);
    }
}

static void NAMED(run)(const icseg_attention_head *h, int64_t first, int64_t end, const buffers *b) {
    NAMED(pack_keys)(h, b->keys);
    NAMED(pack_values)(h, b->values);
    for (int64_t t = first; t < end; t++) {
        int64_t at = t * TILE, rows = h->queries - at < TILE ? h->queries - at : TILE;
        NAMED(pack_queries)(h, at, rows, b->q);
        if (h->near.rows) NAMED(pack_near)(&h->near, at, rows, b);
        for (int i = 0; i < TILE; i++) b->top[i] = -INFINITY, b->sum[i] = 0;
        switch ((rows + LANES - 1) / LANES) {
        case 1: NAMED(attend)(1, h, b); break;
        case 2: NAMED(attend)(2, h, b); break;
        default: NAMED(attend)(3, h, b);
        }
        (h->bytes.scale > 0 ? NAMED(write_bytes) : NAMED(write))(h, at, rows, b);
    }
}

#undef TILE
#undef lanes
#undef LANES
#undef ROWS
#undef NAMED

/* SPDX-License-Identifier: Apache-2.0
 * Split products. Positions of x are taken in blocks that fit the second-level cache: split into panels (one for each
 * 32 input channels and each part: a row of 64 bytes a position), then multiplied with 32 output channels at a time. A
 * 3x3 convolution is nine products whose panels begin at different positions: a block has a border of zeros, and
 * results for positions of the border are computed and dropped. */
#include "tiles/split.h"

#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/vmath.h"
#include "tiles/amx.h"

enum {
    BLOCK = ICSEG_BLOCK,
    INNER = ICSEG_TILE_INNER,
    BLOCK_BYTES = 1 << 20, /* split positions of a block */
    GROUP_BYTES = 1 << 18, /* weights that a thread has all positions of a block go through */
    MOST_GROUP = 8         /* panels */
};

struct icseg_split {
    icseg_split_shape shape;
    int64_t lines, padded; /* of an image; positions of a line, border included. Linear maps: lines of one position */
    int64_t border;        /* on each side */
    int64_t blocks, block_lines;       /* of an image */
    int64_t panels, steps;             /* of 32 output channels; of 32 inner values: taps times panels of the input */
    int64_t positions;                 /* a panel has room for */
    size_t next_rows, next_panel, low; /* bytes from 32 positions to the next 32, between panels, to the low parts */
    size_t *from;                      /* (steps): where the rows of a step begin, see icseg_amx_block */
    int64_t group;                     /* panels at a time */
    int threads;
    bool apart; /* each thread takes blocks of its own; else all work on the same block */
    size_t block_bytes;
};

static int64_t up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t taps_of(const icseg_split *p) { return p->shape.weights.kernel * p->shape.weights.kernel; }

bool icseg_split_pays(const icseg_split_shape *s) {
    enum { LEAST_POSITIONS = 16, LEAST_IN = 32, LEAST_OUT = 32 };
    if (s->activation == ICSEG_ACTIVATION_GELU) return false;
    return s->images * s->height * s->width >= LEAST_POSITIONS && s->weights.in >= LEAST_IN &&
           s->weights.out >= LEAST_OUT && icseg_amx_there();
}

/* -- opening */

static void choose_blocks(icseg_split *p) {
    const icseg_split_shape *s = &p->shape;
    int64_t bytes = up(s->weights.in, INNER) / INNER * 2 * ICSEG_ROW_BYTES; /* of one position */
    int64_t lines = BLOCK_BYTES / bytes / p->padded - 2 * p->border;
    int64_t step = p->border ? 1 : BLOCK;
    lines = lines < step ? step : lines / step * step;
    p->blocks = (p->lines + lines - 1) / lines;
    int64_t all = s->images * p->blocks;
    p->apart = all >= p->threads;
    if (p->apart && s->images == 1) p->blocks = least(up(p->blocks, p->threads), p->lines);
    p->block_lines = up((p->lines + p->blocks - 1) / p->blocks, step);
    p->blocks = (p->lines + p->block_lines - 1) / p->block_lines;
    p->positions = up(p->block_lines * p->padded, BLOCK) + 2 * p->border * (p->padded + 1);
    p->block_bytes = (size_t)(bytes * p->positions);
    /* A linear map reads the panels of 32 positions one after the other; a tap may begin at any position. */
    p->next_rows = p->border ? BLOCK * ICSEG_ROW_BYTES : (size_t)(bytes * BLOCK);
    p->low = (size_t)(p->border ? p->positions : BLOCK) * ICSEG_ROW_BYTES;
    p->next_panel = 2 * p->low;
}

icseg_status icseg_split_open(icseg_split **out, const icseg_split_shape *s, icseg_error *error) {
    const icseg_split_weights *w = &s->weights;
    int64_t input_panels = up(w->in, INNER) / INNER;
    *out = NULL;
    if (!icseg_amx_there()) return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "this processor has no tiles (AMX)");
    icseg_split *p = *out = icseg_calloc_array(1, sizeof *p);
    if (!p) return icseg_fail_memory(error, sizeof *p, "a split product");
    bool linear = w->kernel == 1;
    *p = (icseg_split){.shape = *s,
                       .lines = linear ? s->images * s->height * s->width : s->height,
                       .padded = linear ? 1 : s->width + 2,
                       .border = linear ? 0 : 1,
                       .panels = up(w->out, BLOCK) / BLOCK,
                       .steps = w->kernel * w->kernel * input_panels,
                       .threads = omp_get_max_threads()};
    if (linear) p->shape.images = p->shape.width = 1;
    choose_blocks(p);
    p->group = GROUP_BYTES / (p->steps * ICSEG_STEP_BYTES);
    p->group = p->group < 1 ? 1 : least(p->group, MOST_GROUP);
    p->from = icseg_alloc_array((size_t)p->steps, sizeof *p->from);
    if (!p->from) {
        icseg_status status = icseg_fail_memory(error, (size_t)p->steps * sizeof *p->from, "a split product");
        icseg_split_close(out);
        return status;
    }
    for (int64_t i = 0; i < p->steps; i++) {
        int64_t tap = i / input_panels, panel = i % input_panels;
        int64_t shift = tap / w->kernel * p->padded + tap % w->kernel;
        p->from[i] = (size_t)panel * p->next_panel + (size_t)shift * ICSEG_ROW_BYTES;
    }
    return ICSEG_OK;
}

void icseg_split_close(icseg_split **split) {
    if (!split || !*split) return;
    icseg_free((*split)->from);
    icseg_free(*split);
    *split = NULL;
}

size_t icseg_split_scratch(const icseg_split *p) { return (size_t)(p->apart ? p->threads : 1) * p->block_bytes; }

/* -- weights */

size_t icseg_split_packed_size(const icseg_split *p) { return (size_t)(p->panels * p->steps) * ICSEG_STEP_BYTES; }

icseg_split_weights icseg_split_layout(const icseg_split *p) { return p->shape.weights; }

bool icseg_split_same_layout(icseg_split_weights a, icseg_split_weights b) {
    return a.in == b.in && a.out == b.out && a.kernel == b.kernel && a.next_out == b.next_out && a.next_in == b.next_in;
}

/* 32 output channels of 32 inner values (or `columns`, `inner` of them) as four tiles, in which pairs of inner values
 * of all columns follow each other. */
static void pack_step(const float *weights, icseg_split_weights w, int64_t columns, int64_t inner, uint32_t *to) {
    enum { TILE = ICSEG_TILE_BYTES / 4, COLUMNS = ICSEG_TILE_ROWS, PAIRS = INNER / 2 };
    _Alignas(64) uint32_t split[2][BLOCK][PAIRS]; /* high parts, low parts */
    for (int64_t o = 0; o < BLOCK; o++) {
        float values[INNER];
        for (int64_t i = 0; o < columns && i < inner; i++) values[i] = weights[o * w.next_out + i * w.next_in];
        icseg_amx_split(o < columns ? values : NULL, 1, inner, (char *)split[0][o], sizeof split[0], 0);
    }
    for (int part = 0; part < 2; part++)
        for (int64_t o = 0; o < BLOCK; o++)
            for (int64_t i = 0; i < PAIRS; i++)
                to[(2 * part + o / COLUMNS) * TILE + i * COLUMNS + o % COLUMNS] = split[part][o][i];
}

void icseg_split_pack(const icseg_split *p, const float *weights, void *packed) {
    const icseg_split_weights w = p->shape.weights;
    int64_t input_panels = p->steps / taps_of(p);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < p->panels * p->steps; i++) {
        int64_t o = i / p->steps * BLOCK, step = i % p->steps, tap = step / input_panels;
        int64_t in = step % input_panels * INNER;
        pack_step(weights + o * w.next_out + tap * w.in + in * w.next_in, w, least(w.out - o, BLOCK),
                  least(w.in - in, INNER), (uint32_t *)(void *)((char *)packed + i * ICSEG_STEP_BYTES));
    }
}

/* -- running */

/* A block of positions: of which image, which lines. */
typedef struct block {
    int64_t image, first, lines;
} block;

static block block_of(const icseg_split *p, int64_t i) {
    int64_t first = i % p->blocks * p->block_lines;
    return (block){i / p->blocks, first, least(p->block_lines, p->lines - first)};
}

/* Splits line `line` of a block, counted with the border, or, of a linear map, position `line`. */
static void split_line(const icseg_split *p, const float *x, block b, int64_t line, char *room) {
    int64_t in = p->shape.weights.in, width = p->shape.width, y = b.first + line - p->border;
    if (!p->border) {
        char *to = room + (size_t)(line / BLOCK) * p->next_rows + line % BLOCK * ICSEG_ROW_BYTES;
        icseg_amx_split(x + y * in, 1, in, to, p->low, p->next_panel);
        return;
    }
    bool outside = y < 0 || y >= p->lines;
    char *to = room + line * p->padded * ICSEG_ROW_BYTES, *last = to + (width + 1) * ICSEG_ROW_BYTES;
    const float *from = outside ? NULL : x + (b.image * p->lines + y) * width * in;
    icseg_amx_split(NULL, 1, in, to, p->low, p->next_panel);
    icseg_amx_split(from, width, in, to + ICSEG_ROW_BYTES, p->low, p->next_panel);
    icseg_amx_split(NULL, 1, in, last, p->low, p->next_panel);
}

/* rows of 32 sums -> rows of `columns` <= 32 of out, `stride` apart; the sums are overwritten. */
ICSEG_KERNEL static void finish_rows(float *sums, int64_t rows, int64_t columns, const float *bias, bool accumulate,
                                     icseg_activation activation, float *out, int64_t stride) {
    float added[BLOCK] = {0};
    if (bias) memcpy(added, bias, (size_t)columns * sizeof *bias);
    for (int64_t r = 0; r < rows; r++) {
#pragma omp simd
        for (int64_t i = 0; i < BLOCK; i++) sums[r * BLOCK + i] += added[i];
    }
    for (int64_t r = 0; accumulate && r < rows; r++) {
#pragma omp simd
        for (int64_t i = 0; i < columns; i++) sums[r * BLOCK + i] += out[r * stride + i];
    }
    if (activation == ICSEG_ACTIVATION_RELU) {
#pragma omp simd
        for (int64_t i = 0; i < rows * BLOCK; i++) sums[i] = sums[i] < 0 ? 0 : sums[i];
    } else if (activation == ICSEG_ACTIVATION_QUICK_GELU) {
#pragma omp simd
        for (int64_t i = 0; i < rows * BLOCK; i++) sums[i] = sums[i] / (1 + icseg_exp(-1.702f * sums[i]));
    }
    for (int64_t r = 0; r < rows; r++) memcpy(out + r * stride, sums + r * BLOCK, (size_t)columns * sizeof *out);
}

/* Positions [begin, end) of a block, border included, are done: those that are not of the border go to out. */
static void finish(const icseg_split *p, block b, int64_t begin, int64_t end, int64_t panel, float *sums,
                   const float *bias, float *out) {
    const icseg_split_shape *s = &p->shape;
    int64_t stride = s->weights.out, columns = least(stride - panel * BLOCK, BLOCK), width = s->width;
    const float *own = bias ? bias + panel * BLOCK : NULL;
    float *to = out + (b.image * p->lines + b.first) * width * stride + panel * BLOCK;
    end = least(end, b.lines * p->padded);
    if (!p->border) {
        finish_rows(sums, end - begin, columns, own, s->accumulate, s->activation, to + begin * stride, stride);
        return;
    }
    for (int64_t at = begin; at < end;) {
        int64_t line = at / p->padded, x = at % p->padded, run = least(end - at, p->padded - x);
        if (x < width)
            finish_rows(sums + (at - begin) * BLOCK, least(run, width - x), columns, own, s->accumulate, s->activation,
                        to + (line * width + x) * stride, stride);
        at += run;
    }
}

/* Output channels of `group` panels from `panel` on, of positions [begin, end) of a block, multiples of 32. */
static void multiply(const icseg_split *p, block b, int64_t begin, int64_t end, int64_t panel, const char *room,
                     const void *packed, const float *bias, float *out) {
    const char *weights = packed;
    int64_t stop = least(panel + p->group, p->panels);
    for (int64_t row = begin; row < end; row += BLOCK)
        for (int64_t i = panel; i < stop; i++) {
            _Alignas(64) float sums[BLOCK * BLOCK];
            icseg_amx_block(room + (size_t)(row / BLOCK) * p->next_rows, p->low, p->from,
                            weights + i * p->steps * ICSEG_STEP_BYTES, p->steps, sums);
            finish(p, b, row, row + BLOCK, i, sums, bias, out);
        }
}

static void run_apart(const icseg_split *p, const float *x, const void *packed, const float *bias, float *out,
                      char *scratch) {
#pragma omp parallel num_threads(p->threads)
    {
        char *room = scratch + (size_t)omp_get_thread_num() * p->block_bytes;
        icseg_amx_begin();
#pragma omp for schedule(static)
        for (int64_t i = 0; i < p->shape.images * p->blocks; i++) {
            block b = block_of(p, i);
            for (int64_t line = 0; line < b.lines + 2 * p->border; line++) split_line(p, x, b, line, room);
            for (int64_t panel = 0; panel < p->panels; panel += p->group)
                multiply(p, b, 0, up(b.lines * p->padded, BLOCK), panel, room, packed, bias, out);
        }
        icseg_amx_end();
    }
}

static void run_together(const icseg_split *p, const float *x, const void *packed, const float *bias, float *out,
                         char *room) {
    int64_t groups = (p->panels + p->group - 1) / p->group;
#pragma omp parallel num_threads(p->threads)
    {
        icseg_amx_begin();
        for (int64_t i = 0; i < p->shape.images * p->blocks; i++) {
            block b = block_of(p, i);
            int64_t rows = up(b.lines * p->padded, BLOCK), parts = (2 * p->threads + groups - 1) / groups;
            int64_t part = up((rows + parts - 1) / parts, BLOCK);
            parts = (rows + part - 1) / part;
#pragma omp for schedule(static)
            for (int64_t line = 0; line < b.lines + 2 * p->border; line++) split_line(p, x, b, line, room);
#pragma omp for schedule(static)
            for (int64_t task = 0; task < groups * parts; task++) {
                int64_t begin = task % parts * part;
                multiply(p, b, begin, least(begin + part, rows), task / parts * p->group, room, packed, bias, out);
            }
        }
        icseg_amx_end();
    }
}

void icseg_split_run(const icseg_split *p, const float *x, const void *packed, const float *bias, float *out,
                     void *scratch) {
    (p->apart ? run_apart : run_together)(p, x, packed, bias, out, scratch);
}

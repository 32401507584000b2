/* SPDX-License-Identifier: Apache-2.0
 * The blocks of a product. A task computes a block of out. It packs the rows of a and, if b is not packed yet, the
 * columns of b that it needs, for some inner values at a time, and adds to tiles of sums in its thread's scratch
 * memory, which the second-level cache holds. */
#include "compute/dense/product.h"

#include <omp.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/vmath.h"
#include "tensor/bf16.h"

enum {
    ROWS = ICSEG_DENSE_ROWS,
    COLUMNS = ICSEG_DENSE_COLUMNS,
    TILE = ICSEG_DENSE_TILE,
    INNER = 256,           /* inner values at a time: two panels fit the first-level cache */
    BLOCK_ROWS = 8 * ROWS, /* of a task at most */
    BLOCK_COLUMNS = 32 * COLUMNS,
    TASKS = 4, /* for each thread at least, so that all of them end at about the same time */
    ALIGNMENT = 64
};

struct icseg_dense_product {
    icseg_dense_shape shape;
    icseg_dense_panel rows, columns;
    int64_t block_rows, block_columns; /* of a task */
    size_t a_bytes, b_bytes, bytes;    /* of a thread's scratch memory: panels of a, panels of b, all */
    int threads;
};

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t blocks(int64_t n, int64_t block) { return (n + block - 1) / block; }
static int64_t round_up(int64_t n, int64_t step) { return blocks(n, step) * step; }
static size_t aligned(int64_t bytes) { return (size_t)round_up(bytes, ALIGNMENT); }

/* Bytes of a panel of `lanes` lines and `inner` values. */
static int64_t panel_bytes(const icseg_dense_panel *p, int64_t inner) {
    return round_up(inner, p->group) * p->lanes * (p->bf16 ? 2 : 4);
}

/* -- opening */

static int64_t tasks_of(const icseg_dense_product *p) {
    const icseg_dense_shape *s = &p->shape;
    return s->batch[0] * s->batch[1] * blocks(s->rows, p->block_rows) * blocks(s->columns, p->block_columns);
}

/* The largest blocks that give every thread enough tasks. */
static void choose_blocks(icseg_dense_product *p) {
    p->block_rows = smaller(BLOCK_ROWS, round_up(p->shape.rows, ROWS));
    p->block_columns = smaller(BLOCK_COLUMNS, round_up(p->shape.columns, COLUMNS));
    while (tasks_of(p) < (int64_t)TASKS * p->threads && (p->block_rows > ROWS || p->block_columns > COLUMNS)) {
        if (p->block_columns >= 2 * p->block_rows || p->block_rows == ROWS)
            p->block_columns = round_up(p->block_columns / 2, COLUMNS);
        else
            p->block_rows = round_up(p->block_rows / 2, ROWS);
    }
}

icseg_status icseg_dense_product_open(icseg_dense_product **out, const icseg_dense_shape *shape, icseg_error *error) {
    icseg_dense_product *p = *out = icseg_calloc_array(1, sizeof *p);
    if (!p) return icseg_fail_memory(error, 0, "a product");
    const icseg_dense_kernel *kernel = shape->kernel;
    p->shape = *shape;
    p->rows = (icseg_dense_panel){ROWS, kernel->group, kernel->bf16};
    p->columns = (icseg_dense_panel){COLUMNS, kernel->group, kernel->bf16};
    p->threads = omp_get_max_threads();
    choose_blocks(p);
    int64_t inner = smaller(shape->inner, INNER);
    p->a_bytes = aligned(p->block_rows / ROWS * panel_bytes(&p->rows, inner));
    p->b_bytes = shape->packed_b ? 0 : aligned(p->block_columns / COLUMNS * panel_bytes(&p->columns, inner));
    p->bytes = p->a_bytes + p->b_bytes + aligned(p->block_rows * p->block_columns * (int64_t)sizeof(float));
    return ICSEG_OK;
}

void icseg_dense_product_close(icseg_dense_product **product) {
    if (!product) return;
    icseg_free(*product);
    *product = NULL;
}

size_t icseg_dense_product_scratch(const icseg_dense_product *p) { return (size_t)p->threads * p->bytes; }

/* -- packing b */

/* Packed b: blocks of inner values one after the other, and in each the panels of all columns. */
static int64_t packed_offset(const icseg_dense_product *p, int64_t first, int64_t panel) {
    const icseg_dense_shape *s = &p->shape;
    return blocks(s->columns, COLUMNS) * panel_bytes(&p->columns, first) +
           panel * panel_bytes(&p->columns, smaller(s->inner - first, INNER));
}

size_t icseg_dense_product_packed_size(const icseg_dense_product *p) {
    const icseg_dense_shape *s = &p->shape;
    return s->packed_b ? (size_t)(blocks(s->columns, COLUMNS) * panel_bytes(&p->columns, s->inner)) : 0;
}

void icseg_dense_product_pack(const icseg_dense_product *p, const void *b, void *packed) {
    const icseg_dense_shape *s = &p->shape;
    int64_t panels = blocks(s->columns, COLUMNS);
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int64_t i = 0; i < panels * blocks(s->inner, INNER); i++) {
        int64_t first = i / panels * INNER, column = i % panels * COLUMNS;
        icseg_dense_pack(&s->b, b, p->columns, column, smaller(s->columns - column, COLUMNS), first,
                         smaller(s->inner - first, INNER), (char *)packed + packed_offset(p, first, i % panels));
    }
}

icseg_dense_layout icseg_dense_product_layout(const icseg_dense_product *p) {
    const icseg_dense_shape *s = &p->shape;
    return (icseg_dense_layout){s->kernel, s->inner, s->columns, s->b.line, s->b.run, s->b.jump, s->b.step};
}

bool icseg_dense_same_layout(const icseg_dense_layout *a, const icseg_dense_layout *b) {
    return a->kernel == b->kernel && a->inner == b->inner && a->columns == b->columns && a->line == b->line &&
           a->run == b->run && a->jump == b->jump && a->step == b->step;
}

/* -- running */

/* A block of out, and where its thread works. */
typedef struct task {
    int64_t batch[2], row, column, rows, columns;
    char *a, *b;
    float *tiles; /* (panels of columns, panels of rows, 12, 8) */
} task;

static task task_of(const icseg_dense_product *p, int64_t i, char *scratch) {
    const icseg_dense_shape *s = &p->shape;
    int64_t down = blocks(s->rows, p->block_rows), across = blocks(s->columns, p->block_columns);
    task t = {.batch = {i / (down * across) / s->batch[1], i / (down * across) % s->batch[1]},
              .row = i / across % down * p->block_rows,
              .column = i % across * p->block_columns,
              .a = scratch,
              .b = scratch + p->a_bytes,
              .tiles = (float *)(void *)(scratch + p->a_bytes + p->b_bytes)};
    t.rows = smaller(s->rows - t.row, p->block_rows);
    t.columns = smaller(s->columns - t.column, p->block_columns);
    return t;
}

/* Packs lines [line, line + lines) of an operand. */
static void pack_panels(const icseg_dense_matrix *m, const void *data, const icseg_dense_panel *panel, int64_t line,
                        int64_t lines, int64_t first, int64_t count, char *to) {
    for (int64_t i = 0; i < lines; i += panel->lanes, to += panel_bytes(panel, count))
        icseg_dense_pack(m, data, *panel, line + i, smaller(lines - i, panel->lanes), first, count, to);
}

static void activate(float *tile, icseg_activation activation) {
    /* NOLINTNEXTLINE(bugprone-branch-clone): the check does not compare the loops below the pragmas */
    if (activation == ICSEG_ACTIVATION_RELU) {
#pragma omp simd
        for (int i = 0; i < TILE; i++) tile[i] = tile[i] < 0 ? 0 : tile[i];
    } else if (activation == ICSEG_ACTIVATION_QUICK_GELU) {
#pragma omp simd
        for (int i = 0; i < TILE; i++) tile[i] = tile[i] / (1 + icseg_exp(-1.702f * tile[i]));
    } else if (activation == ICSEG_ACTIVATION_GELU) {
#pragma omp simd
        for (int i = 0; i < TILE; i++) tile[i] = icseg_exact_gelu(tile[i]);
    }
}

/* Bias, accumulation and activation of a tile, in this order, and writing it. */
ICSEG_INLINE void finish_tile(const icseg_dense_shape *s, const bool bf16, float *tile, int64_t rows,
                              const int64_t columns, const float *bias, void *out) {
    for (int64_t r = 0; bias && r < rows; r++)
#pragma omp simd
        for (int64_t c = 0; c < columns; c++) tile[r * COLUMNS + c] += bias[c];
    for (int64_t r = 0; s->accumulate && r < rows; r++)
#pragma omp simd
        for (int64_t c = 0; c < columns; c++) tile[r * COLUMNS + c] += icseg_element(out, bf16, r * s->out_row + c);
    activate(tile, s->activation);
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t c = 0; c < columns; c++) icseg_set_element(out, bf16, r * s->out_row + c, tile[r * COLUMNS + c]);
}

/* bias: of the columns of the tile, or NULL. Most tiles are whole, and loops over whole rows are vectorised. */
static void finish(const icseg_dense_shape *s, float *tile, int64_t rows, int64_t columns, const float *bias,
                   void *out) {
    if (s->bf16_out)
        finish_tile(s, true, tile, rows, columns, bias, out);
    else if (columns == COLUMNS)
        finish_tile(s, false, tile, rows, COLUMNS, bias, out);
    else
        finish_tile(s, false, tile, rows, columns, bias, out);
}

static void multiply(const icseg_dense_product *p, const task *t, const void *a, const void *b) {
    const icseg_dense_shape *s = &p->shape;
    for (int64_t first = 0; first < s->inner; first += INNER) {
        int64_t count = smaller(s->inner - first, INNER);
        int64_t a_step = panel_bytes(&p->rows, count), b_step = panel_bytes(&p->columns, count);
        const char *columns = s->packed_b ? (const char *)b + packed_offset(p, first, t->column / COLUMNS) : t->b;
        if (!s->packed_b) pack_panels(&s->b, b, &p->columns, t->column, t->columns, first, count, t->b);
        pack_panels(&s->a, a, &p->rows, t->row, t->rows, first, count, t->a);
        float *tile = t->tiles;
        for (int64_t c = 0; c < blocks(t->columns, COLUMNS); c++)
            for (int64_t r = 0; r < blocks(t->rows, ROWS); r++, tile += TILE)
                s->kernel->multiply(t->a + r * a_step, columns + c * b_step, round_up(count, p->rows.group), first > 0,
                                    tile);
    }
}

static void write(const icseg_dense_product *p, const task *t, const float *bias, void *out) {
    const icseg_dense_shape *s = &p->shape;
    float *tile = t->tiles;
    for (int64_t c = 0; c < t->columns; c += COLUMNS)
        for (int64_t r = 0; r < t->rows; r += ROWS, tile += TILE)
            finish(s, tile, smaller(t->rows - r, ROWS), smaller(t->columns - c, COLUMNS),
                   bias ? bias + t->column + c : NULL,
                   icseg_at(out, s->bf16_out, (t->row + r) * s->out_row + t->column + c));
}

/* The matrix of a task. */
static void *matrix_of(const void *data, bool bf16, const int64_t stride[2], const task *t) {
    return icseg_at(data, bf16, t->batch[0] * stride[0] + t->batch[1] * stride[1]);
}

void icseg_dense_product_run(const icseg_dense_product *p, const void *a, const void *b, const float *bias, void *out,
                             void *scratch) {
    const icseg_dense_shape *s = &p->shape;
    int64_t tasks = tasks_of(p);
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int64_t i = 0; i < tasks; i++) {
        task t = task_of(p, i, (char *)scratch + (size_t)omp_get_thread_num() * p->bytes);
        multiply(p, &t, matrix_of(a, s->a.bf16, s->a_batch, &t),
                 s->packed_b ? b : matrix_of(b, s->b.bf16, s->b_batch, &t));
        write(p, &t, bias, matrix_of(out, s->bf16_out, s->out_batch, &t));
    }
}

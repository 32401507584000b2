/* SPDX-License-Identifier: Apache-2.0
 * The gradient of attention.c: recomputes the probabilities in blocks of query rows. All heads of an image are one
 * batched product. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/vmath.h"
#include "graph/ops/attention_attributes.h"
#include "graph/ops/linear_algebra.h"

enum { MAX_ROWS = 128, ROW_STEP = 16, CHUNK = 8 };
static const int64_t max_scores = 8 << 20; /* numbers in a block of scores: 32 MiB */

typedef icseg_attention_attributes attention;

/* -- blocks: all but the last have the same number of rows */

typedef struct blocks {
    int64_t count, rows, last;
} blocks;

static blocks blocks_of(const attention *a) {
    int64_t limit = max_scores / (a->heads * a->keys);
    limit = limit > MAX_ROWS ? MAX_ROWS : limit < 1 ? 1 : limit;
    if (a->queries <= limit) return (blocks){1, a->queries, a->queries};
    int64_t count = (a->queries + limit - 1) / limit, rows = (a->queries + count - 1) / count;
    int64_t rounded = (rows + ROW_STEP - 1) / ROW_STEP * ROW_STEP;
    rows = rounded <= limit ? rounded : rows;
    count = (a->queries + rows - 1) / rows;
    return (blocks){count, rows, a->queries - (count - 1) * rows};
}

/* The products of a block; a matrix is (heads, rows, columns) through its strides. */
enum { P_SCORES, P_GRADIENT, P_TO_V, S_TO_Q, S_TO_K, PRODUCTS };

typedef struct state {
    blocks blocks;
    icseg_primitive *product[2][PRODUCTS]; /* [1]: of the last block, where it is smaller */
    size_t own, scores, gradient;          /* offsets in scratch */
    icseg_attention_near near;             /* for scores that are not scaled yet */
    float *memory;                         /* of `near` */
} state;

typedef struct matrix {
    int64_t head, row, column; /* strides */
} matrix;

static matrix transposed(matrix m) { return (matrix){m.head, m.column, m.row}; }

static icseg_status open_product(icseg_primitive **out, int64_t heads, int64_t rows, int64_t inner, int64_t columns,
                                 matrix x, matrix y, matrix z, bool accumulate, icseg_error *error) {
    icseg_matmul_shape shape = {.batch = {1, heads},
                                .rows = rows,
                                .inner = inner,
                                .columns = columns,
                                .a_stride = {0, x.head, x.row, x.column},
                                .b_stride = {0, y.head, y.row, y.column},
                                .out_stride = {0, z.head, z.row, z.column}};
    return icseg_matmul_open(out, &shape, (icseg_primitive_options){.accumulate = accumulate}, error);
}

static icseg_status open_products(icseg_primitive **p, const attention *a, int64_t rows, bool accumulate,
                                  icseg_error *error) {
    int64_t depth = a->width / a->heads, keys = a->keys;
    matrix in = {depth, icseg_attention_pitch(a), 1}, out = {depth, a->width, 1}, scores = {rows * keys, keys, 1};
    ICSEG_TRY(open_product(&p[P_SCORES], a->heads, rows, depth, keys, in, transposed(in), scores, false, error));
    if (a->needs[ICSEG_V])
        ICSEG_TRY(
            open_product(&p[P_TO_V], a->heads, keys, rows, depth, transposed(scores), out, in, accumulate, error));
    if (a->needs[ICSEG_Q] || a->needs[ICSEG_K])
        ICSEG_TRY(open_product(&p[P_GRADIENT], a->heads, rows, depth, keys, out, transposed(in), scores, false, error));
    if (a->needs[ICSEG_Q])
        ICSEG_TRY(open_product(&p[S_TO_Q], a->heads, rows, keys, depth, scores, in, in, false, error));
    if (a->needs[ICSEG_K])
        ICSEG_TRY(open_product(&p[S_TO_K], a->heads, keys, rows, depth, transposed(scores), in, in, accumulate, error));
    return ICSEG_OK;
}

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    const attention *a = k->node->attributes;
    state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "attention");
    ICSEG_TRY(icseg_attention_near_open(&s->near, &s->memory, a, 1 / (double)icseg_attention_scale(a), error));
    s->blocks = blocks_of(a);
    size_t own = 0;
    for (int last = 0; last < (s->blocks.last == s->blocks.rows ? 1 : 2); last++) {
        int64_t rows = last ? s->blocks.last : s->blocks.rows;
        ICSEG_TRY(open_products(s->product[last], a, rows, s->blocks.count > 1, error));
        for (int i = 0; i < PRODUCTS; i++) {
            size_t bytes = s->product[last][i] ? icseg_primitive_scratch(s->product[last][i]) : 0;
            own = bytes > own ? bytes : own;
        }
    }
    size_t bytes = (size_t)(s->blocks.rows * a->heads * a->keys) * sizeof(float);
    s->own = icseg_scratch_reserve(k, own);
    s->scores = icseg_scratch_reserve(k, bytes);
    s->gradient = icseg_scratch_reserve(k, bytes);
    return ICSEG_OK;
}

static void release(icseg_kernel *k) {
    state *s = k->state;
    for (int i = 0; s && i < 2 * PRODUCTS; i++) icseg_primitive_close(&s->product[i / PRODUCTS][i % PRODUCTS]);
    if (s) icseg_free(s->memory);
    icseg_free(s);
}

/* -- rows of scores */

ICSEG_KERNEL static void softmax_rows(float *scores, int64_t rows, int64_t n, float scale) {
    for (int64_t r = 0; r < rows; r++) {
        float *s = scores + r * n, top = s[0], sum = 0;
#pragma omp simd reduction(max : top)
        for (int64_t i = 0; i < n; i++) top = s[i] > top ? s[i] : top;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < n; i++) {
            s[i] = icseg_exp_below(scale * (s[i] - top));
            sum += s[i];
        }
        float inverse = 1 / sum;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) s[i] *= inverse;
    }
}

/* d = scale p (d - <d, p>): turns the gradient of the probabilities into that of the products of q and k. */
ICSEG_KERNEL static void softmax_gradient_rows(const float *probability, float *gradient, int64_t rows, int64_t n,
                                               float scale) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = probability + r * n;
        float *d = gradient + r * n, mean = 0;
#pragma omp simd reduction(+ : mean)
        for (int64_t i = 0; i < n; i++) mean += p[i] * d[i];
#pragma omp simd
        for (int64_t i = 0; i < n; i++) d[i] = scale * p[i] * (d[i] - mean);
    }
}

static void softmax(float *scores, int64_t rows, int64_t n, float scale) {
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < rows; at += CHUNK)
        softmax_rows(scores + at * n, rows - at < CHUNK ? rows - at : CHUNK, n, scale);
}

static void softmax_gradient(const float *p, float *d, int64_t rows, int64_t n, float scale) {
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < rows; at += CHUNK)
        softmax_gradient_rows(p + at * n, d + at * n, rows - at < CHUNK ? rows - at : CHUNK, n, scale);
}

/* -- running */

typedef struct block {
    int64_t image, first, rows;
    icseg_primitive **product;
    void *own; /* the products' scratch */
    float *scores, *gradient;
} block;

static block block_at(const icseg_kernel *k, const icseg_run *run, int64_t index) {
    const state *s = k->state;
    char *scratch = run->scratch;
    int64_t i = index % s->blocks.count;
    bool last = i == s->blocks.count - 1, other = last && s->blocks.last != s->blocks.rows;
    return (block){.image = index / s->blocks.count,
                   .first = i * s->blocks.rows,
                   .rows = last ? s->blocks.last : s->blocks.rows,
                   .product = (icseg_primitive **)s->product[other],
                   .own = scratch + s->own,
                   .scores = (float *)(void *)(scratch + s->scores),
                   .gradient = (float *)(void *)(scratch + s->gradient)};
}

static icseg_status multiply(const block *b, int product, const float *x, const float *y, float *z,
                             icseg_error *error) {
    icseg_operands operands = {.a = x, .b = y, .out = z};
    return icseg_primitive_run(b->product[product], operands, b->own, error);
}

/* Adds to the scores of one query what its distance to each key of the grid adds. row, column: of distance 0. */
ICSEG_KERNEL static void add_near(float *scores, const float *row, const float *column, int64_t rows, int64_t columns) {
    for (int64_t y = 0; y < rows; y++, scores += columns)
#pragma omp simd
        for (int64_t x = 0; x < columns; x++) scores[x] += row[y] * column[x];
}

/* Scores (heads, rows, keys) of a block's queries, before they are scaled. */
static void add_grid(const attention *a, const icseg_attention_near *near, const block *b) {
    int64_t first = a->keys - near->rows * near->columns;
    if (!near->rows) return;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < a->heads * b->rows; i++) {
        int64_t query = b->first + i % b->rows, y = query / near->columns, x = query % near->columns;
        add_near(b->scores + i * a->keys + first, near->row - y, near->column - x, near->rows, near->columns);
    }
}

/* Several blocks add to dk and dv, which therefore start from zero. */
static void clear(const attention *a, void *const *gradients, int which) {
    int64_t rows = a->batch * a->keys, pitch = icseg_attention_pitch(a);
    float *first = icseg_attention_rows(a, gradients, which, 0, 0);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) memset(first + r * pitch, 0, (size_t)a->width * sizeof *first);
}

static icseg_status backward_block(const icseg_kernel *k, const block *b, const float *dy, void *const *gradients,
                                   icseg_error *error) {
    const attention *a = k->node->attributes;
    void *const *in = k->in;
    int64_t rows = b->rows * a->heads;
    const float *q = icseg_attention_rows(a, in, ICSEG_Q, b->image, b->first);
    const float *key = icseg_attention_rows(a, in, ICSEG_K, b->image, 0),
                *v = icseg_attention_rows(a, in, ICSEG_V, b->image, 0);
    ICSEG_TRY(multiply(b, P_SCORES, q, key, b->scores, error));
    add_grid(a, &((const state *)k->state)->near, b);
    softmax(b->scores, rows, a->keys, icseg_attention_scale(a));
    if (a->needs[ICSEG_V])
        ICSEG_TRY(multiply(b, P_TO_V, b->scores, dy, icseg_attention_rows(a, gradients, ICSEG_V, b->image, 0), error));
    if (!a->needs[ICSEG_Q] && !a->needs[ICSEG_K]) return ICSEG_OK;
    ICSEG_TRY(multiply(b, P_GRADIENT, dy, v, b->gradient, error));
    softmax_gradient(b->scores, b->gradient, rows, a->keys, icseg_attention_scale(a));
    if (a->needs[ICSEG_Q])
        ICSEG_TRY(multiply(b, S_TO_Q, b->gradient, key, icseg_attention_rows(a, gradients, ICSEG_Q, b->image, b->first),
                           error));
    if (a->needs[ICSEG_K])
        ICSEG_TRY(multiply(b, S_TO_K, b->gradient, q, icseg_attention_rows(a, gradients, ICSEG_K, b->image, 0), error));
    return ICSEG_OK;
}

static icseg_status backward_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const attention *a = k->node->attributes;
    const state *s = k->state;
    int inputs = a->packed ? 1 : 3, next = 0;
    void *gradients[3] = {NULL, NULL, NULL};
    for (int i = 0; i < inputs; i++)
        if (a->needs[i]) gradients[i] = k->out[next++];
    for (int i = ICSEG_K; i <= ICSEG_V && s->blocks.count > 1; i++)
        if (a->needs[i]) clear(a, gradients, i);
    for (int64_t i = 0; i < a->batch * s->blocks.count; i++) {
        block b = block_at(k, run, i);
        const float *dy = (const float *)k->in[inputs] + (b.image * a->queries + b.first) * a->width;
        ICSEG_TRY(backward_block(k, &b, dy, gradients, error));
    }
    return ICSEG_OK;
}

static double backward_flops(const icseg_graph *g, const icseg_node *node) {
    (void)g;
    const attention *a = node->attributes;
    return icseg_attention_work(a, 1 + (a->needs[ICSEG_Q] || a->needs[ICSEG_K]) + a->needs[ICSEG_Q] +
                                       a->needs[ICSEG_K] + a->needs[ICSEG_V]);
}

static const icseg_op gradient_op = {
    .name = "attention_gradient", .prepare = prepare, .run = backward_run, .release = release, .flops = backward_flops};

void icseg_attention_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out,
                              icseg_value *grad_in) {
    attention a = *(const attention *)node->attributes;
    int inputs = a.packed ? 1 : 3;
    icseg_value from[4];
    for (int i = 0; i < 3; i++) a.needs[i] = icseg_node_needs_grad(g, node, a.packed ? 0 : i);
    for (int i = 0; i < inputs; i++) from[i] = node->input[i];
    from[inputs] = grad_out[0];
    icseg_node *back = icseg_node_append(g, &gradient_op, &a, sizeof a, from, inputs + 1, 0);
    for (int i = 0; back && i < inputs; i++)
        if (a.needs[i]) grad_in[i] = icseg_node_output(g, back, ICSEG_F32, icseg_graph_value(g, node->input[i])->shape);
}

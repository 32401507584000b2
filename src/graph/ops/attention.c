/* SPDX-License-Identifier: Apache-2.0
 * attention: softmax(q k^T / sqrt(D)) v for each head, in blocks of query rows. Probabilities exist in scratch memory
 * only; the gradient recomputes them. All heads of an image are one batched product. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/vmath.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/linear_algebra.h"

enum { MAX_ROWS = 128, ROW_STEP = 16, CHUNK = 8, SQUARE = 16 };
static const int64_t max_scores = 8 << 20;       /* numbers in a block of scores: 32 MiB */
static const int64_t scores_of_thread = 1 << 18; /* forward, 1 MiB: they stay in the second-level cache */

enum { Q, K, V };

typedef struct attention {
    int64_t batch, queries, keys, width, heads;
    bool packed;               /* input 0 is [q | k | v]; otherwise inputs 0, 1, 2 */
    bool needs[3];             /* the gradient node: of q, k, v */
    icseg_attention_grid grid; /* of nearby positions; rows 0: none */
} attention;

/* Rows of q, k or v, or of their gradients: the number of elements from row to row, and the address of a row. */
static int64_t pitch_of(const attention *a) { return a->packed ? 3 * a->width : a->width; }

static float *rows_of(const attention *a, void *const *tensors, int which, int64_t image, int64_t row) {
    int64_t length = which == Q ? a->queries : a->keys;
    float *base = a->packed ? (float *)tensors[0] + which * a->width : tensors[which];
    return base + (image * length + row) * pitch_of(a);
}

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
enum { SCORES, VALUES, FORWARD_PRODUCTS };
enum { P_SCORES, P_GRADIENT, P_TO_V, S_TO_Q, S_TO_K, BACKWARD_PRODUCTS, MAX_PRODUCTS = BACKWARD_PRODUCTS };

typedef struct attention_state {
    blocks blocks;
    int64_t heads;                             /* of a block; backward: all heads */
    icseg_primitive *product[2][MAX_PRODUCTS]; /* [1]: of the last block, where it is smaller */
    size_t own, scores, gradient;              /* offsets in scratch */
    size_t q, k, v;                            /* the forward pass's copies, head by head: offsets in scratch */
    float *near_row, *near_column;             /* of the grid: what distances 1 - n .. n - 1 add, as factors */
} attention_state;

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

/* Heads of a block: few enough for its scores to stay in the caches, and a divisor of all heads. */
static int64_t heads_of(const attention *a, int64_t rows) {
    int64_t heads = scores_of_thread * omp_get_max_threads() / (rows * a->keys);
    heads = heads < 1 ? 1 : heads > a->heads ? a->heads : heads;
    while (a->heads % heads) heads--;
    return heads;
}

static icseg_status open_forward(icseg_primitive **p, const attention *a, int64_t heads, int64_t rows,
                                 icseg_error *error) {
    int64_t depth = a->width / a->heads, keys = a->keys;
    matrix q = {rows * depth, depth, 1}, k = {depth * keys, keys, 1}, v = {keys * depth, depth, 1};
    matrix out = {depth, a->width, 1}, scores = {rows * keys, keys, 1};
    ICSEG_TRY(open_product(&p[SCORES], heads, rows, depth, keys, q, k, scores, false, error));
    return open_product(&p[VALUES], heads, rows, keys, depth, scores, v, out, false, error);
}

static icseg_status open_backward(icseg_primitive **p, const attention *a, int64_t rows, bool accumulate,
                                  icseg_error *error) {
    int64_t depth = a->width / a->heads, keys = a->keys;
    matrix in = {depth, pitch_of(a), 1}, out = {depth, a->width, 1}, scores = {rows * keys, keys, 1};
    ICSEG_TRY(open_product(&p[P_SCORES], a->heads, rows, depth, keys, in, transposed(in), scores, false, error));
    if (a->needs[V])
        ICSEG_TRY(
            open_product(&p[P_TO_V], a->heads, keys, rows, depth, transposed(scores), out, in, accumulate, error));
    if (a->needs[Q] || a->needs[K])
        ICSEG_TRY(open_product(&p[P_GRADIENT], a->heads, rows, depth, keys, out, transposed(in), scores, false, error));
    if (a->needs[Q]) ICSEG_TRY(open_product(&p[S_TO_Q], a->heads, rows, keys, depth, scores, in, in, false, error));
    if (a->needs[K])
        ICSEG_TRY(open_product(&p[S_TO_K], a->heads, keys, rows, depth, transposed(scores), in, in, accumulate, error));
    return ICSEG_OK;
}

static float scale_of(const attention *a) {
    int64_t head_width = a->width / a->heads; /* without a remainder */
    return 1 / sqrtf((float)head_width);
}

/* factor * exp(-d^2 / (2 deviation^2)) for the distances d = 1 - n .. n - 1; NULL: out of memory */
static float *open_distances(int64_t n, double deviation, double factor) {
    float *table = icseg_alloc_array((size_t)(2 * n - 1), sizeof *table);
    for (int64_t d = 1 - n; table && d < n; d++)
        table[d + n - 1] = (float)(factor * exp(-(double)(d * d) / (2 * deviation * deviation)));
    return table;
}

static icseg_status open_grid(attention_state *s, const attention *a, icseg_error *error) {
    if (!a->grid.rows) return ICSEG_OK;
    s->near_row = open_distances(a->grid.rows, a->grid.deviation, 1 / (double)scale_of(a));
    s->near_column = open_distances(a->grid.columns, a->grid.deviation, 1);
    return s->near_row && s->near_column ? ICSEG_OK : icseg_fail_memory(error, 0, "attention");
}

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    const attention *a = k->node->attributes;
    attention_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "attention");
    ICSEG_TRY(open_grid(s, a, error));
    bool backward = k->node->op->gradient == NULL;
    s->blocks = blocks_of(a);
    s->heads = backward ? a->heads : heads_of(a, s->blocks.rows);
    size_t own = 0;
    for (int last = 0; last < (s->blocks.last == s->blocks.rows ? 1 : 2); last++) {
        int64_t rows = last ? s->blocks.last : s->blocks.rows;
        ICSEG_TRY(backward ? open_backward(s->product[last], a, rows, s->blocks.count > 1, error)
                           : open_forward(s->product[last], a, s->heads, rows, error));
        for (int i = 0; i < MAX_PRODUCTS; i++) {
            size_t bytes = s->product[last][i] ? icseg_primitive_scratch(s->product[last][i]) : 0;
            own = bytes > own ? bytes : own;
        }
    }
    size_t bytes = (size_t)(s->blocks.rows * s->heads * a->keys) * sizeof(float);
    s->own = icseg_scratch_reserve(k, own);
    s->scores = icseg_scratch_reserve(k, bytes);
    s->gradient = icseg_scratch_reserve(k, backward ? bytes : 0);
    size_t row = backward ? 0 : (size_t)a->width * sizeof(float);
    s->q = icseg_scratch_reserve(k, (size_t)s->blocks.rows * row);
    s->k = icseg_scratch_reserve(k, (size_t)a->keys * row);
    s->v = icseg_scratch_reserve(k, (size_t)a->keys * row);
    return ICSEG_OK;
}

static void release(icseg_kernel *k) {
    attention_state *s = k->state;
    for (int i = 0; s && i < 2 * MAX_PRODUCTS; i++)
        icseg_primitive_close(&s->product[i / MAX_PRODUCTS][i % MAX_PRODUCTS]);
    if (s) icseg_free(s->near_row);
    if (s) icseg_free(s->near_column);
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
            s[i] = icseg_exp(scale * (s[i] - top));
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
    const attention_state *s = k->state;
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
static void add_grid(const attention *a, const attention_state *s, const block *b, int64_t heads) {
    int64_t rows = a->grid.rows, columns = a->grid.columns, first = a->keys - rows * columns;
    if (!rows) return;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < heads * b->rows; i++) {
        int64_t query = b->first + i % b->rows, y = query / columns, x = query % columns;
        add_near(b->scores + i * a->keys + first, s->near_row + rows - 1 - y, s->near_column + columns - 1 - x, rows,
                 columns);
    }
}

/* Rows (n, width), `pitch` apart -> (heads, n, depth) */
static void gather_heads(const attention *a, const float *rows, int64_t n, float *to) {
    int64_t depth = a->width / a->heads, pitch = pitch_of(a);
#pragma omp parallel for schedule(static)
    for (int64_t h = 0; h < a->heads; h++)
        for (int64_t i = 0; i < n; i++)
            memcpy(to + (h * n + i) * depth, rows + i * pitch + h * depth, (size_t)depth * sizeof *to);
}

/* Transposes a block of `rows` x `columns`: from (.., from_pitch) -> to (columns, to_pitch) */
ICSEG_KERNEL static void transpose_square(const float *from, int64_t from_pitch, float *to, int64_t to_pitch,
                                          int64_t rows, int64_t columns) {
    for (int64_t c = 0; c < columns; c++)
#pragma omp simd
        for (int64_t r = 0; r < rows; r++) to[c * to_pitch + r] = from[r * from_pitch + c];
}

/* Rows (n, width), `pitch` apart -> (heads, depth, n) */
static void gather_transposed(const attention *a, const float *rows, int64_t n, float *to) {
    int64_t depth = a->width / a->heads, pitch = pitch_of(a);
#pragma omp parallel for schedule(static)
    for (int64_t h = 0; h < a->heads; h++)
        for (int64_t i = 0; i < n; i += SQUARE)
            for (int64_t d = 0; d < depth; d += SQUARE)
                transpose_square(rows + i * pitch + h * depth + d, pitch, to + (h * depth + d) * n + i, n,
                                 n - i < SQUARE ? n - i : SQUARE, depth - d < SQUARE ? depth - d : SQUARE);
}

/* Products are faster with dense matrices and transposed keys (docs/performance.md). */
static icseg_status forward_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const attention *a = k->node->attributes;
    const attention_state *s = k->state;
    char *scratch = run->scratch;
    float *queries = (float *)(void *)(scratch + s->q), *keys = (float *)(void *)(scratch + s->k);
    float *values = (float *)(void *)(scratch + s->v);
    for (int64_t i = 0; i < a->batch * s->blocks.count; i++) {
        block b = block_at(k, run, i);
        float *out = (float *)k->out[0] + (b.image * a->queries + b.first) * a->width;
        if (b.first == 0) {
            gather_transposed(a, rows_of(a, k->in, K, b.image, 0), a->keys, keys);
            gather_heads(a, rows_of(a, k->in, V, b.image, 0), a->keys, values);
        }
        gather_heads(a, rows_of(a, k->in, Q, b.image, b.first), b.rows, queries);
        for (int64_t h = 0; h < a->heads; h += s->heads) {
            int64_t at = h * (a->width / a->heads);
            ICSEG_TRY(multiply(&b, SCORES, queries + at * b.rows, keys + at * a->keys, b.scores, error));
            add_grid(a, s, &b, s->heads);
            softmax(b.scores, b.rows * s->heads, a->keys, scale_of(a));
            ICSEG_TRY(multiply(&b, VALUES, b.scores, values + at * a->keys, out + at, error));
        }
    }
    return ICSEG_OK;
}

/* Several blocks add to dk and dv, which therefore start from zero. */
static void clear(const attention *a, void *const *gradients, int which) {
    int64_t rows = a->batch * a->keys, pitch = pitch_of(a);
    float *first = rows_of(a, gradients, which, 0, 0);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) memset(first + r * pitch, 0, (size_t)a->width * sizeof *first);
}

static icseg_status backward_block(const icseg_kernel *k, const block *b, const float *dy, void *const *gradients,
                                   icseg_error *error) {
    const attention *a = k->node->attributes;
    void *const *in = k->in;
    int64_t rows = b->rows * a->heads;
    const float *q = rows_of(a, in, Q, b->image, b->first);
    const float *key = rows_of(a, in, K, b->image, 0), *v = rows_of(a, in, V, b->image, 0);
    ICSEG_TRY(multiply(b, P_SCORES, q, key, b->scores, error));
    add_grid(a, k->state, b, a->heads);
    softmax(b->scores, rows, a->keys, scale_of(a));
    if (a->needs[V]) ICSEG_TRY(multiply(b, P_TO_V, b->scores, dy, rows_of(a, gradients, V, b->image, 0), error));
    if (!a->needs[Q] && !a->needs[K]) return ICSEG_OK;
    ICSEG_TRY(multiply(b, P_GRADIENT, dy, v, b->gradient, error));
    softmax_gradient(b->scores, b->gradient, rows, a->keys, scale_of(a));
    if (a->needs[Q])
        ICSEG_TRY(multiply(b, S_TO_Q, b->gradient, key, rows_of(a, gradients, Q, b->image, b->first), error));
    if (a->needs[K]) ICSEG_TRY(multiply(b, S_TO_K, b->gradient, q, rows_of(a, gradients, K, b->image, 0), error));
    return ICSEG_OK;
}

static icseg_status backward_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const attention *a = k->node->attributes;
    const attention_state *s = k->state;
    int inputs = a->packed ? 1 : 3, next = 0;
    void *gradients[3] = {NULL, NULL, NULL};
    for (int i = 0; i < inputs; i++)
        if (a->needs[i]) gradients[i] = k->out[next++];
    for (int i = K; i <= V && s->blocks.count > 1; i++)
        if (a->needs[i]) clear(a, gradients, i);
    for (int64_t i = 0; i < a->batch * s->blocks.count; i++) {
        block b = block_at(k, run, i);
        const float *dy = (const float *)k->in[inputs] + (b.image * a->queries + b.first) * a->width;
        ICSEG_TRY(backward_block(k, &b, dy, gradients, error));
    }
    return ICSEG_OK;
}

/* -- building */

static double work(const icseg_node *node, int products) {
    const attention *a = node->attributes;
    return products * 2.0 * (double)a->batch * (double)a->queries * (double)a->keys * (double)a->width;
}

static double forward_flops(const icseg_graph *g, const icseg_node *node) {
    (void)g;
    return work(node, 2);
}

static double backward_flops(const icseg_graph *g, const icseg_node *node) {
    (void)g;
    const attention *a = node->attributes;
    return work(node, 1 + (a->needs[Q] || a->needs[K]) + a->needs[Q] + a->needs[K] + a->needs[V]);
}

static const icseg_op gradient_op = {
    .name = "attention_gradient", .prepare = prepare, .run = backward_run, .release = release, .flops = backward_flops};

static void attention_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out,
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

const icseg_op icseg_op_attention = {.name = "attention",
                                     .gradient = attention_gradient,
                                     .prepare = prepare,
                                     .run = forward_run,
                                     .release = release,
                                     .flops = forward_flops};

const icseg_op icseg_op_attention_packed = {.name = "attention_packed",
                                            .gradient = attention_gradient,
                                            .prepare = prepare,
                                            .run = forward_run,
                                            .release = release,
                                            .flops = forward_flops};

static icseg_value append(icseg_graph *g, const icseg_op *op, attention a, const icseg_value *inputs, int count) {
    icseg_node *node = icseg_node_append(g, op, &a, sizeof a, inputs, count, 0);
    return node ? icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(a.batch, a.queries, a.width)) : ICSEG_NONE;
}

icseg_value icseg_grid_attention(icseg_graph *g, icseg_value q, icseg_value k, icseg_value v, int heads,
                                 icseg_attention_grid grid) {
    if (q == ICSEG_NONE || k == ICSEG_NONE || v == ICSEG_NONE)
        return icseg_graph_fail(g, "attention", ICSEG_ERROR_INTERNAL, "no input");
    icseg_shape s = icseg_graph_value(g, q)->shape, t = icseg_graph_value(g, k)->shape;
    bool fits = s.rank == 3 && t.rank == 3 && s.dim[0] == t.dim[0] && s.dim[2] == t.dim[2] &&
                icseg_shape_equal(t, icseg_graph_value(g, v)->shape) && heads > 0 && s.dim[2] % heads == 0;
    if (!fits) {
        char qt[ICSEG_SHAPE_TEXT], kt[ICSEG_SHAPE_TEXT], vt[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "attention", ICSEG_ERROR_SHAPE,
                                "q %s, k %s, v %s, %d heads: (B, Lq, W), (B, Lk, W), (B, Lk, W) are expected, W a "
                                "multiple of the heads",
                                icseg_shape_text(s, qt, sizeof qt), icseg_shape_text(t, kt, sizeof kt),
                                icseg_shape_text(icseg_graph_value(g, v)->shape, vt, sizeof vt), heads);
    }
    icseg_value inputs[] = {q, k, v};
    attention a = {
        .batch = s.dim[0], .queries = s.dim[1], .keys = t.dim[1], .width = s.dim[2], .heads = heads, .grid = grid};
    if (grid.rows && (grid.rows < 0 || grid.columns < 1 || grid.rows > a.keys || grid.columns > a.keys ||
                      a.queries != grid.rows * grid.columns || a.queries > a.keys || !(grid.deviation > 0)))
        return icseg_graph_fail(g, "attention", ICSEG_ERROR_SHAPE,
                                "%lld queries and %lld keys: a grid of %lld x %lld positions is expected",
                                (long long)a.queries, (long long)a.keys, (long long)grid.rows, (long long)grid.columns);
    return append(g, &icseg_op_attention, a, inputs, 3);
}

icseg_value icseg_attention(icseg_graph *g, icseg_value q, icseg_value k, icseg_value v, int heads) {
    return icseg_grid_attention(g, q, k, v, heads, (icseg_attention_grid){0});
}

icseg_value icseg_attention_packed(icseg_graph *g, icseg_value qkv, int heads) {
    if (qkv == ICSEG_NONE) return icseg_graph_fail(g, "attention_packed", ICSEG_ERROR_INTERNAL, "no input");
    icseg_shape s = icseg_graph_value(g, qkv)->shape;
    if (s.rank != 3 || heads < 1 || s.dim[2] % (3 * (int64_t)heads)) {
        char text[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "attention_packed", ICSEG_ERROR_SHAPE,
                                "qkv %s with %d heads: (B, L, 3W) is expected, W a multiple of the heads",
                                icseg_shape_text(s, text, sizeof text), heads);
    }
    attention a = {.batch = s.dim[0],
                   .queries = s.dim[1],
                   .keys = s.dim[1],
                   .width = s.dim[2] / 3,
                   .heads = heads,
                   .packed = true};
    return append(g, &icseg_op_attention_packed, a, &qkv, 1);
}

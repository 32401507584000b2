/* SPDX-License-Identifier: Apache-2.0
 * linear_pair: y = f(x W1^T + b1) W2^T + b2 + residual, a transformer's MLP, in blocks of rows. The values between the
 * two maps, four times as wide as x, stay in the caches and are never all in memory. */
#include "base/memory.h"
#include "graph/ops/cast.h"
#include "graph/ops/fused.h"

enum {
    X = ICSEG_PAIR_X,
    FIRST_WEIGHT = ICSEG_PAIR_FIRST_WEIGHT,
    FIRST_BIAS = ICSEG_PAIR_FIRST_BIAS,
    SECOND_WEIGHT = ICSEG_PAIR_SECOND_WEIGHT,
    SECOND_BIAS = ICSEG_PAIR_SECOND_BIAS,
    RESIDUAL = ICSEG_PAIR_RESIDUAL
};
enum { FIRST, SECOND, MAPS };

/* With fewer rows the products are inefficient; more do not fit the caches (docs/performance.md). */
enum { MAX_ROWS = 640, MIN_BYTES = 8 << 20 };

typedef struct pair_state {
    int64_t count, rows, last;          /* blocks; rows of one; rows of the last */
    icseg_primitive *product[2][MAPS];  /* [1]: of the last block, where it is smaller */
    size_t own, between, weights[MAPS]; /* offsets in scratch */
} pair_state;

static bool has(const icseg_kernel *k, int i) { return k->node->input[i] != ICSEG_NONE; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static int weight_of(int map) { return map == FIRST ? FIRST_WEIGHT : SECOND_WEIGHT; }

static icseg_status open_product(icseg_kernel *k, int64_t rows, int map, icseg_primitive **out, icseg_error *error) {
    icseg_fused_linear a = ((const icseg_fused_pair *)k->node->attributes)->map[map];
    int bias = map == FIRST ? FIRST_BIAS : SECOND_BIAS;
    icseg_primitive_options options = {.bias = has(k, bias),
                                       .accumulate = map == SECOND && has(k, RESIDUAL),
                                       .activation = a.activation,
                                       .pack = icseg_weights_should_pack(k, weight_of(map))};
    a.shape.rows = rows;
    icseg_set_precision(k, &options);
    return icseg_matmul_open(out, &a.shape, options, error);
}

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    const icseg_fused_pair *a = k->node->attributes;
    pair_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "a pair of linear layers");
    int64_t rows = a->map[FIRST].shape.rows;
    s->count = (rows + MAX_ROWS - 1) / MAX_ROWS;
    s->rows = (rows + s->count - 1) / s->count;
    s->last = rows - (s->count - 1) * s->rows;
    size_t own = 0, weights[MAPS] = {0};
    for (int last = 0; last < (s->last == s->rows ? 1 : 2); last++)
        for (int map = 0; map < MAPS; map++) {
            icseg_primitive **p = &s->product[last][map];
            ICSEG_TRY(open_product(k, last ? s->last : s->rows, map, p, error));
            own = larger(own, icseg_primitive_scratch(*p));
            weights[map] = larger(weights[map], icseg_weights_scratch(k, weight_of(map), *p));
        }
    k->precision = icseg_primitive_precision(s->product[0][FIRST]);
    s->own = icseg_scratch_reserve(k, own);
    for (int map = 0; map < MAPS; map++) s->weights[map] = icseg_scratch_reserve(k, weights[map]);
    s->between = icseg_scratch_reserve(k, (size_t)(s->rows * a->map[FIRST].shape.columns) * sizeof(float));
    return ICSEG_OK;
}

static icseg_status run(const icseg_kernel *k, const icseg_run *r, icseg_error *error) {
    const icseg_fused_pair *a = k->node->attributes;
    const pair_state *s = k->state;
    char *scratch = r->scratch;
    float *between = (float *)(void *)(scratch + s->between), *y = k->out[0];
    const void *expanded[MAPS] = {NULL, NULL};
    const float *x = k->in[X];
    int64_t in = a->map[FIRST].shape.inner, out = a->map[SECOND].shape.columns;
    if (has(k, RESIDUAL) && k->in[RESIDUAL] != k->out[0])
        icseg_cast_elements(k->out[0], icseg_format_of(icseg_kernel_out(k, 0)), k->in[RESIDUAL],
                            icseg_format_of(icseg_kernel_in(k, RESIDUAL)), icseg_kernel_out(k, 0)->count);
    for (int64_t i = 0; i < s->count; i++) {
        bool last = i == s->count - 1 && s->last != s->rows;
        icseg_operands first = {.a = x + i * s->rows * in, .bias = k->in[FIRST_BIAS], .out = between};
        icseg_operands second = {.a = between, .bias = k->in[SECOND_BIAS], .out = y + i * s->rows * out};
        icseg_primitive *const *p = s->product[last];
        ICSEG_TRY(icseg_weights_get_next(k, FIRST_WEIGHT, p[FIRST], scratch + s->weights[FIRST], &expanded[FIRST],
                                         &first.b, error));
        ICSEG_TRY(icseg_weights_get_next(k, SECOND_WEIGHT, p[SECOND], scratch + s->weights[SECOND], &expanded[SECOND],
                                         &second.b, error));
        ICSEG_TRY(icseg_primitive_run(p[FIRST], first, scratch + s->own, error));
        ICSEG_TRY(icseg_primitive_run(p[SECOND], second, scratch + s->own, error));
    }
    return ICSEG_OK;
}

static void release(icseg_kernel *k) {
    pair_state *s = k->state;
    for (int i = 0; s && i < 2 * MAPS; i++) icseg_primitive_close(&s->product[i / MAPS][i % MAPS]);
    icseg_free(s);
}

static double flops(const icseg_graph *g, const icseg_node *node) {
    (void)g;
    const icseg_fused_pair *a = node->attributes;
    const icseg_matmul_shape *s = &a->map[FIRST].shape, *t = &a->map[SECOND].shape;
    return 2 * (double)s->rows * ((double)s->inner * (double)s->columns + (double)t->inner * (double)t->columns);
}

const icseg_op icseg_op_linear_pair = {.name = "linear_pair",
                                       .prepare = prepare,
                                       .run = run,
                                       .release = release,
                                       .flops = flops,
                                       .lazy_inputs = 1 << FIRST_WEIGHT | 1 << SECOND_WEIGHT,
                                       .in_place = 1 << RESIDUAL};

bool icseg_linear_pair_is_faster(int64_t rows, int64_t between_bytes) {
    return rows > MAX_ROWS && between_bytes > MIN_BYTES;
}

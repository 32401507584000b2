/* SPDX-License-Identifier: Apache-2.0
 * dropout of elements, channels or samples. The mask is a hash of (seed, step, node, index): nothing is stored, the
 * number of threads does not matter, and the gradient is the same operator with the forward node's key. */
#include "base/rng.h"
#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/chunks.h"

enum { BLOCK = 16384 }; /* numbers that share a key from the generator */

typedef struct dropout_attributes {
    float p;
    icseg_dropout_mode mode;
    int32_t key; /* index of the forward node when it was made */
} dropout_attributes;

/* Two rounds of multiply and xor-shift (MurmurHash3's finaliser) with half of the key before each; 31 bits. */
static inline int32_t draw(uint32_t index, uint32_t key0, uint32_t key1) {
    uint32_t h = index + key0;
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h += key1;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    h ^= h >> 16;
    return (int32_t)(h >> 1);
}

ICSEG_KERNEL static void drop_block(const float *x, uint64_t key, uint32_t first, int32_t limit, float scale, int64_t n,
                                    float *y) {
    uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = draw(first + (uint32_t)i, key0, key1) < limit ? 0 : x[i] * scale;
}

ICSEG_KERNEL static void scale_rows(const float *x, const float *factor, int64_t rows, int64_t c, float *y) {
    for (int64_t r = 0; r < rows; r++, x += c, y += c)
#pragma omp simd
        for (int64_t j = 0; j < c; j++) y[j] = x[j] * factor[j];
}

ICSEG_KERNEL static void scale_block(const float *x, float factor, int64_t n, float *y) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = x[i] * factor;
}

/* y = x (n) with elements dropped. Element i has the index first + i in the mask of the group's batch, where `first` is
 * the number of elements of the processes before this one. */
static void drop(const icseg_kernel *k, const icseg_run *run, const float *x, int64_t n, float *y) {
    const dropout_attributes *a = k->node->attributes;
    icseg_rng step = icseg_rng_open(run->seed, ICSEG_RNG_DROPOUT, (uint64_t)run->step);
    icseg_rng node = icseg_rng_open(icseg_rng_u64(&step), ICSEG_RNG_DROPOUT, (uint64_t)a->key);
    uint64_t seed = icseg_rng_u64(&node);
    int32_t limit = (int32_t)(a->p * 2147483648.0f);
    float scale = 1 / (1 - a->p);
    int64_t first = n * icseg_group_rank(run->group), end = first + n;
#pragma omp parallel for schedule(static)
    for (int64_t b = first / BLOCK; b < (end + BLOCK - 1) / BLOCK; b++) {
        icseg_rng block = icseg_rng_open(seed, ICSEG_RNG_DROPOUT, (uint64_t)b);
        int64_t from = b * BLOCK > first ? b * BLOCK : first, to = (b + 1) * BLOCK < end ? (b + 1) * BLOCK : end;
        drop_block(x + (from - first), icseg_rng_u64(&block), (uint32_t)(from - b * BLOCK), limit, scale, to - from,
                   y + (from - first));
    }
}

/* Size of the mask: one number for each element, channel of a sample, or sample. */
static int64_t mask_size(const icseg_kernel *k) {
    const icseg_value_info *x = icseg_kernel_in(k, 0);
    switch (((const dropout_attributes *)k->node->attributes)->mode) {
    case ICSEG_DROPOUT_CHANNEL: return x->shape.dim[0] * x->shape.dim[x->shape.rank - 1];
    case ICSEG_DROPOUT_SAMPLE: return x->shape.dim[0];
    case ICSEG_DROPOUT_ELEMENT: break;
    }
    return x->count;
}

static icseg_status dropout_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    if (((const dropout_attributes *)k->node->attributes)->mode != ICSEG_DROPOUT_ELEMENT)
        k->scratch_size = (size_t)mask_size(k) * sizeof(float);
    return ICSEG_OK;
}

static icseg_status dropout_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const dropout_attributes *a = k->node->attributes;
    const icseg_shape *shape = &icseg_kernel_in(k, 0)->shape;
    int64_t n = icseg_kernel_in(k, 0)->count, masks = mask_size(k), batch = shape->dim[0], sample = n / batch;
    const float *x = k->in[0];
    float *y = k->out[0], *factor = run->scratch;
    if (a->mode == ICSEG_DROPOUT_ELEMENT) {
        drop(k, run, x, n, y);
        return ICSEG_OK;
    }
    for (int64_t i = 0; i < masks; i++) factor[i] = 1;
    drop(k, run, factor, masks, factor);
    bool channels = a->mode == ICSEG_DROPOUT_CHANNEL;
    icseg_chunks m = channels ? icseg_chunks_of(sample / (masks / batch), masks / batch)
                              : (icseg_chunks){sample, 1, BLOCK, (sample + BLOCK - 1) / BLOCK};
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < batch; b++)
        for (int64_t i = 0; i < m.count; i++) {
            int64_t at = b * sample + i * m.step * m.width, rows = icseg_chunk_rows(&m, i);
            if (channels)
                scale_rows(x + at, factor + b * m.width, rows, m.width, y + at);
            else
                scale_block(x + at, factor[b], rows, y + at);
        }
    return ICSEG_OK;
}

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_node *n = icseg_node_append(g, node->op, node->attributes, sizeof(dropout_attributes), grad_out, 1, 0);
    if (n) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, node->input[0])->shape);
}

const icseg_op icseg_op_dropout = {.name = "dropout",
                                   .gradient = gradient,
                                   .cheap = true,
                                   .prepare = dropout_prepare,
                                   .run = dropout_run,
                                   .in_place = 1};

icseg_value icseg_dropout(icseg_graph *g, icseg_value x, float p, icseg_dropout_mode mode) {
    if (!(p >= 0 && p < 1))
        return icseg_graph_fail(g, "dropout", ICSEG_ERROR_ARGUMENT, "probability %g is not in [0, 1)", (double)p);
    if (p == 0 || x == ICSEG_NONE || !icseg_graph_training(g)) return x;
    icseg_shape shape = icseg_graph_value(g, x)->shape;
    int min_rank = mode == ICSEG_DROPOUT_CHANNEL ? 2 : mode == ICSEG_DROPOUT_SAMPLE ? 1 : 0;
    if (shape.rank < min_rank) {
        char s[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "dropout", ICSEG_ERROR_SHAPE, "x is %s; %s is expected",
                                icseg_shape_text(shape, s, sizeof s), min_rank == 2 ? "(B, ..., C)" : "(B, ...)");
    }
    dropout_attributes attributes = {.p = p, .mode = mode, .key = icseg_graph_node_count(g)};
    icseg_node *node = icseg_node_append(g, &icseg_op_dropout, &attributes, sizeof attributes, &x, 1, 0);
    return node ? icseg_node_output(g, node, ICSEG_F32, shape) : ICSEG_NONE;
}

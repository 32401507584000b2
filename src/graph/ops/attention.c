/* SPDX-License-Identifier: Apache-2.0
 * attention: softmax(q k^T / sqrt(D)) v for each head. Each thread computes tiles of queries (attention_tile.h). */
#include <omp.h>

#include "base/memory.h"
#include "base/system.h"
#include "graph/activation_ranges.h"
#include "graph/ops/attention_attributes.h"
#include "graph/ops/attention_int8.h"
#include "graph/ops/linear_algebra.h"

/* Each head of each image is divided into parts: with more parts than threads, none waits long for the others. */
typedef struct state {
    int64_t tiles, parts;
    size_t bytes;    /* scratch memory of a thread */
    size_t operands; /* in INT8, the bytes of each head's quantised keys and values, after the threads' memory */
    icseg_attention_near near;
    float *memory; /* of `near` */
    int threads;
} state;

/* While a calibration records ranges, everything is f32. */
static bool is_int8(const icseg_kernel *k) {
    const icseg_attention_attributes *a = k->node->attributes;
    const icseg_activation_ranges *ranges = icseg_graph_activation_ranges(k->graph);
    return icseg_graph_precision(k->graph) == ICSEG_PRODUCT_INT8 && ranges &&
           !icseg_activation_ranges_recording(ranges) && !a->grid.rows &&
           icseg_attention_int8_is_faster(a->queries, a->keys, a->width / a->heads);
}

static void choose_tiles(icseg_kernel *k, state *s) {
    const icseg_attention_attributes *a = k->node->attributes;
    int64_t depth = a->width / a->heads;
    if (is_int8(k)) {
        k->precision = ICSEG_PRODUCT_INT8;
        s->tiles = icseg_attention_int8_tiles(a->queries);
        s->bytes = icseg_attention_int8_scratch(depth);
        s->operands = icseg_attention_int8_operands(a->keys, depth);
    } else {
        s->tiles = icseg_attention_tiles(a->queries);
        s->bytes = icseg_attention_scratch(a->keys, depth, &s->near) * sizeof(float);
    }
}

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    const icseg_attention_attributes *a = k->node->attributes;
    state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "attention");
    ICSEG_TRY(icseg_attention_near_open(&s->near, &s->memory, a, 1, error));
    enum { TASKS = 4 }; /* of each thread, at least */
    choose_tiles(k, s);
    int64_t heads = k->precision == ICSEG_PRODUCT_INT8 ? a->heads : a->batch * a->heads;
    s->threads = omp_get_max_threads();
    s->parts = (TASKS * s->threads + heads - 1) / heads;
    s->parts = s->parts < s->tiles ? s->parts : s->tiles;
    icseg_scratch_reserve(k, (size_t)s->threads * s->bytes + (size_t)a->heads * s->operands);
    return ICSEG_OK;
}

static void release(icseg_kernel *k) {
    state *s = k->state;
    if (s) icseg_free(s->memory);
    icseg_free(s);
}

static icseg_attention_head head_of(const icseg_kernel *k, int64_t image, int64_t head) {
    const icseg_attention_attributes *a = k->node->attributes;
    const state *s = k->state;
    const icseg_value_info *out = icseg_kernel_out(k, 0);
    int64_t depth = a->width / a->heads, pitch = icseg_attention_pitch(a), at = head * depth;
    size_t out_at = (size_t)(image * a->queries * a->width + at) * icseg_dtype_size(out->dtype);
    return (icseg_attention_head){.q = icseg_attention_rows(a, k->in, ICSEG_Q, image, 0) + at,
                                  .k = icseg_attention_rows(a, k->in, ICSEG_K, image, 0) + at,
                                  .v = icseg_attention_rows(a, k->in, ICSEG_V, image, 0) + at,
                                  .out = (char *)k->out[0] + out_at,
                                  .bytes = out->quantization,
                                  .q_pitch = pitch,
                                  .kv_pitch = pitch,
                                  .out_pitch = a->width,
                                  .queries = a->queries,
                                  .keys = a->keys,
                                  .depth = depth,
                                  .scale = icseg_attention_scale(a),
                                  .near = s->near};
}

/* The memory of the calling thread. */
static char *scratch_of(const state *s, const icseg_run *run) {
    return (char *)run->scratch + (size_t)omp_get_thread_num() * s->bytes;
}

static void run_f32(const icseg_kernel *k, const icseg_run *run) {
    const icseg_attention_attributes *a = k->node->attributes;
    const state *s = k->state;
    int64_t tasks = a->batch * a->heads * s->parts;
#pragma omp parallel for schedule(dynamic) num_threads(s->threads)
    for (int64_t i = 0; i < tasks; i++) {
        int64_t part = i % s->parts;
        icseg_attention_head h = head_of(k, i / s->parts / a->heads, i / s->parts % a->heads);
        icseg_attention_run(&h, part * s->tiles / s->parts, (part + 1) * s->tiles / s->parts,
                            (float *)(void *)scratch_of(s, run));
    }
}

/* Keys and values are quantised once for all parts; image by image, so that they stay in the caches. */
static void run_int8(const icseg_kernel *k, const icseg_run *run, int64_t image) {
    const icseg_attention_attributes *a = k->node->attributes;
    const state *s = k->state;
    char *operands = (char *)run->scratch + (size_t)s->threads * s->bytes;
#pragma omp parallel num_threads(s->threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < 2 * a->heads; i++) {
            icseg_attention_head h = head_of(k, image, i / 2);
            (i % 2 ? icseg_attention_int8_values : icseg_attention_int8_keys)(&h,
                                                                              operands + (size_t)(i / 2) * s->operands);
        }
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < a->heads * s->parts; i++) {
            int64_t part = i % s->parts, head = i / s->parts;
            icseg_attention_head h = head_of(k, image, head);
            icseg_attention_int8_run(&h, operands + (size_t)head * s->operands, part * s->tiles / s->parts,
                                     (part + 1) * s->tiles / s->parts, scratch_of(s, run));
        }
    }
}

static icseg_status forward_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const icseg_attention_attributes *a = k->node->attributes;
    if (k->precision == ICSEG_PRODUCT_F32) run_f32(k, run);
    for (int64_t image = 0; image < a->batch && k->precision == ICSEG_PRODUCT_INT8; image++) run_int8(k, run, image);
    return ICSEG_OK;
}

static double forward_flops(const icseg_graph *g, const icseg_node *node) {
    (void)g;
    return icseg_attention_work(node->attributes, 2);
}

/* -- building */

const icseg_op icseg_op_attention = {.name = "attention",
                                     .gradient = icseg_attention_gradient,
                                     .prepare = prepare,
                                     .run = forward_run,
                                     .release = release,
                                     .flops = forward_flops,
                                     .int8 = {.out = 1, .mixed = true}};

const icseg_op icseg_op_attention_packed = {.name = "attention_packed",
                                            .gradient = icseg_attention_gradient,
                                            .prepare = prepare,
                                            .run = forward_run,
                                            .release = release,
                                            .flops = forward_flops,
                                            .int8 = {.out = 1, .mixed = true}};

static icseg_value append(icseg_graph *g, const icseg_op *op, icseg_attention_attributes a, const icseg_value *inputs,
                          int count) {
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
    icseg_attention_attributes a = {
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
    icseg_attention_attributes a = {.batch = s.dim[0],
                                    .queries = s.dim[1],
                                    .keys = s.dim[1],
                                    .width = s.dim[2] / 3,
                                    .heads = heads,
                                    .packed = true};
    return append(g, &icseg_op_attention_packed, a, &qkv, 1);
}

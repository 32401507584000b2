/* SPDX-License-Identifier: Apache-2.0
 * Activation ranges by layer, and recording them. */
#include "graph/activation_ranges.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/finite.h"
#include "base/hash.h"
#include "base/memory.h"
#include "graph/op.h"

/* By the index of the layer's parameter. */
typedef struct layer_ranges {
    icseg_activation_range side[ICSEG_LAYER_SIDES]; /* low > 0: the layer has none */
    bool keeps_f32;
    icseg_input_means means; /* owned */
    double *sums;            /* while recording: (inputs), over `rows` rows */
    int64_t inputs, rows;
} layer_ranges;

struct icseg_activation_ranges {
    layer_ranges *layer;
    size_t capacity, count;
    bool recording, records_means;
    icseg_range_rule rule;
};

static const layer_ranges UNKNOWN = {.side = {{1, -1}, {1, -1}, {1, -1}, {1, -1}}};

static void forget(layer_ranges *l) {
    icseg_free((float *)l->means.values);
    icseg_free(l->sums);
    *l = UNKNOWN;
}

icseg_quantization icseg_activation_range_quantization(icseg_activation_range r) {
    enum { STEPS = 255 };
    double scale = ((double)r.high - (double)r.low) / STEPS;
    if (!(scale > 0)) return (icseg_quantization){0};
    return (icseg_quantization){.scale = (float)scale, .zero_point = (int32_t)lrint(-(double)r.low / scale)};
}

icseg_status icseg_activation_ranges_open(icseg_activation_ranges **out, icseg_error *error) {
    *out = icseg_calloc_array(1, sizeof **out);
    return *out ? ICSEG_OK : icseg_fail_memory(error, 0, "ranges");
}

void icseg_activation_ranges_close(icseg_activation_ranges **ranges) {
    if (!ranges || !*ranges) return;
    for (size_t i = 0; i < (*ranges)->capacity; i++) forget(&(*ranges)->layer[i]);
    icseg_free((*ranges)->layer);
    icseg_free(*ranges);
    *ranges = NULL;
}

static icseg_status reserve(icseg_activation_ranges *r, size_t count, icseg_error *error) {
    if (count <= r->capacity) return ICSEG_OK;
    size_t capacity = count > 2 * r->capacity ? count : 2 * r->capacity;
    layer_ranges *grown = icseg_realloc_array(r->layer, r->capacity, capacity, sizeof *grown);
    if (!grown) return icseg_fail_memory(error, capacity * sizeof *grown, "ranges");
    for (size_t i = r->capacity; i < capacity; i++) grown[i] = UNKNOWN;
    r->layer = grown;
    r->capacity = capacity;
    return ICSEG_OK;
}

bool icseg_activation_ranges_has(const icseg_activation_ranges *r, const icseg_param *layer, icseg_layer_side side) {
    return (size_t)layer->index < r->capacity && r->layer[layer->index].side[side].low <= 0;
}

icseg_status icseg_activation_ranges_set(icseg_activation_ranges *r, const icseg_param *layer, icseg_layer_side side,
                                         icseg_activation_range range, icseg_error *error) {
    ICSEG_TRY(reserve(r, (size_t)layer->index + 1, error));
    r->count += side == ICSEG_LAYER_IN && !icseg_activation_ranges_has(r, layer, side);
    r->layer[layer->index].side[side] = range;
    return ICSEG_OK;
}

icseg_activation_range icseg_activation_ranges_find(const icseg_activation_ranges *r, const icseg_param *layer,
                                                    icseg_layer_side side) {
    bool empty = !icseg_activation_ranges_has(r, layer, side) ||
                 (side != ICSEG_LAYER_OUT && icseg_activation_ranges_keeps_f32(r, layer));
    const icseg_activation_range none = {0};
    return empty ? none : r->layer[layer->index].side[side];
}

icseg_status icseg_activation_ranges_keep_f32(icseg_activation_ranges *r, const icseg_param *layer, bool keep,
                                              icseg_error *error) {
    ICSEG_TRY(reserve(r, (size_t)layer->index + 1, error));
    r->layer[layer->index].keeps_f32 = keep;
    return ICSEG_OK;
}

bool icseg_activation_ranges_keeps_f32(const icseg_activation_ranges *r, const icseg_param *layer) {
    return (size_t)layer->index < r->capacity && r->layer[layer->index].keeps_f32;
}

size_t icseg_activation_ranges_count(const icseg_activation_ranges *r) { return r->count; }

/* -- means */

static icseg_status set_means(layer_ranges *l, const float *values, const double *sums, int64_t count,
                              icseg_error *error) {
    icseg_hash hash = {0};
    float *means = icseg_alloc_array((size_t)count, sizeof *means);
    if (!means) return icseg_fail_memory(error, (size_t)count * sizeof *means, "the means of inputs");
    for (int64_t i = 0; i < count; i++) means[i] = sums ? (float)(sums[i] / (double)l->rows) : values[i];
    icseg_hash_add(&hash, means, (size_t)count * sizeof *means);
    icseg_free((float *)l->means.values);
    l->means = (icseg_input_means){.values = means, .count = count, .hash = hash.a};
    return ICSEG_OK;
}

static icseg_status copy_means(layer_ranges *to, const layer_ranges *from, icseg_error *error) {
    to->rows = from->rows;
    if (from->sums) return set_means(to, NULL, from->sums, from->inputs, error);
    return from->means.values ? set_means(to, from->means.values, NULL, from->means.count, error) : ICSEG_OK;
}

icseg_status icseg_activation_ranges_set_means(icseg_activation_ranges *r, const icseg_param *layer, const float *means,
                                               int64_t count, icseg_error *error) {
    ICSEG_TRY(reserve(r, (size_t)layer->index + 1, error));
    return set_means(&r->layer[layer->index], means, NULL, count, error);
}

icseg_input_means icseg_activation_ranges_means(const icseg_activation_ranges *r, const icseg_param *layer) {
    return (size_t)layer->index < r->capacity ? r->layer[layer->index].means : (icseg_input_means){0};
}

icseg_status icseg_activation_ranges_copy(icseg_activation_ranges *to, const icseg_activation_ranges *from,
                                          icseg_error *error) {
    ICSEG_TRY(reserve(to, from->capacity, error));
    for (size_t i = 0; i < to->capacity; i++) {
        forget(&to->layer[i]);
        if (i >= from->capacity) continue;
        memcpy(to->layer[i].side, from->layer[i].side, sizeof to->layer[i].side);
        to->layer[i].keeps_f32 = from->layer[i].keeps_f32;
        ICSEG_TRY(copy_means(&to->layer[i], &from->layer[i], error));
    }
    to->count = from->count;
    return ICSEG_OK;
}

void icseg_activation_ranges_use_rule(icseg_activation_ranges *r, icseg_range_rule rule, bool means) {
    r->rule = rule;
    r->records_means = means;
}

void icseg_activation_ranges_record(icseg_activation_ranges *r, bool on) {
    for (size_t i = 0; on && i < r->capacity; i++) forget(&r->layer[i]);
    if (on) r->count = 0;
    r->recording = on;
}

bool icseg_activation_ranges_recording(const icseg_activation_ranges *r) { return r->recording; }

/* -- layers */

icseg_param *icseg_activation_ranges_layer(const icseg_graph *g, const icseg_node *node) {
    enum { WEIGHT = 1 };
    if (!(node->op->bf16.product & 1) && !node->op->int8.reduces) return NULL;
    if (node->input_count <= WEIGHT || node->input[WEIGHT] == ICSEG_NONE) return NULL;
    return icseg_graph_param_of(g, node->input[WEIGHT]);
}

bool icseg_activation_ranges_joined(const icseg_graph *g, const icseg_node *node, icseg_value parts[2]) {
    int32_t producer = icseg_graph_value(g, node->input[0])->producer;
    const icseg_node *join = producer < 0 ? NULL : icseg_graph_node(g, producer);
    if (!join || !join->op->int8.joins || join->input_count != 2 || join->output[0] != node->input[0]) return false;
    for (int i = 0; i < 2; i++) parts[i] = join->input[i];
    return icseg_graph_dim(g, parts[0], -1) + icseg_graph_dim(g, parts[1], -1) ==
           icseg_graph_dim(g, node->input[0], -1);
}

icseg_activation_range icseg_activation_ranges_of_input(const icseg_graph *g, const icseg_node *node, int i) {
    const icseg_activation_ranges *ranges = icseg_graph_activation_ranges(g);
    const icseg_param *layer = ranges ? icseg_activation_ranges_layer(g, node) : NULL;
    icseg_layer_side side = i > 0                         ? ICSEG_LAYER_SECOND
                            : icseg_node_has_second(node) ? ICSEG_LAYER_FIRST
                                                          : ICSEG_LAYER_IN;
    return layer ? icseg_activation_ranges_find(ranges, layer, side) : (icseg_activation_range){0};
}

void icseg_activation_ranges_mark(const icseg_graph *g) {
    for (int32_t n = 0; n < icseg_graph_node_count(g); n++) {
        icseg_param *layer = icseg_activation_ranges_layer(g, icseg_graph_node(g, n));
        if (!layer) continue;
        layer->is_layer = true;
        layer->inputs = icseg_graph_dim(g, icseg_graph_node(g, n)->input[0], -1);
    }
}

/* Describes the first range that is not plausible. */
static void check_range(const icseg_activation_ranges *r, const icseg_param *p, icseg_layer_side side,
                        icseg_ranges_summary *out) {
    icseg_activation_range range = icseg_activation_ranges_find(r, p, side);
    float magnitude = icseg_range_magnitude(range);
    if (out->problem[0] || magnitude == 0 || (magnitude >= ICSEG_MIN_RANGE && magnitude <= ICSEG_MAX_RANGE)) return;
    snprintf(out->problem, sizeof out->problem,
             "the INT8 calibration has a range of %g..%g for %.100s; magnitudes of %g..%g are plausible",
             (double)range.low, (double)range.high, p->name, (double)ICSEG_MIN_RANGE, (double)ICSEG_MAX_RANGE);
}

bool icseg_activation_ranges_check(const icseg_activation_ranges *r, const icseg_params *params,
                                   icseg_ranges_summary *out) {
    *out = (icseg_ranges_summary){0};
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        const icseg_param *p = icseg_params_at(params, i);
        if (!p->is_layer) continue;
        out->layers++;
        out->covered += icseg_activation_ranges_has(r, p, ICSEG_LAYER_IN);
        out->kept += icseg_activation_ranges_keeps_f32(r, p);
        for (int side = 0; side < ICSEG_LAYER_SIDES; side++) check_range(r, p, (icseg_layer_side)side, out);
    }
    if (out->covered < out->layers)
        snprintf(out->problem, sizeof out->problem, "the INT8 calibration covers %d of %d layers", out->covered,
                 out->layers);
    return !out->problem[0];
}

/* -- recording */

/* Adds the rows of x to the sums of the layer's input channels. */
static icseg_status add_means(layer_ranges *l, const float *x, int64_t rows, int64_t inputs, icseg_error *error) {
    if (!l->sums) l->sums = icseg_calloc_array((size_t)inputs, sizeof *l->sums);
    if (!l->sums) return icseg_fail_memory(error, (size_t)inputs * sizeof *l->sums, "the means of inputs");
    l->inputs = inputs;
    l->rows += rows;
    for (int64_t r = 0; r < rows; r++, x += inputs)
        for (int64_t i = 0; i < inputs; i++) l->sums[i] += (double)x[i];
    return ICSEG_OK;
}

/* Covers the range of the values, too. */
static icseg_status widen(icseg_activation_ranges *r, const icseg_param *layer, icseg_layer_side side,
                          const float *values, int64_t count, icseg_error *error) {
    icseg_activation_range range = icseg_best_range(values, count, r->rule);
    return icseg_activation_ranges_set(r, layer, side,
                                       icseg_join_ranges(range, icseg_activation_ranges_find(r, layer, side)), error);
}

/* The ranges of the parts of a joined input. */
static icseg_status observe_parts(icseg_activation_ranges *r, const icseg_param *layer, const icseg_kernel *k,
                                  icseg_error *error) {
    icseg_value parts[2];
    if (!icseg_activation_ranges_joined(k->graph, k->node, parts)) return ICSEG_OK;
    const icseg_value_info *x = icseg_kernel_in(k, 0);
    int64_t inputs = x->shape.dim[x->shape.rank - 1], rows = x->count / inputs, first = 0;
    float *copy = icseg_alloc_array((size_t)x->count, sizeof *copy);
    if (!copy) return icseg_fail_memory(error, (size_t)x->count * sizeof *copy, "the parts of an input");
    icseg_status status = ICSEG_OK;
    for (int i = 0; i < 2 && status == ICSEG_OK; i++) {
        int64_t part = icseg_graph_dim(k->graph, parts[i], -1);
        for (int64_t row = 0; row < rows; row++)
            memcpy(copy + row * part, (const float *)k->in[0] + row * inputs + first, (size_t)part * sizeof *copy);
        first += part;
        status = widen(r, layer, i ? ICSEG_LAYER_SECOND : ICSEG_LAYER_FIRST, copy, rows * part, error);
    }
    icseg_free(copy);
    return status;
}

icseg_status icseg_activation_ranges_observe(icseg_activation_ranges *r, const icseg_kernel *k, icseg_layer_side side,
                                             icseg_error *error) {
    const icseg_param *layer = r->recording ? icseg_activation_ranges_layer(k->graph, k->node) : NULL;
    if (!layer) return ICSEG_OK;
    const icseg_value_info *x = side == ICSEG_LAYER_IN ? icseg_kernel_in(k, 0) : icseg_kernel_out(k, 0);
    const float *values = side == ICSEG_LAYER_IN ? k->in[0] : k->out[0];
    if (x->dtype != ICSEG_F32) return ICSEG_OK;
    if (!icseg_all_finite(values, x->count))
        return icseg_fail(error, ICSEG_ERROR_NUMERIC, "%s: the %s is not finite and cannot be used for calibration",
                          k->node->name, side == ICSEG_LAYER_IN ? "input" : "output");
    ICSEG_TRY(widen(r, layer, side, values, x->count, error));
    if (side == ICSEG_LAYER_IN) ICSEG_TRY(observe_parts(r, layer, k, error));
    if (!r->records_means || side != ICSEG_LAYER_IN) return ICSEG_OK;
    int64_t inputs = x->shape.dim[x->shape.rank - 1];
    return add_means(&r->layer[layer->index], values, x->count / inputs, inputs, error);
}

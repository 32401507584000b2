/* SPDX-License-Identifier: Apache-2.0
 * Activation ranges by layer, and finding the best range of a tensor. */
#include "graph/activation_ranges.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/finite.h"
#include "base/memory.h"
#include "graph/op.h"

/* range: by the index of the layer's parameter; UNKNOWN if the layer has none. */
typedef struct layer_ranges {
    icseg_activation_range side[ICSEG_LAYER_SIDES];
} layer_ranges;

struct icseg_activation_ranges {
    layer_ranges *layer;
    size_t capacity, count;
    bool recording;
};

static const layer_ranges UNKNOWN = {{{1, -1}, {1, -1}}};

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
    return icseg_activation_ranges_has(r, layer, side) ? r->layer[layer->index].side[side]
                                                       : (icseg_activation_range){0};
}

size_t icseg_activation_ranges_count(const icseg_activation_ranges *r) { return r->count; }

icseg_status icseg_activation_ranges_copy(icseg_activation_ranges *to, const icseg_activation_ranges *from,
                                          icseg_error *error) {
    ICSEG_TRY(reserve(to, from->capacity, error));
    for (size_t i = 0; i < to->capacity; i++) to->layer[i] = i < from->capacity ? from->layer[i] : UNKNOWN;
    to->count = from->count;
    return ICSEG_OK;
}

void icseg_activation_ranges_record(icseg_activation_ranges *r, bool on) {
    for (size_t i = 0; on && i < r->capacity; i++) r->layer[i] = UNKNOWN;
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

void icseg_activation_ranges_mark(const icseg_graph *g) {
    for (int32_t n = 0; n < icseg_graph_node_count(g); n++) {
        icseg_param *layer = icseg_activation_ranges_layer(g, icseg_graph_node(g, n));
        if (layer) layer->is_layer = true;
    }
}

static float magnitude_of(icseg_activation_range r) { return r.high > -r.low ? r.high : -r.low; }

/* Describes the first range that is not plausible. */
static void check_range(const icseg_activation_ranges *r, const icseg_param *p, icseg_layer_side side,
                        icseg_ranges_summary *out) {
    icseg_activation_range range = icseg_activation_ranges_find(r, p, side);
    float magnitude = magnitude_of(range);
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
        check_range(r, p, ICSEG_LAYER_IN, out);
        check_range(r, p, ICSEG_LAYER_OUT, out);
    }
    if (out->covered < out->layers)
        snprintf(out->problem, sizeof out->problem, "the INT8 calibration covers %d of %d layers", out->covered,
                 out->layers);
    return !out->problem[0];
}

/* -- recording */

enum { BINS = 2048, MAX_CLIPPED = 3 * BINS / 4, CANDIDATES = 32, STEPS = 255 };

/* Sums over the values below each bin: how many there are, and the sums of their positions, in bins, and of the squares
 * of these. */
typedef struct moments {
    double count[BINS + 1], sum[BINS + 1], squares[BINS + 1];
} moments;

/* The sum of (position - at)^2 over the values of the bins [begin, end). */
static double squares_from(const moments *m, int begin, int end, double at) {
    double count = m->count[end] - m->count[begin], sum = m->sum[end] - m->sum[begin];
    return m->squares[end] - m->squares[begin] - 2 * at * sum + at * at * count;
}

/* The sum of squared errors, in bins squared, of values that are clamped to the bins [begin, end) and rounded to one of
 * 255 steps. */
static double error_of(const moments *m, int begin, int end) {
    double step = (double)(end - begin) / STEPS, inside = m->count[end] - m->count[begin];
    return inside * step * step / 12 + squares_from(m, 0, begin, begin) + squares_from(m, end, BINS, end);
}

static void collect(const float *values, int64_t count, icseg_activation_range all, moments *m) {
    double histogram[BINS] = {0};
    float scale = BINS / (all.high - all.low);
    for (int64_t i = 0; i < count; i++) {
        float at = (values[i] - all.low) * scale;
        histogram[at < BINS ? (int)at : BINS - 1]++;
    }
    *m = (moments){0};
    for (int i = 0; i < BINS; i++) {
        double at = i + 0.5;
        m->count[i + 1] = m->count[i] + histogram[i];
        m->sum[i + 1] = m->sum[i] + histogram[i] * at;
        m->squares[i + 1] = m->squares[i] + histogram[i] * at * at;
    }
}

/* The smallest and the largest of the values and 0. */
static icseg_activation_range extremes_of(const float *values, int64_t count) {
    float low = 0, high = 0;
#pragma omp simd reduction(min                                                                                         \
                           : low) reduction(max                                                                        \
                                            : high) /* with `parallel for`, clang 14 -O1 compiles it wrongly           \
                                                     */
    for (int64_t i = 0; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    return (icseg_activation_range){low, high};
}

/* The range with the smallest error. Either side gives up at most three quarters of its own, in steps of 1/32. */
static icseg_activation_range best_range(const moments *m, icseg_activation_range all) {
    float bin = (all.high - all.low) / BINS;
    int zero = (int)(-all.low / bin), above = BINS - zero;
    double smallest = error_of(m, 0, BINS);
    icseg_activation_range best = all;
    for (int i = 0; i < CANDIDATES; i++)
        for (int j = 0; j < CANDIDATES; j++) {
            int begin = zero * i / CANDIDATES * 3 / 4, end = BINS - above * j / CANDIDATES * 3 / 4;
            double error = error_of(m, begin, end);
            if (error >= smallest) continue;
            smallest = error;
            best = (icseg_activation_range){begin ? all.low + (float)begin * bin : all.low,
                                            end < BINS ? all.low + (float)end * bin : all.high};
        }
    return best;
}

static icseg_activation_range range_of(const float *values, int64_t count) {
    icseg_activation_range all = extremes_of(values, count);
    moments m;
    if (!(magnitude_of(all) >= ICSEG_MIN_RANGE)) return (icseg_activation_range){0};
    collect(values, count, all, &m);
    return best_range(&m, all);
}

static icseg_activation_range join(icseg_activation_range a, icseg_activation_range b) {
    return (icseg_activation_range){a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
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
    icseg_activation_range range = join(range_of(values, x->count), icseg_activation_ranges_find(r, layer, side));
    return icseg_activation_ranges_set(r, layer, side, range, error);
}

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
struct icseg_activation_ranges {
    float *range;
    size_t capacity, count;
    bool recording;
};

static const float UNKNOWN = -1;

icseg_status icseg_activation_ranges_open(icseg_activation_ranges **out, icseg_error *error) {
    *out = icseg_calloc_array(1, sizeof **out);
    return *out ? ICSEG_OK : icseg_fail_memory(error, 0, "ranges");
}

void icseg_activation_ranges_close(icseg_activation_ranges **ranges) {
    if (!ranges || !*ranges) return;
    icseg_free((*ranges)->range);
    icseg_free(*ranges);
    *ranges = NULL;
}

static icseg_status reserve(icseg_activation_ranges *r, size_t count, icseg_error *error) {
    if (count <= r->capacity) return ICSEG_OK;
    size_t capacity = count > 2 * r->capacity ? count : 2 * r->capacity;
    float *grown = icseg_realloc_array(r->range, r->capacity, capacity, sizeof *grown);
    if (!grown) return icseg_fail_memory(error, capacity * sizeof *grown, "ranges");
    for (size_t i = r->capacity; i < capacity; i++) grown[i] = UNKNOWN;
    r->range = grown;
    r->capacity = capacity;
    return ICSEG_OK;
}

bool icseg_activation_ranges_has(const icseg_activation_ranges *r, const icseg_param *layer) {
    return (size_t)layer->index < r->capacity && r->range[layer->index] >= 0;
}

icseg_status icseg_activation_ranges_set(icseg_activation_ranges *r, const icseg_param *layer, float range,
                                         icseg_error *error) {
    ICSEG_TRY(reserve(r, (size_t)layer->index + 1, error));
    r->count += !icseg_activation_ranges_has(r, layer);
    r->range[layer->index] = range;
    return ICSEG_OK;
}

float icseg_activation_ranges_find(const icseg_activation_ranges *r, const icseg_param *layer) {
    return icseg_activation_ranges_has(r, layer) ? r->range[layer->index] : 0;
}

size_t icseg_activation_ranges_count(const icseg_activation_ranges *r) { return r->count; }

icseg_status icseg_activation_ranges_copy(icseg_activation_ranges *to, const icseg_activation_ranges *from,
                                          icseg_error *error) {
    ICSEG_TRY(reserve(to, from->capacity, error));
    for (size_t i = 0; i < to->capacity; i++) to->range[i] = i < from->capacity ? from->range[i] : UNKNOWN;
    to->count = from->count;
    return ICSEG_OK;
}

void icseg_activation_ranges_record(icseg_activation_ranges *r, bool on) {
    for (size_t i = 0; on && i < r->capacity; i++) r->range[i] = UNKNOWN;
    if (on) r->count = 0;
    r->recording = on;
}

bool icseg_activation_ranges_recording(const icseg_activation_ranges *r) { return r->recording; }

/* -- layers */

icseg_param *icseg_activation_ranges_layer(const icseg_graph *g, const icseg_node *node) {
    enum { WEIGHT = 1 };
    if (!(node->op->bf16.product & 1) && !node->op->int8) return NULL;
    if (node->input_count <= WEIGHT || node->input[WEIGHT] == ICSEG_NONE) return NULL;
    return icseg_graph_param_of(g, node->input[WEIGHT]);
}

void icseg_activation_ranges_mark(const icseg_graph *g) {
    for (int32_t n = 0; n < icseg_graph_node_count(g); n++) {
        icseg_param *layer = icseg_activation_ranges_layer(g, icseg_graph_node(g, n));
        if (layer) layer->is_layer = true;
    }
}

bool icseg_activation_ranges_check(const icseg_activation_ranges *r, const icseg_params *params,
                                   icseg_ranges_summary *out) {
    *out = (icseg_ranges_summary){0};
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        const icseg_param *p = icseg_params_at(params, i);
        float range = icseg_activation_ranges_find(r, p);
        if (!p->is_layer) continue;
        out->layers++;
        out->covered += icseg_activation_ranges_has(r, p);
        if (!out->problem[0] && range != 0 && !(range >= ICSEG_MIN_RANGE && range <= ICSEG_MAX_RANGE))
            snprintf(out->problem, sizeof out->problem,
                     "the INT8 calibration has a range of %g for %.100s; %g..%g is plausible", (double)range, p->name,
                     (double)ICSEG_MIN_RANGE, (double)ICSEG_MAX_RANGE);
    }
    if (out->covered < out->layers)
        snprintf(out->problem, sizeof out->problem, "the INT8 calibration covers %d of %d layers", out->covered,
                 out->layers);
    return !out->problem[0];
}

/* -- recording */

enum { BINS = 2048, MIN_BINS = BINS / 4, STEPS = 127 };

/* The sum of squared errors, in bins squared, of values that are clamped to `bins` bins and rounded to 127 steps. */
static double error_of(const double *histogram, int bins) {
    double inside = 0, beyond = 0, step = (double)bins / STEPS;
    for (int i = 0; i < bins; i++) inside += histogram[i];
    for (int i = bins; i < BINS; i++) beyond += histogram[i] * (i + 0.5 - bins) * (i + 0.5 - bins);
    return inside * step * step / 12 + beyond;
}

static float range_of(const float *values, int64_t count) {
    static const int candidate_step = BINS / 128;
    float largest = 0;
#pragma omp simd reduction(max : largest) /* with `parallel for`, clang 14 -O1 compiles it incorrectly */
    for (int64_t i = 0; i < count; i++) largest = fabsf(values[i]) > largest ? fabsf(values[i]) : largest;
    if (!(largest >= ICSEG_MIN_RANGE)) return 0;
    double histogram[BINS] = {0};
    float scale = BINS / largest;
    for (int64_t i = 0; i < count; i++) {
        float at = fabsf(values[i]) * scale;
        histogram[at < BINS ? (int)at : BINS - 1]++;
    }
    int best = BINS;
    double smallest = error_of(histogram, BINS);
    for (int bins = MIN_BINS; bins < BINS; bins += candidate_step) {
        double error = error_of(histogram, bins);
        if (error >= smallest) continue;
        smallest = error;
        best = bins;
    }
    return largest * (float)best / BINS;
}

icseg_status icseg_activation_ranges_observe(icseg_activation_ranges *r, const icseg_kernel *k, icseg_error *error) {
    const icseg_param *layer = r->recording ? icseg_activation_ranges_layer(k->graph, k->node) : NULL;
    if (!layer) return ICSEG_OK;
    const icseg_value_info *x = icseg_kernel_in(k, 0);
    if (x->dtype != ICSEG_F32) return ICSEG_OK;
    if (!icseg_all_finite(k->in[0], x->count))
        return icseg_fail(error, ICSEG_ERROR_NUMERIC, "%s: the input is not finite and cannot be used for calibration",
                          k->node->name);
    float range = range_of(k->in[0], x->count);
    bool larger = !icseg_activation_ranges_has(r, layer) || range > icseg_activation_ranges_find(r, layer);
    return larger ? icseg_activation_ranges_set(r, layer, range, error) : ICSEG_OK;
}

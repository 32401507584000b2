/* SPDX-License-Identifier: Apache-2.0
 * Activation ranges by name, and finding the best range of a tensor. */
#include "graph/activation_ranges.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "graph/op.h"

typedef struct entry {
    char *name;
    float range;
} entry;

struct icseg_activation_ranges {
    entry *entries;
    size_t count, capacity;
    bool recording;
};

icseg_status icseg_activation_ranges_open(icseg_activation_ranges **out, icseg_error *error) {
    *out = icseg_calloc_array(1, sizeof **out);
    return *out ? ICSEG_OK : icseg_fail_memory(error, 0, "ranges");
}

static void forget(icseg_activation_ranges *r) {
    for (size_t i = 0; i < r->count; i++) icseg_free(r->entries[i].name);
    r->count = 0;
}

void icseg_activation_ranges_close(icseg_activation_ranges **ranges) {
    if (!ranges || !*ranges) return;
    forget(*ranges);
    icseg_free((*ranges)->entries);
    icseg_free(*ranges);
    *ranges = NULL;
}

static entry *find(const icseg_activation_ranges *r, const char *name) {
    for (size_t i = 0; i < r->count; i++)
        if (!strcmp(r->entries[i].name, name)) return &r->entries[i];
    return NULL;
}

icseg_status icseg_activation_ranges_set(icseg_activation_ranges *r, const char *name, float range,
                                         icseg_error *error) {
    entry *known = find(r, name);
    if (known) {
        known->range = range;
        return ICSEG_OK;
    }
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 64;
        entry *grown = icseg_realloc_array(r->entries, r->count, capacity, sizeof *grown);
        if (!grown) return icseg_fail_memory(error, capacity * sizeof *grown, "ranges");
        r->entries = grown;
        r->capacity = capacity;
    }
    char *copy = icseg_strdup(name);
    if (!copy) return icseg_fail_memory(error, 0, "ranges");
    r->entries[r->count++] = (entry){copy, range};
    return ICSEG_OK;
}

float icseg_activation_ranges_find(const icseg_activation_ranges *r, const char *name) {
    const entry *known = find(r, name);
    return known ? known->range : 0;
}

size_t icseg_activation_ranges_count(const icseg_activation_ranges *r) { return r->count; }

const char *icseg_activation_ranges_at(const icseg_activation_ranges *r, size_t index, float *range) {
    *range = r->entries[index].range;
    return r->entries[index].name;
}

void icseg_activation_ranges_record(icseg_activation_ranges *r, bool on) {
    if (on) forget(r);
    r->recording = on;
}

bool icseg_activation_ranges_recording(const icseg_activation_ranges *r) { return r->recording; }

/* -- recording */

enum { BINS = 2048, LEAST_BINS = BINS / 4, STEPS = 127 };

/* The mean square error, times the count, of numbers clamped to `bins` bins and rounded to 127 steps; in bins
 * squared. */
static double error_of(const double *histogram, int bins) {
    double inside = 0, beyond = 0, step = (double)bins / STEPS;
    for (int i = 0; i < bins; i++) inside += histogram[i];
    for (int i = bins; i < BINS; i++) beyond += histogram[i] * (i + 0.5 - bins) * (i + 0.5 - bins);
    return inside * step * step / 12 + beyond;
}

static float range_of(const float *values, int64_t count) {
    static const int candidate_step = BINS / 128;
    float most = 0;
#pragma omp parallel for simd reduction(max : most)
    for (int64_t i = 0; i < count; i++) most = fabsf(values[i]) > most ? fabsf(values[i]) : most;
    if (!(most > 0) || !isfinite(most)) return 0;
    double histogram[BINS] = {0};
    float scale = BINS / most;
    for (int64_t i = 0; i < count; i++) {
        float at = fabsf(values[i]) * scale; /* NaN and infinity count as the largest */
        histogram[at < BINS ? (int)at : BINS - 1]++;
    }
    int best = BINS;
    double least = error_of(histogram, BINS);
    for (int bins = LEAST_BINS; bins < BINS; bins += candidate_step) {
        double error = error_of(histogram, bins);
        if (error >= least) continue;
        least = error;
        best = bins;
    }
    return most * (float)best / BINS;
}

icseg_status icseg_activation_ranges_observe(icseg_activation_ranges *r, const icseg_kernel *k, icseg_error *error) {
    if (!r->recording || !(k->node->op->bf16.product & 1)) return ICSEG_OK;
    const icseg_value_info *x = icseg_kernel_in(k, 0);
    if (x->dtype != ICSEG_F32) return ICSEG_OK;
    float range = range_of(k->in[0], x->count);
    return range > icseg_activation_ranges_find(r, k->node->name)
               ? icseg_activation_ranges_set(r, k->node->name, range, error)
               : ICSEG_OK;
}

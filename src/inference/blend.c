/* SPDX-License-Identifier: Apache-2.0
 * Blends passes into label maps, row by row: the logits of all windows that cover a row are interpolated and averaged;
 * the probabilities of several passes are averaged. */
#include <omp.h>

#include "base/system.h"
#include "base/vmath.h"
#include "inference/pass.h"

static size_t line_floats(const icseg_pass *p) { return (size_t)p->windows.x.count * (size_t)(p->w * p->classes); }

size_t icseg_blend_floats(const icseg_blend *b) {
    size_t total = 2 * (size_t)b->pass->classes + 2 * (size_t)b->top_k;
    for (int32_t i = 0; i < b->count; i++) total += line_floats(&b->pass[i]);
    return (total + 15) / 16 * 16;
}

ICSEG_KERNEL static void add_lerp(float *out, const float *a, const float *b, float weight, float factor, int64_t n) {
    float wa = factor * (1 - weight), wb = factor * weight;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) out[i] += wa * a[i] + wb * b[i];
}

ICSEG_KERNEL static void set_lerp(float *out, const float *a, const float *b, float weight, float factor, int64_t n) {
    icseg_lerp(out, a, b, weight, factor, n);
}

/* line: (windows.x.count, w, K). For each column of windows, interpolates their logits to row y of image n and averages
 * over the windows of the column that cover it. */
static void mix_rows(const icseg_pass *p, int64_t n, int32_t y, float *line) {
    int64_t run = p->w * p->classes, images = p->view->count, begin = p->y.begin[y], end = p->y.begin[y + 1];
    float factor = 1 / (float)(end - begin);
    for (int32_t column = 0; column < p->windows.x.count; column++, line += run)
        for (int64_t i = begin; i < end; i++) {
            icseg_cell c = p->y.cell[i];
            const float *window = p->row[c.window] + (column * images + n) * p->h * run;
            (i == begin ? set_lerp : add_lerp)(line, window + c.at.low * run, window + c.at.high * run, c.at.weight,
                                               factor, run);
        }
}

/* Logits (K) of pixel x of a row, averaged over the columns of windows that cover it. */
static inline void mix_columns(const icseg_pass *p, const float *line, int32_t x, float *out) {
    int64_t begin = p->x.begin[x], end = p->x.begin[x + 1], n = p->classes;
    float factor = 1 / (float)(end - begin);
    for (int64_t i = begin; i < end; i++) {
        icseg_cell c = p->x.cell[i];
        const float *a = line + (c.window * p->w + c.at.low) * n, *b = line + (c.window * p->w + c.at.high) * n;
        if (i == begin) {
            icseg_lerp(out, a, b, c.at.weight, factor, n);
            continue;
        }
        float wa = factor * (1 - c.at.weight), wb = factor * c.at.weight;
#pragma omp simd
        for (int64_t k = 0; k < n; k++) out[k] += wa * a[k] + wb * b[k];
    }
}

static inline float largest_of(const float *values, int64_t n) {
    float largest = values[0];
#pragma omp simd reduction(max : largest)
    for (int64_t k = 0; k < n; k++) largest = values[k] > largest ? values[k] : largest;
    return largest;
}

/* The lowest index of `value`. */
static inline int64_t index_of(const float *values, float value, int64_t n) {
    int64_t k = 0;
    while (k < n - 1 && values[k] != value) k++;
    return k;
}

static inline float exp_sum(const float *logits, float largest, int64_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < n; k++) sum += icseg_exp(logits[k] - largest);
    return sum;
}

/* One row of one image: its place in the outputs, and a thread's scratch memory. */
typedef struct row {
    size_t at;            /* index of the row's first pixel in the outputs */
    float *lines;         /* line_floats() of each pass */
    float *logits, *mean; /* (K) each */
    float *best;          /* (top_k) */
    int16_t *best_class;  /* (top_k) */
} row;

/* One pass, labels and confidence only: the largest logit, and its probability if it is requested. */
ICSEG_KERNEL static void label_row(const icseg_blend *b, const row *r) {
    const icseg_pass *p = b->pass;
    for (int32_t x = 0; x < b->width; x++) {
        mix_columns(p, r->lines, x, r->logits);
        float largest = largest_of(r->logits, p->classes);
        if (b->labels) b->labels[r->at + (size_t)x] = (int16_t)index_of(r->logits, largest, p->classes);
        if (b->confidence) b->confidence[r->at + (size_t)x] = 1 / exp_sum(r->logits, largest, p->classes);
    }
}

/* The top_k largest values in descending order; ties in order of their index. */
static inline void find_best(const float *values, int64_t n, int32_t top_k, float *best, int16_t *best_class) {
    int32_t found = 0;
    for (int64_t k = 0; k < n; k++) {
        if (found == top_k && !(values[k] > best[top_k - 1])) continue;
        int32_t i = found < top_k ? found++ : top_k - 1;
        for (; i > 0 && values[k] > best[i - 1]; i--) {
            best[i] = best[i - 1];
            best_class[i] = best_class[i - 1];
        }
        best[i] = values[k];
        best_class[i] = (int16_t)k;
    }
}

/* Writes the outputs of one pixel. rank, probability: (K); `rank` orders the classes: the probabilities, or the logits.
 */
static inline void store(const icseg_blend *b, const row *r, size_t at, const float *rank, const float *probability) {
    int64_t classes = b->pass->classes;
    int64_t label = index_of(rank, largest_of(rank, classes), classes);
    if (b->labels) b->labels[at] = (int16_t)label;
    if (b->confidence) b->confidence[at] = probability[label] < 1 ? probability[label] : 1;
    if (b->top_k) find_best(rank, classes, b->top_k, r->best, r->best_class);
    for (int32_t i = 0; i < b->top_k; i++) {
        int16_t k = r->best_class[i];
        if (b->top_classes) b->top_classes[at * (size_t)b->top_k + (size_t)i] = k;
        if (b->top_probabilities) b->top_probabilities[at * (size_t)b->top_k + (size_t)i] = probability[k];
    }
    if (!b->probabilities) return;
    float *to = b->probabilities + at * (size_t)classes;
    for (int64_t k = 0; k < classes; k++) to[k] = probability[k];
}

/* Mean of the passes' probabilities. With one pass the logits rank the classes, so that labels equal label_row's. */
ICSEG_KERNEL static void blend_row(const icseg_blend *b, const row *r) {
    int64_t classes = b->pass->classes;
    for (int32_t x = 0; x < b->width; x++) {
        const float *line = r->lines;
        for (int64_t k = 0; k < classes; k++) r->mean[k] = 0;
        for (int32_t i = 0; i < b->count; i++) {
            mix_columns(&b->pass[i], line, x, r->logits);
            float largest = largest_of(r->logits, classes);
            float factor = 1 / (exp_sum(r->logits, largest, classes) * (float)b->count);
#pragma omp simd
            for (int64_t k = 0; k < classes; k++) r->mean[k] += factor * icseg_exp(r->logits[k] - largest);
            line += line_floats(&b->pass[i]);
        }
        store(b, r, r->at + (size_t)x, b->count == 1 ? r->logits : r->mean, r->mean);
    }
}

void icseg_blend_rows(const icseg_blend *b, int32_t first, int32_t end) {
    size_t floats = icseg_blend_floats(b), classes = (size_t)b->pass->classes;
    bool labels_only = b->count == 1 && !b->top_k && !b->probabilities;
    int64_t rows = end - first;
#pragma omp parallel for schedule(static) num_threads(b->threads)
    for (int64_t i = 0; i < b->images * rows; i++) {
        float *scratch = b->scratch + (size_t)omp_get_thread_num() * floats;
        int64_t n = i / rows, y = first + i % rows;
        row r = {.at = (size_t)(n * b->height + y) * (size_t)b->width,
                 .logits = scratch,
                 .mean = scratch + classes,
                 .best = scratch + 2 * classes,
                 .best_class = (int16_t *)(void *)(scratch + 2 * classes + b->top_k),
                 .lines = scratch + 2 * classes + 2 * (size_t)b->top_k};
        float *line = r.lines;
        for (int32_t j = 0; j < b->count; j++) {
            mix_rows(&b->pass[j], n, (int32_t)y, line);
            line += line_floats(&b->pass[j]);
        }
        if (labels_only)
            label_row(b, &r);
        else
            blend_row(b, &r);
    }
}

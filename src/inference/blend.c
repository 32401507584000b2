/* SPDX-License-Identifier: Apache-2.0
 * Blends passes into label maps, row by row: the logits of all windows that cover a row are interpolated and averaged;
 * the probabilities of several passes are averaged. */
#include <omp.h>

#include "base/system.h"
#include "base/vmath.h"
#include "inference/pass.h"

static size_t line_floats(const icseg_pass *p) { return (size_t)p->windows.x.count * (size_t)(p->w * p->classes); }

size_t icseg_blend_floats(const icseg_blend *b) {
    size_t total = (size_t)b->pass->classes + (size_t)b->classes + 2 * (size_t)b->top_k;
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

/* Not inlined: labels of other models then have the rounding of upsampled_argmax. */
__attribute__((noinline)) static void keep_best_words(const icseg_blend *b, float *logits) {
    icseg_open_vocabulary_best(b->open, b->classes, logits, 1, logits);
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
    for (int64_t k = 0; k < n; k++) sum += icseg_exp_below(logits[k] - largest);
    return sum;
}

/* One row of one image: its place in the outputs, and a thread's scratch memory. */
typedef struct row {
    size_t at;            /* index of the row's first pixel in the outputs */
    float *lines;         /* line_floats() of each pass */
    float *logits, *mean; /* (K) each; logits: (K') before each class's best word is chosen */
    float *best;          /* (top_k) */
    int16_t *best_class;  /* (top_k) */
} row;

/* Logits (K) of the classes at pixel x. */
static inline void class_logits(const icseg_blend *b, const icseg_pass *p, const float *line, int32_t x, float *out) {
    mix_columns(p, line, x, out);
    if (b->open && b->open->words) keep_best_words(b, out);
}

/* The label of a pixel whose most probable class has this probability. */
static inline int64_t certain_label(const icseg_blend *b, int64_t label, float probability) {
    return b->open && (double)probability < b->open->info.threshold ? b->open->info.background : label;
}

/* One pass, labels and confidence only: the largest logit, and its probability if it is requested. */
ICSEG_KERNEL static void label_row(const icseg_blend *b, const row *r) {
    int64_t classes = b->classes;
    bool probability = b->confidence || (b->open && b->open->info.threshold > 0);
    for (int32_t x = 0; x < b->width; x++) {
        class_logits(b, b->pass, r->lines, x, r->logits);
        float largest = largest_of(r->logits, classes);
        float first = probability ? 1 / exp_sum(r->logits, largest, classes) : 1;
        int64_t best = index_of(r->logits, largest, classes), label = certain_label(b, best, first);
        if (b->labels) b->labels[r->at + (size_t)x] = (int16_t)label;
        if (b->confidence)
            b->confidence[r->at + (size_t)x] =
                label == best ? first : first * icseg_exp_below(r->logits[label] - largest);
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
 * best, best_class: (top_k). */
static inline void store(const icseg_blend *b, size_t at, const float *rank, const float *probability, float *best,
                         int16_t *best_class) {
    int64_t classes = b->classes, label = index_of(rank, largest_of(rank, classes), classes);
    label = certain_label(b, label, probability[label]);
    if (b->labels) b->labels[at] = (int16_t)label;
    if (b->confidence) b->confidence[at] = probability[label] < 1 ? probability[label] : 1;
    if (b->top_k) find_best(rank, classes, b->top_k, best, best_class);
    for (int32_t i = 0; i < b->top_k; i++) {
        int16_t k = best_class[i];
        if (b->top_classes) b->top_classes[at * (size_t)b->top_k + (size_t)i] = k;
        if (b->top_probabilities) b->top_probabilities[at * (size_t)b->top_k + (size_t)i] = probability[k];
    }
    if (!b->probabilities) return;
    float *to = b->probabilities + at * (size_t)classes;
    for (int64_t k = 0; k < classes; k++) to[k] = probability[k];
}

/* Mean of the passes' probabilities. With one pass the logits rank the classes, so that labels equal label_row's. */
ICSEG_KERNEL static void blend_row(const icseg_blend *b, const row *r) {
    int64_t classes = b->classes;
    for (int32_t x = 0; x < b->width; x++) {
        const float *line = r->lines;
        for (int64_t k = 0; k < classes; k++) r->mean[k] = 0;
        for (int32_t i = 0; i < b->count; i++) {
            class_logits(b, &b->pass[i], line, x, r->logits);
            float largest = largest_of(r->logits, classes);
            float factor = 1 / (exp_sum(r->logits, largest, classes) * (float)b->count);
#pragma omp simd
            for (int64_t k = 0; k < classes; k++) r->mean[k] += factor * icseg_exp_below(r->logits[k] - largest);
            line += line_floats(&b->pass[i]);
        }
        store(b, r->at + (size_t)x, b->count == 1 ? r->logits : r->mean, r->mean, r->best, r->best_class);
    }
}

void icseg_blend_rows(const icseg_blend *b, int32_t first, int32_t end) {
    size_t floats = icseg_blend_floats(b), channels = (size_t)b->pass->classes, all = channels + (size_t)b->classes;
    bool labels_only = b->count == 1 && !b->top_k && !b->probabilities;
    int64_t rows = end - first;
#pragma omp parallel for schedule(static) num_threads(b->threads)
    for (int64_t i = 0; i < b->images * rows; i++) {
        float *scratch = b->scratch + (size_t)omp_get_thread_num() * floats;
        int64_t n = i / rows, y = first + i % rows;
        row r = {.at = (size_t)(n * b->height + y) * (size_t)b->width,
                 .logits = scratch,
                 .mean = scratch + channels,
                 .best = scratch + all,
                 .best_class = (int16_t *)(void *)(scratch + all + b->top_k),
                 .lines = scratch + all + 2 * (size_t)b->top_k};
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

/* -- refinement */

/* The channels of row y: for each pixel, the mean over the windows that cover it. */
ICSEG_KERNEL static void plane_row(const icseg_pass *p, int64_t n, int32_t y, int32_t width, int64_t first,
                                   int64_t count, int64_t plane, float *out) {
    int64_t images = p->view->count, columns = p->w * p->classes;
    for (int32_t x = 0; x < width; x++) {
        int64_t covers = (p->y.begin[y + 1] - p->y.begin[y]) * (p->x.begin[x + 1] - p->x.begin[x]);
        float factor = 1 / (float)covers;
        for (int64_t k = 0; k < count; k++) out[k * plane + x] = 0;
        for (int64_t i = p->y.begin[y]; i < p->y.begin[y + 1]; i++)
            for (int64_t j = p->x.begin[x]; j < p->x.begin[x + 1]; j++) {
                icseg_cell r = p->y.cell[i], c = p->x.cell[j];
                const float *window = p->row[r.window] + (c.window * images + n) * p->h * columns + first;
                const float *top = window + r.at.low * columns, *bottom = window + r.at.high * columns;
                int64_t left = c.at.low * p->classes, right = c.at.high * p->classes;
                float v = factor * r.at.weight, u = factor - v, h = c.at.weight;
                for (int64_t k = 0; k < count; k++)
                    out[k * plane + x] += u * ((1 - h) * top[left + k] + h * top[right + k]) +
                                          v * ((1 - h) * bottom[left + k] + h * bottom[right + k]);
            }
    }
}

void icseg_blend_planes(const icseg_blend *b, int64_t n, int64_t first, int64_t count, float *planes) {
    int64_t plane = (int64_t)b->width * b->height;
#pragma omp parallel for schedule(static) num_threads(b->threads)
    for (int32_t y = 0; y < b->height; y++)
        plane_row(b->pass, n, y, b->width, first, count, plane, planes + (int64_t)y * b->width);
}

void icseg_blend_store(const icseg_blend *b, size_t at, float *logits, float *best, int16_t *best_class) {
    int64_t classes = b->classes;
    float largest = largest_of(logits, classes), factor = 1 / exp_sum(logits, largest, classes);
    for (int64_t k = 0; k < classes; k++) logits[k] = factor * icseg_exp_below(logits[k] - largest);
    store(b, at, logits, logits, best, best_class);
}

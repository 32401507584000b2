/* SPDX-License-Identifier: Apache-2.0
 * Label maps from passes, row by row: logits of the windows that cover a row are interpolated and averaged, several
 * passes averaged as probabilities. */
#include <omp.h>

#include "base/system.h"
#include "base/vmath.h"
#include "inference/pass.h"

static size_t line_floats(const icseg_pass *p) { return (size_t)p->windows.x.count * (size_t)(p->w * p->classes); }

size_t icseg_blend_floats(const icseg_blend *b) {
    size_t total = 2 * (size_t)b->pass->classes;
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

/* line (windows.x.count, w, K): each column of windows, interpolated to row y and averaged over the rows of windows. */
static void mix_rows(const icseg_pass *p, int32_t y, float *line) {
    int64_t run = p->w * p->classes, begin = p->y.begin[y], end = p->y.begin[y + 1];
    float factor = 1 / (float)(end - begin);
    for (int32_t column = 0; column < p->windows.x.count; column++, line += run)
        for (int64_t i = begin; i < end; i++) {
            icseg_cell c = p->y.cell[i];
            const float *window = p->row[c.window] + column * p->h * run;
            (i == begin ? set_lerp : add_lerp)(line, window + c.tap.low * run, window + c.tap.high * run, c.tap.weight,
                                               factor, run);
        }
}

/* Logits (K) of column x of a row. */
static inline void mix_columns(const icseg_pass *p, const float *line, int32_t x, float *out) {
    int64_t begin = p->x.begin[x], end = p->x.begin[x + 1], n = p->classes;
    float factor = 1 / (float)(end - begin);
    for (int64_t i = begin; i < end; i++) {
        icseg_cell c = p->x.cell[i];
        const float *a = line + (c.window * p->w + c.tap.low) * n, *b = line + (c.window * p->w + c.tap.high) * n;
        if (i == begin) {
            icseg_lerp(out, a, b, c.tap.weight, factor, n);
            continue;
        }
        float wa = factor * (1 - c.tap.weight), wb = factor * c.tap.weight;
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

/* Ties go to the lower index. */
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

/* One pass: the largest logit; its probability only when asked for. */
ICSEG_KERNEL static void label_row(const icseg_blend *b, int32_t y, float *lines, float *logits) {
    const icseg_pass *p = b->pass;
    int32_t width = b->labels->width;
    int16_t *label = b->labels->data + (size_t)y * (size_t)width;
    float *confidence = b->confidence ? b->confidence + (size_t)y * (size_t)width : NULL;
    for (int32_t x = 0; x < width; x++) {
        mix_columns(p, lines, x, logits);
        float largest = largest_of(logits, p->classes);
        label[x] = (int16_t)index_of(logits, largest, p->classes);
        if (confidence) confidence[x] = 1 / exp_sum(logits, largest, p->classes);
    }
}

/* Several: the largest mean probability. */
ICSEG_KERNEL static void label_row_mean(const icseg_blend *b, int32_t y, float *lines, float *logits, float *mean) {
    int32_t width = b->labels->width;
    int64_t classes = b->pass->classes;
    for (int32_t x = 0; x < width; x++) {
        const float *line = lines;
        for (int64_t k = 0; k < classes; k++) mean[k] = 0;
        for (int32_t i = 0; i < b->count; i++) {
            mix_columns(&b->pass[i], line, x, logits);
            float largest = largest_of(logits, classes);
            float factor = 1 / (exp_sum(logits, largest, classes) * (float)b->count);
#pragma omp simd
            for (int64_t k = 0; k < classes; k++) mean[k] += factor * icseg_exp(logits[k] - largest);
            line += (size_t)b->pass[i].windows.x.count * (size_t)(b->pass[i].w * classes);
        }
        float largest = largest_of(mean, classes);
        size_t at = (size_t)y * (size_t)width + (size_t)x;
        b->labels->data[at] = (int16_t)index_of(mean, largest, classes);
        if (b->confidence) b->confidence[at] = largest < 1 ? largest : 1;
    }
}

void icseg_blend_rows(const icseg_blend *b, int32_t first, int32_t end) {
    size_t floats = icseg_blend_floats(b);
#pragma omp parallel for schedule(static) num_threads(b->threads)
    for (int32_t y = first; y < end; y++) {
        float *logits = b->scratch + (size_t)omp_get_thread_num() * floats;
        float *mean = logits + b->pass->classes, *lines = mean + b->pass->classes, *line = lines;
        for (int32_t i = 0; i < b->count; i++) {
            mix_rows(&b->pass[i], y, line);
            line += line_floats(&b->pass[i]);
        }
        if (b->count == 1)
            label_row(b, y, lines, logits);
        else
            label_row_mean(b, y, lines, logits, mean);
    }
}

/* SPDX-License-Identifier: Apache-2.0
 * Pixel-adaptive mask refinement. The neighbours of a pixel are the eight at a distance of 8 pixels and the eight at
 * 16; pixels outside the image have the colour and the logits of the nearest pixel inside. */
#include "inference/pamr.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/vmath.h"

enum { CHANNELS = 3, DILATIONS = 2, NEIGHBOURS = 8 * DILATIONS, SAMPLES = 9 * DILATIONS, STEPS = 10 };
static const int64_t dilation[DILATIONS] = {8, 16};
enum { MARGIN = 16 }; /* the largest of them */
_Static_assert(STEPS % 2 == 0, "the last step ends in the first buffer");

static int64_t clamp(int64_t i, int64_t n) { return i < 0 ? 0 : i < n ? i : n - 1; }

/* `line` (MARGIN + width + MARGIN) gets one row of n elements, `step` apart, with its ends repeated. */
static void read_line(const float *row, int64_t width, int64_t step, float *line) {
    for (int64_t x = 0; x < width; x++) line[MARGIN + x] = row[x * step];
    for (int64_t x = 0; x < MARGIN; x++) {
        line[x] = row[0];
        line[MARGIN + width + x] = row[(width - 1) * step];
    }
}

/* Of one channel of a row: adds -|difference| / (1e-8 + 0.1 deviation) / 3 of each neighbour. lines (DILATIONS, 3,
 * pitch): the rows above, of and below the row; to: (NEIGHBOURS), `plane` apart. */
ICSEG_KERNEL static void add_likeness(const float *lines, int64_t pitch, int64_t width, float *to, int64_t plane) {
    for (int64_t x = 0; x < width; x++) {
        float sample[SAMPLES], sum = 0, squares = 0, centre = lines[pitch + MARGIN + x];
        for (int i = 0, s = 0; i < DILATIONS; i++)
            for (int64_t y = 0; y < 3; y++)
                for (int64_t j = -1; j <= 1; j++)
                    sample[s++] = lines[(i * 3 + y) * pitch + MARGIN + x + j * dilation[i]];
        for (int s = 0; s < SAMPLES; s++) sum += sample[s];
        for (int s = 0; s < SAMPLES; s++) squares += (sample[s] - sum / SAMPLES) * (sample[s] - sum / SAMPLES);
        float scale = -1 / (CHANNELS * (1e-8f + 0.1f * sqrtf(squares / (SAMPLES - 1))));
        for (int s = 0, k = 0; s < SAMPLES; s++)
            if (s % 9 != 4) to[k++ * plane + x] += scale * fabsf(centre - sample[s]);
    }
}

/* Likeness (NEIGHBOURS), `plane` apart -> softmax over the neighbours. */
ICSEG_KERNEL static void softmax_row(float *row, int64_t plane, int64_t width) {
#pragma omp simd
    for (int64_t x = 0; x < width; x++) {
        float top = row[x], sum = 0;
        for (int k = 1; k < NEIGHBOURS; k++) top = row[k * plane + x] > top ? row[k * plane + x] : top;
        for (int k = 0; k < NEIGHBOURS; k++) {
            float e = icseg_exp_below(row[k * plane + x] - top);
            row[k * plane + x] = e;
            sum += e;
        }
        for (int k = 0; k < NEIGHBOURS; k++) row[k * plane + x] /= sum;
    }
}

static void weigh_row(const icseg_pamr *p, const float *image, int64_t y, float *lines) {
    int64_t plane = p->height * p->width, pitch = p->width + 2 * MARGIN;
    float *to = p->weight + y * p->width;
    for (int k = 0; k < NEIGHBOURS; k++) memset(to + k * plane, 0, (size_t)p->width * sizeof *to);
    for (int c = 0; c < CHANNELS; c++) {
        for (int i = 0; i < DILATIONS; i++)
            for (int64_t j = 0; j < 3; j++)
                read_line(image + clamp(y + (j - 1) * dilation[i], p->height) * p->width * CHANNELS + c, p->width,
                          CHANNELS, lines + (i * 3 + j) * pitch);
        add_likeness(lines, pitch, p->width, to, plane);
    }
    softmax_row(to, plane, p->width);
}

icseg_status icseg_pamr_open(icseg_pamr *p, const float *image, int64_t height, int64_t width, icseg_error *error) {
    size_t bytes = (size_t)height * (size_t)width * NEIGHBOURS * sizeof *p->weight,
           threads = (size_t)omp_get_max_threads();
    size_t floats = DILATIONS * 3 * ((size_t)width + 2 * MARGIN);
    *p = (icseg_pamr){.height = height, .width = width, .weight = icseg_alloc(bytes)};
    float *lines = icseg_alloc_array(threads, floats * sizeof *lines);
    if (lines && p->weight) {
#pragma omp parallel for schedule(static)
        for (int64_t y = 0; y < height; y++) weigh_row(p, image, y, lines + (size_t)omp_get_thread_num() * floats);
        icseg_free(lines);
        return ICSEG_OK;
    }
    icseg_free(lines);
    icseg_pamr_close(p);
    return icseg_fail_memory(error, bytes, "the refinement of labels");
}

void icseg_pamr_close(icseg_pamr *p) {
    icseg_free(p->weight);
    *p = (icseg_pamr){0};
}

ICSEG_KERNEL static void add_weighted(const float *weight, const float *from, int64_t n, float *out) {
#pragma omp simd
    for (int64_t x = 0; x < n; x++) out[x] += weight[x] * from[x];
}

/* One step of row y of one plane. */
static void step_row(const icseg_pamr *p, const float *plane, int64_t y, float *line, float *out) {
    int64_t width = p->width;
    const float *weight = p->weight + y * width;
    memset(out, 0, (size_t)width * sizeof *out);
    for (int i = 0; i < DILATIONS; i++)
        for (int64_t j = -1; j <= 1; j++) {
            read_line(plane + clamp(y + j * dilation[i], p->height) * width, width, 1, line);
            for (int64_t t = -1; t <= 1; t++) {
                if (!j && !t) continue;
                add_weighted(weight, line + MARGIN + t * dilation[i], width, out);
                weight += p->height * width;
            }
        }
}

icseg_status icseg_pamr_run(const icseg_pamr *p, float *planes, float *other, int64_t count, icseg_error *error) {
    int64_t plane = p->height * p->width;
    size_t floats = (size_t)p->width + 2 * MARGIN;
    float *lines = icseg_alloc_array((size_t)omp_get_max_threads(), floats * sizeof *lines);
    if (!lines) return icseg_fail_memory(error, floats * sizeof *lines, "the refinement of labels");
    float *from = planes, *to = other;
    for (int step = 0; step < STEPS; step++) {
#pragma omp parallel for schedule(static)
        for (int64_t y = 0; y < p->height; y++) /* the weights of a row stay in the cache for all planes */
            for (int64_t k = 0; k < count; k++)
                step_row(p, from + k * plane, y, lines + (size_t)omp_get_thread_num() * floats,
                         to + k * plane + y * p->width);
        float *swap = from;
        from = to;
        to = swap;
    }
    icseg_free(lines);
    return ICSEG_OK;
}

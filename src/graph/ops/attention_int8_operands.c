/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/attention_int8_operands.h"

#include <math.h>
#include <string.h>

#include "base/vmath.h"

/* AHEAD: rows that are prefetched. */
enum { PANEL = ICSEG_TILE_ROWS, PANEL_BYTES = ICSEG_TILE_BYTES, WORD = 4, LIMIT = 127, BIAS = 128, AHEAD = 8 };

/* Adding this rounds to an integer, which is then in the low bits. */
static const float rounder = 12582912.0f;

static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

size_t icseg_attention_operands_divide(icseg_attention_operands *o, char *memory, int64_t keys, int64_t depth,
                                       int64_t inner) {
    *o = (icseg_attention_operands){.inner = inner,
                                    .deep = round_up(depth, inner),
                                    .key_steps = round_up(depth, inner) / inner,
                                    .key_panels = round_up(keys, PANEL) / PANEL,
                                    .value_steps = round_up(keys, inner) / inner,
                                    .value_panels = round_up(depth, PANEL) / PANEL};
    int64_t rows = o->key_panels * PANEL, channels = o->value_panels * PANEL, at = 0;
    struct {
        void *pointer;
        int64_t bytes;
    } part[] = {
        {&o->factor, o->deep * WORD},
        {&o->centre, o->deep * WORD},
        {&o->inverse, o->deep * WORD},
        {&o->key_unit, rows * WORD},
        {&o->key_bias, rows * WORD},
        {&o->value_unit, channels * WORD},
        {&o->value_centre, channels * WORD},
        {&o->poison, WORD},
        {&o->low, channels * WORD},
        {&o->high, channels * WORD},
        {&o->row, o->deep * WORD},
        {&o->words, channels * WORD},
        {&o->keys, o->key_panels * o->key_steps * PANEL_BYTES},
        {&o->values, o->value_panels * o->value_steps * PANEL_BYTES},
    };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        char *address = memory ? memory + at : NULL;
        memcpy(part[i].pointer, &address, sizeof address);
        at += round_up(part[i].bytes, 64);
    }
    return (size_t)at;
}

/* -- rows */

/* The largest magnitude of n numbers, a multiple of 16; infinite or NaN if a number is. Magnitudes compare like their
 * bits. */
ICSEG_INLINE float largest(const float *x, int64_t n) {
    int32_t lane[ICSEG_LANES] = {0};
    const int32_t *bits = (const int32_t *)(const void *)x;
    for (int64_t i = 0; i < n; i += ICSEG_LANES)
#pragma omp simd
        for (int j = 0; j < ICSEG_LANES; j++) {
            int32_t size = bits[i + j] & 0x7fffffff;
            lane[j] = size > lane[j] ? size : lane[j];
        }
#pragma omp simd
    for (int j = 0; j < 8; j++) lane[j] = lane[j + 8] > lane[j] ? lane[j + 8] : lane[j];
#pragma omp simd
    for (int j = 0; j < 4; j++) lane[j] = lane[j + 4] > lane[j] ? lane[j + 4] : lane[j];
    int32_t x0 = lane[0] > lane[1] ? lane[0] : lane[1], x1 = lane[2] > lane[3] ? lane[2] : lane[3];
    int32_t most = x0 > x1 ? x0 : x1;
    float result;
    memcpy(&result, &most, sizeof result);
    return result;
}

ICSEG_INLINE int32_t rounded_bits(float x, float scale) {
    union {
        float f;
        int32_t i;
    } n = {.f = fmaf(x, scale, rounder)};
    return n.i;
}

/* Converts `deep` numbers to integers plus `bias`: of 8 bits if inner is 64, else of 16; steps are `next` bytes apart.
 * Returns the unit, and the sum of the integers without bias. */
ICSEG_KERNEL static float quantise_row(const float *x, const icseg_attention_operands *o, int32_t bias, char *to,
                                       int64_t next, int32_t *sum) {
    float most = largest(x, o->deep), scale = most > 0 ? LIMIT / most : 0;
    int32_t total = 0;
    for (int64_t s = 0; s < o->deep; s += o->inner, to += next) {
        int8_t *bytes = (int8_t *)to;
        int16_t *shorts = (int16_t *)(void *)to;
        const float *from = x + s;
        if (o->inner == ICSEG_ROW_BYTES) {
#pragma omp simd reduction(+ : total)
            for (int j = 0; j < ICSEG_ROW_BYTES; j++) {
                /* NOLINTNEXTLINE(bugprone-signed-char-misuse): the low byte is the number */
                int32_t n = (int8_t)rounded_bits(from[j], scale);
                total += n;
                bytes[j] = (int8_t)(n + bias);
            }
        } else {
#pragma omp simd reduction(+ : total)
            for (int j = 0; j < ICSEG_ROW_BYTES / 2; j++) {
                /* NOLINTNEXTLINE(bugprone-signed-char-misuse): the low byte is the number */
                int32_t n = (int8_t)rounded_bits(from[j], scale);
                total += n;
                shorts[j] = (int16_t)(n + bias);
            }
        }
    }
    *sum = total;
    return most / LIMIT;
}

/* -- keys and queries */

ICSEG_KERNEL static void add_rows(const float *x, int64_t pitch, int64_t rows, int64_t n, float *sum) {
    for (int64_t i = 0; i < rows; i++, x += pitch) {
        icseg_attention_prefetch(x + AHEAD * pitch, n);
#pragma omp simd
        for (int64_t d = 0; d < n; d++) sum[d] += x[d];
    }
}

ICSEG_KERNEL static void add_squares(const float *x, int64_t pitch, int64_t rows, int64_t n, const float *centre,
                                     float *sum) {
    for (int64_t i = 0; i < rows; i++, x += pitch) {
        icseg_attention_prefetch(x + AHEAD * pitch, n);
#pragma omp simd
        for (int64_t d = 0; d < n; d++) sum[d] = fmaf(x[d] - centre[d], x[d] - centre[d], sum[d]);
    }
}

/* The factor of queries that gives both the same size, of which these are the squares; 1 if there is none. */
static float balance(float query_square, float key_square) {
    float factor = sqrtf(sqrtf(key_square / query_square));
    return factor > 0 && isfinite(factor) ? factor : 1;
}

/* What is subtracted from the keys: a mean that exceeds the deviation. A mean that a few keys make would take precision
 * from the others. */
static float choose_centre(float mean, float variance) { return mean * mean <= variance ? 0 : mean; }

static void balance_channels(const icseg_attention_head *h, const icseg_attention_operands *o) {
    const float log2_e = 1.44269504f;
    size_t bytes = (size_t)o->deep * sizeof(float);
    float *keys = o->inverse, *queries = o->factor, *mean = o->centre;
    memset(mean, 0, bytes);
    memset(queries, 0, bytes);
    memset(keys, 0, bytes);
    add_squares(h->q, h->q_pitch, h->queries, h->depth, mean, queries);
    add_rows(h->k, h->kv_pitch, h->keys, h->depth, mean);
    for (int64_t d = 0; d < h->depth; d++) mean[d] /= (float)h->keys;
    add_squares(h->k, h->kv_pitch, h->keys, h->depth, mean, keys);
    for (int64_t d = 0; d < h->depth; d++) {
        float variance = keys[d] / (float)h->keys, centre = choose_centre(mean[d], variance), rest = mean[d] - centre;
        float factor = balance(queries[d] / (float)h->queries, fmaf(rest, rest, variance));
        o->centre[d] = centre;
        o->factor[d] = factor * h->scale * log2_e;
        o->inverse[d] = 1 / factor;
    }
}

ICSEG_KERNEL static void centre_row(const float *x, int64_t n, const icseg_attention_operands *o) {
#pragma omp simd
    for (int64_t d = 0; d < n; d++) o->row[d] = (x[d] - o->centre[d]) * o->inverse[d];
}

void icseg_attention_quantise_keys(const icseg_attention_head *h, const icseg_attention_operands *o) {
    float poison = 0;
    balance_channels(h, o);
    memset(o->row, 0, (size_t)o->deep * sizeof *o->row);
    for (int64_t j = 0; j < o->key_panels * PANEL; j++) {
        char *to = o->keys + j / PANEL * o->key_steps * PANEL_BYTES + j % PANEL * ICSEG_ROW_BYTES;
        int32_t sum;
        icseg_attention_prefetch(h->k + (j + AHEAD) * h->kv_pitch, h->depth);
        if (j < h->keys)
            centre_row(h->k + j * h->kv_pitch, h->depth, o);
        else
            memset(o->row, 0, (size_t)o->deep * sizeof *o->row);
        o->key_unit[j] = quantise_row(o->row, o, 0, to, PANEL_BYTES, &sum);
        o->key_bias[j] = (float)(-BIAS * sum) * o->key_unit[j];
        poison += o->key_unit[j] * 0 + o->key_bias[j] * 0;
    }
    for (int64_t j = h->keys; j < o->key_panels * PANEL; j++) o->key_bias[j] = -1e30f; /* never the largest score */
    *o->poison = poison;
}

ICSEG_KERNEL static void scale_row(const float *x, int64_t n, const float *factor, float *to) {
#pragma omp simd
    for (int64_t d = 0; d < n; d++) to[d] = x[d] * factor[d];
}

float icseg_attention_quantise_query(const float *q, int64_t depth, const icseg_attention_operands *o, float *row,
                                     char *to) {
    int32_t sum;
    scale_row(q, depth, o->factor, row);
    for (int64_t d = depth; d < o->deep; d++) row[d] = 0;
    return quantise_row(row, o, BIAS, to, ICSEG_ROW_BYTES, &sum);
}

/* -- values */

/* A number that is not finite makes `high` NaN. */
ICSEG_KERNEL static void find_intervals(const float *x, int64_t pitch, int64_t rows, int64_t n, float *low,
                                        float *high) {
    for (int64_t i = 0; i < rows; i++, x += pitch) {
        icseg_attention_prefetch(x + AHEAD * pitch, n);
#pragma omp simd
        for (int64_t d = 0; d < n; d++) {
            low[d] = x[d] < low[d] ? x[d] : low[d];
            high[d] = fmaf(x[d], 0, x[d] > high[d] ? x[d] : high[d]);
        }
    }
}

/* or-s integer `index` of each channel's word with those of a key. */
ICSEG_KERNEL static void add_integers(const float *x, int64_t n, const icseg_attention_operands *o, int shift,
                                      uint32_t mask, const float *scale) {
#pragma omp simd
    for (int64_t d = 0; d < n; d++) {
        uint32_t integer = (uint32_t)(int8_t)rounded_bits(x[d] - o->value_centre[d], scale[d]);
        o->words[d] = (int32_t)((uint32_t)o->words[d] | (integer & mask) << shift);
    }
}

static void set_intervals(const icseg_attention_head *h, const icseg_attention_operands *o) {
    int64_t channels = o->value_panels * PANEL;
    for (int64_t d = 0; d < channels; d++) o->low[d] = o->high[d] = d < h->depth ? h->v[d] : 0;
    find_intervals(h->v, h->kv_pitch, h->keys, h->depth, o->low, o->high);
    for (int64_t d = 0; d < channels; d++) {
        o->value_centre[d] = o->low[d] / 2 + o->high[d] / 2;
        o->value_unit[d] = (o->high[d] - o->low[d]) / (2 * LIMIT);
        o->low[d] = o->value_unit[d] > 0 ? 1 / o->value_unit[d] : 0;
    }
}

void icseg_attention_quantise_values(const icseg_attention_head *h, const icseg_attention_operands *o) {
    int64_t channels = o->value_panels * PANEL, panel = o->value_steps * PANEL_BYTES;
    int64_t group = o->inner * WORD / ICSEG_ROW_BYTES, groups = o->value_steps * PANEL;
    int bits = (int)(32 / group);
    uint32_t mask = bits == 8 ? 0xff : 0xffff;
    set_intervals(h, o);
    for (int64_t g = 0; g < groups; g++) {
        memset(o->words, 0, (size_t)channels * sizeof *o->words);
        for (int64_t t = 0; t < group && g * group + t < h->keys; t++)
            add_integers(h->v + (g * group + t) * h->kv_pitch, h->depth, o, (int)t * bits, mask, o->low);
        char *to = o->values + g / PANEL * PANEL_BYTES + g % PANEL * WORD;
        for (int64_t d = 0; d < channels; d++)
            memcpy(to + d / PANEL * panel + d % PANEL * ICSEG_ROW_BYTES, &o->words[d], WORD);
    }
}

/* SPDX-License-Identifier: Apache-2.0
 * Finding ranges with histograms. A histogram covers a window, at first all values. When the range that was found is
 * much narrower than the window, it becomes the next window: a value 100 times the others would leave them two dozen
 * bins. */
#include "graph/best_range.h"

#include <stdbool.h>

enum { BINS = 2048, CANDIDATES = 32, STEPS = 255, MOST_WINDOWS = 12 };

/* Cells: the values below the window, those of each bin, those above it. Sums over the values of the cells before each:
 * how many there are, and the sums of their positions, in bins, and of the squares of these. */
enum { CELLS = BINS + 2 };
typedef struct moments {
    icseg_activation_range window;
    double count[CELLS + 1], sum[CELLS + 1], squares[CELLS + 1];
} moments;

icseg_activation_range icseg_join_ranges(icseg_activation_range a, icseg_activation_range b) {
    return (icseg_activation_range){a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
}

float icseg_range_magnitude(icseg_activation_range r) { return r.high > -r.low ? r.high : -r.low; }

static float width_of(icseg_activation_range r) { return r.high - r.low; }

/* The sum of (position - at)^2 over the values of the cells [begin, end). */
static double squares_from(const moments *m, int begin, int end, double at) {
    double count = m->count[end] - m->count[begin], sum = m->sum[end] - m->sum[begin];
    return m->squares[end] - m->squares[begin] - 2 * at * sum + at * at * count;
}

/* The sum of squared errors, in bins squared, of values that are clamped to the bins [begin, end) and rounded to one of
 * 255 steps. */
static double error_of(const moments *m, int begin, int end) {
    double step = (double)(end - begin) / STEPS, inside = m->count[end + 1] - m->count[begin + 1];
    return inside * step * step / 12 + squares_from(m, 0, begin + 1, begin) + squares_from(m, end + 1, CELLS, end);
}

static void collect(const float *values, int64_t count, icseg_activation_range window, moments *m) {
    enum { LAST = CELLS - 1 }; /* the bins are the cells 1 .. LAST - 1; the others are beyond the window */
    double number[CELLS] = {0}, sum[2] = {0}, squares[2] = {0};
    float scale = BINS / width_of(window);
    for (int64_t i = 0; i < count; i++) {
        float at = (values[i] - window.low) * scale;
        if (values[i] >= window.low && values[i] <= window.high) {
            number[1 + (at < BINS ? (int)at : BINS - 1)]++;
            continue;
        }
        int side = at > 0;
        number[side ? LAST : 0]++;
        sum[side] += (double)at;
        squares[side] += (double)at * (double)at;
    }
    *m = (moments){.window = window};
    for (int c = 0; c < CELLS; c++) {
        bool inside = c > 0 && c < LAST;
        int side = c > 0;
        double at = c - 0.5, n = number[c];
        m->count[c + 1] = m->count[c] + n;
        m->sum[c + 1] = m->sum[c] + (inside ? n * at : sum[side]);
        m->squares[c + 1] = m->squares[c] + (inside ? n * at * at : squares[side]);
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

/* The range of the bins [begin, end); the ends of the window exactly. */
static icseg_activation_range range_of_bins(const moments *m, int begin, int end) {
    float bin = width_of(m->window) / BINS;
    return (icseg_activation_range){begin ? m->window.low + (float)begin * bin : m->window.low,
                                    end < BINS ? m->window.low + (float)end * bin : m->window.high};
}

static int bin_of_zero(const moments *m) { return (int)(-m->window.low / width_of(m->window) * BINS); }

/* The range with the smallest error. Either side gives up at most three quarters of its own, in steps of 1/32. */
static icseg_activation_range least_error(const moments *m) {
    int zero = bin_of_zero(m), above = BINS - zero, first = 0, last = BINS;
    double smallest = error_of(m, 0, BINS);
    for (int i = 0; i < CANDIDATES; i++)
        for (int j = 0; j < CANDIDATES; j++) {
            int begin = zero * i / CANDIDATES * 3 / 4, end = BINS - above * j / CANDIDATES * 3 / 4;
            double error = error_of(m, begin, end);
            if (error >= smallest) continue;
            smallest = error;
            first = begin;
            last = end;
        }
    return range_of_bins(m, first, last);
}

/* The narrowest bins around zero that leave out no more than the rule's share on each side. */
static icseg_activation_range percentiles(const moments *m, icseg_range_rule rule) {
    int zero = bin_of_zero(m), begin = 0, end = BINS;
    double most = m->count[CELLS] * (100 - rule.percentile) / 100;
    while (begin < zero && m->count[begin + 2] <= most) begin++;
    while (end > zero + 1 && m->count[CELLS] - m->count[end] <= most) end--;
    return range_of_bins(m, begin, end);
}

icseg_activation_range icseg_best_range(const float *values, int64_t count, icseg_range_rule rule) {
    icseg_activation_range best = extremes_of(values, count), window;
    moments m;
    if (!(icseg_range_magnitude(best) >= ICSEG_MIN_RANGE)) return (icseg_activation_range){0};
    if (rule.kind == ICSEG_RANGE_MAX) return best;
    int windows = 0;
    do {
        window = best;
        collect(values, count, window, &m);
        best = rule.kind == ICSEG_RANGE_MSE ? least_error(&m) : percentiles(&m, rule);
    } while (width_of(best) < width_of(window) / 2 && ++windows < MOST_WINDOWS);
    return best;
}

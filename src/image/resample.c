/* SPDX-License-Identifier: Apache-2.0
 * Bilinear and nearest resampling between given columns, row by row. */
#include "image/resample.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/system.h"

enum { WEIGHT_BITS = 11, ONE = 1 << WEIGHT_BITS };

/* Between source positions `low` and `high`; `weight` of ONE goes to `high`. */
typedef struct interpolation {
    int32_t low, high, weight;
} interpolation;

struct icseg_resample {
    const icseg_image *image;
    int32_t height, columns;
    interpolation *positions; /* (columns) */
    int32_t *rows[2];         /* (columns, 3): source rows, resampled horizontally, ONE times the value */
    int32_t loaded[2];        /* the source row in each of them */
};

static interpolation interpolation_at(int32_t size, int32_t full, int32_t position) {
    double source = (position + 0.5) * ((double)size / full) - 0.5;
    if (source <= 0) return (interpolation){0, 0, 0};
    if (source >= size - 1) return (interpolation){size - 1, size - 1, 0};
    double low = floor(source);
    return (interpolation){(int32_t)low, (int32_t)low + 1, (int32_t)((source - low) * ONE + 0.5)};
}

icseg_status icseg_resample_open(icseg_resample **out, const icseg_image *image, int32_t width, int32_t height,
                                 int32_t x, int32_t columns, icseg_error *error) {
    *out = NULL;
    if (image->width < 1 || image->height < 1 || width < 1 || height < 1 || x < 0 || columns < 1 || columns > width - x)
        return icseg_fail(error, ICSEG_ERROR_SHAPE, "cannot resize %dx%d to %dx%d, columns %d..%lld", image->width,
                          image->height, width, height, x, (long long)x + columns - 1);
    icseg_resample *r = icseg_calloc_array(1, sizeof *r);
    if (!r) return icseg_fail_memory(error, sizeof *r, "resizing");
    *r = (icseg_resample){.image = image, .height = height, .columns = columns, .loaded = {-1, -1}};
    r->positions = icseg_alloc_array((size_t)columns, sizeof *r->positions);
    for (int i = 0; i < 2; i++) r->rows[i] = icseg_alloc_array((size_t)columns, 3 * sizeof **r->rows);
    if (!r->positions || !r->rows[0] || !r->rows[1]) {
        icseg_resample_close(&r);
        return icseg_fail_memory(error, 0, "resizing");
    }
    for (int32_t i = 0; i < columns; i++) r->positions[i] = interpolation_at(image->width, width, x + i);
    *out = r;
    return ICSEG_OK;
}

/* Source row `row`, resampled horizontally. Neighbours alternate between the two buffers, so that the lower row of one
 * output row is still there when it is the upper row of the next. */
static const int32_t *load_row(icseg_resample *r, int32_t row) {
    int32_t *sums = r->rows[row & 1], *to = sums;
    if (r->loaded[row & 1] == row) return sums;
    const uint8_t *from = r->image->data + (size_t)row * (size_t)r->image->width * 3;
    for (int32_t x = 0; x < r->columns; x++, to += 3) {
        const uint8_t *low = from + 3 * (size_t)r->positions[x].low, *high = from + 3 * (size_t)r->positions[x].high;
        int32_t weight = r->positions[x].weight;
        for (int c = 0; c < 3; c++) to[c] = low[c] * ONE + (high[c] - low[c]) * weight;
    }
    r->loaded[row & 1] = row;
    return sums;
}

/* At most 255 * ONE * ONE + ONE * ONE / 2 < 2^30. */
ICSEG_KERNEL static void blend(const int32_t *restrict low, const int32_t *restrict high, int32_t weight, int32_t count,
                               uint8_t *restrict out) {
#pragma omp simd
    for (int32_t i = 0; i < count; i++)
        out[i] = (uint8_t)((low[i] * (ONE - weight) + high[i] * weight + ONE * ONE / 2) >> (2 * WEIGHT_BITS));
}

void icseg_resample_row(icseg_resample *r, int32_t y, uint8_t *out) {
    interpolation at = interpolation_at(r->image->height, r->height, y);
    const int32_t *low = load_row(r, at.low), *high = load_row(r, at.high);
    blend(low, high, at.weight, 3 * r->columns, out);
}

void icseg_resample_close(icseg_resample **resample) {
    if (!resample || !*resample) return;
    icseg_free((*resample)->positions);
    icseg_free((*resample)->rows[0]);
    icseg_free((*resample)->rows[1]);
    icseg_free(*resample);
    *resample = NULL;
}

void icseg_resample_nearest(int32_t *out, int32_t size, int32_t full, int32_t first, int32_t count) {
    for (int32_t i = 0; i < count; i++) /* floor((p + 1/2) * size / full), exactly */
        out[i] = (int32_t)((2 * ((int64_t)first + i) + 1) * size / (2 * (int64_t)full));
}

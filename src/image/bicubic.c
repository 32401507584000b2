/* SPDX-License-Identifier: Apache-2.0
 * Bicubic resizing with antialiasing. Both passes round to 8 bits, the horizontal one first, and weights have 22 bits,
 * as in Pillow (src/libImaging/Resample.c). */
#include "image/bicubic.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/system.h"

enum { WEIGHT_BITS = 22, HALF = 1 << (WEIGHT_BITS - 1), SUPPORT = 2 };

/* The pixels of the image that one axis of the window reads. */
typedef struct axis {
    int32_t count, max_taps; /* positions of the window; the largest number of taps of any of them */
    int32_t *first, *taps;   /* (count) */
    int32_t *weights;        /* (count, max_taps) */
} axis;

static void close_axis(axis *a) {
    icseg_free(a->first);
    icseg_free(a->taps);
    icseg_free(a->weights);
}

/* Keys' cubic kernel with a = -1/2. */
static double cubic(double x) {
    x = fabs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
    return 0;
}

static void find_taps(axis *a, int32_t i, int32_t size, double center, double stretch, double *values) {
    double sum = 0, reach = SUPPORT * stretch;
    int32_t first = center - reach + 0.5 < 0 ? 0 : (int32_t)(center - reach + 0.5);
    int32_t end = center + reach + 0.5 > size ? size : (int32_t)(center + reach + 0.5);
    a->first[i] = first;
    a->taps[i] = end - first;
    for (int32_t t = 0; t < end - first; t++) sum += values[t] = cubic((t + first - center + 0.5) * (1 / stretch));
    for (int32_t t = 0; t < end - first; t++) {
        double scaled = values[t] / sum * (1 << WEIGHT_BITS);
        a->weights[(size_t)i * (size_t)a->max_taps + (size_t)t] = (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    }
}

/* Positions offset .. offset + count - 1 of `size` pixels resized to `full`. */
static icseg_status open_axis(axis *a, int32_t size, int64_t full, int64_t offset, int32_t count, icseg_error *error) {
    double scale = (double)size / (double)full, stretch = scale < 1 ? 1 : scale;
    *a = (axis){.count = count, .max_taps = (int32_t)ceil(SUPPORT * stretch) * 2 + 1};
    a->first = icseg_alloc_array((size_t)count, sizeof *a->first);
    a->taps = icseg_alloc_array((size_t)count, sizeof *a->taps);
    a->weights = icseg_alloc_array((size_t)count * (size_t)a->max_taps, sizeof *a->weights);
    double *values = icseg_alloc_array((size_t)a->max_taps, sizeof *values);
    bool complete = a->first && a->taps && a->weights && values;
    for (int32_t i = 0; i < count && complete; i++)
        find_taps(a, i, size, ((double)(offset + i) + 0.5) * scale, stretch, values);
    icseg_free(values);
    return complete ? ICSEG_OK
                    : icseg_fail_memory(error, (size_t)count * (size_t)a->max_taps * sizeof *a->weights, "resizing");
}

static uint8_t to_byte(int64_t sum) {
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* One row of the image -> out (columns->count, 3). */
static void resize_row(const axis *columns, const uint8_t *row, uint8_t *out) {
    for (int32_t x = 0; x < columns->count; x++, out += 3) {
        const int32_t *weight = columns->weights + (size_t)x * (size_t)columns->max_taps;
        const uint8_t *from = row + 3 * (size_t)columns->first[x];
        int64_t sum[3] = {HALF, HALF, HALF};
        for (int32_t t = 0; t < columns->taps[x]; t++, from += 3)
            for (int c = 0; c < 3; c++) sum[c] += (int64_t)from[c] * weight[t];
        for (int c = 0; c < 3; c++) out[c] = to_byte(sum[c]);
    }
}

/* Rows of `width` bytes, the first of which is row `first` of the image -> row y of the window. */
static void blend_rows(const axis *rows, int32_t y, const uint8_t *from, int32_t first, size_t width, uint8_t *out) {
    const int32_t *weight = rows->weights + (size_t)y * (size_t)rows->max_taps;
    from += (size_t)(rows->first[y] - first) * width;
    for (size_t x = 0; x < width; x++) {
        int64_t sum = HALF;
        for (int32_t t = 0; t < rows->taps[y]; t++) sum += (int64_t)from[(size_t)t * width + x] * weight[t];
        out[x] = to_byte(sum);
    }
}

icseg_status icseg_bicubic_resize(icseg_image *out, const icseg_image *image, const icseg_window *w,
                                  icseg_error *error) {
    axis columns = {0}, rows = {0};
    uint8_t *between = NULL; /* the rows that are read, resized horizontally */
    icseg_status status;
    *out = (icseg_image){0};
    if (!image->data || w->width < 1 || w->height < 1 || w->x < 0 || w->y < 0 || w->full_width - w->x < w->width ||
        w->full_height - w->y < w->height)
        return icseg_fail(error, ICSEG_ERROR_SHAPE, "a window of %d x %d pixels is not inside an image of %lld x %lld",
                          w->width, w->height, (long long)w->full_width, (long long)w->full_height);
    ICSEG_TRY_GOTO(open_axis(&columns, image->width, w->full_width, w->x, w->width, error));
    ICSEG_TRY_GOTO(open_axis(&rows, image->height, w->full_height, w->y, w->height, error));
    ICSEG_TRY_GOTO(icseg_image_create(out, w->width, w->height, error));
    int32_t first = rows.first[0], last = first; /* both ends rise with y */
    for (int32_t y = 0; y < w->height; y++)
        if (rows.first[y] + rows.taps[y] > last) last = rows.first[y] + rows.taps[y];
    size_t width = 3 * (size_t)w->width;
    between = icseg_alloc_array((size_t)(last - first), width);
    if (!between) {
        status = icseg_fail_memory(error, (size_t)(last - first) * width, "resizing");
        goto fail;
    }
#pragma omp parallel for schedule(static)
    for (int32_t y = first; y < last; y++)
        resize_row(&columns, image->data + (size_t)y * (size_t)image->width * 3, between + (size_t)(y - first) * width);
#pragma omp parallel for schedule(static)
    for (int32_t y = 0; y < w->height; y++) blend_rows(&rows, y, between, first, width, out->data + (size_t)y * width);
fail:
    icseg_free(between);
    close_axis(&columns);
    close_axis(&rows);
    if (status != ICSEG_OK) icseg_image_close(out);
    return status;
}

/* Start of a centred window of `side` pixels in `size` pixels. Half pixels are rounded to even, as in Python. */
static int64_t center(int64_t size, int64_t side) {
    int64_t margin = size - side, half = margin / 2;
    return margin % 2 ? half + half % 2 : half;
}

icseg_window icseg_center_window(int64_t width, int64_t height, int32_t side) {
    icseg_window w = {.width = side, .height = side};
    w.full_width = width <= height ? side : side * width / height; /* rounded down, as in torchvision's Resize */
    w.full_height = width <= height ? side * height / width : side;
    w.x = center(w.full_width, side);
    w.y = center(w.full_height, side);
    return w;
}

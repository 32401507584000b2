/* SPDX-License-Identifier: Apache-2.0
 * Resizing: bilinear for pictures, nearest for label maps, both with half-pixel centres. */
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/system.h"
#include "icseg/image.h"

enum { WEIGHT_BITS = 11, ONE = 1 << WEIGHT_BITS };

/* Output position i lies between inputs `low` and `high`; `weight` of ONE belongs to `high`. */
typedef struct tap {
    int32_t low, high, weight;
} tap;

static void fill_taps(tap *taps, int32_t out_size, int32_t in_size) {
    double scale = (double)in_size / out_size;
    for (int32_t i = 0; i < out_size; i++) {
        double position = (i + 0.5) * scale - 0.5;
        if (position < 0) position = 0;
        int32_t low = (int32_t)position;
        if (low > in_size - 1) low = in_size - 1;
        taps[i].low = low;
        taps[i].high = low + 1 < in_size ? low + 1 : low;
        taps[i].weight = (int32_t)((position - low) * ONE + 0.5);
    }
}

/* One input row (in_width, 3) to one row of sums (out_width, 3), scaled by ONE. */
static void stretch_row(int32_t *restrict out, const uint8_t *restrict in, const tap *restrict taps, int32_t width) {
    for (int32_t x = 0; x < width; x++) {
        const uint8_t *a = in + 3 * (size_t)taps[x].low, *b = in + 3 * (size_t)taps[x].high;
        int32_t w = taps[x].weight;
        out[3 * x] = a[0] * ONE + (b[0] - a[0]) * w;
        out[3 * x + 1] = a[1] * ONE + (b[1] - a[1]) * w;
        out[3 * x + 2] = a[2] * ONE + (b[2] - a[2]) * w;
    }
}

/* 255 * ONE * ONE < 2^30: exact in 32 bits. */
ICSEG_KERNEL
static void blend_rows(uint8_t *restrict out, const int32_t *restrict a, const int32_t *restrict b, int32_t weight,
                       int32_t count) {
#pragma omp simd
    for (int32_t i = 0; i < count; i++)
        out[i] = (uint8_t)((a[i] * (ONE - weight) + b[i] * weight + (1 << (2 * WEIGHT_BITS - 1))) >> 2 * WEIGHT_BITS);
}

icseg_status icseg_image_resize(icseg_image *out, const icseg_image *image, int32_t width, int32_t height,
                                icseg_error *error) {
    ICSEG_TRY(icseg_image_create(out, width, height, error));
    if (width == image->width && height == image->height) {
        memcpy(out->data, image->data, (size_t)width * (size_t)height * 3);
        return ICSEG_OK;
    }
    size_t row = (size_t)width * 3;
    int32_t *rows[2] = {icseg_alloc_array(2 * row, sizeof **rows), NULL};
    tap *taps = icseg_alloc_array((size_t)width + (size_t)height, sizeof *taps);
    if (!rows[0] || !taps) {
        icseg_free(rows[0]);
        icseg_free(taps);
        icseg_image_close(out);
        return icseg_fail_memory(error, 2 * row * sizeof **rows, "resizing");
    }
    rows[1] = rows[0] + row;
    tap *across = taps, *down = taps + width;
    fill_taps(across, width, image->width);
    fill_taps(down, height, image->height);
    int32_t held[2] = {-1, -1}; /* which input row each of the two stretched rows is */
    for (int32_t y = 0; y < height; y++) {
        int32_t wanted[2] = {down[y].low, down[y].high};
        for (int i = 0; i < 2; i++) { /* input rows alternate between the two slots, so each is stretched once */
            int slot = wanted[i] & 1;
            if (held[slot] == wanted[i]) continue;
            stretch_row(rows[slot], image->data + (size_t)wanted[i] * (size_t)image->width * 3, across, width);
            held[slot] = wanted[i];
        }
        blend_rows(out->data + (size_t)y * row, rows[wanted[0] & 1], rows[wanted[1] & 1], down[y].weight, (int32_t)row);
    }
    icseg_free(rows[0]);
    icseg_free(taps);
    return ICSEG_OK;
}

static int32_t nearest(int32_t i, int32_t out_size, int32_t in_size) {
    return (int32_t)((2 * (int64_t)i + 1) * in_size / (2 * (int64_t)out_size));
}

icseg_status icseg_labels_resize(icseg_labels *out, const icseg_labels *labels, int32_t width, int32_t height,
                                 icseg_error *error) {
    ICSEG_TRY(icseg_labels_create(out, width, height, error));
    int32_t *from = icseg_alloc_array((size_t)width, sizeof *from);
    if (!from) {
        icseg_labels_close(out);
        return icseg_fail_memory(error, (size_t)width * sizeof *from, "resizing");
    }
    for (int32_t x = 0; x < width; x++) from[x] = nearest(x, width, labels->width);
    for (int32_t y = 0; y < height; y++) {
        const int16_t *in = labels->data + (size_t)nearest(y, height, labels->height) * (size_t)labels->width;
        int16_t *to = out->data + (size_t)y * (size_t)width;
        for (int32_t x = 0; x < width; x++) to[x] = in[from[x]];
    }
    icseg_free(from);
    return ICSEG_OK;
}

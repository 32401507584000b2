/* SPDX-License-Identifier: Apache-2.0
 * Fills by parity: in every row whose centre line it crosses, each edge flips the first pixel right of the crossing. A
 * running exclusive-or along the row then yields the pixels inside, without sorting or edge tables. */
#include "importers/raster.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

icseg_status icseg_region_open(icseg_region *out, int32_t width, int32_t height, icseg_error *error) {
    size_t pixels = (size_t)width * (size_t)height;
    *out = (icseg_region){.width = width, .height = height, .left = width, .top = height};
    out->inside = icseg_calloc_array(pixels, 1);
    out->flips = icseg_calloc_array(pixels + (size_t)height, 1);
    if (out->inside && out->flips) return ICSEG_OK;
    icseg_region_close(out);
    return icseg_fail_memory(error, 0, "drawing outlines");
}

void icseg_region_close(icseg_region *region) {
    if (!region) return;
    icseg_free(region->inside);
    icseg_free(region->flips);
    *region = (icseg_region){0};
}

static uint8_t *row_of(const icseg_region *r, int32_t y) { return r->inside + (size_t)y * (size_t)r->width; }

void icseg_region_clear(icseg_region *r) {
    for (int32_t y = r->top; y < r->bottom && r->left < r->right; y++)
        memset(row_of(r, y) + r->left, 0, (size_t)(r->right - r->left));
    r->left = r->width, r->top = r->height, r->right = r->bottom = 0;
}

static void widen(icseg_region *r, int32_t left, int32_t top, int32_t right, int32_t bottom) {
    if (left < r->left) r->left = left;
    if (top < r->top) r->top = top;
    if (right > r->right) r->right = right;
    if (bottom > r->bottom) r->bottom = bottom;
}

/* The first pixel whose centre is not before `at`, clamped to 0..max. */
static int32_t first_pixel(double at, int32_t max) {
    double first = ceil(at - 0.5);
    return first <= 0 ? 0 : first >= max ? max : (int32_t)first;
}

typedef struct box {
    int32_t left, top, right, bottom;
} box;

static box bounds(const icseg_region *r, const double *xy, size_t count) {
    double low[2] = {xy[0], xy[1]}, high[2] = {xy[0], xy[1]};
    for (size_t i = 1; i < count; i++)
        for (int a = 0; a < 2; a++) {
            low[a] = fmin(low[a], xy[2 * i + (size_t)a]);
            high[a] = fmax(high[a], xy[2 * i + (size_t)a]);
        }
    return (box){first_pixel(low[0], r->width), first_pixel(low[1], r->height), first_pixel(high[0], r->width),
                 first_pixel(high[1], r->height)};
}

static void flip_edge(icseg_region *r, const double *a, const double *b) {
    if (a[1] == b[1]) return;
    const double *high = a[1] < b[1] ? a : b, *low = a[1] < b[1] ? b : a;
    int32_t top = first_pixel(high[1], r->height), bottom = first_pixel(low[1], r->height);
    double slope = (low[0] - high[0]) / (low[1] - high[1]);
    for (int32_t y = top; y < bottom; y++) {
        int32_t x = first_pixel(high[0] + (y + 0.5 - high[1]) * slope, r->width);
        r->flips[(size_t)y * ((size_t)r->width + 1) + (size_t)x] ^= 1;
    }
}

void icseg_region_add_polygon(icseg_region *r, const double *xy, size_t count) {
    if (count < 3) return;
    box b = bounds(r, xy, count);
    for (size_t i = 0; i < count; i++) flip_edge(r, xy + 2 * i, xy + 2 * ((i + 1) % count));
    for (int32_t y = b.top; y < b.bottom; y++) {
        uint8_t *row = row_of(r, y), *flips = r->flips + (size_t)y * ((size_t)r->width + 1), in = 0;
        /* rounding may move a crossing one pixel past the corners of its edge */
        int32_t right = b.right < r->width ? b.right + 1 : r->width;
        for (int32_t x = b.left ? b.left - 1 : 0; x < right; x++) row[x] |= in ^= flips[x];
        memset(flips, 0, (size_t)r->width + 1);
    }
    widen(r, b.left ? b.left - 1 : 0, b.top, b.right < r->width ? b.right + 1 : r->width, b.bottom);
}

void icseg_region_add_circle(icseg_region *r, double cx, double cy, double radius) {
    box b = bounds(r, (const double[]){cx - radius, cy - radius, cx + radius, cy + radius}, 2);
    for (int32_t y = b.top; y < b.bottom; y++)
        for (int32_t x = b.left; x < b.right; x++)
            if (hypot(x + 0.5 - cx, y + 0.5 - cy) <= radius) row_of(r, y)[x] = 1;
    widen(r, b.left, b.top, b.right, b.bottom);
}

void icseg_region_add_runs(icseg_region *r, const uint32_t *runs, size_t count) {
    size_t at = 0, height = (size_t)r->height;
    for (size_t i = 0; i < count; at += runs[i++])
        for (size_t p = at; i % 2 && p < at + runs[i]; p++) row_of(r, (int32_t)(p % height))[p / height] = 1;
    widen(r, 0, 0, r->width, r->height);
}

void icseg_region_add_mask(icseg_region *r, const icseg_mask *mask, int32_t left, int32_t top) {
    for (int32_t y = 0; y < mask->height; y++)
        for (int32_t x = 0; x < mask->width; x++) {
            int64_t to_x = (int64_t)left + x, to_y = (int64_t)top + y;
            if (mask->data[(size_t)y * (size_t)mask->width + (size_t)x] && to_x >= 0 && to_y >= 0 && to_x < r->width &&
                to_y < r->height)
                row_of(r, (int32_t)to_y)[to_x] = 1;
        }
    widen(r, 0, 0, r->width, r->height);
}

int64_t icseg_region_count(const icseg_region *r) {
    int64_t count = 0;
    for (int32_t y = r->top; y < r->bottom; y++)
        for (int32_t x = r->left; x < r->right; x++) count += row_of(r, y)[x];
    return count;
}

void icseg_region_paint(const icseg_region *r, icseg_labels *labels, int16_t label) {
    for (int32_t y = r->top; y < r->bottom; y++)
        for (int32_t x = r->left; x < r->right; x++)
            if (row_of(r, y)[x]) labels->data[(size_t)y * (size_t)labels->width + (size_t)x] = label;
}

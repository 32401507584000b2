/* SPDX-License-Identifier: Apache-2.0
 * Fills outlines: polygons, circles, run lengths and masks.
 * A pixel belongs to an outline if its centre (x + 0.5, y + 0.5) is inside by the even-odd rule; a centre on a left or
 * upper edge is inside, one on a right or lower edge outside. Outlines are clipped to the image. */
#ifndef ICSEG_IMPORTERS_RASTER_H
#define ICSEG_IMPORTERS_RASTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "icseg/image.h"

/* The pixels of one object: the union of the outlines added since the last clear. */
typedef struct icseg_region {
    int32_t width, height;
    uint8_t *inside;                  /* (height, width): 0 or 1, owned */
    uint8_t *flips;                   /* (height, width + 1): scratch, all 0 between calls, owned */
    int32_t left, top, right, bottom; /* bounds of the pixels that may be set: half-open, empty if left >= right */
} icseg_region;

/* Allocates two bytes per pixel. */
icseg_status icseg_region_open(icseg_region *out, int32_t width, int32_t height, icseg_error *error);
void icseg_region_close(icseg_region *region);
void icseg_region_clear(icseg_region *region);

/* xy: (count, 2) pixels, finite, of magnitude up to 1e9; the last corner is joined to the first. Fewer than three
 * corners enclose nothing. */
void icseg_region_add_polygon(icseg_region *region, const double *xy, size_t count);
void icseg_region_add_circle(icseg_region *region, double x, double y, double radius);
/* Alternating runs of 0 and 1, beginning with 0, down the columns; the caller has checked that their sum is
 * width * height. */
void icseg_region_add_runs(icseg_region *region, const uint32_t *runs, size_t count);
/* Non-zero values of a mask whose upper left corner is at (x, y). */
void icseg_region_add_mask(icseg_region *region, const icseg_mask *mask, int32_t x, int32_t y);

int64_t icseg_region_count(const icseg_region *region);
void icseg_region_paint(const icseg_region *region, icseg_labels *labels, int16_t label);

#endif

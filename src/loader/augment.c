/* SPDX-License-Identifier: Apache-2.0
 * Training augmentation: resize, crop, flip, photometric distortion, normalisation, padding, one row at a time. Only
 * the pixels of the crop are computed; their values equal those of resizing the whole image first. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "loader/loader.h"
#include "image/normalize.h"
#include "image/resample.h"

enum { CROP_ATTEMPTS = 10, ENOUGH = 100, LABELS = 32768, MAX_CROP = 16384 };

static const double max_scale = 64;

icseg_augment_options icseg_augment_options_default(void) {
    return (icseg_augment_options){.crop_height = 512,
                                   .crop_width = 512,
                                   .resize_short = 512,
                                   .resize_long = 2048,
                                   .scale_min = 0.5,
                                   .scale_max = 2,
                                   .crop_max_share = 0.75,
                                   .flip = 0.5,
                                   .photometric = true,
                                   .rare_temperature = 0.01};
}

icseg_status icseg_augment_check(const icseg_augment_options *o, icseg_error *error) {
    if (o->crop_height < 1 || o->crop_height > MAX_CROP || o->crop_width < 1 || o->crop_width > MAX_CROP)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "crop: %dx%d (height x width) is not accepted; expected 1 to %d",
                          o->crop_height, o->crop_width, MAX_CROP);
    if (o->resize_short < 0 || o->resize_short > ICSEG_IMAGE_MAX_SIDE || o->resize_long < 0 ||
        o->resize_long > ICSEG_IMAGE_MAX_SIDE)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "resize: %d (short side) and %d (long side) are not accepted; expected 0 to %d",
                          o->resize_short, o->resize_long, ICSEG_IMAGE_MAX_SIDE);
    if (o->resize_short && o->resize_long && o->resize_long < o->resize_short)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "resize: the limit of the long side, %d, is below the short side, %d", o->resize_long,
                          o->resize_short);
    if (!(o->scale_min >= 1 / max_scale && o->scale_min <= o->scale_max && o->scale_max <= max_scale))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "scale: %g to %g is not accepted; expected 1/%g <= smallest <= largest <= %g", o->scale_min,
                          o->scale_max, max_scale, max_scale);
    if (!(o->crop_max_share > 0 && o->crop_max_share <= 1))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "crop_max_share: %g is not accepted; expected more than 0 and at most 1", o->crop_max_share);
    if (!(o->flip >= 0 && o->flip <= 1))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "flip: %g is not accepted; expected a probability from 0 to 1",
                          o->flip);
    if (!(o->rare_samples >= 0 && o->rare_samples <= 1 && o->copy_paste >= 0 && o->copy_paste <= 1))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "rare_samples and copy_paste: %g and %g are not accepted; expected probabilities from 0 to 1",
                          o->rare_samples, o->copy_paste);
    if (!(o->rare_temperature > 0))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "rare_temperature: %g is not accepted; expected more than 0",
                          o->rare_temperature);
    return ICSEG_OK;
}

/* mmsegmentation's PhotoMetricDistortion: each step with probability 1/2, contrast before or after saturation and hue.
 */
typedef struct distortion {
    bool colour;           /* saturation or hue changes */
    float saturation, hue; /* factor; shift in sixths of a turn */
    uint8_t before[256];   /* before colour changes: brightness, perhaps contrast */
    uint8_t after[256];    /* after colour changes: perhaps contrast */
} distortion;

static bool coin(icseg_rng *rng) { return icseg_rng_u64(rng) >> 63; }

static void fill_curve(uint8_t curve[256], float factor, float shift, float factor_after) {
    for (int v = 0; v < 256; v++) {
        float x = (float)v * factor + shift;
        x = (x < 0 ? 0 : x > 255 ? 255 : floorf(x + 0.5f)) * factor_after;
        curve[v] = (uint8_t)(x > 255 ? 255 : x + 0.5f);
    }
}

static void draw_distortion(distortion *d, bool photometric, icseg_rng *rng) {
    float shift = 0, contrast = 1, saturation = 1, hue = 0;
    bool contrast_first = true;
    if (photometric) {
        if (coin(rng)) shift = icseg_rng_range(rng, -32, 32);
        contrast_first = coin(rng);
        if (coin(rng)) contrast = icseg_rng_range(rng, 0.5f, 1.5f);
        if (coin(rng)) saturation = icseg_rng_range(rng, 0.5f, 1.5f);
        if (coin(rng)) hue = icseg_rng_range(rng, -18, 18); /* OpenCV's 8-bit hue: a full turn is 180 */
    }
    d->colour = saturation != 1 || hue != 0;
    d->saturation = saturation;
    d->hue = hue / 30;
    fill_curve(d->before, 1, shift, contrast_first ? contrast : 1);
    fill_curve(d->after, contrast_first ? 1 : contrast, 0, 1);
}

/* One channel of a colour. `at`, 0 or more, is a position on the hue hexagon (6 sides), shifted so that the channel
 * falls from 0 to 1, is lowest from 1 to 3, rises from 3 to 4 and is highest from 4 to 6. */
static inline uint8_t channel_at(float high, float chroma, float at) {
    at -= 6 * (float)(int32_t)(at * (1 / 6.0f));
    float down = at < 4 - at ? at : 4 - at;
    down = down < 0 ? 0 : down > 1 ? 1 : down;
    return (uint8_t)(int32_t)(high - chroma * down + 0.5f);
}

/* Multiplies the saturation by a factor, up to full saturation, and shifts the hue, -6..6: HSV and back in registers.
 */
ICSEG_KERNEL static void change_colours(uint8_t *restrict row, int32_t pixels, float saturation, float hue) {
#pragma omp simd
    for (int32_t i = 0; i < pixels; i++) {
        float r = row[3 * i], g = row[3 * i + 1], b = row[3 * i + 2];
        float high = r > g ? r : g, low = r > g ? g : r;
        high = high > b ? high : b;
        low = low < b ? low : b;
        float chroma = high - low, inverse = 1 / (chroma > 0 ? chroma : 1); /* grey has chroma 0 before and after */
        float h = high == r ? (g - b) * inverse : high == g ? 2 + (b - r) * inverse : 4 + (r - g) * inverse;
        h += hue + 12; /* positive and below 24 */
        chroma = chroma * saturation < high ? chroma * saturation : high;
        row[3 * i] = channel_at(high, chroma, h + 5);
        row[3 * i + 1] = channel_at(high, chroma, h + 3);
        row[3 * i + 2] = channel_at(high, chroma, h + 1);
    }
}

/* The part of the resized image that the crop shows: `width` x `height` pixels from (x, y). The rest is padding. */
typedef struct window {
    int32_t full_width, full_height, x, y, width, height;
} window;

/* Copies the labels under the window to rows of `stride` elements. columns: (width) scratch. */
static void crop_labels(const window *w, const icseg_labels *labels, bool flip, int32_t *columns, int16_t *out,
                        int32_t stride) {
    icseg_resample_nearest(columns, labels->width, w->full_width, w->x, w->width);
    for (int32_t y = 0; y < w->height; y++, out += stride) {
        int32_t row;
        icseg_resample_nearest(&row, labels->height, w->full_height, w->y + y, 1);
        const int16_t *from = labels->data + (size_t)row * (size_t)labels->width;
        if (flip)
            for (int32_t x = 0; x < w->width; x++) out[w->width - 1 - x] = from[columns[x]];
        else
            for (int32_t x = 0; x < w->width; x++) out[x] = from[columns[x]];
    }
}

/* Whether a crop is varied enough: two classes or more, none with more than `share` of the labelled pixels. counts:
 * (LABELS) scratch. */
static bool is_varied(const window *w, const int16_t *labels, int32_t stride, double share, uint32_t *counts) {
    uint32_t largest = 0;
    uint64_t sum = 0;
    memset(counts, 0, LABELS * sizeof *counts);
    for (int32_t y = 0; y < w->height; y++, labels += stride)
        for (int32_t x = 0; x < w->width; x++) {
            if (labels[x] < 0) continue;
            uint32_t n = ++counts[labels[x]];
            if (n > largest) largest = n;
            sum++;
        }
    return largest < sum && (double)largest <= share * (double)sum;
}

/* The class that a crop should contain. */
typedef struct target {
    int32_t class;
    int64_t pixels; /* of the labels; 0: any crop will do */
} target;

static target find_target(const icseg_labels *labels, int32_t class) {
    target t = {class, 0};
    for (int64_t i = 0; class >= 0 && i < (int64_t)labels->width * labels->height; i++)
        t.pixels += labels->data[i] == class;
    return t;
}

/* A position among those at which a window of `size` of `full` pixels contains pixel `at` of `in`. */
static int32_t place_around(icseg_rng *rng, int32_t at, int32_t in, int32_t full, int32_t size) {
    int64_t middle = (2 * (int64_t)at + 1) * full / (2 * (int64_t)in), most = full - size;
    int64_t low = middle - size + 1 > 0 ? middle - size + 1 : 0, high = middle < most ? middle : most;
    if (low > high) low = high;
    return (int32_t)(low + (int64_t)icseg_rng_below(rng, (uint64_t)(high - low) + 1));
}

/* Moves the window to a random pixel of the target. */
static void aim(const target *t, icseg_rng *rng, const icseg_labels *labels, window *w) {
    int64_t left = (int64_t)icseg_rng_below(rng, (uint64_t)t->pixels), i = 0;
    for (;; i++)
        if (labels->data[i] == t->class && left-- == 0) break;
    w->y = place_around(rng, (int32_t)(i / labels->width), labels->height, w->full_height, w->height);
    w->x = place_around(rng, (int32_t)(i % labels->width), labels->width, w->full_width, w->width);
}

static bool has_enough(const window *w, const int16_t *labels, int32_t stride, int32_t class) {
    int64_t pixels = 0;
    for (int32_t y = 0; y < w->height; y++, labels += stride)
        for (int32_t x = 0; x < w->width; x++) pixels += labels[x] == class;
    return pixels * ENOUGH >= (int64_t)w->width * w->height;
}

/* Chooses the window and crops its labels, already flipped, which does not change the shares of the classes. scratch:
 * LABELS numbers, and one for each column of the window. */
static void choose_crop(const icseg_augment_options *o, icseg_rng *rng, const icseg_augment_source *source, bool flip,
                        window *w, uint32_t *scratch, int16_t *out) {
    int32_t free_x = w->full_width - w->width, free_y = w->full_height - w->height;
    target t = find_target(source->labels, source->wanted);
    for (int i = 0; i < CROP_ATTEMPTS; i++) {
        if (t.pixels) {
            aim(&t, rng, source->labels, w);
        } else {
            w->y = (int32_t)icseg_rng_below(rng, (uint64_t)free_y + 1);
            w->x = (int32_t)icseg_rng_below(rng, (uint64_t)free_x + 1);
        }
        crop_labels(w, source->labels, flip, (int32_t *)(scratch + LABELS), out, o->crop_width);
        if (!free_x && !free_y) break;
        if (t.pixels && !has_enough(w, out, o->crop_width, t.class)) continue;
        if (o->crop_max_share >= 1 || is_varied(w, out, o->crop_width, o->crop_max_share, scratch)) break;
    }
}

static void pad(const icseg_augment_options *o, const window *w, float *image, int16_t *labels) {
    for (int32_t y = 0; y < o->crop_height; y++) {
        int32_t from = y < w->height ? w->width : 0;
        size_t at = (size_t)y * (size_t)o->crop_width + (size_t)from;
        memset(image + at * 3, 0, (size_t)(o->crop_width - from) * 3 * sizeof *image);
        for (int32_t x = from; x < o->crop_width; x++) labels[at++] = ICSEG_LABEL_IGNORE;
    }
}

static void finish_row(uint8_t *row, int32_t width, const distortion *d, const float table[3][256], bool flip,
                       float *out) {
    if (d->colour) {
        for (int32_t i = 0; i < 3 * width; i++) row[i] = d->before[row[i]];
        change_colours(row, width, d->saturation, d->hue);
    }
    for (int32_t x = 0; x < width; x++) {
        float *to = out + 3 * (flip ? width - 1 - x : x);
        for (int c = 0; c < 3; c++) to[c] = table[c][row[3 * x + c]];
    }
}

icseg_status icseg_augment(const icseg_augment_options *o, icseg_rng *rng, const icseg_augment_source *source,
                           float *out_image, int16_t *out_labels, icseg_error *error) {
    const icseg_image *image = source->image;
    const icseg_labels *labels = source->labels;
    ICSEG_TRY(icseg_augment_check(o, error));
    if (image->width < 1 || image->height < 1 || image->width != labels->width || image->height != labels->height)
        return icseg_fail(error, ICSEG_ERROR_SHAPE, "the image is %dx%d, but its labels are %dx%d", image->width,
                          image->height, labels->width, labels->height);
    window w;
    double r = o->scale_min + (o->scale_max - o->scale_min) * icseg_rng_uniform(rng);
    icseg_resize_target(o->resize_short, o->resize_long, r, image->width, image->height, &w.full_width, &w.full_height);
    w.width = w.full_width < o->crop_width ? w.full_width : o->crop_width;
    w.height = w.full_height < o->crop_height ? w.full_height : o->crop_height;

    uint32_t *counts = icseg_alloc_array(LABELS + (size_t)w.width, sizeof *counts);
    uint8_t *row = icseg_alloc_array((size_t)w.width, 3);
    icseg_resample *rows = NULL;
    icseg_status status = ICSEG_OK;
    if (!counts || !row) {
        status = icseg_fail_memory(error, 0, "augmentation");
        goto fail;
    }
    bool flip = icseg_rng_uniform(rng) < o->flip;
    choose_crop(o, rng, source, flip, &w, counts, out_labels);

    distortion d;
    float plain[3][256], table[3][256];
    draw_distortion(&d, o->photometric, rng);
    icseg_normalize_table(plain);
    for (int c = 0; c < 3; c++) /* without colour changes, both curves and the normalisation are one look-up */
        for (int v = 0; v < 256; v++) table[c][v] = plain[c][d.after[d.colour ? v : d.before[v]]];

    ICSEG_TRY_GOTO(icseg_resample_open(&rows, image, w.full_width, w.full_height, w.x, w.width, error));
    for (int32_t y = 0; y < w.height; y++) {
        icseg_resample_row(rows, w.y + y, row);
        finish_row(row, w.width, &d, (const float(*)[256])table, flip,
                   out_image + (size_t)y * (size_t)o->crop_width * 3);
    }
    pad(o, &w, out_image, out_labels);
fail:
    icseg_resample_close(&rows);
    icseg_free(row);
    icseg_free(counts);
    return status;
}

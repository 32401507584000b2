/* SPDX-License-Identifier: Apache-2.0
 * Drawing a label map over its image: class colours, region borders, a legend. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/struct_size.h"
#include "image/check.h"
#include "image/font.h"

enum { FIRST_SIZE = offsetof(icseg_overlay_options, opacity) + sizeof(double) };
static const double DEFAULT_OPACITY = 0.55;

/* Distances in pixels, all derived from the image's width, so that legends look alike at any resolution. */
typedef struct layout {
    double text; /* height of capitals */
    int swatch;  /* side */
    int line;    /* from one entry to the next */
    int margin, gap;
    int column; /* width of a column with its gap */
    int columns, rows;
    double share; /* width of the widest share */
    int height;   /* of the whole strip */
} layout;

static void format_share(char out[16], int64_t pixels, int64_t total) {
    double percent = 100.0 * (double)pixels / (double)total;
    if (percent < 0.1)
        snprintf(out, 16, "<0.1%%");
    else
        icseg_text_printf(out, 16, "%.1f%%", percent);
}

static layout plan_legend(const icseg_labels_summary *present, const char *const *names, int32_t width, int64_t total) {
    int32_t count = present->count;
    layout l = {.text = fmin(fmax(width / 75.0, 8), 40)};
    l.swatch = (int)lrint(l.text * 1.5);
    l.line = (int)lrint(l.text * 2.4);
    l.margin = (int)lrint(l.text * 1.5);
    l.gap = (int)lrint(l.text * 0.8);
    double widest = 0;
    for (int32_t i = 0; i < count; i++) {
        char share[16];
        format_share(share, present->classes[i].pixels, total);
        widest = fmax(widest, icseg_font_width(names[present->classes[i].index], l.text));
        l.share = fmax(l.share, icseg_font_width(share, l.text));
    }
    int available = width - 2 * l.margin, between = 3 * l.gap;
    int needed = l.swatch + 2 * l.gap + (int)ceil(widest + l.share + l.gap) + between;
    l.columns = (available + between) / needed;
    if (l.columns < 1) l.columns = 1;
    if (l.columns > count) l.columns = count;
    l.rows = count ? (count + l.columns - 1) / l.columns : 0;
    if (l.rows) l.columns = (count + l.rows - 1) / l.rows;
    l.column = needed < available + between ? needed : available + between;
    /* Columns spread over the strip, but each share stays near its name. */
    int spread = l.columns ? (available + between) / l.columns : l.column;
    l.column = spread < l.column + l.column / 4 ? spread : l.column + l.column / 4;
    l.height = l.rows ? l.rows * l.line + 2 * l.margin - (l.line - l.swatch) : 0;
    return l;
}

static void fill(icseg_image *image, int x0, int y0, int width, int height, const uint8_t color[3]) {
    for (int y = y0; y < y0 + height && y < image->height; y++)
        for (int x = x0; x < x0 + width && x < image->width; x++)
            memcpy(image->data + ((size_t)y * (size_t)image->width + (size_t)x) * 3, color, 3);
}

static void darken(uint8_t out[3], const uint8_t color[3], double by) {
    for (int i = 0; i < 3; i++) out[i] = (uint8_t)lrint(color[i] * by);
}

/* The name, cut with two dots if it does not fit; the share at the right edge of the column. */
static void draw_entry(icseg_image *image, const layout *l, const icseg_class_share *e, int x, int y,
                       const uint8_t *color, const char *name, int64_t total) {
    static const uint8_t ink[3] = {33, 37, 41}, faint[3] = {108, 117, 125};
    char share[16], cut[256];
    uint8_t edge[3];
    int rim = l->swatch >= 24 ? 2 : 1;
    darken(edge, color, 0.7);
    fill(image, x, y, l->swatch, l->swatch, edge);
    fill(image, x + rim, y + rim, l->swatch - 2 * rim, l->swatch - 2 * rim, color);
    double baseline = y + (int)lrint((l->swatch + l->text) / 2), start = x + l->swatch + l->gap;
    double end = x + l->column - 3 * l->gap;
    format_share(share, e->pixels, total);
    double available = end - icseg_font_width(share, l->text) - l->gap - start;
    if (icseg_font_width(name, l->text) <= available)
        snprintf(cut, sizeof cut, "%.250s", name);
    else {
        size_t kept = icseg_font_fit(name, l->text, available - icseg_font_width("..", l->text) - l->text / 3);
        if (kept > 250) kept = 250;
        snprintf(cut, sizeof cut, "%.*s..", (int)kept, name);
    }
    icseg_font_draw(image, cut, start, baseline, l->text, ink);
    icseg_font_draw(image, share, end - icseg_font_width(share, l->text), baseline, l->text, faint);
}

static void draw_legend(icseg_image *image, const layout *l, int top, const icseg_labels_summary *present,
                        const icseg_palette *palette, const char *const *names, int64_t total) {
    static const uint8_t paper[3] = {250, 250, 250};
    fill(image, 0, top, image->width, image->height - top, paper);
    for (int32_t i = 0; i < present->count; i++) {
        int x = l->margin + i / l->rows * l->column, y = top + l->margin + i % l->rows * l->line;
        int32_t class = present->classes[i].index;
        draw_entry(image, l, &present->classes[i], x, y, palette->color[class], names[class], total);
    }
}

/* Whether there is another label within `reach` pixels to the right or below. */
static bool on_border(const icseg_labels *labels, int32_t x, int32_t y, int reach) {
    const int16_t *at = labels->data + (size_t)y * (size_t)labels->width + (size_t)x;
    for (int i = 1; i <= reach; i++) {
        if (x + i < labels->width && at[i] != at[0]) return true;
        if (y + i < labels->height && at[(size_t)i * (size_t)labels->width] != at[0]) return true;
    }
    return false;
}

static void draw_regions(icseg_image *out, const icseg_image *image, const icseg_labels *labels,
                         const icseg_palette *palette, double opacity) {
    static const uint8_t none[3] = {128, 128, 128};
    int side = image->width < image->height ? image->width : image->height;
    int reach = side < 700 ? 1 : side / 350 < 6 ? side / 350 : 6;
    int weight = (int)lrint(opacity * 256);
    for (int32_t y = 0; y < image->height; y++)
        for (int32_t x = 0; x < image->width; x++) {
            size_t at = (size_t)y * (size_t)image->width + (size_t)x;
            int32_t label = labels->data[at];
            const uint8_t *color = label < 0 ? none : palette->color[label], *from = image->data + 3 * at;
            bool border = weight && on_border(labels, x, y, reach);
            int share = label < 0 && !border ? 0 : weight;
            for (int i = 0; i < 3; i++) {
                int value = (from[i] * (256 - share) + color[i] * share + 128) >> 8;
                out->data[3 * at + (size_t)i] = (uint8_t)(border ? value * 2 / 5 : value);
            }
        }
}

icseg_status icseg_overlay_draw(icseg_image *out, const icseg_image *image, const icseg_labels *labels,
                                const icseg_overlay_options *options, icseg_error *error) {
    ICSEG_NEED(out);
    if (out == image) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: out must not be image", __func__);
    *out = (icseg_image){0};
    ICSEG_NEED_IMAGE(image);
    ICSEG_NEED_LABELS(labels);
    ICSEG_NEED(options);
    icseg_overlay_options o;
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_overlay_options", error));
    const icseg_palette *palette = o.palette;
    ICSEG_NEED_PALETTE(palette);
    double opacity = o.opacity == 0 ? DEFAULT_OPACITY : o.opacity == ICSEG_OPACITY_NONE ? 0 : o.opacity;
    if (!(opacity >= 0 && opacity <= 1))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "opacity", ICSEG_REMEDY_SET_FIELD,
                                "overlay: an opacity of %g; expected 0 to 1", opacity);
    if (image->width != labels->width || image->height != labels->height)
        return icseg_fail(error, ICSEG_ERROR_SHAPE, "overlay: the image is %d x %d pixels, but its labels are %d x %d",
                          image->width, image->height, labels->width, labels->height);
    icseg_labels_summary present = {ICSEG_LABELS_SUMMARY_INIT};
    int64_t total = (int64_t)image->width * image->height;
    icseg_status status = icseg_labels_summarise(&present, labels, NULL, palette->size, error);
    if (status != ICSEG_OK) {
        icseg_fail_prefix(error, "overlay");
        return status;
    }
    layout l = {0};
    for (int32_t i = 0; o.names && i < present.count; i++) {
        int32_t class = present.classes[i].index;
        if (o.names[class]) continue;
        icseg_labels_summary_close(&present);
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "names", ICSEG_REMEDY_SET_FIELD,
                                "icseg_overlay_draw: names[%d] is NULL", class);
    }
    if (o.names) l = plan_legend(&present, o.names, image->width, total);
    status = icseg_image_create(out, image->width, image->height + l.height, error);
    if (status == ICSEG_ERROR_ARGUMENT) /* only the legend makes it too large */
        status = icseg_fail(error, ICSEG_ERROR_DATA,
                            "overlay: %d x %d pixels and %d rows of legend are too large, at most %d a side and %d in "
                            "all are possible; leave out the legend",
                            image->width, image->height, l.height, ICSEG_IMAGE_MAX_SIDE, ICSEG_IMAGE_MAX_PIXELS);
    if (status == ICSEG_OK) {
        draw_regions(out, image, labels, palette, opacity);
        if (l.height) draw_legend(out, &l, image->height, &present, palette, o.names, total);
    }
    icseg_labels_summary_close(&present);
    return status;
}

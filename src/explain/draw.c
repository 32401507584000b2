/* SPDX-License-Identifier: Apache-2.0
 * Maps as pictures. The colours are those of viridis (van der Walt and Smith 2015), whose lightness rises evenly. */
#include <math.h>

#include "base/sampling.h"
#include "explain/explainer.h"

enum { ANCHORS = 11 };

/* viridis at 0, 0.1, ..., 1; in between, linear interpolation differs by at most three of 255. */
static const uint8_t viridis[ANCHORS][3] = {{0x44, 0x01, 0x54}, {0x48, 0x24, 0x75}, {0x41, 0x44, 0x87},
                                            {0x35, 0x5f, 0x8d}, {0x2a, 0x78, 0x8e}, {0x21, 0x91, 0x8c},
                                            {0x22, 0xa8, 0x84}, {0x44, 0xbf, 0x70}, {0x7a, 0xd1, 0x51},
                                            {0xbd, 0xdf, 0x26}, {0xfd, 0xe7, 0x25}};
static const float opacity_over_image = 0.65f;

/* t is clamped to 0..1; NaN is 0. */
static void colour_at(float t, float rgb[3]) {
    if (!(t > 0)) t = 0;
    if (t > 1) t = 1;
    int i = (int)(t * (ANCHORS - 1));
    if (i > ANCHORS - 2) i = ANCHORS - 2;
    float weight = t * (ANCHORS - 1) - (float)i;
    for (int c = 0; c < 3; c++) rgb[c] = (1 - weight) * (float)viridis[i][c] + weight * (float)viridis[i + 1][c];
}

/* The luma of BT.601. */
static float grey_of(const uint8_t *rgb) {
    return 0.299f * (float)rgb[0] + 0.587f * (float)rgb[1] + 0.114f * (float)rgb[2];
}

/* The number of pixels of a side that the map covers, at least 1. */
static int32_t covered(double share, int32_t side) {
    int32_t pixels = (int32_t)lround(share * side);
    return pixels < 1 ? 1 : pixels;
}

static void draw_row(icseg_image *out, const icseg_image *image, const icseg_explain_map *map, int32_t y, bool over) {
    int32_t wide = covered(map->covers_width, image->width), high = covered(map->covers_height, image->height);
    icseg_interpolation v = icseg_interpolation_at(y, map->height, high);
    const float *top = map->values + (size_t)v.low * (size_t)map->width;
    const float *bottom = map->values + (size_t)v.high * (size_t)map->width;
    float low = (float)map->low, range = (float)(map->high - map->low), opacity = over ? opacity_over_image : 1;
    for (int32_t x = 0; x < image->width; x++) {
        size_t at = 3 * ((size_t)y * (size_t)image->width + (size_t)x);
        float grey = grey_of(image->data + at), rgb[3] = {grey, grey, grey};
        if (x < wide && y < high) {
            icseg_interpolation u = icseg_interpolation_at(x, map->width, wide);
            float a = (1 - u.weight) * top[u.low] + u.weight * top[u.high];
            float b = (1 - u.weight) * bottom[u.low] + u.weight * bottom[u.high];
            colour_at(((1 - v.weight) * a + v.weight * b - low) / range, rgb);
            for (int c = 0; c < 3; c++) rgb[c] = opacity * rgb[c] + (1 - opacity) * grey;
        }
        for (int c = 0; c < 3; c++) out->data[at + (size_t)c] = (uint8_t)(rgb[c] + 0.5f);
    }
}

icseg_status icseg_explain_draw(icseg_image *out, const icseg_image *image, const icseg_explain_map *map,
                                icseg_error *error) {
    bool over = map->kind == ICSEG_EXPLAIN_SCORE || map->kind == ICSEG_EXPLAIN_ATTENTION;
    ICSEG_TRY(icseg_image_create(out, image->width, image->height, error));
    for (int32_t y = 0; y < image->height; y++) draw_row(out, image, map, y, over);
    return ICSEG_OK;
}

void icseg_explain_put_scale(icseg_string *out, double low, double high) {
    icseg_string_printf(out, "<span class=\"ramp\"><span>%.3g</span><i style=\"background:linear-gradient(90deg", low);
    for (int i = 0; i < ANCHORS; i++)
        icseg_string_printf(out, ",#%02x%02x%02x", viridis[i][0], viridis[i][1], viridis[i][2]);
    icseg_string_printf(out, ")\"></i><span>%.3g</span></span>", high);
}

/* SPDX-License-Identifier: Apache-2.0
 * Class colours, chosen in OKLab (Ottosson 2020), where equal distances look about equally large. Each of the first 256
 * is as far as possible from those before it. Beyond that no palette keeps all colours apart, and hues follow each
 * other at the golden angle. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/argument.h"
#include "base/memory.h"
#include "icseg/image.h"

/* False when (lightness 0..1, chroma, hue in radians) is outside sRGB. */
static bool to_srgb(double lightness, double chroma, double hue, uint8_t rgb[3]) {
    double a = chroma * cos(hue), b = chroma * sin(hue);
    double l = lightness + 0.3963377774 * a + 0.2158037573 * b;
    double m = lightness - 0.1055613458 * a - 0.0638541728 * b;
    double s = lightness - 0.0894841775 * a - 1.2914855480 * b;
    l *= l * l;
    m *= m * m;
    s *= s * s;
    const double linear[3] = {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
                              -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
                              -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
    for (int i = 0; i < 3; i++) {
        double v = linear[i];
        if (v < 0 || v > 1) return false;
        v = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
        rgb[i] = (uint8_t)lrint(255 * v);
    }
    return true;
}

/* A colour that may be chosen, with its position in a space where distance is perceived difference. */
typedef struct candidate {
    float at[3];   /* lightness counts less than hue, because the image under the colour changes it */
    float nearest; /* square of the distance to the nearest colour chosen so far */
    uint8_t rgb[3];
} candidate;

enum { LIGHTNESS = 12, CHROMAS = 10, HUES = 60, CANDIDATES = LIGHTNESS * CHROMAS * HUES, CHOSEN = 256 };

/* Colours that are not nearly black, white or grey. Returns how many of the grid's points are inside sRGB. */
static int fill_candidates(candidate *out) {
    int count = 0;
    for (int i = 0; i < CANDIDATES; i++) {
        double lightness = 0.50 + 0.38 * (i % LIGHTNESS) / (LIGHTNESS - 1);
        double chroma = 0.08 + 0.16 * (i / LIGHTNESS % CHROMAS) / (CHROMAS - 1);
        int turn = i / LIGHTNESS / CHROMAS; /* of HUES */
        double hue = 2 * 3.14159265358979 * turn / HUES;
        candidate *c = &out[count];
        if (!to_srgb(lightness, chroma, hue, c->rgb)) continue;
        c->at[0] = (float)(0.7 * lightness);
        c->at[1] = (float)(chroma * cos(hue));
        c->at[2] = (float)(chroma * sin(hue));
        c->nearest = INFINITY;
        count++;
    }
    return count;
}

/* Each next colour is the one farthest from all before it; from its direct predecessor it must be twice as far. */
static void choose_farthest(icseg_palette *out, candidate *candidates, int count) {
    const candidate *last = &candidates[count * 7 / 10];
    for (int32_t i = 0; i < out->size && i < CHOSEN; i++) {
        const candidate *best = last;
        float best_score = -1;
        memcpy(out->color[i], last->rgb, 3);
        for (int k = 0; k < count; k++) {
            candidate *c = &candidates[k];
            float x = c->at[0] - last->at[0], y = c->at[1] - last->at[1], z = c->at[2] - last->at[2];
            float square = x * x + y * y + z * z;
            if (square < c->nearest) c->nearest = square;
            float score = square / 4 < c->nearest ? square / 4 : c->nearest;
            if (score > best_score) {
                best_score = score;
                best = c;
            }
        }
        last = best;
    }
}

icseg_status icseg_palette_create(icseg_palette *out, int32_t size, icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_palette){0};
    if (size < 1 || size > ICSEG_PALETTE_MAX_SIZE)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "a palette of %d colours: expected 1 to %d", size,
                          ICSEG_PALETTE_MAX_SIZE);
    candidate *candidates = icseg_alloc_array(CANDIDATES, sizeof *candidates);
    out->color = icseg_alloc_array((size_t)size, sizeof *out->color);
    if (!out->color || !candidates) {
        icseg_free(candidates);
        icseg_palette_close(out);
        return icseg_fail_memory(error, (size_t)size * sizeof *out->color, "a palette");
    }
    out->size = size;
    choose_farthest(out, candidates, fill_candidates(candidates));
    icseg_free(candidates);
    static const double lightness[5] = {0.68, 0.86, 0.52, 0.76, 0.42};
    const double golden_angle = 2.399963229728653;
    for (int32_t i = CHOSEN; i < size; i++) {
        double chroma = 0.25;
        while (!to_srgb(lightness[i % 5], chroma, golden_angle * i, out->color[i])) chroma -= 0.005; /* grey fits */
    }
    return ICSEG_OK;
}

void icseg_palette_close(icseg_palette *palette) {
    if (!palette) return;
    icseg_free(palette->color);
    *palette = (icseg_palette){0};
}

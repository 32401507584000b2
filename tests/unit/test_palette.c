/* SPDX-License-Identifier: Apache-2.0
 * The table of class colours is the result of the search that its comment describes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

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
static void choose_farthest(uint8_t out[CHOSEN][3], candidate *candidates, int count) {
    const candidate *last = &candidates[count * 7 / 10];
    for (int i = 0; i < CHOSEN; i++) {
        const candidate *best = last;
        float best_score = -1;
        memcpy(out[i], last->rgb, 3);
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

static void test_first_colors(void **state) {
    (void)state;
    static candidate candidates[CANDIDATES];
    uint8_t expected[CHOSEN][3];
    choose_farthest(expected, candidates, fill_candidates(candidates));
    icseg_palette palette;
    for (int32_t size = 1; size <= CHOSEN; size += 15) {
        assert_int_equal(icseg_palette_create(&palette, size, NULL), ICSEG_OK);
        assert_int_equal(palette.size, size);
        assert_memory_equal(palette.color, expected, (size_t)size * sizeof *expected);
        icseg_palette_close(&palette);
    }
}

static void test_later_colors_begin_with_the_first(void **state) {
    (void)state;
    icseg_palette few, many;
    assert_int_equal(icseg_palette_create(&few, CHOSEN, NULL), ICSEG_OK);
    assert_int_equal(icseg_palette_create(&many, 900, NULL), ICSEG_OK);
    assert_memory_equal(many.color, few.color, CHOSEN * sizeof *few.color);
    icseg_palette_close(&few);
    icseg_palette_close(&many);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_first_colors),
                                       cmocka_unit_test(test_later_colors_begin_with_the_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

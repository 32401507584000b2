/* SPDX-License-Identifier: Apache-2.0
 * Class colours: hues a golden angle apart, with lightness and colourfulness taking turns, in OKLCh (Ottosson 2020),
 * where equal steps look about equally large. */
#include <math.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"
#include "icseg/image.h"

/* False when (lightness 0..1, chroma, hue in radians) lies outside sRGB. */
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

icseg_status icseg_palette_create(icseg_palette *out, int32_t size, icseg_error *error) {
    enum { MOST = 65534 };
    static const double lightness[5] = {0.68, 0.86, 0.52, 0.76, 0.42};
    const double golden_angle = 2.399963229728653, first_hue = 0.45, full_chroma = 0.25;
    *out = (icseg_palette){0};
    if (size < 1 || size > MOST)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "a palette of %d colours: must be 1..%d", size, MOST);
    out->color = icseg_alloc_array((size_t)size, sizeof *out->color);
    if (!out->color) return icseg_fail_memory(error, (size_t)size * sizeof *out->color, "a palette");
    out->size = size;
    for (int32_t i = 0; i < size; i++) {
        double hue = first_hue + golden_angle * i, chroma = full_chroma;
        while (!to_srgb(lightness[i % 5], chroma, hue, out->color[i])) chroma -= 0.005; /* grey is always inside */
    }
    return ICSEG_OK;
}

void icseg_palette_close(icseg_palette *palette) {
    if (!palette) return;
    icseg_free(palette->color);
    *palette = (icseg_palette){0};
}

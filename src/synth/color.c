/* SPDX-License-Identifier: Apache-2.0
 * The colours of generated scenes. */
#include <math.h>

#include "synth/synth.h"

static const icseg_rgb paints[ICSEG_SYNTH_PAINTS] = {
    [ICSEG_SYNTH_CREAM] = {0.93f, 0.87f, 0.74f},  [ICSEG_SYNTH_WHITE] = {0.92f, 0.92f, 0.90f},
    [ICSEG_SYNTH_SAND] = {0.82f, 0.70f, 0.53f},   [ICSEG_SYNTH_OCHRE] = {0.80f, 0.58f, 0.25f},
    [ICSEG_SYNTH_RUST] = {0.69f, 0.36f, 0.21f},   [ICSEG_SYNTH_RED] = {0.70f, 0.24f, 0.23f},
    [ICSEG_SYNTH_ROSE] = {0.83f, 0.53f, 0.53f},   [ICSEG_SYNTH_BLUSH] = {0.93f, 0.75f, 0.67f},
    [ICSEG_SYNTH_PLUM] = {0.46f, 0.29f, 0.41f},   [ICSEG_SYNTH_LAVENDER] = {0.64f, 0.58f, 0.76f},
    [ICSEG_SYNTH_SLATE] = {0.39f, 0.45f, 0.54f},  [ICSEG_SYNTH_AZURE] = {0.50f, 0.72f, 0.87f},
    [ICSEG_SYNTH_NAVY] = {0.23f, 0.33f, 0.52f},   [ICSEG_SYNTH_TEAL] = {0.24f, 0.53f, 0.54f},
    [ICSEG_SYNTH_MINT] = {0.60f, 0.80f, 0.70f},   [ICSEG_SYNTH_MOSS] = {0.50f, 0.61f, 0.31f},
    [ICSEG_SYNTH_FOREST] = {0.27f, 0.44f, 0.30f}, [ICSEG_SYNTH_OLIVE] = {0.56f, 0.54f, 0.31f},
    [ICSEG_SYNTH_GREY] = {0.58f, 0.58f, 0.57f},   [ICSEG_SYNTH_CHARCOAL] = {0.29f, 0.30f, 0.34f}};

icseg_rgb icseg_synth_pick(icseg_rng *rng, const icseg_synth_paint *choice, size_t count) {
    size_t at = (size_t)icseg_rng_below(rng, choice ? count : ICSEG_SYNTH_PAINTS);
    icseg_rgb color = paints[choice ? choice[at] : at];
    float level = icseg_rng_range(rng, 0.82f, 1.12f);
    float r = icseg_rng_range(rng, -0.05f, 0.05f), g = icseg_rng_range(rng, -0.05f, 0.05f),
          b = icseg_rng_range(rng, -0.05f, 0.05f);
    return icseg_rgb_of(icseg_clamp01(color.r * level + r), icseg_clamp01(color.g * level + g),
                        icseg_clamp01(color.b * level + b));
}

float icseg_rgb_distance(icseg_rgb a, icseg_rgb b) {
    float dr = a.r - b.r, dg = a.g - b.g, db = a.b - b.b;
    return sqrtf(dr * dr + dg * dg + db * db);
}

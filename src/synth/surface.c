/* SPDX-License-Identifier: Apache-2.0
 * Surfaces of the large vocabulary: a pattern colours a material, whose relief is a brightness. Moss, flowers and snow
 * cover both. Features have at least a few pixels (thing.c chooses grain and pitch), so that they can be seen. */
#include <math.h>

#include "synth/synth.h"

/* Distances to the nearest and to the second nearest random point of a cell grid; *own as in icseg_synth_cluster. */
static void nearest_two(float x, float y, uint32_t seed, float *first, float *second, float *own) {
    int32_t fx = (int32_t)floorf(x), fy = (int32_t)floorf(y);
    float a = 9, b = 9;
    for (int32_t j = fy - 1; j <= fy + 1; j++)
        for (int32_t i = fx - 1; i <= fx + 1; i++) {
            float hash = icseg_synth_hash(i, j, seed) * 64, whole = floorf(hash);
            float dx = (float)i + 0.2f + 0.6f * (hash - whole) - x, dy = (float)j + 0.2f + 0.0095f * whole - y;
            float d = dx * dx + dy * dy;
            if (d < a) {
                b = a;
                a = d;
                *own = hash - whole;
            } else if (d < b) {
                b = d;
            }
        }
    *first = sqrtf(a);
    *second = sqrtf(b);
}

float icseg_synth_stones(float x, float y, uint32_t seed) {
    float first, second, own = 0;
    nearest_two(x, y, seed, &first, &second, &own);
    float edge = second - first;
    return (0.72f + 0.4f * own) * (0.32f + 0.68f * icseg_smooth(0.05f, 0.2f, edge)) * (1.08f - 0.25f * first);
}

static float boards(const icseg_synth_part *part, float x, float y) {
    bool upright = part->seed & 1 || part->shape == ICSEG_SYNTH_PICKETS;
    float u = (upright ? x - part->low.x : y) / part->grain, along = (upright ? y : x) / part->grain;
    float number = floorf(u), fu = u - number;
    float own = icseg_synth_hash((int32_t)number, 3, part->seed), edge = fminf(fu, 1 - fu);
    float fibre = icseg_synth_noise(fu * 4 + number * 17, along * 0.45f, part->seed + 1);
    return (0.78f + 0.26f * own) * (0.74f + 0.48f * fibre) * (0.3f + 0.7f * icseg_smooth(0.03f, 0.16f, edge));
}

/* Slanted reflections on sheets with seams and rivets. */
static float metal(const icseg_synth_part *part, float x, float y) {
    float u = x / (part->grain * 3), v = y / (part->grain * 3), fu = icseg_fraction(u), fv = icseg_fraction(v);
    float band = icseg_fraction((x + y * 0.45f) / (part->grain * 4.2f) + 0.1f) - 0.5f;
    float value = 0.72f + 0.75f * expf(-band * band * 26);
    float seam = fminf(fminf(fu, 1 - fu), fminf(fv, 1 - fv));
    value *= 0.5f + 0.5f * icseg_smooth(0.015f, 0.06f, seam);
    float du = fabsf(fu - 0.5f) - 0.34f, dv = fabsf(fv - 0.5f) - 0.34f;
    return value + 0.6f * icseg_smooth(0.11f, 0.06f, sqrtf(du * du + dv * dv));
}

/* Strands that go over and under each other. */
static float weave(const icseg_synth_part *part, float x, float y) {
    float u = x / part->grain, v = y / part->grain, iu = floorf(u), iv = floorf(v), fu = u - iu, fv = v - iv;
    bool level = ((int32_t)iu + (int32_t)iv) & 1;
    float across = level ? fv : fu, along = level ? fu : fv;
    float round = 4 * across * (1 - across), arch = 4 * along * (1 - along);
    return (level ? 1.0f : 0.82f) * (0.36f + 0.5f * round + 0.3f * arch * round);
}

static float tiles(const icseg_synth_part *part, float x, float y) {
    float u = x / (part->grain * 1.3f), v = y / (part->grain * 1.3f), iu = floorf(u), iv = floorf(v), fu = u - iu,
          fv = v - iv;
    float own = icseg_synth_hash((int32_t)iu, (int32_t)iv, part->seed),
          edge = fminf(fminf(fu, 1 - fu), fminf(fv, 1 - fv));
    float shine = icseg_smooth(0.24f, 0.1f, fabsf(fu - fv * 0.6f - 0.15f)) * icseg_smooth(0.4f, 0.6f, fv);
    return icseg_smooth(0.02f, 0.1f, edge) * (0.82f + 0.26f * own + 0.35f * shine);
}

/* Clusters of leaves, each light on top and dark where it meets the next. */
static float foliage(const icseg_synth_part *part, float x, float y) {
    float own = 0, away = icseg_synth_cluster(x / part->grain, y / part->grain, part->seed, &own);
    return (0.66f + 0.5f * own) * (1.15f - 0.6f * icseg_smooth(0.25f, 1, away));
}

static icseg_rgb glass(const icseg_scene *scene, const icseg_synth_part *part, icseg_rgb color, float x, float y) {
    float u = icseg_fraction(x / (part->grain * 2.6f) + 0.5f), v = icseg_fraction(y / (part->grain * 2.6f));
    float edge = fminf(fminf(u, 1 - u), fminf(v, 1 - v));
    float sheen = icseg_fraction((x + y * 0.7f) / (part->grain * 2.6f)) < 0.3f ? 0.6f : 0.15f;
    icseg_rgb pane = icseg_rgb_mix(color, icseg_rgb_mix(scene->back.sky_low, icseg_rgb_of(1, 1, 1), 0.4f), sheen);
    return icseg_rgb_mix(icseg_rgb_scale(color, 0.45f), pane, icseg_smooth(0.04f, 0.1f, edge));
}

/* The colour that the pattern gives to this point of the material. */
static icseg_rgb painted(const icseg_synth_part *part, float x, float y) {
    float u = x / part->pitch, v = y / part->pitch;
    switch (part->pattern) {
    case ICSEG_SYNTH_STRIPED: {
        uint32_t way = part->seed >> 8 & 3;
        float at = way == 0 ? u : way == 1 ? v : way == 2 ? (u + v) * 0.7071f : (u - v) * 0.7071f;
        return icseg_fraction(at * 0.5f) < 0.5f ? part->color : part->second;
    }
    case ICSEG_SYNTH_CHEQUERED: return ((int32_t)floorf(u) + (int32_t)floorf(v)) & 1 ? part->color : part->second;
    case ICSEG_SYNTH_DOTTED: {
        float row = floorf(v * 0.8f), du = icseg_fraction(u * 0.7f + 0.5f * row) - 0.5f, dv = v * 0.8f - row - 0.5f;
        return icseg_rgb_mix(part->second, part->color, icseg_smooth(0.075f, 0.11f, du * du + dv * dv * 0.77f));
    }
    default: return part->color;
    }
}

/* How much of the point is covered from above, and with which colour. */
static float cover(const icseg_synth_part *part, float x, float y, icseg_point normal, icseg_rgb *color) {
    float own = 0, away;
    switch (part->pattern) {
    case ICSEG_SYNTH_MOSSY: {
        float patch = icseg_synth_fractal(x / part->pitch * 0.8f, y / part->pitch * 0.8f, part->seed + 70, 2);
        float mask = icseg_smooth(0.47f, 0.53f, patch);
        if (mask <= 0) return 0;
        away = icseg_synth_cluster(x / part->pitch * 3, y / part->pitch * 3, part->seed + 72, &own);
        *color = icseg_rgb_scale(part->second, (0.7f + 0.45f * own) * (1.15f - 0.5f * icseg_clamp01(away)));
        return mask;
    }
    case ICSEG_SYNTH_FLOWERING:
        away = icseg_synth_cluster(x / part->pitch, y / part->pitch, part->seed + 71, &own);
        *color = icseg_rgb_scale(part->second, 0.9f + 0.3f * own);
        return icseg_smooth(0.62f, 0.45f, away);
    case ICSEG_SYNTH_SNOWY: {
        float rough = icseg_synth_noise(x / part->pitch * 1.5f, y / part->pitch * 1.5f, part->seed + 73) - 0.5f;
        *color = part->second;
        return icseg_smooth(-0.12f, 0.08f, normal.y + rough * 0.9f);
    }
    default: return 0;
    }
}

static icseg_rgb relief(const icseg_scene *scene, const icseg_synth_part *part, float x, float y) {
    icseg_rgb color = painted(part, x, y);
    static const icseg_rgb mortar = {0.86f, 0.83f, 0.77f};
    switch (part->material) {
    case ICSEG_SYNTH_WOOD: return icseg_rgb_scale(color, boards(part, x, y));
    case ICSEG_SYNTH_STONE:
        return icseg_rgb_scale(color, icseg_synth_stones(x / part->grain, y / part->grain * 1.2f, part->seed));
    case ICSEG_SYNTH_MASONRY: {
        float value = icseg_synth_brick(part, x, y);
        return icseg_rgb_mix(icseg_rgb_mix(color, mortar, 0.6f), icseg_rgb_scale(color, fmaxf(value, 0.6f)),
                             icseg_smooth(0, 0.6f, value));
    }
    case ICSEG_SYNTH_METAL: return icseg_rgb_scale(color, metal(part, x, y));
    case ICSEG_SYNTH_WOVEN: return icseg_rgb_scale(color, weave(part, x, y));
    case ICSEG_SYNTH_TILES: {
        float value = tiles(part, x, y);
        return icseg_rgb_mix(icseg_rgb_mix(color, mortar, 0.75f), icseg_rgb_scale(color, fmaxf(value, 0.7f)),
                             icseg_smooth(0, 0.7f, value));
    }
    case ICSEG_SYNTH_PANES: return glass(scene, part, color, x, y);
    case ICSEG_SYNTH_FOLIAGE: return icseg_rgb_scale(color, foliage(part, x, y));
    case ICSEG_SYNTH_BARK:
        return icseg_rgb_scale(color,
                               0.65f + 0.6f * icseg_synth_noise(x / part->grain * 4, y / part->grain, part->seed));
    default: return color;
    }
}

icseg_rgb icseg_synth_coat(const icseg_scene *scene, const icseg_synth_part *part, float x, float y,
                           icseg_point normal) {
    icseg_rgb color = relief(scene, part, x, y), above = {0, 0, 0};
    float covered = cover(part, x, y, normal, &above);
    if (covered > 0) color = icseg_rgb_mix(color, above, covered);
    return icseg_rgb_times(color, icseg_synth_lit(&scene->light, normal.x * part->bulge, normal.y * part->bulge));
}

/* SPDX-License-Identifier: Apache-2.0
 * Textures and light of generated scenes: noise, materials of objects, and the appearance of sky, ridges, grass, road
 * and water. Ground textures consist of rows that grow towards the viewer, so that they neither alias at the horizon
 * nor shear at the sides. */
#include <math.h>

#include "synth/synth.h"

static uint32_t mix(int32_t x, int32_t y, uint32_t seed) {
    uint32_t h = (uint32_t)x * 0x9e3779b1u ^ (uint32_t)y * 0x85ebca77u ^ seed * 0xc2b2ae3du;
    h = (h ^ (h >> 15)) * 0x2c1b3c6du;
    h = (h ^ (h >> 12)) * 0x297a2d39u;
    return h ^ (h >> 15);
}

float icseg_synth_hash(int32_t x, int32_t y, uint32_t seed) { return (float)(mix(x, y, seed) >> 8) * 0x1p-24f; }

float icseg_synth_noise(float x, float y, uint32_t seed) {
    float fx = floorf(x), fy = floorf(y), tx = x - fx, ty = y - fy;
    int32_t ix = (int32_t)fx, iy = (int32_t)fy;
    tx = tx * tx * (3 - 2 * tx);
    ty = ty * ty * (3 - 2 * ty);
    float a = icseg_synth_hash(ix, iy, seed), b = icseg_synth_hash(ix + 1, iy, seed);
    float c = icseg_synth_hash(ix, iy + 1, seed), d = icseg_synth_hash(ix + 1, iy + 1, seed);
    float top = a + (b - a) * tx, bottom = c + (d - c) * tx;
    return top + (bottom - top) * ty;
}

float icseg_synth_fractal(float x, float y, uint32_t seed, int octaves) {
    float sum = 0, weight = 0.5f, total = 0;
    /* NOLINTNEXTLINE(cert-flp30-c): an integer counts */
    for (int i = 0; i < octaves; i++, weight *= 0.5f, x *= 2.03f, y *= 2.03f) {
        sum += weight * icseg_synth_noise(x, y, seed + (uint32_t)i);
        total += weight;
    }
    return sum / total;
}

icseg_rgb icseg_synth_lit(const icseg_synth_light *light, float x, float y) {
    float length = x * x + y * y;
    if (length > 0.95f) {
        float k = sqrtf(0.95f / length);
        x *= k;
        y *= k;
        length = 0.95f;
    }
    float facing = fmaxf(0, x * light->x + y * light->y + sqrtf(1 - length) * fmaxf(light->z, 0.15f));
    return icseg_rgb_add(icseg_rgb_scale(light->ambient, 0.88f + 0.22f * y), icseg_rgb_scale(light->sun, facing));
}

float icseg_synth_brick(const icseg_synth_part *part, float x, float y) {
    float v = y / part->grain, row = floorf(v), u = x / (part->grain * 2.1f) + icseg_fraction(row * 0.5f);
    float fu = icseg_fraction(u), fv = v - row, soft = 0.08f;
    float joint = fminf(icseg_smooth(0.04f, 0.04f + soft, fminf(fu, 1 - fu)),
                        icseg_smooth(0.07f, 0.07f + soft * 2, fminf(fv, 1 - fv)));
    float own = icseg_synth_hash((int32_t)floorf(u), (int32_t)row, part->seed);
    return joint > 0 ? (0.72f + 0.42f * own) * joint : 0;
}

/* Rows of round-ended tiles, each row shading the one below. */
static float tile(const icseg_synth_part *part, float x, float y) {
    float v = -y / (part->grain * 0.8f), row = floorf(v), u = x / part->grain + icseg_fraction(row * 0.5f);
    float fu = icseg_fraction(u) * 2 - 1, fv = v - row, end = 0.72f + 0.28f * sqrtf(fmaxf(0, 1 - fu * fu));
    float own = icseg_synth_hash((int32_t)floorf(u), (int32_t)row, part->seed);
    float shade = fv > end ? 0.35f : 0.68f + 0.34f * fv / end;
    return shade * (0.86f + 0.28f * own) * (1 - 0.35f * icseg_smooth(0.8f, 1, fabsf(fu)));
}

static float plank(const icseg_synth_part *part, float x, float y) {
    float u = (x - part->point[0].x) / part->radius[0], fu = icseg_fraction(u), number = floorf(u);
    float own = icseg_synth_hash((int32_t)number, 3, part->seed), edge = fminf(fu, 1 - fu);
    float wood = icseg_synth_noise(fu * 3 + number * 17, y * 1.5f, part->seed);
    return (0.74f + 0.3f * own) * (0.85f + 0.3f * wood) * (0.38f + 0.62f * icseg_smooth(0.06f, 0.2f, edge));
}

float icseg_synth_cluster(float x, float y, uint32_t seed, float *own) {
    float fx = floorf(x), fy = floorf(y), nearest = 9;
    for (int32_t j = -1; j <= 1; j++)
        for (int32_t i = -1; i <= 1; i++) {
            int32_t cx = (int32_t)fx + i, cy = (int32_t)fy + j;
            uint32_t bits = mix(cx, cy, seed);
            float dx = (float)cx + 0.15f + 0.7f * (float)(bits & 255) / 255 - x;
            float dy = (float)cy + 0.15f + 0.7f * (float)(bits >> 8 & 255) / 255 - y, d = dx * dx + dy * dy;
            if (d >= nearest) continue;
            nearest = d;
            *own = (float)(bits >> 16 & 255) / 255;
        }
    return sqrtf(nearest) * 1.5f;
}

/* Clusters of leaves, each light on top and dark where it meets the next. */
static float leaves(const icseg_synth_part *part, float x, float y) {
    float own = 0, away = icseg_synth_cluster(x / part->grain, y / part->grain, part->seed, &own);
    float fine = icseg_synth_noise(x / part->grain * 3, y / part->grain * 3, part->seed + 9);
    return (0.62f + 0.5f * own) * (1.15f - 0.55f * icseg_smooth(0.25f, 1, away)) * (0.88f + 0.24f * fine);
}

icseg_rgb icseg_synth_surface(const icseg_scene *scene, const icseg_synth_part *part, float x, float y,
                              icseg_point normal) {
    const icseg_synth_light *light = &scene->light;
    icseg_rgb base = part->color;
    icseg_rgb shine = icseg_synth_lit(light, normal.x * part->bulge, normal.y * part->bulge);
    switch (part->material) {
    case ICSEG_SYNTH_PLAIN: break;
    case ICSEG_SYNTH_BRICK: {
        float value = icseg_synth_brick(part, x, y);
        base = icseg_rgb_mix(part->second, icseg_rgb_scale(base, fmaxf(value, 0.6f)), icseg_smooth(0, 0.6f, value));
        break;
    }
    case ICSEG_SYNTH_TILE: base = icseg_rgb_scale(base, tile(part, x, y)); break;
    case ICSEG_SYNTH_PLANK: base = icseg_rgb_scale(base, plank(part, x, y)); break;
    case ICSEG_SYNTH_LEAVES: {
        float value = leaves(part, x, y);
        base = icseg_rgb_scale(icseg_rgb_mix(base, part->second, icseg_smooth(0.75f, 1.15f, value)), value);
        break;
    }
    case ICSEG_SYNTH_GLASS: {
        float sheen = icseg_fraction((x + y * 0.6f) / part->grain) < 0.3f ? 1.0f : 0.0f;
        base = icseg_rgb_mix(base, scene->back.sky_low, 0.2f + 0.35f * sheen);
        break;
    }
    case ICSEG_SYNTH_STRIPES: base = icseg_fraction(y / (part->grain * 2)) < 0.5f ? base : part->second; break;
    case ICSEG_SYNTH_GLOW: return part->color;
    default: break; /* of surface.c */
    }
    return icseg_rgb_times(base, shine);
}

icseg_rgb icseg_synth_sky(const icseg_scene *scene, float x, float y) {
    const icseg_synth_backdrop *back = &scene->back;
    float down = icseg_clamp01(y / scene->horizon);
    icseg_rgb color = icseg_rgb_mix(back->sky_high, back->sky_low, down * (0.35f + 0.65f * down));
    if (back->sun_visible) {
        float dx = x - back->sun.x, dy = y - back->sun.y, far = sqrtf(dx * dx + dy * dy) / scene->unit;
        icseg_rgb sun = icseg_rgb_mix(icseg_rgb_of(1, 0.97f, 0.85f), back->sky_low, 0.2f);
        color = icseg_rgb_mix(color, sun, 0.55f * expf(-far * 7));
        color = icseg_rgb_mix(color, icseg_rgb_of(1, 0.98f, 0.88f), icseg_smooth(0.052f, 0.044f, far));
    }
    /* Clouds flatten and shrink towards the horizon. */
    float u = (x - 0.5f * (float)scene->width) / scene->unit, v = y / scene->horizon;
    float size = 1.25f - 0.65f * v;
    float cover = icseg_synth_fractal(u * 3.2f / size + 11, v * 5.5f / size, back->seed, 3);
    float edge = 0.72f - 0.3f * back->clouds, body = icseg_smooth(edge, edge + 0.1f, cover);
    float under = icseg_synth_fractal(u * 3.2f / size + 11, (v + 0.05f) * 5.5f / size, back->seed, 2);
    icseg_rgb cloud = icseg_rgb_mix(back->cloud, icseg_rgb_mix(back->sky_high, back->cloud, 0.55f),
                                    icseg_smooth(edge + 0.05f, edge + 0.3f, under));
    return icseg_rgb_mix(color, cloud, 0.85f * body * icseg_smooth(0.85f, 0.55f, v));
}

icseg_rgb icseg_synth_ridge_color(const icseg_scene *scene, const icseg_synth_ridge *ridge, float x, float below) {
    /* Faces of rock: slanted bands down either flank, bright on the side of the sun, with strata across. */
    float u = x / ridge->detail, v = below / ridge->detail;
    float bend = icseg_synth_noise(u * 3, v * 3, ridge->seed + 5) * 0.4f;
    float right = icseg_synth_noise((u - v * 0.7f) * 5 + bend, v * 1.2f, ridge->seed + 6);
    float left = icseg_synth_noise((u + v * 0.7f) * 5 - bend, v * 1.2f, ridge->seed + 7);
    float face = icseg_smooth(-0.05f, 0.05f, (right - left) * (scene->light.x < 0 ? -1.0f : 1.0f));
    float strata = icseg_synth_noise(u * 2 + bend, v * 22 + bend * 8, ridge->seed + 9);
    icseg_rgb color = icseg_rgb_scale(ridge->color, (0.52f + 0.56f * face) * (0.85f + 0.3f * strata));
    if (ridge->snow) {
        float line = ridge->height * (0.08f + 0.3f * icseg_synth_noise(u * 5, 0, ridge->seed + 8));
        icseg_rgb snow = icseg_rgb_scale(icseg_rgb_of(0.95f, 0.96f, 1), 0.72f + 0.28f * face);
        color = icseg_rgb_mix(color, snow, icseg_smooth(line + 1.5f, line - 1.5f, below));
    }
    icseg_rgb level = icseg_rgb_add(scene->light.ambient, icseg_rgb_scale(scene->light.sun, 0.5f));
    return icseg_rgb_mix(icseg_rgb_times(color, level), scene->back.haze,
                         icseg_clamp01(ridge->haze + 0.15f * below / (ridge->height + 1)));
}

/* A row of ground texture: its number, its height in pixels, and the position of a pixel in it (0: top, 1: bottom). */
typedef struct row {
    int32_t number;
    float height, down;
} row;

static row row_at(const icseg_scene *scene, float y, float ratio) {
    float start = 0.22f * ((float)scene->height - scene->horizon), step = logf(ratio);
    float v = logf((y - scene->horizon + start) / start) / step;
    float number = floorf(v);
    return (row){(int32_t)number, start * expf(number * step) * (ratio - 1), v - number};
}

static icseg_rgb flat_light(const icseg_scene *scene) { return icseg_synth_lit(&scene->light, 0, 0.8f); }

/* Blades of grass: the tips of one row reach into the row behind it. */
icseg_rgb icseg_synth_grass(const icseg_scene *scene, float x, float y) {
    const icseg_synth_backdrop *back = &scene->back;
    const float ratio = 1.15f;
    row r = row_at(scene, y, ratio);
    float off = x - 0.5f * (float)scene->width, down = r.down;
    int32_t number = r.number + 1;
    float u = off / (r.height * ratio) * 1.7f + 31.4f * icseg_synth_hash(number, 1, back->seed);
    float tall = 0.45f + 0.65f * icseg_synth_hash((int32_t)floorf(u), number, back->seed + 20);
    float peak = 1 - fabsf(2 * icseg_fraction(u) - 1), tip = 1 - down;
    if (tip < tall * peak) {
        down = -tip;
    } else {
        number = r.number;
        u = off / r.height * 1.7f + 31.4f * icseg_synth_hash(number, 1, back->seed);
    }
    float blade = icseg_synth_hash((int32_t)floorf(u), number, back->seed + 21), fu = icseg_fraction(u);
    float patch = icseg_synth_fractal(x / scene->unit * 3, (y - scene->horizon) / scene->unit * 7, back->seed + 22, 2);
    icseg_rgb color = icseg_rgb_mix(back->grass, back->grass_second, icseg_smooth(0.35f, 0.7f, patch));
    float shade = (0.74f + 0.38f * blade) * (1.1f - 0.32f * icseg_clamp01(down * 0.7f + 0.45f)) * (0.86f + 0.24f * fu);
    color = icseg_rgb_scale(color, shade);
    if (number == r.number && icseg_synth_hash((int32_t)floorf(u * 0.5f), number, back->seed + 23) < back->flowers) {
        float dx = icseg_fraction(u * 0.5f) - 0.5f, dy = (r.down - 0.35f) * 0.85f;
        color = icseg_rgb_mix(color, back->flower, icseg_smooth(0.1f, 0.05f, dx * dx + dy * dy));
    }
    return icseg_rgb_times(color, flat_light(scene));
}

icseg_rgb icseg_synth_road_color(const icseg_scene *scene, const icseg_synth_ground *ground, float x, float y) {
    const icseg_synth_backdrop *back = &scene->back;
    row r = row_at(scene, y, 1.08f);
    float speck = icseg_synth_noise((x - 0.5f * (float)scene->width) / r.height * 1.2f, (float)r.number * 1.7f + r.down,
                                    back->seed + 30);
    float wear = icseg_synth_fractal(x / scene->unit * 4, (y - scene->horizon) / scene->unit * 9, back->seed + 31, 2);
    icseg_rgb color = icseg_rgb_scale(back->road, 0.86f + 0.1f * speck + 0.16f * wear);
    float across = fabsf(ground->across), line = 0;
    float along = back->road_kind == ICSEG_SYNTH_ROAD_AHEAD ? 2.2f * scene->unit / (ground->scale * 4.5f)
                                                            : (x - 0.5f * (float)scene->width) / (ground->scale * 2.6f);
    if (icseg_fraction(along) < 0.55f) line = icseg_smooth(0.085f, 0.055f, across);
    line = fmaxf(line, icseg_smooth(0.8f, 0.83f, across) * icseg_smooth(0.93f, 0.9f, across));
    float near = icseg_smooth(0.06f, 0.18f, ground->scale * scene->camera / scene->unit);
    color = icseg_rgb_mix(color, back->road_line, 0.9f * line * near);
    return icseg_rgb_times(color, flat_light(scene));
}

/* Lens-shaped crests with troughs below them; the sky is reflected in the distance. */
icseg_rgb icseg_synth_water_color(const icseg_scene *scene, float x, float y) {
    const icseg_synth_backdrop *back = &scene->back;
    float near = icseg_clamp01((y - scene->horizon) / ((float)scene->height - scene->horizon)),
          off = x - 0.5f * (float)scene->width;
    float wave = 0.012f * scene->unit * (0.4f + near) * sinf(off / (scene->unit * (0.03f + 0.05f * near)));
    row r = row_at(scene, fmaxf(y + 0.35f * wave, scene->horizon), 1.085f);
    float u = off / r.height * 0.19f + 17 * icseg_synth_hash(r.number, 2, back->seed), cell = floorf(u);
    float own = icseg_synth_hash((int32_t)cell, r.number, back->seed + 40), long_half = 0.28f + 0.2f * own;
    float along = (u - cell - 0.5f) / long_half, lens = fmaxf(0, 1 - along * along);
    float height = r.down - 0.4f, below = r.down - 0.75f;
    float swell = icseg_synth_fractal(off / scene->unit * 5, near * 16, back->seed + 41, 2);
    icseg_rgb color = icseg_rgb_mix(back->water, back->sky_low, 0.4f * (1 - near) * (1 - near));
    color = icseg_rgb_times(icseg_rgb_scale(color, 0.76f + 0.3f * swell), flat_light(scene));
    color = icseg_rgb_scale(color, 1 - 0.3f * lens * icseg_smooth(0.3f, 0.1f, fabsf(below)));
    icseg_rgb bright = icseg_rgb_mix(back->sky_low, icseg_rgb_of(1, 1, 1), 0.4f);
    if (own > 0.2f)
        color = icseg_rgb_mix(color, bright,
                              0.75f * icseg_smooth(0.32f * lens, 0.16f * lens, fabsf(height)) * fminf(1, lens * 3));
    return color;
}

/* SPDX-License-Identifier: Apache-2.0
 * Paints sky, hills and ground of the large vocabulary's scenes. The ground's materials are drawn in perspective:
 * the distance from the viewer is unit / scale metres. They fade where a pixel covers more than a feature. */
#include <math.h>

#include "synth/synth.h"

static icseg_rgb sky(const icseg_scene *scene, float x, float y) {
    const icseg_synth_backdrop *back = &scene->back;
    if (scene->terrain.sky == ICSEG_SKY_CLOUDY) return icseg_synth_sky(scene, x, y);
    float down = icseg_clamp01(y / scene->horizon);
    icseg_rgb color = icseg_rgb_mix(back->sky_high, back->sky_low, down * (0.35f + 0.65f * down));
    if (scene->terrain.sky != ICSEG_SKY_STARRY) return color;
    float cell = scene->unit * 0.075f, own = 0, away = icseg_synth_cluster(x / cell, y / cell, back->seed, &own);
    float size = own > 0.45f ? 0.5f * own - 0.1f : 0.02f; /* some cells have no star */
    return icseg_rgb_mix(color, icseg_rgb_of(1, 0.98f, 0.86f), icseg_smooth(size, size * 0.5f, away));
}

/* Crowns of trees, smaller towards the top. */
static icseg_rgb wooded(const icseg_scene *scene, const icseg_synth_ridge *ridge, float x, float below) {
    float size = scene->unit * 0.045f, own = 0, away = icseg_synth_cluster(x / size, below / size, ridge->seed, &own);
    icseg_rgb color = icseg_rgb_scale(ridge->color, (0.5f + 0.6f * own) * (1.2f - 0.7f * icseg_clamp01(away)));
    icseg_rgb level = icseg_rgb_add(scene->light.ambient, icseg_rgb_scale(scene->light.sun, 0.5f));
    return icseg_rgb_mix(icseg_rgb_times(color, level), scene->back.haze, ridge->haze);
}

static float hill_top(const icseg_scene *scene, const icseg_synth_ridge *ridge, float x) {
    float top = icseg_synth_ridge_top(scene, ridge, x);
    if (scene->terrain.hill != ICSEG_HILL_WOODED) return top;
    float tree = scene->unit * 0.03f; /* pointed tree tops on a low ridge */
    float low = scene->horizon - 0.55f * (scene->horizon - top);
    return low -
           tree * (1 - fabsf(2 * icseg_fraction(x / tree) - 1)) * icseg_synth_hash((int32_t)(x / tree), 0, ridge->seed);
}

void icseg_terrain_paint_far(const icseg_scene *scene, icseg_synth_canvas *c) {
    const icseg_synth_terrain *terrain = &scene->terrain;
    const icseg_synth_ridge *ridge = &scene->back.ridge[0];
    int32_t limit = (int32_t)ceilf(scene->horizon) + 1;
    for (int32_t x = c->seen.x0; x < c->seen.x1 && limit > 0; x++) {
        float px = (float)x + 0.5f, top = terrain->hill_label >= 0 ? hill_top(scene, ridge, px) : 1e9f;
        for (int32_t y = c->seen.y0; y < c->seen.y1 && y < limit; y++) {
            float py = (float)y + 0.5f, cover = icseg_clamp01(0.5f + py - top);
            size_t at = (size_t)y * (size_t)c->width + (size_t)x;
            icseg_rgb color = {0, 0, 0};
            if (cover < 1) color = sky(scene, px, py);
            if (cover > 0)
                color = icseg_rgb_mix(color,
                                      terrain->hill == ICSEG_HILL_WOODED
                                          ? wooded(scene, ridge, px, py - top)
                                          : icseg_synth_ridge_color(scene, ridge, px, py - top),
                                      cover);
            c->color[at] = color;
            c->labels->data[at] = (int16_t)(cover >= 0.5f ? terrain->hill_label : terrain->sky_label);
        }
    }
}

/* A point of the ground: metres right of the viewer and away from him, and how well features of a floor's grain can be
 * seen there. */
typedef struct spot {
    float x, z, clear;
} spot;

static spot spot_at(const icseg_scene *scene, float scale, float x, float grain) {
    float z = scene->unit / scale, deep = z / (scale * scene->camera); /* of a pixel, metres */
    return (spot){(x - 0.5f * (float)scene->width) / scale, z, icseg_smooth(1.1f, 0.3f, deep / grain)};
}

static float blend(float value, const spot *s, float mean) { return mean + (value - mean) * s->clear; }

static icseg_rgb bricks(const icseg_synth_floor *floor, const spot *s) {
    const icseg_synth_part flat = {.grain = floor->grain, .seed = floor->seed};
    float value = icseg_synth_brick(&flat, s->x, s->z);
    icseg_rgb joint = icseg_rgb_mix(floor->color, icseg_rgb_of(0.86f, 0.83f, 0.77f), 0.6f);
    icseg_rgb color =
        icseg_rgb_mix(joint, icseg_rgb_scale(floor->color, fmaxf(value, 0.6f)), icseg_smooth(0, 0.6f, value));
    return icseg_rgb_mix(icseg_rgb_scale(floor->color, 0.9f), color, s->clear);
}

/* Square slabs in two colours. */
static icseg_rgb slabs(const icseg_synth_floor *floor, const spot *s) {
    float u = s->x / (floor->grain * 1.6f), v = s->z / (floor->grain * 1.6f), iu = floorf(u), iv = floorf(v);
    float edge = fminf(0.5f - fabsf(u - iu - 0.5f), 0.5f - fabsf(v - iv - 0.5f));
    icseg_rgb slab = ((int32_t)iu + (int32_t)iv) & 1 ? floor->color : floor->second;
    slab = icseg_rgb_scale(slab, (0.88f + 0.2f * icseg_synth_hash((int32_t)iu, (int32_t)iv, floor->seed)) *
                                     (0.55f + 0.45f * icseg_smooth(0.02f, 0.09f, edge)));
    return icseg_rgb_mix(icseg_rgb_mix(floor->color, floor->second, 0.5f), slab, s->clear);
}

static float planks(const icseg_synth_floor *floor, const spot *s) { /* across the way */
    float v = s->z / floor->grain, number = floorf(v), fv = v - number;
    float fibre = icseg_synth_noise(s->x / floor->grain * 0.5f + number * 9, fv * 4, floor->seed);
    float own = icseg_synth_hash((int32_t)number, 5, floor->seed), edge = fminf(fv, 1 - fv);
    return (0.76f + 0.3f * own) * (0.74f + 0.46f * fibre) * (0.3f + 0.7f * icseg_smooth(0.03f, 0.16f, edge));
}

static icseg_rgb furrows(const icseg_synth_floor *floor, const spot *s) { /* lead away from the viewer */
    float bend = icseg_synth_noise(s->x * 0.7f, s->z * 0.5f, floor->seed) * 0.5f;
    float row = icseg_fraction(s->x / (floor->grain * 2) + bend), ridge = 1 - fabsf(2 * row - 1);
    float clod = icseg_synth_noise(s->x / floor->grain * 4, s->z / floor->grain * 2, floor->seed + 1);
    icseg_rgb color = icseg_rgb_mix(floor->color, floor->second, icseg_smooth(0.72f, 0.9f, ridge));
    return icseg_rgb_scale(color, (0.42f + 0.6f * ridge) * (0.8f + 0.4f * blend(clod, s, 0.5f)));
}

static float dunes(const icseg_scene *scene, const icseg_synth_floor *floor, const spot *s, float x, float y) {
    float bend = icseg_synth_noise(s->x / floor->grain * 0.4f, s->z / floor->grain * 0.4f, floor->seed);
    float ripple = sinf(s->z / floor->grain * 4.2f + bend * 9);
    float grain = icseg_synth_hash((int32_t)x, (int32_t)y, floor->seed + 3);
    float rise = icseg_synth_noise(x / scene->unit * 4, y / scene->unit * 9, floor->seed + 4);
    return 0.82f + 0.13f * ripple * s->clear + 0.16f * grain + 0.1f * rise;
}

static float drifts(const icseg_scene *scene, const icseg_synth_floor *floor, float x, float y) {
    float drift = icseg_synth_fractal(x / scene->unit * 2.2f, y / scene->unit * 8, floor->seed, 2);
    float glint = icseg_synth_hash((int32_t)(x * 0.5f), (int32_t)(y * 0.5f), floor->seed + 1);
    return 0.8f + 0.3f * drift + (glint > 0.985f ? 0.25f : 0);
}

static float asphalt(const icseg_scene *scene, const icseg_synth_floor *floor, float x, float y) {
    float speck = icseg_synth_hash((int32_t)x, (int32_t)y, floor->seed);
    float wear = icseg_synth_noise(x / scene->unit * 5, y / scene->unit * 11, floor->seed + 1);
    return 0.74f + 0.26f * speck * speck + 0.16f * wear;
}

/* Dashes in the middle of a road and lines along its edges. */
static float lines(const icseg_scene *scene, const icseg_synth_ground *ground, float x) {
    float across = fabsf(ground->across), line = icseg_smooth(0.8f, 0.83f, across) * icseg_smooth(0.93f, 0.9f, across);
    float along = scene->back.road_kind == ICSEG_SYNTH_ROAD_AHEAD
                      ? scene->unit / ground->scale * 0.5f
                      : (x - 0.5f * (float)scene->width) / ground->scale * 0.4f;
    return icseg_fraction(along) < 0.55f ? fmaxf(line, icseg_smooth(0.085f, 0.055f, across)) : line;
}

/* A mirror of the sky with a few long streaks. */
static icseg_rgb calm(const icseg_scene *scene, const icseg_synth_floor *floor, float x, float y) {
    float down = icseg_clamp01((y - scene->horizon) / ((float)scene->height - scene->horizon));
    float streak = icseg_synth_noise(x / scene->unit * 1.6f, down * 34, floor->seed);
    icseg_rgb color = icseg_rgb_mix(scene->back.sky_low, scene->back.sky_high, down);
    color = icseg_rgb_mix(color, floor->color, 0.35f + 0.4f * down);
    return icseg_rgb_scale(icseg_rgb_mix(color, icseg_rgb_of(1, 1, 1), 0.3f * icseg_smooth(0.72f, 0.85f, streak)),
                           0.92f);
}

static icseg_rgb floor_color(const icseg_scene *scene, const icseg_synth_floor *floor, const icseg_synth_ground *ground,
                             float x, float y) {
    spot s = spot_at(scene, ground->scale, x, floor->grain);
    float value;
    switch (floor->kind) {
    case ICSEG_FLOOR_GRASS:
    case ICSEG_FLOOR_FLOWERS: return icseg_synth_grass(scene, x, y);
    case ICSEG_FLOOR_RIPPLES: return icseg_synth_water_color(scene, x, y);
    case ICSEG_FLOOR_CALM: return calm(scene, floor, x, y);
    case ICSEG_FLOOR_BRICKS: return icseg_rgb_times(bricks(floor, &s), icseg_synth_lit(&scene->light, 0, 0.8f));
    case ICSEG_FLOOR_TILES: return icseg_rgb_times(slabs(floor, &s), icseg_synth_lit(&scene->light, 0, 0.8f));
    case ICSEG_FLOOR_FURROWS: return icseg_rgb_times(furrows(floor, &s), icseg_synth_lit(&scene->light, 0, 0.8f));
    case ICSEG_FLOOR_SAND: value = dunes(scene, floor, &s, x, y); break;
    case ICSEG_FLOOR_DRY:
    case ICSEG_FLOOR_COBBLES: {
        float size = floor->kind == ICSEG_FLOOR_DRY ? floor->grain * 2.6f : floor->grain * 1.3f;
        value = blend(icseg_synth_stones(s.x / size, s.z / size, floor->seed), &s, 0.75f);
        if (floor->kind == ICSEG_FLOOR_DRY) value = 0.35f + 0.62f * value; /* flatter than stones */
        break;
    }
    case ICSEG_FLOOR_SNOW: value = drifts(scene, floor, x, y); break;
    case ICSEG_FLOOR_BOARDS: value = blend(planks(floor, &s), &s, 0.8f); break;
    default: value = asphalt(scene, floor, x, y);
    }
    icseg_rgb color = icseg_rgb_scale(floor->color, value);
    if (floor->kind == ICSEG_FLOOR_ASPHALT && ground->road > 0)
        color = icseg_rgb_mix(color, floor->second, 0.9f * lines(scene, ground, x) * s.clear);
    return icseg_rgb_times(color, icseg_synth_lit(&scene->light, 0, 0.8f));
}

void icseg_terrain_paint_ground(const icseg_scene *scene, icseg_synth_canvas *c) {
    const icseg_synth_terrain *terrain = &scene->terrain;
    int32_t first = (int32_t)scene->horizon > c->seen.y0 ? (int32_t)scene->horizon : c->seen.y0;
    for (int32_t y = first; y < c->seen.y1; y++) {
        float py = (float)y + 0.5f, cover = icseg_clamp01(0.5f + py - scene->horizon);
        float haze = 0.5f * expf(-(py - scene->horizon) / (0.1f * ((float)c->height - scene->horizon)));
        if (cover <= 0) continue;
        for (int32_t x = c->seen.x0; x < c->seen.x1; x++) {
            float px = (float)x + 0.5f;
            size_t at = (size_t)y * (size_t)c->width + (size_t)x;
            icseg_synth_ground ground = icseg_synth_ground_at(scene, px, py);
            float strip = fmaxf(ground.road, ground.water);
            icseg_rgb color = {0, 0, 0};
            if (strip < 1) color = floor_color(scene, &terrain->floor, &ground, px, py);
            if (strip > 0) color = icseg_rgb_mix(color, floor_color(scene, &terrain->strip, &ground, px, py), strip);
            color = icseg_rgb_scale(color, 1 - scene->light.shadow * c->shadow[at]);
            color = icseg_rgb_mix(color, scene->back.haze, haze);
            c->color[at] = icseg_rgb_mix(c->color[at], color, cover);
            if (cover >= 0.5f)
                c->labels->data[at] = (int16_t)(strip >= 0.5f ? terrain->strip.label : terrain->floor.label);
        }
    }
}

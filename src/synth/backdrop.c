/* SPDX-License-Identifier: Apache-2.0
 * Paints sky, ridges and ground of the small vocabulary's scenes. */
#include <math.h>

#include "synth/synth.h"

float icseg_synth_ridge_top(const icseg_scene *scene, const icseg_synth_ridge *ridge, float x) {
    float u = x / ridge->detail, peaks = 0, weight = 0.6f;
    /* NOLINTNEXTLINE(cert-flp30-c): an integer counts */
    for (int i = 0; i < 4; i++, weight *= 0.42f, u *= 2.1f) /* folded noise: sharp peaks, round valleys */
        peaks += weight * (1 - fabsf(2 * icseg_synth_noise(u, 0.5f, ridge->seed + (uint32_t)i) - 1));
    return scene->horizon - ridge->height * icseg_clamp01(0.18f + 0.8f * peaks);
}

void icseg_synth_paint_far(const icseg_scene *scene, icseg_synth_canvas *c) {
    const icseg_synth_backdrop *back = &scene->back;
    int32_t limit = (int32_t)ceilf(scene->horizon) + 1;
    for (int32_t x = c->seen.x0; x < c->seen.x1; x++) {
        float px = (float)x + 0.5f, top[2] = {0, 0};
        for (int32_t i = 0; i < back->ridges; i++) top[i] = icseg_synth_ridge_top(scene, &back->ridge[i], px);
        for (int32_t y = c->seen.y0; y < c->seen.y1 && y < limit; y++) {
            float py = (float)y + 0.5f;
            size_t at = (size_t)y * (size_t)c->width + (size_t)x;
            icseg_rgb color = icseg_synth_sky(scene, px, py);
            icseg_synth_class label = ICSEG_SYNTH_SKY;
            for (int32_t i = 0; i < back->ridges; i++) {
                float cover = icseg_clamp01(0.5f + py - top[i]);
                if (cover <= 0) continue;
                icseg_rgb rock = icseg_synth_ridge_color(scene, &back->ridge[i], px, py - top[i]);
                color = icseg_rgb_mix(color, rock, cover);
                if (cover >= 0.5f) label = ICSEG_SYNTH_MOUNTAIN;
            }
            c->color[at] = color;
            c->labels->data[at] = (int16_t)label;
        }
    }
}

void icseg_synth_paint_ground(const icseg_scene *scene, icseg_synth_canvas *c) {
    int32_t first = (int32_t)scene->horizon > c->seen.y0 ? (int32_t)scene->horizon : c->seen.y0;
    for (int32_t y = first; y < c->seen.y1; y++) {
        float py = (float)y + 0.5f, cover = icseg_clamp01(0.5f + py - scene->horizon);
        float haze = 0.55f * expf(-(py - scene->horizon) / (0.12f * ((float)c->height - scene->horizon)));
        if (cover <= 0) continue;
        for (int32_t x = c->seen.x0; x < c->seen.x1; x++) {
            float px = (float)x + 0.5f;
            size_t at = (size_t)y * (size_t)c->width + (size_t)x;
            icseg_synth_ground ground = icseg_synth_ground_at(scene, px, py);
            icseg_rgb color = {0, 0, 0};
            icseg_synth_class label = ICSEG_SYNTH_GRASS;
            if (ground.road < 1 && ground.water < 1) color = icseg_synth_grass(scene, px, py);
            if (ground.road < 1 && ground.water > 0) {
                icseg_rgb rim = icseg_rgb_mix(color, icseg_rgb_of(0.9f, 0.88f, 0.8f), 0.5f);
                icseg_rgb water = icseg_synth_water_color(scene, px, py);
                color = icseg_rgb_mix(ground.water < 1 ? rim : color, water, ground.water);
            }
            if (ground.road > 0)
                color = icseg_rgb_mix(color, icseg_synth_road_color(scene, &ground, px, py), ground.road);
            if (ground.water >= 0.5f) label = ICSEG_SYNTH_WATER;
            if (ground.road >= 0.5f) label = ICSEG_SYNTH_ROAD;
            color = icseg_rgb_scale(color, 1 - scene->light.shadow * c->shadow[at]);
            color = icseg_rgb_mix(color, scene->back.haze, haze);
            c->color[at] = icseg_rgb_mix(c->color[at], color, cover);
            if (cover >= 0.5f) c->labels->data[at] = (int16_t)label;
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0
 * Paints a composed scene from far to near. A part's signed distance determines the share of a pixel that it covers. It
 * sets the label of pixels of which it covers at least half: masks are exact to the pixel, colours are antialiased. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "synth/synth.h"

typedef struct canvas {
    icseg_rgb *color; /* (height, width) */
    float *shadow;    /* (height, width): 0..1 */
    icseg_labels *labels;
    int32_t width, height;
} canvas;

static float ridge_top(const icseg_scene *scene, const icseg_synth_ridge *ridge, float x) {
    float u = x / ridge->detail, peaks = 0, weight = 0.6f;
    /* NOLINTNEXTLINE(cert-flp30-c): an integer counts */
    for (int i = 0; i < 4; i++, weight *= 0.42f, u *= 2.1f) /* folded noise: sharp peaks, round valleys */
        peaks += weight * (1 - fabsf(2 * icseg_synth_noise(u, 0.5f, ridge->seed + (uint32_t)i) - 1));
    return scene->horizon - ridge->height * icseg_clamp01(0.18f + 0.8f * peaks);
}

static void paint_backdrop(const icseg_scene *scene, canvas *c) {
    const icseg_synth_backdrop *back = &scene->back;
    int32_t limit = (int32_t)ceilf(scene->horizon) + 1;
    for (int32_t x = 0; x < c->width; x++) {
        float px = (float)x + 0.5f, top[2] = {0, 0};
        for (int32_t i = 0; i < back->ridges; i++) top[i] = ridge_top(scene, &back->ridge[i], px);
        for (int32_t y = 0; y < c->height && y < limit; y++) {
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

static void paint_ground(const icseg_scene *scene, canvas *c) {
    for (int32_t y = (int32_t)scene->horizon; y < c->height; y++) {
        float py = (float)y + 0.5f, cover = icseg_clamp01(0.5f + py - scene->horizon);
        float haze = 0.55f * expf(-(py - scene->horizon) / (0.12f * ((float)c->height - scene->horizon)));
        if (cover <= 0) continue;
        for (int32_t x = 0; x < c->width; x++) {
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

typedef struct window { /* pixels, end exclusive */
    int32_t x0, y0, x1, y1;
} window;

static int32_t clamp_pixel(float value, int32_t limit) {
    return value <= 0 ? 0 : value >= (float)limit ? limit : (int32_t)value;
}

static window window_of(const canvas *c, float x0, float y0, float x1, float y1) {
    return (window){clamp_pixel(floorf(fminf(x0, x1) - 1), c->width), clamp_pixel(floorf(fminf(y0, y1) - 1), c->height),
                    clamp_pixel(ceilf(fmaxf(x0, x1) + 1), c->width), clamp_pixel(ceilf(fmaxf(y0, y1) + 1), c->height)};
}

/* A part's shadow is its outline, projected to the ground along the sun's rays. */
static void cast_shadow(const icseg_scene *scene, const icseg_synth_part *part, canvas *c) {
    const icseg_synth_light *light = &scene->light;
    float lean = -light->x / light->y, forward = -light->z / light->y;
    float drop = -forward * part->scale * scene->camera / scene->unit; /* up the image, per pixel of height */
    if (fabsf(drop) < 0.16f) drop = drop < 0 ? -0.16f : 0.16f;
    if (fabsf(drop) > 0.8f) drop = drop < 0 ? -0.8f : 0.8f;
    float s = part->scale, low = part->low.y * s, high = part->high.y * s;
    float x_low = part->foot.x + part->low.x * s, x_high = part->foot.x + part->high.x * s;
    window w = window_of(c, fminf(x_low + low * lean, x_low + high * lean), part->foot.y - low * drop,
                         fmaxf(x_high + low * lean, x_high + high * lean), part->foot.y - high * drop);
    float soft = fmaxf(1, 0.012f * scene->unit);
    for (int32_t y = w.y0; y < w.y1; y++) {
        float up = (part->foot.y - ((float)y + 0.5f)) / drop;
        for (int32_t x = w.x0; x < w.x1; x++) {
            float along = (float)x + 0.5f - up * lean - part->foot.x;
            float d = icseg_synth_distance(part, along / s, up / s, NULL) * s;
            float *held = &c->shadow[(size_t)y * (size_t)c->width + (size_t)x];
            float cover = icseg_clamp01(0.5f - d / (2 * soft));
            if (cover > *held) *held = cover;
        }
    }
}

static void paint_part(const icseg_scene *scene, const icseg_synth_part *part, canvas *c) {
    float s = part->scale, rim = fmaxf(0.7f, 0.006f * scene->unit);
    window w = window_of(c, part->foot.x + part->low.x * s, part->foot.y - part->high.y * s,
                         part->foot.x + part->high.x * s, part->foot.y - part->low.y * s);
    for (int32_t y = w.y0; y < w.y1; y++) {
        float ly = (part->foot.y - ((float)y + 0.5f)) / s;
        for (int32_t x = w.x0; x < w.x1; x++) {
            float lx = ((float)x + 0.5f - part->foot.x) / s;
            icseg_point normal;
            float d = icseg_synth_distance(part, lx, ly, &normal) * s, cover = icseg_clamp01(0.5f - d);
            if (cover <= 0) continue;
            size_t at = (size_t)y * (size_t)c->width + (size_t)x;
            icseg_rgb color = icseg_synth_surface(scene, part, lx, ly, normal);
            if (part->material != ICSEG_SYNTH_GLOW) {
                float dirt = 1 - 0.22f * expf(-fmaxf(ly, 0) * 5); /* less light reaches the foot */
                color = icseg_rgb_scale(color, dirt * (0.68f + 0.32f * icseg_smooth(0, rim * 1.6f, -d)));
                color = icseg_rgb_mix(color, scene->back.haze, part->haze);
            }
            c->color[at] = icseg_rgb_mix(c->color[at], color, cover);
            if (cover >= 0.5f) c->labels->data[at] = (int16_t)part->label;
        }
    }
}

/* Light around lit lamps and windows, added to the colours there. */
static void paint_glow(const icseg_synth_part *part, canvas *c) {
    float s = part->scale, x = part->foot.x + 0.5f * (part->low.x + part->high.x) * s;
    float y = part->foot.y - 0.5f * (part->low.y + part->high.y) * s;
    float reach = fmaxf(part->high.x - part->low.x, part->high.y - part->low.y) * s * 1.6f;
    window w = window_of(c, x - reach, y - reach, x + reach, y + reach);
    for (int32_t py = w.y0; py < w.y1; py++)
        for (int32_t px = w.x0; px < w.x1; px++) {
            float dx = ((float)px + 0.5f - x) / reach, dy = ((float)py + 0.5f - y) / reach;
            float k = icseg_clamp01(1 - sqrtf(dx * dx + dy * dy));
            icseg_rgb *held = &c->color[(size_t)py * (size_t)c->width + (size_t)px];
            *held = icseg_rgb_add(*held, icseg_rgb_scale(part->color, 0.3f * k * k));
        }
}

static uint8_t to_byte(float value) { return (uint8_t)(icseg_clamp01(value) * 255 + 0.5f); }

/* Exposure, a soft shoulder instead of clipping, a little vignette and sensor noise. */
static void develop(const icseg_scene *scene, const canvas *c, icseg_image *image) {
    for (int32_t y = 0; y < c->height; y++)
        for (int32_t x = 0; x < c->width; x++) {
            size_t at = (size_t)y * (size_t)c->width + (size_t)x;
            float dx = ((float)x + 0.5f) / (float)c->width - 0.5f, dy = ((float)y + 0.5f) / (float)c->height - 0.5f;
            float noise = (icseg_synth_hash(x, y, scene->back.seed + 60) - 0.5f) * 0.025f;
            float level = scene->light.exposure * (1.04f - 0.28f * (dx * dx + dy * dy));
            float value[3] = {c->color[at].r, c->color[at].g, c->color[at].b};
            for (int i = 0; i < 3; i++) {
                float v = value[i] * level;
                if (v > 0.8f) v = 0.8f + 0.2f * (1 - expf(-(v - 0.8f) * 5));
                image->data[at * 3 + (size_t)i] = to_byte(v + noise);
            }
        }
}

icseg_status icseg_scene_paint(const icseg_scene *scene, icseg_image *image, icseg_labels *labels, icseg_error *error) {
    canvas c = {.labels = labels, .width = scene->width, .height = scene->height};
    size_t pixels = (size_t)scene->width * (size_t)scene->height;
    c.color = icseg_calloc_array(pixels, sizeof *c.color);
    c.shadow = icseg_calloc_array(pixels, sizeof *c.shadow);
    icseg_status status = ICSEG_OK;
    if (!c.color || !c.shadow) {
        status = icseg_fail_memory(error, pixels * (sizeof *c.color + sizeof *c.shadow), "a generated scene");
    } else {
        paint_backdrop(scene, &c);
        if (scene->light.shadow > 0.05f)
            for (size_t i = 0; i < scene->parts; i++)
                if (!scene->part[i].flat) cast_shadow(scene, &scene->part[i], &c);
        paint_ground(scene, &c);
        for (size_t i = 0; i < scene->parts; i++) paint_part(scene, &scene->part[i], &c);
        for (size_t i = 0; i < scene->parts; i++)
            if (scene->part[i].material == ICSEG_SYNTH_GLOW) paint_glow(&scene->part[i], &c);
        develop(scene, &c, image);
    }
    icseg_free(c.color);
    icseg_free(c.shadow);
    return status;
}

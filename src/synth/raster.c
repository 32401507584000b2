/* SPDX-License-Identifier: Apache-2.0
 * Paints a composed scene from far to near. A part's signed distance determines the share of a pixel that it covers. It
 * sets the label of pixels of which it covers at least half: masks are exact to the pixel, colours are antialiased. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "synth/synth.h"

static int32_t clamp_pixel(float value, int32_t low, int32_t high) {
    return value <= (float)low ? low : value >= (float)high ? high : (int32_t)value;
}

static icseg_synth_window window_of(const icseg_synth_canvas *c, float x0, float y0, float x1, float y1) {
    const icseg_synth_window *seen = &c->seen;
    return (icseg_synth_window){clamp_pixel(floorf(fminf(x0, x1) - 1), seen->x0, seen->x1),
                                clamp_pixel(floorf(fminf(y0, y1) - 1), seen->y0, seen->y1),
                                clamp_pixel(ceilf(fmaxf(x0, x1) + 1), seen->x0, seen->x1),
                                clamp_pixel(ceilf(fmaxf(y0, y1) + 1), seen->y0, seen->y1)};
}

/* A part's shadow is its outline, projected to the ground along the sun's rays. */
static void cast_shadow(const icseg_scene *scene, const icseg_synth_part *part, icseg_synth_canvas *c) {
    const icseg_synth_light *light = &scene->light;
    float lean = -light->x / light->y, forward = -light->z / light->y;
    float drop = -forward * part->scale * scene->camera / scene->unit; /* up the image, per pixel of height */
    if (fabsf(drop) < 0.16f) drop = drop < 0 ? -0.16f : 0.16f;
    if (fabsf(drop) > 0.8f) drop = drop < 0 ? -0.8f : 0.8f;
    float s = part->scale, low = part->low.y * s, high = part->high.y * s;
    float x_low = part->foot.x + part->low.x * s, x_high = part->foot.x + part->high.x * s;
    icseg_synth_window w = window_of(c, fminf(x_low + low * lean, x_low + high * lean), part->foot.y - low * drop,
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

static void paint_part(const icseg_scene *scene, const icseg_synth_part *part, icseg_synth_canvas *c) {
    float s = part->scale, rim = fmaxf(0.7f, 0.006f * scene->unit);
    icseg_synth_window w = window_of(c, part->foot.x + part->low.x * s, part->foot.y - part->high.y * s,
                                     part->foot.x + part->high.x * s, part->foot.y - part->low.y * s);
    for (int32_t y = w.y0; y < w.y1; y++) {
        float ly = (part->foot.y - ((float)y + 0.5f)) / s;
        for (int32_t x = w.x0; x < w.x1; x++) {
            float lx = ((float)x + 0.5f - part->foot.x) / s;
            icseg_point normal;
            float d = icseg_synth_distance(part, lx, ly, &normal) * s, cover = icseg_clamp01(0.5f - d);
            if (cover <= 0) continue;
            size_t at = (size_t)y * (size_t)c->width + (size_t)x;
            icseg_rgb color = part->material >= ICSEG_SYNTH_WOOD ? icseg_synth_coat(scene, part, lx, ly, normal)
                                                                 : icseg_synth_surface(scene, part, lx, ly, normal);
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
static void paint_glow(const icseg_synth_part *part, icseg_synth_canvas *c) {
    float s = part->scale, x = part->foot.x + 0.5f * (part->low.x + part->high.x) * s;
    float y = part->foot.y - 0.5f * (part->low.y + part->high.y) * s;
    float reach = fmaxf(part->high.x - part->low.x, part->high.y - part->low.y) * s * 1.6f;
    icseg_synth_window w = window_of(c, x - reach, y - reach, x + reach, y + reach);
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
static void develop(const icseg_scene *scene, const icseg_synth_canvas *c, icseg_image *image) {
    for (int32_t y = c->seen.y0; y < c->seen.y1; y++)
        for (int32_t x = c->seen.x0; x < c->seen.x1; x++) {
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

icseg_status icseg_scene_paint(const icseg_scene *scene, icseg_synth_window seen, icseg_image *image,
                               icseg_labels *labels, icseg_error *error) {
    icseg_synth_canvas c = {.labels = labels, .width = scene->width, .height = scene->height, .seen = seen};
    size_t pixels = (size_t)scene->width * (size_t)scene->height;
    c.color = icseg_calloc_array(pixels, sizeof *c.color);
    c.shadow = icseg_calloc_array(pixels, sizeof *c.shadow);
    icseg_status status = ICSEG_OK;
    if (!c.color || !c.shadow) {
        status = icseg_fail_memory(error, pixels * (sizeof *c.color + sizeof *c.shadow), "a generated scene");
    } else {
        scene->paint_far(scene, &c);
        if (scene->light.shadow > 0.05f)
            for (size_t i = 0; i < scene->parts; i++)
                if (!scene->part[i].flat) cast_shadow(scene, &scene->part[i], &c);
        scene->paint_ground(scene, &c);
        for (size_t i = 0; i < scene->parts; i++) paint_part(scene, &scene->part[i], &c);
        for (size_t i = 0; i < scene->parts; i++)
            if (scene->part[i].material == ICSEG_SYNTH_GLOW) paint_glow(&scene->part[i], &c);
        develop(scene, &c, image);
    }
    icseg_free(c.color);
    icseg_free(c.shadow);
    return status;
}

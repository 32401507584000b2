/* SPDX-License-Identifier: Apache-2.0
 * Composes a generated scene: time of day and weather, backdrop, and the positions of objects. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "synth/synth.h"

static float range(icseg_rng *rng, float low, float high) { return icseg_rng_range(rng, low, high); }
static bool chance(icseg_rng *rng, float share) { return icseg_rng_uniform(rng) < share; }

#define PICK(rng, ...)                                                                                                 \
    icseg_synth_pick(rng, (const icseg_synth_paint[]){__VA_ARGS__},                                                    \
                     sizeof((const icseg_synth_paint[]){__VA_ARGS__}) / sizeof(icseg_synth_paint))

/* A paint that is listed twice is twice as likely: classes prefer their usual colours but share them with others. */
static icseg_rgb pick_grass(icseg_rng *rng) {
    return PICK(rng, ICSEG_SYNTH_MOSS, ICSEG_SYNTH_MOSS, ICSEG_SYNTH_MOSS, ICSEG_SYNTH_MOSS, ICSEG_SYNTH_FOREST,
                ICSEG_SYNTH_FOREST, ICSEG_SYNTH_FOREST, ICSEG_SYNTH_OLIVE, ICSEG_SYNTH_OLIVE, ICSEG_SYNTH_OLIVE,
                ICSEG_SYNTH_OCHRE, ICSEG_SYNTH_OCHRE, ICSEG_SYNTH_MINT, ICSEG_SYNTH_SAND, ICSEG_SYNTH_RUST,
                ICSEG_SYNTH_TEAL, ICSEG_SYNTH_PLUM, ICSEG_SYNTH_LAVENDER);
}

static icseg_rgb pick_water(icseg_rng *rng) {
    return PICK(rng, ICSEG_SYNTH_TEAL, ICSEG_SYNTH_TEAL, ICSEG_SYNTH_TEAL, ICSEG_SYNTH_NAVY, ICSEG_SYNTH_NAVY,
                ICSEG_SYNTH_NAVY, ICSEG_SYNTH_SLATE, ICSEG_SYNTH_SLATE, ICSEG_SYNTH_AZURE, ICSEG_SYNTH_AZURE,
                ICSEG_SYNTH_AZURE, ICSEG_SYNTH_MINT, ICSEG_SYNTH_LAVENDER, ICSEG_SYNTH_PLUM, ICSEG_SYNTH_MOSS,
                ICSEG_SYNTH_FOREST, ICSEG_SYNTH_CHARCOAL, ICSEG_SYNTH_GREY);
}

static icseg_rgb pick_road(icseg_rng *rng) {
    return PICK(rng, ICSEG_SYNTH_GREY, ICSEG_SYNTH_GREY, ICSEG_SYNTH_GREY, ICSEG_SYNTH_GREY, ICSEG_SYNTH_CHARCOAL,
                ICSEG_SYNTH_CHARCOAL, ICSEG_SYNTH_CHARCOAL, ICSEG_SYNTH_SLATE, ICSEG_SYNTH_SLATE, ICSEG_SYNTH_SAND,
                ICSEG_SYNTH_SAND, ICSEG_SYNTH_CREAM, ICSEG_SYNTH_WHITE, ICSEG_SYNTH_RUST, ICSEG_SYNTH_ROSE,
                ICSEG_SYNTH_PLUM, ICSEG_SYNTH_OLIVE);
}

static icseg_rgb pick_rock(icseg_rng *rng) {
    return PICK(rng, ICSEG_SYNTH_SLATE, ICSEG_SYNTH_SLATE, ICSEG_SYNTH_NAVY, ICSEG_SYNTH_LAVENDER, ICSEG_SYNTH_GREY,
                ICSEG_SYNTH_FOREST, ICSEG_SYNTH_TEAL, ICSEG_SYNTH_RUST, ICSEG_SYNTH_SAND, ICSEG_SYNTH_PLUM,
                ICSEG_SYNTH_MOSS, ICSEG_SYNTH_ROSE, ICSEG_SYNTH_CHARCOAL);
}

/* Chooses sun, sky light and sky colours for a time of day. */
void icseg_synth_choose_light(icseg_scene *scene, icseg_rng *rng, uint64_t hour) {
    icseg_synth_light *light = &scene->light;
    icseg_synth_backdrop *back = &scene->back;
    float turn = range(rng, 0.35f, 1.3f), side = chance(rng, 0.5f) ? 1.0f : -1.0f, height = range(rng, 0.55f, 0.9f);
    bool ahead = chance(rng, 0.4f);
    if (hour == ICSEG_SYNTH_DAY) {
        light->sun = icseg_rgb_of(0.72f, 0.68f, 0.6f);
        light->ambient = icseg_rgb_of(0.52f, 0.55f, 0.6f);
        light->shadow = 0.42f;
        back->sky_high =
            PICK(rng, ICSEG_SYNTH_AZURE, ICSEG_SYNTH_MINT, ICSEG_SYNTH_LAVENDER, ICSEG_SYNTH_TEAL, ICSEG_SYNTH_NAVY);
        back->sky_low = PICK(rng, ICSEG_SYNTH_CREAM, ICSEG_SYNTH_AZURE, ICSEG_SYNTH_MINT, ICSEG_SYNTH_WHITE);
        back->cloud = icseg_rgb_of(1, 1, 1);
    } else if (hour == 1) { /* low golden sun */
        height = range(rng, 0.4f, 0.55f);
        light->sun = icseg_rgb_of(0.95f, 0.68f, 0.4f);
        light->ambient = icseg_rgb_of(0.48f, 0.45f, 0.52f);
        light->shadow = 0.4f;
        back->sky_high =
            PICK(rng, ICSEG_SYNTH_ROSE, ICSEG_SYNTH_LAVENDER, ICSEG_SYNTH_OCHRE, ICSEG_SYNTH_SLATE, ICSEG_SYNTH_RUST);
        back->sky_low =
            PICK(rng, ICSEG_SYNTH_BLUSH, ICSEG_SYNTH_CREAM, ICSEG_SYNTH_SAND, ICSEG_SYNTH_OCHRE, ICSEG_SYNTH_ROSE);
        back->cloud = icseg_rgb_of(1, 0.88f, 0.76f);
    } else if (hour == 2) { /* overcast */
        light->sun = icseg_rgb_of(0.2f, 0.2f, 0.2f);
        light->ambient = icseg_rgb_of(0.76f, 0.78f, 0.8f);
        light->shadow = 0.16f;
        back->sky_high =
            PICK(rng, ICSEG_SYNTH_GREY, ICSEG_SYNTH_SLATE, ICSEG_SYNTH_MINT, ICSEG_SYNTH_SAND, ICSEG_SYNTH_AZURE);
        back->sky_low = PICK(rng, ICSEG_SYNTH_WHITE, ICSEG_SYNTH_CREAM, ICSEG_SYNTH_GREY, ICSEG_SYNTH_BLUSH);
        back->cloud = icseg_rgb_of(0.88f, 0.88f, 0.88f);
    } else { /* ICSEG_SYNTH_DUSK */
        height = range(rng, 0.4f, 0.6f);
        light->sun = icseg_rgb_of(0.36f, 0.3f, 0.42f);
        light->ambient = icseg_rgb_of(0.46f, 0.46f, 0.62f);
        light->shadow = 0.2f;
        light->dusk = true;
        back->sky_high =
            PICK(rng, ICSEG_SYNTH_NAVY, ICSEG_SYNTH_PLUM, ICSEG_SYNTH_SLATE, ICSEG_SYNTH_CHARCOAL, ICSEG_SYNTH_FOREST);
        back->sky_low =
            PICK(rng, ICSEG_SYNTH_ROSE, ICSEG_SYNTH_RUST, ICSEG_SYNTH_LAVENDER, ICSEG_SYNTH_TEAL, ICSEG_SYNTH_OCHRE);
        back->cloud = icseg_rgb_of(0.72f, 0.52f, 0.58f);
    }
    float flat = sqrtf(1 - height * height);
    light->y = height;
    light->x = side * flat * sinf(turn);
    light->z = (ahead ? -1.0f : 1.0f) * flat * cosf(turn);
    light->exposure = range(rng, 0.92f, 1.22f);
    back->haze = icseg_rgb_mix(back->sky_low, icseg_rgb_of(0.85f, 0.85f, 0.85f), light->dusk ? 0 : 0.2f);
    back->sun_visible = hour != 2 && ahead;
    back->sun.x = 0.5f * (float)scene->width + side * range(rng, 0.1f, 0.42f) * (float)scene->width;
    back->sun.y = scene->horizon * range(rng, 0.15f, 0.5f);
    back->clouds = range(rng, hour == 2 ? 0.6f : 0.15f, 0.9f);
}

/* The colour of a ridge including light and haze. */
static icseg_rgb ridge_look(const icseg_scene *scene, const icseg_synth_ridge *ridge) {
    const icseg_synth_light *light = &scene->light;
    icseg_rgb level = icseg_rgb_add(light->ambient, icseg_rgb_scale(light->sun, 0.5f));
    return icseg_rgb_mix(icseg_rgb_times(icseg_rgb_scale(ridge->color, 0.8f), level), scene->back.haze, ridge->haze);
}

/* Whether the ridge contrasts with the sky at the horizon and half-way up. */
static bool stands_out(const icseg_scene *scene, const icseg_synth_ridge *ridge) {
    const icseg_synth_backdrop *back = &scene->back;
    icseg_rgb look = ridge_look(scene, ridge);
    return icseg_rgb_distance(look, back->sky_low) > 0.36f &&
           icseg_rgb_distance(look, icseg_rgb_mix(back->sky_high, back->sky_low, 0.4f)) > 0.26f;
}

void icseg_synth_choose_ridges(icseg_scene *scene, icseg_rng *rng) {
    icseg_synth_backdrop *back = &scene->back;
    back->ridges = 1 + (int32_t)icseg_rng_below(rng, 2);
    icseg_rgb color = pick_rock(rng);
    for (int i = 0; i < back->ridges; i++) {
        icseg_synth_ridge *ridge = &back->ridge[i];
        bool front = i == back->ridges - 1;
        ridge->height = scene->horizon * (front && i ? range(rng, 0.28f, 0.45f) : range(rng, 0.6f, 0.85f));
        ridge->detail = scene->unit * range(rng, 0.32f, 0.5f);
        ridge->color = icseg_rgb_mix(color, pick_rock(rng), i ? 0.5f : 0.15f);
        ridge->haze = front ? 0.06f : 0.18f;
        for (int k = 0; k < 40 && !stands_out(scene, ridge); k++) ridge->color = pick_rock(rng);
        ridge->snow = !i && chance(rng, 0.5f);
        ridge->seed = (uint32_t)icseg_rng_u64(rng);
    }
}

static void choose_ground(icseg_scene *scene, icseg_rng *rng) {
    icseg_synth_backdrop *back = &scene->back;
    back->grass = pick_grass(rng);
    back->grass_second = icseg_rgb_mix(back->grass, pick_grass(rng), 0.45f);
    back->flower = icseg_synth_pick(rng, NULL, 0);
    back->flowers = chance(rng, 0.5f) ? range(rng, 0.03f, 0.14f) : 0;
    back->road = pick_road(rng);
    for (int i = 0; i < 12 && icseg_rgb_distance(back->road, back->grass) < 0.2f; i++) back->road = pick_road(rng);
    back->road_line = icseg_rgb_of(0.95f, 0.93f, 0.85f);
    if (back->road.r + back->road.g + back->road.b > 2) back->road_line = icseg_rgb_of(0.3f, 0.28f, 0.3f);
    back->water = pick_water(rng);
    for (int i = 0; i < 12 && icseg_rgb_distance(back->water, back->grass) < 0.2f; i++) back->water = pick_water(rng);

    float across = (float)scene->width / scene->unit; /* wide images have more space beside the road */
    float which = icseg_rng_uniform(rng);
    back->road_kind = which < 0.46f  ? ICSEG_SYNTH_ROAD_AHEAD
                      : which < 0.9f ? ICSEG_SYNTH_ROAD_ACROSS
                                     : ICSEG_SYNTH_NO_ROAD;
    if (back->road_kind == ICSEG_SYNTH_ROAD_AHEAD) {
        back->road_at = range(rng, -0.8f, 0.8f) * across;
        back->road_half = range(rng, 0.75f, 1.05f);
        back->curve = range(rng, -0.3f, 0.3f);
    } else {
        back->road_at = range(rng, 0.46f, 0.66f);
        back->road_half = range(rng, 0.12f, 0.15f);
    }
    which = icseg_rng_uniform(rng);
    if (which < 0.35f) {
        back->water_kind = ICSEG_SYNTH_WATER_FAR;
        back->water_at = range(rng, 0.0f, 0.03f);
        back->water_end = back->water_at + range(rng, 0.2f, 0.3f);
    } else if (which < 0.65f) {
        back->water_kind = ICSEG_SYNTH_WATER_NEAR;
        back->water_at = range(rng, 0.7f, 0.82f);
        back->water_end = range(rng, -1, 1);
    } else if (which < 0.93f) {
        back->water_kind = ICSEG_SYNTH_WATER_SIDE;
        back->water_end = chance(rng, 0.5f) ? 1.0f : -1.0f;
        back->water_at = back->water_end * range(rng, 0.35f, 0.8f) * across;
    }
    back->seed = (uint32_t)icseg_rng_u64(rng);
}

typedef void (*add_object)(icseg_scene *scene, icseg_rng *rng, icseg_point foot);

typedef struct placing {
    icseg_point foot;
    add_object add;
    float spacing;
    uint32_t order;
} placing;

/* The placement of each kind of object: range of depths (shares of the ground), number in a scene of the usual aspect
 * ratio, and restrictions. */
typedef struct kind {
    add_object add;
    float near, far;
    int32_t min, max;
    float own_spacing; /* in scene units, between two of the same kind */
    float spacing;     /* ... and, times the other's, between two of different kinds */
    bool on_road, on_water;
} kind;

static const kind kinds[] = {
    {icseg_synth_add_house, 0.19f, 0.36f, 1, 2, 0.65f, 0.40f, false, true},
    {icseg_synth_add_tree, 0.18f, 0.50f, 2, 4, 0.20f, 0.55f, false, false},
    {icseg_synth_add_fence, 0.30f, 0.50f, 1, 2, 0.4f, 0, false, false},
    {icseg_synth_add_car, 0.42f, 0.68f, 1, 2, 0.60f, 0.50f, true, false},
    {icseg_synth_add_lamp, 0.36f, 0.72f, 1, 2, 0.4f, 0.40f, false, false},
    {icseg_synth_add_person, 0.60f, 0.92f, 1, 2, 0.30f, 0.55f, true, false},
    {icseg_synth_add_cone, 0.76f, 1.0f, 1, 2, 0.32f, 0.55f, true, false},
};
enum { KINDS = sizeof kinds / sizeof *kinds, MAX_PLACINGS = 2048 };

static int compare_placings(const void *a, const void *b) {
    const placing *p = a, *q = b;
    if (p->foot.y != q->foot.y) return p->foot.y < q->foot.y ? -1 : 1;
    return p->order < q->order ? -1 : 1;
}

/* Tries a few positions. If none is free, takes the last one on permitted ground. */
static bool find_spot(const icseg_scene *scene, icseg_rng *rng, const kind *k, const placing *placed, size_t count,
                      icseg_point *out) {
    float reach = (float)scene->height - scene->horizon;
    bool found = false;
    for (int i = 0; i < 60; i++) {
        float share = range(rng, k->near, k->far), x = range(rng, 0.04f, 0.96f) * (float)scene->width;
        icseg_point foot = {x, scene->horizon + share * reach};
        icseg_synth_ground ground = icseg_synth_ground_at(scene, foot.x, foot.y);
        if ((ground.water > 0 && ground.road < 1 && !k->on_water) || (ground.road > 0 && !k->on_road)) continue;
        *out = foot;
        found = true;
        bool clear = true;
        for (size_t j = 0; j < count && clear; j++)
            clear = fabsf(placed[j].foot.x - x) >=
                    scene->unit * (placed[j].add == k->add ? k->own_spacing : k->spacing * placed[j].spacing);
        if (clear) return true;
    }
    return found;
}

static void place_objects(icseg_scene *scene, icseg_rng *rng, placing *placed) {
    float wide = (float)scene->width / scene->unit / 1.333f;
    size_t count = 0;
    for (size_t i = 0; i < KINDS; i++) {
        const kind *k = &kinds[i];
        float number = (float)k->min + (float)icseg_rng_below(rng, (uint64_t)(k->max - k->min) + 1);
        if (wide > 1) number *= wide;
        for (int n = (int)(number + 0.5f); n > 0 && count < MAX_PLACINGS; n--)
            if (find_spot(scene, rng, k, placed, count, &placed[count].foot)) {
                placed[count].add = k->add;
                placed[count].spacing = k->spacing;
                placed[count].order = (uint32_t)count;
                count++;
            }
    }
    qsort(placed, count, sizeof *placed, compare_placings);
    for (size_t i = 0; i < count; i++) placed[i].add(scene, rng, placed[i].foot);
}

icseg_status icseg_scene_compose(icseg_scene *out, icseg_rng *rng, int32_t width, int32_t height, icseg_error *error) {
    *out = (icseg_scene){
        .width = width, .height = height, .paint_far = icseg_synth_paint_far, .paint_ground = icseg_synth_paint_ground};
    placing *placed = icseg_alloc_array(MAX_PLACINGS, sizeof *placed);
    if (!placed) return icseg_fail_memory(error, MAX_PLACINGS * sizeof *placed, "a generated scene");
    out->unit = fminf((float)height, 1.5f * (float)width); /* a tall, narrow image is viewed from higher up */
    out->horizon = (float)height * range(rng, 0.34f, 0.48f);
    out->camera = 2.0f * range(rng, 0.92f, 1.1f) * (float)height / out->unit;
    icseg_synth_choose_light(out, rng, icseg_rng_below(rng, ICSEG_SYNTH_HOURS));
    icseg_synth_choose_ridges(out, rng);
    choose_ground(out, rng);
    place_objects(out, rng, placed);
    icseg_free(placed);
    if (!out->failed) return ICSEG_OK;
    icseg_scene_close(out);
    return icseg_fail_memory(error, 0, "a generated scene");
}

void icseg_scene_close(icseg_scene *scene) {
    icseg_free(scene->part);
    *scene = (icseg_scene){0};
}

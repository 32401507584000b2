/* SPDX-License-Identifier: Apache-2.0
 * Composes a scene of the large vocabulary: it first draws two to eight classes, each sort of them by Zipf's law, and
 * then arranges them. */
#include <math.h>
#include <string.h>

#include "synth/kind.h"

enum { MIN_CLASSES = 2, MAX_CLASSES = 8, MAX_OBJECTS = 3 * MAX_CLASSES };
static const float farthest = 0.1f, nearest = 0.98f; /* depth shares of feet */

static float range(icseg_rng *rng, float low, float high) { return icseg_rng_range(rng, low, high); }
static bool chance(icseg_rng *rng, float share) { return icseg_rng_uniform(rng) < share; }

/* The classes of a scene. */
typedef struct cast {
    int32_t sky, hill, floor, strip; /* -1: none */
    int32_t thing[MAX_CLASSES], things;
} cast;

static bool taken(const cast *c, int32_t label) {
    for (int32_t i = 0; i < c->things; i++)
        if (c->thing[i] == label) return true;
    return c->floor == label;
}

/* Draws a class of a sort that is not in the scene yet. The class of rank r has a weight of 1 / r. */
static int32_t draw_class(icseg_rng *rng, const cast *c, icseg_synth_sort sort) {
    int32_t count;
    const icseg_synth_kind *kinds = icseg_synth_kinds(ICSEG_SYNTH_LARGE, &count);
    float total = 0, rank = 0;
    for (int32_t k = 0; k < count; k++)
        if (kinds[k].sort == sort) total += 1 / ++rank;
    for (;;) {
        float at = icseg_rng_uniform(rng) * total;
        int32_t label = -1;
        rank = 0;
        for (int32_t k = 0; k < count && at >= 0; k++) {
            if (kinds[k].sort != sort) continue;
            label = k;
            at -= 1 / ++rank;
        }
        if (!taken(c, label)) return label;
    }
}

static icseg_synth_floor_kind floor_kind(int32_t label) {
    int32_t count;
    return (icseg_synth_floor_kind)icseg_synth_kinds(ICSEG_SYNTH_LARGE, &count)[label].what;
}

static cast draw_cast(icseg_rng *rng) {
    cast c = {-1, -1, -1, -1, {0}, 0};
    int32_t wanted = MIN_CLASSES + (int32_t)icseg_rng_below(rng, MAX_CLASSES - MIN_CLASSES + 1), have = 1;
    c.floor = draw_class(rng, &c, ICSEG_SORT_GROUND);
    if (chance(rng, 0.62f)) {
        c.sky = draw_class(rng, &c, ICSEG_SORT_SKY);
        have++;
    }
    if (c.sky >= 0 && have < wanted && chance(rng, 0.35f)) {
        c.hill = draw_class(rng, &c, ICSEG_SORT_HILL);
        have++;
    }
    if (have < wanted && chance(rng, 0.35f)) {
        c.strip = draw_class(rng, &c, ICSEG_SORT_GROUND);
        while (floor_kind(c.strip) < ICSEG_FLOOR_ASPHALT) c.strip = draw_class(rng, &c, ICSEG_SORT_GROUND);
        have++;
    }
    for (; have < wanted; have++) {
        int32_t label = draw_class(rng, &c, ICSEG_SORT_THING);
        c.thing[c.things++] = label;
    }
    return c;
}

static void choose_sky(icseg_scene *scene, icseg_rng *rng, const cast *c, const icseg_synth_kind *kinds) {
    icseg_synth_terrain *terrain = &scene->terrain;
    uint64_t hour = icseg_rng_below(rng, ICSEG_SYNTH_HOURS);
    if (c->sky >= 0) terrain->sky = (icseg_synth_sky_kind)kinds[c->sky].what;
    icseg_synth_choose_light(scene, rng, terrain->sky == ICSEG_SKY_STARRY ? ICSEG_SYNTH_DUSK : hour);
    terrain->sky_label = c->sky;
    terrain->hill_label = c->hill;
    scene->back.clouds = range(rng, 0.75f, 1);
    scene->back.sun_visible = false;
    if (terrain->sky == ICSEG_SKY_STARRY) {
        scene->back.sky_high = icseg_rgb_scale(scene->back.sky_high, 0.5f);
        scene->back.sky_low = icseg_rgb_scale(scene->back.sky_low, 0.6f);
    }
    if (c->hill < 0) return;
    terrain->hill = (icseg_synth_hill_kind)kinds[c->hill].what;
    icseg_synth_choose_ridges(scene, rng);
    scene->back.ridge[0].snow = terrain->hill == ICSEG_HILL_SNOWY;
    if (terrain->hill == ICSEG_HILL_WOODED) scene->back.ridge[0].color = icseg_synth_leaf_color(rng);
}

static icseg_rgb floor_paint(icseg_rng *rng, icseg_synth_floor_kind kind) {
    icseg_rgb any = icseg_synth_pick(rng, NULL, 0);
    switch (kind) {
    case ICSEG_FLOOR_GRASS:
    case ICSEG_FLOOR_FLOWERS: return icseg_synth_leaf_color(rng);
    case ICSEG_FLOOR_SNOW: return icseg_rgb_mix(any, icseg_rgb_of(0.97f, 0.98f, 1), 0.75f);
    case ICSEG_FLOOR_SAND: return icseg_rgb_mix(any, icseg_rgb_of(0.85f, 0.74f, 0.56f), 0.45f);
    case ICSEG_FLOOR_DRY:
    case ICSEG_FLOOR_FURROWS: return icseg_rgb_mix(any, icseg_rgb_of(0.62f, 0.46f, 0.34f), 0.4f);
    case ICSEG_FLOOR_ASPHALT: return icseg_rgb_mix(any, icseg_rgb_of(0.4f, 0.4f, 0.42f), 0.55f);
    default: return any;
    }
}

static icseg_synth_floor make_floor(icseg_scene *scene, icseg_rng *rng, int32_t label) {
    icseg_synth_floor floor = {.kind = floor_kind(label), .label = label};
    float near_scale = ((float)scene->height - scene->horizon) / scene->camera;
    floor.grain = fmaxf(range(rng, 0.3f, 0.45f), 0.055f * scene->unit / near_scale);
    floor.color = floor_paint(rng, floor.kind);
    floor.second = icseg_synth_other_paint(rng, floor.color, 0.35f);
    if (floor.kind == ICSEG_FLOOR_ASPHALT) floor.second = icseg_rgb_of(0.95f, 0.93f, 0.85f);
    if (floor.kind == ICSEG_FLOOR_FURROWS) floor.second = icseg_synth_leaf_color(rng);
    floor.seed = (uint32_t)icseg_rng_u64(rng);
    if (floor.kind == ICSEG_FLOOR_RIPPLES) scene->back.water = floor.color;
    if (floor.kind != ICSEG_FLOOR_GRASS && floor.kind != ICSEG_FLOOR_FLOWERS) return floor;
    scene->back.grass = floor.color;
    scene->back.grass_second = icseg_rgb_mix(floor.color, icseg_synth_leaf_color(rng), 0.45f);
    scene->back.flower = icseg_synth_other_paint(rng, floor.color, 0.6f);
    scene->back.flowers = floor.kind == ICSEG_FLOOR_FLOWERS ? range(rng, 0.35f, 0.55f) : 0;
    return floor;
}

/* Where the strip of road or water lies. */
static void choose_strip(icseg_scene *scene, icseg_rng *rng, int32_t label) {
    icseg_synth_backdrop *back = &scene->back;
    float across = (float)scene->width / scene->unit, which = icseg_rng_uniform(rng);
    bool water = floor_kind(label) >= ICSEG_FLOOR_RIPPLES;
    float above = fmaxf(0, -scene->horizon), first = above / ((float)scene->height + above); /* the first row's share */
    scene->terrain.strip = make_floor(scene, rng, label);
    if (!water && which < 0.55f) {
        back->road_kind = ICSEG_SYNTH_ROAD_AHEAD;
        back->road_at = range(rng, -0.9f, 0.9f) * across;
        back->road_half = range(rng, 0.8f, 1.4f);
        back->curve = range(rng, -0.3f, 0.3f);
    } else if (!water) {
        back->road_kind = ICSEG_SYNTH_ROAD_ACROSS;
        back->road_at = first + (1 - first) * range(rng, 0.4f, 0.75f);
        back->road_half = (1 - first) * range(rng, 0.12f, 0.2f);
    } else if (which < 0.4f) {
        back->water_kind = ICSEG_SYNTH_WATER_FAR;
        back->water_at = first + (1 - first) * range(rng, 0.0f, 0.2f);
        back->water_end = back->water_at + (1 - first) * range(rng, 0.25f, 0.45f);
    } else if (which < 0.7f) {
        back->water_kind = ICSEG_SYNTH_WATER_NEAR;
        back->water_at = first + (1 - first) * range(rng, 0.5f, 0.75f);
        back->water_end = range(rng, -1, 1);
    } else {
        back->water_kind = ICSEG_SYNTH_WATER_SIDE;
        back->water_end = chance(rng, 0.5f) ? 1.0f : -1.0f;
        back->water_at = back->water_end * range(rng, 0.1f, 0.7f) * across;
    }
}

/* An object of the scene; `reach` is its half width in pixels. */
typedef struct object {
    int32_t label;
    icseg_point foot;
    float scale, reach;
    int32_t order;
} object;

static bool before(const object *a, const object *b) {
    return a->foot.y != b->foot.y ? a->foot.y < b->foot.y : a->order < b->order;
}

/* `back`: the row of pixels behind which no foot is. Gives the object a size, and from that a depth, and a place as far
 * from the others as a few trials find. */
static object place(const icseg_scene *scene, icseg_rng *rng, const icseg_synth_kind *kind, float back,
                    const object *others, int32_t count) {
    icseg_synth_size size = icseg_synth_size_of((icseg_synth_thing_kind)kind->what);
    float below = (float)scene->height - scene->horizon, near_scale = below / scene->camera;
    float extent = fmaxf(size.height, 1.4f * size.half), pixels = scene->unit * range(rng, 0.3f, 0.9f);
    float scale = pixels / extent, share = scale / near_scale * range(rng, 0.8f, 1.2f);
    float row = fmaxf(back, fminf(0.8f * size.height * scale, 0.85f * (float)scene->height)); /* mostly inside */
    float top = fmaxf(farthest, 1 - ((float)scene->height - row) / below),
          spread = range(rng, 0, 0.3f) * (nearest - top);
    share = fminf(share < top ? top + spread : share, nearest);
    object best = {.scale = scale, .order = count}, trial = best;
    best.reach = trial.reach = size.half * best.scale;
    float clearest = -1;
    for (int i = 0; i < 12; i++) {
        trial.foot.x = range(rng, 0.06f, 0.94f) * (float)scene->width;
        trial.foot.y = scene->horizon + share * below;
        if (size.floats) trial.foot.y = range(rng, 0.22f, 0.62f) * (float)scene->height;
        float clear = 2;
        for (int32_t j = 0; j < count; j++) {
            float apart = fabsf(others[j].foot.x - trial.foot.x) / (others[j].reach + trial.reach);
            float deep = fabsf(others[j].foot.y - trial.foot.y) / (0.5f * scene->unit);
            clear = fminf(clear, apart + deep);
        }
        if (clear <= clearest) continue;
        clearest = clear;
        best = trial;
    }
    return best;
}

/* Returns the row of its foot. */
static float add_long_wall(icseg_scene *scene, icseg_rng *rng, const icseg_synth_kind *kind, int32_t label) {
    float height = (float)scene->height, foot = height * range(rng, 0.45f, 0.68f),
          scale = scene->unit * range(rng, 0.16f, 0.3f);
    foot = fmaxf(foot, scene->horizon + 0.04f * height);
    float tall = chance(rng, 0.5f) ? foot + 2 : foot * range(rng, 0.55f, 0.9f);
    icseg_synth_add_long_wall(scene, rng, kind, label, (icseg_point){0.5f * (float)scene->width, foot}, scale, tall);
    return foot;
}

/* Adds the things, far to near. The first wall may be a long one, with everything else in front of it. */
static void add_things(icseg_scene *scene, icseg_rng *rng, const cast *c, const icseg_synth_kind *kinds) {
    object objects[MAX_OBJECTS];
    int32_t count = 0, long_wall = -1;
    float back = 0.25f * (float)scene->height;
    for (int32_t i = 0; i < c->things && long_wall < 0; i++)
        if (kinds[c->thing[i]].what == ICSEG_THING_WALL && chance(rng, 0.5f)) long_wall = c->thing[i];
    if (long_wall >= 0) back = add_long_wall(scene, rng, &kinds[long_wall], long_wall);
    for (int32_t i = 0; i < c->things; i++) {
        if (c->thing[i] == long_wall) continue;
        int32_t copies = chance(rng, 0.7f) ? 1 : chance(rng, 0.7f) ? 2 : 3;
        for (int32_t n = 0; n < copies; n++) {
            object placed = place(scene, rng, &kinds[c->thing[i]], back, objects, count);
            placed.label = c->thing[i];
            int32_t at = count++;
            for (; at > 0 && before(&placed, &objects[at - 1]); at--) objects[at] = objects[at - 1];
            objects[at] = placed;
        }
    }
    for (int32_t i = 0; i < count; i++)
        icseg_synth_add_thing(scene, rng, &kinds[objects[i].label], objects[i].label, objects[i].foot,
                              objects[i].scale);
}

icseg_status icseg_world_compose(icseg_scene *out, icseg_rng *rng, int32_t width, int32_t height, icseg_error *error) {
    int32_t count;
    const icseg_synth_kind *kinds = icseg_synth_kinds(ICSEG_SYNTH_LARGE, &count);
    *out = (icseg_scene){.width = width,
                         .height = height,
                         .paint_far = icseg_terrain_paint_far,
                         .paint_ground = icseg_terrain_paint_ground};
    cast c = draw_cast(rng);
    out->unit = fminf((float)height, 1.5f * (float)width);
    out->horizon = (float)height * (c.sky >= 0 ? range(rng, 0.3f, 0.6f) : range(rng, -0.6f, -0.1f));
    /* at the lower edge of the image, a metre is a sixth to a half of the unit */
    out->camera = ((float)height - out->horizon) / (out->unit * range(rng, 0.16f, 0.5f));
    choose_sky(out, rng, &c, kinds);
    out->terrain.floor = make_floor(out, rng, c.floor);
    if (c.strip >= 0) choose_strip(out, rng, c.strip);
    out->back.seed = (uint32_t)icseg_rng_u64(rng);
    add_things(out, rng, &c, kinds);
    if (!out->failed) return ICSEG_OK;
    icseg_scene_close(out);
    return icseg_fail_memory(error, 0, "a generated scene");
}

/* SPDX-License-Identifier: Apache-2.0
 * The objects of generated scenes: trees, houses, fences, cars, people, cones, lamps. Sizes are in metres and
 * slightly stout, so that at the default image size nothing is thinner than a few pixels.
 * Each statement draws one random number, because C does not define the order in which arguments are evaluated. */
#include <math.h>

#include "base/memory.h"
#include "synth/synth.h"

static const icseg_rgb skins[] = {
    {0.96f, 0.80f, 0.69f}, {0.87f, 0.67f, 0.52f}, {0.66f, 0.46f, 0.33f}, {0.42f, 0.28f, 0.21f}};

void icseg_synth_add(icseg_scene *scene, const icseg_synth_part *part) {
    if (scene->failed) return;
    if (scene->parts == scene->capacity) {
        size_t wanted = scene->capacity ? scene->capacity * 2 : 256;
        icseg_synth_part *grown = icseg_realloc_array(scene->part, scene->parts, wanted, sizeof *grown);
        if (!grown) {
            scene->failed = true;
            return;
        }
        scene->part = grown;
        scene->capacity = wanted;
    }
    scene->part[scene->parts] = *part;
    icseg_synth_bounds(&scene->part[scene->parts++]);
}

static float range(icseg_rng *rng, float low, float high) { return icseg_rng_range(rng, low, high); }
static bool chance(icseg_rng *rng, float share) { return icseg_rng_uniform(rng) < share; }
static icseg_rgb any_paint(icseg_rng *rng) { return icseg_synth_pick(rng, NULL, 0); }

/* One of a few paints that are usual for this kind of object, or sometimes any. */
static icseg_rgb usual_paint(icseg_rng *rng, icseg_synth_paint a, icseg_synth_paint b, icseg_synth_paint c) {
    const icseg_synth_paint usual[] = {a, b, c};
    return chance(rng, 0.8f) ? icseg_synth_pick(rng, usual, 3) : any_paint(rng);
}

icseg_rgb icseg_synth_other_paint(icseg_rng *rng, icseg_rgb other, float distance) {
    icseg_rgb color = any_paint(rng);
    for (int i = 0; i < 16 && icseg_rgb_distance(color, other) < distance; i++) color = any_paint(rng);
    return color;
}

static icseg_synth_part begin(const icseg_scene *scene, icseg_rng *rng, icseg_point foot, icseg_synth_class label) {
    float depth = foot.y - scene->horizon, share = depth / ((float)scene->height - scene->horizon);
    return (icseg_synth_part){.label = label,
                              .foot = foot,
                              .scale = depth / scene->camera,
                              .grain = 0.4f,
                              .haze = 0.45f * expf(-share * 7),
                              .seed = (uint32_t)icseg_rng_u64(rng)};
}

void icseg_synth_add_box(icseg_scene *scene, icseg_synth_part part, float x0, float y0, float x1, float y1,
                         float corner) {
    part.shape = ICSEG_SYNTH_BOX;
    part.point[0] = (icseg_point){x0, y0};
    part.point[1] = (icseg_point){x1, y1};
    part.radius[0] = corner;
    icseg_synth_add(scene, &part);
}

void icseg_synth_add_ellipse(icseg_scene *scene, icseg_synth_part part, float x, float y, float rx, float ry) {
    part.shape = ICSEG_SYNTH_ELLIPSE;
    part.point[0] = (icseg_point){x, y};
    part.point[1] = (icseg_point){rx, ry};
    icseg_synth_add(scene, &part);
}

void icseg_synth_add_capsule(icseg_scene *scene, icseg_synth_part part, icseg_point a, icseg_point b, float ra,
                             float rb) {
    part.shape = ICSEG_SYNTH_CAPSULE;
    part.point[0] = a;
    part.point[1] = b;
    part.radius[0] = ra;
    part.radius[1] = rb;
    icseg_synth_add(scene, &part);
}

void icseg_synth_add_polygon(icseg_scene *scene, icseg_synth_part part, const icseg_point *point, int count,
                             float corner) {
    part.shape = ICSEG_SYNTH_POLYGON;
    part.points = count;
    for (int i = 0; i < count; i++) part.point[i] = point[i];
    part.radius[0] = corner;
    icseg_synth_add(scene, &part);
}

icseg_rgb icseg_synth_leaf_color(icseg_rng *rng) {
    static const icseg_synth_paint paints[] = {
        ICSEG_SYNTH_MOSS,  ICSEG_SYNTH_MOSS, ICSEG_SYNTH_FOREST, ICSEG_SYNTH_FOREST, ICSEG_SYNTH_OLIVE,
        ICSEG_SYNTH_OCHRE, ICSEG_SYNTH_RUST, ICSEG_SYNTH_RED,    ICSEG_SYNTH_ROSE,   ICSEG_SYNTH_TEAL,
        ICSEG_SYNTH_BLUSH, ICSEG_SYNTH_PLUM, ICSEG_SYNTH_MINT};
    return icseg_synth_pick(rng, paints, sizeof paints / sizeof *paints);
}

void icseg_synth_add_tree(icseg_scene *scene, icseg_rng *rng, icseg_point foot) {
    icseg_synth_part trunk = begin(scene, rng, foot, ICSEG_SYNTH_TREE), crown = trunk;
    float kind = icseg_rng_uniform(rng), height = range(rng, 3.2f, 5.2f), girth = range(rng, 0.16f, 0.26f);
    trunk.color = icseg_rgb_mix(icseg_rgb_of(0.36f, 0.26f, 0.2f), any_paint(rng), 0.3f);
    trunk.bulge = 0.9f;
    crown.material = ICSEG_SYNTH_LEAVES;
    crown.color = icseg_synth_leaf_color(rng);
    crown.second = icseg_rgb_mix(crown.color, icseg_synth_leaf_color(rng), 0.5f);
    crown.second = icseg_rgb_mix(crown.second, icseg_rgb_of(1, 1, 0.8f), 0.25f);
    crown.grain = 0.36f;
    crown.rough = 0.14f;
    crown.bulge = 0.85f;
    if (kind < 0.62f) { /* a round crown of clumps */
        float wide = height * range(rng, 0.30f, 0.40f), middle = height * 0.64f;
        icseg_synth_add_capsule(scene, trunk, (icseg_point){0, -0.1f}, (icseg_point){0, middle}, girth * 1.2f,
                                girth * 0.7f);
        crown.shape = ICSEG_SYNTH_BLOBS;
        crown.points = 8;
        for (int i = 0; i < 8; i++) {
            float angle = 6.2832f * (float)i / 7 + range(rng, -0.3f, 0.3f), away = i == 7 ? 0 : wide * 0.52f;
            crown.point[i] = (icseg_point){away * cosf(angle), middle + away * 0.85f * sinf(angle)};
            crown.radius[i] = wide * range(rng, 0.45f, 0.6f);
        }
        icseg_synth_add(scene, &crown);
    } else if (kind < 0.85f) { /* a conifer */
        float wide = height * range(rng, 0.24f, 0.32f);
        icseg_synth_add_capsule(scene, trunk, (icseg_point){0, -0.1f}, (icseg_point){0, height * 0.4f}, girth,
                                girth * 0.7f);
        for (int i = 0; i < 3; i++) {
            float low = height * (0.14f + 0.25f * (float)i), half = wide * (1 - 0.24f * (float)i);
            icseg_point tier[] = {{-half, low}, {half, low}, {0.05f * half, low + height * 0.38f}};
            icseg_synth_add_polygon(scene, crown, tier, 3, 0.05f);
        }
    } else { /* a poplar */
        icseg_synth_add_capsule(scene, trunk, (icseg_point){0, -0.1f}, (icseg_point){0, height * 0.4f}, girth,
                                girth * 0.8f);
        icseg_synth_add_ellipse(scene, crown, 0, height * 0.62f, height * 0.19f, height * 0.46f);
    }
}

static void add_window(icseg_scene *scene, const icseg_synth_part *house, icseg_rgb frame, icseg_rgb pane, bool glows,
                       float x, float y, float w, float h) {
    icseg_synth_part part = *house;
    part.flat = true;
    part.material = ICSEG_SYNTH_PLAIN;
    part.color = frame;
    icseg_synth_add_box(scene, part, x - w - 0.12f, y - 0.12f, x + w + 0.12f, y + h + 0.12f, 0.03f);
    part.material = glows ? ICSEG_SYNTH_GLOW : ICSEG_SYNTH_GLASS;
    part.color = glows ? icseg_rgb_of(1, 0.82f, 0.45f) : pane;
    part.grain = 0.9f;
    icseg_synth_add_box(scene, part, x - w, y, x + w, y + h, 0);
    part.material = ICSEG_SYNTH_PLAIN;
    part.color = frame;
    icseg_synth_add_box(scene, part, x - 0.05f, y, x + 0.05f, y + h, 0);
}

void icseg_synth_add_house(icseg_scene *scene, icseg_rng *rng, icseg_point foot) {
    icseg_synth_part wall = begin(scene, rng, foot, ICSEG_SYNTH_HOUSE), roof = wall, part;
    float half = range(rng, 2.5f, 3.7f), height = range(rng, 2.5f, 3.4f), rise = range(rng, 1.5f, 2.3f);
    bool tall = chance(rng, 0.3f), gable = chance(rng, 0.4f);
    if (tall) height *= 1.5f;
    wall.material = ICSEG_SYNTH_BRICK;
    wall.color = usual_paint(rng, ICSEG_SYNTH_RED, ICSEG_SYNTH_RUST, ICSEG_SYNTH_SAND);
    wall.second = icseg_rgb_mix(
        wall.color, chance(rng, 0.7f) ? icseg_rgb_of(0.9f, 0.87f, 0.8f) : icseg_rgb_of(0.2f, 0.18f, 0.2f), 0.55f);
    wall.grain = range(rng, 0.34f, 0.44f);
    roof.label = ICSEG_SYNTH_ROOF;
    roof.material = ICSEG_SYNTH_TILE;
    roof.color = usual_paint(rng, ICSEG_SYNTH_SLATE, ICSEG_SYNTH_CHARCOAL, ICSEG_SYNTH_RED);
    if (icseg_rgb_distance(roof.color, wall.color) < 0.25f) roof.color = icseg_synth_other_paint(rng, wall.color, 0.3f);
    roof.grain = range(rng, 0.5f, 0.62f);
    if (chance(rng, 0.5f)) { /* chimney, behind the roof */
        float x = half * range(rng, -0.6f, 0.6f);
        icseg_synth_add_box(scene, wall, x - 0.4f, height, x + 0.4f, height + rise + 0.5f, 0);
    }
    icseg_synth_add_box(scene, wall, -half, -0.05f, half, height, 0);
    float over = half + range(rng, 0.3f, 0.5f);
    if (gable) {
        icseg_point p[] = {{-over, height - 0.1f},
                           {over, height - 0.1f},
                           {0.12f, height + rise * 1.35f},
                           {-0.12f, height + rise * 1.35f}};
        icseg_synth_add_polygon(scene, roof, p, 4, 0.05f);
    } else {
        float top = over - range(rng, 0.5f, 1.2f);
        icseg_point p[] = {{-over, height - 0.1f}, {over, height - 0.1f}, {top, height + rise}, {-top, height + rise}};
        icseg_synth_add_polygon(scene, roof, p, 4, 0.05f);
    }
    icseg_rgb frame = icseg_synth_other_paint(rng, wall.color, 0.4f),
              pane = icseg_rgb_mix(any_paint(rng), icseg_rgb_of(0.15f, 0.2f, 0.28f), 0.6f);
    bool lights = scene->light.dusk;
    float door = half * range(rng, -0.5f, 0.5f);
    part = wall;
    part.flat = true;
    part.material = ICSEG_SYNTH_PLAIN;
    part.color = frame;
    icseg_synth_add_box(scene, part, door - 0.55f, 0, door + 0.55f, 1.95f, 0.04f);
    part.color = icseg_synth_other_paint(rng, frame, 0.3f);
    icseg_synth_add_box(scene, part, door - 0.42f, 0, door + 0.42f, 1.82f, 0.04f);
    for (int floor = 0; floor < (tall ? 2 : 1); floor++)
        for (int i = 0; i < 3; i++) {
            float x = half * 0.64f * (float)(i - 1);
            bool glows = lights && chance(rng, 0.6f);
            if (floor == 0 && fabsf(x - door) < 1.15f) continue;
            add_window(scene, &wall, frame, pane, glows, x, 1.0f + 1.9f * (float)floor, 0.36f, 0.95f);
        }
}

void icseg_synth_add_fence(icseg_scene *scene, icseg_rng *rng, icseg_point foot) {
    icseg_synth_part fence = begin(scene, rng, foot, ICSEG_SYNTH_FENCE);
    float half = range(rng, 2.6f, 5.0f), height = range(rng, 1.1f, 1.5f), width = range(rng, 0.34f, 0.44f);
    float count = ceilf(2 * half / width);
    fence.shape = ICSEG_SYNTH_PICKETS;
    fence.material = ICSEG_SYNTH_PLANK;
    fence.color = usual_paint(rng, ICSEG_SYNTH_WHITE, ICSEG_SYNTH_RUST, ICSEG_SYNTH_SAND);
    fence.point[0] = (icseg_point){-0.5f * count * width, -0.04f};
    fence.point[1] = (icseg_point){0.5f * count * width, height};
    fence.radius[0] = width;
    fence.radius[1] = chance(rng, 0.7f) ? 0.24f : 0;
    icseg_synth_add(scene, &fence);
    icseg_synth_part rail = fence;
    rail.material = ICSEG_SYNTH_PLAIN;
    rail.flat = true;
    rail.color = icseg_rgb_scale(fence.color, 0.75f);
    icseg_synth_add_box(scene, rail, fence.point[0].x, height * 0.55f, fence.point[1].x, height * 0.55f + 0.14f, 0.02f);
}

static void add_wheel(icseg_scene *scene, icseg_synth_part part, float x, float radius) {
    part.material = ICSEG_SYNTH_PLAIN;
    part.color = icseg_rgb_of(0.13f, 0.13f, 0.15f);
    part.bulge = 0.3f;
    icseg_synth_add_ellipse(scene, part, x, radius, radius, radius);
    part.flat = true;
    part.color = icseg_rgb_of(0.72f, 0.72f, 0.74f);
    icseg_synth_add_ellipse(scene, part, x, radius, radius * 0.5f, radius * 0.5f);
}

void icseg_synth_add_car(icseg_scene *scene, icseg_rng *rng, icseg_point foot) {
    icseg_synth_part body = begin(scene, rng, foot, ICSEG_SYNTH_CAR), cabin, glass, lamp;
    float half = range(rng, 1.45f, 1.8f), face = chance(rng, 0.5f) ? 1.0f : -1.0f, kind = icseg_rng_uniform(rng);
    float belt = 0.92f, top = kind < 0.3f ? 1.72f : 1.5f, wheel = 0.34f;
    float back = kind < 0.6f ? -0.97f : -0.8f,
          front = kind < 0.3f ? 0.72f : 0.5f; /* cabin ends: van, hatchback, saloon */
    body.color = any_paint(rng);
    body.bulge = 0.55f;
    cabin = body;
    if (chance(rng, 0.3f)) cabin.color = icseg_synth_other_paint(rng, body.color, 0.3f);
    icseg_point roof[] = {{face * half * back, belt - 0.1f},
                          {face * half * front, belt - 0.1f},
                          {face * half * (front - 0.3f), top - 0.08f},
                          {face * half * (back + 0.12f), top - 0.08f}};
    icseg_synth_add_polygon(scene, cabin, roof, 4, 0.08f);
    icseg_synth_add_box(scene, body, -half, 0.24f, half, belt, 0.2f);
    glass = body;
    glass.flat = true;
    glass.bulge = 0;
    glass.material = ICSEG_SYNTH_GLASS;
    glass.grain = 0.7f;
    glass.color = icseg_rgb_of(0.2f, 0.27f, 0.34f);
    float low = belt - 0.02f, high = top - 0.12f, split = half * (front + back) * 0.5f - 0.1f;
    icseg_point ahead[] = {{face * (split + 0.07f), low},
                           {face * half * (front - 0.06f), low},
                           {face * half * (front - 0.31f), high},
                           {face * (split + 0.07f), high}};
    icseg_point behind[] = {{face * half * (back + 0.07f), low},
                            {face * (split - 0.07f), low},
                            {face * (split - 0.07f), high},
                            {face * half * (back + 0.15f), high}};
    icseg_synth_add_polygon(scene, glass, ahead, 4, 0.02f);
    icseg_synth_add_polygon(scene, glass, behind, 4, 0.02f);
    add_wheel(scene, body, half * 0.58f, wheel);
    add_wheel(scene, body, -half * 0.58f, wheel);
    lamp = body;
    lamp.flat = true;
    lamp.material = scene->light.dusk ? ICSEG_SYNTH_GLOW : ICSEG_SYNTH_PLAIN;
    lamp.color = icseg_rgb_of(1, 0.95f, 0.75f);
    icseg_synth_add_ellipse(scene, lamp, face * (half - 0.12f), 0.66f, 0.1f, 0.12f);
    lamp.material = ICSEG_SYNTH_PLAIN;
    lamp.color = icseg_rgb_of(0.8f, 0.15f, 0.12f);
    icseg_synth_add_ellipse(scene, lamp, -face * (half - 0.09f), 0.66f, 0.08f, 0.13f);
}

void icseg_synth_add_person(icseg_scene *scene, icseg_rng *rng, icseg_point foot) {
    icseg_synth_part part = begin(scene, rng, foot, ICSEG_SYNTH_PERSON), shirt;
    icseg_rgb skin = skins[icseg_rng_below(rng, sizeof skins / sizeof *skins)], hair = any_paint(rng),
              legs = any_paint(rng);
    float tall = range(rng, 0.95f, 1.2f), stance = range(rng, 0.15f, 0.2f), lift = range(rng, 0.05f, 0.3f);
    bool skirt = chance(rng, 0.35f), hat = chance(rng, 0.35f), striped = chance(rng, 0.35f), waves = chance(rng, 0.25f);
    part.scale *= tall;
    part.bulge = 0.8f;
    shirt = part;
    shirt.color = icseg_synth_other_paint(rng, legs, 0.25f);
    shirt.second = icseg_synth_other_paint(rng, shirt.color, 0.4f);
    shirt.material = striped ? ICSEG_SYNTH_STRIPES : ICSEG_SYNTH_PLAIN;
    shirt.grain = 0.12f;
    part.color = skirt ? skin : legs;
    icseg_synth_add_capsule(scene, part, (icseg_point){-stance, 0.1f}, (icseg_point){-0.12f, 0.82f}, 0.13f, 0.16f);
    icseg_synth_add_capsule(scene, part, (icseg_point){stance, 0.1f}, (icseg_point){0.12f, 0.82f}, 0.13f, 0.16f);
    part.color = icseg_rgb_scale(any_paint(rng), 0.6f);
    icseg_synth_add_box(scene, part, -stance - 0.16f, -0.02f, -stance + 0.13f, 0.14f, 0.05f);
    icseg_synth_add_box(scene, part, stance - 0.13f, -0.02f, stance + 0.16f, 0.14f, 0.05f);
    float hand = 0.28f + lift * 0.4f, hand_y = waves ? 1.85f : 0.78f;
    icseg_synth_add_capsule(scene, shirt, (icseg_point){-0.26f, 1.3f}, (icseg_point){-0.28f - lift * 0.3f, 0.8f}, 0.12f,
                            0.11f);
    icseg_synth_add_capsule(scene, shirt, (icseg_point){0.26f, 1.3f}, (icseg_point){hand, hand_y}, 0.12f, 0.11f);
    icseg_point torso[] = {{-0.2f, 0.8f}, {0.2f, 0.8f}, {0.25f, 1.3f}, {-0.25f, 1.3f}};
    icseg_synth_add_polygon(scene, shirt, torso, 4, 0.08f);
    part.color = legs;
    if (skirt) {
        icseg_point cloth[] = {{-0.36f, 0.42f}, {0.36f, 0.42f}, {0.17f, 0.95f}, {-0.17f, 0.95f}};
        icseg_synth_add_polygon(scene, part, cloth, 4, 0.04f);
    }
    part.flat = true;
    part.color = skin;
    icseg_synth_add_ellipse(scene, part, -0.28f - lift * 0.3f, 0.76f, 0.11f, 0.12f);
    icseg_synth_add_ellipse(scene, part, hand, hand_y, 0.11f, 0.12f);
    part.flat = false;
    part.color = hair;
    icseg_synth_add_ellipse(scene, part, 0, 1.64f, 0.23f, 0.24f);
    part.color = skin;
    icseg_synth_add_ellipse(scene, part, 0, 1.58f, 0.19f, 0.21f);
    part.color = icseg_rgb_of(0.12f, 0.1f, 0.1f);
    icseg_synth_add_ellipse(scene, part, -0.075f, 1.59f, 0.025f, 0.035f);
    icseg_synth_add_ellipse(scene, part, 0.075f, 1.59f, 0.025f, 0.035f);
    part.color = hair;
    if (hat) {
        icseg_synth_add_box(scene, part, -0.3f, 1.68f, 0.3f, 1.76f, 0.03f);
        icseg_synth_add_box(scene, part, -0.19f, 1.7f, 0.19f, 1.94f, 0.07f);
    } else {
        icseg_point fringe[] = {{-0.18f, 1.68f}, {0.18f, 1.7f}, {0.12f, 1.8f}, {-0.12f, 1.8f}};
        icseg_synth_add_polygon(scene, part, fringe, 4, 0.04f);
    }
}

void icseg_synth_add_cone(icseg_scene *scene, icseg_rng *rng, icseg_point foot) {
    icseg_synth_part cone = begin(scene, rng, foot, ICSEG_SYNTH_CONE);
    float height = range(rng, 0.9f, 1.2f), half = height * range(rng, 0.32f, 0.38f);
    cone.color = usual_paint(rng, ICSEG_SYNTH_RUST, ICSEG_SYNTH_RED, ICSEG_SYNTH_OCHRE);
    cone.second = chance(rng, 0.6f) ? icseg_synth_pick(rng, (const icseg_synth_paint[]){ICSEG_SYNTH_WHITE}, 1)
                                    : icseg_synth_other_paint(rng, cone.color, 0.5f);
    cone.bulge = 0.85f;
    icseg_synth_add_box(scene, cone, -half - 0.1f, -0.02f, half + 0.1f, 0.13f, 0.04f);
    cone.material = ICSEG_SYNTH_STRIPES;
    cone.grain = height * range(rng, 0.17f, 0.22f);
    icseg_point p[] = {{-half, 0.1f}, {half, 0.1f}, {0.07f, height}, {-0.07f, height}};
    icseg_synth_add_polygon(scene, cone, p, 4, 0.03f);
}

void icseg_synth_add_lamp(icseg_scene *scene, icseg_rng *rng, icseg_point foot) {
    icseg_synth_part post = begin(scene, rng, foot, ICSEG_SYNTH_LAMP), glass;
    float height = range(rng, 2.6f, 3.3f), girth = range(rng, 0.19f, 0.23f);
    bool globe = chance(rng, 0.5f);
    post.color = icseg_rgb_scale(usual_paint(rng, ICSEG_SYNTH_CHARCOAL, ICSEG_SYNTH_NAVY, ICSEG_SYNTH_FOREST), 0.75f);
    post.bulge = 0.95f;
    glass = post;
    glass.material = scene->light.dusk ? ICSEG_SYNTH_GLOW : ICSEG_SYNTH_PLAIN;
    glass.color = icseg_rgb_of(1, 0.9f, 0.62f);
    if (!scene->light.dusk) glass.color = icseg_rgb_mix(any_paint(rng), icseg_rgb_of(1, 1, 1), 0.5f);
    icseg_synth_add_capsule(scene, post, (icseg_point){0, 0.1f}, (icseg_point){0, height}, girth, girth * 0.85f);
    icseg_synth_add_box(scene, post, -0.34f, -0.02f, 0.34f, 0.24f, 0.05f);
    icseg_synth_add_box(scene, post, -0.26f, 0.2f, 0.26f, 0.6f, 0.05f);
    if (globe) {
        icseg_synth_add_ellipse(scene, glass, 0, height + 0.3f, 0.36f, 0.36f);
        icseg_synth_add_box(scene, post, -0.24f, height - 0.08f, 0.24f, height + 0.06f, 0.03f);
    } else {
        icseg_point lantern[] = {{-0.22f, height}, {0.22f, height}, {0.36f, height + 0.62f}, {-0.36f, height + 0.62f}};
        icseg_point cap[] = {
            {-0.48f, height + 0.62f}, {0.48f, height + 0.62f}, {0.1f, height + 0.95f}, {-0.1f, height + 0.95f}};
        icseg_synth_add_polygon(scene, glass, lantern, 4, 0.02f);
        icseg_synth_add_polygon(scene, post, cap, 4, 0.03f);
        icseg_synth_add_box(scene, post, -0.27f, height - 0.08f, 0.27f, height + 0.06f, 0.03f);
    }
}

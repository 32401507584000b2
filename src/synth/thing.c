/* SPDX-License-Identifier: Apache-2.0
 * The objects of the large vocabulary. A builder draws the shape of an object, in the material and pattern of its
 * class. Sizes are in metres. Each statement draws one random number, because C does not define the order in which
 * arguments are evaluated. */
#include <math.h>

#include "synth/kind.h"

static float range(icseg_rng *rng, float low, float high) { return icseg_rng_range(rng, low, high); }
static bool chance(icseg_rng *rng, float share) { return icseg_rng_uniform(rng) < share; }

static icseg_synth_part plain(const icseg_synth_part *look, float brightness) { /* paint without a pattern */
    icseg_synth_part part = *look;
    part.material = ICSEG_SYNTH_PLAIN;
    part.color = icseg_rgb_scale(look->color, brightness);
    return part;
}

static icseg_synth_part dark(const icseg_synth_part *look) { /* openings, tyres */
    icseg_synth_part part = *look;
    part.material = ICSEG_SYNTH_PLAIN;
    part.color = icseg_rgb_of(0.13f, 0.13f, 0.15f);
    part.flat = true;
    return part;
}

static void build_fence(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 2.2f, 4), width = range(rng, 0.36f, 0.46f), count = ceilf(2 * half / width);
    icseg_synth_part rail = plain(&look, 0.6f);
    rail.flat = true;
    look.shape = ICSEG_SYNTH_PICKETS;
    look.point[0] = (icseg_point){-0.5f * count * width, -0.04f};
    look.point[1] = (icseg_point){0.5f * count * width, 1.4f};
    look.radius[0] = width;
    look.radius[1] = 0.26f;
    if (look.material == ICSEG_SYNTH_WOOD) look.grain = width;
    icseg_synth_add(scene, &look);
    icseg_synth_add_box(scene, rail, look.point[0].x, 0.85f, look.point[1].x, 0.97f, 0.02f);
    icseg_synth_add_box(scene, rail, look.point[0].x, 0.25f, look.point[1].x, 0.37f, 0.02f);
}

static void build_wall(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 2.2f, 3.8f), height = range(rng, 1.7f, 2.3f);
    icseg_synth_part cap = plain(&look, 0.75f);
    icseg_synth_add_box(scene, look, -half, -0.04f, half, height, 0);
    cap.flat = true;
    icseg_synth_add_box(scene, cap, -half - 0.1f, height - 0.02f, half + 0.1f, height + 0.16f, 0.03f);
}

static void add_window(icseg_scene *scene, const icseg_synth_part *look, float x, float y, float w, float h) {
    icseg_synth_part frame = plain(look, 0.55f), pane = dark(look);
    frame.flat = true;
    icseg_synth_add_box(scene, frame, x - w - 0.1f, y - 0.1f, x + w + 0.1f, y + h + 0.1f, 0.02f);
    if (scene->light.dusk) pane.color = icseg_rgb_of(1, 0.84f, 0.5f);
    icseg_synth_add_box(scene, pane, x - w, y, x + w, y + h, 0);
    icseg_synth_add_box(scene, frame, x - 0.04f, y, x + 0.04f, y + h, 0);
}

static void build_house(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 2.1f, 3), height = range(rng, 2.5f, 3.2f), rise = range(rng, 1.3f, 1.9f);
    float over = half + 0.35f, door = half * range(rng, -0.5f, 0.5f), top = chance(rng, 0.5f) ? 0.1f : over - 0.9f;
    icseg_synth_part roof = plain(&look, 0.7f);
    roof.color = icseg_synth_other_paint(rng, look.color, 0.3f);
    icseg_synth_add_box(scene, look, -half, -0.05f, half, height, 0);
    icseg_point p[] = {{-over, height - 0.1f}, {over, height - 0.1f}, {top, height + rise}, {-top, height + rise}};
    icseg_synth_add_polygon(scene, roof, p, 4, 0.05f);
    icseg_synth_part frame = plain(&look, 0.55f);
    frame.flat = true;
    icseg_synth_add_box(scene, frame, door - 0.5f, 0, door + 0.5f, 1.9f, 0.04f);
    for (int i = -1; i <= 1; i++)
        if (fabsf(half * 0.62f * (float)i - door) > 1)
            add_window(scene, &look, half * 0.62f * (float)i, 1.1f, 0.34f, 0.8f);
}

static void build_tower(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 0.95f, 1.25f), height = range(rng, 5, 6.2f), taper = range(rng, 0.7f, 0.95f);
    bool pointed = chance(rng, 0.5f);
    icseg_synth_part roof = plain(&look, 0.7f), hole = dark(&look);
    look.bulge = 0.6f;
    icseg_point body[] = {{-half, -0.05f}, {half, -0.05f}, {half * taper, height}, {-half * taper, height}};
    icseg_synth_add_polygon(scene, look, body, 4, 0);
    if (pointed) {
        roof.color = icseg_synth_other_paint(rng, look.color, 0.3f);
        icseg_point p[] = {{-half - 0.2f, height - 0.05f}, {half + 0.2f, height - 0.05f}, {0, height + 2}};
        icseg_synth_add_polygon(scene, roof, p, 3, 0.04f);
    } else {
        for (int i = -1; i <= 1; i++) {
            float x = half * 0.72f * (float)i;
            icseg_synth_add_box(scene, look, x - 0.24f, height - 0.1f, x + 0.24f, height + 0.5f, 0.02f);
        }
    }
    icseg_synth_add_box(scene, hole, -0.13f, height * 0.62f, 0.13f, height * 0.62f + 0.6f, 0.12f);
    icseg_synth_add_box(scene, hole, -0.36f, 0, 0.36f, 1.3f, 0.3f);
}

static void build_bench(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 1, 1.25f);
    icseg_synth_part leg = plain(&look, 0.5f), back = look;
    icseg_synth_add_box(scene, leg, -half + 0.12f, 0, -half + 0.3f, 0.6f, 0.02f);
    icseg_synth_add_box(scene, leg, half - 0.3f, 0, half - 0.12f, 0.6f, 0.02f);
    icseg_synth_add_box(scene, back, -half, 0.72f, half, 1.28f, 0.06f);
    icseg_synth_add_box(scene, leg, -half + 0.16f, 0.55f, -half + 0.26f, 0.8f, 0);
    icseg_synth_add_box(scene, leg, half - 0.26f, 0.55f, half - 0.16f, 0.8f, 0);
    icseg_synth_add_box(scene, look, -half - 0.06f, 0.36f, half + 0.06f, 0.62f, 0.05f);
}

static void build_barrel(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 0.5f, 0.58f);
    icseg_synth_part hoop = plain(&look, 0.45f);
    look.bulge = 0.85f;
    look.seed |= 1; /* upright staves */
    icseg_point p[] = {{-half * 0.8f, 0.02f}, {half * 0.8f, 0.02f},  {half, 0.5f},   {half, 0.85f},
                       {half * 0.8f, 1.33f},  {-half * 0.8f, 1.33f}, {-half, 0.85f}, {-half, 0.5f}};
    icseg_synth_add_polygon(scene, look, p, 8, 0.03f);
    hoop.flat = true;
    hoop.bulge = 0.85f;
    icseg_synth_add_box(scene, hoop, -half * 0.95f, 0.26f, half * 0.95f, 0.34f, 0.02f);
    icseg_synth_add_box(scene, hoop, -half * 0.95f, 1.0f, half * 0.95f, 1.08f, 0.02f);
}

static void build_crate(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 0.55f, 0.75f), high = range(rng, 0.95f, 1.15f), rim = 0.09f;
    icseg_synth_part frame = plain(&look, 0.55f);
    icseg_synth_add_box(scene, look, -half, 0, half, high, 0.01f);
    frame.flat = true;
    icseg_synth_add_box(scene, frame, -half, 0, -half + rim, high, 0);
    icseg_synth_add_box(scene, frame, half - rim, 0, half, high, 0);
    icseg_synth_add_box(scene, frame, -half, 0, half, rim, 0);
    icseg_synth_add_box(scene, frame, -half, high - rim, half, high, 0);
}

static void build_sign(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    icseg_synth_part post = plain(&look, 0.4f), rim = plain(&look, 0.35f);
    bool round = chance(rng, 0.5f);
    icseg_synth_add_box(scene, post, -0.09f, 0, 0.09f, 1.4f, 0.02f);
    if (round) {
        icseg_synth_add_ellipse(scene, rim, 0, 1.65f, 0.72f, 0.72f);
        look.flat = true;
        icseg_synth_add_ellipse(scene, look, 0, 1.65f, 0.64f, 0.64f);
    } else {
        icseg_synth_add_box(scene, rim, -0.88f, 1, 0.88f, 2.26f, 0.08f);
        look.flat = true;
        icseg_synth_add_box(scene, look, -0.8f, 1.08f, 0.8f, 2.18f, 0.05f);
    }
}

static void build_pole(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float height = range(rng, 2.8f, 3.6f), girth = range(rng, 0.2f, 0.26f);
    icseg_synth_part foot = plain(&look, 0.5f), ball = plain(&look, 0.9f);
    look.bulge = 0.9f;
    ball.bulge = 0.9f;
    icseg_synth_add_box(scene, look, -girth, 0.1f, girth, height, 0.02f);
    icseg_synth_add_box(scene, foot, -girth - 0.16f, -0.02f, girth + 0.16f, 0.2f, 0.04f);
    icseg_synth_add_ellipse(scene, ball, 0, height + 0.14f, girth * 1.3f, girth * 1.3f);
}

static void build_tent(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 1.5f, 1.9f), height = range(rng, 1.9f, 2.3f), lean = range(rng, -0.3f, 0.3f);
    icseg_synth_part hole = dark(&look);
    icseg_point p[] = {
        {-half, 0}, {half, 0}, {half * 0.45f, height * 0.62f}, {lean, height}, {-half * 0.45f, height * 0.62f}};
    icseg_synth_add_polygon(scene, look, p, 5, 0.03f);
    icseg_point door[] = {{lean - 0.42f, 0}, {lean + 0.42f, 0}, {lean, height * 0.66f}};
    icseg_synth_add_polygon(scene, hole, door, 3, 0.02f);
}

static void build_boat(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 1.6f, 2), bow = chance(rng, 0.5f) ? 1.0f : -1.0f;
    bool mast = chance(rng, 0.6f);
    icseg_synth_part spar = plain(&look, 0.45f), sail = plain(&look, 1);
    icseg_point hull[] = {
        {-bow * half * 0.86f, 0.8f}, {-bow * half * 0.66f, 0}, {bow * half * 0.6f, 0}, {bow * half, 0.95f}};
    if (mast) {
        sail.color = icseg_synth_other_paint(rng, look.color, 0.35f);
        icseg_synth_add_box(scene, spar, -0.07f, 0.6f, 0.07f, 2.7f, 0);
        icseg_point cloth[] = {{bow * 0.1f, 1}, {bow * half * 0.75f, 1}, {bow * 0.1f, 2.65f}};
        icseg_synth_add_polygon(scene, sail, cloth, 3, 0.02f);
    }
    icseg_synth_add_polygon(scene, look, hull, 4, 0.03f);
    spar.flat = true;
    icseg_synth_add_capsule(scene, spar, hull[0], hull[3], 0.07f, 0.07f);
}

static void add_wheel(icseg_scene *scene, const icseg_synth_part *look, float x) {
    icseg_synth_part tyre = dark(look), hub = plain(look, 1);
    tyre.flat = false;
    hub.flat = true;
    hub.color = icseg_rgb_of(0.72f, 0.72f, 0.74f);
    icseg_synth_add_ellipse(scene, tyre, x, 0.34f, 0.34f, 0.34f);
    icseg_synth_add_ellipse(scene, hub, x, 0.34f, 0.17f, 0.17f);
}

static void build_car(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 1.5f, 1.8f), face = chance(rng, 0.5f) ? 1.0f : -1.0f, back = range(rng, -0.95f, -0.7f);
    icseg_synth_part glass = dark(&look), lamp = plain(&look, 1);
    look.bulge = 0.4f;
    glass.color = icseg_rgb_of(0.2f, 0.27f, 0.34f);
    icseg_point roof[] = {{face * half * back, 0.85f},
                          {face * half * 0.6f, 0.85f},
                          {face * half * 0.28f, 1.52f},
                          {face * half * (back + 0.14f), 1.52f}};
    icseg_point pane[] = {{face * half * (back + 0.09f), 0.98f},
                          {face * half * 0.5f, 0.98f},
                          {face * half * 0.25f, 1.42f},
                          {face * half * (back + 0.19f), 1.42f}};
    icseg_synth_add_polygon(scene, look, roof, 4, 0.08f);
    icseg_synth_add_polygon(scene, glass, pane, 4, 0.02f);
    icseg_synth_add_box(scene, look, -half, 0.24f, half, 0.96f, 0.2f);
    add_wheel(scene, &look, half * 0.58f);
    add_wheel(scene, &look, -half * 0.58f);
    lamp.flat = true;
    lamp.color = icseg_rgb_of(1, 0.95f, 0.75f);
    icseg_synth_add_ellipse(scene, lamp, face * (half - 0.12f), 0.66f, 0.1f, 0.12f);
}

static void build_balloon(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 0.95f, 1.15f);
    icseg_synth_part basket = plain(&look, 0.45f), rope = plain(&look, 0.4f);
    look.bulge = 0.85f;
    look.flat = rope.flat = basket.flat = true; /* its shadow falls far away */
    icseg_synth_add_capsule(scene, rope, (icseg_point){-half * 0.5f, 1.1f}, (icseg_point){-0.24f, 0.4f}, 0.04f, 0.04f);
    icseg_synth_add_capsule(scene, rope, (icseg_point){half * 0.5f, 1.1f}, (icseg_point){0.24f, 0.4f}, 0.04f, 0.04f);
    icseg_synth_add_capsule(scene, look, (icseg_point){0, 2.2f}, (icseg_point){0, 1}, half, 0.3f);
    icseg_synth_add_box(scene, basket, -0.3f, 0, 0.3f, 0.45f, 0.06f);
}

static void build_umbrella(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 1.15f, 1.4f), lean = range(rng, -0.18f, 0.18f);
    icseg_synth_part stick = plain(&look, 0.45f);
    icseg_synth_add_capsule(scene, stick, (icseg_point){0, 0}, (icseg_point){lean, 2.3f}, 0.06f, 0.06f);
    look.bulge = 0.5f;
    icseg_point p[] = {{lean - half, 1.45f},       {lean - half * 0.5f, 1.6f}, {lean, 1.45f},
                       {lean + half * 0.5f, 1.6f}, {lean + half, 1.45f},       {lean + half * 0.72f, 2},
                       {lean + half * 0.3f, 2.3f}, {lean - half * 0.3f, 2.3f}, {lean - half * 0.72f, 2}};
    icseg_synth_add_polygon(scene, look, p, 9, 0.03f);
}

static void build_statue(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float arm = range(rng, 0.5f, 0.75f), high = chance(rng, 0.5f) ? 2.35f : 1.35f;
    icseg_synth_part round = look;
    round.bulge = 0.8f;
    icseg_synth_add_box(scene, look, -0.62f, 0, 0.62f, 0.55f, 0.02f);
    icseg_synth_add_box(scene, look, -0.74f, 0.48f, 0.74f, 0.66f, 0.02f);
    icseg_synth_add_capsule(scene, round, (icseg_point){-0.3f, 1.72f}, (icseg_point){-0.5f, 1.15f}, 0.15f, 0.13f);
    icseg_synth_add_capsule(scene, round, (icseg_point){0.3f, 1.72f}, (icseg_point){arm, high}, 0.15f, 0.13f);
    icseg_point robe[] = {{-0.48f, 0.66f}, {0.48f, 0.66f}, {0.3f, 1.8f}, {-0.3f, 1.8f}};
    icseg_synth_add_polygon(scene, round, robe, 4, 0.05f);
    icseg_synth_add_ellipse(scene, round, 0, 2.12f, 0.27f, 0.31f);
}

static void build_arch(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 1.3f, 1.6f), width = range(rng, 0.55f, 0.7f), spring = range(rng, 1.4f, 1.8f);
    float inner = half - width;
    icseg_synth_add_box(scene, look, -half, 0, -inner, spring, 0);
    icseg_synth_add_box(scene, look, inner, 0, half, spring, 0);
    for (int i = 0; i < 8; i++) { /* wedges of a half circle */
        float a = 3.1416f * (float)i / 8, b = 3.1416f * (float)(i + 1) / 8;
        icseg_point p[] = {{inner * cosf(a), spring + inner * sinf(a)},
                           {half * cosf(a), spring + half * sinf(a)},
                           {half * cosf(b), spring + half * sinf(b)},
                           {inner * cosf(b), spring + inner * sinf(b)}};
        icseg_synth_add_polygon(scene, look, p, 4, 0.01f);
    }
}

static void build_vase(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 0.5f, 0.62f), neck = range(rng, 0.18f, 0.28f);
    look.bulge = 0.85f;
    icseg_point p[] = {{-0.26f, 0},           {0.26f, 0},           {half, 0.55f},         {half * 0.92f, 0.9f},
                       {neck, 1.2f},          {neck + 0.14f, 1.5f}, {-neck - 0.14f, 1.5f}, {-neck, 1.2f},
                       {-half * 0.92f, 0.9f}, {-half, 0.55f}};
    icseg_synth_add_polygon(scene, look, p, 10, 0.03f);
}

static void build_tree(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float height = range(rng, 3.4f, 4.4f), wide = height * range(rng, 0.3f, 0.38f), middle = height * 0.64f;
    bool conifer = chance(rng, 0.3f);
    icseg_synth_part trunk = look;
    trunk.material = ICSEG_SYNTH_BARK;
    trunk.pattern = ICSEG_SYNTH_NO_PATTERN;
    trunk.color = icseg_rgb_mix(icseg_rgb_of(0.36f, 0.26f, 0.2f), look.second, 0.25f);
    look.rough = 0.14f;
    look.bulge = 0.85f;
    icseg_synth_add_capsule(scene, trunk, (icseg_point){0, -0.05f}, (icseg_point){0, middle}, 0.26f, 0.15f);
    if (conifer) {
        for (int i = 0; i < 3; i++) {
            float low = height * (0.16f + 0.25f * (float)i), half = wide * (0.95f - 0.22f * (float)i);
            icseg_point tier[] = {{-half, low}, {half, low}, {0.05f * half, low + height * 0.38f}};
            icseg_synth_add_polygon(scene, look, tier, 3, 0.05f);
        }
        return;
    }
    look.shape = ICSEG_SYNTH_BLOBS;
    look.points = 8;
    for (int i = 0; i < 8; i++) {
        float angle = 6.2832f * (float)i / 7, away = i == 7 ? 0 : wide * 0.52f;
        look.point[i].x = away * cosf(angle);
        look.point[i].y = middle + away * 0.85f * sinf(angle);
        look.radius[i] = wide * range(rng, 0.45f, 0.6f);
    }
    icseg_synth_add(scene, &look);
}

static void build_bare_tree(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float height = range(rng, 3.4f, 4.2f);
    icseg_synth_add_capsule(scene, look, (icseg_point){0, -0.05f}, (icseg_point){0, height * 0.9f}, 0.28f, 0.07f);
    for (int i = 0; i < 7; i++) {
        float side = i & 1 ? 1.0f : -1.0f, from = height * (0.32f + 0.08f * (float)i);
        float out = side * range(rng, 0.65f, 1.15f) * (1.15f - 0.1f * (float)i), rise = range(rng, 0.6f, 1.1f);
        icseg_point end = {out, from + rise};
        icseg_synth_add_capsule(scene, look, (icseg_point){0, from}, end, 0.14f, 0.06f);
        icseg_synth_add_capsule(scene, look, (icseg_point){out * 0.55f, from + rise * 0.55f},
                                (icseg_point){out * 0.62f, from + rise * 1.3f}, 0.09f, 0.05f);
    }
}

static void build_bush(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 0.85f, 1.25f);
    look.shape = ICSEG_SYNTH_BLOBS;
    look.points = 6;
    look.rough = 0.1f;
    look.bulge = 0.85f;
    for (int i = 0; i < 6; i++) {
        float up = i < 3   ? 0.4f
                   : i < 5 ? 0.75f
                           : 0.5f,
              x = i < 3   ? (float)(i - 1) * 0.62f
                  : i < 5 ? (float)i - 3.5f
                          : 0;
        look.point[i] = (icseg_point){x * half, up};
        look.radius[i] = half * range(rng, 0.38f, 0.5f);
    }
    icseg_synth_add(scene, &look);
}

static void build_kite(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 0.65f, 0.8f), lean = range(rng, -0.25f, 0.25f), sway = range(rng, -0.4f, 0.4f);
    icseg_synth_part tail = plain(&look, 0.5f);
    look.flat = tail.flat = true;
    icseg_point p[] = {{-lean, 0.7f}, {half, 1.6f}, {lean, 2.2f}, {-half, 1.6f}};
    icseg_point knot[] = {{-lean, 0.7f}, {sway, 0.4f}, {sway * 0.2f, 0.15f}, {sway * 1.2f, -0.15f}};
    for (int i = 0; i < 3; i++) icseg_synth_add_capsule(scene, tail, knot[i], knot[i + 1], 0.05f, 0.05f);
    icseg_synth_add_polygon(scene, look, p, 4, 0.02f);
}

static void build_cone(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look) {
    float half = range(rng, 0.36f, 0.44f);
    icseg_synth_part base = plain(&look, 0.8f);
    look.bulge = 0.8f;
    look.seed = (look.seed & ~0x300u) | 0x100u; /* stripes go around it */
    icseg_synth_add_box(scene, base, -half - 0.14f, -0.02f, half + 0.14f, 0.14f, 0.04f);
    icseg_point p[] = {{-half, 0.12f}, {half, 0.12f}, {0.08f, 1.15f}, {-0.08f, 1.15f}};
    icseg_synth_add_polygon(scene, look, p, 4, 0.03f);
}

static const struct thing {
    void (*build)(icseg_scene *scene, icseg_rng *rng, icseg_synth_part look);
    icseg_synth_size size;
    float feature; /* metres: the usual size of a pattern's features */
} things[ICSEG_THINGS] = {
    [ICSEG_THING_FENCE] = {build_fence, {1.4f, 3.2f, false}, 0.42f},
    [ICSEG_THING_WALL] = {build_wall, {2.1f, 3.1f, false}, 0.55f},
    [ICSEG_THING_HOUSE] = {build_house, {4.5f, 2.9f, false}, 0.6f},
    [ICSEG_THING_TOWER] = {build_tower, {6.8f, 1.3f, false}, 0.7f},
    [ICSEG_THING_BENCH] = {build_bench, {1.3f, 1.2f, false}, 0.2f},
    [ICSEG_THING_BARREL] = {build_barrel, {1.35f, 0.6f, false}, 0.24f},
    [ICSEG_THING_CRATE] = {build_crate, {1.1f, 0.7f, false}, 0.24f},
    [ICSEG_THING_SIGN] = {build_sign, {2.3f, 0.85f, false}, 0.28f},
    [ICSEG_THING_POLE] = {build_pole, {3.6f, 0.4f, false}, 0.26f},
    [ICSEG_THING_TENT] = {build_tent, {2.1f, 1.7f, false}, 0.34f},
    [ICSEG_THING_BOAT] = {build_boat, {2.2f, 1.9f, false}, 0.26f},
    [ICSEG_THING_CAR] = {build_car, {1.55f, 1.7f, false}, 0.3f},
    [ICSEG_THING_BALLOON] = {build_balloon, {3.2f, 1.1f, true}, 0.42f},
    [ICSEG_THING_UMBRELLA] = {build_umbrella, {2.35f, 1.3f, false}, 0.3f},
    [ICSEG_THING_STATUE] = {build_statue, {2.4f, 0.8f, false}, 0.3f},
    [ICSEG_THING_ARCH] = {build_arch, {3.1f, 1.5f, false}, 0.4f},
    [ICSEG_THING_VASE] = {build_vase, {1.5f, 0.6f, false}, 0.24f},
    [ICSEG_THING_TREE] = {build_tree, {4, 1.4f, false}, 0.5f},
    [ICSEG_THING_BARE_TREE] = {build_bare_tree, {4.1f, 1.3f, false}, 0.3f},
    [ICSEG_THING_BUSH] = {build_bush, {1.2f, 1.2f, false}, 0.32f},
    [ICSEG_THING_KITE] = {build_kite, {2.2f, 0.75f, true}, 0.36f},
    [ICSEG_THING_CONE] = {build_cone, {1.15f, 0.5f, false}, 0.2f},
};

icseg_synth_size icseg_synth_size_of(icseg_synth_thing_kind thing) { return things[thing].size; }

static icseg_rgb moss_color(icseg_rng *rng) {
    static const icseg_synth_paint paints[] = {ICSEG_SYNTH_MOSS,  ICSEG_SYNTH_MOSS, ICSEG_SYNTH_FOREST,
                                               ICSEG_SYNTH_OLIVE, ICSEG_SYNTH_TEAL, ICSEG_SYNTH_MINT};
    return icseg_synth_pick(rng, paints, sizeof paints / sizeof *paints);
}

/* Colours that suit the material, from the paints of all classes. */
static void choose_colors(icseg_synth_part *look, icseg_rng *rng) {
    icseg_rgb color = icseg_synth_pick(rng, NULL, 0);
    if (look->material == ICSEG_SYNTH_FOLIAGE) color = icseg_synth_leaf_color(rng);
    if (look->material == ICSEG_SYNTH_BARK) color = icseg_rgb_mix(color, icseg_rgb_of(0.4f, 0.3f, 0.24f), 0.55f);
    if (look->material == ICSEG_SYNTH_WOOD) color = icseg_rgb_mix(color, icseg_rgb_of(0.62f, 0.44f, 0.28f), 0.35f);
    if (look->material == ICSEG_SYNTH_STONE) color = icseg_rgb_mix(color, icseg_rgb_of(0.6f, 0.6f, 0.58f), 0.4f);
    if (look->material == ICSEG_SYNTH_METAL) color = icseg_rgb_mix(color, icseg_rgb_of(0.62f, 0.65f, 0.7f), 0.3f);
    look->color = color;
    look->second = icseg_synth_other_paint(rng, color, 0.5f);
    if (look->pattern == ICSEG_SYNTH_MOSSY)
        for (int i = 0; i < 12; i++) {
            look->second = moss_color(rng);
            if (icseg_rgb_distance(look->second, color) > 0.3f) break;
        }
    if (look->pattern == ICSEG_SYNTH_SNOWY)
        look->second = icseg_rgb_mix(icseg_rgb_of(0.95f, 0.96f, 1), look->second, 0.1f);
}

static icseg_synth_part look_of(const icseg_scene *scene, icseg_rng *rng, const icseg_synth_kind *kind, int32_t label,
                                icseg_point foot, float scale) {
    float share = (foot.y - scene->horizon) / ((float)scene->height - scene->horizon);
    float feature = things[kind->what].feature;
    icseg_synth_part look = {.label = label,
                             .material = kind->material,
                             .pattern = kind->pattern,
                             .foot = foot,
                             .scale = scale,
                             .haze = 0.35f * expf(-fmaxf(share, 0.15f) * 9),
                             .seed = (uint32_t)icseg_rng_u64(rng)};
    look.pitch = fmaxf(feature * range(rng, 0.85f, 1.25f), 4.5f / scale);
    look.grain = fmaxf(feature * (kind->pattern == ICSEG_SYNTH_NO_PATTERN ? 0.8f : 0.6f), 4 / scale);
    if (kind->pattern == ICSEG_SYNTH_FLOWERING) look.pitch *= 0.8f;
    if (kind->material == ICSEG_SYNTH_MASONRY) look.grain *= 0.8f;
    choose_colors(&look, rng);
    return look;
}

void icseg_synth_add_thing(icseg_scene *scene, icseg_rng *rng, const icseg_synth_kind *kind, int32_t label,
                           icseg_point foot, float scale) {
    icseg_synth_part look = look_of(scene, rng, kind, label, foot, scale);
    things[kind->what].build(scene, rng, look);
}

void icseg_synth_add_long_wall(icseg_scene *scene, icseg_rng *rng, const icseg_synth_kind *kind, int32_t label,
                               icseg_point foot, float scale, float height) {
    icseg_synth_part look = look_of(scene, rng, kind, label, foot, scale);
    float half = (float)scene->width / scale;
    icseg_synth_add_box(scene, look, -half, -0.04f, half, height / scale, 0);
}

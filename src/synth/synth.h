/* SPDX-License-Identifier: Apache-2.0
 * The scene generator's internal declarations. A scene is a backdrop (sky, ridges, a ground plane with road and water)
 * and a list of parts, upright flat shapes on the ground, sorted from far to near. layout.c composes it, raster.c
 * paints it. In pixel coordinates y points down and pixel centres are at .5; a part's own coordinates are in metres,
 * with y up from its foot. */
#ifndef ICSEG_SYNTH_SYNTH_H
#define ICSEG_SYNTH_SYNTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/rng.h"
#include "icseg/synth.h"

typedef enum icseg_synth_class {
    ICSEG_SYNTH_SKY,
    ICSEG_SYNTH_MOUNTAIN,
    ICSEG_SYNTH_GRASS,
    ICSEG_SYNTH_ROAD,
    ICSEG_SYNTH_WATER,
    ICSEG_SYNTH_TREE,
    ICSEG_SYNTH_HOUSE,
    ICSEG_SYNTH_ROOF,
    ICSEG_SYNTH_FENCE,
    ICSEG_SYNTH_CAR,
    ICSEG_SYNTH_PERSON,
    ICSEG_SYNTH_CONE,
    ICSEG_SYNTH_LAMP
} icseg_synth_class;

typedef struct icseg_rgb {
    float r, g, b; /* display values, 0..1 once clamped */
} icseg_rgb;

typedef struct icseg_point {
    float x, y;
} icseg_point;

typedef enum icseg_synth_shape {
    ICSEG_SYNTH_BOX,     /* point[0], point[1]: lower left, upper right; radius[0]: of the corners */
    ICSEG_SYNTH_ELLIPSE, /* point[0]: centre; point[1]: radii */
    ICSEG_SYNTH_CAPSULE, /* point[0], point[1] with radius[0], radius[1] */
    ICSEG_SYNTH_POLYGON, /* point[0..points); radius[0]: of the corners, outward */
    ICSEG_SYNTH_BLOBS,   /* circles point[i], radius[i], the last one in front */
    ICSEG_SYNTH_PICKETS  /* a box whose upper edge is a row of points radius[0] wide and radius[1] high */
} icseg_synth_shape;

typedef enum icseg_synth_material {
    ICSEG_SYNTH_PLAIN,
    ICSEG_SYNTH_BRICK,
    ICSEG_SYNTH_TILE,
    ICSEG_SYNTH_PLANK,
    ICSEG_SYNTH_LEAVES,
    ICSEG_SYNTH_GLASS,
    ICSEG_SYNTH_STRIPES, /* horizontal, color and second */
    ICSEG_SYNTH_GLOW     /* emits light */
} icseg_synth_material;

enum { ICSEG_SYNTH_POINTS = 10 };

typedef struct icseg_synth_part {
    icseg_synth_class label;
    icseg_synth_shape shape;
    icseg_synth_material material;
    icseg_point foot; /* pixels: where the object touches the ground */
    float scale;      /* pixels per metre there */
    int32_t points;
    icseg_point point[ICSEG_SYNTH_POINTS]; /* metres */
    float radius[ICSEG_SYNTH_POINTS];      /* metres */
    float rough;                           /* metres: amplitude of the noise on the outline */
    float grain;                           /* metres: size of the material's features */
    float bulge;                           /* 0: shaded as a flat front; 1: as a round body */
    float haze;                            /* 0..1 */
    bool flat;                             /* does not cast a shadow */
    icseg_rgb color, second;
    uint32_t seed;
    icseg_point low, high; /* metres: bounds, filled in by icseg_synth_add */
} icseg_synth_part;

typedef struct icseg_synth_light {
    float x, y, z; /* towards the sun: right, up, towards the viewer; unit length */
    icseg_rgb sun, ambient;
    float shadow;   /* 0..1: darkness of shadows */
    float exposure; /* of the finished image */
    bool dusk;      /* windows and lamps are lit */
} icseg_synth_light;

typedef enum icseg_synth_road { ICSEG_SYNTH_NO_ROAD, ICSEG_SYNTH_ROAD_AHEAD, ICSEG_SYNTH_ROAD_ACROSS } icseg_synth_road;
typedef enum icseg_synth_water {
    ICSEG_SYNTH_NO_WATER,
    ICSEG_SYNTH_WATER_FAR,  /* a lake below the horizon */
    ICSEG_SYNTH_WATER_SIDE, /* beside a shore that leads away from the viewer */
    ICSEG_SYNTH_WATER_NEAR  /* in the foreground */
} icseg_synth_water;

typedef struct icseg_synth_ridge {
    float height, detail; /* pixels above the horizon; pixels between peaks */
    icseg_rgb color;
    float haze;
    bool snow;
    uint32_t seed;
} icseg_synth_ridge;

typedef struct icseg_synth_backdrop {
    icseg_rgb sky_high, sky_low, cloud, haze;
    float clouds; /* 0..1: cover */
    bool sun_visible;
    icseg_point sun; /* pixels */
    int32_t ridges;
    icseg_synth_ridge ridge[2];
    icseg_rgb grass, grass_second, flower, road, road_line, water;
    float flowers; /* share of tufts with flowers */
    icseg_synth_road road_kind;
    float road_at, road_half,
        curve; /* AHEAD: metres right of the viewer, half width, bend; ACROSS: depth share, half of it */
    icseg_synth_water water_kind;
    float water_at, water_end; /* depth shares (FAR, NEAR), or metres right of the viewer (SIDE: at, sign of end) */
    uint32_t seed;
} icseg_synth_backdrop;

typedef struct icseg_scene {
    int32_t width, height;
    float unit;    /* pixels: the reference length for object sizes, usually the height of the image */
    float horizon; /* pixels */
    float camera;  /* metres above the ground: (y - horizon) / camera = pixels per metre at a foot at y */
    icseg_synth_light light;
    icseg_synth_backdrop back;
    icseg_synth_part *part; /* owned, far to near */
    size_t parts, capacity;
    bool failed; /* out of memory while adding */
} icseg_scene;

/* All classes share these colours (color.c), so that colour does not identify a class. */
typedef enum icseg_synth_paint {
    ICSEG_SYNTH_CREAM,
    ICSEG_SYNTH_WHITE,
    ICSEG_SYNTH_SAND,
    ICSEG_SYNTH_OCHRE,
    ICSEG_SYNTH_RUST,
    ICSEG_SYNTH_RED,
    ICSEG_SYNTH_ROSE,
    ICSEG_SYNTH_BLUSH,
    ICSEG_SYNTH_PLUM,
    ICSEG_SYNTH_LAVENDER,
    ICSEG_SYNTH_SLATE,
    ICSEG_SYNTH_AZURE,
    ICSEG_SYNTH_NAVY,
    ICSEG_SYNTH_TEAL,
    ICSEG_SYNTH_MINT,
    ICSEG_SYNTH_MOSS,
    ICSEG_SYNTH_FOREST,
    ICSEG_SYNTH_OLIVE,
    ICSEG_SYNTH_GREY,
    ICSEG_SYNTH_CHARCOAL,
    ICSEG_SYNTH_PAINTS
} icseg_synth_paint;
/* One of the `count` paints, or of all if `choice` is NULL, slightly varied. */
icseg_rgb icseg_synth_pick(icseg_rng *rng, const icseg_synth_paint *choice, size_t count);
float icseg_rgb_distance(icseg_rgb a, icseg_rgb b); /* 0..about 1.7 */

enum { ICSEG_SYNTH_WIDTH = 256, ICSEG_SYNTH_HEIGHT = 192 }; /* the default size */
icseg_status icseg_synth_check_size(int32_t width, int32_t height, icseg_error *error);

/* Layout (layout.c; objects in object.c). */
icseg_status icseg_scene_compose(icseg_scene *out, icseg_rng *rng, int32_t width, int32_t height, icseg_error *error);
void icseg_scene_close(icseg_scene *scene);
void icseg_synth_add(icseg_scene *scene, const icseg_synth_part *part);

/* Each adds one object, which touches the ground at `foot` (pixels). */
void icseg_synth_add_tree(icseg_scene *scene, icseg_rng *rng, icseg_point foot);
void icseg_synth_add_house(icseg_scene *scene, icseg_rng *rng, icseg_point foot);
void icseg_synth_add_fence(icseg_scene *scene, icseg_rng *rng, icseg_point foot);
void icseg_synth_add_car(icseg_scene *scene, icseg_rng *rng, icseg_point foot);
void icseg_synth_add_person(icseg_scene *scene, icseg_rng *rng, icseg_point foot);
void icseg_synth_add_cone(icseg_scene *scene, icseg_rng *rng, icseg_point foot);
void icseg_synth_add_lamp(icseg_scene *scene, icseg_rng *rng, icseg_point foot);

/* The ground at a pixel below the horizon (ground.c). Shares are antialiased: 0.5 on the edge. */
typedef struct icseg_synth_ground {
    float scale;       /* pixels per metre */
    float road, water; /* shares of the pixel, road over water over grass */
    float across;      /* position across the road, -1..1 between its edges */
} icseg_synth_ground;
icseg_synth_ground icseg_synth_ground_at(const icseg_scene *scene, float x, float y);

/* Painting (raster.c); image and labels have the scene's size. */
icseg_status icseg_scene_paint(const icseg_scene *scene, icseg_image *image, icseg_labels *labels, icseg_error *error);

/* Shapes (shape.c): the signed distance in metres, negative inside; `normal` (may be NULL) receives the position of the
 * point on the bulge, -1..1 each way. */
float icseg_synth_distance(const icseg_synth_part *part, float x, float y, icseg_point *normal);
void icseg_synth_bounds(icseg_synth_part *part);

/* Textures and light (texture.c). */
float icseg_synth_hash(int32_t x, int32_t y, uint32_t seed); /* 0..1 */
float icseg_synth_noise(float x, float y, uint32_t seed);    /* 0..1, features of size 1 */
float icseg_synth_fractal(float x, float y, uint32_t seed, int octaves);
icseg_rgb icseg_synth_surface(const icseg_scene *scene, const icseg_synth_part *part, float x, float y,
                              icseg_point normal);
icseg_rgb icseg_synth_sky(const icseg_scene *scene, float x, float y);
icseg_rgb icseg_synth_ridge_color(const icseg_scene *scene, const icseg_synth_ridge *ridge, float x, float below);
icseg_rgb icseg_synth_grass(const icseg_scene *scene, float x, float y);
icseg_rgb icseg_synth_road_color(const icseg_scene *scene, const icseg_synth_ground *ground, float x, float y);
icseg_rgb icseg_synth_water_color(const icseg_scene *scene, float x, float y);

static inline float icseg_clamp01(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static inline float icseg_smooth(float low, float high, float x) { /* 0 below, 1 above, smooth between */
    float t = icseg_clamp01((x - low) / (high - low));
    return t * t * (3 - 2 * t);
}
static inline icseg_rgb icseg_rgb_of(float r, float g, float b) { return (icseg_rgb){r, g, b}; }
static inline icseg_rgb icseg_rgb_mix(icseg_rgb a, icseg_rgb b, float t) {
    return (icseg_rgb){a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}
static inline icseg_rgb icseg_rgb_scale(icseg_rgb a, float k) { return (icseg_rgb){a.r * k, a.g * k, a.b * k}; }
static inline icseg_rgb icseg_rgb_times(icseg_rgb a, icseg_rgb b) {
    return (icseg_rgb){a.r * b.r, a.g * b.g, a.b * b.b};
}
static inline icseg_rgb icseg_rgb_add(icseg_rgb a, icseg_rgb b) { return (icseg_rgb){a.r + b.r, a.g + b.g, a.b + b.b}; }

#endif

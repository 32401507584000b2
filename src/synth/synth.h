/* SPDX-License-Identifier: Apache-2.0
 * The scene generator's internal declarations. A scene is a backdrop (sky, ridges, a ground plane with road and water)
 * and a list of parts, upright flat shapes on the ground, sorted from far to near. layout.c composes the scenes of the
 * small vocabulary, world.c those of the large one; raster.c paints both. In pixel coordinates y points down and pixel
 * centres are at .5; a part's own coordinates are in metres, with y up from its foot. */
#ifndef ICSEG_SYNTH_SYNTH_H
#define ICSEG_SYNTH_SYNTH_H

#include <math.h>
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
    ICSEG_SYNTH_GLOW,    /* emits light */
    ICSEG_SYNTH_WOOD,    /* from here on: surface.c, which adds a pattern; boards of width grain */
    ICSEG_SYNTH_STONE,
    ICSEG_SYNTH_MASONRY, /* bricks */
    ICSEG_SYNTH_METAL,
    ICSEG_SYNTH_WOVEN,
    ICSEG_SYNTH_TILES,
    ICSEG_SYNTH_PANES, /* of glass */
    ICSEG_SYNTH_CLOTH, /* also paint */
    ICSEG_SYNTH_FOLIAGE,
    ICSEG_SYNTH_BARK
} icseg_synth_material;

/* What decorates or covers a material. */
typedef enum icseg_synth_pattern {
    ICSEG_SYNTH_NO_PATTERN,
    ICSEG_SYNTH_STRIPED,
    ICSEG_SYNTH_CHEQUERED,
    ICSEG_SYNTH_DOTTED,
    ICSEG_SYNTH_MOSSY,
    ICSEG_SYNTH_FLOWERING,
    ICSEG_SYNTH_SNOWY
} icseg_synth_pattern;

enum { ICSEG_SYNTH_POINTS = 10 };

typedef struct icseg_synth_part {
    int32_t label;
    icseg_synth_shape shape;
    icseg_synth_material material;
    icseg_synth_pattern pattern; /* with the materials of surface.c */
    icseg_point foot;            /* pixels: where the object touches the ground */
    float scale;                 /* pixels per metre there */
    int32_t points;
    icseg_point point[ICSEG_SYNTH_POINTS]; /* metres */
    float radius[ICSEG_SYNTH_POINTS];      /* metres */
    float rough;                           /* metres: amplitude of the noise on the outline */
    float grain;                           /* metres: size of the material's features */
    float pitch;                           /* metres: size of the pattern's features */
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

/* Sky, hills and ground of the large vocabulary (terrain.c). */
typedef enum icseg_synth_sky_kind { ICSEG_SKY_CLEAR, ICSEG_SKY_CLOUDY, ICSEG_SKY_STARRY } icseg_synth_sky_kind;
typedef enum icseg_synth_hill_kind { ICSEG_HILL_ROCKY, ICSEG_HILL_SNOWY, ICSEG_HILL_WOODED } icseg_synth_hill_kind;
typedef enum icseg_synth_floor_kind {
    ICSEG_FLOOR_GRASS,
    ICSEG_FLOOR_FLOWERS,
    ICSEG_FLOOR_SAND,
    ICSEG_FLOOR_DRY, /* cracked earth */
    ICSEG_FLOOR_SNOW,
    ICSEG_FLOOR_FURROWS,
    ICSEG_FLOOR_ASPHALT, /* from here on: roads */
    ICSEG_FLOOR_COBBLES,
    ICSEG_FLOOR_BRICKS,
    ICSEG_FLOOR_TILES,
    ICSEG_FLOOR_BOARDS,
    ICSEG_FLOOR_RIPPLES, /* from here on: water */
    ICSEG_FLOOR_CALM
} icseg_synth_floor_kind;

typedef struct icseg_synth_floor {
    icseg_synth_floor_kind kind;
    int32_t label;
    float grain; /* metres: size of stones, bricks, tiles and boards */
    icseg_rgb color, second;
    uint32_t seed;
} icseg_synth_floor;

typedef struct icseg_synth_terrain {
    icseg_synth_sky_kind sky;
    icseg_synth_hill_kind hill;
    int32_t sky_label, hill_label; /* hill_label -1: no hills */
    icseg_synth_floor floor;       /* everywhere below the horizon, ... */
    icseg_synth_floor strip;       /* ... but for the backdrop's road or water, if it has one */
} icseg_synth_terrain;

typedef struct icseg_synth_window { /* pixels, end exclusive */
    int32_t x0, y0, x1, y1;
} icseg_synth_window;

typedef struct icseg_scene icseg_scene;
typedef struct icseg_synth_canvas {
    icseg_rgb *color; /* (height, width) */
    float *shadow;    /* (height, width): 0..1 */
    icseg_labels *labels;
    int32_t width, height;
    icseg_synth_window seen; /* only these pixels are painted; they do not depend on the others */
} icseg_synth_canvas;
typedef void (*icseg_synth_painter)(const icseg_scene *scene, icseg_synth_canvas *canvas);

struct icseg_scene {
    int32_t width, height;
    float unit;    /* pixels: the reference length for object sizes, usually the height of the image */
    float horizon; /* pixels */
    float camera;  /* metres above the ground: (y - horizon) / camera = pixels per metre at a foot at y */
    icseg_synth_light light;
    icseg_synth_backdrop back;
    icseg_synth_terrain terrain;
    icseg_synth_painter paint_far, paint_ground; /* above the horizon; below it, on top of shadows */
    icseg_synth_part *part;                      /* owned, far to near */
    size_t parts, capacity;
    bool failed; /* out of memory while adding */
};

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
icseg_status icseg_synth_check_vocabulary(icseg_synth_vocabulary vocabulary, icseg_error *error);
/* Copies the options, fills in the defaults and checks them. */
icseg_status icseg_synth_read_options(icseg_synth_scene_options *out, const icseg_synth_scene_options *options,
                                      icseg_error *error);
icseg_status icseg_synth_check_size(int32_t width, int32_t height, icseg_error *error);

/* Layout (layout.c; objects in object.c). */
icseg_status icseg_scene_compose(icseg_scene *out, icseg_rng *rng, int32_t width, int32_t height, icseg_error *error);
void icseg_scene_close(icseg_scene *scene);
enum { ICSEG_SYNTH_HOURS = 4, ICSEG_SYNTH_DAY = 0, ICSEG_SYNTH_DUSK = 3 }; /* times of day */
void icseg_synth_choose_light(icseg_scene *scene, icseg_rng *rng, uint64_t hour);
void icseg_synth_choose_ridges(icseg_scene *scene, icseg_rng *rng);

/* The large vocabulary's scenes: layout (world.c), objects (thing.c). */
icseg_status icseg_world_compose(icseg_scene *out, icseg_rng *rng, int32_t width, int32_t height, icseg_error *error);

/* Adding parts (object.c). The coordinates are metres; `corner` and the radii are, too. */
void icseg_synth_add(icseg_scene *scene, const icseg_synth_part *part);
void icseg_synth_add_box(icseg_scene *scene, icseg_synth_part part, float x0, float y0, float x1, float y1,
                         float corner);
void icseg_synth_add_ellipse(icseg_scene *scene, icseg_synth_part part, float x, float y, float rx, float ry);
void icseg_synth_add_capsule(icseg_scene *scene, icseg_synth_part part, icseg_point a, icseg_point b, float ra,
                             float rb);
void icseg_synth_add_polygon(icseg_scene *scene, icseg_synth_part part, const icseg_point *point, int count,
                             float corner);
icseg_rgb icseg_synth_leaf_color(icseg_rng *rng);
icseg_rgb icseg_synth_other_paint(icseg_rng *rng, icseg_rgb other, float distance); /* stands out against `other` */

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

/* Backdrops: of the small vocabulary (backdrop.c), of the large one (terrain.c). */
void icseg_synth_paint_far(const icseg_scene *scene, icseg_synth_canvas *canvas);
void icseg_synth_paint_ground(const icseg_scene *scene, icseg_synth_canvas *canvas);
float icseg_synth_ridge_top(const icseg_scene *scene, const icseg_synth_ridge *ridge, float x); /* pixels */
void icseg_terrain_paint_far(const icseg_scene *scene, icseg_synth_canvas *canvas);
void icseg_terrain_paint_ground(const icseg_scene *scene, icseg_synth_canvas *canvas);

/* Painting (raster.c); image and labels have the scene's size. Pixels outside `seen` are left as they are. */
icseg_status icseg_scene_paint(const icseg_scene *scene, icseg_synth_window seen, icseg_image *image,
                               icseg_labels *labels, icseg_error *error);
/* Draws a scene, as icseg_synth_scene, but only the pixels of `seen`. */
icseg_status icseg_synth_draw(const icseg_synth_scene_options *options, icseg_synth_window seen, icseg_image *image,
                              icseg_labels *labels, icseg_error *error);

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
/* The surfaces of the large vocabulary (surface.c): material, pattern and light. */
icseg_rgb icseg_synth_coat(const icseg_scene *scene, const icseg_synth_part *part, float x, float y,
                           icseg_point normal);
float icseg_synth_stones(float x, float y, uint32_t seed); /* brightness of stones of size 1 with dark joints */
icseg_rgb icseg_synth_lit(const icseg_synth_light *light, float x, float y); /* of a surface tilted by (x, y) */
/* Round clusters around one random point per cell: 0 at the nearest point, about 1 half-way to the next. *own receives
 * a random value of the cluster, 0..1. */
float icseg_synth_cluster(float x, float y, uint32_t seed, float *own);
/* Brightness of bricks, 0 in the joints; part->grain is the height of a course. */
float icseg_synth_brick(const icseg_synth_part *part, float x, float y);
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
static inline float icseg_fraction(float x) { return x - floorf(x); }
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

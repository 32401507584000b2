/* SPDX-License-Identifier: Apache-2.0
 * What a class is: the words of its name, for captions, and what is drawn, for the scenes of the large vocabulary. */
#ifndef ICSEG_SYNTH_KIND_H
#define ICSEG_SYNTH_KIND_H

#include "synth/synth.h"

typedef enum icseg_synth_sort {
    ICSEG_SORT_SKY,    /* icseg_synth_sky_kind */
    ICSEG_SORT_HILL,   /* icseg_synth_hill_kind */
    ICSEG_SORT_GROUND, /* icseg_synth_floor_kind */
    ICSEG_SORT_THING,  /* icseg_synth_thing_kind */
    ICSEG_SORTS
} icseg_synth_sort;

typedef enum icseg_synth_thing_kind {
    ICSEG_THING_FENCE,
    ICSEG_THING_WALL,
    ICSEG_THING_HOUSE,
    ICSEG_THING_TOWER,
    ICSEG_THING_BENCH,
    ICSEG_THING_BARREL,
    ICSEG_THING_CRATE,
    ICSEG_THING_SIGN,
    ICSEG_THING_POLE,
    ICSEG_THING_TENT,
    ICSEG_THING_BOAT,
    ICSEG_THING_CAR,
    ICSEG_THING_BALLOON,
    ICSEG_THING_UMBRELLA,
    ICSEG_THING_STATUE,
    ICSEG_THING_ARCH,
    ICSEG_THING_VASE,
    ICSEG_THING_TREE,
    ICSEG_THING_BARE_TREE,
    ICSEG_THING_BUSH,
    ICSEG_THING_KITE,
    ICSEG_THING_CONE,
    ICSEG_THINGS
} icseg_synth_thing_kind;

typedef struct icseg_synth_kind {
    const char *name; /* "mossy stone wall" */
    const char *noun; /* "wall" */
    bool mass;        /* has no article: "calm water" */
    icseg_synth_sort sort;
    int32_t what; /* the sort's enum; not used for the small vocabulary */
    icseg_synth_material material;
    icseg_synth_pattern pattern;
} icseg_synth_kind;

enum { ICSEG_SYNTH_MOST_CLASSES = 128 }; /* of any vocabulary */

/* The classes of a vocabulary, in the order of the labels. In the large one, those of a sort are contiguous and in the
 * order of their frequency. */
const icseg_synth_kind *icseg_synth_kinds(icseg_synth_vocabulary vocabulary, int32_t *count);

/* Objects of the large vocabulary (thing.c). */
typedef struct icseg_synth_size {
    float height, half; /* metres: the usual height and half width */
    bool floats;        /* hangs in the air */
} icseg_synth_size;
icseg_synth_size icseg_synth_size_of(icseg_synth_thing_kind thing);
/* Adds an object of the class `label` whose foot is at `foot`, drawn with `scale` pixels per metre. */
void icseg_synth_add_thing(icseg_scene *scene, icseg_rng *rng, const icseg_synth_kind *kind, int32_t label,
                           icseg_point foot, float scale);
/* A wall from one side of the image to the other, `height` pixels high. */
void icseg_synth_add_long_wall(icseg_scene *scene, icseg_rng *rng, const icseg_synth_kind *kind, int32_t label,
                               icseg_point foot, float scale, float height);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The classes of both vocabularies. */
#include "synth/kind.h"

/* clang-format off */
#define SMALL(X)                                 \
    X("sky", "sky", false, SKY)                  \
    X("distant mountain", "mountain", false, HILL) \
    X("grass field", "field", false, GROUND)     \
    X("paved road", "road", false, GROUND)       \
    X("rippling water", "water", true, GROUND)   \
    X("leafy tree", "tree", false, THING)        \
    X("brick house", "house", false, THING)      \
    X("tiled roof", "roof", false, THING)        \
    X("wooden fence", "fence", false, THING)     \
    X("parked car", "car", false, THING)         \
    X("person standing", "person", false, THING) \
    X("striped traffic cone", "cone", false, THING) \
    X("street lamp post", "lamp", false, THING)

#define SKY(X, words, what) X(words " sky", "sky", false, ICSEG_SORT_SKY, ICSEG_SKY_##what, PLAIN, NO_PATTERN)
#define HILL(X, words, what) X(words " mountain", "mountain", false, ICSEG_SORT_HILL, ICSEG_HILL_##what, PLAIN, NO_PATTERN)
#define FIELD(X, words, what) X(words " field", "field", false, ICSEG_SORT_GROUND, ICSEG_FLOOR_##what, PLAIN, NO_PATTERN)
#define ROAD(X, words, what) X(words " road", "road", false, ICSEG_SORT_GROUND, ICSEG_FLOOR_##what, PLAIN, NO_PATTERN)
#define WATER(X, words, what) X(words " water", "water", true, ICSEG_SORT_GROUND, ICSEG_FLOOR_##what, PLAIN, NO_PATTERN)
#define THING(X, words, noun, what, material, pattern) \
    X(words " " noun, noun, false, ICSEG_SORT_THING, ICSEG_THING_##what, material, pattern)

/* The most frequent class of each sort first. Frequent and rare classes share their words. */
#define LARGE(X)                                                                \
    SKY(X, "clear", CLEAR)                                                      \
    SKY(X, "cloudy", CLOUDY)                                                    \
    SKY(X, "starry", STARRY)                                                    \
    HILL(X, "rocky", ROCKY)                                                     \
    HILL(X, "wooded", WOODED)                                                   \
    HILL(X, "snowy", SNOWY)                                                     \
    FIELD(X, "grassy", GRASS)                                                   \
    ROAD(X, "asphalt", ASPHALT)                                                 \
    ROAD(X, "stone", COBBLES)                                                   \
    WATER(X, "rippling", RIPPLES)                                               \
    FIELD(X, "sandy", SAND)                                                     \
    ROAD(X, "brick", BRICKS)                                                    \
    FIELD(X, "flowering", FLOWERS)                                              \
    ROAD(X, "tiled", TILES)                                                     \
    FIELD(X, "snowy", SNOW)                                                     \
    ROAD(X, "wooden", BOARDS)                                                   \
    WATER(X, "calm", CALM)                                                      \
    FIELD(X, "cracked", DRY)                                                    \
    FIELD(X, "ploughed", FURROWS)                                               \
    THING(X, "leafy", "tree", TREE, FOLIAGE, NO_PATTERN)                        \
    THING(X, "wooden", "fence", FENCE, WOOD, NO_PATTERN)                        \
    THING(X, "brick", "house", HOUSE, MASONRY, NO_PATTERN)                      \
    THING(X, "stone", "wall", WALL, STONE, NO_PATTERN)                          \
    THING(X, "plain", "car", CAR, CLOTH, NO_PATTERN)                            \
    THING(X, "leafy", "bush", BUSH, FOLIAGE, NO_PATTERN)                        \
    THING(X, "metal", "pole", POLE, METAL, NO_PATTERN)                          \
    THING(X, "wooden", "bench", BENCH, WOOD, NO_PATTERN)                        \
    THING(X, "striped", "tent", TENT, CLOTH, STRIPED)                           \
    THING(X, "brick", "wall", WALL, MASONRY, NO_PATTERN)                        \
    THING(X, "wooden", "crate", CRATE, WOOD, NO_PATTERN)                        \
    THING(X, "metal", "barrel", BARREL, METAL, NO_PATTERN)                      \
    THING(X, "mossy stone", "wall", WALL, STONE, MOSSY)                         \
    THING(X, "striped", "umbrella", UMBRELLA, CLOTH, STRIPED)                   \
    THING(X, "stone", "tower", TOWER, STONE, NO_PATTERN)                        \
    THING(X, "wooden", "boat", BOAT, WOOD, NO_PATTERN)                          \
    THING(X, "chequered", "sign", SIGN, CLOTH, CHEQUERED)                       \
    THING(X, "dotted", "balloon", BALLOON, CLOTH, DOTTED)                       \
    THING(X, "stone", "statue", STATUE, STONE, NO_PATTERN)                      \
    THING(X, "bare", "tree", BARE_TREE, BARK, NO_PATTERN)                       \
    THING(X, "striped", "cone", CONE, CLOTH, STRIPED)                           \
    THING(X, "metal", "fence", FENCE, METAL, NO_PATTERN)                        \
    THING(X, "striped wooden", "fence", FENCE, WOOD, STRIPED)                   \
    THING(X, "wooden", "house", HOUSE, WOOD, NO_PATTERN)                        \
    THING(X, "woven", "crate", CRATE, WOVEN, NO_PATTERN)                        \
    THING(X, "stone", "arch", ARCH, STONE, NO_PATTERN)                          \
    THING(X, "chequered", "kite", KITE, CLOTH, CHEQUERED)                       \
    THING(X, "flowering", "bush", BUSH, FOLIAGE, FLOWERING)                     \
    THING(X, "striped", "car", CAR, CLOTH, STRIPED)                             \
    THING(X, "wooden", "barrel", BARREL, WOOD, NO_PATTERN)                      \
    THING(X, "metal", "sign", SIGN, METAL, NO_PATTERN)                          \
    THING(X, "brick", "tower", TOWER, MASONRY, NO_PATTERN)                      \
    THING(X, "tiled", "wall", WALL, TILES, NO_PATTERN)                          \
    THING(X, "dotted", "tent", TENT, CLOTH, DOTTED)                             \
    THING(X, "striped", "pole", POLE, CLOTH, STRIPED)                           \
    THING(X, "stone", "bench", BENCH, STONE, NO_PATTERN)                        \
    THING(X, "dotted", "vase", VASE, CLOTH, DOTTED)                             \
    THING(X, "striped", "balloon", BALLOON, CLOTH, STRIPED)                     \
    THING(X, "metal", "boat", BOAT, METAL, NO_PATTERN)                          \
    THING(X, "mossy stone", "fence", FENCE, STONE, MOSSY)                       \
    THING(X, "snowy", "tree", TREE, FOLIAGE, SNOWY)                             \
    THING(X, "dotted", "umbrella", UMBRELLA, CLOTH, DOTTED)                     \
    THING(X, "mossy stone", "statue", STATUE, STONE, MOSSY)                     \
    THING(X, "stone", "house", HOUSE, STONE, NO_PATTERN)                        \
    THING(X, "striped wooden", "crate", CRATE, WOOD, STRIPED)                   \
    THING(X, "glass", "tower", TOWER, PANES, NO_PATTERN)                        \
    THING(X, "brick", "arch", ARCH, MASONRY, NO_PATTERN)                        \
    THING(X, "chequered", "car", CAR, CLOTH, CHEQUERED)                         \
    THING(X, "wooden", "pole", POLE, WOOD, NO_PATTERN)                          \
    THING(X, "flowering", "tree", TREE, FOLIAGE, FLOWERING)                     \
    THING(X, "striped", "kite", KITE, CLOTH, STRIPED)                           \
    THING(X, "woven", "fence", FENCE, WOVEN, NO_PATTERN)                        \
    THING(X, "mossy wooden", "bench", BENCH, WOOD, MOSSY)                       \
    THING(X, "glass", "house", HOUSE, PANES, NO_PATTERN)                        \
    THING(X, "striped metal", "barrel", BARREL, METAL, STRIPED)                 \
    THING(X, "plain", "tent", TENT, CLOTH, NO_PATTERN)                          \
    THING(X, "dotted", "sign", SIGN, CLOTH, DOTTED)                             \
    THING(X, "mossy brick", "wall", WALL, MASONRY, MOSSY)                       \
    THING(X, "woven", "umbrella", UMBRELLA, WOVEN, NO_PATTERN)                  \
    THING(X, "chequered", "balloon", BALLOON, CLOTH, CHEQUERED)                 \
    THING(X, "metal", "statue", STATUE, METAL, NO_PATTERN)                      \
    THING(X, "striped wooden", "boat", BOAT, WOOD, STRIPED)                     \
    THING(X, "tiled", "arch", ARCH, TILES, NO_PATTERN)                          \
    THING(X, "snowy", "bush", BUSH, FOLIAGE, SNOWY)                             \
    THING(X, "glass", "vase", VASE, PANES, NO_PATTERN)                          \
    THING(X, "striped metal", "tower", TOWER, METAL, STRIPED)                   \
    THING(X, "dotted", "cone", CONE, CLOTH, DOTTED)                             \
    THING(X, "woven", "vase", VASE, WOVEN, NO_PATTERN)                          \
    THING(X, "striped wooden", "house", HOUSE, WOOD, STRIPED)                   \
    THING(X, "metal", "bench", BENCH, METAL, NO_PATTERN)                        \
    THING(X, "chequered", "tent", TENT, CLOTH, CHEQUERED)                       \
    THING(X, "mossy wooden", "barrel", BARREL, WOOD, MOSSY)                     \
    THING(X, "dotted", "car", CAR, CLOTH, DOTTED)                               \
    THING(X, "striped", "sign", SIGN, CLOTH, STRIPED)                           \
    THING(X, "mossy brick", "tower", TOWER, MASONRY, MOSSY)                     \
    THING(X, "chequered metal", "crate", CRATE, METAL, CHEQUERED)               \
    THING(X, "mossy brick", "arch", ARCH, MASONRY, MOSSY)
/* clang-format on */

#define SMALL_KIND(full, last, no_article, of)                                                                         \
    {.name = full, .noun = last, .mass = no_article, .sort = ICSEG_SORT_##of},
#define SMALL_NAME(full, last, no_article, of) full,
#define LARGE_KIND(full, last, no_article, of, thing, made_of, decorated)                                              \
    {full, last, no_article, of, thing, ICSEG_SYNTH_##made_of, ICSEG_SYNTH_##decorated},
#define LARGE_NAME(full, last, no_article, of, thing, made_of, decorated) full,

static const icseg_synth_kind small_kinds[] = {SMALL(SMALL_KIND)}, large_kinds[] = {LARGE(LARGE_KIND)};
static const char *const small_names[] = {SMALL(SMALL_NAME)}, *const large_names[] = {LARGE(LARGE_NAME)};
enum { LARGE_COUNT = sizeof large_names / sizeof *large_names };
_Static_assert((int)LARGE_COUNT <= (int)ICSEG_SYNTH_MOST_CLASSES, "fits into arrays of one number for each class");
_Static_assert(sizeof small_names / sizeof *small_names == ICSEG_SYNTH_CLASSES, "the small vocabulary is published");

const icseg_synth_kind *icseg_synth_kinds(icseg_synth_vocabulary vocabulary, int32_t *count) {
    bool large = vocabulary == ICSEG_SYNTH_LARGE;
    *count = large ? LARGE_COUNT : ICSEG_SYNTH_CLASSES;
    return large ? large_kinds : small_kinds;
}

const char *const *icseg_synth_vocabulary_names(icseg_synth_vocabulary vocabulary, int32_t *count) {
    bool known = vocabulary == ICSEG_SYNTH_SMALL || vocabulary == ICSEG_SYNTH_LARGE;
    bool large = vocabulary == ICSEG_SYNTH_LARGE;
    if (count) *count = !known ? 0 : large ? LARGE_COUNT : ICSEG_SYNTH_CLASSES;
    return !known ? NULL : large ? large_names : small_names;
}

const char *const *icseg_synth_class_names(void) { return small_names; }

icseg_status icseg_synth_check_vocabulary(icseg_synth_vocabulary vocabulary, icseg_error *error) {
    if (icseg_synth_vocabulary_names(vocabulary, NULL)) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "vocabulary", ICSEG_REMEDY_SET_FIELD,
                            "vocabulary: is %d; expected ICSEG_SYNTH_SMALL (0) or ICSEG_SYNTH_LARGE (1)",
                            (int)vocabulary);
}

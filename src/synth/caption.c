/* SPDX-License-Identifier: Apache-2.0
 * Writes captions of generated scenes from their label maps. */
#include "synth/caption.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "synth/kind.h"

enum { MOST_NAMED = 3, WORDS = 64 };

/* Where a class is in the picture, in shares of its sides. */
typedef struct region {
    const icseg_synth_kind *kind; /* NULL: not of the vocabulary */
    int64_t pixels;
    double area, x, y; /* the centre of its pixels */
    double top, bottom;
    int32_t label;
} region;

static bool chance(icseg_rng *rng, float share) { return icseg_rng_uniform(rng) < share; }

static void measure(const icseg_labels *labels, const icseg_synth_kind *kinds, int32_t count, region *regions) {
    double size = (double)labels->width * labels->height;
    for (int32_t k = 0; k < count; k++) regions[k] = (region){.kind = &kinds[k], .label = k, .top = 2};
    for (int32_t y = 0; y < labels->height; y++)
        for (int32_t x = 0; x < labels->width; x++) {
            int32_t k = labels->data[(size_t)y * (size_t)labels->width + (size_t)x];
            if (k < 0 || k >= count) continue;
            region *r = &regions[k];
            double row = (y + 0.5) / labels->height;
            r->pixels++;
            r->x += (x + 0.5) / labels->width;
            r->y += row;
            if (r->top > 1) r->top = row;
            r->bottom = row;
        }
    for (int32_t k = 0; k < count; k++) {
        region *r = &regions[k];
        if (r->pixels == 0) continue;
        r->area = (double)r->pixels / size;
        r->x /= (double)r->pixels;
        r->y /= (double)r->pixels;
    }
}

/* Chooses what to name: large classes and objects are more likely. Returns how many. */
static int choose(const region *regions, int32_t count, icseg_rng *rng, const region **named) {
    const double least = 0.04;
    double weight[ICSEG_SYNTH_MOST_CLASSES] = {0};
    int visible = 0, wanted = chance(rng, 0.3f) ? 1 : chance(rng, 0.6f) ? 2 : 3, chosen = 0;
    for (int32_t k = 0; k < count; k++) {
        if (regions[k].area < least) continue;
        weight[k] = sqrt(regions[k].area) * (regions[k].kind->sort == ICSEG_SORT_THING ? 2 : 1);
        visible++;
    }
    for (; chosen < wanted && chosen < visible; chosen++) {
        double total = 0;
        int32_t k = 0, last = 0;
        for (int32_t i = 0; i < count; i++) total += weight[i];
        double at = total * (double)icseg_rng_uniform(rng);
        for (; k < count; k++) {
            if (weight[k] <= 0) continue;
            last = k;
            at -= weight[k];
            if (at < 0) break;
        }
        named[chosen] = &regions[last];
        weight[last] = 0;
    }
    return chosen;
}

/* "a mossy stone wall", or with fewer words "a stone wall", "a wall". */
static void write_name(char out[WORDS], const region *r, bool whole, icseg_rng *rng) {
    const char *words = r->kind->name, *space = strchr(words, ' ');
    float which = icseg_rng_uniform(rng);
    if (!whole && which < 0.2f)
        words = r->kind->noun;
    else if (!whole && which < 0.4f && space && strchr(space + 1, ' '))
        words = space + 1;
    const char *article = strchr("aeiou", words[0]) ? "an " : "a ";
    if (r->kind->mass) article = "";
    if (strcmp(words, "sky") == 0) article = "the ";
    icseg_text_printf(out, WORDS, "%s%s", article, words);
}

/* A place that describes the region and is true, or NULL. */
static const char *place(const region *r, icseg_rng *rng) {
    const char *places[4];
    uint64_t count = 0;
    if (r->x < 0.36) places[count++] = "on the left";
    if (r->x > 0.64) places[count++] = "on the right";
    if (r->kind->sort == ICSEG_SORT_SKY || r->kind->sort == ICSEG_SORT_HILL)
        places[count++] = "in the background";
    else if (r->y > 0.72)
        places[count++] = "at the bottom";
    else if (r->y < 0.28)
        places[count++] = "at the top";
    else if (fabs(r->x - 0.5) < 0.1 && fabs(r->y - 0.5) < 0.12)
        places[count++] = "in the middle";
    return count ? places[icseg_rng_below(rng, count)] : NULL;
}

/* Whether region b begins directly below region a. */
static bool stands_on(const icseg_labels *labels, const region *a, const region *b) {
    int32_t width = labels->width, low = (int32_t)(a->bottom * labels->height);
    int64_t under = 0, rows = (int64_t)(0.15 * (a->bottom - a->top) * labels->height);
    if (low > labels->height - 2) low = labels->height - 2; /* the last row has nothing below it */
    for (int32_t y = low; y >= 0 && y >= low - rows; y--)
        for (int32_t x = 0; x < width; x++) {
            const int16_t *at = labels->data + (size_t)y * (size_t)width + (size_t)x;
            under += at[0] == a->label && at[width] == b->label;
        }
    return under > 2;
}

/* How a relates to b: one of the relations that are true, or NULL. */
static const char *relation(const icseg_labels *labels, const region *a, const region *b, icseg_rng *rng) {
    const char *found[6];
    uint64_t count = 0;
    icseg_synth_sort of = a->kind->sort, to = b->kind->sort;
    bool things = of == ICSEG_SORT_THING && to == ICSEG_SORT_THING;
    bool level = things && a->top < b->bottom && b->top < a->bottom;
    if (of == ICSEG_SORT_THING && to == ICSEG_SORT_HILL) found[count++] = "in front of";
    if (of == ICSEG_SORT_THING && to == ICSEG_SORT_GROUND && stands_on(labels, a, b)) found[count++] = "on";
    if (to == ICSEG_SORT_SKY && a->y > b->y + 0.1) found[count++] = "under";
    if (level && a->x < b->x - 0.2) found[count++] = "to the left of";
    if (level && a->x > b->x + 0.2) found[count++] = "to the right of";
    if (level && fabs(a->x - b->x) > 0.2) found[count++] = "next to";
    if (of != ICSEG_SORT_SKY && to != ICSEG_SORT_SKY && a->y < b->y - 0.2) found[count++] = "above";
    return count ? found[icseg_rng_below(rng, count)] : NULL;
}

/* Writes the names with relations, places, commas and "and" between them. */
static void write_sentence(const icseg_labels *labels, const region *const *named, int count, icseg_rng *rng,
                           icseg_string *caption) {
    const char *before = NULL; /* the relation to the previous name */
    for (int i = 0; i < count; i++) {
        bool same = false; /* two walls are told apart */
        char name[WORDS];
        for (int j = 0; j < count; j++)
            same = same || (j != i && strcmp(named[j]->kind->noun, named[i]->kind->noun) == 0);
        write_name(name, named[i], same, rng);
        icseg_string_printf(caption, "%s", name);
        const char *after = i + 1 < count && !before ? relation(labels, named[i], named[i + 1], rng) : NULL;
        const char *where = place(named[i], rng);
        if (after && chance(rng, 0.35f)) after = NULL;
        if (where && !before && !after && chance(rng, 0.45f)) icseg_string_printf(caption, " %s", where);
        if (after)
            icseg_string_printf(caption, " %s ", after);
        else if (i + 1 < count)
            icseg_string_printf(caption, "%s", i + 2 < count || chance(rng, 0.3f) ? ", " : " and ");
        before = after;
    }
}

void icseg_synth_describe(const icseg_labels *labels, icseg_synth_vocabulary vocabulary, icseg_rng *rng,
                          icseg_string *caption) {
    static const char *const starts[] = {
        "", "", "", "a photo of ", "a picture of ", "an image of ", "a view of ", "a scene with "};
    region regions[ICSEG_SYNTH_MOST_CLASSES];
    const region *named[MOST_NAMED] = {0};
    int32_t count;
    const icseg_synth_kind *kinds = icseg_synth_kinds(vocabulary, &count);
    measure(labels, kinds, count, regions);
    int chosen = choose(regions, count, rng, named);
    icseg_string_printf(caption, "%s", starts[icseg_rng_below(rng, sizeof starts / sizeof *starts)]);
    write_sentence(labels, named, chosen, rng, caption);
}

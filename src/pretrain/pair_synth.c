/* SPDX-License-Identifier: Apache-2.0
 * Pairs of generated scenes, which are drawn when they are needed: "synth:VOCABULARY" or "synth:VOCABULARY:SEED". */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pretrain/pair_source.h"
#include "synth/caption.h"

enum { SCENES = 1000000, WIDTH = 192, HEIGHT = 144, SEED_DIGITS = 18 };

typedef struct synth_source {
    icseg_pair_source base;
    icseg_synth_vocabulary vocabulary;
    uint64_t seed;
} synth_source;

static void describe(const icseg_pair_source *source, int64_t item, icseg_string *out) {
    const synth_source *s = (const synth_source *)source;
    icseg_string_printf(out, "generated scene %lld of seed %llu", (long long)item, (unsigned long long)s->seed);
}

/* The scene is cut already, at many scales: what is left of the crop is its side and the flip. */
static icseg_status draw(const icseg_pair_source *source, int64_t item, const icseg_pair_crop *crop, icseg_rng *rng,
                         float *pixels, icseg_pair_text *text, icseg_error *error) {
    const synth_source *s = (const synth_source *)source;
    const icseg_synth_scene_options scene = {
        ICSEG_SYNTH_SCENE_OPTIONS_INIT, .seed = s->seed, .index = (uint64_t)item, .width = WIDTH, .height = HEIGHT,
        .vocabulary = s->vocabulary};
    const icseg_pair_crop whole = {.scale_min = 1, .scale_max = 1, .flip = crop->flip, .side = crop->side};
    icseg_image image;
    ICSEG_TRY(icseg_synth_pair(&scene, NULL, &image, &text->caption, &text->label, NULL, error));
    icseg_status status = icseg_pair_crop_image(&whole, rng, &image, pixels, error);
    icseg_image_close(&image);
    return status;
}

static void close_synth(icseg_pair_source *source) { icseg_free(source); }

static icseg_status parse(const char *path, icseg_synth_vocabulary *vocabulary, uint64_t *seed, icseg_error *error) {
    static const char *const names[] = {[ICSEG_SYNTH_SMALL] = "small", [ICSEG_SYNTH_LARGE] = "large"};
    const char *name = path + sizeof ICSEG_PAIR_SYNTH - 1, *colon = strchr(name, ':');
    size_t length = colon ? (size_t)(colon - name) : strlen(name), digits = colon ? strspn(colon + 1, "0123456789") : 0;
    bool numbered = colon && digits && digits <= SEED_DIGITS && !colon[1 + digits];
    *seed = numbered ? strtoull(colon + 1, NULL, 10) : 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && !strncmp(name, names[i], length) && (!colon || numbered)) {
            *vocabulary = (icseg_synth_vocabulary)i;
            return ICSEG_OK;
        }
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                      "%.100s: expected synth:large or synth:small, and optionally a seed, as in synth:large:7", path);
}

icseg_status icseg_pair_source_open_synth(icseg_pair_source **out, const char *path, icseg_error *error) {
    icseg_synth_vocabulary vocabulary = ICSEG_SYNTH_SMALL;
    uint64_t seed;
    *out = NULL;
    ICSEG_TRY(parse(path, &vocabulary, &seed, error));
    synth_source *s = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, sizeof *s, "a source of pairs");
    s->base = (icseg_pair_source){.count = SCENES, .draw = draw, .describe = describe, .close = close_synth};
    s->base.classes = icseg_synth_vocabulary_names(vocabulary, &s->base.class_count);
    s->vocabulary = vocabulary;
    s->seed = seed;
    *out = &s->base;
    return ICSEG_OK;
}

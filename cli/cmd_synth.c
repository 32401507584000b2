/* SPDX-License-Identifier: Apache-2.0
 * icseg synth: writes a data set of generated scenes. */
#include <stdio.h>

#include "cli.h"
#include "icseg/synth.h"

struct options {
    const char *folder;
    int32_t images, val, size[2], threads;
    int64_t seed;
    int32_t vocabulary;
    bool captions, force;
};

static const char *const vocabularies[] = {
    [ICSEG_SYNTH_SMALL] = "small", [ICSEG_SYNTH_LARGE] = "large", [ICSEG_SYNTH_VOCABULARIES] = NULL};

static const icseg_option rows[] = {
    {"OUT_DIR", ICSEG_FIELD_STRING(struct options, folder), "folder of the new data set", .positional = true,
     .required = true},
    {"images", ICSEG_FIELD_INT(struct options, images), "number of scenes", .metavar = "N",
     ICSEG_BETWEEN(1, ICSEG_SYNTH_MAX_IMAGES)},
    {"val", ICSEG_FIELD_INT(struct options, val), "number of these scenes to hold out for validation", .metavar = "N",
     .shown = "a fifth", ICSEG_BETWEEN(0, ICSEG_SYNTH_MAX_IMAGES)},
    {"size", ICSEG_FIELD_INTS(struct options, size[0]), "width and height in pixels", .metavar = "WxH",
     .shown = "256x192", ICSEG_EXACTLY(2), ICSEG_BETWEEN(ICSEG_SYNTH_MIN_SIDE, ICSEG_SYNTH_MAX_SIDE)},
    {"vocabulary", ICSEG_FIELD_WORD(struct options, vocabulary), "small: 13 classes; large: 96 with composed names",
     .words = vocabularies},
    {"captions", ICSEG_FIELD_BOOL(struct options, captions),
     "also write captions.jsonl and, for the held-out scenes, captions_val.jsonl"},
    {"seed", ICSEG_FIELD_INT64(struct options, seed), "random seed; another seed generates other scenes",
     ICSEG_AT_LEAST(0)},
    {"threads", ICSEG_FIELD_INT(struct options, threads), "number of threads; the scenes do not depend on it",
     .shown = "all cores", ICSEG_BETWEEN(0, 1024)},
    {"force", ICSEG_FIELD_BOOL(struct options, force),
     "write into a folder that is not empty; an earlier set of scenes is replaced"},
};

static void defaults(void *values) {
    *(struct options *)values = (struct options){.images = 500, .val = -1, .size = {256, 192}};
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    int32_t val = o->val >= 0 ? o->val : (o->images + 4) / 5, train = o->images - val;
    if (train < 0)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--val: %d is more than the %d of --images", val,
                               o->images);
    icseg_synth_options options = {ICSEG_SYNTH_OPTIONS_INIT,
                                   .folder = o->folder,
                                   .train = train ? train : ICSEG_SYNTH_NO_IMAGES,
                                   .val = val ? val : ICSEG_SYNTH_NO_IMAGES,
                                   .width = o->size[0],
                                   .height = o->size[1],
                                   .seed = (uint64_t)o->seed,
                                   .threads = o->threads,
                                   .force = o->force,
                                   .vocabulary = (icseg_synth_vocabulary)o->vocabulary,
                                   .captions = o->captions};
    int32_t classes;
    (void)icseg_synth_vocabulary_names(options.vocabulary, &classes);
    icseg_status status = icseg_synth_write(&options, &context->progress, error);
    if (status == ICSEG_OK)
        printf("%s: %d training and %d held-out %s of %dx%d, %d classes\n", o->folder, train, val,
               icseg_plural(val, "scene", "scenes"), o->size[0], o->size[1], classes);
    return status;
}

const icseg_command icseg_command_synth = {
    .name = "synth",
    .summary = "Generates labelled scenes, to try icseg without data",
    .description = "Draws streets, meadows and lakes at various times of day, and labels every\n"
                   "pixel. OUT_DIR becomes a data set: images/{train,val},\n"
                   "annotations/{train,val} and classes.txt. The same options generate the same\n"
                   "files. A folder that is not empty is refused unless --force is given, which\n"
                   "replaces an earlier set of scenes and keeps other files.\n\n"
                   "Most of the 13 classes of the small vocabulary are in every scene. The large\n"
                   "vocabulary has 96 classes, such as \"striped wooden fence\" and \"mossy stone\n"
                   "wall\". A scene has two to eight of them, and most of them are rare.\n\n"
                   "With --captions, each line of captions.jsonl has the name of a training image\n"
                   "and two captions, each of which names some of what can be seen.\n",
    .examples = "icseg synth scenes\nicseg synth scenes --images 2500 --size 320x256 --seed 7\n"
                "icseg synth probe --images 20 --val 20 --size 640x480\n"
                "icseg synth pairs --images 5000 --vocabulary large --captions\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};

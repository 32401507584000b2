/* SPDX-License-Identifier: Apache-2.0
 * Where pairs of an image and a caption come from. A source does not change after it was opened: threads read from it
 * at the same time. */
#ifndef ICSEG_PRETRAIN_PAIR_SOURCE_H
#define ICSEG_PRETRAIN_PAIR_SOURCE_H

#include "base/error.h"
#include "base/rng.h"
#include "base/text.h"
#include "icseg/image.h"

/* Which part of an image a sample shows: of its area, and then flipped or not. */
typedef struct icseg_pair_crop {
    double scale_min, scale_max; /* share of the area, 0..1; 1 and 1: as CLIP, the largest square in the middle */
    double flip;                 /* probability of a horizontal flip */
    int32_t side;                /* of the square result, pixels */
} icseg_pair_crop;

/* What a source left out when it was opened, so that the user can be told. */
typedef struct icseg_pair_left_out {
    int64_t no_image, no_caption;         /* samples of shards */
    int64_t empty;                        /* captions without text */
    int64_t damaged;                      /* captions of shards that are not UTF-8 or JSON, or have more than 1 MiB */
    char first[ICSEG_ERROR_MESSAGE_SIZE]; /* the first sample of a shard that was left out, and why, in UTF-8; or "" */
} icseg_pair_left_out;

/* Appends "2 samples have no image, 1 caption is empty (the first one: ...)", or nothing. */
void icseg_pair_left_out_print(const icseg_pair_left_out *left, icseg_string *out);

/* What is said about an image. */
typedef struct icseg_pair_text {
    icseg_string caption;
    int32_t label; /* index of the source's class that the image shows; -1: not known */
} icseg_pair_text;

typedef struct icseg_pair_source icseg_pair_source;
struct icseg_pair_source {
    int64_t count; /* pairs */
    icseg_pair_left_out left_out;
    const char *const *classes; /* (class_count): names, of which labels are indices */
    int32_t class_count;        /* 0: without labels */
    /* Draws a sample of pair `item`: image (side, side, 3), normalised, and its text, which is empty before. */
    icseg_status (*draw)(const icseg_pair_source *source, int64_t item, const icseg_pair_crop *crop, icseg_rng *rng,
                         float *image, icseg_pair_text *text, icseg_error *error);
    void (*describe)(const icseg_pair_source *source, int64_t item, icseg_string *out); /* its name, for messages */
    void (*close)(icseg_pair_source *source);
};

#define ICSEG_PAIR_SOURCE_EXPECTED                                                                                     \
    "a folder with captions.jsonl, captions.csv or .tar files, a list of captions (.jsonl, .csv, .tsv), a .tar file, " \
    "several as in \"data/{000..012}.tar\", or synth:large"

#define ICSEG_PAIR_SYNTH "synth:" /* with which the names of generated pairs begin */

/* Opens what the path names: a list of captions; an archive; a pattern of archives (pretrain/shard_paths.h); a folder
 * with a list of captions or, if it has none, with archives; or generated scenes. */
icseg_status icseg_pair_source_open(icseg_pair_source **out, const char *path, icseg_error *error);
/* Images and captions of a folder (pretrain/caption_list.h). */
icseg_status icseg_pair_source_open_folder(icseg_pair_source **out, const char *path, icseg_error *error);
/* Samples of WebDataset shards: (count) tar archives, at least one. They must not change while the source is open. A
 * damaged archive is an error, also if only its end is missing; samples without an image or a caption are left out. */
icseg_status icseg_pair_source_open_shards(icseg_pair_source **out, const char *const *paths, size_t count,
                                           icseg_error *error);
/* Cut-outs of generated scenes with captions (synth/caption.h): "synth:VOCABULARY" or "synth:VOCABULARY:SEED". */
icseg_status icseg_pair_source_open_synth(icseg_pair_source **out, const char *path, icseg_error *error);
void icseg_pair_source_close(icseg_pair_source **source);

/* Cuts a square from the image, resizes it and normalises it to out (side, side, 3). */
icseg_status icseg_pair_crop_image(const icseg_pair_crop *crop, icseg_rng *rng, const icseg_image *image, float *out,
                                   icseg_error *error);

#endif

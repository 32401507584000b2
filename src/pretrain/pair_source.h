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

typedef struct icseg_pair_source icseg_pair_source;
struct icseg_pair_source {
    int64_t count; /* pairs */
    /* Draws a sample of pair `item`: image (side, side, 3), normalised, and its caption. */
    icseg_status (*draw)(const icseg_pair_source *source, int64_t item, const icseg_pair_crop *crop, icseg_rng *rng,
                         float *image, icseg_string *caption, icseg_error *error);
    void (*describe)(const icseg_pair_source *source, int64_t item, icseg_string *out); /* its name, for messages */
    void (*close)(icseg_pair_source *source);
};

/* Images and captions of a folder (pretrain/caption_list.h). */
icseg_status icseg_pair_source_open_folder(icseg_pair_source **out, const char *path, icseg_error *error);
/* Samples of WebDataset shards: (count) tar archives, at least one. */
icseg_status icseg_pair_source_open_shards(icseg_pair_source **out, const char *const *paths, size_t count,
                                           icseg_error *error);
void icseg_pair_source_close(icseg_pair_source **source);

/* Cuts a square from the image, resizes it and normalises it to out (side, side, 3). */
icseg_status icseg_pair_crop_image(const icseg_pair_crop *crop, icseg_rng *rng, const icseg_image *image, float *out,
                                   icseg_error *error);

#endif

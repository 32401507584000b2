/* SPDX-License-Identifier: Apache-2.0
 * Training batches: threads decode and augment images ahead of the trainer.
 * Sample n of the run (n = step * batch + position) is a pure function of (seed, n): the epoch's shuffle, or
 * ICSEG_RNG_RARE, selects the image, ICSEG_RNG_AUGMENT its augmentation, and ICSEG_RNG_PASTE what is pasted. A resumed
 * run, or one with another number of threads, therefore gets the same bytes. */
#ifndef ICSEG_LOADER_LOADER_H
#define ICSEG_LOADER_LOADER_H

#include "base/rng.h"
#include "icseg/dataset.h"
#include "loader/rare_classes.h"

/* The augmentation of docs/method.md. */
typedef struct icseg_augment_options {
    int32_t crop_height, crop_width;   /* size of the result (pixels) */
    int32_t resize_short, resize_long; /* short side is scaled to resize_short * r, long side at most resize_long * r
                                          (0: no limit); resize_short 0: the image's own size times r */
    double scale_min, scale_max;       /* r ~ U(min, max); 0.5 .. 2 */
    double crop_max_share;             /* a crop needs at least two classes, none with more than this share of its
                                          labelled pixels; at most 10 attempts; 1: off */
    double flip;                       /* probability of a horizontal flip */
    bool photometric;                  /* brightness +-32, contrast and saturation 0.5..1.5, hue +-18 (a full turn is
                                          180), each with probability 1/2 */
    double rare_samples;               /* probability that a sample's image and crop are chosen for a rare class */
    double copy_paste;                 /* probability that pixels of a rare class are pasted onto a crop */
    double rare_temperature;           /* of the probabilities of classes; more than 0 */
} icseg_augment_options;

icseg_augment_options icseg_augment_options_default(void);
/* Returns ICSEG_ERROR_ARGUMENT, with the field and its range, if an option is out of range. */
icseg_status icseg_augment_check(const icseg_augment_options *options, icseg_error *error);

typedef struct icseg_augment_source {
    const icseg_image *image;
    const icseg_labels *labels;
    int32_t wanted; /* a class that the crop should contain, if the labels do; -1: any crop will do */
} icseg_augment_source;

/* Applies the augmentation to an image and its labels: resize, crop, flip, photometric distortion, as in
 * mmsegmentation's pipeline. With a wanted class, crops are drawn around random pixels of it, at most 10, until one has
 * enough pixels of it: a hundredth. out_image (crop_h, crop_w, 3): normalised with CLIP's statistics, 0 where padded
 * (right and below); out_labels (crop_h, crop_w): ignore where padded. */
icseg_status icseg_augment(const icseg_augment_options *options, icseg_rng *rng, const icseg_augment_source *source,
                           float *out_image, int16_t *out_labels, icseg_error *error);

typedef struct icseg_loader_batch {
    int64_t step;
    int32_t size;          /* samples */
    const float *image;    /* (B, crop_h, crop_w, 3) */
    const int16_t *labels; /* (B, crop_h, crop_w) */
    const int64_t *sample; /* (B): index of each sample's image in the data set, for error messages */
} icseg_loader_batch;

typedef struct icseg_loader_options {
    icseg_augment_options augment;
    int32_t batch;   /* samples, 1..65536 */
    int32_t threads; /* decoding threads, 1..256 */
    int32_t ahead;   /* batches prepared in advance, 1..64 */
    uint64_t seed;
    int64_t first_step;             /* the first batch to return; for a resumed run its step counter */
    const icseg_rare_classes *rare; /* outlives the loader; NULL without rare_samples and copy_paste */
    int32_t share, shares; /* of a batch of shares * batch samples, this loader makes part `share`; shares 0: one */
} icseg_loader_options;

typedef struct icseg_loader icseg_loader;

/* Starts the threads. The data set must outlive the loader and have labels. */
icseg_status icseg_loader_open(icseg_loader **out, const icseg_dataset *dataset, const icseg_loader_options *options,
                               icseg_error *error);
/* Returns the next batch and waits for it if necessary; it is valid until the next call. If a sample of the batch
 * cannot be read, the error names its file, and the next call returns the following batch. One thread at a time. */
icseg_status icseg_loader_next(icseg_loader *loader, icseg_loader_batch *out, icseg_error *error);
/* Stops the threads; each finishes its current sample first. */
void icseg_loader_close(icseg_loader **loader);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The options of the commands that label images: resizing, windows, test-time augmentation, precision. */
#ifndef ICSEG_CLI_INFERENCE_H
#define ICSEG_CLI_INFERENCE_H

#include "options/options.h"
#include "icseg/image.h"
#include "icseg/session.h"
#include "progress.h"

typedef enum inference_mode {
    INFERENCE_AS_TRAINED = -1, /* not given */
    INFERENCE_WHOLE,
    INFERENCE_SLIDE
} inference_mode;

typedef struct inference_options {
    inference_mode mode;
    int32_t precision;          /* icseg_precision */
    int32_t crop[2], stride[2]; /* height, width; 0: not given */
    int32_t resize_short;       /* -1: not given */
    int32_t resize_long;
    bool tta, flip;
    double scale[ICSEG_EVAL_SCALES];
    int32_t scale_count;
    icseg_refine refine;
} inference_options;

/* Words of --mode, --precision and --refine. */
extern const char *const inference_modes[], *const inference_precisions[], *const inference_refinements[];

/* The precisions whose labels `icseg calibrate` compares with those of f32, the fastest first. */
enum { INFERENCE_COMPARED = 3 };
extern const icseg_precision inference_compared[INFERENCE_COMPARED];

#define PRECISION_ROW(S, MEMBER)                                                                                       \
    {                                                                                                                  \
        "precision", ICSEG_FIELD_WORD(S, MEMBER),                                                                      \
            "number format of convolutions and linear layers; bf16: several times faster on processors that support "  \
            "it; bf16x2: within 4e-6 of f32, and faster on processors with AMX; int8: for checkpoints written by "     \
            "`icseg calibrate`, on processors with AVX2 or NEON; auto: the fastest that kept 99.9 % of the labels "    \
            "when `icseg calibrate` compared them",                                                                    \
            .words = inference_precisions                                                                              \
    }

/* Rows of an option table over struct S, whose inference_options are the member M. The rest: what help shows as the
 * defaults. */
#define INFERENCE_ROWS_SHOWN(S, M, MODE, CROP, STRIDE, SHORT)                                                          \
    {"mode", ICSEG_FIELD_WORD(S, M.mode), "whole: the whole image at once; slide: the average of overlapping windows", \
     .words = inference_modes, .shown = MODE},                                                                         \
        {"crop",                                                                                                       \
         ICSEG_FIELD_INTS(S, M.crop[0]),                                                                               \
         "slide: size of the window, height x width in pixels",                                                        \
         .metavar = "HxW",                                                                                             \
         .shown = CROP,                                                                                                \
         ICSEG_EXACTLY(2),                                                                                             \
         ICSEG_BETWEEN(32, ICSEG_IMAGE_MAX_SIDE)},                                                                     \
        {"stride",                                                                                                     \
         ICSEG_FIELD_INTS(S, M.stride[0]),                                                                             \
         "slide: step from one window to the next; at most the size of the window",                                    \
         .metavar = "HxW",                                                                                             \
         .shown = STRIDE,                                                                                              \
         ICSEG_EXACTLY(2),                                                                                             \
         ICSEG_BETWEEN(1, ICSEG_IMAGE_MAX_SIDE)},                                                                      \
        {"resize-short",                                                                                               \
         ICSEG_FIELD_INT(S, M.resize_short),                                                                           \
         "resize images for the model so that the short side is N pixels; 0: do not resize",                           \
         .metavar = "N",                                                                                               \
         .shown = SHORT,                                                                                               \
         ICSEG_BETWEEN(0, ICSEG_IMAGE_MAX_SIDE)},                                                                      \
        {"resize-long",                                                                                                \
         ICSEG_FIELD_INT(S, M.resize_long),                                                                            \
         "with --resize-short: limit the long side to N pixels",                                                       \
         .metavar = "N",                                                                                               \
         .shown = "no limit",                                                                                          \
         ICSEG_BETWEEN(0, ICSEG_IMAGE_MAX_SIDE)},                                                                      \
        {"tta", ICSEG_FIELD_BOOL(S, M.tta),                                                                            \
         "test-time augmentation: scales from 0.5 to 1.75 and mirror images, 12 runs per image"},                      \
        {"scales",                                                                                                     \
         ICSEG_FIELD_FLOATS(S, M.scale[0]),                                                                            \
         "average over these scales",                                                                                  \
         .metavar = "S,...",                                                                                           \
         .shown = "1; with --tta: 0.5,0.75,1,1.25,1.5,1.75",                                                           \
         .capacity = ICSEG_EVAL_SCALES,                                                                                \
         .min_count = 1,                                                                                               \
         .count_offset = offsetof(S, M.scale_count),                                                                   \
         ICSEG_BETWEEN(0.0625, 16)},                                                                                   \
        {"flip", ICSEG_FIELD_BOOL(S, M.flip), "average with the mirror image"},                                        \
        {"refine", ICSEG_FIELD_WORD(S, M.refine),                                                                      \
         "pamr: pixel-adaptive mask refinement, which moves the edges of regions to those of the image; not with "     \
         "--tta, --scales and --flip",                                                                                 \
         .words = inference_refinements},                                                                              \
        PRECISION_ROW(S, M.precision)
#define INFERENCE_ROWS(S, M)                                                                                           \
    INFERENCE_ROWS_SHOWN(S, M, "as in training, else whole", "as in training, else 512x512",                           \
                         "as in training; with --crop two thirds of it", "as in training, else 0")

/* What the processor lacks for a precision: "does not have AMX". */
const char *inference_lacks(icseg_precision precision);

/* A session of the model. Prints a note if the processor does not support the precision; int8 of a model that is not
 * calibrated is ICSEG_ERROR_ARGUMENT. */
icseg_status inference_open(icseg_session **out, int32_t precision, icseg_model *model, const char *checkpoint,
                            icseg_printer *printer, icseg_error *error);

/* ICSEG_ERROR_ARGUMENT if options contradict each other: what can be known without the model, so call it first. */
icseg_status inference_check(const inference_options *options, icseg_error *error);
/* The same for the two options alone. */
icseg_status inference_check_resize(int32_t resize_short, int32_t resize_long, icseg_error *error);

void inference_defaults(inference_options *options);
/* The options; those that are not given are as in the model's training. ICSEG_ERROR_ARGUMENT if they contradict each
 * other. */
icseg_status inference_resolve(const inference_options *options, const icseg_model *model, icseg_eval_options *out,
                               icseg_error *error);

#endif

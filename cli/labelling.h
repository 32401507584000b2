/* SPDX-License-Identifier: Apache-2.0
 * Labelling images with a model and writing the results: the work of `icseg predict` and `icseg segment`. */
#ifndef ICSEG_CLI_LABELLING_H
#define ICSEG_CLI_LABELLING_H

#include "cli.h"
#include "exports.h"
#include "images.h"
#include "inference.h"

typedef struct labelling_options {
    const char *out, *list; /* out NULL: no results, only save_labels */
    icseg_strings images;
    export_options exports;
    inference_options inference;
    image_options values;
    bool overlay, confidence, json, recursive, force;
    double opacity;
    const char *save_labels; /* a folder; NULL: do not */
    double min_confidence;
} labelling_options;

/* Rows of an option table over struct S, whose labelling_options are the member `label`. */
#define LABELLING_IMAGE_ROW(S)                                                                                         \
    {                                                                                                                  \
        "IMAGE", ICSEG_FIELD_STRINGS(S, label.images),                                                                 \
            "image files, folders or quoted patterns such as 'a/*.jpg'; -: standard input", .positional = true         \
    }
#define LABELLING_OUT_ROW(S, REQUIRED)                                                                                 \
    {                                                                                                                  \
        "out", ICSEG_FIELD_STRING(S, label.out),                                                                       \
            "folder for the results, created if it does not exist; -: standard output, for one image in one format",   \
            .metavar = "DIR", .required = REQUIRED                                                                     \
    }
#define LABELLING_ROWS(S)                                                                                              \
    {"list", ICSEG_FIELD_STRING(S, label.list), "text file with the path of an image on each line; -: standard input", \
     .metavar = "FILE"},                                                                                               \
        {"recursive", ICSEG_FIELD_BOOL(S, label.recursive),                                                            \
         "read folders with their subfolders, and write the results into the same subfolders"},                        \
        {"overlay", ICSEG_FIELD_BOOL(S, label.overlay),                                                                \
         "write STEM_overlay.png: class colours over the image, with a legend"},                                       \
        {"opacity", ICSEG_FIELD_FLOAT(S, label.opacity), "opacity of the overlay's colours", ICSEG_BETWEEN(0, 1)},     \
        {"confidence", ICSEG_FIELD_BOOL(S, label.confidence),                                                          \
         "write STEM_confidence.png: the probability of each pixel's class, 16 bits, 65535 for 1"},                    \
        {"json", ICSEG_FIELD_BOOL(S, label.json),                                                                      \
         "write STEM.json: the image size, and the pixels, the share and the mean confidence of each class that "      \
         "occurs"},                                                                                                    \
    {                                                                                                                  \
        "force", ICSEG_FIELD_BOOL(S, label.force), "replace files of DIR that are not results of this command"         \
    }

void labelling_defaults(labelling_options *options);

/* Opens the model when the images and outputs are known to be good. user: the command's. */
typedef icseg_status labelling_open(icseg_model **out, const icseg_command_context *context, const void *user,
                                    icseg_error *error);

/* Labels all images. model_name: for messages. */
icseg_status labelling_run(const labelling_options *options, const icseg_command_context *context,
                           const char *model_name, labelling_open *open, const void *user, icseg_error *error);

#endif

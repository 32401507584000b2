/* SPDX-License-Identifier: Apache-2.0
 * A data set of images and the labels that a model gave them, to be corrected and trained on: the folder form
 * (docs/data.md), all in the split "train". */
#ifndef ICSEG_CLI_SAVED_LABELS_H
#define ICSEG_CLI_SAVED_LABELS_H

#include "icseg/model.h"
#include "inputs.h"

typedef struct saved_labels {
    const char *folder;
    double min_confidence; /* pixels below it are unlabelled */
    const icseg_palette *palette;
    int64_t images, pixels, unlabelled; /* written so far */
} saved_labels;

/* ICSEG_ERROR_ARGUMENT if the folder already contains a data set. */
icseg_status saved_labels_check(const char *folder, icseg_error *error);
/* The files of an input; out of memory: NULL. */
char *saved_labels_image_path(const char *folder, const input_file *file, icseg_arena *arena);
char *saved_labels_mask_path(const char *folder, const input_file *file, icseg_arena *arena);

/* Creates the folders. */
icseg_status saved_labels_open(saved_labels *s, icseg_error *error);
/* Copies the image's file, or writes `image` if it came from standard input, and writes its labels. confidence (H, W)
 */
icseg_status saved_labels_add(saved_labels *s, const input_file *file, const icseg_image *image,
                              const icseg_labels *labels, const float *confidence, icseg_arena *arena,
                              icseg_error *error);
/* Writes the class list, which makes the set complete. */
icseg_status saved_labels_finish(const saved_labels *s, const icseg_model *model, icseg_printer *printer,
                                 icseg_error *error);

#endif

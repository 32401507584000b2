/* SPDX-License-Identifier: Apache-2.0
 * Images of the commands: options that say how stored values become colours, and notes about files, each kind once. */
#ifndef ICSEG_CLI_IMAGES_H
#define ICSEG_CLI_IMAGES_H

#include "cli.h"
#include "icseg/dataset.h"
#include "icseg/image.h"
#include "icseg/model.h"

typedef struct image_options {
    int32_t bands[3], band_count; /* band_count 0: not given */
    double value_range[2];        /* NaN: not given */
} image_options;

/* Rows of an option table over struct S, whose image_options are the member M. DEFAULT completes the help. */
#define IMAGE_ROWS(S, M, DEFAULT)                                                                                      \
    {"bands",                                                                                                          \
     ICSEG_FIELD_INTS(S, M.bands[0]),                                                                                  \
     "TIFF images: the bands that are red, green and blue, counted from 1, or one that is grey; 0: the colours that "  \
     "the file declares",                                                                                              \
     .metavar = "R,G,B",                                                                                               \
     .shown = DEFAULT,                                                                                                 \
     .capacity = 3,                                                                                                    \
     .min_count = 1,                                                                                                   \
     .count_offset = offsetof(S, M.band_count),                                                                        \
     ICSEG_BETWEEN(0, 65535)},                                                                                         \
    {                                                                                                                  \
        "value-range", ICSEG_FIELD_FLOATS(S, M.value_range[0]),                                                        \
            "images of 16 and more bits: the stored values that become black and white; 0,0: the range of unsigned "   \
            "integers",                                                                                                \
            .metavar = "LOW,HIGH", .shown = DEFAULT, ICSEG_EXACTLY(2)                                                  \
    }

/* Not given. */
void image_defaults(image_options *options);

/* The options; those that are not given are as in the model's training. model: NULL, or the model. */
icseg_status image_values(const image_options *options, const icseg_model *model, icseg_image_values *out,
                          icseg_error *error);

/* Reads images, and prints what there is to say about them. */
typedef struct image_reader {
    const icseg_command_context *context;
    icseg_image_values values;
    bool noted[ICSEG_IMAGE_NOTES]; /* kinds of notes that were printed */
    bool noted_size;
} image_reader;

icseg_status image_reader_open(image_reader *out, const image_options *options, const icseg_model *model,
                               const icseg_command_context *context, icseg_error *error);
/* path "-": standard input. */
icseg_status image_read(image_reader *reader, const char *path, icseg_image *out, icseg_error *error);

/* Prints a warning about an image that the model receives at its own size, if it is more than twice as large as those
 * that it was trained on. Returns whether it is. */
bool image_check_size(icseg_printer *printer, const icseg_model *model, int32_t width, int32_t height,
                      const char *path);

/* Prints the notes about the images of a data set whose kinds are not in `noted`, and adds them to it. */
void image_print_notes(const icseg_command_context *context, const icseg_dataset *dataset,
                       bool noted[ICSEG_IMAGE_NOTES]);

#endif

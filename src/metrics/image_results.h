/* SPDX-License-Identifier: Apache-2.0
 * images.jsonl: what an evaluation counted in each image, from which evaluations are compared image by image. The sums
 * over all images give the same metrics as the confusion matrix. */
#ifndef ICSEG_METRICS_IMAGE_RESULTS_H
#define ICSEG_METRICS_IMAGE_RESULTS_H

#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

/* The pixels of one class in one image. Only pixels with a label count. All fields are int64_t, so that arrays of them
 * can be added as numbers. */
typedef struct icseg_class_pixels {
    int64_t label;     /* the class */
    int64_t both;      /* pixels with this label for which it is predicted */
    int64_t labelled;  /* pixels with this label */
    int64_t predicted; /* pixels for which it is predicted */
} icseg_class_pixels;

/* The classes that occur in the labels or the prediction of an image, in ascending order. */
typedef struct icseg_image_result {
    const char *name;
    const icseg_class_pixels *pixels; /* (count) */
    int32_t count;
} icseg_image_result;

/* A whole file. Close it with icseg_image_results_close, which accepts a zeroed struct. */
typedef struct icseg_image_results {
    icseg_arena *arena; /* owns everything */
    int64_t step;       /* completed steps of the run; -1: unknown */
    int32_t classes;
    const char *const *class_names; /* (classes) */
    int64_t count;                  /* images, at least 1 */
    icseg_image_result *images;     /* (count), by name in byte order; names differ */
} icseg_image_results;

/* Appends the first line of a file: step (-1: leave it out), the number of images, and the class names. */
void icseg_image_results_begin(icseg_string *out, int64_t step, int64_t images, const char *const *class_names,
                               int32_t classes);
/* Appends the line of an image. */
void icseg_image_results_add(icseg_string *out, const icseg_image_result *result);

/* Every value is checked: ICSEG_ERROR_FORMAT. */
icseg_status icseg_image_results_read(icseg_image_results *out, const char *path, icseg_error *error);
void icseg_image_results_close(icseg_image_results *results);

#endif

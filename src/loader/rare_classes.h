/* SPDX-License-Identifier: Apache-2.0
 * Draws rare classes more often than others, and images that contain them (docs/method.md). */
#ifndef ICSEG_LOADER_RARE_CLASSES_H
#define ICSEG_LOADER_RARE_CLASSES_H

#include "base/progress.h"
#include "base/rng.h"
#include "icseg/dataset.h"

typedef struct icseg_rare_classes icseg_rare_classes;

typedef struct icseg_rare_choice {
    int32_t class;
    int64_t image; /* which contains it */
} icseg_rare_choice;

/* Reads all label files. A class with the share f of the labelled pixels has a probability in proportion to
 * e^((1 - f) / temperature); one that no image contains has none. Returns ICSEG_ERROR_DATA if no image has a labelled
 * pixel. Uses 4 bytes for each class of each image. */
icseg_status icseg_rare_classes_open(icseg_rare_classes **out, const icseg_dataset *dataset, double temperature,
                                     int threads, const icseg_progress *progress, icseg_error *error);
double icseg_rare_classes_probability(const icseg_rare_classes *rare, int32_t class);
/* All images that contain the class are equally probable. Thread-safe. */
icseg_rare_choice icseg_rare_classes_draw(const icseg_rare_classes *rare, icseg_rng *rng);
void icseg_rare_classes_close(icseg_rare_classes **rare);

#endif

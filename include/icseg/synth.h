/* SPDX-License-Identifier: Apache-2.0
 * Generated street-and-country scenes with exact masks: everything can be tried without any data of one's own. */
#ifndef ICSEG_SYNTH_H
#define ICSEG_SYNTH_H

#include <stdbool.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ICSEG_SYNTH_CLASSES = 13,
    ICSEG_SYNTH_MIN_SIDE = 64,
    ICSEG_SYNTH_MAX_SIDE = 4096,
    ICSEG_SYNTH_MAX_IMAGES = 1000000 /* per split */
};

/* The (ICSEG_SYNTH_CLASSES) class names, index = label. Static. */
ICSEG_API const char *const *icseg_synth_class_names(void);

/* One scene; both outputs are created and owned by the caller, and are empty on failure. A pure function of its
 * arguments; every pixel is labelled. Proportions follow the size, so the same scene is not merely rescaled.
 * Thread-safe. Errors: a side outside MIN_SIDE..MAX_SIDE, memory. */
ICSEG_API icseg_status icseg_synth_scene(uint64_t seed, uint64_t index, int32_t width, int32_t height,
                                         icseg_image *image, icseg_labels *labels, icseg_error *error);

typedef struct icseg_synth_options {
    const char *folder;    /* created when missing */
    int32_t train, val;    /* images of each split; 400 and 100 */
    int32_t width, height; /* 256, 192 */
    uint64_t seed;         /* 0 */
    int32_t threads;       /* <= 0: all cores */
    bool force;            /* write even into a folder with content that is not ours */
} icseg_synth_options;

ICSEG_API icseg_synth_options icseg_synth_options_default(void);

/* Writes FOLDER/images/{train,val}/NNNNNN.jpg, FOLDER/annotations/{train,val}/NNNNNN.png (8-bit indexed), classes.txt,
 * and synth.json, which says how the set was made. A folder that holds an earlier set of ours is replaced file by file
 * (what the earlier run wrote and this one does not is removed); any other non-empty folder is refused without `force`,
 * and with it keeps its files. Image i of a split is the same whatever the other counts and the number of threads. */
ICSEG_API icseg_status icseg_synth_write(const icseg_synth_options *options, const icseg_progress *progress,
                                         icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0
 * Captions of generated scenes, and pairs of a cut-out and its caption. A caption names some of what can be seen: one
 * to three of the classes that cover 4 % or more, in varied sentences. What it says about positions is true. Sometimes
 * it uses fewer words than the class name: "a wall" for a mossy stone wall. */
#ifndef ICSEG_SYNTH_CAPTION_H
#define ICSEG_SYNTH_CAPTION_H

#include "base/error.h"
#include "base/rng.h"
#include "base/text.h"
#include "icseg/image.h"
#include "icseg/synth.h"

/* Appends a caption of the picture with these labels, of the vocabulary's classes, to *caption, which fails when memory
 * runs out. The random stream decides what it names and how. */
void icseg_synth_describe(const icseg_labels *labels, icseg_synth_vocabulary vocabulary, icseg_rng *rng,
                          icseg_string *caption);

/* How large the square cut-outs are: shares of the area of the largest square that fits into the scene. Their sides
 * are 16 pixels at least. */
typedef struct icseg_synth_pair_options {
    double crop_min, crop_max; /* 0 < crop_min <= crop_max <= 1 */
} icseg_synth_pair_options;

/* Draws a scene (NULL: the defaults) and cuts a random square out of it. *image receives it at its own size, which
 * differs from pair to pair; the caller resizes it. *caption is overwritten. *label receives the class with the largest
 * area of the cut-out. `labels` (may be NULL) receives its label map. All of it is a function of the scene's options
 * and of `options` (NULL: 0.08 to 1): another pair needs another index. Functions of the same arguments can run in
 * several threads. A horizontal flip makes "left" and "right" wrong. On failure, *image and *labels are empty.
 * ICSEG_ERROR_ARGUMENT: as icseg_synth_scene, and for shares out of range; ICSEG_ERROR_MEMORY. */
icseg_status icseg_synth_pair(const icseg_synth_scene_options *scene, const icseg_synth_pair_options *options,
                              icseg_image *image, icseg_string *caption, int32_t *label, icseg_labels *labels,
                              icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Labels from refined logits: each channel of the blended logits is refined alone, and only a few are in memory. */
#ifndef ICSEG_INFERENCE_REFINE_H
#define ICSEG_INFERENCE_REFINE_H

#include "inference/pass.h"

/* Writes the outputs of all pixels. The blend has one pass, all of whose windows are in memory; images: those that the
 * label maps belong to. */
icseg_status icseg_refine_run(const icseg_blend *blend, const icseg_images *images, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Fixtures of segmentation without training: a small CLIP (tensors weights.*), token ids (metadata "tokens", one list a
 * class), an image, and what NACLIP's code computes for them: expected.text, and for each method
 * expected.METHOD.scores, labels and pamr. */
#ifndef ICSEG_DIAGNOSTICS_PARITY_OPEN_H
#define ICSEG_DIAGNOSTICS_PARITY_OPEN_H

#include "icseg/parity.h"
#include "tensor/safetensors.h"

bool icseg_parity_is_open(const icseg_safetensors *file);

/* Compares everything that the fixture expects. result (ICSEG_PARITY_GROUPS). The caller has set the number of threads.
 */
icseg_status icseg_parity_open_run(const icseg_safetensors *file, const icseg_parity_options *options,
                                   const icseg_progress *progress, icseg_parity_result *result, icseg_error *error);

#endif

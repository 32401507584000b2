/* SPDX-License-Identifier: Apache-2.0
 * Entropy maps. */
#ifndef ICSEG_EXPLAIN_ENTROPY_H
#define ICSEG_EXPLAIN_ENTROPY_H

#include "icseg/error.h"
#include "icseg/tensor.h"

/* The entropy of the softmax of logits (1, h, w, K), interpolated to height x width, divided by log K: out (height,
 * width). 0 with one class. */
icseg_status icseg_explain_entropy(float *out, const icseg_tensor *logits, int32_t width, int32_t height, int threads,
                                   icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Comparing the labels of faster precisions with those of F32, image by image. */
#ifndef ICSEG_INFERENCE_COMPARE_H
#define ICSEG_INFERENCE_COMPARE_H

#include "inference/session.h"

typedef struct icseg_comparison icseg_comparison;

/* Opens sessions of a calibrated model in F32 and in each precision that the processor supports. */
icseg_status icseg_comparison_open(icseg_comparison **out, icseg_model *model, int32_t threads, icseg_error *error);
icseg_status icseg_comparison_add(icseg_comparison *c, const icseg_image *image, const icseg_eval_options *eval,
                                  icseg_error *error);
/* Writes what was found so far into a model with the same weights and ranges. */
void icseg_comparison_describe(const icseg_comparison *c, icseg_model *model);
void icseg_comparison_close(icseg_comparison **c);

#endif

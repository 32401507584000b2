/* SPDX-License-Identifier: Apache-2.0
 * Evaluation inside the library: also reports the result of each image. */
#ifndef ICSEG_METRICS_EVALUATE_H
#define ICSEG_METRICS_EVALUATE_H

#include "icseg/evaluate.h"

/* Receives the labelled pixels of an image and how many of them are predicted right. */
typedef void (*icseg_evaluated_image)(void *user, int64_t index, int64_t labelled, int64_t correct);

/* As icseg_evaluate; calls `each` after every image, in order. */
icseg_status icseg_evaluate_each(icseg_session *session, const icseg_dataset *dataset,
                                 const icseg_eval_options *options, const icseg_progress *progress,
                                 icseg_evaluated_image each, void *user, icseg_confusion *out, icseg_error *error);

#endif

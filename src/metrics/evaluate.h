/* SPDX-License-Identifier: Apache-2.0
 * Evaluation inside the library: also reports the result of each image. */
#ifndef ICSEG_METRICS_EVALUATE_H
#define ICSEG_METRICS_EVALUATE_H

#include "group/group.h"
#include "icseg/evaluate.h"
#include "metrics/image_results.h"

/* Receives what was counted in an image; valid during the call. The name is the path below the folders that all images
 * have in common. */
typedef void (*icseg_evaluated_image)(void *user, int64_t index, const icseg_image_result *result);

/* As icseg_evaluate; calls `each` for every image, in order. The processes of a group, or NULL, divide the images among
 * them; each of them gets the whole result. */
icseg_status icseg_evaluate_each(icseg_session *session, const icseg_dataset *dataset,
                                 const icseg_eval_options *options, icseg_group *group, const icseg_progress *progress,
                                 icseg_evaluated_image each, void *user, icseg_confusion *out, icseg_error *error);

#endif

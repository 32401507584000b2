/* SPDX-License-Identifier: Apache-2.0
 * Messages about the weights that a run starts from. */
#ifndef ICSEG_TRAIN_INITIAL_H
#define ICSEG_TRAIN_INITIAL_H

#include "base/progress.h"
#include "weights/weights.h"

/* Says what was loaded from `path` and which of the `params` tensors were not, after a recipe's model.init was read. */
void icseg_initial_say(const icseg_progress *progress, const char *path, int64_t params,
                       const icseg_weights_report *report);
/* The error of reading them names the recipe's key in place of the field of the weights. */
void icseg_initial_name_key(icseg_error *error);

#endif

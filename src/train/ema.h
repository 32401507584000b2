/* SPDX-License-Identifier: Apache-2.0
 * The exponential moving average of a model's weights and of its batch norms' running statistics. Of the averaged and
 * the raw values, one copy is in the model and the other is here. */
#ifndef ICSEG_TRAIN_EMA_H
#define ICSEG_TRAIN_EMA_H

#include "graph/params.h"

typedef struct icseg_ema icseg_ema;

/* Allocates a copy of every parameter that is trainable now and of all running statistics. `params` must outlive the
 * average. 0 < decay < 1. The other functions accept NULL, do nothing then, and return false or NULL. */
icseg_status icseg_ema_open(icseg_ema **out, icseg_params *params, double decay, icseg_error *error);
void icseg_ema_close(icseg_ema **ema);

/* Whether a parameter has an average. */
bool icseg_ema_averages(const icseg_param *param);

/* The average becomes the model's values. */
void icseg_ema_begin(icseg_ema *ema);

/* Moves the average towards the model's values, which must be the raw ones, after `updates` updates of the optimiser,
 * this one included: average = d average + (1 - d) raw with d = min(decay, (1 + updates) / (10 + updates)). */
void icseg_ema_update(icseg_ema *ema, int64_t updates);

/* Does the work of an update without changing a value, so that its time can be measured. */
void icseg_ema_rehearse(icseg_ema *ema);

/* Exchanges the copies unless the model has the wanted one, and raises the parameters' versions. Returns whether the
 * model had the averages. */
bool icseg_ema_show(icseg_ema *ema, bool averages);
bool icseg_ema_shown(const icseg_ema *ema);

/* Before the copies are filled from a file: the model has the averages from now on. */
void icseg_ema_expect_averages(icseg_ema *ema);

/* The values of a parameter that are not in the model, in memory layout; NULL if the parameter has no average. */
float *icseg_ema_other(icseg_ema *ema, int64_t param);

#endif

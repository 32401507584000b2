/* SPDX-License-Identifier: Apache-2.0
 * What the processes of a run have in common. All of them call each of these, in the same order; without a group, the
 * functions do nothing. */
#ifndef ICSEG_TRAIN_PROCESSES_H
#define ICSEG_TRAIN_PROCESSES_H

#include "train/trainer.h"

/* Whether the processes can share a batch. */
icseg_status icseg_trainer_check_group(const icseg_trainer *t, icseg_error *error);
/* Whether they have the same version, instructions, images, classes and recipe. */
icseg_status icseg_trainer_compare_processes(const icseg_trainer *t, icseg_error *error);

/* Rank 0's, for all: what it found in the data; the numbers of steps; weights, moments and state; running statistics.
 */
icseg_status icseg_trainer_share_data(icseg_trainer *t, icseg_error *error);
icseg_status icseg_trainer_share_steps(icseg_trainer *t, icseg_error *error);
icseg_status icseg_trainer_share_weights(icseg_trainer *t, icseg_error *error);
icseg_status icseg_trainer_share_statistics(icseg_trainer *t, icseg_error *error);

/* Whether all processes have the same weights. */
icseg_status icseg_trainer_check_equal(const icseg_trainer *t, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The entries of log.jsonl, and parameters, as events. Like those of event_file.h, the functions accept a file that is
 * NULL and then do nothing. */
#ifndef ICSEG_TENSORBOARD_EVENTS_H
#define ICSEG_TENSORBOARD_EVENTS_H

#include "graph/params.h"
#include "report/jsonl.h"
#include "tensorboard/event_file.h"

/* loss/NAME, train/lr, train/grad_norm, train/images_per_s, train/peak_mib. names: as for icseg_log_writer_step. */
icseg_status icseg_events_step(icseg_event_file *file, const icseg_log_step *step, const char *const *names,
                               int32_t parts, icseg_error *error);
/* val/mIoU, val/mAcc, val/aAcc, IoU/CLASS. class_names: (eval->classes). */
icseg_status icseg_events_eval(icseg_event_file *file, const icseg_log_eval *eval, const char *const *class_names,
                               icseg_error *error);
/* val/NAME. names: as for icseg_log_writer_scores. */
icseg_status icseg_events_scores(icseg_event_file *file, const icseg_log_scores *scores, const char *const *names,
                                 int32_t count, icseg_error *error);
/* Histograms of each trained parameter: weights/NAME, and gradients/NAME of `gradient_scale` times its gradient. */
icseg_status icseg_events_parameters(icseg_event_file *file, const icseg_params *params, int64_t step,
                                     double gradient_scale, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The evaluation of a model on a data set. */
#ifndef ICSEG_EVALUATE_H
#define ICSEG_EVALUATE_H

#include "icseg/dataset.h"
#include "icseg/error.h"
#include "icseg/group.h"
#include "icseg/metrics.h"
#include "icseg/progress.h"
#include "icseg/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Runs the session's model on every image of a data set and counts the pixels in one confusion matrix.
 *
 * @param session the session
 * @param dataset a data set with labels and as many classes as the model has
 * @param options how images are resized and divided; NULL: as in the model's training (icseg_model_eval_options)
 * @param progress NULL, or called after each image (stage "evaluate")
 * @param out receives the confusion matrix, empty on failure; free it with icseg_confusion_close
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_DATA if the number of classes differs or a file cannot be read (the message names it),
 * ICSEG_ERROR_ARGUMENT if the data set was opened without labels, ICSEG_ERROR_CANCELLED, and what
 * icseg_session_predict returns */
ICSEG_API icseg_status icseg_evaluate(icseg_session *session, const icseg_dataset *dataset,
                                      const icseg_eval_options *options, const icseg_progress *progress,
                                      icseg_confusion *out, icseg_error *error);

/** As icseg_evaluate, by the processes of a group, which divide the images among them. All of them make this call; each
 * gets the whole matrix, or the same error.
 *
 * @param group the processes; NULL: this one alone
 * @param session, dataset, options, out, error as those of icseg_evaluate
 * @param progress NULL, or called after each image of this process's share
 * @return as icseg_evaluate; ICSEG_ERROR_IO if the processes cannot reach each other */
ICSEG_API icseg_status icseg_evaluate_group(icseg_session *session, const icseg_dataset *dataset,
                                            const icseg_eval_options *options, icseg_group *group,
                                            const icseg_progress *progress, icseg_confusion *out, icseg_error *error);

/** As icseg_evaluate_group; also writes what was counted in each image, which icseg_run_comparison_open reads as the
 * file images.jsonl of a run: a line of JSON with the class names, and then one for each image. docs/compare.md
 * describes it. If anything fails, an existing file is unchanged.
 *
 * @param images the file to write, which one of the processes does
 * @param session, dataset, options, group, progress, out, error as those of icseg_evaluate_group
 * @return as icseg_evaluate_group; ICSEG_ERROR_IO if the file cannot be written */
ICSEG_API icseg_status icseg_evaluate_images(icseg_session *session, const icseg_dataset *dataset,
                                             const icseg_eval_options *options, icseg_group *group,
                                             const icseg_progress *progress, const char *images, icseg_confusion *out,
                                             icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

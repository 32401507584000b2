/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Training: from a recipe to a run directory with checkpoints, a log and a report; in one call or step by step.
 *
 * The run directory contains, each replaced atomically:
 *
 *     recipe.yaml              the recipe as used, with every value
 *     log.jsonl                a line for every step that is logged (train.log_every) and for every evaluation
 *     checkpoint.safetensors   the last weights (icseg_model_open), moments, step and the recipe: everything needed to
 *                              resume. With train.ema_decay these weights are the averages, and the raw weights are
 *                              further tensors
 *     best.safetensors         the weights with the best validation mIoU; the earliest if several are equal
 *     evaluation.json          confusion matrix and worst images of the last evaluation
 *     images.jsonl             what the last evaluation counted in each image (icseg_run_comparison_open)
 *     report.html              losses, mIoU, classes, worst images, samples; from the first evaluation on
 *     tensorboard              with train.tensorboard: a folder of event files, one of each process that trained
 *
 * Everything random is a function of train.seed and the step. A run that was stopped or killed at any moment and then
 * resumed leaves the same weights, moments and log (except timings) as one that was not, with the same number of
 * threads on the same machine.
 *
 * With train.patience, a run ends after so many evaluations in a row without a better mIoU. If it is resumed, it goes
 * on only with another train.patience.
 *
 * A resumed run may have another train.steps if that changes no learning rate of the completed steps: with train.power
 * = 0, or before the first step.
 *
 * With a group of processes (icseg/group.h), train.batch is the batch of all of them together, and each takes its
 * share. Losses are normalised over the whole batch, and so are the statistics of batch norms unless train.sync_bn is
 * false. The result is that of one process up to rounding, and the same bits for the same number of processes. Process
 * 0 writes the run directory; the others read only the data set. Every process makes the same calls, and each returns
 * the same status: ICSEG_ERROR_CANCELLED when one of them cancels. A run can be resumed with another number of
 * processes.
 *
 * With train.accumulate = n, a step averages the gradients of n batches. Each batch has its own batch statistics and
 * its own mean over labelled pixels. train.freeze_backbone keeps the image encoder as it is, including its running
 * statistics; a ViT's visual.fpn1 to fpn4, which CLIP's weights do not have, still train.
 *
 * model.init is a file or folder of weights, written by this library or published by OpenAI, open_clip, Hugging Face or
 * DenseCLIP, whose tensors replace the new ones of the same name. A tensor of another shape is an error, and so is a
 * file whose configuration describes other encoders. Tensors that depend on the class list (the classifier, and the
 * lateral convolutions that read score maps) keep their initial values if the file's class list differs or is missing.
 * Messages name the tensors that kept their initial values and those that were not used. */
#ifndef ICSEG_TRAIN_H
#define ICSEG_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/group.h"
#include "icseg/metrics.h"
#include "icseg/model.h"
#include "icseg/progress.h"
#include "icseg/recipe.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Where and how to train. */
typedef struct icseg_train_options {
    size_t struct_size; /**< ICSEG_TRAIN_OPTIONS_INIT */
    const char *out;    /**< required: the run directory, which is created with its parents */
    bool resume;        /**< continue the run in the directory (model.init is not read then), or begin one */
    int32_t threads;    /**< compute threads; 0: train.threads of the recipe */
    bool data_changed;  /**< resume although training images were added, removed or renamed: the run then continues
                             with those that exist now */
    icseg_group *group; /**< processes that train together, each with the same recipe and options; NULL: this one
                             alone. It must outlive the trainer */
} icseg_train_options;

/** Initialises an icseg_train_options. */
#define ICSEG_TRAIN_OPTIONS_INIT ICSEG_INIT(icseg_train_options)

/** Result of a run. Close it with icseg_train_result_close. */
typedef struct icseg_train_result {
    size_t struct_size;     /**< ICSEG_TRAIN_RESULT_INIT */
    int64_t steps;          /**< completed steps of the optimiser */
    double best_miou;       /**< the best mIoU of all evaluations of the run, 0..1 */
    int64_t best_step;      /**< steps completed when it was reached */
    icseg_metrics *metrics; /**< of the last weights on the validation split; owned */
    bool stopped_early;     /**< train.patience ended the run before its last step */
} icseg_train_result;

/** Initialises an icseg_train_result. */
#define ICSEG_TRAIN_RESULT_INIT ICSEG_INIT(icseg_train_result)

/** Trains from the first step, or the step at which the run stopped, to the last; then writes the report.
 *
 * @param recipe the recipe; it is copied
 * @param options where to train
 * @param progress callbacks or NULL; stages "check labels", "train" (steps) and "evaluate" (images)
 * @param result receives the result on success; NULL: not needed
 * @param error receives the message on failure; may be NULL
 * @return the errors of icseg_trainer_open and icseg_trainer_step; ICSEG_ERROR_CANCELLED when the progress callback
 * cancels: the state is written first, and the run can be resumed */
ICSEG_API icseg_status icseg_train(const icseg_recipe *recipe, const icseg_train_options *options,
                                   const icseg_progress *progress, icseg_train_result *result, icseg_error *error);

/** Frees what the result owns. Accepts NULL. */
ICSEG_API void icseg_train_result_close(icseg_train_result *result);

/** A training run that the caller drives. icseg_train is this loop:
 *
 *     while (icseg_trainer_step_count(trainer) < icseg_trainer_total_steps(trainer)) {
 *         icseg_trainer_step(trainer, &step, &error);
 *         unsigned due = icseg_trainer_due(trainer);
 *         if (due & ICSEG_TRAIN_DUE_SAVE) icseg_trainer_save(trainer, &error);
 *         if (due & ICSEG_TRAIN_DUE_EVALUATE) icseg_trainer_evaluate(trainer, &metrics, &error);
 *         ...
 *         if (icseg_trainer_due(trainer) & ICSEG_TRAIN_DUE_STOP) break;
 *     }
 *     icseg_trainer_finish(trainer, &error);
 *
 * A trainer may be used by one thread at a time. After an error of icseg_trainer_step it can only be closed. */
typedef struct icseg_trainer icseg_trainer;

/** Opens a run: checks the recipe and every label file, creates and locks the run directory, creates or loads the
 * model, starts the loader's threads.
 *
 * @param out receives the trainer, NULL on failure; close it with icseg_trainer_close
 * @param recipe the recipe; it is copied
 * @param options where to train
 * @param progress callbacks or NULL, which are copied and used until the trainer is closed
 * @param error receives the message on failure; may be NULL
 * @return the errors of icseg_recipe_check, of data sets and of checkpoints; ICSEG_ERROR_ARGUMENT with remedy
 * ICSEG_REMEDY_RESUME if the directory contains a run and `resume` is false; ICSEG_ERROR_ARGUMENT with the key if a
 * recipe differs from the run's in a key that decides the weights; ICSEG_ERROR_IO if the directory cannot be written or
 * another process trains in it */
ICSEG_API icseg_status icseg_trainer_open(icseg_trainer **out, const icseg_recipe *recipe,
                                          const icseg_train_options *options, const icseg_progress *progress,
                                          icseg_error *error);

/** Closes the trainer and sets the pointer to NULL. Nothing is saved. Accepts NULL. */
ICSEG_API void icseg_trainer_close(icseg_trainer **trainer);

/** Sizes of a step's results. */
enum {
    ICSEG_TRAIN_LOSSES = 16 /**< the largest number of losses of a step */
};

/** Results of one step. */
typedef struct icseg_train_step {
    size_t struct_size;              /**< ICSEG_TRAIN_STEP_INIT */
    int64_t step;                    /**< steps completed, this one included */
    double learning_rate;            /**< of this step */
    double gradient_norm;            /**< L2 norm of the gradient before clipping */
    double seconds;                  /**< duration of the step, waiting for images included */
    int32_t loss_count;              /**< number of losses, at most ICSEG_TRAIN_LOSSES */
    double loss[ICSEG_TRAIN_LOSSES]; /**< means over the step's batches, in the order of icseg_trainer_loss_name; the
                                          first is the total */
} icseg_train_step;

/** Initialises an icseg_train_step. */
#define ICSEG_TRAIN_STEP_INIT ICSEG_INIT(icseg_train_step)

/** Does one step of the optimiser, and adds a line to log.jsonl when one is due.
 *
 * @param trainer the trainer
 * @param out receives the results; NULL: not needed
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT after the last step; ICSEG_ERROR_NUMERIC when a loss or gradient is not finite: the
 * message names the step, the images and the first operator, and files that were saved before are kept; the error of an
 * image that cannot be read: the completed steps are then saved */
ICSEG_API icseg_status icseg_trainer_step(icseg_trainer *trainer, icseg_train_step *out, icseg_error *error);

/** The work that the recipe schedules after a step; bits of icseg_trainer_due. */
typedef enum icseg_train_due {
    ICSEG_TRAIN_DUE_EVALUATE = 1, /**< an evaluation: train.eval_every, and after the last step */
    ICSEG_TRAIN_DUE_SAVE = 2,     /**< a checkpoint: train.checkpoint_every, and after the last step */
    ICSEG_TRAIN_DUE_STOP = 4      /**< the end: train.patience is exhausted. The trainer can step all the same */
} icseg_train_due;

/** The bits of icseg_train_due that the recipe schedules after the current step and that are still to be done; 0 for
 * NULL. A resumed run may have an evaluation due, or its end. */
ICSEG_API unsigned icseg_trainer_due(const icseg_trainer *trainer);

/** Evaluates the current weights, or their average with train.ema_decay, on the validation split, adds a line to
 * log.jsonl, keeps the weights as best.safetensors if they are the best, and writes evaluation.json, images.jsonl and
 * report.html.
 *
 * @param trainer the trainer
 * @param out receives the metrics, which the caller closes; NULL: not needed
 * @param error receives the message on failure; may be NULL
 * @return as icseg_evaluate; ICSEG_ERROR_CANCELLED when the progress callback cancels */
ICSEG_API icseg_status icseg_trainer_evaluate(icseg_trainer *trainer, icseg_metrics *out, icseg_error *error);

/** Writes checkpoint.safetensors. ICSEG_ERROR_NUMERIC if a weight or moment is not finite; the file then keeps its
 * content. */
ICSEG_API icseg_status icseg_trainer_save(icseg_trainer *trainer, icseg_error *error);

/** Evaluates the current weights if they were not evaluated yet, saves them if that is due, and ends the log. The
 * trainer cannot step afterwards. */
ICSEG_API icseg_status icseg_trainer_finish(icseg_trainer *trainer, icseg_error *error);

/** Writes report.html of a run, also of one that was stopped or is training, from its log, its last evaluation and its
 * last weights. Writes no other file. If the weights or the data set cannot be read, a warning says so, and the report
 * has no sample images.
 *
 * @param run the run directory
 * @param data folder of the data set; NULL: the recipe's data.folder
 * @param progress callbacks or NULL
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if the directory does not contain a run; ICSEG_ERROR_FORMAT if one of its files is
 * damaged; ICSEG_ERROR_IO if report.html is a symbolic link or cannot be written */
ICSEG_API icseg_status icseg_train_report(const char *run, const char *data, const icseg_progress *progress,
                                          icseg_error *error);

/** Writes FOLDER/index.html, a table of the runs in the folder's directories with links to their reports.
 *
 * @param folder the directory that contains the run directories
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if it contains no run; ICSEG_ERROR_IO if index.html is a symbolic link or cannot be
 * written */
ICSEG_API icseg_status icseg_train_index(const char *folder, icseg_error *error);

/** How to test learning rates. A field that is 0 or NULL has its default. */
typedef struct icseg_lr_options {
    size_t struct_size; /**< ICSEG_LR_OPTIONS_INIT */
    double min_lr;      /**< learning rate of the first step, above 0; 0: 1e-7 */
    double max_lr;      /**< learning rate of the last step, above min_lr, at most 1e6; 0: 1 */
    int32_t steps;      /**< 10..100000; 0: 100 */
    int32_t threads;    /**< compute threads; 0: train.threads of the recipe */
    icseg_group *group; /**< processes that train together, as in icseg_train_options; NULL: this one alone */
} icseg_lr_options;

/** Initialises an icseg_lr_options. */
#define ICSEG_LR_OPTIONS_INIT ICSEG_INIT(icseg_lr_options)

/** A finished learning-rate range test. It is read-only: any number of threads may use it. */
typedef struct icseg_lr_range icseg_lr_range;

/** Smith's learning-rate range test: trains from the recipe's initial weights with a rate that grows exponentially from
 * min_lr to max_lr, until the smoothed loss is four times its smallest value or is not finite. Writes no file. The same
 * recipe and number of threads give the same losses on one machine. docs/training.md defines the suggestion.
 *
 * @param out receives the test, NULL on failure; close it with icseg_lr_range_close
 * @param recipe the recipe; its keys for steps, warm-up, decay, averages and evaluations do not apply
 * @param options how, or NULL
 * @param progress callbacks or NULL; stages "check labels" and "learning rates" (steps)
 * @param error receives the message on failure; may be NULL
 * @return as icseg_trainer_open; ICSEG_ERROR_ARGUMENT if an option is out of range; ICSEG_ERROR_CANCELLED */
ICSEG_API icseg_status icseg_lr_range_open(icseg_lr_range **out, const icseg_recipe *recipe,
                                           const icseg_lr_options *options, const icseg_progress *progress,
                                           icseg_error *error);

/** Frees the test and sets the pointer to NULL. Accepts NULL and a pointer to NULL. */
ICSEG_API void icseg_lr_range_close(icseg_lr_range **range);

/** The suggested train.lr; 0 for NULL, and if the smoothed loss did not fall. */
ICSEG_API double icseg_lr_range_suggestion(const icseg_lr_range *range);

/** The forms of a learning-rate range test. */
typedef enum icseg_lr_form {
    ICSEG_LR_TABLE, /**< a table for people, with the suggestion */
    ICSEG_LR_JSON,  /**< everything, as one JSON object */
    ICSEG_LR_HTML,  /**< a page with the curve, which needs no other file */
    ICSEG_LR_FORMS  /**< number of forms */
} icseg_lr_form;

/** Describes the test.
 *
 * @param range the test
 * @param form how
 * @param out receives NUL-terminated UTF-8, NULL on failure; free it with icseg_buffer_free
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if `form` is unknown */
ICSEG_API icseg_status icseg_lr_range_text(const icseg_lr_range *range, icseg_lr_form form, char **out,
                                           icseg_error *error);

/** The model with the current weights, for sessions (icseg_session_open); NULL for NULL. With train.ema_decay they are
 * the raw weights; the averages are in the files. It is borrowed. A step changes its weights: run its sessions between
 * steps, from the thread that steps. Close them before the trainer. */
ICSEG_API icseg_model *icseg_trainer_model(icseg_trainer *trainer);

/** Steps completed, those of earlier processes of a resumed run included; 0 for NULL. */
ICSEG_API int64_t icseg_trainer_step_count(const icseg_trainer *trainer);
/** Steps of the whole run; 0 for NULL. */
ICSEG_API int64_t icseg_trainer_total_steps(const icseg_trainer *trainer);
/** Number of losses of a step; 0 for NULL. */
ICSEG_API int32_t icseg_trainer_loss_count(const icseg_trainer *trainer);
/** Name of a loss: "total", "decode", "align.8", ..., "contrast". NULL when `index` is out of range. Lives as long as
 * the trainer. */
ICSEG_API const char *icseg_trainer_loss_name(const icseg_trainer *trainer, int32_t index);
/** The best evaluation so far: its mIoU, and in *step (NULL: not needed) the step, 0 before the first evaluation. */
ICSEG_API double icseg_trainer_best_miou(const icseg_trainer *trainer, int64_t *step);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0
 * Training: from a recipe to a run directory with checkpoints, a log and a report. */
#ifndef ICSEG_TRAIN_H
#define ICSEG_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/metrics.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise; only `recipe` and `out` must be given. Strings are borrowed for the call. */
typedef struct icseg_train_options {
    const char *recipe;     /* YAML file (docs/recipe.md) */
    const char *const *set; /* (set_count) "train.lr=1e-3": changes to the recipe, later ones win */
    size_t set_count;
    const char *data; /* in place of the recipe's data.folder */
    const char *init; /* in place of the recipe's model.init */
    const char *out;  /* the run directory; created, with its parents */
    bool resume;      /* go on with the run that is there (`init` is not read then); without one, begin it */
} icseg_train_options;

typedef struct icseg_train_result {
    int64_t steps;         /* completed */
    icseg_metrics metrics; /* of the last weights on the validation split */
    double best_miou;      /* over all evaluations of the run */
    int64_t best_step;
} icseg_train_result;

/* Trains. The run directory then holds
 *     recipe.yaml              the recipe as used, with every value
 *     log.jsonl                a line for every train.log_every-th step and every evaluation
 *     checkpoint.safetensors   the last weights (icseg_model_open)
 *     best.safetensors         those of the best validation mIoU; the earlier one when two are equal
 *     state.safetensors        everything --resume needs: weights, moments, step, the recipe as used
 *     report.html              losses, mIoU, classes, samples
 * each replaced atomically. Everything random is a function of train.seed and the step, so a run that was ended at any
 * moment and resumed leaves the same weights, moments and log (timings aside) as one that was not, with the same number
 * of threads on the same machine.
 *
 * With train.accumulate = n a step averages the gradients of n batches; each batch has its own batch statistics and its
 * own mean over labelled pixels. train.freeze_backbone keeps the image encoder as it is, running statistics included
 * (a ViT's visual.fpn1 to fpn4, which CLIP's weights do not have, train all the same).
 *
 * model.init (or `init`) is a file or folder of weights, ours or as OpenAI, open_clip, Hugging Face and DenseCLIP
 * publish them, whose tensors replace the fresh ones of the same name. A tensor of another shape is an error, and so is
 * a file whose configuration describes other encoders. Tensors tied to the class list (classifier, and the lateral
 * convolutions that read score maps) start fresh when the file's class list is another one or missing. What started
 * fresh and what was left over is reported through the progress's `message`.
 *
 * Errors, beside those of recipes, data sets and checkpoints: ICSEG_ERROR_ARGUMENT when the directory holds a run and
 * `resume` is not set, or when a recipe differs from the one the run began with in what decides weights (the key is
 * named);
 * ICSEG_ERROR_NUMERIC when a loss or gradient is not finite (step, sample files, first operator are named; the files
 * written before are kept); ICSEG_ERROR_CANCELLED when the progress callback asked to stop (state is written);
 * ICSEG_ERROR_IO when the directory cannot be written or another process trains in it. result: NULL, or filled on
 * success and then closed by the caller. */
ICSEG_API icseg_status icseg_train(const icseg_train_options *options, const icseg_progress *progress,
                                   icseg_train_result *result, icseg_error *error);
ICSEG_API void icseg_train_result_close(icseg_train_result *result);

#ifdef __cplusplus
}
#endif
#endif

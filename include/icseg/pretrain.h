/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Contrastive language-image pretraining (CLIP): both encoders learn from pairs of images and captions. docs/method.md
 * has the loss, docs/pretraining.md the forms of pairs.
 *
 * A recipe describes the run: `model.*` the encoders and the weights that they start from (model.init; otherwise from
 * scratch), `pretrain.*` pairs and optimiser. Other keys are not used. The run directory contains, each replaced
 * atomically:
 *
 *     recipe.yaml              the recipe as used
 *     log.jsonl                a line for every step that is logged, and for every evaluation
 *     checkpoint.safetensors   CLIP weights under OpenAI's names, like any others (model.init, icseg_classifier_open,
 *                              icseg_model_open_vocabulary), with the moments and the step from which a run resumes
 *     report.html              loss, retrieval and zero-shot accuracy over the steps
 *     tensorboard              with pretrain.tensorboard: a folder of event files, one of each process that trained
 *
 * Everything random is a function of pretrain.seed and the step. A run that was stopped or killed at any moment and
 * then resumed leaves the same weights, moments and log (except timings) as one that was not, with the same number of
 * threads on the same machine. */
#ifndef ICSEG_PRETRAIN_H
#define ICSEG_PRETRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/progress.h"
#include "icseg/recipe.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Where and how to train. */
typedef struct icseg_pretrain_options {
    size_t struct_size; /**< ICSEG_PRETRAIN_OPTIONS_INIT */
    const char *out;    /**< required: the run directory, which is created with its parents */
    bool resume;        /**< continue the run in the directory (model.init is not read then), or begin one */
    int32_t threads;    /**< compute threads; 0: pretrain.threads of the recipe */
} icseg_pretrain_options;

/** Initialises an icseg_pretrain_options. */
#define ICSEG_PRETRAIN_OPTIONS_INIT ICSEG_INIT(icseg_pretrain_options)

/** Sizes of the scores. */
enum {
    ICSEG_PRETRAIN_RECALLS = 3 /**< recalls at 1, 5 and 10 */
};

/** What the encoders achieve on the held-out pairs. Shares are in 0..1. The struct never grows. */
typedef struct icseg_pretrain_scores {
    int32_t pairs;    /**< pairs that were used; 0 without held-out pairs: the scores are then not set */
    double zero_shot; /**< images whose class, of all classes of these pairs, is nearest as "a photo of a CLASS"; NaN if
                           the pairs do not say classes */
    double image_to_text[ICSEG_PRETRAIN_RECALLS]; /**< images whose caption is among the 1, 5, 10 nearest captions */
    double text_to_image[ICSEG_PRETRAIN_RECALLS]; /**< captions whose image is among the 1, 5, 10 nearest images */
} icseg_pretrain_scores;

/** Result of a run. */
typedef struct icseg_pretrain_result {
    size_t struct_size;           /**< ICSEG_PRETRAIN_RESULT_INIT */
    int64_t steps;                /**< completed steps of the optimiser */
    double loss;                  /**< of the last step; NaN if this process did none */
    double logit_scale;           /**< factor of the similarities, at most 100 */
    icseg_pretrain_scores scores; /**< of the last weights */
    int64_t broken;               /**< different pairs that could not be read, in this process */
    int64_t cut;                  /**< samples whose caption was cut because it is too long, in this process */
} icseg_pretrain_result;

/** Initialises an icseg_pretrain_result. */
#define ICSEG_PRETRAIN_RESULT_INIT ICSEG_INIT(icseg_pretrain_result)

/** Pretrains from the first step, or the step at which the run stopped, to the last; then writes the report.
 *
 * @param recipe the recipe; it is copied
 * @param options where to train
 * @param progress callbacks or NULL; stages "pretrain" (steps) and "evaluate" (pairs)
 * @param result receives the result on success; NULL: not needed
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT for a key that contradicts others, with its name in the field; ICSEG_ERROR_ARGUMENT with
 * remedy ICSEG_REMEDY_RESUME if the directory contains a run and `resume` is false; ICSEG_ERROR_DATA if more than
 * pretrain.broken pairs cannot be read; ICSEG_ERROR_NUMERIC when a loss or gradient is not finite: files that were
 * saved before are kept; ICSEG_ERROR_CANCELLED when the progress callback cancels: the state is written first, and the
 * run can be resumed; the errors of weights, vocabularies and files */
ICSEG_API icseg_status icseg_pretrain(const icseg_recipe *recipe, const icseg_pretrain_options *options,
                                      const icseg_progress *progress, icseg_pretrain_result *result,
                                      icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

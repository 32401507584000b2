/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What a training run will need, before it starts: memory, time and disk space, whether this machine has them, and what
 * to change if it does not.
 *
 *     icseg_run_plan_open(&plan, recipe, NULL, NULL, &error);
 *     icseg_run_plan_text(plan, ICSEG_PLAN_TABLE, &text, &error);
 *
 * Memory and disk space are computed from the networks of the run, whose memory is planned but not used. Times are
 * measured: a few steps, an image of the validation split, and a small file. docs/plan.md says what is counted and how
 * well it agrees with real runs. */
#ifndef ICSEG_PLAN_H
#define ICSEG_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/progress.h"
#include "icseg/recipe.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How to plan. A field that is NULL or 0 has its default. */
typedef struct icseg_plan_options {
    size_t struct_size; /**< ICSEG_PLAN_OPTIONS_INIT */
    const char *out;    /**< the run directory, which need not exist; NULL: the current folder */
    int32_t threads;    /**< compute threads; 0: train.threads of the recipe */
    int32_t classes;    /**< plan without the data set, for so many classes, at most 4096; 0: open the data set */
    bool quick;         /**< measure no times */
    double seconds;     /**< for measuring steps, at most 3600; the one that has begun is finished; 0: 10 */
} icseg_plan_options;

/** Initialises an icseg_plan_options. */
#define ICSEG_PLAN_OPTIONS_INIT ICSEG_INIT(icseg_plan_options)

/** The needs of a run. Sizes are in bytes, times in seconds; a time that is unknown is 0. */
typedef struct icseg_plan_figures {
    size_t struct_size; /**< ICSEG_PLAN_FIGURES_INIT */
    size_t memory;      /**< largest resident set of the run: the sum of the next eight */
    size_t weights;     /**< weights and running statistics */
    size_t gradients;   /**< gradients of the weights that are trained */
    size_t optimiser;   /**< AdamW's two moments, and averaged weights (train.ema_decay) */
    size_t copies;      /**< copies of weights in other layouts, mostly of evaluations */
    size_t activations; /**< activations and scratch memory of a step, or of an evaluation if it needs more */
    size_t loader;      /**< batches that are prepared in advance, and images while they are decoded */
    size_t evaluation;  /**< images, label maps and logits of evaluations and of the report */
    size_t rest;        /**< program, libraries, compiled kernels, data set */

    size_t disk;       /**< the finished run directory: the sum of the next four */
    size_t checkpoint; /**< checkpoint.safetensors: weights, moments and averages */
    size_t best;       /**< best.safetensors: weights */
    size_t log;        /**< log.jsonl and recipe.yaml */
    size_t report;     /**< report.html, evaluation.json and images.jsonl */
    size_t disk_peak;  /**< the same and the largest file once more: it is written beside its earlier version */

    size_t memory_available; /**< the largest resident set that this process can reach now */
    size_t disk_available;   /**< free space for the run directory */
    bool memory_fits;        /**< `memory` is at most `memory_available` */
    bool disk_fits;          /**< `disk_peak` is at most `disk_available` */

    bool measured;             /**< the times were measured */
    double step_seconds;       /**< of a step of the optimiser, waiting for images included */
    double image_seconds;      /**< reading and augmenting one image, in one thread */
    double evaluation_seconds; /**< of an evaluation with its report */
    double save_seconds;       /**< of writing checkpoint.safetensors */
    double total_seconds;      /**< of steps, evaluations and checkpoints together */
    int64_t steps;             /**< of the run; 0: train.minutes decides, and nothing was measured */
    int64_t evaluations;       /**< 0: unknown, too */
    int64_t saves;             /**< at most so many checkpoints */
    double flops;              /**< of a step */
    int32_t threads;           /**< compute threads */
    int32_t advice_count;      /**< of icseg_run_plan_advice */
} icseg_plan_figures;

/** Initialises an icseg_plan_figures. */
#define ICSEG_PLAN_FIGURES_INIT ICSEG_INIT(icseg_plan_figures)

/** A change that makes a run smaller. The struct never grows. */
typedef struct icseg_plan_advice {
    const char *change; /**< assignments of icseg_recipe_assign, separated by spaces: "train.batch=4
                             train.accumulate=2"; lives as long as the plan */
    const char *effect; /**< what it does besides, in words */
    size_t memory;      /**< icseg_plan_figures.memory with the change */
    bool fits;          /**< whether the memory suffices then */
} icseg_plan_advice;

/** A finished plan. It is read-only: any number of threads may use it. */
typedef struct icseg_run_plan icseg_run_plan;

/** Plans a run, writing nothing but a temporary file without a name, of 16 MiB, to measure the disk. Steps are only
 * measured if their memory fits. Uses compute threads of the calling thread.
 *
 * @param out receives the plan, NULL on failure; close it with icseg_run_plan_close
 * @param recipe the recipe, which is copied
 * @param options NULL: all defaults
 * @param progress callbacks or NULL; stage "measure" (batches)
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_OK also if the run does not fit; the errors of icseg_recipe_check, of data sets and of model.merges;
 * ICSEG_ERROR_ARGUMENT if an option is out of range; ICSEG_ERROR_CANCELLED when the progress callback cancels */
ICSEG_API icseg_status icseg_run_plan_open(icseg_run_plan **out, const icseg_recipe *recipe,
                                           const icseg_plan_options *options, const icseg_progress *progress,
                                           icseg_error *error);

/** Frees the plan and sets the pointer to NULL. Accepts NULL and a pointer to NULL. */
ICSEG_API void icseg_run_plan_close(icseg_run_plan **plan);

/** Copies the plan's numbers.
 *
 * @param plan the plan
 * @param out receives the numbers; its struct_size must be set
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT for NULL or a wrong struct_size */
ICSEG_API icseg_status icseg_run_plan_figures(const icseg_run_plan *plan, icseg_plan_figures *out, icseg_error *error);

/** A change that would make the run smaller, best first: there are some if the memory does not suffice. NULL if `index`
 * is not below advice_count. Lives as long as the plan. */
ICSEG_API const icseg_plan_advice *icseg_run_plan_advice(const icseg_run_plan *plan, int32_t index);

/** The forms of a plan. */
typedef enum icseg_plan_form {
    ICSEG_PLAN_TABLE, /**< for people */
    ICSEG_PLAN_JSON,  /**< the figures by their names, and "advice", as one JSON object */
    ICSEG_PLAN_FORMS  /**< number of forms */
} icseg_plan_form;

/** Describes the plan.
 *
 * @param plan the plan
 * @param form how
 * @param out receives NUL-terminated UTF-8, NULL on failure; free it with icseg_buffer_free
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if `form` is unknown */
ICSEG_API icseg_status icseg_run_plan_text(const icseg_run_plan *plan, icseg_plan_form form, char **out,
                                           icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Agreement with the PyTorch reference. A fixture contains a small model with its inputs, outputs, losses, gradients
 * and the loss at each of ten AdamW steps, which the reference computed in double precision (docs/method.md, "Parity").
 * `reference/make_fixtures.py` writes fixtures; tests/parity contains some. Fixtures of segmentation without training
 * contain a small CLIP, an image, and score maps and labels of several methods instead. */
#ifndef ICSEG_PARITY_H
#define ICSEG_PARITY_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/memory.h"
#include "icseg/model.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Groups of compared values. */
typedef enum icseg_parity_group {
    ICSEG_PARITY_EVAL,     /**< outputs in evaluation mode */
    ICSEG_PARITY_TRAIN,    /**< outputs in training mode */
    ICSEG_PARITY_LOSS,     /**< each loss */
    ICSEG_PARITY_GRADIENT, /**< the gradient of each trainable parameter */
    ICSEG_PARITY_RUNNING,  /**< running statistics of batch normalisation after one step */
    ICSEG_PARITY_CURVE,    /**< total loss and learning rate at each of the AdamW steps */
    /** Segmentation without training: embeddings of texts, score maps and refined score maps. Here differences are
     * absolute: cosines are at most 1. */
    ICSEG_PARITY_OPEN_SCORES,
    ICSEG_PARITY_OPEN_LABELS, /**< the same: the share of pixels whose labels differ */
    ICSEG_PARITY_GROUPS       /**< number of groups */
} icseg_parity_group;

/** Result of one group. Differences are relative: ||ours - reference|| / ||reference||. The struct never grows. */
typedef struct icseg_parity_result {
    const char *title;    /**< "gradients"; a constant */
    int32_t compared;     /**< number of tensors or numbers compared */
    int32_t failed;       /**< how many of them differ by more than `bound` */
    double worst;         /**< the largest difference */
    double bound;         /**< the largest difference that is accepted */
    char worst_name[200]; /**< name of the tensor with the largest difference */
} icseg_parity_result;

/** Result of a comparison. */
typedef struct icseg_parity_report {
    size_t struct_size;                             /**< ICSEG_PARITY_REPORT_INIT */
    int32_t compared;                               /**< of all groups */
    int32_t failed;                                 /**< of all groups; 0: the reference is met */
    icseg_parity_result group[ICSEG_PARITY_GROUPS]; /**< one for each icseg_parity_group */
} icseg_parity_report;

/** Initialises an icseg_parity_report. */
#define ICSEG_PARITY_REPORT_INIT ICSEG_INIT(icseg_parity_report)

/** How to compare. */
typedef struct icseg_parity_options {
    size_t struct_size;        /**< ICSEG_PARITY_OPTIONS_INIT */
    icseg_precision precision; /**< of convolutions and linear layers; bounds are wider in BF16 */
    int32_t threads;           /**< compute threads; 0: all cores */
} icseg_parity_options;

/** Initialises an icseg_parity_options. */
#define ICSEG_PARITY_OPTIONS_INIT ICSEG_INIT(icseg_parity_options)

/** Runs one fixture and compares everything in it. Success means that the fixture could be run; `out->failed` is the
 * number of disagreements.
 *
 * @param out receives the results
 * @param fixture the file
 * @param options how to compare; NULL: f32
 * @param progress callbacks or NULL; stage "compare"
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_FORMAT or ICSEG_ERROR_SHAPE if the fixture is damaged or lacks tensors; ICSEG_ERROR_UNSUPPORTED
 * if its model has dropout or the processor does not have the precision; ICSEG_ERROR_CANCELLED */
ICSEG_API icseg_status icseg_parity_run(icseg_parity_report *out, const char *fixture,
                                        const icseg_parity_options *options, const icseg_progress *progress,
                                        icseg_error *error);

/** Formats the results as text, one line for each group. *out is NUL-terminated; free it with icseg_buffer_free. */
ICSEG_API icseg_status icseg_parity_text(const icseg_parity_report *report, char **out, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

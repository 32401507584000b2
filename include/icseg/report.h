/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * report.html: the results of a training run or an evaluation, in one self-contained file. */
#ifndef ICSEG_REPORT_H
#define ICSEG_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One row of the grid image | truth | prediction. All three have the same size. The struct never grows. */
typedef struct icseg_report_sample {
    const char *name;               /**< shown above the row, usually the file's name */
    const icseg_image *image;       /**< the image */
    const icseg_labels *truth;      /**< ground truth; NULL: unknown */
    const icseg_labels *prediction; /**< classes, or ICSEG_LABEL_IGNORE */
} icseg_report_sample;

/** Contents of a report, borrowed for the call. A field that is NULL or 0 leaves its part of the page out. Texts are
 * escaped. */
typedef struct icseg_report_input {
    size_t struct_size;                 /**< ICSEG_REPORT_INPUT_INIT */
    const char *title;                  /**< NULL: the recipe's name in the log, or "icseg" */
    const char *subtitle;               /**< one line below the title */
    const char *log_path;               /**< the run's log.jsonl */
    const char *recipe;                 /**< the recipe as used, as text */
    const icseg_metrics *metrics;       /**< final metrics */
    const icseg_confusion *confusion;   /**< final confusion matrix */
    int32_t classes;                    /**< of class_names, palette, metrics, confusion and the samples' labels */
    const char *const *class_names;     /**< (classes); required with metrics, confusion and samples */
    const icseg_palette *palette;       /**< at least `classes` colours; required with samples */
    const icseg_report_sample *samples; /**< (sample_count) */
    int64_t sample_count;               /**< at most 1000 */
    int32_t sample_width;               /**< wider images are reduced by a whole factor (pixels); 0: 640 */
    int64_t worst_count;                /**< so many of the samples come first and are shown as the worst images */
} icseg_report_input;

/** Initialises an icseg_report_input. */
#define ICSEG_REPORT_INPUT_INIT ICSEG_INIT(icseg_report_input)

/** Writes the page atomically: if anything fails, an existing file is unchanged.
 *
 * @param path the file to write
 * @param input what to write
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_SHAPE if sizes or numbers of classes do not agree; ICSEG_ERROR_DATA for labels out of range; the
 * errors of reading the log; ICSEG_ERROR_IO if the file cannot be written */
ICSEG_API icseg_status icseg_report_write(const char *path, const icseg_report_input *input, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0
 * report.html: what a training run or an evaluation came to, in one file that needs nothing but itself. */
#ifndef ICSEG_REPORT_H
#define ICSEG_REPORT_H

#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One picture of the grid image | truth | prediction; all of one size. */
typedef struct icseg_report_sample {
    const char *name; /* what stands above it, usually the file's name */
    const icseg_image *image;
    const icseg_labels *truth;      /* NULL: there is none */
    const icseg_labels *prediction; /* classes, or ICSEG_LABEL_IGNORE */
} icseg_report_sample;

/* Everything is borrowed for the call. Whatever is NULL or 0 leaves its part of the page out; texts are escaped. */
typedef struct icseg_report_input {
    const char *title;    /* NULL: the recipe's name in the log, or "icseg" */
    const char *subtitle; /* one line below it */
    const char *log_path; /* the run's log.jsonl */
    const char *recipe;   /* the resolved recipe, as text */
    const icseg_metrics *metrics;
    const icseg_confusion *confusion;
    int32_t classes;                /* of class_names, palette, metrics, confusion and the samples' labels */
    const char *const *class_names; /* (classes); needed by metrics, confusion and samples */
    const icseg_palette *palette;   /* at least `classes` colors; needed by samples */
    const icseg_report_sample *samples;
    int64_t sample_count; /* at most 1000 */
    int32_t sample_width; /* pictures wider than this are reduced by a whole factor; 0: 640 */
} icseg_report_input;

/* Writes the page atomically: when anything fails, an old file at `path` stays as it was. Errors: a log that cannot be
 * read, sizes or class counts that do not fit together (ICSEG_ERROR_SHAPE), labels out of range (ICSEG_ERROR_DATA), a
 * path that cannot be written (ICSEG_ERROR_IO). */
ICSEG_API icseg_status icseg_report_write(const char *path, const icseg_report_input *in, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

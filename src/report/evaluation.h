/* SPDX-License-Identifier: Apache-2.0
 * evaluation.json: what the last evaluation of a run found, from which a report can be made again. */
#ifndef ICSEG_REPORT_EVALUATION_H
#define ICSEG_REPORT_EVALUATION_H

#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"
#include "icseg/metrics.h"

enum { ICSEG_WORST_IMAGES = 4 };

/* An image with a small share of right pixels. */
typedef struct icseg_worst_image {
    const char *name; /* of the file, without its folders */
    int64_t labelled, correct;
} icseg_worst_image;

typedef struct icseg_evaluation {
    icseg_arena *arena; /* owns everything but the confusion matrix; NULL: the strings are borrowed */
    int64_t step;       /* completed steps of the run */
    int32_t classes;
    const char *const *class_names; /* (classes) */
    icseg_confusion confusion;
    int32_t worst_count;
    icseg_worst_image worst[ICSEG_WORST_IMAGES]; /* the worst first */
} icseg_evaluation;

/* Adds the image if it is worse than those that are kept, or there are fewer than ICSEG_WORST_IMAGES. Of equal images,
 * the first ones are kept. Images without labelled pixels are left out. */
void icseg_evaluation_consider(icseg_evaluation *evaluation, const char *name, int64_t labelled, int64_t correct);

/* Replaces the file atomically. */
icseg_status icseg_evaluation_write(const icseg_evaluation *evaluation, const char *path, icseg_error *error);

/* Every value is checked: ICSEG_ERROR_FORMAT. Close it with icseg_evaluation_close, which accepts a zeroed struct. */
icseg_status icseg_evaluation_read(icseg_evaluation *out, const char *path, icseg_error *error);
void icseg_evaluation_close(icseg_evaluation *evaluation);

#endif

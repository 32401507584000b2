/* SPDX-License-Identifier: Apache-2.0
 * The metrics of evaluations from what was counted in each image, and how far they vary with the images. */
#ifndef ICSEG_COMPARE_SCORES_H
#define ICSEG_COMPARE_SCORES_H

#include <stdint.h>

#include "base/progress.h"
#include "metrics/image_results.h"

/* The scores of an evaluation, as fractions, NaN where undefined: three means and then the IoU of each class. They are
 * those of icseg_metrics. */
enum { ICSEG_SCORE_MIOU, ICSEG_SCORE_MACC, ICSEG_SCORE_AACC, ICSEG_SCORE_MEANS };
extern const char *const icseg_score_names[ICSEG_SCORE_MEANS]; /* "mIoU", "mAcc", "aAcc" */
extern const char *const icseg_score_keys[ICSEG_SCORE_MEANS];  /* "miou", "macc", "aacc" */
static inline size_t icseg_score_count(int32_t classes) { return (size_t)classes + ICSEG_SCORE_MEANS; }

/* Adds `times` times the pixels of an image to the sums (classes). */
void icseg_scores_add(icseg_class_pixels *sums, const icseg_image_result *image, int64_t times);
/* out: (icseg_score_count(classes)) */
void icseg_scores_compute(const icseg_class_pixels *sums, int32_t classes, double *out);

/* Evaluations of the same images and classes. A score of them is the mean of the runs for which it is defined. */
typedef struct icseg_run_list {
    const icseg_image_results *const *run; /* (count) */
    int32_t count;
} icseg_run_list;

/* out: (icseg_score_count(classes)) */
icseg_status icseg_scores_of_runs(const icseg_run_list *runs, double *out, icseg_error *error);

/* How a score, or the difference of two, varies when the images are drawn again. NaN if it is undefined in more than
 * half of the resamples. */
typedef struct icseg_score_range {
    double low, high; /* 95 % of the resamples are within */
    double above;     /* share of the resamples above 0; those equal to 0 count half */
} icseg_score_range;

typedef struct icseg_bootstrap {
    int32_t resamples;
    uint64_t seed;
    const icseg_stage *stage; /* where the resamples of all calls are reported; NULL: nowhere */
    int64_t done;             /* resamples of earlier calls */
} icseg_bootstrap;

/* The scores of `runs` minus those of `baseline` (no runs: zeros). Each resample draws as many images as there are,
 * with replacement, the same ones for all runs. The numbers drawn depend on the seed and on the number of images only.
 * out: (icseg_score_count(classes)) */
icseg_status icseg_bootstrap_run(icseg_bootstrap *bootstrap, const icseg_run_list *baseline, const icseg_run_list *runs,
                                 icseg_score_range *out, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * A learning-rate range test: its curve, and the forms in which it is written. */
#ifndef ICSEG_TRAIN_LR_RANGE_H
#define ICSEG_TRAIN_LR_RANGE_H

#include "base/text.h"
#include "icseg/train.h"

typedef enum icseg_lr_end {
    ICSEG_LR_END_STEPS,      /* all steps are done */
    ICSEG_LR_END_DIVERGED,   /* the loss became much larger than its smallest */
    ICSEG_LR_END_NOT_FINITE, /* a loss or gradient was not finite; this step is not in the curve */
} icseg_lr_end;

struct icseg_lr_range {
    char *recipe; /* its name */
    double min_lr, max_lr;
    int32_t steps, count;         /* planned, done */
    double *lr, *loss, *smoothed; /* (count) */
    icseg_lr_end end;
    int32_t lowest, steepest; /* points; -1: none */
};

/* Of loss (count): smooths it in both directions, which delays nothing. A tenth of `steps` is the width. */
void icseg_lr_smooth(const double *loss, int32_t count, int32_t steps, double *smoothed);

/* Finds the lowest point of the smoothed loss and, before it, the one where it falls most steeply. */
void icseg_lr_choose(icseg_lr_range *range);

/* The smoothed loss of the last point so far; *weight is 0 before the first. */
double icseg_lr_follow(double *sum, double *weight, double loss, int32_t steps);

/* lr_text.c */
void icseg_lr_table(icseg_string *out, const icseg_lr_range *range);
void icseg_lr_json(icseg_string *out, const icseg_lr_range *range);
icseg_status icseg_lr_page(icseg_string *out, const icseg_lr_range *range, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Smith's learning-rate range test: the rate grows from step to step until the loss diverges. */
#include "train/lr_range.h"

#include <math.h>
#include <stdio.h>

#include "base/argument.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "base/threads.h"
#include "train/trainer.h"

enum { STEPS = 100, LEAST_STEPS = 10, MOST_STEPS = 100000, DIVERGED = 4 };

#define MIN_LR 1e-7
#define MAX_LR 1.0

/* -- the curve */

static double decay_of(int32_t steps) { return 1 - 10 / fmax(steps, 2.0 * LEAST_STEPS); }

double icseg_lr_follow(double *sum, double *weight, double loss, int32_t steps) {
    double decay = decay_of(steps);
    *sum = decay * *sum + (1 - decay) * loss;
    *weight = decay * *weight + (1 - decay);
    return *sum / *weight;
}

void icseg_lr_smooth(const double *loss, int32_t count, int32_t steps, double *smoothed) {
    double sum = 0, weight = 0;
    for (int32_t i = 0; i < count; i++) smoothed[i] = icseg_lr_follow(&sum, &weight, loss[i], steps);
    sum = weight = 0;
    for (int32_t i = count - 1; i >= 0; i--) smoothed[i] = icseg_lr_follow(&sum, &weight, smoothed[i], steps);
}

void icseg_lr_choose(icseg_lr_range *r) {
    const double *s = r->smoothed;
    double steepest = 0;
    r->lowest = r->count > 0 ? 0 : -1;
    r->steepest = -1;
    for (int32_t i = 1; i < r->count; i++)
        if (s[i] < s[r->lowest]) r->lowest = i;
    for (int32_t i = r->steps / 10; i < r->lowest; i++) {
        double slope =
            i > 0 ? s[i + 1] - s[i - 1] : 2 * (s[1] - s[0]); /* the rates have equal distances as logarithms */
        if (slope < steepest) r->steepest = i;
        steepest = fmin(steepest, slope);
    }
}

/* -- the test */

static icseg_status check(const icseg_lr_options *o, icseg_error *error) {
    if (!(o->min_lr > 0 && o->min_lr < o->max_lr && o->max_lr <= 1e6))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "max_lr", ICSEG_REMEDY_SET_FIELD,
                                "max_lr: the rates go from %g to %g; expected 0 < min_lr < max_lr <= 1e6", o->min_lr,
                                o->max_lr);
    if (o->steps < LEAST_STEPS || o->steps > MOST_STEPS)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "steps", ICSEG_REMEDY_SET_FIELD,
                                "steps is %d; expected %d to %d", o->steps, (int)LEAST_STEPS, (int)MOST_STEPS);
    return icseg_threads_check(o->threads, error);
}

static double rate_of(const icseg_lr_range *r, int32_t step) {
    return r->min_lr * pow(r->max_lr / r->min_lr, (double)step / (r->steps - 1));
}

/* Trains until the last step, or until the loss diverges or is not finite. */
static icseg_status run_steps(icseg_trainer *t, icseg_lr_range *r, icseg_error *error) {
    icseg_stage stage = icseg_stage_begin(&t->progress, "learning rates", r->steps, "steps");
    double sum = 0, weight = 0, best = INFINITY;
    char detail[80] = "";
    while (r->count < r->steps) {
        icseg_train_step step;
        icseg_status status = icseg_stage_report(&stage, r->count, detail, error);
        ICSEG_TRY(icseg_group_agree(t->group, status, error));
        ICSEG_TRY(icseg_trainer_try_rate(t, rate_of(r, r->count), &step, error));
        if (!isfinite(step.gradient_norm)) {
            r->end = ICSEG_LR_END_NOT_FINITE;
            return ICSEG_OK;
        }
        r->lr[r->count] = step.learning_rate;
        r->loss[r->count++] = step.loss[0];
        snprintf(detail, sizeof detail, "lr %.2g  loss %.3f", step.learning_rate, step.loss[0]);
        double now = icseg_lr_follow(&sum, &weight, step.loss[0], r->steps);
        best = fmin(best, now);
        if (now > DIVERGED * best) {
            r->end = ICSEG_LR_END_DIVERGED;
            return ICSEG_OK;
        }
    }
    return icseg_stage_report(&stage, r->steps, detail, error);
}

static icseg_status measure(icseg_lr_range *r, icseg_trainer *t, icseg_error *error) {
    icseg_threads before = icseg_threads_enter(t->threads);
    icseg_status status = run_steps(t, r, error);
    icseg_threads_leave(before);
    ICSEG_TRY(status);
    icseg_lr_smooth(r->loss, r->count, r->steps, r->smoothed);
    icseg_lr_choose(r);
    return ICSEG_OK;
}

static icseg_status create(icseg_lr_range **out, const icseg_lr_options *o, const char *recipe, icseg_error *error) {
    icseg_lr_range *r = *out = icseg_calloc_array(1, sizeof *r);
    if (!r) return icseg_fail_memory(error, sizeof *r, "the learning rates");
    r->min_lr = o->min_lr;
    r->max_lr = o->max_lr;
    r->steps = o->steps;
    r->lowest = r->steepest = -1;
    r->recipe = icseg_strdup(recipe);
    r->lr = icseg_alloc_array((size_t)o->steps, sizeof *r->lr);
    r->loss = icseg_alloc_array((size_t)o->steps, sizeof *r->loss);
    r->smoothed = icseg_alloc_array((size_t)o->steps, sizeof *r->smoothed);
    if (r->recipe && r->lr && r->loss && r->smoothed) return ICSEG_OK;
    return icseg_fail_memory(error, 0, "the learning rates");
}

icseg_status icseg_lr_range_open(icseg_lr_range **out, const icseg_recipe *recipe, const icseg_lr_options *options,
                                 const icseg_progress *progress, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_lr_options, group) + sizeof(void *) };
    icseg_lr_options o;
    icseg_progress own;
    icseg_trainer *trainer = NULL;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(recipe);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_lr_options", error));
    ICSEG_TRY(icseg_progress_read(&own, progress, error));
    if (o.min_lr == 0) o.min_lr = MIN_LR;
    if (o.max_lr == 0) o.max_lr = MAX_LR;
    if (o.steps == 0) o.steps = STEPS;
    ICSEG_TRY(check(&o, error));
    icseg_status status = icseg_trainer_open_bare(&trainer, recipe, o.threads, o.group, &own, error);
    if (status == ICSEG_OK) status = icseg_group_agree(o.group, create(out, &o, recipe->name, error), error);
    if (status == ICSEG_OK) status = measure(*out, trainer, error);
    icseg_trainer_close(&trainer);
    if (status != ICSEG_OK) icseg_lr_range_close(out);
    return status;
}

void icseg_lr_range_close(icseg_lr_range **range) {
    if (!range || !*range) return;
    icseg_lr_range *r = *range;
    icseg_free(r->recipe);
    icseg_free(r->lr);
    icseg_free(r->loss);
    icseg_free(r->smoothed);
    icseg_free(r);
    *range = NULL;
}

double icseg_lr_range_suggestion(const icseg_lr_range *r) { return r && r->steepest >= 0 ? r->lr[r->steepest] : 0; }

icseg_status icseg_lr_range_text(const icseg_lr_range *range, icseg_lr_form form, char **out, icseg_error *error) {
    icseg_string text = {0};
    icseg_status status = ICSEG_OK;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(range);
    if (form == ICSEG_LR_TABLE)
        icseg_lr_table(&text, range);
    else if (form == ICSEG_LR_JSON)
        icseg_lr_json(&text, range);
    else if (form == ICSEG_LR_HTML)
        status = icseg_lr_page(&text, range, error);
    else
        status =
            icseg_fail(error, ICSEG_ERROR_ARGUMENT, "form is %d; expected 0 to %d", (int)form, (int)ICSEG_LR_FORMS - 1);
    if (status == ICSEG_OK && text.failed) status = icseg_fail_memory(error, 0, "the learning rates");
    if (status == ICSEG_OK)
        *out = text.data;
    else
        icseg_string_close(&text);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * What a run needs: time, which train.minutes turns into a number of steps, memory and disk space. */
#include <math.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/system.h"
#include "train/processes.h"
#include "train/trainer.h"

enum { FORECAST_STEPS = 50 };

static icseg_status set_number(icseg_trainer *t, const char *key, double value, icseg_error *error) {
    char text[32];
    snprintf(text, sizeof text, "%.0f", value);
    return icseg_recipe_set(t->recipe_copy, key, text, error);
}

/* Sets the numbers of steps and turns the times off, so that recipe.yaml repeats the run. */
static icseg_status set_steps(icseg_trainer *t, double steps, double eval_every, icseg_error *error) {
    ICSEG_TRY(set_number(t, "train.minutes", 0, error));
    ICSEG_TRY(set_number(t, "train.eval_minutes", 0, error));
    ICSEG_TRY(set_number(t, "train.steps", steps, error));
    return set_number(t, "train.eval_every", eval_every, error);
}

static bool has_budget(const icseg_trainer *t) {
    return t->recipe->train.minutes > 0 || t->recipe->train.eval_minutes > 0;
}

icseg_status icseg_trainer_keep_budget(icseg_trainer *t, icseg_error *error) {
    icseg_recipe *kept;
    bool found;
    const char *path = icseg_run_path(&t->folder, "recipe.yaml");
    if (!path) return icseg_fail_memory_in(error, 0, t->folder.path);
    if (!has_budget(t)) return ICSEG_OK;
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (!found) return ICSEG_OK;
    ICSEG_TRY(icseg_recipe_open(&kept, path, error));
    icseg_status status = set_steps(t, kept->settings.train.steps, kept->settings.train.eval_every, error);
    icseg_recipe_close(&kept);
    if (status == ICSEG_OK)
        icseg_trainer_say(t, "%s: %d %s, an evaluation every %d, as measured when the run began", t->folder.path,
                          t->recipe->train.steps, icseg_plural(t->recipe->train.steps, "step", "steps"),
                          t->recipe->train.eval_every);
    return status;
}

/* The seconds of an evaluation with its report, from one image after the network was prepared. */
static icseg_status time_evaluation(icseg_trainer *t, double *seconds, icseg_error *error) {
    double count = (double)icseg_dataset_count(t->val);
    double images = count + fmin(count, ICSEG_EVEN_SAMPLES) + fmin(count, ICSEG_WORST_IMAGES);
    for (int round = 0; round < 2; round++) {
        icseg_image image = {0};
        icseg_labels truth = {0}, predicted = {0};
        double start = icseg_clock();
        icseg_status status = icseg_dataset_read(t->val, 0, &image, &truth, error);
        if (status == ICSEG_OK) status = icseg_session_predict(t->session, &image, &t->eval, &predicted, NULL, error);
        *seconds = (icseg_clock() - start) * images;
        icseg_image_close(&image);
        icseg_labels_close(&truth);
        icseg_labels_close(&predicted);
        ICSEG_TRY(status);
    }
    return ICSEG_OK;
}

static void describe_duration(double seconds, char *out, size_t size) {
    if (seconds < 120)
        snprintf(out, size, "%.0f seconds", fmax(seconds, 1));
    else if (seconds < 2 * 3600)
        snprintf(out, size, "%.0f minutes", seconds / 60);
    else
        snprintf(out, size, "%.1f hours", seconds / 3600);
}

static void say_time(const icseg_trainer *t, double step, double evaluation) {
    const double steps = t->recipe->train.steps, every = t->recipe->train.eval_every;
    double evaluations = every > 0 ? ceil(steps / every) : 1;
    char duration[40];
    describe_duration(steps * step + evaluations * evaluation, duration, sizeof duration);
    icseg_trainer_say(t,
                      "measured: %.3g s a step, %.3g s an evaluation; %.0f %s and %.0f %s take about %s; "
                      "memory so far: %.0f MiB",
                      step, evaluation, steps, icseg_plural((int64_t)steps, "step", "steps"), evaluations,
                      icseg_plural((int64_t)evaluations, "evaluation", "evaluations"), duration,
                      (double)icseg_memory_peak() / (1 << 20));
}

/* Says how long a run of a fixed number of steps takes, unless it is short. */
static icseg_status forecast(icseg_trainer *t, icseg_error *error) {
    int64_t left = t->recipe->train.steps - t->state.step;
    double step;
    char duration[40];
    if (left < FORECAST_STEPS) return ICSEG_OK;
    ICSEG_TRY(icseg_trainer_time_step(t, &step, error));
    describe_duration(step * (double)left, duration, sizeof duration);
    icseg_trainer_say(
        t, "measured: %.3g s a step; %lld steps take about %s, and evaluations more; memory so far: %.0f MiB", step,
        (long long)left, duration, (double)icseg_memory_peak() / (1 << 20));
    return ICSEG_OK;
}

icseg_status icseg_trainer_set_budget(icseg_trainer *t, icseg_error *error) {
    const icseg_recipe_settings *r = t->recipe;
    double step, evaluation, minutes = r->train.minutes, warmup = r->train.warmup;
    if (!has_budget(t)) return forecast(t, error);
    ICSEG_TRY(icseg_group_agree(t->group, time_evaluation(t, &evaluation, error), error));
    ICSEG_TRY(icseg_trainer_time_step(t, &step, error));
    double times[] = {step, evaluation};
    ICSEG_TRY(icseg_group_broadcast(t->group, times, sizeof times, error)); /* the same numbers of steps for all */
    step = times[0];
    evaluation = times[1] / icseg_group_size(t->group);
    double steps = r->train.steps, every = r->train.eval_every;
    if (r->train.eval_minutes > 0) every = fmin(fmax(round(60 * r->train.eval_minutes / step), 1), 1e8);
    if (minutes > 0) {
        double share = every > 0 ? evaluation / every : 0; /* of the evaluations during the run, in each step */
        steps = fmin(floor((60 * minutes - evaluation) / (step + share)), 1e8);
        if (!(steps > warmup) || steps < 1)
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "train.minutes", ICSEG_REMEDY_SET_FIELD,
                                    "train.minutes: %g %s too short: a step takes %.3g s, an evaluation %.3g "
                                    "s, and warm-up takes %.0f %s; allow more time, or make augment.crop, "
                                    "train.batch or train.warmup smaller",
                                    minutes, minutes == 1 ? "minute is" : "minutes are", step, evaluation, warmup,
                                    icseg_plural((int64_t)warmup, "step", "steps"));
    }
    ICSEG_TRY(set_steps(t, steps, every, error));
    say_time(t, step, evaluation);
    return ICSEG_OK;
}

void icseg_trainer_say_needs(const icseg_trainer *t, size_t network) {
    double weights = 0, trained = 0, averaged = 0;
    struct statvfs disk;
    for (int64_t i = 0; i < icseg_params_count(t->model->params); i++) {
        const icseg_param *p = icseg_params_at(t->model->params, i);
        weights += 4.0 * (double)p->count;
        if (p->options.trainable) trained += 4.0 * (double)p->count;
        if (icseg_ema_other(t->ema, i)) averaged += 4.0 * (double)p->count;
    }
    double memory = weights + 3 * trained + averaged + (double)network; /* gradients and two moments */
    double files = 2 * weights + 2 * trained + averaged;                /* checkpoint and best */
    icseg_trainer_say(t, "training takes at least %.0f MiB of memory and %.0f MiB of disk space in %s",
                      memory / (1 << 20), files / (1 << 20), t->folder.path);
    if (statvfs(t->folder.path, &disk) != 0) return;
    double free = (double)disk.f_bavail * (double)disk.f_frsize;
    if (free < files + weights + 2 * trained + averaged) /* the largest file is written beside its earlier version */
        icseg_trainer_warn(t, "%s: only %.0f MiB are free; the checkpoints may not fit", t->folder.path,
                           free / (1 << 20));
}

/* SPDX-License-Identifier: Apache-2.0
 * icseg_train: the loop over a trainer's steps, with the saves and evaluations that are due after each. */
#include <math.h>
#include <stdio.h>

#include "base/argument.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "base/system.h"
#include "train/processes.h"
#include "train/trainer.h"

/* Saves the run unless it is saved. The error tells how to resume it. */
static icseg_status stop(icseg_trainer *t, icseg_error *error) {
    if (!t->saved) ICSEG_TRY(icseg_trainer_save(t, error));
    return icseg_fail_field(error, ICSEG_ERROR_CANCELLED, "", ICSEG_REMEDY_RESUME,
                            "stopped after step %lld of %lld; the run is saved in %s and can be resumed",
                            (long long)icseg_trainer_step_count(t), (long long)icseg_trainer_total_steps(t),
                            t->folder.path);
}

static icseg_status do_due(icseg_trainer *t, icseg_error *error) {
    if (icseg_trainer_due(t) & ICSEG_TRAIN_DUE_SAVE) ICSEG_TRY(icseg_trainer_save(t, error));
    if (icseg_trainer_due(t) & ICSEG_TRAIN_DUE_EVALUATE) {
        icseg_status status = icseg_trainer_evaluate(t, NULL, error);
        if (status == ICSEG_ERROR_CANCELLED) return stop(t, error);
        ICSEG_TRY(status);
    }
    return icseg_trainer_due(t) & ICSEG_TRAIN_DUE_SAVE ? icseg_trainer_save(t, error) : ICSEG_OK;
}

/* "loss 1.234 (decode 0.8, contrast 0.4)  lr 0.0001"; empty before the first step. */
static void describe(const icseg_trainer *t, const icseg_train_step *step, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (int32_t i = 0; i < step->loss_count && used + 64 < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s %.3f%s", i ? icseg_trainer_loss_name(t, i) : "loss",
                                 step->loss[i],
                                 i == 0                     ? " ("
                                 : i + 1 < step->loss_count ? ", "
                                                            : ")");
    if (used) snprintf(out + used, size - used, "  lr %.2g", step->learning_rate);
}

/* What the processes of the run have told each other, evaluations included. */
static void say_traffic(icseg_trainer *t) {
    icseg_group_traffic all = icseg_group_traffic_of(t->group);
    double steps = (double)(icseg_trainer_step_count(t) - t->first_step), seconds = icseg_clock() - t->begun;
    if (!t->group || steps < 1) return;
    icseg_trainer_say(t, "%d processes: %.1f MiB in %.0f messages a step from each; waiting took %.0f %% of the time",
                      icseg_group_size(t->group), (double)all.bytes / steps / (1 << 20), (double)all.messages / steps,
                      100 * all.seconds / fmax(seconds, 1e-9));
}

static icseg_status loop(icseg_trainer *t, icseg_error *error) {
    const int64_t total = icseg_trainer_total_steps(t);
    icseg_train_step step = {.struct_size = sizeof step};
    char detail[400] = "";
    ICSEG_TRY(do_due(t, error));
    icseg_stage stage = icseg_stage_begin(&t->progress, "train", total, "steps");
    while (icseg_trainer_step_count(t) < total && !icseg_trainer_stops_early(t)) {
        icseg_status status = icseg_stage_report(&stage, icseg_trainer_step_count(t), detail, error);
        status = icseg_group_agree(t->group, status, error);
        if (status != ICSEG_OK) return stop(t, error);
        ICSEG_TRY(icseg_trainer_step(t, &step, error));
        describe(t, &step, detail, sizeof detail);
        if (step.step == total) icseg_stage_report(&stage, total, detail, NULL); /* only writing remains */
        ICSEG_TRY(do_due(t, error));
    }
    say_traffic(t);
    return icseg_trainer_finish(t, error);
}

static icseg_status make_result(const icseg_trainer *t, icseg_train_result *out, icseg_error *error) {
    out->metrics = icseg_alloc(sizeof *out->metrics);
    if (!out->metrics) return icseg_fail_memory(error, 0, "the metrics");
    out->metrics->struct_size = sizeof *out->metrics;
    out->steps = icseg_trainer_step_count(t);
    out->best_miou = icseg_trainer_best_miou(t, &out->best_step);
    out->stopped_early = icseg_trainer_stops_early(t);
    return icseg_metrics_compute(out->metrics, &t->confusion, error);
}

icseg_status icseg_train(const icseg_recipe *recipe, const icseg_train_options *options, const icseg_progress *progress,
                         icseg_train_result *result, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_train_result, metrics) + sizeof(void *) };
    icseg_train_result output = {.struct_size = sizeof output};
    icseg_trainer *trainer;
    ICSEG_NEED(recipe);
    if (result) ICSEG_TRY(icseg_struct_write(result, &output, sizeof output, FIRST_SIZE, "icseg_train_result", error));
    ICSEG_TRY(icseg_trainer_open(&trainer, recipe, options, progress, error));
    icseg_status status = loop(trainer, error);
    if (status == ICSEG_OK && result) status = make_result(trainer, &output, error);
    icseg_trainer_close(&trainer);
    if (status == ICSEG_OK && result)
        return icseg_struct_write(result, &output, sizeof output, FIRST_SIZE, "icseg_train_result", error);
    icseg_train_result_close(&output);
    return status;
}

void icseg_train_result_close(icseg_train_result *result) {
    if (!result) return;
    icseg_metrics_close(result->metrics);
    icseg_free(result->metrics);
    result->metrics = NULL;
}

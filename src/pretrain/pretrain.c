/* SPDX-License-Identifier: Apache-2.0
 * icseg_pretrain: the loop over the steps of a run, with the saves and evaluations that are due after each. */
#include "icseg/pretrain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/struct_size.h"
#include "base/threads.h"
#include "pretrain/run.h"

/* -- the loop */

static double logit_scale(const icseg_pretraining *r) {
    return exp((double)icseg_params_find(icseg_towers_params(r->towers), "logit_scale")->data[0]);
}

/* Saves the run unless it is saved. The error tells how to resume it. */
static icseg_status stop(icseg_pretraining *r, icseg_error *error) {
    if (!r->saved) ICSEG_TRY(icseg_pretraining_save(r, error));
    return icseg_fail_field(error, ICSEG_ERROR_CANCELLED, "", ICSEG_REMEDY_RESUME,
                            "stopped after step %lld of %d; the run is saved in %s and can be resumed",
                            (long long)r->step, (int)r->recipe->pretrain.steps, r->folder.path);
}

/* An evaluation may take long, so the state is saved before it, and again after it, because it is then not pending. */
static icseg_status do_due(icseg_pretraining *r, icseg_error *error) {
    const int32_t every = r->recipe->pretrain.checkpoint_every;
    bool due =
        !r->saved && r->step > 0 && (r->step == r->recipe->pretrain.steps || (every > 0 && r->step % every == 0));
    if (due) ICSEG_TRY(icseg_pretraining_save(r, error));
    if (!r->eval_pending) return ICSEG_OK;
    icseg_status status = icseg_pretraining_evaluate(r, error);
    if (status == ICSEG_ERROR_CANCELLED) return stop(r, error);
    ICSEG_TRY(status);
    return r->saved ? icseg_pretraining_save(r, error) : ICSEG_OK;
}

static icseg_status loop(icseg_pretraining *r, icseg_error *error) {
    const int64_t total = r->recipe->pretrain.steps;
    char detail[100] = "";
    ICSEG_TRY(do_due(r, error));
    icseg_stage stage = icseg_stage_begin(&r->progress, "pretrain", total, "steps");
    while (r->step < total) {
        icseg_status status = icseg_stage_report(&stage, r->step, detail, error);
        if (status != ICSEG_OK) return stop(r, error);
        ICSEG_TRY(icseg_pretraining_step(r, error));
        snprintf(detail, sizeof detail, "loss %.3f  scale %.1f  lr %.2g", r->loss, logit_scale(r),
                 icseg_pretrain_lr(r->recipe, r->step - 1));
        if (r->step == total) icseg_stage_report(&stage, total, detail, NULL); /* only writing remains */
        ICSEG_TRY(do_due(r, error));
    }
    if (r->scores_step != r->step) ICSEG_TRY(icseg_pretraining_evaluate(r, error));
    ICSEG_TRY(icseg_log_writer_finish(&r->log, error));
    return icseg_event_file_finish(&r->events, error);
}

static void say_counts(const icseg_pretraining *r, const icseg_pair_counts *counts) {
    if (counts->broken)
        icseg_progress_say(&r->progress, ICSEG_MESSAGE_WARNING,
                           "%lld %s could not be read and %s replaced by the next one. The first: %s",
                           (long long)counts->broken, icseg_plural(counts->broken, "pair", "pairs"),
                           icseg_plural(counts->broken, "was", "were"), counts->first);
    if (counts->cut)
        icseg_progress_say(&r->progress, ICSEG_MESSAGE_WARNING,
                           "the captions of %lld %s were cut, because they have more than %d tokens",
                           (long long)counts->cut, icseg_plural(counts->cut, "sample", "samples"),
                           (int)r->recipe->model.context_length - 2);
}

static icseg_status run(icseg_pretraining *r, bool resume, icseg_pretrain_result *out, icseg_error *error) {
    ICSEG_TRY(icseg_pretraining_open(r, resume, error));
    icseg_status status = loop(r, error);
    icseg_pair_counts counts = icseg_pair_loader_counts(r->loader);
    if (status == ICSEG_OK || status == ICSEG_ERROR_CANCELLED) say_counts(r, &counts);
    ICSEG_TRY(status);
    out->steps = r->step;
    out->loss = r->loss;
    out->logit_scale = logit_scale(r);
    out->scores = r->scores;
    out->broken = counts.broken;
    out->cut = counts.cut;
    return ICSEG_OK;
}

/* -- the public call */

/* The run needs its own copy: the caller may change or close the recipe. */
static icseg_status copy_recipe(icseg_pretraining *r, const icseg_recipe *recipe, icseg_error *error) {
    char *text;
    ICSEG_TRY(icseg_pretrain_check(recipe, error)); /* while errors can still name the file's lines */
    ICSEG_TRY(icseg_recipe_text(recipe, &text, error));
    icseg_status status = icseg_recipe_open_text(&r->recipe_copy, recipe->name, text, strlen(text), error);
    icseg_buffer_free(text);
    if (status == ICSEG_OK) r->recipe = &r->recipe_copy->settings;
    return status;
}

static icseg_status start(icseg_pretraining *r, const icseg_recipe *recipe, const icseg_pretrain_options *o,
                          icseg_pretrain_result *out, icseg_error *error) {
    ICSEG_TRY(icseg_arena_open(&r->arena, error));
    r->folder.arena = r->arena;
    r->folder.path = icseg_arena_strdup(r->arena, o->out);
    if (!r->folder.path) return icseg_fail_memory(error, 0, "the run");
    ICSEG_TRY(copy_recipe(r, recipe, error));
    r->threads = icseg_threads_resolve(o->threads > 0 ? o->threads : r->recipe->pretrain.threads);
    icseg_threads before = icseg_threads_enter(r->threads);
    icseg_status status = run(r, o->resume, out, error);
    icseg_threads_leave(before);
    return status;
}

icseg_status icseg_pretrain(const icseg_recipe *recipe, const icseg_pretrain_options *options,
                            const icseg_progress *progress, icseg_pretrain_result *result, icseg_error *error) {
    enum {
        FIRST_OPTIONS = offsetof(icseg_pretrain_options, threads) + sizeof(int32_t),
        FIRST_RESULT = offsetof(icseg_pretrain_result, cut) + sizeof(int64_t)
    };
    icseg_pretrain_options o;
    icseg_pretrain_result out = {.struct_size = sizeof out};
    ICSEG_NEED(recipe);
    if (result) ICSEG_TRY(icseg_struct_write(result, &out, sizeof out, FIRST_RESULT, "icseg_pretrain_result", error));
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_OPTIONS, "icseg_pretrain_options", error));
    icseg_pretraining r = {.folder.lock = -1, .loss = (double)NAN, .scores_step = -1};
    ICSEG_TRY(icseg_progress_read(&r.progress, progress, error));
    if (!o.out || !o.out[0])
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "out", ICSEG_REMEDY_SET_FIELD,
                                "out: is not set; set it to the run directory");
    ICSEG_TRY(icseg_threads_check(o.threads, error));
    icseg_status status = start(&r, recipe, &o, &out, error);
    icseg_pretraining_close(&r);
    if (status != ICSEG_OK || !result) return status;
    return icseg_struct_write(result, &out, sizeof out, FIRST_RESULT, "icseg_pretrain_result", error);
}

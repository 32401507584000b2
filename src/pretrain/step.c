/* SPDX-License-Identifier: Apache-2.0
 * One step of pretraining, and evaluations. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/system.h"
#include "icseg/memory.h"
#include "icseg/report.h"
#include "pretrain/run.h"

enum { SCORES = 1 + 2 * ICSEG_PRETRAIN_RECALLS };

static const float most_logit_scale = 4.60517019f; /* ln 100 */

static const char *const loss_names[] = {"total"};
static const char *const score_names[SCORES] = {"zero-shot",         "image to text @1", "image to text @5",
                                                "image to text @10", "text to image @1", "text to image @5",
                                                "text to image @10"};

/* -- the learning rate */

double icseg_pretrain_lr(const icseg_recipe_settings *s, int64_t step) {
    double warmup = s->pretrain.warmup, left = s->pretrain.steps - warmup, done = (double)step - warmup;
    if (done < 0) return s->pretrain.lr * ((double)step + 1) / warmup;
    double share = s->pretrain.decay == ICSEG_PRETRAIN_COSINE ? 0.5 * (1 + cos(M_PI * done / left))
                                                              : pow(1 - done / left, s->pretrain.power);
    return s->pretrain.min_lr + (s->pretrain.lr - s->pretrain.min_lr) * share;
}

/* -- a step */

static icseg_status fail_numeric(const icseg_pretraining *r, const char *what, double value, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_NUMERIC,
                      "step %lld: %s is %f. Files that were saved before are kept; try a lower pretrain.lr, a longer "
                      "pretrain.warmup or a pretrain.clip_norm",
                      (long long)r->step + 1, what, value);
}

static void clamp_logit_scale(const icseg_params *params) {
    icseg_param *scale = icseg_params_find(params, "logit_scale");
    if (scale->data[0] > most_logit_scale) scale->data[0] = most_logit_scale;
    if (scale->data[0] < 0) scale->data[0] = 0;
}

static icseg_status optimise(icseg_pretraining *r, icseg_log_step *out, icseg_error *error) {
    const icseg_recipe_settings *s = r->recipe;
    icseg_pair_batch batch;
    float loss;
    out->lr = icseg_pretrain_lr(s, r->step);
    ICSEG_TRY(icseg_pair_loader_next(r->loader, &batch, error));
    ICSEG_TRY(icseg_towers_learn(r->towers, batch.images, &batch.captions, &loss, error));
    out->loss[0] = r->loss = (double)loss;
    if (!isfinite(loss)) return fail_numeric(r, "the loss", (double)loss, error);
    out->grad_norm = icseg_adamw_gradient_norm(r->adamw);
    if (!isfinite(out->grad_norm)) return fail_numeric(r, "the norm of the gradient", out->grad_norm, error);
    double clip = s->pretrain.clip_norm, scale = 1;
    if (clip > 0 && out->grad_norm > clip) scale = clip / (out->grad_norm + 1e-6); /* as PyTorch's clip_grad_norm_ */
    icseg_adamw_step(r->adamw, out->lr, scale);
    clamp_logit_scale(icseg_towers_params(r->towers));
    out->step = ++r->step;
    return ICSEG_OK;
}

/* Whether an action that is due every `every` steps is due after this step. After the last step, all are. */
static bool is_due(const icseg_pretraining *r, int32_t every) {
    return r->step == r->recipe->pretrain.steps || (every > 0 && r->step % every == 0);
}

static icseg_status log_step(icseg_pretraining *r, icseg_log_step *entry, double now, icseg_error *error) {
    entry->seconds = now - r->begun;
    entry->images_per_s = (double)r->window_steps * r->recipe->pretrain.batch / r->window;
    entry->peak_mib = (double)icseg_memory_peak() / (1 << 20);
    r->window = 0;
    r->window_steps = 0;
    ICSEG_TRY(icseg_log_writer_step(r->log, entry, loss_names, 1, error));
    return icseg_events_step(r->events, entry, loss_names, 1, error);
}

static icseg_status log_parameters(const icseg_pretraining *r, icseg_error *error) {
    int32_t every = r->recipe->pretrain.events.histograms;
    if (!every || r->step % every != 0) return ICSEG_OK;
    return icseg_events_parameters(r->events, icseg_towers_params(r->towers), r->step, 1, error);
}

icseg_status icseg_pretraining_step(icseg_pretraining *r, icseg_error *error) {
    double start = icseg_clock();
    icseg_log_step entry = {0};
    if (!(r->begun > 0)) r->begun = start;
    ICSEG_TRY(optimise(r, &entry, error));
    double end = icseg_clock();
    r->window += end - start;
    r->window_steps++;
    r->saved = false;
    r->eval_pending = is_due(r, r->recipe->pretrain.eval_every);
    if (is_due(r, r->recipe->pretrain.log_every)) ICSEG_TRY(log_step(r, &entry, end, error));
    return log_parameters(r, error);
}

/* -- evaluations */

/* A run that was killed between this line and its saved state evaluates again and would log the line twice. */
static icseg_status is_logged(const icseg_pretraining *r, bool *logged, icseg_error *error) {
    icseg_log log;
    const char *path = icseg_run_path(&r->folder, "log.jsonl");
    if (!path) return icseg_fail_memory_in(error, 0, r->folder.path);
    ICSEG_TRY(icseg_log_read(&log, path, error));
    *logged = log.score_count && log.scores[log.score_count - 1].step == r->step;
    icseg_log_close(&log);
    return ICSEG_OK;
}

static icseg_status log_scores(icseg_pretraining *r, icseg_error *error) {
    const icseg_pretrain_scores *s = &r->scores;
    icseg_log_scores entry = {.step = r->step};
    bool logged = false, labelled = s->zero_shot == s->zero_shot;
    entry.value[0] = s->zero_shot;
    memcpy(entry.value + 1, s->image_to_text, sizeof s->image_to_text);
    memcpy(entry.value + 1 + ICSEG_PRETRAIN_RECALLS, s->text_to_image, sizeof s->text_to_image);
    ICSEG_TRY(is_logged(r, &logged, error));
    if (!labelled) memmove(entry.value, entry.value + 1, (SCORES - 1) * sizeof *entry.value);
    if (logged) return ICSEG_OK;
    ICSEG_TRY(icseg_events_scores(r->events, &entry, score_names + !labelled, SCORES - !labelled, error));
    return icseg_log_writer_scores(r->log, &entry, score_names + !labelled, SCORES - !labelled, error);
}

static void say_scores(const icseg_pretraining *r, int32_t left_out) {
    const icseg_pretrain_scores *s = &r->scores;
    char zero_shot[60] = "";
    if (s->zero_shot == s->zero_shot) snprintf(zero_shot, sizeof zero_shot, "zero-shot %.1f %%, ", 100 * s->zero_shot);
    icseg_progress_say(&r->progress, ICSEG_MESSAGE_INFO,
                       "step %lld: %srecall at 1, 5, 10 of captions %.1f, %.1f, %.1f %% and of images %.1f, %.1f, %.1f "
                       "%%, on %d held-out pairs",
                       (long long)r->step, zero_shot, 100 * s->image_to_text[0], 100 * s->image_to_text[1],
                       100 * s->image_to_text[2], 100 * s->text_to_image[0], 100 * s->text_to_image[1],
                       100 * s->text_to_image[2], (int)s->pairs);
    if (left_out)
        icseg_progress_say(&r->progress, ICSEG_MESSAGE_WARNING, "%d held-out %s cannot be read and %s left out",
                           (int)left_out, icseg_plural(left_out, "pair", "pairs"), icseg_plural(left_out, "is", "are"));
}

static icseg_status write_report(const icseg_pretraining *r, icseg_error *error) {
    icseg_string recipe = {0};
    const char *log = icseg_run_path(&r->folder, "log.jsonl"), *path = icseg_run_path(&r->folder, "report.html");
    if (!log || !path) return icseg_fail_memory_in(error, 0, r->folder.path);
    icseg_status status = icseg_recipe_format(r->recipe, ICSEG_RECIPE_PRETRAIN, &recipe, error);
    icseg_report_input input = {ICSEG_REPORT_INPUT_INIT, .subtitle = "Contrastive language-image pretraining",
                                .log_path = log, .recipe = recipe.data};
    if (status == ICSEG_OK) status = icseg_report_write(path, &input, error);
    icseg_string_close(&recipe);
    return status;
}

icseg_status icseg_pretraining_evaluate(icseg_pretraining *r, icseg_error *error) {
    const icseg_scoring scoring = {
        .source = r->val, .towers = r->towers, .tokenizer = r->tokenizer, .limit = r->recipe->pretrain.val_limit};
    int32_t left_out;
    if (r->val) {
        ICSEG_TRY(icseg_pairs_score(&scoring, &r->progress, &r->scores, &left_out, error));
        ICSEG_TRY(log_scores(r, error));
        say_scores(r, left_out);
    }
    ICSEG_TRY(write_report(r, error));
    r->scores_step = r->step;
    r->eval_pending = false;
    return ICSEG_OK;
}

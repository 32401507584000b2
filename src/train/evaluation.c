/* SPDX-License-Identifier: Apache-2.0
 * Evaluation on the validation split. */
#include <math.h>

#include "metrics/evaluate.h"
#include "train/processes.h"
#include "train/trainer.h"

/* A run that was killed between this line and its saved state evaluates again and would log the line twice. If the
 * `eval` settings have changed since, the metrics differ and the new line is logged. */
static icseg_status is_logged(const icseg_trainer *t, const icseg_metrics *m, bool *logged, icseg_error *error) {
    icseg_log log;
    const char *path = icseg_run_path(&t->folder, "log.jsonl");
    if (!path) return icseg_fail_memory_in(error, 0, t->folder.path);
    ICSEG_TRY(icseg_log_read(&log, path, error));
    const icseg_log_eval *last = log.evals ? &log.eval[log.evals - 1] : NULL;
    *logged = last && last->step == t->state.step && !(fabs(last->miou - m->miou) > 1e-8); /* the log has 9 digits */
    icseg_log_close(&log);
    return ICSEG_OK;
}

/* The events come first: if the process is killed before the log has its line, they are written twice, and TensorBoard
 * shows the same point. */
static icseg_status log_metrics(icseg_trainer *t, const icseg_metrics *m, icseg_error *error) {
    bool logged = false;
    if (!icseg_trainer_leads(t)) return ICSEG_OK;
    ICSEG_TRY(is_logged(t, m, &logged, error));
    if (logged) return ICSEG_OK;
    icseg_log_eval entry = {
        .step = t->state.step, .miou = m->miou, .macc = m->macc, .aacc = m->aacc, .classes = m->classes, .iou = m->iou};
    ICSEG_TRY(icseg_trainer_write_images(t, error));
    ICSEG_TRY(icseg_events_eval(t->events, &entry, icseg_dataset_class_names(t->val), error));
    return icseg_log_writer_eval(t->log, &entry, error);
}

static icseg_status keep_best(icseg_trainer *t, const icseg_metrics *m, icseg_error *error) {
    icseg_train_state *s = &t->state;
    if (s->best_step && !(m->miou > s->best_miou)) return ICSEG_OK;
    ICSEG_TRY(icseg_trainer_write_best(t, error));
    s->best_step = s->step;
    s->best_miou = m->miou == m->miou ? m->miou : 0; /* NaN if no pixel is labelled */
    return ICSEG_OK;
}

/* Counts an evaluation for train.patience, once for each step. */
static void judge(icseg_trainer *t, double miou) {
    icseg_train_state *s = &t->state;
    if (t->recipe->train.patience == 0 || s->judged_step == s->step) return;
    bool better = s->judged_step == 0 || miou > s->reference + t->recipe->train.min_delta;
    if (better) s->reference = miou == miou ? miou : 0; /* NaN if no pixel is labelled */
    s->stale = better ? 0 : s->stale + 1;
    s->judged_step = s->step;
}

static icseg_status end_early(icseg_trainer *t, icseg_error *error) {
    const icseg_train_state *s = &t->state;
    icseg_log_end end = {.step = s->step, .steps = t->recipe->train.steps, .evaluations = (int32_t)s->stale};
    if (!icseg_trainer_stops_early(t) || t->end_logged) return ICSEG_OK;
    t->end_logged = true;
    icseg_trainer_say(t,
                      "stops early, after step %lld of %d: no better mIoU than %.2f in %lld %s in a row "
                      "(train.patience = %d)",
                      (long long)s->step, t->recipe->train.steps, 100 * s->reference, (long long)s->stale,
                      icseg_plural(s->stale, "evaluation", "evaluations"), t->recipe->train.patience);
    return t->log ? icseg_log_writer_end(t->log, &end, error) : ICSEG_OK;
}

static icseg_status take_metrics(icseg_trainer *t, const icseg_metrics *m, icseg_error *error) {
    ICSEG_TRY(log_metrics(t, m, error));
    ICSEG_TRY(keep_best(t, m, error));
    char val[160];
    icseg_recipe_describe_val(t->recipe, val, sizeof val);
    icseg_trainer_say(t, "step %lld: mIoU %.2f  mAcc %.2f  aAcc %.2f on %s%s", (long long)t->state.step, 100 * m->miou,
                      100 * m->macc, 100 * m->aacc, val,
                      t->state.best_step == t->state.step ? ", the best so far" : "");
    judge(t, m->miou);
    return end_early(t, error);
}

/* The evaluation that collects the worst images and the results of all. */
typedef struct collecting {
    const icseg_dataset *dataset;
    icseg_evaluation evaluation; /* borrows names and confusion matrix */
    icseg_string images;         /* images.jsonl */
} collecting;

static void consider(void *user, int64_t index, const icseg_image_result *result) {
    collecting *c = user;
    const char *name = icseg_path_name(icseg_dataset_image_path(c->dataset, index));
    int64_t labelled = 0, correct = 0;
    for (int32_t i = 0; i < result->count; i++) {
        labelled += result->pixels[i].labelled;
        correct += result->pixels[i].both;
    }
    icseg_evaluation_consider(&c->evaluation, name, labelled, correct);
    icseg_image_results_add(&c->images, result);
}

static icseg_status write_results(icseg_trainer *t, const collecting *c, const icseg_metrics *m, icseg_error *error) {
    const char *path = icseg_run_path(&t->folder, "evaluation.json"),
               *images = icseg_run_path(&t->folder, "images.jsonl");
    if (!icseg_trainer_leads(t)) return ICSEG_OK;
    if (!path || !images || c->images.failed) return icseg_fail_memory_in(error, 0, t->folder.path);
    ICSEG_TRY(icseg_file_write(images, c->images.data, c->images.size, error));
    ICSEG_TRY(icseg_evaluation_write(&c->evaluation, path, error));
    return icseg_trainer_write_report(t, &c->evaluation, m, true, error);
}

static icseg_status measure(icseg_trainer *t, collecting *c, icseg_metrics *out, icseg_error *error) {
    const icseg_evaluation *e = &c->evaluation;
    icseg_image_results_begin(&c->images, e->step, icseg_dataset_count(t->val), e->class_names, e->classes);
    ICSEG_TRY(
        icseg_evaluate_each(t->session, t->val, &t->eval, t->group, &t->progress, consider, c, &t->confusion, error));
    c->evaluation.confusion = t->confusion;
    ICSEG_TRY(icseg_group_agree(t->group, icseg_metrics_compute(out, &t->confusion, error), error));
    icseg_status status = take_metrics(t, out, error);
    if (status == ICSEG_OK) status = write_results(t, c, out, error);
    status = icseg_group_agree(t->group, status, error);
    if (status != ICSEG_OK) icseg_metrics_close(out);
    return status;
}

/* The model then has the same values in all processes. */
static icseg_status agree_on_weights(icseg_trainer *t, icseg_error *error) {
    ICSEG_TRY(icseg_trainer_check_equal(t, error));
    return icseg_trainer_share_statistics(t, error);
}

icseg_status icseg_trainer_measure(icseg_trainer *t, icseg_metrics *out, icseg_error *error) {
    collecting c = {.dataset = t->val,
                    .evaluation = {.step = t->state.step,
                                   .classes = icseg_dataset_classes(t->val),
                                   .class_names = icseg_dataset_class_names(t->val)}};
    t->state.eval_pending = true;
    t->confusion_step = -1;
    icseg_confusion_close(&t->confusion);
    *out = (icseg_metrics){.struct_size = sizeof *out};
    ICSEG_TRY(agree_on_weights(t, error));
    bool averages = icseg_ema_show(t->ema, true);
    icseg_status status = t->ema ? agree_on_weights(t, error) : ICSEG_OK;
    if (status == ICSEG_OK) status = measure(t, &c, out, error);
    icseg_ema_show(t->ema, averages);
    icseg_string_close(&c.images);
    ICSEG_TRY(status);
    t->confusion_step = t->state.step;
    t->state.eval_pending = false;
    return ICSEG_OK;
}

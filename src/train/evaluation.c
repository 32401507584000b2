/* SPDX-License-Identifier: Apache-2.0
 * Evaluation on the validation split, and the report with its sample images. */
#include <math.h>
#include <string.h>

#include "icseg/report.h"
#include "train/trainer.h"

enum { REPORT_SAMPLES = 8 };

/* A run that was killed between this line and its saved state evaluates again and would log the line twice. If the
 * `eval` settings have changed since, the metrics differ and the new line is logged. */
static icseg_status is_logged(const icseg_trainer *t, const icseg_metrics *m, bool *logged, icseg_error *error) {
    icseg_log log;
    const char *path = icseg_trainer_path(t, "log.jsonl");
    if (!path) return icseg_fail_memory_in(error, 0, t->folder);
    ICSEG_TRY(icseg_log_read(&log, path, error));
    const icseg_log_eval *last = log.evals ? &log.eval[log.evals - 1] : NULL;
    *logged = last && last->step == t->state.step && !(fabs(last->miou - m->miou) > 1e-8); /* the log has 9 digits */
    icseg_log_close(&log);
    return ICSEG_OK;
}

static icseg_status log_metrics(icseg_trainer *t, const icseg_metrics *m, icseg_error *error) {
    bool logged = false;
    ICSEG_TRY(is_logged(t, m, &logged, error));
    if (logged) return ICSEG_OK;
    icseg_log_eval entry = {
        .step = t->state.step, .miou = m->miou, .macc = m->macc, .aacc = m->aacc, .classes = m->classes, .iou = m->iou};
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

static icseg_status take_metrics(icseg_trainer *t, const icseg_metrics *m, icseg_error *error) {
    ICSEG_TRY(log_metrics(t, m, error));
    ICSEG_TRY(keep_best(t, m, error));
    icseg_trainer_say(t, "step %lld: mIoU %.2f  mAcc %.2f  aAcc %.2f on %s%s", (long long)t->state.step, 100 * m->miou,
                      100 * m->macc, 100 * m->aacc, t->recipe->data.val_split,
                      t->state.best_step == t->state.step ? ", the best so far" : "");
    return ICSEG_OK;
}

icseg_status icseg_trainer_measure(icseg_trainer *t, icseg_metrics *out, icseg_error *error) {
    t->state.eval_pending = true;
    t->confusion_step = -1;
    icseg_confusion_close(&t->confusion);
    *out = (icseg_metrics){.struct_size = sizeof *out};
    ICSEG_TRY(icseg_evaluate(t->session, t->val, &t->eval, &t->progress, &t->confusion, error));
    ICSEG_TRY(icseg_metrics_compute(out, &t->confusion, error));
    icseg_status status = take_metrics(t, out, error);
    if (status != ICSEG_OK) {
        icseg_metrics_close(out);
        return status;
    }
    t->confusion_step = t->state.step;
    t->state.eval_pending = false;
    return ICSEG_OK;
}

/* -- the report */

typedef struct sample {
    icseg_image image;
    icseg_labels truth, prediction;
} sample;

static icseg_status make_samples(icseg_trainer *t, int64_t count, sample *samples, icseg_report_sample *shown,
                                 icseg_error *error) {
    for (int64_t i = 0; i < count; i++) {
        int64_t index = i * icseg_dataset_count(t->val) / count;
        sample *s = &samples[i];
        ICSEG_TRY(icseg_dataset_read(t->val, index, &s->image, &s->truth, error));
        ICSEG_TRY(icseg_session_predict(t->session, &s->image, &t->eval, &s->prediction, NULL, error));
        shown[i] = (icseg_report_sample){.name = icseg_path_name(icseg_dataset_image_path(t->val, index)),
                                         .image = &s->image,
                                         .truth = &s->truth,
                                         .prediction = &s->prediction};
    }
    return ICSEG_OK;
}

icseg_status icseg_trainer_write_report(icseg_trainer *t, const icseg_metrics *metrics, icseg_error *error) {
    sample samples[REPORT_SAMPLES] = {0};
    icseg_report_sample shown[REPORT_SAMPLES];
    icseg_palette palette = {0};
    icseg_string recipe = {0};
    icseg_status status;
    int64_t count = icseg_dataset_count(t->val) < REPORT_SAMPLES ? icseg_dataset_count(t->val) : REPORT_SAMPLES;
    const char *log = icseg_trainer_path(t, "log.jsonl"), *path = icseg_trainer_path(t, "report.html");
    if (!log || !path) return icseg_fail_memory_in(error, 0, t->folder);
    ICSEG_TRY_GOTO(make_samples(t, count, samples, shown, error));
    ICSEG_TRY_GOTO(
        icseg_palette_create_for(&palette, icseg_dataset_class_names(t->val), icseg_dataset_classes(t->val), error));
    ICSEG_TRY_GOTO(icseg_recipe_format(t->recipe, &recipe, error));
    icseg_report_input input = {ICSEG_REPORT_INPUT_INIT,
                                .log_path = log,
                                .recipe = recipe.data,
                                .metrics = metrics,
                                .confusion = &t->confusion,
                                .classes = icseg_dataset_classes(t->val),
                                .class_names = icseg_dataset_class_names(t->val),
                                .palette = &palette,
                                .samples = shown,
                                .sample_count = count};
    ICSEG_TRY_GOTO(icseg_report_write(path, &input, error));
fail:
    for (int64_t i = 0; i < count; i++) {
        icseg_image_close(&samples[i].image);
        icseg_labels_close(&samples[i].truth);
        icseg_labels_close(&samples[i].prediction);
    }
    icseg_palette_close(&palette);
    icseg_string_close(&recipe);
    return status;
}

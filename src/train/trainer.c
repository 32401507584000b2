/* SPDX-License-Identifier: Apache-2.0
 * A training run from its recipe to its report: opening everything, the loop over steps, what is written when. */
#include "train/trainer.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/system.h"
#include "icseg/icseg.h"

/* -- opening */

static icseg_status open_split(icseg_dataset **out, const icseg_recipe *r, const char *split, icseg_error *error) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT,
                               .folder = r->data.folder,
                               .format = r->data.format,
                               .split = split,
                               .classes_file = r->data.classes[0] ? r->data.classes : NULL,
                               .reduce_zero_label = r->data.reduce_zero_label,
                               .ignore = r->data.ignore,
                               .ignore_count = r->data.ignore_count};
    return icseg_dataset_open(out, &o, error);
}

static icseg_status open_data(icseg_trainer *t, icseg_error *error) {
    const icseg_recipe *r = t->recipe;
    ICSEG_TRY(open_split(&t->train, r, r->data.train_split, error));
    ICSEG_TRY(open_split(&t->val, r, r->data.val_split, error));
    int32_t classes = icseg_dataset_classes(t->train);
    if (r->model.num_classes && r->model.num_classes != classes)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "model.num_classes is %d, but %s has %d classes; leave it out to take them from there",
                          r->model.num_classes, r->data.folder, classes);
    return icseg_trainer_check_data(t, error);
}

static void use_precision(const icseg_trainer *t) {
    const icseg_recipe *r = t->recipe;
    icseg_model_use_precision(t->model, r->eval.precision);
    bool wanted = r->train.precision == ICSEG_PRECISION_BF16 || r->eval.precision == ICSEG_PRECISION_BF16;
    if (wanted && icseg_precision_here(ICSEG_PRECISION_BF16) == ICSEG_PRECISION_F32)
        icseg_trainer_say(t, "bf16: this processor has neither AVX512_BF16 nor AMX_BF16; f32 is used");
}

static icseg_status open_model(icseg_trainer *t, icseg_error *error) {
    const icseg_recipe *r = t->recipe;
    icseg_model_options options = {
        .config = r->model,
        .class_names = icseg_dataset_class_names(t->train),
        .class_synonyms = r->synonyms == ICSEG_SYNONYMS_MEAN ? icseg_dataset_class_synonyms(t->train) : NULL,
        .seed = (uint64_t)r->train.seed,
        .tokenizer = r->tokenizer,
        .vocab = r->merges[0] ? r->merges : NULL};
    options.config.num_classes = icseg_dataset_classes(t->train);
    icseg_adamw_options adamw = {.weight_decay = r->train.weight_decay,
                                 .beta1 = r->train.betas[0],
                                 .beta2 = r->train.betas[1],
                                 .eps = r->train.eps,
                                 .backbone_lr_mult = r->train.backbone_lr_mult};
    ICSEG_TRY(icseg_model_create(&t->model, &options, error));
    if (r->train.freeze_backbone) icseg_model_freeze_backbone(t->model);
    icseg_model_set_eval(t->model, &t->eval);
    use_precision(t);
    return icseg_adamw_open(&t->adamw, t->model->params, &adamw, error);
}

static icseg_status say_model(icseg_trainer *t, icseg_error *error) {
    int64_t all = 0, trained = 0;
    icseg_session *session;
    for (int64_t i = 0; i < icseg_params_count(t->model->params); i++) {
        const icseg_param *p = icseg_params_at(t->model->params, i);
        if (!p->options.buffer) all += p->count;
        if (p->options.trainable) trained += p->count;
    }
    ICSEG_TRY(icseg_trainer_session(t, &session, error));
    icseg_plan_summary plan = icseg_executor_summary(session->executor);
    icseg_trainer_say(t, "model: %.2f M parameters, %.2f M of them trained; a batch is %.1f GFLOP and %.0f MiB",
                      1e-6 * (double)all, 1e-6 * (double)trained, 1e-9 * plan.flops,
                      (double)(plan.activations + plan.scratch) / (1 << 20));
    return ICSEG_OK;
}

static icseg_eval_options eval_options(const icseg_recipe *r) {
    icseg_eval_options o = icseg_eval_options_default();
    const int32_t train_crop[2] = {r->augment.crop_height, r->augment.crop_width};
    int32_t crop[2], stride[2];
    for (int i = 0; i < 2; i++) {
        crop[i] = r->eval.crop[i] ? r->eval.crop[i] : train_crop[i];
        stride[i] = r->eval.stride[i] ? r->eval.stride[i] : crop[i] * 2 / 3;
    }
    o.mode = r->eval.mode == ICSEG_RECIPE_SLIDE ? ICSEG_EVAL_SLIDE : ICSEG_EVAL_WHOLE;
    o.resize_short = r->eval.resize_short;
    o.crop_height = crop[0];
    o.crop_width = crop[1];
    o.stride_height = stride[0];
    o.stride_width = stride[1];
    for (int32_t i = 0; r->eval.tta && i < r->eval.tta_count; i++) o.scale[o.scale_count++] = r->eval.tta_scales[i];
    o.flip = r->eval.tta && r->eval.tta_flip;
    return o;
}

static icseg_status open_log(icseg_trainer *t, const char *name, icseg_error *error) {
    const icseg_recipe *r = t->recipe;
    int64_t trained = 0;
    for (int64_t i = 0; i < icseg_params_count(t->model->params); i++)
        if (icseg_params_at(t->model->params, i)->options.trainable)
            trained += icseg_params_at(t->model->params, i)->count;
    const char *log = icseg_trainer_path(t, "log.jsonl"), *recipe = icseg_trainer_path(t, "recipe.yaml");
    if (!log || !recipe) return icseg_fail_memory(error, strlen(t->folder), t->folder);
    ICSEG_TRY(icseg_recipe_write(r, recipe, error));
    ICSEG_TRY(icseg_log_writer_open(&t->log, log, t->state.step + 1, error));
    icseg_log_start start = {.recipe = name,
                             .version = icseg_version(),
                             .parameters = trained,
                             .steps = r->train.steps,
                             .threads = omp_get_max_threads(),
                             .batch = r->train.batch * r->train.accumulate};
    return icseg_log_writer_started(t->log) ? ICSEG_OK : icseg_log_writer_start(t->log, &start, error);
}

static icseg_status open_run(icseg_trainer *t, const icseg_train_options *options, icseg_error *error) {
    bool found = false;
    ICSEG_TRY(icseg_arena_open(&t->arena, error));
    if (!options->resume || !icseg_trainer_has_state(t)) ICSEG_TRY(icseg_recipe_check_init(t->recipe, error));
    ICSEG_TRY(icseg_trainer_open_folder(t, options->resume, error));
    ICSEG_TRY(open_data(t, error));
    ICSEG_TRY(open_model(t, error));
    if (options->resume) ICSEG_TRY(icseg_trainer_load(t, &found, error));
    if (found)
        icseg_trainer_say(t, "%s: goes on after step %lld of %d", t->folder, (long long)t->state.step,
                          t->recipe->train.steps);
    else if (options->resume)
        icseg_trainer_say(t, "%s: nothing to resume yet, begins with the first step", t->folder);
    if (!found && t->recipe->init[0]) ICSEG_TRY(icseg_trainer_load_initial(t, t->recipe->init, error));
    ICSEG_TRY(icseg_params_load(t->model->params, error)); /* files may go while training runs */
    ICSEG_TRY(say_model(t, error));
    ICSEG_TRY(icseg_trainer_open_loader(t, error));
    return open_log(t, icseg_path_name(options->recipe), error);
}

static void close_run(icseg_trainer *t) {
    icseg_free(t->statistics);
    icseg_loader_close(&t->loader);
    icseg_log_writer_close(&t->log);
    icseg_adamw_close(&t->adamw);
    icseg_model_close(&t->model);
    icseg_dataset_close(&t->train);
    icseg_dataset_close(&t->val);
    icseg_trainer_close_folder(t);
    icseg_arena_close(&t->arena);
}

/* -- the loop */

/* Whether something that happens every `every` steps is due after this one; at the end all is. */
static bool is_due(const icseg_trainer *t, int32_t every) {
    return t->state.step == t->recipe->train.steps || (every > 0 && t->state.step % every == 0);
}

static icseg_status log_step(icseg_trainer *t, const icseg_step_report *report, icseg_error *error) {
    double images = (double)t->window_steps * t->recipe->train.batch * t->recipe->train.accumulate;
    icseg_log_step entry = {.step = t->state.step,
                            .seconds = icseg_clock() - t->begun,
                            .lr = report->lr,
                            .grad_norm = report->grad_norm,
                            .images_per_s = t->window > 0 ? images / t->window : 0,
                            .peak_mib = (double)icseg_memory_peak() / (1 << 20)};
    memcpy(entry.loss, report->loss, sizeof entry.loss);
    t->window = 0;
    t->window_steps = 0;
    return icseg_log_writer_step(t->log, &entry, report->name, report->parts, error);
}

/* false: the caller wants to stop. */
static bool report_progress(const icseg_trainer *t, const icseg_step_report *report) {
    char detail[400];
    int used = 0;
    if (!t->progress.report) return true;
    for (int32_t i = 0; i < report->parts && used < (int)sizeof detail - 64; i++)
        used += snprintf(detail + used, sizeof detail - (size_t)used, "%s %.3f%s", i ? report->name[i] : "loss",
                         report->loss[i],
                         i == 0                  ? " ("
                         : i + 1 < report->parts ? ", "
                                                 : ")");
    if (used) snprintf(detail + used, sizeof detail - (size_t)used, "  lr %.2g", report->lr);
    icseg_progress_event event = {.stage = "train",
                                  .done = (double)t->state.step,
                                  .total = t->recipe->train.steps,
                                  .seconds = icseg_clock() - t->begun,
                                  .detail = used ? detail : ""};
    return t->progress.report(t->progress.user, &event);
}

static icseg_status stop(icseg_trainer *t, bool saved, icseg_error *error) {
    if (!saved) ICSEG_TRY(icseg_trainer_save(t, error));
    return icseg_fail(error, ICSEG_ERROR_CANCELLED,
                      "stopped after step %lld of %d; everything is in %s, the same call with --resume goes on from "
                      "there",
                      (long long)t->state.step, t->recipe->train.steps, t->folder);
}

/* At a checkpoint the state is written before the evaluation, which may take long, and after it; else after one that
 * gave the best weights. */
static icseg_status after_step(icseg_trainer *t, icseg_confusion *confusion, icseg_error *error) {
    bool checkpoint = is_due(t, t->recipe->train.checkpoint_every);
    t->state.eval_pending = is_due(t, t->recipe->train.eval_every);
    if (checkpoint) ICSEG_TRY(icseg_trainer_save(t, error));
    if (!t->state.eval_pending) return ICSEG_OK;
    icseg_confusion_close(confusion);
    icseg_status status = icseg_trainer_evaluate(t, confusion, error);
    if (status == ICSEG_ERROR_CANCELLED) return stop(t, checkpoint, error);
    ICSEG_TRY(status);
    return checkpoint || t->state.best_step == t->state.step ? icseg_trainer_save(t, error) : ICSEG_OK;
}

/* confusion: of the last evaluation. */
static icseg_status loop(icseg_trainer *t, icseg_confusion *confusion, icseg_error *error) {
    icseg_step_report report = {0};
    const int32_t steps = t->recipe->train.steps;
    if (t->state.eval_pending || t->state.step == steps) {
        icseg_status status = icseg_trainer_evaluate(t, confusion, error);
        if (status == ICSEG_ERROR_CANCELLED) return stop(t, true, error);
        ICSEG_TRY(status);
        ICSEG_TRY(icseg_trainer_save(t, error));
    }
    t->begun = icseg_clock();
    while (t->state.step < steps) {
        if (!report_progress(t, &report)) return stop(t, false, error);
        double start = icseg_clock();
        ICSEG_TRY(icseg_trainer_step(t, &report, error));
        t->window += icseg_clock() - start;
        t->window_steps++;
        if (t->state.step == steps) report_progress(t, &report); /* ends the stage; all that is left is writing */
        if (is_due(t, t->recipe->train.log_every)) ICSEG_TRY(log_step(t, &report, error));
        ICSEG_TRY(after_step(t, confusion, error));
    }
    return ICSEG_OK;
}

icseg_status icseg_trainer_run(const icseg_recipe *recipe, const icseg_train_options *options,
                               const icseg_progress *progress, icseg_train_result *result, icseg_error *error) {
    icseg_trainer t = {
        .recipe = recipe, .folder = options->out, .lock = -1, .progress = *progress, .eval = eval_options(recipe)};
    icseg_confusion confusion = {0};
    icseg_metrics metrics = {0};
    icseg_status status;
    int threads_before = omp_get_max_threads();
    omp_set_num_threads(recipe->train.threads ? recipe->train.threads : icseg_cores());
    ICSEG_TRY_GOTO(open_run(&t, options, error));
    ICSEG_TRY_GOTO(loop(&t, &confusion, error));
    ICSEG_TRY_GOTO(icseg_log_writer_finish(&t.log, error));
    ICSEG_TRY_GOTO(icseg_metrics_compute(&metrics, &confusion, error));
    ICSEG_TRY_GOTO(icseg_trainer_write_report(&t, &confusion, &metrics, error));
    if (result) {
        *result = (icseg_train_result){
            .steps = t.state.step, .metrics = metrics, .best_miou = t.state.best_miou, .best_step = t.state.best_step};
        metrics = (icseg_metrics){0};
    }
fail:
    icseg_metrics_close(&metrics);
    icseg_confusion_close(&confusion);
    close_run(&t);
    omp_set_num_threads(threads_before);
    return status;
}

/* -- the public call */

static icseg_status read_recipe(icseg_recipe *out, const icseg_train_options *o, icseg_arena *arena,
                                icseg_error *error) {
    if (!o->recipe || !o->out)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "training needs a recipe and a run directory");
    ICSEG_TRY(icseg_recipe_read(out, o->recipe, arena, error));
    for (size_t i = 0; i < o->set_count; i++) ICSEG_TRY(icseg_recipe_set(out, o->set[i], error));
    if (o->data) ICSEG_TRY(icseg_recipe_assign(out, "data.folder", o->data, "--data", error));
    if (o->init) ICSEG_TRY(icseg_recipe_assign(out, "model.init", o->init, "--init", error));
    return icseg_recipe_check(out, error);
}

icseg_status icseg_train(const icseg_train_options *options, const icseg_progress *progress, icseg_train_result *result,
                         icseg_error *error) {
    icseg_arena *arena = NULL;
    icseg_recipe recipe;
    icseg_progress own;
    if (result) *result = (icseg_train_result){0};
    ICSEG_TRY(icseg_progress_read(&own, progress, error));
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = read_recipe(&recipe, options, arena, error);
    if (status == ICSEG_OK) status = icseg_trainer_run(&recipe, options, &own, result, error);
    icseg_arena_close(&arena);
    return status;
}

void icseg_train_result_close(icseg_train_result *result) {
    if (result) icseg_metrics_close(&result->metrics);
}

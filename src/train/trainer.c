/* SPDX-License-Identifier: Apache-2.0
 * The trainer: opening everything a run consists of, and its public calls. */
#include "train/trainer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/struct_size.h"
#include "base/system.h"
#include "base/threads.h"
#include "train/processes.h"

/* -- opening */

static icseg_status open_splits(icseg_trainer *t, icseg_error *error) {
    const icseg_recipe_settings *r = t->recipe;
    ICSEG_TRY(icseg_recipe_open_train(&t->train, r, error));
    ICSEG_TRY(icseg_recipe_open_val(&t->val, r, error));
    int32_t classes = icseg_dataset_classes(t->train);
    if (r->model.num_classes && r->model.num_classes != classes)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "model.num_classes", ICSEG_REMEDY_SET_FIELD,
                                "model.num_classes is %d, but %s has %d %s; leave it out to use that number",
                                r->model.num_classes, r->data.folder, classes,
                                icseg_plural(classes, "class", "classes"));
    return ICSEG_OK;
}

static icseg_status open_data(icseg_trainer *t, icseg_error *error) {
    ICSEG_TRY(icseg_group_agree(t->group, open_splits(t, error), error));
    ICSEG_TRY(icseg_trainer_compare_processes(t, error));
    icseg_status status = icseg_trainer_leads(t) ? icseg_trainer_check_data(t, error) : ICSEG_OK;
    ICSEG_TRY(icseg_group_agree(t->group, status, error));
    return icseg_trainer_share_data(t, error);
}

static icseg_status open_session(icseg_trainer *t, icseg_error *error) {
    const icseg_recipe_settings *r = t->recipe;
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = t->threads,
                                     .precision = icseg_precision_here(r->eval.precision)};
    bool requested = r->train.precision == ICSEG_PRECISION_BF16 || r->eval.precision == ICSEG_PRECISION_BF16;
    if (requested && icseg_precision_here(ICSEG_PRECISION_BF16) == ICSEG_PRECISION_F32)
        icseg_trainer_warn(t,
                           "bf16: this processor has none of AVX512_BF16, AMX_BF16 and the bf16 of ARM; f32 is used");
    return icseg_session_open(&t->session, t->model, &options, error);
}

static icseg_status open_model(icseg_trainer *t, icseg_error *error) {
    const icseg_recipe_settings *r = t->recipe;
    icseg_config config = r->model;
    icseg_model_options options = {
        ICSEG_MODEL_OPTIONS_INIT,
        .config = &config,
        .class_names = icseg_dataset_class_names(t->train),
        .class_synonyms = r->synonyms == ICSEG_SYNONYMS_MEAN ? icseg_dataset_class_synonyms(t->train) : NULL,
        .seed = (uint64_t)r->train.seed,
        .tokenizer = r->tokenizer,
        .vocabulary = r->merges[0] ? r->merges : NULL};
    config.num_classes = icseg_dataset_classes(t->train);
    ICSEG_TRY(icseg_model_create(&t->model, &options, error));
    if (r->train.freeze_backbone) icseg_model_freeze_backbone(t->model);
    const icseg_image_values values = icseg_recipe_image_values(r);
    icseg_model_set_eval(t->model, &t->eval);
    icseg_model_set_images(t->model, &values, r->augment.resize_short ? r->augment.resize_short : t->short_side);
    t->model->val_share = r->data.val_share;
    const icseg_label_values labels = {ICSEG_LABEL_VALUES_INIT, r->data.map, r->data.ignore, r->data.ignore_count,
                                       r->data.reduce_zero_label};
    ICSEG_TRY(icseg_model_set_labels(t->model, &labels, error));
    ICSEG_TRY(open_session(t, error));
    ICSEG_TRY(icseg_recipe_open_adamw(&t->adamw, r, t->model->params, error));
    return r->train.ema_decay > 0 ? icseg_ema_open(&t->ema, t->model->params, r->train.ema_decay, error) : ICSEG_OK;
}

/* Number of elements of the parameters, and of those that are trained. */
static void count_parameters(const icseg_trainer *t, int64_t *all, int64_t *trained) {
    *all = *trained = 0;
    for (int64_t i = 0; i < icseg_params_count(t->model->params); i++) {
        const icseg_param *p = icseg_params_at(t->model->params, i);
        if (!p->options.buffer) *all += p->count;
        if (p->options.trainable) *trained += p->count;
    }
}

static icseg_status say_model(icseg_trainer *t, icseg_error *error) {
    int64_t all, trained;
    icseg_prepared_network *network;
    count_parameters(t, &all, &trained);
    ICSEG_TRY(icseg_trainer_network(t, &network, error));
    icseg_trainer_name_losses(t, network);
    icseg_plan_summary plan = icseg_executor_summary(network->executor);
    icseg_trainer_say(t, "model: %.2f M parameters, %.2f M of them trained; a batch takes %.1f GFLOP and %.0f MiB",
                      1e-6 * (double)all, 1e-6 * (double)trained, 1e-9 * plan.flops,
                      (double)(plan.activations + plan.scratch) / (1 << 20));
    if (t->folder.path) icseg_trainer_say_needs(t, plan.activations + plan.scratch);
    return ICSEG_OK;
}

static icseg_status open_log(icseg_trainer *t, icseg_error *error) {
    const icseg_recipe_settings *r = t->recipe;
    int64_t all, trained;
    const char *log = icseg_run_path(&t->folder, "log.jsonl");
    if (!log) return icseg_fail_memory_in(error, 0, t->folder.path);
    ICSEG_TRY(icseg_log_writer_open(&t->log, log, t->state.step + 1, error));
    count_parameters(t, &all, &trained);
    char data[PATH_MAX];
    icseg_log_start start = {.data = realpath(r->data.folder, data) ? data : r->data.folder,
                             .recipe = t->recipe_copy->name,
                             .parameters = trained,
                             .steps = r->train.steps,
                             .threads = t->threads,
                             .batch = r->train.batch * r->train.accumulate};
    return icseg_log_writer_started(t->log) && !t->steps_changed ? ICSEG_OK : icseg_run_log_start(t->log, start, error);
}

/* The run can then be resumed from any folder. */
static icseg_status make_places_absolute(icseg_trainer *t, icseg_error *error) {
    icseg_recipe_settings *absolute = icseg_arena_copy(t->arena, t->recipe, sizeof *t->recipe);
    if (!absolute) return icseg_fail_memory(error, sizeof *absolute, "the recipe");
    const char **const places[] = {&absolute->data.folder, &absolute->data.classes, &absolute->data.class_weights,
                                   &absolute->merges};
    ICSEG_TRY(icseg_run_make_absolute(&t->folder, places, sizeof places / sizeof *places, error));
    t->recipe = absolute;
    return ICSEG_OK;
}

/* Resumes the run in the directory, or starts from model.init or random weights. */
static icseg_status load_weights(icseg_trainer *t, bool resume, icseg_error *error) {
    bool found = false;
    if (!icseg_trainer_leads(t)) return icseg_params_load(t->model->params, error);
    if (resume) ICSEG_TRY(icseg_trainer_load(t, &found, error));
    t->saved = found;
    bool ended = t->state.step == t->recipe->train.steps || icseg_trainer_stops_early(t);
    if (found && ended) t->state.eval_pending = true; /* to report its metrics */
    if (found)
        icseg_trainer_say(t, "%s: resumes after step %lld of %d", t->folder.path, (long long)t->state.step,
                          t->recipe->train.steps);
    if (found && icseg_trainer_stops_early(t))
        icseg_trainer_say(t, "%s: the run stopped early and does not go on, unless train.patience = %d is changed",
                          t->folder.path, t->recipe->train.patience);
    if (!found && resume)
        icseg_trainer_say(t, "%s: does not contain a run to resume; training starts at the first step", t->folder.path);
    if (!found && t->recipe->init[0]) ICSEG_TRY(icseg_trainer_load_initial(t, error));
    ICSEG_TRY(found ? icseg_trainer_check_class_weights(t, error) : icseg_trainer_set_class_weights(t, error));
    return icseg_params_load(t->model->params, error); /* the files may be removed while training runs */
}

/* Locks the run directory, which only rank 0 uses. */
static icseg_status open_folder(icseg_trainer *t, bool resume, icseg_error *error) {
    bool found = false;
    if (!icseg_trainer_leads(t)) return ICSEG_OK;
    if (resume) ICSEG_TRY(icseg_trainer_find_state(t, &found, error));
    if (!found) ICSEG_TRY(icseg_recipe_check_init(t->recipe_copy, error));
    if (!t->folder.path) return ICSEG_OK;
    ICSEG_TRY(icseg_run_folder_open(&t->folder, resume, error));
    return resume ? icseg_trainer_keep_budget(t, error) : ICSEG_OK;
}

static icseg_status open_files(icseg_trainer *t, icseg_error *error) {
    ICSEG_TRY(icseg_trainer_open_loader(t, error));
    if (!icseg_trainer_leads(t) || !t->folder.path) return ICSEG_OK;
    ICSEG_TRY(make_places_absolute(t, error));
    ICSEG_TRY(icseg_run_write_recipe(&t->folder, t->recipe, ICSEG_RECIPE_TRAIN, error));
    ICSEG_TRY(open_log(t, error));
    return icseg_run_open_events(&t->folder, &t->recipe->train.events, t->state.step + 1, &t->events, error);
}

/* Every stage ends with the processes' agreement, so that an error of one ends all of them. */
static icseg_status open_run(icseg_trainer *t, bool resume, icseg_error *error) {
    icseg_status status = icseg_recipe_check(t->recipe_copy, error);
    if (status == ICSEG_OK) status = icseg_trainer_check_group(t, error);
    if (status == ICSEG_OK) status = open_folder(t, resume, error);
    ICSEG_TRY(icseg_group_agree(t->group, status, error));
    ICSEG_TRY(icseg_trainer_share_steps(t, error));
    ICSEG_TRY(open_data(t, error));
    ICSEG_TRY(icseg_group_agree(t->group, open_model(t, error), error));
    ICSEG_TRY(icseg_group_agree(t->group, load_weights(t, resume, error), error));
    ICSEG_TRY(icseg_trainer_share_weights(t, error));
    if (icseg_adamw_updates(t->adamw) == 0) icseg_ema_begin(t->ema);
    ICSEG_TRY(icseg_group_agree(t->group, say_model(t, error), error));
    if (t->folder.path) ICSEG_TRY(icseg_trainer_set_budget(t, error));
    return icseg_group_agree(t->group, open_files(t, error), error);
}

/* The trainer needs its own copy: the caller may change or close the recipe. */
static icseg_status copy_recipe(icseg_trainer *t, const icseg_recipe *recipe, icseg_error *error) {
    ICSEG_TRY(icseg_recipe_check(recipe, error)); /* while errors can still name the file's lines */
    ICSEG_TRY(icseg_recipe_copy(&t->recipe_copy, recipe, error));
    t->recipe = &t->recipe_copy->settings;
    return ICSEG_OK;
}

static icseg_status prepare_trainer(icseg_trainer *t, const icseg_recipe *recipe, const icseg_train_options *o,
                                    icseg_error *error) {
    ICSEG_TRY(icseg_arena_open(&t->arena, error));
    t->folder.arena = t->arena;
    if (o->out) t->folder.path = icseg_arena_strdup(t->arena, o->out);
    if (o->out && !t->folder.path) return icseg_fail_memory(error, 0, "the trainer");
    ICSEG_TRY(copy_recipe(t, recipe, error));
    if (!o->out) t->recipe_copy->settings.train.ema_decay = 0;
    t->eval = icseg_recipe_eval_options(t->recipe);
    t->data_changed = o->data_changed;
    int32_t threads = o->threads > 0 ? o->threads : t->recipe->train.threads;
    t->threads = icseg_threads_resolve(threads > 0 ? threads : icseg_group_threads(t->group));
    return ICSEG_OK;
}

static icseg_status open_trainer(icseg_trainer *t, const icseg_recipe *recipe, const icseg_train_options *o,
                                 icseg_error *error) {
    t->group = o->group;
    if (!icseg_trainer_leads(t)) t->progress.message = NULL; /* one process is enough */
    ICSEG_TRY(icseg_group_agree(t->group, prepare_trainer(t, recipe, o, error), error));
    icseg_threads before = icseg_threads_enter(t->threads);
    icseg_status status = open_run(t, o->resume, error);
    icseg_threads_leave(before);
    return status;
}

static icseg_status make_trainer(icseg_trainer **out, const icseg_recipe *recipe, const icseg_train_options *o,
                                 const icseg_progress *progress, icseg_error *error) {
    icseg_trainer *t = icseg_calloc_array(1, sizeof *t);
    if (!t) return icseg_fail_memory(error, 0, "the trainer");
    t->folder.lock = -1;
    t->confusion_step = -1;
    t->progress = *progress;
    icseg_status status = open_trainer(t, recipe, o, error);
    if (status != ICSEG_OK) icseg_trainer_close(&t);
    *out = t;
    return status;
}

icseg_status icseg_trainer_open_bare(icseg_trainer **out, const icseg_recipe *recipe, int32_t threads,
                                     icseg_group *group, const icseg_progress *progress, icseg_error *error) {
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .threads = threads, .group = group};
    *out = NULL;
    return make_trainer(out, recipe, &o, progress, error);
}

icseg_status icseg_trainer_open(icseg_trainer **out, const icseg_recipe *recipe, const icseg_train_options *options,
                                const icseg_progress *progress, icseg_error *error) {
    icseg_train_options o;
    icseg_progress own;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(recipe);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, offsetof(icseg_train_options, threads) + sizeof(int32_t),
                                "icseg_train_options", error));
    ICSEG_TRY(icseg_progress_read(&own, progress, error));
    if (!o.out || !o.out[0])
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "out", ICSEG_REMEDY_SET_FIELD,
                                "out: is not set; set it to the run directory");
    ICSEG_TRY(icseg_threads_check(o.threads, error));
    return make_trainer(out, recipe, &o, &own, error);
}

void icseg_trainer_close(icseg_trainer **trainer) {
    if (!trainer || !*trainer) return;
    icseg_trainer *t = *trainer;
    icseg_free(t->statistics);
    icseg_confusion_close(&t->confusion);
    icseg_loader_close(&t->loader);
    icseg_rare_classes_close(&t->rare);
    icseg_gradient_sums_close(&t->sums);
    icseg_log_writer_close(&t->log);
    icseg_ema_close(&t->ema);
    icseg_event_file_close(&t->events);
    icseg_adamw_close(&t->adamw);
    icseg_session_close(&t->session);
    icseg_model_close(&t->model);
    icseg_dataset_close(&t->train);
    icseg_dataset_close(&t->val);
    icseg_run_folder_close(&t->folder);
    icseg_recipe_close(&t->recipe_copy);
    icseg_arena_close(&t->arena);
    icseg_free(t);
    *trainer = NULL;
}

/* -- stepping */

/* Whether an action that is due every `every` steps is due after this step. After the last step, all are. */
static bool is_due(const icseg_trainer *t, int32_t every) {
    return t->state.step == t->recipe->train.steps || (every > 0 && t->state.step % every == 0);
}

static icseg_status log_step(icseg_trainer *t, const icseg_train_step *step, icseg_error *error) {
    if (!t->log) return ICSEG_OK;
    double images = (double)t->window_steps * t->recipe->train.batch * t->recipe->train.accumulate;
    icseg_log_step entry = {.step = t->state.step,
                            .seconds = icseg_clock() - t->begun,
                            .lr = step->learning_rate,
                            .grad_norm = step->gradient_norm,
                            .images_per_s = t->window > 0 ? images / t->window : 0,
                            .peak_mib = (double)icseg_memory_peak() / (1 << 20)};
    memcpy(entry.loss, step->loss, sizeof entry.loss);
    t->window = 0;
    t->window_steps = 0;
    ICSEG_TRY(icseg_log_writer_step(t->log, &entry, t->loss_name, step->loss_count, error));
    return icseg_events_step(t->events, &entry, t->loss_name, step->loss_count, error);
}

/* Histograms of the weights, and of the gradients of the step's batches, averaged. */
static icseg_status log_parameters(const icseg_trainer *t, icseg_error *error) {
    int32_t every = t->recipe->train.events.histograms;
    if (!t->events || !every || t->state.step % every != 0) return ICSEG_OK;
    return icseg_events_parameters(t->events, t->model->params, t->state.step, 1 / (double)t->recipe->train.accumulate,
                                   error);
}

static icseg_status step_and_log(icseg_trainer *t, icseg_train_step *step, icseg_error *error) {
    double start = icseg_clock();
    if (!(t->begun > 0)) {
        t->begun = t->saved_at = start;
        t->first_step = t->state.step;
        icseg_group_forget_traffic(t->group);
    }
    ICSEG_TRY(icseg_trainer_optimise(t, step, error));
    step->seconds = icseg_clock() - start;
    t->window += step->seconds;
    t->window_steps++;
    t->saved = false;
    double limit = 60 * t->recipe->train.checkpoint_minutes;
    int64_t late = limit > 0 && icseg_clock() - t->saved_at >= limit;
    ICSEG_TRY(icseg_group_reduce(t->group, ICSEG_MAX_I64, &late, 1, error)); /* clocks differ */
    t->save_due = is_due(t, t->recipe->train.checkpoint_every) || late;
    t->state.eval_pending = is_due(t, t->recipe->train.eval_every);
    if (is_due(t, t->recipe->train.log_every)) ICSEG_TRY(log_step(t, step, error));
    return log_parameters(t, error);
}

static icseg_status check_open(const icseg_trainer *t, icseg_error *error) {
    if (t->failed)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: a step of this trainer failed; open the run again",
                          t->folder.path);
    if (t->finished) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: the run is finished", t->folder.path);
    return ICSEG_OK;
}

icseg_status icseg_trainer_step(icseg_trainer *t, icseg_train_step *out, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_train_step, loss) + sizeof out->loss };
    icseg_train_step step = {.struct_size = sizeof step};
    if (!t) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_trainer_step: trainer is NULL");
    if (out) ICSEG_TRY(icseg_struct_write(out, &step, sizeof step, FIRST_SIZE, "icseg_train_step", error));
    ICSEG_TRY(check_open(t, error));
    if (t->state.step >= t->recipe->train.steps)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: the run is complete (train.steps = %d)", t->folder.path,
                          t->recipe->train.steps);
    icseg_threads before = icseg_threads_enter(t->threads);
    icseg_status status = step_and_log(t, &step, error);
    icseg_threads_leave(before);
    t->failed = status != ICSEG_OK;
    if (status == ICSEG_OK && out) icseg_struct_write(out, &step, sizeof step, FIRST_SIZE, "icseg_train_step", NULL);
    return status;
}

unsigned icseg_trainer_due(const icseg_trainer *t) {
    if (!t) return 0;
    return (t->state.eval_pending ? ICSEG_TRAIN_DUE_EVALUATE : 0) | (t->save_due ? ICSEG_TRAIN_DUE_SAVE : 0) |
           (icseg_trainer_stops_early(t) ? ICSEG_TRAIN_DUE_STOP : 0);
}

/* An evaluation may take long, so a checkpoint that is due is saved first. The state is saved again after an evaluation
 * that follows a save, finds the best weights or ends the run. */
static icseg_status evaluate(icseg_trainer *t, icseg_metrics *out, icseg_error *error) {
    icseg_threads before = icseg_threads_enter(t->threads);
    icseg_status status = icseg_trainer_measure(t, out, error);
    icseg_threads_leave(before);
    if (status != ICSEG_OK) return status;
    t->save_due |= t->saved || t->state.best_step == t->state.step || icseg_trainer_stops_early(t);
    t->saved = false;
    return ICSEG_OK;
}

icseg_status icseg_trainer_evaluate(icseg_trainer *t, icseg_metrics *out, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_metrics, miou_all) + sizeof(double) };
    icseg_metrics metrics = {.struct_size = sizeof metrics};
    if (!t) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_trainer_evaluate: trainer is NULL");
    if (out) ICSEG_TRY(icseg_struct_write(out, &metrics, sizeof metrics, FIRST_SIZE, "icseg_metrics", error));
    ICSEG_TRY(check_open(t, error));
    ICSEG_TRY(evaluate(t, &metrics, error));
    icseg_metrics_close(&metrics);
    return out ? icseg_metrics_compute(out, &t->confusion, error) : ICSEG_OK;
}

icseg_status icseg_trainer_save(icseg_trainer *t, icseg_error *error) {
    if (!t) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_trainer_save: trainer is NULL");
    ICSEG_TRY(check_open(t, error));
    icseg_threads before = icseg_threads_enter(t->threads);
    icseg_status status = icseg_trainer_write_state(t, error);
    icseg_threads_leave(before);
    ICSEG_TRY(icseg_group_agree(t->group, status, error));
    t->saved = true;
    t->saved_at = icseg_clock();
    t->save_due = false;
    return ICSEG_OK;
}

icseg_status icseg_trainer_finish(icseg_trainer *t, icseg_error *error) {
    if (!t) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_trainer_finish: trainer is NULL");
    ICSEG_TRY(check_open(t, error));
    if (t->confusion_step != t->state.step) ICSEG_TRY(icseg_trainer_evaluate(t, NULL, error));
    if (t->save_due) ICSEG_TRY(icseg_trainer_save(t, error));
    t->finished = true;
    icseg_status status = icseg_log_writer_finish(&t->log, error);
    if (status == ICSEG_OK) status = icseg_event_file_finish(&t->events, error);
    return icseg_group_agree(t->group, status, error);
}

icseg_model *icseg_trainer_model(icseg_trainer *t) { return t ? t->model : NULL; }
int64_t icseg_trainer_step_count(const icseg_trainer *t) { return t ? t->state.step : 0; }
int64_t icseg_trainer_total_steps(const icseg_trainer *t) { return t ? t->recipe->train.steps : 0; }
int32_t icseg_trainer_loss_count(const icseg_trainer *t) { return t ? t->loss_count : 0; }

const char *icseg_trainer_loss_name(const icseg_trainer *t, int32_t index) {
    return t && index >= 0 && index < t->loss_count ? t->loss_name[index] : NULL;
}

double icseg_trainer_best_miou(const icseg_trainer *t, int64_t *step) {
    if (step) *step = t ? t->state.best_step : 0;
    return t ? t->state.best_miou : 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * One training step, and the diagnosis of a step that failed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "base/memory.h"
#include "base/system.h"
#include "train/processes.h"
#include "train/trainer.h"

enum { LOADER_AHEAD = 4, MANY_CORES = 8, FILES_NAMED = 6, TIMED_LEAST = 2, TIMED_MOST = 15, TIMED_SECONDS = 10 };

/* Finds the probabilities of rare classes, if the recipe draws them. */
static icseg_status open_rare(icseg_trainer *t, icseg_error *error) {
    const icseg_augment_options *o = &t->recipe->augment;
    const char *const *names = icseg_dataset_class_names(t->train);
    int32_t least = -1, most = -1;
    if (t->rare || (o->rare_samples == 0 && o->copy_paste == 0)) return ICSEG_OK;
    ICSEG_TRY(icseg_rare_classes_open(&t->rare, t->train, o->rare_temperature, t->threads, &t->progress, error));
    for (int32_t k = 0; k < icseg_dataset_classes(t->train); k++) {
        double p = icseg_rare_classes_probability(t->rare, k);
        if (!(p > 0)) continue;
        if (least < 0 || p < icseg_rare_classes_probability(t->rare, least)) least = k;
        if (most < 0 || p > icseg_rare_classes_probability(t->rare, most)) most = k;
    }
    icseg_trainer_say(t, "rare classes: probabilities from %.3g (%s) to %.3g (%s)",
                      icseg_rare_classes_probability(t->rare, least), names[least],
                      icseg_rare_classes_probability(t->rare, most), names[most]);
    return ICSEG_OK;
}

icseg_loader_options icseg_recipe_loader_options(const icseg_recipe_settings *r, const icseg_group *group) {
    int32_t threads = r->data.loader_threads;
    if (threads == 0) threads = icseg_cores() < MANY_CORES ? 1 : 2; /* more would slow down the computation */
    return (icseg_loader_options){.augment = r->augment,
                                  .batch = r->train.batch / icseg_group_size(group),
                                  .share = icseg_group_rank(group),
                                  .shares = icseg_group_size(group),
                                  .threads = threads,
                                  .ahead = LOADER_AHEAD,
                                  .seed = (uint64_t)r->train.seed};
}

icseg_network_options icseg_recipe_network_options(const icseg_recipe_settings *r, const icseg_group *group) {
    icseg_network_options options;
    memset(&options, 0, sizeof options); /* compared bytewise */
    options.batch = r->train.batch / icseg_group_size(group);
    options.height = r->augment.crop_height;
    options.width = r->augment.crop_width;
    options.training = options.losses = options.gradients = 1;
    options.accumulate = r->train.accumulate > 1;
    options.low_memory = r->train.memory == ICSEG_MEMORY_LOW;
    options.precision = (int32_t)icseg_precision_here(r->train.precision);
    options.freeze_bn = r->train.freeze_bn || r->train.freeze_backbone;
    options.sync_bn = group && r->train.sync_bn;
    return options;
}

icseg_status icseg_trainer_open_loader(icseg_trainer *t, icseg_error *error) {
    icseg_loader_options options = icseg_recipe_loader_options(t->recipe, t->group);
    options.first_step = t->state.step * t->recipe->train.accumulate;
    icseg_loader_close(&t->loader);
    ICSEG_TRY(open_rare(t, error));
    options.rare = t->rare;
    return icseg_loader_open(&t->loader, t->train, &options, error);
}

icseg_status icseg_trainer_network(icseg_trainer *t, icseg_prepared_network **out, icseg_error *error) {
    icseg_network_options options = icseg_recipe_network_options(t->recipe, t->group);
    ICSEG_TRY(icseg_session_network(t->session, &options, out, error));
    icseg_executor_set_group((*out)->executor, t->group);
    return ICSEG_OK;
}

static icseg_status prepare_here(icseg_trainer *t, icseg_loader_batch *batch, icseg_prepared_network **network,
                                 icseg_error *error) {
    ICSEG_TRY(icseg_loader_next(t->loader, batch, error));
    ICSEG_TRY(icseg_trainer_network(t, network, error));
    icseg_executor_bind((*network)->executor, (*network)->network.image, batch->image);
    icseg_executor_bind((*network)->executor, (*network)->network.labels, batch->labels);
    return ICSEG_OK;
}

/* Takes the next batch and binds it to the training network; fails in all processes if it fails in one. */
static icseg_status prepare(icseg_trainer *t, icseg_loader_batch *batch, icseg_prepared_network **network,
                            icseg_error *error) {
    return icseg_group_agree(t->group, prepare_here(t, batch, network, error), error);
}

/* Runs forward and backward. `last`: of the step, so that the gradients are complete and are summed over the processes.
 */
static icseg_status run_batch(icseg_trainer *t, icseg_prepared_network *network, int64_t micro, bool last,
                              icseg_error *error) {
    const icseg_recipe_settings *r = t->recipe;
    icseg_executor *x = network->executor;
    bool summed = last && t->group;
    if (summed && !icseg_gradient_sums_fit(t->sums, x)) {
        icseg_gradient_sums_close(&t->sums);
        ICSEG_TRY(icseg_gradient_sums_open(&t->sums, t->group, t->model->params, x, r->train.reduce_bf16, error));
    }
    if (summed) icseg_gradient_sums_begin(t->sums, x);
    ICSEG_TRY(icseg_executor_run(x, (uint64_t)r->train.seed, t->state.step * r->train.accumulate + micro, error));
    return summed ? icseg_gradient_sums_finish(t->sums, x, error) : ICSEG_OK;
}

/* Lists the network's losses and their names; returns their number. */
static int32_t list_losses(const icseg_network *n, const char *name[], icseg_value value[]) {
    static const char *const align[ICSEG_LEVELS] = {"align.4", "align.8", "align.16", "align.32"};
    const char *names[] = {"total", "decode", align[0], align[1], align[2], align[3], "contrast"};
    icseg_value values[] = {n->total, n->decode, n->align[0], n->align[1], n->align[2], n->align[3], n->contrast};
    int32_t count = 0;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (values[i] == ICSEG_NONE) continue;
        name[count] = names[i];
        value[count++] = values[i];
    }
    return count;
}

int32_t icseg_network_loss_count(const icseg_network *network) {
    const char *names[ICSEG_TRAIN_LOSSES];
    icseg_value values[ICSEG_TRAIN_LOSSES];
    return list_losses(network, names, values);
}

void icseg_trainer_name_losses(icseg_trainer *t, const icseg_prepared_network *network) {
    icseg_value values[ICSEG_TRAIN_LOSSES];
    t->loss_count = list_losses(&network->network, t->loss_name, values);
}

/* Adds `share` of each loss of the last run. A process has its images' part of each. */
static icseg_status add_losses(const icseg_trainer *t, icseg_train_step *out, const icseg_prepared_network *network,
                               double share, icseg_error *error) {
    const char *names[ICSEG_TRAIN_LOSSES];
    icseg_value values[ICSEG_TRAIN_LOSSES];
    double loss[ICSEG_TRAIN_LOSSES] = {0};
    out->loss_count = list_losses(&network->network, names, values);
    for (int32_t i = 0; i < out->loss_count; i++)
        loss[i] = (double)*(const float *)icseg_executor_data(network->executor, values[i]);
    ICSEG_TRY(icseg_group_reduce(t->group, ICSEG_SUM_F64, loss, out->loss_count, error));
    for (int32_t i = 0; i < out->loss_count; i++) out->loss[i] += share * loss[i];
    return ICSEG_OK;
}

/* -- a step that failed */

/* "a.png, b.png and 6 more" */
static void name_files(const icseg_trainer *t, const icseg_loader_batch *batch, icseg_string *out) {
    for (int32_t i = 0; i < batch->size && i < FILES_NAMED; i++)
        icseg_string_printf(out, "%s%s", i ? ", " : "",
                            icseg_path_name(icseg_dataset_image_path(t->train, batch->sample[i])));
    if (batch->size > FILES_NAMED) icseg_string_printf(out, " and %d more", batch->size - FILES_NAMED);
}

static void say_files(const icseg_trainer *t, const icseg_loader_batch *batch) {
    icseg_string text = {0};
    for (int32_t i = 0; i < batch->size; i++)
        icseg_string_printf(&text, "\n  %s", icseg_dataset_image_path(t->train, batch->sample[i]));
    if (text.data) icseg_trainer_say(t, "the images of step %lld:%s", (long long)t->state.step + 1, text.data);
    icseg_string_close(&text);
}

/* `found`: the message of the checked run; empty if it found nothing. */
static icseg_status fail_numeric(const icseg_trainer *t, const icseg_loader_batch *batch, const char *what,
                                 const char *found, icseg_error *error) {
    icseg_string files = {0};
    say_files(t, batch);
    name_files(t, batch, &files);
    icseg_status status = icseg_fail(
        error, ICSEG_ERROR_NUMERIC,
        "step %lld: %s is not finite; first seen: %.300s; images: %.400s. Files that were saved before are kept; "
        "try a lower train.lr, a longer train.warmup or a train.clip_norm",
        (long long)t->state.step + 1, what, *found ? found : "not seen when the step was repeated",
        files.data ? files.data : "");
    icseg_string_close(&files);
    return status;
}

/* Repeats the step and checks every output of every operator. Each process works alone, because one of them stops in
 * the middle; synchronised batch norms then see its own images only. */
static icseg_status diagnose(icseg_trainer *t, const char *what, icseg_error *error) {
    const icseg_recipe_settings *r = t->recipe;
    icseg_loader_batch batch;
    icseg_prepared_network *network;
    icseg_error found = {0};
    ICSEG_TRY(icseg_trainer_open_loader(t, error));
    icseg_params_zero_gradients(t->model->params);
    for (int64_t micro = 0; micro < r->train.accumulate; micro++) {
        ICSEG_TRY(prepare(t, &batch, &network, error));
        icseg_executor_set_group(network->executor, NULL);
        icseg_status status = icseg_executor_run_checked(network->executor, (uint64_t)r->train.seed,
                                                         t->state.step * r->train.accumulate + micro, &found);
        if (status == ICSEG_ERROR_NUMERIC)
            status = fail_numeric(t, &batch, what, found.message, error);
        else if (status != ICSEG_OK)
            icseg_fail(error, status, "%s", found.message);
        ICSEG_TRY(icseg_group_agree(t->group, status, error));
    }
    return fail_numeric(t, &batch, what, "", error);
}

/* -- running statistics: every batch of a step changes them, so they are restored when a later batch fails */

typedef void (*statistics_copy)(icseg_param *p, float *saved);
static void save(icseg_param *p, float *saved) { memcpy(saved, p->data, (size_t)p->count * sizeof *saved); }
static void restore(icseg_param *p, float *saved) {
    memcpy(p->data, saved, (size_t)p->count * sizeof *saved);
    p->version++;
}

/* Calls `copy`, unless it is NULL, for each parameter of running statistics. Returns the number of elements. */
static size_t each_statistic(icseg_trainer *t, statistics_copy copy) {
    size_t at = 0;
    for (int64_t i = 0; i < icseg_params_count(t->model->params); i++) {
        icseg_param *p = icseg_params_at(t->model->params, i);
        if (!p->options.buffer) continue;
        if (copy) copy(p, t->statistics + at);
        at += (size_t)p->count;
    }
    return at;
}

static icseg_status save_statistics(icseg_trainer *t, icseg_error *error) {
    size_t count = each_statistic(t, NULL);
    if (!t->statistics) t->statistics = icseg_alloc_array(count, sizeof *t->statistics);
    if (!t->statistics) return icseg_fail_memory(error, count * sizeof *t->statistics, "the running statistics");
    each_statistic(t, save);
    return ICSEG_OK;
}

/* -- timing */

/* One step whose update changes nothing. */
static icseg_status rehearse_step(icseg_trainer *t, icseg_error *error) {
    const icseg_recipe_settings *r = t->recipe;
    for (int64_t micro = 0; micro < r->train.accumulate; micro++) {
        icseg_loader_batch batch;
        icseg_prepared_network *network;
        ICSEG_TRY(prepare(t, &batch, &network, error));
        ICSEG_TRY(run_batch(t, network, micro, micro == r->train.accumulate - 1, error));
    }
    icseg_adamw_gradient_norm(t->adamw);
    icseg_adamw_rehearse(t->adamw);
    icseg_ema_rehearse(t->ema);
    return ICSEG_OK;
}

icseg_status icseg_trainer_time_step(icseg_trainer *t, double *seconds, icseg_error *error) {
    double time[TIMED_MOST], begun = icseg_clock();
    size_t count = 0;
    ICSEG_TRY(icseg_trainer_open_loader(t, error));
    ICSEG_TRY(save_statistics(t, error));
    icseg_params_zero_gradients(t->model->params);
    icseg_status status = rehearse_step(t, error); /* the first is slow: it prepares the network */
    bool more = true;
    while (status == ICSEG_OK && more) {
        double start = icseg_clock();
        status = rehearse_step(t, error);
        time[count++] = icseg_clock() - start;
        more = count < TIMED_LEAST || (count < TIMED_MOST && icseg_clock() - begun < TIMED_SECONDS);
        if (status == ICSEG_OK) status = icseg_group_broadcast(t->group, &more, sizeof more, error);
    }
    each_statistic(t, restore);
    ICSEG_TRY(status);
    qsort(time, count, sizeof *time, icseg_compare_doubles);
    *seconds = time[count / 2];
    return icseg_trainer_open_loader(t, error);
}

/* -- a step */

/* Losses, gradients and their norm, which is NaN if the loss is not finite. */
static icseg_status differentiate(icseg_trainer *t, icseg_train_step *out, icseg_error *error) {
    int64_t accumulate = t->recipe->train.accumulate;
    double share = 1 / (double)accumulate;
    out->gradient_norm = (double)NAN;
    if (accumulate > 1) {
        icseg_params_zero_gradients(t->model->params);
        ICSEG_TRY(save_statistics(t, error));
    }
    for (int64_t micro = 0; micro < accumulate; micro++) {
        icseg_loader_batch batch;
        icseg_prepared_network *network;
        icseg_status status = prepare(t, &batch, &network, error);
        if (status != ICSEG_OK) { /* an image that cannot be read: save the completed steps */
            if (micro > 0) each_statistic(t, restore);
            if (t->state.step > 0) icseg_trainer_write_state(t, NULL);
            return status;
        }
        ICSEG_TRY(run_batch(t, network, micro, micro == accumulate - 1, error));
        ICSEG_TRY(add_losses(t, out, network, share, error));
        if (!isfinite(out->loss[0])) return ICSEG_OK;
    }
    out->gradient_norm = share * icseg_adamw_gradient_norm(t->adamw);
    return ICSEG_OK;
}

static void update(icseg_trainer *t, icseg_train_step *out) {
    double scale = 1 / (double)t->recipe->train.accumulate, clip = t->recipe->train.clip_norm;
    if (clip > 0 && out->gradient_norm > clip)
        scale *= clip / (out->gradient_norm + 1e-6); /* as PyTorch's clip_grad_norm_ */
    icseg_adamw_step(t->adamw, out->learning_rate, scale);
    icseg_ema_update(t->ema, icseg_adamw_updates(t->adamw));
    out->step = ++t->state.step;
}

icseg_status icseg_trainer_optimise(icseg_trainer *t, icseg_train_step *out, icseg_error *error) {
    icseg_schedule schedule = icseg_recipe_schedule(t->recipe);
    *out = (icseg_train_step){.struct_size = sizeof *out, .learning_rate = icseg_schedule_lr(&schedule, t->state.step)};
    ICSEG_TRY(differentiate(t, out, error));
    if (!isfinite(out->loss[0])) return diagnose(t, "the loss", error);
    if (!isfinite(out->gradient_norm)) return diagnose(t, "the gradient", error);
    update(t, out);
    return ICSEG_OK;
}

icseg_status icseg_trainer_try_rate(icseg_trainer *t, double lr, icseg_train_step *out, icseg_error *error) {
    *out = (icseg_train_step){.struct_size = sizeof *out, .learning_rate = lr};
    ICSEG_TRY(differentiate(t, out, error));
    if (isfinite(out->gradient_norm)) update(t, out);
    return ICSEG_OK;
}

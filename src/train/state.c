/* SPDX-License-Identifier: Apache-2.0
 * checkpoint.safetensors of a run: a model's checkpoint that also contains AdamW's moments, the run's counters
 * (metadata "icseg.state", JSON) and the recipe as used ("icseg.recipe", YAML). One file, so that weights and moments
 * are always of the same step. With averages, these are the weights, and the raw ones are beside the moments. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "train/moments.h"
#include "train/trainer.h"

enum { STATE_VERSION = 1 };

static const char file_name[] = "checkpoint.safetensors";
static const char former_name[] = "state.safetensors"; /* of runs that began when weights were in a file of their own */

static icseg_trained trained(const icseg_trainer *t) { return (icseg_trained){t->model->params, t->adamw, t->ema}; }

void icseg_trainer_fingerprint(const icseg_dataset *dataset, char out[ICSEG_FINGERPRINT]) {
    uint64_t hash = 1469598103934665603u; /* FNV-1a */
    for (int64_t i = 0; i < icseg_dataset_count(dataset); i++) {
        const char *name = icseg_path_name(icseg_dataset_image_path(dataset, i));
        do hash = (hash ^ (unsigned char)*name) * 1099511628211u;
        while (*name++);
    }
    snprintf(out, ICSEG_FINGERPRINT, "%016" PRIx64, hash);
}

/* -- writing */

static icseg_status check_finite(const icseg_trainer *t, icseg_error *error) {
    icseg_trained all = trained(t);
    return icseg_trained_check(&all, t->state.step, "train", error);
}

/* The recipe without what may differ between runs that write the same weights: places, speed and intervals. */
static icseg_recipe_settings settings_of_weights(const icseg_recipe_settings *used) {
    icseg_recipe_settings kept = *used, published;
    icseg_recipe_published(&published, used->preset);
    kept.merges = published.merges;
    kept.data.folder = published.data.folder;
    kept.data.classes = published.data.classes;
    kept.data.class_weights = published.data.class_weights;
    kept.data.loader_threads = published.data.loader_threads;
    kept.train.threads = published.train.threads;
    kept.train.memory = published.train.memory;
    kept.train.log_every = published.train.log_every;
    kept.train.eval_every = published.train.eval_every;
    kept.train.eval_minutes = published.train.eval_minutes;
    kept.train.checkpoint_every = published.train.checkpoint_every;
    kept.train.checkpoint_minutes = published.train.checkpoint_minutes;
    kept.train.events = published.train.events;
    return kept;
}

/* Only with train.patience. `stopped_early` is for other programs. */
static void describe_patience(const icseg_trainer *t, char *out, size_t size) {
    char reference[ICSEG_NUMBER_SIZE];
    out[0] = '\0';
    if (t->recipe->train.patience == 0) return;
    icseg_text_shortest(reference, t->state.reference);
    snprintf(out, size, ", \"judged_step\": %lld, \"stale\": %lld, \"reference\": %s, \"stopped_early\": %s",
             (long long)t->state.judged_step, (long long)t->state.stale, reference,
             icseg_trainer_stops_early(t) ? "true" : "false");
}

static icseg_status set_metadata(icseg_trainer *t, icseg_safetensors_writer *writer, icseg_error *error) {
    char images[ICSEG_FINGERPRINT], miou[ICSEG_NUMBER_SIZE], patience[200], counters[600];
    icseg_string recipe = {0};
    icseg_trainer_fingerprint(t->train, images);
    icseg_text_shortest(miou, t->state.best_miou);
    describe_patience(t, patience, sizeof patience);
    snprintf(counters, sizeof counters,
             "{\"version\": %d, \"step\": %lld, \"updates\": %lld, \"eval_pending\": %s, \"best_step\": %lld, "
             "\"best_miou\": %s, \"train_images\": \"%s\"%s}",
             (int)STATE_VERSION, (long long)t->state.step, (long long)icseg_adamw_updates(t->adamw),
             t->state.eval_pending ? "true" : "false", (long long)t->state.best_step, miou, images, patience);
    icseg_recipe_settings settings = settings_of_weights(t->recipe);
    icseg_status status = icseg_recipe_format(&settings, ICSEG_RECIPE_TRAIN, &recipe, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_metadata(writer, "icseg.state", counters, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_metadata(writer, "icseg.recipe", recipe.data, error);
    icseg_string_close(&recipe);
    return status;
}

icseg_status icseg_trainer_write_state(icseg_trainer *t, icseg_error *error) {
    icseg_safetensors_writer *writer;
    if (!icseg_trainer_leads(t) || !t->folder.path) return ICSEG_OK;
    const char *path = icseg_run_path(&t->folder, file_name), *former = icseg_run_path(&t->folder, former_name);
    if (!path || !former) return icseg_fail_memory_in(error, 0, t->folder.path);
    ICSEG_TRY(check_finite(t, error));
    ICSEG_TRY(icseg_safetensors_writer_open(&writer, path, error));
    const icseg_trained all = trained(t);
    bool averages = icseg_ema_show(t->ema, true);
    icseg_status status = icseg_model_declare(t->model, writer, error);
    if (status == ICSEG_OK) status = icseg_moments_declare(&all, writer, error);
    if (status == ICSEG_OK) status = set_metadata(t, writer, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_begin(writer, error);
    if (status == ICSEG_OK) status = icseg_model_append(t->model, writer, error);
    if (status == ICSEG_OK) status = icseg_moments_append(&all, writer, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_commit(writer, error);
    icseg_safetensors_writer_close(&writer);
    icseg_ema_show(t->ema, averages);
    if (status == ICSEG_OK) unlink(former); /* older than the new file; usually it does not exist */
    return status;
}

icseg_status icseg_trainer_write_best(icseg_trainer *t, icseg_error *error) {
    const char *path = icseg_run_path(&t->folder, "best.safetensors");
    if (!icseg_trainer_leads(t)) return ICSEG_OK;
    if (!path) return icseg_fail_memory_in(error, 0, t->folder.path);
    ICSEG_TRY(check_finite(t, error));
    bool averages = icseg_ema_show(t->ema, true);
    icseg_status status = icseg_model_save(t->model, path, error);
    icseg_ema_show(t->ema, averages);
    return status;
}

/* -- reading */

static bool decides_evaluation(const char *key) { return !strncmp(key, "eval.", 5) || !strcmp(key, "data.val_split"); }

/* All keys except those for the location of the data, speed, output intervals and evaluation. The tokens of the class
 * names are compared instead of model.merges, and the learning rates instead of train.steps. */
static bool decides_weights(const char *key) {
    static const char *const exempt[] = {"data.folder",
                                         "data.classes",
                                         "data.class_weights",
                                         "data.loader_threads",
                                         "train.threads",
                                         "train.log_every",
                                         "train.eval_every",
                                         "train.eval_minutes",
                                         "train.checkpoint_every",
                                         "train.checkpoint_minutes",
                                         "train.patience",
                                         "train.min_delta",
                                         "train.memory",
                                         "train.tensorboard",
                                         "train.tensorboard_histograms",
                                         "train.tensorboard_images",
                                         "model.init",
                                         "model.init_weights",
                                         "model.merges",
                                         "train.steps"};
    if (decides_evaluation(key) || !strncmp(key, "pretrain.", 9)) return false;
    for (size_t i = 0; i < sizeof exempt / sizeof *exempt; i++)
        if (!strcmp(key, exempt[i])) return false;
    return true;
}

static icseg_status read_recipe(const icseg_safetensors *file, icseg_recipe **out, icseg_error *error) {
    const char *path = icseg_safetensors_path(file), *text = icseg_safetensors_metadata(file, "icseg.recipe");
    if (!text) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the metadata icseg.recipe is missing", path);
    return icseg_recipe_open_text(out, path, text, strlen(text), error);
}

static icseg_status compare_recipe(const icseg_trainer *t, const icseg_recipe_settings *saved, icseg_error *error) {
    icseg_string current_text = {0}, saved_text = {0};
    icseg_status status = ICSEG_OK;
    const char *key = icseg_recipe_compare(t->recipe, saved, decides_weights, &current_text, &saved_text);
    if (key && (current_text.failed || saved_text.failed))
        status = icseg_fail_memory(error, 0, "the recipes that are compared");
    else if (key)
        status = icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, key, ICSEG_REMEDY_SET_FIELD,
                                  "%s: the run began with %s = %s, but the recipe now has %s; set it back, or train in "
                                  "another directory, with model.init = %s/checkpoint.safetensors to start from these "
                                  "weights",
                                  t->folder.path, key, saved_text.data, current_text.data, t->folder.path);
    icseg_string_close(&current_text);
    icseg_string_close(&saved_text);
    return status;
}

/* Another number of steps must not change the learning rates of the steps that are done. */
static icseg_status compare_steps(icseg_trainer *t, const icseg_recipe_settings *saved, int64_t done,
                                  icseg_error *error) {
    int32_t before = saved->train.steps, now = t->recipe->train.steps;
    icseg_schedule schedule[2] = {icseg_recipe_schedule(saved), icseg_recipe_schedule(t->recipe)};
    if (before == now) return ICSEG_OK;
    if (done > now)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "train.steps", ICSEG_REMEDY_SET_FIELD,
                                "%s: %lld %s done, more than train.steps = %d", t->folder.path, (long long)done,
                                icseg_plural(done, "step is", "steps are"), now);
    if (!icseg_schedule_begins_as(&schedule[0], &schedule[1], done))
        return icseg_fail_field(
            error, ICSEG_ERROR_ARGUMENT, "train.steps", ICSEG_REMEDY_NEW_RUN,
            "%s: the run began with train.steps = %d, on which the learning rates of the %lld %s done depend "
            "(only train.power = 0 keeps them constant); resume without train.steps = %d, or train in another "
            "directory, with model.init = %s/checkpoint.safetensors to start from these weights",
            t->folder.path, before, (long long)done, icseg_plural(done, "step that is", "steps that are"), now,
            t->folder.path);
    icseg_trainer_say(t, "%s: train.steps was %d and is now %d", t->folder.path, before, now);
    t->steps_changed = true;
    return ICSEG_OK;
}

/* Handles the differences that are allowed: the run keeps its model.init, and when evaluation settings change, the
 * search for the best evaluation starts over. */
static icseg_status follow_recipe(icseg_trainer *t, const icseg_recipe_settings *saved, icseg_error *error) {
    icseg_string current_text = {0}, saved_text = {0};
    const char *key = icseg_recipe_compare(t->recipe, saved, decides_evaluation, &current_text, &saved_text);
    bool failed = current_text.failed || saved_text.failed;
    if (key && !failed) {
        icseg_trainer_warn(t, "%s: %s was %s and is now %s; the search for the best weights starts over",
                           t->folder.path, key, saved_text.data, current_text.data);
        t->state.best_step = 0;
        t->state.best_miou = 0;
        t->state.judged_step = t->state.stale = 0;
    }
    icseg_string_close(&current_text);
    icseg_string_close(&saved_text);
    if (failed) return icseg_fail_memory(error, 0, "the recipes that are compared");
    bool same_file = !strcmp(t->recipe->init, saved->init);
    if (same_file && !strcmp(t->recipe->init_weights, saved->init_weights)) return ICSEG_OK;
    if (same_file && t->recipe->init_weights[0])
        icseg_trainer_warn(t, "%s: the run began with model.init_weights = \"%s\"; \"%s\" is not read", t->folder.path,
                           saved->init_weights, t->recipe->init_weights);
    if (!same_file && t->recipe->init[0])
        icseg_trainer_warn(t, "%s: the run began with model.init = \"%s\"; \"%s\" is not read", t->folder.path,
                           saved->init, t->recipe->init);
    icseg_recipe_settings *kept = icseg_arena_copy(t->arena, t->recipe, sizeof *kept);
    const char *init = icseg_arena_strdup(t->arena, saved->init);
    const char *init_weights = icseg_arena_strdup(t->arena, saved->init_weights);
    if (!kept || !init || !init_weights) return icseg_fail_memory(error, 0, "the recipe");
    kept->init = init;
    kept->init_weights = init_weights;
    t->recipe = kept;
    return ICSEG_OK;
}

static icseg_status compare_classes(const icseg_trainer *t, const icseg_safetensors *file, icseg_error *error) {
    const char *text = icseg_safetensors_metadata(file, "icpc.classes");
    json_t *list = NULL;
    icseg_status status = ICSEG_OK;
    if (text) ICSEG_TRY(icseg_json_parse(&list, text, strlen(text), JSON_REJECT_DUPLICATES, NULL, error));
    int32_t classes = icseg_dataset_classes(t->train);
    if (json_array_size(list) != (size_t)classes)
        status = icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: the run began with %zu classes, but the data set has %d",
                            t->folder.path, json_array_size(list), classes);
    for (int32_t k = 0; k < classes && status == ICSEG_OK; k++) {
        const char *saved = json_string_value(json_array_get(list, (size_t)k));
        const char *current = icseg_dataset_class_names(t->train)[k];
        if (!saved || strcmp(saved, current) != 0)
            status = icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                                "%s: class %d was \"%s\" when the run began; in the data set it is \"%s\"",
                                t->folder.path, k, saved ? saved : "?", current);
    }
    json_decref(list);
    return status;
}

static icseg_status compare_tokens(const icseg_trainer *t, const icseg_safetensors *file, icseg_error *error) {
    const char *saved = icseg_safetensors_metadata(file, "icpc.tokens");
    char *current = icseg_model_tokens_json(t->model);
    if (!current) return icseg_fail_memory(error, 0, "the class names' tokens");
    bool same = saved && !strcmp(saved, current);
    icseg_free(current);
    if (same) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                      "%s: the tokens of the class names differ from those when the run began: the vocabulary "
                      "(model.merges) or the synonyms in the class list have changed",
                      t->folder.path);
}

/* The metadata icseg.state, while it is read. */
typedef struct counters {
    const char *path;
    json_t *object;
    icseg_error *error;
} counters;

static icseg_status read_counter(const counters *c, const char *key, int64_t least, int64_t most, int64_t *out) {
    const json_t *value = json_object_get(c->object, key);
    if (!json_is_integer(value))
        return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: icseg.state: %s is missing or not an integer", c->path,
                          key);
    *out = json_integer_value(value);
    if (*out >= least && *out <= most) return ICSEG_OK;
    return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: icseg.state: %s is %lld; expected %lld..%lld", c->path, key,
                      (long long)*out, (long long)least, (long long)most);
}

static icseg_status read_version(const counters *c) {
    int64_t version = 0;
    ICSEG_TRY(read_counter(c, "version", INT64_MIN, INT64_MAX, &version));
    if (version == STATE_VERSION) return ICSEG_OK;
    if (version < STATE_VERSION)
        return icseg_fail(
            c->error, ICSEG_ERROR_FORMAT,
            "%s: icseg.state: version %lld does not exist; the file is damaged: restore it from a copy or "
            "begin a new run",
            c->path, (long long)version);
    return icseg_fail(c->error, ICSEG_ERROR_UNSUPPORTED,
                      "%s: written by a later version of icseg (state version %lld); update icseg", c->path,
                      (long long)version);
}

/* A mIoU; `step_key` is the key of its evaluation's step, and `evaluated` whether there was one. */
static icseg_status read_miou(const counters *c, const char *key, const char *step_key, bool evaluated, double *out) {
    const json_t *value = json_object_get(c->object, key);
    *out = json_number_value(value);
    if (!json_is_number(value))
        return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: icseg.state: %s is missing or not a number", c->path, key);
    if (*out >= 0 && *out <= (evaluated ? 1 : 0)) return ICSEG_OK;
    if (evaluated)
        return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: icseg.state: %s is %g; expected 0..1", c->path, key, *out);
    return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: icseg.state: %s is %g; expected 0, because %s is 0", c->path,
                      key, *out, step_key);
}

/* A run that began without train.patience counts from its best evaluation. */
static icseg_status read_patience(const counters *c, icseg_train_state *out) {
    out->judged_step = out->best_step;
    out->reference = out->best_miou;
    out->stale = 0;
    if (!json_object_get(c->object, "judged_step")) return ICSEG_OK;
    ICSEG_TRY(read_counter(c, "judged_step", 0, out->step, &out->judged_step));
    ICSEG_TRY(read_counter(c, "stale", 0, out->judged_step, &out->stale));
    return read_miou(c, "reference", "judged_step", out->judged_step > 0, &out->reference);
}

static icseg_status compare_images(const icseg_trainer *t, const counters *c) {
    const char *saved = json_string_value(json_object_get(c->object, "train_images"));
    char current[ICSEG_FINGERPRINT];
    icseg_trainer_fingerprint(t->train, current);
    if (!saved)
        return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: icseg.state: train_images is missing or not a string",
                          c->path);
    if (!strcmp(saved, current)) return ICSEG_OK;
    if (t->data_changed) {
        icseg_trainer_warn(t,
                           "%s: the training images differ from those when the run began; it continues with the %lld "
                           "in %s",
                           t->folder.path, (long long)icseg_dataset_count(t->train), t->recipe->data.folder);
        return ICSEG_OK;
    }
    return icseg_fail_field(c->error, ICSEG_ERROR_ARGUMENT, "data_changed", ICSEG_REMEDY_DATA_CHANGED,
                            "%s: the training images differ from those when the run began (now %lld, in %s); put them "
                            "back, or accept the change",
                            t->folder.path, (long long)icseg_dataset_count(t->train), t->recipe->data.folder);
}

/* Every step makes one update. `steps`: of the whole run. */
static icseg_status read_fields(const icseg_trainer *t, const counters *c, int64_t steps, icseg_train_state *out) {
    const json_t *pending = json_object_get(c->object, "eval_pending");
    int64_t updates;
    ICSEG_TRY(read_version(c));
    ICSEG_TRY(read_counter(c, "step", 0, steps, &out->step));
    ICSEG_TRY(read_counter(c, "updates", out->step, out->step, &updates));
    ICSEG_TRY(read_counter(c, "best_step", 0, out->step, &out->best_step));
    ICSEG_TRY(read_miou(c, "best_miou", "best_step", out->best_step > 0, &out->best_miou));
    ICSEG_TRY(read_patience(c, out));
    if (!json_is_boolean(pending))
        return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: icseg.state: eval_pending is missing or not a boolean",
                          c->path);
    out->eval_pending = json_is_true(pending);
    return compare_images(t, c);
}

static icseg_status read_counters(const icseg_trainer *t, const icseg_safetensors *file, int64_t steps,
                                  icseg_train_state *out, icseg_error *error) {
    const char *text = icseg_safetensors_metadata(file, "icseg.state");
    counters c = {icseg_safetensors_path(file), NULL, error};
    if (text) ICSEG_TRY(icseg_json_parse(&c.object, text, strlen(text), JSON_REJECT_DUPLICATES, NULL, error));
    icseg_status status = json_is_object(c.object)
                              ? read_fields(t, &c, steps, out)
                              : icseg_fail(error, ICSEG_ERROR_FORMAT,
                                           "%s: the metadata icseg.state is missing or not a JSON object", c.path);
    json_decref(c.object);
    return status;
}

/* If best.safetensors has been removed: writes it again if this state has the best weights, otherwise lets the next
 * evaluation write it. */
static icseg_status replace_best(icseg_trainer *t, icseg_error *error) {
    const char *path = icseg_run_path(&t->folder, "best.safetensors");
    if (!path) return icseg_fail_memory_in(error, 0, t->folder.path);
    bool found;
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (!t->state.best_step || found) return ICSEG_OK;
    if (t->state.best_step == t->state.step) return icseg_trainer_write_best(t, error);
    icseg_trainer_warn(t, "%s: is missing; the search for the best weights starts over", path);
    t->state.best_step = 0;
    t->state.best_miou = 0;
    return ICSEG_OK;
}

/* The path of the file with the state; *out is NULL if there is none yet. */
static icseg_status find_file(const icseg_trainer *t, const char **out, icseg_error *error) {
    const char *names[] = {former_name, file_name}; /* a former state's own checkpoint cannot be resumed from */
    *out = NULL;
    for (int i = 0; i < 2 && !*out; i++) {
        const char *path = icseg_run_path(&t->folder, names[i]);
        bool found;
        if (!path) return icseg_fail_memory_in(error, 0, t->folder.path);
        ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
        if (found) *out = path;
    }
    return ICSEG_OK;
}

icseg_status icseg_trainer_find_state(const icseg_trainer *t, bool *found, icseg_error *error) {
    const char *path;
    icseg_status status = find_file(t, &path, error);
    *found = path;
    return status;
}

icseg_status icseg_trainer_load(icseg_trainer *t, bool *found, icseg_error *error) {
    const char *path;
    icseg_safetensors *file;
    icseg_recipe *saved = NULL;
    icseg_train_state state;
    icseg_status status;
    const icseg_trained all = trained(t);
    *found = false;
    ICSEG_TRY(find_file(t, &path, error));
    if (!path) return ICSEG_OK;
    *found = true;
    ICSEG_TRY(icseg_safetensors_open(&file, path, error));
    ICSEG_TRY_GOTO(read_recipe(file, &saved, error));
    ICSEG_TRY_GOTO(compare_recipe(t, &saved->settings, error));
    ICSEG_TRY_GOTO(compare_classes(t, file, error));
    ICSEG_TRY_GOTO(compare_tokens(t, file, error));
    ICSEG_TRY_GOTO(read_counters(t, file, saved->settings.train.steps, &state, error));
    ICSEG_TRY_GOTO(compare_steps(t, &saved->settings, state.step, error));
    ICSEG_TRY_GOTO(icseg_model_read_params(t->model, file, "", false, error));
    icseg_ema_expect_averages(t->ema);
    ICSEG_TRY_GOTO(icseg_moments_read(&all, file, state.step, error));
    icseg_ema_show(t->ema, false);
    ICSEG_TRY_GOTO(icseg_trained_check_read(&all, path, error));
    t->state = state;
    ICSEG_TRY_GOTO(replace_best(t, error));
    ICSEG_TRY_GOTO(follow_recipe(t, &saved->settings, error));
fail:
    icseg_recipe_close(&saved);
    icseg_safetensors_close(&file);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * checkpoint.safetensors of a run: CLIP's weights, AdamW's moments, the run's counters (metadata "icseg.pretrain",
 * JSON) and the recipe ("icseg.recipe", YAML). One file, so that weights and moments are always of the same step. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/model.h"
#include "pretrain/run.h"
#include "weights/weights.h"

enum { STATE_VERSION = 1 };

static const char file_name[] = "checkpoint.safetensors";

static icseg_trained trained(const icseg_pretraining *r) {
    return (icseg_trained){.params = icseg_towers_params(r->towers), .adamw = r->adamw};
}

/* -- writing */

static icseg_status set_metadata(const icseg_pretraining *r, icseg_safetensors_writer *writer, icseg_error *error) {
    char counters[200];
    icseg_string recipe = {0};
    snprintf(counters, sizeof counters, "{\"version\": %d, \"step\": %lld, \"eval_pending\": %s, \"pairs\": \"%s\"}",
             (int)STATE_VERSION, (long long)r->step, r->eval_pending ? "true" : "false", r->pairs);
    ICSEG_TRY(icseg_weights_write_clip(&r->recipe->model, true, writer, error));
    icseg_status status = icseg_recipe_format(r->recipe, ICSEG_RECIPE_PRETRAIN, &recipe, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_metadata(writer, "icseg.pretrain", counters, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_metadata(writer, "icseg.recipe", recipe.data, error);
    icseg_string_close(&recipe);
    return status;
}

icseg_status icseg_pretraining_save(icseg_pretraining *r, icseg_error *error) {
    const icseg_trained all = trained(r);
    icseg_safetensors_writer *writer;
    const char *path = icseg_run_path(&r->folder, file_name);
    if (!path) return icseg_fail_memory_in(error, 0, r->folder.path);
    ICSEG_TRY(icseg_trained_check(&all, r->step, "pretrain", error));
    ICSEG_TRY(icseg_safetensors_writer_open(&writer, path, error));
    icseg_status status = icseg_params_declare_in(all.params, writer, error);
    if (status == ICSEG_OK) status = icseg_moments_declare(&all, writer, error);
    if (status == ICSEG_OK) status = set_metadata(r, writer, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_begin(writer, error);
    if (status == ICSEG_OK) status = icseg_params_append_to(all.params, writer, error);
    if (status == ICSEG_OK) status = icseg_moments_append(&all, writer, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_commit(writer, error);
    icseg_safetensors_writer_close(&writer);
    r->saved = status == ICSEG_OK;
    return status;
}

/* -- reading */

/* All keys of the model and of pretraining except those for the location of pairs, speed and intervals. The hash of the
 * pairs is compared instead of their location. */
static bool decides_weights(const char *key) {
    static const char *const exempt[] = {"pretrain.pairs",
                                         "pretrain.val_pairs",
                                         "pretrain.val_limit",
                                         "pretrain.broken",
                                         "pretrain.threads",
                                         "pretrain.loader_threads",
                                         "pretrain.memory",
                                         "pretrain.log_every",
                                         "pretrain.eval_every",
                                         "model.init",
                                         "model.init_weights",
                                         "model.merges",
                                         "pretrain.checkpoint_every",
                                         "pretrain.tensorboard",
                                         "pretrain.tensorboard_histograms"};
    for (size_t i = 0; i < sizeof exempt / sizeof *exempt; i++)
        if (!strcmp(key, exempt[i])) return false;
    return !strncmp(key, "model.", 6) || !strncmp(key, "pretrain.", 9);
}

static icseg_status check_kind(const icseg_safetensors *file, icseg_error *error) {
    if (icseg_safetensors_metadata(file, "icseg.pretrain")) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                      "%s: not the checkpoint of a pretraining run; choose another directory",
                      icseg_safetensors_path(file));
}

static icseg_status compare_recipe(const icseg_pretraining *r, const icseg_safetensors *file, icseg_error *error) {
    const char *path = icseg_safetensors_path(file), *text = icseg_safetensors_metadata(file, "icseg.recipe");
    icseg_recipe *saved;
    icseg_string now = {0}, before = {0};
    if (!text) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the metadata icseg.recipe is missing", path);
    ICSEG_TRY(icseg_recipe_open_text(&saved, path, text, strlen(text), error));
    icseg_status status = ICSEG_OK;
    const char *key = icseg_recipe_compare(r->recipe, &saved->settings, decides_weights, &now, &before);
    if (key && (now.failed || before.failed))
        status = icseg_fail_memory(error, 0, "the recipes that are compared");
    else if (key)
        status = icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, key, ICSEG_REMEDY_SET_FIELD,
                                  "%s: the run began with %s = %s, but the recipe now has %s; set it back, or train in "
                                  "another directory, with model.init = %s/%s to start from these weights",
                                  r->folder.path, key, before.data, now.data, r->folder.path, file_name);
    icseg_string_close(&now);
    icseg_string_close(&before);
    icseg_recipe_close(&saved);
    return status;
}

static icseg_status compare_pairs(const icseg_pretraining *r, const char *saved, icseg_error *error) {
    if (saved && !strcmp(r->pairs, saved)) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "pretrain.pairs", ICSEG_REMEDY_SET_FIELD,
                            "%s: the pairs differ from those when the run began (now %lld, in %s); put them back, or "
                            "train in another directory, with model.init = %s/%s to start from these weights",
                            r->folder.path, (long long)r->train->count, r->recipe->pretrain.pairs, r->folder.path,
                            file_name);
}

static icseg_status read_fields(icseg_pretraining *r, const char *path, const json_t *object, icseg_error *error) {
    const json_t *version = json_object_get(object, "version"), *step = json_object_get(object, "step"),
                 *pending = json_object_get(object, "eval_pending");
    if (!json_is_integer(version) || json_integer_value(version) < STATE_VERSION)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.pretrain: version is missing or damaged", path);
    if (json_integer_value(version) > STATE_VERSION)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: written by a later version of icseg (pretrain version %lld); update icseg", path,
                          (long long)json_integer_value(version));
    if (!json_is_integer(step) || json_integer_value(step) < 0 || json_integer_value(step) > r->recipe->pretrain.steps)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.pretrain: step is missing or not in 0..%d", path,
                          (int)r->recipe->pretrain.steps);
    if (!json_is_boolean(pending))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.pretrain: eval_pending is missing or not a boolean",
                          path);
    ICSEG_TRY(compare_pairs(r, json_string_value(json_object_get(object, "pairs")), error));
    r->step = json_integer_value(step);
    r->eval_pending = json_is_true(pending);
    return ICSEG_OK;
}

static icseg_status read_counters(icseg_pretraining *r, const icseg_safetensors *file, icseg_error *error) {
    const char *path = icseg_safetensors_path(file), *text = icseg_safetensors_metadata(file, "icseg.pretrain");
    json_t *object;
    ICSEG_TRY(icseg_json_parse(&object, text, strlen(text), JSON_REJECT_DUPLICATES, NULL, error));
    icseg_status status =
        json_is_object(object)
            ? read_fields(r, path, object, error)
            : icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the metadata icseg.pretrain is not a JSON object", path);
    json_decref(object);
    return status;
}

static icseg_status read_params(const icseg_params *params, const icseg_safetensors *file, icseg_error *error) {
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        icseg_param *p = icseg_params_at(params, i);
        ICSEG_TRY(icseg_param_from_file(p, file, p->name, error));
        ICSEG_TRY(icseg_param_load(p, error));
    }
    return ICSEG_OK;
}

icseg_status icseg_pretraining_load(icseg_pretraining *r, bool *found, icseg_error *error) {
    const icseg_trained all = trained(r);
    icseg_safetensors *file;
    icseg_status status;
    const char *path = icseg_run_path(&r->folder, file_name);
    *found = false;
    if (!path) return icseg_fail_memory_in(error, 0, r->folder.path);
    ICSEG_TRY(icseg_path_find(path, S_IFREG, found, error));
    if (!*found) return ICSEG_OK;
    ICSEG_TRY(icseg_safetensors_open(&file, path, error));
    ICSEG_TRY_GOTO(check_kind(file, error));
    ICSEG_TRY_GOTO(compare_recipe(r, file, error));
    ICSEG_TRY_GOTO(read_counters(r, file, error));
    ICSEG_TRY_GOTO(read_params(all.params, file, error));
    ICSEG_TRY_GOTO(icseg_moments_read(&all, file, r->step, error));
    ICSEG_TRY_GOTO(icseg_trained_check_read(&all, path, error));
fail:
    icseg_safetensors_close(&file);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * icseg train: trains as a recipe says and writes a run directory with checkpoints, log and report. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "icseg/dataset.h"
#include "icseg/memory.h"
#include "icseg/model.h"
#include "icseg/recipe.h"
#include "icseg/train.h"
#include "support.h"

struct options {
    const char *recipe, *data, *init, *weights, *out;
    icseg_strings set;
    bool resume, data_changed;
};

static const icseg_option rows[] = {
    {"RECIPE", ICSEG_FIELD_STRING(struct options, recipe),
     "YAML file with settings, whose keys docs/recipe.md lists; with --resume also the run directory alone",
     .positional = true, .required = true},
    {"set", ICSEG_FIELD_STRINGS(struct options, set), "change one value of the recipe; may be repeated",
     .metavar = "KEY=VALUE"},
    {"data", ICSEG_FIELD_STRING(struct options, data), "folder of the data set", .metavar = "DIR",
     .shown = "the recipe's data.folder"},
    {"init", ICSEG_FIELD_STRING(struct options, init), "weights to start from", .metavar = "WEIGHTS",
     .shown = "the recipe's model.init"},
    {"weights", ICSEG_FIELD_STRING(struct options, weights),
     "which of several state dicts of the file to start from: its key, the prefix of its names, or ema for averaged "
     "weights",
     .metavar = "NAME", .shown = "the recipe's model.init_weights"},
    {"out", ICSEG_FIELD_STRING(struct options, out), "run directory", .metavar = "RUN_DIR",
     .shown = "runs/RECIPE, without .yaml"},
    {"resume", ICSEG_FIELD_BOOL(struct options, resume), "continue the run in RUN_DIR, or start one if there is none"},
    {"data-changed", ICSEG_FIELD_BOOL(struct options, data_changed),
     "with --resume: continue although training images were added, removed or renamed"},
};

/* Prints the files that still exist. */
static void print_files(const char *out) {
    static const char *const names[] = {"checkpoint.safetensors", "best.safetensors", "report.html"};
    char path[4096];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", out, names[i]);
        if (access(path, F_OK) == 0 || errno != ENOENT) printf("%s\n", path);
    }
}

static icseg_status print_result(const char *out, const icseg_train_result *result, icseg_error *error) {
    icseg_model *model = NULL;
    char *table = NULL, path[4096];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", out);
    icseg_status status = icseg_model_open(&model, path, error);
    if (status == ICSEG_OK)
        status = icseg_metrics_table(result->metrics, icseg_model_class_names(model), &table, error);
    if (status == ICSEG_OK) {
        printf("%s\nbest mIoU %.2f after step %lld of %lld\n", table, 100 * result->best_miou,
               (long long)result->best_step, (long long)result->steps);
        print_files(out);
    }
    icseg_buffer_free(table);
    icseg_model_close(&model);
    return status;
}

static icseg_status open_recipe(icseg_recipe **out, const struct options *o, icseg_error *error) {
    if (!folder_exists(o->recipe)) return icseg_recipe_open(out, o->recipe, error);
    if (!o->resume)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "%s: is a directory; give a recipe, or continue the run in it with --resume", o->recipe);
    if (o->out)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "%s: is the run directory; leave out --out, or give the recipe's file", o->recipe);
    return icseg_recipe_open_run(out, o->recipe, error);
}

static icseg_status read_recipe(icseg_recipe **out, const struct options *o, icseg_error *error) {
    TRY(open_recipe(out, o, error));
    for (size_t i = 0; i < o->set.count; i++) TRY(icseg_recipe_assign(*out, o->set.items[i], error));
    if (o->data) TRY(icseg_recipe_set(*out, "data.folder", o->data, error));
    if (o->init) TRY(icseg_recipe_set(*out, "model.init", o->init, error));
    return o->weights ? icseg_recipe_set(*out, "model.init_weights", o->weights, error) : ICSEG_OK;
}

/* A number of threads in the recipe takes precedence over that of the environment. */
static icseg_status choose_threads(int32_t *out, const icseg_recipe *recipe, icseg_error *error) {
    char *text;
    TRY(icseg_recipe_get(recipe, "train.threads", &text, error));
    *out = strcmp(text, "0") ? 0 : thread_count();
    icseg_buffer_free(text);
    return ICSEG_OK;
}

/* NULL when out of memory. */
static const char *run_folder(icseg_arena *arena, const struct options *o) {
    if (o->out) return o->out;
    if (folder_exists(o->recipe)) return o->recipe;
    const char *stem = path_stem(arena, o->recipe);
    return stem ? icseg_arena_printf(arena, "runs/%s", stem) : NULL;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    const char *out = run_folder(context->arena, o);
    if (!out) return out_of_memory(error);
    icseg_train_options options = {ICSEG_TRAIN_OPTIONS_INIT, .out = out, .resume = o->resume,
                                   .data_changed = o->data_changed};
    icseg_train_result result = {ICSEG_TRAIN_RESULT_INIT};
    icseg_recipe *recipe = NULL;
    icseg_status status = read_recipe(&recipe, o, error);
    if (status == ICSEG_OK) status = choose_threads(&options.threads, recipe, error);
    if (status == ICSEG_OK) status = icseg_train(recipe, &options, &context->progress, &result, error);
    if (status == ICSEG_OK) status = print_result(out, &result, error);
    icseg_train_result_close(&result);
    icseg_recipe_close(&recipe);
    return status;
}

const icseg_command icseg_command_train = {
    .name = "train",
    .summary = "Trains a model as described in a recipe",
    .description = "Checks every label file first, then trains, evaluates and writes to RUN_DIR:\n"
                   "recipe.yaml (as used), log.jsonl, checkpoint.safetensors (last weights and all\n"
                   "that --resume needs), best.safetensors (best validation mIoU) and report.html.\n"
                   "Ctrl-C, SIGTERM and SIGHUP save the state and stop, with exit status 3. A run\n"
                   "that was stopped or killed at any moment and then continued with --resume writes\n"
                   "the same bytes as one that was not. `--resume RUN_DIR` needs no recipe: RUN_DIR\n"
                   "contains it. --set may change what does not decide the weights of the steps that\n"
                   "are done.\n",
    .examples = "icseg train recipes/demo.yaml --data demo/data --out demo/run\n"
                "icseg train recipes/camvid.yaml --set train.steps=2000 --set train.seed=1\n"
                "icseg train --resume runs/camvid\n"
                "icseg train my.yaml --init best.safetensors --set train.freeze_backbone=true\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
};

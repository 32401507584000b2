/* SPDX-License-Identifier: Apache-2.0
 * icseg train: trains as a recipe says and writes a run directory with checkpoints, log and report. */
#include <stdio.h>

#include "cli.h"
#include "icseg/dataset.h"
#include "icseg/memory.h"
#include "icseg/model.h"
#include "icseg/recipe.h"
#include "icseg/train.h"
#include "recipes.h"
#include "support.h"

struct options {
    recipe_place place;
    const char *data, *init, *weights;
    bool data_changed;
};

static const icseg_option rows[] = {
    {"RECIPE", ICSEG_FIELD_STRING(struct options, place.recipe),
     "YAML file with settings, whose keys docs/recipe.md lists; with --resume also the run directory alone",
     .positional = true, .required = true},
    {"set", ICSEG_FIELD_STRINGS(struct options, place.set), "change one value of the recipe; may be repeated",
     .metavar = "KEY=VALUE"},
    {"data", ICSEG_FIELD_STRING(struct options, data), "folder of the data set", .metavar = "DIR",
     .shown = "the recipe's data.folder"},
    {"init", ICSEG_FIELD_STRING(struct options, init), "weights to start from", .metavar = "WEIGHTS",
     .shown = "the recipe's model.init"},
    {"weights", ICSEG_FIELD_STRING(struct options, weights),
     "which of several state dicts of the file to start from: its key, the prefix of its names, or ema for averaged "
     "weights",
     .metavar = "NAME", .shown = "the recipe's model.init_weights"},
    {"out", ICSEG_FIELD_STRING(struct options, place.out), "run directory", .metavar = "RUN_DIR",
     .shown = "runs/RECIPE, without .yaml"},
    {"resume", ICSEG_FIELD_BOOL(struct options, place.resume),
     "continue the run in RUN_DIR, or start one if there is none"},
    {"data-changed", ICSEG_FIELD_BOOL(struct options, data_changed),
     "with --resume: continue although training images were added, removed or renamed"},
};

static icseg_status print_result(const char *out, const icseg_train_result *result, icseg_error *error) {
    icseg_model *model = NULL;
    static const char *const files[] = {"checkpoint.safetensors", "best.safetensors", "report.html"};
    char *table = NULL, path[4096];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", out);
    icseg_status status = icseg_model_open(&model, path, error);
    if (status == ICSEG_OK)
        status = icseg_metrics_table(result->metrics, icseg_model_class_names(model), &table, error);
    if (status == ICSEG_OK) {
        printf("%s\nbest mIoU %.2f after step %lld of %lld%s\n", table, 100 * result->best_miou,
               (long long)result->best_step, (long long)result->steps,
               result->stopped_early ? ", where train.patience ended the run" : "");
        recipe_print_files(out, files, sizeof files / sizeof *files);
    }
    icseg_buffer_free(table);
    icseg_model_close(&model);
    return status;
}

static icseg_status read_recipe(icseg_recipe **out, const struct options *o, icseg_error *error) {
    TRY(recipe_open(out, &o->place, error));
    if (o->data) TRY(icseg_recipe_set(*out, "data.folder", o->data, error));
    if (o->init) TRY(icseg_recipe_set(*out, "model.init", o->init, error));
    return o->weights ? icseg_recipe_set(*out, "model.init_weights", o->weights, error) : ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    const char *out = recipe_run_folder(context->arena, &o->place);
    if (!out) return out_of_memory(error);
    icseg_train_options options = {ICSEG_TRAIN_OPTIONS_INIT, .out = out, .resume = o->place.resume,
                                   .data_changed = o->data_changed};
    icseg_train_result result = {ICSEG_TRAIN_RESULT_INIT};
    icseg_recipe *recipe = NULL;
    TRY(join_group(context, error));
    options.group = *context->group;
    icseg_status status = icseg_group_agree(options.group, read_recipe(&recipe, o, error), error);
    if (status == ICSEG_OK) status = recipe_threads(&options.threads, recipe, "train.threads", error);
    if (status == ICSEG_OK) status = icseg_train(recipe, &options, &context->progress, &result, error);
    if (status == ICSEG_OK && prints_results(context)) status = print_result(out, &result, error);
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
                   "are done.\n"
                   "`mpirun -n N icseg train ...` divides every batch among N processes\n"
                   "(docs/mpi.md).\n",
    .examples = "icseg train recipes/demo.yaml --data demo/data --out demo/run\n"
                "icseg train recipes/camvid.yaml --set train.steps=2000 --set train.seed=1\n"
                "icseg train --resume runs/camvid\n"
                "icseg train my.yaml --init best.safetensors --set train.freeze_backbone=true\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
};

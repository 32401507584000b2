/* SPDX-License-Identifier: Apache-2.0
 * icseg plan: what a training run will need, before it starts. */
#include <stdio.h>

#include "cli.h"
#include "icseg/memory.h"
#include "icseg/plan.h"
#include "recipes.h"
#include "support.h"

enum { MOST_CLASSES = 4096, SECONDS = 10, MOST_SECONDS = 3600 };

struct options {
    recipe_place place;
    const char *data;
    int32_t classes;
    double seconds;
    bool quick, json;
};

static const icseg_option rows[] = {
    {"RECIPE", ICSEG_FIELD_STRING(struct options, place.recipe),
     "YAML file with settings, whose keys docs/recipe.md lists", .positional = true, .required = true},
    {"set", ICSEG_FIELD_STRINGS(struct options, place.set), "change one value of the recipe; may be repeated",
     .metavar = "KEY=VALUE"},
    {"data", ICSEG_FIELD_STRING(struct options, data), "folder of the data set", .metavar = "DIR",
     .shown = "the recipe's data.folder"},
    {"classes", ICSEG_FIELD_INT(struct options, classes),
     "plan without the data set, for N classes: without evaluations and the reading of images", .metavar = "N",
     ICSEG_BETWEEN(2, MOST_CLASSES), .shown = "those of the data set"},
    {"out", ICSEG_FIELD_STRING(struct options, place.out),
     "the run directory, on whose disk space is needed; it need not exist", .metavar = "RUN_DIR",
     .shown = "runs/RECIPE, without .yaml"},
    {"quick", ICSEG_FIELD_BOOL(struct options, quick), "measure no times"},
    {"seconds", ICSEG_FIELD_FLOAT(struct options, seconds), "how long to measure steps; at least one is measured",
     .metavar = "S", ICSEG_BETWEEN(0.1, MOST_SECONDS)},
    {"json", ICSEG_FIELD_BOOL(struct options, json), "print one line of JSON instead of the table"},
};

static void defaults(void *values) { ((struct options *)values)->seconds = SECONDS; }

/* A run that does not fit is a failure, so that a script can stop. */
static icseg_status check_fit(const icseg_run_plan *plan, icseg_error *error) {
    icseg_plan_figures f = {ICSEG_PLAN_FIGURES_INIT};
    TRY(icseg_run_plan_figures(plan, &f, error));
    if (!f.memory_fits)
        return icseg_error_set(error, ICSEG_ERROR_MEMORY,
                               "the run does not fit: it needs %.0f MiB of memory, and %.0f MiB are available",
                               (double)f.memory / (1 << 20), (double)f.memory_available / (1 << 20));
    if (!f.disk_fits)
        return icseg_error_set(error, ICSEG_ERROR_IO,
                               "the run does not fit: it needs %.0f MiB of disk space, and %.0f MiB are free",
                               (double)f.disk_peak / (1 << 20), (double)f.disk_available / (1 << 20));
    return ICSEG_OK;
}

static icseg_status print_plan(const icseg_run_plan *plan, bool json, icseg_error *error) {
    char *text;
    TRY(icseg_run_plan_text(plan, json ? ICSEG_PLAN_JSON : ICSEG_PLAN_TABLE, &text, error));
    fputs(text, stdout);
    icseg_buffer_free(text);
    return check_fit(plan, error);
}

static icseg_status plan_recipe(const icseg_command_context *context, const struct options *o,
                                const icseg_recipe *recipe, icseg_error *error) {
    icseg_run_plan *plan;
    icseg_plan_options options = {ICSEG_PLAN_OPTIONS_INIT, .out = recipe_run_folder(context->arena, &o->place),
                                  .classes = o->classes, .quick = o->quick, .seconds = o->seconds};
    if (!options.out) return out_of_memory(error);
    TRY(recipe_threads(&options.threads, recipe, "train.threads", error));
    TRY(icseg_run_plan_open(&plan, recipe, &options, &context->progress, error));
    icseg_status status = print_plan(plan, o->json, error);
    icseg_run_plan_close(&plan);
    return status;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    icseg_recipe *recipe;
    if (o->data && o->classes)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--classes plans without a data set; leave out --data");
    TRY(recipe_open(&recipe, &o->place, error));
    icseg_status status = o->data ? icseg_recipe_set(recipe, "data.folder", o->data, error) : ICSEG_OK;
    if (status == ICSEG_OK) status = plan_recipe(context, o, recipe, error);
    icseg_recipe_close(&recipe);
    return status;
}

const icseg_command icseg_command_plan = {
    .name = "plan",
    .summary = "Says what a training run needs, before it starts",
    .description = "Prints the memory, the time and the disk space that icseg train will need with\n"
                   "this recipe, and what this machine, its control groups and its limits leave for\n"
                   "it. If the memory does not suffice, lists changes of the recipe, each with the\n"
                   "memory that the run would need then. Memory is computed from the networks of\n"
                   "the run; times are measured on a few batches and images, unless the memory does\n"
                   "not suffice. Writes no file. The exit status is 0 if the run fits, 1 if it does\n"
                   "not or cannot be planned, and 2 if the recipe or an option is wrong.\n"
                   "docs/plan.md says how well plans agree with runs.\n",
    .examples = "icseg plan recipes/demo.yaml --data demo/data\n"
                "icseg plan my.yaml --set train.batch=16 --quick\n"
                "icseg plan recipes/ade20k_rn50.yaml --classes 150 --json\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};

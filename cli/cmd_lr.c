/* SPDX-License-Identifier: Apache-2.0
 * icseg lr: a learning-rate range test. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "icseg/file.h"
#include "icseg/memory.h"
#include "icseg/recipe.h"
#include "icseg/train.h"
#include "recipes.h"
#include "support.h"

enum { STEPS = 100, LEAST_STEPS = 10, MOST_STEPS = 100000 };

#define MIN_LR 1e-7
#define MAX_LR 1

struct options {
    recipe_place place;
    const char *data, *init, *weights, *json, *html;
    double min_lr, max_lr;
    int32_t steps;
};

static const icseg_option rows[] = {
    {"RECIPE", ICSEG_FIELD_STRING(struct options, place.recipe),
     "YAML file with settings, whose keys docs/recipe.md lists", .positional = true, .required = true},
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
    {"min", ICSEG_FIELD_FLOAT(struct options, min_lr), "learning rate of the first step", .metavar = "RATE",
     ICSEG_ABOVE(0)},
    {"max", ICSEG_FIELD_FLOAT(struct options, max_lr), "learning rate of the last step", .metavar = "RATE",
     ICSEG_ABOVE(0)},
    {"steps", ICSEG_FIELD_INT(struct options, steps), "number of steps", .metavar = "N",
     ICSEG_BETWEEN(LEAST_STEPS, MOST_STEPS)},
    {"json", ICSEG_FIELD_STRING(struct options, json), "also write the rates and losses as JSON", .metavar = "FILE"},
    {"html", ICSEG_FIELD_STRING(struct options, html), "also write a page with the curve, which needs no other file",
     .metavar = "FILE"},
};

static void defaults(void *values) {
    struct options *o = values;
    o->min_lr = MIN_LR;
    o->max_lr = MAX_LR;
    o->steps = STEPS;
}

static icseg_status read_recipe(icseg_recipe **out, const struct options *o, icseg_error *error) {
    TRY(recipe_open(out, &o->place, error));
    if (o->data) TRY(icseg_recipe_set(*out, "data.folder", o->data, error));
    if (o->init) TRY(icseg_recipe_set(*out, "model.init", o->init, error));
    return o->weights ? icseg_recipe_set(*out, "model.init_weights", o->weights, error) : ICSEG_OK;
}

/* `path` "-" is standard output. */
static icseg_status write_form(const icseg_lr_range *range, icseg_lr_form form, const char *path, icseg_error *error) {
    char *text;
    if (!path) return ICSEG_OK;
    TRY(icseg_lr_range_text(range, form, &text, error));
    icseg_status status = ICSEG_OK;
    if (!strcmp(path, "-"))
        fputs(text, stdout);
    else
        status = icseg_file_write(path, text, strlen(text), error);
    icseg_buffer_free(text);
    return status;
}

static icseg_status write_all(const icseg_lr_range *range, const struct options *o, icseg_error *error) {
    TRY(write_form(range, ICSEG_LR_TABLE, "-", error));
    TRY(write_form(range, ICSEG_LR_JSON, o->json, error));
    return write_form(range, ICSEG_LR_HTML, o->html, error);
}

static icseg_status check_outputs(const struct options *o, icseg_error *error) {
    if (!(o->min_lr < o->max_lr))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--min is %g; expected a rate below --max = %g", o->min_lr,
                               o->max_lr);
    if (o->json) TRY(icseg_file_check_writable(o->json, error));
    return o->html ? icseg_file_check_writable(o->html, error) : ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    icseg_lr_options options = {ICSEG_LR_OPTIONS_INIT, .min_lr = o->min_lr, .max_lr = o->max_lr, .steps = o->steps};
    icseg_recipe *recipe = NULL;
    icseg_lr_range *range = NULL;
    TRY(check_outputs(o, error));
    TRY(join_group(context, error));
    options.group = *context->group;
    icseg_status status = icseg_group_agree(options.group, read_recipe(&recipe, o, error), error);
    if (status == ICSEG_OK) status = recipe_threads(&options.threads, recipe, "train.threads", error);
    if (status == ICSEG_OK) status = icseg_lr_range_open(&range, recipe, &options, &context->progress, error);
    if (status == ICSEG_OK && prints_results(context)) status = write_all(range, o, error);
    icseg_lr_range_close(&range);
    icseg_recipe_close(&recipe);
    return status;
}

const icseg_command icseg_command_lr = {
    .name = "lr",
    .summary = "Suggests a learning rate for a recipe",
    .description = "Trains as the recipe says, but with a learning rate that grows from step to step\n"
                   "between --min and --max, until the loss is four times its smallest value or is\n"
                   "not finite. Prints the losses and suggests the rate at which they fall most\n"
                   "steeply (Smith's range test). Warm-up, decay and train.steps do not apply;\n"
                   "batch, weights to start from, train.backbone_lr_mult and all others do. The\n"
                   "same recipe gives the same suggestion. Writes only the files that you name.\n",
    .examples = "icseg lr recipes/custom.yaml --data photos\n"
                "icseg lr my.yaml --min 1e-6 --max 0.1 --html lr.html --json lr.json\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0
 * icseg compare: compares training runs over the same validation images. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "icseg/compare.h"
#include "icseg/file.h"
#include "icseg/memory.h"
#include "icseg/recipe.h"
#include "support.h"

enum { RESAMPLES = 2000, LEAST_RESAMPLES = 100, MOST_RESAMPLES = 1000000, TOP = 10, MOST_TOP = 1000 };

struct options {
    icseg_strings runs, ignore;
    const char *baseline, *json, *csv, *html;
    int32_t resamples, top;
    int64_t seed;
};

static const icseg_option rows[] = {
    {"RUN", ICSEG_FIELD_STRINGS(struct options, runs), "run directories of `icseg train`", .positional = true,
     .required = true},
    {"baseline", ICSEG_FIELD_STRING(struct options, baseline), "the run with whose group the others are compared",
     .metavar = "RUN", .shown = "the first"},
    {"ignore", ICSEG_FIELD_STRINGS(struct options, ignore),
     "a key of the recipe in which the runs of a group may differ, such as data.folder; may be repeated",
     .metavar = "KEY"},
    {"resamples", ICSEG_FIELD_INT(struct options, resamples), "how often the images are drawn again", .metavar = "N",
     ICSEG_BETWEEN(LEAST_RESAMPLES, MOST_RESAMPLES)},
    {"seed", ICSEG_FIELD_INT64(struct options, seed), "seed of these draws", .metavar = "N", ICSEG_AT_LEAST(0)},
    {"top", ICSEG_FIELD_INT(struct options, top), "list the N images that differ most", .metavar = "N",
     ICSEG_BETWEEN(1, MOST_TOP)},
    {"json", ICSEG_FIELD_STRING(struct options, json), "also write everything as JSON", .metavar = "FILE"},
    {"csv", ICSEG_FIELD_STRING(struct options, csv), "also write the scores as CSV, a row for each group and score",
     .metavar = "FILE"},
    {"html", ICSEG_FIELD_STRING(struct options, html),
     "also write a page with curves, tables and images, which needs no other file", .metavar = "FILE"},
};

static void defaults(void *values) {
    struct options *o = values;
    o->resamples = RESAMPLES;
    o->top = TOP;
}

/* Appends an option of icseg eval, unless the recipe's value is what the command does without it. */
static icseg_status append_option(icseg_string *out, const icseg_recipe *recipe, const char *option, const char *key,
                                  const char *without, icseg_error *error) {
    char *value;
    TRY(icseg_recipe_get(recipe, key, &value, error));
    if (strcmp(value, without) != 0) icseg_string_printf(out, " --%s '%s'", option, value);
    icseg_buffer_free(value);
    return ICSEG_OK;
}

/* The command that evaluates a run as its training did. */
static icseg_status eval_command(icseg_string *out, const icseg_recipe *recipe, const char *run, icseg_error *error) {
    icseg_string_printf(out, "icseg eval '%s/checkpoint.safetensors'", run);
    TRY(append_option(out, recipe, "data", "data.folder", "", error));
    TRY(append_option(out, recipe, "format", "data.format", "auto", error));
    TRY(append_option(out, recipe, "classes", "data.classes", "", error));
    TRY(append_option(out, recipe, "val-share", "data.val_share", "0", error));
    TRY(append_option(out, recipe, "precision", "eval.precision", "f32", error));
    icseg_string_printf(out, " --images '%s/images.jsonl'", run);
    return out->failed ? out_of_memory(error) : ICSEG_OK;
}

/* Tells how to make the file that the comparison needs if a run does not have it. */
static icseg_status check_images(const icseg_command_context *context, const char *run, bool *missing,
                                 icseg_error *error) {
    icseg_recipe *recipe;
    icseg_string command = {0};
    char path[PATH_MAX];
    TRY(icseg_recipe_open_run(&recipe, run, error));
    snprintf(path, sizeof path, "%s/images.jsonl", run);
    icseg_status status = ICSEG_OK;
    if (!file_exists(path)) {
        *missing = true;
        status = eval_command(&command, recipe, run, error);
        if (status == ICSEG_OK)
            icseg_printer_problem(context->printer,
                                  "%s: images.jsonl, the results of single images, is missing; this makes it: %s", run,
                                  command.data);
    }
    icseg_string_close(&command);
    icseg_recipe_close(&recipe);
    return status;
}

static icseg_status write_form(const icseg_run_comparison *comparison, icseg_comparison_form form, const char *path,
                               icseg_error *error) {
    char *text;
    if (!path) return ICSEG_OK;
    TRY(icseg_run_comparison_text(comparison, form, &text, error));
    icseg_status status = icseg_file_write(path, text, strlen(text), error);
    icseg_buffer_free(text);
    return status;
}

static icseg_status write_all(const icseg_run_comparison *comparison, const struct options *o, icseg_error *error) {
    char *text;
    TRY(icseg_run_comparison_text(comparison, ICSEG_COMPARISON_TABLE, &text, error));
    fputs(text, stdout);
    icseg_buffer_free(text);
    TRY(write_form(comparison, ICSEG_COMPARISON_JSON, o->json, error));
    TRY(write_form(comparison, ICSEG_COMPARISON_CSV, o->csv, error));
    return write_form(comparison, ICSEG_COMPARISON_HTML, o->html, error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    const char *outputs[] = {o->json, o->csv, o->html};
    icseg_run_comparison *comparison;
    bool missing = false;
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        if (outputs[i]) TRY(icseg_file_check_writable(outputs[i], error));
    for (size_t i = 0; i < o->runs.count; i++) TRY(check_images(context, o->runs.items[i], &missing, error));
    if (missing) return icseg_error_set(error, ICSEG_ERROR_IO, "the file images.jsonl of at least one run is missing");
    icseg_compare_options options = {ICSEG_COMPARE_OPTIONS_INIT,
                                     .runs = o->runs.items,
                                     .run_count = (int32_t)o->runs.count,
                                     .baseline = o->baseline,
                                     .ignore = o->ignore.items,
                                     .ignore_count = (int32_t)o->ignore.count,
                                     .resamples = o->resamples,
                                     .top = o->top,
                                     .seed = o->seed};
    TRY(icseg_run_comparison_open(&comparison, &options, &context->progress, error));
    icseg_status status = write_all(comparison, o, error);
    icseg_run_comparison_close(&comparison);
    return status;
}

const icseg_command icseg_command_compare = {
    .name = "compare",
    .summary = "Compares training runs over the same validation images",
    .description = "Runs whose recipes differ in the seed only form a group. Prints the mean IoU,\n"
                   "class accuracy and pixel accuracy of each group, with the standard deviation\n"
                   "over its runs, the keys in which the recipes differ, and how the scores and the\n"
                   "IoU of each class differ from those of the baseline. The interval has 95 % of\n"
                   "the differences when the images are drawn again (the paired bootstrap), and the\n"
                   "column \"> 0\" says in which share of these draws the difference is above 0.\n"
                   "Near 100 % the group is better on images like these, near 0 % it is worse.\n"
                   "Lists the images that differ most.\n"
                   "\n"
                   "Reads the results of the last evaluation, which training writes into each run\n"
                   "as images.jsonl. The runs must have been evaluated on the same images.\n",
    .examples = "icseg compare runs/denseclip runs/icpc --html compare.html\n"
                "icseg compare sweep/* --json compare.json --csv compare.csv\n"
                "icseg compare a/seed-0 a/seed-1 b/seed-0 b/seed-1 --ignore data.folder\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};

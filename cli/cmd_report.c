/* SPDX-License-Identifier: Apache-2.0
 * icseg report: writes the report of a run, or the index of a directory of runs. */
#include <stdio.h>

#include "cli.h"
#include "icseg/train.h"
#include "support.h"

struct options {
    const char *folder, *data;
};

static const icseg_option rows[] = {
    {"DIR", ICSEG_FIELD_STRING(struct options, folder), "run directory, or directory of several runs",
     .positional = true, .required = true},
    {"data", ICSEG_FIELD_STRING(struct options, data), "folder of the data set, for the sample images",
     .metavar = "DIR", .shown = "the recipe's data.folder"},
};

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    const char *recipe = icseg_arena_printf(context->arena, "%s/recipe.yaml", o->folder);
    if (!recipe) return out_of_memory(error);
    bool is_run = file_exists(recipe);
    TRY(is_run ? icseg_train_report(o->folder, o->data, &context->progress, error)
               : icseg_train_index(o->folder, error));
    printf("%s/%s\n", o->folder, is_run ? "report.html" : "index.html");
    return ICSEG_OK;
}

const icseg_command icseg_command_report = {
    .name = "report",
    .summary = "Writes the report of a training run, finished or not",
    .description = "Writes report.html into a run directory, from the run's log, its last\n"
                   "evaluation and its last weights. Training does the same after each evaluation.\n"
                   "The directory may be in use by a run. For a directory that contains runs, writes\n"
                   "index.html, a table of these runs. No other file is written.\n",
    .examples = "icseg report runs/camvid\nicseg report runs\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
};

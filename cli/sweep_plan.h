/* SPDX-License-Identifier: Apache-2.0
 * The file of icseg sweep and the runs that it describes. docs/sweep.md describes the format. */
#ifndef ICSEG_CLI_SWEEP_PLAN_H
#define ICSEG_CLI_SWEEP_PLAN_H

#include "icseg/recipe.h"
#include "cli.h"

enum { SWEEP_RUNS_MOST = 10000 };

/* A key of the recipe with its value as text, and the line of the sweep file; line 0: from the command line. */
typedef struct sweep_setting {
    const char *key, *value;
    size_t line;
} sweep_setting;

typedef struct sweep_settings {
    sweep_setting *items;
    size_t count;
} sweep_settings;

typedef struct sweep_run {
    const char *name;          /* of its directory and in the table */
    const char *folder;        /* its directory */
    const char *recipe;        /* FOLDER/NAME.yaml: the recipe as the sweep wants it */
    const char *group;         /* the name without the seed; may be empty */
    const char *const *values; /* of the plan's keys, as the recipe has them */
    sweep_settings settings;   /* what distinguishes it */
} sweep_run;

/* All of it lives in the arena. */
typedef struct sweep_plan {
    const char *file, *out; /* out: the directory of the runs */
    const char *recipe, *recipe_text;
    size_t recipe_size;
    sweep_settings set; /* of all runs */
    const char **keys;  /* in which runs differ; train.seed is the last if the file has seeds */
    size_t key_count;
    sweep_run *runs;     /* in the order of the table; the seeds of a group follow each other */
    size_t count, seeds; /* seeds: runs of a group, at least 1 */
} sweep_plan;

/* What the command line adds. */
typedef struct sweep_place {
    const char *file, *out, *data; /* out, data: may be NULL */
    icseg_strings set;
} sweep_place;

/* Reads the file and checks the recipe of every run. An error names file, line and key. */
icseg_status sweep_plan_open(sweep_plan *plan, const sweep_place *place, icseg_arena *arena, icseg_error *error);

/* The recipe of a run, in which the paths of files and folders that exist are absolute. Close it. */
icseg_status sweep_plan_recipe(const sweep_plan *plan, const sweep_run *run, icseg_recipe **out, icseg_error *error);

#endif

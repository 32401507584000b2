/* SPDX-License-Identifier: Apache-2.0
 * What the commands have in common that train as a recipe says. */
#ifndef ICSEG_CLI_RECIPES_H
#define ICSEG_CLI_RECIPES_H

#include "icseg/recipe.h"
#include "cli.h"

/* How the command line names a recipe and a run. */
typedef struct recipe_place {
    const char *recipe, *out; /* out: NULL: by the recipe's name */
    bool resume;
    icseg_strings set;
} recipe_place;

/* Opens the recipe, or with `resume` that of a run directory, and applies --set. */
icseg_status recipe_open(icseg_recipe **out, const recipe_place *place, icseg_error *error);
/* The run directory; NULL when out of memory. */
const char *recipe_run_folder(icseg_arena *arena, const recipe_place *place);
/* A number of threads in the recipe, in `key`, takes precedence over that of the environment: *out is 0 then. */
icseg_status recipe_threads(int32_t *out, const icseg_recipe *recipe, const char *key, icseg_error *error);
/* Prints the paths of the files that exist. */
void recipe_print_files(const char *folder, const char *const *names, size_t count);

#endif

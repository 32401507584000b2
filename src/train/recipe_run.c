/* SPDX-License-Identifier: Apache-2.0
 * The recipe of an existing run. */
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "report/jsonl.h"
#include "train/recipe.h"

/* The run's log names the recipe's file, of which recipe.yaml is a copy. */
static icseg_status name_recipe(icseg_recipe *recipe, const char *path, icseg_error *error) {
    icseg_log log;
    bool found;
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (!found) return ICSEG_OK;
    ICSEG_TRY(icseg_log_read(&log, path, error));
    const char *name = log.has_start && log.start.recipe[0] ? log.start.recipe : recipe->name;
    recipe->name = icseg_arena_strdup(recipe->arena, name);
    icseg_log_close(&log);
    return recipe->name ? ICSEG_OK : icseg_fail_memory_in(error, 0, path);
}

icseg_status icseg_recipe_open_run(icseg_recipe **out, const char *run, icseg_error *error) {
    icseg_string recipe = {0}, log = {0};
    icseg_status status;
    bool found = false;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(run);
    icseg_string_printf(&recipe, "%s/recipe.yaml", run);
    icseg_string_printf(&log, "%s/log.jsonl", run);
    if (recipe.failed || log.failed)
        status = icseg_fail_memory_in(error, 0, run);
    else
        status = icseg_path_find(recipe.data, S_IFREG, &found, error);
    if (status == ICSEG_OK && !found)
        status = icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: does not contain a run: recipe.yaml is missing", run);
    if (status == ICSEG_OK) status = icseg_recipe_open(out, recipe.data, error);
    if (status == ICSEG_OK) status = name_recipe(*out, log.data, error);
    if (status != ICSEG_OK) icseg_recipe_close(out);
    icseg_string_close(&recipe);
    icseg_string_close(&log);
    return status;
}

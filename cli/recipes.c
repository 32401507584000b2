/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "icseg/memory.h"
#include "support.h"

static icseg_status open_file(icseg_recipe **out, const recipe_place *p, icseg_error *error) {
    if (!folder_exists(p->recipe)) return icseg_recipe_open(out, p->recipe, error);
    if (!p->resume)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "%s: is a directory; give a recipe, or continue the run in it with --resume", p->recipe);
    if (p->out)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "%s: is the run directory; leave out --out, or give the recipe's file", p->recipe);
    return icseg_recipe_open_run(out, p->recipe, error);
}

icseg_status recipe_open(icseg_recipe **out, const recipe_place *p, icseg_error *error) {
    TRY(open_file(out, p, error));
    for (size_t i = 0; i < p->set.count; i++) TRY(icseg_recipe_assign(*out, p->set.items[i], error));
    return ICSEG_OK;
}

const char *recipe_run_folder(icseg_arena *arena, const recipe_place *p) {
    if (p->out) return p->out;
    if (folder_exists(p->recipe)) return p->recipe;
    const char *stem = path_stem(arena, p->recipe);
    return stem ? icseg_arena_printf(arena, "runs/%s", stem) : NULL;
}

icseg_status recipe_threads(int32_t *out, const icseg_recipe *recipe, const char *key, icseg_error *error) {
    char *text;
    TRY(icseg_recipe_get(recipe, key, &text, error));
    *out = strcmp(text, "0") ? 0 : thread_count();
    icseg_buffer_free(text);
    return ICSEG_OK;
}

void recipe_print_files(const char *folder, const char *const *names, size_t count) {
    char path[4096];
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (access(path, F_OK) == 0 || errno != ENOENT) printf("%s\n", path);
    }
}

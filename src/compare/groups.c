/* SPDX-License-Identifier: Apache-2.0
 * Groups of runs: those whose recipes agree in every key that decides the weights or the evaluation, but for the seed.
 */
#include <stdlib.h>
#include <string.h>

#include "compare/comparison.h"
#include "train/recipe.h"

/* Keys that change neither the weights nor the evaluation, apart from rounding, and the seed. Paths do count: another
 * folder may contain other images. */
static bool is_free(const char *key) {
    static const char *const keys[] = {"data.loader_threads",
                                       "train.seed",
                                       "train.threads",
                                       "train.memory",
                                       "train.log_every",
                                       "train.eval_every",
                                       "train.eval_minutes",
                                       "train.checkpoint_every",
                                       "train.checkpoint_minutes",
                                       "train.tensorboard",
                                       "train.tensorboard_histograms",
                                       "train.tensorboard_images"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i])) return true;
    return !strncmp(key, "pretrain.", 9);
}

static icseg_status check_ignored(const icseg_compare_options *options, icseg_error *error) {
    icseg_option_table table = icseg_recipe_table();
    for (int32_t i = 0; i < options->ignore_count; i++)
        if (!options->ignore[i] || !icseg_option_find(&table, options->ignore[i]))
            return icseg_option_unknown(&table, options->ignore[i] ? options->ignore[i] : "", "ignore", error);
    return ICSEG_OK;
}

static bool counts(const icseg_compare_options *options, const char *key) {
    for (int32_t i = 0; i < options->ignore_count; i++)
        if (!strcmp(options->ignore[i], key)) return false;
    return !is_free(key);
}

static bool is_equal(const icseg_compare_options *options, const icseg_compared_run *a, const icseg_compared_run *b) {
    icseg_option_table table = icseg_recipe_table();
    for (size_t i = 0; i < table.count; i++)
        if (counts(options, table.rows[i].key) && strcmp(a->settings[i], b->settings[i]) != 0) return false;
    return true;
}

/* -- names */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* What the names of all runs begin with, without digits of a number that goes on differently, and without marks and the
 * word "seed" at its end: the name of runs/lr=1_seed=0 and runs/lr=1_seed=1 is runs/lr=1. */
static size_t common_part(const icseg_compared_group *group) {
    const char *first = group->run[0]->name;
    size_t size = strlen(first);
    bool in_number = false;
    for (int32_t i = 1; i < group->count; i++) {
        size_t same = 0;
        while (same < size && group->run[i]->name[same] == first[same]) same++;
        size = same;
    }
    for (int32_t i = 0; i < group->count; i++) in_number |= is_digit(group->run[i]->name[size]);
    while (in_number && size && is_digit(first[size - 1])) size--;
    for (size_t before = size + 1; size && size < before;) {
        before = size;
        while (size && strchr("-_=./ ", first[size - 1])) size--;
        if (size >= 4 && !strncmp(first + size - 4, "seed", 4)) size -= 4;
    }
    return size;
}

static icseg_status name_groups(icseg_run_comparison *c, icseg_error *error) {
    for (int32_t g = 0; g < c->group_count; g++) {
        icseg_compared_group *group = &c->groups[g];
        size_t size = group->count > 1 ? common_part(group) : 0;
        group->name = size ? icseg_arena_printf(c->arena, "%.*s", (int)size, group->run[0]->name) : group->run[0]->name;
        if (!group->name) return icseg_fail_memory(error, 0, "the comparison");
    }
    return ICSEG_OK;
}

/* -- the groups and the keys in which they differ */

static icseg_status add_run(icseg_run_comparison *c, const icseg_compare_options *options,
                            const icseg_compared_run *run, icseg_error *error) {
    int32_t g = 0;
    while (g < c->group_count && !is_equal(options, c->groups[g].run[0], run)) g++;
    if (g == ICSEG_COMPARE_GROUPS)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "%s: the runs have more than %d different recipes; compare fewer of them at a time",
                          run->path, (int)ICSEG_COMPARE_GROUPS);
    icseg_compared_group *group = &c->groups[g];
    if (g == c->group_count) {
        c->group_count++;
        group->run = icseg_arena_array(c->arena, (size_t)c->run_count, sizeof *group->run);
        if (!group->run) return icseg_fail_memory(error, 0, "the comparison");
    }
    group->run[group->count++] = run;
    return ICSEG_OK;
}

static icseg_status find_keys(icseg_run_comparison *c, const icseg_compare_options *options, icseg_error *error) {
    icseg_option_table table = icseg_recipe_table();
    c->keys = icseg_arena_array(c->arena, table.count, sizeof *c->keys);
    c->key_rows = icseg_arena_array(c->arena, table.count, sizeof *c->key_rows);
    if (!c->keys || !c->key_rows) return icseg_fail_memory(error, 0, "the comparison");
    for (size_t i = 0; i < table.count; i++) {
        bool differs = false;
        for (int32_t g = 1; g < c->group_count; g++)
            differs |= strcmp(c->groups[g].run[0]->settings[i], c->groups[0].run[0]->settings[i]) != 0;
        if (!differs || !counts(options, table.rows[i].key)) continue;
        c->keys[c->key_count] = table.rows[i].key;
        c->key_rows[c->key_count++] = i;
    }
    return ICSEG_OK;
}

icseg_status icseg_compare_group(icseg_run_comparison *c, const icseg_compare_options *options, int32_t baseline,
                                 icseg_error *error) {
    ICSEG_TRY(check_ignored(options, error));
    for (int32_t i = 0; i < c->run_count; i++)
        if (is_equal(options, &c->runs[baseline], &c->runs[i])) ICSEG_TRY(add_run(c, options, &c->runs[i], error));
    for (int32_t i = 0; i < c->run_count; i++)
        if (!is_equal(options, &c->runs[baseline], &c->runs[i])) ICSEG_TRY(add_run(c, options, &c->runs[i], error));
    ICSEG_TRY(find_keys(c, options, error));
    return name_groups(c, error);
}

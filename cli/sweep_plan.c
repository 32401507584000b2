/* SPDX-License-Identifier: Apache-2.0
 * Reads the file of icseg sweep, lists its runs, and checks the recipe of each. */
#include "sweep_plan.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "icseg/memory.h"
#include "options/yaml.h"
#include "recipes.h"
#include "support.h"

enum { FILE_LIMIT = 1 << 20 /* bytes, of the sweep file and of the recipe */, NAME_MOST = 200 };

static const char seed_key[] = "train.seed";

/* A key with the values that the grid combines. */
typedef struct axis {
    const char *key;
    size_t line;
    sweep_settings values;
} axis;

/* An entry of "runs". */
typedef struct named_run {
    const char *name;
    size_t line;
    sweep_settings settings;
} named_run;

typedef struct reader {
    icseg_yaml_reader yaml;
    sweep_plan *plan;
    icseg_arena *arena;
    icseg_error *error;
    const icseg_recipe *known; /* any recipe: it tells which keys exist */
    const char *recipe;        /* as the file names it; NULL: not yet */
    size_t recipe_line;
    axis *axes;
    named_run *named;
    sweep_settings seeds;
    size_t axis_count, named_count;
} reader;

/* ---- errors, arrays ---- */

/* "FILE:LINE: TEXT" about a key or value. */
static icseg_status fail_at(const reader *r, size_t line, const char *format, ...) ICSEG_PRINTF(3, 4);
static icseg_status fail_at(const reader *r, size_t line, const char *format, ...) {
    char text[ICSEG_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return icseg_error_set(r->error, ICSEG_ERROR_ARGUMENT, "%s:%zu: %s", r->plan->file, line, text);
}

/* Makes room for one more element. The capacity of an array is the power of two that its count does not exceed. */
static bool grow(icseg_arena *arena, void *items, size_t count, size_t size) {
    void *old;
    if (count & (count - 1)) return true;
    memcpy(&old, items, sizeof old);
    void *larger = icseg_arena_array(arena, count ? 2 * count : 1, size);
    if (!larger) return false;
    if (count) memcpy(larger, old, count * size);
    memcpy(items, &larger, sizeof larger);
    return true;
}

static icseg_status append(icseg_arena *arena, sweep_settings *list, sweep_setting setting, icseg_error *error) {
    if (!grow(arena, &list->items, list->count, sizeof *list->items)) return out_of_memory(error);
    list->items[list->count++] = setting;
    return ICSEG_OK;
}

static const sweep_setting *find(const sweep_settings *list, const char *key) {
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i].key, key)) return &list->items[i];
    return NULL;
}

/* ---- reading the file ---- */

/* The key that is the current event. */
static icseg_status read_key(reader *r, const char **key) {
    icseg_error found;
    char *value;
    if (r->yaml.event.type != YAML_SCALAR_EVENT)
        return icseg_yaml_fail(&r->yaml, "expected a key of the recipe, such as \"train.lr: 1e-3\"");
    TRY(icseg_yaml_text(&r->yaml, key));
    if (icseg_recipe_get(r->known, *key, &value, &found) != ICSEG_OK)
        return fail_at(r, icseg_yaml_line(&r->yaml), "%s%s", found.message,
                       strchr(*key, '.') ? "" : "; a key begins with its section, as in train.lr");
    icseg_buffer_free(value);
    if (!strncmp(*key, "pretrain.", 9))
        return fail_at(r, icseg_yaml_line(&r->yaml), "%s: is a key of icseg pretrain; a sweep runs icseg train", *key);
    return ICSEG_OK;
}

/* The value that is the current event, as icseg_recipe_set reads it: "0.1", "[256, 320]", "{8: 0.1, 16: 0.2}". */
static icseg_status read_value(reader *r, const char *key, const char **value) {
    icseg_string text = {0};
    if (r->yaml.event.type == YAML_SCALAR_EVENT) return icseg_yaml_text(&r->yaml, value);
    bool mapping = r->yaml.event.type == YAML_MAPPING_START_EVENT;
    icseg_status status = ICSEG_OK;
    icseg_string_printf(&text, mapping ? "{" : "[");
    for (size_t i = 0; status == ICSEG_OK; i++) {
        const char *item;
        status = icseg_yaml_next(&r->yaml);
        if (status != ICSEG_OK || r->yaml.event.type == YAML_SEQUENCE_END_EVENT ||
            r->yaml.event.type == YAML_MAPPING_END_EVENT)
            break;
        if (r->yaml.event.type != YAML_SCALAR_EVENT)
            status = icseg_yaml_fail(&r->yaml, "%s: nested too deeply; expected plain values", key);
        if (status == ICSEG_OK) status = icseg_yaml_text(&r->yaml, &item);
        if (status == ICSEG_OK) icseg_string_printf(&text, "%s%s", !i ? "" : mapping && i % 2 ? ": " : ", ", item);
    }
    icseg_string_printf(&text, mapping ? "}" : "]");
    *value = status == ICSEG_OK && !text.failed ? icseg_arena_strdup(r->arena, text.data) : NULL;
    icseg_string_close(&text);
    return status != ICSEG_OK ? status : *value ? ICSEG_OK : out_of_memory(r->error);
}

static icseg_status expect_mapping(const reader *r, const char *what) {
    if (r->yaml.event.type == YAML_MAPPING_START_EVENT) return ICSEG_OK;
    return icseg_yaml_fail(&r->yaml, "%s: expected keys of the recipe with values, such as \"train.lr: 1e-3\"", what);
}

/* Appends a setting; a key that the list contains is an error. */
static icseg_status add_setting(reader *r, sweep_settings *list, const char *key, const char *value, size_t line) {
    const sweep_setting *earlier = find(list, key);
    if (earlier) return fail_at(r, line, "%s: is set twice, first in line %zu", key, earlier->line);
    return append(r->arena, list, (sweep_setting){key, value, line}, r->error);
}

static icseg_status read_setting(reader *r, sweep_settings *list) {
    const char *key, *value;
    size_t line = icseg_yaml_line(&r->yaml);
    TRY(read_key(r, &key));
    TRY(icseg_yaml_next(&r->yaml));
    TRY(read_value(r, key, &value));
    return add_setting(r, list, key, value, line);
}

static icseg_status read_set(reader *r, const char *name) {
    TRY(expect_mapping(r, name));
    for (;;) {
        TRY(icseg_yaml_next(&r->yaml));
        if (r->yaml.event.type == YAML_MAPPING_END_EVENT) return ICSEG_OK;
        TRY(read_setting(r, &r->plan->set));
    }
}

/* A list of values. A value that occurs twice would be the same run twice. */
static icseg_status read_values(reader *r, const char *name, const char *key, sweep_settings *list) {
    if (r->yaml.event.type != YAML_SEQUENCE_START_EVENT)
        return icseg_yaml_fail(&r->yaml, "%s: expected a list of values, such as [1, 2]", name);
    size_t first = icseg_yaml_line(&r->yaml);
    for (;;) {
        const char *value;
        TRY(icseg_yaml_next(&r->yaml));
        if (r->yaml.event.type == YAML_SEQUENCE_END_EVENT) break;
        size_t line = icseg_yaml_line(&r->yaml);
        if (list->count == SWEEP_RUNS_MOST)
            return fail_at(r, line, "%s: more than %d values", name, (int)SWEEP_RUNS_MOST);
        TRY(read_value(r, name, &value));
        TRY(append(r->arena, list, (sweep_setting){key, value, line}, r->error));
    }
    if (!list->count) return fail_at(r, first, "%s: the list is empty; give at least one value", name);
    return ICSEG_OK;
}

static icseg_status read_grid(reader *r, const char *name) {
    size_t line = icseg_yaml_line(&r->yaml);
    TRY(expect_mapping(r, name));
    for (;;) {
        TRY(icseg_yaml_next(&r->yaml));
        if (r->yaml.event.type == YAML_MAPPING_END_EVENT) break;
        axis a = {.line = icseg_yaml_line(&r->yaml)};
        TRY(read_key(r, &a.key));
        for (size_t i = 0; i < r->axis_count; i++)
            if (!strcmp(r->axes[i].key, a.key))
                return fail_at(r, a.line, "%s: is in the grid twice, first in line %zu", a.key, r->axes[i].line);
        TRY(icseg_yaml_next(&r->yaml));
        TRY(read_values(r, a.key, a.key, &a.values));
        if (!grow(r->arena, &r->axes, r->axis_count, sizeof *r->axes)) return out_of_memory(r->error);
        r->axes[r->axis_count++] = a;
    }
    return r->axis_count ? ICSEG_OK : fail_at(r, line, "grid: is empty; give it keys with lists of values");
}

/* Names are names of folders and parts of command lines. */
static bool is_name(const char *text) {
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._=+-");
    return isalnum((unsigned char)text[0]) && !text[length] && length <= NAME_MOST;
}

static icseg_status read_name(reader *r, named_run *run) {
    TRY(icseg_yaml_next(&r->yaml));
    if (r->yaml.event.type != YAML_SCALAR_EVENT) return icseg_yaml_fail(&r->yaml, "name: expected a word");
    if (run->name) return fail_at(r, icseg_yaml_line(&r->yaml), "name: this run has two names");
    TRY(icseg_yaml_text(&r->yaml, &run->name));
    if (!is_name(run->name))
        return fail_at(r, icseg_yaml_line(&r->yaml),
                       "name: \"%.80s\": expected at most %d letters, digits and characters of \"._=+-\", beginning "
                       "with a letter or digit",
                       run->name, (int)NAME_MOST);
    for (size_t i = 0; i < r->named_count; i++)
        if (!strcmp(r->named[i].name, run->name))
            return fail_at(r, icseg_yaml_line(&r->yaml), "name: \"%s\" is the name of two runs, first in line %zu",
                           run->name, r->named[i].line);
    return ICSEG_OK;
}

static icseg_status read_named(reader *r) {
    named_run run = {.line = icseg_yaml_line(&r->yaml)};
    if (r->yaml.event.type != YAML_MAPPING_START_EVENT)
        return icseg_yaml_fail(&r->yaml, "runs: expected \"name: NAME\" and keys of the recipe with values");
    for (;;) {
        TRY(icseg_yaml_next(&r->yaml));
        if (r->yaml.event.type == YAML_MAPPING_END_EVENT) break;
        if (r->yaml.event.type == YAML_SCALAR_EVENT && !strcmp((const char *)r->yaml.event.data.scalar.value, "name"))
            TRY(read_name(r, &run));
        else
            TRY(read_setting(r, &run.settings));
    }
    if (!run.name) return fail_at(r, run.line, "runs: this run has no name; add \"name: NAME\"");
    if (r->named_count == SWEEP_RUNS_MOST) return fail_at(r, run.line, "runs: more than %d", (int)SWEEP_RUNS_MOST);
    if (!grow(r->arena, &r->named, r->named_count, sizeof *r->named)) return out_of_memory(r->error);
    r->named[r->named_count++] = run;
    return ICSEG_OK;
}

static icseg_status read_runs(reader *r, const char *name) {
    size_t line = icseg_yaml_line(&r->yaml);
    if (r->yaml.event.type != YAML_SEQUENCE_START_EVENT)
        return icseg_yaml_fail(&r->yaml, "%s: expected a list of runs, each \"- name: NAME\" and its settings", name);
    for (;;) {
        TRY(icseg_yaml_next(&r->yaml));
        if (r->yaml.event.type == YAML_SEQUENCE_END_EVENT) break;
        TRY(read_named(r));
    }
    return r->named_count ? ICSEG_OK : fail_at(r, line, "runs: the list is empty; give at least one run");
}

static icseg_status read_seeds(reader *r, const char *name) { return read_values(r, name, seed_key, &r->seeds); }

static icseg_status read_text(reader *r, const char *name, const char **text) {
    if (r->yaml.event.type != YAML_SCALAR_EVENT) return icseg_yaml_fail(&r->yaml, "%s: expected a path", name);
    TRY(icseg_yaml_text(&r->yaml, text));
    return **text ? ICSEG_OK : fail_at(r, icseg_yaml_line(&r->yaml), "%s: is empty; expected a path", name);
}

static icseg_status read_recipe(reader *r, const char *name) {
    r->recipe_line = icseg_yaml_line(&r->yaml);
    return read_text(r, name, &r->recipe);
}

static icseg_status read_out(reader *r, const char *name) { return read_text(r, name, &r->plan->out); }

/* Short for a key of "set". */
static icseg_status read_place(reader *r, const char *name, const char *key) {
    const char *value;
    size_t line = icseg_yaml_line(&r->yaml);
    TRY(read_text(r, name, &value));
    return add_setting(r, &r->plan->set, key, value, line);
}
static icseg_status read_data(reader *r, const char *name) { return read_place(r, name, "data.folder"); }
static icseg_status read_init(reader *r, const char *name) { return read_place(r, name, "model.init"); }

static const char *const parts[] = {"recipe", "data", "init", "out", "set", "grid", "runs", "seeds"};
static icseg_status (*const read_part[])(reader *, const char *) = {read_recipe, read_data, read_init, read_out,
                                                                    read_set,    read_grid, read_runs, read_seeds};
enum { PARTS = sizeof parts / sizeof *parts };

static icseg_status fail_part(const reader *r, const char *name) {
    char *value;
    const char *nearest = icseg_text_nearest(name, parts, PARTS);
    if (icseg_recipe_get(r->known, name, &value, NULL) == ICSEG_OK) {
        icseg_buffer_free(value);
        return fail_at(r, icseg_yaml_line(&r->yaml), "%s: put keys of the recipe into set, grid or runs", name);
    }
    return fail_at(r, icseg_yaml_line(&r->yaml), "%.80s: unknown key; %s%s%s", name,
                   nearest ? "did you mean " : "expected recipe, data, init, out, set, grid, runs or seeds",
                   nearest ? nearest : "", nearest ? "?" : "");
}

static icseg_status read_document(reader *r) {
    size_t seen[PARTS] = {0};
    TRY(icseg_yaml_begin(&r->yaml));
    if (r->yaml.event.type != YAML_MAPPING_START_EVENT)
        return icseg_yaml_fail(&r->yaml, "expected \"recipe: FILE\" and grid, runs or seeds");
    for (;;) {
        const char *name;
        size_t part = 0;
        TRY(icseg_yaml_next(&r->yaml));
        if (r->yaml.event.type == YAML_MAPPING_END_EVENT) break;
        if (r->yaml.event.type != YAML_SCALAR_EVENT) return icseg_yaml_fail(&r->yaml, "a key must be a plain word");
        TRY(icseg_yaml_text(&r->yaml, &name));
        while (part < PARTS && strcmp(parts[part], name) != 0) part++;
        if (part == PARTS) return fail_part(r, name);
        if (seen[part])
            return fail_at(r, icseg_yaml_line(&r->yaml), "%s: occurs twice, first in line %zu", name, seen[part]);
        seen[part] = icseg_yaml_line(&r->yaml);
        TRY(icseg_yaml_next(&r->yaml));
        TRY(read_part[part](r, name));
    }
    return icseg_yaml_end(&r->yaml);
}

/* ---- what is set in several places ---- */

static const sweep_setting *find_in_runs(const reader *r, const char *key) {
    const sweep_setting *found = NULL;
    for (size_t i = 0; i < r->named_count && !found; i++) found = find(&r->named[i].settings, key);
    return found;
}

/* A run may change what "set" sets for all; all else would leave open which value counts. */
static icseg_status check_places(const reader *r) {
    for (size_t i = 0; i < r->axis_count; i++) {
        const sweep_setting *other = find(&r->plan->set, r->axes[i].key);
        if (!other) other = find_in_runs(r, r->axes[i].key);
        if (other)
            return fail_at(r, r->axes[i].line, "%s: is in the grid, and is set in line %zu; remove one of them",
                           other->key, other->line);
    }
    if (!r->seeds.count) return ICSEG_OK;
    const sweep_setting *other = find(&r->plan->set, seed_key);
    if (!other) other = find_in_runs(r, seed_key);
    for (size_t i = 0; i < r->axis_count && !other; i++) other = find(&r->axes[i].values, seed_key);
    if (!other) return ICSEG_OK;
    return fail_at(r, other->line, "%s: the file also has seeds; remove one of them", seed_key);
}

static icseg_status add_option(reader *r, const char *key, const char *value) {
    const sweep_setting *other = find_in_runs(r, key);
    for (size_t i = 0; i < r->axis_count && !other; i++) other = find(&r->axes[i].values, key);
    if (!other && r->seeds.count && !strcmp(key, seed_key)) other = &r->seeds.items[0];
    if (other)
        return icseg_error_set(r->error, ICSEG_ERROR_ARGUMENT,
                               "%s: cannot be set on the command line, because the runs of %s differ in it (line %zu)",
                               key, r->plan->file, other->line);
    return append(r->arena, &r->plan->set, (sweep_setting){key, value, 0}, r->error);
}

static icseg_status add_options(reader *r, const sweep_place *place) {
    for (size_t i = 0; i < place->set.count; i++) {
        const char *text = place->set.items[i], *equals = strchr(text, '=');
        if (!equals || equals == text)
            return icseg_error_set(r->error, ICSEG_ERROR_ARGUMENT, "\"%.80s\" is not KEY=VALUE, such as train.lr=1e-3",
                                   text);
        const char *key = icseg_arena_printf(r->arena, "%.*s", (int)(equals - text), text);
        if (!key) return out_of_memory(r->error);
        TRY(add_option(r, key, equals + 1));
    }
    return place->data ? add_option(r, "data.folder", place->data) : ICSEG_OK;
}

/* ---- the runs ---- */

static icseg_status add_key(const reader *r, const char *key) {
    sweep_plan *plan = r->plan;
    for (size_t i = 0; i < plan->key_count; i++)
        if (!strcmp(plan->keys[i], key)) return ICSEG_OK;
    if (!grow(r->arena, &plan->keys, plan->key_count, sizeof *plan->keys)) return out_of_memory(r->error);
    plan->keys[plan->key_count++] = key;
    return ICSEG_OK;
}

static icseg_status list_keys(const reader *r) {
    for (size_t i = 0; i < r->named_count; i++)
        for (size_t k = 0; k < r->named[i].settings.count; k++) TRY(add_key(r, r->named[i].settings.items[k].key));
    for (size_t i = 0; i < r->axis_count; i++) TRY(add_key(r, r->axes[i].key));
    return r->seeds.count ? add_key(r, seed_key) : ICSEG_OK;
}

/* Lists of named runs, values of the grid and seeds are combined, the last of them fastest. */
static icseg_status count_runs(const reader *r) {
    sweep_plan *plan = r->plan;
    if (!r->named_count && !r->axis_count && !r->seeds.count)
        return icseg_error_set(r->error, ICSEG_ERROR_ARGUMENT,
                               "%s: expected grid, runs or seeds, which say what the runs differ in", plan->file);
    plan->seeds = r->seeds.count ? r->seeds.count : 1;
    plan->count = plan->seeds * (r->named_count ? r->named_count : 1); /* each is at most SWEEP_RUNS_MOST */
    for (size_t i = 0; i < r->axis_count && plan->count <= SWEEP_RUNS_MOST; i++) plan->count *= r->axes[i].values.count;
    if (plan->count <= SWEEP_RUNS_MOST) return ICSEG_OK;
    return icseg_error_set(r->error, ICSEG_ERROR_ARGUMENT, "%s: more than %d runs; divide them among several files",
                           plan->file, (int)SWEEP_RUNS_MOST);
}

static icseg_status list_settings(const reader *r, size_t index, sweep_settings *out) {
    size_t seed = index % r->plan->seeds, rest = index / r->plan->seeds, size = r->plan->count / r->plan->seeds;
    if (r->named_count) {
        const named_run *named = &r->named[rest / (size / r->named_count)];
        for (size_t i = 0; i < named->settings.count; i++)
            TRY(append(r->arena, out, named->settings.items[i], r->error));
        size /= r->named_count;
        rest %= size;
    }
    for (size_t i = 0; i < r->axis_count; i++) {
        size /= r->axes[i].values.count;
        TRY(append(r->arena, out, r->axes[i].values.items[rest / size], r->error));
        rest %= size;
    }
    return r->seeds.count ? append(r->arena, out, r->seeds.items[seed], r->error) : ICSEG_OK;
}

static icseg_status list_runs(const reader *r) {
    sweep_plan *plan = r->plan;
    TRY(count_runs(r));
    TRY(list_keys(r));
    plan->runs = icseg_arena_array(r->arena, plan->count, sizeof *plan->runs);
    if (!plan->runs) return out_of_memory(r->error);
    for (size_t i = 0; i < plan->count; i++) TRY(list_settings(r, i, &plan->runs[i].settings));
    return ICSEG_OK;
}

/* ---- recipes ---- */

static icseg_status apply(const sweep_plan *plan, const sweep_settings *list, icseg_recipe *recipe,
                          icseg_error *error) {
    for (size_t i = 0; i < list->count; i++) {
        const sweep_setting *s = &list->items[i];
        icseg_status status = icseg_recipe_set(recipe, s->key, s->value, error);
        if (status == ICSEG_OK) continue;
        if (!s->line || status == ICSEG_ERROR_MEMORY) return status;
        error->remedy = ICSEG_REMEDY_NONE; /* the line of the file is the place to change it */
        return error_prefix(error, "%s:%zu", plan->file, s->line);
    }
    return ICSEG_OK;
}

/* Relative paths are those of the current folder; the sweep may be continued from another one. */
static icseg_status make_absolute(icseg_recipe *recipe, icseg_error *error) {
    static const char *const keys[] = {"data.folder", "data.classes", "data.class_weights", "model.init",
                                       "model.merges"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char *value, path[PATH_MAX];
        TRY(icseg_recipe_get(recipe, keys[i], &value, error));
        bool change = *value && *value != '/' && realpath(value, path);
        icseg_buffer_free(value);
        if (change) TRY(icseg_recipe_set(recipe, keys[i], path, error));
    }
    return ICSEG_OK;
}

icseg_status sweep_plan_recipe(const sweep_plan *plan, const sweep_run *run, icseg_recipe **out, icseg_error *error) {
    TRY(icseg_recipe_open_text(out, plan->recipe, plan->recipe_text, plan->recipe_size, error));
    icseg_status status = apply(plan, &plan->set, *out, error);
    if (status == ICSEG_OK) status = apply(plan, &run->settings, *out, error);
    if (status == ICSEG_OK) status = make_absolute(*out, error);
    if (status != ICSEG_OK) icseg_recipe_close(out);
    return status;
}

/* ---- names ---- */

/* "lr" of "train.lr", unless another key of the grid has the same last part. */
static const char *short_key(const reader *r, const char *key) {
    const char *last = strchr(key, '.') ? strchr(key, '.') + 1 : key;
    for (size_t i = 0; i < r->axis_count; i++) {
        const char *other = r->axes[i].key, *dot = strchr(other, '.');
        if (strcmp(other, key) != 0 && dot && !strcmp(dot + 1, last)) return key;
    }
    return last;
}

/* Appends "_KEY=VALUE", with '-' for characters that names do not have. */
static void append_part(icseg_string *name, const char *key, const char *value) {
    icseg_string_printf(name, "%s%s=", name->size ? "_" : "", key);
    bool gap = false, begun = false;
    for (const char *c = value; *c; c++) {
        bool kept = isalnum((unsigned char)*c) || strchr(".+-", *c);
        if (kept && gap && begun) icseg_string_append(name, "-", 1);
        if (kept) icseg_string_append(name, c, 1);
        begun |= kept;
        gap = !kept;
    }
    if (!begun) icseg_string_append(name, "none", 4);
}

static icseg_status name_run(const reader *r, size_t index, icseg_error *error) {
    sweep_plan *plan = r->plan;
    sweep_run *run = &plan->runs[index];
    icseg_string name = {0};
    if (r->named_count) icseg_string_printf(&name, "%s", r->named[index / (plan->count / r->named_count)].name);
    for (size_t i = 0; i < r->axis_count; i++) {
        size_t k = 0;
        while (strcmp(plan->keys[k], r->axes[i].key) != 0) k++;
        append_part(&name, short_key(r, plan->keys[k]), run->values[k]);
    }
    run->group = icseg_arena_strdup(r->arena, name.data ? name.data : "");
    if (r->seeds.count) append_part(&name, "seed", run->values[plan->key_count - 1]);
    run->name = name.failed ? NULL : icseg_arena_strdup(r->arena, name.data);
    size_t size = name.size;
    icseg_string_close(&name);
    if (!run->name || !run->group) return out_of_memory(error);
    if (size <= NAME_MOST) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                           "%s: the name of a run would have more than %d characters: %.60s...; give the runs names "
                           "with \"runs\"",
                           plan->file, (int)NAME_MOST, run->name);
}

static int compare_names(const void *a, const void *b) {
    return strcmp((*(const sweep_run *const *)a)->name, (*(const sweep_run *const *)b)->name);
}

static icseg_status check_names(const sweep_plan *plan, icseg_arena *arena, icseg_error *error) {
    const sweep_run **sorted = icseg_arena_array(arena, plan->count, sizeof *sorted);
    if (!sorted) return out_of_memory(error);
    for (size_t i = 0; i < plan->count; i++) sorted[i] = &plan->runs[i];
    qsort(sorted, plan->count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < plan->count; i++)
        if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                                   "%s: two runs would have the name %s; remove the value that occurs twice, or give "
                                   "the runs names with \"runs\"",
                                   plan->file, sorted[i]->name);
    return ICSEG_OK;
}

/* The command line cannot set a key in which the runs differ. */
static icseg_status fail_run(const sweep_plan *plan, const sweep_run *run, icseg_error *error) {
    for (size_t k = 0; k < plan->key_count; k++)
        if (!strcmp(plan->keys[k], error->field)) error->remedy = ICSEG_REMEDY_NONE;
    return error_prefix(error, "%s: run %s", plan->file, run->name);
}

/* Opens and checks the recipe of a run, and stores the values in which it differs. */
static icseg_status check_run(const reader *r, size_t index, icseg_error *error) {
    sweep_plan *plan = r->plan;
    sweep_run *run = &plan->runs[index];
    icseg_recipe *recipe;
    const char **values = icseg_arena_array(r->arena, plan->key_count, sizeof *values);
    run->values = values;
    if (!values) return out_of_memory(error);
    TRY(sweep_plan_recipe(plan, run, &recipe, error));
    icseg_status status = ICSEG_OK;
    for (size_t k = 0; k < plan->key_count && status == ICSEG_OK; k++) {
        char *value;
        status = icseg_recipe_get(recipe, plan->keys[k], &value, error);
        values[k] = status == ICSEG_OK ? icseg_arena_strdup(r->arena, value) : NULL;
        icseg_buffer_free(value);
        if (status == ICSEG_OK && !values[k]) status = out_of_memory(error);
    }
    if (status == ICSEG_OK) status = name_run(r, index, error);
    if (status == ICSEG_OK) {
        status = icseg_recipe_check(recipe, error);
        if (status != ICSEG_OK && status != ICSEG_ERROR_MEMORY) fail_run(plan, run, error);
    }
    icseg_recipe_close(&recipe);
    return status;
}

/* ---- opening ---- */

static icseg_status read_base(reader *r) {
    sweep_plan *plan = r->plan;
    const char *slash = strrchr(plan->file, '/');
    char *text;
    if (!r->recipe)
        return icseg_error_set(r->error, ICSEG_ERROR_ARGUMENT,
                               "%s: \"recipe: FILE\" is missing: the recipe that the runs share", plan->file);
    plan->recipe = *r->recipe == '/' || !slash
                       ? r->recipe
                       : icseg_arena_printf(r->arena, "%.*s/%s", (int)(slash - plan->file), plan->file, r->recipe);
    if (!plan->recipe) return out_of_memory(r->error);
    icseg_status status = file_read(plan->recipe, FILE_LIMIT, r->arena, &text, &plan->recipe_size, r->error);
    plan->recipe_text = text;
    if (status == ICSEG_OK || status == ICSEG_ERROR_MEMORY) return status;
    return error_prefix(r->error, "%s:%zu: recipe", plan->file, r->recipe_line);
}

static icseg_status read_file(reader *r, const sweep_place *place) {
    char *text;
    size_t size;
    TRY(file_read(r->plan->file, FILE_LIMIT, r->arena, &text, &size, r->error));
    TRY(icseg_yaml_open(&r->yaml, r->plan->file, text, size, r->arena, r->error));
    icseg_status status = read_document(r);
    icseg_yaml_close(&r->yaml);
    if (status == ICSEG_OK) status = check_places(r);
    if (status == ICSEG_OK) status = add_options(r, place);
    return status == ICSEG_OK ? list_runs(r) : status;
}

static icseg_status choose_folders(sweep_plan *plan, const char *out, icseg_arena *arena, icseg_error *error) {
    const char *stem = path_stem(arena, plan->file);
    if (out) plan->out = out;
    if (!plan->out) plan->out = stem ? icseg_arena_printf(arena, "runs/%s", stem) : NULL;
    if (!plan->out) return out_of_memory(error);
    for (size_t i = 0; i < plan->count; i++) {
        sweep_run *run = &plan->runs[i];
        run->folder = icseg_arena_printf(arena, "%s/%s", plan->out, run->name);
        run->recipe = icseg_arena_printf(arena, "%s/%s/%s.yaml", plan->out, run->name, run->name);
        if (!run->folder || !run->recipe) return out_of_memory(error);
    }
    return ICSEG_OK;
}

icseg_status sweep_plan_open(sweep_plan *plan, const sweep_place *place, icseg_arena *arena, icseg_error *error) {
    icseg_recipe *known;
    *plan = (sweep_plan){.file = place->file};
    TRY(icseg_recipe_open_preset(&known, NULL, error));
    reader r = {.plan = plan, .arena = arena, .error = error, .known = known};
    icseg_status status = read_file(&r, place);
    icseg_recipe_close(&known);
    if (status == ICSEG_OK) status = read_base(&r);
    for (size_t i = 0; i < plan->count && status == ICSEG_OK; i++) status = check_run(&r, i, error);
    if (status == ICSEG_OK) status = check_names(plan, arena, error);
    return status == ICSEG_OK ? choose_folders(plan, place->out, arena, error) : status;
}

/* SPDX-License-Identifier: Apache-2.0
 * Opening, changing and writing recipes. A recipe is a list of assignments on top of the published settings. Its
 * settings are recomputed after every change, so that a preset is applied first whenever it is set. */
#include "train/recipe.h"

#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/struct_size.h"
#include "model/config.h"
#include "text/utf8.h"
#include "train/assignment.h"
#include "train/recipe_yaml.h"

enum { KEY_SIZE = 96 };

const icseg_recipe_assignment *icseg_recipe_find(const icseg_recipe *recipe, const char *key) {
    const icseg_recipe_assignment *found = NULL;
    for (const icseg_recipe_assignment *a = recipe->first; a; a = a->next)
        if (!strcmp(a->key, key)) found = a;
    return found;
}

/* Setting an unknown key would not help, so the error has no remedy. */
static icseg_status unknown_key(icseg_error *error, const char *key, const char *origin) {
    icseg_option_table table = icseg_recipe_table();
    icseg_status status = icseg_option_unknown(&table, key, origin, error);
    if (error) snprintf(error->field, sizeof error->field, "%.*s", ICSEG_ERROR_FIELD_SIZE - 1, key);
    return status;
}

/* Adds the key to an error that does not name a field yet. Returns `status`. */
static icseg_status name_key(icseg_error *error, const char *key, icseg_status status) {
    if (status != ICSEG_OK && status != ICSEG_ERROR_MEMORY && error && !error->field[0]) {
        snprintf(error->field, sizeof error->field, "%s", key);
        error->remedy = ICSEG_REMEDY_SET_FIELD;
    }
    return status;
}

static icseg_status apply(icseg_recipe *recipe, const icseg_recipe_assignment *a, icseg_error *error) {
    icseg_option_table table = icseg_recipe_table();
    icseg_status status =
        a->list ? icseg_option_set_list(&table, &recipe->settings, recipe->arena, a->key, a->items, a->count, a->origin,
                                        error)
                : icseg_option_set(&table, &recipe->settings, recipe->arena, a->key, a->items[0], a->origin, error);
    return name_key(error, a->key, status);
}

/* ---- align_weights written as a list: [0.1, 0.2, 0.4] for strides 8, 16, 32 ---- */

static bool is_weight_list(const icseg_recipe_assignment *a) {
    return !strcmp(a->key, "model.align_weights") && (!a->count || !strchr(a->items[0], ':'));
}

/* Turns the list into "{8: 0.1, 16: 0.2, 32: 0.4}". An empty list and "{}" are for a model without strides. */
static icseg_status apply_weight_list(icseg_recipe *recipe, const icseg_recipe_assignment *a, icseg_error *error) {
    icseg_string list = {0}, mapping = {0};
    for (size_t i = 0; i < a->count; i++) icseg_string_printf(&list, "%s%s", i ? "," : "", a->items[i]);
    size_t given = 0, needed = 0;
    const char *at = list.data ? list.data + strspn(list.data, " [{") : "";
    for (int level = 0; level < ICSEG_LEVELS; level++) {
        if (!recipe->settings.model.align[level]) continue;
        size_t length = strcspn(at, ",]} ");
        needed++;
        given += length > 0;
        icseg_string_printf(&mapping, "%s%d: %.*s", mapping.size ? ", " : "", (int)icseg_strides[level], (int)length,
                            at);
        at += length;
        at += strspn(at, ", ");
    }
    at += strspn(at, "]} ");
    icseg_status status;
    if (list.failed || mapping.failed)
        status = icseg_fail_memory(error, 0, "align_weights");
    else if (given != needed || *at)
        status = icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, a->key, ICSEG_REMEDY_SET_FIELD,
                                  "%s%s%s: a list needs one weight for each of the %zu align_strides",
                                  a->origin ? a->origin : "", a->origin ? ": " : "", a->key, needed);
    else {
        const char *item = mapping.data;
        icseg_recipe_assignment mapped = *a;
        mapped.items = &item;
        mapped.count = needed ? 1 : 0;
        mapped.list = !needed;
        status = apply(recipe, &mapped, error);
    }
    icseg_string_close(&list);
    icseg_string_close(&mapping);
    return status;
}

/* ---- from assignments to settings ---- */

/* 0: keys that set the defaults of others; 2: keys whose meaning depends on others; 1: all other keys. */
static int pass_of(const char *key) {
    if (!strcmp(key, "model.preset") || !strcmp(key, "model.tokenizer")) return 0;
    return strcmp(key, "model.align_weights") != 0 ? 1 : 2;
}

/* Recomputes the settings. They are unchanged on failure. */
static icseg_status resolve(icseg_recipe *recipe, icseg_error *error) {
    icseg_recipe updated = *recipe;
    const icseg_recipe_assignment *preset = icseg_recipe_find(recipe, "model.preset");
    if (preset) ICSEG_TRY(apply(&updated, preset, error));
    icseg_recipe_published(&updated.settings, preset ? updated.settings.preset : 0);
    for (int pass = 0; pass < 3; pass++) {
        for (const icseg_recipe_assignment *a = updated.first; a; a = a->next) {
            if (pass_of(a->key) != pass) continue;
            ICSEG_TRY(is_weight_list(a) ? apply_weight_list(&updated, a, error) : apply(&updated, a, error));
        }
        if (pass == 0) updated.settings.model.vocab_size = icseg_recipe_vocabulary(updated.settings.tokenizer);
    }
    recipe->settings = updated.settings;
    return ICSEG_OK;
}

static icseg_status check_text(const icseg_recipe_assignment *a, icseg_error *error) {
    for (size_t i = 0; i < a->count; i++)
        if (icseg_utf8_check(a->items[i], strlen(a->items[i])) != strlen(a->items[i]))
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, a->key, ICSEG_REMEDY_SET_FIELD,
                                    "%s%s%s: the text is not UTF-8", a->origin ? a->origin : "", a->origin ? ": " : "",
                                    a->key);
    return ICSEG_OK;
}

static void link_last(icseg_recipe *recipe, icseg_recipe_assignment *a) {
    if (recipe->last)
        recipe->last->next = a;
    else
        recipe->first = a;
    recipe->last = a;
}

static void unlink_last(icseg_recipe *recipe, icseg_recipe_assignment *before) {
    recipe->last = before;
    if (before)
        before->next = NULL;
    else
        recipe->first = NULL;
}

/* Removes what was set before for the key of the last assignment, so that a recipe that is set often stays short. */
static void unlink_earlier(icseg_recipe *recipe) {
    icseg_recipe_assignment **at = &recipe->first;
    while (*at != recipe->last)
        if (!strcmp((*at)->key, recipe->last->key))
            *at = (*at)->next;
        else
            at = &(*at)->next;
}

icseg_status icseg_recipe_set(icseg_recipe *recipe, const char *key, const char *value, icseg_error *error) {
    ICSEG_NEED(recipe);
    ICSEG_NEED(key);
    ICSEG_NEED(value);
    icseg_option_table table = icseg_recipe_table();
    const icseg_option *option = icseg_option_find(&table, key);
    if (!option) return unknown_key(error, key, NULL);
    icseg_recipe_assignment *a = icseg_arena_alloc(recipe->arena, sizeof *a), *before = recipe->last;
    const char **item = icseg_arena_alloc(recipe->arena, sizeof *item);
    char *copy = icseg_arena_strdup(recipe->arena, value);
    if (!a || !item || !copy) return icseg_fail_memory_in(error, 0, key);
    *item = copy;
    *a = (icseg_recipe_assignment){.key = option->key, .items = item, .count = 1};
    ICSEG_TRY(check_text(a, error));
    link_last(recipe, a);
    icseg_status status = resolve(recipe, error);
    if (status == ICSEG_OK)
        unlink_earlier(recipe);
    else
        unlink_last(recipe, before);
    return status;
}

icseg_status icseg_recipe_assign(icseg_recipe *recipe, const char *assignment, icseg_error *error) {
    ICSEG_NEED(recipe);
    ICSEG_NEED(assignment);
    char key[KEY_SIZE];
    const char *equals = strchr(assignment, '=');
    size_t length = equals ? (size_t)(equals - assignment) : 0;
    if (!length)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "\"%.80s\" is not KEY=VALUE, such as train.lr=1e-3", assignment);
    snprintf(key, sizeof key, "%.*s", (int)(length < sizeof key ? length : sizeof key - 1), assignment);
    return icseg_recipe_set(recipe, key, equals + 1, error);
}

/* ---- opening ---- */

static icseg_status create(icseg_recipe **out, const char *name, icseg_error *error) {
    icseg_recipe *r = *out = icseg_calloc_array(1, sizeof *r);
    if (!r) return icseg_fail_memory(error, 0, "the recipe");
    icseg_status status;
    ICSEG_TRY_GOTO(icseg_arena_open(&r->arena, error));
    r->name = icseg_arena_strdup(r->arena, name);
    status = r->name ? resolve(r, error) : icseg_fail_memory(error, 0, "the recipe");
fail:
    if (status != ICSEG_OK) icseg_recipe_close(out);
    return status;
}

icseg_status icseg_recipe_open_preset(icseg_recipe **out, const char *preset, icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    if (!preset) preset = icseg_preset_name(0);
    if (icseg_preset_find(preset, error) < 0) return ICSEG_ERROR_ARGUMENT;
    ICSEG_TRY(create(out, preset, error));
    icseg_status status = icseg_recipe_set(*out, "model.preset", preset, error);
    if (status != ICSEG_OK) icseg_recipe_close(out);
    return status;
}

typedef struct reading {
    icseg_recipe *recipe;
    icseg_recipe scratch; /* each value is tried here, so that errors are found in file order */
    const char *name;
} reading;

static icseg_status take_value(void *user, const icseg_yaml_value *value, icseg_error *error) {
    reading *r = user;
    icseg_option_table table = icseg_recipe_table();
    const char *origin = icseg_arena_printf(r->recipe->arena, "%s:%zu", r->name, value->line);
    icseg_recipe_assignment *a = icseg_arena_alloc(r->recipe->arena, sizeof *a);
    if (!a || !origin) return icseg_fail_memory_in(error, 0, r->name);
    const icseg_option *option = icseg_option_find(&table, value->key);
    if (!option) return unknown_key(error, value->key, origin);
    const icseg_recipe_assignment *earlier = icseg_recipe_find(r->recipe, value->key);
    if (earlier)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, value->key, ICSEG_REMEDY_SET_FIELD,
                                "%s: %s: is set twice, first at %s", origin, value->key, earlier->origin);
    *a = (icseg_recipe_assignment){
        .key = option->key, .origin = origin, .items = value->items, .count = value->count, .list = value->list};
    ICSEG_TRY(check_text(a, error));
    if (!is_weight_list(a)) ICSEG_TRY(apply(&r->scratch, a, error));
    link_last(r->recipe, a);
    return ICSEG_OK;
}

/* Messages name the text `path`. */
static icseg_status open_text(icseg_recipe **out, const char *path, const void *text, size_t size, icseg_error *error) {
    ICSEG_TRY(create(out, icseg_path_name(path), error));
    reading r = {.recipe = *out, .scratch = **out, .name = path};
    icseg_status status = icseg_yaml_read_sections(path, text, size, (*out)->arena, take_value, &r, error);
    if (status == ICSEG_OK) status = resolve(*out, error);
    if (status != ICSEG_OK) icseg_recipe_close(out);
    return status;
}

icseg_status icseg_recipe_open_text(icseg_recipe **out, const char *name, const char *text, size_t size,
                                    icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    if (size > 0) ICSEG_NEED(text);
    if (!name) name = "recipe";
    if (size > ICSEG_RECIPE_SIZE_LIMIT)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: %zu bytes is too long for a recipe; the limit is %d", name,
                          size, (int)ICSEG_RECIPE_SIZE_LIMIT);
    return open_text(out, name, size ? text : "", size, error);
}

icseg_status icseg_recipe_open(icseg_recipe **out, const char *path, icseg_error *error) {
    unsigned char *text;
    size_t size;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(path);
    ICSEG_TRY(icseg_file_read_text(path, ICSEG_RECIPE_SIZE_LIMIT, &text, &size, error));
    icseg_status status = open_text(out, path, text, size, error);
    icseg_free(text);
    return status;
}

void icseg_recipe_close(icseg_recipe **recipe) {
    if (!recipe || !*recipe) return;
    icseg_arena_close(&(*recipe)->arena);
    icseg_free(*recipe);
    *recipe = NULL;
}

/* ---- reading, comparing and writing ---- */

/* Passes the text to the caller, who owns *out. */
static icseg_status release(icseg_string *text, char **out, icseg_error *error) {
    *out = text->failed ? NULL : text->data ? text->data : icseg_strdup("");
    if (text->failed) icseg_string_close(text);
    return *out ? ICSEG_OK : icseg_fail_memory(error, 0, "the recipe's text");
}

icseg_status icseg_recipe_get(const icseg_recipe *recipe, const char *key, char **out, icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(recipe);
    ICSEG_NEED(key);
    icseg_option_table table = icseg_recipe_table();
    const icseg_option *option = icseg_option_find(&table, key);
    if (!option) return unknown_key(error, key, NULL);
    icseg_string text = {0};
    icseg_option_format(option, &recipe->settings, false, &text);
    return release(&text, out, error);
}

const char *icseg_recipe_compare(const icseg_recipe_settings *a, const icseg_recipe_settings *b,
                                 bool (*matters)(const char *key), icseg_string *a_text, icseg_string *b_text) {
    icseg_option_table table = icseg_recipe_table();
    for (size_t i = 0; i < table.count; i++) {
        if (!matters(table.rows[i].key)) continue;
        icseg_string_close(a_text);
        icseg_string_close(b_text);
        icseg_option_format(&table.rows[i], a, true, a_text);
        icseg_option_format(&table.rows[i], b, true, b_text);
        if (a_text->failed || b_text->failed) return table.rows[i].key;
        if (a_text->data && b_text->data && strcmp(a_text->data, b_text->data) != 0) return table.rows[i].key;
    }
    return NULL;
}

icseg_schedule icseg_recipe_schedule(const icseg_recipe_settings *r) {
    return (icseg_schedule){.lr = r->train.lr,
                            .min_lr = r->train.min_lr,
                            .power = r->train.power,
                            .warmup_ratio = r->train.warmup_ratio,
                            .steps = r->train.steps,
                            .warmup = r->train.warmup};
}

static size_t rows_of(const icseg_option_table *table, const char *section, size_t *first) {
    size_t count = 0, length = strlen(section);
    for (size_t i = 0; i < table->count; i++)
        if (!strncmp(table->rows[i].key, section, length) && count++ == 0) *first = i;
    return count;
}

icseg_status icseg_recipe_format(const icseg_recipe_settings *settings, icseg_recipe_use use, icseg_string *out,
                                 icseg_error *error) {
    icseg_option_table all = icseg_recipe_table(), model = all, pretrain = all, train = all;
    size_t first = 0;
    model.count = rows_of(&all, "model.", &first);
    pretrain.count = rows_of(&all, "pretrain.", &first);
    pretrain.rows += first;
    train.count -= pretrain.count; /* it is the last section */
    icseg_options_yaml(use == ICSEG_RECIPE_TRAIN ? &train : &model, settings, out);
    if (use == ICSEG_RECIPE_PRETRAIN) {
        icseg_string_append(out, "\n", 1);
        icseg_options_yaml(&pretrain, settings, out);
    }
    return out->failed ? icseg_fail_memory(error, 0, "the recipe's text") : ICSEG_OK;
}

icseg_status icseg_recipe_text(const icseg_recipe *recipe, char **out, icseg_error *error) {
    icseg_string text = {0};
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(recipe);
    icseg_option_table table = icseg_recipe_table();
    icseg_options_yaml(&table, &recipe->settings, &text);
    return release(&text, out, error);
}

icseg_status icseg_recipe_write(const icseg_recipe *recipe, const char *path, icseg_error *error) {
    icseg_string text = {0};
    ICSEG_NEED(recipe);
    ICSEG_NEED(path);
    icseg_option_table table = icseg_recipe_table();
    icseg_options_yaml(&table, &recipe->settings, &text);
    icseg_status status = text.failed ? icseg_fail_memory(error, 0, "the recipe's text")
                                      : icseg_file_write(path, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

icseg_status icseg_recipe_copy(icseg_recipe **out, const icseg_recipe *recipe, icseg_error *error) {
    char *text;
    *out = NULL;
    ICSEG_TRY(icseg_recipe_text(recipe, &text, error));
    icseg_status status = icseg_recipe_open_text(out, recipe->name, text, strlen(text), error);
    icseg_buffer_free(text);
    return status;
}

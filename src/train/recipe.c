/* SPDX-License-Identifier: Apache-2.0
 * Reading, changing, checking and writing recipes. A recipe is the published settings plus a list of assignments, and
 * is computed anew from them at every change, so that presets act first wherever they stand. */
#include "train/recipe.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "text/tokenizer.h"
#include "text/utf8.h"
#include "train/recipe_yaml.h"

enum { CLIP_VOCAB = 49408, KEY_MOST = 96 };

struct icseg_recipe_assignment {
    const char *key, *origin; /* origin may be NULL */
    const char *const *items; /* (count) */
    size_t count;
    bool list;
    icseg_recipe_assignment *next;
};

static const icseg_recipe_assignment *find_last(const icseg_recipe *recipe, const char *key) {
    const icseg_recipe_assignment *found = NULL;
    for (const icseg_recipe_assignment *a = recipe->first; a; a = a->next)
        if (!strcmp(a->key, key)) found = a;
    return found;
}

static icseg_status apply(icseg_recipe *recipe, const icseg_recipe_assignment *a, icseg_error *error) {
    icseg_option_table table = icseg_recipe_table();
    if (a->list)
        return icseg_option_set_list(&table, recipe, recipe->arena, a->key, a->items, a->count, a->origin, error);
    return icseg_option_set(&table, recipe, recipe->arena, a->key, a->items[0], a->origin, error);
}

/* ---- align_weights written as a list: [0.1, 0.2, 0.4] for strides 8, 16, 32 ---- */

static bool is_weight_list(const icseg_recipe_assignment *a) {
    return !strcmp(a->key, "model.align_weights") && a->count && !strchr(a->items[0], ':');
}

/* Turns the list into "{8: 0.1, 16: 0.2, 32: 0.4}". */
static icseg_status apply_weight_list(icseg_recipe *recipe, const icseg_recipe_assignment *a, icseg_error *error) {
    icseg_string list = {0}, mapping = {0};
    for (size_t i = 0; i < a->count; i++) icseg_string_printf(&list, "%s%s", i ? "," : "", a->items[i]);
    size_t given = 0, wanted = 0;
    const char *at = list.data ? list.data + strspn(list.data, " [") : "";
    for (int level = 0; level < ICSEG_LEVELS; level++) {
        if (!recipe->model.align[level]) continue;
        size_t length = strcspn(at, ",] ");
        wanted++;
        given += length > 0;
        icseg_string_printf(&mapping, "%s%d: %.*s", level && mapping.size ? ", " : "", 4 << level, (int)length, at);
        at += length;
        at += strspn(at, ", ");
    }
    at += strspn(at, "] ");
    icseg_status status;
    if (list.failed || mapping.failed)
        status = icseg_fail_memory(error, list.size, "align_weights");
    else if (given != wanted || *at)
        status =
            icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s%s%s: a list needs one weight for each of the %zu align_strides",
                       a->origin ? a->origin : "", a->origin ? ": " : "", a->key, wanted);
    else {
        const char *item = mapping.data;
        icseg_recipe_assignment mapped = *a;
        mapped.items = &item;
        mapped.count = 1;
        mapped.list = false;
        status = apply(recipe, &mapped, error);
    }
    icseg_string_close(&list);
    icseg_string_close(&mapping);
    return status;
}

/* ---- from assignments to a recipe ---- */

/* 0: decides what the defaults of others are; 1: most; 2: is read in the light of another. */
static int pass_of(const char *key) {
    if (!strcmp(key, "model.preset") || !strcmp(key, "model.tokenizer")) return 0;
    return strcmp(key, "model.align_weights") != 0 ? 1 : 2;
}

/* Recomputes every field of the recipe. On failure it is as it was. */
static icseg_status resolve(icseg_recipe *recipe, icseg_error *error) {
    icseg_recipe made = *recipe;
    const icseg_recipe_assignment *preset = find_last(recipe, "model.preset");
    if (preset) ICSEG_TRY(apply(&made, preset, error));
    ICSEG_TRY(icseg_recipe_published(&made, preset ? made.preset : ICSEG_PRESET_RN50, error));
    made.arena = recipe->arena;
    made.first = recipe->first;
    made.last = recipe->last;
    for (int pass = 0; pass < 3; pass++) {
        for (const icseg_recipe_assignment *a = made.first; a; a = a->next) {
            if (pass_of(a->key) != pass) continue;
            ICSEG_TRY(is_weight_list(a) ? apply_weight_list(&made, a, error) : apply(&made, a, error));
        }
        if (pass == 0) made.model.vocab_size = made.tokenizer == ICSEG_TOKENIZER_CLIP ? CLIP_VOCAB : ICSEG_BYTE_VOCAB;
    }
    *recipe = made;
    return ICSEG_OK;
}

static icseg_status check_text(const icseg_recipe_assignment *a, icseg_error *error) {
    for (size_t i = 0; i < a->count; i++)
        if (icseg_utf8_check(a->items[i], strlen(a->items[i])) != strlen(a->items[i]))
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s%s%s: the text is not UTF-8", a->origin ? a->origin : "",
                              a->origin ? ": " : "", a->key);
    return ICSEG_OK;
}

static void link_last(icseg_recipe *recipe, icseg_recipe_assignment *a) {
    if (recipe->last)
        recipe->last->next = a;
    else
        recipe->first = a;
    recipe->last = a;
}

/* Appends a copy of the assignment and recomputes; on failure the recipe is as it was. */
static icseg_status add(icseg_recipe *recipe, const icseg_recipe_assignment *given, icseg_error *error) {
    ICSEG_TRY(check_text(given, error));
    icseg_recipe_assignment *a = icseg_arena_copy(recipe->arena, given, sizeof *a), *before = recipe->last;
    if (!a) return icseg_fail_memory(error, sizeof *a, "the recipe");
    link_last(recipe, a);
    icseg_status status = resolve(recipe, error);
    if (status == ICSEG_OK) return ICSEG_OK;
    recipe->last = before;
    if (before)
        before->next = NULL;
    else
        recipe->first = NULL;
    return status;
}

icseg_status icseg_recipe_default(icseg_recipe *out, icseg_arena *arena, icseg_error *error) {
    *out = (icseg_recipe){.arena = arena};
    return resolve(out, error);
}

icseg_status icseg_recipe_assign(icseg_recipe *recipe, const char *key, const char *text, const char *origin,
                                 icseg_error *error) {
    icseg_option_table table = icseg_recipe_table();
    const icseg_option *option = icseg_option_find(&table, key);
    if (!option) return icseg_option_unknown(&table, key, origin, error);
    const char **item = icseg_arena_alloc(recipe->arena, sizeof *item);
    char *copy = icseg_arena_strdup(recipe->arena, text);
    char *from = origin ? icseg_arena_strdup(recipe->arena, origin) : NULL;
    if (!item || !copy || (origin && !from)) return icseg_fail_memory(error, strlen(text), key);
    *item = copy;
    return add(recipe, &(icseg_recipe_assignment){.key = option->key, .origin = from, .items = item, .count = 1},
               error);
}

icseg_status icseg_recipe_set(icseg_recipe *recipe, const char *assignment, icseg_error *error) {
    char key[KEY_MOST];
    const char *equals = strchr(assignment, '=');
    size_t length = equals ? (size_t)(equals - assignment) : 0;
    if (!length)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "--set: \"%.80s\" is not KEY=VALUE, such as train.lr=1e-3",
                          assignment);
    snprintf(key, sizeof key, "%.*s", (int)(length < sizeof key ? length : sizeof key - 1), assignment);
    return icseg_recipe_assign(recipe, key, equals + 1, "--set", error);
}

/* ---- from a file ---- */

typedef struct reading {
    icseg_recipe *recipe;
    icseg_recipe scratch; /* each value is tried here, so that errors come in the order of the file */
    const char *path;
} reading;

static icseg_status take_value(void *user, const icseg_yaml_value *value, icseg_error *error) {
    reading *r = user;
    icseg_option_table table = icseg_recipe_table();
    const char *origin = icseg_arena_printf(r->recipe->arena, "%s:%zu", r->path, value->line);
    icseg_recipe_assignment *a = icseg_arena_alloc(r->recipe->arena, sizeof *a);
    if (!a || !origin) return icseg_fail_memory(error, sizeof *a, r->path);
    const icseg_option *option = icseg_option_find(&table, value->key);
    if (!option) return icseg_option_unknown(&table, value->key, origin, error);
    const icseg_recipe_assignment *earlier = find_last(r->recipe, value->key);
    if (earlier)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: %s: given twice, first at %s", origin, value->key,
                          earlier->origin);
    *a = (icseg_recipe_assignment){
        .key = option->key, .origin = origin, .items = value->items, .count = value->count, .list = value->list};
    ICSEG_TRY(check_text(a, error));
    if (!is_weight_list(a)) ICSEG_TRY(apply(&r->scratch, a, error));
    link_last(r->recipe, a);
    return ICSEG_OK;
}

icseg_status icseg_recipe_parse(icseg_recipe *out, const char *name, const unsigned char *text, size_t size,
                                icseg_arena *arena, icseg_error *error) {
    icseg_recipe recipe;
    ICSEG_TRY(icseg_recipe_default(&recipe, arena, error));
    reading r = {.recipe = &recipe, .scratch = recipe, .path = name};
    ICSEG_TRY(icseg_yaml_read_sections(name, text, size, arena, take_value, &r, error));
    ICSEG_TRY(resolve(&recipe, error));
    *out = recipe;
    return ICSEG_OK;
}

icseg_status icseg_recipe_read(icseg_recipe *out, const char *path, icseg_arena *arena, icseg_error *error) {
    unsigned char *text;
    size_t size;
    ICSEG_TRY(icseg_file_read(path, ICSEG_RECIPE_SIZE_LIMIT, &text, &size, error));
    icseg_status status = icseg_recipe_parse(out, path, text, size, arena, error);
    icseg_free(text);
    return status;
}

/* ---- the check ---- */

/* "ORIGIN: KEY: TEXT", with the origin of the value when it was given. */
static icseg_status fail_key(const icseg_recipe *recipe, const char *key, icseg_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static icseg_status fail_key(const icseg_recipe *recipe, const char *key, icseg_error *error, const char *format, ...) {
    const icseg_recipe_assignment *a = find_last(recipe, key);
    va_list args;
    va_start(args, format);
    icseg_fail_v(error, ICSEG_ERROR_ARGUMENT, format, args);
    va_end(args);
    icseg_fail_prefix(error, "%s%s%s", a && a->origin ? a->origin : "", a && a->origin ? ": " : "", key);
    return ICSEG_ERROR_ARGUMENT;
}

/* What was given for one of the model's fields that the text names in quotes; NULL when none of them was. */
static const icseg_recipe_assignment *find_quoted(const icseg_recipe *recipe, const char *text) {
    char key[KEY_MOST];
    for (const char *name = strchr(text, '"'); name; name = strchr(name + 1, '"')) {
        snprintf(key, sizeof key, "model.%.*s", (int)strcspn(name + 1, "\""), name + 1);
        const icseg_recipe_assignment *a = find_last(recipe, key);
        if (a && a->origin) return a;
    }
    return NULL;
}

static icseg_status check_data(const icseg_recipe *r, icseg_error *error) {
    if (!r->data.folder[0]) return fail_key(r, "data.folder", error, "no data set is named; give its folder");
    if (!icseg_folder_exists(r->data.folder))
        return fail_key(r, "data.folder", error, "there is no folder \"%s\"", r->data.folder);
    if (!r->data.train_split[0]) return fail_key(r, "data.train_split", error, "must not be empty");
    if (!r->data.val_split[0]) return fail_key(r, "data.val_split", error, "must not be empty");
    if (r->data.classes[0] && !icseg_file_exists(r->data.classes))
        return fail_key(r, "data.classes", error, "there is no file \"%s\"", r->data.classes);
    return ICSEG_OK;
}

static icseg_status check_model(const icseg_recipe *r, icseg_error *error) {
    icseg_config model = r->model;
    if (model.num_classes == 0) model.num_classes = 2; /* any: the data set decides later */
    icseg_status status = icseg_config_check(&model, error);
    if (status != ICSEG_OK) {
        const icseg_recipe_assignment *a = error ? find_quoted(r, error->message) : NULL;
        icseg_fail_prefix(error, "%s%smodel", a ? a->origin : "", a ? ": " : "");
        return status;
    }
    if (r->tokenizer == ICSEG_TOKENIZER_CLIP && model.vocab_size != CLIP_VOCAB)
        return fail_key(r, "model.vocab_size", error, "%d, but CLIP's tokenizer has %d tokens", model.vocab_size,
                        CLIP_VOCAB);
    if (r->tokenizer == ICSEG_TOKENIZER_CLIP && !r->merges[0])
        return fail_key(
            r, "model.merges", error,
            "CLIP's tokenizer needs its merges file; or set model.tokenizer to bytes to train from scratch");
    if (r->merges[0] && !icseg_file_exists(r->merges) && !icseg_folder_exists(r->merges))
        return fail_key(r, "model.merges", error, "there is no file or folder \"%s\"", r->merges);
    return ICSEG_OK;
}

icseg_status icseg_recipe_check_init(const icseg_recipe *r, icseg_error *error) {
    if (!r->init[0] || icseg_file_exists(r->init) || icseg_folder_exists(r->init)) return ICSEG_OK;
    return fail_key(r, "model.init", error, "there is no file or folder \"%s\"", r->init);
}

icseg_status icseg_recipe_check(const icseg_recipe *r, icseg_error *error) {
    ICSEG_TRY(check_data(r, error));
    ICSEG_TRY(check_model(r, error));
    const icseg_augment_options *augment = &r->augment;
    if (augment->scale_min > augment->scale_max)
        return fail_key(r, "augment.scale", error, "the smallest factor %g is above the largest %g", augment->scale_min,
                        augment->scale_max);
    if (augment->resize_long && augment->resize_long < augment->resize_short)
        return fail_key(r, "augment.resize_long", error, "%d is below augment.resize_short = %d", augment->resize_long,
                        augment->resize_short);
    if (icseg_augment_check(augment, error) != ICSEG_OK) { /* its own limits */
        icseg_fail_prefix(error, "augment");
        return ICSEG_ERROR_ARGUMENT;
    }
    if (r->train.warmup >= r->train.steps)
        return fail_key(r, "train.warmup", error, "%d steps of warm-up, but train.steps is only %d", r->train.warmup,
                        r->train.steps);
    if (r->train.min_lr > r->train.lr)
        return fail_key(r, "train.min_lr", error, "%g is above train.lr = %g", r->train.min_lr, r->train.lr);
    for (int i = 0; i < 2; i++) {
        int32_t train_crop = i ? augment->crop_width : augment->crop_height;
        int32_t crop = r->eval.crop[i] ? r->eval.crop[i] : train_crop;
        if (crop < 32) return fail_key(r, "eval.crop", error, "a window must be at least 32 pixels");
        if (r->eval.stride[i] > crop)
            return fail_key(r, "eval.stride", error, "a step of %d pixels skips some between windows of %d",
                            r->eval.stride[i], crop);
    }
    return ICSEG_OK;
}

/* ---- comparing and writing ---- */

const char *icseg_recipe_compare(const icseg_recipe *a, const icseg_recipe *b, bool (*matters)(const char *key),
                                 icseg_string *a_text, icseg_string *b_text) {
    icseg_option_table table = icseg_recipe_table();
    for (size_t i = 0; i < table.count; i++) {
        if (!matters(table.rows[i].key)) continue;
        icseg_string_close(a_text);
        icseg_string_close(b_text);
        icseg_option_format(&table.rows[i], a, true, a_text);
        icseg_option_format(&table.rows[i], b, true, b_text);
        if (a_text->data && b_text->data && strcmp(a_text->data, b_text->data) != 0) return table.rows[i].key;
    }
    return NULL;
}

icseg_status icseg_recipe_format(const icseg_recipe *recipe, icseg_string *out, icseg_error *error) {
    icseg_option_table table = icseg_recipe_table();
    icseg_options_yaml(&table, recipe, out);
    return out->failed ? icseg_fail_memory(error, out->size, "the recipe's text") : ICSEG_OK;
}

icseg_status icseg_recipe_write(const icseg_recipe *recipe, const char *path, icseg_error *error) {
    icseg_string text = {0};
    icseg_status status = icseg_recipe_format(recipe, &text, error);
    if (status == ICSEG_OK) status = icseg_file_write(path, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

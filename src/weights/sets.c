/* SPDX-License-Identifier: Apache-2.0
 * Which of several sets of weights in a file is read. A set is a state dict, or the tensors of a state dict whose names
 * begin alike, such as Lightning's "model." and "ema_model.". */
#include "weights/sets.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "graph/params.h"

/* The keys under which trainers have raw weights, the usual first. A teacher is another model, or an average. */
static const char *const raw_keys[] = {"state_dict", "model",   "model_state_dict", "model_state", "module",
                                       "net",        "network", "params",           "student"};
enum { KEYS = sizeof raw_keys / sizeof *raw_keys };

/* ---------------------------------------------------------------------------------------------------------- names */

static bool is_at(const char *name, size_t size, size_t at, const char *word) {
    size_t length = strlen(word);
    return size - at >= length && !strncasecmp(name + at, word, length);
}

/* Whether the letters before and after are not those of a longer word: "ema_model", not "semantic". */
static bool is_word(const char *name, size_t size, size_t at, const char *word) {
    size_t end = at + strlen(word);
    return is_at(name, size, at, word) && (!at || !isalpha((unsigned char)name[at - 1])) &&
           (end == size || !isalpha((unsigned char)name[end]));
}

bool icseg_weights_says_averaged(const char *name, size_t size) {
    for (size_t at = 0; at < size; at++)
        if (is_word(name, size, at, "ema") || is_word(name, size, at, "swa") || is_at(name, size, at, "averag") ||
            is_at(name, size, at, "shadow"))
            return true;
    return false;
}

size_t icseg_weights_prefix(const char *name, size_t size) {
    static const char *const anchors[] = {"visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight",
                                          "backbone.conv1.weight"};
    for (size_t i = 0; i < sizeof anchors / sizeof *anchors; i++) {
        size_t length = strlen(anchors[i]);
        bool ends = size >= length && !memcmp(name + size - length, anchors[i], length);
        if (!ends || (size > length && name[size - length - 1] != '.')) continue;
        size_t prefix = size - length, own = strlen(ICSEG_OPTIMISER_PREFIX);
        bool moments = prefix >= own && !memcmp(name, ICSEG_OPTIMISER_PREFIX, own);
        return moments || memmem(name, prefix, "optim", 5) ? SIZE_MAX : prefix;
    }
    return SIZE_MAX;
}

bool icseg_weights_looks_like_clip(const char *name, size_t size) {
    static const char *const starts[] = {"visual.",         "vision_model.", "text_model.",          "backbone.",
                                         "text_encoder.",   "transformer.",  "positional_embedding", "token_embedding.",
                                         "text_projection", "ln_final.",     "logit_scale",          "decoder."};
    for (size_t at = 0; at < size; at++) {
        for (size_t i = 0; i < sizeof starts / sizeof *starts && (!at || name[at - 1] == '.'); i++)
            if (is_at(name, size, at, starts[i])) return true;
    }
    return false;
}

/* Whether `text` is some of the parts of `name`, which dots separate: "ema_model" in "state_dict.ema_model.module". */
static bool has_parts(const char *name, const char *text) {
    size_t length = strlen(text);
    for (const char *at = name; length; at++) {
        if (!strncmp(at, text, length) && (!at[length] || at[length] == '.')) return true;
        at = strchr(at, '.');
        if (!at) break;
    }
    return false;
}

static bool is_alone(const icseg_weights_sets *s, const icseg_weights_set *set) {
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) count += !strcmp(s->list[i].path, set->path);
    return count == 1;
}

/* "model", "state_dict.ema_model": the path, with the prefix if the state dict has several sets; "" if it has neither.
 */
static void name_set(const icseg_weights_sets *s, const icseg_weights_set *set, bool full, char *out, size_t size) {
    size_t length = strlen(set->prefix);
    if (length) length--; /* its dot */
    if (!full && set->path[0] && is_alone(s, set)) length = 0;
    snprintf(out, size, "%s%s%.*s", set->path, set->path[0] && length ? "." : "", (int)length, set->prefix);
}

/* ----------------------------------------------------------------------------------------------------------- order */

static size_t key_order(const char *path) {
    size_t length = strcspn(path, "."), i = 0;
    while (i < KEYS && (strlen(raw_keys[i]) != length || memcmp(raw_keys[i], path, length) != 0)) i++;
    return i;
}

static size_t parts(const char *path) {
    size_t count = path[0] != '\0';
    for (; *path; path++) count += *path == '.';
    return count;
}

/* Whether a comes before b, which is further back in the file. Raw weights come first. A state dict under the usual key
 * does so even if it is averaged, because its trainer wants others to use it. */
static bool is_better(const icseg_weights_set *a, const icseg_weights_set *b) {
    const icseg_weights_set *set[2] = {a, b};
    size_t order[2][6];
    for (int i = 0; i < 2; i++) {
        const icseg_weights_set *s = set[i];
        bool late = icseg_weights_says_averaged(s->path, strlen(s->path)) ||
                    icseg_weights_says_averaged(s->prefix, strlen(s->prefix));
        size_t values[] = {
            !s->clip,           late,           has_parts(s->path, "teacher") || has_parts(s->prefix, "teacher"),
            key_order(s->path), parts(s->path), s->prefix[0] != '\0'};
        memcpy(order[i], values, sizeof values);
    }
    for (size_t k = 0; k < 6; k++)
        if (order[0][k] != order[1][k]) return order[0][k] < order[1][k];
    return true;
}

/* ------------------------------------------------------------------------------------------------ list and choice */

icseg_status icseg_weights_sets_add(icseg_weights_sets *s, icseg_weights_set set, size_t prefix_size,
                                    icseg_error *error) {
    if (strnlen(set.prefix, prefix_size) < prefix_size)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the name of a tensor contains a NUL byte", s->file);
    for (size_t i = 0; i < s->count; i++) {
        const icseg_weights_set *known = &s->list[i];
        if (known->state == set.state && !strncmp(known->prefix, set.prefix, prefix_size) &&
            !known->prefix[prefix_size])
            return ICSEG_OK;
    }
    if (s->count == ICSEG_WEIGHTS_SETS_MAX)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: refused: more than %d state dicts of CLIP's tensors", s->file,
                          (int)ICSEG_WEIGHTS_SETS_MAX);
    char *prefix = icseg_arena_printf(s->arena, "%.*s", (int)prefix_size, set.prefix);
    set.path = icseg_arena_strdup(s->arena, set.path);
    if (!prefix || !set.path) return icseg_fail_memory_in(error, 0, s->file);
    set.prefix = prefix;
    set.averaged |= icseg_weights_says_averaged(prefix, prefix_size);
    icseg_weights_set *to = &s->list[s->count];
    for (size_t i = 0; i < s->count && !set.clip; i++) /* of those that are not CLIP's, the best one is kept */
        if (!s->list[i].clip) to = &s->list[i];
    if (to == &s->list[s->count])
        s->count++;
    else if (is_better(to, &set))
        return ICSEG_OK;
    *to = set;
    return ICSEG_OK;
}

/* How well a set is what the caller asks for; 0: not at all. */
static int fitness(const icseg_weights_sets *s, const icseg_weights_set *set, const char *wanted) {
    char full[ICSEG_WEIGHTS_SET_NAME], shown[ICSEG_WEIGHTS_SET_NAME];
    if (!wanted) return 1;
    name_set(s, set, true, full, sizeof full);
    name_set(s, set, false, shown, sizeof shown);
    if (!strcmp(full, wanted) || !strcmp(shown, wanted)) return 3;
    if (!strcmp(set->path, wanted)) return 2;
    return set->clip && ((!strcmp(wanted, "ema") && set->averaged) || has_parts(full, wanted));
}

static const char unnamed[] = "weights outside of its state dicts";

/* The names of all sets but that of an index, each after a comma; "" if there is only a set without a name. */
static void list_names(const icseg_weights_sets *s, size_t but, char *out, size_t size) {
    size_t used = 0;
    *out = '\0';
    for (size_t i = 0; i < s->count && used + 1 < size; i++) {
        const icseg_weights_set *set = &s->list[i];
        char name[ICSEG_WEIGHTS_SET_NAME];
        name_set(s, set, false, name, sizeof name);
        if (i == but || !set->clip || (!name[0] && s->count == 1)) continue;
        bool late = icseg_weights_says_averaged(name, strlen(name));
        const char *quote = name[0] ? "\"" : "";
        snprintf(out + used, size - used, "%s%s%.60s%s%s", used ? ", " : "", quote, name[0] ? name : unnamed, quote,
                 set->averaged == late ? ""
                 : late                ? " (not averaged)"
                                       : " (averaged)");
        used += strlen(out + used);
    }
}

static void describe(const icseg_weights_sets *s, const icseg_weights_set *set, char *out, size_t size) {
    char name[ICSEG_WEIGHTS_SET_NAME], others[ICSEG_WEIGHTS_SETS / 2], nameless[100] = "";
    name_set(s, set, false, name, sizeof name);
    list_names(s, (size_t)(set - s->list), others, sizeof others);
    *out = '\0';
    if (s->nameless[0]) snprintf(nameless, sizeof nameless, "averaged weights without names (%.60s)", s->nameless);
    if (!others[0] && !nameless[0]) return;
    bool told = icseg_weights_says_averaged(name, strlen(name));
    snprintf(out, size, "these are the %s%.60s%s%s; the file also contains %s%s%s, which were not read",
             name[0] ? "weights \"" : unnamed, name, name[0] ? "\"" : "", set->averaged && !told ? " (averaged)" : "",
             others, others[0] && nameless[0] ? ", and " : "", nameless);
}

icseg_status icseg_weights_sets_choose(const icseg_weights_sets *s, const char *wanted, const icseg_weights_set **out,
                                       char *message, size_t size, icseg_error *error) {
    char known[ICSEG_WEIGHTS_SETS];
    int best = 0;
    *out = NULL;
    message[0] = '\0';
    for (size_t i = 0; i < s->count; i++) {
        int fit = fitness(s, &s->list[i], wanted);
        if (fit > best || (fit == best && fit && !is_better(*out, &s->list[i]))) {
            best = fit;
            *out = &s->list[i];
        }
    }
    if (*out) describe(s, *out, message, size);
    if (*out || !wanted) return ICSEG_OK;
    list_names(s, s->count, known, sizeof known);
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "state_dict", ICSEG_REMEDY_SET_FIELD,
                            "%s: does not contain the weights \"%.60s\"; %s%s%s%s", s->file, wanted,
                            known[0] ? "it contains " : "it contains one set of weights, without a name", known,
                            s->nameless[0] ? "; averaged weights without names cannot be read: " : "", s->nameless);
}

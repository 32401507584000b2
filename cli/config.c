/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

enum { CONFIG_MOST = 1 << 20 }; /* bytes */

/* The last --config before a "--", or NULL. */
static const char *find_path(int argc, char *const *argv) {
    static const char option[] = "--config";
    const size_t length = sizeof option - 1;
    const char *path = NULL;
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], option, length) != 0) continue;
        if (argv[i][length] == '=') path = argv[i] + length + 1;
        if (!argv[i][length] && i + 1 < argc) path = argv[++i];
    }
    return path;
}

/* One file that is read. */
typedef struct config {
    const icseg_command *command;
    void *options;
    icseg_arena *arena;
    const char *path;
    icseg_error *error;
} config;

static icseg_status set_text(const config *c, const char *key, const char *name, const char *text) {
    const char *whole = name ? icseg_arena_printf(c->arena, "%s=%s", name, text) : text;
    if (!whole) return out_of_memory(c->error);
    return icseg_option_set(&c->command->options, c->options, c->arena, key, whole, c->path, c->error);
}

/* name: in {NAME: VALUE}; NULL elsewhere. */
static icseg_status set_value(const config *c, const char *key, const char *name, const json_t *value) {
    if (json_is_string(value)) return set_text(c, key, name, json_string_value(value));
    if (json_is_boolean(value)) return set_text(c, key, name, json_is_true(value) ? "true" : "false");
    if (!json_is_number(value))
        return icseg_error_set(c->error, ICSEG_ERROR_ARGUMENT, "%s: %s: expected a text, a number, true or false",
                               c->path, key);
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    icseg_status status = text ? set_text(c, key, name, text) : out_of_memory(c->error);
    free(text);
    return status;
}

static icseg_status set_values(const config *c, const char *key, json_t *value) {
    const icseg_option *option = icseg_option_find(&c->command->options, key);
    const char *name;
    json_t *item;
    size_t i;
    if (!option) return icseg_option_unknown(&c->command->options, key, c->path, c->error);
    if (!option->positional || !(json_is_array(value) || json_is_object(value))) return set_value(c, key, NULL, value);
    json_array_foreach(value, i, item) TRY(set_value(c, key, NULL, item));
    json_object_foreach(value, name, item) TRY(set_value(c, key, name, item));
    return ICSEG_OK;
}

icseg_status config_read(const icseg_command *command, void *options, icseg_arena *arena, int argc, char *const *argv,
                         icseg_error *error) {
    config c = {command, options, arena, find_path(argc, argv), error};
    icseg_status status = ICSEG_OK;
    json_error_t problem;
    const char *key;
    json_t *value;
    char *text;
    size_t size;
    if (!c.path) return ICSEG_OK;
    TRY(file_read(c.path, CONFIG_MOST, arena, &text, &size, error));
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(root)) {
        json_decref(root);
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s:%d: expected a JSON object of options: %s", c.path,
                               root ? 1 : problem.line, root ? "it is another value" : problem.text);
    }
    json_object_foreach(root, key, value) {
        status = set_values(&c, key, value);
        if (status != ICSEG_OK) break;
    }
    json_decref(root);
    return status;
}

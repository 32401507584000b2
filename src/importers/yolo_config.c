/* SPDX-License-Identifier: Apache-2.0
 * data.yaml of a YOLO data set (docs.ultralytics.com/datasets/segment): "names" is a list, or a mapping of numbers to
 * names; "train", "val" and "test" are a folder or a list of folders; "path" is the folder that they start from. */
#include "importers/yolo_config.h"

#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/text.h"
#include "icseg/classes.h"
#include "importers/internal.h"

enum { MAX_YAML = 1 << 20, MAX_YAML_DEPTH = 32, MAX_YAML_KEYS = 256 };

static const char *const split_keys[] = {"train", "val", "test", NULL};

static icseg_status fail_yaml(const char *path, size_t line, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: %s", path, line + 1, what);
}

static const char names_expected[] = "\"names\" must be a list, or a mapping 0: name, 1: name, ...";

/* A key of the outermost mapping. */
typedef struct yaml_key {
    const char *name;
    size_t line; /* from 0, as libyaml counts */
} yaml_key;

typedef struct yaml_walk {
    const char *path;
    icseg_arena *arena;
    icseg_yolo_config *out;
    yaml_key keys[MAX_YAML_KEYS];
    size_t key_count;
    int depth, documents;
    bool key, in_names, mapping; /* key: the next value at the outermost level is a key */
    bool number;                 /* in a mapping of names: the next scalar is a number */
    const char *split;           /* of split_keys, while its value is read; or NULL */
    bool in_path;
} yaml_walk;

static icseg_status add_name(const yaml_walk *w, const char *name, icseg_error *error) {
    icseg_yolo_config *out = w->out;
    if (out->name_count == ICSEG_CLASSES_MAX)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: names: more than %d classes", w->path, ICSEG_CLASSES_MAX);
    if (!icseg_import_append(w->arena, &out->names, out->name_count, name))
        return icseg_fail_memory(error, 0, "class names");
    out->name_count++;
    return ICSEG_OK;
}

static icseg_status add_key(yaml_walk *w, const char *name, size_t line, icseg_error *error) {
    for (size_t i = 0; i < w->key_count; i++)
        if (!strcmp(w->keys[i].name, name))
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: \"%.40s\" is set twice, first in line %zu",
                              w->path, line + 1, name, w->keys[i].line + 1);
    if (w->key_count == MAX_YAML_KEYS) return fail_yaml(w->path, line, "too many keys", error);
    yaml_key *key = &w->keys[w->key_count++];
    *key = (yaml_key){icseg_arena_strdup(w->arena, name), line};
    if (!key->name) return icseg_fail_memory_in(error, 0, w->path);
    w->in_names = !strcmp(name, "names");
    w->in_path = !strcmp(name, "path");
    w->split = NULL;
    for (const char *const *split = split_keys; *split; split++)
        if (!strcmp(name, *split)) w->split = *split;
    return ICSEG_OK;
}

void icseg_yolo_use_slashes(char *path) {
    for (char *c = path; *c; c++)
        if (*c == '\\') *c = '/';
}

/* The value of "path", or one of "train", "val" and "test". An empty value means that the split is missing. */
static icseg_status add_place(const yaml_walk *w, const char *text, size_t line, icseg_error *error) {
    icseg_yolo_config *out = w->out;
    if (!*text || !strcmp(text, "~") || !strcmp(text, "null")) return ICSEG_OK;
    char *copy = icseg_arena_strdup(w->arena, text);
    if (!copy) return icseg_fail_memory(error, 0, "the paths of a data set");
    icseg_yolo_use_slashes(copy);
    if (w->in_path) return out->root = copy, ICSEG_OK;
    if (out->place_count == ICSEG_YOLO_PLACES) return fail_yaml(w->path, line, "too many folders of images", error);
    out->places[out->place_count++] = (icseg_yolo_place){w->split, copy};
    return ICSEG_OK;
}

static icseg_status take_scalar(yaml_walk *w, const char *text, size_t line, icseg_error *error) {
    int64_t number;
    if (w->depth == 1) {
        if (w->in_names) return fail_yaml(w->path, line, names_expected, error);
        w->key = !w->key;
        if (!w->key) return add_key(w, text, line, error);
        return w->split || w->in_path ? add_place(w, text, line, error) : ICSEG_OK;
    }
    if (w->depth == 2 && w->split && !w->mapping) return add_place(w, text, line, error);
    if (!w->in_names) return ICSEG_OK;
    if (w->mapping && w->number) {
        w->number = false;
        if (!icseg_parse_i64(text, &number) || number != (int64_t)w->out->name_count)
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: names: expected the number %zu, not \"%.40s\"",
                              w->path, line + 1, w->out->name_count, text);
        return ICSEG_OK;
    }
    w->number = true;
    return add_name(w, text, error);
}

static icseg_status take_event(yaml_walk *w, const yaml_event_t *event, icseg_error *error) {
    size_t line = event->start_mark.line;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return w->documents++ ? fail_yaml(w->path, line, "contains a second document; expected one", error) : ICSEG_OK;
    case YAML_SCALAR_EVENT: {
        const char *text = (const char *)event->data.scalar.value;
        if (strlen(text) != event->data.scalar.length)
            return fail_yaml(w->path, line, "the text contains a NUL byte", error);
        if (!w->depth) return fail_yaml(w->path, line, "expected keys such as \"names:\"", error);
        return take_scalar(w, text, line, error);
    }
    case YAML_ALIAS_EVENT:
        if (w->in_names || w->key)
            return fail_yaml(w->path, line, "aliases (*name) are not accepted; write the value out", error);
        w->key = w->depth == 1;
        return ICSEG_OK;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        w->depth++;
        if (w->depth > MAX_YAML_DEPTH) return fail_yaml(w->path, line, "nested too deeply", error);
        if (w->in_names && w->depth > 2) return fail_yaml(w->path, line, names_expected, error);
        if (w->depth == 1 ? event->type != YAML_MAPPING_START_EVENT : w->depth == 2 && w->key)
            return fail_yaml(w->path, line, "expected keys such as \"names:\"", error);
        if (w->depth == 1) w->key = true;
        if (w->depth == 2) w->mapping = w->number = event->type == YAML_MAPPING_START_EVENT;
        return ICSEG_OK;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        if (--w->depth != 1) return ICSEG_OK;
        w->in_names = false;
        w->split = NULL;
        w->key = true; /* after this value */
        return ICSEG_OK;
    default: return ICSEG_OK;
    }
}

icseg_status icseg_yolo_config_read(icseg_yolo_config *out, icseg_arena *arena, const char *path, icseg_error *error) {
    unsigned char *text;
    size_t size;
    yaml_parser_t parser;
    yaml_walk w = {.path = path, .arena = arena, .out = out};
    *out = (icseg_yolo_config){.path = path};
    ICSEG_TRY(icseg_file_read_text(path, MAX_YAML, &text, &size, error));
    if (!yaml_parser_initialize(&parser)) {
        icseg_free(text);
        return icseg_fail_memory_in(error, 0, path);
    }
    yaml_parser_set_input_string(&parser, text, size);
    icseg_status status = ICSEG_OK;
    for (bool more = true; more && status == ICSEG_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: not YAML: %s", path,
                                parser.problem_mark.line + 1, parser.problem ? parser.problem : "unreadable");
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        status = take_event(&w, &event, error);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    icseg_free(text);
    if (status == ICSEG_OK && !out->name_count)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: no class names under \"names\"", path);
    return status;
}

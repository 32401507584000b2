/* SPDX-License-Identifier: Apache-2.0
 * Reads the recipes' subset of YAML from libyaml's events. Everything else is an error that names its line. */
#include "train/recipe_yaml.h"

#include <string.h>
#include <yaml.h>

enum { MAX_SECTIONS = 32, MAX_ITEMS = 64 };

typedef struct reader {
    yaml_parser_t parser;
    const char *name;
    icseg_arena *arena;
    icseg_error *error;
    yaml_event_t event; /* the current one; deleted when the next is fetched */
    bool has_event;
    const char *sections[MAX_SECTIONS];
    size_t section_count;
} reader;

static size_t line_of(const reader *r) { return r->event.start_mark.line + 1; }

static icseg_status fail_here(const reader *r, const char *what) {
    return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s:%zu: %s", r->name, line_of(r), what);
}

static icseg_status next_event(reader *r) {
    if (r->has_event) yaml_event_delete(&r->event);
    r->has_event = false;
    if (yaml_parser_parse(&r->parser, &r->event)) {
        r->has_event = true;
        return ICSEG_OK;
    }
    if (r->parser.error == YAML_MEMORY_ERROR) return icseg_fail_memory_in(r->error, 0, r->name);
    const char *problem = r->parser.problem ? r->parser.problem : "unreadable";
    if (r->parser.error == YAML_READER_ERROR)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: not YAML: %s at byte %zu", r->name, problem,
                          r->parser.problem_offset);
    return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s:%zu: not YAML: %s", r->name, r->parser.problem_mark.line + 1,
                      problem);
}

/* Refuses the parts of YAML that recipes do not use: anchors, aliases and tags. */
static icseg_status refuse_extras(const reader *r) {
    const yaml_event_t *e = &r->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (e->type) {
    case YAML_ALIAS_EVENT: return fail_here(r, "aliases (*name) are not accepted; write the value out");
    case YAML_SCALAR_EVENT: anchor = e->data.scalar.anchor, tag = e->data.scalar.tag; break;
    case YAML_SEQUENCE_START_EVENT: anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag; break;
    case YAML_MAPPING_START_EVENT: anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag; break;
    default: break;
    }
    if (anchor) return fail_here(r, "anchors (&name) are not accepted; write the value out");
    if (tag) return fail_here(r, "tags (!type) are not accepted");
    return ICSEG_OK;
}

static icseg_status next(reader *r) {
    ICSEG_TRY(next_event(r));
    return refuse_extras(r);
}

static icseg_status scalar_text(const reader *r, const char **out) {
    const char *text = (const char *)r->event.data.scalar.value;
    if (strlen(text) != r->event.data.scalar.length) return fail_here(r, "the text contains a NUL byte");
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && (!strcmp(text, "~") || !strcmp(text, "null"))) text = "";
    *out = icseg_arena_strdup(r->arena, text);
    return *out ? ICSEG_OK : icseg_fail_memory_in(r->error, 0, r->name);
}

/* Reads a list or mapping of scalars, whose start is the current event. */
static icseg_status read_items(reader *r, icseg_yaml_value *value) {
    bool mapping = r->event.type == YAML_MAPPING_START_EVENT;
    yaml_event_type_t end = mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    const char **items = icseg_arena_array(r->arena, MAX_ITEMS, sizeof *items);
    if (!items) return icseg_fail_memory_in(r->error, 0, r->name);
    for (;;) {
        const char *text, *number;
        ICSEG_TRY(next(r));
        if (r->event.type == end) break;
        if (r->event.type != YAML_SCALAR_EVENT)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s:%zu: %s: nested too deeply; expected plain values",
                              r->name, line_of(r), value->key);
        if (value->count == MAX_ITEMS)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s:%zu: %s: more than %d values", r->name, line_of(r),
                              value->key, (int)MAX_ITEMS);
        ICSEG_TRY(scalar_text(r, &text));
        if (mapping) {
            ICSEG_TRY(next(r));
            if (r->event.type != YAML_SCALAR_EVENT)
                return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s:%zu: %s: nested too deeply; expected plain values",
                                  r->name, line_of(r), value->key);
            ICSEG_TRY(scalar_text(r, &number));
            text = icseg_arena_printf(r->arena, "%s: %s", text, number);
            if (!text) return icseg_fail_memory_in(r->error, 0, r->name);
        }
        items[value->count++] = text;
    }
    value->items = items;
    value->list = true;
    return ICSEG_OK;
}

static icseg_status read_value(reader *r, const char *section, icseg_yaml_value *value) {
    const char *key;
    ICSEG_TRY(scalar_text(r, &key));
    *value = (icseg_yaml_value){.line = line_of(r), .key = icseg_arena_printf(r->arena, "%s.%s", section, key)};
    if (!value->key) return icseg_fail_memory_in(r->error, 0, r->name);
    ICSEG_TRY(next(r));
    if (r->event.type != YAML_SCALAR_EVENT) return read_items(r, value);
    const char **item = icseg_arena_alloc(r->arena, sizeof *item);
    if (!item) return icseg_fail_memory_in(r->error, 0, r->name);
    ICSEG_TRY(scalar_text(r, item));
    value->items = item;
    value->count = 1;
    return ICSEG_OK;
}

static icseg_status enter_section(reader *r, const char **section) {
    if (r->event.type != YAML_SCALAR_EVENT) return fail_here(r, "expected a section such as \"train:\"");
    ICSEG_TRY(scalar_text(r, section));
    for (size_t i = 0; i < r->section_count; i++)
        if (!strcmp(r->sections[i], *section))
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s:%zu: %s: this section occurs twice", r->name,
                              line_of(r), *section);
    if (r->section_count == MAX_SECTIONS) return fail_here(r, "too many sections");
    r->sections[r->section_count++] = *section;
    return ICSEG_OK;
}

static icseg_status read_document(reader *r, icseg_yaml_take take, void *user) {
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return fail_here(r, "expected sections (model:, data:, train:, ...) with indented \"key: value\" lines");
    for (;;) {
        const char *section;
        ICSEG_TRY(next(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) return ICSEG_OK;
        ICSEG_TRY(enter_section(r, &section));
        ICSEG_TRY(next(r));
        if (r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0)
            continue; /* "train:" without keys */
        if (r->event.type != YAML_MAPPING_START_EVENT)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                              "%s:%zu: %s: expected a section: indented \"key: value\" lines below its name", r->name,
                              line_of(r), section);
        for (;;) {
            icseg_yaml_value value;
            ICSEG_TRY(next(r));
            if (r->event.type == YAML_MAPPING_END_EVENT) break;
            if (r->event.type != YAML_SCALAR_EVENT) return fail_here(r, "a key must be a plain word");
            ICSEG_TRY(read_value(r, section, &value));
            ICSEG_TRY(take(user, &value, r->error));
        }
    }
}

static icseg_status read_stream(reader *r, icseg_yaml_take take, void *user) {
    ICSEG_TRY(next(r)); /* stream start */
    ICSEG_TRY(next(r));
    if (r->event.type == YAML_STREAM_END_EVENT) return ICSEG_OK; /* an empty file: all defaults */
    ICSEG_TRY(next(r));
    ICSEG_TRY(read_document(r, take, user));
    ICSEG_TRY(next(r)); /* document end */
    ICSEG_TRY(next(r));
    if (r->event.type != YAML_STREAM_END_EVENT)
        return fail_here(r, "contains a second document; a recipe must be one document");
    return ICSEG_OK;
}

icseg_status icseg_yaml_read_sections(const char *name, const unsigned char *text, size_t size, icseg_arena *arena,
                                      icseg_yaml_take take, void *user, icseg_error *error) {
    reader r = {.name = name, .arena = arena, .error = error};
    if (!yaml_parser_initialize(&r.parser)) return icseg_fail_memory_in(error, 0, name);
    yaml_parser_set_input_string(&r.parser, text, size);
    icseg_status status = read_stream(&r, take, user);
    if (r.has_event) yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return status;
}

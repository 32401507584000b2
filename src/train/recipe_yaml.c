/* SPDX-License-Identifier: Apache-2.0
 * Reads the recipes' subset of YAML from libyaml's events. Everything else is an error that names its line. */
#include "train/recipe_yaml.h"

#include <string.h>

#include "options/yaml.h"

enum { MAX_SECTIONS = 32, MAX_ITEMS = 64 };

typedef struct reader {
    icseg_yaml_reader yaml;
    const char *sections[MAX_SECTIONS];
    size_t section_count;
} reader;

/* Reads a list or mapping of scalars, whose start is the current event. */
static icseg_status read_items(reader *r, icseg_yaml_value *value) {
    bool mapping = r->yaml.event.type == YAML_MAPPING_START_EVENT;
    yaml_event_type_t end = mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    const char **items = icseg_arena_array(r->yaml.arena, MAX_ITEMS, sizeof *items);
    if (!items) return icseg_fail_memory_in(r->yaml.error, 0, r->yaml.name);
    for (;;) {
        const char *text, *number;
        ICSEG_TRY(icseg_yaml_next(&r->yaml));
        if (r->yaml.event.type == end) break;
        if (r->yaml.event.type != YAML_SCALAR_EVENT)
            return icseg_yaml_fail(&r->yaml, "%s: nested too deeply; expected plain values", value->key);
        if (value->count == MAX_ITEMS)
            return icseg_yaml_fail(&r->yaml, "%s: more than %d values", value->key, (int)MAX_ITEMS);
        ICSEG_TRY(icseg_yaml_text(&r->yaml, &text));
        if (mapping) {
            ICSEG_TRY(icseg_yaml_next(&r->yaml));
            if (r->yaml.event.type != YAML_SCALAR_EVENT)
                return icseg_yaml_fail(&r->yaml, "%s: nested too deeply; expected plain values", value->key);
            ICSEG_TRY(icseg_yaml_text(&r->yaml, &number));
            text = icseg_arena_printf(r->yaml.arena, "%s: %s", text, number);
            if (!text) return icseg_fail_memory_in(r->yaml.error, 0, r->yaml.name);
        }
        items[value->count++] = text;
    }
    value->items = items;
    value->list = true;
    return ICSEG_OK;
}

static icseg_status read_value(reader *r, const char *section, icseg_yaml_value *value) {
    const char *key;
    ICSEG_TRY(icseg_yaml_text(&r->yaml, &key));
    *value = (icseg_yaml_value){.line = icseg_yaml_line(&r->yaml),
                                .key = icseg_arena_printf(r->yaml.arena, "%s.%s", section, key)};
    if (!value->key) return icseg_fail_memory_in(r->yaml.error, 0, r->yaml.name);
    ICSEG_TRY(icseg_yaml_next(&r->yaml));
    if (r->yaml.event.type != YAML_SCALAR_EVENT) return read_items(r, value);
    const char **item = icseg_arena_alloc(r->yaml.arena, sizeof *item);
    if (!item) return icseg_fail_memory_in(r->yaml.error, 0, r->yaml.name);
    ICSEG_TRY(icseg_yaml_text(&r->yaml, item));
    value->items = item;
    value->count = 1;
    return ICSEG_OK;
}

static icseg_status enter_section(reader *r, const char **section) {
    if (r->yaml.event.type != YAML_SCALAR_EVENT)
        return icseg_yaml_fail(&r->yaml, "expected a section such as \"train:\"");
    ICSEG_TRY(icseg_yaml_text(&r->yaml, section));
    for (size_t i = 0; i < r->section_count; i++)
        if (!strcmp(r->sections[i], *section))
            return icseg_yaml_fail(&r->yaml, "%s: this section occurs twice", *section);
    if (r->section_count == MAX_SECTIONS) return icseg_yaml_fail(&r->yaml, "too many sections");
    r->sections[r->section_count++] = *section;
    return ICSEG_OK;
}

static icseg_status read_document(reader *r, icseg_yaml_take take, void *user) {
    if (r->yaml.event.type != YAML_MAPPING_START_EVENT)
        return icseg_yaml_fail(&r->yaml,
                               "expected sections (model:, data:, train:, ...) with indented \"key: value\" lines");
    for (;;) {
        const char *section;
        ICSEG_TRY(icseg_yaml_next(&r->yaml));
        if (r->yaml.event.type == YAML_MAPPING_END_EVENT) return ICSEG_OK;
        ICSEG_TRY(enter_section(r, &section));
        ICSEG_TRY(icseg_yaml_next(&r->yaml));
        if (r->yaml.event.type == YAML_SCALAR_EVENT && r->yaml.event.data.scalar.length == 0)
            continue; /* "train:" without keys */
        if (r->yaml.event.type != YAML_MAPPING_START_EVENT)
            return icseg_yaml_fail(&r->yaml, "%s: expected a section: indented \"key: value\" lines below its name",
                                   section);
        for (;;) {
            icseg_yaml_value value;
            ICSEG_TRY(icseg_yaml_next(&r->yaml));
            if (r->yaml.event.type == YAML_MAPPING_END_EVENT) break;
            if (r->yaml.event.type != YAML_SCALAR_EVENT) return icseg_yaml_fail(&r->yaml, "a key must be a plain word");
            ICSEG_TRY(read_value(r, section, &value));
            ICSEG_TRY(take(user, &value, r->yaml.error));
        }
    }
}

icseg_status icseg_yaml_read_sections(const char *name, const unsigned char *text, size_t size, icseg_arena *arena,
                                      icseg_yaml_take take, void *user, icseg_error *error) {
    reader r = {.section_count = 0};
    ICSEG_TRY(icseg_yaml_open(&r.yaml, name, text, size, arena, error));
    icseg_status status = icseg_yaml_begin(&r.yaml);
    if (status == ICSEG_OK && r.yaml.event.type != YAML_STREAM_END_EVENT) { /* an empty file: all defaults */
        status = read_document(&r, take, user);
        if (status == ICSEG_OK) status = icseg_yaml_end(&r.yaml);
    }
    icseg_yaml_close(&r.yaml);
    return status;
}

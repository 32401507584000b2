/* SPDX-License-Identifier: Apache-2.0
 * The events of YAML that comes from users. */
#include "options/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static icseg_status fail_memory(const icseg_yaml_reader *r) {
    return icseg_error_set(r->error, ICSEG_ERROR_MEMORY, "%s: out of memory", r->name);
}

icseg_status icseg_yaml_open(icseg_yaml_reader *out, const char *name, const void *text, size_t size,
                             icseg_arena *arena, icseg_error *error) {
    *out = (icseg_yaml_reader){.name = name, .arena = arena, .error = error};
    if (!yaml_parser_initialize(&out->parser)) return fail_memory(out);
    yaml_parser_set_input_string(&out->parser, text, size);
    return ICSEG_OK;
}

void icseg_yaml_close(icseg_yaml_reader *r) {
    if (r->has_event) yaml_event_delete(&r->event);
    r->has_event = false;
    yaml_parser_delete(&r->parser);
}

size_t icseg_yaml_line(const icseg_yaml_reader *r) { return r->event.start_mark.line + 1; }

icseg_status icseg_yaml_fail(const icseg_yaml_reader *r, const char *format, ...) {
    char text[ICSEG_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return icseg_error_set(r->error, ICSEG_ERROR_FORMAT, "%s:%zu: %s", r->name, icseg_yaml_line(r), text);
}

static icseg_status fetch(icseg_yaml_reader *r) {
    if (r->has_event) yaml_event_delete(&r->event);
    r->has_event = false;
    if (yaml_parser_parse(&r->parser, &r->event)) {
        r->has_event = true;
        return ICSEG_OK;
    }
    if (r->parser.error == YAML_MEMORY_ERROR) return fail_memory(r);
    const char *problem = r->parser.problem ? r->parser.problem : "unreadable";
    if (r->parser.error == YAML_READER_ERROR)
        return icseg_error_set(r->error, ICSEG_ERROR_FORMAT, "%s: not YAML: %s at byte %zu", r->name, problem,
                               r->parser.problem_offset);
    return icseg_error_set(r->error, ICSEG_ERROR_FORMAT, "%s:%zu: not YAML: %s", r->name,
                           r->parser.problem_mark.line + 1, problem);
}

static icseg_status refuse_extras(const icseg_yaml_reader *r) {
    const yaml_event_t *e = &r->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (e->type) {
    case YAML_ALIAS_EVENT: return icseg_yaml_fail(r, "aliases (*name) are not accepted; write the value out");
    case YAML_SCALAR_EVENT: anchor = e->data.scalar.anchor, tag = e->data.scalar.tag; break;
    case YAML_SEQUENCE_START_EVENT: anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag; break;
    case YAML_MAPPING_START_EVENT: anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag; break;
    default: break;
    }
    if (anchor) return icseg_yaml_fail(r, "anchors (&name) are not accepted; write the value out");
    if (tag) return icseg_yaml_fail(r, "tags (!type) are not accepted");
    return ICSEG_OK;
}

icseg_status icseg_yaml_next(icseg_yaml_reader *r) {
    icseg_status status = fetch(r);
    return status == ICSEG_OK ? refuse_extras(r) : status;
}

icseg_status icseg_yaml_begin(icseg_yaml_reader *r) {
    icseg_status status = icseg_yaml_next(r); /* the start of the stream */
    if (status == ICSEG_OK) status = icseg_yaml_next(r);
    if (status == ICSEG_OK && r->event.type == YAML_DOCUMENT_START_EVENT) status = icseg_yaml_next(r);
    return status;
}

icseg_status icseg_yaml_end(icseg_yaml_reader *r) {
    icseg_status status = icseg_yaml_next(r); /* the end of the document */
    if (status == ICSEG_OK) status = icseg_yaml_next(r);
    if (status == ICSEG_OK && r->event.type != YAML_STREAM_END_EVENT)
        status = icseg_yaml_fail(r, "contains a second document; the file must be one document");
    return status;
}

icseg_status icseg_yaml_text(const icseg_yaml_reader *r, const char **out) {
    const char *text = (const char *)r->event.data.scalar.value;
    if (strlen(text) != r->event.data.scalar.length) return icseg_yaml_fail(r, "the text contains a NUL byte");
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && (!strcmp(text, "~") || !strcmp(text, "null"))) text = "";
    *out = icseg_arena_strdup(r->arena, text);
    return *out ? ICSEG_OK : fail_memory(r);
}

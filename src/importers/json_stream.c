/* SPDX-License-Identifier: Apache-2.0
 * Finds the end of each value by its brackets and strings; jansson parses the value. */
#include "importers/json_stream.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

enum { BLOCK = 1 << 16, BITS = 8, END = -1, FAILED = -2 };

struct icseg_json_stream {
    const char *path;
    icseg_file_reader *file;
    size_t size;             /* bytes of the file */
    size_t block_at;         /* offset of the block in the file */
    size_t at, filled;       /* within the block */
    size_t line, line_start; /* of the next byte, from 1; offset of the line's first byte */
    bool list;               /* the root is a list */
    bool first;              /* nothing precedes the next member or element */
    icseg_status status;     /* of the last access to the file */
    char *value;             /* (value_size) text of the value that is being read */
    size_t value_size, value_capacity;
    unsigned char block[BLOCK];
};

/* ---- bytes ---- */

/* The next byte, END or FAILED. */
static int peek(icseg_json_stream *s, icseg_error *error) {
    if (s->at < s->filled) return s->block[s->at];
    size_t next = s->block_at + s->filled, size = s->size - next < BLOCK ? s->size - next : BLOCK;
    if (!size) return END;
    s->status = icseg_file_reader_read(s->file, next, s->block, size, error);
    if (s->status != ICSEG_OK) return FAILED;
    s->block_at = next;
    s->at = 0;
    s->filled = size;
    return s->block[0];
}

static size_t offset_of(const icseg_json_stream *s) { return s->block_at + s->at; }

static void advance(icseg_json_stream *s) {
    if (s->block[s->at++] != '\n') return;
    s->line++;
    s->line_start = offset_of(s);
}

static icseg_status fail_at(const icseg_json_stream *s, size_t line, size_t column, const char *what,
                            icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not JSON: line %zu, column %zu: %s", s->path, line, column, what);
}

/* An error at the next byte, unless reading it failed. */
static icseg_status fail_here(const icseg_json_stream *s, const char *what, icseg_error *error) {
    if (s->status != ICSEG_OK) return s->status;
    return fail_at(s, s->line, offset_of(s) - s->line_start + 1, what, error);
}

/* The next byte that is not blank. */
static int peek_text(icseg_json_stream *s, icseg_error *error) {
    for (int c;; advance(s)) {
        c = peek(s, error);
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return c;
    }
}

static icseg_status open_root(icseg_json_stream **out, const char *path, bool list, icseg_error *error) {
    unsigned char start[3];
    icseg_json_stream *s = icseg_calloc_array(1, sizeof *s);
    *out = NULL;
    if (!s) return icseg_fail_memory_in(error, sizeof *s, path);
    s->path = path;
    s->line = 1;
    s->first = true;
    icseg_status status;
    ICSEG_TRY_GOTO(icseg_file_reader_open(&s->file, path, error));
    s->size = icseg_file_reader_size(s->file);
    if (s->size >= sizeof start) {
        ICSEG_TRY_GOTO(icseg_file_reader_read(s->file, 0, start, sizeof start, error));
        s->block_at = s->line_start = icseg_bom_size(start, sizeof start);
    }
    int c = peek_text(s, error);
    if (c == (list ? '[' : '{')) {
        advance(s);
        s->list = list;
        *out = s;
        return ICSEG_OK;
    }
    if (c == '[' || c == '{')
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the JSON is not %s", path,
                            list ? "a list [...]" : "an object {...}");
    else
        status = fail_here(s, list ? "expected '['" : "expected '{'", error);
fail:
    icseg_json_stream_close(&s);
    return status;
}

icseg_status icseg_json_stream_open(icseg_json_stream **out, const char *path, icseg_error *error) {
    return open_root(out, path, false, error);
}

icseg_status icseg_json_stream_open_list(icseg_json_stream **out, const char *path, icseg_error *error) {
    return open_root(out, path, true, error);
}

void icseg_json_stream_close(icseg_json_stream **stream) {
    if (!stream || !*stream) return;
    icseg_file_reader_close(&(*stream)->file);
    icseg_free((*stream)->value);
    icseg_free(*stream);
    *stream = NULL;
}

/* ---- values ---- */

static icseg_status keep(icseg_json_stream *s, int c, icseg_error *error) {
    if (s->value_size == ICSEG_JSON_VALUE_LIMIT)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: a value has more than %d bytes", s->path, s->line,
                          ICSEG_JSON_VALUE_LIMIT);
    if (s->value_size == s->value_capacity) {
        size_t capacity = s->value_capacity ? 2 * s->value_capacity : 4096;
        char *grown = icseg_realloc_array(s->value, s->value_capacity, capacity, 1);
        if (!grown) return icseg_fail_memory_in(error, capacity, s->path);
        s->value = grown;
        s->value_capacity = capacity;
    }
    s->value[s->value_size++] = (char)c;
    return ICSEG_OK;
}

static bool ends_scalar(int c) { return c < 0 || strchr(" \t\r\n,:[]{}\"", c); }

/* Moves past the next value: past the matching bracket, past the end of the string, or to the first byte that cannot
 * belong to a number or a word. `kept`: copies the value's text to s->value. */
static icseg_status pass_value(icseg_json_stream *s, bool kept, icseg_error *error) {
    unsigned char lists[ICSEG_JSON_DEPTH_LIMIT / BITS]; /* one bit for each open bracket: it is '[' */
    int depth = 0, c = peek_text(s, error);
    bool in_string = false, escaped = false;
    s->value_size = 0;
    if (ends_scalar(c) && c != '[' && c != '{' && c != '"') return fail_here(s, "expected a value", error);
    bool scalar = !ends_scalar(c);
    do {
        c = peek(s, error);
        if (scalar && ends_scalar(c)) return c == FAILED ? s->status : ICSEG_OK;
        if (c < 0) return fail_here(s, "the file ends within a value", error);
        if (in_string) {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if (c == '"')
            in_string = true;
        else if (c == '[' || c == '{') {
            if (depth == ICSEG_JSON_DEPTH_LIMIT) return fail_here(s, "the values are nested too deeply", error);
            unsigned char bit = (unsigned char)(1 << depth % BITS), *bits = &lists[depth / BITS];
            *bits = c == '[' ? *bits | bit : *bits & (unsigned char)~bit;
            depth++;
        } else if (c == ']' || c == '}') {
            depth--;
            if ((lists[depth / BITS] >> depth % BITS & 1) != (c == ']'))
                return fail_here(s, "the bracket does not match the last open one", error);
        }
        if (kept) ICSEG_TRY(keep(s, c, error));
        advance(s);
    } while (scalar || in_string || depth);
    return ICSEG_OK;
}

/* Parses s->value, which begins at this line and column. */
static icseg_status parse(const icseg_json_stream *s, size_t line, size_t column, json_t **out, icseg_error *error) {
    json_error_t problem;
    const size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES;
    ICSEG_TRY(icseg_json_parse(out, s->value, s->value_size, flags, &problem, error));
    if (*out) return ICSEG_OK;
    if (problem.line > 1)
        return fail_at(s, line + (size_t)problem.line - 1, (size_t)problem.column, problem.text, error);
    return fail_at(s, line, column + (size_t)(problem.column > 1 ? problem.column - 1 : 0), problem.text, error);
}

icseg_status icseg_json_stream_read(icseg_json_stream *s, json_t **out, icseg_json_span *span, icseg_error *error) {
    *out = NULL;
    peek_text(s, error);
    size_t line = s->line, offset = offset_of(s), column = offset - s->line_start + 1;
    ICSEG_TRY(pass_value(s, true, error));
    if (span) *span = (icseg_json_span){offset, (uint32_t)s->value_size};
    return parse(s, line, column, out, error);
}

icseg_status icseg_json_stream_skip(icseg_json_stream *s, icseg_error *error) { return pass_value(s, false, error); }

icseg_status icseg_json_stream_load(icseg_json_stream *s, icseg_json_span span, json_t **out, icseg_error *error) {
    *out = NULL;
    if (span.size > s->value_capacity) {
        char *grown = icseg_realloc_array(s->value, s->value_capacity, span.size, 1);
        if (!grown) return icseg_fail_memory_in(error, span.size, s->path);
        s->value = grown;
        s->value_capacity = span.size;
    }
    ICSEG_TRY(icseg_file_reader_read(s->file, span.offset, s->value, span.size, error));
    s->value_size = span.size;
    return parse(s, 1, 1, out, error);
}

/* ---- members and elements ---- */

/* Reads the separator before a member or an element: nothing before the first, a comma before others. *more is false
 * after the closing bracket. */
static icseg_status separate(icseg_json_stream *s, char close, bool *more, icseg_error *error) {
    int c = peek_text(s, error);
    *more = c != close;
    if (*more && s->first) return s->first = false, ICSEG_OK;
    if (*more && c != ',') return fail_here(s, close == ']' ? "expected ',' or ']'" : "expected ',' or '}'", error);
    advance(s);
    return ICSEG_OK;
}

icseg_status icseg_json_stream_member(icseg_json_stream *s, char key[ICSEG_JSON_KEY_SIZE], bool *more,
                                      icseg_error *error) {
    json_t *text;
    ICSEG_TRY(separate(s, '}', more, error));
    if (!*more) return peek_text(s, error) == END ? ICSEG_OK : fail_here(s, "expected the end of the file", error);
    if (peek_text(s, error) != '"') return fail_here(s, "expected a key in quotation marks", error);
    ICSEG_TRY(icseg_json_stream_read(s, &text, NULL, error));
    size_t length = strnlen(json_string_value(text), ICSEG_JSON_KEY_SIZE - 1);
    memcpy(key, json_string_value(text), length);
    key[length] = '\0';
    json_decref(text);
    if (peek_text(s, error) != ':') return fail_here(s, "expected ':'", error);
    advance(s);
    return ICSEG_OK;
}

icseg_status icseg_json_stream_enter(icseg_json_stream *s, bool *entered, icseg_error *error) {
    int c = peek_text(s, error);
    *entered = c == '[';
    if (c == FAILED) return s->status;
    if (!*entered) return ICSEG_OK;
    advance(s);
    s->first = true;
    return ICSEG_OK;
}

icseg_status icseg_json_stream_element(icseg_json_stream *s, bool *more, icseg_error *error) {
    ICSEG_TRY(separate(s, ']', more, error));
    if (!*more && s->list && peek_text(s, error) != END) return fail_here(s, "expected the end of the file", error);
    if (!*more) s->first = false; /* the list was itself the value of a member */
    return ICSEG_OK;
}

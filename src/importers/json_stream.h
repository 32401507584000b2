/* SPDX-License-Identifier: Apache-2.0
 * A JSON file of any size whose root is an object, read value by value: memory holds one block of the file and one
 * value. Values can be read again later. */
#ifndef ICSEG_IMPORTERS_JSON_STREAM_H
#define ICSEG_IMPORTERS_JSON_STREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
    ICSEG_JSON_VALUE_LIMIT = 16 << 20, /* bytes of one value that is read; others may be longer */
    ICSEG_JSON_DEPTH_LIMIT = 512,      /* nested brackets */
    ICSEG_JSON_KEY_SIZE = 64           /* longer keys of the root are cut */
};

/* The place of a value in the file. */
typedef struct icseg_json_span {
    uint64_t offset;
    uint32_t size;
} icseg_json_span;

typedef struct icseg_json_stream icseg_json_stream;

/* `path` must live as long as the stream. */
icseg_status icseg_json_stream_open(icseg_json_stream **out, const char *path, icseg_error *error);
void icseg_json_stream_close(icseg_json_stream **stream);

/* The key of the root's next member, whose value must then be read, entered or skipped. *more is false at the end,
 * where the rest of the file was checked to be empty. */
icseg_status icseg_json_stream_member(icseg_json_stream *stream, char key[ICSEG_JSON_KEY_SIZE], bool *more,
                                      icseg_error *error);

/* *entered: the next value is a list, whose elements follow; otherwise it has yet to be read. */
icseg_status icseg_json_stream_enter(icseg_json_stream *stream, bool *entered, icseg_error *error);
/* Whether the list that was entered has another element, which must then be read. False: the list was left. */
icseg_status icseg_json_stream_element(icseg_json_stream *stream, bool *more, icseg_error *error);

/* Reads the next value, without one of the same keys twice. Free *out with json_decref. `span` may be NULL. */
icseg_status icseg_json_stream_read(icseg_json_stream *stream, json_t **out, icseg_json_span *span, icseg_error *error);
/* Skips the next value. Only its brackets and strings are checked. */
icseg_status icseg_json_stream_skip(icseg_json_stream *stream, icseg_error *error);

/* Reads a value again. */
icseg_status icseg_json_stream_load(icseg_json_stream *stream, icseg_json_span span, json_t **out, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Reads a JSON file of any size, whose root is an object, value by value: only one block of the file and one value are
 * in memory. Values can be read again later. */
#ifndef ICSEG_IMPORTERS_JSON_STREAM_H
#define ICSEG_IMPORTERS_JSON_STREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
    ICSEG_JSON_VALUE_LIMIT = 16 << 20, /* bytes of a value that is read; skipped values may be longer */
    ICSEG_JSON_DEPTH_LIMIT = 512,      /* nested brackets */
    ICSEG_JSON_KEY_SIZE = 64           /* longer keys of the root are truncated */
};

/* The position of a value in the file. */
typedef struct icseg_json_span {
    uint64_t offset;
    uint32_t size;
} icseg_json_span;

typedef struct icseg_json_stream icseg_json_stream;

/* `path` must outlive the stream. */
icseg_status icseg_json_stream_open(icseg_json_stream **out, const char *path, icseg_error *error);
/* The same for a file whose root is a list: icseg_json_stream_element comes next. */
icseg_status icseg_json_stream_open_list(icseg_json_stream **out, const char *path, icseg_error *error);
void icseg_json_stream_close(icseg_json_stream **stream);

/* The key of the root's next member, whose value must then be read, entered or skipped. *more is false after the last
 * member; the rest of the file is then known to be blank. */
icseg_status icseg_json_stream_member(icseg_json_stream *stream, char key[ICSEG_JSON_KEY_SIZE], bool *more,
                                      icseg_error *error);

/* Enters the next value if it is a list, whose elements follow. *entered false: the value must still be read or
 * skipped. */
icseg_status icseg_json_stream_enter(icseg_json_stream *stream, bool *entered, icseg_error *error);
/* *more: the list has another element, which must then be read. False: the list has ended. */
icseg_status icseg_json_stream_element(icseg_json_stream *stream, bool *more, icseg_error *error);

/* Reads the next value; repeated keys are an error. Free *out with json_decref. `span` may be NULL. */
icseg_status icseg_json_stream_read(icseg_json_stream *stream, json_t **out, icseg_json_span *span, icseg_error *error);
/* Skips the next value. Only its brackets and strings are checked. */
icseg_status icseg_json_stream_skip(icseg_json_stream *stream, icseg_error *error);

/* Reads a value again. */
icseg_status icseg_json_stream_load(icseg_json_stream *stream, icseg_json_span span, json_t **out, icseg_error *error);

#endif

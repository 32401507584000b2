/* SPDX-License-Identifier: Apache-2.0
 * The events of YAML that comes from users, by libyaml, without what icseg's files do not need: anchors, aliases, tags
 * and a second document are errors that name their line. A build without ICSEG_TRAIN leaves it out. */
#ifndef ICSEG_OPTIONS_YAML_H
#define ICSEG_OPTIONS_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "icseg/error.h"

#include "options/arena.h"

typedef struct icseg_yaml_reader {
    const char *name; /* of the text, for messages */
    icseg_arena *arena;
    icseg_error *error;
    yaml_event_t event; /* the current one; valid until the next is fetched */
    bool has_event;
    yaml_parser_t parser;
} icseg_yaml_reader;

/* `text` is borrowed until the reader is closed. Close it also after an error of a later call. */
icseg_status icseg_yaml_open(icseg_yaml_reader *out, const char *name, const void *text, size_t size,
                             icseg_arena *arena, icseg_error *error);
void icseg_yaml_close(icseg_yaml_reader *reader);

/* Fetches the next event. */
icseg_status icseg_yaml_next(icseg_yaml_reader *reader);

/* Fetches the first event of the document, or the end of the stream if the text is empty. */
icseg_status icseg_yaml_begin(icseg_yaml_reader *reader);
/* After the last event of the document's content: checks that nothing follows. */
icseg_status icseg_yaml_end(icseg_yaml_reader *reader);

/* The text of the current event, a scalar, in the arena; a plain null is "". */
icseg_status icseg_yaml_text(const icseg_yaml_reader *reader, const char **out);

/* The line of the current event, from 1. */
size_t icseg_yaml_line(const icseg_yaml_reader *reader);

/* ICSEG_ERROR_FORMAT "NAME:LINE: TEXT", with the line of the current event. */
icseg_status icseg_yaml_fail(const icseg_yaml_reader *reader, const char *format, ...) ICSEG_PRINTF(2, 3);

#endif

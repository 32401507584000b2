/* SPDX-License-Identifier: Apache-2.0
 * Iterates over the lines of a text file in memory. */
#ifndef ICSEG_DATASET_TEXT_LINES_H
#define ICSEG_DATASET_TEXT_LINES_H

#include <string.h>

#include "base/text.h"

typedef struct icseg_text_lines {
    char *rest, *end;
    size_t number; /* of the current line, from 1 */
} icseg_text_lines;

/* Begins with a text from icseg_file_read_text; skips its byte order mark. */
static inline icseg_text_lines icseg_text_lines_of(unsigned char *text, size_t size) {
    return (icseg_text_lines){.rest = (char *)text + icseg_bom_size(text, size), .end = (char *)text + size};
}

/* The next line, NUL-terminated in place, without its line break (\n or \r\n) and trailing blanks; NULL at the end. */
static inline char *icseg_text_lines_next(icseg_text_lines *l) {
    char *line = l->rest, *stop = memchr(line, '\n', (size_t)(l->end - line));
    if (line == l->end) return NULL;
    if (!stop) stop = l->end;
    l->rest = stop + (stop < l->end);
    if (stop > line && stop[-1] == '\r') stop--;
    while (stop > line && (stop[-1] == ' ' || stop[-1] == '\t')) stop--;
    *stop = '\0';
    l->number++;
    return line;
}

#endif

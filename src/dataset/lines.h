/* SPDX-License-Identifier: Apache-2.0
 * The lines of a text file in memory, one after the other. */
#ifndef ICSEG_DATASET_LINES_H
#define ICSEG_DATASET_LINES_H

#include <string.h>

#include "base/text.h"

typedef struct icseg_lines {
    char *rest, *end;
    size_t number; /* of the line at hand, from 1 */
} icseg_lines;

/* Of a text that icseg_file_read gave, behind its byte order mark. */
static inline icseg_lines icseg_lines_of(unsigned char *text, size_t size) {
    return (icseg_lines){.rest = (char *)text + icseg_bom_size(text, size), .end = (char *)text + size};
}

/* The next line, cut out of the text in place, without its end (\n or \r\n) and the blanks before it; NULL when there
 * is none. */
static inline char *icseg_lines_next(icseg_lines *l) {
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

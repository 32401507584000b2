/* SPDX-License-Identifier: Apache-2.0
 * Class names with synonyms: "building, edifice". */
#ifndef ICSEG_TEXT_SYNONYMS_H
#define ICSEG_TEXT_SYNONYMS_H

#include "base/error.h"
#include "base/memory.h"

typedef struct icseg_synonyms {
    size_t count;             /* at least 1 */
    const char *const *names; /* (count), in the order of the line; in the arena */
} icseg_synonyms;

/* The end of the first name of a text: the next comma or semicolon outside round brackets, or the end of the text. */
const char *icseg_synonyms_end(const char *text);

/* Splits at commas and semicolons outside round brackets; blanks around names, empty names and repeated names are
 * dropped. A line without a name is ICSEG_ERROR_ARGUMENT. */
icseg_status icseg_synonyms_split(icseg_synonyms *out, const char *line, icseg_arena *arena, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Class names on the command line. */
#include "class_names.h"

#include <string.h>

#include "support.h"

icseg_status class_names_split(icseg_arena *arena, const char *text, char separator, const char ***out, size_t *count,
                               icseg_error *error) {
    size_t most = 1;
    for (const char *c = text; *c; c++) most += *c == separator;
    *count = 0;
    *out = icseg_arena_array(arena, most, sizeof **out);
    if (!*out) return out_of_memory(error);
    for (const char *start = text, *end;; start = end + 1) {
        int depth = 0;
        for (end = start; *end && (depth > 0 || *end != separator); end++)
            depth += *end == '(' ? 1 : *end == ')' && depth ? -1 : 0;
        start += strspn(start, " \t");
        int length = end > start ? (int)(end - start) : 0;
        while (length && (start[length - 1] == ' ' || start[length - 1] == '\t')) length--;
        if (!length && !*end && *count) return ICSEG_OK; /* after a separator at the end */
        if (!length)
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                                   "--classes: name %zu is empty; separate the names with %s", *count + 1,
                                   separator == ',' ? "commas" : "semicolons");
        const char *name = icseg_arena_printf(arena, "%.*s", length, start);
        if (!name) return out_of_memory(error);
        for (size_t i = 0; i < *count; i++)
            if (!strcmp((*out)[i], name))
                return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--classes: \"%.60s\" is given twice", name);
        (*out)[(*count)++] = name;
        if (!*end) return ICSEG_OK;
    }
}

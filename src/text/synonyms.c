/* SPDX-License-Identifier: Apache-2.0
 * Class names with synonyms. */
#include "text/synonyms.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

const char *icseg_synonyms_end(const char *text) {
    int depth = 0;
    const char *bracket = strchr(text, ')'); /* one that is never closed is a character like any other */
    for (; *text; text++) {
        if (bracket && text > bracket) bracket = strchr(text, ')');
        if (*text == '(' && bracket) depth++;
        if (*text == ')' && depth) depth--;
        if (!depth && (*text == ',' || *text == ';')) break;
    }
    return text;
}

icseg_status icseg_synonyms_split(icseg_synonyms *out, const char *line, icseg_arena *arena, icseg_error *error) {
    *out = (icseg_synonyms){0};
    size_t capacity = 1, count = 0;
    for (const char *c = line; *c; c++) capacity += *c == ',' || *c == ';';
    const char **names = icseg_arena_array(arena, capacity, sizeof *names);
    if (!names) return icseg_fail_memory(error, capacity * sizeof *names, "class names");
    for (const char *start = line, *end;; start = end + 1) {
        end = icseg_synonyms_end(start);
        const char *first = start, *last = end;
        while (first < last && is_blank(*first)) first++;
        while (first < last && is_blank(last[-1])) last--;
        size_t size = (size_t)(last - first);
        bool known = size == 0;
        for (size_t i = 0; i < count && !known; i++) known = !strncmp(names[i], first, size) && !names[i][size];
        if (!known) {
            char *name = icseg_arena_alloc(arena, size + 1);
            if (!name) return icseg_fail_memory(error, 0, "class names");
            memcpy(name, first, size);
            names[count++] = name;
        }
        if (!*end) break;
    }
    if (!count)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "class name \"%.60s\": it does not contain a name", line);
    *out = (icseg_synonyms){count, names};
    return ICSEG_OK;
}

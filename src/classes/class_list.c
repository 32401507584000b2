/* SPDX-License-Identifier: Apache-2.0
 * Class lists: parsing and checking files, and choosing one name for each class. */
#include "classes/class_list.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/text.h"
#include "text/utf8.h"

enum { MAX_BYTES = 16 << 20 };

struct icseg_class_list {
    icseg_arena *arena;       /* owns the strings */
    char **names, **synonyms; /* (count) */
    int32_t count;
};

/* ---- files ---- */

static icseg_status check_name(const char *path, int32_t line, const char *name, size_t size, icseg_error *error) {
    if (icseg_utf8_check(name, size) < size)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: line %d is not UTF-8; save the class list as UTF-8", path,
                          line);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return icseg_fail(error, ICSEG_ERROR_DATA,
                              "%s: line %d contains a control character (a tab?); write one class name on each line",
                              path, line);
    return ICSEG_OK;
}

typedef struct named_line {
    const char *name;
    int32_t line;
} named_line;

static int compare_lines(const void *a, const void *b) {
    const named_line *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static icseg_status check_unique(const char *path, char *const *names, int32_t count, icseg_error *error) {
    named_line *sorted = icseg_alloc_array((size_t)count, sizeof *sorted), *twin = NULL;
    if (!sorted) return icseg_fail_memory(error, (size_t)count * sizeof *sorted, path);
    for (int32_t i = 0; i < count; i++) sorted[i] = (named_line){names[i], i + 1};
    qsort(sorted, (size_t)count, sizeof *sorted, compare_lines);
    icseg_status status = ICSEG_OK;
    for (int32_t i = 1; i < count; i++)
        if (!strcmp(sorted[i - 1].name, sorted[i].name) && (!twin || sorted[i].line < twin->line)) twin = &sorted[i];
    if (twin)
        status = icseg_fail(error, ICSEG_ERROR_DATA,
                            "%s: lines %d and %d are both '%s'; class names must differ, as the model tells classes "
                            "apart by their names",
                            path, twin[-1].line, twin->line, twin->name);
    icseg_free(sorted);
    return status;
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static icseg_status parse(icseg_arena *arena, const char *path, const char *text, size_t size, char ***names,
                          int32_t *count, icseg_error *error) {
    const char *p = text, *end = text + size;
    p += icseg_bom_size(p, size);
    while (end > p && (blank(end[-1]) || end[-1] == '\n')) end--;
    if (p == end) return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no class names; write one name on each line", path);
    size_t lines = 1;
    for (const char *q = p; q < end; q++) lines += *q == '\n';
    if (lines > ICSEG_CLASSES_MAX)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %zu class names; at most %d are supported", path, lines,
                          ICSEG_CLASSES_MAX);
    *names = icseg_arena_array(arena, lines, sizeof **names);
    if (!*names) return icseg_fail_memory(error, lines * sizeof **names, path);
    for (int32_t line = 1; line <= (int32_t)lines; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p)), *next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        while (p < stop && blank(*p)) p++;
        while (stop > p && blank(stop[-1])) stop--;
        if (p == stop)
            return icseg_fail(error, ICSEG_ERROR_DATA,
                              "%s: line %d is empty; remove it, or write the name of the class with that label", path,
                              line);
        ICSEG_TRY(check_name(path, line, p, (size_t)(stop - p), error));
        char *name = (*names)[line - 1] = icseg_arena_alloc(arena, (size_t)(stop - p) + 1);
        if (!name) return icseg_fail_memory(error, (size_t)(stop - p) + 1, path);
        memcpy(name, p, (size_t)(stop - p));
        p = next;
    }
    *count = (int32_t)lines;
    return check_unique(path, *names, *count, error);
}

icseg_status icseg_classes_read(icseg_arena *arena, const char *path, char ***lines, int32_t *count,
                                icseg_error *error) {
    unsigned char *text;
    size_t size;
    *lines = NULL;
    *count = 0;
    ICSEG_TRY(icseg_file_read(path, MAX_BYTES, &text, &size, error));
    icseg_status status = parse(arena, path, (const char *)text, size, lines, count, error);
    icseg_free(text);
    return status;
}

/* ---- one name for each class ---- */

/* Length of the first `pieces` names of a line; commas and semicolons outside round brackets separate them. */
static size_t names_length(const char *line, int pieces) {
    int depth = 0;
    size_t end = 0;
    for (; line[end]; end++) {
        depth += (line[end] == '(') - (line[end] == ')');
        if (depth <= 0 && (line[end] == ',' || line[end] == ';') && !--pieces) break;
    }
    while (end > 1 && line[end - 1] == ' ') end--;
    return end;
}

/* Length of the first name; if several classes share it ("bag"), of as many names as tell the class apart. */
static size_t name_length(char *const *lines, int32_t count, int32_t k) {
    const char *own = lines[k];
    for (int pieces = 1;; pieces++) {
        size_t length = names_length(own, pieces);
        bool unique = true;
        for (int32_t j = 0; j < count && unique; j++)
            unique = j == k || names_length(lines[j], pieces) != length || strncmp(lines[j], own, length) != 0;
        if ((unique && length) || length == names_length(own, INT_MAX)) return length;
    }
}

static icseg_status name_classes(icseg_class_list *list, icseg_error *error) {
    list->names = icseg_arena_array(list->arena, (size_t)list->count, sizeof *list->names);
    if (!list->names) return icseg_fail_memory(error, (size_t)list->count * sizeof *list->names, "class names");
    for (int32_t k = 0; k < list->count; k++) {
        int length = (int)name_length(list->synonyms, list->count, k);
        list->names[k] = icseg_arena_printf(list->arena, "%.*s", length, list->synonyms[k]);
        if (!list->names[k]) return icseg_fail_memory(error, 0, "class names");
    }
    return ICSEG_OK;
}

static icseg_status copy_table(icseg_class_list *list, const icseg_class_table *table, icseg_error *error) {
    list->count = table->count;
    list->synonyms = icseg_arena_array(list->arena, (size_t)list->count, sizeof *list->synonyms);
    if (!list->synonyms) return icseg_fail_memory(error, (size_t)list->count * sizeof *list->synonyms, "class names");
    for (int32_t k = 0; k < list->count; k++)
        if (!(list->synonyms[k] = icseg_arena_strdup(list->arena, table->entries[k].synonyms)))
            return icseg_fail_memory(error, 0, "class names");
    return ICSEG_OK;
}

/* From the table, or, where that is NULL, from the file. */
static icseg_status open_list(icseg_class_list **out, const icseg_class_table *table, const char *path,
                              icseg_error *error) {
    icseg_status status;
    icseg_class_list *list = icseg_calloc_array(1, sizeof *list);
    *out = NULL;
    if (!list) return icseg_fail_memory(error, sizeof *list, "a class list");
    ICSEG_TRY_GOTO(icseg_arena_open(&list->arena, error));
    ICSEG_TRY_GOTO(table ? copy_table(list, table, error)
                         : icseg_classes_read(list->arena, path, &list->synonyms, &list->count, error));
    ICSEG_TRY_GOTO(name_classes(list, error));
    *out = list;
    return ICSEG_OK;
fail:
    icseg_class_list_close(&list);
    return status;
}

icseg_status icseg_class_list_open_table(icseg_class_list **out, const icseg_class_table *table, icseg_error *error) {
    return open_list(out, table, NULL, error);
}

icseg_status icseg_class_list_open(icseg_class_list **out, const char *path, icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(path);
    return open_list(out, NULL, path, error);
}

void icseg_class_list_close(icseg_class_list **list) {
    if (!list || !*list) return;
    icseg_arena_close(&(*list)->arena);
    icseg_free(*list);
    *list = NULL;
}

int32_t icseg_class_list_count(const icseg_class_list *list) { return list ? list->count : 0; }

const char *const *icseg_class_list_names(const icseg_class_list *list) {
    return list ? (const char *const *)list->names : NULL;
}

const char *const *icseg_class_list_synonyms(const icseg_class_list *list) {
    return list ? (const char *const *)list->synonyms : NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 * Class lists: parses and checks files, and selects one name for each class. */
#include "classes/class_list.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/text.h"
#include "text/synonyms.h"
#include "text/utf8.h"

enum { MAX_BYTES = 4 << 20, MAX_LINE = 1000 }; /* names are chosen in time proportional to bytes * names of a line */

struct icseg_class_list {
    icseg_arena *arena;       /* owns the strings */
    char **names, **synonyms; /* (count) */
    int32_t count;
};

/* ---- files ---- */

const char *icseg_class_line_problem(const char *line, size_t size) {
    if (icseg_utf8_check(line, size) < size) return "is not UTF-8; save the class list as UTF-8";
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            return "contains a control character (a tab?); write one class name per line";
    if (size > MAX_LINE) return "has more than 1000 bytes; shorten the names of the class";
    if (icseg_bom_size(line, size)) return "begins with a byte order mark; remove it";
    if (!size || strchr(" ,;", *line)) return "begins with a separator; write the name of the class first";
    if (*line == '#' && (size == 1 || line[1] < '0' || line[1] > '9')) /* "#1" may be a name */
        return "begins with #, as a comment does; a class list has no comments: remove the line";
    return NULL;
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
    if (!sorted) return icseg_fail_memory_in(error, (size_t)count * sizeof *sorted, path);
    for (int32_t i = 0; i < count; i++) sorted[i] = (named_line){names[i], i + 1};
    qsort(sorted, (size_t)count, sizeof *sorted, compare_lines);
    icseg_status status = ICSEG_OK;
    for (int32_t i = 1; i < count; i++)
        if (!strcmp(sorted[i - 1].name, sorted[i].name) && (!twin || sorted[i].line < twin->line)) twin = &sorted[i];
    if (twin)
        status =
            icseg_fail(error, ICSEG_ERROR_DATA,
                       "%s: lines %d and %d are both \"%s\"; class names must differ, because the model distinguishes "
                       "classes by their names",
                       path, twin[-1].line, twin->line, twin->name);
    icseg_free(sorted);
    return status;
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

typedef struct line_list {
    char **lines; /* (count) */
    int32_t count;
} line_list;

/* Whether the line begins with this number and a separator: "0: road", "0 road". */
static bool is_numbered(const char *line, int32_t number) {
    char start[16];
    size_t length = (size_t)snprintf(start, sizeof start, "%d", number);
    return !strncmp(line, start, length) && line[length] && strchr(" :.,;)", line[length]);
}

bool icseg_class_lines_are_numbered(char *const *lines, int32_t count) {
    for (int32_t first = 0; first < 2 && count > 1; first++) {
        int32_t k = 0;
        while (k < count && is_numbered(lines[k], k + first)) k++;
        if (k == count) return true;
    }
    return false;
}

bool icseg_class_lines_are_one(char *const *lines, int32_t count) {
    return count == 1 && icseg_synonyms_end(lines[0])[0];
}

static icseg_status check_form(const char *path, const line_list *list, icseg_error *error) {
    if (icseg_class_lines_are_numbered(list->lines, list->count))
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: every line begins with its number; write the names only: the order is that of the "
                          "numbers from 0",
                          path);
    if (icseg_class_lines_are_one(list->lines, list->count))
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: the only line, \"%.80s\", is one class with several names; write one class on each line",
                          path, list->lines[0]);
    return ICSEG_OK;
}

static icseg_status parse(icseg_arena *arena, const char *path, const char *text, size_t size, line_list *out,
                          icseg_error *error) {
    const char *p = text, *end = text + size;
    p += icseg_bom_size(p, size);
    while (end > p && (blank(end[-1]) || end[-1] == '\n')) end--;
    if (p == end) return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no class names; write one name per line", path);
    size_t lines = 1;
    for (const char *q = p; q < end; q++) lines += *q == '\n';
    if (lines > ICSEG_CLASSES_MAX)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %zu class names; at most %d are supported", path, lines,
                          ICSEG_CLASSES_MAX);
    out->lines = icseg_arena_array(arena, lines, sizeof *out->lines);
    if (!out->lines) return icseg_fail_memory_in(error, lines * sizeof *out->lines, path);
    for (int32_t line = 1; line <= (int32_t)lines; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p)), *next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        while (p < stop && blank(*p)) p++;
        while (stop > p && blank(stop[-1])) stop--;
        if (p == stop)
            return icseg_fail(error, ICSEG_ERROR_DATA,
                              "%s: line %d is empty; remove it, or write the name of the class with that label", path,
                              line);
        size_t length = (size_t)(stop - p);
        const char *problem = icseg_class_line_problem(p, length);
        if (problem) return icseg_fail(error, ICSEG_ERROR_DATA, "%s: line %d %s", path, line, problem);
        char *name = out->lines[line - 1] = icseg_arena_alloc(arena, length + 1);
        if (!name) return icseg_fail_memory_in(error, 0, path);
        memcpy(name, p, length);
        p = next;
    }
    out->count = (int32_t)lines;
    ICSEG_TRY(check_form(path, out, error));
    return check_unique(path, out->lines, out->count, error);
}

icseg_status icseg_classes_read(icseg_arena *arena, const char *path, char ***lines, int32_t *count,
                                icseg_error *error) {
    unsigned char *text;
    size_t size;
    line_list list = {0};
    *lines = NULL;
    *count = 0;
    ICSEG_TRY(icseg_file_read_text(path, MAX_BYTES, &text, &size, error));
    icseg_status status = parse(arena, path, (const char *)text, size, &list, error);
    icseg_free(text);
    ICSEG_TRY(status);
    *lines = list.lines;
    *count = list.count;
    return ICSEG_OK;
}

/* ---- one name for each class ---- */

/* Length of the first `pieces` names of a line. */
static size_t names_length(const char *line, int pieces) {
    const char *end = icseg_synonyms_end(line);
    while (--pieces > 0 && *end) end = icseg_synonyms_end(end + 1);
    while (end > line && end[-1] == ' ') end--;
    return (size_t)(end - line);
}

/* The first names of a line, while names are selected. */
typedef struct prefix {
    const char *line;
    size_t length;
    int32_t k; /* class */
} prefix;

static int compare_prefixes(const void *a, const void *b) {
    const prefix *x = a, *y = b;
    int order = memcmp(x->line, y->line, x->length < y->length ? x->length : y->length);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* Cuts each name to the first `pieces` names of its line if they are unique. Returns the number of classes that need
 * more pieces. sorted: (count) scratch. */
static int32_t cut_names(icseg_class_list *list, int pieces, prefix *sorted) {
    int32_t left = 0;
    for (int32_t k = 0; k < list->count; k++)
        sorted[k] = (prefix){list->synonyms[k], names_length(list->synonyms[k], pieces), k};
    qsort(sorted, (size_t)list->count, sizeof *sorted, compare_prefixes);
    for (int32_t i = 0; i < list->count; i++) {
        const prefix *p = &sorted[i];
        char *name = list->names[p->k];
        if (strcmp(name, p->line) != 0) continue; /* done with fewer pieces */
        bool unique =
            (i == 0 || compare_prefixes(p - 1, p) != 0) && (i + 1 == list->count || compare_prefixes(p, p + 1) != 0);
        if (unique && p->length)
            name[p->length] = '\0';
        else
            left += p->length < names_length(p->line, INT_MAX);
    }
    return left;
}

/* Names each class by the first name of its line; if several classes share it ("bag"), by as many names as make it
 * unique. */
static icseg_status name_classes(icseg_class_list *list, icseg_error *error) {
    size_t count = (size_t)list->count;
    list->names = icseg_arena_array(list->arena, count, sizeof *list->names);
    if (!list->names) return icseg_fail_memory(error, count * sizeof *list->names, "class names");
    for (size_t k = 0; k < count; k++)
        if (!(list->names[k] = icseg_arena_strdup(list->arena, list->synonyms[k])))
            return icseg_fail_memory(error, 0, "class names");
    prefix *sorted = icseg_alloc_array(count, sizeof *sorted);
    if (!sorted) return icseg_fail_memory(error, count * sizeof *sorted, "class names");
    for (int pieces = 1; cut_names(list, pieces, sorted); pieces++) continue;
    icseg_free(sorted);
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

/* Reads the list from the table, or, if it is NULL, from the file. */
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

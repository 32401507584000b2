/* SPDX-License-Identifier: Apache-2.0
 * Class lists: parsing and checking; the colours of a published one. */
#include "classes/class_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "classes/tables.h"
#include "icseg/dataset.h"
#include "text/utf8.h"

enum { MOST_CLASSES = 16384, MOST_BYTES = 16 << 20 }; /* as the confusion matrix */

static icseg_status check_name(const char *path, int32_t line, const char *name, size_t size, icseg_error *error) {
    if (icseg_utf8_check(name, size) < size)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: line %d is not UTF-8; save the class list as UTF-8", path,
                          line);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return icseg_fail(error, ICSEG_ERROR_DATA,
                              "%s: line %d holds a control character (a tab?); one class name a line is expected", path,
                              line);
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
                            "%s: lines %d and %d are both '%s'; class names must differ, the text is all the model "
                            "knows them by",
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
    if (p == end) return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no class names; one name a line is expected", path);
    size_t lines = 1;
    for (const char *q = p; q < end; q++) lines += *q == '\n';
    if (lines > MOST_CLASSES)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %zu class names, at most %d are possible", path, lines,
                          MOST_CLASSES);
    *names = icseg_arena_array(arena, lines, sizeof **names);
    if (!*names) return icseg_fail_memory(error, lines * sizeof **names, path);
    for (int32_t line = 1; line <= (int32_t)lines; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p)), *next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        while (p < stop && blank(*p)) p++;
        while (stop > p && blank(stop[-1])) stop--;
        if (p == stop)
            return icseg_fail(error, ICSEG_ERROR_DATA,
                              "%s: line %d is empty; a class's line is its label value, so no line may be left out",
                              path, line);
        ICSEG_TRY(check_name(path, line, p, (size_t)(stop - p), error));
        char *name = (*names)[line - 1] = icseg_arena_alloc(arena, (size_t)(stop - p) + 1);
        if (!name) return icseg_fail_memory(error, (size_t)(stop - p) + 1, path);
        memcpy(name, p, (size_t)(stop - p));
        p = next;
    }
    *count = (int32_t)lines;
    return check_unique(path, *names, *count, error);
}

icseg_status icseg_classes_read(icseg_arena *arena, const char *path, char ***names, int32_t *count,
                                icseg_error *error) {
    unsigned char *text;
    size_t size;
    *names = NULL;
    *count = 0;
    ICSEG_TRY(icseg_file_read(path, MOST_BYTES, &text, &size, error));
    icseg_status status = parse(arena, path, (const char *)text, size, names, count, error);
    icseg_free(text);
    return status;
}

/* Whether `name` is the first of the synonyms, or all of them. */
static bool is_named(const icseg_class_entry *entry, const char *name) {
    size_t length = strlen(name);
    return !strncmp(entry->synonyms, name, length) && (entry->synonyms[length] == ',' || !entry->synonyms[length]);
}

icseg_status icseg_palette_create_for(icseg_palette *out, const char *const *names, int32_t classes,
                                      icseg_error *error) {
    ICSEG_TRY(icseg_palette_create(out, classes, error));
    bool ade20k = classes == ICSEG_ADE20K_CLASSES;
    for (int32_t k = 0; k < classes && ade20k; k++) ade20k = is_named(&icseg_classes_ade20k[k], names[k]);
    if (ade20k) memcpy(out->color, icseg_colors_ade20k, sizeof icseg_colors_ade20k);
    return ICSEG_OK;
}

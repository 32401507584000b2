/* SPDX-License-Identifier: Apache-2.0
 * The list of a folder's results. */
#include "results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "icseg/file.h"
#include "support.h"

/* The lines of a list, sorted. */
typedef struct results {
    char **names;
    size_t count;
} results;

static char *list_path(const char *folder, icseg_arena *arena) {
    return icseg_arena_printf(arena, "%s/.icseg-results", folder);
}

/* The path below the folder, as a line of the list. */
static char *name_of(const char *folder, const char *path, icseg_arena *arena) {
    char *name = icseg_arena_strdup(arena, path + strlen(folder) + 1);
    for (char *c = name; c && *c; c++)
        if (*c == '\n') *c = '?';
    return name;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_name(const results *list, const char *name) {
    return list->count && bsearch(&name, list->names, list->count, sizeof *list->names, compare_names);
}

/* Unknown is an error: a file that is taken for missing would be replaced. */
static icseg_status path_exists(const char *path, bool *out, icseg_error *error) {
    *out = access(path, F_OK) == 0;
    if (*out || errno == ENOENT || errno == ENOTDIR) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
}

/* A folder without a list has no results. */
static icseg_status read_list(const char *folder, results *out, icseg_arena *arena, icseg_error *error) {
    enum { MOST_BYTES = 1 << 28 };
    char *path = list_path(folder, arena), *text;
    size_t size, lines = 1;
    *out = (results){0};
    if (!path) return out_of_memory(error);
    bool exists;
    TRY(path_exists(path, &exists, error));
    if (!exists) return ICSEG_OK;
    TRY(file_read(path, MOST_BYTES, arena, &text, &size, error));
    for (size_t i = 0; i < size; i++) lines += text[i] == '\n';
    if (!(out->names = icseg_arena_array(arena, lines, sizeof *out->names))) return out_of_memory(error);
    for (char *line = text, *next; line; line = next) {
        if ((next = strchr(line, '\n'))) *next++ = '\0';
        if (*line) out->names[out->count++] = line;
    }
    if (out->count) qsort(out->names, out->count, sizeof *out->names, compare_names);
    return ICSEG_OK;
}

icseg_status results_find(const char *folder, const char *name, bool *out, icseg_arena *arena, icseg_error *error) {
    results list;
    *out = false;
    TRY(read_list(folder, &list, arena, error));
    *out = has_name(&list, name);
    return ICSEG_OK;
}

icseg_status results_paths(const char *folder, char ***out, size_t *count, icseg_arena *arena, icseg_error *error) {
    results list;
    TRY(read_list(folder, &list, arena, error));
    for (size_t i = 0; i < list.count; i++)
        if (!(list.names[i] = icseg_arena_printf(arena, "%s/%s", folder, list.names[i]))) return out_of_memory(error);
    *out = list.names;
    *count = list.count;
    return ICSEG_OK;
}

icseg_status results_check(const char *folder, const input_output *outputs, size_t count, icseg_arena *arena,
                           icseg_error *error) {
    results list;
    const char *first = NULL;
    size_t foreign = 0;
    TRY(read_list(folder, &list, arena, error));
    for (size_t i = 0; i < count; i++) {
        bool exists;
        TRY(path_exists(outputs[i].path, &exists, error));
        if (!exists) continue;
        const char *name = name_of(folder, outputs[i].path, arena);
        if (!name) return out_of_memory(error);
        if (has_name(&list, name)) continue;
        if (!foreign++) first = outputs[i].path;
    }
    if (!foreign) return ICSEG_OK;
    const char *others =
        foreign > 1 ? icseg_arena_printf(arena, " and %zu other %s", foreign - 1, foreign > 2 ? "files" : "file") : "";
    if (!others) return out_of_memory(error);
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                           "%s%s %s and %s; choose another --out, or replace %s with --force", first, others,
                           foreign == 1 ? "exists" : "exist",
                           foreign == 1 ? "is not a result of this command" : "are not results of this command",
                           foreign == 1 ? "it" : "them");
}

static icseg_status add_names(const char *folder, const input_output *outputs, size_t count, icseg_arena *arena,
                              icseg_error *error) {
    results list;
    icseg_string text = {0};
    char *path = list_path(folder, arena);
    bool changed = false, failed = !path;
    TRY(read_list(folder, &list, arena, error));
    for (size_t i = 0; i < list.count; i++) icseg_string_printf(&text, "%s\n", list.names[i]);
    for (size_t i = 0; i < count; i++) {
        const char *name = name_of(folder, outputs[i].path, arena);
        failed |= !name;
        if (!name || has_name(&list, name)) continue;
        icseg_string_printf(&text, "%s\n", name);
        changed = true;
    }
    failed |= text.failed;
    icseg_status status = failed    ? out_of_memory(error)
                          : changed ? icseg_file_write(path, text.data, text.size, error)
                                    : ICSEG_OK;
    icseg_string_close(&text);
    return status;
}

/* Several calls at once may write into one folder. Where locks do not work, a name may get lost, and a later call then
 * asks for --force. */
icseg_status results_note(const char *folder, const input_output *outputs, size_t count, icseg_arena *arena,
                          icseg_error *error) {
    int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock >= 0) (void)flock(lock, LOCK_EX);
    icseg_status status = add_names(folder, outputs, count, arena, error);
    if (lock >= 0) close(lock);
    return status;
}

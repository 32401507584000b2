/* SPDX-License-Identifier: Apache-2.0
 * Helpers of the program: errors, paths, files, the clock. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

icseg_status out_of_memory(icseg_error *error) { return icseg_error_set(error, ICSEG_ERROR_MEMORY, "out of memory"); }

icseg_status error_prefix(icseg_error *error, const char *format, ...) {
    icseg_error before = *error;
    char prefix[512];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    icseg_error_set(error, before.status, "%s: %s", prefix, before.message);
    memcpy(error->field, before.field, sizeof error->field);
    error->remedy = before.remedy;
    return before.status;
}

/* ---- paths ---- */

const char *path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *path_extension(const char *path) {
    const char *name = path_name(path), *dot = strrchr(name, '.');
    return dot && dot != name ? dot + 1 : "";
}

char *path_stem(icseg_arena *arena, const char *path) {
    const char *name = path_name(path), *extension = path_extension(path);
    int length = *extension ? (int)(extension - 1 - name) : (int)strlen(name);
    return icseg_arena_printf(arena, "%.*s", length, name);
}

bool file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool folder_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* ---- folders ---- */

icseg_status folder_create(const char *path, icseg_error *error) {
    if (!*path) return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "the name of the folder to create is empty");
    char part[PATH_MAX];
    if (strlen(path) >= sizeof part)
        return icseg_error_set(error, ICSEG_ERROR_IO, "%.200s...: the name is too long", path);
    strcpy(part, path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != '\0') continue;
        char held = *p;
        *p = '\0';
        int reason = mkdir(part, 0777) == 0 ? 0 : errno;
        if (reason != 0 && !folder_exists(part))
            return icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot create the folder: %s", part, strerror(reason));
        *p = held;
        if (!held) return ICSEG_OK;
    }
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int is_visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

icseg_status folder_list(const char *path, icseg_arena *arena, char ***names, size_t *count, icseg_error *error) {
    struct dirent **entries;
    *names = NULL;
    *count = 0;
    int found = scandir(path, &entries, is_visible, NULL);
    if (found < 0)
        return icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot open the folder: %s", path, strerror(errno));
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char **list = icseg_arena_array(arena, (size_t)found + 1, sizeof *list);
    bool failed = !list;
    size_t kept = 0;
    for (int i = 0; i < found; i++) {
        struct stat info;
        bool is_folder = fstatat(folder, entries[i]->d_name, &info, 0) == 0 && S_ISDIR(info.st_mode);
        if (!failed && !is_folder) {
            list[kept] = icseg_arena_strdup(arena, entries[i]->d_name);
            failed = !list[kept++];
        }
        free(entries[i]);
    }
    free(entries);
    if (folder >= 0) close(folder);
    if (failed) return out_of_memory(error);
    qsort(list, kept, sizeof *list, compare_names);
    *names = list;
    *count = kept;
    return ICSEG_OK;
}

/* ---- files ---- */

icseg_status file_read(const char *path, size_t limit, icseg_arena *arena, char **text, size_t *size,
                       icseg_error *error) {
    struct stat info;
    int opened = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* a pipe without a writer would block */
    FILE *file = opened < 0 ? NULL : fdopen(opened, "r");
    if (!file) {
        icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
        if (opened >= 0) close(opened);
        return ICSEG_ERROR_IO;
    }
    icseg_status status = ICSEG_OK;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        status = icseg_error_set(error, ICSEG_ERROR_IO, "%s: not a regular file", path);
    else if ((uintmax_t)info.st_size > limit)
        status = icseg_error_set(error, ICSEG_ERROR_FORMAT, "%s: larger than %zu bytes", path, limit);
    else if (!(*text = icseg_arena_alloc(arena, (size_t)info.st_size + 1)))
        status = out_of_memory(error);
    else if ((*size = fread(*text, 1, (size_t)info.st_size, file)) != (size_t)info.st_size)
        status = icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot read: %s", path,
                                 ferror(file) ? strerror(errno) : "the file has become shorter");
    else if (memchr(*text, '\0', *size))
        status = icseg_error_set(error, ICSEG_ERROR_FORMAT, "%s: contains a NUL byte; a text file is expected", path);
    (void)fclose(file); /* it was only read */
    return status;
}

/* ---- clock and threads ---- */

double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int32_t thread_count(void) {
    const char *text = getenv("OMP_NUM_THREADS");
    char *end;
    long count = text ? strtol(text, &end, 10) : 0;
    return count > 0 && count <= 4096 ? (int32_t)count : 0;
}

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
#include <strings.h>
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

typedef struct name_list {
    char **names;
    size_t count, capacity;
} name_list;

/* Whether the entry is a file, or a folder if `folders`, and not hidden. A link to nothing, a pipe or a device counts
 * as a file: opening it fails, and leaving it out would make a set of images smaller. */
static icseg_status is_listed(DIR *folder, const char *path, const char *name, bool folders, bool *listed,
                              icseg_error *error) {
    struct stat info;
    *listed = false;
    if (name[0] == '.') return ICSEG_OK;
    if (fstatat(dirfd(folder), name, &info, folders ? AT_SYMLINK_NOFOLLOW : 0) == 0)
        *listed = S_ISDIR(info.st_mode) == folders;
    else if (errno == ENOENT || errno == ELOOP)
        *listed = !folders;
    else
        return icseg_error_set(error, ICSEG_ERROR_IO, "%s/%s: cannot read: %s", path, name, strerror(errno));
    return ICSEG_OK;
}

static icseg_status add_name(const char *name, icseg_arena *arena, name_list *list, icseg_error *error) {
    if (list->count == list->capacity) {
        size_t capacity = 2 * list->capacity + 64;
        char **names = icseg_arena_array(arena, capacity, sizeof *names);
        if (!names) return out_of_memory(error);
        if (list->count) memcpy(names, list->names, list->count * sizeof *names);
        list->names = names;
        list->capacity = capacity;
    }
    list->names[list->count] = icseg_arena_strdup(arena, name);
    return list->names[list->count++] ? ICSEG_OK : out_of_memory(error);
}

static icseg_status list_entries(const char *path, bool folders, icseg_arena *arena, name_list *list,
                                 icseg_error *error) {
    icseg_status status = ICSEG_OK;
    const struct dirent *entry;
    DIR *folder = opendir(path);
    if (!folder) return icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot open the folder: %s", path, strerror(errno));
    while (status == ICSEG_OK && (errno = 0, entry = readdir(folder))) {
        bool listed;
        status = is_listed(folder, path, entry->d_name, folders, &listed, error);
        if (status == ICSEG_OK && listed) status = add_name(entry->d_name, arena, list, error);
    }
    if (status == ICSEG_OK && errno)
        status = icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot read the folder: %s", path, strerror(errno));
    closedir(folder);
    if (status == ICSEG_OK && list->count) qsort(list->names, list->count, sizeof *list->names, compare_names);
    return status;
}

icseg_status folder_list(const char *path, icseg_arena *arena, char ***names, size_t *count, icseg_error *error) {
    name_list list = {0};
    TRY(list_entries(path, false, arena, &list, error));
    *names = list.names;
    *count = list.count;
    return ICSEG_OK;
}

icseg_status folder_list_folders(const char *path, icseg_arena *arena, char ***names, size_t *count,
                                 icseg_error *error) {
    name_list list = {0};
    TRY(list_entries(path, true, arena, &list, error));
    *names = list.names;
    *count = list.count;
    return ICSEG_OK;
}

/* ---- files ---- */

icseg_status file_check_safetensors(const char *path, icseg_error *error) {
    const char *extension = path_extension(path);
    if (!extension[0] || !strcasecmp(extension, "safetensors")) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                           "%s: the file would contain safetensors; choose a name that ends in .safetensors", path);
}

icseg_status file_check_not_input(const char *out, const char *input, icseg_error *error) {
    struct stat x, y;
    if (stat(out, &x) != 0 || stat(input, &y) != 0 || x.st_dev != y.st_dev || x.st_ino != y.st_ino) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s is an input and would be overwritten; choose another file",
                           out);
}

icseg_status standard_input_read(size_t limit, unsigned char **data, size_t *size, icseg_error *error) {
    size_t capacity = 0;
    *data = NULL;
    *size = 0;
    for (;;) {
        if (*size == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 16;
            unsigned char *grown = realloc(*data, capacity);
            if (!grown) return out_of_memory(error);
            *data = grown;
        }
        size_t got = fread(*data + *size, 1, capacity - *size, stdin);
        if (ferror(stdin))
            return icseg_error_set(error, ICSEG_ERROR_IO, "standard input: cannot read: %s", strerror(errno));
        if (!got) return ICSEG_OK;
        *size += got;
        if (*size > limit)
            return icseg_error_set(error, ICSEG_ERROR_DATA, "standard input: more than %zu MiB", limit >> 20);
    }
}

icseg_status file_read(const char *path, size_t limit, icseg_arena *arena, char **text, size_t *size,
                       icseg_error *error) {
    struct stat info = {0};
    /* open(2) of a pipe without a writer would block. */
    int fd = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (fd < 0) return icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    icseg_status status = ICSEG_OK;
    *size = 0;
    if (fstat(fd, &info) != 0)
        status = icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot read: %s", path, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        status = icseg_error_set(error, ICSEG_ERROR_IO, "%s: not a regular file", path);
    else if ((uintmax_t)info.st_size > limit)
        status = icseg_error_set(error, ICSEG_ERROR_FORMAT, "%s: larger than %zu bytes", path, limit);
    else if (!(*text = icseg_arena_alloc(arena, (size_t)info.st_size + 1)))
        status = out_of_memory(error);
    while (status == ICSEG_OK && *size < (size_t)info.st_size) {
        ssize_t got = TEMP_FAILURE_RETRY(read(fd, *text + *size, (size_t)info.st_size - *size));
        if (got > 0)
            *size += (size_t)got;
        else
            status = icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot read: %s", path,
                                     got < 0 ? strerror(errno) : "the file has become shorter");
    }
    if (status == ICSEG_OK && memchr(*text, '\0', *size))
        status = icseg_error_set(error, ICSEG_ERROR_FORMAT, "%s: contains a NUL byte; a text file is expected", path);
    close(fd);
    return status;
}

char *cache_folder(icseg_arena *arena) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/') return icseg_arena_printf(arena, "%s/icseg", cache); /* others have to be ignored */
    return home && *home == '/' ? icseg_arena_printf(arena, "%s/.cache/icseg", home) : NULL;
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

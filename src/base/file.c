/* SPDX-License-Identifier: Apache-2.0
 * Bounded reading, folders. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compare.h"
#include "base/memory.h"

static icseg_status open_regular(const char *path, int *fd, struct stat *info, icseg_error *error) {
    if (!*path) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "the path is empty; name a file");
    /* O_NONBLOCK: opening a pipe without a writer would block. */
    *fd = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (*fd < 0) return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    const char *problem = NULL;
    if (fstat(*fd, info) != 0)
        problem = strerror(errno);
    else if (S_ISDIR(info->st_mode))
        problem = "it is a folder; a file is expected";
    else if (!S_ISREG(info->st_mode))
        problem = "it is a pipe, a socket or a device; a regular file is expected";
    if (problem) {
        close(*fd);
        return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot read: %s", path, problem);
    }
    return ICSEG_OK;
}

static icseg_status fail_changed(const char *path, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_IO,
                      "%s: was changed or truncated while in use; replace the file instead of writing to it", path);
}

/* Fails unless the file has the size and time that it had when it was opened. If it `may_grow`, as a log does, bytes
 * that were appended do not matter. */
static icseg_status check_unchanged(int fd, const char *path, const struct stat *opened, bool may_grow,
                                    icseg_error *error) {
    struct stat now;
    if (fstat(fd, &now) != 0) return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot read: %s", path, strerror(errno));
    if (may_grow && now.st_size > opened->st_size) return ICSEG_OK;
    bool same = now.st_size == opened->st_size && now.st_mtim.tv_sec == opened->st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == opened->st_mtim.tv_nsec;
    return same ? ICSEG_OK : fail_changed(path, error);
}

icseg_status icseg_file_read(const char *path, size_t limit, unsigned char **out, size_t *size, icseg_error *error) {
    int fd;
    struct stat info;
    *out = NULL;
    *size = 0;
    ICSEG_TRY(open_regular(path, &fd, &info, error));
    size_t expected = (size_t)info.st_size, done = 0;
    icseg_status status = ICSEG_OK;
    unsigned char *data = NULL;
    if (expected > limit)
        status =
            icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: %zu bytes; at most %zu are accepted", path, expected, limit);
    else if (!(data = icseg_alloc(expected + 1)))
        status = icseg_fail_memory_in(error, expected, path);
    while (status == ICSEG_OK && done < expected) {
        ssize_t got = TEMP_FAILURE_RETRY(read(fd, data + done, expected - done));
        if (got < 0) status = icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot read: %s", path, strerror(errno));
        if (got <= 0) break; /* the file was truncated in the meantime */
        done += (size_t)got;
    }
    if (status == ICSEG_OK && done < expected) status = fail_changed(path, error);
    if (status == ICSEG_OK) status = check_unchanged(fd, path, &info, true, error);
    close(fd);
    if (status != ICSEG_OK) {
        icseg_free(data);
        return status;
    }
    data[done] = 0;
    *out = data;
    *size = done;
    return ICSEG_OK;
}

icseg_status icseg_file_read_text(const char *path, size_t limit, unsigned char **out, size_t *size,
                                  icseg_error *error) {
    size_t line = 1;
    ICSEG_TRY(icseg_file_read(path, limit, out, size, error));
    const unsigned char *nul = memchr(*out, '\0', *size);
    if (!nul) return ICSEG_OK;
    for (const unsigned char *p = *out; p < nul; p++) line += *p == '\n';
    icseg_free(*out);
    *out = NULL;
    *size = 0;
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu contains a NUL byte; save the file as UTF-8 text", path,
                      line);
}

struct icseg_file_reader {
    int fd;
    struct stat opened; /* the file's state at that time */
    char path[];
};

icseg_status icseg_file_reader_open(icseg_file_reader **out, const char *path, icseg_error *error) {
    size_t length = strlen(path) + 1;
    icseg_file_reader *r = *out = icseg_alloc(sizeof *r + length);
    if (!r) return icseg_fail_memory_in(error, sizeof *r + length, path);
    memcpy(r->path, path, length);
    icseg_status status = open_regular(path, &r->fd, &r->opened, error);
    if (status == ICSEG_OK) return ICSEG_OK;
    icseg_free(r);
    *out = NULL;
    return status;
}

void icseg_file_reader_close(icseg_file_reader **reader) {
    if (!reader || !*reader) return;
    close((*reader)->fd);
    icseg_free(*reader);
    *reader = NULL;
}

icseg_file_stamp icseg_file_reader_stamp(const icseg_file_reader *r) {
    const struct stat *s = &r->opened;
    return (icseg_file_stamp){(uint64_t)s->st_size, s->st_mtim.tv_sec, s->st_mtim.tv_nsec};
}

size_t icseg_file_reader_size(const icseg_file_reader *r) { return (size_t)r->opened.st_size; }

icseg_status icseg_file_reader_read(const icseg_file_reader *r, size_t offset, void *to, size_t size,
                                    icseg_error *error) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = TEMP_FAILURE_RETRY(pread(r->fd, (char *)to + done, size - done, (off_t)(offset + done)));
        if (got < 0) return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot read: %s", r->path, strerror(errno));
        if (got == 0) break;
        done += (size_t)got;
    }
    return done < size ? fail_changed(r->path, error) : check_unchanged(r->fd, r->path, &r->opened, false, error);
}

/* The end of the longest parent of `path` that exists, a slash; the beginning of `path` if there is none. */
static char *existing_parent(char *path) {
    for (char *p = path + strlen(path); p > path; p--) {
        if (*p != '/') continue;
        *p = '\0';
        bool exists = icseg_folder_exists(path);
        *p = '/';
        if (exists) return p;
    }
    return path;
}

icseg_status icseg_folder_create(const char *path, icseg_error *error) {
    if (!*path) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "the name of the folder to create is empty");
    if (mkdir(path, 0777) == 0 || icseg_folder_exists(path)) return ICSEG_OK; /* in most cases */
    char *part = icseg_strdup(path);
    if (!part) return icseg_fail_memory_in(error, 0, path);
    icseg_status status = ICSEG_OK;
    for (char *p = existing_parent(part) + 1; status == ICSEG_OK; p++) {
        if (*p != '/' && *p != '\0') continue;
        char saved = *p;
        *p = '\0';
        int reason = mkdir(part, 0777) == 0 ? 0 : errno;
        if (reason != 0 && !icseg_folder_exists(part))
            status = icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot create the folder: %s", part, strerror(reason));
        *p = saved;
        if (!saved) break;
    }
    icseg_free(part);
    return status;
}

bool icseg_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

icseg_status icseg_folder_lock(const char *path, const char *busy, int *out, icseg_error *error) {
    *out = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (*out < 0) return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (TEMP_FAILURE_RETRY(flock(*out, LOCK_EX | LOCK_NB)) == 0 || errno != EWOULDBLOCK) return ICSEG_OK;
    close(*out);
    *out = -1;
    return icseg_fail(error, ICSEG_ERROR_IO, "%s: %s", path, busy);
}

icseg_status icseg_path_find(const char *path, mode_t type, bool *found, icseg_error *error) {
    struct stat info = {0};
    bool exists = stat(path, &info) == 0;
    *found = exists && (info.st_mode & S_IFMT) == type;
    if (exists || errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot read: %s", path, strerror(errno));
}

bool icseg_folder_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

icseg_status icseg_folder_open(DIR **out, const char *path, icseg_error *error) {
    *out = opendir(path);
    if (*out) return ICSEG_OK;
    if (errno == ENOMEM) return icseg_fail_memory_in(error, 0, path);
    return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot open the folder: %s", path, strerror(errno));
}

icseg_status icseg_folder_next(DIR *folder, const char *path, const char **name, icseg_error *error) {
    const struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(folder);
    } while (entry && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")));
    *name = entry ? entry->d_name : NULL;
    if (entry || !errno) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot read the folder: %s", path, strerror(errno));
}

icseg_status icseg_folder_is(DIR *folder, const char *path, const char *name, mode_t type, bool *out,
                             icseg_error *error) {
    struct stat info = {0};
    bool found = fstatat(dirfd(folder), name, &info, 0) == 0;
    *out = found && (info.st_mode & S_IFMT) == type;
    if (found || errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_IO, "%s/%s: cannot read: %s", path, name, strerror(errno));
}

icseg_status icseg_folder_list(const char *path, char ***out, size_t *count, icseg_error *error) {
    *out = NULL;
    *count = 0;
    if (!*path) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "the path is empty; name a folder");
    DIR *folder;
    ICSEG_TRY(icseg_folder_open(&folder, path, error));
    icseg_status status = ICSEG_OK;
    char *names = NULL; /* all names, each with its NUL */
    size_t used = 0, capacity = 0, n = 0;
    for (const char *name; (status = icseg_folder_next(folder, path, &name, error)) == ICSEG_OK && name;) {
        bool is_folder;
        if (name[0] == '.') continue;
        status = icseg_folder_is(folder, path, name, S_IFDIR, &is_folder, error);
        if (status != ICSEG_OK) break;
        if (is_folder) continue;
        size_t length = strlen(name) + 1;
        if (used + length > capacity) {
            size_t needed = (capacity + length) * 2 + 4096;
            char *grown = icseg_realloc_array(names, used, needed, 1);
            if (!grown) {
                status = icseg_fail_memory_in(error, needed, path);
                break;
            }
            names = grown;
            capacity = needed;
        }
        memcpy(names + used, name, length);
        used += length;
        n++;
    }
    closedir(folder);
    char **list = status == ICSEG_OK ? icseg_alloc(n * sizeof *list + used) : NULL;
    if (status == ICSEG_OK && !list) status = icseg_fail_memory_in(error, used, path);
    if (status == ICSEG_OK) {
        char *text = (char *)(list + n);
        if (used) memcpy(text, names, used);
        for (size_t i = 0; i < n; i++, text += strlen(text) + 1) list[i] = text;
        qsort(list, n, sizeof *list, icseg_compare_names);
        *out = list;
        *count = n;
    }
    icseg_free(names);
    return status;
}

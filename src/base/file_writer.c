/* SPDX-License-Identifier: Apache-2.0
 * Writing files: atomic replacement and appending, through symbolic links, in folders that other users may write to. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/argument.h"
#include "base/memory.h"

enum { MAX_LINKS = 40 }; /* as many as Linux follows */

static icseg_status fail_write(icseg_error *error, const char *path, const char *problem) {
    return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot write: %s", path, problem);
}

/* ------------------------------------------------------------------------------------------------------- targets */

/* The file that a path names after its links are followed. The folder is kept open, so that every later step happens in
 * it, whatever happens to the path. */
typedef struct target {
    int folder;
    char name[NAME_MAX + 1];
    bool exists;
    struct stat info; /* of the file, where it exists */
} target;

/* Replaces t->folder by the folder of `path`, which is relative to it, and copies the last part of the path. */
static bool enter(target *t, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char parent[PATH_MAX] = ".";
    size_t length = slash ? (size_t)(slash + 1 - path) : 0;
    errno = ENAMETOOLONG;
    if (length >= sizeof parent || strlen(name) >= sizeof t->name) return false;
    if (length) snprintf(parent, sizeof parent, "%.*s", (int)length, path);
    strcpy(t->name, name);
    int opened = TEMP_FAILURE_RETRY(openat(t->folder, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (opened < 0 && errno == EACCES)
        opened = TEMP_FAILURE_RETRY(openat(t->folder, parent, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (opened < 0) return false;
    if (t->folder >= 0) close(t->folder);
    t->folder = opened;
    return true;
}

/* Whether the link is another user's in a world-writable folder: it may name a file that only this user may write. */
static bool is_planted(const target *t) {
    struct stat folder;
    if (fstat(t->folder, &folder) != 0) return true;
    return (folder.st_mode & S_IWOTH) && t->info.st_uid != geteuid() && t->info.st_uid != folder.st_uid;
}

/* The reason why a file is not written to, or NULL. */
static const char *refusal_of(const struct stat *info) {
    if (S_ISDIR(info->st_mode)) return "it is a folder; name a file";
    if (S_ISFIFO(info->st_mode)) return "it is a pipe; name a regular file";
    if (S_ISSOCK(info->st_mode)) return "it is a socket; name a regular file";
    if (!S_ISREG(info->st_mode)) return "it is a device; name a regular file";
    if (!(info->st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)))
        return "the file is read-only; make it writable (chmod u+w) or name another file";
    return NULL;
}

static void close_target(target *t) {
    if (t->folder >= 0) close(t->folder);
    t->folder = -1;
}

/* Follows the links at the end of `path` and checks that the file may be written. The file may be missing, also as the
 * target of a link; it is then created later. On failure t->folder is closed. */
static icseg_status find_target(target *t, const char *path, icseg_error *error) {
    char link[PATH_MAX];
    const char *problem = NULL;
    *t = (target){.folder = AT_FDCWD};
    if (!*path) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "the path is empty; name a file");
    /* First as the system resolves it, which also knows links without a text, such as those of /proc. */
    if (stat(path, &t->info) == 0)
        problem = refusal_of(&t->info);
    else if (errno != ENOENT)
        problem = strerror(errno);
    for (int links = 0; !problem; links++) {
        t->exists = false;
        if (!enter(t, links ? link : path))
            problem = strerror(errno);
        else if (!*t->name)
            problem = "it is a folder; name a file";
        else if (fstatat(t->folder, t->name, &t->info, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) return ICSEG_OK;
            problem = strerror(errno);
        } else if (!S_ISLNK(t->info.st_mode)) {
            t->exists = true;
            problem = refusal_of(&t->info);
            if (!problem && faccessat(t->folder, t->name, W_OK, AT_EACCESS) != 0) problem = strerror(errno);
            if (!problem) return ICSEG_OK;
        } else if (links == MAX_LINKS)
            problem = strerror(ELOOP);
        else if (is_planted(t))
            problem = "it is another user's link in a world-writable folder; name another file";
        else {
            ssize_t size = readlinkat(t->folder, t->name, link, sizeof link);
            if (size < 0 || size == (ssize_t)sizeof link) problem = strerror(size < 0 ? errno : ENAMETOOLONG);
            if (size >= 0 && size < (ssize_t)sizeof link) link[size] = '\0';
        }
    }
    close_target(t);
    return fail_write(error, path, problem);
}

/* ------------------------------------------------------------------------------------------------------- writing */

/* write(2) that returns EFBIG at a file size limit (RLIMIT_FSIZE) instead of ending the process: SIGXFSZ is sent to the
 * thread that writes, which blocks the signal and consumes it. */
static ssize_t write_some(int fd, const void *data, size_t size) {
    sigset_t signal, before, pending;
    sigemptyset(&signal);
    sigaddset(&signal, SIGXFSZ);
    sigemptyset(&pending);
    pthread_sigmask(SIG_BLOCK, &signal, &before);
    sigpending(&pending);
    ssize_t put = write(fd, data, size);
    int reason = errno;
    if (put < 0 && reason == EFBIG && !sigismember(&pending, SIGXFSZ))
        while (sigtimedwait(&signal, NULL, &(struct timespec){0}) < 0 && errno == EINTR) continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = reason;
    return put;
}

/* Returns 0, the errno of the write that failed, or -1 if the device accepted nothing. */
static int write_all(int fd, const unsigned char *data, size_t size) {
    while (size) {
        ssize_t put = TEMP_FAILURE_RETRY(write_some(fd, data, size));
        if (put <= 0) return put < 0 ? errno : -1;
        data += put;
        size -= (size_t)put;
    }
    return 0;
}

static const char *reason_of(int failed) { return failed > 0 ? strerror(failed) : "the device accepts no more bytes"; }

/* Also succeeds where flushing is impossible: on some file systems, and for folders that may not be read (O_PATH). */
static bool flush(int fd) {
    return TEMP_FAILURE_RETRY(fsync(fd)) == 0 || errno == EINVAL || errno == EROFS || errno == EBADF;
}

/* Linux closes the descriptor even if a signal interrupts the call. */
static bool close_written(int fd) { return close(fd) == 0 || errno == EINTR; }

/* --------------------------------------------------------------------------------------------------- replacement */

enum { RANDOM_BYTES = 8, NAME_KEPT = 100, TRIES = 100 };

struct icseg_file_writer {
    int fd;
    int failed; /* what write_all returned */
    size_t used;
    target target;
    char temporary[NAME_KEPT + sizeof ".tmp." + 2 * RANDOM_BYTES]; /* in the target's folder; "" while it has no name */
    char *path;
    unsigned char buffer[64 * 1024];
};

/* NAME.tmp.RANDOM: nobody can plant a link there beforehand, and no two writers collide. A long NAME is cut between
 * characters. */
static bool name_temporary(icseg_file_writer *w) {
    unsigned char bytes[RANDOM_BYTES];
    ssize_t got;
    do got = getrandom(bytes, sizeof bytes, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof bytes) return false;
    size_t kept = strnlen(w->target.name, NAME_KEPT);
    while (kept && ((unsigned char)w->target.name[kept] & 0xc0) == 0x80) kept--;
    int at = snprintf(w->temporary, sizeof w->temporary, "%.*s.tmp.", (int)kept, w->target.name);
    for (int i = 0; i < RANDOM_BYTES; i++)
        at += snprintf(w->temporary + at, sizeof w->temporary - (size_t)at, "%02x", bytes[i]);
    return true;
}

/* A nameless file leaves nothing behind if the process is killed. Returns -1 where it could not be named later. */
static int open_nameless(const icseg_file_writer *w, mode_t mode) {
    char entry[64];
    int fd = TEMP_FAILURE_RETRY(openat(w->target.folder, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, mode));
    snprintf(entry, sizeof entry, "/proc/self/fd/%d", fd);
    if (fd < 0 || access(entry, F_OK) == 0) return fd;
    close(fd);
    return -1;
}

static int open_named(icseg_file_writer *w, mode_t mode) {
    int fd = -1;
    errno = EEXIST;
    for (int i = 0; fd < 0 && errno == EEXIST && i < TRIES; i++) {
        if (!name_temporary(w)) break;
        fd = TEMP_FAILURE_RETRY(
            openat(w->target.folder, w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    }
    if (fd < 0) *w->temporary = '\0'; /* it is not ours to remove */
    return fd;
}

static bool link_nameless(icseg_file_writer *w) {
    char entry[64];
    snprintf(entry, sizeof entry, "/proc/self/fd/%d", w->fd);
    for (int i = 0; i < TRIES; i++) {
        if (!name_temporary(w)) break;
        if (linkat(AT_FDCWD, entry, w->target.folder, w->temporary, AT_SYMLINK_FOLLOW) == 0) return true;
        if (errno != EEXIST) break;
    }
    *w->temporary = '\0';
    return false;
}

/* The new file gets the mode of the old one, and its owner and group if this process may set them. */
static bool open_temporary(icseg_file_writer *w) {
    const struct stat *old = &w->target.info;
    mode_t mode = w->target.exists ? 0600 : 0666;
    w->fd = open_nameless(w, mode);
    if (w->fd < 0) w->fd = open_named(w, mode);
    if (w->fd < 0) return false;
    if (!w->target.exists) return true;
    if (fchown(w->fd, old->st_uid, old->st_gid) != 0) (void)!fchown(w->fd, (uid_t)-1, old->st_gid);
    return fchmod(w->fd, old->st_mode & 0777) == 0;
}

icseg_status icseg_file_writer_open(icseg_file_writer **out, const char *path, icseg_error *error) {
    *out = NULL;
    icseg_file_writer *w = icseg_alloc(sizeof *w);
    if (!w) return icseg_fail_memory_in(error, 0, path);
    memset(w, 0, offsetof(icseg_file_writer, buffer));
    w->fd = w->target.folder = -1;
    w->path = icseg_strdup(path);
    icseg_status status = w->path ? find_target(&w->target, path, error) : icseg_fail_memory_in(error, 0, path);
    if (status == ICSEG_OK && !open_temporary(w))
        status = icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot create: %s", path, strerror(errno));
    if (status == ICSEG_OK)
        *out = w;
    else
        icseg_file_writer_close(&w);
    return status;
}

/* The first failure is remembered, so that commit reports it too. */
static icseg_status put(icseg_file_writer *w, const unsigned char *data, size_t size, icseg_error *error) {
    if (!w->failed) w->failed = write_all(w->fd, data, size);
    return w->failed ? fail_write(error, w->path, reason_of(w->failed)) : ICSEG_OK;
}

icseg_status icseg_file_writer_write(icseg_file_writer *w, const void *data, size_t size, icseg_error *error) {
    if (w->used + size > sizeof w->buffer) {
        ICSEG_TRY(put(w, w->buffer, w->used, error));
        w->used = 0;
        if (size > sizeof w->buffer) return put(w, data, size, error);
    }
    if (size) memcpy(w->buffer + w->used, data, size);
    w->used += size;
    return ICSEG_OK;
}

icseg_status icseg_file_writer_commit(icseg_file_writer *w, icseg_error *error) {
    ICSEG_TRY(put(w, w->buffer, w->used, error));
    w->used = 0;
    bool done = flush(w->fd) && (*w->temporary || link_nameless(w));
    int reason = errno;
    bool closed = close_written(w->fd);
    w->fd = -1;
    if (!done) return fail_write(error, w->path, strerror(reason));
    if (!closed || renameat(w->target.folder, w->temporary, w->target.folder, w->target.name) != 0)
        return fail_write(error, w->path, strerror(errno));
    *w->temporary = '\0';
    return flush(w->target.folder) ? ICSEG_OK : fail_write(error, w->path, strerror(errno));
}

void icseg_file_writer_close(icseg_file_writer **writer) {
    if (!writer || !*writer) return;
    icseg_file_writer *w = *writer;
    if (w->fd >= 0) close(w->fd);
    if (*w->temporary) unlinkat(w->target.folder, w->temporary, 0);
    close_target(&w->target);
    icseg_free(w->path);
    icseg_free(w);
    *writer = NULL;
}

icseg_status icseg_file_write(const char *path, const void *data, size_t size, icseg_error *error) {
    ICSEG_NEED(path);
    if (size) ICSEG_NEED(data);
    icseg_file_writer *w;
    ICSEG_TRY(icseg_file_writer_open(&w, path, error));
    icseg_status status = icseg_file_writer_write(w, data, size, error);
    if (status == ICSEG_OK) status = icseg_file_writer_commit(w, error);
    icseg_file_writer_close(&w);
    return status;
}

icseg_status icseg_file_check_writable(const char *path, icseg_error *error) {
    ICSEG_NEED(path);
    icseg_file_writer *w;
    ICSEG_TRY(icseg_file_writer_open(&w, path, error));
    icseg_file_writer_close(&w);
    return ICSEG_OK;
}

/* ----------------------------------------------------------------------------------------------------- appending */

struct icseg_file_appender {
    int fd;
    char path[];
};

/* Opens the file and checks it again, because it may have been replaced since find_target. */
static int open_for_append(const target *t, bool empty) {
    struct stat info;
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = TEMP_FAILURE_RETRY(openat(t->folder, t->name, flags, 0666));
    if (fd < 0) return -1;
    int reason = fstat(fd, &info) != 0 ? errno : S_ISREG(info.st_mode) ? 0 : EINVAL;
    if (!reason && empty && TEMP_FAILURE_RETRY(ftruncate(fd, 0)) != 0) reason = errno;
    if (!reason) return fd;
    close(fd);
    errno = reason;
    return -1;
}

icseg_status icseg_file_appender_open(icseg_file_appender **out, const char *path, bool empty, icseg_error *error) {
    target t;
    size_t length = strlen(path) + 1;
    *out = NULL;
    icseg_file_appender *a = icseg_alloc(sizeof *a + length);
    if (!a) return icseg_fail_memory_in(error, sizeof *a + length, path);
    memcpy(a->path, path, length);
    icseg_status status = find_target(&t, path, error);
    if (status == ICSEG_OK) {
        a->fd = open_for_append(&t, empty);
        if (a->fd < 0)
            status = icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot create: %s", path, strerror(errno));
        else if (!t.exists && !flush(t.folder)) {
            status = fail_write(error, path, strerror(errno));
            close(a->fd);
        }
        close_target(&t);
    }
    if (status == ICSEG_OK)
        *out = a;
    else
        icseg_free(a);
    return status;
}

icseg_status icseg_file_appender_write(icseg_file_appender *a, const void *data, size_t size, icseg_error *error) {
    int failed = write_all(a->fd, data, size);
    return failed ? fail_write(error, a->path, reason_of(failed)) : ICSEG_OK;
}

icseg_status icseg_file_appender_finish(icseg_file_appender **appender, icseg_error *error) {
    icseg_file_appender *a = *appender;
    if (!a) return ICSEG_OK;
    *appender = NULL;
    int reason = flush(a->fd) ? 0 : errno;
    if (!close_written(a->fd) && !reason) reason = errno;
    icseg_status status = reason ? fail_write(error, a->path, strerror(reason)) : ICSEG_OK;
    icseg_free(a);
    return status;
}

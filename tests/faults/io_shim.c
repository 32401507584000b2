/* SPDX-License-Identifier: Apache-2.0
 * A library for LD_PRELOAD, in which chosen calls of file functions (and of pthread_create) fail. For
 * scripts/faults.sh.
 *
 *   FAULT_UNDER=FOLDER  only paths and descriptors of files below this folder count; nothing happens without it
 *   FAULT_CALL=NAME,... only these functions count; "close_written" is close of a file that has a name and was open for
 *                       writing
 *   FAULT_AT=N          the Nth of these calls; "N+": that one and all later ones; "odd": every second one. Without it
 *                       nothing fails, and FAULT_LOG receives every call that counts
 *   FAULT_DO=ACTION     the name of an error, such as EIO: the call fails with it
 *                       half: a read or write transfers half of the bytes
 *                       kill, stop: the process receives this signal; a write has written half of the bytes before
 *                       cut, overwrite, replace: the file is changed before the call, as somebody else might
 *   FAULT_SPACE=BYTES   writes beyond this many bytes in total fail with ENOSPC
 *   FAULT_LOG=FILE      each call that failed: its name, a space and its path */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))
enum { HALF = -1 }; /* beside errno values: transfer half of the bytes */

static atomic_long calls, space_used;

/* ------------------------------------------------------------------------------------------- which calls are meant */

/* Writes the absolute path of `path`, which is relative to `folder`; of the descriptor `folder` when path is NULL. */
static void resolve(char out[PATH_MAX], int folder, const char *path) {
    char entry[64];
    ssize_t size = 0;
    *out = '\0';
    if (!path || *path != '/') {
        snprintf(entry, sizeof entry, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        size = syscall(SYS_readlinkat, AT_FDCWD, entry, out, PATH_MAX - 1);
        if (size < 0) size = 0;
        out[size] = '\0';
    }
    if (path) snprintf(out + size, PATH_MAX - (size_t)size, "%s%s", size ? "/" : "", path);
}

static bool is_listed(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || !at[length])) return true;
    return false;
}

static bool counts(const char *name, const char *path) {
    const char *under = getenv("FAULT_UNDER"), *names = getenv("FAULT_CALL");
    return under && !strncmp(path, under, strlen(under)) && (!names || is_listed(names, name));
}

static bool is_due(void) {
    const char *at = getenv("FAULT_AT");
    char *end;
    long n = atomic_fetch_add(&calls, 1) + 1;
    if (!strcmp(at, "odd")) return n % 2;
    long wanted = strtol(at, &end, 10);
    return n == wanted || (n > wanted && *end == '+');
}

static void record(const char *name, const char *path) {
    const char *log = getenv("FAULT_LOG");
    char line[PATH_MAX + 64];
    if (!log) return;
    int size = snprintf(line, sizeof line, "%s %s\n", name, path);
    long fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    (void)syscall(SYS_write, fd, line, size);
    (void)syscall(SYS_close, fd);
}

/* ----------------------------------------------------------------------------------------------------------- actions
 */

/* Halves the file, inverts the bytes of its second half, or puts another file in its place. */
static void change(const char *path, const char *action) {
    struct stat info;
    char other[PATH_MAX + 8];
    unsigned char byte;
    if (NEXT(stat)(path, &info) != 0 || !S_ISREG(info.st_mode)) return;
    if (!strcmp(action, "cut")) (void)!truncate(path, info.st_size / 2);
    if (!strcmp(action, "replace")) {
        snprintf(other, sizeof other, "%s.other", path);
        int fd = NEXT(open)(other, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        (void)!NEXT(write)(fd, "another file\n", 13);
        NEXT(close)(fd);
        NEXT(rename)(other, path);
    }
    if (!strcmp(action, "overwrite")) {
        int fd = NEXT(open)(path, O_RDWR);
        for (off_t at = info.st_size / 2; at < info.st_size; at++)
            if (NEXT(pread)(fd, &byte, 1, at) == 1) {
                byte = (unsigned char)~byte;
                (void)!pwrite(fd, &byte, 1, at);
            }
        NEXT(close)(fd);
    }
}

static int error_number(const char *name) {
    static const struct {
        const char *name;
        int number;
    } known[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EINTR", EINTR},  {"EROFS", EROFS},
                 {"EACCES", EACCES}, {"EMFILE", EMFILE}, {"EAGAIN", EAGAIN}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].name)) return known[i].number;
    fprintf(stderr, "io_shim: FAULT_DO=%s is not known\n", name);
    abort();
}

/* 0: the call is made; else the errno with which it fails, or HALF. `signal_due` receives a signal to send after a
 * write of half the bytes; without it the signal is sent here. */
static int fault(const char *name, int folder, const char *path, int *signal_due) {
    char where[PATH_MAX];
    const char *action = getenv("FAULT_DO");
    int before = errno, result = 0;
    resolve(where, folder, path);
    if (!counts(name, where)) {
        errno = before;
        return 0;
    }
    if (!getenv("FAULT_AT") && !getenv("FAULT_SPACE")) record(name, where);
    if (getenv("FAULT_AT") && is_due()) {
        int number = !strcmp(action, "kill") ? SIGKILL : !strcmp(action, "stop") ? SIGSTOP : 0;
        record(name, where);
        if (number && signal_due) {
            *signal_due = number;
            result = HALF;
        } else if (number)
            kill(getpid(), number);
        else if (!strcmp(action, "half"))
            result = HALF;
        else if (is_listed("cut,overwrite,replace", action))
            change(where, action);
        else
            result = error_number(action);
    }
    errno = before;
    return result;
}

/* How many of `size` bytes a write may transfer, with what FAULT_SPACE leaves; -1: none. */
static ssize_t grant(int fd, size_t size) {
    const char *space = getenv("FAULT_SPACE");
    char where[PATH_MAX];
    if (!space) return (ssize_t)size;
    resolve(where, fd, NULL);
    if (!counts("write", where)) return (ssize_t)size;
    long left = strtol(space, NULL, 10) - atomic_fetch_add(&space_used, (long)size);
    if (left <= 0 && size) {
        record("write", where);
        errno = ENOSPC;
        return -1;
    }
    return left < (long)size ? left : (ssize_t)size;
}

/* ------------------------------------------------------------------------------------------------- the C library's */

/* A function that fails with errno, or is called. */
#define FAILING(type, name, parameters, arguments, failure, folder, path)                                              \
    type name parameters {                                                                                             \
        int reason = fault(#name, folder, path, NULL);                                                                 \
        if (reason <= 0) return NEXT(name) arguments;                                                                  \
        errno = reason;                                                                                                \
        return failure;                                                                                                \
    }

/* Nothing is flushed, to save time: the power is not cut here. */
int fsync(int fd) {
    errno = fault("fsync", fd, NULL, NULL);
    return errno ? -1 : 0;
}
int fdatasync(int fd) {
    errno = fault("fdatasync", fd, NULL, NULL);
    return errno ? -1 : 0;
}

FAILING(int, ftruncate, (int fd, off_t size), (fd, size), -1, fd, NULL)
FAILING(int, flock, (int fd, int operation), (fd, operation), -1, fd, NULL)
FAILING(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, fd, NULL)
FAILING(int, rename, (const char *from, const char *to), (from, to), -1, AT_FDCWD, to)
FAILING(int, renameat, (int f, const char *from, int t, const char *to), (f, from, t, to), -1, t, to)
FAILING(int, linkat, (int f, const char *from, int t, const char *to, int flags), (f, from, t, to, flags), -1, t, to)
FAILING(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, AT_FDCWD, path)
FAILING(char *, mkdtemp, (char *path), (path), NULL, AT_FDCWD, path)
FAILING(int, unlink, (const char *path), (path), -1, AT_FDCWD, path)
FAILING(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags), -1, folder, path)
FAILING(int, rmdir, (const char *path), (path), -1, AT_FDCWD, path)
FAILING(int, remove, (const char *path), (path), -1, AT_FDCWD, path)
FAILING(int, stat, (const char *path, struct stat *info), (path, info), -1, AT_FDCWD, path)
FAILING(int, lstat, (const char *path, struct stat *info), (path, info), -1, AT_FDCWD, path)
FAILING(int, fstat, (int fd, struct stat *info), (fd, info), -1, fd, NULL)
FAILING(int, fstatat, (int folder, const char *path, struct stat *info, int flags), (folder, path, info, flags), -1,
        folder, path)
FAILING(int, access, (const char *path, int mode), (path, mode), -1, AT_FDCWD, path)
FAILING(int, faccessat, (int folder, const char *path, int mode, int flags), (folder, path, mode, flags), -1, folder,
        path)
FAILING(DIR *, opendir, (const char *path), (path), NULL, AT_FDCWD, path)
FAILING(struct dirent *, readdir, (DIR * folder), (folder), NULL, dirfd(folder), NULL)

/* No path: every call counts. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *user) {
    const char *under = getenv("FAULT_UNDER");
    int reason = fault("pthread_create", 0, under ? under : "/", NULL);
    return reason > 0 ? reason : NEXT(pthread_create)(thread, attributes, work, user);
}

static mode_t mode_of(int flags, va_list args) {
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    int reason = fault("open", AT_FDCWD, path, NULL);
    if (reason <= 0) return NEXT(open)(path, flags, mode);
    errno = reason;
    return -1;
}

int openat(int folder, const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    int reason = fault("openat", folder, path, NULL);
    if (reason <= 0) return NEXT(openat)(folder, path, flags, mode);
    errno = reason;
    return -1;
}

/* On Linux the descriptor is closed when close fails. A file without a name is lost anyway. */
int close(int fd) {
    int flags = fcntl(fd, F_GETFL), before = errno;
    struct stat info;
    bool written = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && NEXT(fstat)(fd, &info) == 0 && info.st_nlink > 0;
    int reason = fault(written ? "close_written" : "close", fd, NULL, NULL);
    int result = NEXT(close)(fd);
    if (reason <= 0) return result;
    errno = reason > 0 ? reason : before;
    return -1;
}

static size_t half(int reason, size_t size) { return reason == HALF && size > 1 ? size / 2 : size; }

ssize_t read(int fd, void *to, size_t size) {
    int reason = fault("read", fd, NULL, NULL);
    if (reason <= 0) return NEXT(read)(fd, to, half(reason, size));
    errno = reason;
    return -1;
}

ssize_t pread(int fd, void *to, size_t size, off_t offset) {
    int reason = fault("pread", fd, NULL, NULL);
    if (reason <= 0) return NEXT(pread)(fd, to, half(reason, size), offset);
    errno = reason;
    return -1;
}

ssize_t write(int fd, const void *data, size_t size) {
    int signal_due = 0, reason = fault("write", fd, NULL, &signal_due);
    ssize_t granted = grant(fd, half(reason, size));
    if (granted < 0) return -1;
    if (reason <= 0) {
        ssize_t put = NEXT(write)(fd, data, (size_t)granted);
        if (signal_due) kill(getpid(), signal_due);
        return put;
    }
    errno = reason;
    return -1;
}

/* What a compiler makes of read and pread where it knows the size of the buffer (_FORTIFY_SOURCE), and of open without
 * a mode. */
ssize_t __read_chk(int fd, void *to, size_t size, size_t capacity);
ssize_t __pread_chk(int fd, void *to, size_t size, off_t offset, size_t capacity);
int __open_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
ssize_t __read_chk(int fd, void *to, size_t size, size_t capacity) {
    if (size > capacity) abort();
    return read(fd, to, size);
}
ssize_t __pread_chk(int fd, void *to, size_t size, off_t offset, size_t capacity) {
    if (size > capacity) abort();
    return pread(fd, to, size, offset);
}
int __open_2(const char *path, int flags) { return open(path, flags); }
int __openat_2(int folder, const char *path, int flags) { return openat(folder, path, flags); }

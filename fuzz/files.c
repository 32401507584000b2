/* SPDX-License-Identifier: Apache-2.0
 * A file system in memory. The linker redirects the calls of FUZZ_CALLS (CMakeLists.txt) here. Those that concern files
 * below FUZZ_ROOT or descriptors from FIRST on are answered from a tree in this process, because the system takes
 * longer for them than the readers that are tested take for everything else. All other calls reach the system. The
 * tree does not support links, permissions and nameless files (O_TMPFILE). File numbers and times are counters.
 *
 * Removed nodes are kept for new ones. Otherwise an input that adds a file would allocate more than it frees, and the
 * engine would run it a second time to look for a leak. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FIRST = 1 << 20, HANDLES = 256 };

typedef struct node {
    struct node *parent, *first, *next; /* the children are a list, by `order` */
    char name[NAME_MAX + 1];
    unsigned char *data;
    size_t size, capacity;
    int64_t number, order, changes;
    int handles, locked_by;
    bool is_folder;
} node;

/* Of an open file, or of an open folder, which is also a DIR. */
typedef struct handle {
    node *node; /* NULL: free */
    size_t at;
    int64_t listed; /* the order of the last child that was listed */
    int flags;
    struct dirent entry;
} handle;

/* Where a path leads. */
typedef struct place {
    node *node;   /* NULL: missing */
    node *folder; /* of the last part; NULL if the path is the root, "." or ".." */
    char name[NAME_MAX + 1];
    bool is_folder; /* the path ends in a slash */
} place;

static node root = {.is_folder = true, .number = 1};
static node *unused; /* a list, by `next`; their data has its capacity */
static handle handles[HANDLES];
static int64_t counter = 1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static bool lock(void) { return pthread_mutex_lock(&mutex) == 0; }

static void unlock(bool *locked) {
    if (*locked) pthread_mutex_unlock(&mutex);
}
/* Until the end of the function. */
#define LOCKED() __attribute__((cleanup(unlock), unused)) bool locked = lock()

static int fail(int reason) {
    errno = reason;
    return -1;
}

/* ---- the tree ---- */

static bool is_ours(int at, const char *path) {
    const char *own = FUZZ_ROOT;
    if (*path != '/') return at >= FIRST;
    while (*own && *path == *own) path++, own++;
    return !*own && (*path == '/' || !*path);
}

static handle *handle_of(int fd) {
    if (fd < FIRST || fd >= FIRST + HANDLES || !handles[fd - FIRST].node) return NULL;
    return &handles[fd - FIRST];
}

/* Not strcmp: the engine takes its arguments as hints. */
static bool is_same(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

static node *find_child(const node *folder, const char *name) {
    node *child = folder->first;
    while (child && !is_same(child->name, name)) child = child->next;
    return child;
}

static void attach(node *n, node *folder) {
    node **end = &folder->first;
    while (*end) end = &(*end)->next;
    *end = n;
    n->parent = folder;
    n->order = ++counter;
    folder->changes = ++counter;
}

static void free_unused(node *n) {
    if (n->parent || n->handles || n == &root) return;
    n->next = unused;
    unused = n;
}

static node *take_unused(void) {
    node *n = unused;
    if (!n && !(n = calloc(1, sizeof *n))) abort();
    unused = n->next;
    *n = (node){.data = n->data, .capacity = n->capacity};
    return n;
}

static void detach(node *n) {
    node **at = &n->parent->first;
    while (*at != n) at = &(*at)->next;
    *at = n->next;
    n->parent->changes = ++counter;
    n->parent = n->next = NULL;
}

static node *create(const place *p, bool is_folder) {
    if (p->folder != &root && !p->folder->parent) return errno = ENOENT, NULL; /* the folder was removed */
    node *n = take_unused();
    strcpy(n->name, p->name);
    n->is_folder = is_folder;
    n->number = n->changes = ++counter;
    attach(n, p->folder);
    return n;
}

/* 0, or an errno. A missing last part is not an error. */
static int find(place *p, int at, const char *path) {
    const handle *base = handle_of(at);
    node *n = &root;
    size_t length = 0;
    p->node = p->folder = NULL;
    p->is_folder = false;
    while (path[length]) length++;
    if (length >= PATH_MAX) return ENAMETOOLONG;
    if (!*path) return ENOENT;
    if (*path == '/')
        path += sizeof FUZZ_ROOT - 1;
    else if (!base)
        return EBADF;
    else
        n = base->node;
    for (;;) {
        while (*path == '/') path++;
        if (!*path) break;
        if (!n) return ENOENT;
        if (!n->is_folder) return ENOTDIR;
        for (length = 0; *path && *path != '/'; length++, path++) {
            if (length == NAME_MAX) return ENAMETOOLONG;
            p->name[length] = *path;
        }
        p->name[length] = '\0';
        p->is_folder = *path == '/';
        bool up = is_same(p->name, "..");
        p->folder = up || is_same(p->name, ".") ? NULL : n;
        n = p->folder ? find_child(n, p->name) : up && n->parent ? n->parent : n;
    }
    p->node = n;
    return n && p->is_folder && !n->is_folder ? ENOTDIR : 0;
}

static int find_existing(place *p, int at, const char *path) {
    int problem = find(p, at, path);
    return problem ? problem : p->node ? 0 : ENOENT;
}

/* ---- descriptors ---- */

static handle *open_node(node *n, int flags) {
    for (int i = 0; i < HANDLES; i++)
        if (!handles[i].node) {
            handles[i] = (handle){.node = n, .flags = flags};
            n->handles++;
            return &handles[i];
        }
    return errno = EMFILE, NULL;
}

static int open_place(int at, const char *path, int flags) {
    place p;
    int problem = find(&p, at, path);
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    if (problem) return fail(problem);
    if ((flags & O_TMPFILE) == O_TMPFILE) return fail(EOPNOTSUPP);
    if (!p.node) {
        if (!(flags & O_CREAT)) return fail(ENOENT);
        if (p.is_folder) return fail(EISDIR);
        if (!(p.node = create(&p, false))) return -1;
    } else if ((flags & O_CREAT) && (flags & O_EXCL))
        return fail(EEXIST);
    if (p.node->is_folder && writes) return fail(EISDIR);
    if (!p.node->is_folder && (flags & O_DIRECTORY)) return fail(ENOTDIR);
    if (flags & O_TRUNC) p.node->size = 0, p.node->changes = ++counter;
    const handle *h = open_node(p.node, flags);
    return h ? FIRST + (int)(h - handles) : -1;
}

static int close_handle(handle *h) {
    node *n = h->node;
    int fd = FIRST + (int)(h - handles);
    if (n->locked_by == fd) n->locked_by = 0;
    n->handles--;
    h->node = NULL;
    free_unused(n);
    return 0;
}

static void resize(node *n, size_t size) {
    if (size > n->capacity) {
        n->capacity = 2 * size;
        if (!(n->data = realloc(n->data, n->capacity))) abort();
    }
    if (size > n->size) memset(n->data + n->size, 0, size - n->size);
    n->size = size;
    n->changes = ++counter;
}

static ssize_t read_at(const handle *h, void *to, size_t size, size_t at) {
    const node *n = h->node;
    if (n->is_folder) return fail(EISDIR);
    if (at >= n->size) return 0;
    if (size > n->size - at) size = n->size - at;
    memcpy(to, n->data + at, size);
    return (ssize_t)size;
}

static void describe(const node *n, struct stat *info) {
    *info = (struct stat){.st_dev = 1, .st_ino = (ino_t)n->number, .st_nlink = 1, .st_size = (off_t)n->size};
    info->st_mode = n->is_folder ? S_IFDIR | 0755 : S_IFREG | 0644;
    info->st_mtim.tv_sec = info->st_ctim.tv_sec = n->changes;
}

static int describe_place(int at, const char *path, struct stat *info) {
    place p;
    int problem = find_existing(&p, at, path);
    if (problem) return fail(problem);
    if (info) describe(p.node, info);
    return 0;
}

static int remove_place(int at, const char *path, bool folder) {
    place p;
    int problem = find_existing(&p, at, path);
    if (!problem && !p.folder) problem = EBUSY;
    if (!problem && p.node->is_folder != folder) problem = folder ? ENOTDIR : EISDIR;
    if (!problem && p.node->first) problem = ENOTEMPTY;
    if (problem) return fail(problem);
    detach(p.node);
    free_unused(p.node);
    return 0;
}

static int rename_place(int at, const char *from, int to_at, const char *to) {
    place old, new;
    int problem = find_existing(&old, at, from);
    if (!problem) problem = find(&new, to_at, to);
    if (!problem && (!old.folder || !new.folder)) problem = EBUSY;
    for (const node *n = problem ? NULL : new.folder; n; n = n->parent)
        if (n == old.node) problem = EINVAL;
    if (problem) return fail(problem);
    if (new.node == old.node) return 0;
    if (new.node &&new.node->is_folder != old.node->is_folder) return fail(new.node->is_folder ? EISDIR : ENOTDIR);
    if (new.node && remove_place(to_at, to, new.node->is_folder) != 0) return -1;
    detach(old.node);
    strcpy(old.node->name, new.name);
    attach(old.node, new.folder);
    return 0;
}

static node *child_after(const node *folder, int64_t order) {
    node *child = folder->first;
    while (child && child->order <= order) child = child->next;
    return child;
}

static int make_folder(const char *path) {
    place p;
    int problem = find(&p, -1, path);
    if (!problem && p.node) problem = EEXIST;
    if (problem) return fail(problem);
    return create(&p, true) ? 0 : -1;
}

/* ---- the redirected calls ---- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0;
    va_end(args);
    if (!is_ours(-1, path)) return __real_open(path, flags, mode);
    LOCKED();
    return open_place(-1, path, flags);
}

int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0;
    va_end(args);
    if (!is_ours(at, path)) return __real_openat(at, path, flags, mode);
    LOCKED();
    return open_place(at, path, flags);
}

/* A redirected call: `body` answers it unless `is_other`, which means that it does not concern our files. */
#define REDIRECT(result, name, parameters, arguments, is_other, body)                                                  \
    result __real_##name parameters;                                                                                   \
    result __wrap_##name parameters;                                                                                   \
    result __wrap_##name parameters {                                                                                  \
        if (is_other) return __real_##name arguments;                                                                  \
        LOCKED();                                                                                                      \
        body                                                                                                           \
    }
/* A call whose argument is a path, a path below a descriptor, or a descriptor: `own` answers it for our files. */
#define ON_PATH(result, name, parameters, arguments, own)                                                              \
    REDIRECT(result, name, parameters, arguments, !is_ours(-1, path), return own;)
#define ON_PLACE(result, name, parameters, arguments, own)                                                             \
    REDIRECT(result, name, parameters, arguments, !is_ours(at, path), return own;)
#define ON_HANDLE(result, name, parameters, arguments, own)                                                            \
    REDIRECT(result, name, parameters, arguments, fd < FIRST, handle *h = handle_of(fd); if (!h) return fail(EBADF);   \
             return own;)

ON_PATH(int, stat, (const char *path, struct stat *info), (path, info), describe_place(-1, path, info))
ON_PATH(int, lstat, (const char *path, struct stat *info), (path, info), describe_place(-1, path, info))
ON_PATH(int, access, (const char *path, int mode), (path, mode), describe_place(-1, path, NULL))
ON_PATH(int, mkdir, (const char *path, mode_t mode), (path, mode), make_folder(path))
ON_PATH(int, rmdir, (const char *path), (path), remove_place(-1, path, true))
ON_PATH(int, unlink, (const char *path), (path), remove_place(-1, path, false))
ON_PATH(int, rename, (const char *path, const char *to), (path, to), rename_place(-1, path, -1, to))
ON_PATH(int, statvfs, (const char *path, struct statvfs *info), (path, info), __real_statvfs("/", info))
ON_PLACE(int, fstatat, (int at, const char *path, struct stat *info, int flags), (at, path, info, flags),
         describe_place(at, path, info))
ON_PLACE(int, faccessat, (int at, const char *path, int mode, int flags), (at, path, mode, flags),
         describe_place(at, path, NULL))
ON_PLACE(int, unlinkat, (int at, const char *path, int flags), (at, path, flags),
         remove_place(at, path, flags &AT_REMOVEDIR))
ON_PLACE(int, renameat, (int at, const char *path, int to_at, const char *to), (at, path, to_at, to),
         rename_place(at, path, to_at, to))

static ssize_t read_next(handle *h, void *to, size_t size) {
    ssize_t got = read_at(h, to, size, h->at);
    if (got > 0) h->at += (size_t)got;
    return got;
}

static ssize_t write_next(handle *h, const void *from, size_t size) {
    if (!(h->flags & (O_WRONLY | O_RDWR))) return fail(EBADF);
    if (h->flags & O_APPEND) h->at = h->node->size;
    if (h->at + size > h->node->size) resize(h->node, h->at + size);
    if (size) memcpy(h->node->data + h->at, from, size);
    h->at += size;
    h->node->changes = ++counter;
    return (ssize_t)size;
}

static int lock_file(const handle *h, int fd, int operation) {
    node *n = h->node;
    if (operation & LOCK_UN) return n->locked_by = 0;
    if (n->locked_by && n->locked_by != fd) return fail(EWOULDBLOCK);
    n->locked_by = fd;
    return 0;
}

ON_HANDLE(int, close, (int fd), (fd), close_handle(h))
ON_HANDLE(int, fstat, (int fd, struct stat *info), (fd, info), (describe(h->node, info), 0))
ON_HANDLE(ssize_t, read, (int fd, void *to, size_t size), (fd, to, size), read_next(h, to, size))
ON_HANDLE(ssize_t, pread, (int fd, void *to, size_t size, off_t at), (fd, to, size, at),
          read_at(h, to, size, (size_t)at))
ON_HANDLE(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size), write_next(h, from, size))
ON_HANDLE(int, ftruncate, (int fd, off_t size), (fd, size), (resize(h->node, (size_t)size), 0))
ON_HANDLE(int, fsync, (int fd), (fd), 0)
ON_HANDLE(int, fchmod, (int fd, mode_t mode), (fd, mode), 0)
ON_HANDLE(int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group), 0)
ON_HANDLE(int, flock, (int fd, int operation), (fd, operation), lock_file(h, fd, operation))

/* ---- listing folders ---- */

static bool is_handle(const DIR *dir) {
    return (const handle *)dir >= handles && (const handle *)dir < handles + HANDLES;
}

static DIR *open_listing(const char *path) {
    int fd = open_place(-1, path, O_RDONLY | O_DIRECTORY);
    return fd < 0 ? NULL : (DIR *)handle_of(fd);
}

ON_PATH(DIR *, opendir, (const char *path), (path), open_listing(path))

/* The same for a DIR. */
#define ON_LISTING(result, name, own)                                                                                  \
    REDIRECT(result, name, (DIR * dir), (dir), !is_handle(dir), handle *h = (handle *)dir; return own;)

static struct dirent *list_next(handle *h) {
    const node *child = child_after(h->node, h->listed);
    if (!child) return NULL;
    h->listed = child->order;
    h->entry.d_ino = (ino_t)child->number;
    h->entry.d_type = child->is_folder ? DT_DIR : DT_REG;
    strcpy(h->entry.d_name, child->name);
    return &h->entry;
}

ON_LISTING(int, closedir, close_handle(h))
ON_LISTING(int, dirfd, FIRST + (int)(h - handles))
ON_LISTING(struct dirent *, readdir, list_next(h))
ON_LISTING(void, rewinddir, (void)(h->listed = 0))

/* ---- whole trees and names ---- */

/* Children first. `path`: (PATH_MAX), which names the node. The callback may remove it. */
static int visit(char *path, const node *n, int level, __nftw_func_t callback) {
    size_t length = strlen(path);
    struct stat info;
    describe(n, &info);
    bool is_folder = n->is_folder;
    int64_t order = 0;
    for (const node *child; is_folder && (child = child_after(n, order));) {
        order = child->order;
        snprintf(path + length, PATH_MAX - length, "/%s", child->name);
        int stopped = visit(path, child, level + 1, callback);
        path[length] = '\0';
        if (stopped) return stopped;
    }
    struct FTW walk = {.base = (int)(strrchr(path, '/') - path) + 1, .level = level};
    return callback(path, &info, is_folder ? FTW_DP : FTW_F, &walk);
}

int __real_nftw(const char *path, __nftw_func_t callback, int descriptors, int flags);
int __wrap_nftw(const char *path, __nftw_func_t callback, int descriptors, int flags);
int __wrap_nftw(const char *path, __nftw_func_t callback, int descriptors, int flags) {
    char own[PATH_MAX];
    place p;
    if (!is_ours(-1, path)) return __real_nftw(path, callback, descriptors, flags);
    int problem = find_existing(&p, -1, path); /* not locked: the callback makes calls */
    if (problem) return fail(problem);
    strcpy(own, path);
    return visit(own, p.node, 0, callback);
}

static char *make_unique(char *path) {
    snprintf(path + strlen(path) - 6, 7, "%06u", (unsigned)(++counter % 1000000));
    return make_folder(path) == 0 ? path : NULL;
}

ON_PATH(char *, mkdtemp, (char *path), (path), make_unique(path))

static char *real_path(const char *path, char *out) {
    if (describe_place(-1, path, NULL) != 0) return NULL;
    return out ? strcpy(out, path) : strdup(path);
}

ON_PATH(char *, realpath, (const char *path, char *out), (path, out), real_path(path, out))

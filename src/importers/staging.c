/* SPDX-License-Identifier: Apache-2.0
 * The folder of the new data set. Files are collected in a hidden folder inside it and moved up when all are complete,
 * so that an import that ends early leaves nothing. */
#define _XOPEN_SOURCE   700 /* nftw, mkdtemp */
#define _DEFAULT_SOURCE     /* flock */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "importers/internal.h"

#define PREFIX ".import."
#define MARKER "staging.lock"
static const char magic[] = "icseg import: a folder of unfinished files\n";

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place) {
    (void)info, (void)type, (void)place;
    return remove(path) != 0 && errno != ENOENT;
}

static void remove_all(const char *folder) { (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

/* Whether the entry is the staging folder of a killed import: a folder, not a link to one, that contains an unlocked
 * marker. Writes its path to `path`. */
static bool is_leftover(const char *folder, const char *entry, char path[PATH_MAX]) {
    char content[sizeof magic];
    struct stat info;
    if (strncmp(entry, PREFIX, strlen(PREFIX)) != 0) return false;
    if (snprintf(path, PATH_MAX, "%s/%s", folder, entry) >= PATH_MAX - (int)sizeof "/" MARKER) return false;
    if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode)) return false;
    size_t length = strlen(path);
    strcpy(path + length, "/" MARKER);
    int marker = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    path[length] = '\0';
    if (marker < 0) return false;
    bool left = read(marker, content, sizeof content) == (ssize_t)strlen(magic) &&
                !memcmp(content, magic, strlen(magic)) && flock(marker, LOCK_EX | LOCK_NB) == 0;
    close(marker);
    return left;
}

/* Removes the leftovers of killed imports; fails if the folder contains anything else. */
static icseg_status clear(const char *folder, icseg_error *error) {
    char path[PATH_MAX];
    DIR *target;
    bool empty = true;
    ICSEG_TRY(icseg_folder_open(&target, folder, error));
    for (struct dirent *entry; empty && (entry = readdir(target));)
        empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || is_leftover(folder, entry->d_name, path);
    rewinddir(target);
    for (struct dirent *entry; empty && (entry = readdir(target));)
        if (is_leftover(folder, entry->d_name, path)) remove_all(path);
    closedir(target);
    if (empty) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "folder", ICSEG_REMEDY_SET_FIELD,
                            "%s: the folder is not empty; use a new or empty folder", folder);
}

/* The length of the shortest part of the path that does not exist; 0 if all of it exists. */
static size_t first_missing(const char *folder) {
    char path[PATH_MAX];
    size_t length = strlen(folder);
    for (size_t i = 1; i <= length && i < sizeof path; i++) {
        if (folder[i] != '/' && folder[i] != '\0') continue;
        memcpy(path, folder, i);
        path[i] = '\0';
        if (access(path, F_OK) != 0) return i;
    }
    return 0;
}

/* Removes the folders that icseg_folder_create created, from the innermost outwards, while they are empty. */
static void remove_new_folders(const icseg_import *im) {
    char path[PATH_MAX];
    if (!im->new_from) return;
    snprintf(path, sizeof path, "%s", im->options->folder);
    for (size_t i = strlen(path); i >= im->new_from; i--) {
        if (path[i] != '/' && path[i] != '\0') continue;
        path[i] = '\0';
        if (path[i - 1] != '/' && rmdir(path) != 0) return; /* fails, as intended, if the folder is not empty */
    }
}

static icseg_status open_marker(icseg_import *im, icseg_error *error) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" MARKER, im->staging);
    im->marker = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (im->marker >= 0) (void)flock(im->marker, LOCK_EX | LOCK_NB); /* before its content identifies it */
    if (im->marker < 0 || write(im->marker, magic, strlen(magic)) != (ssize_t)strlen(magic))
        return icseg_fail(error, ICSEG_ERROR_IO, "%s: %s", path, strerror(errno));
    return ICSEG_OK;
}

icseg_status icseg_staging_open(icseg_import *im, icseg_error *error) {
    const char *folder = im->options->folder;
    if (strlen(folder) > PATH_MAX - 600)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%.80s...: the path is too long", folder);
    char *name = icseg_arena_printf(im->arena, "%s/" PREFIX "XXXXXX", folder);
    if (!name) return icseg_fail_memory(error, 0, folder);
    im->new_from = first_missing(folder);
    ICSEG_TRY(icseg_folder_create(folder, error));
    ICSEG_TRY(icseg_folder_lock(folder,
                                "another import is writing to this folder; wait until it ends, or use another folder",
                                &im->lock, error));
    ICSEG_TRY(clear(folder, error));
    if (!mkdtemp(name)) return icseg_fail(error, ICSEG_ERROR_IO, "%s: %s", folder, strerror(errno));
    im->staging = name;
    return open_marker(im, error);
}

icseg_status icseg_staging_commit(icseg_import *im, icseg_error *error) {
    static const char *const parts[] = {"images", "annotations",
                                        "classes.txt"}; /* the list comes last: it makes the set complete */
    char from[PATH_MAX], to[PATH_MAX];
    for (int i = 0; i < 3; i++) {
        snprintf(from, sizeof from, "%s/%s", im->staging, parts[i]);
        snprintf(to, sizeof to, "%s/%s", im->options->folder, parts[i]);
        if (rename(from, to) != 0) return icseg_fail(error, ICSEG_ERROR_IO, "%s: %s", to, strerror(errno));
    }
    return ICSEG_OK;
}

void icseg_staging_close(icseg_import *im) {
    if (im->staging) remove_all(im->staging);
    if (im->marker >= 0) close(im->marker);
    remove_new_folders(im);
    if (im->lock >= 0) close(im->lock);
    im->staging = NULL;
    im->marker = im->lock = -1;
}

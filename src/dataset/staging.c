/* SPDX-License-Identifier: Apache-2.0
 * The folder of a new data set: staging.h. */
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
#include "dataset/staging.h"

#define PREFIX ".import."
#define MARKER "staging.lock"
#define MOVING "staging.moving" /* exists while the parts are moved up */
static const char magic[] = "icseg import: a folder of unfinished files\n";
static const char *const parts[] = {"images", "annotations",
                                    "classes.txt"}; /* the list last: then the set is complete */
enum { PARTS = 3 };

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place) {
    (void)info;
    if (place->level == 0 || (place->level == 1 && !strcmp(path + place->base, MARKER))) return 0;
    return (type == FTW_DP ? rmdir(path) : unlink(path)) != 0 && errno != ENOENT;
}

/* The marker goes last: by it the next import recognises a folder whose removal was interrupted. */
static void remove_all(const char *folder) {
    char marker[PATH_MAX];
    (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (snprintf(marker, sizeof marker, "%s/" MARKER, folder) < (int)sizeof marker) (void)unlink(marker);
    (void)rmdir(folder);
}

/* The number of entries; -1 if they cannot be read. */
static int count_entries(const char *folder) {
    DIR *open;
    const char *name;
    int count = 0;
    icseg_status status = icseg_folder_open(&open, folder, NULL);
    if (status != ICSEG_OK) return -1;
    while ((status = icseg_folder_next(open, folder, &name, NULL)) == ICSEG_OK && name) count++;
    closedir(open);
    return status == ICSEG_OK ? count : -1;
}

/* Whether the entry is the staging folder of a killed import: a folder, not a link to one, that contains an unlocked
 * marker, or nothing beside a marker that was not written completely. Writes its path to `path`. */
static bool is_leftover(const char *folder, const char *entry, char path[PATH_MAX]) {
    char content[sizeof magic];
    struct stat info;
    if (strncmp(entry, PREFIX, strlen(PREFIX)) != 0) return false;
    if (snprintf(path, PATH_MAX, "%s/%s", folder, entry) >= PATH_MAX - (int)sizeof "/" MOVING) return false;
    if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode)) return false;
    size_t length = strlen(path);
    strcpy(path + length, "/" MARKER);
    int marker = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    bool missing = marker < 0 && errno == ENOENT;
    path[length] = '\0';
    if (marker < 0) return missing && count_entries(path) == 0;
    ssize_t size = TEMP_FAILURE_RETRY(read(marker, content, sizeof content));
    bool left = size >= 0 && size <= (ssize_t)strlen(magic) && !memcmp(content, magic, (size_t)size) &&
                TEMP_FAILURE_RETRY(flock(marker, LOCK_EX | LOCK_NB)) == 0;
    close(marker);
    return left && (size == (ssize_t)strlen(magic) || count_entries(path) == 1);
}

/* A failure to find out counts as existing: what exists is not removed. */
static bool exists_in(const char *folder, const char *name) {
    char path[PATH_MAX];
    struct stat info;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length >= (int)sizeof path || lstat(path, &info) == 0 || errno != ENOENT;
}

/* Whether an import that was killed had moved the entry up from the staging folder `moving`. With the last part its set
 * was complete: then nothing was. */
static bool was_moved(const char *folder, const char *entry, const char *moving) {
    if (!*moving || exists_in(folder, parts[PARTS - 1])) return false;
    for (int i = 0; i < PARTS - 1; i++)
        if (!strcmp(entry, parts[i])) return !exists_in(moving, entry);
    return false;
}

/* Finds out whether the folder contains nothing but what killed imports left. */
static icseg_status look(DIR *open, const char *folder, bool *clean, char moving[PATH_MAX], icseg_error *error) {
    char path[PATH_MAX];
    const char *name;
    icseg_status status;
    *moving = '\0';
    *clean = true;
    while ((status = icseg_folder_next(open, folder, &name, error)) == ICSEG_OK && name)
        if (is_leftover(folder, name, path) && exists_in(path, MOVING)) strcpy(moving, path);
    rewinddir(open);
    while (*clean && status == ICSEG_OK && (status = icseg_folder_next(open, folder, &name, error)) == ICSEG_OK && name)
        *clean = is_leftover(folder, name, path) || was_moved(folder, name, moving);
    rewinddir(open);
    return status;
}

/* Removes the leftovers of killed imports; fails if the folder contains anything else. */
static icseg_status clear(const char *folder, icseg_error *error) {
    char path[PATH_MAX], moving[PATH_MAX];
    const char *name;
    DIR *open;
    bool clean;
    ICSEG_TRY(icseg_folder_open(&open, folder, error));
    icseg_status status = look(open, folder, &clean, moving, error);
    for (int i = 0; clean && status == ICSEG_OK && *moving && i < PARTS - 1;
         i++) /* before the folder that tells of them */
        if (snprintf(path, sizeof path, "%s/%s", folder, parts[i]) < (int)sizeof path) remove_all(path);
    while (clean && status == ICSEG_OK && (status = icseg_folder_next(open, folder, &name, error)) == ICSEG_OK && name)
        if (is_leftover(folder, name, path)) remove_all(path);
    closedir(open);
    ICSEG_TRY(status);
    if (clean) return ICSEG_OK;
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
static void remove_new_folders(const icseg_staging *s) {
    char path[PATH_MAX];
    if (!s->new_from) return;
    snprintf(path, sizeof path, "%s", s->folder);
    for (size_t i = strlen(path); i >= s->new_from; i--) {
        if (path[i] != '/' && path[i] != '\0') continue;
        path[i] = '\0';
        if (path[i - 1] != '/' && rmdir(path) != 0) return; /* fails, as intended, if the folder is not empty */
    }
}

static icseg_status open_marker(icseg_staging *s, icseg_error *error) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" MARKER, s->path);
    s->marker = TEMP_FAILURE_RETRY(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (s->marker < 0) return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot create: %s", path, strerror(errno));
    (void)TEMP_FAILURE_RETRY(flock(s->marker, LOCK_EX | LOCK_NB)); /* before others can recognise it */
    for (const char *text = magic; *text;) {
        ssize_t put = TEMP_FAILURE_RETRY(write(s->marker, text, strlen(text)));
        if (put <= 0) return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
        text += put;
    }
    return ICSEG_OK;
}

icseg_status icseg_staging_open(icseg_staging *s, icseg_arena *arena, const char *folder, icseg_error *error) {
    *s = ICSEG_STAGING_NONE;
    s->folder = folder;
    if (strlen(folder) > PATH_MAX - 600)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%.80s...: the path is too long", folder);
    char *name = icseg_arena_printf(arena, "%s/" PREFIX "XXXXXX", folder);
    if (!name) return icseg_fail_memory_in(error, 0, folder);
    s->new_from = first_missing(folder);
    ICSEG_TRY(icseg_folder_create(folder, error));
    ICSEG_TRY(icseg_folder_lock(folder,
                                "another process is writing to this folder; wait until it ends, or use another folder",
                                &s->lock, error));
    ICSEG_TRY(clear(folder, error));
    if (!mkdtemp(name)) return icseg_fail(error, ICSEG_ERROR_IO, "%s: %s", folder, strerror(errno));
    s->path = name;
    return open_marker(s, error);
}

/* Moves a part up from the staging folder, or back. */
static bool move(const icseg_staging *s, const char *part, bool up) {
    char inside[PATH_MAX], outside[PATH_MAX];
    snprintf(inside, sizeof inside, "%s/%s", s->path, part);
    snprintf(outside, sizeof outside, "%s/%s", s->folder, part);
    return rename(up ? inside : outside, up ? outside : inside) == 0;
}

icseg_status icseg_staging_commit(icseg_staging *s, icseg_error *error) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" MOVING, s->path);
    ICSEG_TRY(icseg_file_write(path, "", 0, error));
    int moved = 0;
    while (moved < PARTS && move(s, parts[moved], true)) moved++;
    if (moved == PARTS && (TEMP_FAILURE_RETRY(fsync(s->lock)) == 0 || errno == EINVAL)) return ICSEG_OK;
    icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot create %s: %s", s->folder,
               moved < PARTS ? parts[moved] : "the new files", strerror(errno));
    while (moved > 0) (void)move(s, parts[--moved], false);
    return ICSEG_ERROR_IO;
}

void icseg_staging_close(icseg_staging *s) {
    if (s->path) remove_all(s->path);
    if (s->marker >= 0) close(s->marker);
    remove_new_folders(s);
    if (s->lock >= 0) close(s->lock);
    s->path = NULL;
    s->marker = s->lock = -1;
}

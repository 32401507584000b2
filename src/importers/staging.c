/* SPDX-License-Identifier: Apache-2.0
 * The folder of the new data set. Files are collected in a hidden folder inside it and moved up when all of them are
 * there, so that an import that ends early leaves nothing. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "importers/internal.h"

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place) {
    (void)info, (void)type, (void)place;
    return remove(path) != 0 && errno != ENOENT;
}

static void remove_all(const char *folder) { (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

/* Removes what killed imports left. */
static void remove_leftovers(const char *out) {
    char path[PATH_MAX];
    DIR *folder = opendir(out);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        long process;
        if (sscanf(entry->d_name, ICSEG_STAGING_PREFIX "%ld", &process) != 1) continue;
        if (kill((pid_t)process, 0) == 0 || errno != ESRCH) continue; /* still running */
        if ((size_t)snprintf(path, sizeof path, "%s/%s", out, entry->d_name) < sizeof path) remove_all(path);
    }
    if (folder) closedir(folder);
}

icseg_status icseg_staging_open(icseg_import *im, icseg_error *error) {
    im->out_is_new = !icseg_folder_exists(im->options->folder);
    remove_leftovers(im->options->folder);
    im->staging = icseg_arena_printf(im->arena, "%s/" ICSEG_STAGING_PREFIX "%ld", im->options->folder, (long)getpid());
    if (!im->staging) return icseg_fail_memory(error, 0, im->options->folder);
    if (strlen(im->staging) > PATH_MAX - 600)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%.80s...: the path is too long", im->options->folder);
    return ICSEG_OK;
}

icseg_status icseg_staging_commit(icseg_import *im, icseg_error *error) {
    static const char *const parts[] = {"images", "annotations",
                                        "classes.txt"}; /* the list last: then the set is complete */
    char from[PATH_MAX], to[PATH_MAX];
    for (int i = 0; i < 3; i++) {
        snprintf(from, sizeof from, "%s/%s", im->staging, parts[i]);
        snprintf(to, sizeof to, "%s/%s", im->options->folder, parts[i]);
        if (rename(from, to) != 0) return icseg_fail(error, ICSEG_ERROR_IO, "%s: %s", to, strerror(errno));
    }
    return ICSEG_OK;
}

void icseg_staging_close(icseg_import *im) {
    if (!im->staging) return;
    remove_all(im->staging);
    if (im->out_is_new) (void)rmdir(im->options->folder); /* fails, as it should, when it was filled */
    im->staging = NULL;
}

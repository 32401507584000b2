/* SPDX-License-Identifier: Apache-2.0
 * The new data set's folder: files gather in a hidden folder inside it and move up when all are there, so that a
 * conversion that ends early leaves nothing. */
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
#include "importers/import.h"

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place) {
    (void)info, (void)type, (void)place;
    return remove(path) != 0 && errno != ENOENT;
}

static void remove_all(const char *folder) { (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

/* What conversions that were killed have left. */
static void remove_leftovers(const char *out) {
    char path[PATH_MAX];
    DIR *folder = opendir(out);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        long process;
        if (sscanf(entry->d_name, ICSEG_EXPORT_STAGING "%ld", &process) != 1) continue;
        if (kill((pid_t)process, 0) == 0 || errno != ESRCH) continue; /* it is at work */
        if ((size_t)snprintf(path, sizeof path, "%s/%s", out, entry->d_name) < sizeof path) remove_all(path);
    }
    if (folder) closedir(folder);
}

icseg_status icseg_export_out_open(icseg_export *e, icseg_error *error) {
    e->out_is_new = !icseg_folder_exists(e->options->out);
    remove_leftovers(e->options->out);
    e->staging = icseg_arena_printf(e->arena, "%s/" ICSEG_EXPORT_STAGING "%ld", e->options->out, (long)getpid());
    if (!e->staging) return icseg_fail_memory(error, PATH_MAX, e->options->out);
    if (strlen(e->staging) > PATH_MAX - 600)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%.80s...: the path is too long", e->options->out);
    return ICSEG_OK;
}

icseg_status icseg_export_out_commit(icseg_export *e, icseg_error *error) {
    static const char *const parts[] = {"images", "annotations", "classes.txt"}; /* the list last: then it is whole */
    char from[PATH_MAX], to[PATH_MAX];
    for (int i = 0; i < 3; i++) {
        snprintf(from, sizeof from, "%s/%s", e->staging, parts[i]);
        snprintf(to, sizeof to, "%s/%s", e->options->out, parts[i]);
        if (rename(from, to) != 0) return icseg_fail(error, ICSEG_ERROR_IO, "%s: %s", to, strerror(errno));
    }
    return ICSEG_OK;
}

void icseg_export_out_close(icseg_export *e) {
    if (!e->staging) return;
    remove_all(e->staging);
    if (e->out_is_new) (void)rmdir(e->options->out); /* stays when it was filled */
    e->staging = NULL;
}

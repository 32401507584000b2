/* SPDX-License-Identifier: Apache-2.0
 * Writes a divided data set: the images, label files and class list, and the splits that stay as they are. */
#define _XOPEN_SOURCE 700 /* linkat */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "dataset/split.h"
#include "image/codec.h"

typedef struct writing {
    icseg_division *division;
    icseg_stage stage;
    int64_t done;
} writing;

static icseg_status link_file(const char *from, const char *to, icseg_error *error) {
    if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_IO, "link", ICSEG_REMEDY_NONE,
                            "%s: cannot make a hard link to it in the new folder: %s%s", from, strerror(errno),
                            errno == EXDEV ? "; copy the files instead, or use a folder on the same file system" : "");
}

/* Puts a file below the part "images" or "annotations" of the new folder. */
static icseg_status put(const writing *w, const char *root, const char *split, const char *from, icseg_error *error) {
    char to[PATH_MAX];
    unsigned char *data;
    size_t size;
    if ((size_t)snprintf(to, sizeof to, "%s/%s/%s/%s", w->division->staging.path, root, split, icseg_path_name(from)) >=
        sizeof to)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: the path of the new file is too long", from);
    if (w->division->options.link) return link_file(from, to, error);
    ICSEG_TRY(icseg_file_read(from, ICSEG_IMAGE_FILE_LIMIT, &data, &size, error));
    icseg_status status = icseg_file_write(to, data, size, error);
    icseg_free(data);
    return status;
}

/* part: of d->part, or -1 for all images. */
static icseg_status put_images(writing *w, const icseg_dataset *dataset, const char *split, int part,
                               icseg_error *error) {
    static const char *const roots[] = {"images", "annotations"};
    char folder[PATH_MAX];
    for (int i = 0; i < (dataset->images_only ? 1 : 2); i++) {
        snprintf(folder, sizeof folder, "%s/%s/%s", w->division->staging.path, roots[i], split);
        ICSEG_TRY(icseg_folder_create(folder, error));
    }
    for (int64_t i = 0; i < dataset->count; i++) {
        const icseg_dataset_pair *pair = &dataset->pairs[i];
        if (part >= 0 && w->division->part[i] != part) continue;
        ICSEG_TRY(put(w, roots[0], split, pair->image, error));
        if (pair->label) ICSEG_TRY(put(w, roots[1], split, pair->label, error));
        ICSEG_TRY(icseg_stage_report(&w->stage, ++w->done, "", error));
    }
    return ICSEG_OK;
}

/* A split without label files, such as one for a test of which the labels are secret, stays one. */
static icseg_status put_other(writing *w, const char *split, icseg_error *error) {
    icseg_division *d = w->division;
    icseg_dataset *dataset;
    icseg_dataset_options o = d->data;
    bool labelled;
    const char *labels = icseg_arena_printf(d->arena, "%s/%s/%s", o.folder, d->layout.label_root, split);
    if (!labels) return icseg_fail_memory_in(error, 0, o.folder);
    ICSEG_TRY(icseg_path_find(labels, S_IFDIR, &labelled, error));
    o.split = split;
    o.images_only = !labelled;
    ICSEG_TRY(icseg_dataset_open_layout(&dataset, &o, &d->layout, error));
    d->copied += dataset->count;
    w->stage.total += dataset->count;
    icseg_status status = put_images(w, dataset, split, -1, error);
    icseg_dataset_close(&dataset);
    return status;
}

/* The list is the last part that the new folder receives, so it is a copy even if the images are links. */
static icseg_status put_classes(const writing *w, icseg_error *error) {
    enum { MAX_LIST = 64 << 20 };
    const icseg_dataset_options *o = &w->division->data;
    char from[PATH_MAX], to[PATH_MAX];
    unsigned char *data;
    size_t size;
    snprintf(from, sizeof from, "%s%s", o->classes_file ? o->classes_file : o->folder,
             o->classes_file ? "" : "/classes.txt");
    snprintf(to, sizeof to, "%s/classes.txt", w->division->staging.path);
    ICSEG_TRY(icseg_file_read(from, MAX_LIST, &data, &size, error));
    icseg_status status = icseg_file_write(to, data, size, error);
    icseg_free(data);
    return status;
}

static icseg_status put_all(writing *w, icseg_error *error) {
    icseg_division *d = w->division;
    for (int part = 0; part < d->parts; part++) ICSEG_TRY(put_images(w, d->dataset, d->names[part], part, error));
    for (int32_t i = 0; i < d->other_count; i++) ICSEG_TRY(put_other(w, d->others[i], error));
    ICSEG_TRY(put_classes(w, error));
    return icseg_staging_commit(&d->staging, error);
}

icseg_status icseg_division_write(icseg_division *d, icseg_error *error) {
    writing w = {.division = d};
    w.stage = icseg_stage_begin(&d->progress, "write", d->dataset->count, "images");
    return put_all(&w, error);
}

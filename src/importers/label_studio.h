/* SPDX-License-Identifier: Apache-2.0
 * Shared by the importers of Label Studio's exports: JSON, JSON_MIN and PNG. */
#ifndef ICSEG_IMPORTERS_LABEL_STUDIO_H
#define ICSEG_IMPORTERS_LABEL_STUDIO_H

#include "importers/internal.h"

/* A JSON file of tasks while it is read. */
typedef struct icseg_studio {
    icseg_import *im;
    const char *path, *folder; /* the file, and where images are */
    icseg_arena *arena;        /* of this task */
    size_t task;               /* its index */
    int64_t others;            /* submitted annotations that were left out */
    int64_t several;           /* objects of several classes, of which the first was taken */
    int64_t unlabelled;        /* tasks without a submitted annotation, which were left out; of these: */
    int64_t cancelled, drafts; /* with a cancelled annotation; otherwise with a draft */
    const bool *older;         /* JSON_MIN: (older_count) whether a newer annotation of each task's image follows */
    size_t older_count;
} icseg_studio;

/* Fails with ICSEG_ERROR_FORMAT, naming the file and the task. */
icseg_status icseg_studio_fail(const icseg_studio *s, const char *what, icseg_error *error);
/* Whether a task is that of JSON_MIN. */
bool icseg_studio_is_min(const json_t *task);
/* The file name of a task's image; a task of JSON_MIN contains it directly, others in "data". *own: what names the new
 * files; with the folders of local storage, in which files of different folders may have the same name. */
icseg_status icseg_studio_image_name(const icseg_studio *s, const json_t *task, const char **out, const char **own,
                                     icseg_error *error);
/* The path of an image in the folder, or in its folder `images`; NULL if it is missing. Uploaded files begin with eight
 * digits and a hyphen, which the folder of images may lack. */
icseg_status icseg_studio_find_image(const icseg_studio *s, const char *name, char **out, icseg_error *error);
/* Warns about annotations and tasks that were left out. */
void icseg_studio_report(const icseg_studio *s);

/* Whether a name is that of a mask of the PNG export. */
bool icseg_studio_is_mask(const char *name);
/* Imports the PNG export. `folder` contains at least one mask. */
icseg_status icseg_studio_import_masks(icseg_import *im, const char *folder, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The folder of a new data set. Files are collected in a hidden folder with a random name inside it and moved up when
 * all are complete, so that work that ends early leaves nothing. A marker file in the hidden folder, which the process
 * keeps locked, distinguishes it from a user's folder and from the folder of a killed process. */
#ifndef ICSEG_DATASET_STAGING_H
#define ICSEG_DATASET_STAGING_H

#include "base/error.h"
#include "base/memory.h"

typedef struct icseg_staging {
    const char *folder; /* of the new data set */
    char *path;         /* folder in which files are collected: images, annotations, classes.txt; NULL: not created */
    int lock;           /* descriptor of the new folder, which is locked; -1: not open */
    int marker;         /* descriptor of the marker file, which is locked; -1: not open */
    size_t new_from;    /* length of the shortest part of the new folder's path that was created; 0: none */
} icseg_staging;

/* Creates and locks the new folder, so that a second process that writes to it fails. Removes the leftovers of killed
 * ones; fails if the folder contains anything else. `folder` must exist as long as `out`. Close also after a failure.
 */
icseg_status icseg_staging_open(icseg_staging *out, icseg_arena *arena, const char *folder, icseg_error *error);
/* Moves the files up into the new folder. */
icseg_status icseg_staging_commit(icseg_staging *staging, icseg_error *error);
/* Removes what was created and not committed. Accepts a staging that was never opened, if its descriptors are -1. */
void icseg_staging_close(icseg_staging *staging);

#define ICSEG_STAGING_NONE                                                                                             \
    (icseg_staging) { .lock = -1, .marker = -1 }

#endif

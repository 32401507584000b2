/* SPDX-License-Identifier: Apache-2.0
 * A division of a data set into new splits while it is made, and the steps of making it. */
#ifndef ICSEG_DATASET_SPLIT_H
#define ICSEG_DATASET_SPLIT_H

#include "base/progress.h"
#include "dataset/internal.h"
#include "dataset/label_counts.h"
#include "dataset/staging.h"
#include "dataset/stratify.h"
#include "icseg/split.h"

typedef struct icseg_division {
    icseg_arena *arena;
    icseg_dataset_options data;
    icseg_split_options options;
    icseg_progress progress;
    icseg_dataset_layout layout;           /* of the source: that of the folder format, with its folder of labels */
    icseg_dataset *dataset;                /* the split that is divided; owned */
    char **others;                         /* (other_count) names of the splits that are copied unchanged */
    int32_t other_count;                   /* length of `others` */
    int32_t parts;                         /* new splits */
    const char *names[ICSEG_STRATA_PARTS]; /* (parts) of the new splits */
    double shares[ICSEG_STRATA_PARTS];     /* (parts) */
    int64_t *group_of;                     /* (images) */
    int64_t groups;
    icseg_label_count *counts; /* (images) owned */
    uint8_t *part;             /* (images): the new split of each */
    icseg_staging staging;     /* of the new folder */
    int64_t copied;            /* images of the other splits */
} icseg_division;

/* ---- split_groups.c ---- */

/* Fills group_of and groups. Groups are numbered by name. *names: (groups) in the arena. */
icseg_status icseg_division_group(icseg_division *d, const char ***names, icseg_error *error);

/* ---- split_write.c ---- */

/* Writes the new data set to the staging folder, which is open, and commits it. */
icseg_status icseg_division_write(icseg_division *d, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Reads data.yaml of a YOLO data set. */
#ifndef ICSEG_IMPORTERS_YOLO_CONFIG_H
#define ICSEG_IMPORTERS_YOLO_CONFIG_H

#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

enum { ICSEG_YOLO_PLACES = 64 };

/* Where images of a split are: a folder, or a text file with a path on each line. */
typedef struct icseg_yolo_place {
    const char *split; /* "train", "val", "test" */
    const char *place; /* with slashes; it may be absolute, or lead to another machine's folders */
} icseg_yolo_place;

/* Texts are in the arena that was passed to icseg_yolo_config_read. */
typedef struct icseg_yolo_config {
    const char *path; /* of the file */
    char **names;     /* (name_count), at least 1, in the order of the class numbers */
    size_t name_count;
    const char *root;                           /* "path"; NULL: not set */
    icseg_yolo_place places[ICSEG_YOLO_PLACES]; /* (place_count) */
    size_t place_count;
} icseg_yolo_config;

icseg_status icseg_yolo_config_read(icseg_yolo_config *out, icseg_arena *arena, const char *path, icseg_error *error);

/* Turns the backslashes of a path that a Windows program wrote into slashes, in place. */
void icseg_yolo_use_slashes(char *path);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The PNG files of COCO's panoptic annotations, whose colours are the numbers of segments: red + 256 green + 65536 blue
 * (cocodataset.org/#format-data). */
#ifndef ICSEG_IMPORTERS_PANOPTIC_H
#define ICSEG_IMPORTERS_PANOPTIC_H

#include "importers/internal.h"

typedef struct icseg_panoptic_segment {
    int64_t id;
    int16_t label;
} icseg_panoptic_segment;

/* The folder in which COCO has the PNG files of a JSON file: X.json and X/. NULL: out of memory. */
char *icseg_panoptic_folder(icseg_arena *arena, const char *json);

/* *out: the path of the PNG file in that folder, beside the JSON file, or in a folder X of `root`, in the arena; NULL
 * if it is missing. */
icseg_status icseg_panoptic_find(icseg_arena *arena, const char *json, const char *root, const char *name, char **out,
                                 icseg_error *error);

/* Reads the PNG file as labels. Pixels of number 0 belong to no segment and become `empty`; *has_empty: there are some.
 * Sorts the segments. ICSEG_ERROR_DATA for the number of no segment, ICSEG_ERROR_FORMAT for an id that occurs twice.
 * Error messages begin with `where`. */
icseg_status icseg_panoptic_read(icseg_labels *out, const char *path, icseg_panoptic_segment *segments, size_t count,
                                 int16_t empty, bool *has_empty, const char *where, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Recognises the files of labelling tools, for the importers, and for messages about folders that are not data sets. */
#ifndef ICSEG_DATASET_LABELLING_TOOLS_H
#define ICSEG_DATASET_LABELLING_TOOLS_H

#include <stdbool.h>

#include "icseg/import.h"

typedef struct icseg_labelling_tool {
    const char *name, *description;
    /* Whether `source` contains the tool's files: examines file names and searches a JSON file for one key. NULL for
     * ICSEG_IMPORT_AUTO. */
    bool (*fits)(const char *source, icseg_error *error);
} icseg_labelling_tool;

extern const icseg_labelling_tool icseg_labelling_tools[ICSEG_IMPORT_FORMATS];

/* Finds the format of a folder or of a COCO JSON file; ICSEG_IMPORT_AUTO if it is not recognised. Fails if memory runs
 * out, and if the format is not recognised but a file could not be read. */
icseg_status icseg_labelling_tool_recognise(const char *source, icseg_import_format *out, icseg_error *error);

/* *out: another tool whose label files the folder, which was recognised as `first`, has as well; ICSEG_IMPORT_AUTO if
 * there is none. */
icseg_status icseg_labelling_tool_find_other(const char *source, icseg_import_format first, icseg_import_format *out,
                                             icseg_error *error);

#endif

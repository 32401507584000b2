/* SPDX-License-Identifier: Apache-2.0
 * Recognising the files of labelling tools, for the importers and for data sets that turn out to be such files. */
#ifndef ICSEG_DATASET_LABELLING_TOOLS_H
#define ICSEG_DATASET_LABELLING_TOOLS_H

#include <stdbool.h>

#include "icseg/import.h"

typedef struct icseg_labelling_tool {
    const char *name, *description;
    bool (*fits)(const char *source,
                 icseg_error *error); /* NULL for ICSEG_IMPORT_AUTO; looks at names and for one key of a JSON file */
} icseg_labelling_tool;

extern const icseg_labelling_tool icseg_labelling_tools[ICSEG_IMPORT_FORMATS];

/* The format of a folder, or of a COCO JSON file; ICSEG_IMPORT_AUTO when it is none of them. Fails only when memory
 * runs out. */
icseg_status icseg_labelling_tool_recognise(const char *source, icseg_import_format *out, icseg_error *error);

#endif

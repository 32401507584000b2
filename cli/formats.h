/* SPDX-License-Identifier: Apache-2.0
 * Lists of formats from the library's tables, for the help of --format. */
#ifndef ICSEG_CLI_FORMATS_H
#define ICSEG_CLI_FORMATS_H

#include "options/string.h"

/* Append the formats of data sets, "folder, auto, ...", and those of labelling tools, "auto, voc, ...". */
void dataset_format_names(icseg_string *out);
void import_format_names(icseg_string *out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The page that lists the runs of a directory. */
#ifndef ICSEG_REPORT_INDEX_H
#define ICSEG_REPORT_INDEX_H

#include "base/error.h"
#include "base/text.h"

void icseg_report_index_begin(icseg_string *out, const char *folder);
/* The run FOLDER/NAME, from its log. A log that cannot be read becomes a row that says why; only a lack of memory is an
 * error. */
icseg_status icseg_report_index_row(icseg_string *out, const char *folder, const char *name, icseg_error *error);
void icseg_report_index_end(icseg_string *out);

#endif

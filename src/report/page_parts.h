/* SPDX-License-Identifier: Apache-2.0
 * The page to which a report's sections append, and small parts that several of them use. */
#ifndef ICSEG_REPORT_PAGE_PARTS_H
#define ICSEG_REPORT_PAGE_PARTS_H

#include "base/memory.h"
#include "base/text.h"
#include "icseg/report.h"
#include "report/jsonl.h"

typedef struct icseg_report_page {
    icseg_string *out;
    const icseg_report_input *in;
    const icseg_log *log; /* empty if there is no log */
    icseg_arena *arena;
} icseg_report_page;

/* "12 min 03 s", "5 h 02 min", "3 d 4 h". */
void icseg_report_time(char *out, size_t size, double seconds);
/* "38.9", or a dash if `share` is not finite. */
void icseg_report_percent(icseg_string *out, double share, int decimals);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The sections of report.html; each appends nothing when what it shows was not given. */
#ifndef ICSEG_REPORT_SECTIONS_H
#define ICSEG_REPORT_SECTIONS_H

#include "base/text.h"
#include "icseg/report.h"
#include "report/jsonl.h"

typedef struct icseg_report_page {
    icseg_string *out;
    const icseg_report_input *in;
    const icseg_log *log; /* empty when there is none */
    icseg_arena *arena;
} icseg_report_page;

/* Headline figures; loss, validation, learning-rate and gradient curves. */
icseg_status icseg_report_figures(const icseg_report_page *page, icseg_error *error);
icseg_status icseg_report_curves(const icseg_report_page *page, icseg_error *error);
/* Per-class table; matrix and largest confusions. */
void icseg_report_classes(const icseg_report_page *page);
void icseg_report_confusions(const icseg_report_page *page);
/* The grid image | truth | prediction. */
icseg_status icseg_report_samples(const icseg_report_page *page, icseg_error *error);

/* A small square in the color of a class; nothing without a palette. */
void icseg_report_swatch(const icseg_report_page *page, int32_t label);
/* "38.9", or a dash when undefined. */
void icseg_report_percent(icseg_string *out, double share, int decimals);

#endif

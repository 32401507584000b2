/* SPDX-License-Identifier: Apache-2.0
 * The sections of report.html. Each appends nothing if its input is missing. */
#ifndef ICSEG_REPORT_SECTIONS_H
#define ICSEG_REPORT_SECTIONS_H

#include "report/page_parts.h"

/* Headline figures; loss, validation, learning-rate and gradient curves. */
icseg_status icseg_report_figures(const icseg_report_page *page, icseg_error *error);
icseg_status icseg_report_curves(const icseg_report_page *page, icseg_error *error);
/* Per-class table; matrix and largest confusions. */
void icseg_report_classes(const icseg_report_page *page);
void icseg_report_confusions(const icseg_report_page *page);
/* The grid image | truth | prediction. */
icseg_status icseg_report_samples(const icseg_report_page *page, icseg_error *error);

#endif

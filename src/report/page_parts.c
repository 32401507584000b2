/* SPDX-License-Identifier: Apache-2.0
 * Small parts that several sections of a report use. */
#include "report/page_parts.h"

#include <math.h>
#include <stdio.h>

void icseg_report_percent(icseg_string *out, double share, int decimals) {
    if (isfinite(share))
        icseg_string_printf(out, "%.*f", decimals, 100 * share);
    else
        icseg_string_printf(out, "\xe2\x80\x93");
}

void icseg_report_time(char *out, size_t size, double seconds) {
    long whole = lround(fmin(fmax(seconds, 0), 1e9)), minutes = lround(fmin(fmax(seconds, 0), 1e9) / 60);
    if (whole < 120)
        icseg_text_printf(out, size, "%.*f s", whole < 10, fmin(fmax(seconds, 0), 1e9));
    else if (whole < 3600)
        snprintf(out, size, "%ld min %02ld s", whole / 60, whole % 60);
    else if (minutes < 48 * 60)
        snprintf(out, size, "%ld h %02ld min", minutes / 60, minutes % 60);
    else
        snprintf(out, size, "%ld d %ld h", minutes / 1440, minutes / 60 % 24);
}

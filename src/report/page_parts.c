/* SPDX-License-Identifier: Apache-2.0
 * Small parts that several sections of a report use. */
#include "report/page_parts.h"

#include <math.h>
#include <stdio.h>

void icseg_report_swatch(const icseg_report_page *page, int32_t label) {
    const icseg_palette *palette = page->in->palette;
    if (!palette || label >= palette->size) return;
    const uint8_t *rgb = palette->color[label];
    icseg_string_printf(page->out, "<i class=\"swatch\" style=\"background:#%02x%02x%02x\"></i>", rgb[0], rgb[1],
                        rgb[2]);
}

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

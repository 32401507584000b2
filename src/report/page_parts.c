/* SPDX-License-Identifier: Apache-2.0
 * Small parts that several sections of a report use. */
#include "report/page_parts.h"

#include <math.h>

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

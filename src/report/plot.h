/* SPDX-License-Identifier: Apache-2.0
 * Line plots as inline SVG: axes with round ticks, raw and smoothed curves, a legend with last values. */
#ifndef ICSEG_REPORT_PLOT_H
#define ICSEG_REPORT_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum { ICSEG_PLOT_COLORS = 8, ICSEG_PLOT_SERIES = 16 };

typedef struct icseg_series {
    const char *name;
    const double *x, *y; /* (count), x ascending; a y that is not finite is a gap */
    size_t count;
    int32_t color; /* 0 .. ICSEG_PLOT_COLORS - 1 */
    bool smooth;   /* a centred moving mean over the raw curve, which becomes faint; needs some 20 points */
    bool marks;    /* a dot on each point */
} icseg_series;

typedef struct icseg_plot {
    const char *title;
    const char *x_label; /* NULL: none */
    const char *unit;    /* after the numbers on the y axis, such as " %"; NULL: none */
    const icseg_series *series;
    size_t count;          /* series, at most ICSEG_PLOT_SERIES */
    int32_t width, height; /* in units of the text, which is 11.5 high */
    bool log_y;            /* values <= 0 are gaps */
    bool from_zero;        /* the y axis begins at 0; not with log_y */
} icseg_plot;

/* Appends a <figure>. Without a single finite point it says so in words. A curve of any length takes a bounded number
 * of bytes. */
icseg_status icseg_plot_svg(icseg_string *out, const icseg_plot *plot, icseg_error *error);

/* Round numbers for an axis over [low, high], about `wanted` of them, into `tick`, (at most 16). Returns their count;
 * the first is <= low and the last >= high when `outside`, else all lie within. */
int32_t icseg_plot_ticks(double low, double high, int32_t wanted, bool outside, double tick[16]);
/* The same on a logarithmic axis, 0 < low <= high: always outside. */
int32_t icseg_plot_log_ticks(double low, double high, double tick[16]);
/* "0.0002", "2e-5", "1.5", "20k", "3M". */
void icseg_plot_number(char *out, size_t size, double value);

#endif

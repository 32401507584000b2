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
    bool smooth;   /* draws a centred moving mean over the raw curve, which becomes faint; needs 20 points */
    bool marks;    /* a dot on each point */
} icseg_series;

typedef struct icseg_plot {
    const char *title;
    const char *x_label; /* NULL: none */
    const char *unit;    /* after the numbers on the y axis, such as " %"; NULL: none */
    const icseg_series *series;
    size_t count;          /* series, at most ICSEG_PLOT_SERIES */
    int32_t width, height; /* in units in which text is 11.5 high */
    bool log_y;            /* values <= 0 are gaps */
    bool from_zero;        /* the y axis begins at 0; ignored with log_y */
    bool whole_x;          /* the x axis has ticks at whole numbers only */
} icseg_plot;

/* Appends a <figure>, with a message instead of axes if no point is finite. The size of a curve is bounded, however
 * many points it has. */
icseg_status icseg_plot_svg(icseg_string *out, const icseg_plot *plot, icseg_error *error);

/* Whether the values are above 0 and span so much that they need a logarithmic axis. */
bool icseg_plot_needs_log(const icseg_series *series, size_t count);

/* Finds about `target` round numbers, at most 16, for the ticks of an axis over [low, high]. With `outside`, the first
 * is
 * <= low and the last >= high; otherwise all are within. Returns their number. */
int32_t icseg_plot_ticks(double low, double high, int32_t target, bool outside, double tick[16]);
/* The same for a logarithmic axis, 0 < low <= high, always with `outside`. */
int32_t icseg_plot_log_ticks(double low, double high, double tick[16]);
/* "0.0002", "2e-5", "1.5", "20k", "3M", with four digits. */
void icseg_plot_number(char *out, size_t size, double value);
/* The smallest number of digits, at least 4 and at most 15, with which neighbouring ticks have different texts. */
int icseg_plot_digits(const double *tick, int32_t count);
void icseg_plot_number_digits(char *out, size_t size, double value, int digits);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Line plots as inline SVG. */
#include "report/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "base/memory.h"
#include "html/html.h"

enum { MAX_TICKS = 16, MARGIN_LEFT = 46, MARGIN_RIGHT = 14, MARGIN_TOP = 10, MARGIN_BOTTOM = 26, MIN_SMOOTHED = 20 };

/* Curves that span more than this factor need a logarithmic axis. */
static const double LOG_SPAN = 30;

int32_t icseg_plot_ticks(double low, double high, int32_t target, bool outside, double tick[16]) {
    double largest = fmax(fabs(low), fabs(high));
    if (!(high - low > 1e-9 * largest)) { /* a constant: put an axis around it */
        double margin = largest > 0 ? largest / 2 : 1;
        low -= margin;
        high += margin;
    }
    double rough = (high - low) / target, unit = pow(10, floor(log10(rough)));
    double step = rough <= unit ? unit : rough <= 2 * unit ? 2 * unit : rough <= 5 * unit ? 5 * unit : 10 * unit;
    double slack = 1e-9; /* in steps: 0.30000000000000004 is 0.3 */
    double first = outside ? floor(low / step + slack) : ceil(low / step - slack);
    double last = outside ? ceil(high / step - slack) : floor(high / step + slack);
    int32_t count = 0;
    /* NOLINTNEXTLINE(cert-flp30-c): whole numbers, which a double counts exactly */
    for (double n = first; n <= last && count < MAX_TICKS; n++) tick[count++] = n == 0 ? 0 : n * step;
    return count;
}

int32_t icseg_plot_log_ticks(double low, double high, double tick[16]) {
    static const double within[] = {1, 2, 5};
    double bottom = floor(log10(low) + 1e-9), top = ceil(log10(high) - 1e-9);
    if (top <= bottom) top = bottom + 1;
    int32_t count = 0;
    if (top - bottom > 3) {
        double step = ceil((top - bottom) / 6);
        /* NOLINTNEXTLINE(cert-flp30-c): whole numbers, which a double counts exactly */
        for (double e = bottom; e < top + step && count < MAX_TICKS; e += step) tick[count++] = pow(10, e);
        return count;
    }
    /* NOLINTNEXTLINE(cert-flp30-c): whole numbers, which a double counts exactly */
    for (double e = bottom; e <= top; e++)
        for (int i = 0; i < 3 && count < MAX_TICKS; i++) tick[count++] = within[i] * pow(10, e);
    int32_t first = 0;
    while (first + 2 < count && tick[first + 1] <= low * (1 + 1e-9)) first++;
    while (count - 2 > first && tick[count - 2] >= high * (1 - 1e-9)) count--;
    memmove(tick, tick + first, (size_t)(count - first) * sizeof *tick);
    return count - first;
}

void icseg_plot_number(char *out, size_t size, double value) { icseg_plot_number_digits(out, size, value, 4); }

int icseg_plot_digits(const double *tick, int32_t count) {
    char text[2][40];
    for (int digits = 4; digits < 15; digits++) {
        bool distinct = true;
        for (int32_t i = 0; i < count && distinct; i++) {
            icseg_plot_number_digits(text[i % 2], sizeof *text, tick[i], digits);
            distinct = i == 0 || strcmp(text[0], text[1]) != 0;
        }
        if (distinct) return digits;
    }
    return 15;
}

void icseg_plot_number_digits(char *out, size_t size, double value, int digits) {
    double magnitude = fabs(value);
    if (magnitude >= 1e9)
        icseg_text_printf(out, size, "%.*g", digits == 4 ? 3 : digits, value);
    else if (magnitude >= 1e6)
        icseg_text_printf(out, size, "%.*gM", digits, value / 1e6);
    else if (magnitude >= 1e4)
        icseg_text_printf(out, size, "%.*gk", digits, value / 1e3);
    else
        icseg_text_printf(out, size, "%.*g", digits, value);
    char *e = strchr(out, 'e'); /* 2e-05 -> 2e-5 */
    if (!e) return;
    char *from = e + 1, *to = e + 1;
    if (*from == '-') to++;
    if (*from == '-' || *from == '+') from++;
    while (*from == '0' && from[1]) from++;
    memmove(to, from, strlen(from) + 1);
}

typedef struct axis {
    double low, high; /* in data, or log10 of data */
    double from, to;  /* on the page */
    bool log;
    int32_t ticks;
    double tick[MAX_TICKS];
} axis;

static double place(const axis *a, double value) {
    double v = a->log ? log10(value) : value;
    return a->from + (v - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* Values that are too large or too small for an axis are gaps, like those that are not finite. */
static bool drawable(const axis *y, double value) {
    double magnitude = fabs(value);
    return magnitude < 1e30 && (magnitude > 1e-30 ? !y->log || value > 0 : !y->log && value == 0);
}

/* Centred moving mean over 2 * half + 1 points, narrower at the ends so that the curve does not lag. Gaps are skipped.
 */
static void moving_mean(const axis *y, const icseg_series *s, double *out, double *sum, double *points) {
    size_t n = s->count, half = n / 50 < 3 ? 3 : n / 50;
    sum[0] = points[0] = 0;
    for (size_t i = 0; i < n; i++) {
        bool counts = drawable(y, s->y[i]);
        sum[i + 1] = sum[i] + (counts ? s->y[i] : 0);
        points[i + 1] = points[i] + counts;
    }
    for (size_t i = 0; i < n; i++) {
        size_t reach = i < n - 1 - i ? i : n - 1 - i;
        if (reach > half) reach = half;
        if (reach < half / 4 + 1) reach = half / 4 + 1; /* one-sided at the ends, where one point would be too noisy */
        size_t from = i > reach ? i - reach : 0, to = i + reach + 1 < n ? i + reach + 1 : n;
        double n_points = points[to] - points[from];
        out[i] = n_points > 0 ? (sum[to] - sum[from]) / n_points : (double)NAN;
    }
}

typedef struct canvas {
    icseg_string *out;
    axis x, y;
    bool open; /* the next point continues the path's line */
} canvas;

static void put_point(canvas *c, double x, double y) {
    double px = place(&c->x, x), py = place(&c->y, y);
    py = py < c->y.to ? c->y.to : py > c->y.from ? c->y.from : py; /* raw outliers stay inside the frame */
    icseg_string_printf(c->out, "%s%.2f,%.2f", c->open ? "L" : "M", px, py);
    c->open = true;
}

/* Whether there are more points than can be distinguished. */
static bool dense(const canvas *c, const icseg_series *s) { return s->count > 2 * (size_t)(c->x.to - c->x.from); }

/* One path. A long curve is divided into one bucket per unit of width, and the extremes of each bucket are drawn in
 * their order, so that no spike is lost. */
static void put_path(canvas *c, const icseg_series *s, const double *y) {
    size_t buckets = (size_t)(c->x.to - c->x.from), n = s->count;
    size_t per = dense(c, s) ? (n + buckets - 1) / buckets : 1;
    c->open = false;
    for (size_t start = 0; start < n; start += per) {
        size_t low = n, high = n;
        for (size_t i = start; i < start + per && i < n; i++) {
            if (!drawable(&c->y, y[i])) continue;
            if (low == n || y[i] < y[low]) low = i;
            if (high == n || y[i] > y[high]) high = i;
        }
        if (low == n) {
            c->open = false;
            continue;
        }
        size_t first = low < high ? low : high, second = low < high ? high : low;
        put_point(c, s->x[first], y[first]);
        if (second != first) put_point(c, s->x[second], y[second]);
    }
}

typedef struct range {
    double x_low, x_high, low, high;
    bool any;
} range;

static void include(range *r, const axis *y_axis, double x, double y) {
    if (!drawable(y_axis, y) || !isfinite(x)) return;
    if (!r->any) *r = (range){x, x, y, y, true};
    if (x < r->x_low) r->x_low = x;
    if (x > r->x_high) r->x_high = x;
    if (y < r->low) r->low = y;
    if (y > r->high) r->high = y;
}

/* Extends the range by the whole smoothed curve and the middle 99 % of its raw points, so that one spike does not
 * flatten the rest. */
static void range_of(range *r, const axis *y_axis, const icseg_series *s, const double *smoothed, double *scratch) {
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (smoothed)
            include(r, y_axis, s->x[i], smoothed[i]);
        else
            include(r, y_axis, s->x[i], s->y[i]);
        if (smoothed && drawable(y_axis, s->y[i])) scratch[n++] = s->y[i];
    }
    if (!n) return;
    qsort(scratch, n, sizeof *scratch, icseg_compare_doubles);
    include(r, y_axis, r->x_low, scratch[n / 200]);
    include(r, y_axis, r->x_low, scratch[n - 1 - n / 200]);
}

static void keep_whole(axis *a) {
    int32_t count = 0;
    for (int32_t i = 0; i < a->ticks; i++)
        if (a->tick[i] == floor(a->tick[i])) a->tick[count++] = a->tick[i];
    a->ticks = count;
}

static void open_axes(canvas *c, const icseg_plot *plot, const range *r) {
    axis *x = &c->x, *y = &c->y;
    *x = (axis){.low = r->x_low, .high = r->x_high, .from = MARGIN_LEFT, .to = plot->width - MARGIN_RIGHT};
    if (x->low > 0 && x->low < x->high / 4) x->low = 0; /* show the run from its start */
    if (!(x->high > x->low)) {                          /* one point: an axis from zero to it */
        if (x->low > 0) x->low = 0;
        if (x->high < 0) x->high = 0;
        if (x->high == x->low) x->high = 1;
    }
    x->ticks = icseg_plot_ticks(x->low, x->high, plot->width > 450 ? 7 : 4, false, x->tick);
    if (plot->whole_x) keep_whole(x);
    y->from = plot->height - MARGIN_BOTTOM;
    y->to = MARGIN_TOP;
    if (y->log)
        y->ticks = icseg_plot_log_ticks(r->low, r->high, y->tick);
    else
        y->ticks = icseg_plot_ticks(plot->from_zero && r->low > 0 ? 0 : r->low, r->high, plot->height > 210 ? 5 : 4,
                                    true, y->tick);
    y->low = y->log ? log10(y->tick[0]) : y->tick[0];
    y->high = y->log ? log10(y->tick[y->ticks - 1]) : y->tick[y->ticks - 1];
}

static void put_axes(canvas *c, const icseg_plot *plot) {
    char text[40];
    int y_digits = icseg_plot_digits(c->y.tick, c->y.ticks), x_digits = icseg_plot_digits(c->x.tick, c->x.ticks);
    for (int32_t i = 0; i < c->y.ticks; i++) {
        double at = place(&c->y, c->y.tick[i]);
        icseg_plot_number_digits(text, sizeof text, c->y.tick[i], y_digits);
        icseg_string_printf(c->out,
                            "<line class=\"%s\" x1=\"%d\" x2=\"%.0f\" y1=\"%.2f\" y2=\"%.2f\"/><text class=\"tick\" "
                            "text-anchor=\"end\" x=\"%d\" y=\"%.2f\">%s",
                            i ? "grid" : "axis", (int)MARGIN_LEFT, c->x.to, at, at, (int)MARGIN_LEFT - 7, at + 4, text);
        if (plot->unit) icseg_html_text(c->out, plot->unit);
        icseg_string_printf(c->out, "</text>\n");
    }
    if (plot->x_label) {
        icseg_string_printf(c->out, "<text class=\"tick\" text-anchor=\"end\" x=\"%d\" y=\"%.0f\">",
                            (int)MARGIN_LEFT - 14, c->y.from + 18);
        icseg_html_text(c->out, plot->x_label);
        icseg_string_printf(c->out, "</text>\n");
    }
    for (int32_t i = 0; i < c->x.ticks; i++) {
        double at = place(&c->x, c->x.tick[i]);
        icseg_plot_number_digits(text, sizeof text, c->x.tick[i], x_digits);
        icseg_string_printf(
            c->out,
            "<line class=\"axis\" x1=\"%.2f\" x2=\"%.2f\" y1=\"%.0f\" y2=\"%.0f\"/><text class=\"tick\" "
            "text-anchor=\"middle\" x=\"%.2f\" y=\"%.0f\">%s</text>\n",
            at, at, c->y.from, c->y.from + 4, at, c->y.from + 18, text);
    }
}

static void put_raw(canvas *c, const icseg_series *s) {
    icseg_string_printf(c->out, "<path class=\"raw%s c%d\" d=\"", dense(c, s) ? " dense" : "", (int)s->color);
    put_path(c, s, s->y);
    icseg_string_printf(c->out, "\"/>\n");
}

static void put_series(canvas *c, const icseg_plot *plot, size_t index, const double *smoothed) {
    const icseg_series *s = &plot->series[index];
    icseg_string_printf(c->out, "<path class=\"line c%d\" data-key=\"%zu\" d=\"", (int)s->color, index);
    put_path(c, s, smoothed ? smoothed : s->y);
    icseg_string_printf(c->out, "\"/>\n");
    size_t every = s->count / 200 + 1;
    for (size_t i = 0; s->marks && i < s->count; i += every)
        if (drawable(&c->y, s->y[i]))
            icseg_string_printf(c->out, "<circle class=\"mark c%d\" cx=\"%.2f\" cy=\"%.2f\" r=\"2.6\"/>\n",
                                (int)s->color, place(&c->x, s->x[i]), place(&c->y, s->y[i]));
}

/* Three digits, as in the script. */
static void last_value(char *out, size_t size, double value) {
    char digits[32];
    icseg_text_printf(digits, sizeof digits, fabs(value) < 1000 ? "%.3g" : "%.4g", value);
    icseg_plot_number(out, size, icseg_text_number(digits, NULL));
}

static void put_caption(icseg_string *out, const icseg_plot *plot, const axis *y, double *const *smoothed) {
    icseg_string_printf(out, "<figcaption><strong>");
    icseg_html_text(out, plot->title);
    icseg_string_printf(out, "</strong><span class=\"at\"></span><span class=\"keys\">");
    for (size_t i = 0; i < plot->count; i++) {
        const icseg_series *s = &plot->series[i];
        const double *values = smoothed[i] ? smoothed[i] : s->y;
        size_t last = s->count;
        while (last && !drawable(y, values[last - 1])) last--;
        char text[32] = "\xe2\x80\x93";
        if (last) last_value(text, sizeof text, values[last - 1]);
        icseg_string_printf(out, "<span class=\"key\"><i class=\"c%d\"></i>", (int)s->color);
        icseg_html_text(out, s->name);
        icseg_string_printf(out, " <output>%s</output></span>", text);
    }
    icseg_string_printf(out, "</span></figcaption>\n");
}

static icseg_status smooth_all(const icseg_plot *plot, const axis *y, double **smoothed, double **scratch, range *r,
                               icseg_error *error) {
    size_t longest = 0;
    for (size_t i = 0; i < plot->count; i++)
        if (plot->series[i].count > longest) longest = plot->series[i].count;
    *scratch = icseg_alloc_array(longest + 1, 2 * sizeof **scratch);
    if (!*scratch) return icseg_fail_memory(error, longest * 2 * sizeof **scratch, "a plot");
    for (size_t i = 0; i < plot->count; i++) {
        const icseg_series *s = &plot->series[i];
        if (s->smooth && s->count >= MIN_SMOOTHED) {
            smoothed[i] = icseg_alloc_array(s->count, sizeof **smoothed);
            if (!smoothed[i]) return icseg_fail_memory(error, s->count * sizeof **smoothed, "a plot");
            moving_mean(y, s, smoothed[i], *scratch, *scratch + s->count + 1);
        }
        range_of(r, y, s, smoothed[i], *scratch);
    }
    return ICSEG_OK;
}

static void put_figure(canvas *c, const icseg_plot *plot, const range *r, double *const *smoothed) {
    icseg_string *out = c->out;
    icseg_string_printf(out, "<figure class=\"card plot\">\n");
    put_caption(out, plot, &c->y, smoothed);
    if (!r->any) {
        icseg_string_printf(out, "<p class=\"empty\">nothing to draw</p>\n</figure>\n");
        return;
    }
    open_axes(c, plot, r);
    icseg_string_printf(
        out,
        "<svg viewBox=\"0 0 %d %d\" role=\"img\" data-x=\"%.9g %.9g %.2f %.2f\" data-y=\"%.9g %.9g %.2f "
        "%.2f\"%s>\n<title>",
        (int)plot->width, (int)plot->height, c->x.low, c->x.high, c->x.from, c->x.to, c->y.low, c->y.high, c->y.from,
        c->y.to, c->y.log ? " data-log=\"1\"" : "");
    icseg_html_text(out, plot->title);
    icseg_string_printf(out, "</title>\n");
    put_axes(c, plot);
    for (size_t i = 0; i < plot->count; i++)
        if (smoothed[i]) put_raw(c, &plot->series[i]);
    for (size_t i = 0; i < plot->count; i++) put_series(c, plot, i, smoothed[i]);
    icseg_string_printf(out, "<line class=\"cursor\" x1=\"0\" x2=\"0\" y1=\"%.0f\" y2=\"%.0f\"/>\n</svg>\n", c->y.to,
                        c->y.from);
    icseg_string_printf(out, "</figure>\n");
}

icseg_status icseg_plot_svg(icseg_string *out, const icseg_plot *plot, icseg_error *error) {
    if (plot->count > ICSEG_PLOT_SERIES)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "plot \"%s\": %zu series; expected at most %d", plot->title,
                          plot->count, (int)ICSEG_PLOT_SERIES);
    double *smoothed[ICSEG_PLOT_SERIES] = {NULL}, *scratch = NULL;
    range r = {0};
    canvas c = {.out = out, .y.log = plot->log_y};
    icseg_status status = smooth_all(plot, &c.y, smoothed, &scratch, &r, error);
    if (status == ICSEG_OK) put_figure(&c, plot, &r, smoothed);
    if (status == ICSEG_OK && out->failed) status = icseg_fail_memory(error, 0, "a plot");
    for (size_t i = 0; i < plot->count; i++) icseg_free(smoothed[i]);
    icseg_free(scratch);
    return status;
}

bool icseg_plot_needs_log(const icseg_series *series, size_t count) {
    double low = (double)INFINITY, high = 0;
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; series[s].y && i < series[s].count; i++) {
            double y = series[s].y[i];
            if (!isfinite(y)) continue;
            if (y <= 0) return false;
            low = fmin(low, y);
            high = fmax(high, y);
        }
    return high > low * LOG_SPAN;
}

/* SPDX-License-Identifier: Apache-2.0
 * A learning-rate range test as a table, as JSON and as a page with its curve. */
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/memory.h"
#include "html/html.h"
#include "icseg/version.h"
#include "report/plot.h"
#include "train/lr_range.h"

enum { ROWS = 20 };

static const char *describe_end(const icseg_lr_range *r) {
    switch (r->end) {
    case ICSEG_LR_END_DIVERGED: return "the loss diverged";
    case ICSEG_LR_END_NOT_FINITE: return "a loss or gradient was not finite";
    default: return "all steps are done";
    }
}

static void append_advice(icseg_string *out, const icseg_lr_range *r) {
    if (r->steepest < 0)
        icseg_string_printf(out,
                            "No suggestion: the smoothed loss does not fall. Try rates from %.1g on, or more steps.",
                            r->min_lr / 100);
    else
        icseg_string_printf(
            out,
            "Suggested train.lr: %.2g, where the smoothed loss falls most steeply. It is lowest at %.2g, "
            "which is usually too high to train with.",
            r->lr[r->steepest], r->lr[r->lowest]);
}

void icseg_lr_table(icseg_string *out, const icseg_lr_range *r) {
    int32_t every = r->count / ROWS + 1;
    icseg_string_printf(out, "%4s  %9s  %10s  %10s\n", "Step", "Rate", "Loss", "Smoothed");
    for (int32_t i = 0; i < r->count; i++)
        if (i % every == 0 || i == r->steepest || i == r->lowest || i == r->count - 1)
            icseg_string_printf(out, "%4d  %9.2e  %10.4g  %10.4g%s\n", (int)i + 1, r->lr[i], r->loss[i], r->smoothed[i],
                                i == r->steepest ? "  steepest"
                                : i == r->lowest ? "  lowest"
                                                 : "");
    icseg_string_printf(out, "%d of %d steps: %s\n\n", (int)r->count, (int)r->steps, describe_end(r));
    append_advice(out, r);
    icseg_string_printf(out, "\n");
}

static json_t *rate_at(const icseg_lr_range *r, int32_t point) {
    return point < 0 ? json_null() : icseg_json_number(r->lr[point]);
}

static json_t *make_points(const icseg_lr_range *r) {
    json_t *points = json_array();
    bool complete = points != NULL;
    for (int32_t i = 0; i < r->count && complete; i++)
        complete = json_array_append_new(points, json_pack("{s:o, s:o, s:o}", "lr", icseg_json_number(r->lr[i]), "loss",
                                                           icseg_json_number(r->loss[i]), "smoothed",
                                                           icseg_json_number(r->smoothed[i]))) == 0;
    if (complete) return points;
    json_decref(points);
    return NULL;
}

void icseg_lr_json(icseg_string *out, const icseg_lr_range *r) {
    static const char *const ends[] = {"steps", "diverged", "not finite"};
    json_t *all = json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:i, s:o}", "recipe", json_string(r->recipe), "suggestion",
                            rate_at(r, r->steepest), "lowest", rate_at(r, r->lowest), "end", ends[r->end], "min_lr",
                            icseg_json_number(r->min_lr), "max_lr", icseg_json_number(r->max_lr), "steps",
                            (int)r->steps, "points", make_points(r));
    icseg_json_append(out, all, JSON_COMPACT | JSON_REAL_PRECISION(9));
    icseg_string_append(out, "\n", 1);
    json_decref(all);
}

/* The page's curves: the losses, their smoothed course, and the suggestion as a point. */
static icseg_status put_curve(icseg_string *out, const icseg_lr_range *r, icseg_error *error) {
    double *power = icseg_alloc_array((size_t)r->count + 1, sizeof *power);
    if (!power) return icseg_fail_memory(error, 0, "the curve of the learning rates");
    for (int32_t i = 0; i < r->count; i++) power[i] = log10(r->lr[i]);
    icseg_series series[] = {
        {.name = "loss", .x = power, .y = r->loss, .count = (size_t)r->count, .color = 1},
        {.name = "smoothed", .x = power, .y = r->smoothed, .count = (size_t)r->count, .color = 0},
        {.name = "suggestion", .x = power, .y = r->smoothed, .count = 0, .color = 3, .marks = true}};
    if (r->steepest >= 0) {
        series[2].x += r->steepest;
        series[2].y += r->steepest;
        series[2].count = 1;
    }
    icseg_plot plot = {.title = "Loss by the learning rate, as a power of 10",
                       .x_label = "log lr",
                       .series = series,
                       .count = r->steepest < 0 ? 2 : 3,
                       .width = 900,
                       .height = 380,
                       .log_y = icseg_plot_needs_log(series, 2)};
    icseg_status status = icseg_plot_svg(out, &plot, error);
    icseg_free(power);
    return status;
}

icseg_status icseg_lr_page(icseg_string *out, const icseg_lr_range *r, icseg_error *error) {
    icseg_html_begin(out, "Learning rates");
    icseg_string_printf(out, "<header>\n<p class=\"eyebrow\">icseg &#183; learning-rate range test</p>\n<h1>");
    icseg_html_text(out, *r->recipe ? r->recipe : "icseg");
    icseg_string_printf(out, "</h1>\n<p class=\"lead\">");
    append_advice(out, r);
    icseg_string_printf(out, "</p>\n<p class=\"lead\">%d of %d steps from %g to %g: %s.</p>\n</header>\n",
                        (int)r->count, (int)r->steps, r->min_lr, r->max_lr, describe_end(r));
    ICSEG_TRY(put_curve(out, r, error));
    icseg_string_printf(out, "<footer>Written by icseg %s.</footer>\n", icseg_version());
    icseg_html_end(out);
    return ICSEG_OK;
}

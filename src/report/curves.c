/* SPDX-License-Identifier: Apache-2.0
 * The report's headline figures and curves, from the log and the final metrics. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "html/html.h"
#include "report/plot.h"
#include "report/sections.h"

static void put_figure(icseg_string *out, const char *label, const char *value, const char *unit, const char *note) {
    icseg_string_printf(
        out, "<div class=\"card\"><span class=\"label\">%s</span><span class=\"value\">%s<small>%s</small></span>",
        label, value, unit);
    if (note && *note) icseg_string_printf(out, "<span class=\"note\">%s</span>", note);
    icseg_string_printf(out, "</div>\n");
}

static const icseg_log_eval *best_eval(const icseg_log *log) {
    const icseg_log_eval *best = NULL;
    for (int64_t i = 0; i < log->evals; i++)
        if (isfinite(log->eval[i].miou) && (!best || log->eval[i].miou > best->miou)) best = &log->eval[i];
    return best;
}

/* The final metrics, or those of the last evaluation if there are none. NaN if not evaluated. */
static void accuracies(const icseg_report_page *page, double *miou, double *macc, double *aacc) {
    const icseg_metrics *m = page->in->metrics;
    const icseg_log_eval *last = page->log->evals ? &page->log->eval[page->log->evals - 1] : NULL;
    *miou = m ? m->miou : last ? last->miou : (double)NAN;
    *macc = m ? m->macc : last ? last->macc : (double)NAN;
    *aacc = m ? m->aacc : last ? last->aacc : (double)NAN;
}

static void put_hero(const icseg_report_page *page, double miou) {
    icseg_string *out = page->out;
    icseg_string_printf(out, "<div class=\"card hero\"><span class=\"label\">Mean IoU</span><span class=\"value\">");
    icseg_report_percent(out, miou, 2);
    icseg_string_printf(out, "<small>%%</small></span><span class=\"meter\"><i style=\"width:%.2f%%\"></i></span>",
                        100 * fmin(fmax(miou, 0), 1));
    const icseg_metrics *m = page->in->metrics;
    const icseg_log_eval *best = best_eval(page->log);
    icseg_string_printf(out, "<span class=\"note\">");
    if (best && best->miou > miou + 5e-5)
        icseg_string_printf(out, "best in training %.2f at step %lld", 100 * best->miou, (long long)best->step);
    else if (m)
        icseg_string_printf(out, "over %d of %d %s", (int)m->counted, (int)m->classes,
                            icseg_plural(m->classes, "class", "classes"));
    icseg_string_printf(out, "</span></div>\n");
}

static void put_time(icseg_string *out, const icseg_log *log, double seconds) {
    char value[64];
    icseg_report_time(value, sizeof value, seconds);
    char note[64] = "";
    if (log->steps > 1)
        icseg_text_printf(note, sizeof note, "%.3g s per step", seconds / (double)log->step[log->steps - 1].step);
    put_figure(out, "Training time", value, "", note);
}

/* Median of the steps' images per second, which a slow start and other load barely affect. NaN if none is logged. */
static double median_speed(const icseg_log *log, double *scratch) {
    size_t n = 0;
    for (int64_t i = 0; i < log->steps; i++)
        if (isfinite(log->step[i].images_per_s)) scratch[n++] = log->step[i].images_per_s;
    if (!n) return (double)NAN;
    qsort(scratch, n, sizeof *scratch, icseg_compare_doubles);
    return scratch[n / 2];
}

static void put_run_figures(const icseg_report_page *page, double *scratch) {
    const icseg_log *log = page->log;
    const icseg_log_step *last = &log->step[log->steps - 1];
    char value[64], note[64] = "";
    icseg_string *out = page->out;
    if (log->has_start && log->start.parameters > 0) {
        double count = (double)log->start.parameters;
        icseg_text_printf(value, sizeof value, "%.4g", count >= 1e6 ? count / 1e6 : count / 1e3);
        put_figure(out, "Parameters", value, count >= 1e6 ? "M" : "k", "trained");
    }
    snprintf(value, sizeof value, "%lld", (long long)last->step);
    note[0] = '\0';
    if (log->has_start && log->start.steps > last->step)
        snprintf(note, sizeof note, "of %lld", (long long)log->start.steps);
    else if (log->has_start && log->start.batch > 0)
        snprintf(note, sizeof note, "of %d %s each", (int)log->start.batch,
                 icseg_plural(log->start.batch, "image", "images"));
    put_figure(out, "Steps", value, "", note);
    snprintf(value, sizeof value, "%lld", (long long)log->evals);
    note[0] = '\0';
    if (log->evals) snprintf(note, sizeof note, "last at step %lld", (long long)log->eval[log->evals - 1].step);
    put_figure(out, "Evaluations", value, "", note);
    if (last->seconds > 0) put_time(out, log, last->seconds);
    double speed = median_speed(log, scratch), peak = (double)NAN;
    note[0] = '\0';
    if (log->has_start && log->start.threads > 0)
        snprintf(note, sizeof note, "median, %d %s", (int)log->start.threads,
                 icseg_plural(log->start.threads, "thread", "threads"));
    icseg_text_printf(value, sizeof value, speed < 100 ? "%.3g" : "%.0f", speed);
    if (isfinite(speed)) put_figure(out, "Images per second", value, "", note);
    for (int64_t i = 0; i < log->steps; i++) peak = fmax(peak, log->step[i].peak_mib);
    icseg_text_printf(value, sizeof value, peak < 10240 ? "%.0f" : "%.1f", peak < 10240 ? peak : peak / 1024);
    if (isfinite(peak)) put_figure(out, "Peak memory", value, peak < 10240 ? "MiB" : "GiB", "of the whole process");
}

icseg_status icseg_report_figures(const icseg_report_page *page, icseg_error *error) {
    double miou, macc, aacc;
    accuracies(page, &miou, &macc, &aacc);
    if (!isfinite(miou) && !page->log->steps) return ICSEG_OK;
    double *scratch = icseg_arena_array(page->arena, (size_t)page->log->steps + 1, sizeof *scratch);
    if (!scratch) return icseg_fail_memory(error, (size_t)page->log->steps * sizeof *scratch, "the report");
    icseg_string_printf(page->out, "<div class=\"figures%s\">\n", page->log->steps ? "" : " few");
    char value[32];
    if (isfinite(miou)) put_hero(page, miou);
    icseg_text_printf(value, sizeof value, "%.2f", 100 * aacc);
    if (isfinite(aacc)) put_figure(page->out, "Pixel accuracy", value, "%", "aAcc");
    icseg_text_printf(value, sizeof value, "%.2f", 100 * macc);
    if (isfinite(macc)) put_figure(page->out, "Class accuracy", value, "%", "mAcc");
    if (page->log->steps) put_run_figures(page, scratch);
    icseg_string_printf(page->out, "</div>\n");
    return ICSEG_OK;
}

/* The log's columns, from which the curves are drawn. */
typedef struct columns {
    const icseg_report_page *page;
    double *step, *eval_step;
    bool failed;
} columns;

/* One field of every step; `offset` is that of the field in icseg_log_step. */
static double *step_column(columns *c, size_t offset) {
    const icseg_log *log = c->page->log;
    double *column = icseg_arena_array(c->page->arena, (size_t)log->steps, sizeof *column);
    c->failed |= !column;
    for (int64_t i = 0; column && i < log->steps; i++)
        memcpy(&column[i], (const char *)&log->step[i] + offset, sizeof *column);
    return column;
}

/* One field of every evaluation, in percent. */
static double *eval_column(columns *c, size_t offset) {
    const icseg_log *log = c->page->log;
    double *column = icseg_arena_array(c->page->arena, (size_t)log->evals, sizeof *column);
    c->failed |= !column;
    for (int64_t i = 0; column && i < log->evals; i++) {
        memcpy(&column[i], (const char *)&log->eval[i] + offset, sizeof *column);
        column[i] *= 100;
    }
    return column;
}

static icseg_series step_series(columns *c, const char *name, size_t offset, int32_t color, bool smooth) {
    return (icseg_series){.name = name,
                          .x = c->step,
                          .y = step_column(c, offset),
                          .count = (size_t)c->page->log->steps,
                          .color = color,
                          .smooth = smooth};
}

static icseg_status put_plot(columns *c, icseg_plot plot, icseg_error *error) {
    if (c->failed) return icseg_fail_memory(error, (size_t)c->page->log->steps * sizeof(double), "the report's curves");
    plot.width = 560;
    plot.height = 250;
    plot.x_label = "step";
    plot.whole_x = true;
    icseg_string_printf(c->page->out, "<div class=\"wide\">\n");
    ICSEG_TRY(icseg_plot_svg(c->page->out, &plot, error));
    icseg_string_printf(c->page->out, "</div>\n");
    return ICSEG_OK;
}

/* The total and its terms, in one plot. */
static icseg_status put_losses(columns *c, icseg_error *error) {
    const icseg_log *log = c->page->log;
    icseg_series series[ICSEG_LOG_PARTS];
    size_t terms = 0;
    for (int32_t p = 0; p < log->parts; p++) {
        bool total = !strcmp(log->part[p], "total");
        series[p] = step_series(c, log->part[p], offsetof(icseg_log_step, loss) + (size_t)p * sizeof(double),
                                total ? 0 : (int32_t)(++terms % ICSEG_PLOT_COLORS), true);
    }
    if (!log->parts) return ICSEG_OK;
    return put_plot(c,
                    (icseg_plot){.title = "Loss",
                                 .series = series,
                                 .count = (size_t)log->parts,
                                 .log_y = icseg_plot_needs_log(series, (size_t)log->parts),
                                 .from_zero = true},
                    error);
}

static icseg_status put_validation(columns *c, icseg_error *error) {
    static const char *const names[] = {"mIoU", "mAcc", "aAcc"};
    static const size_t offsets[] = {offsetof(icseg_log_eval, miou), offsetof(icseg_log_eval, macc),
                                     offsetof(icseg_log_eval, aacc)};
    icseg_series series[3];
    for (int i = 0; i < 3; i++)
        series[i] = (icseg_series){.name = names[i],
                                   .x = c->eval_step,
                                   .y = eval_column(c, offsets[i]),
                                   .count = (size_t)c->page->log->evals,
                                   .color = i == 0 ? 0 : i + 1,
                                   .marks = true};
    return put_plot(
        c, (icseg_plot){.title = "Validation", .unit = " %", .series = series, .count = 3, .from_zero = true}, error);
}

/* The named shares of other evaluations. */
static icseg_status put_scores(columns *c, icseg_error *error) {
    const icseg_log *log = c->page->log;
    icseg_series series[ICSEG_LOG_PARTS];
    double *steps = icseg_arena_array(c->page->arena, (size_t)log->score_count, sizeof *steps);
    c->failed |= !steps;
    for (int64_t i = 0; steps && i < log->score_count; i++) steps[i] = (double)log->scores[i].step;
    for (int32_t n = 0; n < log->score_names; n++) {
        double *shares = icseg_arena_array(c->page->arena, (size_t)log->score_count, sizeof *shares);
        c->failed |= !shares;
        for (int64_t i = 0; shares && i < log->score_count; i++) shares[i] = 100 * log->scores[i].value[n];
        series[n] = (icseg_series){.name = log->score_name[n],
                                   .x = steps,
                                   .y = shares,
                                   .count = (size_t)log->score_count,
                                   .color = n % ICSEG_PLOT_COLORS,
                                   .marks = true};
    }
    return put_plot(c,
                    (icseg_plot){.title = "Held-out pairs",
                                 .unit = " %",
                                 .series = series,
                                 .count = (size_t)log->score_names,
                                 .from_zero = true},
                    error);
}

icseg_status icseg_report_curves(const icseg_report_page *page, icseg_error *error) {
    const icseg_log *log = page->log;
    if (!log->steps && log->evals < 2) return ICSEG_OK;
    columns c = {.page = page,
                 .step = icseg_arena_array(page->arena, (size_t)log->steps, sizeof(double)),
                 .eval_step = icseg_arena_array(page->arena, (size_t)log->evals, sizeof(double))};
    c.failed = !c.step || !c.eval_step;
    for (int64_t i = 0; c.step && i < log->steps; i++) c.step[i] = (double)log->step[i].step;
    for (int64_t i = 0; c.eval_step && i < log->evals; i++) c.eval_step[i] = (double)log->eval[i].step;
    icseg_string_printf(
        page->out, "<h2>Training</h2>\n<p class=\"lead\">Faint lines show single steps, strong lines a moving mean. "
                   "Move the pointer over a curve to read its values.</p>\n<div class=\"plots\">\n");
    if (log->steps) ICSEG_TRY(put_losses(&c, error));
    if (log->evals) ICSEG_TRY(put_validation(&c, error));
    if (log->score_names) ICSEG_TRY(put_scores(&c, error));
    if (log->steps) {
        icseg_series lr = step_series(&c, "", offsetof(icseg_log_step, lr), 5, false);
        icseg_series norm = step_series(&c, "", offsetof(icseg_log_step, grad_norm), 3, true);
        bool log_norm = icseg_plot_needs_log(&norm, 1);
        ICSEG_TRY(
            put_plot(&c, (icseg_plot){.title = "Learning rate", .series = &lr, .count = 1, .from_zero = true}, error));
        ICSEG_TRY(put_plot(
            &c,
            (icseg_plot){.title = "Gradient norm", .series = &norm, .count = 1, .log_y = log_norm, .from_zero = true},
            error));
    }
    icseg_string_printf(page->out, "</div>\n");
    return ICSEG_OK;
}

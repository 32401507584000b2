/* SPDX-License-Identifier: Apache-2.0
 * The curves of groups over each other. The curve of a group is the mean of its runs at the steps of its first run; it
 * has a gap where a run has no value. */
#include <math.h>
#include <string.h>

#include "compare/comparison.h"
#include "report/plot.h"

/* A value of a log's entry, and the entry's step. */
typedef double (*value_at)(const icseg_log *log, int64_t index, int64_t *step);

static double loss_at(const icseg_log *log, int64_t index, int64_t *step) {
    *step = log->step[index].step;
    for (int32_t p = 0; p < log->parts; p++)
        if (!strcmp(log->part[p], "total")) return log->step[index].loss[p];
    return (double)NAN;
}

static double miou_at(const icseg_log *log, int64_t index, int64_t *step) {
    *step = log->eval[index].step;
    return 100 * log->eval[index].miou;
}

typedef struct curve {
    value_at value;
    bool evaluations; /* of a log's evaluations, not of its steps */
} curve;

static int64_t entries(const curve *k, const icseg_log *log) { return k->evaluations ? log->evals : log->steps; }

/* The value at a step, found from *from on; NaN if there is none. */
static double find_value(const curve *k, const icseg_log *log, int64_t step, int64_t *from) {
    for (; *from < entries(k, log); (*from)++) {
        int64_t at;
        double value = k->value(log, *from, &at);
        if (at == step) return value;
        if (at > step) break;
    }
    return (double)NAN;
}

static void add_run(const curve *k, const icseg_log *log, const double *x, double *y, size_t count) {
    int64_t from = 0;
    for (size_t i = 0; i < count; i++) y[i] += find_value(k, log, (int64_t)x[i], &from);
}

static icseg_status make_series(icseg_series *out, const icseg_run_comparison *c, int32_t g, const curve *k,
                                icseg_arena *arena, icseg_error *error) {
    const icseg_compared_group *group = &c->groups[g];
    const icseg_log *first = &group->run[0]->log;
    size_t count = (size_t)entries(k, first);
    double *x = icseg_arena_array(arena, count + 1, sizeof *x), *y = icseg_arena_array(arena, count + 1, sizeof *y);
    char *name = icseg_arena_printf(arena, "%c", icseg_compare_letter(g));
    if (!x || !y || !name) return icseg_fail_memory(error, 0, "the curves of runs");
    for (size_t i = 0; i < count; i++) {
        int64_t step;
        k->value(first, (int64_t)i, &step);
        x[i] = (double)step;
    }
    for (int32_t r = 0; r < group->count; r++) add_run(k, &group->run[r]->log, x, y, count);
    for (size_t i = 0; i < count; i++) y[i] /= group->count;
    *out = (icseg_series){.name = name,
                          .x = x,
                          .y = y,
                          .count = count,
                          .color = g % ICSEG_PLOT_COLORS,
                          .smooth = !k->evaluations,
                          .marks = k->evaluations};
    return ICSEG_OK;
}

static icseg_status put_plot(icseg_string *out, const icseg_run_comparison *c, const curve *k, icseg_arena *arena,
                             icseg_error *error) {
    icseg_series series[ICSEG_COMPARE_GROUPS];
    size_t count = (size_t)c->group_count;
    for (int32_t g = 0; g < c->group_count; g++) ICSEG_TRY(make_series(&series[g], c, g, k, arena, error));
    icseg_plot plot = {.title = k->evaluations ? "Validation mIoU" : "Loss",
                       .x_label = "step",
                       .unit = k->evaluations ? " %" : NULL,
                       .series = series,
                       .count = count,
                       .width = 560,
                       .height = 250,
                       .log_y = !k->evaluations && icseg_plot_needs_log(series, count),
                       .from_zero = true,
                       .whole_x = true};
    icseg_string_printf(out, "<div class=\"wide\">\n");
    ICSEG_TRY(icseg_plot_svg(out, &plot, error));
    icseg_string_printf(out, "</div>\n");
    return ICSEG_OK;
}

icseg_status icseg_compare_curves(icseg_string *out, const icseg_run_comparison *c, icseg_error *error) {
    const curve loss = {loss_at, false}, miou = {miou_at, true};
    icseg_arena *arena;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_string_printf(out,
                        "<h2>Training</h2>\n<p class=\"lead\">A curve is the mean of the runs of a group. Move the "
                        "pointer over it to read its values.</p>\n<div class=\"plots\">\n");
    icseg_status status = put_plot(out, c, &loss, arena, error);
    if (status == ICSEG_OK) status = put_plot(out, c, &miou, arena, error);
    icseg_string_printf(out, "</div>\n");
    icseg_arena_close(&arena);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * A comparison as a page: groups, settings, differences with their intervals, curves, classes, images. */
#include <math.h>

#include "compare/comparison.h"
#include "html/html.h"
#include "icseg/version.h"
#include "report/plot.h"

enum { RANGE_WIDTH = 240, RANGE_HEIGHT = 18 };

static void put_share(icseg_string *out, const char *format, double share) {
    if (isnan(share))
        icseg_string_printf(out, "&#8211;");
    else
        icseg_string_printf(out, format, 100 * share);
}

/* A cell by whose value the table can be sorted. */
static void put_cell(icseg_string *out, const char *format, double share) {
    icseg_string_printf(out, "<td data-v=\"");
    if (!isnan(share)) icseg_string_printf(out, "%.9g", share);
    icseg_string_printf(out, "\">");
    put_share(out, format, share);
    icseg_string_printf(out, "</td>");
}

static void put_name_cell(icseg_string *out, const char *name) {
    icseg_string_printf(out, "<tr><th scope=\"row\" data-v=\"");
    icseg_html_text(out, name);
    icseg_string_printf(out, "\">");
    icseg_html_text(out, name);
    icseg_string_printf(out, "</th>");
}

static void put_letter(icseg_string *out, int32_t g) {
    icseg_string_printf(out, "<span class=\"key\"><i class=\"c%d\"></i></span><b>%c</b> ", (int)(g % ICSEG_PLOT_COLORS),
                        icseg_compare_letter(g));
}

/* -- groups */

static void put_runs(icseg_string *out, const icseg_run_comparison *c, int32_t g) {
    const icseg_compared_group *group = &c->groups[g];
    for (int32_t i = 0; i < group->count; i++) {
        const icseg_compared_run *run = group->run[i];
        if (i) icseg_string_printf(out, "<br/>");
        icseg_html_text(out, run->path);
        icseg_string_printf(out, " <span class=\"muted\">seed ");
        icseg_html_text(out, run->seed);
        if (run->results.step >= 0) icseg_string_printf(out, ", step %lld", (long long)run->results.step);
        icseg_string_printf(out, ", mIoU ");
        put_share(out, "%.2f", run->scores[ICSEG_SCORE_MIOU]);
        icseg_string_printf(out, "</span>");
    }
}

static void put_groups(icseg_string *out, const icseg_run_comparison *c) {
    icseg_string_printf(out, "<h2>Groups</h2>\n<p class=\"lead\">Runs whose recipes differ in the seed only form a "
                             "group. Means and standard deviations over its runs, in percent.</p>\n"
                             "<div class=\"card scroll\"><table>\n<thead><tr><th scope=\"col\">Group</th>"
                             "<th scope=\"col\">Runs</th><th scope=\"col\">mIoU</th><th scope=\"col\">mAcc</th>"
                             "<th scope=\"col\">aAcc</th></tr></thead>\n<tbody>\n");
    for (int32_t g = 0; g < c->group_count; g++) {
        const icseg_compared_group *group = &c->groups[g];
        icseg_string_printf(out, "<tr><th scope=\"row\">");
        put_letter(out, g);
        icseg_html_text(out, group->name);
        icseg_string_printf(out, "%s</th><td>", g ? "" : " <span class=\"muted\">baseline</span>");
        put_runs(out, c, g);
        icseg_string_printf(out, "</td>");
        for (int s = 0; s < ICSEG_SCORE_MEANS; s++) {
            icseg_string_printf(out, "<td>");
            put_share(out, "%.2f", group->mean[s]);
            if (!isnan(group->deviation[s]))
                put_share(out, " <span class=\"muted\">&#177; %.2f</span>", group->deviation[s]);
            icseg_string_printf(out, "</td>");
        }
        icseg_string_printf(out, "</tr>\n");
    }
    icseg_string_printf(out, "</tbody></table></div>\n");
}

static void put_settings(icseg_string *out, const icseg_run_comparison *c) {
    if (!c->key_count) return;
    icseg_string_printf(out, "<h2>Recipes</h2>\n<p class=\"lead\">The keys in which the groups differ.</p>\n"
                             "<div class=\"card scroll\"><table>\n<thead><tr><th scope=\"col\">Key</th>");
    for (int32_t g = 0; g < c->group_count; g++)
        icseg_string_printf(out, "<th scope=\"col\">%c</th>", icseg_compare_letter(g));
    icseg_string_printf(out, "</tr></thead>\n<tbody>\n");
    for (size_t k = 0; k < c->key_count; k++) {
        put_name_cell(out, c->keys[k]);
        for (int32_t g = 0; g < c->group_count; g++) {
            icseg_string_printf(out, "<td>");
            icseg_html_text(out, icseg_compare_setting(c, g, k));
            icseg_string_printf(out, "</td>");
        }
        icseg_string_printf(out, "</tr>\n");
    }
    icseg_string_printf(out, "</tbody></table></div>\n");
}

/* -- differences */

static double position(double share, double scale) {
    double at = RANGE_WIDTH / 2.0 * (1 + share / scale);
    return fmin(fmax(at, 0), RANGE_WIDTH);
}

/* A bar from zero to the difference, and its interval as a line. scale: the share at the ends of the axis */
static void put_range(icseg_string *out, double difference, const icseg_score_range *range, double scale) {
    double zero = RANGE_WIDTH / 2.0, at = position(difference, scale), middle = RANGE_HEIGHT / 2.0;
    icseg_string_printf(out, "<td class=\"wide-only\">");
    if (!isnan(difference) && scale > 0) {
        icseg_string_printf(out,
                            "<svg width=\"%d\" height=\"%d\" role=\"img\"><line class=\"axis\" x1=\"%.1f\" y1=\"0\" "
                            "x2=\"%.1f\" y2=\"%d\"/><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"8\" "
                            "style=\"fill:var(--s%d);opacity:.75\"/>",
                            (int)RANGE_WIDTH, (int)RANGE_HEIGHT, zero, zero, (int)RANGE_HEIGHT, fmin(zero, at),
                            middle - 4, fabs(at - zero), difference < 0 ? 4 : 2);
        if (!isnan(range->low))
            icseg_string_printf(out,
                                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" style=\"stroke:var(--text)\"/>",
                                position(range->low, scale), middle, position(range->high, scale), middle);
        icseg_string_printf(out, "</svg>");
    }
    icseg_string_printf(out, "</td>");
}

/* The largest share that a bar or an interval of the scores first .. end - 1 reaches. */
static double find_scale(const icseg_run_comparison *c, const icseg_compared_group *group, size_t first, size_t end) {
    double scale = 0;
    for (size_t s = first; s < end; s++) {
        const icseg_score_range *range = &group->difference[s];
        scale = fmax(scale, fabs(group->mean[s] - c->groups[0].mean[s])); /* fmax leaves NaN out */
        scale = fmax(scale, fmax(fabs(range->low), fabs(range->high)));
    }
    return scale;
}

static void put_interval(icseg_string *out, const icseg_score_range *range) {
    icseg_string_printf(out, "<td data-v=\"");
    if (!isnan(range->low)) icseg_string_printf(out, "%.9g", range->low);
    icseg_string_printf(out, "\">");
    put_share(out, "%+.2f", range->low);
    if (!isnan(range->low)) put_share(out, " to %+.2f", range->high);
    icseg_string_printf(out, "</td>");
}

static void put_scores(icseg_string *out, const icseg_run_comparison *c, int32_t g, size_t first, size_t end) {
    const icseg_compared_group *group = &c->groups[g];
    double scale = find_scale(c, group, first, end);
    char letter = icseg_compare_letter(g);
    icseg_string_printf(out,
                        "<div class=\"card scroll\"><table>\n<thead><tr><th scope=\"col\" data-text=\"1\"><button>%s"
                        "</button></th><th scope=\"col\"><button>A</button></th><th scope=\"col\"><button>%c</button>"
                        "</th><th scope=\"col\"><button>%c &#8722; A</button></th><th scope=\"col\"><button>95 %% "
                        "interval</button></th><th scope=\"col\"><button>Above 0, %%</button></th>"
                        "<th scope=\"col\" class=\"wide-only\">%.2f to +%.2f</th></tr></thead>\n<tbody>\n",
                        first ? "Class" : "Score", letter, letter, -100 * scale, 100 * scale);
    for (size_t s = first; s < end; s++) {
        double a = c->groups[0].mean[s], b = group->mean[s];
        put_name_cell(out, s < ICSEG_SCORE_MEANS ? icseg_score_names[s] : c->class_names[s - ICSEG_SCORE_MEANS]);
        put_cell(out, "%.2f", a);
        put_cell(out, "%.2f", b);
        put_cell(out, "%+.2f", b - a);
        put_interval(out, &group->difference[s]);
        put_cell(out, "%.1f", group->difference[s].above);
        put_range(out, b - a, &group->difference[s], scale);
        icseg_string_printf(out, "</tr>\n");
    }
    icseg_string_printf(out, "</tbody></table></div>\n");
}

static void put_paired(icseg_string *out, const icseg_compared_group *group) {
    if (group->paired < 2) return;
    icseg_string_printf(out,
                        "<p class=\"below\">Standard deviation of the differences over %d seeds:", (int)group->paired);
    for (int s = 0; s < ICSEG_SCORE_MEANS; s++) {
        icseg_string_printf(out, "%s %s ", s ? "," : "", icseg_score_names[s]);
        put_share(out, "%.2f", group->paired_deviation[s]);
    }
    icseg_string_printf(out, ".</p>\n");
}

static void put_images(icseg_string *out, const icseg_run_comparison *c, int32_t g) {
    const icseg_compared_group *group = &c->groups[g];
    if (!group->image_count) return;
    icseg_string_printf(out,
                        "<h3>Images that differ most</h3>\n<p class=\"lead\">By the mean IoU of the classes that occur "
                        "in the labels or the prediction of the image.</p>\n<div class=\"card scroll\"><table>\n<thead>"
                        "<tr><th scope=\"col\" data-text=\"1\"><button>Image</button></th><th scope=\"col\"><button>A"
                        "</button></th><th scope=\"col\"><button>%c</button></th><th scope=\"col\"><button>%c &#8722; A"
                        "</button></th></tr></thead>\n<tbody>\n",
                        icseg_compare_letter(g), icseg_compare_letter(g));
    for (int32_t i = 0; i < group->image_count; i++) {
        put_name_cell(out, group->images[i].name);
        put_cell(out, "%.2f", group->images[i].baseline);
        put_cell(out, "%.2f", group->images[i].value);
        put_cell(out, "%+.2f", group->images[i].difference);
        icseg_string_printf(out, "</tr>\n");
    }
    icseg_string_printf(out, "</tbody></table></div>\n");
}

static void put_difference(icseg_string *out, const icseg_run_comparison *c, int32_t g) {
    icseg_string_printf(out, "<h2>");
    put_letter(out, g);
    icseg_html_text(out, c->groups[g].name);
    icseg_string_printf(
        out,
        " compared with A</h2>\n<p class=\"lead\">In percent. The interval has 95 %% of the differences in "
        "%d resamples of the images; the next column is the share of the resamples in which the "
        "difference is above 0. Click a heading to sort.</p>\n",
        (int)c->resamples);
    put_scores(out, c, g, 0, ICSEG_SCORE_MEANS);
    put_paired(out, &c->groups[g]);
    icseg_string_printf(out, "<h3>Classes</h3>\n");
    put_scores(out, c, g, ICSEG_SCORE_MEANS, icseg_score_count(c->classes));
    put_images(out, c, g);
}

/* The scores of the only group. */
static void put_only_group(icseg_string *out, const icseg_run_comparison *c) {
    const icseg_compared_group *group = &c->groups[0];
    icseg_string_printf(
        out,
        "<h2>Scores</h2>\n<p class=\"lead\">In percent, with the interval that has 95 %% of %d resamples "
        "of the images. All runs have the same recipe.</p>\n<div class=\"card scroll\"><table>\n<thead>"
        "<tr><th scope=\"col\" data-text=\"1\"><button>Score</button></th><th scope=\"col\"><button>A"
        "</button></th><th scope=\"col\"><button>95 %% interval</button></th></tr></thead>\n<tbody>\n",
        (int)c->resamples);
    for (size_t s = 0; s < icseg_score_count(c->classes); s++) {
        put_name_cell(out, s < ICSEG_SCORE_MEANS ? icseg_score_names[s] : c->class_names[s - ICSEG_SCORE_MEANS]);
        put_cell(out, "%.2f", group->mean[s]);
        put_interval(out, &group->range[s]);
        icseg_string_printf(out, "</tr>\n");
    }
    icseg_string_printf(out, "</tbody></table></div>\n");
}

icseg_status icseg_compare_page(icseg_string *out, const icseg_run_comparison *c, icseg_error *error) {
    icseg_html_begin(out, "Comparison of runs");
    icseg_string_printf(out,
                        "<header>\n<p class=\"eyebrow\">icseg &#183; comparison</p>\n<h1>%d %s</h1>\n<p class=\"lead\">"
                        "%d %s, %lld %s, %d %s</p>\n</header>\n",
                        (int)c->group_count, icseg_plural(c->group_count, "recipe", "recipes"), (int)c->run_count,
                        icseg_plural(c->run_count, "run", "runs"), (long long)c->images,
                        icseg_plural(c->images, "image", "images"), (int)c->classes,
                        icseg_plural(c->classes, "class", "classes"));
    put_groups(out, c);
    put_settings(out, c);
    ICSEG_TRY(icseg_compare_curves(out, c, error));
    for (int32_t g = 1; g < c->group_count; g++) put_difference(out, c, g);
    if (c->group_count == 1) put_only_group(out, c);
    icseg_string_printf(out, "<footer>Written by icseg %s.</footer>\n", icseg_version());
    icseg_html_end(out);
    return ICSEG_OK;
}

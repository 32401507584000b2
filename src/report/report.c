/* SPDX-License-Identifier: Apache-2.0
 * report.html: checks the input, assembles the sections, writes the file. */
#include "icseg/report.h"

#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/struct_size.h"
#include "icseg/version.h"
#include "html/html.h"
#include "report/sections.h"

enum { MAX_SAMPLES = 1000 };

static icseg_status check_labels(const icseg_report_sample *s, const char *what, const icseg_labels *labels,
                                 int32_t classes, icseg_error *error) {
    if (labels->width != s->image->width || labels->height != s->image->height)
        return icseg_fail(error, ICSEG_ERROR_SHAPE, "report: sample %s: the %s is %d x %d, but the image is %d x %d",
                          s->name, what, (int)labels->width, (int)labels->height, (int)s->image->width,
                          (int)s->image->height);
    size_t pixels = (size_t)labels->width * (size_t)labels->height;
    for (size_t i = 0; i < pixels; i++)
        if (labels->data[i] != ICSEG_LABEL_IGNORE && (labels->data[i] < 0 || labels->data[i] >= classes))
            return icseg_fail(error, ICSEG_ERROR_DATA, "report: sample %s: the %s contains %d; expected 0 to %d",
                              s->name, what, (int)labels->data[i], (int)classes - 1);
    return ICSEG_OK;
}

static icseg_status check_samples(const icseg_report_input *in, icseg_error *error) {
    if (in->sample_count < 0 || in->sample_count > MAX_SAMPLES || (in->sample_count && !in->samples))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "report: %lld samples; expected 0 to %d",
                          (long long)in->sample_count, (int)MAX_SAMPLES);
    if (in->worst_count < 0 || in->worst_count > in->sample_count)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "report: worst_count is %lld; expected 0 to %lld, sample_count",
                          (long long)in->worst_count, (long long)in->sample_count);
    if (in->sample_width < 0)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "report: sample_width is %d; expected 0 or more",
                          (int)in->sample_width);
    if (in->sample_count && (!in->palette || in->palette->size < in->classes))
        return icseg_fail(error, ICSEG_ERROR_SHAPE, "report: the palette has %d colours for %d classes",
                          in->palette ? (int)in->palette->size : 0, (int)in->classes);
    for (int64_t i = 0; i < in->sample_count; i++) {
        const icseg_report_sample *s = &in->samples[i];
        if (!s->name || !s->image || !s->image->data || !s->prediction)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "report: sample %lld: name, image or prediction is NULL",
                              (long long)i);
        if (s->truth) ICSEG_TRY(check_labels(s, "truth", s->truth, in->classes, error));
        ICSEG_TRY(check_labels(s, "prediction", s->prediction, in->classes, error));
    }
    return ICSEG_OK;
}

static icseg_status check_input(const icseg_report_input *in, icseg_error *error) {
    bool named = in->class_names && in->classes > 0;
    if (!named && (in->metrics || in->confusion || in->sample_count))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "report: class_names is NULL or classes is 0; metrics, confusion and samples need them");
    if (in->metrics && in->metrics->classes != in->classes)
        return icseg_fail(error, ICSEG_ERROR_SHAPE, "report: the metrics have %d %s, but there are %d class names",
                          (int)in->metrics->classes, icseg_plural(in->metrics->classes, "class", "classes"),
                          (int)in->classes);
    if (in->confusion && in->confusion->classes != in->classes)
        return icseg_fail(
            error, ICSEG_ERROR_SHAPE, "report: the confusion matrix has %d %s, but there are %d class names",
            (int)in->confusion->classes, icseg_plural(in->confusion->classes, "class", "classes"), (int)in->classes);
    return check_samples(in, error);
}

static const char *page_title(const icseg_report_page *page) {
    if (page->in->title && *page->in->title) return page->in->title;
    return page->log->has_start && *page->log->start.recipe ? page->log->start.recipe : "icseg";
}

static void put_fact(icseg_string *out, const char *label, const char *text, int *facts) {
    if (!text || !*text) return;
    icseg_string_printf(out, "%s%s ", (*facts)++ ? " &#183; " : "<p class=\"lead\">", label);
    icseg_html_text(out, text);
}

/* Where the run's images are, when it began, and on which machine. */
static void put_facts(const icseg_report_page *page) {
    const icseg_log_start *start = &page->log->start;
    int facts = 0;
    put_fact(page->out, "data", start->data, &facts);
    put_fact(page->out, "begun", start->date, &facts);
    put_fact(page->out, "on", start->machine, &facts);
    if (facts) icseg_string_printf(page->out, "</p>\n");
}

static void put_end(const icseg_report_page *page) {
    const icseg_log_end *end = &page->log->end;
    if (!page->log->has_end) return;
    icseg_string_printf(
        page->out, "<p class=\"lead\">Stopped early, after step %lld of %lld: no better mIoU in %d %s in a row</p>\n",
        (long long)end->step, (long long)end->steps, (int)end->evaluations,
        icseg_plural(end->evaluations, "evaluation", "evaluations"));
}

static void put_header(const icseg_report_page *page) {
    icseg_string *out = page->out;
    icseg_string_printf(out, "<header>\n<p class=\"eyebrow\">icseg &#183; %s report</p>\n<h1>",
                        page->log->steps ? "training" : "evaluation");
    icseg_html_text(out, page_title(page));
    icseg_string_printf(out, "</h1>\n");
    if (page->in->subtitle) {
        icseg_string_printf(out, "<p class=\"lead\">");
        icseg_html_text(out, page->in->subtitle);
        icseg_string_printf(out, "</p>\n");
    }
    put_facts(page);
    put_end(page);
    icseg_string_printf(out, "</header>\n");
}

static void put_recipe(const icseg_report_page *page) {
    if (!page->in->recipe) return;
    icseg_string_printf(
        page->out,
        "<h2>Recipe</h2>\n<p class=\"lead\">All keys with the values used. With this recipe and the same data, the run "
        "can be repeated.</p>\n<pre class=\"card\">");
    icseg_html_text(page->out, page->in->recipe);
    icseg_string_printf(page->out, "</pre>\n");
}

static void put_footer(const icseg_report_page *page) {
    icseg_string_printf(page->out, "<footer>Written by icseg %s", icseg_version());
    if (page->log->has_start && *page->log->start.version && strcmp(page->log->start.version, icseg_version()) != 0) {
        icseg_string_printf(page->out, "; trained by ");
        icseg_html_text(page->out, page->log->start.version);
    }
    if (page->log->truncated)
        icseg_string_printf(page->out, ". The last line of the log is incomplete and was left out");
    icseg_string_printf(page->out, ".</footer>\n");
}

static icseg_status put_page(const icseg_report_page *page, icseg_error *error) {
    icseg_html_begin(page->out, page_title(page));
    put_header(page);
    ICSEG_TRY(icseg_report_figures(page, error));
    ICSEG_TRY(icseg_report_curves(page, error));
    icseg_report_classes(page);
    icseg_report_confusions(page);
    ICSEG_TRY(icseg_report_samples(page, error));
    put_recipe(page);
    put_footer(page);
    icseg_html_end(page->out);
    return page->out->failed ? icseg_fail_memory(error, 0, "the report") : ICSEG_OK;
}

icseg_status icseg_report_write(const char *path, const icseg_report_input *input, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_report_input, sample_width) + sizeof(int32_t) };
    icseg_report_input copy, *in = &copy;
    ICSEG_NEED(path);
    ICSEG_NEED(input);
    ICSEG_TRY(icseg_struct_read(&copy, sizeof copy, input, FIRST_SIZE, "icseg_report_input", error));
    icseg_log log = {0};
    icseg_arena *arena = NULL;
    icseg_string out = {0};
    icseg_status status;
    ICSEG_TRY_GOTO(check_input(in, error));
    ICSEG_TRY_GOTO(icseg_file_check_writable(path, error));
    if (in->log_path) ICSEG_TRY_GOTO(icseg_log_read(&log, in->log_path, error));
    ICSEG_TRY_GOTO(icseg_arena_open(&arena, error));
    icseg_report_page page = {.out = &out, .in = in, .log = &log, .arena = arena};
    ICSEG_TRY_GOTO(put_page(&page, error));
    status = icseg_file_write(path, out.data, out.size, error);
fail:
    icseg_string_close(&out);
    icseg_arena_close(&arena);
    icseg_log_close(&log);
    return status;
}

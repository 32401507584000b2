/* SPDX-License-Identifier: Apache-2.0
 * The page that lists the runs of a directory. */
#include "report/index.h"

#include <math.h>

#include "base/file.h"
#include "html/html.h"
#include "report/jsonl.h"
#include "report/page_parts.h"

static const char *const columns[] = {"Run", "Begun", "Steps", "Best mIoU", "Last mIoU", "Time", "Data", "Machine"};
enum { COLUMNS = sizeof columns / sizeof *columns };

void icseg_report_index_begin(icseg_string *out, const char *folder) {
    icseg_html_begin(out, folder);
    icseg_string_printf(out, "<header>\n<p class=\"eyebrow\">icseg &#183; runs</p>\n<h1>");
    icseg_html_text(out, folder);
    icseg_string_printf(out, "</h1>\n</header>\n<div class=\"card scroll\"><table>\n<thead><tr>");
    for (int i = 0; i < COLUMNS; i++)
        icseg_string_printf(out, "<th scope=\"col\"%s><button>%s</button></th>",
                            i < 2 || i >= 6 ? " data-text=\"1\"" : "", columns[i]);
    icseg_string_printf(out, "</tr></thead>\n<tbody>\n");
}

void icseg_report_index_end(icseg_string *out) {
    icseg_string_printf(out, "</tbody></table></div>\n");
    icseg_html_end(out);
}

/* A name as part of a link: every byte but letters and digits as %XX. */
static void put_link(icseg_string *out, const char *name) {
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        icseg_string_printf(
            out, (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ? "%c" : "%%%02X",
            *p);
}

static void put_name(icseg_string *out, const char *name, bool reported) {
    icseg_string_printf(out, "<tr><th scope=\"row\" data-v=\"");
    icseg_html_text(out, name);
    icseg_string_printf(out, "\">");
    if (reported) {
        icseg_string_printf(out, "<a href=\"");
        put_link(out, name);
        icseg_string_printf(out, "/report.html\">");
    }
    icseg_html_text(out, name);
    icseg_string_printf(out, "%s</th>", reported ? "</a>" : "");
}

static void put_text(icseg_string *out, const char *text) {
    if (!text) text = "";
    icseg_string_printf(out, "<td data-v=\"");
    icseg_html_text(out, text);
    icseg_string_printf(out, "\">");
    icseg_html_text(out, text);
    icseg_string_printf(out, "</td>");
}

static void put_share(icseg_string *out, double share) {
    icseg_string_printf(out, "<td data-v=\"");
    if (isfinite(share)) icseg_string_printf(out, "%.9g", share);
    icseg_string_printf(out, "\">");
    icseg_report_percent(out, share, 2);
    icseg_string_printf(out, "</td>");
}

static void put_run(icseg_string *out, const icseg_log *log) {
    const icseg_log_step *last = log->steps ? &log->step[log->steps - 1] : NULL;
    double best = (double)NAN, seconds = last ? last->seconds : 0;
    char time[40];
    for (int64_t i = 0; i < log->evals; i++) best = fmax(best, log->eval[i].miou);
    put_text(out, log->start.date);
    icseg_string_printf(out, "<td data-v=\"%lld\">%lld of %lld</td>", last ? (long long)last->step : 0,
                        last ? (long long)last->step : 0, (long long)log->start.steps);
    put_share(out, best);
    put_share(out, log->evals ? log->eval[log->evals - 1].miou : (double)NAN);
    if (!(seconds >= 0)) seconds = 0;
    icseg_report_time(time, sizeof time, seconds);
    icseg_string_printf(out, "<td data-v=\"%.9g\">%s</td>", seconds, time);
    put_text(out, log->start.data);
    put_text(out, log->start.machine);
}

icseg_status icseg_report_index_row(icseg_string *out, const char *folder, const char *name, icseg_error *error) {
    icseg_string path = {0}, page = {0};
    icseg_error problem = {0};
    icseg_log log = {0};
    icseg_string_printf(&path, "%s/%s/log.jsonl", folder, name);
    icseg_string_printf(&page, "%s/%s/report.html", folder, name);
    icseg_status status =
        path.failed || page.failed ? icseg_fail_memory(&problem, 0, folder) : icseg_log_read(&log, path.data, &problem);
    if (status != ICSEG_ERROR_MEMORY) {
        put_name(out, name, icseg_file_exists(page.data));
        if (status == ICSEG_OK)
            put_run(out, &log);
        else {
            icseg_string_printf(out, "<td colspan=\"%d\">", (int)COLUMNS - 1);
            icseg_html_text(out, problem.message);
            icseg_string_printf(out, "</td>");
        }
        icseg_string_printf(out, "</tr>\n");
    }
    icseg_log_close(&log);
    icseg_string_close(&path);
    icseg_string_close(&page);
    return status == ICSEG_ERROR_MEMORY ? icseg_fail(error, status, "%s", problem.message) : ICSEG_OK;
}

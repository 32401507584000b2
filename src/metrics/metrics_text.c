/* SPDX-License-Identifier: Apache-2.0
 * Metrics as text: mmsegmentation's two tables, and JSON. */
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "base/argument.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "icseg/metrics.h"
#include "text/utf8.h"

/* Reads one code point. An invalid byte counts as one. */
static uint32_t next_code_point(const char **text) {
    const unsigned char *p = (const unsigned char *)*text;
    int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
    uint32_t value = more ? *p & (0x3fu >> more) : *p;
    int read = 0;
    while (read < more && (p[read + 1] & 0xc0) == 0x80) value = value << 6 | (p[++read] & 0x3fu);
    *text += read + 1;
    return value;
}

/* Number of terminal columns: 0 for combining marks, 2 for East Asian wide characters and pictographs. */
static size_t display_width(const char *text) {
    size_t width = 0;
    while (*text) {
        uint32_t c = next_code_point(&text);
        if ((c >= 0x300 && c <= 0x36f) || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f)) continue;
        width += (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
                         (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
                         (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd)
                     ? 2
                     : 1;
    }
    return width;
}

static void repeat(icseg_string *s, char c, size_t count) {
    for (size_t i = 0; i < count; i++) icseg_string_append(s, &c, 1);
}

static void rule(icseg_string *s, size_t first) {
    icseg_string_append(s, "+", 1);
    repeat(s, '-', first + 2);
    icseg_string_printf(s, "+--------+--------+\n");
}

/* Replaces control characters, which must not reach the terminal. */
static void name_cell(icseg_string *s, const char *name, size_t width) {
    icseg_string_append(s, "| ", 2);
    for (const char *p = name; *p; p++) icseg_string_append(s, (unsigned char)*p < 0x20 || *p == 0x7f ? "?" : p, 1);
    size_t used = display_width(name);
    repeat(s, ' ', width > used ? width - used : 0);
    icseg_string_append(s, " |", 2);
}

static void percent_cell(icseg_string *s, double share) {
    if (isnan(share))
        icseg_string_printf(s, " %6s |", "nan");
    else
        icseg_string_printf(s, " %6.2f |", 100 * share);
}

static void class_table(icseg_string *s, const icseg_metrics *m, const char *const *names) {
    size_t width = strlen("Class");
    for (int32_t c = 0; c < m->classes; c++) {
        size_t own = display_width(names[c]);
        if (own > width) width = own;
    }
    rule(s, width);
    name_cell(s, "Class", width);
    icseg_string_printf(s, " %6s | %6s |\n", "IoU", "Acc");
    rule(s, width);
    for (int32_t c = 0; c < m->classes; c++) {
        name_cell(s, names[c], width);
        percent_cell(s, m->iou[c]);
        percent_cell(s, m->accuracy[c]);
        icseg_string_append(s, "\n", 1);
    }
    rule(s, width);
}

static icseg_status finish(icseg_string *s, char **out, icseg_error *error) {
    if (s->failed || !s->data) {
        icseg_string_close(s);
        return icseg_fail_memory(error, 0, "the metrics' text");
    }
    *out = s->data;
    return ICSEG_OK;
}

static icseg_status check_names(const icseg_metrics *metrics, const char *const *names, icseg_error *error) {
    for (int32_t c = 0; c < metrics->classes; c++)
        if (!names[c]) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "names[%d] is NULL", (int)c);
    return ICSEG_OK;
}

icseg_status icseg_metrics_table(const icseg_metrics *metrics, const char *const *names, char **out,
                                 icseg_error *error) {
    static const char line[] = "+--------+--------+--------+\n";
    icseg_string s = {0};
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(metrics);
    ICSEG_NEED(names);
    ICSEG_TRY(check_names(metrics, names, error));
    class_table(&s, metrics, names);
    icseg_string_printf(&s, "\n%s| %6s | %6s | %6s |\n%s", line, "aAcc", "mIoU", "mAcc", line);
    icseg_string_append(&s, "|", 1);
    percent_cell(&s, metrics->aacc);
    percent_cell(&s, metrics->miou);
    percent_cell(&s, metrics->macc);
    icseg_string_printf(&s, "\n%s", line);
    icseg_string_printf(&s,
                        "mIoU over the %d of %d %s that occur in labels or predictions; over those in the labels: "
                        "%.2f; with absent classes as 0: %.2f\n",
                        (int)metrics->counted, (int)metrics->classes,
                        icseg_plural(metrics->classes, "class", "classes"), 100 * metrics->miou_labelled,
                        100 * metrics->miou_all);
    return finish(&s, out, error);
}

icseg_status icseg_metrics_json(const icseg_metrics *metrics, const char *const *names, char **out,
                                icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(metrics);
    ICSEG_NEED(names);
    ICSEG_TRY(check_names(metrics, names, error));
    icseg_status status = ICSEG_OK;
    icseg_string s = {0};
    json_t *list = json_array();
    for (int32_t c = 0; status == ICSEG_OK && c < metrics->classes; c++) {
        json_t *name = json_string(names[c]);
        if (icseg_utf8_check(names[c], strlen(names[c])) < strlen(names[c])) {
            status = icseg_fail(error, ICSEG_ERROR_DATA, "names[%d] is not UTF-8", (int)c);
            break;
        }
        json_t *entry =
            json_pack("{s:o, s:o, s:o, s:I}", "name", name, "iou", icseg_json_number(metrics->iou[c]), "acc",
                      icseg_json_number(metrics->accuracy[c]), "pixels", (json_int_t)metrics->pixels[c]);
        if (json_array_append_new(list, entry) != 0) status = icseg_fail_memory(error, 0, "the metrics' JSON");
    }
    json_t *root = json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:O}", "aacc", icseg_json_number(metrics->aacc), "miou",
                             icseg_json_number(metrics->miou), "macc", icseg_json_number(metrics->macc),
                             "miou_labelled", icseg_json_number(metrics->miou_labelled), "miou_all",
                             icseg_json_number(metrics->miou_all), "counted", (int)metrics->counted, "classes", list);
    json_decref(list);
    if (status == ICSEG_OK) {
        icseg_json_append(&s, root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        icseg_string_append(&s, "\n", 1);
        status = finish(&s, out, error);
    }
    json_decref(root);
    return status;
}

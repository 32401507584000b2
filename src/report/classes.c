/* SPDX-License-Identifier: Apache-2.0
 * The report's per-class table, confusion matrix and list of the largest confusions. */
#include <math.h>
#include <string.h>

#include "html/html.h"
#include "html/picture.h"
#include "report/sections.h"

enum {
    MAX_MATRIX_CLASSES = 40, /* larger matrices are illegible */
    MAX_NUMBERED_CLASSES = 16,
    PAIRS = 12,
    NAME_POINTS = 16 /* code points: longer names are truncated next to the matrix */
};

static void put_bar(icseg_string *out, const char *kind, double share) {
    icseg_string_printf(out, "<td data-v=\"");
    if (isfinite(share)) icseg_string_printf(out, "%.9g", share);
    icseg_string_printf(out, "\"><div class=\"bar %s\"><b>", kind);
    icseg_report_percent(out, share, 2);
    icseg_string_printf(out, "</b><u>");
    if (isfinite(share)) icseg_string_printf(out, "<i style=\"width:%.2f%%\"></i>", 100 * share);
    icseg_string_printf(out, "</u></div></td>");
}

/* The wrong class that is most often predicted for pixels of class `label`; -1: all predictions are right. */
static int32_t largest_error(const icseg_confusion *confusion, int32_t label) {
    const int64_t *row = confusion->count + (size_t)label * (size_t)confusion->classes;
    int32_t best = -1;
    for (int32_t c = 0; c < confusion->classes; c++)
        if (c != label && row[c] > 0 && (best < 0 || row[c] > row[best])) best = c;
    return best;
}

static void put_class(const icseg_report_page *page, int32_t c, double labelled) {
    icseg_string *out = page->out;
    const icseg_metrics *m = page->in->metrics;
    const icseg_confusion *confusion = page->in->confusion;
    icseg_string_printf(out, "<tr><th scope=\"row\" data-v=\"");
    icseg_html_text(out, page->in->class_names[c]);
    icseg_string_printf(out, "\">");
    icseg_html_swatch(page->out, page->in->palette, c);
    icseg_html_text(out, page->in->class_names[c]);
    icseg_string_printf(out, "</th>");
    put_bar(out, "main", m->iou[c]);
    put_bar(out, "soft", m->accuracy[c]);
    put_bar(out, "soft", labelled > 0 ? (double)m->pixels[c] / labelled : (double)NAN);
    if (confusion) {
        int32_t other = largest_error(confusion, c);
        double share =
            other < 0 ? 0
                      : (double)confusion->count[(size_t)c * (size_t)m->classes + (size_t)other] / (double)m->pixels[c];
        icseg_string_printf(out, "<td class=\"wide-only\" data-v=\"%.9g\">", share);
        if (other >= 0) {
            icseg_html_text(out, page->in->class_names[other]);
            icseg_string_printf(out, " <span class=\"muted\">%.1f %%</span>", 100 * share);
        }
        icseg_string_printf(out, "</td>");
    }
    icseg_string_printf(out, "</tr>\n");
}

/* The convention of the mean IoU, and the values under other conventions if they differ. */
static void put_convention(icseg_string *out, const icseg_metrics *m) {
    if (m->counted == m->classes && m->miou == m->miou_labelled) {
        icseg_string_printf(out,
                            m->classes == 1 ? "The only class occurs in the labels."
                                            : "All %d classes occur in the labels and count towards the mean IoU.",
                            (int)m->classes);
        return;
    }
    icseg_string_printf(out, "The mean IoU of ");
    icseg_report_percent(out, m->miou, 2);
    icseg_string_printf(out,
                        " is over the %d of %d %s that occur in labels or predictions. Over those in the labels it is ",
                        (int)m->counted, (int)m->classes, icseg_plural(m->classes, "class", "classes"));
    icseg_report_percent(out, m->miou_labelled, 2);
    icseg_string_printf(out, "; with absent classes counted as 0, it is ");
    icseg_report_percent(out, m->miou_all, 2);
    icseg_string_printf(out, ".");
}

void icseg_report_classes(const icseg_report_page *page) {
    const icseg_metrics *m = page->in->metrics;
    if (!m) return;
    icseg_string *out = page->out;
    double labelled = 0;
    for (int32_t c = 0; c < m->classes; c++) labelled += (double)m->pixels[c];
    icseg_string_printf(out,
                        "<h2>Classes</h2>\n<p class=\"lead\">In percent. Click a heading to sort.</p>\n"
                        "<div class=\"card scroll\"><table>\n<thead><tr>"
                        "<th scope=\"col\" data-text=\"1\"><button>Class</button></th>"
                        "<th scope=\"col\"><button>IoU</button></th><th scope=\"col\"><button>Accuracy</button></th>"
                        "<th scope=\"col\"><button>Share of pixels</button></th>");
    if (page->in->confusion)
        icseg_string_printf(out, "<th scope=\"col\" class=\"wide-only\"><button>Most often mistaken for</button></th>");
    icseg_string_printf(out, "</tr></thead>\n<tbody>\n");
    for (int32_t c = 0; c < m->classes; c++) put_class(page, c, labelled);
    icseg_string_printf(out, "</tbody></table></div>\n<p class=\"below\">");
    put_convention(out, m);
    icseg_string_printf(out, "</p>\n");
}

typedef struct pair {
    int64_t count;
    int32_t label, prediction;
} pair;

/* The largest off-diagonal cells, largest first. */
static int largest_pairs(const icseg_confusion *confusion, pair best[PAIRS]) {
    int found = 0;
    for (int32_t label = 0; label < confusion->classes; label++)
        for (int32_t c = 0; c < confusion->classes; c++) {
            int64_t count = confusion->count[(size_t)label * (size_t)confusion->classes + (size_t)c];
            if (c == label || count <= 0 || (found == PAIRS && count <= best[PAIRS - 1].count)) continue;
            int at = found < PAIRS ? found++ : PAIRS - 1;
            for (; at > 0 && best[at - 1].count < count; at--) best[at] = best[at - 1];
            best[at] = (pair){count, label, c};
        }
    return found;
}

static int64_t row_sum(const icseg_confusion *confusion, int32_t label) {
    int64_t sum = 0;
    for (int32_t c = 0; c < confusion->classes; c++)
        sum += confusion->count[(size_t)label * (size_t)confusion->classes + (size_t)c];
    return sum;
}

static void put_pairs(const icseg_report_page *page, const pair *pairs, int found, int64_t all) {
    icseg_string *out = page->out;
    const char *const *names = page->in->class_names;
    icseg_string_printf(out,
                        "<div class=\"card scroll\"><table class=\"pairs\">\n<thead><tr><th scope=\"col\">Truth and "
                        "prediction</th><th scope=\"col\">Of all pixels</th><th scope=\"col\">Of the class</th></tr>"
                        "</thead>\n<tbody>\n");
    for (int i = 0; i < found; i++) {
        icseg_string_printf(out, "<tr><td>");
        icseg_html_swatch(page->out, page->in->palette, pairs[i].label);
        icseg_html_text(out, names[pairs[i].label]);
        icseg_string_printf(out, "<span class=\"arrow\">&#8594;</span>");
        icseg_html_swatch(page->out, page->in->palette, pairs[i].prediction);
        icseg_html_text(out, names[pairs[i].prediction]);
        icseg_string_printf(out, "</td><td>%.2f %%</td><td>%.1f %%</td></tr>\n",
                            100 * (double)pairs[i].count / (double)all,
                            100 * (double)pairs[i].count / (double)row_sum(page->in->confusion, pairs[i].label));
    }
    icseg_string_printf(out, "</tbody></table></div>\n");
}

/* The number of code points of a name that are shown next to the matrix, at least `minimum`. */
static int shown_points(const char *name, int minimum) {
    int points = 0;
    for (; *name && points < NAME_POINTS; name++) points += ((unsigned char)*name & 0xc0) != 0x80;
    return points > minimum ? points : minimum;
}

static void put_short_name(icseg_string *out, const char *name) {
    char text[4 * NAME_POINTS + 4];
    size_t used = 0, points = 0;
    const char *p = name;
    for (; *p && used < sizeof text - 4; p++) {
        if (((unsigned char)*p & 0xc0) != 0x80 && ++points > NAME_POINTS) break;
        text[used++] = *p;
    }
    if (*p) {
        memcpy(text + used, "\xe2\x80\xa6", 3);
        used += 3;
    }
    text[used] = '\0';
    icseg_html_text(out, text);
}

/* Dimensions of the drawing, in units of the SVG's viewBox. */
typedef struct layout {
    int cell, left, top, side;
} layout;

static void put_cells(const icseg_report_page *page, const layout *l, int32_t label) {
    const icseg_confusion *confusion = page->in->confusion;
    const char *const *names = page->in->class_names;
    icseg_string *out = page->out;
    int64_t sum = row_sum(confusion, label);
    int y = l->top + label * l->cell;
    for (int32_t c = 0; sum && c < confusion->classes; c++) {
        double share = (double)confusion->count[(size_t)label * (size_t)confusion->classes + (size_t)c] / (double)sum;
        if (share < 0.0005) continue;
        double strength = pow(share, 0.6); /* makes small confusions visible */
        int x = l->left + c * l->cell;
        icseg_string_printf(out,
                            "<rect class=\"cell\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"3\" "
                            "fill-opacity=\"%.3f\"><title>",
                            x + 1, y + 1, l->cell - 2, l->cell - 2, strength);
        icseg_html_text(out, names[label]);
        icseg_string_printf(out, " \xe2\x86\x92 ");
        icseg_html_text(out, names[c]);
        icseg_string_printf(out, " %.1f %%</title></rect>", 100 * share);
        if (confusion->classes <= MAX_NUMBERED_CLASSES && share >= 0.005)
            icseg_string_printf(out, "<text class=\"v%s\" x=\"%d\" y=\"%d\">%.0f</text>", strength > 0.6 ? " hi" : "",
                                x + l->cell / 2, y + l->cell / 2 + 4, 100 * share);
        icseg_string_append(out, "\n", 1);
    }
}

static void put_matrix(const icseg_report_page *page) {
    const icseg_confusion *confusion = page->in->confusion;
    icseg_string *out = page->out;
    int longest = 11; /* code points; wide enough for the axis names */
    for (int32_t c = 0; c < confusion->classes; c++) longest = shown_points(page->in->class_names[c], longest);
    layout l = {.cell = confusion->classes <= MAX_NUMBERED_CLASSES ? 32 : 17,
                .left = 22 + 7 * longest,
                .top = 20 + 5 * longest};
    l.side = confusion->classes * l.cell;
    icseg_string_printf(
        out,
        "<div class=\"card heat\"><svg viewBox=\"0 0 %d %d\" role=\"img\"><title>Confusion matrix</title>\n"
        "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"/>\n",
        l.left + l.side + 4 * longest - 12, l.top + l.side + 2, l.left, l.top, l.side, l.side);
    static const char *const axis_name[] = {"prediction &#8594;", "truth &#8595;"};
    for (int i = 0; i < 2; i++)
        icseg_string_printf(out, "<text class=\"axis-name\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
                            l.left - 8, l.top - 23 + 15 * i, axis_name[i]);
    for (int32_t c = 0; c < confusion->classes; c++) {
        int middle = c * l.cell + l.cell / 2;
        icseg_string_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", l.left - 8, l.top + middle + 4);
        put_short_name(out, page->in->class_names[c]);
        icseg_string_printf(out, "</text><text transform=\"translate(%d %d) rotate(-50)\">", l.left + middle + 2,
                            l.top - 8);
        put_short_name(out, page->in->class_names[c]);
        icseg_string_printf(out, "</text>\n");
    }
    for (int32_t label = 0; label < confusion->classes; label++) put_cells(page, &l, label);
    icseg_string_printf(out, "</svg></div>\n");
}

void icseg_report_confusions(const icseg_report_page *page) {
    const icseg_confusion *confusion = page->in->confusion;
    if (!confusion) return;
    pair pairs[PAIRS];
    int found = largest_pairs(confusion, pairs);
    int64_t all = 0;
    for (int32_t c = 0; c < confusion->classes; c++) all += row_sum(confusion, c);
    if (!all) return;
    icseg_string_printf(page->out, "<h2>Confusions</h2>\n<p class=\"lead\">%s</p>\n<div class=\"split\">\n",
                        confusion->classes <= MAX_MATRIX_CLASSES
                            ? "Each row of the matrix shows, in percent, how the pixels of one class were classified. "
                              "The table lists the confusions that affect the most pixels."
                            : "The table lists the confusions that affect the most pixels.");
    if (confusion->classes <= MAX_MATRIX_CLASSES) put_matrix(page);
    if (found) put_pairs(page, pairs, found, all);
    icseg_string_printf(page->out, "</div>\n");
}

/* SPDX-License-Identifier: Apache-2.0
 * The report's grid image | truth | prediction: images as JPEG, label maps as PNG, both inline. */
#include "html/html.h"
#include "html/picture.h"
#include "report/sections.h"

enum { DEFAULT_WIDTH = 640 };

static icseg_status put_labels(const icseg_report_page *page, const icseg_labels *labels, int32_t factor,
                               const char *caption, icseg_error *error) {
    icseg_image painted = {0};
    icseg_status status = icseg_html_paint_labels(&painted, labels, page->in->palette, factor, error);
    if (status == ICSEG_OK) status = icseg_html_picture(page->out, &painted, false, caption, error);
    icseg_image_close(&painted);
    return status;
}

static void put_heading(icseg_string *out, const icseg_report_sample *s) {
    icseg_string_printf(out, "<p><b>");
    icseg_html_text(out, s->name);
    icseg_string_printf(out, "</b><span>");
    size_t pixels = (size_t)s->prediction->width * (size_t)s->prediction->height, labelled = 0, correct = 0;
    for (size_t i = 0; s->truth && i < pixels; i++) {
        labelled += s->truth->data[i] != ICSEG_LABEL_IGNORE;
        correct += s->truth->data[i] != ICSEG_LABEL_IGNORE && s->truth->data[i] == s->prediction->data[i];
    }
    if (labelled) icseg_string_printf(out, "pixel accuracy %.1f %%", 100 * (double)correct / (double)labelled);
    icseg_string_printf(out, "</span></p>\n");
}

static icseg_status put_sample(const icseg_report_page *page, const icseg_report_sample *s, icseg_error *error) {
    icseg_string *out = page->out;
    icseg_image reduced = {0};
    int32_t width = page->in->sample_width, factor = icseg_html_factor(s->image->width, width ? width : DEFAULT_WIDTH);
    icseg_string_printf(out, "<div class=\"card sample\">\n");
    put_heading(out, s);
    icseg_string_printf(out, "<div class=\"triple\">\n");
    icseg_status status = icseg_html_reduce(&reduced, s->image, factor, error);
    if (status == ICSEG_OK) status = icseg_html_picture(out, &reduced, true, "image", error);
    icseg_image_close(&reduced);
    ICSEG_TRY(status);
    if (s->truth)
        ICSEG_TRY(put_labels(page, s->truth, factor, "truth", error));
    else
        icseg_string_printf(out, "<figure><div class=\"none\">unlabelled</div></figure>\n");
    ICSEG_TRY(put_labels(page, s->prediction, factor, "prediction", error));
    icseg_string_printf(out, "</div></div>\n");
    return ICSEG_OK;
}

static void mark_present(const icseg_labels *labels, uint8_t *present, bool *ignored) {
    size_t pixels = labels ? (size_t)labels->width * (size_t)labels->height : 0;
    for (size_t i = 0; i < pixels; i++) {
        if (labels->data[i] == ICSEG_LABEL_IGNORE)
            *ignored = true;
        else
            present[labels->data[i]] = 1;
    }
}

static icseg_status put_legend(const icseg_report_page *page, icseg_error *error) {
    const icseg_report_input *in = page->in;
    uint8_t *present = icseg_arena_array(page->arena, (size_t)in->classes, 1);
    bool ignored = false;
    if (!present) return icseg_fail_memory(error, (size_t)in->classes, "the report's legend");
    for (int64_t i = 0; i < in->sample_count; i++) {
        mark_present(in->samples[i].truth, present, &ignored);
        mark_present(in->samples[i].prediction, present, &ignored);
    }
    icseg_string_printf(page->out, "<ul class=\"legend\">\n");
    for (int32_t c = 0; c < in->classes; c++) {
        if (!present[c]) continue;
        icseg_string_printf(page->out, "<li>");
        icseg_html_swatch(page->out, page->in->palette, c);
        icseg_html_text(page->out, in->class_names[c]);
        icseg_string_printf(page->out, "</li>\n");
    }
    if (ignored) icseg_string_printf(page->out, "<li><i class=\"swatch hatch\"></i>unlabelled</li>\n");
    icseg_string_printf(page->out, "</ul>\n");
    return ICSEG_OK;
}

icseg_status icseg_report_samples(const icseg_report_page *page, icseg_error *error) {
    if (!page->in->sample_count) return ICSEG_OK;
    int64_t worst = page->in->worst_count;
    icseg_string_printf(page->out, "<h2>%s</h2>\n", worst ? "Worst images" : "Samples");
    ICSEG_TRY(put_legend(page, error));
    for (int64_t i = 0; i < page->in->sample_count; i++) {
        if (worst && i == worst) icseg_string_printf(page->out, "<h2>Samples</h2>\n");
        ICSEG_TRY(put_sample(page, &page->in->samples[i], error));
    }
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * The report's grid image | truth | prediction: images as JPEG, label maps as PNG, both inline. */
#include "icseg/memory.h"
#include "report/html.h"
#include "report/sections.h"

enum { DEFAULT_WIDTH = 640, JPEG_QUALITY = 84 };

/* The integer factor by which an image of this width is reduced. limit 0: the default. */
static int32_t factor_of(int32_t width, int32_t limit) {
    if (!limit) limit = DEFAULT_WIDTH;
    return width > limit ? (int32_t)(((int64_t)width + limit - 1) / limit) : 1;
}

/* Means of f x f blocks. A remainder at the right and bottom is cut off unless the image is smaller than a block. */
static icseg_status reduce_image(icseg_image *out, const icseg_image *in, int32_t f, icseg_error *error) {
    ICSEG_TRY(icseg_image_create(out, in->width < f ? 1 : in->width / f, in->height < f ? 1 : in->height / f, error));
    int32_t block_w = in->width < f ? in->width : f, block_h = in->height < f ? in->height : f;
    uint32_t area = (uint32_t)block_w * (uint32_t)block_h;
    for (int32_t y = 0; y < out->height; y++)
        for (int32_t x = 0; x < out->width; x++) {
            uint64_t sum[3] = {area / 2, area / 2, area / 2};
            for (int32_t j = 0; j < block_h; j++) {
                const uint8_t *p = in->data + 3 * ((size_t)(y * f + j) * (size_t)in->width + (size_t)(x * f));
                for (int32_t i = 0; i < 3 * block_w; i++) sum[i % 3] += p[i];
            }
            uint8_t *to = out->data + 3 * ((size_t)y * (size_t)out->width + (size_t)x);
            for (int c = 0; c < 3; c++) to[c] = (uint8_t)(sum[c] / area);
        }
    return ICSEG_OK;
}

/* The label map in the palette's colours, reduced like the image. Ignored pixels are hatched in grey. */
static icseg_status paint_labels(icseg_image *out, const icseg_labels *in, const icseg_palette *palette, int32_t f,
                                 icseg_error *error) {
    ICSEG_TRY(icseg_image_create(out, in->width < f ? 1 : in->width / f, in->height < f ? 1 : in->height / f, error));
    for (int32_t y = 0; y < out->height; y++)
        for (int32_t x = 0; x < out->width; x++) {
            int32_t from_x = x * f + f / 2 < in->width ? x * f + f / 2 : in->width - 1;
            int32_t from_y = y * f + f / 2 < in->height ? y * f + f / 2 : in->height - 1;
            int16_t label = in->data[(size_t)from_y * (size_t)in->width + (size_t)from_x];
            uint8_t *to = out->data + 3 * ((size_t)y * (size_t)out->width + (size_t)x);
            for (int c = 0; c < 3; c++)
                to[c] = label != ICSEG_LABEL_IGNORE ? palette->color[label][c] : (x + y) / 5 % 2 ? 0xa3 : 0x85;
        }
    return ICSEG_OK;
}

static icseg_status put_image(icseg_string *out, const icseg_image *image, bool photograph, const char *caption,
                              icseg_error *error) {
    void *file = NULL;
    size_t size = 0;
    if (photograph)
        ICSEG_TRY(icseg_image_encode_jpeg(image, JPEG_QUALITY, &file, &size, error));
    else
        ICSEG_TRY(icseg_image_encode_png(image, &file, &size, error));
    icseg_string_printf(out, "<figure><img alt=\"%s\" width=\"%d\" height=\"%d\" src=\"data:image/%s;base64,", caption,
                        (int)image->width, (int)image->height, photograph ? "jpeg" : "png");
    icseg_html_base64(out, file, size);
    icseg_buffer_free(file);
    icseg_string_printf(out, "\"/><figcaption>%s</figcaption></figure>\n", caption);
    return ICSEG_OK;
}

static icseg_status put_labels(const icseg_report_page *page, const icseg_labels *labels, int32_t factor,
                               const char *caption, icseg_error *error) {
    icseg_image painted = {0};
    icseg_status status = paint_labels(&painted, labels, page->in->palette, factor, error);
    if (status == ICSEG_OK) status = put_image(page->out, &painted, false, caption, error);
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
    int32_t factor = factor_of(s->image->width, page->in->sample_width);
    icseg_string_printf(out, "<div class=\"card sample\">\n");
    put_heading(out, s);
    icseg_string_printf(out, "<div class=\"triple\">\n");
    icseg_status status = reduce_image(&reduced, s->image, factor, error);
    if (status == ICSEG_OK) status = put_image(out, &reduced, true, "image", error);
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
        icseg_report_swatch(page, c);
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

/* SPDX-License-Identifier: Apache-2.0
 * Reduces images and label maps and inlines them. */
#include "html/picture.h"

#include "html/html.h"
#include "icseg/memory.h"

enum { JPEG_QUALITY = 84 };

int32_t icseg_html_factor(int32_t width, int32_t limit) {
    return width > limit ? (int32_t)(((int64_t)width + limit - 1) / limit) : 1;
}

icseg_status icseg_html_reduce(icseg_image *out, const icseg_image *in, int32_t f, icseg_error *error) {
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

icseg_status icseg_html_paint_labels(icseg_image *out, const icseg_labels *in, const icseg_palette *palette, int32_t f,
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

icseg_status icseg_html_picture(icseg_string *out, const icseg_image *image, bool photograph, const char *caption,
                                icseg_error *error) {
    void *file = NULL;
    size_t size = 0;
    if (photograph)
        ICSEG_TRY(icseg_image_encode_jpeg(image, JPEG_QUALITY, &file, &size, error));
    else
        ICSEG_TRY(icseg_image_encode_png(image, &file, &size, error));
    icseg_string_printf(out, "<figure><img alt=\"");
    icseg_html_text(out, caption);
    icseg_string_printf(out, "\" width=\"%d\" height=\"%d\" src=\"data:image/%s;base64,", (int)image->width,
                        (int)image->height, photograph ? "jpeg" : "png");
    icseg_html_base64(out, file, size);
    icseg_buffer_free(file);
    icseg_string_printf(out, "\"/><figcaption>");
    icseg_html_text(out, caption);
    icseg_string_printf(out, "</figcaption></figure>\n");
    return ICSEG_OK;
}

void icseg_html_swatch(icseg_string *out, const icseg_palette *palette, int32_t label) {
    if (!palette || label >= palette->size) return;
    const uint8_t *rgb = palette->color[label];
    icseg_string_printf(out, "<i class=\"swatch\" style=\"background:#%02x%02x%02x\"></i>", rgb[0], rgb[1], rgb[2]);
}

/* SPDX-License-Identifier: Apache-2.0
 * Label maps as PNG files. */
#include "exporters/internal.h"

static icseg_status write_image(icseg_export *e, const icseg_export_item *item, icseg_string *text,
                                icseg_error *error) {
    void *data;
    size_t size;
    ICSEG_TRY(icseg_labels_encode_png(item->labels, &e->palette, &data, &size, error));
    icseg_string_append(text, data, size);
    icseg_buffer_free(data);
    return ICSEG_OK;
}

const icseg_exporter icseg_export_png = {
    .name = "png", .description = "label maps (PNG)", .suffix = ".png", .has_colours = true, .image = write_image};

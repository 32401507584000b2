/* SPDX-License-Identifier: Apache-2.0
 * YOLO segmentation (docs.ultralytics.com/datasets/segment): data.yaml with the names of the classes, and for each
 * image a line for each object: its class and the corners of its polygon, as fractions of the width and height. */
#include "exporters/internal.h"

static void begin(icseg_export *e, icseg_string *text) {
    icseg_string_printf(text, "path: .\ntrain: images\nnames:\n");
    for (int32_t k = 0; k < e->options.classes; k++) {
        icseg_string_printf(text, "  %d: ", k);
        icseg_export_json(text, e->options.names[k]); /* which YAML reads as well */
        icseg_string_printf(text, "\n");
    }
}

/* Seven places are 0.002 pixels of the largest image. */
static icseg_status write_object(icseg_export *e, icseg_export_item *item, const icseg_traced *object,
                                 icseg_string *text, icseg_error *error) {
    (void)e;
    const icseg_keyhole *polygon = &item->keyhole;
    ICSEG_TRY(icseg_keyhole_cut(&item->keyhole, object, error));
    icseg_string_printf(text, "%d", object->component->label);
    for (size_t i = 0; i < polygon->count; i++) {
        icseg_string_printf(text, " ");
        icseg_export_number(text, polygon->xy[2 * i] / item->labels->width, 7);
        icseg_string_printf(text, " ");
        icseg_export_number(text, polygon->xy[2 * i + 1] / item->labels->height, 7);
    }
    icseg_string_printf(text, "\n");
    return ICSEG_OK;
}

const icseg_exporter icseg_export_yolo = {.name = "yolo",
                                          .description = "YOLO segmentation (data.yaml and labels)",
                                          .file = "data.yaml",
                                          .below = "labels/",
                                          .suffix = ".txt",
                                          .begin = begin,
                                          .object = write_object};

/* SPDX-License-Identifier: Apache-2.0
 * LabelMe's JSON (github.com/wkentaro/labelme): a file for each image, which belongs next to it. */
#include "exporters/internal.h"

static icseg_status begin_image(icseg_export *e, const icseg_export_item *item, icseg_string *text,
                                icseg_error *error) {
    (void)e, (void)item, (void)error;
    icseg_string_printf(text, "{\"version\":\"5.5.0\",\"flags\":{},\"shapes\":[");
    return ICSEG_OK;
}

static icseg_status write_object(icseg_export *e, icseg_export_item *item, const icseg_traced *object,
                                 icseg_string *text, icseg_error *error) {
    const icseg_keyhole *polygon = &item->keyhole;
    ICSEG_TRY(icseg_keyhole_cut(&item->keyhole, object, error));
    icseg_string_printf(text, "%s\n{\"label\":", item->objects ? "," : "");
    icseg_export_json(text, e->options.names[object->component->label]);
    icseg_string_printf(text, ",\"points\":[");
    for (size_t i = 0; i < polygon->count; i++) {
        icseg_string_printf(text, i ? ",[" : "[");
        icseg_export_number(text, polygon->xy[2 * i], 3);
        icseg_string_printf(text, ",");
        icseg_export_number(text, polygon->xy[2 * i + 1], 3);
        icseg_string_printf(text, "]");
    }
    icseg_string_printf(text, "],\"group_id\":null,\"description\":\"\",\"shape_type\":\"polygon\",\"flags\":{}}");
    return ICSEG_OK;
}

static void end_image(icseg_export *e, const icseg_export_item *item, icseg_string *text) {
    (void)e;
    icseg_string_printf(text, "],\n\"imagePath\":");
    icseg_export_json(text, icseg_path_name(item->name));
    icseg_string_printf(text, ",\"imageData\":null,\"imageHeight\":%d,\"imageWidth\":%d}\n", item->labels->height,
                        item->labels->width);
}

const icseg_exporter icseg_export_labelme = {.name = "labelme",
                                             .description = "LabelMe (JSON)",
                                             .suffix = ".json",
                                             .text = ICSEG_TEXT_JSON,
                                             .image = begin_image,
                                             .object = write_object,
                                             .image_end = end_image};

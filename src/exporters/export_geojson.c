/* SPDX-License-Identifier: Apache-2.0
 * GeoJSON (RFC 7946) with coordinates in pixels and y downwards, and classes as QuPath writes them
 * (qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html). */
#include "exporters/internal.h"

static icseg_status begin_image(icseg_export *e, const icseg_export_item *item, icseg_string *text,
                                icseg_error *error) {
    (void)e, (void)item, (void)error;
    icseg_string_printf(text, "{\"type\":\"FeatureCollection\",\"features\":[");
    return ICSEG_OK;
}

/* The last point of a ring is the first one. */
static void write_ring(const icseg_traced *object, size_t ring, icseg_string *text) {
    size_t begin = ring ? object->ends[ring - 1] : 0, end = object->ends[ring];
    icseg_string_printf(text, ring ? ",[" : "[");
    for (size_t i = begin; i <= end; i++) {
        icseg_point p = object->points[i < end ? i : begin];
        icseg_string_printf(text, "%s[%d,%d]", i > begin ? "," : "", p.x, p.y);
    }
    icseg_string_printf(text, "]");
}

static icseg_status write_object(icseg_export *e, icseg_export_item *item, const icseg_traced *object,
                                 icseg_string *text, icseg_error *error) {
    int16_t label = object->component->label;
    const uint8_t *colour = e->palette.color[label];
    (void)error;
    icseg_string_printf(text, "%s\n{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[",
                        item->objects ? "," : "");
    for (size_t ring = 0; ring < object->rings; ring++) write_ring(object, ring, text);
    icseg_string_printf(text, "]},\"properties\":{\"objectType\":\"annotation\",\"classification\":{\"name\":");
    icseg_export_json(text, e->options.names[label]);
    icseg_string_printf(text, ",\"color\":[%d,%d,%d]}", colour[0], colour[1], colour[2]);
    if (object->confidence >= 0) {
        icseg_string_printf(text, ",\"measurements\":{\"confidence\":");
        icseg_export_number(text, object->confidence, 4);
        icseg_string_printf(text, "}");
    }
    icseg_string_printf(text, "}}");
    return ICSEG_OK;
}

static void end_image(icseg_export *e, const icseg_export_item *item, icseg_string *text) {
    (void)e, (void)item;
    icseg_string_printf(text, "]}\n");
}

const icseg_exporter icseg_export_geojson = {.name = "geojson",
                                             .description = "GeoJSON in pixels, as QuPath reads it",
                                             .suffix = ".geojson",
                                             .text = ICSEG_TEXT_JSON,
                                             .has_colours = true,
                                             .image = begin_image,
                                             .object = write_object,
                                             .image_end = end_image};

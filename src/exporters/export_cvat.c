/* SPDX-License-Identifier: Apache-2.0
 * "CVAT for images 1.1" (docs.cvat.ai/docs/manual/advanced/xml_format): polygons, or masks as run lengths. */
#include "exporters/internal.h"

static void begin(icseg_export *e, icseg_string *text) {
    icseg_string_printf(text, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n<version>1.1</version>\n"
                              "<meta><task><labels>\n");
    for (int32_t k = 0; k < e->options.classes; k++) {
        const uint8_t *colour = e->palette.color[k];
        if (k == e->background) continue;
        icseg_string_printf(text, "<label><name>");
        icseg_export_xml(text, e->options.names[k]);
        icseg_string_printf(text, "</name><color>#%02x%02x%02x</color><attributes></attributes></label>\n", colour[0],
                            colour[1], colour[2]);
    }
    icseg_string_printf(text, "</labels></task></meta>\n");
}

static icseg_status begin_image(icseg_export *e, const icseg_export_item *item, icseg_string *text,
                                icseg_error *error) {
    (void)error;
    icseg_string_printf(text, "<image id=\"%lld\" name=\"", (long long)e->images);
    icseg_export_xml(text, item->name);
    icseg_string_printf(text, "\" width=\"%d\" height=\"%d\">\n", item->labels->width, item->labels->height);
    return ICSEG_OK;
}

static void write_points(const icseg_keyhole *polygon, icseg_string *text) {
    for (size_t i = 0; i < polygon->count; i++) {
        if (i) icseg_string_append(text, ";", 1);
        icseg_export_number(text, polygon->xy[2 * i], 3);
        icseg_string_append(text, ",", 1);
        icseg_export_number(text, polygon->xy[2 * i + 1], 3);
    }
}

/* Runs of 0 and 1 in turn, beginning with 0, along the rows of the object's box. */
static void write_runs(const icseg_components *c, const icseg_traced *object, icseg_string *text) {
    const icseg_component *o = object->component;
    int64_t run = 0;
    bool inside = false;
    for (int32_t y = o->top; y < o->bottom; y++)
        for (int32_t x = o->left; x < o->right; x++, run++) {
            bool in = c->of[(size_t)y * (size_t)c->width + (size_t)x] == object->number;
            if (in == inside) continue;
            icseg_string_printf(text, "%lld, ", (long long)run);
            inside = in;
            run = 0;
        }
    icseg_string_printf(text, "%lld", (long long)run);
}

static icseg_status write_object(icseg_export *e, icseg_export_item *item, const icseg_traced *object,
                                 icseg_string *text, icseg_error *error) {
    const icseg_component *c = object->component;
    icseg_string_printf(text, "<%s label=\"", e->options.runs ? "mask" : "polygon");
    icseg_export_xml(text, e->options.names[c->label]);
    icseg_string_printf(text, "\" source=\"auto\" occluded=\"0\" z_order=\"0\" ");
    if (e->options.runs) {
        icseg_string_printf(text, "left=\"%d\" top=\"%d\" width=\"%d\" height=\"%d\" rle=\"", c->left, c->top,
                            c->right - c->left, c->bottom - c->top);
        write_runs(icseg_trace_components(item->trace), object, text);
    } else {
        ICSEG_TRY(icseg_keyhole_cut(&item->keyhole, object, error));
        icseg_string_printf(text, "points=\"");
        write_points(&item->keyhole, text);
    }
    icseg_string_printf(text, "\"></%s>\n", e->options.runs ? "mask" : "polygon");
    return ICSEG_OK;
}

static void end_image(icseg_export *e, const icseg_export_item *item, icseg_string *text) {
    (void)e, (void)item;
    icseg_string_printf(text, "</image>\n");
}

static void end(icseg_export *e, icseg_string *text) {
    (void)e;
    icseg_string_printf(text, "</annotations>\n");
}

const icseg_exporter icseg_export_cvat = {.name = "cvat",
                                          .description = "CVAT for images 1.1 (annotations.xml)",
                                          .file = "annotations.xml",
                                          .text = ICSEG_TEXT_XML,
                                          .has_runs = true,
                                          .has_colours = true,
                                          .begin = begin,
                                          .image = begin_image,
                                          .object = write_object,
                                          .image_end = end_image,
                                          .end = end};

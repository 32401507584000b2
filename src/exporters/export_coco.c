/* SPDX-License-Identifier: Apache-2.0
 * COCO instances JSON (cocodataset.org/#format-data): an annotation for each object, with a polygon or run lengths down
 * the columns of the image. The list of images follows the annotations, so that these need not be kept in memory. */
#include "exporters/internal.h"

static void begin(icseg_export *e, icseg_string *text) {
    const char *separator = "";
    icseg_string_printf(text, "{\"categories\":[");
    for (int32_t k = 0; k < e->options.classes; k++) {
        if (k == e->background) continue;
        icseg_string_printf(text, "%s\n{\"id\":%d,\"name\":", separator, k + 1);
        icseg_export_json(text, e->options.names[k]);
        icseg_string_printf(text, "}");
        separator = ",";
    }
    icseg_string_printf(text, "],\n\"annotations\":[");
}

static void write_polygon(const icseg_keyhole *polygon, icseg_string *text) {
    icseg_string_printf(text, "[[");
    for (size_t i = 0; i < 2 * polygon->count; i++) {
        if (i) icseg_string_append(text, ",", 1);
        icseg_export_number(text, polygon->xy[i], 3);
    }
    icseg_string_printf(text, "]]");
}

/* Runs of 0 and 1 in turn, beginning with 0, down the columns; `from` is where the present run began. Only the object's
 * box is examined. */
static void write_runs(const icseg_components *c, const icseg_traced *object, icseg_string *text) {
    const icseg_component *o = object->component;
    bool whole_columns = o->bottom - o->top == c->height, inside = false;
    int64_t from = 0, height = c->height, size = c->width * height;
    icseg_string_printf(text, "{\"size\":[%d,%d],\"counts\":[", c->height, c->width);
    for (int32_t x = o->left; x < o->right; x++) {
        bool last = x + 1 == o->right;
        for (int32_t y = o->top; y <= o->bottom; y++) {
            bool below = y == o->bottom; /* the pixel after the box, unless that is the next column of the box */
            if (below && whole_columns && !last) break;
            bool in = !below && c->of[(size_t)y * (size_t)c->width + (size_t)x] == object->number;
            int64_t at = x * height + y;
            if (in == inside || at == size) continue;
            icseg_string_printf(text, "%lld,", (long long)(at - from));
            inside = in;
            from = at;
        }
    }
    icseg_string_printf(text, "%lld]}", (long long)(size - from));
}

static icseg_status write_object(icseg_export *e, icseg_export_item *item, const icseg_traced *object,
                                 icseg_string *text, icseg_error *error) {
    const icseg_component *c = object->component;
    icseg_string_printf(text, "%s\n{\"id\":%lld,\"image_id\":%lld,\"category_id\":%d,\"iscrowd\":0,\"area\":%lld,",
                        e->objects ? "," : "", (long long)e->objects + 1, (long long)e->images + 1, c->label + 1,
                        (long long)c->pixels);
    icseg_string_printf(text, "\"bbox\":[%d,%d,%d,%d],", c->left, c->top, c->right - c->left, c->bottom - c->top);
    if (object->confidence >= 0) {
        icseg_string_printf(text, "\"score\":");
        icseg_export_number(text, object->confidence, 4);
        icseg_string_printf(text, ",");
    }
    icseg_string_printf(text, "\"segmentation\":");
    if (e->options.runs)
        write_runs(icseg_trace_components(item->trace), object, text);
    else {
        ICSEG_TRY(icseg_keyhole_cut(&item->keyhole, object, error));
        write_polygon(&item->keyhole, text);
    }
    icseg_string_printf(text, "}");
    return ICSEG_OK;
}

static void end_image(icseg_export *e, const icseg_export_item *item, icseg_string *text) {
    (void)text;
    icseg_string_printf(&e->later, "%s\n{\"id\":%lld,\"file_name\":", e->images ? "," : "", (long long)e->images + 1);
    icseg_export_json(&e->later, item->name);
    icseg_string_printf(&e->later, ",\"width\":%d,\"height\":%d}", item->labels->width, item->labels->height);
}

static void end(icseg_export *e, icseg_string *text) {
    icseg_string_printf(text, "],\n\"images\":[");
    icseg_string_append(text, e->later.data ? e->later.data : "", e->later.size);
    icseg_string_printf(text, "]}\n");
}

const icseg_exporter icseg_export_coco = {.name = "coco",
                                          .description = "COCO (instances JSON)",
                                          .file = "instances.json",
                                          .text = ICSEG_TEXT_JSON,
                                          .has_runs = true,
                                          .begin = begin,
                                          .object = write_object,
                                          .image_end = end_image,
                                          .end = end};

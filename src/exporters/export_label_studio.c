/* SPDX-License-Identifier: Apache-2.0
 * Label Studio's JSON (labelstud.io/guide/task_format): a task for each image, whose objects are polygons in per cent
 * of the image, or brush strokes (label_studio_sdk/converter/brush.py). Images are named as files of the server's local
 * storage. */
#include <string.h>

#include "exporters/internal.h"

static void begin(icseg_export *e, icseg_string *text) {
    (void)e;
    icseg_string_printf(text, "[");
}

/* A path in a URL: other characters become %XX. */
static void write_url(const char *path, icseg_string *text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    while (*path) {
        size_t size = strspn(path, plain);
        icseg_string_append(text, path, size);
        path += size;
        if (*path) icseg_string_printf(text, "%%%02X", (unsigned char)*path++);
    }
}

static icseg_status begin_image(icseg_export *e, const icseg_export_item *item, icseg_string *text,
                                icseg_error *error) {
    (void)error;
    icseg_string_printf(text, "%s\n{\"data\":{\"image\":\"/data/local-files/?d=", e->images ? "," : "");
    write_url(item->name, text);
    icseg_string_printf(text, "\"},\"annotations\":[{\"result\":[");
    return ICSEG_OK;
}

static void write_points(const icseg_export_item *item, icseg_string *text) {
    const icseg_keyhole *polygon = &item->keyhole;
    icseg_string_printf(text, "\"closed\":true,\"points\":[");
    for (size_t i = 0; i < polygon->count; i++) {
        icseg_string_printf(text, i ? ",[" : "[");
        icseg_export_number(text, polygon->xy[2 * i] * 100 / item->labels->width, 6);
        icseg_string_printf(text, ",");
        icseg_export_number(text, polygon->xy[2 * i + 1] * 100 / item->labels->height, 6);
        icseg_string_printf(text, "]");
    }
    icseg_string_printf(text, "]");
}

/* ---- brush strokes: a list of bytes, which consist of bits ---- */

enum { CHANNELS = 4 /* a pixel has four equal values */, VALUE_BITS = 8, LENGTHS = 4 };
static const int length_bits[LENGTHS] = {3, 4, 8, 16};

typedef struct bits {
    icseg_string *text;
    uint64_t held; /* (count) bits */
    int count;
    bool any;
} bits;

static void put(bits *b, uint32_t value, int count) {
    b->held = b->held << count | value;
    b->count += count;
    for (; b->count >= 8; b->any = true) {
        b->count -= 8;
        icseg_string_printf(b->text, b->any ? ",%u" : "%u", (unsigned)(b->held >> b->count & 255));
    }
}

/* Runs of one value: a bit 1, the number of the shortest sufficient length field, the length - 1 and the value. */
static void put_runs(bits *b, int64_t values, bool inside) {
    while (values) {
        uint32_t longest = 1U << length_bits[LENGTHS - 1], length = values < longest ? (uint32_t)values : longest;
        uint32_t field = 0;
        while (length - 1 >= 1U << length_bits[field]) field++;
        put(b, 1, 1);
        put(b, field, 2);
        put(b, length - 1, length_bits[field]);
        put(b, inside ? 255 : 0, VALUE_BITS);
        values -= length;
    }
}

static void write_brush(const icseg_components *c, const icseg_traced *object, icseg_string *text) {
    size_t pixels = (size_t)c->width * (size_t)c->height, from = 0;
    bits b = {.text = text};
    icseg_string_printf(text, "\"format\":\"rle\",\"rle\":[");
    put(&b, (uint32_t)(pixels * CHANNELS), 32);
    put(&b, VALUE_BITS - 1, 5);
    for (int i = 0; i < LENGTHS; i++) put(&b, (uint32_t)length_bits[i] - 1, 4);
    for (size_t i = 1; i <= pixels; i++) {
        bool inside = c->of[from] == object->number;
        if (i < pixels && (c->of[i] == object->number) == inside) continue;
        put_runs(&b, (int64_t)(i - from) * CHANNELS, inside);
        from = i;
    }
    put(&b, 0, 7 & -b.count);
    icseg_string_printf(text, "]");
}

/* ---- results ---- */

static icseg_status write_object(icseg_export *e, icseg_export_item *item, const icseg_traced *object,
                                 icseg_string *text, icseg_error *error) {
    const char *type = e->options.runs ? "brushlabels" : "polygonlabels";
    icseg_string_printf(text,
                        "%s\n{\"id\":\"%lld\",\"type\":\"%s\",\"from_name\":\"%s\",\"to_name\":\"image\","
                        "\"original_width\":%d,\"original_height\":%d,\"image_rotation\":0,",
                        item->objects ? "," : "", (long long)item->objects + 1, type, e->options.runs ? "tag" : "label",
                        item->labels->width, item->labels->height);
    if (object->confidence >= 0) {
        icseg_string_printf(text, "\"score\":");
        icseg_export_number(text, object->confidence, 4);
        icseg_string_printf(text, ",");
    }
    icseg_string_printf(text, "\"value\":{\"%s\":[", type);
    icseg_export_json(text, e->options.names[object->component->label]);
    icseg_string_printf(text, "],");
    if (e->options.runs)
        write_brush(icseg_trace_components(item->trace), object, text);
    else {
        ICSEG_TRY(icseg_keyhole_cut(&item->keyhole, object, error));
        write_points(item, text);
    }
    icseg_string_printf(text, "}}");
    return ICSEG_OK;
}

static void end_image(icseg_export *e, const icseg_export_item *item, icseg_string *text) {
    (void)e, (void)item;
    icseg_string_printf(text, "]}]}");
}

static void end(icseg_export *e, icseg_string *text) {
    (void)e;
    icseg_string_printf(text, "]\n");
}

const icseg_exporter icseg_export_label_studio = {.name = "label-studio",
                                                  .description = "Label Studio (JSON)",
                                                  .file = "tasks.json",
                                                  .text = ICSEG_TEXT_JSON,
                                                  .has_runs = true,
                                                  .begin = begin,
                                                  .image = begin_image,
                                                  .object = write_object,
                                                  .image_end = end_image,
                                                  .end = end};

/* SPDX-License-Identifier: Apache-2.0
 * Exports of a label map in all formats. Parts: the labels, one a byte; the format, options and the width. The outlines
 * of exact exports cover the pixels of their objects; simplified ones fill the map without gaps and overlaps. One map
 * in 16 may have many pixels, which take several times as long. */
#include <string.h>

#include "exporters/trace.h"
#include "fuzz.h"
#include "icseg/export.h"

enum { CLASSES = 4, MANY_PIXELS = 1024, FEW_PIXELS = 96 };

static int64_t area2(const icseg_traced *object) {
    int64_t sum = 0;
    for (size_t ring = 0, begin = 0; ring < object->rings; begin = object->ends[ring++])
        for (size_t i = begin; i < object->ends[ring]; i++) {
            icseg_point a = object->points[i], b = object->points[i + 1 < object->ends[ring] ? i + 1 : begin];
            sum += (int64_t)a.x * b.y - (int64_t)b.x * a.y;
        }
    return sum;
}

/* The areas of all objects add up to the area of all labelled pixels if each has its exact area, or if all pixels are
 * labelled. */
static void check_areas(const icseg_labels *labels, double tolerance) {
    const icseg_trace_options options = {.background = ICSEG_LABEL_IGNORE, .tolerance = tolerance};
    icseg_trace *trace;
    icseg_traced object;
    icseg_error error;
    int64_t sum = 0, pixels = 0;
    bool all = true;
    for (int32_t i = 0; i < labels->width * labels->height; i++) all &= labels->data[i] != ICSEG_LABEL_IGNORE;
    if (!fuzz_succeeded(icseg_trace_open(&trace, labels, &options, &error), &error)) return;
    for (bool more = true;;) {
        FUZZ_REQUIRE(icseg_trace_next(trace, &object, &more, &error) == ICSEG_OK);
        if (!more) break;
        int64_t area = area2(&object);
        FUZZ_REQUIRE(area > 0 && (tolerance > 0 || area == 2 * object.component->pixels));
        sum += area;
        pixels += object.component->pixels;
    }
    FUZZ_REQUIRE(!all || sum == 2 * pixels);
    icseg_trace_close(&trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[CLASSES] = {"background", "road", "a & b", "tree"};
    fuzz_part parts[2];
    icseg_labels labels;
    icseg_error error;
    fuzz_split(data, size, parts, 2);
    unsigned first = fuzz_choice(parts[1], 0), second = fuzz_choice(parts[1], 1);
    int32_t width = 1 + (int32_t)(fuzz_choice(parts[1], 2) % 100), count = (int32_t)parts[0].size;
    int32_t most = fuzz_select(data, size, 16) ? FEW_PIXELS : MANY_PIXELS;
    if (count > most) count = most;
    if (count < width) return 0;
    FUZZ_REQUIRE(icseg_labels_create(&labels, width, count / width, &error) == ICSEG_OK);
    for (int32_t i = 0; i < width * labels.height; i++)
        labels.data[i] = (int16_t)(parts[0].data[i] % (CLASSES + 1) - 1);
    double tolerance = (double)(second % 16) / 4;
    if (!fuzz_select(data, size, 4)) check_areas(&labels, tolerance);
    icseg_export_options options = {ICSEG_EXPORT_OPTIONS_INIT,
                                    .format = (icseg_export_format)(first % ICSEG_EXPORT_FORMATS),
                                    .names = names,
                                    .classes = CLASSES,
                                    .background = first & 128 ? "" : NULL,
                                    .tolerance = tolerance,
                                    .min_area = (int64_t)(second / 16) * 3};
    options.runs = (first & 64) && icseg_export_format_has_runs(options.format);
    icseg_export_image image = {ICSEG_EXPORT_IMAGE_INIT, .name = "b/a.jpg", .labels = &labels};
    void *text;
    size_t length;
    FUZZ_REQUIRE(fuzz_succeeded(icseg_export_encode(&options, &image, &text, &length, &error), &error));
    icseg_buffer_free(text);
    icseg_labels_close(&labels);
    return 0;
}

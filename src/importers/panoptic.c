/* SPDX-License-Identifier: Apache-2.0
 * Finds and reads the PNG files of COCO's panoptic annotations. */
#include "importers/panoptic.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

char *icseg_panoptic_folder(icseg_arena *arena, const char *json) {
    return icseg_arena_printf(arena, "%.*s", (int)(strlen(json) - strlen(icseg_path_extension(json)) - 1), json);
}

icseg_status icseg_panoptic_find(icseg_arena *arena, const char *json, const char *root, const char *name, char **out,
                                 icseg_error *error) {
    const char *base = icseg_path_name(json), *own = icseg_panoptic_folder(arena, json);
    *out = NULL;
    if (!own) return icseg_fail_memory_in(error, 0, json);
    if (!icseg_import_is_inside(name)) return ICSEG_OK;
    const char *paths[] = {
        icseg_arena_printf(arena, "%s/%s", own, name),
        icseg_arena_printf(arena, "%.*s%s", (int)(base - json), json, name),
        icseg_arena_printf(arena, "%s/%s/%s", root, icseg_path_name(own), name),
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !*out; i++) {
        bool found;
        if (!paths[i]) return icseg_fail_memory_in(error, 0, json);
        ICSEG_TRY(icseg_path_find(paths[i], S_IFREG, &found, error));
        if (found) *out = (char *)(uintptr_t)paths[i];
    }
    return ICSEG_OK;
}

static int compare_segments(const void *a, const void *b) {
    const icseg_panoptic_segment *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static icseg_status sort_segments(icseg_panoptic_segment *segments, size_t count, const char *where,
                                  icseg_error *error) {
    if (count) qsort(segments, count, sizeof *segments, compare_segments);
    for (size_t i = 1; i < count; i++)
        if (segments[i].id == segments[i - 1].id)
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: two segments have the \"id\" %lld", where,
                              (long long)segments[i].id);
    return ICSEG_OK;
}

static icseg_status fill(icseg_labels *labels, const icseg_image *image, const icseg_panoptic_segment *segments,
                         size_t count, const char *path, const char *where, icseg_error *error) {
    icseg_panoptic_segment last = {.id = -1};
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *rgb = image->data + 3 * i;
        const icseg_panoptic_segment key = {.id = rgb[0] + 256 * rgb[1] + 65536 * (int64_t)rgb[2]}, *found;
        if (!key.id) continue;
        if (key.id != last.id) {
            found = count ? bsearch(&key, segments, count, sizeof *segments, compare_segments) : NULL;
            if (!found)
                return icseg_fail(
                    error, ICSEG_ERROR_DATA,
                    "%s: the pixel at x %zu, y %zu of %s has the number %lld, which is not the \"id\" of a "
                    "segment",
                    where, i % (size_t)image->width, i / (size_t)image->width, path, (long long)key.id);
            last = *found;
        }
        labels->data[i] = last.label;
    }
    return ICSEG_OK;
}

/* JPEG changes the numbers of segments. */
static icseg_status check_png(const char *path, icseg_error *error) {
    static const unsigned char png[4] = {0x89, 'P', 'N', 'G'};
    unsigned char start[sizeof png] = {0};
    icseg_file_reader *file;
    ICSEG_TRY(icseg_file_reader_open(&file, path, error));
    icseg_status status = ICSEG_OK;
    if (icseg_file_reader_size(file) >= sizeof start)
        status = icseg_file_reader_read(file, 0, start, sizeof start, error);
    icseg_file_reader_close(&file);
    if (status != ICSEG_OK || !memcmp(start, png, sizeof png)) return status;
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: the segments must be a PNG file, whose values are exact", path);
}

icseg_status icseg_panoptic_read(icseg_labels *out, const char *path, icseg_panoptic_segment *segments, size_t count,
                                 int16_t empty, bool *has_empty, const char *where, icseg_error *error) {
    icseg_image image;
    *has_empty = false;
    ICSEG_TRY(sort_segments(segments, count, where, error));
    ICSEG_TRY(check_png(path, error));
    ICSEG_TRY(icseg_image_read(&image, path, error));
    icseg_status status = icseg_labels_create(out, image.width, image.height, error);
    size_t pixels = (size_t)image.width * (size_t)image.height;
    for (size_t i = 0; i < pixels && status == ICSEG_OK; i++) {
        out->data[i] = empty;
        *has_empty |= !image.data[3 * i] && !image.data[3 * i + 1] && !image.data[3 * i + 2];
    }
    if (status == ICSEG_OK) status = fill(out, &image, segments, count, path, where, error);
    icseg_image_close(&image);
    return status;
}

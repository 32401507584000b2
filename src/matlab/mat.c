/* SPDX-License-Identifier: Apache-2.0
 * MATLAB label maps: telling the containers apart, and what both have in common. */
#include "matlab/mat.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

enum { MOST_PIXELS = 1 << 24, HEADER = 128, USER_BLOCK = 512 };

icseg_status icseg_mat_create(icseg_mask *out, const char *path, uint64_t height, uint64_t width, icseg_error *error) {
    if (!height || !width || height > ICSEG_IMAGE_MAX_SIDE || width > ICSEG_IMAGE_MAX_SIDE ||
        height * width > MOST_PIXELS)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: S is %llu x %llu; a label map has 1..%d rows and columns and at most %d pixels", path,
                          (unsigned long long)height, (unsigned long long)width, ICSEG_IMAGE_MAX_SIDE, MOST_PIXELS);
    size_t count = (size_t)(height * width);
    *out = (icseg_mask){.width = (int32_t)width, .height = (int32_t)height, .bits = 16};
    out->data = icseg_alloc_array(count, sizeof *out->data);
    return out->data ? ICSEG_OK : icseg_fail_memory(error, count * sizeof *out->data, path);
}

icseg_status icseg_mat_store(icseg_mask *out, const char *path, size_t index, double value, icseg_error *error) {
    size_t height = (size_t)out->height, x = index / height, y = index % height;
    if (!(value >= 0 && value <= 65535) || value != floor(value))
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: S holds %g at x=%zu, y=%zu; labels are whole numbers 0..65535",
                          path, value, x, y);
    out->data[y * (size_t)out->width + x] = (uint16_t)value;
    return ICSEG_OK;
}

static bool is_hdf5(const icseg_map *map) {
    static const char signature[8] = "\x89HDF\r\n\x1a\n";
    for (size_t at = 0; at <= USER_BLOCK; at += USER_BLOCK)
        if (map->size >= at + sizeof signature && !memcmp(map->data + at, signature, sizeof signature)) return true;
    return false;
}

icseg_status icseg_mat_read(icseg_mask *out, int64_t *names, const char *path, icseg_error *error) {
    icseg_map map;
    int64_t ignored;
    if (!names) names = &ignored;
    *out = (icseg_mask){0};
    *names = 0;
    ICSEG_TRY(icseg_map_open(&map, path, error));
    icseg_status status;
    if (is_hdf5(&map))
        status = icseg_mat_read_hdf5(out, names, path, map, error);
    else if (map.size >= HEADER && (!memcmp(map.data + HEADER - 2, "IM", 2) || !memcmp(map.data + HEADER - 2, "MI", 2)))
        status = icseg_mat_read_v5(out, names, path, map.data, map.size, error);
    else
        status = icseg_fail(error, ICSEG_ERROR_FORMAT,
                            "%s: not a MATLAB file of version 5 or 7.3 (%zu bytes): truncated, or another format?",
                            path, map.size);
    icseg_map_close(&map);
    if (status != ICSEG_OK) icseg_mask_close(out);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * The label matrix of a MATLAB file. */
#include <math.h>

#include "base/memory.h"
#include "matlab/mat_parts.h"

enum { MAX_PIXELS = 1 << 24 };

icseg_status icseg_mat_create(icseg_mask *out, const char *path, uint64_t height, uint64_t width, icseg_error *error) {
    if (!height || !width || height > ICSEG_IMAGE_MAX_SIDE || width > ICSEG_IMAGE_MAX_SIDE ||
        height * width > MAX_PIXELS)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: S is %llu x %llu; a label map has 1..%d rows and columns and at most %d pixels", path,
                          (unsigned long long)height, (unsigned long long)width, ICSEG_IMAGE_MAX_SIDE, MAX_PIXELS);
    size_t count = (size_t)(height * width);
    *out = (icseg_mask){.width = (int32_t)width, .height = (int32_t)height, .bits = 16};
    out->data = icseg_alloc_array(count, sizeof *out->data);
    return out->data ? ICSEG_OK : icseg_fail_memory_in(error, count * sizeof *out->data, path);
}

icseg_status icseg_mat_store(icseg_mask *out, const char *path, size_t index, double value, icseg_error *error) {
    size_t height = (size_t)out->height, x = index / height, y = index % height;
    if (!(value >= 0 && value <= 65535) || value != floor(value))
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: S is %g at x=%zu, y=%zu; labels are integers 0..65535", path,
                          value, x, y);
    out->data[y * (size_t)out->width + x] = (uint16_t)value;
    return ICSEG_OK;
}

icseg_status icseg_mat_fail_missing(const char *path, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: the variable S is missing; COCO-Stuff's annotations store the label map in the matrix S",
                      path);
}

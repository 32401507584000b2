/* SPDX-License-Identifier: Apache-2.0
 * Resizing whole images (bilinear) and label maps (nearest), both with half-pixel centres. */
#include "base/memory.h"
#include "image/check.h"
#include "image/resample.h"

icseg_status icseg_image_resize(icseg_image *out, const icseg_image *image, int32_t width, int32_t height,
                                icseg_error *error) {
    ICSEG_NEED(out);
    if (out == image) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: out must not be image", __func__);
    *out = (icseg_image){0};
    ICSEG_NEED_IMAGE(image);
    ICSEG_TRY(icseg_image_create(out, width, height, error));
    icseg_resample *rows;
    icseg_status status = icseg_resample_open(&rows, image, width, height, 0, width, error);
    for (int32_t y = 0; y < height && status == ICSEG_OK; y++)
        icseg_resample_row(rows, y, out->data + (size_t)y * (size_t)width * 3);
    icseg_resample_close(&rows);
    if (status != ICSEG_OK) icseg_image_close(out);
    return status;
}

icseg_status icseg_labels_resize(icseg_labels *out, const icseg_labels *labels, int32_t width, int32_t height,
                                 icseg_error *error) {
    ICSEG_NEED(out);
    if (out == labels) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: out must not be labels", __func__);
    *out = (icseg_labels){0};
    ICSEG_NEED_LABELS(labels);
    ICSEG_TRY(icseg_labels_create(out, width, height, error));
    int32_t *columns = icseg_alloc_array((size_t)width, sizeof *columns), row;
    if (!columns) {
        icseg_labels_close(out);
        return icseg_fail_memory(error, (size_t)width * sizeof *columns, "resizing");
    }
    icseg_resample_nearest(columns, labels->width, width, 0, width);
    for (int32_t y = 0; y < height; y++) {
        icseg_resample_nearest(&row, labels->height, height, y, 1);
        const int16_t *in = labels->data + (size_t)row * (size_t)labels->width;
        int16_t *to = out->data + (size_t)y * (size_t)width;
        for (int32_t x = 0; x < width; x++) to[x] = in[columns[x]];
    }
    icseg_free(columns);
    return ICSEG_OK;
}

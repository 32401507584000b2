/* SPDX-License-Identifier: Apache-2.0
 * Images and label maps in memory: reading, creation, release. */
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/codec.h"

static icseg_status decode(icseg_image *out, const icseg_source *source, icseg_error *error) {
    icseg_header header;
    ICSEG_TRY(icseg_header_read(&header, source, error));
    icseg_status status = icseg_image_create(out, header.width, header.height, error);
    if (status != ICSEG_OK) return icseg_fail_prefix(error, "%s", source->name), status;
    ICSEG_TRY(icseg_decode_image(source, &header, out->data, error));
    void *pixels = out->data;
    status = icseg_orient(&pixels, &out->width, &out->height, 3, header.orientation, error);
    out->data = pixels;
    if (status != ICSEG_OK) icseg_fail_prefix(error, "%s", source->name);
    return status;
}

icseg_status icseg_image_read_memory(icseg_image *out, const void *data, size_t size, const char *name,
                                     icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_image){0};
    ICSEG_NEED(data);
    icseg_source source = {.data = data, .size = size, .name = name ? name : "image"};
    icseg_status status = decode(out, &source, error);
    if (status != ICSEG_OK) icseg_image_close(out);
    return status;
}

icseg_status icseg_image_read(icseg_image *out, const char *path, icseg_error *error) {
    unsigned char *data;
    size_t size;
    ICSEG_NEED(out);
    *out = (icseg_image){0};
    ICSEG_NEED(path);
    ICSEG_TRY(icseg_file_read(path, ICSEG_IMAGE_FILE_LIMIT, &data, &size, error));
    icseg_status status = icseg_image_read_memory(out, data, size, path, error);
    icseg_free(data);
    return status;
}

icseg_status icseg_image_read_size(int32_t *width, int32_t *height, const char *path, icseg_error *error) {
    unsigned char *data;
    size_t size;
    icseg_header header;
    ICSEG_NEED(width);
    ICSEG_NEED(height);
    *width = *height = 0;
    ICSEG_NEED(path);
    ICSEG_TRY(icseg_file_read(path, ICSEG_IMAGE_FILE_LIMIT, &data, &size, error));
    icseg_status status = icseg_header_read(&header, &(icseg_source){.data = data, .size = size, .name = path}, error);
    icseg_free(data);
    if (status != ICSEG_OK) return status;
    bool swapped = header.orientation >= 5;
    *width = swapped ? header.height : header.width;
    *height = swapped ? header.width : header.height;
    return ICSEG_OK;
}

static icseg_status check_size(int32_t width, int32_t height, icseg_error *error) {
    if (width >= 1 && height >= 1 && width <= ICSEG_IMAGE_MAX_SIDE && height <= ICSEG_IMAGE_MAX_SIDE &&
        (int64_t)width * height <= ICSEG_IMAGE_MAX_PIXELS)
        return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                      "an image of %d x %d pixels: sides must be 1 to %d, and the image at most %d pixels", width,
                      height, ICSEG_IMAGE_MAX_SIDE, ICSEG_IMAGE_MAX_PIXELS);
}

icseg_status icseg_image_create(icseg_image *out, int32_t width, int32_t height, icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_image){0};
    ICSEG_TRY(check_size(width, height, error));
    size_t bytes = (size_t)width * (size_t)height * 3;
    out->data = icseg_alloc(bytes);
    if (!out->data) return icseg_fail_memory(error, bytes, "an image");
    out->width = width;
    out->height = height;
    return ICSEG_OK;
}

void icseg_image_close(icseg_image *image) {
    if (!image) return;
    icseg_free(image->data);
    *image = (icseg_image){0};
}

icseg_status icseg_labels_create(icseg_labels *out, int32_t width, int32_t height, icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_labels){0};
    ICSEG_TRY(check_size(width, height, error));
    size_t bytes = (size_t)width * (size_t)height * sizeof *out->data;
    out->data = icseg_alloc(bytes);
    if (!out->data) return icseg_fail_memory(error, bytes, "a label map");
    out->width = width;
    out->height = height;
    return ICSEG_OK;
}

void icseg_labels_close(icseg_labels *labels) {
    if (!labels) return;
    icseg_free(labels->data);
    *labels = (icseg_labels){0};
}

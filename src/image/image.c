/* SPDX-License-Identifier: Apache-2.0
 * Images and label maps in memory: reading, creation, release. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "image/check.h"
#include "image/codec.h"

enum { /* in the first release that has them */
       FIRST_VALUES_SIZE = sizeof(icseg_image_values),
       FIRST_INPUT_SIZE = sizeof(icseg_image_input),
       FIRST_INFO_SIZE = sizeof(icseg_image_info)
};

/* ---- reading ---- */

static icseg_status decode(icseg_image *out, icseg_header *header, const icseg_source *source, int64_t max_pixels,
                           icseg_error *error) {
    ICSEG_TRY(icseg_header_read(header, source, error));
    if (max_pixels > 0 && (int64_t)header->width * header->height > max_pixels)
        return icseg_fail_field(error, ICSEG_ERROR_FORMAT, "max_pixels", ICSEG_REMEDY_SET_FIELD,
                                "%s: %d x %d pixels is too large: at most %lld pixels are allowed", source->name,
                                header->width, header->height, (long long)max_pixels);
    icseg_status status = icseg_image_create(out, header->width, header->height, error);
    if (status != ICSEG_OK) return icseg_fail_prefix(error, "%s", source->name), status;
    ICSEG_TRY(icseg_decode_image(source, header, out->data, error));
    void *pixels = out->data;
    status = icseg_orient(&pixels, &out->width, &out->height, 3, header->orientation, error);
    out->data = pixels;
    if (status != ICSEG_OK) icseg_fail_prefix(error, "%s", source->name);
    return status;
}

/* The value below which 16-bit values are called dark. */
enum { DARK = 65536 / 8 };

/* width, height: upright. */
static void describe(icseg_image_info *out, int32_t width, int32_t height, const icseg_header *header,
                     const icseg_source *source) {
    *out = (icseg_image_info){
        .format = icseg_codec_name(header->codec), .width = width, .height = height, .bits = header->bits, .field = ""};
    if (header->bits == 16 && header->highest > 0 && header->highest < DARK && !icseg_has_value_range(source)) {
        int32_t most = 1; /* of the bits that are used */
        while (most < header->highest) most = 2 * most + 1;
        out->note = ICSEG_IMAGE_NOTE_DARK;
        out->field = "value_range";
        snprintf(out->text, sizeof out->text,
                 "its 16-bit values are at most %d, so the image is nearly black; a value range such as 0,%d helps",
                 header->highest, most);
    } else if (header->pages > 1) {
        out->note = ICSEG_IMAGE_NOTE_PAGE;
        if (header->codec == ICSEG_CODEC_GIF || header->codec == ICSEG_CODEC_PNG)
            snprintf(out->text, sizeof out->text, "it has several frames; the first is used");
        else
            snprintf(out->text, sizeof out->text, "it has %d %s; the %s is used", header->pages,
                     header->codec == ICSEG_CODEC_TIFF ? "pages" : "images",
                     header->codec == ICSEG_CODEC_TIFF ? "first" : "primary one");
    }
}

icseg_status icseg_image_values_read(icseg_image_values *out, const icseg_image_values *from, icseg_error *error) {
    ICSEG_TRY(icseg_struct_read(out, sizeof *out, from, FIRST_VALUES_SIZE, "icseg_image_values", error));
    const int32_t *b = out->bands;
    if (b[0] < 0 || b[1] < 0 || b[2] < 0 || (b[1] && !b[0]) || !b[1] != !b[2])
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "bands", ICSEG_REMEDY_SET_FIELD,
                                "bands: expected one band, or three: red, green and blue, counted from 1");
    if (!isfinite(out->value_low) || !isfinite(out->value_high) || !isfinite(out->value_high - out->value_low))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "value_range", ICSEG_REMEDY_SET_FIELD,
                                "value_range: expected two finite numbers");
    if (out->value_low == out->value_high && out->value_low != 0)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "value_range", ICSEG_REMEDY_SET_FIELD,
                                "value_range: black and white are both %g: expected two numbers that differ",
                                out->value_low);
    if (out->value_low > out->value_high)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "value_range", ICSEG_REMEDY_SET_FIELD,
                                "value_range: black is %g and white %g, which would invert the image: expected the "
                                "lower value first",
                                out->value_low, out->value_high);
    return ICSEG_OK;
}

/* `file` has all but its values. */
static icseg_status load(icseg_image *out, const icseg_source *file, const icseg_image_input *input,
                         icseg_image_info *info, icseg_error *error) {
    icseg_image_values known = {0};
    icseg_source copy = *file, *source = &copy;
    icseg_header header;
    if (input->values) {
        ICSEG_TRY(icseg_image_values_read(&known, input->values, error));
        copy.values = &known;
    }
    icseg_status status = decode(out, &header, source, input->max_pixels, error);
    if (status != ICSEG_OK) {
        icseg_image_close(out);
        return status;
    }
    icseg_image_info facts;
    describe(&facts, out->width, out->height, &header, source);
    if (info) icseg_struct_write(info, &facts, sizeof facts, FIRST_INFO_SIZE, "icseg_image_info", NULL);
    return ICSEG_OK;
}

icseg_status icseg_image_load(icseg_image *out, const icseg_image_input *input, icseg_image_info *info,
                              icseg_error *error) {
    icseg_image_input in;
    unsigned char *data = NULL;
    ICSEG_NEED(out);
    *out = (icseg_image){0};
    if (info)
        ICSEG_TRY(
            icseg_struct_write(info, &(icseg_image_info){0}, sizeof *info, FIRST_INFO_SIZE, "icseg_image_info", error));
    ICSEG_NEED(input);
    ICSEG_TRY(icseg_struct_read(&in, sizeof in, input, FIRST_INPUT_SIZE, "icseg_image_input", error));
    if (!in.data && !in.path)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_image_load: path and data are NULL; give one of them");
    if (in.max_pixels < 0)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "max_pixels", ICSEG_REMEDY_SET_FIELD,
                                "max_pixels is %lld: expected 0 or a positive number", (long long)in.max_pixels);
    icseg_source source = {.data = in.data, .size = in.size, .name = in.path ? in.path : "image"};
    if (!in.data) {
        ICSEG_TRY(icseg_file_read(in.path, ICSEG_IMAGE_FILE_LIMIT, &data, &source.size, error));
        source.data = data;
    }
    icseg_status status = load(out, &source, &in, info, error);
    icseg_free(data);
    return status;
}

icseg_status icseg_image_read_memory(icseg_image *out, const void *data, size_t size, const char *name,
                                     icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_image){0};
    ICSEG_NEED(data);
    icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT, .path = name, .data = data, .size = size};
    return icseg_image_load(out, &input, NULL, error);
}

icseg_status icseg_image_read(icseg_image *out, const char *path, icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_image){0};
    ICSEG_NEED(path);
    return icseg_image_load(out, &(icseg_image_input){ICSEG_IMAGE_INPUT_INIT, .path = path}, NULL, error);
}

static void upright_size(const icseg_header *header, int32_t *width, int32_t *height) {
    bool swapped = header->orientation >= 5;
    *width = swapped ? header->height : header->width;
    *height = swapped ? header->width : header->height;
}

icseg_status icseg_image_examine(const char *path, const icseg_image_values *values, icseg_image_info *out,
                                 icseg_error *error) {
    unsigned char *data;
    icseg_header header;
    icseg_source source = {.name = path, .values = values};
    *out = (icseg_image_info){0};
    ICSEG_TRY(icseg_file_read(path, ICSEG_IMAGE_FILE_LIMIT, &data, &source.size, error));
    source.data = data;
    icseg_status status = icseg_header_read(&header, &source, error);
    if (status == ICSEG_OK) status = icseg_check_values(&source, &header, error);
    icseg_free(data);
    if (status != ICSEG_OK) return status;
    int32_t width, height;
    upright_size(&header, &width, &height);
    describe(out, width, height, &header, &source);
    return ICSEG_OK;
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
    if (status == ICSEG_OK) upright_size(&header, width, height);
    return status;
}

/* ---- memory ---- */

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

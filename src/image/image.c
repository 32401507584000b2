/* SPDX-License-Identifier: Apache-2.0
 * Pictures: telling formats apart by content, limits, reading, creation. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "image/codec.h"

/* Formats people do have but icseg does not read: the text should say so rather than list bytes. */
static const char *foreign_format(const unsigned char *data, size_t size) {
    static const struct {
        size_t offset;
        const char *magic, *name;
    } known[] = {
        {0, "GIF8", "a GIF"},         {0, "BM", "a BMP"},
        {0, "%PDF", "a PDF"},         {0, "8BPS", "a Photoshop file"},
        {4, "ftypheic", "a HEIC"},    {4, "ftypheix", "a HEIC"},
        {4, "ftypmif1", "a HEIF"},    {4, "ftypavif", "an AVIF"},
        {0, "\xff\x0a", "a JPEG XL"}, {4, "JXL ", "a JPEG XL"},
        {4, "jP  ", "a JPEG 2000"},   {0, "version https://git-lfs", "a Git LFS pointer, not the file itself"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i].magic);
        if (size >= known[i].offset + length && memcmp(data + known[i].offset, known[i].magic, length) == 0)
            return known[i].name;
    }
    return NULL;
}

/* Text in quotes, anything else in hexadecimal: at most 3 * count + 1 bytes. */
static void show_bytes(char *out, const unsigned char *data, size_t count) {
    bool text = true;
    for (size_t i = 0; i < count; i++) text &= isprint(data[i]) || isspace(data[i]);
    if (text) snprintf(out, count + 3, "\"%.*s\"", (int)count, (const char *)data);
    for (size_t i = 0; i < count && !text; i++) snprintf(out + 3 * i, 4, i + 1 < count ? "%02x " : "%02x", data[i]);
}

static icseg_status fail_unknown(const icseg_source *source, icseg_error *error) {
    enum { SHOWN = 12 };
    if (!source->size)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: an empty file where an image is expected", source->name);
    const char *foreign = foreign_format(source->data, source->size);
    if (foreign)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: not an image icseg can read (JPEG, PNG, WebP, TIFF): it is %s; convert it first",
                          source->name, foreign);
    char shown[3 * SHOWN + 1];
    show_bytes(shown, source->data, source->size < SHOWN ? source->size : SHOWN);
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: not an image icseg can read (JPEG, PNG, WebP, TIFF): starts with %s", source->name, shown);
}

icseg_status icseg_header_set_size(icseg_header *out, uint32_t width, uint32_t height, const icseg_source *source,
                                   icseg_error *error) {
    if (!width || !height)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged: its header says %u x %u pixels", source->name, width,
                          height);
    if (width > ICSEG_IMAGE_MAX_SIDE || height > ICSEG_IMAGE_MAX_SIDE ||
        (uint64_t)width * height > ICSEG_IMAGE_MAX_PIXELS)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: %u x %u pixels is too large: a side may have at most %d, the whole at most %d million",
                          source->name, width, height, ICSEG_IMAGE_MAX_SIDE, ICSEG_IMAGE_MAX_PIXELS / 1000000);
    out->width = (int32_t)width;
    out->height = (int32_t)height;
    return ICSEG_OK;
}

icseg_status icseg_header_read(icseg_header *out, const icseg_source *source, icseg_error *error) {
    const unsigned char *data = source->data;
    size_t size = source->size;
    *out = (icseg_header){.orientation = 1};
    if (size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0) return icseg_jpeg_header(out, source, error);
    if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0) return icseg_png_header(out, source, error);
    if (size >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
        return icseg_webp_header(out, source, error);
    if (size >= 4 && (memcmp(data, "II*\0", 4) == 0 || memcmp(data, "MM\0*", 4) == 0 || memcmp(data, "II+\0", 4) == 0 ||
                      memcmp(data, "MM\0+", 4) == 0))
        return icseg_tiff_header(out, source, error);
    return fail_unknown(source, error);
}

static icseg_status decode(icseg_image *out, const icseg_source *source, icseg_error *error) {
    icseg_header header;
    ICSEG_TRY(icseg_header_read(&header, source, error));
    icseg_status status = icseg_image_create(out, header.width, header.height, error);
    if (status != ICSEG_OK) return icseg_fail_prefix(error, "%s", source->name), status;
    switch (header.codec) {
    case ICSEG_CODEC_JPEG: ICSEG_TRY(icseg_jpeg_decode(source, &header, out->data, error)); break;
    case ICSEG_CODEC_PNG: ICSEG_TRY(icseg_png_decode(source, &header, out->data, error)); break;
    case ICSEG_CODEC_WEBP: ICSEG_TRY(icseg_webp_decode(source, &header, out->data, error)); break;
    case ICSEG_CODEC_TIFF: ICSEG_TRY(icseg_tiff_decode(source, &header, out->data, error)); break;
    }
    void *pixels = out->data;
    status = icseg_orient(&pixels, &out->width, &out->height, 3, header.orientation, error);
    out->data = pixels;
    if (status != ICSEG_OK) icseg_fail_prefix(error, "%s", source->name);
    return status;
}

icseg_status icseg_image_read_memory(icseg_image *out, const void *data, size_t size, const char *name,
                                     icseg_error *error) {
    *out = (icseg_image){0};
    icseg_status status = decode(out, &(icseg_source){.data = data, .size = size, .name = name}, error);
    if (status != ICSEG_OK) icseg_image_close(out);
    return status;
}

icseg_status icseg_image_read(icseg_image *out, const char *path, icseg_error *error) {
    unsigned char *data;
    size_t size;
    *out = (icseg_image){0};
    ICSEG_TRY(icseg_file_read(path, ICSEG_IMAGE_FILE_LIMIT, &data, &size, error));
    icseg_status status = icseg_image_read_memory(out, data, size, path, error);
    icseg_free(data);
    return status;
}

icseg_status icseg_image_read_size(int32_t *width, int32_t *height, const char *path, icseg_error *error) {
    icseg_map map; /* only the pages that hold the header are read from disk */
    icseg_header header;
    *width = *height = 0;
    ICSEG_TRY(icseg_map_open(&map, path, error));
    icseg_status status =
        icseg_header_read(&header, &(icseg_source){.data = map.data, .size = map.size, .name = path}, error);
    icseg_map_close(&map);
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
                      "an image of %d x %d pixels: sides must be 1..%d and the whole at most %d pixels", width, height,
                      ICSEG_IMAGE_MAX_SIDE, ICSEG_IMAGE_MAX_PIXELS);
}

icseg_status icseg_image_create(icseg_image *out, int32_t width, int32_t height, icseg_error *error) {
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

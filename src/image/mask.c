/* SPDX-License-Identifier: Apache-2.0
 * Label files as they are stored: single-channel PNG and TIFF; anything else is refused with the remedy. */
#include "base/file.h"
#include "base/memory.h"
#include "image/codec.h"

icseg_status icseg_mask_fail_colour(const icseg_source *source, const char *what, icseg_error *error) {
    return icseg_fail(
        error, ICSEG_ERROR_DATA,
        "%s: a colour image (%s) where class indices are expected; convert each colour to its class index "
        "and save one channel (8- or 16-bit grey, or palette PNG)",
        source->name, what);
}

icseg_status icseg_mask_allocate(icseg_mask *mask, const icseg_header *header, const icseg_source *source,
                                 icseg_error *error) {
    size_t count = (size_t)header->width * (size_t)header->height;
    mask->data = icseg_alloc_array(count, sizeof *mask->data);
    if (!mask->data) return icseg_fail_memory(error, count * sizeof *mask->data, source->name);
    mask->width = header->width;
    mask->height = header->height;
    return ICSEG_OK;
}

static icseg_status decode(icseg_mask *out, const icseg_source *source, icseg_error *error) {
    icseg_header header;
    ICSEG_TRY(icseg_header_read(&header, source, error));
    if (header.codec == ICSEG_CODEC_PNG)
        ICSEG_TRY(icseg_png_decode_mask(out, source, &header, error));
    else if (header.codec == ICSEG_CODEC_TIFF)
        ICSEG_TRY(icseg_tiff_decode_mask(out, source, &header, error));
    else
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: a %s where class indices are expected; its compression changes values: label files must "
                          "be PNG or TIFF",
                          source->name, header.codec == ICSEG_CODEC_JPEG ? "JPEG" : "WebP");
    void *values = out->data;
    icseg_status status =
        icseg_orient(&values, &out->width, &out->height, sizeof *out->data, header.orientation, error);
    out->data = values;
    if (status != ICSEG_OK) icseg_fail_prefix(error, "%s", source->name);
    return status;
}

icseg_status icseg_mask_read(icseg_mask *out, const char *path, icseg_error *error) {
    unsigned char *data;
    size_t size;
    *out = (icseg_mask){0};
    ICSEG_TRY(icseg_file_read(path, ICSEG_IMAGE_FILE_LIMIT, &data, &size, error));
    icseg_status status = decode(out, &(icseg_source){.data = data, .size = size, .name = path}, error);
    icseg_free(data);
    if (status != ICSEG_OK) icseg_mask_close(out);
    return status;
}

void icseg_mask_close(icseg_mask *mask) {
    if (!mask) return;
    icseg_free(mask->data);
    *mask = (icseg_mask){0};
}

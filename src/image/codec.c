/* SPDX-License-Identifier: Apache-2.0
 * Shared by the decoders: limits of sizes, and label maps. */
#include "image/codec.h"

#include "base/memory.h"

icseg_status icseg_header_set_size(icseg_header *out, uint32_t width, uint32_t height, const icseg_source *source,
                                   icseg_error *error) {
    if (!width || !height)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged: the header gives a size of %u x %u pixels",
                          source->name, width, height);
    if (width > ICSEG_IMAGE_MAX_SIDE || height > ICSEG_IMAGE_MAX_SIDE ||
        (uint64_t)width * height > ICSEG_IMAGE_MAX_PIXELS)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: %u x %u pixels is too large: a side may have at most %d pixels, the image at most %d "
                          "million; scale it down or cut it into parts",
                          source->name, width, height, ICSEG_IMAGE_MAX_SIDE, ICSEG_IMAGE_MAX_PIXELS / 1000000);
    out->width = (int32_t)width;
    out->height = (int32_t)height;
    return ICSEG_OK;
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

icseg_status icseg_mask_fail_colour(const icseg_source *source, const char *what, icseg_error *error) {
    return icseg_fail(
        error, ICSEG_ERROR_DATA,
        "%s: a colour image (%s) where class indices are expected; convert each colour to its class index "
        "and save one channel (8- or 16-bit grey, or palette PNG)",
        source->name, what);
}

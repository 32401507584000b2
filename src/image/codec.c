/* SPDX-License-Identifier: Apache-2.0
 * Shared by the decoders: limits of sizes, value ranges, and label maps. */
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

bool icseg_has_value_range(const icseg_source *source) {
    return source->values && source->values->value_low != source->values->value_high;
}

icseg_value_scale icseg_value_scale_of(const icseg_source *source, double low, double high) {
    if (icseg_has_value_range(source)) low = source->values->value_low, high = source->values->value_high;
    return (icseg_value_scale){low, 255 / (high - low)};
}

icseg_status icseg_mask_allocate(icseg_mask *mask, const icseg_header *header, const icseg_source *source,
                                 icseg_error *error) {
    size_t count = (size_t)header->width * (size_t)header->height;
    mask->data = icseg_alloc_array(count, sizeof *mask->data);
    if (!mask->data) return icseg_fail_memory_in(error, count * sizeof *mask->data, source->name);
    mask->width = header->width;
    mask->height = header->height;
    return ICSEG_OK;
}

icseg_status icseg_mask_fail_colour(const icseg_source *source, const char *what, size_t x, size_t y,
                                    icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: a colour image (%s, the first colour at x=%zu, y=%zu) where class indices are expected; "
                      "convert each colour "
                      "to its class index and save one channel (8- or 16-bit grey, or palette PNG)",
                      source->name, what, x, y);
}

icseg_status icseg_mask_fail_frames(const icseg_source *source, const char *format, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: an animated %s where class indices are expected; save the frame as a still image of its own",
                      source->name, format);
}

icseg_status icseg_mask_fail_transparent(const icseg_source *source, size_t x, size_t y, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: a label file with transparent pixels (the first at x=%zu, y=%zu); save it without an alpha "
                      "channel",
                      source->name, x, y);
}

icseg_status icseg_mask_from_colours(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                     icseg_status (*decode)(const icseg_source *, icseg_header *, uint8_t *,
                                                            icseg_error *),
                                     icseg_error *error) {
    size_t width = (size_t)header->width, count = width * (size_t)header->height;
    icseg_header copy = *header;
    icseg_source plain = *source;
    plain.values = NULL;
    out->bits = 8;
    ICSEG_TRY(icseg_mask_allocate(out, header, source, error));
    uint8_t *pixels = icseg_alloc_array(count, 3);
    if (!pixels) return icseg_fail_memory_in(error, 3 * count, source->name);
    icseg_status status = decode(&plain, &copy, pixels, error);
    for (size_t i = 0; status == ICSEG_OK && i < count; i++) {
        const uint8_t *p = pixels + 3 * i;
        out->data[i] = p[0];
        if (p[0] != p[1] || p[0] != p[2]) status = icseg_mask_fail_colour(source, "RGB", i % width, i / width, error);
    }
    icseg_free(pixels);
    return status;
}

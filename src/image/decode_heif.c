/* SPDX-License-Identifier: Apache-2.0
 * HEIC and AVIF, by libheif: the primary image, turned upright by libheif; alpha over black. */
#include <libheif/heif.h>

#include <string.h>

#include "base/memory.h"
#include "image/codec.h"

typedef struct reader {
    struct heif_context *context;
    struct heif_image_handle *handle;
    struct heif_image *image;
} reader;

static icseg_status fail(const icseg_source *source, struct heif_error problem, icseg_error *error) {
    if (problem.code == heif_error_Memory_allocation_error) return icseg_fail_memory_in(error, 0, source->name);
    if (problem.code == heif_error_Unsupported_feature || problem.code == heif_error_Unsupported_filetype ||
        problem.code == heif_error_Plugin_loading_error)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: the installed libheif cannot decode this HEIF: %s; convert it to PNG or JPEG",
                          source->name, problem.message);
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: cannot decode this HEIF: %s", source->name, problem.message);
}

static void close_reader(reader *r) {
    heif_image_release(r->image);
    heif_image_handle_release(r->handle);
    heif_context_free(r->context);
}

static icseg_status open_reader(reader *r, const icseg_source *source, icseg_error *error) {
    *r = (reader){.context = heif_context_alloc()};
    if (!r->context) return icseg_fail_memory_in(error, 0, source->name);
    heif_context_set_maximum_image_size_limit(r->context, ICSEG_IMAGE_MAX_SIDE);
    heif_context_set_max_decoding_threads(r->context, 0); /* in the caller's thread */
    struct heif_error problem =
        heif_context_read_from_memory_without_copy(r->context, source->data, source->size, NULL);
    if (problem.code == heif_error_Ok) problem = heif_context_get_primary_image_handle(r->context, &r->handle);
    return problem.code == heif_error_Ok ? ICSEG_OK : fail(source, problem, error);
}

icseg_status icseg_heif_header(icseg_header *out, const icseg_source *source, icseg_error *error) {
    reader r;
    icseg_status status = open_reader(&r, source, error);
    if (status == ICSEG_OK) {
        out->pages = heif_context_get_number_of_top_level_images(r.context);
        status = icseg_header_set_size(out, (uint32_t)heif_image_handle_get_width(r.handle),
                                       (uint32_t)heif_image_handle_get_height(r.handle), source, error);
    }
    close_reader(&r);
    return status;
}

static icseg_status decode(reader *r, const icseg_source *source, const icseg_header *header, uint8_t *pixels,
                           icseg_error *error) {
    int alpha = heif_image_handle_has_alpha_channel(r->handle), stride = 0;
    size_t channels = alpha ? 4 : 3, width = (size_t)header->width;
    struct heif_error problem =
        heif_decode_image(r->handle, &r->image, heif_colorspace_RGB,
                          alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, NULL);
    if (problem.code != heif_error_Ok) return fail(source, problem, error);
    const uint8_t *plane = heif_image_get_plane_readonly(r->image, heif_channel_interleaved, &stride);
    if (!plane || heif_image_get_width(r->image, heif_channel_interleaved) != header->width ||
        heif_image_get_height(r->image, heif_channel_interleaved) != header->height)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged: the HEIF has two different sizes", source->name);
    int premultiplied = alpha && heif_image_handle_is_premultiplied_alpha(r->handle);
    for (int32_t y = 0; y < header->height; y++) {
        const uint8_t *from = plane + (size_t)y * (size_t)stride;
        for (size_t x = 0; x < width; x++, from += channels, pixels += 3)
            for (size_t c = 0; c < 3; c++)
                pixels[c] = alpha && !premultiplied ? (uint8_t)((from[c] * from[3] + 127) / 255) : from[c];
    }
    return ICSEG_OK;
}

icseg_status icseg_heif_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error) {
    reader r;
    icseg_status status = open_reader(&r, source, error);
    if (status == ICSEG_OK) status = decode(&r, source, header, pixels, error);
    close_reader(&r);
    return status;
}

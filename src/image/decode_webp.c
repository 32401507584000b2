/* SPDX-License-Identifier: Apache-2.0
 * WebP, lossy and lossless, one frame; alpha over black. */
#include <string.h>

#include <webp/decode.h>

#include "base/memory.h"
#include "image/codec.h"

static icseg_status fail(const icseg_source *source, VP8StatusCode code, icseg_error *error) {
    if (code == VP8_STATUS_OUT_OF_MEMORY) return icseg_fail_memory_in(error, source->size, source->name);
    const char *reason = code == VP8_STATUS_NOT_ENOUGH_DATA       ? "the data ends too early; the file is truncated"
                         : code == VP8_STATUS_UNSUPPORTED_FEATURE ? "it uses a feature that libwebp does not support"
                                                                  : "the data are damaged";
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: cannot decode this WebP: %s", source->name, reason);
}

/* The EXIF chunk follows the pixels. Chunks are (4 letters, 32-bit size, body padded to even). */
static int find_orientation(const icseg_source *source) {
    const unsigned char *data = source->data;
    for (size_t at = 12; source->size - at >= 8;) {
        size_t length =
            (size_t)data[at + 4] | (size_t)data[at + 5] << 8 | (size_t)data[at + 6] << 16 | (size_t)data[at + 7] << 24;
        size_t left = source->size - at - 8;
        if (length > left) break;
        if (memcmp(data + at, "EXIF", 4) == 0) {
            const unsigned char *body = data + at + 8;
            size_t skip =
                length >= 6 && memcmp(body, "Exif\0\0", 6) == 0 ? 6 : 0; /* some programs keep JPEG's prefix */
            return icseg_exif_orientation(body + skip, length - skip);
        }
        at += 8 + length;
        if (length % 2 && at < source->size) at++;
    }
    return 1;
}

icseg_status icseg_webp_header(icseg_header *out, const icseg_source *source, icseg_error *error) {
    WebPBitstreamFeatures features;
    VP8StatusCode code = WebPGetFeatures(source->data, source->size, &features);
    if (code != VP8_STATUS_OK) return fail(source, code, error);
    if (features.has_animation)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "%s: an animated WebP; save the frame as a still image",
                          source->name);
    out->orientation = find_orientation(source);
    return icseg_header_set_size(out, (uint32_t)features.width, (uint32_t)features.height, source, error);
}

icseg_status icseg_webp_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error) {
    WebPDecoderConfig config;
    size_t count = (size_t)header->width * (size_t)header->height;
    if (!WebPInitDecoderConfig(&config))
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: the installed libwebp differs from the one that icseg was built with", source->name);
    VP8StatusCode code = WebPGetFeatures(source->data, source->size, &config.input);
    if (code != VP8_STATUS_OK) return fail(source, code, error);
    int channels = config.input.has_alpha ? 4 : 3;
    uint8_t *target = channels == 3 ? pixels : icseg_alloc_array(count, 4);
    if (!target) return icseg_fail_memory_in(error, count * 4, source->name);
    config.output.colorspace = channels == 3 ? MODE_RGB : MODE_rgbA; /* multiplied by alpha = composited over black */
    config.output.is_external_memory = 1;
    config.output.u.RGBA =
        (WebPRGBABuffer){.rgba = target, .stride = header->width * channels, .size = count * (size_t)channels};
    code = WebPDecode(source->data, source->size, &config);
    WebPFreeDecBuffer(&config.output);
    if (target != pixels) {
        for (size_t i = 0; code == VP8_STATUS_OK && i < count; i++) memcpy(pixels + 3 * i, target + 4 * i, 3);
        icseg_free(target);
    }
    return code == VP8_STATUS_OK ? ICSEG_OK : fail(source, code, error);
}

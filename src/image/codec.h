/* SPDX-License-Identifier: Apache-2.0
 * The file formats inside src/image. formats.c is the table of decoders; decode_*.c are the decoders, one format each;
 * codec.c contains what they share. */
#ifndef ICSEG_IMAGE_CODEC_H
#define ICSEG_IMAGE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "icseg/image.h"

/* The bytes of a file, the name that errors give it, and how its values become colours. */
typedef struct icseg_source {
    const unsigned char *data;
    size_t size;
    const char *name;
    const icseg_image_values *values; /* NULL: as the file says */
} icseg_source;

typedef enum icseg_codec {
    ICSEG_CODEC_JPEG,
    ICSEG_CODEC_PNG,
    ICSEG_CODEC_WEBP,
    ICSEG_CODEC_TIFF,
    ICSEG_CODEC_BMP,
    ICSEG_CODEC_GIF,
    ICSEG_CODEC_PNM,
    ICSEG_CODEC_HEIF,
} icseg_codec;

typedef struct icseg_header {
    icseg_codec codec;
    int32_t width, height; /* as stored, before the orientation is applied; within the limits of image.h */
    int orientation;       /* EXIF: 1..8, 1 = upright */
    int32_t pages;         /* images in the file; 1 for most formats. GIF and PNG count no further than 2 */
    int32_t bits;          /* bits of a stored value */
    bool has_signs;        /* whether values are signed integers */
    int32_t highest;       /* the largest value of an image of 16-bit integers, set by icseg_decode_image; 0: unknown */
} icseg_header;

/* --- the table (formats.c) ---------------------------------------------------------------------------------------- */

/* Recognises the format by its first bytes and reads the header. Nothing is allocated, except by libtiff. A format that
 * this build leaves out is ICSEG_ERROR_UNSUPPORTED. */
icseg_status icseg_header_read(icseg_header *out, const icseg_source *source, icseg_error *error);

/* Whether the file's values need, or do not allow, the choices of source->values: the errors that icseg_decode_image
 * would return for them. */
icseg_status icseg_check_values(const icseg_source *source, const icseg_header *header, icseg_error *error);

/* What icseg_image_extensions returns. */
extern const char *const icseg_image_types[];

/* "JPEG", "PNG", ... */
const char *icseg_codec_name(icseg_codec codec);

/* Fills `pixels` (height, width, 3), which the caller has allocated by the header; not yet oriented. */
icseg_status icseg_decode_image(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error);

/* Sets bits and palette, then allocates and fills out->data; not yet oriented. On failure the caller closes the mask.
 * A format that changes values is ICSEG_ERROR_DATA. */
icseg_status icseg_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                               icseg_error *error);

/* --- the decoders ------------------------------------------------------------------------------------------------- */

/* Every scan of a progressive JPEG visits all coefficients, even when it has next to no bytes: 199 scans in 151 KB take
 * 19 seconds. Encoders write about 10 scans. */
enum { ICSEG_JPEG_MAX_SCANS = 64 };

/* These set the size, with icseg_header_set_size, and what else they know of the header. */
icseg_status icseg_jpeg_header(icseg_header *out, const icseg_source *source, icseg_error *error);
icseg_status icseg_png_header(icseg_header *out, const icseg_source *source, icseg_error *error);
icseg_status icseg_webp_header(icseg_header *out, const icseg_source *source, icseg_error *error);
icseg_status icseg_tiff_header(icseg_header *out, const icseg_source *source, icseg_error *error);
icseg_status icseg_bmp_header(icseg_header *out, const icseg_source *source, icseg_error *error);
icseg_status icseg_gif_header(icseg_header *out, const icseg_source *source, icseg_error *error);
icseg_status icseg_pnm_header(icseg_header *out, const icseg_source *source, icseg_error *error);
icseg_status icseg_heif_header(icseg_header *out, const icseg_source *source, icseg_error *error);

icseg_status icseg_jpeg_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error);
icseg_status icseg_png_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error);
icseg_status icseg_webp_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error);
icseg_status icseg_tiff_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error);
icseg_status icseg_bmp_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error);
icseg_status icseg_gif_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error);
icseg_status icseg_pnm_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error);
icseg_status icseg_heif_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error);

icseg_status icseg_tiff_check_values(const icseg_source *source, const icseg_header *header, icseg_error *error);

icseg_status icseg_png_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                   icseg_error *error);
icseg_status icseg_tiff_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                    icseg_error *error);
icseg_status icseg_bmp_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                   icseg_error *error);
icseg_status icseg_gif_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                   icseg_error *error);
icseg_status icseg_pnm_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                   icseg_error *error);

/* --- shared by the decoders (codec.c, exif.c) --------------------------------------------------------------------- */

/* Refuses sizes beyond ICSEG_IMAGE_MAX_SIDE and ICSEG_IMAGE_MAX_PIXELS. */
icseg_status icseg_header_set_size(icseg_header *out, uint32_t width, uint32_t height, const icseg_source *source,
                                   icseg_error *error);

/* Allocates mask->data for the size in the header. */
icseg_status icseg_mask_allocate(icseg_mask *mask, const icseg_header *header, const icseg_source *source,
                                 icseg_error *error);

/* The error for a label file that contains colours (`what`: "RGB", ...) instead of class indices, and the first pixel
 * that is not grey. */
icseg_status icseg_mask_fail_colour(const icseg_source *source, const char *what, size_t x, size_t y,
                                    icseg_error *error);

/* The error for a label file of several frames; `format` is "GIF" or "PNG". */
icseg_status icseg_mask_fail_frames(const icseg_source *source, const char *format, icseg_error *error);

/* The error for a label file with an alpha channel, and the first pixel that is not opaque. */
icseg_status icseg_mask_fail_transparent(const icseg_source *source, size_t x, size_t y, icseg_error *error);

/* Reads a label file of 8-bit RGB without alpha, of which red, green and blue must be equal in each pixel: the index.
 * `decode` is the format's. */
icseg_status icseg_mask_from_colours(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                     icseg_status (*decode)(const icseg_source *, icseg_header *, uint8_t *,
                                                            icseg_error *),
                                     icseg_error *error);

/* How stored values become 0..255. */
typedef struct icseg_value_scale {
    double low, factor;
} icseg_value_scale;

/* `low` becomes 0 and `high`, which may be smaller here, becomes 255, unless the caller gave other values. */
icseg_value_scale icseg_value_scale_of(const icseg_source *source, double low, double high);

/* Rounded; values outside of the range are clamped, and NaN is 0. */
static inline uint8_t icseg_scale_value(const icseg_value_scale *scale, double value) {
    double scaled = (value - scale->low) * scale->factor + 0.5;
    return (uint8_t)(scaled >= 255 ? 255 : scaled > 0 ? scaled : 0);
}

/* Whether the caller gave the values that become black and white. */
bool icseg_has_value_range(const icseg_source *source);

/* The orientation (1..8; 1 when it is absent or damaged) in an EXIF block, which is a small TIFF file. */
int icseg_exif_orientation(const unsigned char *data, size_t size);

/* Turns (height, width) pixels of `pixel` bytes upright into a new block, which replaces *pixels. */
icseg_status icseg_orient(void **pixels, int32_t *width, int32_t *height, size_t pixel, int orientation,
                          icseg_error *error);

/* The largest file that is read: an uncompressed 16-bit TIFF of many megapixels is smaller. */
#define ICSEG_IMAGE_FILE_LIMIT ((size_t)1 << 30)

#endif

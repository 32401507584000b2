/* SPDX-License-Identifier: Apache-2.0
 * What the file formats share inside src/image: the bytes of a file, its header, one pair of functions per format. */
#ifndef ICSEG_IMAGE_CODEC_H
#define ICSEG_IMAGE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "icseg/image.h"

/* The bytes of a file, and the name errors give it. */
typedef struct icseg_source {
    const unsigned char *data;
    size_t size;
    const char *name;
} icseg_source;

typedef enum icseg_codec {
    ICSEG_CODEC_JPEG,
    ICSEG_CODEC_PNG,
    ICSEG_CODEC_WEBP,
    ICSEG_CODEC_TIFF,
} icseg_codec;

typedef struct icseg_header {
    icseg_codec codec;
    int32_t width, height; /* as stored, before the orientation is applied; within the limits of image.h */
    int orientation;       /* EXIF: 1..8, 1 = upright */
} icseg_header;

/* Tells the format by its first bytes and reads the header. Nothing is allocated, except by libtiff. */
icseg_status icseg_header_read(icseg_header *out, const icseg_source *source, icseg_error *error);

/* Header readers: `out->codec` is set, sizes go through icseg_header_set_size. */
icseg_status icseg_jpeg_header(icseg_header *out, const icseg_source *source, icseg_error *error);
icseg_status icseg_png_header(icseg_header *out, const icseg_source *source, icseg_error *error);
icseg_status icseg_webp_header(icseg_header *out, const icseg_source *source, icseg_error *error);
icseg_status icseg_tiff_header(icseg_header *out, const icseg_source *source, icseg_error *error);

/* Refuses sizes beyond ICSEG_IMAGE_MAX_SIDE and ICSEG_IMAGE_MAX_PIXELS. */
icseg_status icseg_header_set_size(icseg_header *out, uint32_t width, uint32_t height, const icseg_source *source,
                                   icseg_error *error);

/* Decoders: fill `pixels` (height, width, 3), which the caller has allocated by the header; not oriented yet. */
icseg_status icseg_jpeg_decode(const icseg_source *source, const icseg_header *header, uint8_t *pixels,
                               icseg_error *error);
icseg_status icseg_png_decode(const icseg_source *source, const icseg_header *header, uint8_t *pixels,
                              icseg_error *error);
icseg_status icseg_webp_decode(const icseg_source *source, const icseg_header *header, uint8_t *pixels,
                               icseg_error *error);
icseg_status icseg_tiff_decode(const icseg_source *source, const icseg_header *header, uint8_t *pixels,
                               icseg_error *error);

/* Mask decoders: set bits and palette, then allocate and fill out->data; on failure the caller closes the mask. */
icseg_status icseg_png_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                   icseg_error *error);
icseg_status icseg_tiff_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                    icseg_error *error);

/* Allocates mask->data for the size in the header. */
icseg_status icseg_mask_allocate(icseg_mask *mask, const icseg_header *header, const icseg_source *source,
                                 icseg_error *error);

/* The fault of a label file that has colours (`what`: "RGB", ...) where class indices belong. */
icseg_status icseg_mask_fail_colour(const icseg_source *source, const char *what, icseg_error *error);

/* Orientation (1..8; 1 when absent or damaged) in an EXIF block, which is a little TIFF file. */
int icseg_exif_orientation(const unsigned char *data, size_t size);

/* Turns (height, width) pixels of `pixel` bytes upright into a new block, which replaces *pixels. */
icseg_status icseg_orient(void **pixels, int32_t *width, int32_t *height, size_t pixel, int orientation,
                          icseg_error *error);

/* Largest file that is read: uncompressed 16-bit TIFF of many megapixels still passes. */
#define ICSEG_IMAGE_FILE_LIMIT ((size_t)1 << 30)

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Photographs and label maps: reading what people have, writing what people can look at. */
#ifndef ICSEG_IMAGE_H
#define ICSEG_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/memory.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ICSEG_LABEL_IGNORE = -1,         /* a pixel that neither trains nor counts */
    ICSEG_IMAGE_MAX_SIDE = 32768,    /* larger sides are refused before anything is allocated */
    ICSEG_IMAGE_MAX_PIXELS = 1 << 28 /* so are more pixels than this */
};

/* An 8-bit sRGB picture. Zero-initialised is empty. */
typedef struct icseg_image {
    int32_t width, height;
    uint8_t *data; /* (height, width, 3), owned; icseg_image_close frees it */
} icseg_image;

/* A label map as labels are used in memory: -1 = ignore, otherwise a class index. */
typedef struct icseg_labels {
    int32_t width, height;
    int16_t *data; /* (height, width), owned */
} icseg_labels;

/* A single-channel image file as it is stored, before any label rule is applied. */
typedef struct icseg_mask {
    int32_t width, height;
    int32_t bits;         /* 1, 2, 4, 8 or 16: what the file stores */
    int32_t palette_size; /* 0 when the file has no palette */
    uint8_t palette[256][3];
    uint16_t *data; /* (height, width), owned: grey values or palette indices, never scaled */
} icseg_mask;

/* Colours of classes, (size, 3) RGB. */
typedef struct icseg_palette {
    int32_t size;
    uint8_t (*color)[3]; /* owned; icseg_palette_close frees it */
} icseg_palette;

/* Reads JPEG (baseline, progressive, grey, CMYK and YCCK), PNG (any colour type and depth; alpha is composited over
 * black), WebP, TIFF; told apart by content, not by name. EXIF orientation is applied. Errors name the file. On failure
 * *out is empty. */
ICSEG_API icseg_status icseg_image_read(icseg_image *out, const char *path, icseg_error *error);
ICSEG_API icseg_status icseg_image_read_memory(icseg_image *out, const void *data, size_t size, const char *name,
                                               icseg_error *error);
/* The size after EXIF orientation, from the header alone. */
ICSEG_API icseg_status icseg_image_read_size(int32_t *width, int32_t *height, const char *path, icseg_error *error);
/* Not initialised. Sides and pixels outside the limits above are ICSEG_ERROR_ARGUMENT. */
ICSEG_API icseg_status icseg_image_create(icseg_image *out, int32_t width, int32_t height, icseg_error *error);
ICSEG_API void icseg_image_close(icseg_image *image);

/* Written atomically. PNG: 8-bit RGB. JPEG: quality 1..100, 4:2:0. The memory form allocates *out (icseg_buffer_free).
 */
ICSEG_API icseg_status icseg_image_write_png(const icseg_image *image, const char *path, icseg_error *error);
ICSEG_API icseg_status icseg_image_write_jpeg(const icseg_image *image, const char *path, int quality,
                                              icseg_error *error);
ICSEG_API icseg_status icseg_image_encode_jpeg(const icseg_image *image, int quality, void **out, size_t *size,
                                               icseg_error *error);
ICSEG_API icseg_status icseg_image_encode_png(const icseg_image *image, void **out, size_t *size, icseg_error *error);

/* Bilinear, half-pixel centres, no antialiasing (OpenCV's INTER_LINEAR, which the published training uses). *out is
 * created. `out` must not be `image`. */
ICSEG_API icseg_status icseg_image_resize(icseg_image *out, const icseg_image *image, int32_t width, int32_t height,
                                          icseg_error *error);

/* PNG (grey 1..16 bit or palette) or single-channel TIFF (8 or 16 bit). A colour image is ICSEG_ERROR_DATA with the
 * remedy in the text. */
ICSEG_API icseg_status icseg_mask_read(icseg_mask *out, const char *path, icseg_error *error);
ICSEG_API void icseg_mask_close(icseg_mask *mask);

/* Label map -> indexed 8-bit PNG with the palette when it has at most 255 classes, else 16-bit grey PNG. Ignored pixels
 * become 255 (8 bit) or 65535 (16 bit). A label that the palette does not have is ICSEG_ERROR_DATA, with its position.
 * Atomic. */
ICSEG_API icseg_status icseg_labels_write_png(const icseg_labels *labels, const icseg_palette *palette,
                                              const char *path, icseg_error *error);
/* Not initialised; limits as for images. */
ICSEG_API icseg_status icseg_labels_create(icseg_labels *out, int32_t width, int32_t height, icseg_error *error);
ICSEG_API icseg_status icseg_labels_resize(icseg_labels *out, const icseg_labels *labels, int32_t width, int32_t height,
                                           icseg_error *error); /* nearest */
ICSEG_API void icseg_labels_close(icseg_labels *labels);

/* 16-bit grey PNG of values in 0..1, (height, width): 65535 * value, rounded. Atomic. */
ICSEG_API icseg_status icseg_confidence_write_png(const float *values, int32_t width, int32_t height, const char *path,
                                                  icseg_error *error);

/* `size` (1..65534) well-separated colours, the same for every call: neighbouring indices differ clearly. */
ICSEG_API icseg_status icseg_palette_create(icseg_palette *out, int32_t size, icseg_error *error);
ICSEG_API void icseg_palette_close(icseg_palette *palette);

/* Picture with label colours blended over it at `opacity` (0..1), thin dark region borders, and, when names is not
 * NULL, a legend below: a swatch, the name and the share of pixels of each class present, largest first.
 * names has palette->size entries, UTF-8. *out is created, with a legend higher than `image`. Errors: sizes that differ
 * (ICSEG_ERROR_SHAPE), an opacity out of range (ICSEG_ERROR_ARGUMENT), labels the palette does not have,
 * a picture that with its legend is larger than pictures may be (ICSEG_ERROR_DATA). */
ICSEG_API icseg_status icseg_overlay_draw(icseg_image *out, const icseg_image *image, const icseg_labels *labels,
                                          const icseg_palette *palette, const char *const *names, double opacity,
                                          icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

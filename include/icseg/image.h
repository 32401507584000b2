/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Images, label maps, palettes and overlays: reading, writing, resizing and drawing.
 *
 * These structs never grow, and the caller may fill them. Zero-initialised, they are empty. Functions that
 * take an output of this kind overwrite it whatever it contained, and leave it empty on failure. A function may be
 * called from several threads at once if no two calls write to the same object.
 *
 * Every function returns ICSEG_ERROR_ARGUMENT if a required pointer is NULL or an image or label map that it reads is
 * empty, and ICSEG_ERROR_MEMORY if an allocation fails. Functions that read or write a file return ICSEG_ERROR_IO if
 * that fails. Files are written under another name and then renamed: an old file is replaced completely or not at
 * all. */
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

/** Limits, and the label of pixels to ignore. */
enum {
    ICSEG_LABEL_IGNORE = -1,          /**< the label of a pixel that is neither trained on nor evaluated */
    ICSEG_IMAGE_MAX_SIDE = 32768,     /**< the largest width and height, in pixels */
    ICSEG_IMAGE_MAX_PIXELS = 1 << 28, /**< the largest number of pixels */
    ICSEG_PALETTE_MAX_SIZE = 65534    /**< the largest number of colours of a palette */
};

/** An 8-bit sRGB image. */
typedef struct icseg_image {
    int32_t width;  /**< in pixels */
    int32_t height; /**< in pixels */
    uint8_t *data;  /**< (height, width, 3), red, green, blue; owned, freed by icseg_image_close() */
} icseg_image;

/** A label map: the class index of every pixel. */
typedef struct icseg_labels {
    int32_t width;  /**< in pixels */
    int32_t height; /**< in pixels */
    int16_t *data;  /**< (height, width), ICSEG_LABEL_IGNORE or a class index; owned, freed by icseg_labels_close() */
} icseg_labels;

/** A single-channel image file as it is stored, before any rule about its labels is applied. */
typedef struct icseg_mask {
    int32_t width;           /**< in pixels */
    int32_t height;          /**< in pixels */
    int32_t bits;            /**< bits of a stored value: 1, 2, 4, 8 or 16 */
    int32_t palette_size;    /**< colours of the file's palette; 0: the file does not have one */
    uint8_t palette[256][3]; /**< (palette_size, 3), red, green, blue */
    uint16_t *data; /**< (height, width), grey values or palette indices, never scaled; owned, icseg_mask_close() */
} icseg_mask;

/** Colours of classes. */
typedef struct icseg_palette {
    int32_t size;        /**< number of colours */
    uint8_t (*color)[3]; /**< (size, 3), red, green, blue; owned, freed by icseg_palette_close() */
} icseg_palette;

/** How the stored values of an image become 8-bit colours. All zero: as the file says. */
typedef struct icseg_image_values {
    size_t struct_size; /**< ICSEG_IMAGE_VALUES_INIT */
    /** TIFF: the bands, from 1, that are red, green and blue. {b, 0, 0}: band b is grey. All 0: the file has one band
     * or three, besides alpha. */
    int32_t bands[3];
    double value_low;  /**< files of 16 and more bits: the value that becomes 0. Equal to value_high: see there */
    double value_high; /**< the value that becomes 255; values outside are clamped. Equal to value_low: unsigned
                          integers use their whole range, and other types are an error */
} icseg_image_values;

/** Initialises an icseg_image_values. */
#define ICSEG_IMAGE_VALUES_INIT ICSEG_INIT(icseg_image_values)

/** An image file, and how to read it. */
typedef struct icseg_image_input {
    size_t struct_size;               /**< ICSEG_IMAGE_INPUT_INIT */
    const char *path;                 /**< the file; with `data` the name of the image in messages, NULL: "image" */
    const void *data;                 /**< (size) bytes of the file, not kept; NULL: read `path` */
    size_t size;                      /**< in bytes */
    const icseg_image_values *values; /**< NULL: as the file says */
    int64_t max_pixels; /**< an image of more pixels is ICSEG_ERROR_FORMAT with the field "max_pixels", before memory
                             is allocated for them; 0: ICSEG_IMAGE_MAX_PIXELS */
} icseg_image_input;

/** Initialises an icseg_image_input. */
#define ICSEG_IMAGE_INPUT_INIT ICSEG_INIT(icseg_image_input)

/** What a caller may want to tell people about an image that was read. */
typedef enum icseg_image_note {
    ICSEG_IMAGE_NOTE_NONE, /**< nothing */
    ICSEG_IMAGE_NOTE_PAGE, /**< the file contains several pages, frames or images, and the first was read */
    ICSEG_IMAGE_NOTE_DARK, /**< 16-bit values use less than an eighth of their range: a value range would help */
    ICSEG_IMAGE_NOTES      /**< how many kinds of notes this header knows, with NONE */
} icseg_image_note;

/** Facts of an image file. */
typedef struct icseg_image_info {
    size_t struct_size;    /**< ICSEG_IMAGE_INFO_INIT */
    const char *format;    /**< "JPEG", "PNG", ...; lives as long as the program */
    int32_t width;         /**< in pixels, upright */
    int32_t height;        /**< in pixels, upright */
    int32_t bits;          /**< bits of a stored value */
    icseg_image_note note; /**< the most important note */
    char text[160];        /**< the note as a sentence without the file's name; "" without one */
    const char *field; /**< the member of icseg_image_values that would help, as in icseg_error: "value_range"; "" */
} icseg_image_info;

/** Initialises an icseg_image_info. */
#define ICSEG_IMAGE_INFO_INIT ICSEG_INIT(icseg_image_info)

/** The file name extensions of image files, in lower case without a dot: "jpg", "jpeg", "png", ..., NULL. Those of
 * formats that this build leaves out are in the list too. It lives as long as the program. */
ICSEG_API const char *const *icseg_image_extensions(void);

/**
 * Reads an image from a file or from memory: JPEG (baseline, progressive, grey, CMYK, YCCK), PNG (all colour types and
 * depths), WebP, TIFF (the first page; integers and floating-point numbers of up to 64 bits), BMP, GIF (the first
 * frame), PBM, PGM, PPM, HEIC and AVIF, recognised by content. Alpha is composited over black and the EXIF orientation
 * is applied. Colour profiles are ignored.
 *
 * @param[out] out    close it with icseg_image_close()
 * @param input       required
 * @param[out] info   its struct_size must be set; NULL: not needed
 * @param[out] error  may be NULL; names the file
 * @return ICSEG_ERROR_FORMAT for a file that is damaged, too large or not an image, ICSEG_ERROR_UNSUPPORTED for a
 *         format that this build does not read, ICSEG_ERROR_DATA with the field "bands" or "value_range" for a file of
 *         which the values need, or do not allow, such a choice, ICSEG_ERROR_ARGUMENT for values out of range.
 */
ICSEG_API icseg_status icseg_image_load(icseg_image *out, const icseg_image_input *input, icseg_image_info *info,
                                        icseg_error *error);

/**
 * Reads an image file as icseg_image_load() without further choices.
 *
 * @param[out] out    close it with icseg_image_close()
 * @param path        of the file
 * @param[out] error  may be NULL; names the file
 * @return as icseg_image_load().
 */
ICSEG_API icseg_status icseg_image_read(icseg_image *out, const char *path, icseg_error *error);

/**
 * Reads an image from the bytes of a file, as icseg_image_read().
 *
 * @param[out] out    close it with icseg_image_close()
 * @param data        (size) bytes, not kept
 * @param size        in bytes
 * @param name        name of the image in error messages; NULL: "image"
 * @param[out] error  may be NULL
 */
ICSEG_API icseg_status icseg_image_read_memory(icseg_image *out, const void *data, size_t size, const char *name,
                                               icseg_error *error);

/**
 * Reads the size of an image, after its EXIF orientation is applied. Only the header is read.
 *
 * @param[out] width   in pixels; 0 on failure
 * @param[out] height  in pixels; 0 on failure
 * @param path         of the file
 * @param[out] error   may be NULL
 */
ICSEG_API icseg_status icseg_image_read_size(int32_t *width, int32_t *height, const char *path, icseg_error *error);

/**
 * Allocates an image. Its pixels are not initialised.
 *
 * @param[out] out    close it with icseg_image_close()
 * @param width       in pixels, 1..ICSEG_IMAGE_MAX_SIDE
 * @param height      in pixels, 1..ICSEG_IMAGE_MAX_SIDE; width * height is at most ICSEG_IMAGE_MAX_PIXELS
 * @param[out] error  may be NULL
 */
ICSEG_API icseg_status icseg_image_create(icseg_image *out, int32_t width, int32_t height, icseg_error *error);

/** Frees the pixels and empties the image. Accepts NULL and an empty image. */
ICSEG_API void icseg_image_close(icseg_image *image);

/** Writes an 8-bit RGB PNG file. */
ICSEG_API icseg_status icseg_image_write_png(const icseg_image *image, const char *path, icseg_error *error);

/** Writes a JPEG file with chroma subsampling 4:2:0. `quality` is 1..100, as libjpeg scales it. */
ICSEG_API icseg_status icseg_image_write_jpeg(const icseg_image *image, const char *path, int quality,
                                              icseg_error *error);

/**
 * Encodes a JPEG file in memory, as icseg_image_write_jpeg().
 *
 * @param image       not empty
 * @param quality     1..100
 * @param[out] out    (*size) bytes; NULL on failure. The caller frees them with icseg_buffer_free().
 * @param[out] size   in bytes; 0 on failure
 * @param[out] error  may be NULL
 */
ICSEG_API icseg_status icseg_image_encode_jpeg(const icseg_image *image, int quality, void **out, size_t *size,
                                               icseg_error *error);

/**
 * Encodes an 8-bit RGB PNG file in memory.
 *
 * @param image       not empty
 * @param[out] out    (*size) bytes; NULL on failure. The caller frees them with icseg_buffer_free().
 * @param[out] size   in bytes; 0 on failure
 * @param[out] error  may be NULL
 */
ICSEG_API icseg_status icseg_image_encode_png(const icseg_image *image, void **out, size_t *size, icseg_error *error);

/**
 * Resizes an image: bilinear, half-pixel centres, no antialiasing, the same bits on every machine (OpenCV's
 * `INTER_LINEAR` with its 11-bit weights, which the published models were trained with).
 *
 * @param[out] out    close it with icseg_image_close(); must not be `image`
 * @param image       not empty
 * @param width       of the result, in pixels, limits as for icseg_image_create()
 * @param height      of the result, in pixels
 * @param[out] error  may be NULL
 */
ICSEG_API icseg_status icseg_image_resize(icseg_image *out, const icseg_image *image, int32_t width, int32_t height,
                                          icseg_error *error);

/**
 * Reads a label file as it is stored: PNG (grey of 1..16 bits, or palette), TIFF of one channel and page (integers, or
 * floating-point numbers that are whole), BMP and GIF with a palette, PBM or PGM.
 *
 * @param[out] out    close it with icseg_mask_close()
 * @param path        of the file
 * @param[out] error  may be NULL; says how to convert a file that cannot be used
 * @return as icseg_image_read(), and ICSEG_ERROR_DATA for a colour image and for lossy formats.
 */
ICSEG_API icseg_status icseg_mask_read(icseg_mask *out, const char *path, icseg_error *error);

/** Frees the values and empties the mask. Accepts NULL and an empty mask. */
ICSEG_API void icseg_mask_close(icseg_mask *mask);

/**
 * Writes a label map: an indexed 8-bit PNG with the palette if that has at most 255 colours, otherwise a 16-bit grey
 * PNG. Pixels labelled ICSEG_LABEL_IGNORE become 255 (8 bits) or 65535 (16 bits).
 *
 * @return ICSEG_ERROR_DATA for a label that the palette does not contain, with its position.
 */
ICSEG_API icseg_status icseg_labels_write_png(const icseg_labels *labels, const icseg_palette *palette,
                                              const char *path, icseg_error *error);

/**
 * Encodes a label map in memory, as icseg_labels_write_png().
 *
 * @param labels      not empty
 * @param palette     not empty
 * @param[out] out    (*size) bytes; NULL on failure. The caller frees them with icseg_buffer_free().
 * @param[out] size   in bytes; 0 on failure
 * @param[out] error  may be NULL
 */
ICSEG_API icseg_status icseg_labels_encode_png(const icseg_labels *labels, const icseg_palette *palette, void **out,
                                               size_t *size, icseg_error *error);

/** Allocates a label map, whose labels are not initialised. Limits as for icseg_image_create(). */
ICSEG_API icseg_status icseg_labels_create(icseg_labels *out, int32_t width, int32_t height, icseg_error *error);

/** Resizes a label map: nearest neighbour, half-pixel centres. `out` must not be `labels`; limits as for
 * icseg_image_create(). */
ICSEG_API icseg_status icseg_labels_resize(icseg_labels *out, const icseg_labels *labels, int32_t width, int32_t height,
                                           icseg_error *error);

/** Frees the labels and empties the label map. Accepts NULL and an empty label map. */
ICSEG_API void icseg_labels_close(icseg_labels *labels);

/** A class that occurs in a label map. */
typedef struct icseg_class_share {
    int32_t index;     /**< of the class: its value in the label map */
    int64_t pixels;    /**< its pixels, at least 1 */
    double share;      /**< its pixels, as a part of all pixels of the label map, 0..1 */
    double confidence; /**< the mean over its pixels; 0 without confidences */
} icseg_class_share;

/** The classes that occur in a label map. */
typedef struct icseg_labels_summary {
    size_t struct_size;         /**< ICSEG_LABELS_SUMMARY_INIT */
    int64_t labelled;           /**< pixels that have a class */
    double confidence;          /**< the mean over these pixels; 0 without confidences */
    int32_t count;              /**< how many classes occur */
    icseg_class_share *classes; /**< (count) the largest first, equals in order of their index; owned by the summary,
                                     freed by icseg_labels_summary_close(); NULL if no class occurs */
} icseg_labels_summary;

/** Initialises an icseg_labels_summary. */
#define ICSEG_LABELS_SUMMARY_INIT ICSEG_INIT(icseg_labels_summary)

/**
 * Counts the pixels of each class, and takes the means of their confidences. The sums have the order of the pixels: the
 * same input gives the same bits.
 *
 * @param[out] out    its struct_size must be set; close it with icseg_labels_summary_close(); empty on failure
 * @param labels      not empty; pixels labelled ICSEG_LABEL_IGNORE count only in the whole of a share
 * @param confidence  (height, width), such as the probability of each pixel's class, 0..1; NULL: none
 * @param classes     labels are below it, 1..ICSEG_PALETTE_MAX_SIZE
 * @param[out] error  may be NULL
 * @return ICSEG_ERROR_DATA for a label that is not one of the classes, with its position; ICSEG_ERROR_ARGUMENT for a
 *         number of classes out of range.
 */
ICSEG_API icseg_status icseg_labels_summarise(icseg_labels_summary *out, const icseg_labels *labels,
                                              const float *confidence, int32_t classes, icseg_error *error);

/** Frees the classes and clears all fields but struct_size. Accepts NULL. */
ICSEG_API void icseg_labels_summary_close(icseg_labels_summary *summary);

/**
 * Writes values of 0..1 as a 16-bit grey PNG: 65535 times the value, rounded. Values outside are clamped, NaN is 0.
 *
 * @param values      (height, width)
 * @param width       in pixels, limits as for icseg_image_create()
 * @param height      in pixels
 * @param path        of the file
 * @param[out] error  may be NULL
 */
ICSEG_API icseg_status icseg_confidence_write_png(const float *values, int32_t width, int32_t height, const char *path,
                                                  icseg_error *error);

/** Creates a palette of `size` colours, 1..ICSEG_PALETTE_MAX_SIZE, the same in every call. Neighbouring colours differ
 * clearly: each is chosen as far as possible from those before it, in OKLab (https://bottosson.github.io/posts/oklab/).
 * Close it with icseg_palette_close(). */
ICSEG_API icseg_status icseg_palette_create(icseg_palette *out, int32_t size, icseg_error *error);

/** Frees the colours and empties the palette. Accepts NULL and an empty palette. */
ICSEG_API void icseg_palette_close(icseg_palette *palette);

/** How icseg_overlay_draw() draws. */
typedef struct icseg_overlay_options {
    size_t struct_size;           /**< ICSEG_OVERLAY_OPTIONS_INIT */
    const icseg_palette *palette; /**< colours of the classes; required */
    const char *const *names;     /**< (palette->size) class names in UTF-8, for a legend; NULL: without a legend */
    double opacity; /**< of the colours, up to 1; 0: 0.55; ICSEG_OPACITY_NONE: the image as it is, without borders */
} icseg_overlay_options;

/** Initialises an icseg_overlay_options. */
#define ICSEG_OVERLAY_OPTIONS_INIT ICSEG_INIT(icseg_overlay_options)

/** An opacity that leaves the image as it is. */
#define ICSEG_OPACITY_NONE (-1.0)

/**
 * Draws an image with the colours of its labels blended over it, thin dark borders between regions, and, if there are
 * names, a legend below: a colour sample, the name and the share of pixels of each class that occurs, largest first.
 *
 * @param[out] out    as wide as `image`, and taller with a legend; close it with icseg_image_close(); must not be
 *                    `image`
 * @param image       not empty
 * @param labels      of the same size
 * @param options     required, because of the palette
 * @param[out] error  may be NULL
 * @return ICSEG_ERROR_SHAPE for sizes that differ, ICSEG_ERROR_ARGUMENT for an opacity out of range, ICSEG_ERROR_DATA
 *         for labels that the palette does not contain, or when the image would be too large with its legend.
 */
ICSEG_API icseg_status icseg_overlay_draw(icseg_image *out, const icseg_image *image, const icseg_labels *labels,
                                          const icseg_overlay_options *options, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0
 * Image files that tests make with the format libraries, so that the tests do not need files of their own. */
#ifndef ICSEG_TEST_IMAGE_FILES_H
#define ICSEG_TEST_IMAGE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Freed with free(data). */
typedef struct test_bytes {
    unsigned char *data;
    size_t size;
} test_bytes;

/* The pixels to encode: rows in the format's layout, without gaps (16-bit PNG: big-endian, TIFF: native). */
typedef struct test_pixels {
    int width, height, channels, bits;
    const void *rows;
    int orientation; /* EXIF, 1..8; 0: none */
} test_pixels;

typedef struct test_png_options {
    int type; /* PNG_COLOR_TYPE_* */
    bool interlaced;
    int palette_size, alpha_size;
    const uint8_t (*palette)[3];
    const uint8_t *alpha; /* tRNS of a palette */
    int key;              /* tRNS of a grey image; -1: none */
} test_png_options;
test_bytes test_png(const test_pixels *from, const test_png_options *options);

typedef struct test_jpeg_options {
    bool progressive, ycck, adobe;
    int restart_rows, quality;
} test_jpeg_options;
test_bytes test_jpeg(const test_pixels *from, const test_jpeg_options *options);

typedef struct test_tiff_options {
    bool tiled, palette, deflate, floats, alpha;
} test_tiff_options;
test_bytes test_tiff(const test_pixels *from, const test_tiff_options *options);

/* Lossless; 3 or 4 channels. */
test_bytes test_webp(const test_pixels *from);

void test_write(const char *path, test_bytes bytes);

#endif

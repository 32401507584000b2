/* SPDX-License-Identifier: Apache-2.0
 * Small data sets in a temporary folder: images and masks of all kinds that the data tests need. */
#ifndef TESTS_SUPPORT_DATASET_FILES_H
#define TESTS_SUPPORT_DATASET_FILES_H

#include <stdint.h>

typedef struct test_folder {
    char path[64];
} test_folder;

/* An empty data set: images/train, annotations/train, classes.txt with `classes` (lines). */
test_folder test_dataset_open(const char *classes);
void test_dataset_close(const test_folder *folder);

/* FOLDER/`name` (printf-like without arguments); a static buffer, valid until the call after next. */
const char *test_path(const test_folder *folder, const char *name);

void test_write_text(const test_folder *folder, const char *name, const char *text);

typedef enum test_png { TEST_PNG_GREY, TEST_PNG_PALETTE, TEST_PNG_RGB } test_png;

/* values: (height, width) of grey values or palette indices, or (height, width, 3) for RGB; bits 1, 2, 4, 8 or 16. */
void test_write_png(const test_folder *folder, const char *name, test_png kind, int bits, int width, int height,
                    const uint16_t *values);
void test_write_tiff16(const test_folder *folder, const char *name, int width, int height, const uint16_t *values);
/* A grey ramp, stored width x height, with an EXIF orientation (1..8; 0: none). */
void test_write_jpeg(const test_folder *folder, const char *name, int width, int height, int orientation);

/* images/train/STEM.png with a pattern that differs from pixel to pixel, and annotations/train/STEM.png, 8-bit grey,
 * where the label of (x, y) is (x / 4 + y / 4 + shift) % classes. */
void test_write_pair(const test_folder *folder, const char *stem, int width, int height, int classes, int shift);

/* Keeps the first `keep` bytes of a larger file. */
void test_truncate(const test_folder *folder, const char *name, long keep);
void test_remove(const test_folder *folder, const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Small sources of imports, and what the imports make of them. A failure fails the test. */
#ifndef TESTS_SUPPORT_IMPORT_FILES_H
#define TESTS_SUPPORT_IMPORT_FILES_H

#include "dataset_files.h"
#include "icseg/import.h"

/* A new folder with these folders in it; the list ends with NULL. */
test_folder test_import_make(const char *const *folders);
#define test_import_folders(...) test_import_make((const char *const[]){__VA_ARGS__, NULL})

/* A black PNG. */
void test_import_image(const test_folder *folder, const char *name, int width, int height);

/* Imports the folder into FOLDER/out, whose path is written to `out`. */
icseg_import_options test_import_options(const test_folder *folder, char out[128]);

/* Imports, and checks the format and the number of images. */
icseg_import_summary test_imports(const icseg_import_options *options, icseg_import_format format, int64_t images);
/* The import fails with one line that contains `piece`, and nothing is left. */
void test_import_refuses(const icseg_import_options *options, const char *piece);
/* The written set: names of its classes and the labels of its image `index`, as rows of digits ('.' = ignored). */
void test_import_has(const char *folder, const char *split, const char *classes, int64_t index, const char *labels);
void test_import_remove(const char *out);

/* A COCO file up to its first annotation: image 7 of 5 x 4 pixels, categories 9 and 3. */
#define TEST_COCO_HEAD                                                                                                 \
    "{\"images\": [{\"id\": 7, \"file_name\": \"a.png\", \"width\": 5, \"height\": 4}],"                               \
    "\"categories\": [{\"id\": 9, \"name\": \"cat\"}, {\"id\": 3, \"name\": \"dog\"}], \"annotations\": ["
/* An annotation: the cat is the first of four rows. */
#define TEST_COCO_ROW "{\"image_id\": 7, \"category_id\": 9, \"segmentation\": [[0, 0, 5, 0, 5, 1, 0, 1]]}"

#endif

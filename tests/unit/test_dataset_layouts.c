/* SPDX-License-Identifier: Apache-2.0
 * Data sets with traces of other systems and programs: in folders, names and lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "icseg/import.h"
#include "icseg/dataset.h"
#include "icseg/memory.h"
#include "support/dataset_files.h"

static icseg_error error;

static icseg_dataset *open_set(const test_folder *f) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *d;
    o.folder = f->path;
    if (icseg_dataset_open(&d, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return d;
}

static void passes_its_check(const icseg_dataset *d) {
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    if (icseg_dataset_check(d, NULL, NULL, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    icseg_dataset_summary_close(&s);
}

static void has_labels(const icseg_dataset *d, int64_t index, int count, const int16_t *labels) {
    icseg_image image;
    icseg_labels read;
    if (icseg_dataset_read(d, index, &image, &read, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(read.width * read.height, count);
    assert_memory_equal(read.data, labels, (size_t)count * sizeof *labels);
    icseg_image_close(&image);
    icseg_labels_close(&read);
}

static void upper_case_extensions_blanks_and_other_scripts_are_accepted(void **state) {
    (void)state;
    test_folder f = test_dataset_open("\xef\xbb\xbfsky\r\nwater body\r\n");
    const uint16_t values[] = {0, 1, 1, 0};
    test_write_jpeg(&f, "images/train/IMG 0001 (2).JPG", 4, 1, 0);
    test_write_png(&f, "annotations/train/IMG 0001 (2).PNG", TEST_PNG_GREY, 8, 4, 1, values);
    test_write_jpeg(&f, "images/train/\xe9\x81\x93\xe8\xb7\xaf_\xc3\xa9t\xc3\xa9.Jpeg", 4, 1, 0);
    test_write_png(&f, "annotations/train/\xe9\x81\x93\xe8\xb7\xaf_\xc3\xa9t\xc3\xa9.png", TEST_PNG_PALETTE, 8, 4, 1,
                   values);
    test_write_jpeg(&f, "images/train/a.b.c.jpg", 4, 1, 0);
    test_write_tiff16(&f, "annotations/train/a.b.c.TIF", 4, 1, values);
    icseg_dataset *d = open_set(&f);
    assert_int_equal(icseg_dataset_count(d), 3);
    assert_string_equal(icseg_dataset_class_names(d)[0], "sky");
    assert_string_equal(icseg_dataset_class_names(d)[1], "water body");
    for (int i = 0; i < 3; i++) has_labels(d, i, 4, (const int16_t[]){0, 1, 1, 0});
    passes_its_check(d);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void hidden_files_of_operating_systems_are_skipped(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    test_write_pair(&f, "x", 8, 8, 2, 0);
    static const char *const left[] = {".DS_Store",  "Thumbs.db",     "desktop.ini", "._x.png",
                                       ".x.png.swp", "x.png.aux.xml", "notes.txt",   "x.json"};
    char name[64];
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        snprintf(name, sizeof name, "images/train/%s", left[i]);
        test_write_text(&f, name, "not an image");
        snprintf(name, sizeof name, "annotations/train/%s", left[i]);
        test_write_text(&f, name, "not a mask");
    }
    test_write_text(&f, "images/.DS_Store", "x");
    test_write_text(&f, "annotations/Thumbs.db", "x");
    assert_int_equal(icseg_folder_create(test_path(&f, "images/train/@eaDir"), NULL), ICSEG_OK);
    assert_int_equal(icseg_folder_create(test_path(&f, "images/.ipynb_checkpoints"), NULL), ICSEG_OK);
    char **splits;
    int32_t count;
    assert_int_equal(icseg_dataset_splits(&splits, &count, f.path, &error), ICSEG_OK);
    assert_true(count == 1 && !strcmp(splits[0], "train"));
    icseg_buffer_free(splits);
    icseg_dataset *d = open_set(&f);
    assert_int_equal(icseg_dataset_count(d), 1);
    passes_its_check(d);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void links_to_files_and_folders_are_followed(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n"), store = test_dataset_open("a\nb\n");
    char target[128];
    test_write_pair(&store, "x", 8, 8, 2, 0);
    test_write_pair(&store, "y", 8, 8, 2, 1);
    for (int i = 0; i < 2; i++) { /* the image folder is a link; so is each mask */
        static const char *const files[] = {"annotations/train/x.png", "annotations/train/y.png"};
        snprintf(target, sizeof target, "%s/%s", store.path, files[i]);
        assert_int_equal(symlink(target, test_path(&f, files[i])), 0);
    }
    assert_int_equal(rmdir(test_path(&f, "images/train")), 0);
    snprintf(target, sizeof target, "%s/images/train", store.path);
    assert_int_equal(symlink(target, test_path(&f, "images/train")), 0);
    icseg_dataset *d = open_set(&f);
    assert_int_equal(icseg_dataset_count(d), 2);
    passes_its_check(d);
    icseg_dataset_close(&d);
    /* a dangling link is a missing file, reported by name */
    test_remove(&store, "annotations/train/y.png");
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    o.folder = f.path;
    assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "annotations/train/y.png: a link to a missing file"));
    test_dataset_close(&f);
    test_dataset_close(&store);
}

static void masks_of_fewer_than_8_bits_contain_indices(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\nc\nd\n");
    for (int kind = 0; kind < 2; kind++)
        for (int bits = 1; bits <= 4; bits *= 2) {
            uint16_t top = bits == 1 ? 1 : 3;
            test_write_jpeg(&f, "images/train/x.jpg", 5, 1, 0);
            test_write_png(&f, "annotations/train/x.png", kind ? TEST_PNG_PALETTE : TEST_PNG_GREY, bits, 5, 1,
                           (const uint16_t[]){0, top, 1, 0, top});
            icseg_dataset *d = open_set(&f);
            has_labels(d, 0, 5, (const int16_t[]){0, (int16_t)top, 1, 0, (int16_t)top});
            passes_its_check(d);
            icseg_dataset_close(&d);
        }
    test_dataset_close(&f);
}

static void rotated_images_have_masks_that_are_rotated_too(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    test_write_jpeg(&f, "images/train/x.jpg", 8, 4, 6); /* 4x8 after rotation */
    const uint16_t values[32] = {0, 1};
    test_write_png(&f, "annotations/train/x.png", TEST_PNG_GREY, 8, 4, 8, values);
    icseg_dataset *d = open_set(&f);
    passes_its_check(d);
    icseg_dataset_close(&d);
    test_write_png(&f, "annotations/train/x.png", TEST_PNG_GREY, 8, 8, 4, values);
    d = open_set(&f);
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    assert_int_equal(icseg_dataset_check(d, NULL, NULL, &s, &error), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "EXIF rotation"));
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void misnamed_folders_are_reported_with_the_remedy(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *d;
    o.folder = f.path;
    for (int format = 0; format < 2; format++) {
        o.format = format ? ICSEG_DATASET_AUTO : ICSEG_DATASET_FOLDER;
        test_write_pair(&f, "x", 8, 8, 2, 0);
        assert_int_equal(rename(test_path(&f, "annotations"), test_path(&f, "masks")), 0);
        assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_ERROR_DATA);
        assert_non_null(strstr(error.message, "label files belong in annotations; rename the folder masks"));
        test_write_text(&f, "masks/labelmap.txt", "a:0,0,0::\n");
        assert_int_equal(icseg_folder_create(test_path(&f, "labels"), NULL), ICSEG_OK);
        test_write_text(&f, "labels/a.txt", "0 0 0 1 0 1 1\n");
        assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_ERROR_DATA);
        assert_non_null(strstr(error.message, "files of a labelling tool (yolo), not a data set; import them first"));
        assert_int_equal(error.remedy, ICSEG_REMEDY_IMPORT_DATASET);
        char **splits;
        int32_t count;
        assert_int_equal(rename(test_path(&f, "images"), test_path(&f, "photos")), 0);
        assert_int_equal(icseg_dataset_splits(&splits, &count, f.path, &error), ICSEG_ERROR_DATA);
        assert_non_null(strstr(error.message, "files of a labelling tool (yolo)"));
        test_remove(&f, "labels/a.txt");
        assert_int_equal(rmdir(test_path(&f, "labels")), 0);
        assert_int_equal(icseg_dataset_splits(&splits, &count, f.path, &error), ICSEG_ERROR_DATA);
        assert_non_null(strstr(error.message, "/images: no such folder; a data set has images/SPLIT"));
        assert_int_equal(rename(test_path(&f, "photos"), test_path(&f, "images")), 0);
        assert_int_equal(rename(test_path(&f, "masks"), test_path(&f, "annotations")), 0);
    }
    test_dataset_close(&f);
}

/* ---- importing */

static void files_of_windows_programs_are_imported(void **state) {
    (void)state;
    test_folder f = test_dataset_open("unused\n");
    char out[60];
    static const char *const folders[] = {"JPEGImages", "SegmentationClass", "ImageSets/Segmentation", "labels/train"};
    for (int i = 0; i < 4; i++) assert_int_equal(icseg_folder_create(test_path(&f, folders[i]), NULL), ICSEG_OK);
    icseg_import_options o = {ICSEG_IMPORT_OPTIONS_INIT};
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    snprintf(out, sizeof out, "%.50s/out", f.path);
    o.source = f.path;
    o.folder = out;
    /* CVAT: byte order marks, Windows line breaks, upper case */
    test_write_jpeg(&f, "JPEGImages/A 1.JPG", 4, 1, 0);
    test_write_png(&f, "SegmentationClass/A 1.PNG", TEST_PNG_RGB, 8, 4, 1,
                   (const uint16_t[]){0, 0, 0, 255, 0, 0, 0, 0, 0, 255, 0, 0});
    test_write_text(&f, "ImageSets/Segmentation/train.txt",
                    "\xef\xbb\xbf"
                    "A 1\r\n");
    test_write_text(&f, "labelmap.txt",
                    "\xef\xbb\xbf# label:color_rgb:parts:actions\r\nbackground:0,0,0::\r\ncar:255,0,0::\r\n");
    if (icseg_import_run(&o, NULL, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_true(s.format == ICSEG_IMPORT_CVAT && s.images == 1 && s.classes == 2);
    test_folder made;
    snprintf(made.path, sizeof made.path, "%s", out);
    icseg_dataset *d = open_set(&made);
    has_labels(d, 0, 4, (const int16_t[]){0, 1, 0, 1});
    icseg_dataset_close(&d);
    char command[120];
    snprintf(command, sizeof command, "rm -r %s", out);
    assert_int_equal(system(command), 0);
    /* YOLO */
    test_write_jpeg(&f, "images/train/A 1.JPG", 4, 1, 0);
    test_write_text(&f, "labels/train/A 1.txt",
                    "\xef\xbb\xbf"
                    "1 0 0 0.5 0 0.5 1 0 1\r\n");
    test_write_text(&f, "data.yaml", "\xef\xbb\xbfnames:\r\n  0: bus\r\n  1: car\r\n");
    o.format = ICSEG_IMPORT_YOLO;
    if (icseg_import_run(&o, NULL, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    d = open_set(&made);
    assert_int_equal(icseg_dataset_classes(d), 3); /* including bus, which no image contains */
    has_labels(d, 0, 4, (const int16_t[]){2, 2, 0, 0});
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void coco_ids_with_gaps_unused_categories_and_crowds_are_read(void **state) {
    (void)state;
    test_folder f = test_dataset_open("unused\n");
    char out[60];
    icseg_import_options o = {ICSEG_IMPORT_OPTIONS_INIT};
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    snprintf(out, sizeof out, "%.50s/out", f.path);
    o.source = f.path;
    o.folder = out;
    test_write_jpeg(&f, "images/train/x.jpg", 4, 2, 0);
    test_write_text(
        &f, "annotations/instances_train.json",
        "\xef\xbb\xbf{\"info\": {}, \"images\": [{\"id\": 900000000000, \"file_name\": \"x.jpg\", \"width\": 4, "
        "\"height\": 2}], \"categories\": [{\"id\": 90, \"name\": \"kite\"}, {\"id\": 3, \"name\": \"car\"}, {\"id\": "
        "17, \"name\": \"never used\", \"supercategory\": \"none\"}], \"annotations\": ["
        /* a crowd: unpacked run lengths down the columns; the left two columns */
        "{\"id\": 1, \"image_id\": 900000000000, \"category_id\": 90, \"iscrowd\": 1, \"bbox\": [0, 0, 2, 2], "
        "\"segmentation\": {\"size\": [2, 4], \"counts\": [0, 4, 4]}}, "
        /* packed: 7 outside, 1 inside */
        "{\"id\": 2, \"image_id\": 900000000000, \"category_id\": 3, \"iscrowd\": 0, \"area\": 1, \"segmentation\": "
        "{\"size\": [2, 4], \"counts\": \"71\"}}, "
        /* only a box */
        "{\"id\": 3, \"image_id\": 900000000000, \"category_id\": 3, \"bbox\": [0, 0, 1, 1], \"segmentation\": []}]}");
    if (icseg_import_run(&o, NULL, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_true(s.format == ICSEG_IMPORT_COCO && s.classes == 4 && s.objects == 2 && s.skipped == 1);
    test_folder made;
    snprintf(made.path, sizeof made.path, "%s", out);
    icseg_dataset *d = open_set(&made);
    static const char *const names[] = {"background", "car", "never used", "kite"};
    for (int k = 0; k < 4; k++) assert_string_equal(icseg_dataset_class_names(d)[k], names[k]);
    has_labels(d, 0, 8, (const int16_t[]){3, 3, 0, 0, 3, 3, 0, 1});
    passes_its_check(d); /* a class without pixels is not a problem */
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upper_case_extensions_blanks_and_other_scripts_are_accepted),
        cmocka_unit_test(hidden_files_of_operating_systems_are_skipped),
        cmocka_unit_test(links_to_files_and_folders_are_followed),
        cmocka_unit_test(masks_of_fewer_than_8_bits_contain_indices),
        cmocka_unit_test(rotated_images_have_masks_that_are_rotated_too),
        cmocka_unit_test(misnamed_folders_are_reported_with_the_remedy),
        cmocka_unit_test(files_of_windows_programs_are_imported),
        cmocka_unit_test(coco_ids_with_gaps_unused_categories_and_crowds_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

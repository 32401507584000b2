/* SPDX-License-Identifier: Apache-2.0
 * The text files of imports and data sets: NUL bytes, numbers out of range, keys that occur twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "icseg/classes.h"
#include "icseg/dataset.h"
#include "icseg/recipe.h"
#include "support/import_files.h"

static test_folder folder;
static char out[128];
static icseg_import_options options;

static int open_yolo(void **state) {
    (void)state;
    folder = test_import_folders("images", "labels");
    options = test_import_options(&folder, out);
    options.format = ICSEG_IMPORT_YOLO;
    test_import_image(&folder, "images/a.png", 4, 2);
    test_write_text(&folder, "labels/a.txt", "1 0 0 1 0 1 0.5 0 0.5\n");
    test_write_text(&folder, "data.yaml", "names: [car, bus]\n");
    return 0;
}

static int open_cvat(void **state) {
    (void)state;
    folder = test_import_folders("SegmentationClass", "JPEGImages", "ImageSets/Segmentation");
    options = test_import_options(&folder, out);
    options.format = ICSEG_IMPORT_CVAT;
    test_import_image(&folder, "JPEGImages/a.png", 3, 1);
    test_write_png(&folder, "SegmentationClass/a.png", TEST_PNG_RGB, 8, 3, 1,
                   (const uint16_t[]){1, 2, 3, 255, 0, 0, 0, 0, 0});
    test_write_text(&folder, "ImageSets/Segmentation/train.txt", "a\n");
    test_write_text(&folder, "labelmap.txt", "background:0,0,0::\ncat:1,2,3::\ndog: 255, 0,0::\n");
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

/* Writes a string literal, which may contain NUL bytes. */
#define WRITE(NAME, TEXT) write_bytes(NAME, TEXT, sizeof(TEXT) - 1)
static void write_bytes(const char *name, const char *text, size_t size) {
    assert_int_equal(icseg_file_write(test_path(&folder, name), text, size, NULL), ICSEG_OK);
}

static void a_nul_byte_in_yolo_files_is_reported_with_its_line(void **state) {
    (void)state;
    test_imports(&options, ICSEG_IMPORT_YOLO, 1);
    test_import_has(out, "train", "background car bus", 0, "2222 0000");
    test_import_remove(out);
    WRITE("labels/a.txt", "1 0 0 1 0 1 0.5 0 0.5\n0 0 0 1 0 1 1\0 1 0\n");
    test_import_refuses(&options, "labels/a.txt: line 2 contains a NUL byte; save the file as UTF-8 text");
    WRITE("labels/a.txt", "1 0 0 1 0 1 0.5 0 0.5\n");
    WRITE("data.yaml", "nc: 2\n\nnames: [car, b\0us]\n");
    test_import_refuses(&options, "data.yaml: line 3 contains a NUL byte");
    WRITE("data.yaml", "nc: 2\nnames: [car, \"b\\0us\"]\n");
    test_import_refuses(&options, "data.yaml: line 2: the text contains a NUL byte");
    test_remove(&folder, "data.yaml");
    WRITE("classes.txt", "car\nbus\0\n");
    test_import_refuses(&options, "classes.txt: line 2 contains a NUL byte");
}

static void a_nul_byte_in_cvat_files_is_reported_with_its_line(void **state) {
    (void)state;
    test_imports(&options, ICSEG_IMPORT_CVAT, 1);
    test_import_has(out, "train", "background cat dog", 0, "120");
    test_import_remove(out);
    WRITE("labelmap.txt", "background:0,0,0::\ncat:1,2,3::\0:junk\n");
    test_import_refuses(&options, "labelmap.txt: line 2 contains a NUL byte");
    WRITE("labelmap.txt", "background:0,0,0::\ncat:1,2,3::\n");
    WRITE("ImageSets/Segmentation/train.txt", "\0a\n");
    test_import_refuses(&options, "train.txt: line 1 contains a NUL byte");
}

static void a_nul_byte_in_lists_and_recipes_is_reported_with_its_line(void **state) {
    (void)state;
    icseg_error error;
    icseg_class_list *list;
    icseg_recipe *recipe;
    WRITE("list.txt", "a\nb\0c\n");
    assert_int_equal(icseg_class_list_open(&list, test_path(&folder, "list.txt"), &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "list.txt: line 2 contains a NUL byte"));
    WRITE("recipe.yaml", "train:\n  lr: 1\n\0\n  steps: 3\n");
    assert_int_equal(icseg_recipe_open(&recipe, test_path(&folder, "recipe.yaml"), &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "recipe.yaml: line 3 contains a NUL byte"));

#ifndef ICSEG_NO_MATLAB
    icseg_dataset *dataset;
    char path[128];
    snprintf(path, sizeof path, "%s/cocostuff", folder.path);
    assert_int_equal(icseg_folder_create(test_path(&folder, "cocostuff/images"), NULL), ICSEG_OK);
    assert_int_equal(icseg_folder_create(test_path(&folder, "cocostuff/annotations"), NULL), ICSEG_OK);
    assert_int_equal(icseg_folder_create(test_path(&folder, "cocostuff/imageLists"), NULL), ICSEG_OK);
    WRITE("cocostuff/imageLists/train.txt", "COCO_1\nCOCO_2\nCOCO_3\0\n");
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = path, .format = ICSEG_DATASET_COCOSTUFF10K,
                               .images_only = true};
    assert_int_equal(icseg_dataset_open(&dataset, &o, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "train.txt: line 3 contains a NUL byte"));
#endif
}

static void colours_out_of_range_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *line, *piece;
    } bad[] = {
        {"cat:4294967297,2,3::", "labelmap.txt: line 2: \"4294967297,2,3::\": red, green and blue must be"},
        {"cat:1,2,18446744073709551619::", "red, green and blue must be 0 to 255"},
        {"cat:1,-254,3::", "red, green and blue must be 0 to 255"},
        {"cat:1,256,3", "red, green and blue must be 0 to 255"},
        {"cat:1,,3", "red, green and blue must be 0 to 255"},
        {"cat:1,2,3,4::", "line 2: expected \"name:red,green,blue::\""},
        {"cat:1,2::", "line 2: expected \"name:red,green,blue::\""},
        {"cat:0x1,2,3::", "line 2: expected \"name:red,green,blue::\""},
        {":1,2,3::", "line 2: expected \"name:red,green,blue::\""},
        {"cat", "line 2: expected \"name:red,green,blue::\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[128];
        snprintf(text, sizeof text, "background:0,0,0::\n%s\n", bad[i].line);
        test_write_text(&folder, "labelmap.txt", text);
        test_import_refuses(&options, bad[i].piece);
    }
}

static void numbers_in_label_files_are_integers_in_range(void **state) {
    (void)state;
    static const struct {
        const char *line, *piece;
    } bad[] = {
        {"2 0 0 1 0 1 1", "labels/a.txt: line 2: \"2\" is not a class number from 0 to 1"},
        {"4294967297 0 0 1 0 1 1", "\"4294967297\" is not a class"},
        {"18446744073709551617 0 0 1 0 1 1", "is not a class"},
        {"-1 0 0 1 0 1 1", "\"-1\" is not a class"},
        {"1.0 0 0 1 0 1 1", "\"1.0\" is not a class"},
        {"bus 0 0 1 0 1 1", "\"bus\" is not a class number from 0 to 1"},
        {"1 0 0 1 0 1", "line 2: expected: class x y x y"},
        {"1 0 0 1 0 1 1 1", "line 2: expected: class x y x y"},
        {"1", "line 2: expected: class x y x y"},
        {"1 0 0 1 0 1 0x1", "the coordinate \"0x1\" is not a fraction"},
        {"1 0 0 1 0 1 1e999", "the coordinate \"1e999\" is not a fraction"},
        {"1 0 0 1 0 1 nan", "the coordinate \"nan\" is not a fraction"},
        {"1 0 0 1 0 1 1,5", "the coordinate \"1,5\" is not a fraction"},
        {"1 0 0 1 0 1 -2", "the coordinate \"-2\" is not a fraction"},
        {"1 10 12 48 12 48 32", "line 2: the coordinate 10 seems to be in pixels"},
        {"1 0 0 1 0 1 1.11", "the coordinate 1.11 seems to be in pixels"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[128];
        snprintf(text, sizeof text, "1 0 0 1 0 1 1\n%s\n", bad[i].line);
        test_write_text(&folder, "labels/a.txt", text);
        test_import_refuses(&options, bad[i].piece);
    }
    test_write_text(&folder, "labels/a.txt", "\t+1 \t-1.1 0 1.1 0 1.1 0.5 -1 0.5 \n");
    test_imports(&options, ICSEG_IMPORT_YOLO, 1);
    test_import_has(out, "train", "background car bus", 0, "2222 0000");
}

static void boxes_among_polygons_are_skipped_and_counted(void **state) {
    (void)state;
    test_write_text(&folder, "labels/a.txt", "0 0.5 0.5 0.2 0.2\n1 0 0 1 0 1 0.5 0 0.5\n1 0.1 0.1 0.2 0.2\n");
    icseg_import_summary s = test_imports(&options, ICSEG_IMPORT_YOLO, 1);
    assert_int_equal(s.objects, 1);
    assert_int_equal(s.skipped, 2);
    test_import_has(out, "train", "background car bus", 0, "2222 0000");
    test_import_remove(out);
    test_write_text(&folder, "labels/a.txt", "0 50 50 20 20\n");
    test_import_refuses(&options, "the coordinate 50 seems to be in pixels");
}

static void a_yaml_key_that_occurs_twice_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *piece;
    } bad[] = {
        {"names: [car]\nnc: 2\nnames: [bus]\n", "data.yaml: line 3: \"names\" is set twice, first in line 1"},
        {"nc: 2\nnames: [car, bus]\nnc: 3\n", "line 3: \"nc\" is set twice, first in line 1"},
        {"train: a\nval: {train: b}\nnames: [car]\n\"train\": c\n", "line 4: \"train\" is set twice, first in line 1"},
        {"names: {0: car, 0: bus}\n", "names: expected the number 1, not \"0\""},
        {"names: {4294967296: car}\n", "names: expected the number 0, not \"4294967296\""},
        {"names: [car]\n---\nnames: [bus]\n", "a second document"},
        {"a: &a [car]\nnames: *a\n", "line 2: aliases (*name) are not accepted"},
        {"- names\n- [car]\n", "line 1: expected keys such as \"names:\""},
        {"? {names: 1}\n: 2\nnames: [car]\n", "line 1: expected keys such as \"names:\""},
        {"names\n", "line 1: expected keys such as \"names:\""},
        {"names: [[car]]\n", "line 1: \"names\" must be a list"},
        {"nc: 2\n", "no class names under \"names\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_write_text(&folder, "data.yaml", bad[i].text);
        test_import_refuses(&options, bad[i].piece);
    }
    test_write_text(&folder, "data.yaml",
                    "a: &x {names: [no]}\nb: *x\nc: [names, names]\nd: {e: 1, e: 2}\nnames:\n- car\n- bus\nnc: 2\n");
    test_imports(&options, ICSEG_IMPORT_YOLO, 1);
    test_import_has(out, "train", "background car bus", 0, "2222 0000");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_nul_byte_in_yolo_files_is_reported_with_its_line, open_yolo, close_folder),
        cmocka_unit_test_setup_teardown(a_nul_byte_in_cvat_files_is_reported_with_its_line, open_cvat, close_folder),
        cmocka_unit_test_setup_teardown(a_nul_byte_in_lists_and_recipes_is_reported_with_its_line, open_yolo,
                                        close_folder),
        cmocka_unit_test_setup_teardown(colours_out_of_range_are_refused, open_cvat, close_folder),
        cmocka_unit_test_setup_teardown(numbers_in_label_files_are_integers_in_range, open_yolo, close_folder),
        cmocka_unit_test_setup_teardown(boxes_among_polygons_are_skipped_and_counted, open_yolo, close_folder),
        cmocka_unit_test_setup_teardown(a_yaml_key_that_occurs_twice_is_refused, open_yolo, close_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * importers/: objects outside of their images are counted and named, and objects that are partly outside are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "support/import_files.h"

static test_folder folder;
static char out[128], messages[2][512];
static int count;

static int open_folder(void **state) {
    (void)state;
    folder = test_import_folders("images", "labels");
    count = 0;
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

static void keep(void *user, icseg_message_level level, const char *text) {
    (void)user;
    assert_int_equal(level, ICSEG_MESSAGE_WARNING);
    assert_in_range(count, 0, 1);
    snprintf(messages[count++], sizeof messages[0], "%s", text);
}

/* Of image a, the left half is labelled by an object that is partly outside; a second one is outside. Of image b, the
 * only object is outside. `first` labels the first image with such an object. */
static void imports(icseg_import_format format, const char *first) {
    icseg_import_options options = test_import_options(&folder, out);
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = keep};
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error = {0};
    char expected[512];
    options.format = format;
    if (icseg_import_run(&options, &progress, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_true(s.images == 2 && s.objects == 1 && s.skipped == 2 && s.problems == 0);
    assert_int_equal(s.images_without_objects, 1);
    assert_int_equal(count, 2);
    snprintf(expected, sizeof expected,
             "2 objects are outside of their images or smaller than a pixel and were skipped, the first in %s/%s",
             folder.path, first);
    assert_string_equal(messages[0], expected);
    assert_string_equal(messages[1], "1 of 2 images has no objects");
    test_import_has(out, "train", "background cat", 0, "1100 1100");
    test_import_has(out, "train", "background cat", 1, "0000 0000");
}

static void of_yolo(void **state) {
    (void)state;
    test_import_image(&folder, "images/a.png", 4, 2);
    test_import_image(&folder, "images/b.png", 4, 2);
    test_write_text(&folder, "data.yaml", "names: [cat]\n");
    test_write_text(&folder, "labels/a.txt", "0 -0.01 0 0.5 0 0.5 1.01 -0.01 1\n0 1 0 1.01 0 1.01 1 1 1\n");
    test_write_text(&folder, "labels/b.txt", "0 0 -0.01 1 -0.01 1 0 0 0\n");
    imports(ICSEG_IMPORT_YOLO, "labels/a.txt");
}

#define SHAPE(A, B) "{\"label\": \"cat\", \"shape_type\": \"rectangle\", \"points\": [" A ", " B "]}"
#define LABELME(IMAGE, SHAPES)                                                                                         \
    "{\"imagePath\": \"" IMAGE "\", \"imageData\": null, \"imageWidth\": 4, \"imageHeight\": 2, \"shapes\": [" SHAPES  \
    "]}"

static void of_labelme(void **state) {
    (void)state;
    test_import_image(&folder, "a.png", 4, 2);
    test_import_image(&folder, "b.png", 4, 2);
    test_write_text(&folder, "a.json", LABELME("a.png", SHAPE("[-9, -9]", "[2, 9]") ", " SHAPE("[4, 0]", "[90, 2]")));
    test_write_text(&folder, "b.json", LABELME("b.png", SHAPE("[0, -7]", "[4, -1]")));
    imports(ICSEG_IMPORT_LABELME, "a.json");
}

#define ANNOTATION(IMAGE, XY)                                                                                          \
    "{\"image_id\": " IMAGE ", \"category_id\": 5, \"iscrowd\": 0, \"segmentation\": [[" XY "]]}"

static void of_coco(void **state) {
    (void)state;
    test_import_image(&folder, "images/a.png", 4, 2);
    test_import_image(&folder, "images/b.png", 4, 2);
    test_write_text(
        &folder, "labels.json",
        "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\", \"width\": 4, \"height\": 2},"
        "{\"id\": 2, \"file_name\": \"b.png\", \"width\": 4, \"height\": 2}],"
        "\"categories\": [{\"id\": 5, \"name\": \"cat\"}], \"annotations\": [" ANNOTATION(
            "1",
            "-9, -9, 2, -9, 2, 9, "
            "-9, 9") ", " ANNOTATION("1", "4, 0, 9, 0, 9, 2, 4, 2") ", " ANNOTATION("2",
                                                                                    "0, -7, 4, -7, 4, -1, 0, -1") "]}");
    imports(ICSEG_IMPORT_COCO, "labels.json: images[0]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_yolo, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(of_labelme, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(of_coco, open_folder, close_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

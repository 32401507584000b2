/* SPDX-License-Identifier: Apache-2.0
 * Imports whose classes come from the caller's list, or do not agree with each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "support/import_files.h"

static char out[128], classes[128];

static void give_classes(const test_folder *f, icseg_import_options *o, const char *text) {
    test_write_text(f, "list.txt", text);
    snprintf(classes, sizeof classes, "%s", test_path(f, "list.txt"));
    o->classes_file = classes;
}

static void vocs_indices_may_be_those_of_another_list(void **state) {
    (void)state;
    test_folder f = test_import_folders("SegmentationClass", "JPEGImages", "ImageSets/Segmentation");
    icseg_import_options o = test_import_options(&f, out);
    o.format = ICSEG_IMPORT_VOC;
    test_import_image(&f, "JPEGImages/a.png", 4, 1);
    test_write_text(&f, "ImageSets/Segmentation/train.txt", "a\n");
    test_write_png(&f, "SegmentationClass/a.png", TEST_PNG_PALETTE, 8, 4, 1, (const uint16_t[]){0, 1, 2, 255});
    give_classes(&f, &o, "background\nroad\nriver\n");
    test_imports(&o, ICSEG_IMPORT_VOC, 1);
    test_import_has(out, "train", "background road river", 0, "012.");
    test_import_remove(out);
    test_write_png(&f, "SegmentationClass/a.png", TEST_PNG_RGB, 8, 4, 1, /* the colours of 1, 2, void, 0 */
                   (const uint16_t[]){128, 0, 0, 0, 128, 0, 224, 224, 192, 0, 0, 0});
    test_imports(&o, ICSEG_IMPORT_VOC, 1);
    test_import_has(out, "train", "background road river", 0, "12.0");
    test_import_remove(out);
    char many[256 * 8], *p = many;
    for (int i = 0; i < 256; i++) p += sprintf(p, "n%03d\n", i);
    give_classes(&f, &o, many);
    test_import_refuses(&o, ": 256 classes; palette indices can represent at most 255");
    test_dataset_close(&f);
}

static void yolos_numbers_may_be_those_of_a_list(void **state) {
    (void)state;
    test_folder f = test_import_folders("images", "labels");
    icseg_import_options o = test_import_options(&f, out);
    o.format = ICSEG_IMPORT_YOLO;
    test_import_image(&f, "images/a.png", 4, 2);
    test_write_text(&f, "labels/a.txt", "1 0 0 1 0 1 0.5 0 0.5\n"); /* the upper row */
    test_import_refuses(&o, "no data.yaml or classes.txt with the class names; add one, or specify a class list");
    give_classes(&f, &o, "car\nbus\n");
    test_imports(&o, ICSEG_IMPORT_YOLO, 1);
    test_import_has(out, "train", "car bus", 0, "1111 ....");
    test_import_remove(out);
    test_dataset_close(&f);
    f = test_import_folders("images/other");
    o = test_import_options(&f, out);
    o.format = ICSEG_IMPORT_YOLO;
    test_write_text(&f, "classes.txt", "car\n");
    test_import_refuses(&o, "no images; expected images/train with labels/train, ");
    test_dataset_close(&f);
}

/* CVAT's masks, without labelmap.txt: an image of two pixels with the colours 1,2,3 and 0,0,0. */
static icseg_import_options make_cvat(test_folder *f) {
    *f = test_import_folders("SegmentationClass", "JPEGImages", "ImageSets/Segmentation");
    icseg_import_options o = test_import_options(f, out);
    o.format = ICSEG_IMPORT_CVAT;
    test_import_image(f, "JPEGImages/a.png", 2, 1);
    test_write_text(f, "ImageSets/Segmentation/train.txt", "a\n");
    test_write_png(f, "SegmentationClass/a.png", TEST_PNG_RGB, 8, 2, 1, (const uint16_t[]){1, 2, 3, 0, 0, 0});
    return o;
}

static void names_that_make_no_class_list_are_refused(void **state) {
    (void)state;
    test_folder f;
    icseg_import_options o = make_cvat(&f);
    for (int first = 0; first < 2; first++) {
        char map[128];
        snprintf(map, sizeof map, "background:0,0,0::\n%d cat:1,2,3::\n%d dog:9,9,9::\n", first, first + 1);
        test_write_text(&f, "labelmap.txt", map);
        o.background = "";
        test_import_refuses(&o, "the name of every class begins with its number (\"");
        o.background = NULL;
        test_imports(&o, ICSEG_IMPORT_CVAT, 1);
        test_import_remove(out);
    }
    test_write_text(&f, "labelmap.txt", "background:0,0,0::\ncat; lynx:1,2,3::\n");
    o.background = "";
    test_import_refuses(&o,
                        "the name of the only class contains a separator (\"cat; lynx\"), which a class list cannot");
    o.background = NULL;
    test_imports(&o, ICSEG_IMPORT_CVAT, 1);
    test_import_remove(out);
    test_dataset_close(&f);
}

static void two_classes_of_one_colour_are_refused(void **state) {
    (void)state;
    test_folder f;
    icseg_import_options o = make_cvat(&f);
    test_write_text(&f, "labelmap.txt", "background:0,0,0::\ncat:1,2,3::\ndog:9,9,9::\nfox:1,2,3::\n");
    test_import_refuses(&o, "labelmap.txt: two classes have the colour 1,2,3");
    test_write_text(&f, "labelmap.txt", "background:0,0,0::\ncat:1,2,3::\ncat:1,2,3::\n"); /* the same twice */
    test_imports(&o, ICSEG_IMPORT_CVAT, 1);
    test_import_has(out, "train", "background cat", 0, "10");
    test_import_remove(out);
    test_dataset_close(&f);
}

static void of_equal_objects_the_later_is_on_top(void **state) {
    (void)state;
    test_folder f = test_import_folders("annotations", "images/train");
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "images/train/a.png", 5, 4);
    for (int swapped = 0; swapped < 2; swapped++) { /* columns 0 to 1 and 1 to 2 of row 0 */
        char text[1024];
        static const char *const left = "{\"image_id\": 7, \"category_id\": 9, \"segmentation\": [[0,0,2,0,2,1,0,1]]}",
                                 *const right = "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": "
                                                "[[1,0,3,0,3,1,1,1]]}";
        snprintf(text, sizeof text, TEST_COCO_HEAD "%s, %s]}", swapped ? right : left, swapped ? left : right);
        test_write_text(&f, "annotations/instances_train.json", text);
        test_imports(&o, ICSEG_IMPORT_COCO, 1);
        test_import_has(out, "train", "background dog cat", 0,
                        swapped ? "22100 00000 00000 00000" : "21100 00000 00000 00000");
        test_import_remove(out);
    }
    test_dataset_close(&f);
}

static void coco_files_of_other_categories_need_a_list(void **state) {
    (void)state;
    test_folder f = test_import_folders("train", "valid");
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "train/a.png", 5, 4);
    test_import_image(&f, "valid/a.png", 5, 4);
    test_write_text(&f, "train/_annotations.coco.json", TEST_COCO_HEAD TEST_COCO_ROW "]}");
    test_write_text(&f, "valid/_annotations.coco.json",
                    "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\", \"width\": 5, \"height\": 4}],"
                    "\"categories\": [{\"id\": 5, \"name\": \"fox\"}], \"annotations\": []}");
    test_import_refuses(&o, "_annotations.coco.json: has categories that ");
    give_classes(&f, &o, "cat\ndog\nfox\n");
    test_imports(&o, ICSEG_IMPORT_COCO, 2);
    test_import_remove(out);
    test_dataset_close(&f);
}

static void hidden_images_get_names_that_show(void **state) {
    (void)state;
    test_folder f = test_import_folders("images/train", "annotations");
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "images/train/.png", 5, 4);
    test_write_text(&f, "annotations/instances_train.json",
                    "{\"images\": [{\"id\": 7, \"file_name\": \"./.png\", \"width\": 5, \"height\": 4}],"
                    "\"categories\": [{\"id\": 9, \"name\": \"cat\"}], \"annotations\": [" TEST_COCO_ROW "]}");
    test_imports(&o, ICSEG_IMPORT_COCO, 1);
    assert_true(icseg_file_exists(test_path(&f, "out/images/train/_png.jpg")));
    test_import_remove(out);
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vocs_indices_may_be_those_of_another_list),
        cmocka_unit_test(yolos_numbers_may_be_those_of_a_list),
        cmocka_unit_test(names_that_make_no_class_list_are_refused),
        cmocka_unit_test(two_classes_of_one_colour_are_refused),
        cmocka_unit_test(of_equal_objects_the_later_is_on_top),
        cmocka_unit_test(coco_files_of_other_categories_need_a_list),
        cmocka_unit_test(hidden_images_get_names_that_show),
    };
    return cmocka_run_group_tests_name("classes of imports", tests, NULL, NULL);
}

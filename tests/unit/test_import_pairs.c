/* SPDX-License-Identifier: Apache-2.0
 * Sources with a mask for each image: Cityscapes, mmsegmentation's folders, Mapillary Vistas, Roboflow's semantic masks
 * and plain folders. Each is recognised, and its numbers become the right classes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "support/import_files.h"

static test_folder folder;
static icseg_import_options options;
static char out[128];

static int open_folder(void **state) {
    (void)state;
    folder = test_import_folders(".");
    options = test_import_options(&folder, out);
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

static void parent(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%.*s", (int)(strrchr(name, '/') - name), name);
    assert_int_equal(icseg_folder_create(test_path(&folder, path), NULL), ICSEG_OK);
}

static void image(const char *name) {
    parent(name);
    test_import_image(&folder, name, 4, 1);
}

/* A mask of four values. */
static void mask(const char *name, int a, int b, int c, int d) {
    const uint16_t values[] = {(uint16_t)a, (uint16_t)b, (uint16_t)c, (uint16_t)d};
    parent(name);
    test_write_png(&folder, name, TEST_PNG_GREY, 8, 4, 1, values);
}

static void cityscapes_has_two_kinds_of_numbers(void **state) {
    (void)state;
    static const char classes[] =
        "road sidewalk building wall fence pole traffic light traffic sign vegetation terrain "
        "sky person rider car truck bus train motorcycle bicycle";
    image("leftImg8bit/train/aachen/a_1_leftImg8bit.png");
    mask("gtFine/train/aachen/a_1_gtFine_labelTrainIds.png", 0, 18, 255, 2);
    mask("gtFine/train/aachen/a_1_gtFine_labelIds.png", 7, 33, 4, 11);
    mask("gtFine/train/aachen/a_1_gtFine_color.png", 1, 2, 3, 4);
    image("leftImg8bit/val/bonn/b_2_leftImg8bit.png");
    mask("gtFine/val/bonn/b_2_gtFine_labelIds.png", 7, 33, 4, 26);
    icseg_import_summary s = test_imports(&options, ICSEG_IMPORT_CITYSCAPES, 2);
    assert_int_equal(s.unused_files, 0);
    test_import_has(out, "train", classes, 0, "0B.2"); /* 'B' is '0' + 18 */
    test_import_has(out, "val", classes, 0, "0B.=");
    assert_true(icseg_file_exists(test_path(&folder, "out/images/train/aachen_a_1.png")));
    test_import_remove(out);
    mask("gtFine/val/bonn/b_2_gtFine_labelIds.png", 7, 34, 4, 26);
    test_import_refuses(&options, "b_2_gtFine_labelIds.png: value 34 at x=1, y=0 is not a class (Cityscapes' classes)");
    mask("gtFine/val/bonn/b_2_gtFine_labelIds.png", 7, 7, 7, 7);
    image("leftImg8bit/val/bonn/c_3_leftImg8bit.png");
    test_import_refuses(&options, "c_3_leftImg8bit.png: its mask gtFine/val/bonn/c_3_gtFine_labelTrainIds.png or "
                                  "c_3_gtFine_labelIds.png is missing");
}

static void mmsegmentations_folders_need_class_names(void **state) {
    (void)state;
    image("img_dir/train/a.jpg");
    mask("ann_dir/train/a.png", 0, 1, 1, 255);
    image("img_dir/val/b.png");
    mask("ann_dir/val/b_labelTrainIds.png", 1, 1, 0, 0);
    test_import_refuses(&options, "no classes.txt with the class names, one per line");
    test_write_text(&folder, "classes.txt", "background\nobject\n");
    test_imports(&options, ICSEG_IMPORT_MMSEG, 2);
    test_import_has(out, "train", "background object", 0, "011.");
    test_import_has(out, "val", "background object", 0, "1100");
    test_import_remove(out);
    mask("ann_dir/train/lost.png", 0, 0, 0, 0);
    assert_int_equal(test_imports(&options, ICSEG_IMPORT_MMSEG, 2).unused_files, 1);
    test_import_remove(out);
    mask("ann_dir/train/a.png", 0, 1, 2, 255);
    test_import_refuses(&options, "a.png: value 2 at x=2, y=0 is not a class (");
}

static void roboflows_numbers_are_those_of_each_split(void **state) {
    (void)state;
    image("train/a_jpg.rf.1.jpg");
    mask("train/a_jpg.rf.1_mask.png", 0, 1, 2, 0);
    test_write_text(&folder, "train/_classes.csv", "Pixel Value, Class\n0, background\n1, car\n2, a b\n");
    image("valid/c.jpg");
    mask("valid/c_mask.png", 0, 1, 1, 0);
    test_write_text(&folder, "valid/_classes.csv", "Pixel Value, Class\r\n0, background\r\n1, a b\r\n");
    test_imports(&options, ICSEG_IMPORT_ROBOFLOW, 2);
    test_import_has(out, "train", "background car a b", 0, "0120");
    test_import_has(out, "val", "background car a b", 0, "0220");
    test_import_remove(out);
    static const char *const bad[][2] = {{"Pixel Value, Class\n0 background\n", "line 2: expected a pixel value"},
                                         {"Pixel Value, Class\n-1, a\n", "line 2: expected a pixel value"},
                                         {"Pixel Value, Class\n65536, a\n", "line 2: expected a pixel value"},
                                         {"Pixel Value, Class\n0,\n", "cannot be a class name"},
                                         {"Pixel Value, Class\n0, a\n", "value 1 at x=1, y=0 is not a class ("}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_write_text(&folder, "train/_classes.csv", bad[i][0]);
        test_import_refuses(&options, bad[i][1]);
    }
}

static void mapillarys_classes_are_in_its_configuration(void **state) {
    (void)state;
    static const char config[] =
        "{\"labels\": [{\"name\": \"animal--bird\", \"readable\": \"Bird\", \"evaluate\": true},"
        "{\"name\": \"curb\"}, {\"name\": \"void\", \"evaluate\": false}]}";
    image("training/images/a.jpg");
    mask("training/v1.2/labels/a.png", 0, 1, 2, 1);
    image("validation/images/b.jpg");
    mask("validation/v1.2/labels/b.png", 1, 1, 0, 255);
    test_write_text(&folder, "config_v1.2.json", config);
    test_imports(&options, ICSEG_IMPORT_MAPILLARY, 2);
    test_import_has(out, "train", "Bird curb", 0, "01.1");
    test_import_has(out, "val", "Bird curb", 0, "110.");
    test_import_remove(out);
    test_write_text(&folder, "config_v1.2.json", "{\"labels\": []}");
    test_import_refuses(&options, "config_v1.2.json: expected a list \"labels\" of 1 to 255 classes");
    test_write_text(&folder, "config_v1.2.json", "{\"labels\": [{}]}");
    test_import_refuses(&options, "config_v1.2.json: labels[0]: expected a \"readable\" name");
    test_write_text(&folder, "config_v1.2.json", "{\"labels\": [");
    test_import_refuses(&options, "config_v1.2.json: not JSON");
}

static void plain_folders_of_masks_become_one_split(void **state) {
    (void)state;
    static const char *const names[] = {"masks", "labels"};
    for (int i = 0; i < 2; i++) {
        char name[64];
        image("images/a.jpg");
        image("images/b.jpg");
        snprintf(name, sizeof name, "%s/a.png", names[i]);
        mask(name, 0, 1, 1, 0);
        snprintf(name, sizeof name, "%s/b_mask.png", names[i]);
        mask(name, 0, 0, 0, 1);
        test_write_text(&folder, "classes.txt", "background\nobject\n");
        options.val_share = 0.5;
        test_imports(&options, ICSEG_IMPORT_MASKS, 2);
        test_import_has(out, "train", "background object", 0, "0110");
        test_import_has(out, "val", "background object", 0, "0001");
        test_import_remove(out);
        mask(name, 0, 0, 0, 0);
        snprintf(name, sizeof name, "%s/a.png", names[i]);
        mask(name, 0, 0, 0, 0);
        test_import_refuses(&options, "none of the 2 images has an object (read as masks)");
        test_dataset_close(&folder);
        open_folder(state);
    }
}

static void masks_of_0_and_255_need_a_map(void **state) {
    (void)state;
    static const char *const bad[] = {"255", "255=", "255=1,", "255=1;3=4", "a=b", "65536=1", "255=-1", "=1", ",255=1"};
    image("images/a.jpg");
    mask("masks/a.png", 0, 255, 255, 0);
    test_write_text(&folder, "classes.txt", "background\nobject\n");
    test_import_refuses(
        &options,
        "a.png: contains only 0 and 255, as all masks do, and 255 means unlabelled; map it to a class (255=1)");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.map = bad[i];
        test_import_refuses(&options, "expected pairs of values from 0 to 65535, such as 255=1,128=2");
    }
    options.map = "255=1";
    test_imports(&options, ICSEG_IMPORT_MASKS, 1);
    test_import_has(out, "train", "background object", 0, "0110");
    test_import_remove(out);
    options.map = "0=1, 255 = 0"; /* all at once */
    test_imports(&options, ICSEG_IMPORT_MASKS, 1);
    test_import_has(out, "train", "background object", 0, "1001");
}

static void colour_mask(const char *name, const uint16_t rgb[12]) {
    parent(name);
    test_write_png(&folder, name, TEST_PNG_RGB, 8, 4, 1, rgb);
}

static void colours_that_cvat_does_not_declare_are_the_callers(void **state) {
    (void)state;
    static const char *const bad[] = {"#12345", "#1234567", "#12345g", "0,0", "0,0,256", "red", "0,0,0,0"};
    static const uint16_t rgb[] = {0, 0, 0, 48, 112, 32, 255, 255, 255, 0, 0, 0};
    image("JPEGImages/a.jpg");
    colour_mask("SegmentationClass/a.png", rgb);
    test_write_text(&folder, "labelmap.txt", "leaf:48,112,32::\n");
    test_import_refuses(&options,
                        "colour 0,0,0 at x=0, y=0 does not belong to a class (labelmap.txt); if these pixels are "
                        "background, declare the colour");
    options.background_colour = "0,0,0";
    test_import_refuses(&options, "colour 255,255,255 at x=2, y=0");
    options.ignore_colour = "#FFffff";
    test_imports(&options, ICSEG_IMPORT_CVAT, 1);
    test_import_has(out, "train", "leaf background", 0, "10.1");
    test_import_remove(out);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.background_colour = bad[i];
        test_import_refuses(&options, "is not a colour; expected red,green,blue or #rrggbb");
    }
}

static char message[1024];
static void keep(void *user, icseg_message_level level, const char *text) {
    (void)user, (void)level;
    snprintf(message, sizeof message, "%s", text);
}

static void classes_that_are_merged_are_named(void **state) {
    (void)state;
    static const uint16_t rgb[] = {1, 1, 1, 48, 112, 32, 2, 2, 2, 1, 1, 1};
    const icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = keep};
    image("JPEGImages/a.jpg");
    colour_mask("SegmentationClass/a.png", rgb);
    test_write_text(&folder, "labelmap.txt", "background:1,1,1::\nleaf:48,112,32::\nBackground:2,2,2::\n");
    assert_int_equal(icseg_import_run(&options, &progress, NULL, NULL), ICSEG_OK);
    assert_string_equal(message,
                        "the classes \"background\" and \"Background\" are both imported as the background; rename "
                        "one if they differ");
    test_import_has(out, "train", "background leaf", 0, "0100");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cityscapes_has_two_kinds_of_numbers, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(mmsegmentations_folders_need_class_names, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(roboflows_numbers_are_those_of_each_split, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(mapillarys_classes_are_in_its_configuration, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(plain_folders_of_masks_become_one_split, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(masks_of_0_and_255_need_a_map, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(colours_that_cvat_does_not_declare_are_the_callers, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(classes_that_are_merged_are_named, open_folder, close_folder),
    };
    return cmocka_run_group_tests_name("sources with masks", tests, NULL, NULL);
}

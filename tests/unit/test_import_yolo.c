/* SPDX-License-Identifier: Apache-2.0
 * YOLO exports as tools write them: folders inside folders, lists of images, paths of another machine, label files that
 * belong to no image; and folders of masks, which are not YOLO's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "dataset/labelling_tools.h"
#include "support/import_files.h"

/* The upper row of an image of 4 x 2 pixels. */
#define ROW "0 0 0 1 0 1 0.5 0 0.5\n"

static test_folder folder;
static icseg_import_options options;
static char out[128], messages[8][1024];
static int count;

static void keep(void *user, icseg_message_level level, const char *text) {
    (void)user;
    assert_int_equal(level, ICSEG_MESSAGE_WARNING);
    assert_in_range(count, 0, 7);
    snprintf(messages[count++], sizeof messages[0], "%s", text);
}

static int open_folder(void **state) {
    (void)state;
    count = 0;
    folder = test_import_folders("images", "labels");
    options = test_import_options(&folder, out);
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

static icseg_import_summary imports(int64_t images) {
    const icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = keep};
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error = {0};
    if (icseg_import_run(&options, &progress, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(s.format, ICSEG_IMPORT_YOLO);
    assert_int_equal(s.images, images);
    return s;
}

static void has(const char *split, int64_t index, const char *labels) {
    test_import_has(out, split, "background car", index, labels);
}

static void says(const char *piece) {
    for (int i = 0; i < count; i++)
        if (strstr(messages[i], piece)) return;
    fail_msg("no message has '%s'; the first of %d: %s", piece, count, messages[0]);
}

static void create_parent(const char *name) {
    char path[256];
    const char *slash = strrchr(name, '/');
    if (!slash) return;
    snprintf(path, sizeof path, "%.*s", (int)(slash - name), name);
    assert_int_equal(icseg_folder_create(test_path(&folder, path), NULL), ICSEG_OK);
}

static void image(const char *name) {
    create_parent(name);
    test_import_image(&folder, name, 4, 2);
}

static void text(const char *name, const char *content) {
    create_parent(name);
    test_write_text(&folder, name, content);
}

static void a_folder_of_masks_is_not_yolos(void **state) {
    (void)state;
    icseg_import_format format;
    image("images/a.png");
    image("labels/a.png");
    assert_int_equal(icseg_labelling_tool_recognise(folder.path, &format, NULL), ICSEG_OK);
    assert_int_not_equal(format, ICSEG_IMPORT_YOLO);
    text("labels/classes.txt", "car\n");
    assert_int_equal(icseg_labelling_tool_recognise(folder.path, &format, NULL), ICSEG_OK);
    assert_int_not_equal(format, ICSEG_IMPORT_YOLO);
    text("labels/deep/er/a.txt", ROW);
    assert_int_equal(icseg_labelling_tool_recognise(folder.path, &format, NULL), ICSEG_OK);
    assert_int_equal(format, ICSEG_IMPORT_YOLO);
    options.format = ICSEG_IMPORT_YOLO;
    text("classes.txt", "car\n");
    test_remove(&folder, "labels/deep/er/a.txt");
    test_import_refuses(&options, "the only image does not have an object (read as yolo); files that were not used: ");
    test_import_refuses(&options, "labels/a.png; check the label files");
}

static icseg_import_format recognised(void) {
    icseg_import_format format;
    assert_int_equal(icseg_labelling_tool_recognise(folder.path, &format, NULL), ICSEG_OK);
    return format;
}

static void images_and_text_files_side_by_side_are_recognised_if_each_is_a_label_file(void **state) {
    (void)state;
    static const char *const others[] = {"0 0.1 0.2 0.3\n",       "a car\n",          "0 1 1 1 1 1 1 1\n",
                                         "0 10 10 20 10 20 20\n", "-1 0 0 1 0 1 1\n", "0 0 0 1 0 1 1\nthe end\n"};
    assert_int_equal(rmdir(test_path(&folder, "images")), 0);
    assert_int_equal(rmdir(test_path(&folder, "labels")), 0);
    image("a.png");
    image("b.png");
    image("without.png");
    text("b.txt", "");
    assert_int_equal(recognised(), ICSEG_IMPORT_AUTO);
    text("a.txt", ROW);
    assert_int_equal(recognised(), ICSEG_IMPORT_YOLO);
    test_import_refuses(&options, "no data.yaml or classes.txt with the class names");
    text("classes.txt", "car\n");
    icseg_import_summary s = imports(3);
    assert_true(s.objects == 1 && s.images_without_objects == 2 && s.unused_files == 0);
    test_import_remove(out);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        text("b.txt", others[i]);
        assert_int_equal(recognised(), ICSEG_IMPORT_AUTO);
    }
    test_remove(&folder, "b.txt");
    text("c.txt", ROW); /* without an image */
    assert_int_equal(recognised(), ICSEG_IMPORT_AUTO);
}

static void files_without_an_image_are_counted_and_named(void **state) {
    (void)state;
    image("images/a.png");
    image("images/b.png");
    text("data.yaml", "names: [car]\n");
    text("labels/a.txt", ROW);
    text("labels/lost.txt", ROW);
    text("labels/classes.txt", "car\n");
    icseg_import_summary s = imports(2);
    assert_true(s.unused_files == 1 && s.images_without_objects == 1 && s.objects == 1);
    says("1 label file was not used: ");
    says("/labels/lost.txt");
    says("1 of 2 images has no objects");
    assert_int_equal(count, 2);
    test_import_remove(out);
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "labels/z%d.txt", i);
        text(name, ROW);
    }
    s = imports(2);
    assert_int_equal(s.unused_files, 6);
    says("6 label files were not used: ");
    says("/labels/z1.txt, ...");
}

static void names_of_label_files_may_contain_the_extension(void **state) {
    (void)state;
    image("images/a.png");
    text("classes.txt", "car\n");
    text("labels/a.png.txt", ROW);
    text("notes.json", "{\"categories\": [{\"id\": 0, \"name\": \"car\"}]}"); /* of Label Studio */
    assert_int_equal(imports(1).objects, 1);
    has("train", 0, "1111 0000");
    assert_int_equal(count, 0);
}

static void images_may_be_in_folders_inside_folders(void **state) {
    (void)state;
    image("images/train/site/images/a.png");
    image("images/train/b/images/c.png");
    image("images/val/d.png");
    text("data.yaml", "train: images/train\nval: images/val\nnames: [car]\n");
    text("labels/train/site/images/a.txt", ROW);
    text("images/train/b/labels/c.txt", ROW); /* Ultralytics replaces the last folder */
    text("images/val/d.txt", ROW);            /* darknet: next to the image */
    assert_int_equal(imports(3).objects, 3);
    has("train", 0, "1111 0000");
    has("train", 1, "1111 0000");
    has("val", 0, "1111 0000");
    assert_int_equal(count, 0);
}

static void lists_name_the_images_of_a_split(void **state) {
    (void)state;
    image("images/a.png");
    image("images/b.png");
    image("images/c.png");
    text("labels/a.txt", ROW);
    text("labels/b.txt", ROW);
    text("data.yaml", "path: /content/set\ntrain: train.txt\nval: [val.txt]\nnames: {0: car}\n");
    text("train.txt", "./images/a.png\n\n");
    text("val.txt", "/home/somebody/set/images/b.png\r\n");
    icseg_import_summary s = imports(2);
    assert_true(s.objects == 2 && s.unused_files == 0);
    has("train", 0, "1111 0000");
    has("val", 0, "1111 0000");
    test_import_remove(out);
    text("val.txt", "../../../etc/hostname\n");
    test_import_refuses(&options, "val.txt: line 1: the image \"../../../etc/hostname\" is missing in ");
}

static void paths_of_another_machine_are_found(void **state) {
    (void)state;
    image("train/images/a.png");
    image("valid/images/b.png");
    text("train/labels/a.txt", ROW);
    text("valid/labels/b.txt", ROW);
    text("data.yaml", "train: ../train/images\nval: /content/x/valid/images\ntest: ../test/images\nnames: [car]\n");
    assert_int_equal(imports(2).objects, 2);
    has("val", 0, "1111 0000");
    assert_int_equal(count, 1);
    says("data.yaml: test: \"../test/images\" does not exist in ");
}

static void a_folder_of_two_splits_is_imported_once(void **state) {
    (void)state;
    image("images/train/a.png");
    text("labels/train/a.txt", ROW);
    text("data.yaml", "train: images/train\nval: images/train\nnames: [car]\n");
    imports(1);
    says("data.yaml: val: \"images/train\" already belongs to another split");
}

/* data.yaml names train only, but val exists. */
static void splits_that_data_yaml_leaves_out_are_imported(void **state) {
    (void)state;
    image("images/train/a.png");
    image("images/val/b.png");
    text("labels/train/a.txt", ROW);
    text("data.yaml", "train: images/train\nnames: [car]\n");
    imports(2);
    has("val", 0, "0000 0000");
}

/* In two splits, it would be evaluated after it was trained on. */
static void an_image_belongs_to_one_split(void **state) {
    (void)state;
    image("images/train/a.png");
    image("images/val/b.png");
    text("labels/train/a.txt", ROW);
    text("labels/val/b.txt", ROW);
    text("data.yaml", "train: images\nval: images/val\nnames: [car]\n"); /* one folder is in the other */
    imports(2);
    has("train", 0, "1111 0000");
    has("val", 0, "1111 0000");
    test_import_remove(out);
    text("data.yaml", "train: [images/train, images/val]\nval: images/val\nnames: [car]\n");
    imports(2);
    says("val: \"images/val\" already belongs to another split");
    has("train", 1, "1111 0000");
    test_import_remove(out);
    text("data.yaml", "train: train.txt\nval: val.txt\nnames: [car]\n");
    text("train.txt", "images/train/a.png\nimages/train/a.png\n./images/val/b.png\n");
    text("val.txt", "images/val/b.png\n");
    imports(2);
    says("2 entries name an image that was imported before, the first of them images/train/a.png; ");
    has("train", 1, "1111 0000");
}

static void paths_in_data_yaml_may_have_backslashes(void **state) {
    (void)state;
    image("left/a.png");
    image("right/more/b.png");
    text("left/a.txt", ROW);
    text("data.yaml", "path: C:\\work\\set\ntrain: left\nval: C:\\work\\set\\right\\more\nnames: [car]\n");
    imports(2);
    assert_int_equal(count, 1); /* b.png has no objects */
    has("train", 0, "1111 0000");
    has("val", 0, "0000 0000");
    test_import_remove(out);
    text("data.yaml", "train: .\\left\nval: right\\more\nnames: [car]\n");
    imports(2);
    has("val", 0, "0000 0000");
}

static void hostile_folders_are_refused(void **state) {
    (void)state;
    char name[256] = "images";
    text("classes.txt", "car\n");
    options.format = ICSEG_IMPORT_YOLO;
    for (int i = 0; i < 20; i++) strcat(name, "/d");
    strcat(name, "/a.png");
    image(name);
    test_import_refuses(&options, "more than 16 folders inside each other");
    char many[4096] = "names: [car]\ntrain: [";
    for (int i = 0; i < 65; i++) strcat(many, "images, ");
    strcat(many, "images]\n");
    text("data.yaml", many);
    test_import_refuses(&options, "data.yaml: line 2: too many folders of images");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_of_masks_is_not_yolos, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(images_and_text_files_side_by_side_are_recognised_if_each_is_a_label_file,
                                        open_folder, close_folder),
        cmocka_unit_test_setup_teardown(files_without_an_image_are_counted_and_named, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(names_of_label_files_may_contain_the_extension, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(images_may_be_in_folders_inside_folders, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(lists_name_the_images_of_a_split, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(paths_of_another_machine_are_found, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_folder_of_two_splits_is_imported_once, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(splits_that_data_yaml_leaves_out_are_imported, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(an_image_belongs_to_one_split, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(paths_in_data_yaml_may_have_backslashes, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(hostile_folders_are_refused, open_folder, close_folder),
    };
    return cmocka_run_group_tests_name("YOLO exports", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * Exports whose meaning an import could change without a word: the order of objects, several classes of one object, and
 * image files whose extensions the label files do not name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/import_files.h"

static test_folder folder;
static icseg_import_options options;
static char out[128], message[1024];

static void keep(void *user, icseg_message_level level, const char *text) {
    (void)user;
    assert_int_equal(level, ICSEG_MESSAGE_WARNING);
    snprintf(message, sizeof message, "%s", text);
}

static int open_folder(void **state) {
    (void)state;
    message[0] = '\0';
    folder = test_import_folders("images", "annotations");
    options = test_import_options(&folder, out);
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

static void imports(icseg_import_format format) {
    const icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = keep};
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error = {0};
    if (icseg_import_run(&options, &progress, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(s.format, format);
}

/* In CVAT, the user moves objects to the front and to the back. Of one level, the smaller object is on top. */
static void the_order_of_cvats_objects_is_kept(void **state) {
    (void)state;
    test_import_image(&folder, "images/a.png", 4, 2);
#define SHAPE(label, right, more)                                                                                      \
    "<polygon label=\"" label "\" points=\"0,0;" right ",0;" right ",2;0,2\" " more "></polygon>"
#define TASK(shapes)                                                                                                   \
    "<annotations><meta><task><labels><label><name>car</name></label><label><name>sky</name></label></labels></task>"  \
    "</meta><image id=\"0\" name=\"a.png\" width=\"4\" height=\"2\">" shapes "</image></annotations>"
    static const struct {
        const char *text, *labels;
    } cases[] = {
        {TASK(SHAPE("car", "3", "z_order=\"1\"") SHAPE("sky", "1", "z_order=\"0\"")), "1110 1110"},
        {TASK(SHAPE("car", "3", "z_order=\"-1\"") SHAPE("sky", "1", "")), "2110 2110"},
        {TASK(SHAPE("sky", "1", "") SHAPE("car", "3", "")), "2110 2110"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_write_text(&folder, "annotations.xml", cases[i].text);
        imports(ICSEG_IMPORT_CVAT_XML);
        test_import_has(out, "train", "background car sky", 0, cases[i].labels);
        test_import_remove(out);
    }
    test_write_text(&folder, "annotations.xml", TASK(SHAPE("car", "3", "z_order=\"top\"")));
    test_import_refuses(&options, "z_order=\"top\" is not a number");
}

static void several_classes_of_an_object_are_counted(void **state) {
    (void)state;
    test_import_image(&folder, "images/a.png", 4, 2);
    test_write_text(&folder, "tasks.json",
                    "[{\"id\": 1, \"data\": {\"image\": \"a.png\"}, \"annotations\": [{\"id\": 1, \"result\": ["
                    "{\"id\": \"x\", \"type\": \"polygonlabels\", \"original_width\": 4, \"original_height\": 2,"
                    " \"value\": {\"points\": [[0, 0], [100, 0], [100, 50], [0, 50]],"
                    " \"polygonlabels\": [\"car\", \"sky\"]}}]}]}]");
    imports(ICSEG_IMPORT_LABEL_STUDIO);
    assert_string_equal(message, "1 object has several classes, of which the first was taken: a pixel has one class");
    test_import_has(out, "train", "background car", 0, "1111 0000");
}

static void rename_image(const char *name) {
    char from[256];
    snprintf(from, sizeof from, "%s", test_path(&folder, "images/a.png"));
    assert_int_equal(rename(from, test_path(&folder, name)), 0);
}

/* `a.geojson` and `X.json` of LabelMe name images of every format; Windows does not distinguish capitals. */
static void images_are_found_by_every_extension(void **state) {
    (void)state;
    static const char *const names[] = {"images/a.bmp", "images/a.ppm", "images/a.gif", "images/a.HEIC"};
    test_write_text(&folder, "a.geojson",
                    "[{\"type\": \"Feature\", \"geometry\": {\"type\": \"Polygon\", \"coordinates\":"
                    " [[[0, 0], [4, 0], [4, 1], [0, 1], [0, 0]]]},"
                    " \"properties\": {\"classification\": {\"name\": \"car\"}}}]");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        test_import_image(&folder, "images/a.png", 4, 2);
        rename_image(names[i]);
        imports(ICSEG_IMPORT_GEOJSON);
        test_import_has(out, "train", "background car", 0, "1111 0000");
        test_import_remove(out);
        test_remove(&folder, names[i]);
    }
    test_remove(&folder, "a.geojson");
    for (size_t i = 0; i < 2; i++) {
        test_import_image(&folder, "images/a.png", 5, 4);
        if (i) rename_image("images/a.PNG");
        test_write_text(&folder, "annotations/instances_train.json", TEST_COCO_HEAD TEST_COCO_ROW "]}");
        imports(ICSEG_IMPORT_COCO);
        test_import_has(out, "train", "background dog cat", 0, "22222 00000 00000 00000");
        test_import_remove(out);
        if (!i) test_remove(&folder, "images/a.png");
    }
}

/* A list of classes with LabelMe's names, or with capitals, has a background. */
static void the_background_of_a_list_is_recognised(void **state) {
    (void)state;
    static const struct {
        const char *list, *classes, *labels;
    } cases[] = {{"__ignore__\n_background_\ncar\n", "background car", "1111 ...."},
                 {"car\nBackground\n", "car Background", "0000 ...."},
                 {"car\nbackground\n", "car background", "0000 ...."}};
    test_import_image(&folder, "images/a.png", 4, 3);
    test_write_text(&folder, "a.json",
                    "{\"version\": \"5\", \"imagePath\": \"images/a.png\", \"imageWidth\": 4, \"imageHeight\": 3,"
                    " \"shapes\": [{\"label\": \"car\", \"points\": [[0, 0], [4, 0], [4, 1], [0, 1]]},"
                    " {\"label\": \"__ignore__\", \"points\": [[0, 1], [4, 1], [4, 2], [0, 2]]}]}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char labels[32];
        test_write_text(&folder, "labels.txt", cases[i].list);
        options.classes_file = test_path(&folder, "labels.txt");
        char list[256];
        snprintf(list, sizeof list, "%s", options.classes_file);
        options.classes_file = list;
        imports(ICSEG_IMPORT_LABELME);
        snprintf(labels, sizeof labels, "%s %s", cases[i].labels, i ? "1111" : "0000");
        test_import_has(out, "train", cases[i].classes, 0, labels);
        test_import_remove(out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_order_of_cvats_objects_is_kept, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(several_classes_of_an_object_are_counted, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(the_background_of_a_list_is_recognised, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(images_are_found_by_every_extension, open_folder, close_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

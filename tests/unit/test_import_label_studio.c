/* SPDX-License-Identifier: Apache-2.0
 * importers/: Label Studio's JSON_MIN and PNG exports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/import_files.h"

static test_folder folder;
static icseg_import_options options;
static char out[128], said[1024];

static int open_folder(void **state) {
    (void)state;
    folder = test_import_folders("images");
    options = test_import_options(&folder, out);
    said[0] = '\0';
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

static void keep(void *user, icseg_message_level level, const char *text) {
    (void)user, (void)level;
    size_t used = strlen(said);
    assert_true(used + strlen(text) + 1 < sizeof said);
    strcpy(said + used, text);
}

static icseg_import_summary imports(int64_t images) {
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = keep};
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error;
    said[0] = '\0';
    if (icseg_import_run(&options, &progress, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(s.format, ICSEG_IMPORT_LABEL_STUDIO);
    assert_int_equal(s.images, images);
    return s;
}

/* ---- JSON_MIN ---- */

/* The left half of 4 x 2 pixels. */
#define LEFT(key, name)                                                                                                \
    "{\"points\": [[0, 0], [50, 0], [50, 100], [0, 100]], \"closed\": true, \"" key "\": [\"" name "\"], "             \
    "\"original_width\": 4, \"original_height\": 2}"
#define MIN(image, id, time, regions)                                                                                  \
    "{\"image\": \"" image "\", \"id\": " id ", \"label\": [" regions                                                  \
    "], \"annotator\": 1, \"annotation_id\": 7, \"created_at\": \"" time "\", \"updated_at\": \"" time                 \
    "\", \"lead_time\": 3.5}"

static void json_min_has_an_element_for_each_annotation(void **state) {
    (void)state;
    test_import_image(&folder, "images/a.png", 4, 2);
    test_import_image(&folder, "images/0123abcd-b.png", 4, 2);
    test_write_text(
        &folder, "export.json",
        "[" MIN("/data/upload/1/a.png", "5", "2024-01-02T00:00:00Z", LEFT("polygonlabels", "road")) "," MIN(
            "/data/upload/1/a.png", "5", "2024-01-01T00:00:00Z",
            LEFT("polygonlabels",
                 "sky")) "," MIN("/data/upload/1/0123abcd-b.png", "6", "2024-01-01T00:00:00Z",
                                 "{\"x\": 1, \"y\": 2, \"rectanglelabels\": [\"car\"], \"original_width\": 4, "
                                 "\"original_height\": 2}") "]");
    icseg_import_summary s = imports(2);
    assert_true(s.objects == 1 && s.skipped == 1);
    assert_non_null(strstr(said, "1 annotation was left out"));
    test_import_has(out, "train", "background road", 1, "1100 1100");
    test_import_has(out, "train", "background road", 0, "0000 0000");
}

static void damaged_json_min_is_refused(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"[{\"id\": 1, \"annotation_id\": 2, \"label\": []}]", "task 1: expected the name of an image"},
        {"[{\"id\": 1, \"annotation_id\": 2, \"image\": \"lost.png\"}]", "task 1: the image \"lost.png\" is missing"},
        {"[{\"id\": 1, \"image\": \"a.png\", \"tag\": [{\"rle\": 3, \"original_width\": 4, \"original_height\": 2}]}]",
         "task 1: an object must have a class"},
        {"[{\"id\": 1, \"image\": \"a.png\", \"tag\": [{\"rle\": [1, 2], \"brushlabels\": [\"x\"], \"original_width\": "
         "4, "
         "\"original_height\": 2}]}]",
         "task 1: the run lengths of a brush stroke do not fit"},
        {"[{\"id\": 1, \"image\": \"a.png\", \"tag\": [{\"points\": [[0]], \"polygonlabels\": [\"x\"], "
         "\"original_width\": 4, \"original_height\": 2}]}]",
         "task 1: a point must be a list"},
        {"[{\"id\": 1, \"image\": \"a.png\", \"tag\": [{\"points\": [], \"polygonlabels\": [\"x\"], "
         "\"original_width\": -4, \"original_height\": 2}]}]",
         "original_width and original_height are not the size"},
        {"[{\"id\": 1, \"image\": \"a.png\"", "export.json: "},
    };
    test_import_image(&folder, "images/a.png", 4, 2);
    options.format = ICSEG_IMPORT_LABEL_STUDIO;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_write_text(&folder, "export.json", bad[i][0]);
        test_import_refuses(&options, bad[i][1]);
    }
}

/* ---- PNG ---- */

static void mask(const char *name, int a, int b, int c, int d) {
    const uint16_t values[] = {(uint16_t)a, (uint16_t)b, (uint16_t)c, (uint16_t)d};
    test_write_png(&folder, name, TEST_PNG_GREY, 8, 4, 1, values);
}

static void masks_belong_to_the_images_of_a_json_export(void **state) {
    (void)state;
    test_import_image(&folder, "images/a.png", 4, 1);
    test_import_image(&folder, "images/b.png", 4, 1);
    test_import_image(&folder, "images/unlabelled.png", 4, 1);
    mask("task-10-annotation-3-by-me@x.org-tag-road-0.png", 255, 255, 255, 0);
    mask("task-10-annotation-3-by-me@x.org-tag-traffic-light-0.png", 0, 0, 255, 0);
    mask("task-9-annotation-20-by-1-tag-road-0.png", 255, 0, 0, 0);
    mask("task-9-annotation-20-by-1-tag-road-1.png", 0, 0, 0, 128);
    mask("task-9-annotation-4-by-2-tag-sky-0.png", 255, 255, 255, 255); /* older */
    test_write_text(&folder, "project.json",
                    "[{\"id\": 9, \"data\": {\"image\": \"/data/upload/1/12345678-a.png\"}, \"annotations\": []},"
                    "{\"id\": 10, \"image\": \"b.png\"}, {\"id\": 11, \"image\": \"unlabelled.png\"}]");
    icseg_import_summary s = imports(2);
    assert_int_equal(s.objects, 4);
    assert_non_null(strstr(said, "1 annotation was left out"));
    test_import_has(out, "train", "background road traffic-light", 0, "1001");
    test_import_has(out, "train", "background road traffic-light", 1, "1120");
    assert_true(icseg_file_exists(test_path(&folder, "out/images/train/b.png")));
}

static void without_it_images_are_called_by_the_number_of_their_task(void **state) {
    (void)state;
    test_import_image(&folder, "images/7.png", 4, 1);
    mask("task-7-annotation-3-by-1-my-tag-red-car-0.png", 255, 0, 0, 0);
    imports(1); /* the tag seems to end at the first hyphen */
    test_import_has(out, "train", "background tag-red-car", 0, "1000");
    test_import_remove(out);
    test_write_text(&folder, "names.txt", "background\ncar\nred-car\n");
    options.classes_file = test_path(&folder, "names.txt");
    imports(1);
    test_import_has(out, "train", "background car red-car", 0, "2000");
}

static void damaged_png_exports_are_refused(void **state) {
    (void)state;
    mask("task-7-annotation-3-by-1-tag-car-0.png", 255, 0, 0, 0);
    test_import_refuses(&options, "car-0.png: its image \"7.png\" is missing; put a JSON export");
    test_import_image(&folder, "images/7.png", 4, 2);
    test_import_refuses(&options, "car-0.png: labels of 4x1 pixels, but ");
    test_import_image(&folder, "images/7.png", 4, 1);
    test_write_png(&folder, "task-7-annotation-3-by-1-tag-car-1.png", TEST_PNG_GREY, 8, 1, 1, &(uint16_t){1});
    test_import_refuses(&options, "car-1.png: 1x1 pixels, but another mask of task 7 has 4x1");
    test_write_text(&folder, "task-7-annotation-3-by-1-tag-car-1.png", "not a PNG");
    test_import_refuses(&options, "car-1.png: ");
    test_remove(&folder, "task-7-annotation-3-by-1-tag-car-1.png");
    test_write_text(&folder, "project.json", "[{\"id\": 7, \"image\": \"lost.png\"}]");
    test_import_refuses(&options, "its image \"lost.png\" is missing");
    test_write_text(&folder, "project.json", "[{\"id\": 7, \"image\": \"../../etc/passwd\"}]");
    test_import_refuses(&options, "is missing");
    test_write_text(&folder, "project.json", "[{\"id\": 7, ");
    test_import_refuses(&options, "project.json: ");
    test_remove(&folder, "project.json");
    imports(1);
    test_import_remove(out);
    test_remove(&folder, "task-7-annotation-3-by-1-tag-car-0.png");
    static const char *const names[] = {"task-7-annotation-3-by-1-car-0.png",
                                        "task-7-annotation-3-by-1-tag-car.png",
                                        "task-7-annotation-3-by-1.png",
                                        "task-7-annotation-3.png",
                                        "task-x-annotation-3-by-1-tag-car-0.png",
                                        "task-7-annotation--3-by-1-tag-c-0.png",
                                        "task-1234567890123456789-annotation-3-by-1-tag-c-0.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) mask(names[i], 255, 0, 0, 0);
    options.format = ICSEG_IMPORT_LABEL_STUDIO;
    test_import_refuses(&options, "no images with labels (read as label-studio)");
}

static void a_lack_of_memory_is_an_error(void **state) {
    (void)state;
    enum { MOST = 20000 };
    icseg_error error;
    test_import_image(&folder, "images/a.png", 4, 2);
    for (int png = 0; png < 2; png++) {
        if (png)
            test_write_png(&folder, "task-5-annotation-3-by-1-tag-car-0.png", TEST_PNG_GREY, 8, 4, 2,
                           (uint16_t[]){1, 0, 0, 0, 0, 0, 0, 0});
        else
            test_write_text(&folder, "export.json", "[" MIN("a.png", "5", "2024", LEFT("polygonlabels", "road")) "]");
        int64_t n = 0;
        for (; n < MOST; n++) {
            icseg_memory_fail_after(n);
            icseg_status status = icseg_import_run(&options, NULL, NULL, &error);
            icseg_memory_fail_after(-1);
            if (status == ICSEG_OK) break;
            if (status != ICSEG_ERROR_MEMORY) fail_msg("%s", error.message);
        }
        assert_true(n > 20 && n < MOST);
        test_import_remove(out);
    }
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        CASE(json_min_has_an_element_for_each_annotation),
        CASE(damaged_json_min_is_refused),
        CASE(masks_belong_to_the_images_of_a_json_export),
        CASE(without_it_images_are_called_by_the_number_of_their_task),
        CASE(damaged_png_exports_are_refused),
        CASE(a_lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * COCO files as streams: sections in any order, values of any size, positions of errors, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "importers/json_stream.h"
#include "options/memory.h"
#include "support/import_files.h"

#define FILE_NAME "annotations/instances_train.json"

static test_folder folder;
static char out[128];
static icseg_import_options options;

static int open_folder(void **state) {
    (void)state;
    folder = test_import_folders("annotations", "images");
    options = test_import_options(&folder, out);
    options.format = ICSEG_IMPORT_COCO;
    test_import_image(&folder, "images/a.png", 5, 4);
    test_import_image(&folder, "images/b.png", 5, 4);
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

static const char images[] = "\"images\": [{\"id\": 7, \"file_name\": \"a.png\", \"width\": 5, \"height\": 4},"
                             "{\"height\": 4, \"width\": 5, \"file_name\": \"b.png\", \"id\": -3}]";
static const char categories[] = "\"categories\": [{\"id\": 9, \"name\": \"cat\"}, {\"id\": 3, \"name\": \"dog\"}]";
static const char annotations[] =
    "\"annotations\": [{\"image_id\": 7, \"category_id\": 3, \"segmentation\": [[0, 2, 1, 2, 1, 4, 0, 4]]},"
    "{\"segmentation\": [[0, 0, 5, 0, 5, 1, 0, 1]], \"category_id\": 9, \"image_id\": -3},"
    "{\"image_id\": 7, \"category_id\": 9, \"segmentation\": [[1, 0, 3, 0, 3, 4, 1, 4]]}]";

static void sections_may_be_in_any_order(void **state) {
    (void)state;
    static const char other[] =
        "\"info\": {\"a\": [1, \"]}\\\"\", {\"images\": []}], \"b\": null}, \"licenses\": 3.5e2";
    const char *const sections[] = {images, annotations, categories, other};
    for (int order = 0; order < 256; order++) {
        int at[4] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6};
        if ((1 << at[0] | 1 << at[1] | 1 << at[2] | 1 << at[3]) != 15) continue;
        char text[2048];
        snprintf(text, sizeof text, "\xef\xbb\xbf \t{%s ,\r\n%s,%s, %s }\n", sections[at[0]], sections[at[1]],
                 sections[at[2]], sections[at[3]]);
        test_write_text(&folder, FILE_NAME, text);
        test_imports(&options, ICSEG_IMPORT_COCO, 2);
        test_import_has(out, "train", "background dog cat", 0, "02200 02200 12200 12200");
        test_import_has(out, "train", "background dog cat", 1, "22222 00000 00000 00000");
        test_import_remove(out);
    }
}

/* ---- panoptic ---- */

static const char panoptic[] =
    "\"annotations\": [{\"image_id\": -3, \"file_name\": \"b.png\", \"segments_info\": []}, {\"image_id\": 7, "
    "\"file_name\": \"a.png\", \"segments_info\": [{\"id\": 3226, \"category_id\": 9, \"iscrowd\": 0}, "
    "{\"id\": 8421504, \"category_id\": 3, \"iscrowd\": 1}]}]";

static void write_panoptic(const char *text) {
    char whole[2048];
    snprintf(whole, sizeof whole, "{%s, %s, %s}", images, categories, text);
    test_write_text(&folder, "annotations/panoptic_val.json", whole);
}

/* Each value is the number of a segment. */
static void write_segments(const char *name, const int *numbers) {
    icseg_image image;
    assert_int_equal(icseg_image_create(&image, 5, 4, NULL), ICSEG_OK);
    for (int i = 0; i < 20; i++)
        for (int c = 0; c < 3; c++) image.data[3 * i + c] = (uint8_t)(numbers[i] >> 8 * c);
    assert_int_equal(icseg_image_write_png(&image, test_path(&folder, name), NULL), ICSEG_OK);
    icseg_image_close(&image);
}

/* 3226 is 154, 12, 0, and 8421504 is 128, 128, 128. */
static const int segments[20] = {3226, 3226, 3226, 3226, 3226, 0,       0,       8421504, 8421504, 8421504,
                                 3226, 0,    0,    0,    0,    8421504, 8421504, 8421504, 8421504, 3226};
static const int nothing[20] = {0};

static void panoptic_files_are_read_with_their_pngs(void **state) {
    (void)state;
    options.format = ICSEG_IMPORT_AUTO;
    write_panoptic(panoptic);
    test_import_refuses(&options, "/annotations/panoptic_val");
    test_import_refuses(&options, "with the segments of an image is missing; expected it in the folder ");
    for (int place = 0; place < 3; place++) {
        static const char *const folders[] = {"annotations/panoptic_val", "annotations", "panoptic_val"};
        char name[64];
        assert_int_equal(icseg_folder_create(test_path(&folder, folders[place]), NULL), ICSEG_OK);
        snprintf(name, sizeof name, "%s/a.png", folders[place]);
        write_segments(name, segments);
        snprintf(name, sizeof name, "%s/b.png", folders[place]);
        write_segments(name, nothing);
        icseg_import_summary s = test_imports(&options, ICSEG_IMPORT_COCO, 2);
        assert_true(s.objects == 2 && s.classes == 2 && s.images_without_objects == 1 && s.unused_files == 0);
        test_import_has(out, "val", "dog cat", 0, "11111 ..000 1.... 00001"); /* category 3 comes before 9 */
        test_import_has(out, "val", "dog cat", 1, "..... ..... ..... .....");
        test_import_remove(out);
        test_remove(&folder, name);
        snprintf(name, sizeof name, "%s/a.png", folders[place]);
        test_remove(&folder, name);
        if (place != 1) assert_int_equal(rmdir(test_path(&folder, folders[place])), 0);
    }
}

static void pixels_of_no_segment_become_the_class_that_the_caller_names(void **state) {
    (void)state;
    write_panoptic(panoptic);
    write_segments("annotations/a.png", segments);
    write_segments("annotations/b.png", nothing);
    options.background = "void";
    test_imports(&options, ICSEG_IMPORT_COCO, 2);
    test_import_has(out, "val", "void dog cat", 0, "22222 00111 20000 11112");
}

static void panoptic_files_that_are_wrong_are_refused(void **state) {
    (void)state;
#define PANOPTIC(segments)                                                                                             \
    "\"annotations\": [{\"image_id\": 7, \"file_name\": \"a.png\", \"segments_info\": [" segments "]}]"
    static const char *const bad[][2] = {
        {PANOPTIC("{\"id\": 3226, \"category_id\": 9}"),
         "has the number 8421504, which is not the \"id\" of a segment"},
        {PANOPTIC("{\"id\": 3226, \"category_id\": 9}, {\"id\": 3226, \"category_id\": 3}"),
         "annotations[0]: two segments have the \"id\" 3226"},
        {PANOPTIC("{\"id\": 3226, \"category_id\": 4}"), "\"category_id\" is not one of the categories"},
        {PANOPTIC("{\"id\": \"x\", \"category_id\": 9}"), "the \"id\" of a segment is not an integer"},
        {PANOPTIC("7"), "the \"id\" of a segment is not an integer"},
        {"\"annotations\": [{\"image_id\": 7, \"segments_info\": []}]", "expected a string \"file_name\""},
        {"\"annotations\": [{\"image_id\": 7, \"file_name\": \"../a.png\", \"segments_info\": []}]",
         "is missing; expected it in the folder"},
        {"\"annotations\": [{\"image_id\": 7, \"file_name\": \"a.png\", \"segments_info\": []}, "
         "{\"image_id\": 7, \"file_name\": \"a.png\", \"segments_info\": []}]",
         "annotations[1]: the image has another annotation with segments"},
    };
    write_segments("annotations/a.png", segments);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_panoptic(bad[i][0]);
        test_import_refuses(&options, bad[i][1]);
    }
    test_write_text(
        &folder, "annotations/panoptic_val.json",
        "{\"images\": [{\"id\": 7, \"file_name\": \"a.png\", \"width\": 5, \"height\": 4}, {\"id\": 7, "
        "\"file_name\": \"b.png\", \"width\": 5, \"height\": 4}], \"categories\": [{\"id\": 9, \"name\": "
        "\"cat\"}], " PANOPTIC("{\"id\": 3226, \"category_id\": 9}, {\"id\": 8421504, \"category_id\": 9}") "}");
    test_import_refuses(&options, "images[1]: another image has the same \"id\"");
    write_panoptic(panoptic);
    write_segments("annotations/b.png", nothing);
    test_write_jpeg(&folder, "annotations/a.png", 5, 4, 1);
    test_import_refuses(&options, "annotations/a.png: the segments must be a PNG file");
    test_import_image(&folder, "annotations/a.png", 4, 5);
    test_import_refuses(&options, "images[0]: labels of 4x5 pixels, but ");
}

static void invalid_json_is_reported_with_its_position(void **state) {
    (void)state;
    static const struct {
        const char *text, *piece;
    } bad[] = {
        {"", "not JSON: line 1, column 1: expected '{'"},
        {"\n x", "not JSON: line 2, column 2: expected '{'"},
        {"[{}]", "the JSON is not an object"},
        {"{\"images\": []\n \"annotations\": []}", "line 2, column 2: expected ',' or '}'"},
        {"{\"images\": [{} {}]}", "line 1, column 16: expected ',' or ']'"},
        {"{\"images\": [{},]}", "expected a value"},
        {"{\"images\": [,{}]}", "expected a value"},
        {"{\"images\": [],}", "expected a key in quotation marks"},
        {"{images: []}", "line 1, column 2: expected a key in quotation marks"},
        {"{\"images\" []}", "line 1, column 11: expected ':'"},
        {"{\"images\": [{}]", "expected ',' or '}'"},
        {"{\"images\": [\n{}, \n {\"id\": x}]}", "line 3, column "},
        {"{\"images\": [{\"id\": 1,\n\"id\": 2}]}", "duplicate object key"},
        {"{\"info\": [1, {2]}}", "line 1, column 16: the bracket does not match"},
        {"{\"info\": [1, {\"a\": [2}", "the bracket does not match"},
        {"{\"info\": [1, \"2\\\"", "the file ends within a value"},
        {"{\"images\": [], \"annotations\": [], \"categories\": []} {}", "expected the end of the file"},
        {"{\"images\": [], \"images\": []}", "\"images\" occurs twice"},
        {"{\"annotations\": [], \"images\": [], \"annotations\": 3}", "\"annotations\" occurs twice"},
        {"{\"images\": {}, \"annotations\": []}", "not a COCO file"},
        {"{\"images\": [], \"annotations\": [], \"categories\": {\"id\": 3}}", "categories: expected a list"},
        {"{\"images\": [], \"annotations\": [5], \"categories\": [{\"id\": 3, \"name\": \"a\"}]}",
         "annotations[0]: \"image_id\" is neither an integer nor a text"},
        {"{\"images\": [5], \"annotations\": [], \"categories\": [{\"id\": 3, \"name\": \"a\"}]}",
         "images[0]: expected an \"id\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_write_text(&folder, FILE_NAME, bad[i].text);
        test_import_refuses(&options, bad[i].piece);
    }
    static const char nul[] = "{\"images\": [{\"id\": 1, \0\"file_name\": 3}]}";
    assert_int_equal(icseg_file_write(test_path(&folder, FILE_NAME), nul, sizeof nul - 1, NULL), ICSEG_OK);
    test_import_refuses(&options, "not JSON: line 1");
}

/* Writes a file with `count` copies of the text in its section "info" or in its annotation. */
static void write_long(bool skipped, const char *piece, size_t count) {
    FILE *file = fopen(test_path(&folder, FILE_NAME), "w");
    assert_non_null(file);
    fprintf(file, "{\"%s\": [0", skipped ? "info" : "annotations\": [{\"image_id\": 7, \"category_id\": 9, \"extra");
    for (size_t i = 0; i < count; i++) fputs(piece, file);
    fprintf(file, "]%s, %s, %s%s%s}", skipped ? "" : "}]", images, categories, skipped ? ", " : "",
            skipped ? annotations : "");
    assert_int_equal(fclose(file), 0);
}

static void only_values_that_are_read_have_a_size_limit(void **state) {
    (void)state;
    enum { PIECES = ICSEG_JSON_VALUE_LIMIT / 16 + 1 };
    write_long(false, ", \"0123456789ab\"", PIECES);
    test_import_refuses(&options, "instances_train.json: line 1: a value has more than 16777216 bytes");
    write_long(true, ", \"0123456789ab\"", PIECES);
    test_imports(&options, ICSEG_IMPORT_COCO, 2);
    test_import_remove(out);
    for (int skipped = 0; skipped < 2; skipped++) {
        write_long(skipped, ", [", 100000);
        test_import_refuses(&options, "nested too deeply");
    }
}

/* 12 MB of small objects would take 900 MB if all were in memory at the same time. */
static void memory_does_not_grow_with_the_file(void **state) {
    (void)state;
    enum { ANNOTATIONS = 4000, LARGEST = 400 << 10 }; /* KB */
    FILE *file = fopen(test_path(&folder, FILE_NAME), "w");
    assert_non_null(file);
    fprintf(file, "{%s, %s, \"annotations\": [" TEST_COCO_ROW ",", images, categories);
    for (int i = 0; i < ANNOTATIONS; i++) {
        fprintf(file, "%s{\"image_id\": 7, \"category_id\": 9, \"extra\": [{}", i ? "," : "");
        for (int k = 0; k < 1000; k++) fputs(",{}", file);
        fputs("]}", file);
    }
    fputs("]}", file);
    assert_int_equal(fclose(file), 0);
    int status;
    struct rusage usage;
    pid_t child = fork();
    if (!child) _exit(icseg_import_run(&options, NULL, NULL, NULL) == ICSEG_OK ? 0 : 1);
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_int_equal(status, 0);
    /* The address sanitizer also keeps freed blocks, including those of earlier tests. */
    if (!ICSEG_EXACT_BLOCKS) assert_true(usage.ru_maxrss < LARGEST);
}

/* Readers of data sets do not see hidden folders, and the split ".." would be another folder. */
static void a_split_with_a_leading_dot_is_refused(void **state) {
    (void)state;
    static const char *const names[] = {"annotations/instances_.train.json", "annotations/instances_...json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[2048];
        snprintf(text, sizeof text, "{%s, %s, %s}", images, categories, annotations);
        test_write_text(&folder, names[i], text);
        test_import_refuses(&options, i ? "instances_...json: the file's name contains the split \"..\""
                                        : "instances_.train.json: the file's name contains the split \".train\"");
        icseg_import_options named = options;
        named.split = "val";
        test_imports(&named, ICSEG_IMPORT_COCO, 2);
        test_import_has(out, "val", "background dog cat", 0, "02200 02200 12200 12200");
        test_import_remove(out);
        assert_int_equal(unlink(test_path(&folder, names[i])), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sections_may_be_in_any_order, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(panoptic_files_are_read_with_their_pngs, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(pixels_of_no_segment_become_the_class_that_the_caller_names, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(panoptic_files_that_are_wrong_are_refused, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(invalid_json_is_reported_with_its_position, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(only_values_that_are_read_have_a_size_limit, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(memory_does_not_grow_with_the_file, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_split_with_a_leading_dot_is_refused, open_folder, close_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

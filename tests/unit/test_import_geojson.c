/* SPDX-License-Identifier: Apache-2.0
 * GeoJSON files as QuPath writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "support/import_files.h"

static test_folder folder;
static icseg_import_options options;
static char out[128];

static int open_folder(void **state) {
    (void)state;
    folder = test_import_folders("images", "more");
    options = test_import_options(&folder, out);
    test_import_image(&folder, "images/a.png", 4, 3);
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

static void put(const char *text) { test_write_text(&folder, "a.geojson", text); }

#define CLASS(name) "\"properties\": {\"objectType\": \"annotation\", \"classification\": {\"name\": \"" name "\"}}"
#define FEATURE(type, coordinates, name)                                                                               \
    "{\"type\": \"Feature\", \"id\": \"x\", \"geometry\": {\"type\": \"" type "\", \"coordinates\": " coordinates      \
    "}, " CLASS(name) "}"
#define COLLECTION(features) "{\"type\": \"FeatureCollection\", \"features\": [" features "]}"
#define FRAME                FEATURE("Polygon", "[[[0,0],[4,0],[4,3],[0,3],[0,0]], [[1,1],[3,1],[3,2],[1,2],[1,1]]]", "cell")
#define TWO_HOLES                                                                                                      \
    FEATURE("Polygon", "[[[0,0],[4,0],[4,3],[0,3]], [[1,1],[2,1],[2,2],[1,2]], [[3,0],[4,0],[4,1],[3,1]]]", "a")
#define PIECES FEATURE("MultiPolygon", "[[[[1,1],[2,1],[2,2],[1,2]]], [[[3,2,7.5],[4,2,1],[4,3,1],[3,3,1]]]]", "b")
#define POINT  FEATURE("Point", "[1,1]", "b")

static void polygons_have_holes_and_several_parts(void **state) {
    (void)state;
    put(COLLECTION(FRAME "," PIECES "," POINT));
    icseg_import_summary s = test_imports(&options, ICSEG_IMPORT_GEOJSON, 1);
    assert_true(s.objects == 2 && s.skipped == 1);
    test_import_has(out, "train", "background cell b", 0, "1111 1201 1112");
    test_import_remove(out);
    put("{\"crs\": null, \"features\": [" TWO_HOLES "]}");
    test_imports(&options, ICSEG_IMPORT_GEOJSON, 1);
    test_import_has(out, "train", "background a", 0, "1110 1011 1111");
}

/* QuPath's classes "Ignore*", "Region*" and the like. */
static void classes_with_a_star_are_unlabelled_unless_they_are_wanted(void **state) {
    (void)state;
    char classes[128];
    put(COLLECTION(FRAME "," FEATURE("Polygon", "[[[0,0],[2,0],[2,1],[0,1]]]",
                                     "Ignore*") "," FEATURE("Polygon", "[[[3,2],[4,2],[4,3],[3,3]]]", "Region*")));
    icseg_import_summary s = test_imports(&options, ICSEG_IMPORT_GEOJSON, 1);
    assert_true(s.objects == 3 && s.classes == 2);
    test_import_has(out, "train", "background cell", 0, "..11 1001 111.");
    test_import_remove(out);
    test_write_text(&folder, "list.txt", "background\ncell\nIgnore*\nRegion*\n");
    snprintf(classes, sizeof classes, "%s/list.txt", folder.path);
    options.classes_file = classes;
    test_imports(&options, ICSEG_IMPORT_GEOJSON, 1);
    test_import_has(out, "train", "background cell Ignore* Region*", 0, "2211 1001 1113");
}

static void the_root_may_be_a_list_and_the_source_one_file(void **state) {
    (void)state;
    char file[128];
    put("\n [" FRAME "]");
    snprintf(file, sizeof file, "%s/a.geojson", folder.path);
    options.source = file;
    test_imports(&options, ICSEG_IMPORT_GEOJSON, 1);
    test_import_has(out, "train", "background cell", 0, "1111 1001 1111");
}

static void images_are_found_by_the_names_of_files(void **state) {
    (void)state;
    char images[128];
    test_import_image(&folder, "images/b.png", 4, 3);
    assert_int_equal(icseg_folder_create(test_path(&folder, "images/more"), NULL), ICSEG_OK);
    test_import_image(&folder, "images/more/a.png", 4, 3);
    put("\xef\xbb\xbf" COLLECTION(FRAME));
    test_write_text(&folder, "b.png.geojson", COLLECTION(FRAME));
    test_write_text(&folder, "more/a.geojson", COLLECTION(PIECES));
    snprintf(images, sizeof images, "%s/images", folder.path);
    options.image_folder = images;
    test_imports(&options, ICSEG_IMPORT_GEOJSON, 3);
    test_import_has(out, "train", "background cell b", 1, "1111 1001 1111"); /* b.png */
    test_import_has(out, "train", "background cell b", 2, "0000 0200 0002"); /* more_a.png */
}

static void a_hostile_file_is_refused_in_one_line(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"", "a.geojson: not JSON"},
        {"{", "not JSON"},
        {"[", "not JSON"},
        {"7", "not JSON"},
        {"{}", "not a GeoJSON FeatureCollection; expected a list of \"features\""},
        {"{\"features\": {}}", "not a GeoJSON FeatureCollection"},
        {"[7]", "features[0]: expected a \"geometry\""},
        {COLLECTION("null"), "features[0]: expected a \"geometry\""},
        {COLLECTION(FRAME ", {\"geometry\": null}"), "features[1]: expected a \"geometry\""},
        {COLLECTION(FEATURE("Circle", "[]", "a")), "the geometry \"Circle\" is not supported"},
        {COLLECTION(FEATURE("Polygon", "7", "a")), "a polygon must be a list of rings"},
        {COLLECTION(FEATURE("Polygon", "[7]", "a")), "a ring must be a list of positions"},
        {COLLECTION(FEATURE("Polygon", "[[]]", "a")), "a ring must be a list of positions"},
        {COLLECTION(FEATURE("Polygon", "[[7]]", "a")), "a position must be a list of x and y"},
        {COLLECTION(FEATURE("Polygon", "[[[1]]]", "a")), "a position must be a list of x and y"},
        {COLLECTION(FEATURE("Polygon", "[[[1,\"2\"]]]", "a")), "features[0]: "},
        {COLLECTION(FEATURE("Polygon", "[[[1,1e300]]]", "a")), "features[0]: "},
        {COLLECTION(FEATURE("Polygon", "[[[1,NaN]]]", "a")), "not JSON"},
        {COLLECTION(FEATURE("MultiPolygon", "{}", "a")), "a MultiPolygon must be a list of polygons"},
        {COLLECTION("{\"geometry\": {\"type\": \"Polygon\", \"coordinates\": [[[0,0],[9,0],[9,9]]]}}"),
         "an object must have a class (properties.classification.name)"},
        {COLLECTION(FEATURE("Polygon", "[[[0,0],[9,0],[9,9]]]", "\\u0001")), "cannot be a class name"},
        {COLLECTION(FRAME) "]", "not JSON"},
        {"{\"crs\": {\"type\": \"name\"}, \"features\": [" FRAME "]}",
         "the key \"crs\" says that coordinates are places"},
        {"{\"features\": [" FRAME "], \"crs\": 7}", "the key \"crs\" says that coordinates are places"},
        {COLLECTION(FEATURE("Polygon", "[[[-0.1,51.5],[-0.09,51.5],[-0.09,51.6]]]", "a")),
         "the only image does not have an object (read as geojson), because the outlines, the first of them in "},
        {COLLECTION(POINT),
         "the only image does not have an object with an outline (read as geojson); skipped: 1 point;"},
    };
    options.format = ICSEG_IMPORT_GEOJSON;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(bad[i][0]);
        test_import_refuses(&options, bad[i][1]);
    }
    put(COLLECTION(FRAME));
    test_remove(&folder, "images/a.png");
    test_import_refuses(&options, "a.geojson: the image with this name is missing; specify the folder of the images");
}

static void a_file_that_is_cut_short_is_refused(void **state) {
    (void)state;
    static const char text[] = COLLECTION(FRAME "," PIECES);
    char cut[sizeof text];
    options.format = ICSEG_IMPORT_GEOJSON;
    for (size_t size = 0; size + 1 < sizeof text; size += 7) {
        memcpy(cut, text, size);
        cut[size] = '\0';
        put(cut);
        test_import_refuses(&options, "a.geojson: ");
    }
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        TEST(polygons_have_holes_and_several_parts),
        TEST(classes_with_a_star_are_unlabelled_unless_they_are_wanted),
        TEST(the_root_may_be_a_list_and_the_source_one_file),
        TEST(images_are_found_by_the_names_of_files),
        TEST(a_hostile_file_is_refused_in_one_line),
        TEST(a_file_that_is_cut_short_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

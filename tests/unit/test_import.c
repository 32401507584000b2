/* SPDX-License-Identifier: Apache-2.0
 * Importing files of labelling tools: the fill rule against point-in-polygon, each format in miniature, invalid files.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "importers/raster.h"
#include "icseg/dataset.h"
#include "icseg/import.h"
#include "support/import_files.h"
#include "support/locale.h"

/* ---- the fill rule ---- */

/* Even-odd for one point, edge by edge, with the half-open rule of raster.h. */
static bool inside(const double *xy, size_t count, double x, double y) {
    bool in = false;
    for (size_t i = 0; i < count; i++) {
        const double *a = xy + 2 * i, *b = xy + 2 * ((i + 1) % count);
        if ((a[1] <= y) == (b[1] <= y)) continue;
        const double *high = a[1] < b[1] ? a : b, *low = a[1] < b[1] ? b : a;
        if (x >= high[0] + (y - high[1]) * ((low[0] - high[0]) / (low[1] - high[1]))) in = !in;
    }
    return in;
}

static void polygons_fill_the_pixels_whose_centres_are_inside(void **state) {
    (void)state;
    enum { W = 23, H = 17 };
    icseg_region r;
    uint64_t seed = 12345;
    assert_int_equal(icseg_region_open(&r, W, H, NULL), ICSEG_OK);
    for (int round = 0; round < 3000; round++) {
        double xy[24];
        size_t count = 3 + (size_t)round % 10;
        for (size_t i = 0; i < 2 * count; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            xy[i] = (double)(seed >> 40) / (1 << 24) * 60 - 20;
            if (round % 3 == 0) xy[i] = floor(xy[i] * 2) / 2; /* corners on centres and between pixels */
        }
        icseg_region_clear(&r);
        icseg_region_add_polygon(&r, xy, count);
        int64_t pixels = 0;
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                bool in = inside(xy, count, x + 0.5, y + 0.5);
                if (r.inside[y * W + x] != in) fail_msg("round %d: pixel %d,%d", round, x, y);
                pixels += in;
            }
        assert_int_equal(icseg_region_count(&r), pixels);
    }
    icseg_region_clear(&r);
    for (int i = 0; i < W * H; i++) assert_int_equal(r.inside[i], 0);
    icseg_region_close(&r);
}

static void edges_belong_to_one_side_and_outlines_are_clipped(void **state) {
    (void)state;
    icseg_region r;
    assert_int_equal(icseg_region_open(&r, 4, 3, NULL), ICSEG_OK);
    icseg_region_add_polygon(&r, (const double[]){0.5, 0.5, 2.5, 0.5, 2.5, 2.5, 0.5, 2.5}, 4);
    assert_int_equal(icseg_region_count(&r), 4); /* centres 0.5 and 1.5, not 2.5 */
    assert_true(r.inside[0] && r.inside[1] && r.inside[4] && r.inside[5] && !r.inside[2] && !r.inside[8]);
    icseg_region_clear(&r);
    icseg_region_add_polygon(&r, (const double[]){-1e9, -1e9, 1e9, -1e9, 1e9, 1e9, -1e9, 1e9}, 4);
    assert_int_equal(icseg_region_count(&r), 12);
    icseg_region_clear(&r);
    icseg_region_add_polygon(&r, (const double[]){10, 10, 20, 10, 20, 20}, 3);
    icseg_region_add_polygon(&r, (const double[]){0, 0, 4, 3}, 2);
    icseg_region_add_circle(&r, -9, 1, 3);
    assert_int_equal(icseg_region_count(&r), 0);
    icseg_region_add_circle(&r, 2, 1.5, 1);
    assert_int_equal(icseg_region_count(&r),
                     2); /* the centres of row 1 at 1.5 and 2.5; those of rows 0, 2 are 1.1 off */
    icseg_region_close(&r);
}

/* ---- importing ---- */

typedef struct problem_list {
    int count;
    char lines[16][1024];
} problem_list;

static void note_problem(void *user, const icseg_error *problem) {
    problem_list *l = user;
    assert_true(l->count < 16);
    snprintf(l->lines[l->count++], sizeof l->lines[0], "%s", problem->message);
}

/* Checks the problems, in order, by a piece of each; the list of pieces ends with NULL. */
static void lists_problems(const icseg_import_options *o, const char *const *pieces) {
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error = {0};
    problem_list list = {0};
    icseg_import_options noting = *o;
    noting.on_problem = note_problem;
    noting.user = &list;
    assert_int_equal(icseg_import_run(&noting, NULL, &s, &error), ICSEG_ERROR_DATA);
    assert_int_equal(s.problems, list.count);
    for (int i = 0; i < list.count || pieces[i]; i++) {
        if (i == list.count) fail_msg("no problem with '%s'", pieces[i]);
        if (!pieces[i]) fail_msg("more than was expected: %s", list.lines[i]);
        if (!strstr(list.lines[i], pieces[i])) fail_msg("'%s' is not in: %s", pieces[i], list.lines[i]);
    }
    assert_int_equal(strncmp(error.message, list.lines[0], strlen(list.lines[0])), 0);
    assert_false(icseg_folder_exists(o->folder));
}
#define lists(O, ...) lists_problems(O, (const char *const[]){__VA_ARGS__, NULL})

static void small_coco_objects_are_drawn_over_large_ones(void **state) {
    (void)state;
    test_folder f = test_import_folders("annotations", "images/train");
    char out[128];
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "images/train/a.png", 5, 4);
    /* 20 pixels, down the columns: runs 2 3 5 2 8, unpacked and packed; the small polygon is first, yet on top */
    static const char *const counts[] = {"[2, 3, 5, 2, 8]", "\"235O3\""};
    for (int i = 0; i < 2; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 TEST_COCO_HEAD "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": [[0, 2, 1, 2, 1, 4, 0, 4]]},"
                                "{\"image_id\": 7, \"category_id\": 9, \"iscrowd\": 1, "
                                "\"segmentation\": {\"size\": [4, 5], \"counts\": %s}},"
                                "{\"image_id\": 7, \"category_id\": 9, \"segmentation\": []}]}",
                 counts[i]);
        test_write_text(&f, "annotations/instances_train.json", text);
        test_imports(&o, ICSEG_IMPORT_COCO, 1);
        test_import_has(out, "train", "background dog cat", 0, "02000 00000 10200 10200");
        test_import_remove(out);
    }
    o.background = "";
    test_imports(&o, ICSEG_IMPORT_COCO, 1);
    test_import_has(out, "train", "dog cat", 0, ".1... ..... 0.1.. 0.1..");
    test_import_remove(out);
    char classes[128];
    snprintf(classes, sizeof classes, "%s", test_path(&f, "list.txt"));
    test_write_text(&f, "list.txt", "cat\nbird\ndog\n");
    o.classes_file = classes;
    test_imports(&o, ICSEG_IMPORT_COCO, 1);
    test_import_has(out, "train", "cat bird dog", 0, ".0... ..... 2.0.. 2.0..");
    test_import_remove(out);
    test_write_text(&f, "list.txt", "cat\nbird\n");
    test_import_refuses(&o, "the class \"dog\" is not in");
    test_dataset_close(&f);
}

static void a_single_coco_file_and_roboflows_folders_are_found(void **state) {
    (void)state;
    char out[128], file[128];
    test_folder f = test_import_folders("train", "valid");
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "train/a.png", 5, 4);
    test_import_image(&f, "valid/a.png", 5, 4);
    test_write_text(&f, "train/_annotations.coco.json", TEST_COCO_HEAD TEST_COCO_ROW "]}");
    test_write_text(&f, "valid/_annotations.coco.json", TEST_COCO_HEAD TEST_COCO_ROW "]}");
    test_imports(&o, ICSEG_IMPORT_COCO, 2);
    test_import_has(out, "val", "background dog cat", 0, "22222 00000 00000 00000");
    test_import_remove(out);
    snprintf(file, sizeof file, "%s/train/_annotations.coco.json", f.path);
    o.source = file;
    o.split = "mine";
    test_imports(&o, ICSEG_IMPORT_COCO, 1);
    test_import_has(out, "mine", "background dog cat", 0, "22222 00000 00000 00000");
    test_dataset_close(&f);
}

static void coco_files_keep_their_splits_unless_the_caller_merges_them(void **state) {
    (void)state;
    test_folder f = test_import_folders("annotations", "images/train", "images/val");
    char out[128], name[48];
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "images/train/a.png", 5, 4);
    test_import_image(&f, "images/val/a.png", 5, 4);
    test_write_text(&f, "annotations/instances_train.json", TEST_COCO_HEAD TEST_COCO_ROW "]}");
    test_write_text(&f, "annotations/instances_val.json", TEST_COCO_HEAD TEST_COCO_ROW "]}");
    o.split = "mine"; /* for sources without splits */
    o.val_share = 0.5;
    icseg_import_summary s = test_imports(&o, ICSEG_IMPORT_COCO, 2);
    assert_true(s.split_unused && s.val_share_unused);
    test_import_has(out, "train", "background dog cat", 0, "22222 00000 00000 00000");
    test_import_has(out, "val", "background dog cat", 0, "22222 00000 00000 00000");
    test_import_remove(out);
    test_remove(&f, "annotations/instances_val.json");
    s = test_imports(&o, ICSEG_IMPORT_COCO, 1);
    assert_false(s.split_unused || s.val_share_unused);
    test_import_has(out, "mine", "background dog cat", 0, "22222 00000 00000 00000");
    test_import_remove(out);
    test_remove(&f, "annotations/instances_train.json");
    test_import_image(&f, "images/train/b.png", 5, 4);
    test_write_text(&f, "annotations/train.json", TEST_COCO_HEAD TEST_COCO_ROW "]}");
    test_write_text(&f, "annotations/more.json",
                    "{\"images\": [{\"id\": 7, \"file_name\": \"train/b.png\", \"width\": 5, \"height\": 4}],"
                    "\"categories\": [{\"id\": 9, \"name\": \"cat\"}, {\"id\": 3, \"name\": \"dog\"}],"
                    "\"annotations\": []}");
    s = test_imports(&o, ICSEG_IMPORT_COCO, 2);
    assert_false(s.split_unused || s.val_share_unused);
    test_import_has(out, "mine", "background dog cat", 0, "00000 00000 00000 00000");
    test_import_has(out, "val", "background dog cat", 0, "22222 00000 00000 00000");
    test_import_remove(out);
    test_import_image(&f, "images/a.png", 5, 4);
    test_write_text(&f, "annotations/instances.json", TEST_COCO_HEAD TEST_COCO_ROW "]}");
    test_write_text(&f, "annotations/instances_val.json", TEST_COCO_HEAD TEST_COCO_ROW "]}");
    s = test_imports(&o, ICSEG_IMPORT_COCO, 2); /* and one that contains its split */
    assert_true(!s.split_unused && s.val_share_unused);
    test_import_has(out, "mine", "background dog cat", 0, "22222 00000 00000 00000");
    test_import_remove(out);
    test_remove(&f, "annotations/instances.json");
    test_remove(&f, "annotations/instances_val.json");
    o.split = NULL;
    test_import_refuses(&o, "train.json would both be the split train; rename them to instances_SPLIT.json");
    for (int i = 0; i < 65; i++) {
        snprintf(name, sizeof name, "annotations/instances_%d.json", i);
        test_write_text(&f, name, TEST_COCO_HEAD TEST_COCO_ROW "]}");
    }
    test_import_refuses(&o, "more than 64 COCO JSON files");
    test_dataset_close(&f);
}

static void invalid_coco_files_are_reported_in_one_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *piece;
    } bad[] = {
        {"[]", "not an object"},
        {"{\"categories\": 3}", "not a COCO file"},
        {"{\"images\": [], \"annotations\": [], \"categories\": []}", "categories: expected a list"},
        {TEST_COCO_HEAD "{\"image_id\": [7]}]}", "annotations[0]: \"image_id\" is neither an integer nor a text"},
        {TEST_COCO_HEAD "{\"image_id\": 7, \"category_id\": 4}]}", "annotations[0]: \"category_id\" is not one"},
        {TEST_COCO_HEAD "{\"image_id\": 8, \"category_id\": 3}]}", "\"image_id\" is not one of the images"},
        {TEST_COCO_HEAD "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": 5}]}", "neither polygons nor run"},
        {TEST_COCO_HEAD "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": [[1, 2, 3]]}]}", "x, y, x, y"},
        {TEST_COCO_HEAD "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": [[1, 2, 3, \"a\"]]}]}", "coordinate"},
        {TEST_COCO_HEAD "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": [[1, 2, 1e300, 4, 5, 6]]}]}",
         "coordinate"},
        {TEST_COCO_HEAD
         "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": {\"size\": [5, 4], \"counts\": [20]}}]}",
         "the \"size\" of the run lengths"},
        {TEST_COCO_HEAD
         "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": {\"size\": [4, 5], \"counts\": [21]}}]}",
         "do not add up"},
        {TEST_COCO_HEAD
         "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": {\"size\": [4, 5], \"counts\": [-1, 21]}}]}",
         "do not add up"},
        {TEST_COCO_HEAD "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": {\"size\": [4, 5], \"counts\": "
                        "\"oooooooooooooooooooooooooooo\"}}]}",
         "do not add up"},
        {"{\"images\": [{\"id\": 7, \"file_name\": \"/etc/passwd\", \"width\": 5, \"height\": 4}], \"annotations\": "
         "[], "
         "\"categories\": [{\"id\": 1, \"name\": \"a\"}]}",
         "is missing"},
        {"{\"images\": [{\"id\": 7, \"file_name\": \"a.png\", \"width\": 6, \"height\": 4}], \"annotations\": [], "
         "\"categories\": [{\"id\": 1, \"name\": \"a\"}]}",
         "labels of 6x4 pixels"},
        {"{\"images\": [{\"id\": 7, \"file_name\": \"a.png\", \"width\": 900000000, \"height\": 4}], \"annotations\": "
         "[], \"categories\": [{\"id\": 1, \"name\": \"a\"}]}",
         "not a valid image size"},
        {"{\"images\": [{\"id\": 7, \"file_name\": \"a.png\", \"width\": 5, \"height\": 4}, {\"id\": 8, \"file_name\": "
         "\"images/../a.png\", \"width\": 5, \"height\": 4}], \"annotations\": [], "
         "\"categories\": [{\"id\": 1, \"name\": \"a\\nb\"}]}",
         "cannot be a class name"},
        {"{\"images\": [], \"annotations\": [], \"categories\": [{\"id\": 1, \"name\": \"a\\u0001b\"}]}",
         "cannot be a class name"},
        {"{\"images\": [], \"annotations\": [], \"categories\": [{\"id\": 1, \"name\": \"\\u007f\"}]}",
         "cannot be a class name"},
        {TEST_COCO_HEAD, "not JSON: line 1"},
    };
    test_folder f = test_import_folders("annotations", "images");
    char out[128];
    icseg_import_options o = test_import_options(&f, out);
    o.format = ICSEG_IMPORT_COCO;
    test_import_image(&f, "images/a.png", 5, 4);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_write_text(&f, "annotations/instances_train.json", bad[i].text);
        test_import_refuses(&o, bad[i].piece);
    }
    char *deep = malloc(300000);
    memset(deep, '[', 299999);
    memcpy(deep, "{\"a\":", 5);
    deep[299999] = '\0';
    test_write_text(&f, "annotations/instances_train.json", deep);
    test_import_refuses(&o, "not JSON");
    free(deep);
    test_dataset_close(&f);
}

#define LABELME(shapes, tail)                                                                                          \
    "{\"shapes\": [" shapes "], \"imagePath\": \"..\\\\img\\\\a.png\", \"imageHeight\": 4, \"imageWidth\": 4" tail "}"

/* A grey PNG of 4 x 4 pixels. */
#define LABELME_IMAGE "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAAAAACMmsGiAAAADklEQVR4nGPgAgIGVAIABlQAoTkBXoYAAAAASUVORK5CYII="

static void labelme_shapes_are_drawn(void **state) {
    (void)state;
    test_folder f = test_import_folders("none");
    char out[128];
    icseg_import_options o = test_import_options(&f, out);
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error = {0};
    test_import_image(&f, "a.png", 4, 4);
    test_write_text(
        &f, "a.json",
        LABELME("{\"label\": \"b\", \"points\": [[4, 4], [0, 2]], \"shape_type\": \"rectangle\"},"
                "{\"label\": \"a\", \"points\": [[3, 1], [4, 1]], \"shape_type\": \"circle\"},"
                "{\"label\": \"__ignore__\", \"points\": [[0, 0], [1, 0], [1, 1], [0, 1]]},"
                "{\"label\": \"a\", \"points\": [[0, 2], [2, 4]], \"shape_type\": \"mask\", \"mask\": "
                "\"iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGP4z8Dw/z8AB/4C/le5yskAAAAASUVORK5"
                "CYII=\"},"
                "{\"label\": \"a\", \"points\": [[1, 1]], \"shape_type\": \"point\"}",
                ""));
    if (icseg_import_run(&o, NULL, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_true(s.format == ICSEG_IMPORT_LABELME && s.objects == 4 && s.skipped == 1 && s.classes == 3);
    test_import_has(out, "train", "background a b", 0, ".011 0011 1222 1122");
    test_import_remove(out);

    /* X-AnyLabeling */
    test_write_text(&f, "a.json",
                    LABELME("{\"label\": \"b\", \"points\": [[2, 0], [4, 2], [2, 4], [0, 2]], \"shape_type\": "
                            "\"rotation\", \"direction\": 0.7853981633974483},"
                            "{\"label\": \"a\", \"points\": [[0, 0], [1, 0], [1, 1], [0, 1]], \"shape_type\": "
                            "\"quadrilateral\"},"
                            "{\"label\": \"c\", \"points\": [[0, 0], [1, 0], [1, 1], [0, 1], [2, 2], [3, 2], [3, 3], "
                            "[2, 3]], \"shape_type\": \"cuboid\"}",
                            ""));
    s = test_imports(&o, ICSEG_IMPORT_LABELME, 1);
    assert_true(s.objects == 2 && s.skipped == 1);
    test_import_has(out, "train", "background a b", 0, "1200 2220 2220 0200");
    test_import_remove(out);

    test_remove(&f, "a.png"); /* then the embedded copy is used */
    test_import_refuses(&o, "its image");
    test_write_text(&f, "a.json",
                    LABELME("{\"label\": \"b\", \"points\": [[0, 0], [9, 0], [9, 1], [0, 1]]}",
                            ", \"imageData\": \"" LABELME_IMAGE "\""));
    test_imports(&o, ICSEG_IMPORT_LABELME, 1);
    test_import_has(out, "train", "background b", 0, "1111 0000 0000 0000");
    test_dataset_close(&f);
}

static void pixels_without_an_object_are_background_or_ignored(void **state) {
    (void)state;
    test_folder f = test_import_folders("lm");
    char out[128], lm[128], classes[128];
    icseg_import_options o = test_import_options(&f, out);
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error = {0};
    snprintf(lm, sizeof lm, "%s/lm", f.path);
    snprintf(classes, sizeof classes, "%s/list.txt", f.path);
    o.source = lm;
    test_import_image(&f, "lm/a.png", 4, 4);
    test_write_text(&f, "lm/a.json", LABELME("{\"label\": \"b\", \"points\": [[0, 0], [4, 0], [4, 1], [0, 1]]}", ""));
    for (int i = 0; i < 3; i++) { /* reported only if it differs from the request */
        static const char *const lists[] = {"b\nbackground\n", "b\n", "b\n"};
        test_write_text(&f, "list.txt", lists[i]);
        o.classes_file = classes;
        o.background = i < 2 ? "background" : "";
        if (icseg_import_run(&o, NULL, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(s.no_background, i == 1);
        test_import_has(out, "train", i ? "b" : "b background", 0, i ? "0000 .... .... ...." : "0000 1111 1111 1111");
        test_import_remove(out);
    }
    o.classes_file = NULL;
    test_write_text(&f, "lm/a.json", LABELME("", ""));
    assert_int_equal(icseg_import_run(&o, NULL, &s, &error), ICSEG_ERROR_DATA);
    test_import_refuses(&o, "/lm: no classes: the source labels nothing");
    test_dataset_close(&f);
}

static void invalid_labelme_files_are_reported_in_one_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *piece;
    } bad[] = {
        {"{\"shapes\": 1}", "expected a list of"},
        {LABELME("{\"label\": 1, \"points\": []}", ""), "shapes[0]: expected a string \"label\""},
        {LABELME("{\"label\": \"a\", \"points\": [1, 2]}", ""), "shapes[0]: a point must be"},
        {LABELME("{\"label\": \"a\", \"points\": [[1, null]]}", ""), "shapes[0]: a coordinate"},
        {LABELME("{\"label\": \"a\", \"points\": [[1, 1]], \"shape_type\": \"circle\"}", ""),
         "\"circle\" with 1 points"},
        {LABELME("{\"label\": \"a\", \"points\": [[1, 1]], \"shape_type\": \"blob\"}", ""), "\"blob\""},
        {LABELME("{\"label\": \"a\", \"points\": [[1, 1]], \"shape_type\": \"mask\", \"mask\": \"*\"}", ""), "base64"},
        {LABELME("{\"label\": \"a\", \"points\": [[1, 1]], \"shape_type\": \"mask\"}", ""), "a mask needs"},
        {LABELME("{\"label\": \" \", \"points\": []}", ""), "cannot be a class name"},
    };
    test_folder f = test_import_folders("none");
    char out[128];
    icseg_import_options o = test_import_options(&f, out);
    o.format = ICSEG_IMPORT_LABELME;
    test_import_image(&f, "a.png", 4, 4);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_write_text(&f, "a.json", bad[i].text);
        test_import_refuses(&o, bad[i].piece);
    }
    test_dataset_close(&f);
}

static void yolo_polygons_are_fractions_of_the_image(void **state) {
    (void)state;
    test_folder f = test_import_folders("images/train", "images/val", "labels/train", "labels/val");
    char out[128];
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "images/train/a.png", 4, 2);
    test_import_image(&f, "images/train/b.png", 4, 2);
    test_import_image(&f, "images/val/c.png", 4, 2);
    test_write_text(&f, "data.yaml",
                    "path: .\ntrain: images/train\nnc: 2\nnames:\n  0: car\n  1: bus\nextra: [a, {b: c}]\n");
    test_write_text(&f, "labels/train/a.txt", "1 0.5 0 1.0 0 1 1 0.5 1\r\n\n0 -1 0.5 0.25 0.5 0.25 1 -1 1\n");
    test_imports(&o, ICSEG_IMPORT_YOLO, 3);
    test_import_has(out, "train", "background car bus", 0, "0022 1022");
    test_import_has(out, "train", "background car bus", 1, "0000 0000");
    test_import_has(out, "val", "background car bus", 0, "0000 0000");
    test_import_remove(out);
    test_write_text(&f, "data.yaml", "names: [car, bus]\n");
    test_decimal_commas(); /* unlike the numbers in the files */
    test_imports(&o, ICSEG_IMPORT_YOLO, 3);
    test_decimal_points();
    test_import_has(out, "train", "background car bus", 0, "0022 1022");
    test_import_remove(out);

    test_write_text(&f, "labels/train/a.txt", "0 0 0 1 0 1 1\n2 0 0 1 0 1 1\n");
    test_import_refuses(&o, "a.txt: line 2: \"2\" is not a class number from 0 to 1 (");
    test_write_text(&f, "labels/train/a.txt", "0 0 0 1 0 1 nan\n");
    test_import_refuses(&o, "fraction of the image");
    test_write_text(&f, "labels/train/a.txt", "0 0 0 1 0 1\n");
    test_import_refuses(&o, "x y x y");
    test_write_text(&f, "data.yaml", "names: {1: car}\n");
    test_import_refuses(&o, "expected the number 0");
    test_write_text(&f, "data.yaml", "names: 3\n");
    test_import_refuses(&o, "\"names\" must be a list");
    test_write_text(&f, "data.yaml", "nothing: {names: [a]}\n");
    test_import_refuses(&o, "no class names");
    char *many = malloc(16385 * 9 + 10), *p = many + sprintf(many, "names:\n");
    for (int i = 0; i < 16385; i++) p += sprintf(p, "- n%05d\n", i);
    test_write_text(&f, "data.yaml", many);
    free(many);
    test_import_refuses(&o, "data.yaml: names: more than 16384 classes");
    test_dataset_close(&f);
}

static void voc_indices_and_colours_are_read(void **state) {
    (void)state;
    test_folder f = test_import_folders("SegmentationClass", "JPEGImages", "ImageSets/Segmentation");
    char out[128];
    icseg_import_options o = test_import_options(&f, out);
    test_write_jpeg(&f, "JPEGImages/2007_1.jpg", 4, 1, 0);
    test_write_jpeg(&f, "JPEGImages/2007_2.jpg", 4, 1, 0);
    test_write_png(&f, "SegmentationClass/2007_1.png", TEST_PNG_PALETTE, 8, 4, 1, (const uint16_t[]){0, 1, 5, 255});
    test_write_png(&f, "SegmentationClass/2007_2.png", TEST_PNG_RGB, 8, 4, 1, /* aeroplane, bicycle, void, bird */
                   (const uint16_t[]){128, 0, 0, 0, 128, 0, 224, 224, 192, 128, 128, 0});
    test_write_text(&f, "ImageSets/Segmentation/train.txt", "2007_1\n");
    test_write_text(&f, "ImageSets/Segmentation/val.txt", "2007_2 \r\n");
    test_write_text(&f, "ImageSets/Segmentation/trainval.txt", "2007_1\n2007_2\n");
    test_imports(&o, ICSEG_IMPORT_VOC, 2);
    const char *names = "background aeroplane bicycle bird boat bottle bus car cat chair cow dining table dog horse "
                        "motorbike person potted plant sheep sofa train tv/monitor";
    test_import_has(out, "train", names, 0, "015.");
    test_import_has(out, "val", names, 0, "12.3");
    test_import_remove(out);
    test_write_png(&f, "SegmentationClass/2007_2.png", TEST_PNG_RGB, 8, 4, 1,
                   (const uint16_t[]){128, 0, 0, 0, 128, 1, 224, 224, 192, 0, 128, 128});
    test_import_refuses(&o, "colour 0,128,1 at x=1, y=0");
    test_write_text(&f, "class_names.txt", "_background_\ncat\n");
    test_import_refuses(&o, "index 5 at x=2, y=0, but the list has 2 classes");
    test_write_text(&f, "ImageSets/Segmentation/train.txt", "../../secret\n");
    test_import_refuses(&o, "line 1 is not an image name");
    assert_int_equal(icseg_file_write(test_path(&f, "ImageSets/Segmentation/train.txt"), "2007_1\0\n", 8, NULL),
                     ICSEG_OK);
    test_import_refuses(&o, "train.txt: line 1 contains a NUL byte");
    test_dataset_close(&f);
}

static void cvats_colours_are_mapped_to_classes(void **state) {
    (void)state;
    test_folder f = test_import_folders("SegmentationClass", "ImageSets/Segmentation", "photos");
    char out[128], photos[128];
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "photos/x.png", 3, 1);
    test_import_image(&f, "photos/y.png", 3, 1);
    test_write_text(&f, "labelmap.txt",
                    "# label:color_rgb:parts:actions\nbackground:0,0,0::\nwall: brick:10,20,30::\nroof:255,0,0::\n");
    test_write_text(&f, "ImageSets/Segmentation/default.txt", "x\ny\n");
    for (int i = 0; i < 2; i++)
        test_write_png(&f, i ? "SegmentationClass/y.png" : "SegmentationClass/x.png", TEST_PNG_RGB, 8, 3, 1,
                       (const uint16_t[]){255, 0, 0, 10, 20, 30, 0, 0, 0});
    test_import_refuses(&o, "its image is missing");
    snprintf(photos, sizeof photos, "%s/photos", f.path);
    o.image_folder = photos;
    assert_int_equal(icseg_folder_create(test_path(&f, "JPEGImages"), NULL), ICSEG_OK);
    test_import_image(&f, "JPEGImages/x.png", 7, 1); /* the caller's folder comes first */
    o.val_share = 0.5;
    test_imports(&o, ICSEG_IMPORT_CVAT, 2);
    test_import_has(out, "train", "background wall: brick roof", 0, "210");
    test_import_has(out, "val", "background wall: brick roof", 0, "210");
    test_import_remove(out);
    o.background = "";
    test_imports(&o, ICSEG_IMPORT_CVAT, 2);
    test_import_has(out, "train", "wall: brick roof", 0, "10.");
    test_import_remove(out);
    test_write_text(&f, "labelmap.txt", "roof:255,0,0::\n");
    test_import_refuses(&o, "colour 10,20,30 at x=1, y=0");
    test_write_text(&f, "labelmap.txt", "roof:255,0::\n");
    test_import_refuses(&o, "labelmap.txt: line 1:");
    test_dataset_close(&f);
}

static void unknown_files_and_wrong_calls_are_refused(void **state) {
    (void)state;
    test_folder f = test_import_folders("stuff");
    char out[128];
    icseg_import_options o = test_import_options(&f, out);
    test_import_refuses(&o, "does not contain files of a supported labelling tool");
    o.format = ICSEG_IMPORT_YOLO;
    test_import_refuses(&o, "no data.yaml");
    o.format = ICSEG_IMPORT_COCO;
    test_import_refuses(&o, "no COCO JSON");
    o.format = ICSEG_IMPORT_LABELME;
    test_import_refuses(&o, "no images with labels");
    o.val_share = 2;
    test_import_refuses(&o, "val_share");
    o.val_share = 0;
    o.split = "a/b";
    test_import_refuses(&o, "split");
    o.split = NULL;
    o.source = "/nowhere/at/all";
    test_import_refuses(&o, "no such file");
    o.source = f.path;
    o.folder = f.path;
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error;
    assert_int_equal(icseg_import_run(&o, NULL, &s, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "not empty"));
    test_dataset_close(&f);
}

static void every_problem_is_listed_and_nothing_is_written(void **state) {
    (void)state;
    test_folder f =
        test_import_folders("annotations", "images/train", "labels/train", "SegmentationClass", "JPEGImages", "lm");
    char out[128], lm[128];
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "images/train/a.png", 5, 4);
    test_import_image(&f, "images/train/b.png", 5, 4);
    test_write_text(&f, "images/train/c.jpg", "not an image");
    o.format = ICSEG_IMPORT_COCO;
    test_write_text(&f, "annotations/instances_train.json",
                    "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\", \"width\": 5, \"height\": 4},"
                    "{\"id\": 2, \"file_name\": \"lost.png\", \"width\": 5, \"height\": 4},"
                    "{\"id\": 3, \"file_name\": \"b.png\", \"width\": 4, \"height\": 5},"
                    "{\"id\": 4, \"file_name\": \"a.png\", \"width\": 5, \"height\": 4},"
                    "{\"id\": 5, \"file_name\": \"c.jpg\", \"width\": 5, \"height\": 4}],"
                    "\"categories\": [{\"id\": 9, \"name\": \"car\"}], \"annotations\": ["
                    "{\"image_id\": 1, \"category_id\": 8, \"segmentation\": []},"
                    "{\"image_id\": 1, \"category_id\": 9, \"segmentation\": [[0, 0, 1]]},"
                    "{\"image_id\": null, \"category_id\": 9},"
                    "{\"image_id\": 77, \"category_id\": 9},"
                    "{\"image_id\": 2, \"category_id\": 9, \"segmentation\": 1}]}");
    lists(&o, "annotations[2]: \"image_id\" is neither an integer nor a text",
          "annotations[0]: \"category_id\" is not one", "annotations[1]: a polygon must be a list",
          "the image \"lost.png\" is missing", "annotations[4]: \"segmentation\" is neither",
          "images[2]: labels of 4x5 pixels", "one file cannot serve two images",
          "c.jpg: ", "annotations[3]: \"image_id\" is not one of the images");
    o.format = ICSEG_IMPORT_YOLO;
    test_write_text(&f, "data.yaml", "names: [car]\n");
    test_write_text(&f, "labels/train/a.txt", "1 0 0 1 0 1 1\n0 0 0 1 0 1 1\r\n0 0.5 0.5 0.1 0.1\n");
    test_write_text(&f, "labels/train/b.txt", "0 a b c d e f\n");
    lists(&o, "a.txt: line 1: \"1\" is not a class", "b.txt: line 1: the coordinate \"a\"", "c.jpg: ");
    o.format = ICSEG_IMPORT_VOC;
    const uint16_t high[20] = {0, 1, 200}, wide[20] = {0};
    test_write_png(&f, "SegmentationClass/a.png", TEST_PNG_PALETTE, 8, 5, 4, high);
    test_write_png(&f, "SegmentationClass/b.png", TEST_PNG_PALETTE, 8, 4, 5, wide);
    test_write_png(&f, "SegmentationClass/d.png", TEST_PNG_PALETTE, 8, 4, 5, wide);
    test_import_image(&f, "JPEGImages/a.png", 5, 4);
    test_import_image(&f, "JPEGImages/b.png", 5, 4);
    lists(&o, "a.png: index 200 at x=2, y=0", "b.png: labels of 4x5 pixels", "d.png: its image is missing");
    o.format = ICSEG_IMPORT_LABELME;
    snprintf(lm, sizeof lm, "%s/lm", f.path);
    o.source = lm;
    test_import_image(&f, "lm/a.png", 5, 4);
    test_write_text(&f, "lm/a.json", "{\"shapes\": [{}, {\"label\": \"x\", \"points\": [[1]]}, 5]}");
    test_write_text(&f, "lm/b.json", "[]");
    test_write_text(&f, "lm/c.json", "{\"shapes\": [{\"label\": \"x\", \"points\": [[1, null]]}]}");
    lists(&o, "a.json: shapes[0]: expected a string", "a.json: shapes[1]: a point",
          "a.json: shapes[2]: expected a string", "c.json: its image", "c.json: shapes[0]: a coordinate");
    test_dataset_close(&f);
}

static void an_existing_empty_folder_is_used_and_kept_after_a_failure(void **state) {
    (void)state;
    test_folder f = test_import_folders("lm", "out");
    char out[128], lm[128];
    icseg_import_options o = test_import_options(&f, out);
    snprintf(lm, sizeof lm, "%s/lm", f.path);
    o.source = lm;
    test_import_image(&f, "lm/a.png", 5, 4);
    test_write_text(&f, "lm/a.json", "{\"shapes\": 3}");
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error;
    assert_int_equal(icseg_import_run(&o, NULL, &s, &error), ICSEG_ERROR_DATA);
    assert_true(icseg_folder_exists(out));
    test_write_text(&f, "lm/a.json", "{\"shapes\": [{\"label\": \"x\", \"points\": [[0, 0], [2, 0], [2, 9]]}]}");
    test_imports(&o, ICSEG_IMPORT_LABELME, 1); /* no hidden leftovers make it non-empty */
    test_import_has(out, "train", "background x", 0, "11000 11000 01000 01000");
    test_dataset_close(&f);
}

/* Truncates and damages the file in many places: the result is a data set or an error in one line. */
static void survives_damage(const icseg_import_options *o, const char *path) {
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 1 << 20, &data, &size, NULL), ICSEG_OK);
    for (size_t at = 0; at < 2 * size; at += 5) {
        icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
        icseg_error error = {0};
        unsigned char old = data[at % size];
        FILE *file = fopen(path, "wb");
        if (at >= size) data[at % size] = (unsigned char)("]}[{\"9-,"[at % 8]);
        assert_int_equal(fwrite(data, 1, at < size ? at : size, file), at < size ? at : size);
        fclose(file);
        data[at % size] = old;
        if (icseg_import_run(o, NULL, &s, &error) != ICSEG_OK)
            assert_true(error.message[0] && !strchr(error.message, '\n'));
        test_import_remove(o->folder);
    }
    icseg_free(data);
}

static void damaged_label_files_are_reported_in_one_line(void **state) {
    (void)state;
    test_folder f = test_import_folders("annotations", "images/train", "labels/train");
    char out[128], path[128];
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "images/train/a.png", 5, 4);
    test_write_text(&f, "annotations/instances_train.json",
                    TEST_COCO_HEAD
                    "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": [[0, 2, 1, 2, 1, 4]]}, {\"image_id\": "
                    "7, \"category_id\": 9, \"segmentation\": {\"size\": [4, 5], \"counts\": \"235O3\"}}]}");
    o.format = ICSEG_IMPORT_COCO;
    snprintf(path, sizeof path, "%s/annotations/instances_train.json", f.path);
    survives_damage(&o, path);
    test_write_text(&f, "data.yaml", "names:\n  0: car\n  1: bus\nextra: [a, {b: c}]\n");
    test_write_text(&f, "labels/train/a.txt", "1 0.5 0 1.0 0 1 1 0.5 1\n0 -1 0.5 0.25 0.5 0.25 1\n");
    o.format = ICSEG_IMPORT_YOLO;
    snprintf(path, sizeof path, "%s/data.yaml", f.path);
    survives_damage(&o, path);
    test_write_text(&f, "data.yaml", "names: [car, bus]\n");
    snprintf(path, sizeof path, "%s/labels/train/a.txt", f.path);
    survives_damage(&o, path);
    test_dataset_close(&f);
}

/* Makes every allocation fail in turn. */
static void survives_lack_of_memory(const icseg_import_options *o) {
    int failures = 0,
        fine = 0; /* successes in a row: a few allocations are optional, such as those of syncing a folder */
    for (int64_t n = 0; fine < 8; n++) {
        icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
        icseg_error error = {0};
        assert_true(n < 5000);
        icseg_memory_fail_after(n);
        icseg_status status = icseg_import_run(o, NULL, &s, &error);
        icseg_memory_fail_after(-1);
        test_import_remove(o->folder);
        fine = status == ICSEG_OK ? fine + 1 : 0;
        if (status == ICSEG_OK) continue;
        if (status != ICSEG_ERROR_MEMORY) fail_msg("allocation %d: %s", (int)n, error.message);
        assert_null(strstr(error.message, "0.0 MiB"));
        failures++;
    }
    assert_true(failures > 8);
}

static void every_failed_allocation_is_reported(void **state) {
    (void)state;
    test_folder f = test_import_folders("annotations", "images", "deep/lm");
    char out[128], lm[128];
    icseg_import_options o = test_import_options(&f, out);
    test_import_image(&f, "images/a.png", 5, 4);
    test_write_text(&f, "annotations/instances_train.json",
                    TEST_COCO_HEAD
                    "{\"image_id\": 7, \"category_id\": 3, \"segmentation\": [[0, 2, 1, 2, 1, 4, 0, 4]]}]}");
    o.format = ICSEG_IMPORT_COCO;
    survives_lack_of_memory(&o);
    test_write_text(&f, "deep/lm/a.json",
                    LABELME("{\"label\": \"a\", \"points\": [[0, 0], [1, 1]], "
                            "\"shape_type\": \"rectangle\"}",
                            ", \"imageData\": \"" LABELME_IMAGE "\""));
    snprintf(lm, sizeof lm, "%s/deep/lm", f.path);
    o.source = lm;
    o.format = ICSEG_IMPORT_LABELME;
    survives_lack_of_memory(&o);
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polygons_fill_the_pixels_whose_centres_are_inside),
        cmocka_unit_test(edges_belong_to_one_side_and_outlines_are_clipped),
        cmocka_unit_test(small_coco_objects_are_drawn_over_large_ones),
        cmocka_unit_test(a_single_coco_file_and_roboflows_folders_are_found),
        cmocka_unit_test(coco_files_keep_their_splits_unless_the_caller_merges_them),
        cmocka_unit_test(invalid_coco_files_are_reported_in_one_line),
        cmocka_unit_test(labelme_shapes_are_drawn),
        cmocka_unit_test(pixels_without_an_object_are_background_or_ignored),
        cmocka_unit_test(invalid_labelme_files_are_reported_in_one_line),
        cmocka_unit_test(yolo_polygons_are_fractions_of_the_image),
        cmocka_unit_test(voc_indices_and_colours_are_read),
        cmocka_unit_test(cvats_colours_are_mapped_to_classes),
        cmocka_unit_test(unknown_files_and_wrong_calls_are_refused),
        cmocka_unit_test(every_problem_is_listed_and_nothing_is_written),
        cmocka_unit_test(an_existing_empty_folder_is_used_and_kept_after_a_failure),
        cmocka_unit_test(damaged_label_files_are_reported_in_one_line),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * Exports as users have them: files that two images share, labels in several parts, files that are left over, wrong
 * types, other folders than usual. What is not imported is said. */
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
#include "support/zip_files.h"

static test_folder folder;
static icseg_import_options options;
static char out[128], said[4096];

static int open_folder(void **state) {
    (void)state;
    folder = test_import_folders(".");
    options = test_import_options(&folder, out);
    said[0] = '\0';
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

/* A new source in the same test. */
static void next(void **state) {
    close_folder(state);
    open_folder(state);
}

static void parent(const char *name) {
    char path[256];
    const char *slash = strrchr(name, '/');
    if (!slash) return;
    snprintf(path, sizeof path, "%.*s", (int)(slash - name), name);
    assert_int_equal(icseg_folder_create(test_path(&folder, path), NULL), ICSEG_OK);
}

/* 4 x 2 pixels. */
static void image(const char *name) {
    parent(name);
    test_import_image(&folder, name, 4, 2);
}

static void text(const char *name, const char *content) {
    parent(name);
    test_write_text(&folder, name, content);
}

/* A mask of 4 x 2 pixels, whose first values are given; the others are 0. */
static void mask(const char *name, test_png kind, int a, int b, int c) {
    const uint16_t values[8] = {(uint16_t)a, (uint16_t)b, (uint16_t)c};
    parent(name);
    test_write_png(&folder, name, kind, 8, 4, 2, values);
}

static void keep(void *user, icseg_message_level level, const char *message) {
    (void)user, (void)level;
    size_t used = strlen(said);
    assert_true(used + strlen(message) + 2 < sizeof said);
    strcat(strcpy(said + used, message), "\n");
}

static icseg_import_summary imports(icseg_import_format format, int64_t images) {
    const icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = keep};
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error = {0};
    said[0] = '\0';
    if (icseg_import_run(&options, &progress, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(s.format, format);
    assert_int_equal(s.images, images);
    return s;
}

static void says(const char *piece) {
    if (!strstr(said, piece)) fail_msg("'%s' is not in: %s", piece, said);
}

static void has(const char *split, const char *classes, int64_t index, const char *labels) {
    test_import_has(out, split, classes, index, labels);
}

#define refuses(piece) test_import_refuses(&options, piece)

/* ---- sources in miniature ---- */

#define COCO(images, categories, annotations)                                                                          \
    "{\"images\": [" images "], \"categories\": [" categories "], \"annotations\": [" annotations "]}"
#define COCO_IMAGE(id, name) "{\"id\": " id ", \"file_name\": \"" name "\", \"width\": 4, \"height\": 2}"
#define CAR                  "{\"id\": 1, \"name\": \"car\"}"
/* The upper row of the image. */
#define ROW(id) "{\"image_id\": " id ", \"category_id\": 1, \"segmentation\": [[0, 0, 4, 0, 4, 1, 0, 1]]}"

#define TASK(id, image, results)                                                                                       \
    "{\"id\": " id ", \"data\": {\"image\": \"" image "\"}, \"annotations\": [{\"result\": [" results "]}]}"
#define SIZE   "\"original_width\": 4, \"original_height\": 2, "
#define POINTS "\"points\": [[0, 0], [100, 0], [100, 50], [0, 50]]"
#define REGION "{" SIZE "\"type\": \"polygonlabels\", \"value\": {" POINTS ", \"polygonlabels\": [\"car\"]}}"

#define XML(images)                                                                                                    \
    "<annotations><meta><task><labels><label><name>car</name></label></labels></task></meta>" images "</annotations>"
#define XML_IMAGE(name, more)                                                                                          \
    "<image name=\"" name "\" width=\"4\" height=\"2\"" more "><polygon label=\"car\" points=\"0,0;4,0;4,1;0,1\"/>"    \
    "</image>"

#define LABELME(image, shapes)                                                                                         \
    "{\"shapes\": [" shapes "], \"imagePath\": \"" image "\", \"imageWidth\": 4, \"imageHeight\": 2}"
#define SHAPE "{\"label\": \"car\", \"points\": [[0, 0], [4, 0], [4, 1], [0, 1]]}"

#define META "{\"classes\": [{\"title\": \"car\"}]}"

/* ---- images ---- */

static void one_file_cannot_serve_two_images(void **state) {
    image("images/a.png");
    text("annotations/instances_default.json",
         COCO(COCO_IMAGE("1", "cam1/a.png") "," COCO_IMAGE("2", "cam2/a.png"), CAR, ROW("1")));
    refuses("images[1]: \"cam2/a.png\" is read from ");
    refuses("/images/a.png, and so is \"cam1/a.png\" of ");
    refuses("images[0]; one file cannot serve two images");
    test_remove(&folder, "annotations/instances_default.json");
    text("annotations/instances_train.json", COCO(COCO_IMAGE("1", "a.png"), CAR, ROW("1")));
    text("annotations/instances_val.json", COCO(COCO_IMAGE("1", "a.png"), CAR, ROW("1")));
    refuses("instances_val.json: images[0]: \"a.png\" is read from");
    next(state);
    image("images/a.png");
    text("export.json",
         "[" TASK("1", "/data/upload/1/01234567-a.png", REGION) "," TASK("2", "/data/upload/1/89abcdef-a.png", "") "]");
    refuses("task 2: \"89abcdef-a.png\" is read from");
    next(state);
    image("images/a.png");
    text("annotations.xml", XML(XML_IMAGE("cam1/a.png", "") XML_IMAGE("cam2/a.png", "")));
    refuses("\"cam2/a.png\" is read from");
    next(state);
    image("set/a.png");
    text("set/1.json", LABELME("a.png", SHAPE));
    text("set/2.json", LABELME("../set/a.png", SHAPE));
    refuses("2.json: \"set/2.json\" is read from");
    next(state);
    image("JPEGImages/a.png"); /* but one image may be in two lists */
    mask("SegmentationClass/a.png", TEST_PNG_PALETTE, 1, 0, 0);
    text("ImageSets/Segmentation/train.txt", "a\n");
    text("ImageSets/Segmentation/mini.txt", "a\n");
    imports(ICSEG_IMPORT_VOC, 2);
}

static void images_that_no_label_file_mentions_are_counted(void **state) {
    image("images/a.png");
    image("images/b.png");
    image("images/c.png");
    text("annotations/instances_train.json", COCO(COCO_IMAGE("1", "a.png"), CAR, ROW("1")));
    imports(ICSEG_IMPORT_COCO, 1);
    says("2 images that no label file mentions were left out, the first of them ");
    says("/images/b.png\n");
    next(state);
    image("a.png");
    image("b.png");
    text("a.json", LABELME("a.png", SHAPE));
    imports(ICSEG_IMPORT_LABELME, 1);
    says("1 image that no label file mentions was left out: ");
    next(state);
    text("meta.json", META);
    image("train/img/a.png");
    image("train/img/b.png");
    text("train/ann/a.png.json", "{\"size\": {\"width\": 4, \"height\": 2}, \"objects\": [{\"classTitle\": \"car\", "
                                 "\"geometryType\": \"polygon\", \"points\": {\"exterior\": "
                                 "[[0, 0], [4, 0], [4, 1], [0, 1]], \"interior\": []}}]}");
    imports(ICSEG_IMPORT_SUPERVISELY, 1);
    says("/train/img/b.png\n");
    next(state);
    image("images/a.png");
    image("images/b.png");
    text("annotations.xml", XML(XML_IMAGE("a.png", "")));
    imports(ICSEG_IMPORT_CVAT_XML, 1);
    says("was left out: ");
    next(state);
    image("JPEGImages/a.png");
    image("JPEGImages/b.png");
    mask("SegmentationClass/a.png", TEST_PNG_PALETTE, 1, 0, 0);
    imports(ICSEG_IMPORT_VOC, 1);
    says("/JPEGImages/b.png\n");
    next(state);
    image("7.png");
    mask("task-7-annotation-3-by-1-tag-car-0.png", TEST_PNG_GREY, 255, 0, 0); /* a mask, not an image */
    imports(ICSEG_IMPORT_LABEL_STUDIO, 1);
    assert_string_equal(said, "");
}

static void two_images_of_one_stem_are_refused(void **state) {
    (void)state;
    image("JPEGImages/a.png");
    image("JPEGImages/a.jpg");
    mask("SegmentationClass/a.png", TEST_PNG_PALETTE, 1, 0, 0);
    refuses("/JPEGImages/a.jpg and a.png differ only in the extension; remove one of them");
}

static void images_may_be_in_other_folders_than_their_names_say(void **state) {
    image("images/sub/a.png");
    text("annotations/instances_train.json", COCO(COCO_IMAGE("1", "sub\\\\a.png"), CAR, ROW("1")));
    imports(ICSEG_IMPORT_COCO, 1);
    assert_true(icseg_file_exists(test_path(&folder, "out/images/train/sub_a.png")));
    test_import_remove(out);
    image("batch/one/cam1/b.png");
    image("batch/two/cam2/b.png");
    image("images/b.png"); /* less of its name than the others */
    text("annotations/instances_train.json",
         COCO(COCO_IMAGE("1", "x/cam1/b.png") "," COCO_IMAGE("2", "x/cam2/b.png"), CAR, ROW("2")));
    imports(ICSEG_IMPORT_COCO, 2);
    has("train", "background car", 1, "1111 0000");
    test_import_remove(out);
    test_remove(&folder, "images/b.png");
    text("annotations/instances_train.json", COCO(COCO_IMAGE("1", "b.png"), CAR, ROW("1")));
    refuses(": \"b.png\" may be batch/one/cam1/b.png or batch/two/cam2/b.png; move the images");
    next(state);
    image("photos/deep/a.png");
    text("export.json", "[" TASK("1", "/data/upload/1/01234567-a.png", REGION) "]");
    imports(ICSEG_IMPORT_LABEL_STUDIO, 1);
}

/* ---- masks ---- */

static void masks_of_0_and_255_are_judged_together(void **state) {
    (void)state;
    image("images/a.png");
    image("images/b.png");
    mask("masks/a.png", TEST_PNG_GREY, 0, 255, 255);
    mask("masks/b.png", TEST_PNG_GREY, 0, 1, 255);
    text("classes.txt", "background\ncar\n");
    imports(ICSEG_IMPORT_MASKS, 2);
    has("train", "background car", 0, "0..0 0000");
    test_import_remove(out);
    mask("masks/b.png", TEST_PNG_GREY, 0, 255, 0);
    refuses("/masks/a.png: contains only 0 and 255, as all masks do, and 255 means unlabelled");
}

/* The check of the split, or of a side of it. */
static icseg_status checks(const char *split, double val_share, bool held_out, icseg_error *error) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = folder.path, .split = split,
                               .val_share = val_share, .held_out = held_out};
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    icseg_dataset *d;
    assert_int_equal(icseg_dataset_open(&d, &o, error), ICSEG_OK);
    icseg_status status = icseg_dataset_check(d, NULL, NULL, &s, error);
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);
    return status;
}

static void the_check_of_a_data_set_judges_them_alike(void **state) {
    (void)state;
    icseg_error error;
    image("images/train/a.png");
    image("images/train/b.png");
    image("images/val/c.png");
    mask("annotations/val/c.png", TEST_PNG_GREY, 0, 255, 0);
    text("classes.txt", "background\ncar\n");
    for (int i = 0; i < 2; i++) {
        mask("annotations/train/a.png", TEST_PNG_GREY, 0, 255, i);
        mask("annotations/train/b.png", TEST_PNG_GREY, 0, 255, 1 - i);
        assert_int_equal(checks("val", 0, false, &error), ICSEG_OK);
        assert_int_equal(checks("train", 0.5, false, &error), ICSEG_OK);
        assert_int_equal(checks("train", 0.5, true, &error), ICSEG_OK);
    }
    mask("annotations/train/a.png", TEST_PNG_GREY, 0, 255, 0);
    mask("annotations/train/b.png", TEST_PNG_GREY, 0, 255, 0);
    assert_int_equal(checks("val", 0, false, &error), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "the masks contain only 0 and 255"));
    assert_int_equal(checks("train", 0.5, true, &error), ICSEG_ERROR_DATA);
}

static void masks_that_no_list_names_are_counted(void **state) {
    for (int cvat = 0; cvat < 2; cvat++) {
        next(state);
        image("JPEGImages/a.png");
        if (cvat) text("labelmap.txt", "background:0,0,0::\ncar:1,1,1::\n");
        mask("SegmentationClass/a.png", TEST_PNG_PALETTE, 1, 0, 0);
        if (cvat)
            test_write_png(&folder, "SegmentationClass/a.png", TEST_PNG_RGB, 8, 4, 2, (const uint16_t[24]){1, 1, 1});
        mask("SegmentationClass/b.png", TEST_PNG_PALETTE, 1, 0, 0);
        mask("SegmentationClass/sub/c.png", TEST_PNG_PALETTE, 1, 0, 0);
        text("ImageSets/Segmentation/default.txt", "a\n");
        icseg_import_summary s = imports(cvat ? ICSEG_IMPORT_CVAT : ICSEG_IMPORT_VOC, 1);
        assert_int_equal(s.unused_files, 2);
        says("2 label files were not used: ");
        says("/SegmentationClass/b.png, ");
    }
}

#ifndef ICSEG_NO_TIFF
/* A little-endian TIFF of `bits` bits whose rows are given. */
static void tiff(const char *name, int width, int height, int bits, const unsigned char *rows, size_t size) {
    const uint32_t tags[][2] = {{256, (uint32_t)width},
                                {257, (uint32_t)height},
                                {258, (uint32_t)bits},
                                {259, 1},
                                {262, 1},
                                {273, 8 + 2 + 9 * 12 + 4},
                                {277, 1},
                                {278, (uint32_t)height},
                                {279, (uint32_t)size}};
    unsigned char file[256] = {'I', 'I', 42, 0, 8, 0, 0, 0, 9, 0}, *p = file + 10;
    for (int i = 0; i < 9; i++, p += 12) {
        memcpy(p, &(uint16_t){(uint16_t)tags[i][0]}, 2);
        memcpy(p + 2, &(uint16_t){4}, 2);
        memcpy(p + 4, &(uint32_t){1}, 4);
        memcpy(p + 8, &tags[i][1], 4);
    }
    p += 4;
    memcpy(p, rows, size);
    parent(name);
    assert_int_equal(icseg_file_write(test_path(&folder, name), file, (size_t)(p - file) + size, NULL), ICSEG_OK);
}
#endif

static void masks_of_every_type_are_recognised(void **state) {
#ifndef ICSEG_NO_TIFF
    static const struct {
        int bits;
        unsigned char rows[4];
        size_t size;
    } masks[] = {{1, {0x50, 0x80}, 2}, {2, {0x11, 0x40}, 2}, {4, {0x01, 0x01, 0x10, 0x00}, 4}};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        next(state);
        image("images/a.png");
        tiff("masks/a.tif", 4, 2, masks[i].bits, masks[i].rows, masks[i].size);
        text("classes.txt", "background\ncar\n");
        imports(ICSEG_IMPORT_MASKS, 1);
        has("train", "background car", 0, "0101 1000");
    }
#endif
    next(state);
    image("images/a.png");
    image("images/b.png");
    text("masks/a.pgm", "P2 4 2 255 0 1 0 0 0 0 0 0\n");
    text("masks/b.PGM", "P2 4 2 255 1 0 0 0 0 0 0 0\n");
    text("classes.txt", "background\ncar\n");
    icseg_import_summary s = imports(ICSEG_IMPORT_MASKS, 2);
    assert_int_equal(s.unused_files, 0);
    has("train", "background car", 0, "0100 0000");
    has("train", "background car", 1, "1000 0000");
}

/* ---- Label Studio ---- */

static void shape_and_class_of_a_region_may_be_two_results(void **state) {
    (void)state;
    image("images/a.png");
    text("export.json",
         "[" TASK("1", "a.png",
                  "{" SIZE "\"id\": \"p\", \"type\": \"polygon\", \"value\": {" POINTS "}}, {" SIZE
                  "\"id\": \"p\", \"type\": \"labels\", \"value\": {" POINTS ", \"labels\": [\"car\"]}}, {" SIZE
                  "\"id\": \"q\", \"type\": \"labels\", \"value\": {\"points\": [[0, 50], [25, 50], [25, 100], "
                  "[0, 100]], \"labels\": [\"bus\"]}}, {" SIZE
                  "\"id\": \"r\", \"type\": \"rectangle\", \"value\": {\"x\": 0}}, {" SIZE
                  "\"id\": \"r\", \"type\": \"labels\", \"value\": {\"x\": 0, \"labels\": [\"van\"]}}") "]");
    icseg_import_summary s = imports(ICSEG_IMPORT_LABEL_STUDIO, 1);
    assert_true(s.objects == 2 && s.skipped == 1);
    has("train", "background car bus", 0, "1111 2000");
    says("skipped: 1 box; only polygons and masks become labels");
    test_import_remove(out);
    text("export.json", "[{\"id\": 1, \"image\": \"a.png\", \"shape\": [{" SIZE POINTS "}], \"class\": [{" SIZE POINTS
                        ", \"labels\": [\"car\"]}], \"annotation_id\": 3}]");
    imports(ICSEG_IMPORT_LABEL_STUDIO, 1);
    has("train", "background car", 0, "1111 0000");
    test_import_remove(out);
    text("export.json",
         "[" TASK("1", "a.png", "{" SIZE "\"id\": \"p\", \"type\": \"polygon\", \"value\": {" POINTS "}}") "]");
    refuses("task 1: an object must have a class (polygonlabels, brushlabels or labels)");
}

static void what_label_studio_cannot_mean_is_refused(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {TASK("1", "a.png",
              "{" SIZE "\"type\": \"polygonlabels\", \"value\": {\"points\": [[0, 0], [110.5, 0], [0, 9]], "
              "\"polygonlabels\": [\"car\"]}}"),
         "task 1: the coordinate 110.5 is not a percentage of the image (0 to 100)"},
        {TASK("1", "a.png",
              "{" SIZE "\"type\": \"polygonlabels\", \"image_rotation\": 90, \"value\": {" POINTS
              ", \"polygonlabels\": [\"car\"]}}"),
         "task 1: image_rotation is 90: objects that were drawn on a rotated image cannot be imported"},
        {TASK("1", "a.png",
              "{" SIZE "\"type\": \"polygonlabels\", \"image_rotation\": \"x\", \"value\": {" POINTS
              ", \"polygonlabels\": [\"car\"]}}"),
         "\"image_rotation\" must be a number"},
        {TASK("1", "a.png", "5"), "task 1: a result must be an object with a text \"type\""},
        {TASK("1", "a.png", "{" SIZE "\"type\": \"polygonlabels\", \"value\": 3}"), "\"value\" of a result must be"},
        {TASK("1", "a.png", "{\"original_width\": \"4\", \"original_height\": 2, \"type\": \"choices\"}"),
         "original_width and original_height are not the size of one image"},
        {"{\"data\": {\"image\": \"a.png\"}, \"annotations\": 3}", "\"annotations\" must be a list"},
        {"{\"data\": {\"image\": \"a.png\"}, \"annotations\": [3]}", "an annotation must be an object"},
        {"{\"data\": {\"image\": \"a.png\"}, \"annotations\": [{\"result\": \"x\"}]}",
         "\"result\" of an annotation must be a list"},
        {"{\"data\": {\"image\": \"a.png\"}, \"annotations\": [{\"result\": {}}]}",
         "\"result\" of an annotation must be a list"},
    };
    image("images/a.png");
    options.format = ICSEG_IMPORT_LABEL_STUDIO;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char list[1024];
        snprintf(list, sizeof list, "[%s]", bad[i][0]);
        text("export.json", list);
        refuses(bad[i][1]);
    }
    text("export.json", "[" TASK("1", "a.png",
                                 "{" SIZE "\"type\": \"polygonlabels\", \"image_rotation\": 0, \"value\": {\"points\": "
                                 "[[-110, 0], [110, 0], [110, 50], [-110, 50]], \"polygonlabels\": [\"car\"]}}") "]");
    imports(ICSEG_IMPORT_LABEL_STUDIO, 1);
    has("train", "background car", 0, "1111 0000");
}

static void tasks_that_were_not_submitted_are_left_out(void **state) {
    (void)state;
    image("images/a.png");
    text("export.json",
         "[" TASK("1", "a.png", REGION) ", {\"data\": {\"image\": \"b.png\"}, \"annotations\": [{\"was_cancelled\": "
                                        "true, \"result\": []}]}, {\"data\": {\"image\": \"c.png\"}, \"annotations\": "
                                        "[], \"drafts\": [{\"result\": []}]}, {\"data\": {\"image\": \"d.png\"}}]");
    imports(ICSEG_IMPORT_LABEL_STUDIO, 1);
    says("3 tasks were left out: they have no submitted annotation (1 cancelled, 1 with drafts only)");
}

/* ---- other tools ---- */

static void wrong_types_in_files_of_supervisely_are_refused(void **state) {
    (void)state;
    static const char *const sizes[] = {"{\"height\": \"a\", \"width\": null}", "3", "{\"height\": 2}", "null"};
    static const char *const metas[] = {"{\"classes\": \"x\"}", "{}"};
    char ann[256];
    image("d/img/a.png");
    text("meta.json", META);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(ann, sizeof ann, "{\"size\": %s, \"objects\": []}", sizes[i]);
        text("d/ann/a.png.json", ann);
        refuses("a.png.json: \"size\" must have the image's \"width\" and \"height\" as whole numbers");
    }
    text("d/ann/a.png.json", "{\"objects\": [{\"classTitle\": \"car\", \"geometryType\": \"polygon\", \"points\": "
                             "{\"exterior\": [[0, 0], [4, 0], [4, 1]], \"interior\": \"x\"}}]}");
    refuses("objects[0]: \"interior\" must be a list of lists of points");
    text("d/ann/a.png.json", "{\"objects\": []}");
    refuses("a.png.json: \"size\" must have");
    options.format = ICSEG_IMPORT_SUPERVISELY;
    for (size_t i = 0; i < sizeof metas / sizeof *metas; i++) {
        text("meta.json", metas[i]);
        refuses("meta.json: \"classes\" must be a list");
    }
}

static void two_classes_of_one_name_are_said(void **state) {
    image("images/a.png");
    text("labels/a.txt", "1 0 0 1 0 1 0.5 0 0.5\n");
    text("data.yaml", "names: [car, car]\n");
    imports(ICSEG_IMPORT_YOLO, 1);
    says("/data.yaml: two classes are called \"car\" and become one; rename one if they differ");
    has("train", "background car", 0, "1111 0000");
    next(state);
    image("images/a.png");
    text("annotations/instances_train.json",
         COCO(COCO_IMAGE("1", "a.png"), CAR ", {\"id\": 2, \"name\": \"car\"}", ROW("1")));
    imports(ICSEG_IMPORT_COCO, 1);
    says("categories[1]: two classes are called \"car\"");
    next(state);
    image("JPEGImages/a.png");
    text("labelmap.txt", "background:0,0,0::\ncar:1,1,1::\ncar:2,2,2::\n");
    parent("SegmentationClass/a.png");
    test_write_png(&folder, "SegmentationClass/a.png", TEST_PNG_RGB, 8, 4, 2, (const uint16_t[24]){1, 1, 1, 2, 2, 2});
    imports(ICSEG_IMPORT_CVAT, 1);
    says("labelmap.txt: line 3: two classes are called \"car\"");
    has("train", "background car", 0, "1100 0000");
}

static void cvats_subsets_are_splits(void **state) {
    image("images/Train/a.png");
    image("images/Validation/b.png");
    text("annotations/instances_Train.json", COCO(COCO_IMAGE("1", "a.png"), CAR, ROW("1")));
    text("annotations/instances_Validation.json", COCO(COCO_IMAGE("1", "b.png"), CAR, ROW("1")));
    imports(ICSEG_IMPORT_COCO, 2);
    has("train", "background car", 0, "1111 0000");
    has("val", "background car", 0, "1111 0000");
    test_import_remove(out);
    test_remove(&folder, "annotations/instances_Train.json");
    test_remove(&folder, "annotations/instances_Validation.json");
    text("annotations.xml", XML(XML_IMAGE("a.png", " subset=\"Train\"") XML_IMAGE("b.png", " subset=\"Validation\"")));
    imports(ICSEG_IMPORT_CVAT_XML, 2);
    has("train", "background car", 0, "1111 0000");
    has("val", "background car", 0, "1111 0000");
    test_import_remove(out);
    options.split = "mine"; /* is for sources of one split */
    assert_true(imports(ICSEG_IMPORT_CVAT_XML, 2).split_unused);
    has("val", "background car", 0, "1111 0000");
    next(state);
    image("JPEGImages/a.png");
    image("JPEGImages/b.png");
    mask("SegmentationClass/a.png", TEST_PNG_PALETTE, 1, 0, 0);
    mask("SegmentationClass/b.png", TEST_PNG_PALETTE, 1, 0, 0);
    text("ImageSets/Segmentation/Train.txt", "a\n");
    text("ImageSets/Segmentation/Validation.txt", "b\n");
    imports(ICSEG_IMPORT_VOC, 2);
    assert_true(icseg_file_exists(test_path(&folder, "out/images/val/b.png")));
}

static void the_images_of_yolo_may_be_in_another_folder(void **state) {
    (void)state;
    char source[128], photos[128];
    image("photos/a.png");
    image("photos/val/b.png");
    image("photos/c.png");
    text("set/labels/train/a.txt", "0 0 0 1 0 1 0.5 0 0.5\n");
    text("set/labels/val/b.png.txt", "");
    text("set/classes.txt", "car\n");
    snprintf(source, sizeof source, "%s/set", folder.path);
    options.source = source;
    refuses("if the images are elsewhere, specify their folder");
    snprintf(photos, sizeof photos, "%s/photos", folder.path);
    options.image_folder = photos;
    icseg_import_summary s = imports(ICSEG_IMPORT_YOLO, 2);
    assert_true(s.objects == 1 && s.unused_files == 0);
    has("train", "background car", 0, "1111 0000");
    has("val", "background car", 0, "0000 0000");
    says("1 image that no label file mentions was left out: ");
    test_import_remove(out);
    text("set/labels/train/lost.txt", "");
    refuses("/labels/train/lost.txt: the image \"train/lost\" is missing in ");
    test_remove(&folder, "set/labels/train/lost.txt");
    text("set/labels/val/a.txt", "");
    refuses("one file cannot serve two images");
}

static void dots_in_data_yaml_do_not_hide_that_labels_are_used(void **state) {
    (void)state;
    image("images/a.png");
    text("labels/a.txt", "0 0 0 1 0 1 0.5 0 0.5\n");
    text("data.yaml", "path: .\ntrain: ./images/\nnames: [car]\n");
    assert_int_equal(imports(ICSEG_IMPORT_YOLO, 1).unused_files, 0);
    assert_string_equal(said, "");
}

static void files_of_other_tools_beside_labelmes_are_not_used(void **state) {
    (void)state;
    image("a.png");
    text("a.json", LABELME("a.png", SHAPE));
    text("notes.json", "{\"notes\": []}");
    text("via.json", "[1, 2]");
    icseg_import_summary s = imports(ICSEG_IMPORT_LABELME, 1);
    assert_int_equal(s.unused_files, 2);
    says("2 label files were not used: ");
    test_import_remove(out);
    test_remove(&folder, "a.json");
    options.format = ICSEG_IMPORT_LABELME;
    refuses("no images with labels (read as labelme); files that were not used: ");
}

static void label_files_of_two_tools_are_refused_until_one_is_chosen(void **state) {
    image("images/a.png");
    text("images/a.json", LABELME("a.png", SHAPE));
    text("labels/a.txt", "0 0 0 1 0 1 0.5 0 0.5\n");
    text("classes.txt", "car\n");
    refuses("contains label files of two tools: YOLO segmentation (data.yaml and labels) and LabelMe (a JSON file for "
            "each image); choose the format yolo or labelme");
    options.format = ICSEG_IMPORT_YOLO;
    assert_int_equal(imports(ICSEG_IMPORT_YOLO, 1).unused_files, 1);
    says("1 label file was not used: ");
    says("/images/a.json");
    test_import_remove(out);
    options.format = ICSEG_IMPORT_LABELME;
    imports(ICSEG_IMPORT_LABELME, 1);
    next(state);
    image("a.png"); /* side by side */
    text("a.json", LABELME("a.png", SHAPE));
    text("a.txt", "0 0 0 1 0 1 0.5 0 0.5\n");
    refuses("contains label files of two tools: YOLO");
    next(state);
    image("images/a.png");
    text("annotations/instances_train.json", COCO(COCO_IMAGE("1", "a.png"), CAR, ROW("1")));
    mask("masks/a.png", TEST_PNG_PALETTE, 1, 0, 0);
    refuses("contains label files of two tools: COCO (instances JSON) and images with masks");
    next(state);
    image("images/a.png"); /* the name of a category is not a label file of LabelMe */
    text("annotations/instances_train.json",
         COCO(COCO_IMAGE("1", "a.png"), "{\"id\": 1, \"name\": \"car\", \"supercategory\": \"shapes\"}", ROW("1")));
    imports(ICSEG_IMPORT_COCO, 1);
}

static void labelmes_files_may_be_in_a_folder_beside_the_images(void **state) {
    (void)state;
    image("a.png");
    image("b/c.png");
    text("labelme/a.json", LABELME("a.png", SHAPE));
    text("b/labelme/c.json", LABELME("c.png", SHAPE));
    imports(ICSEG_IMPORT_LABELME, 2);
}

static void exports_of_two_tools_in_one_folder_are_refused(void **state) {
    image("labelme/a.png");
    text("labelme/a.json", LABELME("a.png", SHAPE));
    image("yolo/images/a.png");
    text("yolo/labels/a.txt", "0 0 0 1 0 1 0.5 0 0.5\n");
    text("yolo/data.yaml", "names: [car]\n");
    refuses("contains label files of two tools: LabelMe (a JSON file for each image) and YOLO segmentation");
    next(state);
    image("train/images/a.png"); /* folders of splits are not exports of their own */
    text("train/labels/a.txt", "0 0 0 1 0 1 0.5 0 0.5\n");
    text("data.yaml", "names: [car]\n");
    imports(ICSEG_IMPORT_YOLO, 1);
}

static void sources_without_labels_that_can_be_read_are_described(void **state) {
    image("a.png");
    refuses(
        "does not contain files of a supported labelling tool, only 1 image; import the folder that a tool exported");
    text("via.csv", "a.png,road");
    refuses("supported labelling tool (voc, cvat, coco, ");
    refuses("beside images it has 1 file: via.csv");
    next(state);
    image("JPEGImages/a.png");
    text("Annotations/a.xml",
         "<annotation><object><name>car</name><bndbox><xmin>1</xmin></bndbox></object></annotation>");
    refuses("/Annotations/a.xml: Pascal VOC's boxes, from which no pixels follow; label the objects with polygons or "
            "masks");
    next(state);
    image("a.png");
    test_put_file(test_path(&folder, "a.json"), "\xff\xfe{\0}\0", 6);
    refuses("/a.json: the text is UTF-16; save it as UTF-8");
}

static void label_files_beside_images_that_are_not_read_are_named(void **state) {
    (void)state;
    image("a.png");
    text("a.json", LABELME("a.png", SHAPE));
    text("a.xml", "<annotation><object><name>car</name></object></annotation>");
    text("a.png.txt", "a car");
    text("README.txt", "Hello");
    assert_int_equal(imports(ICSEG_IMPORT_LABELME, 1).unused_files, 2);
    says("2 label files were not used: ");
    says("/a.xml");
}

static void the_only_folder_inside_a_folder_is_entered(void **state) {
    (void)state;
    image("VOCdevkit/VOC2012/JPEGImages/a.png");
    mask("VOCdevkit/VOC2012/SegmentationClass/a.png", TEST_PNG_PALETTE, 1, 0, 0);
    text("README.txt", "Hello");
    imports(ICSEG_IMPORT_VOC, 1);
    test_import_remove(out);
    options.format = ICSEG_IMPORT_VOC;
    imports(ICSEG_IMPORT_VOC, 1);
    test_import_remove(out);
    options.format = ICSEG_IMPORT_AUTO;
    image("other/a.png");
    refuses("does not contain files of a supported labelling tool");
}

/* ---- what has no pixels ---- */

static void objects_without_pixels_are_named(void **state) {
    image("images/a.png");
    text("labels/a.txt", "0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n");
    text("classes.txt", "car\n");
    refuses(
        "the only image does not have an object with an outline (read as yolo); skipped: 2 boxes; label the objects "
        "with polygons or masks");
    next(state);
    image("images/a.png");
    text("annotations/instances_train.json",
         COCO(COCO_IMAGE("1", "a.png"), CAR,
              ROW("1") ", {\"image_id\": 1, \"category_id\": 1, \"bbox\": [0, 0, 1, 1], \"segmentation\": []}, "
                       "{\"image_id\": 1, \"category_id\": 1}"));
    imports(ICSEG_IMPORT_COCO, 1);
    says("skipped: 1 box, 1 object without an outline; only polygons and masks become labels");
    next(state);
    image("a.png");
    text("a.json", LABELME("a.png", SHAPE ", {\"label\": \"pole\", \"shape_type\": \"line\", \"points\": [[0, 0], "
                                          "[1, 1]]}, {\"label\": \"tip\", \"shape_type\": \"point\", \"points\": "
                                          "[[0, 0]]}"));
    imports(ICSEG_IMPORT_LABELME, 1);
    says("skipped: 1 line, 1 point; ");
    has("train", "background car", 0, "1111 0000"); /* neither pole nor tip */
    next(state);
    image("images/a.png");
    text("export.json",
         "[" TASK(
             "1", "a.png",
             REGION
             ", {\"type\": \"bitmasklabels\", \"value\": {}}, {\"type\": \"ellipselabels\", \"value\": {}}, {\"type\": "
             "\"choices\", \"value\": {\"choices\": [\"day\"]}}") "]");
    assert_int_equal(imports(ICSEG_IMPORT_LABEL_STUDIO, 1).skipped, 2);
    says("skipped: 1 ellipse, 1 object without an outline; ");
}

static void damaged_and_packed_sources_are_explained(void **state) {
    char file[128];
    text("export.json", "[{\"id\": 1, \"annotations\": [{\"result\": [{\"value\": ");
    refuses("/export.json: not JSON: line 1, column ");
    next(state);
    text("annotations/instances.json", "{\"images\": [");
    refuses("/annotations/instances.json: not JSON: line 1, column ");
    next(state);
    text("annotations.xml", "");
    refuses("/annotations.xml: line 1: not XML: no element found");
    next(state);
    text("export.tar.gz", "\x1f\x8b");
    snprintf(file, sizeof file, "%s/export.tar.gz", folder.path);
    options.source = file;
    refuses("/export.tar.gz: archives other than zip are not read; unpack it, and import the folder");
    next(state);
    image("images/a.png");
    parent("masks/a");
    test_write_jpeg(&folder, "masks/a.jpg", 4, 2, 0);
    text("classes.txt", "background\ncar\n");
    refuses("/masks/a.jpg: a JPEG file where masks are expected: JPEG changes the values of pixels");
}

static void a_lack_of_memory_is_an_error(void **state) {
    enum { MOST = 20000, SOURCES = 3 };
    char set[128], photos[128];
    for (int source = 0; source < SOURCES; source++) {
        icseg_error error;
        int64_t n = 0;
        next(state);
        image("images/deep/a.png");
        image("images/deep/b.png");
        if (source == 0)
            text("annotations/instances_train.json", COCO(COCO_IMAGE("1", "x\\\\deep\\\\a.png"), CAR, ROW("1")));
        if (source == 1)
            text("export.json",
                 "[" TASK("1", "a.png",
                          "{" SIZE "\"id\": \"p\", \"type\": \"polygon\", \"value\": {" POINTS "}}, {" SIZE
                          "\"id\": \"p\", \"type\": \"labels\", \"value\": {\"labels\": [\"car\"]}}") "]");
        if (source == 2) {
            text("set/labels/a.txt", "1 0 0 1 0 1 0.5 0 0.5\n");
            text("set/data.yaml", "names: [car, car]\n");
            snprintf(set, sizeof set, "%s/set", folder.path);
            snprintf(photos, sizeof photos, "%s/images/deep", folder.path);
            options.source = set;
            options.image_folder = photos;
        }
        for (; n < MOST; n++) {
            icseg_memory_fail_after(n);
            icseg_status status = icseg_import_run(&options, NULL, NULL, &error);
            icseg_memory_fail_after(-1);
            if (status == ICSEG_OK) break;
            if (status != ICSEG_ERROR_MEMORY) fail_msg("%d, %lld: %s", source, (long long)n, error.message);
            assert_false(icseg_folder_exists(out));
        }
        assert_true(n > 20 && n < MOST);
    }
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        CASE(one_file_cannot_serve_two_images),
        CASE(images_that_no_label_file_mentions_are_counted),
        CASE(two_images_of_one_stem_are_refused),
        CASE(images_may_be_in_other_folders_than_their_names_say),
        CASE(masks_of_0_and_255_are_judged_together),
        CASE(the_check_of_a_data_set_judges_them_alike),
        CASE(masks_that_no_list_names_are_counted),
        CASE(masks_of_every_type_are_recognised),
        CASE(shape_and_class_of_a_region_may_be_two_results),
        CASE(what_label_studio_cannot_mean_is_refused),
        CASE(tasks_that_were_not_submitted_are_left_out),
        CASE(wrong_types_in_files_of_supervisely_are_refused),
        CASE(two_classes_of_one_name_are_said),
        CASE(cvats_subsets_are_splits),
        CASE(the_images_of_yolo_may_be_in_another_folder),
        CASE(dots_in_data_yaml_do_not_hide_that_labels_are_used),
        CASE(files_of_other_tools_beside_labelmes_are_not_used),
        CASE(label_files_of_two_tools_are_refused_until_one_is_chosen),
        CASE(labelmes_files_may_be_in_a_folder_beside_the_images),
        CASE(exports_of_two_tools_in_one_folder_are_refused),
        CASE(sources_without_labels_that_can_be_read_are_described),
        CASE(label_files_beside_images_that_are_not_read_are_named),
        CASE(the_only_folder_inside_a_folder_is_entered),
        CASE(objects_without_pixels_are_named),
        CASE(damaged_and_packed_sources_are_explained),
        CASE(a_lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

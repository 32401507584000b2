/* SPDX-License-Identifier: Apache-2.0
 * CVAT's XML, Label Studio's JSON, Supervisely's folders, and the habits of tools that write COCO and LabelMe files. */
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
    folder = test_import_folders("images");
    options = test_import_options(&folder, out);
    test_import_image(&folder, "images/a.png", 4, 2);
    test_import_image(&folder, "images/b.png", 4, 2);
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

static icseg_import_summary imports(icseg_import_format format, int64_t images) {
    const icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = keep};
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error = {0};
    count = 0;
    if (icseg_import_run(&options, &progress, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(s.format, format);
    assert_int_equal(s.images, images);
    return s;
}

static void says(const char *piece) {
    for (int i = 0; i < count; i++)
        if (strstr(messages[i], piece)) return;
    fail_msg("no message has '%s'; the first of %d: %s", piece, count, messages[0]);
}

static void has(const char *split, const char *classes, int64_t index, const char *labels) {
    test_import_has(out, split, classes, index, labels);
}

/* ---- CVAT's XML ---- */

#define XML_HEAD                                                                                                       \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations><meta><task><name>t</name><labels>"                      \
    "<label><name>road</name><attributes><attribute><name>wet</name></attribute></attributes></label>"                 \
    "<label><name>a &amp; b</name></label></labels></task></meta>\n"
#define IMAGE_A   "<image id=\"0\" name=\"a.png\" width=\"4\" height=\"2\">"
#define UPPER_ROW "<polygon label=\"road\" points=\"0,0;4.0,0.0;4.0,1.0;0,1\"></polygon>"
#define CLASSES   "background road a & b"

static void xml(const char *text) { test_write_text(&folder, "annotations.xml", text); }

static void cvats_xml_has_polygons_masks_and_ellipses(void **state) {
    (void)state;
    xml(XML_HEAD IMAGE_A UPPER_ROW
        "<mask label=\"a &amp; b\" rle=\"1, 2, 1\" left=\"1\" top=\"0\" width=\"2\" height=\"2\"/>"
        "<box label=\"road\" xtl=\"0\" ytl=\"0\" xbr=\"1\" ybr=\"1\"/><tag label=\"road\"/></image>"
        "<image id=\"1\" name=\"b.png\" width=\"4\" height=\"2\" subset=\"Validation\">"
        "<ellipse label=\"road\" cx=\"1\" cy=\"1\" rx=\"1\" ry=\"1\"/></image></annotations>");
    icseg_import_summary s = imports(ICSEG_IMPORT_CVAT_XML, 2);
    assert_true(s.objects == 3 && s.skipped == 1 && !s.val_share_unused);
    has("train", CLASSES, 0, "1121 0200");
    has("val", CLASSES, 0, "1100 1100");
    test_import_remove(out);
    char file[128];
    snprintf(file, sizeof file, "%s/annotations.xml", folder.path);
    options.source = file;
    imports(ICSEG_IMPORT_CVAT_XML, 2);
}

static void images_of_cvats_default_subset_are_one_split(void **state) {
    (void)state;
    xml(XML_HEAD "<image id=\"0\" name=\"a.png\" width=\"4\" height=\"2\" subset=\"default\">" UPPER_ROW "</image>"
                 "<image id=\"1\" name=\"b.png\" width=\"4\" height=\"2\">" UPPER_ROW "</image></annotations>");
    options.val_share = 0.5;
    options.split = "mine";
    icseg_import_summary s = imports(ICSEG_IMPORT_CVAT_XML, 2);
    assert_false(s.split_unused || s.val_share_unused);
    has("mine", CLASSES, 0, "1111 0000");
    has("val", CLASSES, 0, "1111 0000");
}

static void hostile_xml_is_refused_in_one_line(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"", "annotations.xml: line 1: not XML: no element found"},
        {"<annotations>", "not XML: no element found"},
        {"<other></other>", "not CVAT's XML: expected <annotations>"},
        {XML_HEAD IMAGE_A UPPER_ROW "</image>", "not XML"},
        {"<!DOCTYPE x [<!ENTITY e \"a\">]><annotations>&e;</annotations>",
         "a document type declaration is not accepted"},
        {XML_HEAD IMAGE_A "<polygon label=\"road\" points=\"0,0;4\"/></image></annotations>", "points must be"},
        {XML_HEAD IMAGE_A "<polygon label=\"road\" points=\"0,0;nan,1;2,2\"/></image></annotations>",
         "the coordinate \"nan\" is not a number"},
        {XML_HEAD IMAGE_A "<polygon label=\"road\" points=\"0,0;1e10,1;2,2\"/></image></annotations>",
         "the coordinate \"1e10\" is not a number"},
        {XML_HEAD IMAGE_A "<polygon points=\"0,0;1,1;2,2\"/></image></annotations>", "a shape must have a label"},
        {XML_HEAD IMAGE_A "<polygon label=\"road\"/></image></annotations>", "a polygon must have points"},
        {XML_HEAD IMAGE_A "<mask label=\"road\" rle=\"0,9\" left=\"0\" top=\"0\" width=\"4\" height=\"2\"/></image>"
                          "</annotations>",
         "the rle does not fit width and height"},
        {XML_HEAD IMAGE_A "<mask label=\"road\" rle=\"0,7\" left=\"0\" top=\"0\" width=\"4\" height=\"2\"/></image>"
                          "</annotations>",
         "the rle does not fit width and height"},
        {XML_HEAD IMAGE_A "<mask label=\"road\" rle=\"0,-1\" left=\"0\" top=\"0\" width=\"4\" height=\"2\"/></image>"
                          "</annotations>",
         "the rle does not fit width and height"},
        {XML_HEAD IMAGE_A "<mask label=\"road\" rle=\"0,8\" left=\"1\" top=\"0\" width=\"4\" height=\"2\"/></image>"
                          "</annotations>",
         "width=\"4\" is not a number from 1 to 3"},
        {XML_HEAD "<image name=\"a.png\" width=\"4000000000\" height=\"2\"></image></annotations>",
         "width=\"4000000000\" is not a number from 1 to "},
        {XML_HEAD "<image name=\"a.png\" width=\"4\" height=\"2\" subset=\"../x\"></image></annotations>",
         "the subset cannot be the name of a folder"},
        {XML_HEAD "<image name=\"../../../etc/hostname\" width=\"4\" height=\"2\"></image></annotations>",
         "the image \"../../../etc/hostname\" is missing"},
        {XML_HEAD "<image width=\"4\" height=\"2\"></image></annotations>", "an image must have a name"},
        {XML_HEAD "<track id=\"0\" label=\"road\"></track></annotations>", "tracks of a video are not supported"},
        {XML_HEAD "<image name=\"a.png\" width=\"5\" height=\"2\"></image></annotations>",
         "labels of 5x2 pixels, but "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        xml(bad[i][0]);
        options.format = i == 2 ? ICSEG_IMPORT_AUTO : ICSEG_IMPORT_CVAT_XML;
        test_import_refuses(&options, bad[i][1]);
    }
    char *deep = malloc(100 * 3 + 64), *p = deep + sprintf(deep, "<annotations>");
    for (int i = 0; i < 100; i++) p += sprintf(p, "<a>");
    xml(deep);
    free(deep);
    test_import_refuses(&options, "tags are nested too deeply");
    enum { LONG = 40 << 20 };
    char *large = malloc(LONG + 64);
    memset(large, ' ', LONG);
    memcpy(large, "<annotations><image ", 20);
    large[LONG] = '\0';
    xml(large);
    free(large);
    test_import_refuses(&options, "a tag is larger than 32 MiB");
}

/* ---- Label Studio ---- */

#define TASK_HEAD "[{\"id\": 1, \"data\": {\"image\": \"/data/upload/1/0123abcd-a.png\"}, \"annotations\": ["
#define POLYGON(Y)                                                                                                     \
    "{\"original_width\": 4, \"original_height\": 2, \"type\": \"polygonlabels\", \"value\": {\"points\": "            \
    "[[0, 0], [100, 0], [100, " Y "], [0, " Y "]], \"polygonlabels\": [\"road\"]}}"

static void json(const char *text) { test_write_text(&folder, "export.json", text); }

/* Bits of a brush stroke, most significant first. */
typedef struct stroke {
    unsigned char bytes[256];
    size_t bit;
} stroke;

static void put(stroke *s, unsigned value, int bits) {
    for (int i = bits - 1; i >= 0; i--, s->bit++)
        s->bytes[s->bit / 8] |= (unsigned char)((value >> i & 1) << (7 - s->bit % 8));
}

/* The alpha channel of 8 pixels is 255 in pixels 1 and 2: repeated and single values, lengths of 3, 4, 8 and 16 bits.
 */
static stroke brush(unsigned values) {
    stroke s = {{0}, 0};
    put(&s, values, 32);
    put(&s, 8 - 1, 5);
    put(&s, 3 - 1, 4), put(&s, 4 - 1, 4), put(&s, 8 - 1, 4), put(&s, 16 - 1, 4);
    put(&s, 1, 1), put(&s, 0, 2), put(&s, 7 - 1, 3), put(&s, 0, 8); /* values 0..6 are 0 */
    put(&s, 0, 1), put(&s, 1, 2), put(&s, 5 - 1, 4);                /* five single values: 7..11 */
    put(&s, 255, 8), put(&s, 9, 8), put(&s, 9, 8), put(&s, 9, 8), put(&s, 255, 8);
    put(&s, 1, 1), put(&s, 3, 2), put(&s, 20 - 1, 16), put(&s, 0, 8); /* the rest */
    return s;
}

static void brush_task(char text[2048], stroke s, size_t bytes) {
    int size = snprintf(text, 2048,
                        TASK_HEAD "{\"result\": [{\"original_width\": 4, \"original_height\": 2, \"type\": "
                                  "\"brushlabels\", \"value\": {\"format\": \"rle\", \"brushlabels\": "
                                  "[\"road\"], \"rle\": [");
    for (size_t i = 0; i < bytes; i++)
        size += snprintf(text + size, 2048 - (size_t)size, "%s%d", i ? ", " : "", s.bytes[i]);
    snprintf(text + size, 2048 - (size_t)size, "]}}]}]}]");
}

static void label_studios_polygons_and_brush_strokes(void **state) {
    (void)state;
    char text[2048];
    stroke s = brush(32);
    brush_task(text, s, (s.bit + 7) / 8);
    json(text);
    imports(ICSEG_IMPORT_LABEL_STUDIO, 1);
    has("train", "background road", 0, "0110 0000");
    test_import_remove(out);
    brush_task(text, s, s.bit / 8 - 1);
    json(text);
    test_import_refuses(&options, "export.json: task 1: the run lengths of a brush stroke do not fit");
    brush_task(text, brush(36), (s.bit + 7) / 8);
    json(text);
    test_import_refuses(&options, "the run lengths of a brush stroke do not fit");
    s.bytes[6] |= 1;
    brush_task(text, s, (s.bit + 7) / 8); /* a run beyond the end or a wrong value, but never beyond the image */
    json(text);
    icseg_import_run(&options, NULL, NULL, NULL);
}

static void the_newest_submitted_annotation_counts(void **state) {
    (void)state;
    json(TASK_HEAD "{\"created_at\": \"2024-01-02T00:00:00Z\", \"result\": [" POLYGON(
        "50") "]},"
              "{\"created_at\": \"2024-01-01T00:00:00Z\", \"result\": [" POLYGON(
                  "100") "]},"
                         "{\"created_at\": \"2024-01-03T00:00:00Z\", \"was_cancelled\": true, \"result\": []}]},"
                         "{\"data\": {\"other\": 3, \"photo\": \"http://host:80/x/b%2Epng?token=1#f\"}, "
                         "\"annotations\": ["
                         "{\"result\": [{\"type\": \"rectanglelabels\", \"value\": {}}]}]}]");
    icseg_import_summary s = imports(ICSEG_IMPORT_LABEL_STUDIO, 2);
    assert_true(s.skipped == 1 && s.objects == 1);
    has("train", "background road", 0, "1111 0000");
    says("1 annotation was left out: of several of one image, the newest that was submitted counts");
    says("1 of 2 images has no objects");
}

static void hostile_exports_of_label_studio_are_refused(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"[", "not JSON"},
        {"{}", "the JSON is not a list [...]"},
        {"[3]", "task 1: not a task of Label Studio's JSON export"},
        {"[{\"data\": {}, \"annotations\": [{\"result\": []}]}]", "task 1: expected the name of an image in \"data\""},
        {"[{\"data\": {\"image\": \"lost.png\"}, \"annotations\": [{\"result\": []}]}]",
         "task 1: the image \"lost.png\" is missing"},
        {"[{\"data\": {\"image\": \"/data/local-files/?d=..%2F..%2Fetc%2Fhostname\"}, \"annotations\": [{\"result\": "
         "[]}]}]",
         "hostname\" is missing"},
        {TASK_HEAD "{\"result\": [{\"original_width\": 4, \"original_height\": 100000000}]}]}]",
         "original_width and original_height are not the size of one image"},
        {TASK_HEAD "{\"result\": [{\"type\": \"polygonlabels\", \"value\": {\"points\": [[1]], \"polygonlabels\": "
                   "[\"a\"]}}]}]}]",
         "a point must be a list of x and y"},
        {TASK_HEAD "{\"result\": [{\"type\": \"polygonlabels\", \"value\": {\"points\": []}}]}]}]",
         "an object must have a class"},
        {TASK_HEAD "{\"result\": [{\"type\": \"brushlabels\", \"value\": {\"brushlabels\": [\"a\"]}}]}]}]",
         "a brush stroke must have run lengths (rle)"},
        {TASK_HEAD "]}] x", "expected the end of the file"},
    };
    options.format = ICSEG_IMPORT_LABEL_STUDIO;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json(bad[i][0]);
        test_import_refuses(&options, bad[i][1]);
    }
}

/* ---- Supervisely ---- */

#define META "{\"classes\": [{\"title\": \"road\", \"shape\": \"polygon\"}, {\"title\": \"tree\"}], \"tags\": []}"

static void put_json(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%.*s", (int)(strrchr(name, '/') - name), name);
    assert_int_equal(icseg_folder_create(test_path(&folder, path), NULL), ICSEG_OK);
    test_write_text(&folder, name, text);
}

static void superviselys_polygons_have_holes(void **state) {
    (void)state;
    test_write_text(&folder, "meta.json", META);
    put_json("train/img/x", "");
    test_import_image(&folder, "train/img/a.png", 4, 3);
    test_remove(&folder, "train/img/x");
    put_json(
        "train/ann/a.png.json",
        "{\"size\": {\"width\": 4, \"height\": 3}, \"objects\": [{\"classTitle\": \"tree\", \"geometryType\": "
        "\"polygon\", \"points\": {\"exterior\": [[0, 0], [4, 0], [4, 3], [0, 3]], \"interior\": [[[1, 1], [2, 1], "
        "[2, 2], [1, 2]], [[3, 1], [4, 1], [4, 2], [3, 2]]]}}, {\"classTitle\": \"road\", \"geometryType\": "
        "\"rectangle\", \"points\": {}}]}");
    put_json("other/img/x", "");
    test_import_image(&folder, "other/img/a.png", 4, 2);
    test_remove(&folder, "other/img/x");
    put_json("other/ann/a.png.json", "{\"size\": {\"width\": 4, \"height\": 2}, \"objects\": []}");
    icseg_import_summary s = imports(ICSEG_IMPORT_SUPERVISELY, 2);
    assert_true(s.objects == 1 && s.skipped == 1);
    has("train", "background road tree", 0, "2222 2020 2222");
    assert_true(icseg_file_exists(test_path(&folder, "out/images/train/other_a.png")));
}

/* zlib streams of PNG files of 2 x 1 pixels whose right pixel is inside: with a palette and a transparent colour, with
 * alpha, and grey. */
static void superviselys_bitmaps_are_placed(void **state) {
    (void)state;
    static const char *const bitmaps[] = {
        ("eJzrDPBz5+WS4mJgYOD19HAJAtJMQMzIyAwkz715exJIsQX4hLgC6f///"
         "y+9Of8uSLokyC+YweHZjTQgh8vTxTGkYk5yAZDtxOCoaf7lPZDF4Onq57LOKaEJAIFaGh4="),
        "eJzrDPBz5+WS4mJgYOD19HAJAtJMQMzIwQYkvyjVdwEpAU8Xx5CKOck//v+3Zxb4z84g94rtl6V2ahZQjsHT1c9lnVNCEwAnSxIy",
        "eJzrDPBz5+WS4mJgYOD19HAJAtJMQMzIASQYLnoqhAEpbk8Xx5CKOckJCSwMDCwMTPur7L1A0p6ufi7rnBKaAG7TDJs="};
    test_write_text(&folder, "meta.json", META);
    put_json("d/img/x", "");
    test_import_image(&folder, "d/img/a.png", 4, 2);
    test_remove(&folder, "d/img/x");
    for (size_t i = 0; i < sizeof bitmaps / sizeof *bitmaps; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "{\"size\": {\"width\": 4, \"height\": 2}, \"objects\": [{\"classTitle\": \"road\", \"geometryType\": "
                 "\"bitmap\", \"bitmap\": {\"data\": \"%s\", "
                 "\"origin\": [1, 1]}}]}",
                 bitmaps[i]);
        put_json("d/ann/a.png.json", text);
        imports(ICSEG_IMPORT_SUPERVISELY, 1);
        has("train", "background road tree", 0, "0000 0010");
        test_import_remove(out);
    }
}

static void hostile_files_of_supervisely_are_refused(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"[]", "the JSON is not an object"},
        {"{}", "expected a list of at most"},
        {"{\"objects\": [{}]}", "objects[0]: expected \"classTitle\" and \"geometryType\""},
        {"{\"objects\": [{\"classTitle\": \"a\", \"geometryType\": \"polygon\"}]}",
         "objects[0]: expected lists of points"},
        {"{\"objects\": [{\"classTitle\": \"a\", \"geometryType\": \"bitmap\"}]}", "a bitmap needs \"data\" and"},
        {"{\"objects\": [{\"classTitle\": \"a\", \"geometryType\": \"bitmap\", \"bitmap\": {\"data\": \"!\", "
         "\"origin\": "
         "[0, 0]}}]}",
         "\"data\" is not base64"},
        {"{\"objects\": [{\"classTitle\": \"a\", \"geometryType\": \"bitmap\", \"bitmap\": {\"data\": \"AAAA\", "
         "\"origin\": [0, 0]}}]}",
         "\"data\" is not a compressed PNG"},
        {"{\"size\": {\"width\": 9, \"height\": 9}, \"objects\": []}", "labels of 9x9 pixels"},
    };
    test_write_text(&folder, "meta.json", META);
    put_json("d/img/x", "");
    test_import_image(&folder, "d/img/a.png", 4, 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_json("d/ann/a.png.json", bad[i][0]);
        test_import_refuses(&options, bad[i][1]);
    }
    put_json("d/ann/lost.png.json", "{\"objects\": []}");
    test_import_refuses(&options, "problem");
}

/* ---- COCO ---- */

static void coco_ids_may_be_texts(void **state) {
    (void)state;
    assert_int_equal(icseg_folder_create(test_path(&folder, "annotations"), NULL), ICSEG_OK);
    test_write_text(&folder, "annotations/instances_default.json",
                    "{\"annotations\": [{\"image_id\": \"x7\", \"category_id\": \"z\", \"segmentation\": "
                    "[[0, 0, 4, 0, 4, 1, 0, 1]]}, {\"image_id\": \"12\", \"category_id\": \"y\", \"segmentation\": "
                    "[[0, 1, 4, 1, 4, 2, 0, 2]]}],"
                    "\"images\": [{\"id\": \"x7\", \"file_name\": \"https://host/o/a.png?alt=media\", \"width\": 4, "
                    "\"height\": 2}, {\"id\": 12, \"file_name\": \"b.png\", \"width\": 4, \"height\": 2}],"
                    "\"categories\": [{\"id\": \"y\", \"name\": \"cat\"}, {\"id\": \"z\", \"name\": \"dog\"}]}");
    imports(ICSEG_IMPORT_COCO, 2);
    has("train", "background cat dog", 0, "2222 0000"); /* CVAT's split "default" is train */
    has("train", "background cat dog", 1, "0000 1111");
}

static void roboflows_parent_without_annotations_is_left_out(void **state) {
    (void)state;
    static const char file[] =
        "{\"images\": [{\"id\": 0, \"file_name\": \"a.png\", \"width\": 4, \"height\": 2}], \"annotations\": "
        "[{\"image_id\": 0, \"category_id\": %d, \"segmentation\": [[0, 0, 4, 0, 4, 1, 0, 1]]}],"
        "\"categories\": [{\"id\": 0, \"name\": \"cars\", \"supercategory\": \"none\"}, {\"id\": 1, \"name\": \"bus\", "
        "\"supercategory\": \"cars\"}, {\"id\": 2, \"name\": \"van\", \"supercategory\": \"cars\"}]}";
    char text[1024];
    assert_int_equal(icseg_folder_create(test_path(&folder, "train"), NULL), ICSEG_OK);
    test_import_image(&folder, "train/a.png", 4, 2);
    snprintf(text, sizeof text, file, 2);
    test_write_text(&folder, "train/_annotations.coco.json", text);
    imports(ICSEG_IMPORT_COCO, 1);
    says("the category \"cars\" is only the parent of others and has no annotations; it was left out");
    has("train", "background bus van", 0, "2222 0000");
    test_import_remove(out);
    snprintf(text, sizeof text, file, 0);
    test_write_text(&folder, "train/_annotations.coco.json", text);
    imports(ICSEG_IMPORT_COCO, 1);
    has("train", "background cars bus van", 0, "1111 0000");
}

/* ---- LabelMe ---- */

static void labelmes_image_path_starts_from_its_file(void **state) {
    (void)state;
    static const char file[] = "{\"shapes\": [{\"label\": \"car\", \"points\": [[0, 0], [4, 0], [4, 1], [0, 1]]}], "
                               "\"imagePath\": \"%s\", \"imageData\": null, \"imageWidth\": 4, \"imageHeight\": 2}";
    static const char *const good[] = {"..\\\\images\\\\a.png", "../images/a.png", "./..//images/./a.png"};
    char text[512], source[128];
    assert_int_equal(icseg_folder_create(test_path(&folder, "set/ann/deep"), NULL), ICSEG_OK);
    assert_int_equal(icseg_folder_create(test_path(&folder, "set/images"), NULL), ICSEG_OK);
    test_import_image(&folder, "set/images/a.png", 4, 2);
    for (int i = 0; i < 6; i++) {
        snprintf(text, sizeof text, file, good[i / 2]);
        test_write_text(&folder, "set/ann/x.json", text);
        snprintf(source, sizeof source, "%s/%s", folder.path, i % 2 ? "set" : "set/ann");
        options.source = source;
        imports(ICSEG_IMPORT_LABELME, 1);
        has("train", "background car", 0, "1111 0000");
        test_import_remove(out);
    }
    snprintf(source, sizeof source, "%s/set/ann", folder.path); /* images/b.png of the folder above is out of reach */
    snprintf(text, sizeof text, file, "../../images/b.png");
    test_write_text(&folder, "set/ann/x.json", text);
    test_import_refuses(&options, "x.json: its image \"../../images/b.png\" is missing");
    test_remove(&folder, "set/ann/x.json");
    snprintf(text, sizeof text, file, "../../images/a.png");
    test_write_text(&folder, "set/ann/deep/x.json", text);
    imports(ICSEG_IMPORT_LABELME, 1);
    assert_true(icseg_file_exists(test_path(&folder, "out/images/train/deep_x.png")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cvats_xml_has_polygons_masks_and_ellipses, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(images_of_cvats_default_subset_are_one_split, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(hostile_xml_is_refused_in_one_line, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(label_studios_polygons_and_brush_strokes, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(the_newest_submitted_annotation_counts, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(hostile_exports_of_label_studio_are_refused, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(superviselys_polygons_have_holes, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(superviselys_bitmaps_are_placed, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(hostile_files_of_supervisely_are_refused, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(coco_ids_may_be_texts, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(roboflows_parent_without_annotations_is_left_out, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(labelmes_image_path_starts_from_its_file, open_folder, close_folder),
    };
    return cmocka_run_group_tests_name("files of labelling tools", tests, NULL, NULL);
}

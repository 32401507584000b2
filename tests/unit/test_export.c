/* SPDX-License-Identifier: Apache-2.0
 * Exports of random label maps, which the importer of the same format reads back without a difference; and what exports
 * refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "icseg/export.h"
#include "support/import_files.h"

enum { IMAGES = 6, MAX_SIDE = 33 };

static const char *const names[] = {"background", "road", "a \"b\" & <c>", "car \xc3\xa9"};
static const char *const things[] = {"sky", "road", "car", "tree"};
enum { CLASSES = 4 };

/* A format, what its importer is called, and where this expects files and images. */
static const struct round_trip {
    icseg_export_format format;
    icseg_import_format import;
    const char *to, *images, *source; /* below the folder; source: of the import */
    bool runs;
} round_trips[] = {
    {ICSEG_EXPORT_PNG, ICSEG_IMPORT_MASKS, "masks", "images", ".", false},
    {ICSEG_EXPORT_COCO, ICSEG_IMPORT_COCO, "x", "images", "x", false},
    {ICSEG_EXPORT_COCO, ICSEG_IMPORT_COCO, "x", "images", "x", true},
    {ICSEG_EXPORT_LABELME, ICSEG_IMPORT_LABELME, "x", "x", "x", false},
    {ICSEG_EXPORT_YOLO, ICSEG_IMPORT_YOLO, "x", "x/images", "x", false},
    {ICSEG_EXPORT_GEOJSON, ICSEG_IMPORT_GEOJSON, "x", "images", "x", false},
    {ICSEG_EXPORT_CVAT, ICSEG_IMPORT_CVAT_XML, "x", "images", "x", false},
    {ICSEG_EXPORT_CVAT, ICSEG_IMPORT_CVAT_XML, "x", "images", "x", true},
    {ICSEG_EXPORT_LABEL_STUDIO, ICSEG_IMPORT_LABEL_STUDIO, "x", "images", "x", false},
    {ICSEG_EXPORT_LABEL_STUDIO, ICSEG_IMPORT_LABEL_STUDIO, "x", "images", "x", true},
};

static test_folder folder;
static icseg_labels maps[IMAGES];
/* One is below a folder; importers call it sub_3. One begins with a dot before its extension only. */
static const char *const image_names[IMAGES] = {"0.png", "1 a.png", "2.x.png", "sub/3.png", "4\xc3\xa9.png", "5.png"};
static const char *const stems[IMAGES] = {"0", "1 a", "2.x", "sub_3", "4\xc3\xa9", "5"};

static void ok(icseg_status status, const icseg_error *error) {
    if (status != ICSEG_OK) fail_msg("%s", error->message);
}

/* Noise, in which pixels touch at corners and are alone; rings around each other; stripes; an empty image at the end.
 * Labels from -1 on if `ignore`. */
static void draw(uint64_t seed, bool ignore) {
    for (int i = 0; i < IMAGES; i++) {
        icseg_rng rng = icseg_rng_open(seed, ICSEG_RNG_TEST, (uint64_t)i);
        int32_t width = 3 + (int32_t)icseg_rng_below(&rng, MAX_SIDE),
                height = 3 + (int32_t)icseg_rng_below(&rng, MAX_SIDE);
        assert_int_equal(icseg_labels_create(&maps[i], width, height, NULL), ICSEG_OK);
        for (int32_t y = 0; y < height; y++)
            for (int32_t x = 0; x < width; x++) {
                int32_t noise = (int32_t)icseg_rng_below(&rng, CLASSES + ignore), ring = x < y ? x : y;
                if (width - 1 - x < ring) ring = width - 1 - x;
                if (height - 1 - y < ring) ring = height - 1 - y;
                int32_t label = i < 2 ? noise : i < 4 ? ring % 4 : i == 4 ? (x / 3 + y / 5) % 4 : 0;
                maps[i].data[y * width + x] = (int16_t)(i < 2 && ignore ? label - 1 : label);
            }
    }
}

static void put_images(const char *below) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s/sub", folder.path, below);
    assert_int_equal(icseg_folder_create(path, NULL), ICSEG_OK);
    for (int i = 0; i < IMAGES; i++) {
        snprintf(path, sizeof path, "%s/%s", below, image_names[i]);
        test_import_image(&folder, path, maps[i].width, maps[i].height);
    }
}

static void export_all(const char *to, const icseg_export_options *options) {
    icseg_export *out;
    icseg_error error = {0};
    ok(icseg_export_open(&out, test_path(&folder, to), options, &error), &error);
    for (int i = 0; i < IMAGES; i++) {
        icseg_export_image image = {ICSEG_EXPORT_IMAGE_INIT, .name = image_names[i], .labels = &maps[i]};
        ok(icseg_export_add(out, &image, &error), &error);
    }
    ok(icseg_export_finish(out, &error), &error);
    icseg_export_close(&out);
    assert_null(out);
}

static void write_classes(const char *const *list) {
    char text[256] = "";
    for (int k = 0; k < CLASSES; k++) snprintf(text + strlen(text), sizeof text - strlen(text), "%s\n", list[k]);
    test_write_text(&folder, "classes.txt", text);
}

/* Pixels outside of regions are `empty` in both. */
static void check_masks(const char *out) {
    char path[256];
    for (int i = 0; i < IMAGES; i++) {
        icseg_mask mask;
        icseg_error error = {0};
        snprintf(path, sizeof path, "%s/annotations/train/%s.png", out, stems[i]);
        ok(icseg_mask_read(&mask, path, &error), &error);
        assert_int_equal(mask.width, maps[i].width);
        assert_int_equal(mask.height, maps[i].height);
        for (int32_t k = 0; k < mask.width * mask.height; k++) {
            int want = maps[i].data[k] < 0 ? 255 : maps[i].data[k];
            if (mask.data[k] != want)
                fail_msg("%s: x %d, y %d: %d, not %d", path, k % mask.width, k / mask.width, mask.data[k], want);
        }
        icseg_mask_close(&mask);
    }
}

static void close_maps(void) {
    for (int i = 0; i < IMAGES; i++) icseg_labels_close(&maps[i]);
    test_dataset_close(&folder);
}

static void goes_and_comes_back(const struct round_trip *r, uint64_t seed, bool ignore) {
    const char *const *list = ignore ? things : names;
    char out[128], source[200], classes[128], images[128];
    icseg_export_options options = {ICSEG_EXPORT_OPTIONS_INIT, .format = r->format, .names = list, .classes = CLASSES,
                                    .runs = r->runs};
    folder = test_import_folders("images");
    draw(seed, ignore);
    put_images(r->images);
    write_classes(list);
    export_all(r->to, &options);
    icseg_import_options import = test_import_options(&folder, out);
    snprintf(source, sizeof source, "%s/%s", folder.path, r->source);
    snprintf(classes, sizeof classes, "%s/classes.txt", folder.path);
    snprintf(images, sizeof images, "%s/%s", folder.path, r->images);
    import.source = source;
    import.classes_file = classes;
    import.background = ignore ? "" : NULL;
    import.image_folder = strcmp(r->images, "images") ? NULL : images;
    test_imports(&import, r->import, IMAGES);
    check_masks(out);
    close_maps();
}

static void every_format_reads_back_what_it_wrote(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof round_trips / sizeof *round_trips; i++)
        for (uint64_t seed = 0; seed < 4; seed++) goes_and_comes_back(&round_trips[i], seed, false);
}

static void regions_to_ignore_are_unlabelled_pixels(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof round_trips / sizeof *round_trips; i++) goes_and_comes_back(&round_trips[i], 9, true);
}

static icseg_export_options coco(void) {
    return (icseg_export_options){ICSEG_EXPORT_OPTIONS_INIT, .format = ICSEG_EXPORT_COCO, .names = names,
                                  .classes = CLASSES};
}

/* The file of one image of a format, in memory. */
static char *encode(const icseg_export_options *options, const icseg_export_image *image) {
    void *data;
    size_t size;
    icseg_error error = {0};
    ok(icseg_export_encode(options, image, &data, &size, &error), &error);
    assert_int_equal(strlen(data), size);
    return data;
}

static int count_of(const char *text, const char *piece) {
    int count = 0;
    for (; (text = strstr(text, piece)); text++) count++;
    return count;
}

static icseg_labels labels_of(int32_t width, const char *rows) {
    icseg_labels labels;
    assert_int_equal(icseg_labels_create(&labels, width, (int32_t)strlen(rows) / width, NULL), ICSEG_OK);
    for (size_t i = 0; rows[i]; i++) labels.data[i] = (int16_t)(rows[i] - '0');
    return labels;
}

static void a_coco_file_is_what_its_format_says(void **state) {
    (void)state;
    static const float confidence[8] = {1, 1, 0.5F, 0, 1, 1, 0.25F, 0};
    icseg_labels labels = labels_of(4, "11201120");
    icseg_export_options options = coco();
    icseg_export_image image = {ICSEG_EXPORT_IMAGE_INIT, .name = "a.jpg", .labels = &labels, .confidence = confidence};
    char *text = encode(&options, &image);
    assert_string_equal(
        text, "{\"categories\":[\n{\"id\":2,\"name\":\"road\"},\n{\"id\":3,\"name\":\"a \\\"b\\\" & <c>\"},\n"
              "{\"id\":4,\"name\":\"car \xc3\xa9\"}],\n\"annotations\":[\n"
              "{\"id\":1,\"image_id\":1,\"category_id\":2,\"iscrowd\":0,\"area\":4,\"bbox\":[0,0,2,2],\"score\":1,"
              "\"segmentation\":[[0,0,2,0,2,2,0,2]]},\n"
              "{\"id\":2,\"image_id\":1,\"category_id\":3,\"iscrowd\":0,\"area\":2,\"bbox\":[2,0,1,2],\"score\":0.375,"
              "\"segmentation\":[[2,0,3,0,3,2,2,2]]}],\n"
              "\"images\":[\n{\"id\":1,\"file_name\":\"a.jpg\",\"width\":4,\"height\":2}]}\n");
    icseg_buffer_free(text);
    options.runs = true;
    image.confidence = NULL;
    text = encode(&options, &image);
    assert_non_null(strstr(text, "\"segmentation\":{\"size\":[2,4],\"counts\":[0,4,4]}}"));
    assert_non_null(strstr(text, "\"segmentation\":{\"size\":[2,4],\"counts\":[4,2,2]}}"));
    icseg_buffer_free(text);
    icseg_labels_close(&labels);
}

static void small_regions_and_corners_are_left_out(void **state) {
    (void)state;
    icseg_labels labels = labels_of(6, "111111"
                                       "121111"
                                       "111331"
                                       "000330"
                                       "000000");
    icseg_export_options options = coco();
    icseg_export_image image = {ICSEG_EXPORT_IMAGE_INIT, .name = "a.jpg", .labels = &labels};
    char *text = encode(&options, &image);
    assert_int_equal(count_of(text, "\"area\""), 3);
    icseg_buffer_free(text);
    options.min_area = 4;
    text = encode(&options, &image);
    assert_int_equal(count_of(text, "\"area\""), 2);
    assert_non_null(strstr(text, "\"area\":16,"));
    icseg_buffer_free(text);
    options.min_area = 5;
    text = encode(&options, &image);
    assert_int_equal(count_of(text, "\"area\""), 1);
    icseg_buffer_free(text);
    options = coco();
    options.tolerance = 2;
    text = encode(&options, &image);
    assert_int_equal(count_of(text, "\"area\""), 3); /* no region disappears */
    icseg_buffer_free(text);
    icseg_labels_close(&labels);
}

/* ---- refusals ---- */

static void refuses_options(const icseg_export_options *options, const char *piece, const char *field) {
    icseg_export *out = (icseg_export *)(uintptr_t)64;
    icseg_error error = {0};
    assert_int_equal(icseg_export_open(&out, folder.path, options, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(out);
    if (!strstr(error.message, piece)) fail_msg("'%s' is not in: %s", piece, error.message);
    assert_string_equal(error.field, field);
}

static void options_that_cannot_work_are_refused(void **state) {
    (void)state;
    static const char *const bad_names[] = {"a", "b\tc"};
    folder = test_import_folders("x");
    icseg_export_options o = coco();
    o.format = ICSEG_EXPORT_FORMATS;
    refuses_options(&o, "format: not a value of icseg_export_format", "format");
    o = coco(), o.names = NULL;
    refuses_options(&o, "names: is not set", "names");
    o = coco(), o.classes = 0;
    refuses_options(&o, "classes: must be between 1 and", "classes");
    o = coco(), o.tolerance = -1;
    refuses_options(&o, "tolerance: must be between 0 and", "tolerance");
    o = coco(), o.tolerance = 0.0 / (o.classes - CLASSES);
    refuses_options(&o, "tolerance: must be between 0 and", "tolerance");
    o = coco(), o.min_area = -1;
    refuses_options(&o, "min_area: must not be negative", "min_area");
    o = coco(), o.background = "sea";
    refuses_options(&o, "background: \"sea\" is not one of the classes", "background");
    o = coco(), o.format = ICSEG_EXPORT_PNG, o.runs = true;
    refuses_options(&o, "runs: the format png has no run lengths", "runs");
    o = coco(), o.names = bad_names, o.classes = 2;
    refuses_options(&o, "names[1] contains a control character", "names");
    test_dataset_close(&folder);
}

static void refuses_image(icseg_export *out, const char *name, const icseg_labels *labels, const char *piece) {
    icseg_error error = {0};
    icseg_export_image image = {ICSEG_EXPORT_IMAGE_INIT, .name = name, .labels = labels};
    assert_int_not_equal(icseg_export_add(out, &image, &error), ICSEG_OK);
    if (!strstr(error.message, piece)) fail_msg("'%s' is not in: %s", piece, error.message);
}

static void an_image_that_is_refused_leaves_the_export_as_it_was(void **state) {
    (void)state;
    char out_folder[128];
    icseg_error error = {0};
    icseg_export *out;
    icseg_export_options options = coco();
    folder = test_import_folders("images");
    draw(3, false);
    put_images("images");
    ok(icseg_export_open(&out, test_path(&folder, "x"), &options, &error), &error);
    for (int i = 0; i < IMAGES; i++) {
        icseg_labels wrong = labels_of(2, "0140");
        icseg_export_image image = {ICSEG_EXPORT_IMAGE_INIT, .name = image_names[i], .labels = &maps[i]};
        refuses_image(out, "a.jpg", &wrong, "a.jpg: label 4 at x 0, y 1 is not one of 4 classes");
        refuses_image(out, "a.jpg", &(icseg_labels){0}, "labels: empty");
        refuses_image(out, "a.jpg", NULL, "labels: is not set");
        refuses_image(out, NULL, &maps[i], "name: is not set");
        static const char *const bad[] = {"", "/a.jpg", "../a.jpg", "b/../a.jpg", "b//a.jpg", "./a.jpg", "b/"};
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
            refuses_image(out, bad[k], &maps[i], "the name of an image must be relative");
        refuses_image(out, "\xff.jpg", &maps[i], "the file name is not UTF-8, which COCO (instances JSON) does not");
        for (int64_t n = 0;; n++) {
            icseg_memory_fail_after(n);
            icseg_status status = icseg_export_add(out, &image, &error);
            if (!icseg_memory_fail_after(-1)) {
                ok(status, &error);
                break;
            }
            assert_int_equal(status, ICSEG_ERROR_MEMORY);
        }
        icseg_labels_close(&wrong);
    }
    ok(icseg_export_finish(out, &error), &error);
    refuses_image(out, "a.jpg", &maps[0], "the export is finished");
    icseg_export_close(&out);
    write_classes(names);
    char classes[128], images[128], source[128];
    icseg_import_options import = test_import_options(&folder, out_folder);
    snprintf(source, sizeof source, "%s/x/instances.json", folder.path);
    snprintf(classes, sizeof classes, "%s/classes.txt", folder.path);
    snprintf(images, sizeof images, "%s/images", folder.path);
    import.source = source;
    import.classes_file = classes;
    import.image_folder = images;
    test_imports(&import, ICSEG_IMPORT_COCO, IMAGES);
    check_masks(out_folder);
    close_maps();
}

static void expect_text(const char *name, const char *text) {
    unsigned char *data;
    size_t size;
    icseg_error error = {0};
    ok(icseg_file_read(test_path(&folder, name), 1 << 20, &data, &size, &error), &error);
    assert_string_equal((const char *)data, text);
    icseg_free(data);
}

static void an_export_that_does_not_finish_leaves_the_old_files(void **state) {
    (void)state;
    icseg_error error = {0};
    icseg_export *out;
    icseg_export_options options = coco();
    icseg_labels labels = labels_of(2, "0110");
    icseg_export_image image = {ICSEG_EXPORT_IMAGE_INIT, .name = "a.jpg", .labels = &labels};
    folder = test_import_folders("x");
    test_write_text(&folder, "x/instances.json", "old");
    test_write_text(&folder, "x/a.png", "old");
    ok(icseg_export_open(&out, test_path(&folder, "x"), &options, &error), &error);
    ok(icseg_export_add(out, &image, &error), &error);
    icseg_export_close(&out);
    expect_text("x/instances.json", "old");
    options.format = ICSEG_EXPORT_PNG;
    ok(icseg_export_open(&out, test_path(&folder, "x"), &options, &error), &error);
    assert_int_equal(chmod(test_path(&folder, "x/a.png"), 0444), 0);
    refuses_image(out, "a.jpg", &labels, "x/a.png: cannot write: the file is read-only");
    expect_text("x/a.png", "old");
    ok(icseg_export_finish(out, &error), &error);
    icseg_export_close(&out);
    options.format = ICSEG_EXPORT_COCO;
    assert_int_equal(chmod(test_path(&folder, "x/instances.json"), 0444), 0);
    assert_int_equal(icseg_export_open(&out, test_path(&folder, "x"), &options, &error), ICSEG_ERROR_IO);
    assert_null(out);
    expect_text("x/instances.json", "old");
    icseg_labels_close(&labels);
    test_dataset_close(&folder);
}

static void formats_have_names_and_files(void **state) {
    (void)state;
    icseg_export_format format;
    icseg_error error = {0};
    char *path;
    for (int32_t i = 0; i < icseg_export_format_count(); i++) {
        ok(icseg_export_format_find(&format, icseg_export_format_name((icseg_export_format)i), &error), &error);
        assert_int_equal(format, i);
        assert_true(strlen(icseg_export_format_description(format)) > 0);
        ok(icseg_export_path(format, "x", "b/a.jpg", &path, &error), &error);
        char *other;
        ok(icseg_export_path(format, "x", "a.jpg", &other, &error), &error);
        assert_int_equal(!strcmp(path, other), icseg_export_format_is_joint(format));
        icseg_buffer_free(path);
        icseg_buffer_free(other);
    }
    ok(icseg_export_path(ICSEG_EXPORT_PNG, "x", "b/a.x.jpg", &path, &error), &error);
    assert_string_equal(path, "x/b/a.x.png");
    icseg_buffer_free(path);
    assert_null(icseg_export_format_name(ICSEG_EXPORT_FORMATS));
    assert_null(icseg_export_format_description(ICSEG_EXPORT_FORMATS));
    assert_false(icseg_export_format_is_joint(ICSEG_EXPORT_FORMATS));
    assert_false(icseg_export_format_has_runs(ICSEG_EXPORT_FORMATS));
    assert_int_equal(icseg_export_path(ICSEG_EXPORT_FORMATS, "x", "a", &path, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_export_format_find(&format, "cocoo", &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "format: \"cocoo\" is not an export format; did you mean coco?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_reads_back_what_it_wrote),
        cmocka_unit_test(regions_to_ignore_are_unlabelled_pixels),
        cmocka_unit_test(a_coco_file_is_what_its_format_says),
        cmocka_unit_test(small_regions_and_corners_are_left_out),
        cmocka_unit_test(options_that_cannot_work_are_refused),
        cmocka_unit_test(an_image_that_is_refused_leaves_the_export_as_it_was),
        cmocka_unit_test(an_export_that_does_not_finish_leaves_the_old_files),
        cmocka_unit_test(formats_have_names_and_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

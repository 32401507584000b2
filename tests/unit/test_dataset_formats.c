/* SPDX-License-Identifier: Apache-2.0
 * The published data sets in miniature: recognition, pairing, label rules, wrong editions, 847 classes from label file
 * to confusion matrix and written mask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <matio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "classes/tables.h"
#include "icseg/dataset.h"
#include "icseg/memory.h"
#include "icseg/metrics.h"
#include "support/dataset_files.h"
#include "support/mat_files.h"
#include "support/scratch.h"

/* A folder with these empty subfolders. */
static test_folder make(const char *const *folders) {
    test_folder f = {"/tmp/icseg_form_XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    for (; *folders; folders++) assert_int_equal(icseg_folder_create(test_path(&f, *folders), NULL), ICSEG_OK);
    return f;
}
#define make_folders(...) make((const char *const[]){__VA_ARGS__, NULL})

static icseg_dataset *open_set(const test_folder *f, icseg_dataset_format format, const char *split) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *d;
    icseg_error error = {0};
    o.folder = f->path;
    o.format = format;
    o.split = split;
    if (icseg_dataset_open(&d, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return d;
}

static void fails_to_open(const test_folder *f, icseg_dataset_format format, const char *split, const char *piece) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *d;
    icseg_error error = {0};
    o.folder = f->path;
    o.format = format;
    o.split = split;
    assert_int_not_equal(icseg_dataset_open(&d, &o, &error), ICSEG_OK);
    assert_null(d);
    if (!strstr(error.message, piece)) fail_msg("'%s' is not in: %s", piece, error.message);
}

static void fails_to_read(const icseg_dataset *d, int64_t index, const char *piece) {
    icseg_image image;
    icseg_labels labels;
    icseg_error error = {0};
    assert_int_not_equal(icseg_dataset_read(d, index, &image, &labels, &error), ICSEG_OK);
    if (!strstr(error.message, piece)) fail_msg("'%s' is not in: %s", piece, error.message);
}

static void has_labels(const icseg_dataset *d, int64_t index, size_t count, const int16_t *expected) {
    icseg_image image;
    icseg_labels labels;
    icseg_error error = {0};
    if (icseg_dataset_read(d, index, &image, &labels, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal((size_t)labels.width * (size_t)labels.height, count);
    for (size_t i = 0; i < count; i++)
        if (labels.data[i] != expected[i]) fail_msg("label %zu: %d, not %d", i, labels.data[i], expected[i]);
    icseg_image_close(&image);
    icseg_labels_close(&labels);
}

static void class_tables_are_complete_and_names_unique(void **state) {
    (void)state;
    test_folder f = make_folders("images/ADE/training/a/b");
    test_write_jpeg(&f, "images/ADE/training/a/b/ADE_train_1.jpg", 2, 1, 0);
    test_write_png(&f, "images/ADE/training/a/b/ADE_train_1_seg.png", TEST_PNG_RGB, 8, 2, 1, (const uint16_t[6]){0});
    icseg_dataset *d = open_set(&f, ICSEG_DATASET_ADE20K_FULL, "train");
    const char *const *names = icseg_dataset_class_names(d), *const *synonyms = icseg_dataset_class_synonyms(d);
    assert_int_equal(icseg_dataset_classes(d), 847);
    for (int i = 0; i < 847; i++) {
        assert_true(names[i][0] && !strncmp(names[i], synonyms[i], strlen(names[i])));
        for (int j = 0; j < i; j++) assert_string_not_equal(names[i], names[j]);
    }
    assert_string_equal(names[1], "building");
    assert_string_equal(synonyms[1], "building, edifice");
    assert_string_equal(names[114], "bag");
    assert_string_equal(names[191], "bag, traveling bag");
    assert_string_equal(names[252], "bag, handbag");
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

/* ---- ADE20K SceneParsing 2016 ---- */

static test_folder make_ade20k(void) {
    test_folder f =
        make_folders("images/training", "images/validation", "annotations/training", "annotations/validation");
    test_write_jpeg(&f, "images/training/ADE_train_00000001.jpg", 4, 1, 0);
    test_write_png(&f, "annotations/training/ADE_train_00000001.png", TEST_PNG_GREY, 8, 4, 1,
                   (const uint16_t[]){0, 1, 150, 2});
    test_write_jpeg(&f, "images/validation/ADE_val_00000001.jpg", 4, 1, 0);
    test_write_png(&f, "annotations/validation/ADE_val_00000001.png", TEST_PNG_GREY, 8, 4, 1,
                   (const uint16_t[]){3, 3, 0, 13});
    return f;
}

static void ade20k_is_recognised_and_zero_is_unlabelled(void **state) {
    (void)state;
    test_folder f = make_ade20k();
    icseg_dataset *d = open_set(&f, ICSEG_DATASET_AUTO, "train");
    assert_int_equal(icseg_dataset_recognised(d), ICSEG_DATASET_ADE20K);
    assert_non_null(strstr(icseg_dataset_description(d), "SceneParsing"));
    assert_int_equal(icseg_dataset_classes(d), 150);
    assert_string_equal(icseg_dataset_class_names(d)[149], "flag");
    has_labels(d, 0, 4, (const int16_t[]){-1, 0, 149, 1});
    icseg_dataset_close(&d);
    d = open_set(&f, ICSEG_DATASET_ADE20K, "val");
    has_labels(d, 0, 4, (const int16_t[]){2, 2, -1, 12});
    icseg_dataset_close(&d);
    d = open_set(&f, ICSEG_DATASET_ADE20K, "validation");
    icseg_dataset_close(&d);
    fails_to_open(&f, ICSEG_DATASET_ADE20K, "dev", "training (or train) and validation (or val)");
    char **splits;
    int32_t count;
    assert_int_equal(icseg_dataset_splits(&splits, &count, f.path, NULL), ICSEG_OK);
    assert_true(count == 2 && !strcmp(splits[0], "training") && !strcmp(splits[1], "validation"));
    icseg_buffer_free(splits);
    test_dataset_close(&f);
}

static void predictions_have_ade20ks_colours(void **state) {
    (void)state;
    test_folder f = make_ade20k();
    icseg_dataset *d = open_set(&f, ICSEG_DATASET_AUTO, "train");
    const char *names[150];
    icseg_palette own, made;
    memcpy(names, icseg_dataset_class_names(d), sizeof names);
    assert_int_equal(icseg_palette_create_for(&own, names, 150, NULL), ICSEG_OK);
    assert_int_equal(own.size, 150);
    assert_memory_equal(own.color[0], ((uint8_t[]){120, 120, 120}), 3);
    assert_memory_equal(own.color[149], ((uint8_t[]){92, 0, 255}), 3);
    icseg_palette_close(&own);
    names[7] = "bedstead"; /* another list */
    assert_int_equal(icseg_palette_create_for(&own, names, 150, NULL), ICSEG_OK);
    assert_int_equal(icseg_palette_create(&made, 150, NULL), ICSEG_OK);
    assert_memory_equal(own.color, made.color, 450);
    icseg_palette_close(&own);
    icseg_palette_close(&made);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void the_wrong_edition_of_ade20k_is_named(void **state) {
    (void)state;
    test_folder parsing = make_ade20k(), full = make_folders("images/ADE/training/a/b", "images/ADE/validation"),
                old = make_folders("images/training/a/abbey", "images/validation"),
                empty = make((const char *const[]){NULL});
    fails_to_open(&parsing, ICSEG_DATASET_ADE20K_FULL, "train",
                  "this is ADE20K SceneParsing 2016, not ade20k_full; set the format to ade20k");
    fails_to_open(&parsing, ICSEG_DATASET_FOLDER, "training", "so set the format to ade20k");
    fails_to_open(&full, ICSEG_DATASET_ADE20K, "train", "this is ADE20K-Full");
    fails_to_open(&old, ICSEG_DATASET_ADE20K, "train", "ADE20K_2016_07_26");
    fails_to_open(&old, ICSEG_DATASET_AUTO, "train", "ADE20K_2016_07_26");
    fails_to_open(&full, ICSEG_DATASET_COCOSTUFF10K, "train", "this is ADE20K-Full");
    fails_to_open(&empty, ICSEG_DATASET_ADE20K, "train", "images/{training,validation}/*.jpg");

    test_write_png(&parsing, "annotations/training/ADE_train_00000001.png", TEST_PNG_GREY, 8, 4, 1,
                   (const uint16_t[]){0, 1, 151, 2});
    icseg_dataset *d = open_set(&parsing, ICSEG_DATASET_ADE20K, "train");
    fails_to_read(d, 0, "value 151 at x=2, y=0");
    icseg_dataset_close(&d);

    test_write_jpeg(&full, "images/ADE/training/a/b/x.jpg", 4, 1, 0);
    test_write_png(&full, "images/ADE/training/a/b/x_seg.png", TEST_PNG_GREY, 8, 4, 1, (const uint16_t[]){0, 1, 2, 2});
    d = open_set(&full, ICSEG_DATASET_AUTO, "train");
    fails_to_read(d, 0, "SceneParsing");
    icseg_dataset_close(&d);
    test_dataset_close(&parsing);
    test_dataset_close(&full);
    test_dataset_close(&old);
    test_dataset_close(&empty);
}

static icseg_status check_set(const icseg_dataset *d, char first[1024], icseg_dataset_summary *s) {
    icseg_error error = {0};
    icseg_status status = icseg_dataset_check(d, NULL, NULL, s, &error);
    snprintf(first, 1024, "%s", error.message);
    return status;
}

static void labels_that_are_shifted_by_one_are_found(void **state) {
    (void)state;
    char text[1024];
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    test_folder f = make_ade20k();
    icseg_dataset *d = open_set(&f, ICSEG_DATASET_ADE20K, "train");
    assert_int_equal(check_set(d, text, &s), ICSEG_OK);
    assert_true(s.ignored == 1 && s.class_pixels[149] == 1);
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);
    test_write_png(&f, "annotations/training/ADE_train_00000001.png", TEST_PNG_GREY, 8, 4, 1,
                   (const uint16_t[]){255, 0, 149, 1});
    d = open_set(&f, ICSEG_DATASET_ADE20K, "train");
    assert_int_equal(check_set(d, text, &s), ICSEG_ERROR_DATA);
    assert_non_null(strstr(text, "shifted down by one"));
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);

    char names[8192] = "";
    for (int k = 0; k < 150; k++) sprintf(names + strlen(names), "%s\n", icseg_classes_ade20k[k].synonyms);
    test_write_text(&f, "classes.txt", names);
    test_write_png(&f, "annotations/training/ADE_train_00000001.png", TEST_PNG_GREY, 8, 4, 1,
                   (const uint16_t[]){0, 1, 149, 2});
    d = open_set(&f, ICSEG_DATASET_AUTO, "training");
    assert_int_equal(icseg_dataset_recognised(d), ICSEG_DATASET_FOLDER);
    assert_int_equal(check_set(d, text, &s), ICSEG_ERROR_DATA);
    assert_non_null(strstr(text, "set reduce_zero_label"));
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

/* ---- COCO-Stuff 10k ---- */

static test_folder make_cocostuff(const test_mat *kind, const uint16_t values[4]) {
    test_folder f = make_folders("images", "annotations", "imageLists");
    test_write_jpeg(&f, "images/COCO_train2014_000000000077.jpg", 2, 2, 0);
    test_write_jpeg(&f, "images/COCO_train2014_000000000149.jpg", 2, 2, 0);
    test_write_mat(test_path(&f, "annotations/COCO_train2014_000000000077.mat"), kind, 2, 2, values);
    test_write_mat(test_path(&f, "annotations/COCO_train2014_000000000149.mat"), kind, 2, 2, values);
    test_write_text(&f, "imageLists/train.txt", "COCO_train2014_000000000077\r\n");
    test_write_text(&f, "imageLists/test.txt", "COCO_train2014_000000000149\n\n");
    test_write_text(&f, "imageLists/all.txt", "COCO_train2014_000000000077\nCOCO_train2014_000000000149\n");
    return f;
}

#ifdef ICSEG_NO_MATLAB

static void a_build_without_matlab_files_says_so(void **state) {
    (void)state;
    test_folder f = make_cocostuff(&(test_mat){.matio_class = MAT_C_UINT8}, (const uint16_t[]){0, 1, 182, 92});
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = f.path, .format = ICSEG_DATASET_AUTO};
    icseg_dataset *d;
    icseg_error error;
    assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_ERROR_UNSUPPORTED);
    assert_null(d);
    assert_non_null(strstr(error.message, "does not read MATLAB files; rebuild icseg with ICSEG_MATLAB=ON"));
    o.images_only = true;
    assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_OK);
    assert_int_equal(icseg_dataset_classes(d), 171);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

#else

static void cocostuff_1_1_has_cocos_ids(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        test_mat kind = {
            .hdf5 = i & 1, .deflate = i & 2, .matio_class = i & 2 ? MAT_C_UINT8 : MAT_C_DOUBLE, .names = 5};
        test_folder f = make_cocostuff(&kind, (const uint16_t[]){0, 1, 182, 92});
        icseg_dataset *d = open_set(&f, ICSEG_DATASET_AUTO, "train");
        assert_int_equal(icseg_dataset_recognised(d), ICSEG_DATASET_COCOSTUFF10K);
        assert_non_null(strstr(icseg_dataset_description(d), "v1.1"));
        assert_int_equal(icseg_dataset_count(d), 1);
        assert_int_equal(icseg_dataset_classes(d), 171);
        has_labels(d, 0, 4, (const int16_t[]){-1, 0, 170, 80});
        icseg_dataset_close(&d);
        d = open_set(&f, ICSEG_DATASET_COCOSTUFF10K, "val");
        assert_non_null(strstr(icseg_dataset_image_path(d, 0), "149.jpg"));
        icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
        char text[1024];
        assert_int_equal(check_set(d, text, &s), ICSEG_OK);
        assert_true(s.images == 1 && s.class_pixels[0] == 1 && s.class_pixels[170] == 1 && s.ignored == 1);
        icseg_dataset_summary_close(&s);
        icseg_dataset_close(&d);
        test_dataset_close(&f);
    }
}

static void cocostuff_1_0_counts_from_two(void **state) {
    (void)state;
    static const uint16_t holes[4] = {1, 2, 172, 12}, plain[4] = {1, 2, 172, 82};
    for (int i = 0; i < 4; i++) {
        /* recognised by an id that 1.1 skips, or by the number of names */
        test_mat kind = {.hdf5 = i & 1, .matio_class = MAT_C_UINT16, .names = i & 2 ? 172 : 0, .others_first = true};
        test_folder f = make_cocostuff(&kind, i & 2 ? plain : holes);
        icseg_dataset *d = open_set(&f, ICSEG_DATASET_AUTO, "train");
        assert_non_null(strstr(icseg_dataset_description(d), "v1.0"));
        has_labels(d, 0, 4, i & 2 ? (const int16_t[]){-1, 0, 170, 80} : (const int16_t[]){-1, 0, 170, 10});
        icseg_dataset_close(&d);
        test_dataset_close(&f);
    }
}

static void cocostuff_lists_and_values_are_checked(void **state) {
    (void)state;
    test_folder f = make_cocostuff(&(test_mat){.matio_class = MAT_C_INT16}, (const uint16_t[]){0, 183, 1, 200});
    icseg_dataset *d = open_set(&f, ICSEG_DATASET_AUTO, "train");
    fails_to_read(d, 0, "value 183 at x=1, y=0 and 1 more pixel out of range");
    icseg_dataset_close(&d);
    test_write_text(&f, "imageLists/train.txt", "COCO_train2014_000000000078\n");
    fails_to_open(&f, ICSEG_DATASET_AUTO, "train", "images/COCO_train2014_000000000078.jpg is missing");
    test_write_text(&f, "imageLists/train.txt", "../../etc/passwd\n");
    fails_to_open(&f, ICSEG_DATASET_AUTO, "train", "line 1 is not an image name");
    test_write_text(&f, "imageLists/train.txt", "COCO_train2014_000000000077\nCOCO_train2014_000000000077\n");
    fails_to_open(&f, ICSEG_DATASET_AUTO, "train", "is listed twice");
    test_write_text(&f, "imageLists/train.txt", "\n");
    fails_to_open(&f, ICSEG_DATASET_AUTO, "train", "no images");
    char *old = malloc(100001); /* line breaks of classic Mac OS */
    for (int i = 0; i < 100000; i++) old[i] = i % 2 ? '\r' : 'x';
    old[100000] = '\0';
    test_write_text(&f, "imageLists/train.txt", old);
    free(old);
    fails_to_open(&f, ICSEG_DATASET_AUTO, "train", "line 1 is not an image name");
    test_remove(&f, "annotations/COCO_train2014_000000000149.mat");
    fails_to_open(&f, ICSEG_DATASET_AUTO, "test", "its label file");
    test_dataset_close(&f);
}

#endif

static void mmsegmentations_train_ids_are_read(void **state) {
    (void)state;
    test_folder f = make_folders("images/train2014", "images/test2014", "annotations/train2014", "annotations/test2014",
                                 "imageLists");
    test_write_jpeg(&f, "images/train2014/a.jpg", 4, 1, 0);
    test_write_png(&f, "annotations/train2014/a_labelTrainIds.png", TEST_PNG_GREY, 8, 4, 1,
                   (const uint16_t[]){0, 1, 171, 255});
    icseg_dataset *d = open_set(&f, ICSEG_DATASET_AUTO, "train");
    has_labels(d, 0, 4, (const int16_t[]){-1, 0, 170, -1});
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void a_file_of_the_stem_without_the_suffix_is_not_a_label_file(void **state) {
    (void)state;
    test_folder coco = make_folders("images/train2014", "annotations/train2014"),
                full = make_folders("images/ADE/training/a/b");
    test_write_jpeg(&coco, "images/train2014/x.jpg", 4, 1, 0);
    test_write_png(&coco, "annotations/train2014/x.png", TEST_PNG_GREY, 8, 4, 1, (const uint16_t[]){0, 1, 3, 255});
    fails_to_open(&coco, ICSEG_DATASET_AUTO, "train", "x_labelTrainIds.png is missing; add it or remove the image");
    test_write_jpeg(&full, "images/ADE/training/a/b/x.jpg", 4, 1, 0);
    test_write_text(&full, "images/ADE/training/a/b/x.json", "{}");
    fails_to_open(&full, ICSEG_DATASET_AUTO, "train",
                  "its label file x_seg.png is missing; add it or remove the image");
    test_dataset_close(&coco);
    test_dataset_close(&full);
}

/* ---- ADE20K-Full ---- */

/* The colour in which a class is stored. */
static void code(uint16_t rgb[3], int32_t k) {
    int32_t id = icseg_classes_ade20k_full[k].stored;
    rgb[0] = (uint16_t)(id / 256 * 10 + id % 7); /* the last digit of red is not used */
    rgb[1] = (uint16_t)(id % 256);
    rgb[2] = (uint16_t)(k & 255); /* instances */
}

static void all_847_classes_are_read_counted_and_written(void **state) {
    (void)state;
    enum { W = 29, H = 30 }; /* 870 pixels: every class once, then unknown objects */
    static uint16_t rgb[W * H][3];
    test_folder f = make_folders("images/ADE/training/urban/street/ADE_train_00000001", "images/ADE/validation/w/x");
    const char *folder = "images/ADE/training/urban/street/";
    char name[128];
    for (int k = 0; k < 847; k++) code(rgb[k], k);
    rgb[860][0] = 120, rgb[860][1] = 94; /* an object that is not one of the 847 classes */
    snprintf(name, sizeof name, "%sADE_train_00000001.jpg", folder);
    test_write_jpeg(&f, name, W, H, 0);
    snprintf(name, sizeof name, "%sADE_train_00000001_seg.png", folder);
    test_write_png(&f, name, TEST_PNG_RGB, 8, W, H, rgb[0]);
    snprintf(name, sizeof name, "%sADE_train_00000001_parts_1.png", folder);
    test_write_png(&f, name, TEST_PNG_RGB, 8, W, H, rgb[0]);
    snprintf(name, sizeof name, "%sADE_train_00000001.json", folder);
    test_write_text(&f, name, "{}");
    test_write_text(&f, "images/ADE/training/urban/street/ADE_train_00000001/instance_000.png", "x");

    icseg_dataset *d = open_set(&f, ICSEG_DATASET_AUTO, "train");
    assert_int_equal(icseg_dataset_recognised(d), ICSEG_DATASET_ADE20K_FULL);
    assert_int_equal(icseg_dataset_count(d), 1);
    icseg_image image;
    icseg_labels labels;
    icseg_error error = {0};
    if (icseg_dataset_read(d, 0, &image, &labels, &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (int i = 0; i < W * H; i++) assert_int_equal(labels.data[i], i < 847 ? i : -1);
    icseg_image_close(&image);

    icseg_confusion confusion;
    icseg_metrics metrics = {ICSEG_METRICS_INIT};
    assert_int_equal(icseg_confusion_create(&confusion, 847, NULL), ICSEG_OK);
    icseg_labels predicted;
    assert_int_equal(icseg_labels_create(&predicted, W, H, NULL), ICSEG_OK);
    for (int i = 0; i < W * H; i++) predicted.data[i] = (int16_t)(i < 846 ? i : 845);
    assert_int_equal(icseg_confusion_add(&confusion, &labels, &predicted, &error), ICSEG_OK);
    assert_int_equal(confusion.count[846 * 847 + 845], 1);
    assert_int_equal(confusion.count[300 * 847 + 300], 1);
    assert_int_equal(icseg_metrics_compute(&metrics, &confusion, NULL), ICSEG_OK);
    assert_true(metrics.counted == 847 && metrics.aacc > 846. / 847 - 1e-9 && metrics.aacc < 846. / 847 + 1e-9);
    icseg_metrics_close(&metrics);
    icseg_confusion_close(&confusion);

    icseg_palette palette;
    icseg_mask mask;
    assert_int_equal(icseg_palette_create(&palette, 847, NULL), ICSEG_OK);
    assert_int_equal(icseg_labels_write_png(&labels, &palette, test_path(&f, "mask.png"), NULL), ICSEG_OK);
    assert_int_equal(icseg_mask_read(&mask, test_path(&f, "mask.png"), NULL), ICSEG_OK);
    assert_int_equal(mask.bits, 16);
    for (int i = 0; i < W * H; i++) assert_int_equal(mask.data[i], i < 847 ? i : 65535);
    icseg_mask_close(&mask);
    icseg_palette_close(&palette);
    icseg_labels_close(&predicted);
    icseg_labels_close(&labels);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void the_sixteen_bit_files_of_ade20k_full_are_read(void **state) {
    (void)state;
    test_folder f = make_folders("images_detectron2/training", "images_detectron2/validation",
                                 "annotations_detectron2/training", "annotations_detectron2/validation");
    test_write_jpeg(&f, "images_detectron2/validation/ADE_val_1.jpg", 4, 1, 0);
    test_write_tiff16(&f, "annotations_detectron2/validation/ADE_val_1.tif", 4, 1,
                      (const uint16_t[]){0, 846, 65535, 300});
    icseg_dataset *d = open_set(&f, ICSEG_DATASET_AUTO, "val");
    has_labels(d, 0, 4, (const int16_t[]){0, 846, -1, 300});
    icseg_dataset_close(&d);
    test_write_tiff16(&f, "annotations_detectron2/validation/ADE_val_1.tif", 4, 1, (const uint16_t[]){0, 847, 1, 2});
    d = open_set(&f, ICSEG_DATASET_ADE20K_FULL, "val");
    fails_to_read(d, 0, "value 847 at x=1, y=0");
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

#ifndef ICSEG_NO_MATLAB
static void a_lack_of_memory_is_reported_by_opening(void **state) {
    (void)state;
    test_folder f = make_cocostuff(&(test_mat){.matio_class = MAT_C_UINT8}, (const uint16_t[]){0, 1, 182, 92});
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    o.folder = f.path;
    o.format = ICSEG_DATASET_AUTO;
    icseg_status status = ICSEG_ERROR_MEMORY;
    int failures = 0;
    for (int64_t n = 0; n < 100000; n += n < 60 ? 1 : 17) {
        icseg_dataset *d;
        icseg_memory_fail_after(n);
        status = icseg_dataset_open(&d, &o, NULL);
        icseg_memory_fail_after(-1);
        icseg_dataset_close(&d);
        if (status == ICSEG_OK && n > 20) break;
        assert_true(status == ICSEG_OK || status == ICSEG_ERROR_MEMORY);
        failures += status != ICSEG_OK;
    }
    assert_int_equal(status, ICSEG_OK);
    assert_true(failures > 0);
    test_dataset_close(&f);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_tables_are_complete_and_names_unique),
        cmocka_unit_test(ade20k_is_recognised_and_zero_is_unlabelled),
        cmocka_unit_test(predictions_have_ade20ks_colours),
        cmocka_unit_test(the_wrong_edition_of_ade20k_is_named),
        cmocka_unit_test(labels_that_are_shifted_by_one_are_found),
#ifdef ICSEG_NO_MATLAB
        cmocka_unit_test(a_build_without_matlab_files_says_so),
#else
        cmocka_unit_test(cocostuff_1_1_has_cocos_ids),
        cmocka_unit_test(cocostuff_1_0_counts_from_two),
        cmocka_unit_test(cocostuff_lists_and_values_are_checked),
        cmocka_unit_test(a_lack_of_memory_is_reported_by_opening),
#endif
        cmocka_unit_test(mmsegmentations_train_ids_are_read),
        cmocka_unit_test(a_file_of_the_stem_without_the_suffix_is_not_a_label_file),
        cmocka_unit_test(all_847_classes_are_read_counted_and_written),
        cmocka_unit_test(the_sixteen_bit_files_of_ade20k_full_are_read),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}

/* SPDX-License-Identifier: Apache-2.0
 * The folder data set and the check before training: pairing, label rules, every kind of problem and its message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/dataset.h"
#include "icseg/memory.h"
#include "support/dataset_files.h"

enum { LINES = 32 };

typedef struct lines {
    int count;
    char text[LINES][1024];
    char field[ICSEG_ERROR_FIELD_SIZE]; /* of the last problem */
    bool decode_images;                 /* for `check` */
} lines;

static void collect(void *user, const icseg_error *problem) {
    lines *l = user;
    assert_true(l->count < LINES);
    assert_int_not_equal(problem->status, ICSEG_OK);
    snprintf(l->field, sizeof l->field, "%s", problem->field);
    snprintf(l->text[l->count++], sizeof l->text[0], "%s", problem->message);
}

static const icseg_dataset_check_options one_thread = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = 1};

static icseg_dataset_options in(const test_folder *f) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    o.folder = f->path;
    return o;
}

/* The text must contain every piece. */
static void has(const char *text, const char *const *pieces) {
    for (; *pieces; pieces++)
        if (!strstr(text, *pieces)) fail_msg("'%s' is not in: %s", *pieces, text);
}
#define assert_has(text, ...) has(text, (const char *const[]){__VA_ARGS__, NULL})

static icseg_status check(const icseg_dataset_options *o, int threads, lines *l, icseg_dataset_summary *summary,
                          icseg_error *error) {
    icseg_dataset *d;
    icseg_dataset_options open = *o;
    icseg_dataset_check_options how = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = threads,
                                       .decode_images = l->decode_images, .on_problem = collect, .user = l};
    open.keep_unpaired = true;
    l->count = 0;
    assert_int_equal(icseg_dataset_open(&d, &open, error), ICSEG_OK);
    icseg_status status = icseg_dataset_check(d, &how, NULL, summary, error);
    icseg_dataset_close(&d);
    return status;
}

/* The check finds only this problem, whose text contains the pieces, with one and with three threads. */
static void finds(const icseg_dataset_options *o, bool decode_images, const char *const *pieces) {
    for (int threads = 1; threads <= 3; threads += 2) {
        lines l = {.decode_images = decode_images};
        icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
        icseg_error error;
        assert_int_equal(check(o, threads, &l, &s, &error), ICSEG_ERROR_DATA);
        if (l.count != 1) fail_msg("%d problems: %s | %s", l.count, l.text[0], l.text[1]);
        assert_int_equal(s.problems, 1);
        has(l.text[0], pieces);
        assert_string_equal(error.message, l.text[0]);
        assert_string_equal(error.field, l.field);
        icseg_dataset_summary_close(&s);
    }
}
#define assert_finds(options, ...) finds(options, false, (const char *const[]){__VA_ARGS__, NULL})

static void a_valid_data_set_is_paired_counted_and_read(void **state) {
    (void)state;
    test_folder f = test_dataset_open("\xef\xbb\xbfsky\r\n  sea \r\n\xc3\xa4ther\r\n\r\n");
    test_write_pair(&f, "b", 16, 8, 2, 0);
    test_write_pair(&f, "a-1", 12, 8, 2, 1);
    test_write_pair(&f, "a", 12, 9, 2, 0);
    test_write_text(&f, "images/train/notes.txt", "not an image");
    test_write_text(&f, "annotations/train/a.json", "{}");
    icseg_dataset_options o = in(&f);
    icseg_dataset *d;
    icseg_error error;
    assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_OK);
    assert_int_equal(icseg_dataset_count(d), 3);
    assert_int_equal(icseg_dataset_classes(d), 3);
    assert_string_equal(icseg_dataset_class_names(d)[0], "sky");
    assert_string_equal(icseg_dataset_class_names(d)[1], "sea");
    assert_string_equal(icseg_dataset_class_names(d)[2], "\xc3\xa4ther");
    assert_string_equal(icseg_dataset_image_path(d, 0), test_path(&f, "images/train/a.png"));
    assert_string_equal(icseg_dataset_label_path(d, 1), test_path(&f, "annotations/train/a-1.png"));
    icseg_image image;
    icseg_labels labels;
    assert_int_equal(icseg_dataset_read(d, 2, &image, &labels, &error), ICSEG_OK);
    assert_true(image.width == 16 && image.height == 8 && labels.width == 16 && labels.height == 8);
    assert_true(labels.data[0] == 0 && labels.data[4] == 1 && labels.data[5 * 16 + 4] == 0);
    assert_int_equal(image.data[3 * (16 + 2)], 2 * 37 + 11);
    icseg_image_close(&image);
    icseg_labels_close(&labels);
    assert_int_equal(icseg_dataset_read(d, 3, &image, &labels, &error), ICSEG_ERROR_ARGUMENT);
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    assert_int_equal(icseg_dataset_check(d, NULL, NULL, &s, &error), ICSEG_OK);
    assert_true(s.images == 3 && s.pixels == 16 * 8 + 12 * 8 + 12 * 9 && s.ignored == 0 && s.problems == 0);
    assert_true(s.class_pixels[0] + s.class_pixels[1] == s.pixels && s.class_pixels[2] == 0);
    assert_true(s.class_images[0] == 3 && s.class_images[1] == 3 && s.class_images[2] == 0);
    assert_true(s.min_width == 12 && s.max_width == 16 && s.min_height == 8 && s.max_height == 9);
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

/* Reads a 4x1 mask with these values; returns the four labels. */
static void read_values(const icseg_dataset_options *o, int16_t out[4]) {
    icseg_dataset *d;
    icseg_image image;
    icseg_labels labels;
    icseg_error error = {0};
    assert_int_equal(icseg_dataset_open(&d, o, &error), ICSEG_OK);
    if (icseg_dataset_read(d, 0, &image, &labels, &error) != ICSEG_OK) fail_msg("%s", error.message);
    memcpy(out, labels.data, 4 * sizeof *out);
    icseg_image_close(&image);
    icseg_labels_close(&labels);
    icseg_dataset_close(&d);
}

static void stored_values_become_labels_by_the_rule(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\nc\n");
    icseg_dataset_options o = in(&f);
    int16_t l[4];
    test_write_pair(&f, "x", 4, 1, 1, 0);
    const char *mask = "annotations/train/x.png";
    test_write_png(&f, mask, TEST_PNG_GREY, 8, 4, 1, (const uint16_t[]){0, 2, 255, 1});
    read_values(&o, l);
    assert_true(l[0] == 0 && l[1] == 2 && l[2] == -1 && l[3] == 1);
    test_write_png(&f, mask, TEST_PNG_PALETTE, 8, 4, 1, (const uint16_t[]){2, 0, 255, 1});
    read_values(&o, l);
    assert_true(l[0] == 2 && l[1] == 0 && l[2] == -1 && l[3] == 1);
    test_write_png(&f, mask, TEST_PNG_PALETTE, 2, 4, 1, (const uint16_t[]){2, 0, 1, 1});
    read_values(&o, l);
    assert_true(l[0] == 2 && l[1] == 0 && l[2] == 1 && l[3] == 1);
    test_write_png(&f, mask, TEST_PNG_GREY, 1, 4, 1, (const uint16_t[]){1, 0, 1, 1});
    read_values(&o, l);
    assert_true(l[0] == 1 && l[1] == 0 && l[2] == 1);
    test_write_png(&f, mask, TEST_PNG_GREY, 16, 4, 1, (const uint16_t[]){1, 65535, 2, 0});
    read_values(&o, l);
    assert_true(l[0] == 1 && l[1] == -1 && l[2] == 2 && l[3] == 0);
    o.reduce_zero_label = true;
    o.ignore_count = 2;
    o.ignore = (const int32_t[]){300, 2};
    test_write_png(&f, mask, TEST_PNG_GREY, 16, 4, 1, (const uint16_t[]){0, 3, 300, 2});
    read_values(&o, l);
    assert_true(l[0] == -1 && l[1] == 2 && l[2] == -1 && l[3] == -1);
    test_remove(&f, mask);
    test_write_tiff16(&f, "annotations/train/x.tif", 4, 1, (const uint16_t[]){1, 65535, 3, 0});
    read_values(&o, l);
    assert_true(l[0] == 0 && l[1] == -1 && l[2] == 2 && l[3] == -1);
    test_dataset_close(&f);
}

static void sixteen_bits_represent_more_than_255_classes(void **state) {
    (void)state;
    char names[300 * 4 + 1], *p = names;
    for (int i = 0; i < 300; i++) p += sprintf(p, "%03d\n", i);
    test_folder f = test_dataset_open(names);
    icseg_dataset_options o = in(&f);
    int16_t l[4];
    test_write_pair(&f, "x", 4, 1, 1, 0);
    test_write_png(&f, "annotations/train/x.png", TEST_PNG_GREY, 16, 4, 1, (const uint16_t[]){299, 255, 256, 65535});
    read_values(&o, l);
    assert_true(l[0] == 299 && l[1] == 255 && l[2] == 256 && l[3] == -1);
    test_write_png(&f, "annotations/train/x.png", TEST_PNG_GREY, 16, 4, 1, (const uint16_t[]){299, 255, 300, 301});
    assert_finds(&o, "x.png: value 300 at x=2, y=0 and 1 more pixel out of range", "0..299 and 65535");
    test_dataset_close(&f);
}

static void a_class_with_several_names_is_called_by_the_first_unique_one(void **state) {
    (void)state;
    test_folder f = test_dataset_open("building, edifice\nbag\nbag; handbag\ncar (red, new) , auto\n");
    icseg_dataset_options o = in(&f);
    icseg_dataset *d;
    icseg_error error;
    test_write_pair(&f, "x", 4, 2, 3, 0);
    assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_OK);
    const char *names[] = {"building", "bag", "bag; handbag", "car (red, new)"};
    for (int k = 0; k < 4; k++) assert_string_equal(icseg_dataset_class_names(d)[k], names[k]);
    assert_string_equal(icseg_dataset_class_synonyms(d)[0], "building, edifice");
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void values_out_of_range_are_reported_with_the_remedy(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\nc\n");
    icseg_dataset_options o = in(&f);
    const char *mask = "annotations/train/y.png";
    test_write_pair(&f, "x", 4, 2, 3, 0);
    test_write_pair(&f, "y", 4, 2, 3, 0);
    test_write_png(&f, mask, TEST_PNG_GREY, 8, 4, 2, (const uint16_t[]){0, 1, 2, 0, 0, 0, 200, 7});
    assert_finds(&o, test_path(&f, mask), "value 200 at x=2, y=1 and 1 more", "classes are 0..2 and 255 is ignored",
                 "ignored values", "class list");
    icseg_dataset *d;
    icseg_image image;
    icseg_labels labels;
    icseg_error error;
    assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_OK);
    assert_int_equal(icseg_dataset_read(d, 1, &image, &labels, &error), ICSEG_ERROR_DATA);
    assert_has(error.message, "value 200 at x=2, y=1");
    assert_true(!image.data && !labels.data);
    icseg_dataset_close(&d);

    test_write_png(&f, mask, TEST_PNG_GREY, 8, 4, 2, (const uint16_t[]){0, 1, 2, 3, 1, 1, 2, 2});
    assert_finds(&o, "value 3 at x=3, y=0;", "set reduce_zero_label");
    o.reduce_zero_label = true;
    test_write_png(&f, mask, TEST_PNG_GREY, 8, 4, 2, (const uint16_t[]){0, 1, 2, 3, 1, 1, 4, 2});
    assert_finds(&o, "value 4 at x=2, y=1;", "classes are 1..3");
    o.ignore = (const int32_t[]){4};
    o.ignore_count = 1;
    lines l = {0};
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    assert_int_equal(check(&o, 1, &l, &s, &error), ICSEG_OK);
    icseg_dataset_summary_close(&s);
    test_dataset_close(&f);
}

static void files_that_do_not_match_are_named(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\nc\n");
    icseg_dataset_options o = in(&f);
    test_write_pair(&f, "good", 8, 8, 3, 0);
    uint16_t values[64 * 3] = {0};

    test_write_jpeg(&f, "images/train/p.jpg", 8, 4, 0);
    assert_finds(&o, "images/train/p.jpg: its label file", "annotations/train/p.png is missing",
                 "add it or remove the image");
    test_write_png(&f, "annotations/train/p_mask.png", TEST_PNG_GREY, 8, 8, 4, values);
    lines l = {0};
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    icseg_error error;
    assert_int_equal(check(&o, 1, &l, &s, &error), ICSEG_ERROR_DATA);
    assert_int_equal(l.count, 2);
    assert_has(l.text[0], "p.jpg: its label file", "there is p_mask.png; rename it");
    assert_has(l.text[1], "annotations/train/p_mask.png: its image is missing");
    assert_has(error.message, "(and 1 more problem)");
    icseg_dataset_summary_close(&s);
    test_remove(&f, "annotations/train/p_mask.png");

    test_write_png(&f, "annotations/train/p.png", TEST_PNG_GREY, 8, 8, 5, values);
    assert_finds(&o, "annotations/train/p.png: the mask is 8x5 but its image", "p.jpg is 8x4");
    test_write_png(&f, "annotations/train/p.png", TEST_PNG_GREY, 8, 4, 8, values);
    assert_finds(&o, "the mask is 4x8 but its image");
    test_write_png(&f, "annotations/train/p.png", TEST_PNG_GREY, 8, 8, 4, values);
    test_write_jpeg(&f, "images/train/p.jpg", 8, 4, 6);
    assert_finds(&o, "the mask is 8x4, which matches", "without its EXIF rotation (4x8 with it)", "rotate the mask");
    test_write_jpeg(&f, "images/train/p.jpg", 8, 4, 3); /* upside down: the size is the same */
    assert_int_equal(check(&o, 1, &l, &s, &error), ICSEG_OK);
    icseg_dataset_summary_close(&s);

    values[0] = 1; /* red; the values of a grey pixel would be an index */
    test_write_png(&f, "annotations/train/p.png", TEST_PNG_RGB, 8, 8, 4, values);
    assert_finds(&o, "annotations/train/p.png", "RGB", "class ind");
    test_write_png(&f, "annotations/train/p.png", TEST_PNG_GREY, 8, 8, 4, values);
    test_truncate(&f, "annotations/train/p.png", 60);
    assert_finds(&o, "annotations/train/p.png");
    test_truncate(&f, "annotations/train/p.png", 0);
    assert_finds(&o, "annotations/train/p.png", "empty");
    test_remove(&f, "annotations/train/p.png");
    test_write_jpeg(&f, "annotations/train/p.jpg", 8, 4, 0);
    assert_finds(&o, "annotations/train/p.jpg", "JPEG");
    test_remove(&f, "annotations/train/p.jpg");
    test_write_png(&f, "annotations/train/p.png", TEST_PNG_GREY, 8, 8, 4, values);
    test_write_text(&f, "images/train/p.jpg", "<html>404</html>");
    assert_finds(&o, "images/train/p.jpg: not an image");
    test_dataset_close(&f);
}

static void a_hint_names_a_label_file_with_a_similar_name(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    icseg_dataset_options o = in(&f);
    test_write_pair(&f, "1", 8, 8, 2, 0);
    test_write_pair(&f, "10", 8, 8, 2, 0);
    test_write_pair(&f, "1_b", 8, 8, 2, 0);
    test_remove(&f, "annotations/train/1.png");
    assert_finds(&o, "images/train/1.png: its label file",
                 "annotations/train/1.png is missing; add it or remove the image");
    test_write_text(&f, "annotations/train/1.a.json", "{}");
    assert_finds(&o, "annotations/train/1.png is missing; add it or remove the image");
    lines l = {0};
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    icseg_error error;
    assert_int_equal(rename(test_path(&f, "annotations/train/10.png"), test_path(&f, "annotations/train/1-x.png")), 0);
    test_write_pair(&f, "10", 8, 8, 2, 0);
    assert_int_equal(check(&o, 1, &l, &s, &error), ICSEG_ERROR_DATA);
    assert_has(l.text[0], "images/train/1.png: its label file", "there is 1-x.png");
    icseg_dataset_summary_close(&s);
    test_dataset_close(&f);
}

static void a_truncated_image_is_found_when_images_are_checked(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    icseg_dataset_options o = in(&f);
    lines l = {.decode_images = true};
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    test_write_pair(&f, "x", 40, 40, 2, 0);
    test_write_pair(&f, "y", 40, 40, 2, 0);
    test_write_jpeg(&f, "images/train/z.jpg", 40, 40, 0);
    test_write_png(&f, "annotations/train/z.png", TEST_PNG_GREY, 8, 40, 40, (const uint16_t[1600]){0, 1});
    assert_int_equal(check(&o, 2, &l, &s, NULL), ICSEG_OK);
    icseg_dataset_summary_close(&s);
    test_truncate(&f, "images/train/z.jpg", 400);
    finds(&o, true, (const char *const[]){"images/train/z.jpg", NULL});
    test_remove(&f, "images/train/z.jpg");
    test_remove(&f, "annotations/train/z.png");
    test_truncate(&f, "images/train/y.png", 300);
    finds(&o, true, (const char *const[]){"images/train/y.png", NULL});
    l.decode_images = false; /* the header is complete */
    assert_int_equal(check(&o, 1, &l, &s, NULL), ICSEG_OK);
    icseg_dataset_summary_close(&s);
    test_dataset_close(&f);
}

static void a_label_file_cut_anywhere_is_a_problem(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    icseg_dataset_options o = in(&f);
    const char *mask = "annotations/train/x.png";
    test_write_pair(&f, "x", 40, 40, 2, 0);
    unsigned char *whole;
    size_t size;
    assert_int_equal(icseg_file_read(test_path(&f, mask), 1 << 20, &whole, &size, NULL), ICSEG_OK);
    for (size_t keep = 0; keep + 16 < size; keep += 3) { /* the last 12 bytes are IEND, preceded by a checksum */
        assert_int_equal(icseg_file_write(test_path(&f, mask), whole, keep, NULL), ICSEG_OK);
        lines l = {0};
        icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
        assert_int_equal(check(&o, 1, &l, &s, NULL), ICSEG_ERROR_DATA);
        assert_int_equal(l.count, 1);
        assert_has(l.text[0], "annotations/train/x.png: ");
        assert_int_equal(s.pixels, 0);
        icseg_dataset_summary_close(&s);
    }
    icseg_free(whole);
    test_dataset_close(&f);
}

static void masks_of_zero_and_255_are_recognised(void **state) {
    (void)state;
    for (int bits = 8; bits <= 16; bits += 8) {
        test_folder f = test_dataset_open("background\nroad\n");
        icseg_dataset_options o = in(&f);
        uint16_t white = bits == 8 ? 255 : 65535;
        const uint16_t none[4] = {0}, values[4] = {0, 0, 0, white};
        for (int i = 0; i < 9; i++) {
            char stem[16], name[64];
            snprintf(stem, sizeof stem, "%d", i);
            test_write_pair(&f, stem, 2, 2, 1, 0);
            snprintf(name, sizeof name, "annotations/train/%d.png", i);
            test_write_png(&f, name, TEST_PNG_GREY, bits, 2, 2, i < 3 ? none : values);
        }
        assert_finds(&o, "annotations/train/3.png: value", bits == 8 ? "255 at x=1, y=1" : "65535 at x=1, y=1",
                     "contain only 0 and", "map it to a class (", "ignored values");
        lines l = {0};
        icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
        o.map = bits == 8 ? "255=1" : "65535=1"; /* one remedy of the message */
        assert_int_equal(check(&o, 2, &l, &s, NULL), ICSEG_OK);
        assert_true(s.ignored == 0 && s.class_pixels[1] == 6 && s.class_pixels[0] == 30);
        icseg_dataset_summary_close(&s);
        o.map = "255=2";
        icseg_dataset *d;
        icseg_error error;
        assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_OK); /* 2 is not a class: found in the files */
        icseg_dataset_close(&d);
        o.map = "255";
        assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_ERROR_ARGUMENT);
        assert_string_equal(error.field, "map");
        o.map = NULL;
        o.ignore = (const int32_t[]){white}; /* the other remedy of the message */
        o.ignore_count = 1;
        assert_int_equal(check(&o, 2, &l, &s, NULL), ICSEG_OK);
        icseg_dataset_summary_close(&s);
        o.ignore_count = 0;
        test_write_png(&f, "annotations/train/8.png", TEST_PNG_GREY, bits, 2, 2, (const uint16_t[]){0, 1, 0, 0});
        assert_int_equal(check(&o, 2, &l, &s, NULL), ICSEG_OK); /* with another class, 255 is what it should be */
        assert_int_equal(s.ignored, 5);
        icseg_dataset_summary_close(&s);
        test_dataset_close(&f);
    }
}

static char warning[512];
static void keep_warning(void *user, icseg_message_level level, const char *text) {
    (void)user, (void)level;
    snprintf(warning, sizeof warning, "%s", text);
}

static void a_split_of_few_classes_is_warned_about(void **state) {
    (void)state;
    static const struct {
        int values[4];
        const char *warns;
    } cases[] = {{{1, 1, 1, 1}, "annotations/train: all labelled pixels are of one class, \"b\""},
                 {{1, 2, 255, 2}, "annotations/train: 2 of 4 classes have no pixels"},
                 {{0, 1, 2, 255}, ""}};
    const icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = keep_warning};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_folder f = test_dataset_open("a\nb\nc\nd\n");
        icseg_dataset_options o = in(&f);
        icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
        icseg_dataset *d;
        uint16_t values[4];
        for (int k = 0; k < 4; k++) values[k] = (uint16_t)cases[i].values[k];
        test_write_pair(&f, "a", 2, 2, 1, 0);
        test_write_png(&f, "annotations/train/a.png", TEST_PNG_GREY, 8, 2, 2, values);
        assert_int_equal(icseg_dataset_open(&d, &o, NULL), ICSEG_OK);
        warning[0] = '\0';
        assert_int_equal(icseg_dataset_check(d, NULL, &progress, &s, NULL), ICSEG_OK);
        assert_non_null(strstr(warning, cases[i].warns));
        assert_int_equal(warning[0] != 0, cases[i].warns[0] != 0);
        icseg_dataset_summary_close(&s);
        icseg_dataset_close(&d);
        test_dataset_close(&f);
    }
}

static void a_data_set_without_labelled_pixels_is_a_problem(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    icseg_dataset_options o = in(&f);
    o.reduce_zero_label = true;
    test_write_pair(&f, "x", 2, 2, 1, 0);
    assert_finds(&o, "annotations/train: all pixels of all label files are unlabelled", "reduce_zero_label");
    test_dataset_close(&f);
}

static void problems_are_in_file_order_for_any_number_of_threads(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    icseg_dataset_options o = in(&f);
    for (int i = 0; i < 24; i++) {
        char stem[16], name[64];
        snprintf(stem, sizeof stem, "%02d", i);
        test_write_pair(&f, stem, 9, 7, i % 3 == 1 ? 4 : 2, 0);
        snprintf(name, sizeof name, "annotations/train/%02d.png", i);
        if (i % 6 == 2) test_remove(&f, name);
        if (i % 6 == 5) test_truncate(&f, name, 40);
    }
    lines one = {0}, many = {0};
    icseg_dataset_summary s1 = {ICSEG_DATASET_SUMMARY_INIT}, s4 = s1;
    icseg_error e1, e4;
    assert_int_equal(check(&o, 1, &one, &s1, &e1), ICSEG_ERROR_DATA);
    assert_int_equal(check(&o, 4, &many, &s4, &e4), ICSEG_ERROR_DATA);
    assert_int_equal(one.count, 16);
    assert_int_equal(many.count, 16);
    for (int i = 0; i < one.count; i++) assert_string_equal(one.text[i], many.text[i]);
    assert_has(one.text[0], "/01.png");
    assert_has(one.text[15], "/23.png");
    assert_string_equal(e1.message, e4.message);
    assert_has(e1.message, "/01.png", "(and 15 more problems)");
    assert_true(s1.pixels == s4.pixels && s1.images == 8 && s4.images == 8 && s1.problems == 16);
    assert_memory_equal(s1.class_pixels, s4.class_pixels, 2 * sizeof(int64_t));
    icseg_dataset_summary_close(&s1);
    icseg_dataset_summary_close(&s4);
    test_dataset_close(&f);
}

static bool stop_at_three(void *user, const icseg_progress_event *event) {
    int *calls = user;
    assert_string_equal(event->stage, "check labels");
    assert_true(event->total == 6 && event->done >= *calls);
    return ++*calls < 3;
}

static void progress_is_reported_and_can_cancel(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    icseg_dataset_options o = in(&f);
    for (int i = 0; i < 6; i++) test_write_pair(&f, (char[]){(char)('a' + i), 0}, 8, 8, 2, 0);
    icseg_dataset *d;
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    icseg_error error;
    int calls = 0;
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = stop_at_three, .user = &calls};
    assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_OK);
    assert_int_equal(icseg_dataset_check(d, &one_thread, &progress, &s, &error), ICSEG_ERROR_CANCELLED);
    assert_int_equal(calls, 3);
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void fails_to_open(const icseg_dataset_options *o, icseg_status status, const char *const *pieces) {
    icseg_dataset *d;
    icseg_error error = {0};
    assert_int_equal(icseg_dataset_open(&d, o, &error), status);
    assert_null(d);
    has(error.message, pieces);
}
#define assert_fails_to_open(options, status, ...)                                                                     \
    fails_to_open(options, status, (const char *const[]){__VA_ARGS__, NULL})

static void errors_of_opening_name_the_cause(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    icseg_dataset_options o = in(&f);
    assert_fails_to_open(&o, ICSEG_ERROR_DATA, "images/train: no images");
    test_write_pair(&f, "x", 4, 4, 2, 0);
    o.split = "val";
    assert_fails_to_open(&o, ICSEG_ERROR_DATA, "images/val: no such folder", "contains the splits train");
    o.split = "";
    assert_fails_to_open(&o, ICSEG_ERROR_DATA, "no images", "subfolders are not searched");
    o.split = "train";
    o.folder = "/nowhere/at/all";
    assert_fails_to_open(&o, ICSEG_ERROR_DATA, "/nowhere/at/all: no such folder");
    o.folder = NULL;
    assert_fails_to_open(&o, ICSEG_ERROR_ARGUMENT, "folder: is not set; set it to the folder of the data set");
    o = in(&f);
    o.ignore_count = 1, o.ignore = (const int32_t[]){-1};
    assert_fails_to_open(&o, ICSEG_ERROR_ARGUMENT, "ignore: -1 is not a label value");
    o.ignore = (const int32_t[]){65536};
    assert_fails_to_open(&o, ICSEG_ERROR_ARGUMENT, "ignore: 65536 is not a label value");
    o.ignore = NULL;
    assert_fails_to_open(&o, ICSEG_ERROR_ARGUMENT, "ignore: ignore_count is 1, but ignore is NULL");
    o.ignore_count = -1;
    assert_fails_to_open(&o, ICSEG_ERROR_ARGUMENT, "ignore: ignore_count is -1");
    o = in(&f);
    test_write_jpeg(&f, "images/train/x.JPG", 4, 4, 0);
    assert_fails_to_open(&o, ICSEG_ERROR_DATA, "images/train/x.JPG and x.png differ only in the extension");
    test_remove(&f, "images/train/x.JPG");
    test_write_jpeg(&f, "images/train/y.jpg", 4, 4, 0);
    assert_fails_to_open(&o, ICSEG_ERROR_DATA, "images/train/y.jpg: its label file",
                         "annotations/train/y.png is missing");
    o.images_only = true;
    icseg_dataset *d;
    icseg_image image;
    icseg_labels labels;
    test_remove(&f, "classes.txt");
    assert_int_equal(icseg_dataset_open(&d, &o, NULL), ICSEG_OK);
    assert_int_equal(icseg_dataset_count(d), 2);
    assert_int_equal(icseg_dataset_read(d, 1, &image, &labels, NULL), ICSEG_OK);
    assert_true(image.width == 4 && !labels.data && !icseg_dataset_label_path(d, 1));
    icseg_image_close(&image);
    icseg_dataset_close(&d);
    o.images_only = false;
    assert_fails_to_open(&o, ICSEG_ERROR_DATA, "classes.txt: no such file; write the class names there");
    test_dataset_close(&f);
}

static void class_lists_are_checked(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    icseg_dataset_options o = in(&f);
    test_write_pair(&f, "x", 4, 4, 2, 0);
    assert_fails_to_open(&o, ICSEG_ERROR_DATA, "classes.txt: no class names");
    const struct {
        const char *text, *piece;
    } cases[] = {{"\n \n", "no class names"},
                 {"a\nb\n a\nb\n", "lines 1 and 3 are both \"a\""},
                 {"a\n\nb\n", "line 2 is empty"},
                 {"a\nb\tc\n", "line 2 contains a control character"},
                 {"a\nb\xff\n", "line 2 is not UTF-8"},
                 {"\xc0\x80\n", "line 1 is not UTF-8"},
                 {"\xed\xa0\x80\n", "line 1 is not UTF-8"},
                 {"\xf4\x90\x80\x80\n", "line 1 is not UTF-8"},
                 {"abc\xe2\x82", "line 1 is not UTF-8"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_write_text(&f, "classes.txt", cases[i].text);
        assert_fails_to_open(&o, ICSEG_ERROR_DATA, cases[i].piece);
    }
    char *many = malloc(16385 * 6 + 1), *p = many;
    for (int i = 0; i < 16385; i++) p += sprintf(p, "%05d\n", i);
    test_write_text(&f, "classes.txt", many);
    assert_fails_to_open(&o, ICSEG_ERROR_DATA, "16385 class names; at most 16384");
    free(many);
    test_write_text(&f, "names", "a\nb");
    char names[128];
    snprintf(names, sizeof names, "%s", test_path(&f, "names"));
    o.classes_file = names;
    icseg_dataset *d;
    assert_int_equal(icseg_dataset_open(&d, &o, NULL), ICSEG_OK);
    assert_int_equal(icseg_dataset_classes(d), 2);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void a_data_set_without_splits_has_its_files_directly_in_the_folders(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    const uint16_t values[3 * 4] = {0};
    test_write_png(&f, "images/x.png", TEST_PNG_RGB, 8, 2, 2, values);
    test_write_png(&f, "annotations/x.png", TEST_PNG_GREY, 8, 2, 2, values);
    icseg_dataset_options o = in(&f);
    o.split = "";
    int16_t l[4];
    read_values(&o, l);
    assert_int_equal(l[3], 0);
    test_dataset_close(&f);
}

static void splits_are_the_folders_of_images(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    char **names;
    int32_t count;
    icseg_error error;
    assert_int_equal(icseg_folder_create(test_path(&f, "images/a-test"), NULL), ICSEG_OK);
    assert_int_equal(icseg_folder_create(test_path(&f, "images/.hidden"), NULL), ICSEG_OK);
    test_write_text(&f, "images/file", "x");
    assert_int_equal(icseg_dataset_splits(&names, &count, f.path, &error), ICSEG_OK);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "a-test");
    assert_string_equal(names[1], "train");
    icseg_buffer_free(names);
    assert_int_equal(icseg_dataset_splits(&names, &count, "/nowhere", &error), ICSEG_ERROR_DATA);
    assert_true(!names && !count);
    assert_has(error.message, "/nowhere: no such folder");
    for (int i = 0; i <= 4096; i++) {
        char name[32];
        snprintf(name, sizeof name, "images/%d", i);
        assert_int_equal(mkdir(test_path(&f, name), 0777), 0);
    }
    assert_int_equal(icseg_dataset_splits(&names, &count, f.path, &error), ICSEG_ERROR_DATA);
    assert_true(!names && !count);
    assert_has(error.message, "/images: more than 4096 subfolders");
    test_dataset_close(&f);
}

static void running_out_of_memory_is_an_error_each_time(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    test_write_pair(&f, "x", 4, 4, 2, 0);
    test_write_pair(&f, "y", 4, 4, 2, 0);
    icseg_dataset_options o = in(&f);
    bool done = false;
    int n = 0;
    for (; !done && n < 200; n++) {
        icseg_dataset *d;
        icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
        icseg_memory_fail_after(n);
        icseg_status status = icseg_dataset_open(&d, &o, NULL);
        if (status == ICSEG_OK) {
            status = icseg_dataset_check(d, &one_thread, NULL, &s, NULL);
            icseg_dataset_close(&d);
        }
        icseg_memory_fail_after(-1);
        icseg_dataset_summary_close(&s);
        done = status == ICSEG_OK;
        if (!done) assert_int_equal(status, ICSEG_ERROR_MEMORY);
    }
    assert_true(n > 10); /* some allocations failed */
    assert_true(done);
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_data_set_is_paired_counted_and_read),
        cmocka_unit_test(stored_values_become_labels_by_the_rule),
        cmocka_unit_test(sixteen_bits_represent_more_than_255_classes),
        cmocka_unit_test(a_class_with_several_names_is_called_by_the_first_unique_one),
        cmocka_unit_test(values_out_of_range_are_reported_with_the_remedy),
        cmocka_unit_test(files_that_do_not_match_are_named),
        cmocka_unit_test(a_hint_names_a_label_file_with_a_similar_name),
        cmocka_unit_test(a_truncated_image_is_found_when_images_are_checked),
        cmocka_unit_test(a_label_file_cut_anywhere_is_a_problem),
        cmocka_unit_test(masks_of_zero_and_255_are_recognised),
        cmocka_unit_test(a_split_of_few_classes_is_warned_about),
        cmocka_unit_test(a_data_set_without_labelled_pixels_is_a_problem),
        cmocka_unit_test(problems_are_in_file_order_for_any_number_of_threads),
        cmocka_unit_test(progress_is_reported_and_can_cancel),
        cmocka_unit_test(errors_of_opening_name_the_cause),
        cmocka_unit_test(class_lists_are_checked),
        cmocka_unit_test(a_data_set_without_splits_has_its_files_directly_in_the_folders),
        cmocka_unit_test(splits_are_the_folders_of_images),
        cmocka_unit_test(running_out_of_memory_is_an_error_each_time),
    };
    return cmocka_run_group_tests_name("dataset", tests, NULL, NULL);
}

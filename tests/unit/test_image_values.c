/* SPDX-License-Identifier: Apache-2.0
 * Images of data sets whose stored values need a choice: bands, value ranges, and notes about what was read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "icseg/dataset.h"
#include "support/dataset_files.h"

enum { SIDE = 4, PIXELS = SIDE * SIDE };

static icseg_error error;

/* An image of 16 bits whose values are 0 and `most`, and its label file. */
static void write_deep(const test_folder *f, const char *stem, uint16_t most) {
    char name[64];
    uint16_t values[PIXELS] = {0, most}, labels[PIXELS] = {0};
    snprintf(name, sizeof name, "images/train/%s.png", stem);
    test_write_png(f, name, TEST_PNG_GREY, 16, SIDE, SIDE, values);
    snprintf(name, sizeof name, "annotations/train/%s.png", stem);
    test_write_png(f, name, TEST_PNG_GREY, 8, SIDE, SIDE, labels);
}

static icseg_dataset *open_set(const test_folder *f, const icseg_image_values *values) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = f->path, .values = values};
    icseg_dataset *d;
    if (icseg_dataset_open(&d, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return d;
}

static icseg_status check(const icseg_dataset *d, bool decode, int threads) {
    icseg_dataset_check_options how = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = threads, .decode_images = decode};
    icseg_dataset_summary summary = {ICSEG_DATASET_SUMMARY_INIT};
    icseg_status status = icseg_dataset_check(d, &how, NULL, &summary, &error);
    icseg_dataset_summary_close(&summary);
    return status;
}

static void the_first_dark_image_is_noted_in_whatever_order_they_are_read(void **state) {
    (void)state;
    test_folder f = test_dataset_open("sky\n");
    write_deep(&f, "a", 65535);
    write_deep(&f, "b", 3000);
    write_deep(&f, "c", 500);
    icseg_error note;
    for (int way = 0; way < 5; way++) {
        icseg_dataset *d = open_set(&f, NULL);
        assert_false(icseg_dataset_note(d, ICSEG_IMAGE_NOTE_DARK, &note));
        for (int64_t i = 2; way == 0 && i >= 0; i--) {
            icseg_image image;
            icseg_labels labels;
            assert_int_equal(icseg_dataset_read(d, i, &image, &labels, &error), ICSEG_OK);
            icseg_image_close(&image);
            icseg_labels_close(&labels);
        }
        if (way > 0) assert_int_equal(check(d, way > 2, way % 2 ? 1 : 3), ICSEG_OK);
        assert_true(icseg_dataset_note(d, ICSEG_IMAGE_NOTE_DARK, &note));
        assert_int_equal(note.status, ICSEG_OK);
        assert_int_equal(note.remedy, ICSEG_REMEDY_SET_FIELD);
        assert_string_equal(note.field, "value_range");
        assert_memory_equal(note.message, test_path(&f, "images/train/b.png"),
                            strlen(test_path(&f, "images/train/b.png")));
        assert_non_null(strstr(note.message, "b.png: its 16-bit values are at most 3000, so the image is nearly black; "
                                             "a value range such as 0,4095 helps"));
        assert_false(icseg_dataset_note(d, ICSEG_IMAGE_NOTE_PAGE, &note));
        assert_true(icseg_dataset_note(d, ICSEG_IMAGE_NOTE_DARK, NULL));
        icseg_dataset_close(&d);
    }
    assert_false(icseg_dataset_note(NULL, ICSEG_IMAGE_NOTE_DARK, &note));
    icseg_dataset *d = open_set(&f, NULL);
    assert_false(icseg_dataset_note(d, ICSEG_IMAGE_NOTE_NONE, &note));
    assert_false(icseg_dataset_note(d, ICSEG_IMAGE_NOTES, &note));
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void a_value_range_is_used_and_ends_the_note(void **state) {
    (void)state;
    test_folder f = test_dataset_open("sky\n");
    write_deep(&f, "a", 3000);
    icseg_image_values values = {ICSEG_IMAGE_VALUES_INIT, .value_low = 0, .value_high = 6000};
    icseg_dataset *d = open_set(&f, &values);
    icseg_image image;
    icseg_labels labels;
    assert_int_equal(check(d, false, 1), ICSEG_OK);
    assert_int_equal(icseg_dataset_read(d, 0, &image, &labels, &error), ICSEG_OK);
    assert_int_equal(image.data[3], 128); /* 127.5, rounded */
    assert_false(icseg_dataset_note(d, ICSEG_IMAGE_NOTE_DARK, NULL));
    icseg_image_close(&image);
    icseg_labels_close(&labels);
    icseg_dataset_close(&d);
    /* A black image is black on purpose. */
    write_deep(&f, "a", 0);
    d = open_set(&f, NULL);
    assert_int_equal(check(d, true, 1), ICSEG_OK);
    assert_false(icseg_dataset_note(d, ICSEG_IMAGE_NOTE_DARK, NULL));
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

/* Headers are enough to find what training would find. */
static void choices_that_do_not_fit_are_problems_of_the_check(void **state) {
    (void)state;
    test_folder f = test_dataset_open("sky\n");
    write_deep(&f, "a", 3000);
    for (int decode = 0; decode < 2; decode++) {
        icseg_dataset *d = open_set(&f, &(icseg_image_values){ICSEG_IMAGE_VALUES_INIT, .bands = {1}});
        assert_int_equal(check(d, decode, 1), ICSEG_ERROR_DATA);
        assert_non_null(strstr(error.message, "a.png: bands can be chosen in TIFF files only, and this is PNG"));
        assert_string_equal(error.field, "bands");
        assert_int_equal(error.remedy, ICSEG_REMEDY_SET_FIELD);
        icseg_dataset_close(&d);
    }
    test_write_pair(&f, "b", SIDE, SIDE, 1, 0); /* 8 bits */
    icseg_dataset *d = open_set(&f, &(icseg_image_values){ICSEG_IMAGE_VALUES_INIT, .value_high = 4095});
    assert_int_equal(check(d, false, 1), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "b.png: a value range is for files of 16 and more bits, and this one has 8"));
    assert_string_equal(error.field, "value_range");
    icseg_dataset_close(&d);
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = f.path,
                               .values = &(icseg_image_values){ICSEG_IMAGE_VALUES_INIT, .bands = {1, 2}}};
    assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(d);
    assert_string_equal(error.field, "bands");
    o.values = &(icseg_image_values){.bands = {1}};
    assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_ERROR_ARGUMENT);
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_dark_image_is_noted_in_whatever_order_they_are_read),
        cmocka_unit_test(a_value_range_is_used_and_ends_the_note),
        cmocka_unit_test(choices_that_do_not_fit_are_problems_of_the_check),
    };
    return cmocka_run_group_tests_name("image values", tests, NULL, NULL);
}

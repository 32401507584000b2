/* SPDX-License-Identifier: Apache-2.0
 * The classes of a label map: pixels, shares and mean confidences, the largest first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "icseg/image.h"

static void classes_are_sorted_by_their_pixels_and_then_by_their_index(void **state) {
    (void)state;
    int16_t data[10] = {3, 3, 3, 0, 0, 5, 5, -1, -1, 1}; /* 5 x 2 */
    const float confidence[10] = {0.5f, 0.25f, 0.75f, 1, 0.5f, 0, 0.25f, 1, 1, 0.125f};
    const icseg_labels labels = {5, 2, data};
    icseg_labels_summary s = {ICSEG_LABELS_SUMMARY_INIT};
    icseg_error error;
    assert_int_equal(icseg_labels_summarise(&s, &labels, confidence, 6, &error), ICSEG_OK);
    const icseg_class_share expected[4] = {{3, 3, 0.3, 0.5}, {0, 2, 0.2, 0.75}, {5, 2, 0.2, 0.125}, {1, 1, 0.1, 0.125}};
    assert_int_equal(s.count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(s.classes[i].index, expected[i].index);
        assert_int_equal(s.classes[i].pixels, expected[i].pixels);
        assert_true(s.classes[i].share == expected[i].share);
        assert_true(s.classes[i].confidence == expected[i].confidence);
    }
    assert_int_equal(s.labelled, 8);
    assert_true(s.confidence == (1.5 + 1.5 + 0.25 + 0.125) / 8);
    icseg_labels_summary_close(&s);
    assert_null(s.classes);
    assert_int_equal(s.count, 0);

    assert_int_equal(icseg_labels_summarise(&s, &labels, NULL, 6, &error), ICSEG_OK);
    assert_int_equal(s.classes[0].pixels, 3);
    assert_true(s.classes[0].confidence == 0 && s.confidence == 0);
    icseg_labels_summary_close(&s);
}

static void a_label_map_without_labels_has_no_classes(void **state) {
    (void)state;
    int16_t data[2] = {-1, -1};
    const icseg_labels labels = {2, 1, data};
    icseg_labels_summary s = {ICSEG_LABELS_SUMMARY_INIT};
    assert_int_equal(icseg_labels_summarise(&s, &labels, NULL, 3, NULL), ICSEG_OK);
    assert_null(s.classes);
    assert_true(s.count == 0 && s.labelled == 0 && s.confidence == 0);
    icseg_labels_summary_close(&s);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    int16_t data[6] = {0, 1, 2, 0, 3, 0}; /* 3 x 2 */
    icseg_labels labels = {3, 2, data};
    icseg_labels_summary s = {ICSEG_LABELS_SUMMARY_INIT};
    icseg_error error;
    assert_int_equal(icseg_labels_summarise(&s, &labels, NULL, 3, &error), ICSEG_ERROR_DATA);
    assert_string_equal(error.message, "label 3 at x 1, y 1 is not one of 3 classes");
    assert_null(s.classes);
    data[4] = -2;
    assert_int_equal(icseg_labels_summarise(&s, &labels, NULL, 3, &error), ICSEG_ERROR_DATA);
    assert_int_equal(icseg_labels_summarise(&s, &labels, NULL, 0, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_labels_summarise(&s, &labels, NULL, 65535, &error), ICSEG_ERROR_ARGUMENT);
    labels.width = 0;
    assert_int_equal(icseg_labels_summarise(&s, &labels, NULL, 3, &error), ICSEG_ERROR_ARGUMENT);
    s.struct_size = 3;
    assert_int_equal(icseg_labels_summarise(&s, &labels, NULL, 3, &error), ICSEG_ERROR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_sorted_by_their_pixels_and_then_by_their_index),
        cmocka_unit_test(a_label_map_without_labels_has_no_classes),
        cmocka_unit_test(bad_input_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * metrics/: confusion matrix and metrics compared with hand-worked values, the three conventions for absent classes,
 * the printed table and the JSON. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/memory.h"
#include "icseg/metrics.h"

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-12)

static icseg_labels row(int16_t *values, int32_t count) { return (icseg_labels){count, 1, values}; }

/* Classes 0 and 1 occur in the labels, 2 only in the prediction, 3 nowhere. One of 8 pixels is ignored.
 * label      0 0 0 1 1 1 1 -        0: hit 2, label 3, predicted 3 -> IoU 2/4
 * prediction 0 0 2 1 1 0 1 9        1: hit 3, label 4, predicted 3 -> IoU 3/4       2: IoU 0/1 */
static icseg_confusion example(void) {
    int16_t label[] = {0, 0, 0, 1, 1, 1, 1, -1}, prediction[] = {0, 0, 2, 1, 1, 0, 1, 9};
    icseg_labels a = row(label, 8), b = row(prediction, 8);
    icseg_confusion confusion;
    assert_int_equal(icseg_confusion_create(&confusion, 4, NULL), ICSEG_OK);
    assert_int_equal(icseg_confusion_add(&confusion, &a, &b, NULL), ICSEG_OK);
    return confusion;
}

static void metrics_agree_with_hand_worked_values(void **state) {
    (void)state;
    icseg_confusion confusion = example();
    assert_int_equal(confusion.count[0 * 4 + 2], 1); /* row = label */
    assert_int_equal(confusion.count[1 * 4 + 0], 1);
    icseg_metrics m = {ICSEG_METRICS_INIT};
    assert_int_equal(icseg_metrics_compute(&m, &confusion, NULL), ICSEG_OK);
    NEAR(m.iou[0], 0.5);
    NEAR(m.iou[1], 0.75);
    NEAR(m.accuracy[0], 2.0 / 3);
    NEAR(m.accuracy[1], 0.75);
    NEAR(m.aacc, 5.0 / 7);
    NEAR(m.macc, (2.0 / 3 + 0.75) / 2);
    assert_int_equal(m.pixels[0], 3);
    assert_int_equal(m.pixels[1], 4);
    icseg_metrics_close(&m);
    assert_null(m.iou);
    icseg_metrics_close(&m);
    icseg_confusion_close(&confusion);
    icseg_confusion_close(&confusion);
    icseg_confusion_close(NULL);
}

static void absent_classes_follow_each_of_the_three_conventions(void **state) {
    (void)state;
    icseg_confusion confusion = example();
    icseg_metrics m = {ICSEG_METRICS_INIT};
    assert_int_equal(icseg_metrics_compute(&m, &confusion, NULL), ICSEG_OK);
    NEAR(m.iou[2], 0); /* predicted, never correctly */
    assert_true(isnan(m.accuracy[2]) && isnan(m.iou[3]) && isnan(m.accuracy[3]));
    assert_int_equal(m.counted, 3);
    NEAR(m.miou, (0.5 + 0.75 + 0) / 3);
    NEAR(m.miou_labelled, (0.5 + 0.75) / 2);
    NEAR(m.miou_all, (0.5 + 0.75) / 4);
    icseg_metrics_close(&m);
    icseg_confusion_close(&confusion);
    assert_int_equal(icseg_confusion_create(&confusion, 2, NULL), ICSEG_OK); /* without labelled pixels */
    assert_int_equal(icseg_metrics_compute(&m, &confusion, NULL), ICSEG_OK);
    assert_true(isnan(m.miou) && isnan(m.aacc) && isnan(m.macc) && isnan(m.miou_labelled) && isnan(m.miou_all));
    icseg_metrics_close(&m);
    icseg_confusion_close(&confusion);
}

static void values_out_of_range_are_refused_and_nothing_is_counted(void **state) {
    (void)state;
    icseg_confusion confusion = example();
    int64_t before[16];
    memcpy(before, confusion.count, sizeof before);
    const int16_t bad[][4] = {{0, 1, 0, 4}, {0, 1, 0, INT16_MAX}, {0, 1, 0, -2}, {0, 1, 0, INT16_MIN}};
    icseg_error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int16_t fine[] = {0, 1, 2, 3}, wrong[4];
        memcpy(wrong, bad[i], sizeof wrong);
        icseg_labels a = {2, 2, fine}, b = {2, 2, wrong};
        assert_int_equal(icseg_confusion_add(&confusion, &a, &b, &error), ICSEG_ERROR_DATA);
        assert_non_null(strstr(error.message, "prediction"));
        assert_non_null(strstr(error.message, "x=1, y=1; expected 0 to 3"));
        assert_int_equal(icseg_confusion_add(&confusion, &b, &a, &error), ICSEG_ERROR_DATA);
        assert_non_null(strstr(error.message, "label"));
    }
    int16_t values[] = {0, 1, 0, -1};
    icseg_labels a = {2, 2, values}, b = {4, 1, values};
    assert_int_equal(icseg_confusion_add(&confusion, &a, &b, &error), ICSEG_ERROR_SHAPE);
    assert_non_null(strstr(error.message, "2x2"));
    int16_t unpredicted[] = {-1, 1, 0, 0}; /* "ignore" is not a prediction */
    b = (icseg_labels){2, 2, unpredicted};
    assert_int_equal(icseg_confusion_add(&confusion, &a, &b, &error), ICSEG_ERROR_DATA);
    assert_memory_equal(before, confusion.count, sizeof before);
    icseg_confusion_close(&confusion);
    assert_int_equal(icseg_confusion_create(&confusion, 0, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_confusion_create(&confusion, INT32_MAX, &error), ICSEG_ERROR_ARGUMENT);
}

static void all_847_classes_work(void **state) {
    (void)state;
    enum { K = 847 };
    icseg_confusion confusion;
    assert_int_equal(icseg_confusion_create(&confusion, K, NULL), ICSEG_OK);
    static int16_t label[2 * K], prediction[2 * K];
    for (int16_t c = 0; c < K; c++) { /* each class twice: once correct, once mistaken for the next */
        label[2 * c] = label[2 * c + 1] = prediction[2 * c] = c;
        prediction[2 * c + 1] = (int16_t)((c + 1) % K);
    }
    icseg_labels a = row(label, 2 * K), b = row(prediction, 2 * K);
    assert_int_equal(icseg_confusion_add(&confusion, &a, &b, NULL), ICSEG_OK);
    icseg_metrics m = {ICSEG_METRICS_INIT};
    assert_int_equal(icseg_metrics_compute(&m, &confusion, NULL), ICSEG_OK);
    NEAR(m.miou, 1.0 / 3);
    NEAR(m.aacc, 0.5);
    NEAR(m.iou[846], 1.0 / 3);
    assert_int_equal(m.counted, K);
    icseg_metrics_close(&m);
    icseg_confusion_close(&confusion);
}

static void the_table_is_aligned_and_names_its_convention(void **state) {
    (void)state;
    icseg_confusion confusion = example();
    icseg_metrics m = {ICSEG_METRICS_INIT};
    char *text;
    const char *names[] = {"sky", "Fußgänger", "歩道", "e\033vil"};
    assert_int_equal(icseg_metrics_compute(&m, &confusion, NULL), ICSEG_OK);
    assert_int_equal(icseg_metrics_table(&m, names, &text, NULL), ICSEG_OK);
    assert_string_equal(text, "+-----------+--------+--------+\n"
                              "| Class     |    IoU |    Acc |\n"
                              "+-----------+--------+--------+\n"
                              "| sky       |  50.00 |  66.67 |\n"
                              "| Fußgänger |  75.00 |  75.00 |\n"
                              "| 歩道      |   0.00 |    nan |\n"
                              "| e?vil     |    nan |    nan |\n"
                              "+-----------+--------+--------+\n"
                              "\n"
                              "+--------+--------+--------+\n"
                              "|   aAcc |   mIoU |   mAcc |\n"
                              "+--------+--------+--------+\n"
                              "|  71.43 |  41.67 |  70.83 |\n"
                              "+--------+--------+--------+\n"
                              "mIoU over the 3 of 4 classes that occur in labels or predictions; over those in the "
                              "labels: 62.50; with absent classes as 0: 31.25\n");
    icseg_buffer_free(text);
    const char *broken[] = {"\xff\xfe", "\xe6\xad", "a", "\xf0"}; /* not UTF-8, truncated: must not read past the end */
    assert_int_equal(icseg_metrics_table(&m, broken, &text, NULL), ICSEG_OK);
    icseg_buffer_free(text);
    icseg_error error;
    assert_int_equal(icseg_metrics_json(&m, broken, &text, &error), ICSEG_ERROR_DATA);
    assert_null(text);
    broken[2] = NULL;
    assert_int_equal(icseg_metrics_table(&m, broken, &text, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "names[2] is NULL");
    assert_int_equal(icseg_metrics_json(&m, broken, &text, &error), ICSEG_ERROR_ARGUMENT);
    icseg_metrics_close(&m);
    icseg_confusion_close(&confusion);
    assert_int_equal(icseg_confusion_add(&confusion, &(icseg_labels){0}, &(icseg_labels){0}, &error),
                     ICSEG_ERROR_ARGUMENT);
}

static void json_contains_every_figure_and_null_for_undefined(void **state) {
    (void)state;
    icseg_confusion confusion = example();
    icseg_metrics m = {ICSEG_METRICS_INIT};
    char *text;
    const char *names[] = {"a \"quoted\"\n", "b", "c", "d"};
    assert_int_equal(icseg_metrics_compute(&m, &confusion, NULL), ICSEG_OK);
    assert_int_equal(icseg_metrics_json(&m, names, &text, NULL), ICSEG_OK);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    assert_true(fabs(json_real_value(json_object_get(root, "miou")) - 1.25 / 3) < 1e-8);
    assert_true(fabs(json_real_value(json_object_get(root, "miou_all")) - 1.25 / 4) < 1e-8);
    assert_int_equal(json_integer_value(json_object_get(root, "counted")), 3);
    json_t *classes = json_object_get(root, "classes");
    assert_int_equal(json_array_size(classes), 4);
    assert_string_equal(json_string_value(json_object_get(json_array_get(classes, 0), "name")), names[0]);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(classes, 1), "pixels")), 4);
    assert_true(json_is_null(json_object_get(json_array_get(classes, 3), "iou")));
    assert_true(json_is_null(json_object_get(json_array_get(classes, 2), "acc")));
    json_decref(root);
    icseg_buffer_free(text);
    icseg_metrics_close(&m);
    icseg_confusion_close(&confusion);
}

static void a_failed_allocation_is_an_error_without_leaks(void **state) {
    (void)state;
    icseg_confusion confusion = example(), other;
    const char *names[] = {"a", "b", "c", "d"};
    int failed = 0;
    for (int n = 0; n < 40; n++) {
        icseg_metrics m = {ICSEG_METRICS_INIT};
        char *table = NULL, *json = NULL;
        icseg_memory_fail_after(n);
        icseg_status status = icseg_confusion_create(&other, 4, NULL);
        if (status == ICSEG_OK) status = icseg_metrics_compute(&m, &confusion, NULL);
        if (status == ICSEG_OK) status = icseg_metrics_table(&m, names, &table, NULL);
        if (status == ICSEG_OK) status = icseg_metrics_json(&m, names, &json, NULL);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        failed += status != ICSEG_OK;
        icseg_buffer_free(table);
        icseg_buffer_free(json);
        icseg_metrics_close(&m);
        icseg_confusion_close(&other);
    }
    assert_in_range(failed, 8, 39);
    icseg_confusion_close(&confusion);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_agree_with_hand_worked_values),
        cmocka_unit_test(absent_classes_follow_each_of_the_three_conventions),
        cmocka_unit_test(values_out_of_range_are_refused_and_nothing_is_counted),
        cmocka_unit_test(all_847_classes_work),
        cmocka_unit_test(the_table_is_aligned_and_names_its_convention),
        cmocka_unit_test(json_contains_every_figure_and_null_for_undefined),
        cmocka_unit_test(a_failed_allocation_is_an_error_without_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

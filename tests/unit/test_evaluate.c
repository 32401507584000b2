/* SPDX-License-Identifier: Apache-2.0
 * Evaluation over a data set: the confusion matrix against one counted by hand, damaged images, cancellation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "icseg/evaluate.h"
#include "support/dataset_files.h"
#include "support/models.h"

enum { CLASSES = 4 };

static test_folder five_pairs(void) {
    static const int32_t size[][2] = {{64, 48}, {33, 47}, {96, 64}, {64, 48}, {20, 70}};
    test_folder f = test_dataset_open("class0\nclass1\nclass2\nclass3\n");
    for (int i = 0; i < 5; i++) {
        char stem[16];
        snprintf(stem, sizeof stem, "p%d", i);
        test_write_pair(&f, stem, size[i][0], size[i][1], CLASSES, i);
    }
    return f;
}

static icseg_dataset *open_data(const test_folder *f, bool images_only) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *d;
    icseg_error error = {0};
    o.folder = f->path;
    o.images_only = images_only;
    if (icseg_dataset_open(&d, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return d;
}

/* What the progress callback received. */
typedef struct seen {
    int events, stop_at;
    double done, total;
    char detail[128];
} seen;

static bool watch(void *user, const icseg_progress_event *event) {
    seen *s = user;
    assert_string_equal(event->stage, "evaluate");
    assert_true(event->done == s->done + 1);
    s->done = event->done;
    s->total = event->total;
    snprintf(s->detail, sizeof s->detail, "%s", event->detail);
    return ++s->events != s->stop_at;
}

static void counts_every_labelled_pixel(void **state) {
    test_folder f = five_pairs();
    icseg_dataset *d = open_data(&f, false);
    icseg_model *model = test_model("tiny-resnet", CLASSES, 1);
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_confusion confusion;
    icseg_error error = {0};
    seen s = {0};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = watch, .user = &s};
    int64_t expected[CLASSES][CLASSES] = {0};
    (void)state;
    for (int slide = 0; slide <= 1; slide++) {
        o.mode = slide ? ICSEG_EVAL_SLIDE : ICSEG_EVAL_WHOLE;
        o.crop_height = o.crop_width = 48;
        memset(expected, 0, sizeof expected);
        for (int64_t i = 0; i < 5; i++) {
            icseg_image image;
            icseg_labels labels, predicted;
            assert_int_equal(icseg_dataset_read(d, i, &image, &labels, &error), ICSEG_OK);
            assert_int_equal(icseg_session_predict(session, &image, &o, &predicted, NULL, &error), ICSEG_OK);
            for (int p = 0; p < labels.width * labels.height; p++)
                if (labels.data[p] >= 0) expected[labels.data[p]][predicted.data[p]]++;
            icseg_labels_close(&predicted);
            icseg_labels_close(&labels);
            icseg_image_close(&image);
        }
        s = (seen){0};
        if (icseg_evaluate(session, d, &o, &progress, &confusion, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(confusion.classes, CLASSES);
        assert_memory_equal(confusion.count, expected, sizeof expected);
        assert_int_equal(s.events, 5);
        assert_true(s.total == 5);
        assert_non_null(strstr(s.detail, "mIoU "));
        icseg_confusion_close(&confusion);
    }
    assert_int_equal(icseg_evaluate(session, d, &o, NULL, &confusion, NULL), ICSEG_OK); /* without progress */
    icseg_confusion_close(&confusion);
    icseg_session_close(&session);
    icseg_model_close(&model);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void a_damaged_image_is_named(void **state) {
    test_folder f = five_pairs();
    icseg_model *model = test_model("tiny-resnet", CLASSES, 2);
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_confusion confusion;
    icseg_error error;
    (void)state;
    test_truncate(&f, "images/train/p3.png", 50);
    icseg_dataset *d = open_data(&f, false);
    assert_int_not_equal(icseg_evaluate(session, d, &o, NULL, &confusion, &error), ICSEG_OK);
    assert_non_null(strstr(error.message, "p3.png"));
    assert_null(confusion.count);
    icseg_dataset_close(&d);
    icseg_session_close(&session);
    icseg_model_close(&model);
    test_dataset_close(&f);
}

static void options_are_checked_before_anything_is_read(void **state) {
    test_folder f = five_pairs();
    icseg_dataset *d = open_data(&f, false);
    icseg_model *model = test_model("tiny-resnet", CLASSES, 3);
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_confusion confusion;
    icseg_error error;
    (void)state;
    o.crop_width = 3;
    o.mode = ICSEG_EVAL_SLIDE;
    assert_int_equal(icseg_evaluate(session, d, &o, NULL, &confusion, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "crop_width is 3"));
    assert_null(confusion.count);
    icseg_session_close(&session);
    icseg_model_close(&model);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void the_number_of_classes_must_agree(void **state) {
    test_folder f = five_pairs();
    icseg_dataset *d = open_data(&f, false), *bare = open_data(&f, true);
    icseg_model *model = test_model("tiny-resnet", CLASSES + 1, 4), *fitting = test_model("tiny-resnet", CLASSES, 4);
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_session *other = test_session(fitting, ICSEG_PRECISION_F32);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_confusion confusion;
    icseg_error error;
    (void)state;
    assert_int_equal(icseg_evaluate(session, d, &o, NULL, &confusion, &error), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "5 classes"));
    assert_int_equal(icseg_evaluate(other, bare, &o, NULL, &confusion, &error), ICSEG_ERROR_ARGUMENT);
    icseg_session_close(&session);
    icseg_model_close(&model);
    icseg_session_close(&other);
    icseg_model_close(&fitting);
    icseg_dataset_close(&d);
    icseg_dataset_close(&bare);
    test_dataset_close(&f);
}

static void it_can_be_cancelled(void **state) {
    test_folder f = five_pairs();
    icseg_dataset *d = open_data(&f, false);
    icseg_model *model = test_model("tiny-resnet", CLASSES, 5);
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_confusion confusion;
    icseg_error error;
    (void)state;
    for (int stop = 1; stop <= 5; stop++) {
        seen s = {.stop_at = stop};
        icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = watch, .user = &s};
        assert_int_equal(icseg_evaluate(session, d, &o, &progress, &confusion, &error), ICSEG_ERROR_CANCELLED);
        assert_int_equal(s.events, stop);
        assert_null(confusion.count);
    }
    icseg_session_close(&session);
    icseg_model_close(&model);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_every_labelled_pixel),
        cmocka_unit_test(a_damaged_image_is_named),
        cmocka_unit_test(options_are_checked_before_anything_is_read),
        cmocka_unit_test(the_number_of_classes_must_agree),
        cmocka_unit_test(it_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

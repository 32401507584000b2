/* SPDX-License-Identifier: Apache-2.0
 * Options of the public API that cannot be: the status, the field that is wrong, and the message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "icseg/dataset.h"
#include "icseg/metrics.h"
#include "icseg/report.h"
#include "icseg/synth.h"
#include "support/dataset_files.h"
#include "support/models.h"
#include "support/scratch.h"

static icseg_error error;

static void expect(icseg_status got, icseg_status status, const char *field, const char *message) {
    if (got != status || strcmp(error.message, message))
        fail_msg("status %s: %s", icseg_status_name(got), error.message);
    assert_string_equal(error.field, field);
}

static void scenes_need_a_folder(void **state) {
    (void)state;
    icseg_synth_options o = {ICSEG_SYNTH_OPTIONS_INIT};
    expect(icseg_synth_write(&o, NULL, &error), ICSEG_ERROR_ARGUMENT, "folder",
           "folder: is not set; set it to the folder for the generated scenes");
    o.folder = "";
    expect(icseg_synth_write(&o, NULL, &error), ICSEG_ERROR_ARGUMENT, "folder",
           "folder: is not set; set it to the folder for the generated scenes");
}

static void metrics_need_a_matrix(void **state) {
    (void)state;
    icseg_metrics metrics = {ICSEG_METRICS_INIT};
    icseg_confusion none = {0};
    expect(icseg_metrics_compute(&metrics, &none, &error), ICSEG_ERROR_ARGUMENT, "",
           "icseg_metrics_compute: the confusion matrix is empty");
    assert_null(metrics.iou);
}

static void reports_need_names_that_fit(void **state) {
    (void)state;
    static const char *const names[] = {"sky", "sea", "sun"};
    const char *path = test_scratch("report.html");
    icseg_confusion two;
    assert_int_equal(icseg_confusion_create(&two, 2, &error), ICSEG_OK);
    icseg_report_input in = {ICSEG_REPORT_INPUT_INIT, .confusion = &two};
    expect(icseg_report_write(path, &in, &error), ICSEG_ERROR_ARGUMENT, "",
           "report: class_names is NULL or classes is 0; metrics, confusion and samples need them");
    in.class_names = names;
    in.classes = 3;
    expect(icseg_report_write(path, &in, &error), ICSEG_ERROR_SHAPE, "",
           "report: the confusion matrix has 2 classes, but there are 3 class names");
    in.confusion = NULL;
    in.sample_width = -1;
    expect(icseg_report_write(path, &in, &error), ICSEG_ERROR_ARGUMENT, "",
           "report: sample_width is -1; expected 0 or more");
    assert_false(icseg_file_exists(path));
    icseg_confusion_close(&two);
}

static void an_evaluation_mode_is_one_of_two(void **state) {
    (void)state;
    icseg_model *model = test_model("tiny-resnet", 2, 1);
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_image image = test_image(40, 40, 1);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT, .mode = (icseg_eval_mode)5};
    icseg_labels labels;
    expect(icseg_session_predict(session, &image, &o, &labels, NULL, &error), ICSEG_ERROR_ARGUMENT, "mode",
           "mode is 5: not a value of icseg_eval_mode");
    assert_null(labels.data);
    icseg_image_close(&image);
    icseg_session_close(&session);
    icseg_model_close(&model);
}

/* Two images without labels: the check counts their pixels, none of which has a class. */
static void images_without_labels_are_counted(void **state) {
    (void)state;
    test_folder f = test_dataset_open("a\nb\n");
    test_write_pair(&f, "x", 5, 4, 2, 0);
    test_write_pair(&f, "y", 7, 3, 2, 0);
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = f.path, .images_only = true};
    icseg_dataset_check_options checks = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = 1};
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    icseg_dataset *d;
    if (icseg_dataset_open(&d, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    icseg_status status = icseg_dataset_check(d, &checks, NULL, &s, &error);
    if (status != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(s.images, 2);
    assert_int_equal(s.pixels, 5 * 4 + 7 * 3);
    assert_true(s.min_width == 5 && s.max_width == 7 && s.min_height == 3 && s.max_height == 4);
    assert_int_equal(s.problems, 0);
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scenes_need_a_folder),
        cmocka_unit_test(metrics_need_a_matrix),
        cmocka_unit_test(reports_need_names_that_fit),
        cmocka_unit_test(an_evaluation_mode_is_one_of_two),
        cmocka_unit_test(images_without_labels_are_counted),
    };
    return cmocka_run_group_tests_name("arguments that cannot be", tests, test_scratch_open, test_scratch_close);
}

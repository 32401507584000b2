/* SPDX-License-Identifier: Apache-2.0
 * Threads that the system does not start are errors, after which everything is closed. */
#include <omp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/threads.h"
#include "icseg/evaluate.h"
#include "loader/loader.h"
#include "support/dataset_files.h"
#include "support/models.h"

static icseg_error error;
static size_t usual;

static void set_stack(size_t bytes) {
    pthread_attr_t attributes;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    if (!usual) assert_int_equal(pthread_attr_getstacksize(&attributes, &usual), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, bytes), 0);
    assert_int_equal(pthread_setattr_default_np(&attributes), 0);
    pthread_attr_destroy(&attributes);
}

/* No further thread can start, because there are no addresses for its stack. */
static void forbid_threads(void) { set_stack((size_t)1 << 47); }
static void allow_threads(void) { set_stack(usual); }

static icseg_dataset *open_data(test_folder *f) {
    icseg_dataset *d;
    *f = test_dataset_open("class0\nclass1\n");
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = f->path};
    test_write_pair(f, "a", 48, 40, 2, 0);
    test_write_pair(f, "b", 40, 48, 2, 1);
    if (icseg_dataset_open(&d, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return d;
}

static void a_loader_that_cannot_start_its_threads_is_not_opened(void **state) {
    (void)state;
    test_folder f;
    icseg_loader *loader;
    icseg_dataset *d = open_data(&f);
    icseg_loader_options o = {
        .augment = icseg_augment_options_default(), .batch = 1, .threads = 2, .ahead = 2, .seed = 1};
    o.augment.crop_height = o.augment.crop_width = 32;
    forbid_threads();
    icseg_status status = icseg_loader_open(&loader, d, &o, &error);
    allow_threads();
    assert_int_equal(status, ICSEG_ERROR_MEMORY);
    assert_null(loader);
    assert_non_null(strstr(error.message, "loader: cannot start thread 1 of 2: "));
    assert_int_equal(icseg_loader_open(&loader, d, &o, &error), ICSEG_OK);
    icseg_loader_close(&loader);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void an_evaluation_needs_its_reading_thread(void **state) {
    (void)state;
    test_folder f;
    icseg_confusion confusion;
    icseg_dataset *d = open_data(&f);
    icseg_model *model = test_model("tiny-resnet", 2, 1);
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    forbid_threads();
    icseg_status status = icseg_evaluate(session, d, &o, NULL, &confusion, &error);
    allow_threads();
    assert_int_equal(status, ICSEG_ERROR_MEMORY);
    assert_string_equal(error.message, "evaluation: cannot start the thread that reads images");
    assert_null(confusion.count);
    assert_int_equal(icseg_evaluate(session, d, &o, NULL, &confusion, &error), ICSEG_OK);
    icseg_confusion_close(&confusion);
    icseg_session_close(&session);
    icseg_model_close(&model);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static icseg_status count_call(void *user) {
    ++*(int *)user;
    return ICSEG_OK;
}

static void work_inside_a_parallel_region_needs_a_thread(void **state) {
    (void)state;
    int calls = 0;
    icseg_status status = ICSEG_OK, after = ICSEG_ERROR_INTERNAL;
#ifdef __SANITIZE_THREAD__
    skip();
#endif
#pragma omp parallel num_threads(2)
#pragma omp single
    {
        forbid_threads();
        status = icseg_threads_run(2, count_call, &calls, &error);
        allow_threads();
        after = icseg_threads_run(2, count_call, &calls, NULL);
    }
    assert_int_equal(status, ICSEG_ERROR_MEMORY);
    assert_non_null(strstr(error.message, "cannot start the thread"));
    assert_int_equal(after, ICSEG_OK);
    assert_int_equal(calls, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loader_that_cannot_start_its_threads_is_not_opened),
        cmocka_unit_test(an_evaluation_needs_its_reading_thread),
        cmocka_unit_test(work_inside_a_parallel_region_needs_a_thread),
    };
    return cmocka_run_group_tests_name("threads that do not start", tests, NULL, NULL);
}

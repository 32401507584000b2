/* SPDX-License-Identifier: Apache-2.0
 * Messages about files with long names, without a name, and about arguments. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <utf8proc.h>

#include "base/error.h"
#include "base/file.h"
#include "base/threads.h"
#include "icseg/classify.h"
#include "icseg/file.h"
#include "icseg/model.h"
#include "icseg/session.h"
#include "icseg/train.h"
#include "support/models.h"
#include "support/scratch.h"

static icseg_error error;

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), size = strlen(end);
    return length >= size && !strcmp(text + length - size, end);
}

/* No character is cut. */
static bool is_utf8(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    utf8proc_int32_t code;
    while (*at) {
        utf8proc_ssize_t taken = utf8proc_iterate(at, -1, &code);
        if (taken <= 0) return false;
        at += taken;
    }
    return true;
}

static void a_long_file_name_loses_its_middle_and_the_reason_stays(void **state) {
    (void)state;
    static const char *const units[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff"};
    static char name[PATH_MAX], shifted[PATH_MAX + 8];
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        name[0] = '\0';
        for (size_t length = 0; length + 4 < sizeof name; length += strlen(units[u])) strcpy(name + length, units[u]);
        for (size_t shift = 0; shift < 4; shift++) { /* cuts at each byte of a character */
            snprintf(shifted, sizeof shifted, "/%.*s%s", (int)shift, "xyz", name);
            icseg_fail(&error, ICSEG_ERROR_IO, "%s: cannot read: it is a folder", shifted);
            assert_true(error.message[0] == '/' && strstr(error.message, "..."));
            assert_true(ends_with(error.message, ": cannot read: it is a folder"));
            assert_true(is_utf8(error.message) && strlen(error.message) > ICSEG_ERROR_MESSAGE_SIZE - 8);
            icseg_fail(&error, ICSEG_ERROR_IO, "\"tau\" = 0 is not accepted");
            icseg_fail_prefix(&error, "%s: icpc.config", shifted);
            assert_true(ends_with(error.message, ": icpc.config: \"tau\" = 0 is not accepted") &&
                        is_utf8(error.message));
        }
    }
    memset(name, 'a', 1500);
    name[1500] = '\0';
    icseg_model *model;
    assert_int_equal(icseg_model_open(&model, name, &error), ICSEG_ERROR_IO);
    assert_true(ends_with(error.message, ": cannot open: File name too long"));
}

static void a_message_that_fits_is_unchanged(void **state) {
    (void)state;
    char text[ICSEG_ERROR_MESSAGE_SIZE];
    for (size_t length = ICSEG_ERROR_MESSAGE_SIZE - 3; length < ICSEG_ERROR_MESSAGE_SIZE; length++) {
        memset(text, 'm', length);
        text[length] = '\0';
        icseg_fail(&error, ICSEG_ERROR_IO, "%s", text);
        assert_string_equal(error.message, text);
    }
}

static void an_empty_path_is_called_empty(void **state) {
    (void)state;
    icseg_model *model;
    char **names;
    size_t count;
    assert_int_equal(icseg_model_open(&model, "", &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "the path is empty"));
    assert_int_equal(icseg_folder_list("", &names, &count, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "the path is empty"));
    assert_int_equal(icseg_file_write("", "x", 1, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "the path is empty"));
}

static void a_class_name_that_is_not_utf8_is_identified(void **state) {
    (void)state;
    icseg_model *m = test_model("tiny-resnet", 2, 1);
    const char *path = test_scratch("clip.safetensors");
    const char *names[] = {"sky", "ro\xff"
                                  "ad"};
    icseg_classifier_options options = {ICSEG_CLASSIFIER_OPTIONS_INIT, .weights = path, .class_names = names,
                                        .class_count = 2};
    icseg_classifier *classifier;
    assert_int_equal(icseg_model_save(m, path, &error), ICSEG_OK);
    icseg_model_close(&m);
    assert_int_not_equal(icseg_classifier_open(&classifier, &options, NULL, &error), ICSEG_OK);
    if (!strstr(error.message, "the name of class 1") || !strstr(error.message, "UTF-8")) fail_msg("%s", error.message);
    assert_null(classifier);
    names[1] = "road";
    if (icseg_classifier_open(&classifier, &options, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(icseg_classifier_run(classifier, NULL, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_classifier_run: image is NULL");
    icseg_classifier_close(&classifier);
}

static void a_missing_recipe_is_that_of_the_function_that_was_called(void **state) {
    (void)state;
    assert_int_equal(icseg_train(NULL, NULL, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_train: recipe is NULL");
}

static void threads_have_one_limit(void **state) {
    (void)state;
    static const int32_t bad[] = {-1, ICSEG_MAX_THREADS + 1, INT32_MAX, INT32_MIN};
    assert_int_equal(icseg_threads_check(0, &error), ICSEG_OK);
    assert_int_equal(icseg_threads_check(ICSEG_MAX_THREADS, &error), ICSEG_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(icseg_threads_check(bad[i], &error), ICSEG_ERROR_ARGUMENT);
        assert_string_equal(error.field, "threads");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_file_name_loses_its_middle_and_the_reason_stays),
        cmocka_unit_test(a_message_that_fits_is_unchanged),
        cmocka_unit_test(an_empty_path_is_called_empty),
        cmocka_unit_test(a_class_name_that_is_not_utf8_is_identified),
        cmocka_unit_test(a_missing_recipe_is_that_of_the_function_that_was_called),
        cmocka_unit_test(threads_have_one_limit),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}

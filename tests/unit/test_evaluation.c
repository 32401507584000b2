/* SPDX-License-Identifier: Apache-2.0
 * evaluation.json: what is written is read again; the worst images; every damaged file is an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "report/evaluation.h"

static char path[] = "/tmp/icseg_evaluation_XXXXXX";
static const char *const names[] = {"sky", "a \"quoted\"\nname"};

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

static void the_worst_images_are_kept_in_order(void **state) {
    (void)state;
    icseg_evaluation e = {0};
    icseg_evaluation_consider(&e, "half", 10, 5);
    icseg_evaluation_consider(&e, "all", 10, 10);
    icseg_evaluation_consider(&e, "unlabelled", 0, 0);
    icseg_evaluation_consider(&e, "none", 7, 0);
    icseg_evaluation_consider(&e, "most", 10, 9);
    icseg_evaluation_consider(&e, "third", 9, 3);
    icseg_evaluation_consider(&e, "half again", 2, 1);
    const char *const wanted[] = {"none", "third", "half", "half again"};
    assert_int_equal(e.worst_count, 4);
    for (int i = 0; i < 4; i++) assert_string_equal(e.worst[i].name, wanted[i]);
}

static void write_two_classes(void) {
    int64_t count[] = {5, 1, 2, 8};
    icseg_evaluation e = {.step = 40, .classes = 2, .class_names = names, .confusion = {.classes = 2, .count = count}};
    icseg_evaluation_consider(&e, "b.jpg", 9, 4);
    icseg_evaluation_consider(&e, "a.jpg", 7, 7);
    assert_int_equal(icseg_evaluation_write(&e, path, NULL), ICSEG_OK);
}

static void an_evaluation_is_read_as_it_was_written(void **state) {
    (void)state;
    icseg_evaluation e;
    write_two_classes();
    assert_int_equal(icseg_evaluation_read(&e, path, NULL), ICSEG_OK);
    assert_int_equal(e.step, 40);
    assert_int_equal(e.classes, 2);
    for (int c = 0; c < 2; c++) assert_string_equal(e.class_names[c], names[c]);
    assert_int_equal(e.confusion.count[1], 1);
    assert_int_equal(e.confusion.count[2], 2);
    assert_int_equal(e.worst_count, 2);
    assert_string_equal(e.worst[0].name, "b.jpg");
    assert_int_equal(e.worst[0].labelled, 9);
    assert_int_equal(e.worst[0].correct, 4);
    icseg_evaluation_close(&e);
}

static void refused(const char *text, size_t size, const char *problem) {
    icseg_evaluation e;
    icseg_error error = {0};
    assert_int_equal(icseg_file_write(path, text, size, NULL), ICSEG_OK);
    assert_int_equal(icseg_evaluation_read(&e, path, &error), ICSEG_ERROR_FORMAT);
    if (!strstr(error.message, problem)) fail_msg("%s: expected %s", error.message, problem);
    assert_null(e.confusion.count);
}

static void a_damaged_evaluation_is_an_error(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "not a JSON object"},
        {"[]", "not a JSON object"},
        {"{\"version\": 2}", "\"version\" is not 1"},
        {"{\"version\": 1, \"step\": -1}", "\"step\""},
        {"{\"version\": 1, \"step\": 1, \"classes\": []}", "1 to 4096 names"},
        {"{\"version\": 1, \"step\": 1, \"classes\": [3]}", "not a text"},
        {"{\"version\": 1, \"step\": 1, \"classes\": [\"a\"], \"confusion\": [[1], [2]]}", "a row for each class"},
        {"{\"version\": 1, \"step\": 1, \"classes\": [\"a\"], \"confusion\": [[1, 2]]}", "a number for each class"},
        {"{\"version\": 1, \"step\": 1, \"classes\": [\"a\"], \"confusion\": [[-1]]}", "numbers of pixels"},
        {"{\"version\": 1, \"step\": 1, \"classes\": [\"a\"], \"confusion\": [[9223372036854775807]]}",
         "numbers of pixels"},
        {"{\"version\": 1, \"step\": 1, \"classes\": [\"a\"], \"confusion\": [[1]]}", "at most 4 images"},
        {"{\"version\": 1, \"step\": 1, \"classes\": [\"a\"], \"confusion\": [[1]], \"worst\": [1,2,3,4,5]}",
         "at most 4 images"},
        {"{\"version\": 1, \"step\": 1, \"classes\": [\"a\"], \"confusion\": [[1]], \"worst\": [{\"image\": \"a\", "
         "\"labelled\": 1, \"correct\": 2}]}",
         "two numbers of pixels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refused(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    unsigned char *whole;
    size_t size;
    write_two_classes();
    assert_int_equal(icseg_file_read(path, 1 << 20, &whole, &size, NULL), ICSEG_OK);
    for (size_t cut = 0; cut + 2 < size; cut++) refused((const char *)whole, cut, "not a JSON object");
    icseg_free(whole);
}

static void a_lack_of_memory_is_an_error(void **state) {
    (void)state;
    icseg_status status = ICSEG_ERROR_MEMORY;
    write_two_classes();
    for (int64_t n = 0; n < 1000 && status != ICSEG_OK; n++) {
        icseg_evaluation e;
        icseg_memory_fail_after(n);
        status = icseg_evaluation_read(&e, path, NULL);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        icseg_evaluation_close(&e);
    }
    assert_int_equal(status, ICSEG_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_images_are_kept_in_order),
        cmocka_unit_test(an_evaluation_is_read_as_it_was_written),
        cmocka_unit_test(a_damaged_evaluation_is_an_error),
        cmocka_unit_test(a_lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}

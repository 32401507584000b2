/* SPDX-License-Identifier: Apache-2.0
 * images.jsonl: what is written is read again, sorted; every damaged file is an error; counts of images. */
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
#include "metrics/image_counts.h"
#include "metrics/image_results.h"

static char path[] = "/tmp/icseg_image_results_XXXXXX";
static const char *const names[] = {"sky", "a \"quoted\"\nname", "road"};

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

static void write_two_images(void) {
    static const icseg_class_pixels b[] = {{0, 3, 4, 5}, {2, 4, 6, 5}}, a[] = {{1, 0, 7, 0}, {2, 0, 0, 7}};
    icseg_string text = {0};
    icseg_image_results_begin(&text, 40, 2, names, 3);
    icseg_image_results_add(&text, &(icseg_image_result){"b/1.jpg", b, 2});
    icseg_image_results_add(&text, &(icseg_image_result){"a/\xff.jpg", a, 2});
    assert_false(text.failed);
    assert_int_equal(icseg_file_write(path, text.data, text.size, NULL), ICSEG_OK);
    icseg_string_close(&text);
}

static void results_are_read_as_they_were_written(void **state) {
    (void)state;
    icseg_image_results r;
    icseg_error error = {0};
    write_two_images();
    if (icseg_image_results_read(&r, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(r.step, 40);
    assert_int_equal(r.classes, 3);
    assert_int_equal(r.count, 2);
    for (int c = 0; c < 3; c++) assert_string_equal(r.class_names[c], names[c]);
    assert_string_equal(r.images[0].name, "a/%FF.jpg");
    assert_string_equal(r.images[1].name, "b/1.jpg");
    assert_int_equal(r.images[1].count, 2);
    const icseg_class_pixels wanted[] = {{0, 3, 4, 5}, {2, 4, 6, 5}};
    assert_memory_equal(r.images[1].pixels, wanted, sizeof wanted);
    icseg_image_results_close(&r);
}

static void refused(const char *text, size_t size, const char *problem) {
    icseg_image_results r;
    icseg_error error = {0};
    assert_int_equal(icseg_file_write(path, text, size, NULL), ICSEG_OK);
    assert_int_equal(icseg_image_results_read(&r, path, &error), ICSEG_ERROR_FORMAT);
    if (!strstr(error.message, problem)) fail_msg("%s: %s: expected %s", text, error.message, problem);
    assert_null(r.arena);
    assert_null(r.images);
}

#define HEAD          "{\"version\": 1, \"images\": 1, \"classes\": [\"a\", \"b\"]}\n"
#define IMAGE(pixels) HEAD "{\"image\": \"x\", \"pixels\": " pixels "}\n"

static void a_damaged_file_is_an_error(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "no complete line"},
        {"{}", "no complete line"},
        {"[]\n", ":1: the line is not a JSON object"},
        {"{\"version\": 2}\n", "\"version\" is not 1"},
        {"{\"version\": 1, \"step\": -1, \"images\": 1, \"classes\": [\"a\"]}\n", "\"step\""},
        {"{\"version\": 1, \"images\": 0, \"classes\": [\"a\"]}\n", "1 to 4194304"},
        {"{\"version\": 1, \"images\": 9999999999, \"classes\": [\"a\"]}\n", "1 to 4194304"},
        {"{\"version\": 1, \"images\": 1, \"classes\": []}\n", "1 to 16384 names"},
        {"{\"version\": 1, \"images\": 1, \"classes\": [3]}\n", "not a text"},
        {"{\"version\": 1, \"images\": 1, \"images\": 1, \"classes\": [\"a\"]}\n", "not a JSON object"},
        {HEAD, "\"images\" is 1, but the file has 0 complete lines after the first"},
        {IMAGE("[]") "{\"image\": \"y\", \"pixels\": []}\n", "but the file has 2 complete lines"},
        {HEAD "{\"image\": \"x\", \"pixels\": []}", "but the file has 0 complete lines"},
        {IMAGE("[]") "{\"ima", "the last line is incomplete"},
        {HEAD "{\"image\": \"\", \"pixels\": []}\n", ":2: \"image\" is not the name"},
        {HEAD "{\"image\": 5, \"pixels\": []}\n", "\"image\" is not the name"},
        {HEAD "{\"image\": \"x\"}\n", "\"pixels\" is not a list"},
        {IMAGE("[[0,1,1,1],[1,1,1,1],[2,0,0,0]]"), "at most one entry for each class"},
        {IMAGE("[[2,1,1,1]]"), "ascending order"},
        {IMAGE("[[-1,1,1,1]]"), "ascending order"},
        {IMAGE("[[1,1,1,1],[0,1,1,1]]"), "ascending order"},
        {IMAGE("[[1,1,1,1],[1,1,1,1]]"), "ascending order"},
        {IMAGE("[[1,1,1]]"), "three numbers"},
        {IMAGE("[[0,2,1,2]]"), "negative or too large"},
        {IMAGE("[[0,2,2,1]]"), "negative or too large"},
        {IMAGE("[[0,-1,1,1]]"), "negative or too large"},
        {IMAGE("[[0,0,-1,1]]"), "negative or too large"},
        {IMAGE("[[0,0,0.5,1]]"), "negative or too large"},
        {IMAGE("[[0,0,549755813889,0]]"), "negative or too large"},
        {IMAGE("[[0,0,9223372036854775807,9223372036854775807]]"), "negative or too large"},
        {IMAGE("[[0,1,2,1]]"), "not as many as the predicted ones"},
        {IMAGE("[[0,0,549755813888,549755813888],[1,0,1,1]]"), "not as many"},
        {"{\"version\": 1, \"images\": 2, \"classes\": [\"a\"]}\n{\"image\": \"x\", \"pixels\": []}\n"
         "{\"image\": \"x\", \"pixels\": []}\n",
         "the image \"x\" occurs twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refused(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    refused(HEAD "{\"image\": \"a\0b\", \"pixels\": []}\n", sizeof HEAD + 30, "NUL");
}

static void a_file_that_was_cut_anywhere_is_an_error(void **state) {
    (void)state;
    unsigned char *whole;
    size_t size;
    write_two_images();
    assert_int_equal(icseg_file_read(path, 1 << 20, &whole, &size, NULL), ICSEG_OK);
    for (size_t cut = 0; cut < size; cut++) refused((const char *)whole, cut, "complete");
    icseg_free(whole);
}

static void a_lack_of_memory_is_an_error(void **state) {
    (void)state;
    icseg_status status = ICSEG_ERROR_MEMORY;
    write_two_images();
    for (int64_t n = 0; n < 1000 && status != ICSEG_OK; n++) {
        icseg_image_results r;
        icseg_memory_fail_after(n);
        status = icseg_image_results_read(&r, path, NULL);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        icseg_image_results_close(&r);
    }
    assert_int_equal(status, ICSEG_OK);
}

/* Two images of three pixels: the second has one without a label. */
static void the_classes_of_each_image_are_counted(void **state) {
    (void)state;
    int16_t label[][3] = {{2, 2, 0}, {ICSEG_LABEL_IGNORE, 1, 1}}, predicted[][3] = {{2, 0, 0}, {0, 1, 2}};
    static const icseg_class_pixels wanted[] = {{0, 1, 1, 2}, {2, 1, 2, 1}, {1, 1, 2, 1}, {2, 0, 0, 1}};
    icseg_image_counts counts;
    assert_int_equal(icseg_image_counts_open(&counts, 3, 2, NULL), ICSEG_OK);
    for (int i = 0; i < 2; i++) {
        icseg_labels labels = {.width = 3, .height = 1, .data = label[i]};
        icseg_labels prediction = {.width = 3, .height = 1, .data = predicted[i]};
        assert_int_equal(icseg_image_counts_add(&counts, i, &labels, &prediction, NULL), ICSEG_OK);
        assert_int_equal(counts.entries[i], 2);
    }
    assert_int_equal(counts.count, 4);
    assert_memory_equal(counts.list, wanted, sizeof wanted);
    icseg_image_counts_close(&counts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_read_as_they_were_written),    cmocka_unit_test(a_damaged_file_is_an_error),
        cmocka_unit_test(a_file_that_was_cut_anywhere_is_an_error), cmocka_unit_test(a_lack_of_memory_is_an_error),
        cmocka_unit_test(the_classes_of_each_image_are_counted),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}

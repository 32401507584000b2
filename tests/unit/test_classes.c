/* SPDX-License-Identifier: Apache-2.0
 * Class lists of the public API: files, published sets, names, palettes, and wrong calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/classes.h"
#include "support/scratch.h"

static const char *write_list(const char *text) {
    const char *path = test_scratch("classes.txt");
    assert_int_equal(icseg_file_write(path, text, strlen(text), NULL), ICSEG_OK);
    return path;
}

static void a_file_contains_names_and_synonyms(void **state) {
    (void)state;
    icseg_class_list *list;
    icseg_error error;
    const char *path = write_list("\xef\xbb\xbf building, edifice \r\nbag\nbag; handbag\ncar (red, new) , auto\n\n");
    assert_int_equal(icseg_class_list_open(&list, path, &error), ICSEG_OK);
    assert_int_equal(icseg_class_list_count(list), 4);
    static const char *const names[] = {"building", "bag", "bag; handbag", "car (red, new)"};
    static const char *const synonyms[] = {"building, edifice", "bag", "bag; handbag", "car (red, new) , auto"};
    for (int k = 0; k < 4; k++) {
        assert_string_equal(icseg_class_list_names(list)[k], names[k]);
        assert_string_equal(icseg_class_list_synonyms(list)[k], synonyms[k]);
    }
    icseg_class_list_close(&list);
    assert_null(list);
    icseg_class_list_close(&list);
    icseg_class_list_close(NULL);
}

static void a_long_list_is_read(void **state) {
    (void)state;
    icseg_class_list *list;
    char *text = malloc(ICSEG_CLASSES_MAX * 24 + 1), *p = text;
    for (int k = 0; k < ICSEG_CLASSES_MAX; k++) p += sprintf(p, "name, %05d, more\n", k);
    const char *path = write_list(text);
    free(text);
    assert_int_equal(icseg_class_list_open(&list, path, NULL), ICSEG_OK);
    assert_int_equal(icseg_class_list_count(list), ICSEG_CLASSES_MAX);
    assert_string_equal(icseg_class_list_names(list)[7], "name, 00007");
    icseg_class_list_close(&list);
}

static void published_lists_have_their_classes(void **state) {
    (void)state;
    static const struct {
        const char *name, *first, *last;
        int32_t count;
    } sets[] = {
        {"ade20k", "wall", "flag", 150}, {"cocostuff10k", "person", "wood", 171}, {"ade20k_full", "wall", NULL, 847}};
    for (int i = 0; i < 3; i++) {
        icseg_class_list *list;
        icseg_error error;
        assert_int_equal(icseg_class_list_open_published(&list, sets[i].name, &error), ICSEG_OK);
        assert_int_equal(icseg_class_list_count(list), sets[i].count);
        const char *const *names = icseg_class_list_names(list);
        assert_string_equal(names[0], sets[i].first);
        if (sets[i].last) assert_string_equal(names[sets[i].count - 1], sets[i].last);
        icseg_class_list_close(&list);
    }
}

static void fails(icseg_status status, icseg_status expected, const icseg_error *error, const char *piece) {
    assert_int_equal(status, expected);
    if (!strstr(error->message, piece)) fail_msg("'%s' is not in: %s", piece, error->message);
}

static void wrong_calls_are_errors(void **state) {
    (void)state;
    icseg_class_list *list = (icseg_class_list *)(uintptr_t)8;
    icseg_palette palette = {.size = 8};
    icseg_error error;
    const char *const holes[] = {"a", NULL};
    fails(icseg_class_list_open(NULL, "x", &error), ICSEG_ERROR_ARGUMENT, &error, "icseg_class_list_open: out is NULL");
    fails(icseg_class_list_open(&list, NULL, &error), ICSEG_ERROR_ARGUMENT, &error, "path is NULL");
    assert_null(list);
    fails(icseg_class_list_open(&list, "/nowhere/at/all", &error), ICSEG_ERROR_IO, &error, "/nowhere/at/all");
    fails(icseg_class_list_open(&list, write_list("a\n\nb\n"), &error), ICSEG_ERROR_DATA, &error, "line 2 is empty");
    assert_null(list);
    fails(icseg_class_list_open_published(NULL, "ade20k", &error), ICSEG_ERROR_ARGUMENT, &error, "out is NULL");
    fails(icseg_class_list_open_published(&list, NULL, &error), ICSEG_ERROR_ARGUMENT, &error, "name is NULL");
    fails(icseg_class_list_open_published(&list, "folder", &error), ICSEG_ERROR_ARGUMENT, &error,
          "\"folder\" is not a published class list");
    assert_null(list);
    assert_int_equal(icseg_class_list_count(NULL), 0);
    assert_null(icseg_class_list_names(NULL));
    assert_null(icseg_class_list_synonyms(NULL));
    fails(icseg_palette_create_for(NULL, holes, 1, &error), ICSEG_ERROR_ARGUMENT, &error, "out is NULL");
    fails(icseg_palette_create_for(&palette, NULL, 1, &error), ICSEG_ERROR_ARGUMENT, &error, "names is NULL");
    fails(icseg_palette_create_for(&palette, holes, 2, &error), ICSEG_ERROR_ARGUMENT, &error, "names[1] is NULL");
    assert_true(!palette.size && !palette.color);
    assert_int_not_equal(icseg_palette_create_for(&palette, holes, 0, &error), ICSEG_OK);
    assert_int_not_equal(icseg_palette_create_for(&palette, holes, -1, NULL), ICSEG_OK);
}

static void running_out_of_memory_is_an_error_each_time(void **state) {
    (void)state;
    const char *path = write_list("a, b\nc\n");
    int failures = 0;
    for (int64_t n = 0; n < 100; n++) {
        icseg_class_list *list;
        icseg_error error;
        icseg_memory_fail_after(n);
        icseg_status status = icseg_class_list_open(&list, path, &error);
        icseg_memory_fail_after(-1);
        icseg_class_list_close(&list);
        if (status == ICSEG_OK) break;
        assert_int_equal(status, ICSEG_ERROR_MEMORY);
        assert_null(strstr(error.message, "0.0 MiB"));
        failures++;
    }
    assert_true(failures > 1 && failures < 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_contains_names_and_synonyms),          cmocka_unit_test(a_long_list_is_read),
        cmocka_unit_test(published_lists_have_their_classes),          cmocka_unit_test(wrong_calls_are_errors),
        cmocka_unit_test(running_out_of_memory_is_an_error_each_time),
    };
    return cmocka_run_group_tests_name("classes", tests, test_scratch_open, test_scratch_close);
}

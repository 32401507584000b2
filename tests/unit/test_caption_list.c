/* SPDX-License-Identifier: Apache-2.0
 * Lists of images and captions: both formats, several captions, and damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "icseg/file.h"
#include "pretrain/caption_list.h"
#include "support/scratch.h"

static icseg_error error;

static icseg_status read_text(const char *name, const char *text, icseg_caption_list *list) {
    const char *path = test_scratch(name), *folder;
    assert_int_equal(icseg_file_write(path, text, strlen(text), &error), ICSEG_OK);
    return icseg_caption_list_read(list, path, &folder, &error);
}

/* "a.jpg: one|two; b.jpg: three" */
static void check(const char *name, const char *text, const char *expected, int64_t empty) {
    icseg_caption_list list;
    char found[1000] = "";
    if (read_text(name, text, &list) != ICSEG_OK) fail_msg("%s: %s", text, error.message);
    for (int64_t i = 0; i < list.count; i++) {
        const icseg_captioned *c = &list.images[i];
        size_t length = strlen(found);
        snprintf(found + length, sizeof found - length, "%s%s:", i ? "; " : "", c->image);
        for (int32_t k = 0; k < c->count; k++) {
            length = strlen(found);
            snprintf(found + length, sizeof found - length, "%s%s", k ? "|" : " ", c->captions[k]);
        }
    }
    assert_string_equal(found, expected);
    assert_int_equal(list.empty, empty);
    icseg_caption_list_close(&list);
}

static void json_lines_are_read(void **state) {
    (void)state;
    check("a.jsonl", "{\"image\": \"b.jpg\", \"caption\": \"three\"}\n\n{\"image\": \"a.jpg\", \"caption\": \"one\"}",
          "a.jpg: one; b.jpg: three", 0);
    check("a.jsonl", "{\"file_name\": \"x/a.jpg\", \"text\": [\"one\", \"two\", \" \"], \"id\": 3}\r\n",
          "x/a.jpg: one|two", 1);
    check("a.jsonl",
          "\xEF\xBB\xBF{\"image\": \"a.jpg\", \"caption\": \"two\"}\n{\"image\": \"b\", \"caption\": "
          "\"\"}\n{\"image\": \"a.jpg\", \"caption\": \"one\\nline\"}\n",
          "a.jpg: two|one\nline", 1);
}

static void separated_values_are_read(void **state) {
    (void)state;
    check("a.csv", "image,caption\nb.jpg,three\na.jpg,one\na.jpg,two\n", "a.jpg: one|two; b.jpg: three", 0);
    check("a.csv", "filepath\ttitle\r\na.jpg\tone, two\r\nb.jpg\t\r\n", "a.jpg: one, two", 1);
    check("a.tsv", "id;title;filepath\n1;\"one; \"\"two\"\"\nlines\";a.jpg\n\n2;x;b.jpg",
          "a.jpg: one; \"two\"\nlines; b.jpg: x", 0);
    check("a.csv", "\xEF\xBB\xBFimage,caption\na.jpg,\"\"\nb.jpg,\"x\"\n", "b.jpg: x", 1);
}

static void refused(const char *name, const char *text, const char *expected) {
    icseg_caption_list list;
    icseg_status status = read_text(name, text, &list);
    if (status != ICSEG_ERROR_FORMAT && status != ICSEG_ERROR_DATA) fail_msg("%s: accepted", text);
    if (!strstr(error.message, expected) || !strstr(error.message, name)) fail_msg("%s", error.message);
    icseg_caption_list_close(&list);
}

static void damaged_lists_are_refused(void **state) {
    (void)state;
    refused("a.jsonl", "", "contains no captions");
    refused("a.jsonl", "\n\n{\"image\": 3, \"caption\": \"x\"}", "line 3: expected an object");
    refused("a.jsonl", "{\"image\": \"a\", \"caption\": \"x\"}\n{\"image\": \"a\"", "line 2");
    refused("a.jsonl", "[1]", "line 1: expected an object");
    refused("a.jsonl", "{\"image\": \"a\"}", "neither a text nor a list");
    refused("a.jsonl", "{\"image\": \"a\", \"caption\": [\"x\", 1]}", "neither a text nor a list");
    refused("a.jsonl", "{\"image\": \" \", \"caption\": \"x\"}", "line 1: the name of the image is empty");
    refused("a.jsonl", "{\"image\": \"a\", \"caption\": \" \"}", "contains no captions");
    refused("a.csv", "", "line 1: expected the names of the columns");
    refused("a.csv", "a.jpg,one\n", "line 1: expected the names of the columns");
    refused("a.csv", "image,caption\na.jpg,x\na.jpg\n", "line 3: fewer columns");
    refused("a.csv", "image,caption\na.jpg,\"x\n\ny\"\na.jpg,\xFF\n", "line 5: not UTF-8");
    refused("a.csv", "image,caption\n,x\n", "line 2: the name of the image is empty");
}

static void a_folder_contains_the_list(void **state) {
    (void)state;
    const char *folder = test_scratch("pairs"), *found;
    icseg_caption_list list;
    char path[500];
    mkdir(folder, 0777);
    assert_int_equal(icseg_caption_list_read(&list, folder, &found, &error), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "captions.jsonl"));
    icseg_caption_list_close(&list);
    snprintf(path, sizeof path, "%s/metadata.csv", folder);
    assert_int_equal(icseg_file_write(path, "file_name,text\na,b\n", 19, &error), ICSEG_OK);
    for (int i = 0; i < 2; i++) { /* by folder, by file */
        assert_int_equal(icseg_caption_list_read(&list, i ? path : folder, &found, &error), ICSEG_OK);
        assert_int_equal(list.count, 1);
        assert_int_equal(strncmp(found, folder, strlen(folder)), 0);
        icseg_caption_list_close(&list);
    }
    assert_int_equal(icseg_caption_list_read(&list, "no/such.csv", &found, &error), ICSEG_ERROR_IO);
    icseg_caption_list_close(&list);
    assert_int_equal(remove(path), 0);
    assert_int_equal(remove(folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_lines_are_read),
        cmocka_unit_test(separated_values_are_read),
        cmocka_unit_test(damaged_lists_are_refused),
        cmocka_unit_test(a_folder_contains_the_list),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}

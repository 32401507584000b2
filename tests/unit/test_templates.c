/* SPDX-License-Identifier: Apache-2.0
 * Templates: CLIP's own lists, files of templates and what is wrong with them, and filling one in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/scratch.h"
#include "text/templates.h"

static icseg_error error;

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) != ICSEG_OK) fail_msg("%s", error.message);                                                         \
    } while (0)

static const char *write_file(const void *data, size_t size) {
    const char *path = test_scratch("templates.txt");
    OK(icseg_file_write(path, data, size, &error));
    return path;
}

/* FNV-1a of the lines. */
static uint32_t hash_of(const icseg_templates *t) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < icseg_templates_count(t); i++) {
        for (const char *c = icseg_templates_list(t)[i]; *c; c++) h = (h ^ (unsigned char)*c) * 16777619u;
        h = (h ^ '\n') * 16777619u;
    }
    return h;
}

/* The hashes were computed from the list in open_clip, which is that of the notebook. */
static void clips_lists_are_those_of_its_notebook(void **state) {
    icseg_templates *t;
    (void)state;
    OK(icseg_templates_open(&t, "imagenet", &error));
    assert_int_equal(icseg_templates_count(t), 80);
    assert_string_equal(icseg_templates_list(t)[0], "a bad photo of a {}.");
    assert_string_equal(icseg_templates_list(t)[79], "a tattoo of the {}.");
    assert_true(hash_of(t) == 0x6ec3c2f5u);
    icseg_templates_close(&t);
    assert_null(t);
    OK(icseg_templates_open(&t, "simple", &error));
    assert_int_equal(icseg_templates_count(t), 7);
    assert_true(hash_of(t) == 0xc9106797u);
    icseg_templates_close(&t);
    icseg_templates_close(&t);
    icseg_templates_close(NULL);
    assert_int_equal(icseg_templates_count(NULL), 0);
    assert_null(icseg_templates_list(NULL));
}

static void a_file_has_one_template_on_each_line(void **state) {
    static const char text[] =
        "\xef\xbb\xbf# for satellites\r\n\r\n  a satellite photo of {}.\t\r\n#{}\n{}\n\na {}, ein \xc3\xa9 {}";
    icseg_templates *t;
    (void)state;
    OK(icseg_templates_open(&t, write_file(text, sizeof text - 1), &error));
    assert_int_equal(icseg_templates_count(t), 3);
    assert_string_equal(icseg_templates_list(t)[0], "a satellite photo of {}.");
    assert_string_equal(icseg_templates_list(t)[1], "{}");
    assert_string_equal(icseg_templates_list(t)[2], "a {}, ein \xc3\xa9 {}");
    icseg_templates_close(&t);
}

static void refuses(const char *name, icseg_status wanted, const char *because) {
    icseg_templates *t = (icseg_templates *)&error; /* must be cleared */
    icseg_status got = icseg_templates_open(&t, name, &error);
    if (got != wanted || !strstr(error.message, because))
        fail_msg("status %s, \"%s\" lacks \"%s\"", icseg_status_name(got), error.message, because);
    assert_null(t);
}

static void files_that_are_not_templates_are_refused_by_line(void **state) {
    static const struct {
        const char *text;
        size_t size; /* 0: strlen */
        icseg_status status;
        const char *because;
    } bad[] = {
        {"a {}\n\na photo of a dog\n", 0, ICSEG_ERROR_DATA, "templates.txt: line 3 has no {}; write {}"},
        {"a photo of a {c}.", 0, ICSEG_ERROR_DATA, "line 1 has no {}"},
        {"#\n{} caf\xe9", 0, ICSEG_ERROR_DATA, "line 2 is not UTF-8"},
        {"a\t{}", 0, ICSEG_ERROR_DATA, "line 1 contains a control character"},
        {"{}\n\xef\xbb\xbf{}", 0, ICSEG_ERROR_DATA,
         "line 2 begins with a byte order mark; remove it"}, /* joined files */
        {"", 0, ICSEG_ERROR_DATA, "templates.txt: no templates; write one per line"},
        {"\xef\xbb\xbf\n # {}\n", 0, ICSEG_ERROR_DATA, "no templates"},
        {"{}\n\0{}", 5, ICSEG_ERROR_FORMAT, "line 2 contains a NUL byte"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses(write_file(bad[i].text, bad[i].size ? bad[i].size : strlen(bad[i].text)), bad[i].status,
                bad[i].because);
    refuses("/nonexistent/templates.txt", ICSEG_ERROR_IO,
            "the file does not exist; expected imagenet, simple or a file");
    refuses(test_scratch_folder, ICSEG_ERROR_IO, "it is a folder");
    refuses("a photo of a {}", ICSEG_ERROR_ARGUMENT, "expected imagenet, simple or the name of a file");
    refuses("", ICSEG_ERROR_ARGUMENT, "templates is \"\"");
    assert_string_equal(error.field, "templates");
}

static void numbers_and_sizes_are_bounded(void **state) {
    static char many[(ICSEG_TEMPLATES_MAX + 1) * 3], wide[1002];
    icseg_templates *t;
    (void)state;
    for (int i = 0; i <= ICSEG_TEMPLATES_MAX; i++) memcpy(many + 3 * i, "{}\n", 3);
    OK(icseg_templates_open(&t, write_file(many, sizeof many - 3), &error));
    assert_int_equal(icseg_templates_count(t), ICSEG_TEMPLATES_MAX);
    icseg_templates_close(&t);
    refuses(write_file(many, sizeof many), ICSEG_ERROR_DATA, "line 257: more than 256 templates");
    memset(wide, 'x', sizeof wide);
    memcpy(wide, "{}", 2);
    OK(icseg_templates_open(&t, write_file(wide, 1000), &error));
    icseg_templates_close(&t);
    refuses(write_file(wide, 1001), ICSEG_ERROR_DATA, "line 1 has more than 1000 bytes");
}

static void a_name_replaces_every_place(void **state) {
    icseg_arena *arena;
    (void)state;
    OK(icseg_arena_open(&arena, &error));
    assert_string_equal(icseg_template_fill(arena, "a {}.", "cat"), "a cat.");
    assert_string_equal(icseg_template_fill(arena, "{}{}, {", "{}"), "{}{}, {");
    assert_string_equal(icseg_template_fill(arena, "{}", "x"), "x");
    icseg_arena_close(&arena);
}

static void running_out_of_memory_is_reported_and_leaks_nothing(void **state) {
    icseg_status status = ICSEG_ERROR_MEMORY;
    (void)state;
    for (int n = 0; n < 2; n++, status = ICSEG_ERROR_MEMORY) {
        const char *name = n ? "simple" : write_file("a {}\n{}", 7);
        for (int64_t i = 0; status != ICSEG_OK; i++) {
            icseg_templates *t;
            icseg_memory_fail_after(i);
            status = icseg_templates_open(&t, name, &error);
            icseg_memory_fail_after(-1);
            if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
            assert_true((t != NULL) == (status == ICSEG_OK));
            icseg_templates_close(&t);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clips_lists_are_those_of_its_notebook),
        cmocka_unit_test(a_file_has_one_template_on_each_line),
        cmocka_unit_test(files_that_are_not_templates_are_refused_by_line),
        cmocka_unit_test(numbers_and_sizes_are_bounded),
        cmocka_unit_test(a_name_replaces_every_place),
        cmocka_unit_test(running_out_of_memory_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("templates", tests, test_scratch_open, test_scratch_close);
}

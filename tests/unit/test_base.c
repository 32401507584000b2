/* SPDX-License-Identifier: Apache-2.0
 * base/: errors, memory, random numbers, files, text. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/struct_size.h"
#include "base/system.h"
#include "base/text.h"
#include "support/locale.h"

static void errors_are_one_line(void **state) {
    (void)state;
    icseg_error e = {0};
    assert_int_equal(icseg_fail(&e, ICSEG_ERROR_FORMAT, "a\nb %d", 7), ICSEG_ERROR_FORMAT);
    assert_string_equal(e.message, "a?b 7");
    icseg_fail_prefix(&e, "%s", "file.txt");
    assert_string_equal(e.message, "file.txt: a?b 7");
    assert_int_equal(e.status, ICSEG_ERROR_FORMAT);
    char longest[sizeof e.message];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    icseg_fail(&e, ICSEG_ERROR_FORMAT, "%s", longest);
    icseg_fail_prefix(&e, "f");
    assert_int_equal(strlen(e.message), sizeof longest - 1); /* a short prefix costs its own length alone */
    assert_int_equal(icseg_fail(NULL, ICSEG_ERROR_IO, "no one listens"), ICSEG_ERROR_IO);
}

static void errors_are_valid_utf8_truncated_between_characters(void **state) {
    (void)state;
    icseg_error e = {0};
    icseg_fail(&e, ICSEG_ERROR_DATA, "%s", "ok \xc3\xa9 bad \xff\xc3( end");
    assert_string_equal(e.message, "ok \xc3\xa9 bad \xef\xbf\xbd( end");
    icseg_fail(&e, ICSEG_ERROR_DATA, "%.2s|", "a\xc3\xa9"); /* cuts the e acute in half */
    assert_string_equal(e.message, "a|");
    icseg_fail(&e, ICSEG_ERROR_DATA, "%s", "c1 \xc2\x85 del \x7f");
    assert_string_equal(e.message, "c1 ? del ?");
    char longest[sizeof e.message + 1] = "";
    memset(longest, 'x', sizeof e.message - 2);
    memcpy(longest + sizeof e.message - 2, "\xc3\xa9", 3); /* one byte too many */
    icseg_fail(&e, ICSEG_ERROR_DATA, "%s", longest);
    assert_int_equal(strlen(e.message), sizeof e.message - 1); /* the middle is left out, not a part of the end */
    assert_string_equal(e.message + sizeof e.message - 4, "x\xc3\xa9");
    assert_int_equal(icseg_error_set(&e, ICSEG_ERROR_IO, "%d%%", 5), ICSEG_ERROR_IO);
    assert_string_equal(e.message, "5%");
}

static void statuses_have_names(void **state) {
    (void)state;
    static const struct {
        icseg_status status;
        const char *name;
    } cases[] = {{ICSEG_OK, "ok"},
                 {ICSEG_ERROR_ARGUMENT, "argument"},
                 {ICSEG_ERROR_MEMORY, "memory"},
                 {ICSEG_ERROR_IO, "io"},
                 {ICSEG_ERROR_FORMAT, "format"},
                 {ICSEG_ERROR_SHAPE, "shape"},
                 {ICSEG_ERROR_CONFIG, "config"},
                 {ICSEG_ERROR_DATA, "data"},
                 {ICSEG_ERROR_NUMERIC, "numeric"},
                 {ICSEG_ERROR_UNSUPPORTED, "unsupported"},
                 {ICSEG_ERROR_CANCELLED, "cancelled"},
                 {ICSEG_ERROR_INTERNAL, "internal"},
                 {(icseg_status)99, "unknown"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(icseg_status_name(cases[i].status), cases[i].name);
}

static void errors_name_field_and_remedy(void **state) {
    (void)state;
    icseg_error e = {0};
    assert_int_equal(icseg_fail_field(&e, ICSEG_ERROR_ARGUMENT, "vocab", ICSEG_REMEDY_SET_FIELD, "no %s", "file"),
                     ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_fail_prefix(&e, "outer"), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(e.message, "outer: no file");
    assert_string_equal(e.field, "vocab");
    assert_int_equal(e.remedy, ICSEG_REMEDY_SET_FIELD);
    icseg_fail(&e, ICSEG_ERROR_IO, "another");
    assert_string_equal(e.field, "");
    assert_int_equal(e.remedy, ICSEG_REMEDY_NONE);
}

static void failed_allocations_name_their_size_where_it_is_known(void **state) {
    (void)state;
    icseg_error e = {0};
    icseg_fail_memory(&e, 0, "labels");
    assert_string_equal(e.message, "out of memory: cannot allocate labels");
    icseg_fail_memory(&e, 640, "labels");
    assert_string_equal(e.message, "out of memory: cannot allocate 640 bytes for labels");
    icseg_fail_memory(&e, 3 << 20, "labels");
    assert_string_equal(e.message, "out of memory: cannot allocate 3.0 MiB for labels");
    icseg_fail_memory_in(&e, 0, "data/x.json");
    assert_string_equal(e.message, "data/x.json: out of memory");
    icseg_fail_memory_in(&e, 3 << 20, "data/x.json");
    assert_string_equal(e.message, "data/x.json: out of memory: cannot allocate 3.0 MiB");
}

struct old_options { /* without padding, where `second` would read uninitialised bytes */
    size_t size, first;
};
struct now_options {
    size_t size, first, second;
};
struct new_options {
    size_t size, first, second, third[2];
};

static void options_structs_may_be_older_or_newer_than_the_library(void **state) {
    (void)state;
    icseg_error e = {0};
    struct now_options now;
    const size_t first = sizeof(struct old_options);
    assert_int_equal(icseg_struct_read(&now, sizeof now, NULL, first, "options", &e), ICSEG_OK);
    assert_true(now.size == sizeof now && !now.first && !now.second);
    struct old_options old = {sizeof old, 5};
    assert_int_equal(icseg_struct_read(&now, sizeof now, &old, first, "options", &e), ICSEG_OK);
    assert_true(now.size == sizeof now && now.first == 5 && !now.second);
    struct new_options later = {sizeof later, 6, 7, {0}};
    assert_int_equal(icseg_struct_read(&now, sizeof now, &later, first, "options", &e), ICSEG_OK);
    assert_true(now.first == 6 && now.second == 7);
    later.third[1] = 1;
    assert_int_equal(icseg_struct_read(&now, sizeof now, &later, first, "options", &e), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(e.message, "update the library"));
    const size_t wrong[] = {0, 1, sizeof(size_t), SIZE_MAX, (size_t)1 << 40};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct now_options bad = {wrong[i], 1, 2};
        assert_int_equal(icseg_struct_read(&now, sizeof now, &bad, first, "options", &e), ICSEG_ERROR_ARGUMENT);
        assert_non_null(strstr(e.message, "options: struct_size is"));
        assert_int_equal(icseg_struct_write(&bad, &now, sizeof now, first, "options", &e), ICSEG_ERROR_ARGUMENT);
    }
    now = (struct now_options){sizeof now, 8, 9};
    assert_int_equal(icseg_struct_write(&old, &now, sizeof now, first, "options", &e), ICSEG_OK);
    assert_true(old.size == sizeof old && old.first == 8);
    assert_int_equal(icseg_struct_write(&later, &now, sizeof now, first, "options", &e), ICSEG_OK);
    assert_true(later.size == sizeof later && later.second == 9 && !later.third[1]);
}

typedef struct watcher {
    int64_t stop_at;
    icseg_progress_event last;
    icseg_message_level level;
    char text[64];
} watcher;

static bool watch(void *user, const icseg_progress_event *event) {
    watcher *w = user;
    w->last = *event;
    return event->done < (double)w->stop_at;
}

static void hear(void *user, icseg_message_level level, const char *text) {
    watcher *w = user;
    w->level = level;
    snprintf(w->text, sizeof w->text, "%s", text);
}

static void progress_reaches_the_caller_who_may_cancel(void **state) {
    (void)state;
    watcher w = {.stop_at = 3};
    icseg_progress given = {ICSEG_PROGRESS_INIT, .report = watch, .message = hear, .user = &w}, own;
    icseg_error e;
    assert_int_equal(icseg_progress_read(&own, &given, &e), ICSEG_OK);
    icseg_stage stage = icseg_stage_begin(&own, "count sheep", 10, "sheep");
    assert_true(icseg_stage_is_watched(&stage));
    assert_int_equal(icseg_stage_report(&stage, 2, NULL, &e), ICSEG_OK);
    assert_string_equal(w.last.stage, "count sheep");
    assert_true(w.last.done == 2 && w.last.total == 10 && w.last.seconds >= 0);
    assert_string_equal(w.last.detail, "");
    assert_int_equal(icseg_stage_report(&stage, 3, "black", &e), ICSEG_ERROR_CANCELLED);
    assert_string_equal(e.message, "stopped after 3 of 10 sheep");
    assert_string_equal(w.last.detail, "black");
    stage.total = 0;
    assert_int_equal(icseg_stage_report(&stage, 4, "", &e), ICSEG_ERROR_CANCELLED);
    assert_string_equal(e.message, "stopped after 4 sheep");
    icseg_progress_say(&own, ICSEG_MESSAGE_WARNING, "%d left", 7);
    assert_string_equal(w.text, "7 left");
    assert_int_equal(w.level, ICSEG_MESSAGE_WARNING);

    assert_int_equal(icseg_progress_read(&own, NULL, &e), ICSEG_OK); /* silent */
    stage = icseg_stage_begin(&own, "count sheep", 10, "sheep");
    assert_false(icseg_stage_is_watched(&stage));
    assert_int_equal(icseg_stage_report(&stage, 3, NULL, &e), ICSEG_OK);
    stage = icseg_stage_begin(NULL, "count sheep", 10, "sheep");
    assert_int_equal(icseg_stage_report(&stage, 3, NULL, &e), ICSEG_OK);
    icseg_progress_say(&own, ICSEG_MESSAGE_INFO, "unheard");
    icseg_progress_say(NULL, ICSEG_MESSAGE_INFO, "unheard");
    assert_string_equal(w.text, "7 left");

    given.struct_size = 0;
    assert_int_equal(icseg_progress_read(&own, &given, &e), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(e.message, "icseg_progress"));
}

static void allocations_overflow_and_fail_on_request(void **state) {
    (void)state;
    assert_null(icseg_alloc_array(SIZE_MAX / 2, 3));
    icseg_memory_fail_after(1);
    void *first = icseg_alloc(8), *second = icseg_alloc(8), *third = icseg_alloc(8);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    icseg_free(first);
    icseg_free(third);
    icseg_arena *arena;
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    for (int i = 0; i < 1000; i++) {
        char *text = icseg_arena_printf(arena, "%0*d", i, 5);
        assert_int_equal(strlen(text), i > 1 ? i : 1);
    }
    assert_null(icseg_arena_array(arena, SIZE_MAX, 16));
    icseg_arena_close(&arena);
    assert_null(arena);
    icseg_arena_close(&arena);
}

static void random_numbers_have_their_moments(void **state) {
    (void)state;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0), again = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    icseg_rng other = icseg_rng_open(1, ICSEG_RNG_TEST, 1);
    double sum = 0, square = 0, uniform = 0;
    int same = 0, counts[7] = {0};
    for (int i = 0; i < 100000; i++) {
        float x = icseg_rng_normal(&rng);
        assert_true(x == icseg_rng_normal(&again));
        same += x == icseg_rng_normal(&other);
        sum += x;
        square += x * x;
        uniform += icseg_rng_uniform(&rng) - 0.5, icseg_rng_uniform(&again);
        counts[icseg_rng_below(&rng, 7)]++, icseg_rng_below(&again, 7);
    }
    assert_true(sum * sum < 1e5 * 16 && square > 0.98e5 && square < 1.02e5 && uniform * uniform < 1e5 * 16 / 12);
    assert_true(same < 5);
    for (int i = 0; i < 7; i++) assert_in_range(counts[i], 13500, 15100);
}

static void files_are_replaced_whole_or_not_at_all(void **state) {
    (void)state;
    char folder[] = "/tmp/icseg_base_XXXXXX", path[64], deep[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(deep, sizeof deep, "%s/a/b/c", folder);
    assert_int_equal(icseg_folder_create(deep, NULL), ICSEG_OK);
    assert_true(icseg_folder_exists(deep));
    assert_int_equal(icseg_file_write(path, "old", 3, NULL), ICSEG_OK);
    icseg_error error;
    assert_int_equal(icseg_folder_create("", &error), ICSEG_ERROR_ARGUMENT);
    snprintf(deep, sizeof deep, "%s/a/b//d//e/", folder);
    assert_int_equal(icseg_folder_create(deep, NULL), ICSEG_OK);
    assert_true(icseg_folder_exists(deep));
    snprintf(deep, sizeof deep, "%s/file/x/y", folder);
    assert_int_equal(icseg_folder_create(deep, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "/file: cannot create the folder: "));
    char longest[64 + 256];
    snprintf(longest, sizeof longest, "%s/%0255d", folder, 7);
    assert_int_equal(icseg_file_write(longest, "a", 1, NULL), ICSEG_OK); /* a temporary name of its own is too long */
    assert_int_equal(remove(longest), 0);
    icseg_file_writer *writer;
    assert_int_equal(icseg_file_writer_open(&writer, path, NULL), ICSEG_OK);
    assert_int_equal(icseg_file_writer_write(writer, "new", 3, NULL), ICSEG_OK);
    icseg_file_writer_close(&writer); /* no commit: the old file stays */
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 100, &data, &size, NULL), ICSEG_OK);
    assert_string_equal((char *)data, "old");
    icseg_free(data);
    char **names;
    assert_int_equal(icseg_folder_list(folder, &names, &size, NULL), ICSEG_OK);
    assert_int_equal(size, 1); /* the temporary file is gone, the folder is not listed */
    assert_string_equal(names[0], "file");
    icseg_free(names);
    assert_int_equal(icseg_file_read(path, 2, &data, &size, &error), ICSEG_ERROR_FORMAT);
    assert_int_equal(icseg_file_read(folder, 100, &data, &size, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "folder"));
    icseg_file_reader *reader;
    assert_int_equal(icseg_file_reader_open(&reader, path, NULL), ICSEG_OK);
    assert_int_equal(icseg_file_reader_size(reader), 3);
    icseg_file_reader_close(&reader);
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(icseg_file_write(path, "a", 1, &error), ICSEG_ERROR_IO);
    assert_int_not_equal(icseg_file_exists(path), 1); /* not replaced by a file */
    assert_int_equal(remove(path), 0);
    assert_int_equal(icseg_file_write("/dev/full/x", "a", 1, &error), ICSEG_ERROR_IO);
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void a_writer_short_of_memory_removes_no_file(void **state) {
    (void)state;
    char folder[] = "/tmp/icseg_base_XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    assert_int_equal(icseg_file_write(path, "old", 3, NULL), ICSEG_OK);
    icseg_status status = ICSEG_ERROR_MEMORY;
    int failures = 0;
    for (int n = 0; n < 6; n++) {
        char *recycled[8]; /* the next allocations contain the file's name */
        for (int i = 0; i < 8; i++) recycled[i] = memcpy(icseg_alloc(strlen(path) + 32), path, strlen(path) + 1);
        for (int i = 0; i < 8; i++) icseg_free(recycled[i]);
        icseg_memory_fail_after(n);
        status = icseg_file_write(path, "new", 3, NULL);
        icseg_memory_fail_after(-1);
        assert_true(status == ICSEG_OK || status == ICSEG_ERROR_MEMORY);
        failures += status != ICSEG_OK;
        assert_true(icseg_file_exists(path));
    }
    assert_int_equal(status, ICSEG_OK);
    assert_true(failures > 0);
    assert_int_equal(remove(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void text_is_parsed_strictly(void **state) {
    (void)state;
    int64_t i = 0;
    double d = 0;
    bool b = false;
    assert_true(icseg_parse_i64("-42", &i) && i == -42);
    assert_false(icseg_parse_i64("4 2", &i) || icseg_parse_i64("", &i) || icseg_parse_i64("9999999999999999999", &i) ||
                 icseg_parse_i64(" 1", &i) || icseg_parse_i64("1x", &i));
    assert_true(icseg_parse_f64("1e-4", &d) && d == 1e-4);
    assert_false(icseg_parse_f64("nan", &d) || icseg_parse_f64("inf", &d) || icseg_parse_f64("1,5", &d) ||
                 icseg_parse_f64("", &d));
    assert_true(icseg_parse_bool("Yes", &b) && b);
    assert_false(icseg_parse_bool("maybe", &b));
    const char *keys[] = {"learning_rate", "batch", "steps"};
    assert_string_equal(icseg_text_nearest("bacth", keys, 3), "batch");
    assert_string_equal(icseg_text_nearest("learningrate", keys, 3), "learning_rate");
    assert_null(icseg_text_nearest("zzz", keys, 3));
    char long_word[201] = "";
    memset(long_word, 'z', sizeof long_word - 1);
    assert_null(icseg_text_nearest(long_word, keys, 3));
    assert_string_equal(icseg_path_extension("a.b/c.tar.gz"), "gz");
    assert_string_equal(icseg_path_extension("a.b/c"), "");
    char stem[8];
    assert_int_equal(icseg_path_stem("x/photo.one.jpg", stem, sizeof stem), 9);
    assert_string_equal(stem, "photo.o");
}

static void numbers_have_a_point_in_any_locale(void **state) {
    (void)state;
    for (int comma = 0; comma < 2; comma++) {
        if (comma) test_decimal_commas();
        char text[ICSEG_NUMBER_SIZE];
        double d;
        icseg_string s = {0};
        icseg_text_shortest(text, 0.1 + 0.2);
        assert_string_equal(text, "0.30000000000000004");
        icseg_text_shortest(text, 2000);
        assert_string_equal(text, "2000");
        icseg_string_printf(&s, "%.2f", 1.5);
        assert_string_equal(s.data, "1.50");
        icseg_string_close(&s);
        assert_true(icseg_parse_f64("0.25", &d) && d == 0.25);
        assert_false(icseg_parse_f64("0,25", &d));
        assert_int_equal(localeconv()->decimal_point[0], comma ? ',' : '.'); /* the program's locale stays */
    }
    test_decimal_points();
}

/* Halves the smallest normal number in every thread; returns how many threads got a number other than 0. */
static int threads_with_denormals(void) {
    volatile float smallest = 1.17549435e-38f;
    int found = 0;
#pragma omp parallel reduction(+ : found)
    {
        volatile float half = smallest * 0.5f;
        union {
            float number;
            uint32_t bits;
        } seen = {.number = half};
        found += seen.bits != 0;
    }
    return found;
}

static void denormals_are_zero_only_between_the_two_calls(void **state) {
    (void)state;
    int threads = threads_with_denormals();
    assert_true(threads >= 1);
    icseg_float_mode outer = icseg_denormals_off(), inner = icseg_denormals_off();
    assert_int_equal(threads_with_denormals(), 0);
    icseg_denormals_restore(inner);
    assert_int_equal(threads_with_denormals(), 0);
    icseg_denormals_restore(outer);
    assert_int_equal(threads_with_denormals(), threads);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_one_line),
        cmocka_unit_test(errors_are_valid_utf8_truncated_between_characters),
        cmocka_unit_test(statuses_have_names),
        cmocka_unit_test(errors_name_field_and_remedy),
        cmocka_unit_test(failed_allocations_name_their_size_where_it_is_known),
        cmocka_unit_test(options_structs_may_be_older_or_newer_than_the_library),
        cmocka_unit_test(progress_reaches_the_caller_who_may_cancel),
        cmocka_unit_test(allocations_overflow_and_fail_on_request),
        cmocka_unit_test(random_numbers_have_their_moments),
        cmocka_unit_test(files_are_replaced_whole_or_not_at_all),
        cmocka_unit_test(a_writer_short_of_memory_removes_no_file),
        cmocka_unit_test(text_is_parsed_strictly),
        cmocka_unit_test(numbers_have_a_point_in_any_locale),
        cmocka_unit_test(denormals_are_zero_only_between_the_two_calls),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}

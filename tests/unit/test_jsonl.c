/* SPDX-License-Identifier: Apache-2.0
 * report/jsonl: entries are read as written, truncated logs are accepted, a resumed log equals an uninterrupted one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "report/jsonl.h"
#include "support/scratch.h"

static const char *const names[] = {"total", "decode", "align.8", "contrast"};
static const char *path;

static int make_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    path = test_scratch("log.jsonl");
    return 0;
}

static void write_start(icseg_log_writer *w) {
    const icseg_log_start start = {"camvid", "0.1.0", 123456, 6, 2, 8, "2026-11-29T12:00:00Z", "2 cores", "/data"};
    assert_int_equal(icseg_log_writer_start(w, &start, NULL), ICSEG_OK);
}

static void write_steps(icseg_log_writer *w, int64_t first, int64_t last, double seconds_offset) {
    for (int64_t n = first; n <= last; n++) {
        const icseg_log_step step = {.step = n,
                                     .seconds = (double)n - seconds_offset,
                                     .lr = 1e-3 / (double)n,
                                     .grad_norm = 2,
                                     .images_per_s = 8,
                                     .peak_mib = 512.5,
                                     .loss = {4.0 / (double)n, 2.0 / (double)n, 0.125, 1.25}};
        assert_int_equal(icseg_log_writer_step(w, &step, names, 4, NULL), ICSEG_OK);
        if (n % 2) continue;
        const double iou[] = {0.5, (double)NAN, 0.25};
        const icseg_log_eval eval = {n, 0.375, 0.5, 0.75, 3, iou};
        assert_int_equal(icseg_log_writer_eval(w, &eval, NULL), ICSEG_OK);
    }
}

/* A log of six steps; freed with icseg_free. */
static char *whole_log(size_t *size) {
    icseg_log_writer *w;
    unsigned char *data;
    assert_int_equal(icseg_log_writer_open(&w, path, 0, NULL), ICSEG_OK);
    assert_false(icseg_log_writer_started(w));
    write_start(w);
    write_steps(w, 1, 6, 0);
    assert_int_equal(icseg_log_writer_finish(&w, NULL), ICSEG_OK);
    assert_null(w);
    assert_int_equal(icseg_file_read(path, 1 << 20, &data, size, NULL), ICSEG_OK);
    return (char *)data;
}

static void entries_are_read_as_they_were_written(void **state) {
    (void)state;
    size_t size;
    icseg_free(whole_log(&size));
    icseg_log log;
    assert_int_equal(icseg_log_read(&log, path, NULL), ICSEG_OK);
    assert_true(log.has_start && !log.truncated);
    assert_string_equal(log.start.recipe, "camvid");
    assert_int_equal(log.start.parameters, 123456);
    assert_int_equal(log.start.threads, 2);
    assert_int_equal(log.parts, 4);
    assert_string_equal(log.part[2], "align.8");
    assert_int_equal(log.steps, 6);
    assert_int_equal(log.step[5].step, 6);
    assert_true(log.step[2].lr == 1e-3 / 3 || fabs(log.step[2].lr * 3 - 1e-3) < 1e-11);
    assert_true(log.step[3].loss[0] == 1 && log.step[3].loss[3] == 1.25 && log.step[0].peak_mib == 512.5);
    assert_true(isnan(log.step[0].loss[4]));
    assert_int_equal(log.evals, 3);
    assert_int_equal(log.eval[1].step, 4);
    assert_true(log.eval[1].miou == 0.375 && log.eval[1].iou[2] == 0.25 && isnan(log.eval[1].iou[1]));
    icseg_log_close(&log);
    icseg_log_close(&log);
    icseg_log_close(NULL);
}

static void a_loss_that_is_not_finite_is_written_as_null(void **state) {
    (void)state;
    icseg_log_writer *w;
    assert_int_equal(icseg_log_writer_open(&w, path, 1, NULL), ICSEG_OK);
    const icseg_log_step step = {.step = 1, .lr = (double)INFINITY, .loss = {(double)NAN, -(double)INFINITY}};
    assert_int_equal(icseg_log_writer_step(w, &step, names, 2, NULL), ICSEG_OK);
    icseg_log_writer_close(&w);
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 1000, &data, &size, NULL), ICSEG_OK);
    assert_non_null(strstr((char *)data, "\"loss\":{\"total\":null,\"decode\":null}"));
    assert_non_null(strstr((char *)data, "\"lr\":null"));
    icseg_free(data);
    icseg_log log;
    assert_int_equal(icseg_log_read(&log, path, NULL), ICSEG_OK);
    assert_true(log.parts == 2 && isnan(log.step[0].loss[0]) && isnan(log.step[0].lr));
    icseg_log_close(&log);
}

static void control_characters_and_invalid_utf8_stay_in_one_line(void **state) {
    (void)state;
    icseg_log_writer *w;
    assert_int_equal(icseg_log_writer_open(&w, path, 0, NULL), ICSEG_OK);
    icseg_log_start start = {.recipe = "a\n\"b\"\t\001\\é", .version = "caf\xe9"};
    assert_int_equal(icseg_log_writer_start(w, &start, NULL), ICSEG_OK);
    icseg_log_writer_close(&w);
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 1000, &data, &size, NULL), ICSEG_OK);
    assert_ptr_equal(strchr((char *)data, '\n'), data + size - 1);
    icseg_free(data);
    icseg_log log;
    assert_int_equal(icseg_log_read(&log, path, NULL), ICSEG_OK);
    assert_string_equal(log.start.recipe, start.recipe);
    assert_string_equal(log.start.version, "caf?");
    icseg_log_close(&log);
}

static void a_log_truncated_at_any_byte_returns_its_complete_lines(void **state) {
    (void)state;
    size_t size;
    char *all = whole_log(&size);
    for (size_t cut = 0; cut <= size; cut++) {
        assert_int_equal(icseg_file_write(path, all, cut, NULL), ICSEG_OK);
        icseg_log log;
        assert_int_equal(icseg_log_read(&log, path, NULL), ICSEG_OK);
        int64_t whole = 0;
        for (size_t i = 0; i < cut; i++) whole += all[i] == '\n';
        bool complete = cut < size && all[cut] == '\n'; /* only the newline is missing */
        assert_int_equal(log.has_start + log.steps + log.evals, whole + complete);
        assert_int_equal(log.truncated, cut > 0 && all[cut - 1] != '\n' && !complete);
        icseg_log_close(&log);
    }
    icseg_free(all);
}

static void a_resumed_log_equals_an_uninterrupted_one(void **state) {
    (void)state;
    size_t size, got;
    char *all = whole_log(&size);
    for (size_t cut = size; cut > size / 2; cut -= 7) { /* killed anywhere after the checkpoint of step 2 */
        assert_int_equal(icseg_file_write(path, all, cut, NULL), ICSEG_OK);
        icseg_log_writer *w;
        assert_int_equal(icseg_log_writer_open(&w, path, 3, NULL), ICSEG_OK);
        assert_true(icseg_log_writer_started(w));
        write_steps(w, 3, 6, 2); /* its clock restarts; 2 s are in the log */
        assert_int_equal(icseg_log_writer_finish(&w, NULL), ICSEG_OK);
        unsigned char *data;
        assert_int_equal(icseg_file_read(path, 1 << 20, &data, &got, NULL), ICSEG_OK);
        assert_int_equal(got, size);
        assert_memory_equal(data, all, size);
        icseg_free(data);
    }
    icseg_free(all);
}

static void a_new_run_empties_the_log_and_a_missing_one_can_be_resumed(void **state) {
    (void)state;
    size_t size;
    icseg_free(whole_log(&size));
    icseg_log_writer *w;
    icseg_log log;
    assert_int_equal(icseg_log_writer_open(&w, path, 1, NULL), ICSEG_OK);
    icseg_log_writer_close(&w);
    icseg_log_writer_close(&w);
    assert_int_equal(icseg_log_read(&log, path, NULL), ICSEG_OK);
    assert_true(log.steps == 0 && log.evals == 0 && !log.has_start && !log.truncated);
    icseg_log_close(&log);
    unlink(path);
    assert_int_equal(icseg_log_writer_open(&w, path, 100, NULL), ICSEG_OK);
    assert_false(icseg_log_writer_started(w));
    icseg_log_writer_close(&w);
}

static icseg_status read_text(const char *text, size_t size, icseg_error *error) {
    icseg_log log;
    assert_int_equal(icseg_file_write(path, text, size, NULL), ICSEG_OK);
    icseg_status status = icseg_log_read(&log, path, error);
    icseg_log_close(&log);
    return status;
}

static void damage_in_the_middle_is_named_by_its_line(void **state) {
    (void)state;
    icseg_error error;
    static const char middle[] = "{\"type\":\"step\",\"step\":1}\n{\"type\":\"st\n{}\n";
    assert_int_equal(read_text(middle, sizeof middle - 1, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "line 2"));
    icseg_log_writer *w; /* such a log is neither resumed nor changed */
    assert_int_equal(icseg_log_writer_open(&w, path, 2, &error), ICSEG_ERROR_FORMAT);
    assert_null(w);
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 1000, &data, &size, NULL), ICSEG_OK);
    assert_string_equal((char *)data, middle);
    icseg_free(data);
    assert_int_equal(read_text("[1]\n{}\n", 7, &error), ICSEG_ERROR_FORMAT);
    assert_int_equal(read_text("{\"a\":\0}\n{}\n", 11, &error), ICSEG_ERROR_FORMAT);
    static const char odd[] =
        "{}\n{\"type\":7}\n{\"type\":\"new\"}\n{\"type\":\"step\",\"step\":\"x\",\"loss\":[1],\"lr\":{}}\n"
        "{\"type\":\"eval\",\"iou\":{\"a\":1},\"miou\":null}\n{\"type\":\"start\",\"recipe\":1}\n";
    assert_int_equal(read_text(odd, sizeof odd - 1, &error),
                     ICSEG_OK); /* unusual, but not a reason to refuse the log */
}

static void lines_that_are_too_long_are_neither_written_nor_read(void **state) {
    (void)state;
    icseg_error error;
    size_t size = ICSEG_LOG_MAX_LINE + 8;
    char *text = icseg_alloc(size);
    memset(text, ' ', size);
    assert_int_equal(read_text(text, size, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "line 1"));
    icseg_free(text);
    icseg_log_writer *w;
    assert_int_equal(icseg_log_writer_open(&w, path, 0, NULL), ICSEG_OK);
    enum { MANY = 200000 };
    double *iou = icseg_calloc_array(MANY, sizeof *iou);
    for (int i = 0; i < MANY; i++) iou[i] = 1.0 / (i + 3);
    icseg_log_eval eval = {.step = 1, .classes = MANY, .iou = iou};
    assert_int_equal(icseg_log_writer_eval(w, &eval, &error), ICSEG_ERROR_ARGUMENT);
    eval.classes = 65534; /* the most classes a data set may have */
    assert_int_equal(icseg_log_writer_eval(w, &eval, &error), ICSEG_OK);
    icseg_log_step step = {.step = 1};
    assert_int_equal(icseg_log_writer_step(w, &step, names, ICSEG_LOG_PARTS + 1, &error), ICSEG_ERROR_ARGUMENT);
    icseg_log_writer_close(&w);
    icseg_free(iou);
}

static void a_folder_or_full_disk_is_an_error(void **state) {
    (void)state;
    icseg_error error;
    icseg_log_writer *w;
    icseg_log log;
    assert_int_equal(icseg_log_writer_open(&w, test_scratch_folder, 0, &error), ICSEG_ERROR_IO);
    assert_int_equal(icseg_log_read(&log, test_scratch_folder, &error), ICSEG_ERROR_IO);
    assert_int_equal(icseg_log_writer_open(&w, "/nowhere/log.jsonl", 0, &error), ICSEG_ERROR_IO);
    assert_int_equal(icseg_log_writer_open(&w, "/dev/full", 0, &error), ICSEG_ERROR_IO);
    assert_int_equal(icseg_log_writer_open(&w, path, 0, &error), ICSEG_OK);
    struct rlimit before, full = {.rlim_cur = 10};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    full.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    icseg_log_step step = {.step = 1};
    icseg_status status = icseg_log_writer_step(w, &step, names, 1, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, ICSEG_ERROR_IO);
    icseg_log_writer_close(&w);
}

static void a_pipe_is_refused_without_waiting(void **state) {
    (void)state;
    icseg_error error;
    icseg_log_writer *w;
    icseg_log log;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(30);
    for (int64_t first_step = 0; first_step < 5; first_step += 4) {
        assert_int_equal(icseg_log_writer_open(&w, path, first_step, &error), ICSEG_ERROR_IO);
        assert_null(w);
        assert_non_null(strstr(error.message, "it is a pipe"));
    }
    assert_int_equal(icseg_log_read(&log, path, &error), ICSEG_ERROR_IO);
    alarm(0);
    assert_int_equal(unlink(path), 0);
}

static void a_failed_allocation_is_an_error_and_keeps_the_log(void **state) {
    (void)state;
    size_t size;
    char *all = whole_log(&size);
    int failed = 0;
    for (int n = 0; n < 200; n++) {
        assert_int_equal(icseg_file_write(path, all, size, NULL), ICSEG_OK);
        icseg_log_writer *w = NULL;
        icseg_log log = {0};
        icseg_log_step step = {.step = 7};
        icseg_memory_fail_after(n);
        icseg_status status = icseg_log_read(&log, path, NULL);
        if (status == ICSEG_OK) status = icseg_log_writer_open(&w, path, 7, NULL);
        if (status == ICSEG_OK) status = icseg_log_writer_step(w, &step, names, 4, NULL);
        icseg_memory_fail_after(-1);
        icseg_log_writer_close(&w);
        icseg_log_close(&log);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        failed += status != ICSEG_OK;
        unsigned char *data;
        size_t got;
        assert_int_equal(icseg_file_read(path, 1 << 20, &data, &got, NULL), ICSEG_OK);
        assert_true(got >= size);
        assert_memory_equal(data, all, size);
        icseg_free(data);
        if (status == ICSEG_OK) break;
    }
    assert_in_range(failed, 5, 199);
    icseg_free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_read_as_they_were_written),
        cmocka_unit_test(a_loss_that_is_not_finite_is_written_as_null),
        cmocka_unit_test(control_characters_and_invalid_utf8_stay_in_one_line),
        cmocka_unit_test(a_log_truncated_at_any_byte_returns_its_complete_lines),
        cmocka_unit_test(a_resumed_log_equals_an_uninterrupted_one),
        cmocka_unit_test(a_new_run_empties_the_log_and_a_missing_one_can_be_resumed),
        cmocka_unit_test(damage_in_the_middle_is_named_by_its_line),
        cmocka_unit_test(lines_that_are_too_long_are_neither_written_nor_read),
        cmocka_unit_test(a_folder_or_full_disk_is_an_error),
        cmocka_unit_test(a_pipe_is_refused_without_waiting),
        cmocka_unit_test(a_failed_allocation_is_an_error_and_keeps_the_log),
    };
    return cmocka_run_group_tests(tests, make_folder, test_scratch_close);
}

/* SPDX-License-Identifier: Apache-2.0
 * Files that cannot be written are refused before any work begins. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/report.h"
#include "icseg/weights.h"
#include "support/scratch.h"
#include "support/zip_files.h"

static icseg_error error;

static void refuses(const char *path, const char *what) {
    icseg_error_clear(&error);
    if (icseg_file_check_writable(path, &error) == ICSEG_OK || !strstr(error.message, what))
        fail_msg("%s: \"%s\" without \"%s\"", path, error.message, what);
}

static void a_check_says_what_a_write_would_say_and_writes_nothing(void **state) {
    (void)state;
    const char *file = test_scratch("file"), *link = test_scratch("link"), *pipe = test_scratch("pipe");
    char **names;
    size_t count;
    refuses(test_scratch_folder, "cannot write: it is a folder; name a file");
    refuses("/nonexistent/file", strerror(ENOENT));
    refuses("", "the path is empty");
    refuses("/dev/null", "it is a device");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    refuses(pipe, "it is a pipe");
    assert_int_equal(unlink(pipe), 0);
    assert_int_equal(symlink("link", link), 0);
    refuses(link, strerror(ELOOP));
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("file", link), 0); /* to a file that does not exist */
    assert_int_equal(icseg_file_check_writable(link, &error), ICSEG_OK);
    assert_int_equal(icseg_file_check_writable(file, &error), ICSEG_OK);
    assert_int_equal(icseg_folder_list(test_scratch_folder, &names, &count, &error), ICSEG_OK);
    assert_int_equal(count, 1);
    assert_string_equal(names[0], "link");
    icseg_free(names);
    test_put_file(file, "old", 3);
    assert_int_equal(icseg_file_check_writable(link, &error), ICSEG_OK);
    unsigned char *data;
    assert_int_equal(icseg_file_read(file, 9, &data, &count, &error), ICSEG_OK);
    assert_true(count == 3 && !memcmp(data, "old", 3));
    icseg_free(data);
    assert_int_equal(chmod(file, 0444), 0);
    refuses(link, "the file is read-only");
    assert_int_equal(icseg_file_check_writable(NULL, &error), ICSEG_ERROR_ARGUMENT);
}

/* Their inputs do not exist, which would be the next error. */
static void long_work_begins_with_the_check(void **state) {
    (void)state;
    const char *folder = test_scratch_folder;
    assert_int_equal(icseg_weights_convert("gone.pt", folder, NULL, NULL, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "it is a folder; name a file"));
    icseg_report_input input = {ICSEG_REPORT_INPUT_INIT, .log_path = "gone.jsonl"};
    assert_int_equal(icseg_report_write(folder, &input, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "it is a folder; name a file"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_says_what_a_write_would_say_and_writes_nothing),
        cmocka_unit_test(long_work_begins_with_the_check),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}

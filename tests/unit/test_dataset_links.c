/* SPDX-License-Identifier: Apache-2.0
 * dataset/: links to files and folders that do not exist are errors, not a smaller data set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "icseg/dataset.h"
#include "support/dataset_files.h"

static test_folder folder;
static icseg_error error;

static int open_set(void **state) {
    (void)state;
    folder = test_dataset_open("a\nb\n");
    test_write_pair(&folder, "1", 8, 8, 2, 0);
    test_write_pair(&folder, "2", 8, 8, 2, 0);
    return 0;
}

static int close_set(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

static void replace_by_link(const char *name) {
    unlink(test_path(&folder, name));
    assert_int_equal(symlink("gone", test_path(&folder, name)), 0);
}

static void images_and_labels_that_are_gone_are_not_left_out(void **state) {
    (void)state;
    icseg_dataset_options options = {ICSEG_DATASET_OPTIONS_INIT, .folder = folder.path, .split = "train"};
    icseg_dataset *set;
    static const char *const gone[] = {"annotations/train/2.png", "images/train/2.png"};
    for (int i = 0; i < 2; i++) { /* first the label alone, then both of the pair */
        replace_by_link(gone[i]);
        assert_int_equal(icseg_dataset_open(&set, &options, &error), ICSEG_ERROR_DATA);
        assert_null(set);
        assert_non_null(strstr(error.message, "2.png: a link to a missing file, a pipe or a device"));
    }
}

static void a_folder_that_is_gone_is_not_left_out(void **state) {
    (void)state;
    icseg_dataset_options options = {ICSEG_DATASET_OPTIONS_INIT, .folder = folder.path, .split = "training"};
    icseg_dataset *set;
    assert_int_equal(icseg_dataset_format_find(&options.format, "ade20k_full", &error), ICSEG_OK);
    assert_int_equal(icseg_folder_create(test_path(&folder, "images/ADE/training/indoor/hall"), &error), ICSEG_OK);
    assert_int_equal(symlink("gone", test_path(&folder, "images/ADE/training/outdoor")), 0);
    assert_int_equal(icseg_dataset_open(&set, &options, &error), ICSEG_ERROR_IO);
    assert_null(set);
    assert_non_null(strstr(error.message, "images/ADE/training/outdoor: cannot open: No such file or directory"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(images_and_labels_that_are_gone_are_not_left_out, open_set, close_set),
        cmocka_unit_test_setup_teardown(a_folder_that_is_gone_is_not_left_out, open_set, close_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

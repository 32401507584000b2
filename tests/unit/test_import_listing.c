/* SPDX-License-Identifier: Apache-2.0
 * How imports look for images whose format is not known: few system calls for each, and also beside folders that
 * cannot be listed. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "support/import_files.h"

static char out[128];
static int calls; /* of stat */

/* Takes the place of the C library's function in this program. */
int stat(const char *restrict path, struct stat *restrict info) {
    calls++;
    return fstatat(AT_FDCWD, path, info, 0);
}

/* Pascal VOC's masks of `count` images. */
static icseg_import_options make_voc(test_folder *f, int count) {
    char name[64], list[4096] = "";
    *f = test_import_folders("SegmentationClass", "JPEGImages", "ImageSets/Segmentation");
    icseg_import_options o = test_import_options(f, out);
    o.format = ICSEG_IMPORT_VOC;
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "JPEGImages/%02d.%s", i, i % 2 ? "png" : "PNG");
        test_import_image(f, name, 2, 1);
        snprintf(name, sizeof name, "SegmentationClass/%02d.png", i);
        test_write_png(f, name, TEST_PNG_PALETTE, 8, 2, 1, (const uint16_t[]){0, 1});
        snprintf(list + strlen(list), sizeof list - strlen(list), "%02d\n", i);
    }
    test_write_text(f, "ImageSets/Segmentation/train.txt", list);
    return o;
}

static int calls_for(int count) {
    test_folder f;
    icseg_import_options o = make_voc(&f, count);
    calls = 0;
    test_imports(&o, ICSEG_IMPORT_VOC, count);
    int made = calls;
    test_import_remove(out);
    test_dataset_close(&f);
    return made;
}

/* The extensions of images have 20 spellings. An import with the files at hand makes nine calls. */
static void an_image_of_any_format_takes_few_calls(void **state) {
    (void)state;
    int few = calls_for(10), many = calls_for(50);
    assert_true(few > 0);
    if (many - few > 40 * 10) fail_msg("40 further images take %d further calls of stat", many - few);
}

static void a_folder_that_cannot_be_listed_is_passed_over(void **state) {
    (void)state;
    test_folder f;
    char closed[128];
    icseg_import_options o = make_voc(&f, 2);
    snprintf(closed, sizeof closed, "%s", test_path(&f, "closed"));
    assert_int_equal(mkdir(closed, 0111), 0);
    o.image_folder = closed;
    DIR *folder = opendir(closed);
    if (folder) {
        closedir(folder);
        print_message("skipped: this user can list any folder\n");
    } else {
        test_imports(&o, ICSEG_IMPORT_VOC, 2);
        test_import_remove(out);
    }
    test_dataset_close(&f);
}

static void an_image_that_is_missing_is_named(void **state) {
    (void)state;
    test_folder f;
    icseg_import_options o = make_voc(&f, 3);
    test_remove(&f, "JPEGImages/01.png");
    test_import_refuses(&o, "01");
    test_write_text(&f, "JPEGImages/01.txt", "");
    test_import_refuses(&o, "01");
    test_import_image(&f, "JPEGImages/01.bmp.png", 2, 1); /* the stem is 01.bmp */
    test_import_refuses(&o, "01");
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_of_any_format_takes_few_calls),
        cmocka_unit_test(a_folder_that_cannot_be_listed_is_passed_over),
        cmocka_unit_test(an_image_that_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

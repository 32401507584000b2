/* SPDX-License-Identifier: Apache-2.0
 * Lines of class lists that fuzzing found: what is accepted has a name, and reads the same after it was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "icseg/classes.h"
#include "support/import_files.h"
#include "support/scratch.h"

static icseg_status open_list(icseg_class_list **list, const char *text, icseg_error *error) {
    const char *path = test_scratch("classes.txt");
    assert_int_equal(icseg_file_write(path, text, strlen(text), NULL), ICSEG_OK);
    return icseg_class_list_open(list, path, error);
}

static void refuses(const char *text, const char *piece) {
    icseg_class_list *list;
    icseg_error error;
    assert_int_equal(open_list(&list, text, &error), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, piece));
    assert_null(list);
}

static void a_line_begins_with_a_name(void **state) {
    (void)state;
    refuses(",", "line 1 begins with a separator");
    refuses("a\n , ;\n", "line 2 begins with a separator");
    refuses("a\n;b\n", "line 2 begins with a separator");
}

/* A comment would shift the numbers of all classes. */
static void a_comment_is_not_a_class(void **state) {
    (void)state;
    icseg_class_list *list;
    refuses("# my classes\ncar\n", "line 1 begins with #, as a comment does");
    refuses("car\n#\n", "line 2 begins with #");
    refuses("#car\n", "line 1 begins with #");
    assert_int_equal(open_list(&list, "#1\ncar # 2\n", NULL), ICSEG_OK);
    icseg_class_list_close(&list);
}

static void a_list_in_another_form_is_not_misread(void **state) {
    (void)state;
    icseg_class_list *list;
    refuses("0: road\n1: car\n", "every line begins with its number; write the names only");
    refuses("1 road\n2 car\n3 sky\n", "every line begins with its number");
    refuses("road, car; sky\n", "the only line, \"road, car; sky\", is one class with several names");
    assert_int_equal(open_list(&list, "1 euro\n5 euro\n", NULL), ICSEG_OK);
    icseg_class_list_close(&list);
    assert_int_equal(open_list(&list, "car (red, blue)\n", NULL), ICSEG_OK);
    icseg_class_list_close(&list);
}

static void a_byte_order_mark_counts_at_the_beginning_of_the_file_only(void **state) {
    (void)state;
    refuses("a\n\xef\xbb\xbf"
            "b\n",
            "line 2 begins with a byte order mark");
    refuses("\xef\xbb\xbf\xef\xbb\xbf"
            "a\n",
            "line 1 begins with a byte order mark");
}

static void a_line_has_at_most_1000_bytes(void **state) {
    (void)state;
    icseg_class_list *list;
    char text[1003];
    memset(text, 'a', sizeof text);
    text[1001] = '\0';
    refuses(text, "line 1 has more than 1000 bytes");
    text[1000] = '\0';
    assert_int_equal(open_list(&list, text, NULL), ICSEG_OK);
    icseg_class_list_close(&list);
}

/* As icseg_synonyms_split does: a bracket without its partner is a character like any other. */
static void brackets_without_a_partner_do_not_hide_separators(void **state) {
    (void)state;
    icseg_class_list *list;
    assert_int_equal(open_list(&list, "bag (x, y\na) (b, c), d\n(e, f), g\n", NULL), ICSEG_OK);
    assert_string_equal(icseg_class_list_names(list)[0], "bag (x");
    assert_string_equal(icseg_class_list_names(list)[1], "a) (b, c)");
    assert_string_equal(icseg_class_list_names(list)[2], "(e, f)");
    icseg_class_list_close(&list);
}

static void an_import_does_not_write_a_class_that_cannot_be_read(void **state) {
    (void)state;
    char out[128];
    test_folder folder = test_import_folders("images", "labels");
    icseg_import_options options = test_import_options(&folder, out);
    options.format = ICSEG_IMPORT_YOLO;
    test_import_image(&folder, "images/a.png", 4, 2);
    test_write_text(&folder, "data.yaml", "names: [\",\"]\n");
    test_import_refuses(&options, "\",\" cannot be a class name");
    test_write_text(&folder, "data.yaml", "names: [\"\\uFEFFa\"]\n");
    test_import_refuses(&options, "cannot be a class name");
    test_dataset_close(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_begins_with_a_name),
        cmocka_unit_test(a_comment_is_not_a_class),
        cmocka_unit_test(a_list_in_another_form_is_not_misread),
        cmocka_unit_test(a_byte_order_mark_counts_at_the_beginning_of_the_file_only),
        cmocka_unit_test(a_line_has_at_most_1000_bytes),
        cmocka_unit_test(brackets_without_a_partner_do_not_hide_separators),
        cmocka_unit_test(an_import_does_not_write_a_class_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}

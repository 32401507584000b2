/* SPDX-License-Identifier: Apache-2.0
 * The public API of data sets and imports: formats by name, iteration, fields and remedies, wrong calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "dataset/formats.h"
#include "icseg/dataset.h"
#include "icseg/import.h"
#include "icseg/memory.h"
#include "support/dataset_files.h"

static void fails(icseg_status status, icseg_status expected, const icseg_error *error, const char *piece) {
    if (!strstr(error->message, piece)) fail_msg("'%s' is not in: %s", piece, error->message);
    assert_int_equal(status, expected);
}

static test_folder make_set(int images) {
    test_folder f = test_dataset_open("a\nb\n");
    for (int i = 0; i < images; i++) test_write_pair(&f, (char[]){(char)('k' + i), 0}, 4 + i, 3, 2, i);
    return f;
}

static icseg_dataset *open_set(const test_folder *f) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = f->path};
    icseg_dataset *d;
    icseg_error error;
    if (icseg_dataset_open(&d, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return d;
}

/* ---- formats ---- */

static void data_set_formats_are_found_by_name(void **state) {
    (void)state;
    icseg_error error;
    assert_int_equal(icseg_dataset_format_count(), ICSEG_DATASET_FORMATS);
    for (int i = 0; i < icseg_dataset_format_count(); i++) {
        icseg_dataset_format format = (icseg_dataset_format)i, found;
        const char *name = icseg_dataset_format_name(format);
        assert_int_equal(icseg_dataset_format_find(&found, name, &error), ICSEG_OK);
        assert_int_equal(found, i);
        assert_string_equal(icseg_dataset_format_words[i], name);
        assert_true(icseg_dataset_format_description(format)[0] != '\0');
        assert_true(i == ICSEG_DATASET_AUTO || icseg_dataset_format_layout(format)[0] != '\0');
    }
    assert_null(icseg_dataset_format_words[ICSEG_DATASET_FORMATS]);
    assert_string_equal(icseg_dataset_format_name(ICSEG_DATASET_COCOSTUFF10K), "cocostuff10k");
    for (int i = -1; i <= ICSEG_DATASET_FORMATS; i += ICSEG_DATASET_FORMATS + 1) {
        assert_null(icseg_dataset_format_name((icseg_dataset_format)i));
        assert_null(icseg_dataset_format_description((icseg_dataset_format)i));
        assert_null(icseg_dataset_format_layout((icseg_dataset_format)i));
    }
    icseg_dataset_format format;
    fails(icseg_dataset_format_find(&format, "ade20kk", &error), ICSEG_ERROR_ARGUMENT, &error,
          "\"ade20kk\" is not a data set format; did you mean ade20k?");
    assert_string_equal(error.field, "format");
    fails(icseg_dataset_format_find(&format, NULL, &error), ICSEG_ERROR_ARGUMENT, &error, "name is NULL");
    fails(icseg_dataset_format_find(NULL, "auto", &error), ICSEG_ERROR_ARGUMENT, &error, "out is NULL");
}

static void import_formats_are_found_by_name(void **state) {
    (void)state;
    icseg_error error;
    icseg_import_format found;
    assert_int_equal(icseg_import_format_count(), ICSEG_IMPORT_FORMATS);
    for (int i = 0; i < icseg_import_format_count(); i++) {
        assert_int_equal(icseg_import_format_find(&found, icseg_import_format_name((icseg_import_format)i), &error),
                         ICSEG_OK);
        assert_int_equal(found, i);
        assert_true(icseg_import_format_description((icseg_import_format)i)[0] != '\0');
    }
    assert_null(icseg_import_format_name(ICSEG_IMPORT_FORMATS));
    assert_null(icseg_import_format_description((icseg_import_format)-1));
    fails(icseg_import_format_find(&found, "lableme", &error), ICSEG_ERROR_ARGUMENT, &error, "did you mean labelme?");
    fails(icseg_import_format_find(&found, NULL, &error), ICSEG_ERROR_ARGUMENT, &error, "name is NULL");
    fails(icseg_import_format_find(NULL, "voc", &error), ICSEG_ERROR_ARGUMENT, &error, "out is NULL");
}

/* ---- iteration ---- */

static void samples_are_in_order_and_can_start_anywhere(void **state) {
    (void)state;
    test_folder f = make_set(3);
    icseg_dataset *d = open_set(&f);
    icseg_error error;
    icseg_dataset_sample s = {ICSEG_DATASET_SAMPLE_INIT};
    for (int round = 0; round < 2; round++) { /* close resets it */
        int count = 0;
        for (; icseg_dataset_next(d, &s, &error); count++) {
            assert_int_equal(s.index, count);
            assert_int_equal(s.image.width, 4 + count);
            assert_int_equal(s.labels.width, 4 + count);
            assert_int_equal(s.labels.data[0], count % 2);
            assert_string_equal(s.image_path, icseg_dataset_image_path(d, count));
            assert_string_equal(s.label_path, icseg_dataset_label_path(d, count));
        }
        assert_int_equal(count, 3);
        assert_int_equal(s.status, ICSEG_OK);
        assert_true(!s.image.data && !s.labels.data && !s.image_path);
        assert_false(icseg_dataset_next(d, &s, &error));
        icseg_dataset_sample_close(&s);
        assert_int_equal(s.struct_size, sizeof s);
    }
    s.next = 2;
    assert_true(icseg_dataset_next(d, &s, &error));
    assert_int_equal(s.image.width, 6);
    icseg_dataset_sample_close(&s);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void a_sample_that_fails_can_be_skipped(void **state) {
    (void)state;
    test_folder f = make_set(3);
    icseg_dataset *d = open_set(&f);
    icseg_error error;
    icseg_dataset_sample s = {ICSEG_DATASET_SAMPLE_INIT};
    test_truncate(&f, "annotations/train/l.png", 20);
    assert_true(icseg_dataset_next(d, &s, &error));
    assert_false(icseg_dataset_next(d, &s, &error));
    assert_int_equal(s.status, error.status);
    assert_non_null(strstr(error.message, "annotations/train/l.png"));
    assert_true(!s.image.data && s.index == 1 && s.next == 2);
    assert_true(icseg_dataset_next(d, &s, &error));
    assert_int_equal(s.index, 2);
    icseg_dataset_sample_close(&s);
    icseg_dataset_sample_close(NULL);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

/* ---- problems ---- */

static void keep_problem(void *user, const icseg_error *problem) { *(icseg_error *)user = *problem; }

static void problems_name_the_field_to_set(void **state) {
    (void)state;
    test_folder f = make_set(1);
    icseg_error problem = {0}, error;
    icseg_dataset_check_options how = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .on_problem = keep_problem, .user = &problem};
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    test_write_png(&f, "annotations/train/k.png", TEST_PNG_GREY, 8, 4, 3, (const uint16_t[12]){0, 1, 7});
    icseg_dataset *d = open_set(&f);
    assert_int_equal(icseg_dataset_check(d, &how, NULL, &s, &error), ICSEG_ERROR_DATA);
    for (int i = 0; i < 2; i++) {
        const icseg_error *e = i ? &problem : &error;
        assert_string_equal(e->field, "ignore");
        assert_int_equal(e->remedy, ICSEG_REMEDY_SET_FIELD);
        assert_int_equal(e->status, ICSEG_ERROR_DATA);
        assert_non_null(strstr(e->message, "value 7 at x=2, y=0"));
        assert_null(strstr(e->message, "--"));
    }
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = f.path, .split = "val"};
    assert_int_equal(icseg_dataset_open(&d, &o, &error), ICSEG_ERROR_DATA);
    assert_string_equal(error.field, "split");
    test_dataset_close(&f);
}

typedef struct message_list {
    int count;
    char text[512];
} message_list;

static void note_message(void *user, icseg_message_level level, const char *text) {
    message_list *list = user;
    assert_int_equal(level, ICSEG_MESSAGE_WARNING);
    if (strstr(text, "all labelled pixels are of one class")) return; /* the small sets of this file */
    snprintf(list->text, sizeof list->text, "%s", text);
    list->count++;
}

static void misencoded_class_names_are_reported_once(void **state) {
    (void)state;
    /* "café" in UTF-8, decoded as Latin-1 and encoded as UTF-8; "äther" is correct */
    test_folder f = test_dataset_open("caf\xc3\x83\xc2\xa9\n\xc3\xa4ther\nna\xc3\x83\xc2\xafve\n");
    message_list list = {0};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = note_message, .user = &list};
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    test_write_pair(&f, "k", 4, 4, 2, 0);
    icseg_dataset *d = open_set(&f);
    assert_int_equal(icseg_dataset_check(d, NULL, &progress, &s, NULL), ICSEG_OK);
    assert_int_equal(list.count, 1);
    assert_non_null(strstr(list.text, "\"caf\xc3\x83\xc2\xa9\""));
    assert_non_null(strstr(list.text, "\"caf\xc3\xa9\""));
    assert_non_null(strstr(list.text, "2 of 3 names"));
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);
    test_write_text(&f, "classes.txt", "caf\xc3\xa9\n\xc3\xa4ther\n\xe9\x81\x93\n");
    d = open_set(&f);
    assert_int_equal(icseg_dataset_check(d, NULL, &progress, &s, NULL), ICSEG_OK);
    assert_int_equal(list.count, 1);
    icseg_dataset_summary_close(&s);
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

/* ---- wrong calls ---- */

static void wrong_calls_of_data_sets_are_errors(void **state) {
    (void)state;
    test_folder f = make_set(1);
    icseg_dataset *d = (icseg_dataset *)(uintptr_t)8;
    icseg_error e;
    icseg_image image;
    icseg_labels labels;
    char **splits;
    int32_t count;
    icseg_dataset_options o = {.folder = f.path};
    fails(icseg_dataset_open(NULL, &o, &e), ICSEG_ERROR_ARGUMENT, &e, "icseg_dataset_open: out is NULL");
    fails(icseg_dataset_open(&d, NULL, &e), ICSEG_ERROR_ARGUMENT, &e, "options is NULL");
    assert_null(d);
    fails(icseg_dataset_open(&d, &o, &e), ICSEG_ERROR_ARGUMENT, &e, "icseg_dataset_options: struct_size is 0");
    o.struct_size = sizeof o;
    o.format = ICSEG_DATASET_FORMATS;
    fails(icseg_dataset_open(&d, &o, &e), ICSEG_ERROR_ARGUMENT, &e, "not a value of icseg_dataset_format");
    o.format = (icseg_dataset_format)-1;
    fails(icseg_dataset_open(&d, &o, &e), ICSEG_ERROR_ARGUMENT, &e, "not a value of icseg_dataset_format");
    o.format = ICSEG_DATASET_FOLDER;
    o.folder = "";
    fails(icseg_dataset_open(&d, &o, &e), ICSEG_ERROR_ARGUMENT, &e, "folder");
    assert_string_equal(e.field, "folder");
    assert_null(d);
    fails(icseg_dataset_splits(NULL, &count, f.path, &e), ICSEG_ERROR_ARGUMENT, &e, "out is NULL");
    fails(icseg_dataset_splits(&splits, NULL, f.path, &e), ICSEG_ERROR_ARGUMENT, &e, "count is NULL");
    fails(icseg_dataset_splits(&splits, &count, NULL, &e), ICSEG_ERROR_ARGUMENT, &e, "folder is NULL");
    assert_true(!splits && !count);

    d = open_set(&f);
    fails(icseg_dataset_read(NULL, 0, &image, &labels, &e), ICSEG_ERROR_ARGUMENT, &e, "dataset is NULL");
    fails(icseg_dataset_read(d, 0, NULL, &labels, &e), ICSEG_ERROR_ARGUMENT, &e, "image is NULL");
    fails(icseg_dataset_read(d, 0, &image, NULL, &e), ICSEG_ERROR_ARGUMENT, &e, "labels is NULL");
    fails(icseg_dataset_read(d, -1, &image, &labels, &e), ICSEG_ERROR_ARGUMENT, &e,
          "index is -1; the data set has 1 image");
    fails(icseg_dataset_read(d, 1, &image, &labels, &e), ICSEG_ERROR_ARGUMENT, &e,
          "index is 1; the data set has 1 image");
    assert_true(!image.data && !labels.data);
    assert_null(icseg_dataset_image_path(d, 1));
    assert_null(icseg_dataset_label_path(d, -1));

    icseg_dataset_sample s = {.struct_size = 8};
    assert_false(icseg_dataset_next(d, &s, &e));
    fails(s.status, ICSEG_ERROR_ARGUMENT, &e, "ICSEG_DATASET_SAMPLE_INIT");
    s = (icseg_dataset_sample){ICSEG_DATASET_SAMPLE_INIT, .next = -1};
    assert_false(icseg_dataset_next(d, &s, &e));
    assert_int_equal(s.status, ICSEG_ERROR_ARGUMENT);
    s.next = 0;
    assert_false(icseg_dataset_next(NULL, &s, &e));
    fails(s.status, ICSEG_ERROR_ARGUMENT, &e, "icseg_dataset_next: dataset is NULL");
    assert_false(icseg_dataset_next(d, NULL, &e));
    fails(e.status, ICSEG_ERROR_ARGUMENT, &e, "sample is NULL");

    icseg_dataset_summary summary = {0};
    icseg_dataset_check_options how = {0};
    fails(icseg_dataset_check(d, NULL, NULL, NULL, &e), ICSEG_ERROR_ARGUMENT, &e, "out is NULL");
    fails(icseg_dataset_check(d, NULL, NULL, &summary, &e), ICSEG_ERROR_ARGUMENT, &e, "icseg_dataset_summary");
    summary.struct_size = sizeof summary;
    fails(icseg_dataset_check(NULL, NULL, NULL, &summary, &e), ICSEG_ERROR_ARGUMENT, &e, "dataset is NULL");
    fails(icseg_dataset_check(d, &how, NULL, &summary, &e), ICSEG_ERROR_ARGUMENT, &e, "icseg_dataset_check_options");
    how.struct_size = sizeof how;
    how.threads = -1;
    fails(icseg_dataset_check(d, &how, NULL, &summary, &e), ICSEG_ERROR_ARGUMENT, &e, "threads is -1");
    how.threads = 1 << 30;
    fails(icseg_dataset_check(d, &how, NULL, &summary, &e), ICSEG_ERROR_ARGUMENT, &e, "threads");
    assert_null(summary.class_pixels);
    icseg_dataset_summary_close(&summary);
    icseg_dataset_summary_close(NULL);
    icseg_dataset_close(&d);
    icseg_dataset_close(NULL);

    assert_int_equal(icseg_dataset_count(NULL), 0);
    assert_int_equal(icseg_dataset_classes(NULL), 0);
    assert_null(icseg_dataset_class_names(NULL));
    assert_null(icseg_dataset_class_synonyms(NULL));
    assert_null(icseg_dataset_description(NULL));
    assert_null(icseg_dataset_image_path(NULL, 0));
    assert_null(icseg_dataset_label_path(NULL, 0));
    assert_int_equal(icseg_dataset_recognised(NULL), ICSEG_DATASET_AUTO);
    test_dataset_close(&f);
}

/* A program built with a later header: its structs are larger, and the part that this build does not know is zero. */
static void structs_of_a_later_header_are_accepted(void **state) {
    (void)state;
    test_folder f = make_set(1);
    struct {
        icseg_dataset_options o;
        void *later;
    } options = {.o = {.struct_size = sizeof options, .folder = f.path}};
    struct {
        icseg_dataset_summary s;
        int64_t later;
    } summary = {.s = {.struct_size = sizeof summary}, .later = 5};
    icseg_dataset *d;
    icseg_error e;
    assert_int_equal(icseg_dataset_open(&d, &options.o, &e), ICSEG_OK);
    assert_int_equal(icseg_dataset_check(d, NULL, NULL, &summary.s, &e), ICSEG_OK);
    assert_true(summary.s.images == 1 && summary.later == 0 && summary.s.struct_size == sizeof summary);
    icseg_dataset_summary_close(&summary.s);
    icseg_dataset_close(&d);
    options.later = &f;
    fails(icseg_dataset_open(&d, &options.o, &e), ICSEG_ERROR_ARGUMENT, &e, "update the library");
    test_dataset_close(&f);
}

static void wrong_calls_of_imports_are_errors(void **state) {
    (void)state;
    test_folder f = make_set(1);
    icseg_error e;
    icseg_import_options o = {0};
    icseg_import_summary s = {0};
    char out[96];
    snprintf(out, sizeof out, "%s/out", f.path);
    fails(icseg_import_run(&o, NULL, &s, &e), ICSEG_ERROR_ARGUMENT, &e, "icseg_import_summary");
    s.struct_size = sizeof s;
    fails(icseg_import_run(NULL, NULL, &s, &e), ICSEG_ERROR_ARGUMENT, &e, "icseg_import_run: options is NULL");
    fails(icseg_import_run(&o, NULL, &s, &e), ICSEG_ERROR_ARGUMENT, &e, "icseg_import_options");
    o.struct_size = sizeof o;
    fails(icseg_import_run(&o, NULL, NULL, &e), ICSEG_ERROR_ARGUMENT, &e, "source: ");
    assert_string_equal(e.field, "source");
    o.source = f.path;
    fails(icseg_import_run(&o, NULL, &s, &e), ICSEG_ERROR_ARGUMENT, &e, "folder: ");
    o.folder = out;
    o.format = ICSEG_IMPORT_FORMATS;
    fails(icseg_import_run(&o, NULL, &s, &e), ICSEG_ERROR_ARGUMENT, &e, "format: ");
    o.format = ICSEG_IMPORT_AUTO;
    o.val_share = 0.0 / 0.0;
    fails(icseg_import_run(&o, NULL, &s, &e), ICSEG_ERROR_ARGUMENT, &e, "val_share: ");
    o.val_share = 0;
    o.split = "..";
    fails(icseg_import_run(&o, NULL, &s, &e), ICSEG_ERROR_ARGUMENT, &e, "split: ");
    o.split = NULL;
    fails(icseg_import_run(&o, NULL, &s, &e), ICSEG_ERROR_DATA, &e,
          "does not contain files of a supported labelling tool");
    assert_int_equal(icseg_import_run(&o, NULL, NULL, NULL), ICSEG_ERROR_DATA);
    assert_int_equal(icseg_import_run(&o, &(icseg_progress){.report = NULL}, &s, &e), ICSEG_ERROR_ARGUMENT);
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_set_formats_are_found_by_name),
        cmocka_unit_test(import_formats_are_found_by_name),
        cmocka_unit_test(samples_are_in_order_and_can_start_anywhere),
        cmocka_unit_test(a_sample_that_fails_can_be_skipped),
        cmocka_unit_test(problems_name_the_field_to_set),
        cmocka_unit_test(misencoded_class_names_are_reported_once),
        cmocka_unit_test(wrong_calls_of_data_sets_are_errors),
        cmocka_unit_test(structs_of_a_later_header_are_accepted),
        cmocka_unit_test(wrong_calls_of_imports_are_errors),
    };
    return cmocka_run_group_tests_name("dataset_api", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * importers/archive.c: sources in zip archives become the same data sets as their folders; hostile archives are refused
 * in one line and leave nothing. */
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
#include "support/import_files.h"
#include "support/zip_files.h"

static test_folder folder;
static icseg_import_options options;
static char out[128], archive[128], said[4096];
static test_zip zip;

static int open_folder(void **state) {
    (void)state;
    folder = test_import_folders("loose");
    options = test_import_options(&folder, out);
    snprintf(archive, sizeof archive, "%s/export.zip", folder.path);
    options.source = archive;
    said[0] = '\0';
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

/* Adds the file FOLDER/loose/name as `as`. */
static void pack(const char *name, const char *as) {
    char path[128];
    unsigned char *data;
    size_t size;
    snprintf(path, sizeof path, "loose/%s", name);
    assert_int_equal(icseg_file_read(test_path(&folder, path), 1 << 20, &data, &size, NULL), ICSEG_OK);
    test_zip_deflate(&zip, as, data, size);
    icseg_free(data);
}

static void text(const char *as, const char *content) { test_zip_deflate(&zip, as, content, strlen(content)); }

/* Two images with YOLO's polygons: the left half is a cat. */
static void pack_yolo(const char *top) {
    static const char label[] = "0 0 0 0.5 0 0.5 1 0 1\n";
    char name[64];
    test_import_image(&folder, "loose/a.png", 4, 2);
    test_import_image(&folder, "loose/b.png", 4, 2);
#define AT(...) (snprintf(name, sizeof name, __VA_ARGS__), name)
    text(AT("%sdata.yaml", top), "names: [cat]\ntrain: images\n");
    test_zip_deflate(&zip, AT("%simages/", top), "", 0);
    pack("a.png", AT("%simages/a.png", top));
    pack("b.png", AT("%simages/b.png", top));
    text(AT("%slabels/a.txt", top), label);
    text(AT("%slabels/b.txt", top), label);
#undef AT
}

static void an_archive_is_read_like_its_folder(void **state) {
    (void)state;
    static const char *const tops[] = {"", "my export/"};
    for (int i = 0; i < 2; i++) {
        pack_yolo(tops[i]);
        text("__MACOSX/._data.yaml", "x");
        text(i ? "my export/.DS_Store" : ".DS_Store", "x");
        test_zip_write(&zip, archive);
        test_imports(&options, ICSEG_IMPORT_YOLO, 2);
        test_import_has(out, "train", "background cat", 1, "1100 1100");
        char **names;
        int32_t count;
        assert_int_equal(icseg_dataset_splits(&names, &count, out, NULL), ICSEG_OK);
        assert_int_equal(count, 1);
        icseg_free(names);
        test_import_remove(out); /* fails if anything else is there */
    }
}

static void the_format_may_be_named_and_the_extension_may_be_missing(void **state) {
    (void)state;
    static const char json[] = TEST_COCO_HEAD TEST_COCO_ROW "]}";
    snprintf(archive, sizeof archive, "%s/download", folder.path);
    test_import_image(&folder, "loose/a.png", 5, 4);
    pack("a.png", "export/images/a.png");
    text("export/result.json", json);
    test_zip_write(&zip, archive);
    test_imports(&options, ICSEG_IMPORT_COCO, 1);
    test_import_remove(out);
    options.format = ICSEG_IMPORT_COCO;
    test_imports(&options, ICSEG_IMPORT_COCO, 1);
    test_import_has(out, "train", "background dog cat", 0, "22222 00000 00000 00000");
}

static void keep(void *user, icseg_message_level level, const char *message) {
    (void)user, (void)level;
    size_t used = strlen(said);
    assert_true(used + strlen(message) + 2 < sizeof said);
    strcat(strcpy(said + used, message), "\n");
}

static void keep_problem(void *user, const icseg_error *problem) {
    keep(user, ICSEG_MESSAGE_WARNING, problem->message);
}

static void messages_name_the_files_in_the_archive(void **state) {
    (void)state;
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = keep};
    icseg_error error;
    char expected[300];
    pack_yolo("");
    text("labels/c.txt", "0 5 0 0.5 0 0.5 1\n");
    pack("a.png", "images/c.png");
    test_zip_write(&zip, archive);
    options.on_problem = keep_problem;
    assert_int_equal(icseg_import_run(&options, &progress, NULL, &error), ICSEG_ERROR_DATA);
    snprintf(expected, sizeof expected, "%s/labels/c.txt: ", archive);
    assert_non_null(strstr(said, expected));
    assert_non_null(strstr(error.message, expected));
    assert_null(strstr(said, ".import."));
    assert_null(strstr(error.message, ".import."));

    said[0] = '\0';
    pack_yolo("");
    text("labels/c.txt", "0 5 5 6 5 6 6\n"); /* of no image: counted and named in a warning */
    test_zip_write(&zip, archive);
    if (icseg_import_run(&options, &progress, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_non_null(strstr(said, "1 label file was not used: "));
    assert_null(strstr(said, ".import."));
}

static void refuses(const char *piece) {
    test_zip_write(&zip, archive);
    test_import_refuses(&options, piece);
}

/* As old versions of .NET, and with them PowerShell, pack folders. */
static void names_may_have_backslashes(void **state) {
    (void)state;
    pack_yolo("");
    text("labels\\extra\\", "");
    pack("a.png", "images\\c.png");
    text("labels\\c.txt", "0 0 0 0.5 0 0.5 1 0 1\n");
    test_zip_write(&zip, archive);
    test_imports(&options, ICSEG_IMPORT_YOLO, 3);
    test_import_has(out, "train", "background cat", 2, "1100 1100");
}

static void a_file_that_is_not_an_archive_is_named(void **state) {
    (void)state;
    static const char *const contents[] = {"", "text", "PKtext"};
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        test_write_text(&folder, "some.zip", contents[i]);
        icseg_import_options o = options;
        o.source = test_path(&folder, "some.zip");
        test_import_refuses(&o, "some.zip: neither a folder nor a zip archive; import the folder that contains");
    }
}

static void hostile_archives_are_refused(void **state) {
    (void)state;
    static const char *const names[] = {"../evil.txt",     "/evil.txt", "a/../../evil.txt",
                                        "a\\..\\evil.txt", "a/..",      "a\nb"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pack_yolo("");
        text(names[i], "x");
        refuses("refused: the archive has an entry with an unsafe name: \"");
        assert_false(icseg_file_exists(test_path(&folder, "evil.txt")));
    }
    pack_yolo("");
    text("data.yaml", "twice");
    refuses("entry data.yaml occurs twice");
    pack_yolo("");
    text("labels//a.txt", "twice");
    refuses("labels/a.txt: occurs twice in the archive");
    pack_yolo("");
    text("data.yaml/a.txt", "below a file");
    refuses("data.yaml");
    pack_yolo("");
    text("link", "/etc/passwd");
    test_poke(&zip.directory, zip.last_central + 5, 3, 1);        /* made by Unix */
    test_poke(&zip.directory, zip.last_central + 40, 0120777, 2); /* a symbolic link */
    refuses("link: refused: a symbolic link");
    pack_yolo("");
    test_poke(&zip.directory, zip.last_central + 8, 1, 2);
    refuses("labels/b.txt is encrypted; unpack the archive with its password");
    pack_yolo("");
    test_poke(&zip.directory, zip.last_central + 24, 1 << 24, 4); /* a size that lies */
    refuses("zip bomb: labels/b.txt would grow");
    pack_yolo("");
    test_poke(&zip.directory, zip.last_central + 24, 30, 4);
    refuses("labels/b.txt ends before its size");
    pack_yolo("");
    test_poke(&zip.directory, zip.last_central + 24, 4, 4);
    refuses("labels/b.txt");
    pack_yolo("");
    test_poke(&zip.directory, zip.last_central + 16, 77, 4);
    refuses("labels/b.txt has a wrong checksum");

    void *zeros = calloc(1, 8 << 20);
    assert_non_null(zeros);
    pack_yolo("");
    test_zip_deflate(&zip, "zeros", zeros, 8 << 20);
    free(zeros);
    refuses("refused: a zip bomb: zeros would grow");
    refuses("does not contain files of a supported labelling tool"); /* an empty archive */
    text("only/readme.txt", "hello");
    refuses("export.zip: does not contain files of a supported labelling tool");
}

static void a_path_that_is_too_long_is_refused(void **state) {
    (void)state;
    char name[5000];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    pack_yolo("");
    text(name, "x");
    refuses("the path is too long");
}

static void an_archive_cut_short_is_an_error(void **state) {
    (void)state;
    unsigned char *data;
    size_t size;
    pack_yolo("");
    test_zip_write(&zip, archive);
    assert_int_equal(icseg_file_read(archive, 1 << 20, &data, &size, NULL), ICSEG_OK);
    for (size_t keep_bytes = 4; keep_bytes < size; keep_bytes += keep_bytes < size - 30 ? 37 : 1) {
        test_put_file(archive, data, keep_bytes);
        test_import_refuses(&options, "export.zip: ");
    }
    icseg_free(data);
}

static void a_lack_of_memory_is_an_error_and_leaves_nothing(void **state) {
    (void)state;
    enum { MOST = 20000 };
    icseg_error error;
    pack_yolo("top/");
    test_zip_write(&zip, archive);
    int64_t n = 0;
    for (; n < MOST; n++) {
        icseg_memory_fail_after(n);
        icseg_status status = icseg_import_run(&options, NULL, NULL, &error);
        icseg_memory_fail_after(-1);
        if (status == ICSEG_OK) break;
        if (status != ICSEG_ERROR_MEMORY) fail_msg("%s", error.message);
        assert_false(icseg_folder_exists(out));
    }
    assert_true(n > 20 && n < MOST);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        CASE(an_archive_is_read_like_its_folder),
        CASE(the_format_may_be_named_and_the_extension_may_be_missing),
        CASE(messages_name_the_files_in_the_archive),
        CASE(names_may_have_backslashes),
        CASE(a_file_that_is_not_an_archive_is_named),
        CASE(hostile_archives_are_refused),
        CASE(a_path_that_is_too_long_is_refused),
        CASE(an_archive_cut_short_is_an_error),
        CASE(a_lack_of_memory_is_an_error_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

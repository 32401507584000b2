/* SPDX-License-Identifier: Apache-2.0
 * Indexes of tar archives: the formats, long names, and archives that are damaged or cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/tar.h"
#include "support/scratch.h"
#include "support/tar_files.h"

enum { BLOCK = TEST_TAR_BLOCK };

static icseg_error error;

static icseg_status list(const test_tar *a, icseg_tar *tar, icseg_arena *arena) {
    const char *path = test_scratch("a.tar");
    icseg_file_reader *file;
    assert_int_equal(icseg_file_write(path, a->bytes, a->size, &error), ICSEG_OK);
    assert_int_equal(icseg_file_reader_open(&file, path, &error), ICSEG_OK);
    icseg_status status = icseg_tar_list(tar, file, path, arena, &error);
    for (int64_t i = 0; i < tar->count && status == ICSEG_OK; i++) {
        char data[2 * BLOCK] = "";
        assert_true(tar->entries[i].size < sizeof data);
        status = icseg_file_reader_read(file, tar->entries[i].offset, data, tar->entries[i].size, &error);
        assert_memory_equal(data, a->bytes + tar->entries[i].offset, tar->entries[i].size);
    }
    icseg_file_reader_close(&file);
    return status;
}

/* The archive has these files: "NAME=DATA NAME=DATA". */
static void contains(const test_tar *a, const char *expected) {
    icseg_arena *arena;
    icseg_tar tar;
    char found[4000] = "";
    assert_int_equal(icseg_arena_open(&arena, &error), ICSEG_OK);
    if (list(a, &tar, arena) != ICSEG_OK) fail_msg("%s", error.message);
    for (int64_t i = 0; i < tar.count; i++) {
        size_t length = strlen(found);
        snprintf(found + length, sizeof found - length, "%s%s=%.*s", i ? " " : "", tar.entries[i].name,
                 (int)tar.entries[i].size, (const char *)a->bytes + tar.entries[i].offset);
    }
    assert_string_equal(found, expected);
    icseg_free(tar.entries);
    icseg_arena_close(&arena);
}

static void refused(const test_tar *a, const char *expected) {
    icseg_arena *arena;
    icseg_tar tar;
    assert_int_equal(icseg_arena_open(&arena, &error), ICSEG_OK);
    assert_int_equal(list(a, &tar, arena), ICSEG_ERROR_FORMAT);
    if (!strstr(error.message, expected) || !strstr(error.message, "a.tar: ")) fail_msg("%s", error.message);
    icseg_free(tar.entries);
    icseg_arena_close(&arena);
}

static void files_are_listed(void **state) {
    (void)state;
    static test_tar a;
    a.size = 0;
    test_tar_append(&a, '5', "folder/", "");
    test_tar_append(&a, '0', "folder/a.txt", "one");
    test_tar_append(&a, '2', "link", "");
    unsigned char *old = test_tar_append(&a, '\0', "b", "two"); /* the format before ustar */
    memset(old + 257, 0, 8);
    test_tar_seal(old);
    unsigned char *prefixed = test_tar_append(&a, '0', "c", "");
    strcpy((char *)prefixed + 345, "some/where");
    test_tar_seal(prefixed);
    test_tar_append(&a, '7', "contiguous", "3");
    test_tar_append(&a, '\0', "an old folder/", "");
    test_tar_finish(&a);
    contains(&a, "folder/a.txt=one b=two some/where/c= contiguous=3");
    test_tar_append(&a, '0', "joined", "x"); /* cat a.tar b.tar */
    test_tar_finish(&a);
    contains(&a, "folder/a.txt=one b=two some/where/c= contiguous=3 joined=x");
}

static void long_names_and_sizes_are_read(void **state) {
    (void)state;
    static test_tar a;
    a.size = 0;
    test_tar_append(&a, 'L', "././@LongLink", "a name of GNU");
    test_tar_append(&a, '0', "cut", "1");
    test_tar_append(&a, 'x', "pax", "22 path=a name of pax\n9 size=2\n");
    test_tar_append(&a, '0', "cut", "23");
    test_tar_append(&a, 'g', "pax_global_header", "52 comment=0123456789012345678901234567890123456789\n");
    test_tar_append(&a, '0', "plain", "456");
    test_tar_finish(&a);
    contains(&a, "a name of GNU=1 a name of pax=23 plain=456");
}

/* Wherever an archive is cut, it is refused, also between two members. */
static void archives_that_are_cut_are_refused(void **state) {
    (void)state;
    static test_tar a, b;
    a.size = 0;
    test_tar_append(&a, '0', "a", "one");
    test_tar_append(&a, '0', "b", "two");
    size_t end = a.size;
    test_tar_finish(&a);
    contains(&a, "a=one b=two");
    for (size_t size = BLOCK; size <= end; size += size % BLOCK < 100 ? 1 : 59) {
        b = a;
        b.size = size;
        refused(&b, "the archive is cut short");
    }
    b.size = end - BLOCK - 3;
    refused(&b, "at byte 1024: the archive is cut short: a part of a header");
    b.size = end - BLOCK + 2;
    refused(&b, "at byte 1024: the archive is cut short: a member is longer than the rest");
    b.size = end;
    refused(&b, "at byte 2048: the archive is cut short: the blocks of zeros");
    for (size_t size = 0; size < BLOCK; size += 73) {
        b.size = size;
        refused(&b, "not a tar archive");
    }
}

static void damaged_archives_are_refused(void **state) {
    (void)state;
    static test_tar a, b;
    a.size = 0;
    test_tar_append(&a, '0', "a", "one");
    size_t first = a.size;
    unsigned char *h = test_tar_append(&a, '0', "b", "two");
    test_tar_finish(&a);
    b = a;
    b.bytes[first]++;
    refused(&b, "at byte 1024: damaged: a header's checksum is wrong");
    b = a;
    b.bytes[a.size - BLOCK] = 'x';
    refused(&b, "checksum");
    b = a;
    b.bytes[0]++;
    refused(&b, "not a tar archive");
    memcpy(h + 124, "77777777777", 12);
    test_tar_seal(h);
    refused(&a, "longer than the rest");
    memcpy(h + 124, "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12);
    test_tar_seal(h);
    refused(&a, "longer than the rest");
    memcpy(h + 124, "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
    test_tar_seal(h);
    refused(&a, "without a size");
    memcpy(h + 124, "none        ", 12);
    test_tar_seal(h);
    refused(&a, "without a size");
}

static void damaged_extensions_are_refused(void **state) {
    (void)state;
    static test_tar a;
    const char *const records[] = {
        "x", "5 a\n", "99 path=a\n", "9 path=ab", "-1 path=a\n", "11 size=1x\n", "18446744073709551615 path=a\n"};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        a.size = 0;
        test_tar_append(&a, 'x', "pax", records[i]);
        test_tar_append(&a, '0', "a", "one");
        test_tar_finish(&a);
        refused(&a, "pax records");
    }
    a.size = 0;
    test_tar_append(&a, 'x', "pax", "18 size=999999999\n");
    test_tar_append(&a, '0', "a", "one");
    test_tar_finish(&a);
    refused(&a, "longer than the rest");
}

/* Archives that tar writes, but whose files are not whole in them. */
static void other_archives_are_named(void **state) {
    (void)state;
    static test_tar a;
    const struct {
        const char *start;
        size_t size;
        const char *expected;
    } compressed[] = {{"\x1f\x8b\x08", 3, "gunzip"},
                      {"BZh9", 4, "bunzip2"},
                      {"\375"
                       "7zXZ\0",
                       6, "unxz"},
                      {"\x28\xb5\x2f\xfd", 4, "unzstd"},
                      {"\x1f", 1, "not a tar archive"}};
    for (size_t i = 0; i < sizeof compressed / sizeof *compressed; i++)
        for (size_t size = compressed[i].size; size <= 2000; size += 1000) {
            memset(a.bytes, 1, sizeof a.bytes);
            memcpy(a.bytes, compressed[i].start, compressed[i].size);
            a.size = size;
            refused(&a, compressed[i].expected);
        }
    a.size = 0;
    test_tar_append(&a, 'S', "holes", "one");
    refused(&a, "at byte 0: holes is stored as a sparse file");
    a.size = 0;
    test_tar_append(&a, 'x', "pax", "22 GNU.sparse.major=1\n");
    test_tar_append(&a, '0', "GNUSparseFile.1/holes", "one");
    refused(&a, "holes is stored as a sparse file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_listed),
        cmocka_unit_test(long_names_and_sizes_are_read),
        cmocka_unit_test(archives_that_are_cut_are_refused),
        cmocka_unit_test(damaged_archives_are_refused),
        cmocka_unit_test(damaged_extensions_are_refused),
        cmocka_unit_test(other_archives_are_named),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}

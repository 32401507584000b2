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

enum { BLOCK = 512, MOST = 64 * BLOCK };

static icseg_error error;

typedef struct archive {
    unsigned char bytes[MOST];
    size_t size;
} archive;

static void seal(unsigned char *header) {
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < BLOCK; i++) sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
}

/* Appends a member with a ustar header. */
static unsigned char *append(archive *a, char type, const char *name, const char *data) {
    unsigned char *h = a->bytes + a->size;
    size_t size = strlen(data);
    memset(h, 0, BLOCK);
    strncpy((char *)h, name, 100);
    snprintf((char *)h + 124, 12, "%011o", (unsigned)size);
    h[156] = (unsigned char)type;
    memcpy(h + 257, "ustar\00000", 8);
    seal(h);
    memcpy(h + BLOCK, data, size);
    a->size += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
    return h;
}

static icseg_status list(const archive *a, icseg_tar *tar, icseg_arena *arena) {
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
static void contains(const archive *a, const char *expected) {
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

static void refused(const archive *a, const char *expected) {
    icseg_arena *arena;
    icseg_tar tar;
    assert_int_equal(icseg_arena_open(&arena, &error), ICSEG_OK);
    assert_int_equal(list(a, &tar, arena), ICSEG_ERROR_FORMAT);
    if (!strstr(error.message, expected) || !strstr(error.message, "a.tar: at byte ")) fail_msg("%s", error.message);
    icseg_free(tar.entries);
    icseg_arena_close(&arena);
}

static void files_are_listed(void **state) {
    (void)state;
    static archive a;
    a.size = 0;
    append(&a, '5', "folder/", "");
    append(&a, '0', "folder/a.txt", "one");
    append(&a, '2', "link", "");
    unsigned char *old = append(&a, '\0', "b", "two"); /* the format before ustar */
    memset(old + 257, 0, 8);
    seal(old);
    unsigned char *prefixed = append(&a, '0', "c", "");
    strcpy((char *)prefixed + 345, "some/where");
    seal(prefixed);
    contains(&a, "folder/a.txt=one b=two some/where/c="); /* it ends with the file */
    a.size += 2 * BLOCK;
    contains(&a, "folder/a.txt=one b=two some/where/c=");
    append(&a, '0', "after the end", "x");
    contains(&a, "folder/a.txt=one b=two some/where/c=");
}

static void long_names_and_sizes_are_read(void **state) {
    (void)state;
    static archive a;
    a.size = 0;
    append(&a, 'L', "././@LongLink", "a name of GNU");
    append(&a, '0', "cut", "1");
    append(&a, 'x', "pax", "22 path=a name of pax\n9 size=2\n");
    append(&a, '0', "cut", "23");
    append(&a, 'g', "pax_global_header", "52 comment=0123456789012345678901234567890123456789\n");
    append(&a, '0', "plain", "4");
    contains(&a, "a name of GNU=1 a name of pax=23 plain=4");
}

static void damaged_archives_are_refused(void **state) {
    (void)state;
    static archive a, b;
    a.size = 0;
    append(&a, '0', "a", "one");
    size_t first = a.size;
    unsigned char *h = append(&a, '0', "b", "two");
    for (size_t size = first + 1; size < a.size - BLOCK; size += 100) { /* in the second header */
        b = a;
        b.size = size;
        refused(&b, "cut short");
    }
    b = a;
    b.size = first + BLOCK + 2;
    refused(&b, "cut short: a member is longer than the rest");
    b = a;
    b.bytes[first]++;
    refused(&b, "checksum");
    b.size = 0;
    refused(&b, "not a tar archive");
    b.size = 100;
    refused(&b, "not a tar archive");
    b = a;
    b.bytes[0]++;
    refused(&b, "not a tar archive");
    memcpy(h + 124, "77777777777", 12);
    seal(h);
    refused(&a, "longer than the rest");
    memcpy(h + 124, "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12);
    seal(h);
    refused(&a, "longer than the rest");
    memcpy(h + 124, "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
    seal(h);
    refused(&a, "without a size");
    memcpy(h + 124, "none        ", 12);
    seal(h);
    refused(&a, "without a size");
    const char *const records[] = {
        "x", "5 a\n", "99 path=a\n", "9 path=ab", "-1 path=a\n", "11 size=1x\n", "18446744073709551615 path=a\n"};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        a.size = 0;
        append(&a, 'x', "pax", records[i]);
        append(&a, '0', "a", "one");
        refused(&a, "pax records");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_listed),
        cmocka_unit_test(long_names_and_sizes_are_read),
        cmocka_unit_test(damaged_archives_are_refused),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}

/* SPDX-License-Identifier: Apache-2.0
 * MATLAB label files: complete ones of every kind by libmatio, damaged ones, and files without a label matrix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <matio.h>

#include "base/file.h"
#include "base/memory.h"
#include "matlab/mat.h"
#include "support/mat_files.h"
#include "support/scratch.h"

static void matrices_of_every_kind_are_read(void **state) {
    (void)state;
    static const int classes[] = {MAT_C_DOUBLE, MAT_C_SINGLE, MAT_C_UINT8, MAT_C_INT16, MAT_C_UINT16};
    const char *path = test_scratch("kinds.mat");
    uint16_t values[5 * 7];
    for (int i = 0; i < 35; i++) values[i] = (uint16_t)(i * 3);
    for (int i = 0; i < 5 * 8; i++) {
        test_mat kind = {
            .hdf5 = i & 1, .deflate = i & 2, .others_first = i & 4, .matio_class = classes[i / 8], .names = 3};
        icseg_mask mask;
        icseg_error error = {0};
        int64_t names;
        test_write_mat(path, &kind, 7, 5, values);
        if (icseg_mat_read(&mask, &names, path, &error) != ICSEG_OK) fail_msg("%d: %s", i, error.message);
        assert_true(mask.width == 7 && mask.height == 5 && mask.bits == 16 && names == 3);
        assert_memory_equal(mask.data, values, sizeof values);
        icseg_mask_close(&mask);
    }
}

static void fails_to_read_mat(const char *path, const char *piece) {
    icseg_mask mask;
    icseg_error error = {0};
    assert_int_not_equal(icseg_mat_read(&mask, NULL, path, &error), ICSEG_OK);
    assert_null(mask.data);
    if (!strstr(error.message, piece)) fail_msg("'%s' is not in: %s", piece, error.message);
}

static void damaged_matlab_files_are_reported_in_one_line(void **state) {
    (void)state;
    const char *path = test_scratch("damaged.mat");
    static uint16_t values[60 * 50];
    for (int i = 0; i < 3000; i++) values[i] = (uint16_t)(i * 7919 % 183);
    for (int kind = 0; kind < 4; kind++) {
        test_mat o = {.hdf5 = kind & 1, .deflate = kind & 2, .matio_class = MAT_C_DOUBLE};
        unsigned char *data;
        size_t size;
        test_write_mat(path, &o, 60, 50, values);
        assert_int_equal(icseg_file_read(path, 1 << 24, &data, &size, NULL), ICSEG_OK);
        for (size_t keep = 0; keep < size; keep += keep < 600 ? 7 : 211) {
            icseg_mask mask;
            icseg_error error = {0};
            assert_int_equal(icseg_file_write(path, data, keep, NULL), ICSEG_OK);
            icseg_status status = icseg_mat_read(&mask, NULL, path, &error);
            if (status == ICSEG_OK) /* only bytes after S were cut */
                assert_memory_equal(mask.data, values, sizeof values);
            else
                assert_true(error.message[0] && !strchr(error.message, '\n') && !mask.data);
            icseg_mask_close(&mask);
        }
        for (size_t at = 100; at < size && at < 4096; at += 13) { /* any outcome but a crash */
            icseg_mask mask;
            unsigned char old = data[at];
            data[at] ^= 0xff;
            assert_int_equal(icseg_file_write(path, data, size, NULL), ICSEG_OK);
            icseg_mat_read(&mask, NULL, path, NULL);
            icseg_mask_close(&mask);
            data[at] = old;
        }
        icseg_free(data);
    }
}

static void matlab_files_without_a_label_matrix_are_refused(void **state) {
    (void)state;
    const char *path = test_scratch("other.mat");
    for (int hdf5 = 0; hdf5 < 2; hdf5++) {
        test_write_mat(path, &(test_mat){.hdf5 = hdf5, .matio_class = MAT_C_DOUBLE, .name = "T", .names = 2}, 2, 1,
                       (const uint16_t[]){1, 2});
        fails_to_read_mat(path, "the variable S is missing");
        mat_t *file = Mat_CreateVer(path, NULL, hdf5 ? MAT_FT_MAT73 : MAT_FT_MAT5);
        matvar_t *s = Mat_VarCreate("S", MAT_C_CELL, MAT_T_CELL, 2, (size_t[]){2, 2}, NULL, 0);
        for (int i = 0; i < 4; i++)
            Mat_VarSetCell(s, i,
                           Mat_VarCreate(NULL, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, (size_t[]){1, 1}, (double[]){1}, 0));
        Mat_VarWrite(file, s, MAT_COMPRESSION_NONE);
        Mat_VarFree(s);
        Mat_Close(file);
        fails_to_read_mat(path, "S is not a real matrix");
        file = Mat_CreateVer(path, NULL, hdf5 ? MAT_FT_MAT73 : MAT_FT_MAT5);
        s = Mat_VarCreate("S", MAT_C_DOUBLE, MAT_T_DOUBLE, 2, (size_t[]){1, 2}, (double[]){1, 1.5}, 0);
        Mat_VarWrite(file, s, MAT_COMPRESSION_NONE);
        Mat_VarFree(s);
        Mat_Close(file);
        fails_to_read_mat(path, "S is 1.5 at x=1, y=0");
    }
    /* A version-5 file whose matrix S claims 2^31 x 2^31 values. */
    static const unsigned char claim[] = {
        14, 0, 0, 0, 64,   0,    0,    0,    6,    0,    0,    0,    8, 0, 0, 0, 6,   0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0,
        8,  0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 1, 0, 1, 0, 'S', 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0};
    unsigned char whole[128 + 72] = {0};
    memcpy(whole + 124, "\0\1IM", 4);
    memcpy(whole + 128, claim, sizeof claim);
    assert_int_equal(icseg_file_write(path, whole, sizeof whole, NULL), ICSEG_OK);
    fails_to_read_mat(path, "damaged");
    assert_int_equal(icseg_file_write(path, "nothing", 7, NULL), ICSEG_OK);
    fails_to_read_mat(path, "not a MATLAB file");
}

static void every_failed_allocation_is_reported(void **state) {
    (void)state;
    const char *path = test_scratch("memory.mat");
    for (int kind = 0; kind < 3; kind++) {
        test_write_mat(path, &(test_mat){.hdf5 = kind == 2, .deflate = kind == 1, .matio_class = MAT_C_UINT8}, 2, 2,
                       (const uint16_t[]){1, 2, 3, 4});
        int64_t failures = 0;
        for (;; failures++) {
            icseg_mask mask;
            icseg_memory_fail_after(failures);
            icseg_status status = icseg_mat_read(&mask, NULL, path, NULL);
            icseg_memory_fail_after(-1);
            icseg_mask_close(&mask);
            if (status == ICSEG_OK) break;
            assert_int_equal(status, ICSEG_ERROR_MEMORY);
        }
        assert_true(failures > 0);
    }
}

/* A version-5 file of S (2, 1) whose values are stored as `type`, in this machine's byte order. */
static void write_stored(const char *path, unsigned char type, const void *values, unsigned char size) {
    unsigned char body[56] = {6, 0, 0, 0, 8, 0, 0, 0, 6, 0, 0, 0, 0, 0,   0, 0, 5, 0,    0, 0, 8, 0,   0,
                              0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 'S', 0, 0, 0, type, 0, 0, 0, size},
                  whole[128 + 8 + 64] = {0};
    memcpy(body + 48, values, size < 8 ? size : 8);
    memcpy(whole + 124, "\0\1IM", 4);
    memcpy(whole + 128, "\16\0\0\0\100\0\0\0", 8); /* a matrix of 64 bytes */
    memcpy(whole + 136, body, sizeof body);
    if (size > 8) memcpy(whole + 136 + 56, (const char *)values + 8, size - 8);
    assert_int_equal(icseg_file_write(path, whole, sizeof whole, NULL), ICSEG_OK);
}

static void values_of_every_stored_type_are_read(void **state) {
    (void)state;
    const char *path = test_scratch("stored.mat");
    static const struct {
        unsigned char type, size;
        const char *values; /* 5 and 120 */
    } cases[] = {{1, 2, "\5\170"},
                 {2, 2, "\5\170"},
                 {3, 4, "\5\0\170\0"},
                 {4, 4, "\5\0\170\0"},
                 {5, 8, "\5\0\0\0\170\0\0"},
                 {6, 8, "\5\0\0\0\170\0\0"},
                 {12, 16, "\5\0\0\0\0\0\0\0\170\0\0\0\0\0\0"},
                 {13, 16, "\5\0\0\0\0\0\0\0\170\0\0\0\0\0\0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_mask mask;
        icseg_error error = {0};
        write_stored(path, cases[i].type, cases[i].values, cases[i].size);
        if (icseg_mat_read(&mask, NULL, path, &error) != ICSEG_OK)
            fail_msg("type %d: %s", cases[i].type, error.message);
        const uint16_t *labels = (const uint16_t *)(const void *)mask.data;
        assert_true(mask.width == 1 && mask.height == 2);
        assert_int_equal(labels[0], 5);
        assert_int_equal(labels[1], 120);
        icseg_mask_close(&mask);
    }
    write_stored(path, 1, "\xff\1", 2);
    fails_to_read_mat(path, "S is -1 at x=0, y=0");
    write_stored(path, 5, "\xff\xff\xff\xff\1\0\0", 8);
    fails_to_read_mat(path, "S is -1 at x=0, y=0");
    write_stored(path, 12, "\xfe\xff\xff\xff\xff\xff\xff\xff\1\0\0\0\0\0\0", 16);
    fails_to_read_mat(path, "S is -2 at x=0, y=0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_of_every_kind_are_read),
        cmocka_unit_test(damaged_matlab_files_are_reported_in_one_line),
        cmocka_unit_test(matlab_files_without_a_label_matrix_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(values_of_every_stored_type_are_read),
    };
    return cmocka_run_group_tests_name("mat", tests, test_scratch_open, test_scratch_close);
}

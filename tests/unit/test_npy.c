/* SPDX-License-Identifier: Apache-2.0
 * tensor/npy: round trips, a file as NumPy writes it, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/scratch.h"
#include "tensor/npy.h"

static const char *path;

static int open_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    path = test_scratch("a.npy");
    return 0;
}

static void arrays_return_as_written(void **state) {
    (void)state;
    int64_t values[24];
    for (int i = 0; i < 24; i++) values[i] = ((int64_t)i << 33) - i; /* any bytes will do for any type */
    const icseg_shape shapes[] = {
        {0}, ICSEG_SHAPE(24), ICSEG_SHAPE(2, 3, 4), ICSEG_SHAPE(4, 0), ICSEG_SHAPE(1, 1, 2, 1, 3, 1)};
    for (int dtype = 0; dtype < ICSEG_DTYPES; dtype++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes && dtype != ICSEG_BF16; s++) {
            icseg_npy npy;
            assert_int_equal(icseg_npy_write(path, (icseg_dtype)dtype, shapes[s], values, NULL), ICSEG_OK);
            assert_int_equal(icseg_npy_read(&npy, path, NULL), ICSEG_OK);
            assert_int_equal(npy.dtype, dtype);
            assert_true(icseg_shape_equal(npy.shape, shapes[s]));
            assert_memory_equal(npy.data, values, (size_t)icseg_shape_bytes(npy.shape, npy.dtype));
            icseg_npy_close(&npy);
            assert_null(npy.data);
        }
    assert_int_equal(icseg_npy_write(path, ICSEG_BF16, ICSEG_SHAPE(2), values, NULL), ICSEG_ERROR_UNSUPPORTED);
    assert_int_equal(icseg_npy_write(path, ICSEG_F32, ICSEG_SHAPE(-2), values, NULL), ICSEG_ERROR_ARGUMENT);
}

static void files_have_the_bytes_numpy_writes(void **state) {
    (void)state;
    /* numpy.save of numpy.array([1, -2], "i2"): a 128-byte head, padded with blanks */
    const char *dictionary = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }";
    unsigned char expected[132], *data;
    memset(expected, ' ', sizeof expected);
    memcpy(expected, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(expected + 10, dictionary, strlen(dictionary));
    expected[127] = '\n';
    memcpy(expected + 128, (int16_t[]){1, -2}, 4);
    assert_int_equal(icseg_npy_write(path, ICSEG_I16, ICSEG_SHAPE(2), (int16_t[]){1, -2}, NULL), ICSEG_OK);
    size_t size;
    assert_int_equal(icseg_file_read(path, 1000, &data, &size, NULL), ICSEG_OK);
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(data, expected, size);
    icseg_free(data);
}

/* Writes a version-1 or version-2 file with this dictionary and `bytes` zero bytes of data, and reads it. */
static icseg_status read_made(int version, const char *dictionary, size_t bytes, icseg_npy *npy) {
    unsigned char file[512] = "\x93NUMPY";
    size_t prefix = version == 1 ? 10 : 12, length = strlen(dictionary);
    file[6] = (unsigned char)version;
    file[8] = (unsigned char)length;
    memcpy(file + prefix, dictionary, length);
    assert_int_equal(icseg_file_write(path, file, prefix + length + bytes, NULL), ICSEG_OK);
    return icseg_npy_read(npy, path, NULL);
}

static void other_writers_headers_are_read(void **state) {
    (void)state;
    icseg_npy npy;
    assert_int_equal(read_made(1, "{\"shape\":(2,2),\"descr\":\"|u1\",\"fortran_order\":False}", 4, &npy), ICSEG_OK);
    assert_true(icseg_shape_equal(npy.shape, ICSEG_SHAPE(2, 2)) && npy.dtype == ICSEG_U8);
    icseg_npy_close(&npy);
    assert_int_equal(read_made(2, "{'descr': '<f8', 'fortran_order': True, 'shape': ( 1 , ) , } \n", 8, &npy),
                     ICSEG_OK);
    assert_true(icseg_shape_equal(npy.shape, ICSEG_SHAPE(1)) && npy.dtype == ICSEG_F64);
    icseg_npy_close(&npy);
}

static void damaged_headers_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *dictionary;
        icseg_status status;
    } cases[] = {
        {"{'descr': '<u1', 'fortran_order': False, 'shape': (4,), }", ICSEG_ERROR_UNSUPPORTED},
        {"{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", ICSEG_ERROR_UNSUPPORTED},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", ICSEG_ERROR_UNSUPPORTED},
        {"{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (4,), }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2), }", ICSEG_ERROR_UNSUPPORTED},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,4), }", ICSEG_ERROR_UNSUPPORTED},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-4,), }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,), }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,}", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (,), }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': Maybe, 'shape': (4,), }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,), } junk", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1|u1|u1|u1|u1|u1', 'fortran_order': False, 'shape': (4,), }", ICSEG_ERROR_FORMAT},
        {"{'descr': '|u1", ICSEG_ERROR_FORMAT},
        {"", ICSEG_ERROR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_npy npy;
        assert_int_equal(read_made(1, cases[i].dictionary, 4, &npy), cases[i].status);
        assert_null(npy.data);
    }
}

static void files_cut_short_anywhere_are_refused(void **state) {
    (void)state;
    unsigned char *data;
    size_t size;
    float values[3] = {1, 2, 3};
    assert_int_equal(icseg_npy_write(path, ICSEG_F32, ICSEG_SHAPE(3), values, NULL), ICSEG_OK);
    assert_int_equal(icseg_file_read(path, 1000, &data, &size, NULL), ICSEG_OK);
    for (size_t cut = 0; cut < size; cut++) {
        icseg_npy npy;
        assert_int_equal(icseg_file_write(path, data, cut, NULL), ICSEG_OK);
        assert_int_equal(icseg_npy_read(&npy, path, NULL), ICSEG_ERROR_FORMAT);
    }
    icseg_free(data);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    float values[3] = {1, 2, 3};
    for (int64_t n = 0; n < 3; n++) { /* the file writer's */
        icseg_memory_fail_after(n);
        assert_int_equal(icseg_npy_write(path, ICSEG_F32, ICSEG_SHAPE(3), values, NULL), ICSEG_ERROR_MEMORY);
    }
    icseg_memory_fail_after(-1);
    assert_int_equal(icseg_npy_write(path, ICSEG_F32, ICSEG_SHAPE(3), values, NULL), ICSEG_OK);
    icseg_npy npy;
    icseg_memory_fail_after(0);
    assert_int_equal(icseg_npy_read(&npy, path, NULL), ICSEG_ERROR_MEMORY);
    icseg_memory_fail_after(-1);
    assert_null(npy.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_return_as_written),
        cmocka_unit_test(files_have_the_bytes_numpy_writes),
        cmocka_unit_test(other_writers_headers_are_read),
        cmocka_unit_test(damaged_headers_are_refused),
        cmocka_unit_test(files_cut_short_anywhere_are_refused),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests_name("npy", tests, open_folder, test_scratch_close);
}

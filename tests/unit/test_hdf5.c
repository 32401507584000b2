/* SPDX-License-Identifier: Apache-2.0
 * hdf5: matrices that libhdf5 wrote in every storage, type and filter give their values back; damaged files end in an
 * error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <hdf5.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/hdf5.h"
#include "support/zip_files.h"

enum { ROWS = 37, COLUMNS = 23, COUNT = ROWS * COLUMNS };

static char path[] = "/tmp/icseg_hdf5_XXXXXX";
static icseg_error error;

static int open_path(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state) {
    (void)state;
    return unlink(path);
}

static double expected(int i) { return (double)((i * 7919 + 13) % 251 - 40); }

/* How a matrix is stored. */
typedef struct form {
    hid_t type;
    hsize_t chunk[2]; /* 0: contiguous */
    bool compact, deflate, shuffle, fletcher;
    int others; /* data sets beside it: many of them split the group's table */
} form;

static void write_matrix(const form *f) {
    const hsize_t extent[2] = {ROWS, COLUMNS};
    static double values[COUNT];
    char name[20];
    for (int i = 0; i < COUNT; i++) values[i] = expected(i);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, extent, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
    for (int i = 0; i < f->others; i++) {
        snprintf(name, sizeof name, "%c%d", i % 2 ? 'A' : 'z', i);
        H5Dclose(H5Dcreate2(file, name, H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
    if (f->compact) H5Pset_layout(list, H5D_COMPACT);
    if (f->chunk[0]) H5Pset_chunk(list, 2, f->chunk);
    if (f->shuffle) H5Pset_shuffle(list);
    if (f->deflate) H5Pset_deflate(list, 6);
    if (f->fletcher) H5Pset_fletcher32(list);
    hid_t set = H5Dcreate2(file, "S", f->type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    assert_true(set >= 0 && H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Pclose(list);
    H5Sclose(space);
    assert_true(H5Fclose(file) >= 0);
}

/* NULL with an error, or the values of S. */
static double *read_matrix(icseg_status *status) {
    icseg_map map;
    icseg_hdf5 file;
    icseg_hdf5_set set;
    bool found = false;
    double *values = NULL;
    error = (icseg_error){0};
    assert_int_equal(icseg_map_open(&map, path, &error), ICSEG_OK);
    *status = icseg_hdf5_open(&file, map, path, &error);
    if (*status == ICSEG_OK) *status = icseg_hdf5_find(&file, "S", &set, &found, &error);
    if (*status == ICSEG_OK && found) *status = icseg_hdf5_read(&file, &set, COUNT, &values, &error);
    if (values) assert_true(set.elements <= COUNT);
    icseg_map_close(&map);
    return values;
}

static void matrices_of_every_form_are_read(void **state) {
    (void)state;
    const form forms[] = {
        {.type = H5T_IEEE_F64LE},
        {.type = H5T_IEEE_F64BE, .others = 3},
        {.type = H5T_IEEE_F32LE, .chunk = {5, 7}},
        {.type = H5T_STD_I16BE, .chunk = {8, 8}, .deflate = true},
        {.type = H5T_STD_I32LE, .chunk = {37, 23}, .deflate = true, .shuffle = true},
        {.type = H5T_STD_I64LE, .chunk = {1, 23}, .deflate = true, .shuffle = true, .fletcher = true},
        {.type = H5T_STD_I16LE, .chunk = {10, 3}, .shuffle = true},
        {.type = H5T_STD_I32BE, .chunk = {4, 4}, .fletcher = true},
        {.type = H5T_STD_I16LE, .compact = true, .others = 1},
        {.type = H5T_IEEE_F64LE, .chunk = {2, 2}, .deflate = true, .others = 100},
        {.type = H5T_STD_I16LE, .others = 700},
    };
    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++) {
        icseg_status status;
        write_matrix(&forms[n]);
        double *values = read_matrix(&status);
        if (!values) fail_msg("form %zu: %s", n, error.message);
        for (int i = 0; i < COUNT; i++)
            if (values[i] != expected(i)) fail_msg("form %zu, element %d: %g", n, i, values[i]);
        icseg_free(values);
    }
}

static void what_was_never_written_is_zero(void **state) {
    (void)state;
    const hsize_t extent[2] = {5, 4}, chunk[2] = {2, 2}, most[2] = {H5S_UNLIMITED, H5S_UNLIMITED};
    for (int chunked = 0; chunked < 2; chunked++) {
        icseg_status status;
        hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), list = H5Pcreate(H5P_DATASET_CREATE);
        hid_t space = H5Screate_simple(2, extent, chunked ? most : NULL);
        if (chunked) H5Pset_chunk(list, 2, chunk);
        H5Dclose(H5Dcreate2(file, "S", H5T_STD_U8LE, space, H5P_DEFAULT, list, H5P_DEFAULT));
        H5Sclose(space);
        H5Pclose(list);
        H5Fclose(file);
        double *values = read_matrix(&status);
        if (!values) fail_msg("%s", error.message);
        for (int i = 0; i < 20; i++) assert_true(values[i] == 0);
        icseg_free(values);
    }
}

static void newer_forms_and_other_contents_are_refused_by_name(void **state) {
    (void)state;
    icseg_status status;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    H5Fclose(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access));
    H5Pclose(access);
    assert_null(read_matrix(&status));
    assert_int_equal(status, ICSEG_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "a superblock of version 2"));
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "S", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(file);
    assert_null(read_matrix(&status)); /* a group is no data set */
    assert_int_equal(status, ICSEG_OK);
    static const hsize_t extent[2] = {2, 2};
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, extent, NULL);
    H5Dclose(H5Dcreate2(file, "S", H5T_STD_REF_OBJ, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    H5Fclose(file);
    assert_null(read_matrix(&status));
    assert_non_null(strstr(error.message, "not a matrix of 1 to"));
}

static void damage_ends_in_an_error_or_other_values(void **state) {
    (void)state;
    const form forms[] = {{.type = H5T_STD_I16LE, .chunk = {8, 8}, .deflate = true, .shuffle = true, .fletcher = true},
                          {.type = H5T_IEEE_F64LE, .others = 20}};
    for (int n = 0; n < 2; n++) {
        unsigned char *data;
        size_t size;
        icseg_status status;
        write_matrix(&forms[n]);
        assert_int_equal(icseg_file_read(path, 1 << 24, &data, &size, &error), ICSEG_OK);
        for (size_t at = 0; at < size; at += at < 6000 ? 1 : 37) {
            static const unsigned char changes[] = {0xff, 0x01, 0x80, 0x7f};
            unsigned char old = data[at];
            data[at] ^= changes[at % 4];
            test_put_file(path, data, size);
            data[at] = old;
            icseg_free(read_matrix(&status));
            if (status != ICSEG_OK) assert_true(strstr(error.message, path) && !strchr(error.message, '\n'));
        }
        for (size_t keep = 0; keep < size; keep += 61) {
            test_put_file(path, data, keep);
            icseg_free(read_matrix(&status));
        }
        icseg_free(data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_of_every_form_are_read),
        cmocka_unit_test(what_was_never_written_is_zero),
        cmocka_unit_test(newer_forms_and_other_contents_are_refused_by_name),
        cmocka_unit_test(damage_ends_in_an_error_or_other_values),
    };
    return cmocka_run_group_tests(tests, open_path, remove_path);
}

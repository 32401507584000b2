/* SPDX-License-Identifier: Apache-2.0
 * hdf5: matrices that libhdf5 wrote with every storage, type and filter are read; damaged files are an
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
#include "matlab/hdf5.h"
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
    int others; /* further data sets: many of them split the group's table */
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

/* Returns the values of S, or NULL and an error. */
static double *read_matrix(icseg_status *status) {
    unsigned char *data;
    icseg_bytes content;
    icseg_hdf5 file;
    icseg_hdf5_set set;
    bool found = false;
    double *values = NULL;
    error = (icseg_error){0};
    assert_int_equal(icseg_file_read(path, 1 << 24, &data, &content.size, &error), ICSEG_OK);
    content.data = data;
    *status = icseg_hdf5_open(&file, content, path, &error);
    if (*status == ICSEG_OK) *status = icseg_hdf5_find(&file, "S", &set, &found, &error);
    if (*status == ICSEG_OK && found) *status = icseg_hdf5_read(&file, &set, COUNT, &values, &error);
    if (values) assert_true(set.elements <= COUNT);
    icseg_free(data);
    return values;
}

static void matrices_in_every_storage_are_read(void **state) {
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

static void chunks_never_written_are_zero(void **state) {
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

static void newer_formats_and_other_contents_are_refused_by_name(void **state) {
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
    assert_null(read_matrix(&status)); /* a group is not a data set */
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

static void damage_is_an_error_or_changes_values(void **state) {
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

/* ---- files byte by byte, with structures that libhdf5 does not write */

enum { TYPE = 3, LAYOUT = 8, AT_ROOT = 96, AT_HEAP = AT_ROOT + 40, AT_TREE = AT_HEAP + 40 };

static void put_header(icseg_string *s, uint64_t bytes) {
    test_put(s, 1, 8); /* version */
    test_put(s, bytes, 8);
}

static void put_message(icseg_string *s, uint64_t type, uint64_t bytes) { test_put(s, type | bytes << 16, 8); }

/* The outermost group: a tree of the same leaf `leaves` times, which contains the same object
 * `entries` times. The caller appends that object's header. */
static void put_group(icseg_string *s, const char *name, uint64_t leaves, uint64_t entries) {
    uint64_t leaf = AT_TREE + 24 + 16 * leaves, object = leaf + 8 + 40 * entries;
    icseg_string_append(s, "\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0", 16);
    test_put(s, 0, 48);
    test_put(s, AT_ROOT, 8);
    test_put(s, 0, 24);
    put_header(s, 24);
    put_message(s, 17, 16);
    test_put(s, AT_TREE, 8);
    test_put(s, AT_HEAP, 8);
    icseg_string_append(s, "HEAP", 4);
    test_put(s, 0, 4);
    test_put(s, strlen(name) + 1, 16); /* size, none free */
    test_put(s, AT_HEAP + 32, 8);
    icseg_string_append(s, name, strlen(name) + 1);
    test_put(s, 0, (int)(8 - strlen(name) - 1));
    icseg_string_append(s, "TREE", 4);
    test_put(s, leaves << 16, 20); /* of a group, level 0 */
    for (uint64_t i = 0; i < leaves; i++) {
        test_put(s, 0, 8);
        test_put(s, leaf, 8);
    }
    icseg_string_append(s, "SNOD", 4);
    test_put(s, 1 | entries << 16, 4);
    for (uint64_t i = 0; i < entries; i++) {
        test_put(s, 0, 8);
        test_put(s, object, 32);
    }
}

static void put_space(icseg_string *s, uint64_t rows, uint64_t columns) {
    put_message(s, 1, 24);
    test_put(s, 1 | 2 << 8, 8); /* version, rank */
    test_put(s, rows, 8);
    test_put(s, columns, 8);
}

/* 16-bit integers, big-endian. */
static void put_type(icseg_string *s) {
    put_message(s, TYPE, 12);
    test_put(s, 0x10 | 1 << 8, 4);
    test_put(s, 2, 4);
    test_put(s, 16 << 16, 4);
}

static double *read_bytes(icseg_string *s, icseg_status *status) {
    assert_false(s->failed);
    test_put_file(path, s->data, s->size);
    icseg_string_close(s);
    return read_matrix(status);
}

static void the_last_of_several_types_counts(void **state) {
    (void)state;
    enum { LONG = 4096 };
    for (int text = 0; text < 2; text++) {
        icseg_string s = {0};
        icseg_status status;
        put_group(&s, "S", 1, 1);
        put_header(&s, 32 + 20 + 16 + 26);
        put_space(&s, 2, 2);
        put_type(&s);
        put_message(&s, text ? TYPE : 0, 8); /* 0: a message to skip */
        test_put(&s, 0x13 | 1 << 8, 4);      /* text, whose low flag means big-endian for numbers */
        test_put(&s, LONG, 4);
        put_message(&s, LAYOUT, 18);
        test_put(&s, 3 | 1 << 8, 2); /* contiguous */
        test_put(&s, s.size + 16, 8);
        test_put(&s, 4 * LONG, 8);
        for (int i = 0; i < 4 * LONG; i++) test_put(&s, i % 2 + 1, 1);
        double *values = read_bytes(&s, &status);
        if (text) {
            assert_null(values);
            assert_non_null(strstr(error.message, "not a matrix of 1 to"));
        } else {
            if (!values) fail_msg("%s", error.message);
            for (int i = 0; i < 4; i++) assert_true(values[i] == 0x0102);
        }
        icseg_free(values);
    }
}

static void a_leaf_that_repeats_endlessly_is_abandoned(void **state) {
    (void)state;
    icseg_string s = {0};
    icseg_status status;
    put_group(&s, "T", 1024, 1024);
    assert_null(read_bytes(&s, &status));
    assert_int_equal(status, ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "damaged"));
    put_group(&s, "T", 1000, 1000);
    assert_null(read_bytes(&s, &status));
    assert_int_equal(status, ICSEG_OK); /* S does not exist */
}

static void chunks_far_larger_than_the_matrix_are_refused(void **state) {
    (void)state;
    for (int width = 0; width < 2; width++) {
        icseg_string s = {0};
        icseg_status status;
        put_group(&s, "S", 1, 1);
        put_header(&s, 32 + 20 + 31);
        put_space(&s, COUNT, 1);
        put_type(&s);
        put_message(&s, LAYOUT, 23);
        test_put(&s, 3 | 2 << 8 | 3 << 16, 3); /* chunked */
        test_put(&s, UINT64_MAX, 8);           /* no chunk was written */
        test_put(&s, 1, 4);
        test_put(&s, width ? 1 << 21 : 64, 4);
        test_put(&s, 2, 4);
        double *values = read_bytes(&s, &status);
        if (width) {
            assert_null(values);
            assert_int_equal(status, ICSEG_ERROR_FORMAT);
            assert_non_null(strstr(error.message, "851 x 1 values in chunks of 1 x 2097152"));
        } else
            assert_true(values && values[0] == 0);
        icseg_free(values);
    }
}

/* The chunks of a matrix all have the same bytes in the file; each has 64 values. */
static void chunks_that_share_their_bytes_are_refused(void **state) {
    (void)state;
    enum { CHUNK = 64, KEY = 40 };
    for (uint64_t chunks = 1; chunks <= 13; chunks += 12) {
        icseg_string s = {0};
        icseg_status status;
        put_group(&s, "S", 1, 1);
        put_header(&s, 32 + 20 + 31);
        put_space(&s, CHUNK * chunks, 1);
        put_type(&s);
        put_message(&s, LAYOUT, 23);
        test_put(&s, 3 | 2 << 8 | 3 << 16, 3); /* in chunks */
        uint64_t tree = s.size + 20, values = tree + 24 + KEY * chunks;
        test_put(&s, tree, 8);
        test_put(&s, CHUNK, 4);
        test_put(&s, 1, 4);
        test_put(&s, 2, 4);
        icseg_string_append(&s, "TREE\1", 5);
        test_put(&s, chunks << 8, 19); /* level 0 */
        for (uint64_t i = 0; i < chunks; i++) {
            test_put(&s, 2 * CHUNK, 8); /* all filters are applied */
            test_put(&s, CHUNK * i, 8);
            test_put(&s, 0, 16);
            test_put(&s, values, 8);
        }
        for (int i = 0; i < CHUNK; i++) test_put(&s, 0x0201, 2);
        double *read = read_bytes(&s, &status);
        if (chunks == 1)
            assert_true(read && read[0] == 0x0102 && read[CHUNK - 1] == 0x0102);
        else {
            assert_null(read);
            assert_int_equal(status, ICSEG_ERROR_FORMAT);
            assert_non_null(strstr(error.message, "damaged"));
        }
        icseg_free(read);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_in_every_storage_are_read),
        cmocka_unit_test(chunks_never_written_are_zero),
        cmocka_unit_test(newer_formats_and_other_contents_are_refused_by_name),
        cmocka_unit_test(damage_is_an_error_or_changes_values),
        cmocka_unit_test(the_last_of_several_types_counts),
        cmocka_unit_test(a_leaf_that_repeats_endlessly_is_abandoned),
        cmocka_unit_test(chunks_far_larger_than_the_matrix_are_refused),
        cmocka_unit_test(chunks_that_share_their_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, open_path, remove_path);
}

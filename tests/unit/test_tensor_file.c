/* SPDX-License-Identifier: Apache-2.0
 * Public tensors in safetensors files: strides are followed, unsupported tensors are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "icseg/memory.h"
#include "icseg/tensor_file.h"
#include "options/memory.h"

static char path[] = "/tmp/icseg_tensor_file.XXXXXX";

static void a_transposed_view_and_a_repeated_row_read_back_as_written(void **state) {
    (void)state;
    float numbers[6] = {0, 1, 2, 3, 4, 5}; /* (2, 3), written as its transpose (3, 2) */
    float row[2] = {7, 8};                 /* written three times */
    icseg_tensor tensors[2] = {
        {ICSEG_TENSOR_F32, 2, {3, 2}, {sizeof(float), 3 * sizeof(float)}, numbers, NULL},
        {ICSEG_TENSOR_F32, 2, {3, 2}, {0, sizeof(float)}, row, NULL},
    };
    const char *names[2] = {"transposed", "rows"};
    icseg_error error;
    assert_int_equal(icseg_tensors_write(path, names, tensors, 2, &error), ICSEG_OK);
    icseg_tensor out;
    const float expected[6] = {0, 3, 1, 4, 2, 5}, repeated[6] = {7, 8, 7, 8, 7, 8};
    assert_int_equal(icseg_tensor_read(&out, path, "transposed", &error), ICSEG_OK);
    assert_int_equal(out.rank, 2);
    assert_int_equal(out.shape[0], 3);
    assert_int_equal(out.strides[0], 2 * sizeof(float));
    assert_memory_equal(out.data, expected, sizeof expected);
    icseg_buffer_free(out.data);
    assert_int_equal(icseg_tensor_read(&out, path, "rows", &error), ICSEG_OK);
    assert_memory_equal(out.data, repeated, sizeof repeated);
    icseg_buffer_free(out.data);
    assert_int_equal(icseg_tensor_read(&out, path, "absent", &error), ICSEG_ERROR_FORMAT);
    assert_null(out.data);
    assert_non_null(strstr(error.message, "absent"));
}

static void unsupported_tensors_are_refused(void **state) {
    (void)state;
    float number = 1;
    const char *name = "x";
    icseg_tensor good = {ICSEG_TENSOR_F32, 1, {1}, {4}, &number, NULL}, bad = good;
    icseg_error error;
    bad.rank = 7;
    assert_int_equal(icseg_tensors_write(path, &name, &bad, 1, &error), ICSEG_ERROR_ARGUMENT);
    bad = good, bad.rank = -1;
    assert_int_equal(icseg_tensors_write(path, &name, &bad, 1, &error), ICSEG_ERROR_ARGUMENT);
    bad = good, bad.shape[0] = -1;
    assert_int_equal(icseg_tensors_write(path, &name, &bad, 1, &error), ICSEG_ERROR_ARGUMENT);
    bad = good, bad.type = (icseg_tensor_type)10;
    assert_int_equal(icseg_tensors_write(path, &name, &bad, 1, &error), ICSEG_ERROR_ARGUMENT);
    bad = good, bad.data = NULL;
    assert_int_equal(icseg_tensors_write(path, &name, &bad, 1, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tensors_write(path, &name, &good, 0, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tensors_write(NULL, &name, &good, 1, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_tensor_file_write: path is NULL");
}

static void every_type_and_the_metadata_read_back_as_written(void **state) {
    (void)state;
    static const struct {
        icseg_tensor_type type;
        size_t size;
    } types[] = {{ICSEG_TENSOR_F32, 4}, {ICSEG_TENSOR_I16, 2}, {ICSEG_TENSOR_U8, 1},  {ICSEG_TENSOR_F64, 8},
                 {ICSEG_TENSOR_F16, 2}, {ICSEG_TENSOR_I64, 8}, {ICSEG_TENSOR_I32, 4}, {ICSEG_TENSOR_I8, 1},
                 {ICSEG_TENSOR_U16, 2}, {ICSEG_TENSOR_BOOL, 1}};
    enum { TYPES = sizeof types / sizeof *types };
    static const char *const names[TYPES] = {"b", "a", "c", "d", "e", "f", "g", "h", "i", "j"};
    const char *const keys[2] = {"format", "caf\xc3\xa9"}, *const values[2] = {"pt", ""};
    const icseg_tensor_metadata metadata = {ICSEG_TENSOR_METADATA_INIT, .count = 2, .keys = keys, .values = values};
    const uint8_t bytes[48] = {1,  0,  1,  1,  0,  1,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                               21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40};
    icseg_tensor tensors[TYPES], out;
    icseg_error error;
    for (int i = 0; i < TYPES; i++) {
        assert_int_equal(icseg_tensor_type_size(types[i].type), types[i].size);
        tensors[i] =
            (icseg_tensor){.type = types[i].type, .rank = 2, .shape = {2, 3}, .data = (void *)(uintptr_t)bytes};
        tensors[i].strides[1] = (int64_t)types[i].size;
        tensors[i].strides[0] = 3 * tensors[i].strides[1];
    }
    assert_int_equal(icseg_tensor_file_write(path, names, tensors, TYPES, &metadata, &error), ICSEG_OK);
    icseg_tensor_file *file;
    assert_int_equal(icseg_tensor_file_open(&file, path, &error), ICSEG_OK);
    assert_int_equal(icseg_tensor_file_count(file), TYPES);
    for (size_t i = 0; i < TYPES; i++) {
        assert_string_equal(icseg_tensor_file_name(file, i), names[i]);
        assert_int_equal(icseg_tensor_file_read(file, names[i], &out, &error), ICSEG_OK);
        assert_int_equal(out.type, types[i].type);
        assert_int_equal(out.shape[0], 2);
        assert_int_equal(out.strides[0], tensors[i].strides[0]);
        assert_memory_equal(out.data, bytes, 6 * types[i].size);
        icseg_buffer_free(out.data);
    }
    assert_null(icseg_tensor_file_name(file, TYPES));
    icseg_tensor_metadata read = {ICSEG_TENSOR_METADATA_INIT};
    assert_int_equal(icseg_tensor_file_metadata(file, &read, &error), ICSEG_OK);
    assert_int_equal(read.count, 2);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(read.keys[i], keys[i]);
        assert_string_equal(read.values[i], values[i]);
    }
    assert_int_equal(icseg_tensor_file_read(file, "none", &out, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(out.data);
    assert_non_null(strstr(error.message, "does not have a tensor \"none\""));
    icseg_tensor_file_close(&file);
    assert_null(file);
}

static void scalars_and_empty_tensors_read_back_as_written(void **state) {
    (void)state;
    float number = 5;
    const icseg_tensor tensors[2] = {
        {.type = ICSEG_TENSOR_F32, .data = &number},
        {.type = ICSEG_TENSOR_F64, .rank = 2, .shape = {0, ((int64_t)1 << 61) + 1}, .data = &number},
    };
    const char *const names[2] = {"scalar", "empty"};
    icseg_tensor_file *file;
    icseg_tensor out;
    icseg_error error;
    assert_int_equal(icseg_tensors_write(path, names, tensors, 2, &error), ICSEG_OK);
    assert_int_equal(icseg_tensor_file_open(&file, path, &error), ICSEG_OK);
    assert_int_equal(icseg_tensor_file_read(file, "scalar", &out, &error), ICSEG_OK);
    assert_int_equal(out.rank, 0);
    assert_true(*(float *)out.data == 5);
    icseg_buffer_free(out.data);
    assert_int_equal(icseg_tensor_file_read(file, "empty", &out, &error), ICSEG_OK);
    assert_int_equal(out.shape[1], ((int64_t)1 << 61) + 1);
    assert_int_equal(out.strides[0], 0);
    assert_non_null(out.data);
    icseg_buffer_free(out.data);
    icseg_tensor_file_close(&file);
}

static void bf16_is_read_as_f32_and_a_boolean_as_0_or_1(void **state) {
    (void)state;
    static const char header[] = "{\"x\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                                 "\"y\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[4,6]}}";
    const uint8_t data[6] = {0x80, 0x3f, 0x20, 0xc0, 0, 200}; /* 1, -2.5, false, true */
    uint64_t size = sizeof header - 1;
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_true(fwrite(&size, sizeof size, 1, out) && fwrite(header, size, 1, out) &&
                fwrite(data, sizeof data, 1, out));
    assert_int_equal(fclose(out), 0);
    icseg_tensor_file *file;
    icseg_tensor t;
    icseg_error error;
    assert_int_equal(icseg_tensor_file_open(&file, path, &error), ICSEG_OK);
    assert_int_equal(icseg_tensor_file_read(file, "x", &t, &error), ICSEG_OK);
    assert_int_equal(t.type, ICSEG_TENSOR_F32);
    assert_true(((float *)t.data)[0] == 1 && ((float *)t.data)[1] == -2.5f);
    icseg_buffer_free(t.data);
    assert_int_equal(icseg_tensor_file_read(file, "y", &t, &error), ICSEG_OK);
    assert_int_equal(t.type, ICSEG_TENSOR_BOOL);
    assert_true(((uint8_t *)t.data)[0] == 0 && ((uint8_t *)t.data)[1] == 1);
    icseg_buffer_free(t.data);
    icseg_tensor_file_close(&file);
}

static void metadata_that_cannot_be_written_is_refused(void **state) {
    (void)state;
    float number = 1;
    const char *name = "x", *const twice[2] = {"a", "a"}, *const none[2] = {"a", NULL};
    icseg_tensor tensor = {ICSEG_TENSOR_F32, 1, {1}, {4}, &number, NULL};
    icseg_error error;
    icseg_tensor_metadata m = {ICSEG_TENSOR_METADATA_INIT, .count = 2, .keys = twice, .values = twice};
    assert_int_equal(icseg_tensor_file_write(path, &name, &tensor, 1, &m, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "already used"));
    m.values = none;
    assert_int_equal(icseg_tensor_file_write(path, &name, &tensor, 1, &m, &error), ICSEG_ERROR_ARGUMENT);
    m.keys = NULL;
    assert_int_equal(icseg_tensor_file_write(path, &name, &tensor, 1, &m, &error), ICSEG_ERROR_ARGUMENT);
    m.struct_size = 1;
    assert_int_equal(icseg_tensor_file_write(path, &name, &tensor, 1, &m, &error), ICSEG_ERROR_ARGUMENT);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    float number = 1;
    const char *name = "x";
    icseg_tensor tensor = {ICSEG_TENSOR_F32, 1, {1}, {4}, &number, NULL}, out;
    icseg_status status = ICSEG_ERROR_MEMORY;
    for (int64_t n = 0; n < 100 && status != ICSEG_OK; n++) {
        icseg_memory_fail_after(n);
        status = icseg_tensors_write(path, &name, &tensor, 1, NULL);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
    }
    assert_int_equal(status, ICSEG_OK);
    status = ICSEG_ERROR_MEMORY;
    for (int64_t n = 0; n < 100 && status != ICSEG_OK; n++) {
        icseg_memory_fail_after(n);
        status = icseg_tensor_read(&out, path, name, NULL);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
    }
    assert_int_equal(status, ICSEG_OK);
    icseg_buffer_free(out.data);
}

int main(void) {
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transposed_view_and_a_repeated_row_read_back_as_written),
        cmocka_unit_test(unsupported_tensors_are_refused),
        cmocka_unit_test(every_type_and_the_metadata_read_back_as_written),
        cmocka_unit_test(scalars_and_empty_tensors_read_back_as_written),
        cmocka_unit_test(bf16_is_read_as_f32_and_a_boolean_as_0_or_1),
        cmocka_unit_test(metadata_that_cannot_be_written_is_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0
 * Public tensors in safetensors files: strides are followed, unsupported tensors are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
    bad = good, bad.rank = 0;
    assert_int_equal(icseg_tensors_write(path, &name, &bad, 1, &error), ICSEG_ERROR_ARGUMENT);
    bad = good, bad.shape[0] = 0;
    assert_int_equal(icseg_tensors_write(path, &name, &bad, 1, &error), ICSEG_ERROR_ARGUMENT);
    bad = good, bad.type = (icseg_tensor_type)9;
    assert_int_equal(icseg_tensors_write(path, &name, &bad, 1, &error), ICSEG_ERROR_ARGUMENT);
    bad = good, bad.data = NULL;
    assert_int_equal(icseg_tensors_write(path, &name, &bad, 1, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tensors_write(path, &name, &good, 0, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tensors_write(NULL, &name, &good, 1, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_tensors_write: path is NULL");
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
        cmocka_unit_test(every_allocation_may_fail),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0
 * oneDNN's statuses as ours, with what was being done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "compute/onednn/internal.h"
#include "compute/primitive.h"

static void statuses_become_errors(void **state) {
    (void)state;
    icseg_error error;
    assert_int_equal(icseg_onednn_fail(&error, dnnl_out_of_memory, "packing"), ICSEG_ERROR_MEMORY);
    assert_string_equal(error.message, "oneDNN: out of memory while packing");
    assert_int_equal(icseg_onednn_fail(&error, dnnl_unimplemented, "a product"), ICSEG_ERROR_UNSUPPORTED);
    assert_string_equal(error.message, "oneDNN does not support a product");
    assert_int_equal(icseg_onednn_fail(&error, dnnl_runtime_error, "a product"), ICSEG_ERROR_INTERNAL);
    assert_non_null(strstr(error.message, "oneDNN status "));
}

/* A convolution whose window does not fit its input has no descriptor. */
static void a_convolution_that_is_impossible_is_an_error(void **state) {
    (void)state;
    icseg_error error = {0};
    icseg_primitive *primitive = NULL;
    icseg_conv_shape shape = {.batch = 1,
                              .height = 2,
                              .width = 2,
                              .in = 4,
                              .out = 4,
                              .kernel_height = 5,
                              .kernel_width = 5,
                              .stride = 1,
                              .out_height = -2,
                              .out_width = -2};
    assert_int_not_equal(icseg_conv_forward_open(&primitive, &shape, (icseg_primitive_options){0}, &error), ICSEG_OK);
    assert_null(primitive);
    assert_non_null(strstr(error.message, "oneDNN"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_become_errors),
        cmocka_unit_test(a_convolution_that_is_impossible_is_an_error),
    };
    return cmocka_run_group_tests_name("oneDNN's errors", tests, NULL, NULL);
}

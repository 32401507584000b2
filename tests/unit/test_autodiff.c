/* SPDX-License-Identifier: Apache-2.0
 * graph/passes/autodiff: gradients accumulated over several runs. (test_ops_*.c have those of each operator.) */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "graph/run/executor.h"
#include "graph/ops.h"
#include "graph/passes/autodiff.h"

enum { COUNT = 3 };

/* Runs the gradient of relu(x) `runs` times, into x->grad; returns the status of the last run. */
static icseg_status run(const float grad[COUNT], int times, bool accumulate, float out[COUNT], icseg_error *error) {
    icseg_params *params;
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    icseg_status status = ICSEG_OK;
    assert_int_equal(icseg_params_open(&params, error), ICSEG_OK);
    assert_int_equal(icseg_graph_open(&g, true, error), ICSEG_OK);
    icseg_param *x =
        icseg_params_declare(params, "a.x", ICSEG_SHAPE(COUNT), (icseg_param_options){.trainable = true}, error);
    assert_int_equal(icseg_params_allocate_gradients(params, error), ICSEG_OK);
    icseg_params_zero_gradients(params);
    assert_int_equal(icseg_param_load(x, error), ICSEG_OK);
    x->data[0] = x->data[1] = 1;
    x->data[2] = -1;
    icseg_value y = icseg_relu(g, icseg_graph_param(g, x));
    icseg_value from = icseg_graph_constant(g, "grad", ICSEG_F32, ICSEG_SHAPE(COUNT), grad);
    icseg_graph_keep(g, y, "y");
    icseg_graph_backward(g, 1, &y, &from, accumulate);
    assert_int_equal(icseg_workspace_open(&workspace, error), ICSEG_OK);
    assert_int_equal(icseg_executor_open(&executor, g, workspace, error), ICSEG_OK);
    for (int i = 0; i < times; i++) {
        assert_int_equal(status, ICSEG_OK);
        status = icseg_executor_run_checked(executor, 0, i, error);
    }
    memcpy(out, x->grad, COUNT * sizeof *out);
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
    icseg_params_close(&params);
    return status;
}

static void gradients_are_accumulated_only_on_request(void **state) {
    (void)state;
    static const float grad[COUNT] = {1, 2, 4};
    float out[COUNT];
    icseg_error error;
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        assert_int_equal(run(grad, 3, accumulate, out, &error), ICSEG_OK);
        assert_true(out[0] == (accumulate ? 3 : 1) && out[1] == (accumulate ? 6 : 2) && out[2] == 0);
    }
}

static void a_sum_that_overflows_names_its_parameter(void **state) {
    (void)state;
    static const float grad[COUNT] = {1, 3e38f, 1};
    float out[COUNT];
    icseg_error error;
    assert_int_equal(run(grad, 2, true, out, &error), ICSEG_ERROR_NUMERIC);
    assert_string_equal(error.message,
                        "the gradient of a.x.store_gradient returned inf at element 1 of its output (3)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_accumulated_only_on_request),
        cmocka_unit_test(a_sum_that_overflows_names_its_parameter),
    };
    return cmocka_run_group_tests_name("autodiff", tests, NULL, NULL);
}

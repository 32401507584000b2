/* SPDX-License-Identifier: Apache-2.0
 * The rehearsal of an update, whose time is measured, changes neither weights nor moments. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "train/adamw.h"

enum { COUNT = 7000 };

static void a_rehearsal_changes_nothing(void **state) {
    (void)state;
    const icseg_adamw_options options = {
        .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .backbone_lr_mult = 1};
    const icseg_shape shape = {.rank = 2, .dim = {COUNT / 10, 10}};
    static float weights[COUNT], first[COUNT], second[COUNT];
    icseg_params *params;
    icseg_adamw *adamw;
    assert_int_equal(icseg_params_open(&params, NULL), ICSEG_OK);
    icseg_param *p = icseg_params_declare(
        params, "w", shape, (icseg_param_options){.init = ICSEG_INIT_NORMAL, .scale = 1, .trainable = true}, NULL);
    assert_non_null(p);
    icseg_params_initialise(params, 1);
    assert_int_equal(icseg_params_load(params, NULL), ICSEG_OK);
    assert_int_equal(icseg_params_allocate_gradients(params, NULL), ICSEG_OK);
    assert_int_equal(icseg_adamw_open(&adamw, params, &options, NULL), ICSEG_OK);
    for (int64_t i = 0; i < COUNT; i++) p->grad[i] = (float)(i % 11) - 5;
    icseg_adamw_step(adamw, 0.01, 1);
    memcpy(weights, p->data, sizeof weights);
    memcpy(first, icseg_adamw_first_moment(adamw, 0), sizeof first);
    memcpy(second, icseg_adamw_second_moment(adamw, 0), sizeof second);
    uint64_t version = p->version;

    p->grad[3] = INFINITY;
    p->grad[4] = NAN;
    icseg_adamw_rehearse(adamw);
    assert_memory_equal(weights, p->data, sizeof weights);
    assert_memory_equal(first, icseg_adamw_first_moment(adamw, 0), sizeof first);
    assert_memory_equal(second, icseg_adamw_second_moment(adamw, 0), sizeof second);
    assert_int_equal(icseg_adamw_updates(adamw), 1);
    assert_true(p->version > version); /* packed copies are made again, which takes time, too */

    p->grad[0] = 1;
    icseg_adamw_step(adamw, 0.01, 1);
    assert_true(memcmp(weights, p->data, sizeof weights) != 0);
    icseg_adamw_close(&adamw);
    icseg_params_close(&params);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_rehearsal_changes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

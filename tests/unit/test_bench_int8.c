/* SPDX-License-Identifier: Apache-2.0
 * diagnostics/bench in int8, whose ranges it finds itself, and of a checkpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "icseg/bench.h"
#include "support/models.h"
#include "support/scratch.h"

static icseg_error error;

static icseg_bench *open_bench(icseg_bench_options options) {
    icseg_bench *bench;
    options.size = 64;
    options.runs = 1;
    options.threads = 2;
    if (icseg_bench_open(&bench, &options, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return bench;
}

static void int8_is_timed_where_it_is_possible(void **state) {
    (void)state;
    icseg_bench_options o = {ICSEG_BENCH_OPTIONS_INIT, .preset = "tiny-resnet", .classes = 7,
                             .precision = ICSEG_PRECISION_INT8};
    icseg_bench_result r = {ICSEG_BENCH_RESULT_INIT};
    if (icseg_precision_here(ICSEG_PRECISION_INT8) == ICSEG_PRECISION_INT8) {
        icseg_bench *bench = open_bench(o);
        if (icseg_bench_run(bench, &r, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(r.precision, ICSEG_PRECISION_INT8);
        assert_int_equal(r.classes, 7);
        icseg_bench_close(&bench);
        return;
    }
    icseg_bench *bench;
    o.size = 64;
    assert_int_equal(icseg_bench_open(&bench, &o, NULL, &error), ICSEG_ERROR_UNSUPPORTED);
    assert_null(bench);
    assert_string_equal(error.field, "precision");
    assert_string_equal(error.message, "int8: this processor does not have AVX2; use f32 or auto");
}

static void a_checkpoint_brings_its_classes(void **state) {
    (void)state;
    const char *path = test_scratch("model.safetensors");
    icseg_bench_result r = {ICSEG_BENCH_RESULT_INIT};
    icseg_model *model = test_model("tiny-vit", 5, 1);
    assert_int_equal(icseg_model_save(model, path, &error), ICSEG_OK);
    icseg_model_close(&model);
    icseg_bench *bench = open_bench((icseg_bench_options){ICSEG_BENCH_OPTIONS_INIT, .checkpoint = path, .classes = 9,
                                                          .precision = ICSEG_PRECISION_F32});
    if (icseg_bench_run(bench, &r, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(r.classes, 5);
    assert_int_equal(r.precision, ICSEG_PRECISION_F32);
    icseg_bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_is_timed_where_it_is_possible),
        cmocka_unit_test(a_checkpoint_brings_its_classes),
    };
    return cmocka_run_group_tests_name("bench of int8 and of checkpoints", tests, test_scratch_open,
                                       test_scratch_close);
}

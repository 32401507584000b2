/* SPDX-License-Identifier: Apache-2.0
 * diagnostics/bench: the figures of each mode, the sums of profiles, bad input, cancellation. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "icseg/bench.h"

static icseg_error error;

static icseg_bench_options small(icseg_bench_mode mode) {
    return (icseg_bench_options){ICSEG_BENCH_OPTIONS_INIT,
                                 .preset = "tiny-resnet",
                                 .mode = mode,
                                 .prompt = ICSEG_PROMPT_INSTANCE,
                                 .classes = 7,
                                 .size = 64,
                                 .runs = 3,
                                 .threads = 2};
}

static icseg_bench *open_bench(const icseg_bench_options *options) {
    icseg_bench *bench;
    if (icseg_bench_open(&bench, options, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return bench;
}

static void each_mode_returns_its_figures(void **state) {
    (void)state;
    for (int mode = ICSEG_BENCH_INFER; mode <= ICSEG_BENCH_TEXT; mode++) {
        icseg_bench_options o = small((icseg_bench_mode)mode);
        icseg_bench_result r = {ICSEG_BENCH_RESULT_INIT};
        icseg_bench *bench = open_bench(&o);
        if (icseg_bench_run(bench, &r, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_true(r.min_seconds > 0 && r.min_seconds <= r.median_seconds && r.first_seconds > 0);
        assert_true(r.flops > 1e5 && r.peak_flops_per_second > 1e6 && r.peak_bytes > 1 << 20);
        assert_true(r.activation_bytes > 0 && r.weight_bytes > 0);
        assert_true((r.training_bytes > 0) == (mode == ICSEG_BENCH_TRAIN));
        assert_int_equal(r.threads, 2);
        assert_int_equal(r.classes, 7);
        assert_int_equal(r.prompt, ICSEG_PROMPT_INSTANCE);
        assert_int_equal(r.precision, ICSEG_PRECISION_F32);
        icseg_bench_close(&bench);
        assert_null(bench);
    }
}

/* The total does not depend on the key, and only training has a backward pass. */
static void profiles_add_up(void **state) {
    (void)state;
    for (int mode = ICSEG_BENCH_INFER; mode <= ICSEG_BENCH_TRAIN; mode++) {
        icseg_bench_options o = small((icseg_bench_mode)mode);
        icseg_bench_result r = {ICSEG_BENCH_RESULT_INIT};
        const icseg_bench_row *rows;
        int32_t count, nodes = 0;
        double seconds = 0, bytes = 0;
        char *text;
        o.profile = true;
        icseg_bench *bench = open_bench(&o);
        assert_int_equal(icseg_bench_profile(bench, ICSEG_BENCH_MODULE, &rows, &count, &error), ICSEG_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "run the benchmark first"));
        assert_int_equal(icseg_bench_run(bench, &r, &error), ICSEG_OK);
        for (int key = ICSEG_BENCH_OPERATOR; key <= ICSEG_BENCH_NODE; key++) {
            double forward = 0, backward = 0, alive = 0;
            assert_int_equal(icseg_bench_profile(bench, (icseg_bench_key)key, &rows, &count, &error), ICSEG_OK);
            for (int32_t i = 0; i < count; i++) {
                forward += rows[i].forward;
                backward += rows[i].backward;
                alive += rows[i].bytes;
                assert_non_null(rows[i].name);
            }
            assert_true((backward > 0) == (mode == ICSEG_BENCH_TRAIN) && forward > 0);
            if (key == ICSEG_BENCH_OPERATOR) seconds = forward + backward, bytes = alive, nodes = count;
            assert_true(fabs(forward + backward - seconds) < 1e-9 && fabs(alive - bytes) < 1);
            assert_true(key != ICSEG_BENCH_NODE || count > nodes);
        }
        assert_true(bytes > 0 && bytes <= (double)r.activation_bytes);
        assert_true(seconds < 100 * r.median_seconds); /* per run, in seconds */
        assert_int_equal(icseg_bench_profile_text(bench, &text, &error), ICSEG_OK);
        assert_non_null(strstr(text, "alive at peak memory"));
        icseg_buffer_free(text);
        icseg_bench_close(&bench);
    }
}

static bool stop_at_two(void *user, const icseg_progress_event *event) {
    (void)user;
    assert_string_equal(event->stage, "bench");
    return event->done < 2;
}

static void bad_input_and_cancellation_are_errors(void **state) {
    (void)state;
    static const struct {
        const char *field;
        icseg_bench_options o;
    } wrong[] = {
        {"preset", {ICSEG_BENCH_OPTIONS_INIT, .preset = "rn49"}},
        {"mode", {ICSEG_BENCH_OPTIONS_INIT, .mode = (icseg_bench_mode)3}},
        {"precision", {ICSEG_BENCH_OPTIONS_INIT, .precision = (icseg_precision)-1}},
        {"classes", {ICSEG_BENCH_OPTIONS_INIT, .classes = 1}},
        {"size", {ICSEG_BENCH_OPTIONS_INIT, .size = 31}},
        {"size", {ICSEG_BENCH_OPTIONS_INIT, .size = -512}},
        {"batch", {ICSEG_BENCH_OPTIONS_INIT, .batch = 257}},
        {"runs", {ICSEG_BENCH_OPTIONS_INIT, .runs = -1}},
        {"threads", {ICSEG_BENCH_OPTIONS_INIT, .threads = -1}},
        {"prompt", {ICSEG_BENCH_OPTIONS_INIT, .prompt = (icseg_prompt)7}},
        {"precision", {ICSEG_BENCH_OPTIONS_INIT, .precision = ICSEG_PRECISION_INT8, .mode = ICSEG_BENCH_TRAIN}},
    };
    icseg_bench_result r = {ICSEG_BENCH_RESULT_INIT};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = stop_at_two};
    icseg_bench *bench;
    const icseg_bench_row *rows;
    int32_t count;
    char *text;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        icseg_bench_options o = wrong[i].o;
        if (!o.preset) o.preset = "tiny-resnet";
        if (!o.size) o.size = 64;
        if (icseg_bench_open(&bench, &o, NULL, &error) == ICSEG_OK) fail_msg("%s is accepted", wrong[i].field);
        assert_null(bench);
        assert_string_equal(error.field, wrong[i].field);
    }
    assert_int_equal(icseg_bench_open(NULL, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    icseg_bench_options o = small(ICSEG_BENCH_INFER);
    o.struct_size = 4;
    assert_int_equal(icseg_bench_open(&bench, &o, NULL, &error), ICSEG_ERROR_ARGUMENT);
    o.struct_size = sizeof o;
    assert_int_equal(icseg_bench_open(&bench, &o, &progress, &error), ICSEG_OK);
    assert_int_equal(icseg_bench_run(bench, &r, &error), ICSEG_ERROR_CANCELLED);
    assert_int_equal(icseg_bench_profile(bench, ICSEG_BENCH_NODE, &rows, &count, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "profile");
    assert_int_equal(icseg_bench_profile_text(bench, &text, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_bench_run(bench, NULL, &error), ICSEG_ERROR_ARGUMENT);
    r.struct_size = 0;
    assert_int_equal(icseg_bench_run(bench, &r, &error), ICSEG_ERROR_ARGUMENT);
    icseg_bench_close(&bench);
    icseg_bench_close(&bench);
    icseg_bench_close(NULL);
    assert_int_equal(icseg_bench_run(NULL, &r, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_bench_profile(NULL, ICSEG_BENCH_NODE, &rows, &count, &error), ICSEG_ERROR_ARGUMENT);
}

static void running_out_of_memory_is_an_error(void **state) {
    (void)state;
    icseg_bench_options o = small(ICSEG_BENCH_TRAIN);
    bool done = false;
    for (int64_t n = 0; !done; n += n / 3 + 1) {
        icseg_bench *bench;
        icseg_memory_fail_after(n);
        icseg_status status = icseg_bench_open(&bench, &o, NULL, &error);
        icseg_memory_fail_after(-1);
        done = status == ICSEG_OK;
        assert_true(done || status == ICSEG_ERROR_MEMORY);
        assert_true(done == (bench != NULL));
        icseg_bench_close(&bench);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mode_returns_its_figures),
        cmocka_unit_test(profiles_add_up),
        cmocka_unit_test(bad_input_and_cancellation_are_errors),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * Runs that resume after every kind of stop, to the same bytes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/near.h"
#include "support/training.h"

static void a_stopped_run_resumes_to_the_same_bytes(void **state) {
    (void)state;
    static const struct {
        const char *stage;
        double at;
    } stops[] = {{"train", 0}, {"train", 3}, {"train", 5}, {"evaluate", 1}};
    test_train_well(&(test_run){.out = "whole", .resume = true});
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        test_run r = {.out = "stopped", .stop_stage = stops[i].stage, .stop_at = stops[i].at};
        test_train_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
        r.resume = true;
        r.stop_stage = NULL;
        test_train_well(&r);
        assert_non_null(strstr(r.messages, "resumes after step"));
        test_assert_same_run("whole", "stopped");
        test_remove_tree(test_run_path("stopped"));
    }
}

static void a_run_stopped_at_every_step_resumes_to_the_same_bytes(void **state) {
    (void)state;
    test_train_well(&(test_run){.out = "whole", .resume = true});
    for (int step = 1; step < 6; step++) {
        test_run r = {.out = "slow", .resume = true, .stop_stage = "train", .stop_at = step};
        test_train_badly(&r, ICSEG_ERROR_CANCELLED, "stopped after step");
    }
    test_train_well(&(test_run){.out = "slow", .resume = true});
    test_assert_same_run("whole", "slow");
    test_remove_tree(test_run_path("slow"));
}

/* Each of the images in turn, so that some occur in the second batch of a step, some in the first step. */
static void an_image_that_cannot_be_read_ends_a_run_that_can_resume(void **state) {
    (void)state;
    char command[4 * TEST_PATH_SIZE];
    test_train_well(&(test_run){.out = "two_batches", .set = {"train.accumulate=2"}});
    for (int i = 1; i <= 8; i += 3) {
        snprintf(command, sizeof command,
                 "rm -rf '%s/cut' '%s/ended' && cp -r '%s/data' '%s/cut' && "
                 "cd '%s/cut/images/train' && f=$(ls | sed -n %dp) && truncate -s $(($(stat -c %%s $f) / 2)) $f",
                 test_training_folder, test_training_folder, test_training_folder, test_training_folder,
                 test_training_folder, i);
        assert_int_equal(system(command), 0);
        test_run r = {.out = "ended", .data = "cut", .set = {"train.accumulate=2", "train.checkpoint_every=0"}};
        test_train_badly(&r, ICSEG_ERROR_FORMAT, "cut/images/train/");
        test_train_well(&(test_run){.out = "ended", .resume = true, .set = {"train.accumulate=2"}});
        if (!test_same_file("two_batches", "ended", "checkpoint.safetensors")) fail_msg("image %d: another state", i);
    }
}

static void a_resumed_run_keeps_the_settings_it_began_with(void **state) {
    (void)state;
    test_train_well(&(test_run){.out = "whole", .resume = true});
    test_run r = {.out = "begun", .stop_stage = "train", .stop_at = 5};
    char init[TEST_PATH_SIZE];
    snprintf(init, sizeof init, "%s/init.safetensors", test_training_folder);
    assert_int_equal(rename(test_run_path("whole/best.safetensors"), init), 0);
    r.init = init;
    test_train_badly(&r, ICSEG_ERROR_CANCELLED, "stopped after step 5");
    assert_int_equal(rename(init, test_run_path("whole/best.safetensors")), 0);
    test_train_badly(&(test_run){.out = "other", .init = init}, ICSEG_ERROR_ARGUMENT, "does not exist");
    test_run on = {
        .out = "begun", .resume = true, .init = "/no/such/file", .set = {"eval.tta=true", "eval.tta_scales=1"}};
    test_train_well(&on);
    assert_non_null(strstr(on.messages, "began with model.init"));
    assert_non_null(strstr(on.messages, "eval.tta was false and is now true"));
    assert_int_equal(on.result.best_step, 6); /* the evaluation after step 4 had other settings */
    unsigned char *text;
    size_t size;
    assert_int_equal(icseg_file_read(test_run_path("begun/recipe.yaml"), 1 << 20, &text, &size, NULL), ICSEG_OK);
    assert_non_null(strstr((char *)text, init));
    assert_null(strstr((char *)text, "/no/such/file"));
    icseg_free(text);
}

static void assert_logged(const char *out, int64_t evals, double miou) {
    icseg_log log;
    test_read_log(&log, out);
    assert_int_equal(log.evals, evals);
    assert_near(log.eval[log.evals - 1].miou, miou, 1e-6);
    icseg_log_close(&log);
}

static void a_new_evaluation_of_a_finished_run_is_logged(void **state) {
    (void)state;
    test_run r = {.out = "finished", .set = {"train.steps=30", "train.eval_every=0", "train.checkpoint_every=0"}};
    test_train_well(&r);
    double before = r.miou;
    assert_logged("finished", 1, before);
    r.resume = true;
    test_train_well(&r);
    assert_logged("finished", 1, before);
    r.set[3] = "eval.tta=true";
    r.set[4] = "eval.tta_scales=0.5";
    for (int i = 0; i < 2; i++) { /* the second evaluation equals the first */
        test_train_well(&r);
        if (!(fabs(r.miou - before) > 1e-5)) fail_msg("both evaluations return %g, so nothing is checked", before);
        assert_logged("finished", 2, r.miou);
        assert_near(r.result.best_miou, r.miou, 1e-9);
    }
}

#define IN_BF16 .set = {"train.precision=bf16", "eval.precision=bf16"}

static void bf16_trains_repeats_and_resumes_to_the_same_bytes(void **state) {
    (void)state;
    bool here = icseg_precision_here(ICSEG_PRECISION_BF16) == ICSEG_PRECISION_BF16;
    test_run first = {.out = "half", IN_BF16},
             stopped = {.out = "stopped", IN_BF16, .stop_stage = "train", .stop_at = 4};
    test_train_well(&(test_run){.out = "whole", .resume = true});
    test_train_well(&first);
    assert_true(here == !strstr(first.messages, "f32 is used")); /* reported if the processor does not support it */
    assert_true(here == !test_same_tensors("whole", "half"));
    test_train_badly(&stopped, ICSEG_ERROR_CANCELLED, "can be resumed");
    stopped.resume = true;
    stopped.stop_stage = NULL;
    test_train_well(&stopped);
    test_assert_same_run("half", "stopped");
    icseg_log f32, bf16;
    test_read_log(&f32, "whole");
    test_read_log(&bf16, "half");
    for (int64_t i = 0; i < f32.steps; i++) {
        double a = f32.step[i].loss[0], b = bf16.step[i].loss[0];
        if (!(fabs(a - b) < 0.05 * a)) fail_msg("step %lld: loss %g in bf16, %g in f32", (long long)i + 1, b, a);
    }
    icseg_log_close(&f32);
    icseg_log_close(&bf16);
    test_remove_tree(test_run_path("stopped"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_run_resumes_to_the_same_bytes),
        cmocka_unit_test(a_run_stopped_at_every_step_resumes_to_the_same_bytes),
        cmocka_unit_test(an_image_that_cannot_be_read_ends_a_run_that_can_resume),
        cmocka_unit_test(a_resumed_run_keeps_the_settings_it_began_with),
        cmocka_unit_test(a_new_evaluation_of_a_finished_run_is_logged),
        cmocka_unit_test(bf16_trains_repeats_and_resumes_to_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, test_training_open, test_training_close);
}

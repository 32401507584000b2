/* SPDX-License-Identifier: Apache-2.0
 * Early stopping: the step at which a run ends is worked out from the mIoUs of a run that does not stop; resuming it,
 * its log and its report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "support/training.h"

enum { STEPS = 16 };

#define LONG "train.steps=16", "train.eval_every=1", "train.lr=2e-2"
/* No evaluation is better by so much: the run ends after 1 + patience evaluations. */
#define NEVER_BETTER "train.min_delta=0.9"

static bool contains(const char *name, const char *text) {
    unsigned char *bytes;
    size_t size;
    assert_int_equal(icseg_file_read(test_run_path(name), 1 << 28, &bytes, &size, NULL), ICSEG_OK);
    bool found = memmem(bytes, size, text, strlen(text)) != NULL;
    icseg_free(bytes);
    return found;
}

/* The step after which a run with these evaluations stops; 0: it does not. */
static int64_t expected_end(const icseg_log *log, int patience, double min_delta) {
    double best = log->eval[0].miou;
    int since = 0;
    for (int64_t i = 1; i < log->evals; i++) {
        since++;
        if (log->eval[i].miou > best + min_delta) {
            best = log->eval[i].miou;
            since = 0;
        }
        if (since == patience) return log->eval[i].step < STEPS ? log->eval[i].step : 0;
    }
    return 0;
}

static void a_run_ends_after_so_many_evaluations_without_a_better_one(void **state) {
    (void)state;
    static const struct {
        int patience;
        double min_delta;
    } cases[] = {{1, 0}, {2, 0}, {3, 0}, {2, 0.01}, {4, 0.05}};
    icseg_log log;
    int64_t ends[5], different = 0;
    test_train_well(&(test_run){.out = "long", .set = {LONG}, .resume = true});
    test_read_log(&log, "long");
    assert_int_equal(log.evals, STEPS);
    assert_false(log.has_end);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char patience[40], delta[40];
        snprintf(patience, sizeof patience, "train.patience=%d", cases[i].patience);
        snprintf(delta, sizeof delta, "train.min_delta=%g", cases[i].min_delta);
        test_run r = {.out = "ended", .set = {LONG, patience, delta}};
        ends[i] = expected_end(&log, cases[i].patience, cases[i].min_delta);
        different += i && ends[i] != ends[i - 1];
        test_train_well(&r);
        int64_t end = ends[i] ? ends[i] : STEPS;
        if (r.result.steps != end)
            fail_msg("patience %d, min_delta %g: %lld steps, expected %lld", cases[i].patience, cases[i].min_delta,
                     (long long)r.result.steps, (long long)end);
        assert_true(r.result.stopped_early == (ends[i] > 0));
        assert_true((strstr(r.messages, "stops early") != NULL) == (ends[i] > 0));
        icseg_log ended;
        test_read_log(&ended, "ended");
        assert_int_equal(ended.evals, end);
        assert_int_equal(ended.steps, end);
        assert_true(ended.has_end == (ends[i] > 0));
        if (ended.has_end) {
            assert_int_equal(ended.end.step, end);
            assert_int_equal(ended.end.steps, STEPS);
            assert_int_equal(ended.end.evaluations, cases[i].patience);
        }
        icseg_log_close(&ended);
        test_remove_tree(test_run_path("ended"));
    }
    if (!ends[0] || different < 2) fail_msg("the cases do not differ");
    icseg_log_close(&log);
}

static void a_run_that_ended_early_goes_on_only_with_another_patience(void **state) {
    (void)state;
    test_run r = {.out = "early", .set = {"train.steps=12", "train.eval_every=2", "train.patience=2", NEVER_BETTER}};
    test_train_well(&r);
    assert_int_equal(r.result.steps, 6);
    assert_int_equal(r.result.best_step > 0, 1);
    assert_non_null(strstr(r.messages, "stops early, after step 6 of 12: no better mIoU than "));
    assert_non_null(strstr(r.messages, " in 2 evaluations in a row (train.patience = 2)"));
    assert_true(contains("early/report.html", "Stopped early, after step 6 of 12: no better mIoU in 2 evaluations"));
    assert_true(contains("early/checkpoint.safetensors", "\\\"stopped_early\\\": true"));

    char command[5 * TEST_PATH_SIZE];
    snprintf(command, sizeof command, "cp -r '%s' '%s'", test_run_path("early"), test_run_path("kept"));
    assert_int_equal(system(command), 0);
    r.resume = true;
    test_train_well(&r);
    assert_true(r.result.stopped_early && r.result.steps == 6);
    assert_non_null(
        strstr(r.messages, "the run stopped early and does not go on, unless train.patience = 2 is changed"));
    test_assert_same_run("early", "kept");
    assert_true(contains("early/log.jsonl", "\"type\":\"end\""));
    r.set[4] = "train.eval_every=1"; /* another number would not have stopped it, but it does not go on */
    test_train_well(&r);
    assert_int_equal(r.result.steps, 6);

    /* A larger patience: the run that had it from the beginning. */
    r.set[4] = NULL;
    r.set[2] = "train.patience=4";
    test_train_well(&r);
    assert_true(r.result.stopped_early && r.result.steps == 10);
    test_run four = r;
    four.out = "four";
    test_train_well(&four);
    test_assert_same_run("early", "four");

    /* None: it goes to its last step. */
    r.set[2] = "train.patience=0";
    r.set[3] = NULL;
    test_train_well(&r);
    assert_false(r.result.stopped_early);
    assert_int_equal(r.result.steps, 12);
    assert_false(contains("early/log.jsonl", "\"type\":\"end\""));
    assert_false(contains("early/report.html", "Stopped early"));
    assert_false(contains("early/checkpoint.safetensors", "judged_step"));
    test_run plain = {.out = "plain", .set = {"train.steps=12", "train.eval_every=2"}};
    test_train_well(&plain);
    test_assert_same_run("early", "plain");

    /* A patience that begins late counts from the best evaluation. */
    plain =
        (test_run){.out = "late", .set = {"train.steps=12", "train.eval_every=2"}, .stop_stage = "train", .stop_at = 5};
    test_train_badly(&plain, ICSEG_ERROR_CANCELLED, "can be resumed");
    plain = (test_run){.out = "late",
                       .resume = true,
                       .set = {"train.steps=12", "train.eval_every=2", "train.patience=2", NEVER_BETTER}};
    test_train_well(&plain);
    assert_int_equal(plain.result.steps, 8); /* evaluations after 6 and 8 */
}

/* Stopped before, between and after the evaluations that count. */
static void a_stopped_run_keeps_its_count(void **state) {
    (void)state;
#define SET .set = {"train.steps=12", "train.eval_every=2", "train.patience=3", NEVER_BETTER}
    test_train_well(&(test_run){.out = "whole", SET});
    static const int stops[] = {1, 4, 5, 6};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        for (int evaluating = 0; evaluating < 2; evaluating++) {
            const int at = stops[i];
            if (evaluating && at % 2) continue;
            test_run r = {.out = "parts", SET, .stop_stage = "train", .stop_at = at};
            test_train_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
            r.resume = true;
            if (evaluating) { /* during the evaluation after two more steps */
                r.stop_stage = "evaluate";
                r.stop_at = 0;
                test_train_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
            }
            r.stop_stage = NULL;
            test_train_well(&r);
            assert_int_equal(r.result.steps, 8);
            test_assert_same_run("whole", "parts");
            test_remove_tree(test_run_path("parts"));
        }
}

static void a_stepped_run_learns_of_its_end(void **state) {
    (void)state;
    test_run r = {.out = "stepped", .set = {"train.eval_every=1", "train.patience=1", NEVER_BETTER}};
    icseg_recipe *recipe = test_run_recipe(&r);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = test_run_path("stepped")};
    icseg_trainer *t;
    assert_int_equal(icseg_trainer_open(&t, recipe, &o, NULL, &r.error), ICSEG_OK);
    for (int step = 1; step <= 2; step++) {
        assert_int_equal(icseg_trainer_step(t, NULL, &r.error), ICSEG_OK);
        assert_false(icseg_trainer_due(t) & ICSEG_TRAIN_DUE_STOP);
        for (int i = 0; i < 3; i++) { /* evaluations of one step count once */
            assert_int_equal(icseg_trainer_evaluate(t, NULL, &r.error), ICSEG_OK);
            assert_true(!(icseg_trainer_due(t) & ICSEG_TRAIN_DUE_STOP) == (step == 1));
        }
    }
    assert_true(icseg_trainer_due(t) & ICSEG_TRAIN_DUE_SAVE);
    assert_int_equal(icseg_trainer_finish(t, &r.error), ICSEG_OK);
    icseg_trainer_close(&t);
    icseg_recipe_close(&recipe);
    test_run whole = r;
    whole.out = "stepped whole";
    test_train_well(&whole);
    test_assert_same_run("stepped whole", "stepped");
}

static void an_equal_evaluation_is_not_better(void **state) {
    (void)state;
    test_run r = {.out = "equal", .set = {"train.eval_every=1", "train.patience=5"}};
    icseg_recipe *recipe = test_run_recipe(&r);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = test_run_path("equal")};
    icseg_trainer *t;
    assert_int_equal(icseg_trainer_open(&t, recipe, &o, NULL, &r.error), ICSEG_OK);
    assert_int_equal(icseg_trainer_step(t, NULL, &r.error), ICSEG_OK);
    assert_int_equal(icseg_trainer_evaluate(t, NULL, &r.error), ICSEG_OK);
    assert_true(t->state.stale == 0 && t->state.judged_step == 1 && t->state.reference > 0);
    t->state.judged_step = 2; /* as if the same weights were those of another step */
    assert_int_equal(icseg_trainer_evaluate(t, NULL, &r.error), ICSEG_OK);
    assert_int_equal(t->state.stale, 1);
    icseg_trainer_close(&t);
    icseg_recipe_close(&recipe);
}

static void keys_that_make_no_sense_are_refused(void **state) {
    (void)state;
    static const char *const bad[][3] = {
        {"train.patience=3", "train.eval_every=0", "train.patience: 3: counts evaluations during the run"},
        {"train.min_delta=0.1", "train.patience=0", "train.min_delta: has no effect, because train.patience is 0"},
        {"train.patience=-1", "train.eval_every=2", "train.patience: \"-1\" is not accepted"},
        {"train.patience=1", "train.min_delta=1", "train.min_delta: \"1\" is not accepted"},
        {"train.patience=1", "train.min_delta=nan", "train.min_delta: \"nan\" is not accepted"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_run r = {.out = "refused", .set = {bad[i][0], bad[i][1]}};
        test_train_badly(&r, ICSEG_ERROR_ARGUMENT, bad[i][2]);
    }
}

/* Numbers of icseg.state that no run writes. The edit keeps the length of the header. */
static void every_counter_is_checked(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *text;
    } edits[] = {
        {"judged_step\\\": 4", "judged_step\\\": 9", "icseg.state: judged_step is 9; expected 0..5"},
        {"judged_step\\\": 4", "judged_step\\\":-1", "icseg.state: judged_step is -1; expected 0..5"},
        {"\\\"stale\\\": 1", "\\\"stale\\\": 5", "icseg.state: stale is 5; expected 0..4"},
        {"\\\"stale\\\": 1", "\\\"stall\\\": 1", "icseg.state: stale is missing or not an integer"},
        {"\\\"reference\\\": 0", "\\\"reference\\\": 7", "icseg.state: reference is 7"},
        {"\\\"reference\\\": 0", "\\\"reference\\\":-1", "icseg.state: reference is -1"},
        {"\\\"reference\\\"", "\\\"referenze\\\"", "icseg.state: reference is missing or not a number"},
    };
    test_run r = {
        .out = "edited",
        .stop_stage = "train",
        .stop_at = 5,
        .set = {"train.steps=12", "train.eval_every=2", "train.patience=3", "train.checkpoint_every=4", NEVER_BETTER}};
    unsigned char *bytes;
    size_t size;
    test_train_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
    r.stop_stage = NULL;
    r.resume = true;
    const char *path = "edited/checkpoint.safetensors";
    assert_int_equal(icseg_file_read(test_run_path(path), 1 << 28, &bytes, &size, NULL), ICSEG_OK);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        unsigned char *copy = icseg_alloc(size);
        assert_non_null(copy);
        memcpy(copy, bytes, size);
        unsigned char *at = memmem(copy, size, edits[i].from, strlen(edits[i].from));
        if (!at) fail_msg("the header does not contain %s", edits[i].from);
        assert_int_equal(strlen(edits[i].to), strlen(edits[i].from));
        memcpy(at, edits[i].to, strlen(edits[i].to));
        assert_int_equal(icseg_file_write(test_run_path(path), copy, size, NULL), ICSEG_OK);
        icseg_free(copy);
        test_train_badly(&r, ICSEG_ERROR_FORMAT, edits[i].text);
    }
    icseg_free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_ends_after_so_many_evaluations_without_a_better_one),
        cmocka_unit_test(a_run_that_ended_early_goes_on_only_with_another_patience),
        cmocka_unit_test(a_stopped_run_keeps_its_count),
        cmocka_unit_test(a_stepped_run_learns_of_its_end),
        cmocka_unit_test(an_equal_evaluation_is_not_better),
        cmocka_unit_test(keys_that_make_no_sense_are_refused),
        cmocka_unit_test(every_counter_is_checked),
    };
    return cmocka_run_group_tests(tests, test_training_open, test_training_close);
}

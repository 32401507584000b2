/* SPDX-License-Identifier: Apache-2.0
 * The learning-rate range test: its suggestion on curves whose steepest point is known, and its losses against those of
 * training runs. */
#include <jansson.h>
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
#include "support/near.h"
#include "support/training.h"
#include "train/lr_range.h"

enum { POINTS = 100 };

/* -- the curve */

static double lr[POINTS], loss[POINTS], smoothed[POINTS];

static icseg_lr_range curve(int32_t count) {
    for (int i = 0; i < POINTS; i++) lr[i] = pow(10, 0.07 * i - 7);
    icseg_lr_range r = {
        .min_lr = 1e-7, .max_lr = 1, .steps = POINTS, .count = count, .lr = lr, .loss = loss, .smoothed = smoothed};
    icseg_lr_smooth(loss, count, POINTS, smoothed);
    icseg_lr_choose(&r);
    return r;
}

/* A fall around `middle`, then a rise from 80 on; the noise changes its sign at each point. */
static icseg_lr_range falling(double middle, double noise) {
    for (int i = 0; i < POINTS; i++)
        loss[i] = 1 + 4 / (1 + exp((i - middle) / 5)) + 0.02 * pow(fmax(0, i - 80), 2) + (i % 2 ? noise : -noise);
    return curve(POINTS);
}

static void the_suggestion_is_where_the_loss_falls_most_steeply(void **state) {
    (void)state;
    for (int middle = 30; middle <= 60; middle += 5)
        for (int noisy = 0; noisy < 2; noisy++) {
            icseg_lr_range r = falling(middle, noisy * 0.3);
            if (abs(r.steepest - middle) > 3) fail_msg("%d instead of %d", (int)r.steepest, middle);
            assert_true(r.lowest > r.steepest + 5 && r.lowest <= 84);
            assert_true(icseg_lr_range_suggestion(&r) == lr[r.steepest]);
        }
}

static void smoothing_delays_nothing(void **state) {
    (void)state;
    for (int i = 0; i < POINTS; i++) loss[i] = 7;
    icseg_lr_smooth(loss, POINTS, POINTS, smoothed);
    for (int i = 0; i < POINTS; i++) assert_near(smoothed[i], 7, 1e-12);
    for (int i = 0; i < POINTS; i++) loss[i] = 5 - 0.1 * i;
    icseg_lr_smooth(loss, POINTS, POINTS, smoothed);
    for (int i = 40; i < 60; i++) assert_near(smoothed[i], loss[i], 0.1); /* one direction alone: 0.9 off */
    for (int i = 0; i < POINTS; i++) loss[i] = i == 50;
    icseg_lr_smooth(loss, POINTS, POINTS, smoothed);
    assert_near(smoothed[50], 0.1 / (2 - 0.1), 5e-3);
    for (int i = 1; i < 12; i++) assert_near(smoothed[50 - i], smoothed[50 + i], 5e-3);
}

static void a_loss_that_does_not_fall_has_no_suggestion(void **state) {
    (void)state;
    for (int i = 0; i < POINTS; i++) loss[i] = 2 + 0.001 * i * i;
    icseg_lr_range r = curve(POINTS);
    assert_int_equal(r.steepest, -1);
    assert_true(icseg_lr_range_suggestion(&r) == 0 && icseg_lr_range_suggestion(NULL) == 0);
    char *text;
    r.recipe = "a <recipe>";
    assert_int_equal(icseg_lr_range_text(&r, ICSEG_LR_TABLE, &text, NULL), ICSEG_OK);
    assert_non_null(strstr(text, "No suggestion: the smoothed loss does not fall. Try rates from 1e-09 on"));
    icseg_buffer_free(text);
    assert_int_equal(icseg_lr_range_text(&r, ICSEG_LR_JSON, &text, NULL), ICSEG_OK);
    assert_non_null(strstr(text, "\"suggestion\":null"));
    icseg_buffer_free(text);
    assert_int_equal(icseg_lr_range_text(&r, ICSEG_LR_HTML, &text, NULL), ICSEG_OK);
    assert_non_null(strstr(text, "<h1>a &lt;recipe&gt;</h1>"));
    icseg_buffer_free(text);
    for (int32_t count = 0; count < 3; count++) { /* the loss diverged at once, or was never finite */
        r = curve(count);
        r.recipe = "";
        assert_int_equal(r.steepest, -1);
        for (int form = 0; form < ICSEG_LR_FORMS; form++) {
            assert_int_equal(icseg_lr_range_text(&r, (icseg_lr_form)form, &text, NULL), ICSEG_OK);
            icseg_buffer_free(text);
        }
    }
}

/* -- runs */

static icseg_status find(test_run *r, const icseg_lr_options *o, const icseg_progress *progress, icseg_lr_range **out) {
    icseg_recipe *recipe = test_run_recipe(r);
    if (!recipe) fail_msg("%s", r->error.message);
    icseg_status status = icseg_lr_range_open(out, recipe, o, progress, &r->error);
    icseg_recipe_close(&recipe);
    return status;
}

static icseg_lr_range *find_well(const char *setting, icseg_lr_options o) {
    test_run r = {.out = "none", .set = {"train.patience=2", "train.ema_decay=0.9", setting}};
    icseg_lr_range *range;
    o.struct_size = sizeof o;
    if (find(&r, &o, NULL, &range) != ICSEG_OK) fail_msg("%s", r.error.message);
    return range;
}

/* Names and sizes of all files below the test's folder. */
static void list_files(char *out, size_t size) {
    char command[TEST_PATH_SIZE + 40];
    snprintf(command, sizeof command, "find '%s' -printf '%%p %%s %%T@\\n' | sort", test_training_folder);
    FILE *list = popen(command, "re");
    assert_non_null(list);
    size_t used = fread(out, 1, size - 1, list);
    assert_true(used > 0 && used < size - 1);
    out[used] = '\0';
    pclose(list);
}

static void the_losses_are_those_of_training_and_no_file_is_written(void **state) {
    (void)state;
    static char before[65536], after[65536];
    icseg_log log;
    test_run r = {.out = "reference",
                  .set = {"train.lr=1e-5", "train.power=0", "train.warmup=0", "train.min_lr=0", "train.eval_every=0",
                          "train.steps=2"}};
    test_train_well(&r);
    test_read_log(&log, "reference");
    list_files(before, sizeof before);
    icseg_lr_range *range = find_well(NULL, (icseg_lr_options){.min_lr = 1e-5, .max_lr = 0.1, .steps = 21});
    list_files(after, sizeof after);
    assert_string_equal(before, after);
    assert_true(range->count == 21 && range->end == ICSEG_LR_END_STEPS);
    for (int i = 0; i < 2; i++) { /* the second one after an update at 1e-5 */
        assert_near(range->loss[i], log.step[i].loss[0], 1e-7);
        assert_true(fabs(range->loss[i] - range->loss[i + 1]) > 1e-4);
    }
    assert_true(range->lr[0] == 1e-5 && fabs(range->lr[20] - 0.1) < 1e-15);
    for (int i = 1; i < 21; i++) assert_near(range->lr[i] / range->lr[i - 1], pow(10, 0.2), 1e-12);
    icseg_lr_range_close(&range);
    icseg_log_close(&log);
}

static char *json_of(const icseg_lr_range *range) {
    char *text;
    assert_int_equal(icseg_lr_range_text(range, ICSEG_LR_JSON, &text, NULL), ICSEG_OK);
    return text;
}

static void the_suggestion_is_reproducible(void **state) {
    (void)state;
    const icseg_lr_options o = {.min_lr = 1e-5, .max_lr = 0.1, .steps = 40};
    icseg_lr_range *range[] = {find_well(NULL, o), find_well(NULL, o), find_well("train.seed=9", o)};
    char *text[3];
    for (int i = 0; i < 3; i++) text[i] = json_of(range[i]);
    assert_string_equal(text[0], text[1]);
    assert_string_not_equal(text[0], text[2]);
    json_t *all = json_loads(text[0], 0, NULL);
    assert_int_equal(json_array_size(json_object_get(all, "points")), 40);
    double suggestion = icseg_lr_range_suggestion(range[0]);
    assert_true(suggestion > 1e-5 && suggestion < 0.1);
    assert_near(json_number_value(json_object_get(all, "suggestion")), suggestion, 1e-8 * suggestion);
    assert_string_equal(json_string_value(json_object_get(all, "end")), "steps");
    assert_string_equal(json_string_value(json_object_get(all, "recipe")), "tiny.yaml");
    json_decref(all);
    for (int i = 0; i < 3; i++) {
        icseg_buffer_free(text[i]);
        icseg_lr_range_close(&range[i]);
    }
}

/* Weights of any size make the loss diverge, and those of 1e38 are not finite. */
static void it_ends_when_the_loss_diverges(void **state) {
    (void)state;
    icseg_lr_range *range =
        find_well("train.clip_norm=0", (icseg_lr_options){.min_lr = 1e-3, .max_lr = 1e6, .steps = 60});
    assert_true(range->end != ICSEG_LR_END_STEPS && range->count > 5 && range->count < 60);
    double best = INFINITY, last = 0, sum = 0, weight = 0;
    for (int i = 0; i < range->count; i++) {
        last = icseg_lr_follow(&sum, &weight, range->loss[i], 60);
        best = fmin(best, last);
        assert_true(isfinite(range->loss[i]));
        if (i + 1 < range->count) assert_false(last > 4 * best);
    }
    if (range->end == ICSEG_LR_END_DIVERGED) assert_true(last > 4 * best);
    char *text;
    assert_int_equal(icseg_lr_range_text(range, ICSEG_LR_TABLE, &text, NULL), ICSEG_OK);
    assert_non_null(strstr(text, " of 60 steps: "));
    icseg_buffer_free(text);
    icseg_lr_range_close(&range);
}

static bool never(void *user, const icseg_progress_event *event) {
    (void)user;
    return strcmp(event->stage, "learning rates") != 0 || event->done < 3;
}

static void bad_input_is_an_error(void **state) {
    (void)state;
    static const struct {
        icseg_lr_options o;
        const char *text;
    } bad[] = {
        {{.min_lr = 0.1, .max_lr = 0.1}, "max_lr: the rates go from 0.1 to 0.1; expected 0 < min_lr < max_lr <= 1e6"},
        {{.min_lr = -1}, "max_lr: the rates go from -1 to 1"},
        {{.max_lr = (double)NAN}, "max_lr: the rates go from 1e-07 to nan"},
        {{.max_lr = 2e6}, "max_lr: the rates go from 1e-07 to 2e+06"},
        {{.steps = 9}, "steps is 9; expected 10 to 100000"},
        {{.steps = -1}, "steps is -1; expected 10 to 100000"},
        {{.threads = -1}, "threads"},
    };
    icseg_lr_range *range = (void *)64;
    test_run r = {.out = "none"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        icseg_lr_options o = bad[i].o;
        o.struct_size = sizeof o;
        assert_int_equal(find(&r, &o, NULL, &range), ICSEG_ERROR_ARGUMENT);
        assert_null(range);
        if (!strstr(r.error.message, bad[i].text)) fail_msg("%s", r.error.message);
    }
    icseg_progress stop = {ICSEG_PROGRESS_INIT, .report = never};
    assert_int_equal(find(&r, NULL, &stop, &range), ICSEG_ERROR_CANCELLED);
    assert_null(range);
    r.set[0] = "model.init=/nowhere.pt";
    assert_int_equal(find(&r, NULL, NULL, &range), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(r.error.message, "nowhere.pt"));
    icseg_lr_options small = {.struct_size = 8};
    assert_int_equal(find(&r, &small, NULL, &range), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_lr_range_open(NULL, NULL, NULL, NULL, &r.error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_lr_range_open(&range, NULL, NULL, NULL, &r.error), ICSEG_ERROR_ARGUMENT);
    char *text;
    icseg_lr_range empty = {.recipe = "", .lowest = -1, .steepest = -1};
    assert_int_equal(icseg_lr_range_text(&empty, ICSEG_LR_FORMS, &text, &r.error), ICSEG_ERROR_ARGUMENT);
    assert_null(text);
    assert_int_equal(icseg_lr_range_text(NULL, ICSEG_LR_JSON, &text, &r.error), ICSEG_ERROR_ARGUMENT);
    icseg_lr_range_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_suggestion_is_where_the_loss_falls_most_steeply),
        cmocka_unit_test(smoothing_delays_nothing),
        cmocka_unit_test(a_loss_that_does_not_fall_has_no_suggestion),
        cmocka_unit_test(the_losses_are_those_of_training_and_no_file_is_written),
        cmocka_unit_test(the_suggestion_is_reproducible),
        cmocka_unit_test(it_ends_when_the_loss_diverges),
        cmocka_unit_test(bad_input_is_an_error),
    };
    return cmocka_run_group_tests(tests, test_training_open, test_training_close);
}

/* SPDX-License-Identifier: Apache-2.0
 * Averaged weights: recomputed in double precision from the checkpoints of each step; which of the two copies files
 * and evaluations have; resuming. */
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
#include "icseg/evaluate.h"
#include "support/training.h"

enum { STEPS = 6, COUNT = 40000 };

#define DECAY "train.ema_decay=0.35"

static void done(icseg_status status, const icseg_error *error) {
    if (status != ICSEG_OK) fail_msg("%s", error->message);
}

/* -- the copies alone */

static icseg_params *one_param(icseg_param **out) {
    icseg_params *params;
    assert_int_equal(icseg_params_open(&params, NULL), ICSEG_OK);
    *out = icseg_params_declare(params, "w", (icseg_shape){.rank = 1, .dim = {COUNT}},
                                (icseg_param_options){.init = ICSEG_INIT_NORMAL, .scale = 1, .trainable = true}, NULL);
    icseg_params_initialise(params, 1);
    assert_int_equal(icseg_params_load(params, NULL), ICSEG_OK);
    return params;
}

static void copies_are_exchanged_and_a_rehearsal_changes_no_bit(void **state) {
    (void)state;
    static float raw[COUNT], average[COUNT];
    icseg_param *p;
    icseg_params *params = one_param(&p);
    icseg_ema *ema;
    assert_int_equal(icseg_ema_open(&ema, params, 0.5, NULL), ICSEG_OK);
    for (int i = 0; i < COUNT; i += 3) p->data[i] = -0.0f;
    icseg_ema_begin(ema);
    memcpy(average, p->data, sizeof average);
    for (int i = 0; i < COUNT; i++) p->data[i] = (float)i;
    memcpy(raw, p->data, sizeof raw);
    uint64_t version = p->version;
    icseg_ema_rehearse(ema);
    assert_false(icseg_ema_show(ema, false));
    assert_memory_equal(p->data, raw, sizeof raw);
    assert_memory_equal(icseg_ema_other(ema, 0), average, sizeof average);
    assert_true(p->version == version);
    assert_false(icseg_ema_show(ema, true));
    assert_memory_equal(p->data, average, sizeof average);
    assert_memory_equal(icseg_ema_other(ema, 0), raw, sizeof raw);
    assert_true(p->version > version); /* packed copies are made again */
    assert_true(icseg_ema_show(ema, true) && icseg_ema_shown(ema));
    assert_true(icseg_ema_show(ema, false));
    assert_memory_equal(p->data, raw, sizeof raw);
    icseg_ema_close(&ema);
    assert_false(icseg_ema_show(NULL, true));
    assert_null(icseg_ema_other(NULL, 0));
    icseg_params_close(&params);
}

static void running_out_of_memory_is_an_error(void **state) {
    (void)state;
    icseg_param *p;
    icseg_params *params = one_param(&p);
    for (int64_t n = 0; n < 10; n++) {
        icseg_ema *ema = (void *)64;
        icseg_error error = {0};
        icseg_memory_fail_after(n);
        icseg_status status = icseg_ema_open(&ema, params, 0.5, &error);
        icseg_memory_fail_after(-1);
        if (status == ICSEG_OK) {
            assert_int_equal(n, 3);
            icseg_ema_close(&ema);
            break;
        }
        assert_int_equal(status, ICSEG_ERROR_MEMORY);
        assert_null(ema);
    }
    icseg_params_close(&params);
}

/* d = min(decay, (1 + n) / (10 + n)): 2/11 after the first update, and 0.9 from the 80th on. */
static void the_decay_grows_to_its_limit(void **state) {
    (void)state;
    static const struct {
        int64_t updates;
        double decay;
    } table[] = {{1, 2.0 / 11}, {2, 0.25}, {26, 0.75}, {79, 80.0 / 89}, {80, 0.9}, {81, 0.9}, {100000, 0.9}};
    icseg_param *p;
    icseg_params *params = one_param(&p);
    icseg_ema *ema;
    assert_int_equal(icseg_ema_open(&ema, params, 0.9, NULL), ICSEG_OK);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (int j = 0; j < COUNT; j++) p->data[j] = 1;
        icseg_ema_begin(ema);
        for (int j = 0; j < COUNT; j++) p->data[j] = 0;
        icseg_ema_update(ema, table[i].updates);
        for (int j = 0; j < COUNT; j++)
            if (!(fabs((double)icseg_ema_other(ema, 0)[j] - table[i].decay) < 1e-6))
                fail_msg("after %lld updates: %g", (long long)table[i].updates, (double)icseg_ema_other(ema, 0)[j]);
    }
    icseg_ema_close(&ema);
    icseg_params_close(&params);
}

/* -- a run */

static icseg_trainer *open_trainer(const char *out, const char *const *set) {
    test_run r = {.out = out, .resume = true};
    for (int i = 0; set[i]; i++) r.set[i] = set[i];
    icseg_recipe *recipe = test_run_recipe(&r);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = test_run_path(out), .resume = true};
    icseg_trainer *trainer;
    if (!recipe) fail_msg("%s", r.error.message);
    done(icseg_trainer_open(&trainer, recipe, &o, NULL, &r.error), &r.error);
    icseg_recipe_close(&recipe);
    return trainer;
}

static bool has_average(const icseg_param *p) {
    return p->options.trainable || strstr(p->name, "running_mean") || strstr(p->name, "running_var");
}

/* Values of a tensor in the run's checkpoint, in memory layout; false if it does not exist. The caller frees them. */
static bool read_tensor(const char *out, const icseg_param *p, bool raw, float **values) {
    char path[TEST_PATH_SIZE], name[300];
    icseg_safetensors *file;
    icseg_error error;
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", out);
    snprintf(name, sizeof name, "%s%s", raw ? "adamw.raw." : "", p->name);
    done(icseg_safetensors_open(&file, test_run_path(path), &error), &error);
    bool found = icseg_safetensors_find(file, name) != NULL;
    if (found) {
        float *stored = icseg_alloc_array((size_t)p->count, sizeof *stored);
        *values = icseg_alloc_array((size_t)p->count, sizeof **values);
        done(icseg_safetensors_read_f32(file, name, raw ? p->shape : p->file_shape, stored, &error), &error);
        if (raw)
            memcpy(*values, stored, (size_t)p->count * sizeof *stored);
        else
            icseg_param_import(p, stored, *values);
        icseg_free(stored);
    }
    icseg_safetensors_close(&file);
    return found;
}

/* The averages in double precision, parameter after parameter. */
static double *expected;

/* Follows one step: raw weights equal those of the plain run, and averages follow them. Returns the largest error. */
static double follow(const icseg_trainer *t, int64_t updates) {
    double decay = fmin(0.35, (1.0 + (double)updates) / (10.0 + (double)updates)), worst = 0;
    size_t at = 0;
    for (int64_t i = 0; i < icseg_params_count(t->model->params); i++) {
        const icseg_param *p = icseg_params_at(t->model->params, i);
        float *plain, *average, *raw;
        assert_true(read_tensor("plain", p, false, &plain));
        assert_true(read_tensor("averaged", p, false, &average));
        assert_true(read_tensor("averaged", p, true, &raw) == has_average(p));
        if (has_average(p)) {
            assert_memory_equal(raw, plain, (size_t)p->count * sizeof *raw);
            for (int64_t j = 0; j < p->count; j++, at++) {
                double e = expected[at] =
                    updates ? decay * expected[at] + (1 - decay) * (double)raw[j] : (double)raw[j];
                worst = fmax(worst, fabs((double)average[j] - e) / (1e-3 + fabs(e)));
            }
            icseg_free(raw);
        } else {
            assert_memory_equal(average, plain, (size_t)p->count * sizeof *plain);
        }
        icseg_free(plain);
        icseg_free(average);
    }
    return worst;
}

/* With a memory of the contrastive loss, which is a buffer and no statistic. */
static void the_checkpoints_of_each_step_contain_the_average_and_the_raw_weights(void **state) {
    (void)state;
    const char *plain[] = {"train.accumulate=2", "model.contrast_memory=2", "train.eval_every=0", NULL};
    const char *averaged[] = {plain[0], plain[1], plain[2], DECAY, NULL};
    icseg_trainer *t[] = {open_trainer("plain", plain), open_trainer("averaged", averaged)};
    icseg_error error;
    int64_t count = 0;
    for (int64_t i = 0; i < icseg_params_count(t[0]->model->params); i++)
        count += icseg_params_at(t[0]->model->params, i)->count;
    expected = icseg_calloc_array((size_t)count, sizeof *expected);
    assert_non_null(expected);
    for (int step = 0; step <= STEPS; step++) {
        for (int i = 0; i < 2; i++) {
            if (step) done(icseg_trainer_step(t[i], NULL, &error), &error);
            done(icseg_trainer_save(t[i], &error), &error);
        }
        double worst = follow(t[1], step);
        if (!(worst < 1e-5)) fail_msg("step %d: an average is wrong by %g", step, worst);
    }
    assert_false(test_same_tensors("plain", "averaged"));
    for (int i = 0; i < 2; i++) icseg_trainer_close(&t[i]);
    icseg_free(expected);
}

/* The confusion matrix of a model on the trainer's validation images. */
static void evaluate(icseg_trainer *t, icseg_model *model, icseg_confusion *out) {
    icseg_session *session;
    icseg_session_options o = {ICSEG_SESSION_OPTIONS_INIT, .threads = 1};
    icseg_error error;
    done(icseg_session_open(&session, model, &o, &error), &error);
    done(icseg_evaluate(session, t->val, &t->eval, NULL, out, &error), &error);
    icseg_session_close(&session);
}

static void evaluations_and_the_best_weights_are_those_of_the_average(void **state) {
    (void)state;
    const char *set[] = {"train.ema_decay=0.8", "train.lr=2e-2", NULL};
    icseg_trainer *t = open_trainer("evaluated", set);
    icseg_error error;
    icseg_confusion average, raw;
    for (int step = 0; step < STEPS; step++) done(icseg_trainer_step(t, NULL, &error), &error);
    done(icseg_trainer_evaluate(t, NULL, &error), &error);
    done(icseg_trainer_save(t, &error), &error);
    evaluate(t, icseg_trainer_model(t), &raw); /* the trainer's model trains on */
    icseg_model *saved = test_open_weights("evaluated"), *best;
    evaluate(t, saved, &average);
    size_t bytes = (size_t)average.classes * (size_t)average.classes * sizeof *average.count;
    assert_memory_equal(t->confusion.count, average.count, bytes);
    assert_true(memcmp(raw.count, average.count, bytes) != 0);
    done(icseg_model_open(&best, test_run_path("evaluated/best.safetensors"), &error), &error);
    done(icseg_params_load(best->params, &error), &error);
    for (int buffers = 0; buffers < 2; buffers++) {
        int all;
        assert_int_equal(test_count_changed(saved, best, "", buffers, &all), 0);
        assert_true(all > 10);
        assert_true(test_count_changed(saved, t->model, "", buffers, &all) > 10);
    }
    icseg_confusion_close(&average);
    icseg_confusion_close(&raw);
    icseg_model_close(&saved);
    icseg_model_close(&best);
    icseg_trainer_close(&t);
}

static void a_run_with_averages_resumes_to_the_same_bytes(void **state) {
    (void)state;
    test_train_well(&(test_run){.out = "whole", .set = {DECAY}});
    for (int at = 1; at < STEPS; at += 2) {
        test_run r = {.out = "stopped", .set = {DECAY}, .stop_stage = "train", .stop_at = at};
        test_train_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
        r.resume = true;
        r.stop_stage = NULL;
        test_train_well(&r);
        test_assert_same_run("whole", "stopped");
        if (at == 1) test_train_well(&r); /* a finished run is evaluated again */
        if (at == 1) test_assert_same_run("whole", "stopped");
        if (at + 2 < STEPS) test_remove_tree(test_run_path("stopped"));
    }
    test_run r = {.out = "stopped", .set = {"train.ema_decay=0.3"}, .resume = true};
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "the run began with train.ema_decay = 0.35, but the recipe now has 0.3");
    r = (test_run){.out = "stopped", .set = {"train.ema_decay=0"}, .resume = true};
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "the run began with train.ema_decay = 0.35, but the recipe now has 0");
    r = (test_run){.out = "other", .set = {"train.ema_decay=1"}};
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "train.ema_decay: \"1\" is not accepted");
    r = (test_run){.out = "other", .set = {"train.ema_decay=-0.1"}};
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "train.ema_decay: \"-0.1\" is not accepted");
}

/* Best weights that were removed are written again, with the averages. */
static void removed_best_weights_are_averages_again(void **state) {
    (void)state;
    test_run r = {.out = "removed", .set = {DECAY, "train.steps=3", "train.eval_every=3"}};
    unsigned char *bytes[2];
    size_t size[2];
    for (int i = 0; i < 2; i++) {
        test_train_well(&r);
        done(icseg_file_read(test_run_path("removed/best.safetensors"), 1 << 28, &bytes[i], &size[i], &r.error),
             &r.error);
        assert_int_equal(remove(test_run_path("removed/best.safetensors")), 0);
        r.resume = true;
    }
    assert_true(size[0] == size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    for (int i = 0; i < 2; i++) icseg_free(bytes[i]);
}

/* Raw weights of the file that are damaged or missing. */
static void damaged_raw_weights_are_refused(void **state) {
    static const char *const names[] = {"\"adamw.raw.visual.conv1.weight\":", "\"adamw.raw.decoder."};
    (void)state;
    test_run r = {.out = "damaged", .set = {DECAY, "train.steps=3"}};
    test_train_well(&r);
    unsigned char *bytes;
    size_t size;
    uint64_t header;
    done(icseg_file_read(test_run_path("damaged/checkpoint.safetensors"), 1 << 28, &bytes, &size, &r.error), &r.error);
    memcpy(&header, bytes, sizeof header);
    unsigned char *name[2];
    for (int i = 0; i < 2; i++) {
        name[i] = memmem(bytes, sizeof header + header, names[i], strlen(names[i]));
        assert_non_null(name[i]);
    }
    const char *offsets = strstr((const char *)name[0], "data_offsets\":[");
    size_t at = sizeof header + header + (size_t)strtoll(offsets + strlen("data_offsets\":["), NULL, 10);
    float before, bad = NAN;
    memcpy(&before, bytes + at, sizeof before);
    memcpy(bytes + at, &bad, sizeof bad);
    done(icseg_file_write(test_run_path("damaged/checkpoint.safetensors"), bytes, size, &r.error), &r.error);
    r.resume = true;
    test_train_badly(&r, ICSEG_ERROR_FORMAT, "damaged: visual.conv1.weight contains");
    memcpy(bytes + at, &before, sizeof before);
    name[1][strlen("\"adamw.r")] = 'o'; /* adamw.row. */
    done(icseg_file_write(test_run_path("damaged/checkpoint.safetensors"), bytes, size, &r.error), &r.error);
    test_train_badly(&r, ICSEG_ERROR_FORMAT, "adamw.raw.decoder.");
    icseg_free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_exchanged_and_a_rehearsal_changes_no_bit),
        cmocka_unit_test(running_out_of_memory_is_an_error),
        cmocka_unit_test(the_decay_grows_to_its_limit),
        cmocka_unit_test(the_checkpoints_of_each_step_contain_the_average_and_the_raw_weights),
        cmocka_unit_test(evaluations_and_the_best_weights_are_those_of_the_average),
        cmocka_unit_test(a_run_with_averages_resumes_to_the_same_bytes),
        cmocka_unit_test(removed_best_weights_are_averages_again),
        cmocka_unit_test(damaged_raw_weights_are_refused),
    };
    return cmocka_run_group_tests(tests, test_training_open, test_training_close);
}

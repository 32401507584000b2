/* SPDX-License-Identifier: Apache-2.0
 * Training step by step through the public API: it equals icseg_train, can be resumed, and refuses bad arguments. */
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

/* Opens a trainer in folder/`out`. */
static icseg_trainer *open_trainer_with(const char *out, const char *setting, bool resume) {
    test_run r = {.out = out, .set = {setting}};
    icseg_recipe *recipe = test_run_recipe(&r);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = test_run_path(out), .resume = resume};
    icseg_trainer *trainer;
    assert_non_null(recipe);
    if (icseg_trainer_open(&trainer, recipe, &o, NULL, &r.error) != ICSEG_OK) fail_msg("%s", r.error.message);
    icseg_recipe_close(&recipe); /* the trainer has a copy */
    return trainer;
}

static icseg_trainer *open_trainer(const char *out, bool resume) { return open_trainer_with(out, NULL, resume); }

static void done(icseg_status status, const icseg_error *error) {
    if (status != ICSEG_OK) fail_msg("%s", error->message);
}

static void a_stepped_run_equals_icseg_train(void **state) {
    (void)state;
    icseg_error error;
    icseg_log log;
    test_train_well(&(test_run){.out = "whole", .resume = true});
    test_read_log(&log, "whole");
    icseg_trainer *t = open_trainer("stepped", false);
    assert_int_equal(icseg_trainer_total_steps(t), 6);
    assert_int_equal(icseg_trainer_loss_count(t), log.parts);
    for (int32_t i = 0; i < log.parts; i++) assert_string_equal(icseg_trainer_loss_name(t, i), log.part[i]);
    assert_null(icseg_trainer_loss_name(t, log.parts));
    int evaluations = 0;
    double best = 0;
    int64_t best_step;
    while (icseg_trainer_step_count(t) < icseg_trainer_total_steps(t)) {
        icseg_train_step step = {ICSEG_TRAIN_STEP_INIT};
        icseg_metrics metrics = {ICSEG_METRICS_INIT};
        done(icseg_trainer_step(t, &step, &error), &error);
        const icseg_log_step *line = &log.step[step.step - 1];
        assert_int_equal(step.step, icseg_trainer_step_count(t));
        assert_int_equal(line->step, step.step);
        assert_near(step.learning_rate, line->lr, 1e-6 * line->lr);
        assert_near(step.gradient_norm, line->grad_norm, 1e-6 * line->grad_norm); /* the log has 9 digits */
        for (int32_t i = 0; i < step.loss_count; i++) assert_near(step.loss[i], line->loss[i], 1e-7);
        if (icseg_trainer_due(t) & ICSEG_TRAIN_DUE_SAVE) done(icseg_trainer_save(t, &error), &error);
        if (!(icseg_trainer_due(t) & ICSEG_TRAIN_DUE_EVALUATE)) continue;
        metrics.struct_size = 1; /* refused before the evaluation, which remains due */
        assert_int_equal(icseg_trainer_evaluate(t, &metrics, &error), ICSEG_ERROR_ARGUMENT);
        assert_true(icseg_trainer_due(t) & ICSEG_TRAIN_DUE_EVALUATE);
        metrics.struct_size = sizeof metrics;
        done(icseg_trainer_evaluate(t, &metrics, &error), &error);
        assert_near(metrics.miou, log.eval[evaluations++].miou, 1e-8);
        best = metrics.miou > best ? metrics.miou : best;
        icseg_metrics_close(&metrics);
        if (icseg_trainer_due(t) & ICSEG_TRAIN_DUE_SAVE) done(icseg_trainer_save(t, &error), &error);
        assert_int_equal(icseg_trainer_due(t), 0);
    }
    assert_int_equal(evaluations, log.evals);
    assert_true(icseg_trainer_best_miou(t, &best_step) == best && best_step > 0);
    assert_int_equal(icseg_trainer_step(t, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "the run is complete (train.steps = 6)"));
    done(icseg_trainer_finish(t, &error), &error);
    assert_int_equal(icseg_trainer_step(t, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "finished"));
    assert_int_equal(icseg_trainer_save(t, &error), ICSEG_ERROR_ARGUMENT);
    icseg_trainer_close(&t);
    assert_null(t);
    assert_true(icseg_file_exists(test_run_path("stepped/report.html")));
    test_assert_same_run("whole", "stepped");
    icseg_log_close(&log);
}

/* The trainer's model and a checkpoint of its weights must predict the same labels. */
static void assert_predicts_as(icseg_trainer *trainer, const char *checkpoint) {
    icseg_model *model[2] = {icseg_trainer_model(trainer)};
    icseg_labels labels[2];
    icseg_image image;
    icseg_error error;
    done(icseg_model_open(&model[1], test_run_path(checkpoint), &error), &error);
    done(icseg_image_create(&image, 80, 64, &error), &error);
    for (int i = 0; i < 3 * 80 * 64; i++) image.data[i] = (uint8_t)(i * i >> 3);
    for (int i = 0; i < 2; i++) {
        icseg_session *session;
        icseg_session_options o = {ICSEG_SESSION_OPTIONS_INIT, .threads = 1};
        done(icseg_session_open(&session, model[i], &o, &error), &error);
        done(icseg_session_predict(session, &image, NULL, &labels[i], NULL, &error), &error);
        icseg_session_close(&session);
    }
    assert_memory_equal(labels[0].data, labels[1].data, 80 * 64 * sizeof *labels[0].data);
    for (int i = 0; i < 2; i++) icseg_labels_close(&labels[i]);
    icseg_image_close(&image);
    icseg_model_close(&model[1]);
}

/* Saves at a time of the caller's choice, and closes without saving. */
static void a_stepped_run_resumes(void **state) {
    (void)state;
    icseg_error error;
    test_train_well(&(test_run){.out = "whole", .resume = true});
    icseg_trainer *t = open_trainer("interrupted", false);
    for (int i = 0; i < 2; i++) done(icseg_trainer_step(t, NULL, &error), &error);
    done(icseg_trainer_save(t, &error), &error);
    done(icseg_trainer_step(t, NULL, &error), &error);
    icseg_trainer_close(&t); /* the third step is lost */
    t = open_trainer("interrupted", true);
    assert_int_equal(icseg_trainer_step_count(t), 2);
    for (int i = 2; i < 6; i++) done(icseg_trainer_step(t, NULL, &error), &error);
    done(icseg_trainer_save(t, &error), &error);
    assert_predicts_as(t, "interrupted/checkpoint.safetensors");
    done(icseg_trainer_finish(t, &error), &error); /* evaluates */
    icseg_trainer_close(&t);
    assert_true(test_same_tensors("whole", "interrupted"));
    assert_true(icseg_file_exists(test_run_path("interrupted/best.safetensors")));
}

static void bad_input_is_an_error(void **state) {
    (void)state;
    test_run r = {.out = "bad"};
    icseg_recipe *recipe = test_run_recipe(&r);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = test_run_path("bad")};
    icseg_progress progress = {0}; /* without its size */
    icseg_train_result result = {0};
    icseg_trainer *t;
    assert_int_equal(icseg_trainer_open(NULL, recipe, &o, NULL, &r.error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_trainer_open(&t, NULL, &o, NULL, &r.error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(r.error.message, "icseg_trainer_open: recipe is NULL");
    assert_null(t);
    assert_int_equal(icseg_trainer_open(&t, recipe, NULL, NULL, &r.error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(r.error.field, "out");
    assert_int_equal(icseg_trainer_open(&t, recipe, &o, &progress, &r.error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(r.error.message, "icseg_progress"));
    assert_int_equal(icseg_train(recipe, &o, NULL, &result, &r.error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(r.error.message, "icseg_train_result"));
    o.threads = -1;
    assert_int_equal(icseg_trainer_open(&t, recipe, &o, NULL, &r.error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(r.error.field, "threads");
    o.struct_size = 8;
    assert_int_equal(icseg_trainer_open(&t, recipe, &o, NULL, &r.error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_trainer_step(NULL, NULL, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_trainer_evaluate(NULL, NULL, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_trainer_save(NULL, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_trainer_finish(NULL, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_trainer_due(NULL), 0);
    assert_null(icseg_trainer_model(NULL));
    assert_int_equal(icseg_trainer_step_count(NULL), 0);
    assert_int_equal(icseg_trainer_total_steps(NULL), 0);
    assert_int_equal(icseg_trainer_loss_count(NULL), 0);
    assert_null(icseg_trainer_loss_name(NULL, 0));
    assert_true(icseg_trainer_best_miou(NULL, NULL) == 0);
    t = NULL;
    icseg_trainer_close(&t);
    icseg_trainer_close(NULL);
    icseg_train_result_close(NULL);
    assert_false(icseg_file_exists(test_run_path("bad/log.jsonl")));
    icseg_recipe_close(&recipe);
}

/* The weights of the classes of the training split, worked out from its pixels and images. */
static void assert_class_weights(const icseg_trainer *t, bool inverse) {
    icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};
    icseg_error error;
    double sum = 0, present = 0;
    done(icseg_dataset_check(t->train, NULL, NULL, &s, &error), &error);
    const icseg_param *p = icseg_params_find(t->model->params, "loss.class_weight");
    assert_non_null(p);
    assert_int_equal(p->count, s.classes);
    for (int32_t k = 0; k < s.classes; k++) {
        if (!s.class_pixels[k]) continue;
        sum += inverse ? 1.0 / (double)s.class_pixels[k] : 1 / (1 - pow(0.999, (double)s.class_images[k]));
        present++;
    }
    assert_true(present > 2);
    for (int32_t k = 0; k < s.classes; k++) {
        double raw = inverse ? 1.0 / (double)s.class_pixels[k] : 1 / (1 - pow(0.999, (double)s.class_images[k]));
        assert_near((double)p->data[k], s.class_pixels[k] ? raw * present / sum : 0, 1e-5);
    }
    icseg_dataset_summary_close(&s);
}

static void classes_are_weighed_by_how_often_they_occur(void **state) {
    (void)state;
    icseg_train_step step = {ICSEG_TRAIN_STEP_INIT};
    icseg_error error;
    icseg_trainer *t = open_trainer_with("inverse", "model.class_weights=inverse", false);
    assert_class_weights(t, true);
    done(icseg_trainer_step(t, &step, &error), &error);
    assert_class_weights(t, true); /* the optimiser leaves them */
    done(icseg_trainer_save(t, &error), &error);
    icseg_trainer_close(&t);
    t = open_trainer_with("inverse", "model.class_weights=inverse", true);
    assert_int_equal(icseg_trainer_step_count(t), 1);
    assert_class_weights(t, true);
    icseg_trainer_close(&t);
    t = open_trainer_with("effective", "model.class_weights=effective", false);
    assert_class_weights(t, false);
    icseg_trainer_close(&t);
}

static const char *write_weights(const char *text) {
    icseg_error error;
    static char setting[300];
    done(icseg_file_write(test_run_path("weights.txt"), text, strlen(text), &error), &error);
    snprintf(setting, sizeof setting, "data.class_weights=%s", test_run_path("weights.txt"));
    return setting;
}

static void class_weights_of_a_file(void **state) {
    (void)state;
    icseg_train_step step = {ICSEG_TRAIN_STEP_INIT};
    icseg_error error;
    const char *names = "# comment\n\n0.25\ttiled roof\r\n3e1\tsky \n0\tstreet lamp post";
    test_run r = {.out = "given", .set = {"model.class_weights=given", write_weights(names)}};
    icseg_recipe *recipe = test_run_recipe(&r);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = test_run_path("given")};
    icseg_trainer *t;
    done(icseg_trainer_open(&t, recipe, &o, NULL, &error), &error);
    done(icseg_trainer_step(t, &step, &error), &error);
    const icseg_param *p = icseg_params_find(t->model->params, "loss.class_weight");
    const char *const *name = icseg_dataset_class_names(t->train);
    for (int64_t k = 0; k < p->count; k++) {
        float expected = 1;
        if (!strcmp(name[k], "tiled roof")) expected = 0.25f;
        if (!strcmp(name[k], "sky")) expected = 30;
        if (!strcmp(name[k], "street lamp post")) expected = 0;
        assert_true(p->data[k] == expected);
    }
    done(icseg_trainer_save(t, &error), &error);
    icseg_trainer_close(&t);
    o.resume = true;
    done(icseg_trainer_open(&t, recipe, &o, NULL, &error), &error);
    icseg_trainer_close(&t);
    write_weights("0.5\ttiled roof\n3e1\tsky\n0\tstreet lamp post\n");
    assert_int_equal(icseg_trainer_open(&t, recipe, &o, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "the class \"tiled roof\" has the weight 0.5, but the run"));
    assert_string_equal(error.field, "data.class_weights");
    icseg_recipe_close(&recipe);
}

static void class_weights_that_make_no_sense_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"1\tsky\n2\tSky\n", "weights.txt:2: the data set has no class \"Sky\""},
        {"1\tsky\n\n2\tsky\n", "weights.txt:3: the class \"sky\" has a weight already"},
        {"-1\tsky\n", "weights.txt:1: the weight \"-1\" is not a number from 0 to 1e+30"},
        {"nan\tsky\n", "weights.txt:1: the weight \"nan\" is not"},
        {"inf\tsky\n", "weights.txt:1: the weight \"inf\" is not"},
        {"1e31\tsky\n", "weights.txt:1: the weight \"1e31\" is not"},
        {"\tsky\n", "weights.txt:1: the weight \"\" is not"},
        {"1 sky\n", "weights.txt:1: expected a weight, a tab and the name of a class"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_run r = {.out = "refused", .set = {"model.class_weights=given", write_weights(bad[i].text)}};
        test_train_badly(&r, ICSEG_ERROR_DATA, bad[i].message);
    }
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = test_run_path("data")};
    icseg_dataset *d;
    icseg_error error;
    char zeros[2000] = "";
    done(icseg_dataset_open(&d, &o, &error), &error);
    for (int32_t k = 0; k < icseg_dataset_classes(d); k++)
        snprintf(zeros + strlen(zeros), sizeof zeros - strlen(zeros), "0\t%s\n", icseg_dataset_class_names(d)[k]);
    icseg_dataset_close(&d);
    test_run r = {.out = "refused", .set = {"model.class_weights=given", write_weights(zeros)}};
    test_train_badly(&r, ICSEG_ERROR_DATA, "all classes that occur in the training split have the weight 0");
    r = (test_run){.out = "refused", .set = {"model.class_weights=given"}};
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "data.class_weights: is not set, but model.class_weights is given");
    r = (test_run){.out = "refused", .set = {write_weights(zeros)}};
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "data.class_weights: has no effect, because model.class_weights is not");
    r = (test_run){.out = "refused", .set = {"model.class_weights=given", "data.class_weights=/nowhere"}};
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "data.class_weights: the file \"/nowhere\" does not exist");
}

static void samples_of_rare_classes_are_the_same_in_a_resumed_run(void **state) {
    (void)state;
    icseg_error error;
    const char *set[] = {"augment.rare_samples=0.5", "augment.copy_paste=0.5", "augment.rare_temperature=0.1"};
    test_run r = {.out = "rare", .set = {set[0], set[1], set[2]}};
    test_train_well(&r);
    assert_non_null(strstr(r.messages, "rare classes: probabilities from "));
    test_train_well(&(test_run){.out = "usual"});
    assert_false(test_same_tensors("rare", "usual"));
    r = (test_run){.out = "rare in parts", .set = {set[0], set[1], set[2]}};
    icseg_recipe *recipe = test_run_recipe(&r);
    for (int part = 0; part < 2; part++) {
        icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = test_run_path(r.out), .resume = part > 0};
        icseg_trainer *t;
        done(icseg_trainer_open(&t, recipe, &o, NULL, &error), &error);
        for (int i = 0; i < 3; i++) done(icseg_trainer_step(t, NULL, &error), &error);
        done(icseg_trainer_save(t, &error), &error);
        if (part) done(icseg_trainer_finish(t, &error), &error);
        icseg_trainer_close(&t);
    }
    icseg_recipe_close(&recipe);
    assert_true(test_same_tensors("rare", "rare in parts"));
    r = (test_run){.out = "rare", .set = {set[0], "augment.copy_paste=0.4", set[2]}, .resume = true};
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT,
                     "the run began with augment.copy_paste = 0.5, but the recipe now has 0.4");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stepped_run_equals_icseg_train),
        cmocka_unit_test(a_stepped_run_resumes),
        cmocka_unit_test(samples_of_rare_classes_are_the_same_in_a_resumed_run),
        cmocka_unit_test(class_weights_of_a_file),
        cmocka_unit_test(class_weights_that_make_no_sense_are_refused),
        cmocka_unit_test(classes_are_weighed_by_how_often_they_occur),
        cmocka_unit_test(bad_input_is_an_error),
    };
    return cmocka_run_group_tests(tests, test_training_open, test_training_close);
}

/* SPDX-License-Identifier: Apache-2.0
 * Event files of training runs: what they contain, resumed runs, and that nothing else changes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/event_files.h"
#include "support/near.h"
#include "support/training.h"

#define ALL "train.tensorboard=true", "train.tensorboard_histograms=2", "train.tensorboard_images=1"

static test_events events;

/* The events of a run as TensorBoard keeps them: each START removes those of its step and later ones. */
static void read_run(const char *out) {
    char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE + 300], **names;
    size_t files;
    snprintf(folder, sizeof folder, "%s/%s/tensorboard", test_training_folder, out);
    assert_int_equal(icseg_folder_list(folder, &names, &files, NULL), ICSEG_OK);
    test_close_events(&events);
    for (size_t i = 0; i < files; i++) {
        int first = events.count, kept = 0;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        test_read_events(&events, path);
        int64_t start = events.event[first + 1]->step;
        for (int e = 0; e < events.count; e++)
            if (e >= first || events.event[e]->step < start)
                events.event[kept++] = events.event[e];
            else
                icseg__tensorboard__event__free_unpacked(events.event[e], NULL);
        events.count = kept;
    }
    icseg_free(names);
}

/* The next value of this tag after event *at - 1, and its step; NULL: none. */
static const Icseg__Tensorboard__Summary__Value *next_value(int *at, const char *tag, int64_t *step) {
    for (; *at < events.count; ++*at) {
        const Icseg__Tensorboard__Event *e = events.event[*at];
        if (e->what_case != ICSEG__TENSORBOARD__EVENT__WHAT_SUMMARY) continue;
        for (size_t i = 0; i < e->summary->n_value; i++)
            if (!strcmp(e->summary->value[i]->tag, tag)) {
                *step = e->step;
                ++*at;
                return e->summary->value[i];
            }
    }
    return NULL;
}

static int count_values(const char *tag) {
    int at = 0, count = 0;
    int64_t step;
    while (next_value(&at, tag, &step)) count++;
    return count;
}

static void assert_scalar(int *at, const char *tag, int64_t step, double value) {
    int64_t found;
    const Icseg__Tensorboard__Summary__Value *v = next_value(at, tag, &found);
    if (!v) fail_msg("%s: no value of step %d", tag, (int)step);
    assert_int_equal(found, step);
    assert_near(v->simple_value, value, 1e-6 * fabs(value));
}

/* The scalars are those of the log, in the same order and no others. */
static void assert_as_logged(const char *out) {
    icseg_log log;
    test_read_log(&log, out);
    for (int32_t part = 0; part < log.parts; part++) {
        char tag[80];
        int at = 0;
        snprintf(tag, sizeof tag, "loss/%s", log.part[part]);
        for (int64_t i = 0; i < log.steps; i++) assert_scalar(&at, tag, log.step[i].step, log.step[i].loss[part]);
        assert_int_equal(count_values(tag), log.steps);
    }
    int lr = 0, norm = 0, miou = 0, iou = 0;
    for (int64_t i = 0; i < log.steps; i++) {
        assert_scalar(&lr, "train/lr", log.step[i].step, log.step[i].lr);
        assert_scalar(&norm, "train/grad_norm", log.step[i].step, log.step[i].grad_norm);
    }
    for (int64_t i = 0; i < log.evals; i++) {
        assert_scalar(&miou, "val/mIoU", log.eval[i].step, log.eval[i].miou);
        assert_scalar(&iou, "IoU/sky", log.eval[i].step, log.eval[i].iou[0]);
    }
    assert_int_equal(count_values("train/lr"), log.steps);
    assert_int_equal(count_values("val/mIoU"), log.evals);
    assert_true(log.evals >= 2);
    icseg_log_close(&log);
}

/* Each trained parameter has a histogram of all its values, and one of its gradient, at steps 2, 4 and 6; the last one
 * is of the last weights. */
static void assert_histograms(const char *out) {
    icseg_model *model = test_open_weights(out);
    int trained = 0;
    for (int64_t i = 0; i < icseg_params_count(model->params); i++) {
        const icseg_param *p = icseg_params_at(model->params, i);
        if (!p->options.trainable) continue;
        char tag[300];
        int64_t step;
        double sum = 0;
        for (int64_t j = 0; j < p->count; j++) sum += (double)p->data[j];
        int weights = 0, gradients = 0;
        for (int64_t wanted = 2; wanted <= 6; wanted += 2) {
            snprintf(tag, sizeof tag, "weights/%s", p->name);
            const Icseg__Tensorboard__Summary__Value *v = next_value(&weights, tag, &step);
            if (!v) fail_msg("%s: no histogram of step %d", tag, (int)wanted);
            assert_true(step == wanted && v->histo->num == (double)p->count);
            if (wanted == 6) assert_near(v->histo->sum, sum, 1e-9 * (double)p->count);
            snprintf(tag, sizeof tag, "gradients/%s", p->name);
            v = next_value(&gradients, tag, &step);
            if (!v) fail_msg("%s: no histogram of step %d", tag, (int)wanted);
            assert_true(step == wanted && v->histo->num == (double)p->count);
        }
        trained++;
    }
    assert_true(trained > 50);
    icseg_model_close(&model);
}

/* The squares of all gradients add up to the square of their norm. */
static void assert_gradient_norm(const char *out, int64_t step) {
    icseg_log log;
    double sum = 0;
    test_read_log(&log, out);
    for (int e = 0; e < events.count; e++) {
        if (events.event[e]->what_case != ICSEG__TENSORBOARD__EVENT__WHAT_SUMMARY) continue;
        const Icseg__Tensorboard__Summary__Value *v = events.event[e]->summary->value[0];
        if (events.event[e]->step == step && !strncmp(v->tag, "gradients/", 10)) sum += v->histo->sum_squares;
    }
    double norm = log.step[step - 1].grad_norm;
    assert_near(sqrt(sum), norm, 1e-5 * norm);
    icseg_log_close(&log);
}

static void a_run_writes_what_its_log_has_and_trains_the_same_weights(void **state) {
    (void)state;
    test_train_well(&(test_run){.out = "plain", .set = {"train.accumulate=2"}});
    test_train_well(&(test_run){.out = "with", .set = {"train.accumulate=2", ALL}});
    static const char *const files[] = {"checkpoint.safetensors", "best.safetensors", "evaluation.json"};
    for (int i = 0; i < 3; i++) assert_true(test_same_file("plain", "with", files[i]));
    test_assert_same_log("plain", "with");
    assert_false(icseg_folder_exists(test_run_path("plain/tensorboard")));
    read_run("with");
    assert_as_logged("with");
    assert_histograms("with");
    assert_gradient_norm("with", 4);
}

static void images_have_labels_prediction_and_score_maps(void **state) {
    (void)state;
    test_train_well(&(test_run){.out = "images", .set = {"train.tensorboard=true", "train.tensorboard_images=9"}});
    read_run("images");
    int scores = 0, photographs = 0, others = 0;
    for (int e = 0; e < events.count; e++) {
        if (events.event[e]->what_case != ICSEG__TENSORBOARD__EVENT__WHAT_SUMMARY) continue;
        const Icseg__Tensorboard__Summary__Value *v = events.event[e]->summary->value[0];
        if (v->value_case != ICSEG__TENSORBOARD__SUMMARY__VALUE__VALUE_IMAGE) continue;
        assert_true(v->image->width == 96 && v->image->height == 64);
        const char *what = strrchr(v->tag, '/');
        bool score = strstr(v->tag, "/score/") != NULL;
        scores += score;
        photographs += !score && !strcmp(what, "/photograph");
        others += !score && (!strcmp(what, "/labels") || !strcmp(what, "/prediction"));
    }
    assert_int_equal(photographs, 2 * 2); /* two images, at steps 4 and 6 */
    assert_int_equal(others, 2 * photographs);
    assert_int_equal(scores, 3 * 3 * photographs); /* three classes at strides 8, 16 and 32 */
}

static void a_resumed_run_has_one_curve(void **state) {
    (void)state;
    static const struct {
        const char *stage;
        double at;
    } stops[] = {{"train", 1}, {"train", 5}, {"evaluate", 1}};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        test_run r = {.out = "stopped", .stop_stage = stops[i].stage, .stop_at = stops[i].at, .set = {ALL}};
        test_train_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
        r.resume = true;
        r.stop_stage = NULL;
        test_train_well(&r);
        read_run("stopped");
        assert_as_logged("stopped");
        assert_histograms("stopped");
        test_train_well(&r); /* resumed after its end */
        read_run("stopped");
        assert_as_logged("stopped");
        test_remove_tree(test_run_path("stopped"));
    }
}

/* The checkpoint of step 3 with the events of a run that was killed later. */
static void events_after_the_checkpoint_are_dropped(void **state) {
    (void)state;
    char command[6 * TEST_PATH_SIZE];
    test_train_well(&(test_run){.out = "early", .set = {"train.tensorboard=true", "train.power=0", "train.steps=3"}});
    test_train_well(&(test_run){.out = "late", .set = {"train.tensorboard=true", "train.power=0"}});
    snprintf(command, sizeof command, "cp '%s'/early/checkpoint.safetensors '%s'/late", test_training_folder,
             test_training_folder);
    assert_int_equal(system(command), 0);
    test_train_well(&(test_run){.out = "late", .resume = true, .set = {"train.tensorboard=true", "train.power=0"}});
    read_run("late");
    assert_as_logged("late");
}

static void events_can_be_turned_on_and_off_when_a_run_resumes(void **state) {
    (void)state;
    test_run r = {.out = "turned", .stop_stage = "train", .stop_at = 2};
    test_train_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
    r.resume = true;
    r.set[0] = "train.tensorboard=true";
    r.stop_at = 4;
    test_train_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
    read_run("turned");
    assert_int_equal(count_values("train/lr"), 2);
    r.set[0] = NULL;
    r.stop_stage = NULL;
    test_train_well(&r);
    read_run("turned");
    assert_int_equal(count_values("train/lr"), 2);
}

static void settings_without_effect_are_refused(void **state) {
    (void)state;
    test_train_badly(&(test_run){.out = "refused", .set = {"train.tensorboard_images=1"}}, ICSEG_ERROR_ARGUMENT,
                     "train.tensorboard: is false, so that train.tensorboard_images has no effect");
    test_train_badly(&(test_run){.out = "refused", .set = {"train.tensorboard_histograms=5"}}, ICSEG_ERROR_ARGUMENT,
                     "train.tensorboard: is false, so that train.tensorboard_histograms has no effect");
    assert_false(icseg_folder_exists(test_run_path("refused")));
}

static void a_folder_that_cannot_be_written_ends_the_run_before_its_first_step(void **state) {
    (void)state;
    assert_int_equal(icseg_folder_create(test_run_path("blocked"), NULL), ICSEG_OK);
    assert_int_equal(icseg_file_write(test_run_path("blocked/tensorboard"), "", 0, NULL), ICSEG_OK);
    test_run r = {.out = "blocked", .set = {"train.tensorboard=true"}};
    test_train_badly(&r, ICSEG_ERROR_IO, "blocked/tensorboard: ");
    assert_false(icseg_file_exists(test_run_path("blocked/checkpoint.safetensors")));
}

static int close_all(void **state) {
    test_close_events(&events);
    return test_training_close(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_writes_what_its_log_has_and_trains_the_same_weights),
        cmocka_unit_test(images_have_labels_prediction_and_score_maps),
        cmocka_unit_test(a_resumed_run_has_one_curve),
        cmocka_unit_test(events_after_the_checkpoint_are_dropped),
        cmocka_unit_test(events_can_be_turned_on_and_off_when_a_run_resumes),
        cmocka_unit_test(settings_without_effect_are_refused),
        cmocka_unit_test(a_folder_that_cannot_be_written_ends_the_run_before_its_first_step),
    };
    return cmocka_run_group_tests(tests, test_training_open, close_all);
}

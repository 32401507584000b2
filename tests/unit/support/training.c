/* SPDX-License-Identifier: Apache-2.0
 * Short training runs, and comparisons of their files. */
#include "support/training.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/synth.h"

char test_training_folder[64];

static const char recipe_text[] = "model: {preset: tiny-resnet, context_length: 40, dropout: 0.1}\n"
                                  "data: {folder: none}\n"
                                  "augment: {crop: [64, 64], resize_short: 0, photometric: true}\n"
                                  "train: {steps: 6, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 2, threads: 1,\n"
                                  "        log_every: 1, eval_every: 4, checkpoint_every: 3, clip_norm: 5, seed: 3}\n"
                                  "eval: {resize_short: 0}\n";

/* Returns one of four buffers in turn. */
const char *test_run_path(const char *name) {
    static char buffers[4][TEST_PATH_SIZE];
    static int next;
    char *buffer = buffers[next++ % 4];
    snprintf(buffer, TEST_PATH_SIZE, "%s/%s", test_training_folder, name);
    return buffer;
}

static void write_text(const char *name, const char *text) {
    assert_int_equal(icseg_file_write(test_run_path(name), text, strlen(text), NULL), ICSEG_OK);
}

void test_remove_tree(const char *path) {
    char command[TEST_PATH_SIZE + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

int test_training_open(void **state) {
    (void)state;
    strcpy(test_training_folder, "/tmp/icseg_trainer_XXXXXX");
    if (!mkdtemp(test_training_folder)) return -1;
    icseg_synth_options o = {ICSEG_SYNTH_OPTIONS_INIT,
                             .folder = test_run_path("data"),
                             .train = 8,
                             .val = 2,
                             .width = 96,
                             .height = 64,
                             .threads = 1};
    write_text("tiny.yaml", recipe_text);
    return icseg_synth_write(&o, NULL, NULL) == ICSEG_OK ? 0 : -1;
}

int test_training_close(void **state) {
    (void)state;
    test_remove_tree(test_training_folder);
    return 0;
}

/* Creates the data set "renamed": the same with another name for class 0. */
void test_make_renamed(void) {
    char command[5 * TEST_PATH_SIZE];
    assert_true(icseg_file_exists(test_run_path("data/classes.txt")));
    snprintf(command, sizeof command,
             "rm -rf '%s/renamed' && cp -r '%s/data' '%s/renamed' && sed -i s/sky/heaven/ '%s/renamed/classes.txt'",
             test_training_folder, test_training_folder, test_training_folder, test_training_folder);
    assert_int_equal(system(command), 0);
}

/* ---- running ---- */

static bool on_progress(void *user, const icseg_progress_event *event) {
    test_run *r = user;
    char state[TEST_PATH_SIZE];
    snprintf(state, sizeof state, "%s/%s/checkpoint.safetensors", test_training_folder, r->out);
    if (!strcmp(event->stage, "train") && event->done == r->look_at) r->had_state = icseg_file_exists(state);
    return !r->stop_stage || strcmp(r->stop_stage, event->stage) != 0 || event->done < r->stop_at;
}

static void on_message(void *user, icseg_message_level level, const char *text) {
    test_run *r = user;
    (void)level;
    size_t used = strlen(r->messages);
    snprintf(r->messages + used, sizeof r->messages - used, "%s\n", text);
}

/* The recipe with the run's settings; NULL and r->error if one is refused. */
icseg_recipe *test_run_recipe(test_run *r) {
    icseg_recipe *recipe = NULL;
    icseg_status status = icseg_recipe_open(&recipe, test_run_path("tiny.yaml"), &r->error);
    for (size_t i = 0; i < TEST_SETS && r->set[i] && status == ICSEG_OK; i++)
        status = icseg_recipe_assign(recipe, r->set[i], &r->error);
    if (status == ICSEG_OK)
        status = icseg_recipe_set(recipe, "data.folder", test_run_path(r->data ? r->data : "data"), &r->error);
    if (status == ICSEG_OK && r->init) status = icseg_recipe_set(recipe, "model.init", r->init, &r->error);
    if (status != ICSEG_OK) icseg_recipe_close(&recipe);
    return recipe;
}

icseg_status test_train(test_run *r) {
    char out[TEST_PATH_SIZE];
    snprintf(out, sizeof out, "%s/%s", test_training_folder, r->out);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = out, .resume = r->resume};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = on_progress, .message = on_message, .user = r};
    r->messages[0] = '\0';
    r->error.status = ICSEG_OK;
    r->result.struct_size = sizeof r->result;
    icseg_recipe *recipe = test_run_recipe(r);
    icseg_status status = recipe ? icseg_train(recipe, &o, &progress, &r->result, &r->error) : r->error.status;
    icseg_recipe_close(&recipe);
    if (status == ICSEG_OK) r->miou = r->result.metrics->miou;
    icseg_train_result_close(&r->result);
    return status;
}

void test_train_well(test_run *r) {
    if (test_train(r) != ICSEG_OK) fail_msg("%s", r->error.message);
}

/* The call must fail with this status and a message that contains `text`. */
void test_train_badly(test_run *r, icseg_status wanted, const char *text) {
    icseg_status status = test_train(r);
    if (status != wanted || !strstr(r->error.message, text))
        fail_msg("%s, expected %s with \"%s\": %s", icseg_status_name(status), icseg_status_name(wanted), text,
                 r->error.message);
}

/* ---- comparing ---- */

static bool same_file_from(const char *a, const char *b, const char *name, bool tensors) {
    const char *const out[2] = {a, b};
    unsigned char *bytes[2];
    size_t size[2], start[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        char path[TEST_PATH_SIZE];
        uint64_t header;
        snprintf(path, sizeof path, "%s/%s/%s", test_training_folder, out[i], name);
        assert_int_equal(icseg_file_read(path, 1 << 28, &bytes[i], &size[i], NULL), ICSEG_OK);
        if (!tensors) continue;
        memcpy(&header, bytes[i], sizeof header);
        start[i] = sizeof header + header;
        assert_true(start[i] < size[i]);
    }
    size_t length = size[0] - start[0];
    bool same = length == size[1] - start[1] && !memcmp(bytes[0] + start[0], bytes[1] + start[1], length);
    for (int i = 0; i < 2; i++) icseg_free(bytes[i]);
    return same;
}

bool test_same_file(const char *a, const char *b, const char *name) { return same_file_from(a, b, name, false); }

/* Weights and moments, without the metadata: the recipe and the best evaluation. */
bool test_same_tensors(const char *a, const char *b) { return same_file_from(a, b, "checkpoint.safetensors", true); }

void test_read_log(icseg_log *log, const char *out) {
    char path[TEST_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s/log.jsonl", test_training_folder, out);
    assert_int_equal(icseg_log_read(log, path, NULL), ICSEG_OK);
}

/* Everything except times and memory. */
void test_assert_same_log(const char *a, const char *b) {
    icseg_log left, right;
    test_read_log(&left, a);
    test_read_log(&right, b);
    assert_true(left.has_start && right.has_start);
    assert_int_equal(left.steps, right.steps);
    assert_int_equal(left.evals, right.evals);
    assert_int_equal(left.parts, right.parts);
    for (int64_t i = 0; i < left.steps; i++) {
        const icseg_log_step *x = &left.step[i], *y = &right.step[i];
        assert_int_equal(x->step, y->step);
        assert_true(x->lr == y->lr && x->grad_norm == y->grad_norm);
        assert_memory_equal(x->loss, y->loss, (size_t)left.parts * sizeof *x->loss);
    }
    for (int64_t i = 0; i < left.evals; i++) {
        assert_int_equal(left.eval[i].step, right.eval[i].step);
        assert_true(left.eval[i].miou == right.eval[i].miou);
    }
    icseg_log_close(&left);
    icseg_log_close(&right);
}

void test_assert_same_run(const char *a, const char *b) {
    static const char *const names[] = {"checkpoint.safetensors", "best.safetensors", "recipe.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!test_same_file(a, b, names[i])) fail_msg("%s/%s and %s/%s differ", a, names[i], b, names[i]);
    test_assert_same_log(a, b);
}

icseg_model *test_open_weights(const char *out) {
    char path[TEST_PATH_SIZE];
    icseg_error error;
    icseg_model *model;
    snprintf(path, sizeof path, "%s/%s/checkpoint.safetensors", test_training_folder, out);
    if (icseg_model_open(&model, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
    if (icseg_params_load(model->params, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return model;
}

/* Initial weights for the test's recipe, without dropout. */
icseg_model *test_fresh_model(void) {
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options o = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = icseg_synth_class_names(),
                             .seed = 3};
    icseg_model *model;
    assert_int_equal(icseg_config_preset(&config, "tiny-resnet", NULL), ICSEG_OK);
    config.num_classes = ICSEG_SYNTH_CLASSES;
    config.vocab_size = 258;
    config.context_length = 40;
    config.dropout = 0;
    assert_int_equal(icseg_model_create(&model, &o, NULL), ICSEG_OK);
    assert_int_equal(icseg_params_load(model->params, NULL), ICSEG_OK);
    return model;
}

/* The number of parameters, weights or running statistics, that differ and whose names start with `prefix`. *all: the
 * number of all such parameters. */
int test_count_changed(const icseg_model *a, const icseg_model *b, const char *prefix, bool buffers, int *all) {
    int changed = 0;
    *all = 0;
    assert_int_equal(icseg_params_count(a->params), icseg_params_count(b->params));
    for (int64_t i = 0; i < icseg_params_count(a->params); i++) {
        const icseg_param *p = icseg_params_at(a->params, i), *q = icseg_params_at(b->params, i);
        if (strncmp(p->name, prefix, strlen(prefix)) != 0 || p->options.buffer != buffers) continue;
        changed += memcmp(p->data, q->data, (size_t)p->count * sizeof *p->data) != 0;
        ++*all;
    }
    return changed;
}

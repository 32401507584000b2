/* SPDX-License-Identifier: Apache-2.0
 * Resuming from files that were edited or removed: every number in checkpoint.safetensors is checked, and
 * best.safetensors is written again. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "model/model.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "icseg/synth.h"
#include "icseg/train.h"

enum { PATH_SIZE = 200, STEPS = 6, HEADER = 8 };

static char folder[64];

static const char recipe_text[] = "model: {preset: tiny-resnet, context_length: 40}\n"
                                  "augment: {crop: [64, 64], resize_short: 0}\n"
                                  "train: {steps: 6, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 2, threads: 1,\n"
                                  "        log_every: 1, eval_every: 2, checkpoint_every: 2, seed: 3}\n"
                                  "eval: {resize_short: 0}\n";

/* Returns one of four buffers in turn. */
static const char *path_of(const char *name) {
    static char buffers[4][PATH_SIZE];
    static int next;
    char *buffer = buffers[next++ % 4];
    snprintf(buffer, PATH_SIZE, "%s/%s", folder, name);
    return buffer;
}

typedef struct run {
    int64_t stop_at; /* cancels after this number of steps; 0: never */
    icseg_train_result result;
    icseg_error error;
    char messages[16384];
} run;

static bool on_progress(void *user, const icseg_progress_event *event) {
    const run *r = user;
    return strcmp(event->stage, "train") != 0 || !r->stop_at || event->done < (double)r->stop_at;
}

static void on_message(void *user, icseg_message_level level, const char *text) {
    run *r = user;
    size_t used = strlen(r->messages);
    (void)level;
    snprintf(r->messages + used, sizeof r->messages - used, "%s\n", text);
}

static icseg_status resume(run *r) {
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = path_of("run"), .resume = true};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = on_progress, .message = on_message, .user = r};
    icseg_recipe *recipe;
    r->messages[0] = '\0';
    r->result = (icseg_train_result){ICSEG_TRAIN_RESULT_INIT};
    assert_int_equal(icseg_recipe_open_text(&recipe, "tiny", recipe_text, strlen(recipe_text), NULL), ICSEG_OK);
    assert_int_equal(icseg_recipe_set(recipe, "data.folder", path_of("data"), NULL), ICSEG_OK);
    icseg_status status = icseg_train(recipe, &o, &progress, &r->result, &r->error);
    icseg_train_result_close(&r->result);
    icseg_recipe_close(&recipe);
    return status;
}

static icseg_bytes read_file(const char *name) {
    icseg_bytes bytes;
    unsigned char *data;
    assert_int_equal(icseg_file_read(path_of(name), 1 << 26, &data, &bytes.size, NULL), ICSEG_OK);
    bytes.data = data;
    return bytes;
}

static void write_file(const char *name, icseg_bytes bytes) {
    assert_int_equal(icseg_file_write(path_of(name), bytes.data, bytes.size, NULL), ICSEG_OK);
}

static void close_bytes(icseg_bytes *bytes) { icseg_free((void *)bytes->data); }

/* Prepares a run that was stopped after step 4; the tests keep its files in memory. */
static icseg_bytes state_then, best_then;

static int open_run(void **state) {
    (void)state;
    strcpy(folder, "/tmp/icseg_state_XXXXXX");
    if (!mkdtemp(folder)) return -1;
    icseg_synth_options o = {ICSEG_SYNTH_OPTIONS_INIT,
                             .folder = path_of("data"),
                             .train = 6,
                             .val = 2,
                             .width = 96,
                             .height = 64,
                             .threads = 1};
    run r = {.stop_at = 4};
    if (icseg_synth_write(&o, NULL, NULL) != ICSEG_OK) return -1;
    if (resume(&r) != ICSEG_ERROR_CANCELLED) {
        print_error("%s\n", r.error.message);
        return -1;
    }
    state_then = read_file("run/checkpoint.safetensors");
    best_then = read_file("run/best.safetensors");
    return 0;
}

static int remove_run(void **state) {
    char command[PATH_SIZE];
    (void)state;
    close_bytes(&state_then);
    close_bytes(&best_then);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* Writes the run's state with the text `from` of its header, which must occur once, replaced by `to`. */
static void edit_header(const char *from, const char *to) {
    icseg_string file = {0};
    uint64_t size = 0;
    for (int i = 0; i < HEADER; i++) size |= (uint64_t)state_then.data[i] << (8 * i);
    const char *header = (const char *)state_then.data + HEADER, *at = NULL;
    for (size_t i = 0; i + strlen(from) <= size; i++)
        if (!memcmp(header + i, from, strlen(from))) at = header + i;
    if (!at) fail_msg("the header does not contain %s", from);
    size_t before = (size_t)(at - header), after = (size_t)size - before - strlen(from);
    size = before + strlen(to) + after;
    for (int i = 0; i < HEADER; i++) icseg_string_append(&file, &(char){(char)(size >> (8 * i))}, 1);
    icseg_string_append(&file, header, before);
    icseg_string_append(&file, to, strlen(to));
    icseg_string_append(&file, at + strlen(from),
                        state_then.size - (size_t)(at + strlen(from) - (const char *)state_then.data));
    assert_false(file.failed);
    write_file("run/checkpoint.safetensors", (icseg_bytes){(const unsigned char *)file.data, file.size});
    icseg_string_close(&file);
}

static void resume_badly(icseg_status status, const char *text) {
    run r = {0};
    assert_int_equal(resume(&r), status);
    if (!strstr(r.error.message, text)) fail_msg("\"%s\" does not contain \"%s\"", r.error.message, text);
}

static void every_counter_is_checked(void **state) {
    static const struct {
        const char *from, *to, *text;
    } edits[] = {
        {"version\\\": 1", "version\\\": -7", "icseg.state: version -7 does not exist; the file is damaged: restore"},
        {"version\\\": 1", "version\\\": 1.5", "icseg.state: version is missing or not an integer"},
        {"\\\"step\\\": 4", "\\\"step\\\": -1", "icseg.state: step is -1; expected 0..6"},
        {"\\\"step\\\": 4", "\\\"step\\\": 1000000", "icseg.state: step is 1000000; expected 0..6"},
        {"\\\"step\\\": 4", "\\\"stop\\\": 4", "icseg.state: step is missing or not an integer"},
        {"\\\"step\\\": 4", "\\\"step\\\": 99999999999999999999", "icseg.state is missing or not a JSON object"},
        {"updates\\\": 4", "updates\\\": 9000000000000000000", "icseg.state: updates is 9000000000000000000"},
        {"updates\\\": 4", "updates\\\": 0", "icseg.state: updates is 0; expected 4..4"},
        {"\\\"best_step\\\": ", "\\\"best_step\\\": 30", "icseg.state: best_step is 30"},
        {"\\\"best_step\\\": ", "\\\"best_step\\\": -", "icseg.state: best_step is -"},
        {"best_miou\\\": ", "best_miou\\\": 1e308, \\\"x\\\": ", "icseg.state: best_miou is 1e+308; expected 0..1"},
        {"best_miou\\\": ", "best_miou\\\": -", "icseg.state: best_miou is -0."},
        {"best_miou\\\": ", "best_miou\\\": true, \\\"x\\\": ", "icseg.state: best_miou is missing or not a number"},
        {"eval_pending\\\": ", "eval_pending\\\": 0, \\\"x\\\": ", "icseg.state: eval_pending is missing"},
        {"train_images\\\": \\\"", "train_images\\\": 3, \\\"x\\\": \\\"", "icseg.state: train_images is missing"},
        {"\\\"version", "\\\"step\\\": 4, \\\"version", "icseg.state is missing or not a JSON object"},
        {"{\\\"version", "[{\\\"version", "icseg.state is missing or not a JSON object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        edit_header(edits[i].from, edits[i].to);
        print_message("%s\n", edits[i].text);
        resume_badly(ICSEG_ERROR_FORMAT, edits[i].text);
    }
    edit_header("version\\\": 1", "version\\\": 2");
    resume_badly(ICSEG_ERROR_UNSUPPORTED, "later version of icseg (state version 2)");
    edit_header("train_images\\\": \\\"", "train_images\\\": \\\"0");
    resume_badly(ICSEG_ERROR_ARGUMENT, "the training images differ");
}

/* The offset of a tensor's first value in the file. */
static size_t place_of(const char *tensor) {
    char name[100];
    snprintf(name, sizeof name, "\"%s\":", tensor);
    uint64_t size = 0;
    for (int i = 0; i < HEADER; i++) size |= (uint64_t)state_then.data[i] << (8 * i);
    for (size_t i = HEADER; i < HEADER + size; i++)
        if (!memcmp(state_then.data + i, name, strlen(name))) {
            const char *offsets = strstr((const char *)state_then.data + i, "data_offsets\":[");
            return HEADER + (size_t)size + (size_t)strtoll(offsets + strlen("data_offsets\":["), NULL, 10);
        }
    fail_msg("no tensor %s", tensor);
    return 0;
}

static void values_that_training_cannot_produce_are_refused(void **state) {
    static const struct {
        const char *tensor;
        float value;
        const char *text;
    } edits[] = {
        {"adamw.second.visual.conv1.weight", -1, "adamw.second.visual.conv1.weight contains -1; a mean of squares"},
        {"adamw.second.visual.conv1.weight", INFINITY, "second moment of visual.conv1.weight contains inf"},
        {"adamw.first.visual.conv1.weight", NAN, "first moment of visual.conv1.weight contains"},
        {"visual.conv1.weight", NAN, "damaged: visual.conv1.weight contains"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        unsigned char *copy = icseg_alloc(state_then.size);
        assert_non_null(copy);
        memcpy(copy, state_then.data, state_then.size);
        memcpy(copy + place_of(edits[i].tensor), &edits[i].value, sizeof edits[i].value);
        write_file("run/checkpoint.safetensors", (icseg_bytes){copy, state_then.size});
        icseg_free(copy);
        resume_badly(ICSEG_ERROR_FORMAT, edits[i].text);
    }
    write_file("run/checkpoint.safetensors", state_then);
}

static void assert_same_weights(const char *a, const char *b) {
    icseg_model *models[2];
    assert_int_equal(icseg_model_open(&models[0], path_of(a), NULL), ICSEG_OK);
    assert_int_equal(icseg_model_open(&models[1], path_of(b), NULL), ICSEG_OK);
    for (int64_t i = 0; i < icseg_params_count(models[0]->params); i++) {
        icseg_param *x = icseg_params_at(models[0]->params, i), *y = icseg_params_at(models[1]->params, i);
        assert_int_equal(icseg_param_load(x, NULL), ICSEG_OK);
        assert_int_equal(icseg_param_load(y, NULL), ICSEG_OK);
        assert_memory_equal(x->data, y->data, (size_t)x->count * sizeof *x->data);
    }
    for (int i = 0; i < 2; i++) icseg_model_close(&models[i]);
}

/* The best evaluation of the stopped run was after step 4 or before; both are tried. */
static void removed_best_weights_are_written_again(void **state) {
    run r = {.stop_at = 4};
    (void)state;
    edit_header("\\\"best_step\\\": ", "\\\"best_step\\\": 4, \\\"x\\\": ");
    assert_int_equal(unlink(path_of("run/best.safetensors")), 0);
    assert_int_equal(resume(&r), ICSEG_ERROR_CANCELLED);
    assert_null(strstr(r.messages, "best.safetensors is missing"));
    assert_same_weights("run/best.safetensors", "run/checkpoint.safetensors");

    edit_header("\\\"best_step\\\": ", "\\\"best_step\\\": 2, \\\"x\\\": ");
    assert_int_equal(unlink(path_of("run/best.safetensors")), 0);
    r.stop_at = 0;
    assert_int_equal(resume(&r), ICSEG_OK);
    assert_non_null(strstr(r.messages, "best.safetensors: is missing; the search for the best weights starts over"));
    assert_true(icseg_file_exists(path_of("run/best.safetensors")));
    assert_int_equal(r.result.best_step, STEPS);

    /* Only the evaluation for the report remains. */
    assert_int_equal(unlink(path_of("run/best.safetensors")), 0);
    assert_int_equal(resume(&r), ICSEG_OK);
    assert_true(icseg_file_exists(path_of("run/best.safetensors")));
    assert_int_equal(r.result.best_step, STEPS);
}

/* Runs that began when the state was in a file of its own, beside a checkpoint without it. */
static void a_former_state_is_resumed_and_replaced(void **state) {
    run r = {.stop_at = 0};
    (void)state;
    write_file("run/state.safetensors", state_then);
    write_file("run/checkpoint.safetensors", best_then);
    assert_int_equal(resume(&r), ICSEG_OK);
    assert_int_equal(r.result.steps, STEPS);
    assert_false(icseg_file_exists(path_of("run/state.safetensors")));
    icseg_bytes resumed = read_file("run/checkpoint.safetensors");
    write_file("run/checkpoint.safetensors", state_then);
    assert_int_equal(resume(&r), ICSEG_OK);
    icseg_bytes other = read_file("run/checkpoint.safetensors");
    assert_true(resumed.size == other.size && !memcmp(resumed.data, other.data, other.size));
    close_bytes(&resumed);
    close_bytes(&other);

    /* Without a state, a checkpoint cannot be resumed, and is not overwritten. */
    write_file("run/checkpoint.safetensors", best_then);
    resume_badly(ICSEG_ERROR_FORMAT, "the metadata icseg.recipe is missing");
    icseg_bytes kept = read_file("run/checkpoint.safetensors");
    assert_true(kept.size == best_then.size && !memcmp(kept.data, best_then.data, kept.size));
    close_bytes(&kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_is_checked),
        cmocka_unit_test(values_that_training_cannot_produce_are_refused),
        cmocka_unit_test(removed_best_weights_are_written_again),
        cmocka_unit_test(a_former_state_is_resumed_and_replaced),
    };
    return cmocka_run_group_tests(tests, open_run, remove_run);
}

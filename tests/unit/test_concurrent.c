/* SPDX-License-Identifier: Apache-2.0
 * Several threads of one host, each with a team of its own, do at the same time what one thread does alone: training,
 * evaluation on a shared model and a shared data set, checks, scenes, tokens. And one thread cancels another's work.
 * The results are those of one thread alone; ThreadSanitizer looks for races (CONTRIBUTING.md). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/evaluate.h"
#include "icseg/session.h"
#include "icseg/synth.h"
#include "icseg/text.h"
#include "icseg/train.h"
#include "support/dataset_files.h"

enum { HOSTS = 3, TEAM = 2, STEPS = 3, TOKENS = 64 };

static test_folder folder;
static char data_path[96], model_path[128];

/* One thread of the host and its results. */
typedef struct host {
    int number; /* names its files */
    icseg_model *model;
    icseg_dataset *dataset;
    icseg_tokenizer *tokenizer;
    icseg_progress *progress;
    icseg_confusion confusion;
    icseg_dataset_summary summary;
    int32_t ids[TOKENS];
    icseg_status status;
    icseg_error error;
} host;

/* Starts work(&hosts[i]) for all `count` hosts, and waits for them. */
static void run_at_once(void *(*work)(void *), host *hosts, int count) {
    pthread_t thread[HOSTS];
    for (int i = 0; i < count; i++) {
        hosts[i].number = i;
        assert_int_equal(pthread_create(&thread[i], NULL, work, &hosts[i]), 0);
    }
    for (int i = 0; i < count; i++) pthread_join(thread[i], NULL);
}

static void assert_all_ok(const host *hosts, int count) {
    for (int i = 0; i < count; i++)
        if (hosts[i].status != ICSEG_OK) fail_msg("host %d: %s", i, hosts[i].error.message);
}

static void assert_same_file(const char *a, const char *b) {
    unsigned char *data[2] = {NULL};
    size_t size[2] = {0};
    assert_int_equal(icseg_file_read(test_path(&folder, a), 1 << 28, &data[0], &size[0], NULL), ICSEG_OK);
    assert_int_equal(icseg_file_read(test_path(&folder, b), 1 << 28, &data[1], &size[1], NULL), ICSEG_OK);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(data[0], data[1], size[0]);
    for (int i = 0; i < 2; i++) icseg_free(data[i]);
}

static icseg_recipe *small_recipe(int steps) {
    static const char text[] =
        "model: {preset: tiny-resnet, resnet_width: 4, context_length: 40, dropout: 0.1}\n"
        "data: {folder: '%s', loader_threads: 2}\n"
        "augment: {crop: [64, 64], resize_short: 0, photometric: true}\n"
        "train: {steps: %d, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 1, threads: %d, eval_every: 2}\n"
        "eval: {resize_short: 0}\n";
    char full[1024];
    icseg_recipe *recipe;
    icseg_error error;
    snprintf(full, sizeof full, text, data_path, steps, TEAM);
    test_write_text(&folder, "recipe.yaml", full);
    if (icseg_recipe_open(&recipe, test_path(&folder, "recipe.yaml"), &error) != ICSEG_OK)
        fail_msg("%s", error.message);
    return recipe;
}

/* -- work of a host */

static icseg_recipe *recipes[HOSTS];

static void *train(void *user) {
    host *h = user;
    char out[128];
    snprintf(out, sizeof out, "%s/run%d", folder.path, h->number);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = out};
    h->status = icseg_train(recipes[h->number], &o, h->progress, NULL, &h->error);
    return NULL;
}

static void *evaluate(void *user) {
    host *h = user;
    icseg_session *session = NULL;
    icseg_session_options o = {ICSEG_SESSION_OPTIONS_INIT, .threads = TEAM};
    h->status = icseg_session_open(&session, h->model, &o, &h->error);
    if (h->status == ICSEG_OK)
        h->status = icseg_evaluate(session, h->dataset, NULL, h->progress, &h->confusion, &h->error);
    icseg_session_close(&session);
    return NULL;
}

static void *check(void *user) {
    host *h = user;
    icseg_dataset_check_options o = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = TEAM, .decode_images = true};
    h->summary.struct_size = sizeof h->summary;
    h->status = icseg_dataset_check(h->dataset, &o, h->progress, &h->summary, &h->error);
    return NULL;
}

static void *draw(void *user) {
    host *h = user;
    char out[128];
    snprintf(out, sizeof out, "%s/scenes%d", folder.path, h->number);
    icseg_synth_options o = {ICSEG_SYNTH_OPTIONS_INIT, .folder = out, .train = 4, .val = 2, .width = 64, .height = 64,
                             .threads = TEAM};
    h->status = icseg_synth_write(&o, h->progress, &h->error);
    return NULL;
}

static void *encode(void *user) {
    host *h = user;
    for (int i = 0; i < 20 && h->status == ICSEG_OK; i++)
        h->status = icseg_tokenizer_encode_context(h->tokenizer, "a caf\xc3\xa9 &amp; two  dogs", h->ids, TOKENS, NULL,
                                                   &h->error);
    return NULL;
}

/* -- at once */

static icseg_dataset *open_data(void) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = data_path, .split = "val"};
    icseg_dataset *dataset;
    icseg_error error;
    if (icseg_dataset_open(&dataset, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return dataset;
}

static icseg_model *open_model(void) {
    icseg_model *model;
    icseg_error error;
    if (icseg_model_open(&model, model_path, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return model;
}

static void trainings_write_the_same_bytes(void **state) {
    static const char *const names[] = {"checkpoint.safetensors", "best.safetensors"};
    host hosts[HOSTS] = {0};
    char other[64];
    (void)state;
    for (int i = 0; i < HOSTS; i++) recipes[i] = small_recipe(STEPS);
    run_at_once(train, hosts, 1); /* alone, for run0, which the others are compared with */
    assert_all_ok(hosts, 1);
    assert_int_equal(rename(test_path(&folder, "run0"), test_path(&folder, "alone")), 0);
    run_at_once(train, hosts, HOSTS);
    assert_all_ok(hosts, HOSTS);
    for (int i = 0; i < HOSTS; i++) {
        for (int k = 0; k < 2; k++) {
            char own[64];
            snprintf(own, sizeof own, "run%d/%s", i, names[k]);
            snprintf(other, sizeof other, "alone/%s", names[k]);
            assert_same_file(own, other);
        }
        icseg_recipe_close(&recipes[i]);
    }
}

/* The weights are read and packed by the session that needs them first. */
static void evaluations_share_a_model_and_a_data_set(void **state) {
    host alone = {0}, hosts[HOSTS] = {0};
    icseg_dataset *dataset = open_data();
    (void)state;
    alone.dataset = dataset;
    alone.model = open_model();
    run_at_once(evaluate, &alone, 1);
    assert_all_ok(&alone, 1);
    icseg_model_close(&alone.model);
    icseg_model *model = open_model();
    for (int i = 0; i < HOSTS; i++) hosts[i] = (host){.model = model, .dataset = dataset};
    run_at_once(evaluate, hosts, HOSTS);
    assert_all_ok(hosts, HOSTS);
    size_t cells = (size_t)alone.confusion.classes * (size_t)alone.confusion.classes;
    for (int i = 0; i < HOSTS; i++) {
        assert_memory_equal(hosts[i].confusion.count, alone.confusion.count, cells * sizeof *alone.confusion.count);
        icseg_confusion_close(&hosts[i].confusion);
    }
    icseg_confusion_close(&alone.confusion);
    icseg_model_close(&model);
    icseg_dataset_close(&dataset);
}

static void checks_share_a_data_set(void **state) {
    host hosts[HOSTS] = {0};
    icseg_dataset *dataset = open_data();
    (void)state;
    for (int i = 0; i < HOSTS; i++) hosts[i].dataset = dataset;
    run_at_once(check, hosts, HOSTS);
    assert_all_ok(hosts, HOSTS);
    for (int i = 0; i < HOSTS; i++) {
        assert_int_equal(hosts[i].summary.images, 2);
        assert_int_equal(hosts[i].summary.pixels, 2 * 96 * 64);
        assert_int_equal(hosts[i].summary.problems, 0);
        icseg_dataset_summary_close(&hosts[i].summary);
    }
    icseg_dataset_close(&dataset);
}

static void scenes_are_the_same_files(void **state) {
    static const char *const names[] = {"images/train/000003.jpg", "annotations/val/000001.png", "classes.txt"};
    host hosts[HOSTS] = {0};
    (void)state;
    run_at_once(draw, hosts, HOSTS);
    assert_all_ok(hosts, HOSTS);
    for (int i = 1; i < HOSTS; i++) {
        for (int k = 0; k < 2; k++) {
            char own[64], first[64];
            snprintf(own, sizeof own, "scenes%d/%s", i, names[k]);
            snprintf(first, sizeof first, "scenes0/%s", names[k]);
            assert_same_file(own, first);
        }
    }
}

static void tokenizers_are_shared(void **state) {
    host hosts[HOSTS] = {0};
    icseg_tokenizer *tokenizer;
    (void)state;
    assert_int_equal(icseg_tokenizer_open(&tokenizer, ICSEG_TOKENIZER_BYTES, NULL, NULL), ICSEG_OK);
    for (int i = 0; i < HOSTS; i++) hosts[i].tokenizer = tokenizer;
    run_at_once(encode, hosts, HOSTS);
    assert_all_ok(hosts, HOSTS);
    for (int i = 0; i < HOSTS; i++) {
        assert_memory_equal(hosts[i].ids, hosts[0].ids, sizeof hosts[0].ids);
        assert_int_equal(hosts[i].ids[0], icseg_tokenizer_sos(tokenizer));
    }
    icseg_tokenizer_close(&tokenizer);
}

/* -- cancelling */

/* Shared by the thread that works and the one that cancels. */
typedef struct switchboard {
    _Atomic int events;
    atomic_bool cancelled;
} switchboard;

static bool report(void *user, const icseg_progress_event *event) {
    switchboard *s = user;
    (void)event;
    s->events++;
    return !s->cancelled;
}

static void *cancel_soon(void *user) {
    switchboard *s = user;
    while (!s->events) usleep(1000);
    s->cancelled = true;
    return NULL;
}

static void assert_cancelled_by_another_thread(void *(*work)(void *), host *h) {
    switchboard board = {0};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = report, .user = &board};
    pthread_t thread;
    h->progress = &progress;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &board), 0);
    run_at_once(work, h, 1);
    pthread_join(thread, NULL);
    assert_int_equal(h->status, ICSEG_ERROR_CANCELLED);
}

static void another_thread_cancels_a_training(void **state) {
    host h = {0};
    (void)state;
    recipes[0] = small_recipe(100000);
    assert_int_equal(rename(test_path(&folder, "run0"), test_path(&folder, "kept")), 0);
    assert_cancelled_by_another_thread(train, &h);
    icseg_recipe_close(&recipes[0]);
}

/* -- */

static int set_up(void **state) {
    (void)state;
    folder = test_dataset_open("");
    snprintf(data_path, sizeof data_path, "%s/data", folder.path);
    snprintf(model_path, sizeof model_path, "%s/alone/checkpoint.safetensors", folder.path);
    icseg_synth_options o = {
        ICSEG_SYNTH_OPTIONS_INIT, .folder = data_path, .train = 4, .val = 2, .width = 96, .height = 64};
    return icseg_synth_write(&o, NULL, NULL) == ICSEG_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trainings_write_the_same_bytes), /* whose model the next test opens */
        cmocka_unit_test(evaluations_share_a_model_and_a_data_set),
        cmocka_unit_test(checks_share_a_data_set),
        cmocka_unit_test(scenes_are_the_same_files),
        cmocka_unit_test(tokenizers_are_shared),
        cmocka_unit_test(another_thread_cancels_a_training),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: Apache-2.0
 * Pretraining: learning, resuming to the same bytes, frozen encoders, initial weights, what a run refuses, and the use
 * of its checkpoint. */
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
#include "icseg/classify.h"
#include "pretrain/run.h"
#include "support/near.h"

enum { PAIRS = 12, PATHS = 4, PATH_SIZE = 300, SETS = 8 };

static const char *const colors[] = {"red", "green", "blue", "white"};
static const uint8_t values[][3] = {{220, 30, 30}, {20, 200, 40}, {30, 40, 220}, {235, 235, 235}};
enum { COLORS = 4 };

static char folder[64];
static icseg_error error;

static const char *path_of(const char *name) {
    static char paths[PATHS][PATH_SIZE];
    static int next;
    char *path = paths[next++ % PATHS];
    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static void run_shell(const char *format, const char *argument) {
    char command[2 * PATH_SIZE];
    snprintf(command, sizeof command, format, argument);
    assert_int_equal(system(command), 0);
}

/* Plain images of a colour, with captions and classes that name it. */
static void write_pairs(const char *name, int count) {
    icseg_string list = {0};
    char file[40];
    run_shell("mkdir -p '%s'", path_of(name));
    for (int i = 0; i < count; i++) {
        icseg_image image;
        ok(icseg_image_create(&image, 64, 48, &error));
        for (int p = 0; p < 64 * 48 * 3; p++)
            image.data[p] = (uint8_t)(values[i % COLORS][p % 3] + (p * 7 + i * 31) % 17);
        snprintf(file, sizeof file, "%s/%02d.png", name, i);
        ok(icseg_image_write_png(&image, path_of(file), &error));
        icseg_image_close(&image);
        icseg_string_printf(&list, "{\"image\": \"%02d.png\", \"caption\": \"a photo of a %s\", \"class\": \"%s\"}\n",
                            i, colors[i % COLORS], colors[i % COLORS]);
    }
    snprintf(file, sizeof file, "%s/captions.jsonl", name);
    ok(icseg_file_write(path_of(file), list.data, list.size, &error));
    icseg_string_close(&list);
}

static int open_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/icseg_pretrain_XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_pairs("pairs", PAIRS);
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    run_shell("rm -rf '%s'", folder);
    return 0;
}

/* -- running */

typedef struct test_run {
    const char *out, *set[SETS]; /* NULL ends the list */
    bool resume;
    int64_t stop_at; /* cancels after so many steps; 0: never */
    icseg_pretrain_result result;
    char messages[4000];
} test_run;

static bool report(void *user, const icseg_progress_event *event) {
    const test_run *r = user;
    return !r->stop_at || strcmp(event->stage, "pretrain") != 0 || event->done < (double)r->stop_at;
}

static void message(void *user, icseg_message_level level, const char *text) {
    test_run *r = user;
    (void)level;
    snprintf(r->messages + strlen(r->messages), sizeof r->messages - strlen(r->messages), "%s\n", text);
}

/* NULL if a setting is refused. */
static icseg_recipe *recipe_of(const test_run *r) {
    static const char *const usual[] = {"pretrain.steps=6",     "pretrain.batch=4",
                                        "pretrain.warmup=2",    "pretrain.eval_every=3",
                                        "pretrain.log_every=1", "pretrain.checkpoint_every=2",
                                        "pretrain.seed=3",      "pretrain.crop_scale=0.5,1"};
    icseg_recipe *recipe;
    ok(icseg_recipe_open_preset(&recipe, "tiny-resnet", &error));
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) ok(icseg_recipe_assign(recipe, usual[i], &error));
    ok(icseg_recipe_set(recipe, "pretrain.pairs", path_of("pairs"), &error));
    ok(icseg_recipe_set(recipe, "pretrain.val_pairs", path_of("pairs"), &error));
    for (int i = 0; i < SETS && r->set[i] && recipe; i++)
        if (icseg_recipe_assign(recipe, r->set[i], &error) != ICSEG_OK) icseg_recipe_close(&recipe);
    return recipe;
}

static icseg_status run(test_run *r) {
    icseg_pretrain_options options = {ICSEG_PRETRAIN_OPTIONS_INIT, .out = path_of(r->out), .resume = r->resume,
                                      .threads = 1};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = report, .message = message, .user = r};
    icseg_recipe *recipe = recipe_of(r);
    if (!recipe) return error.status;
    r->result = (icseg_pretrain_result){ICSEG_PRETRAIN_RESULT_INIT};
    icseg_status status = icseg_pretrain(recipe, &options, &progress, &r->result, &error);
    icseg_recipe_close(&recipe);
    return status;
}

static void run_well(test_run *r) { ok(run(r)); }

static void run_badly(test_run *r, icseg_status wanted, const char *text) {
    icseg_status status = run(r);
    if (status != wanted || !strstr(error.message, text))
        fail_msg("%s: status %d, \"%s\"; expected %d, \"%s\"", r->out, (int)status, error.message, (int)wanted, text);
}

static const char *file_of(const char *run_name, const char *name) {
    char file[100];
    snprintf(file, sizeof file, "%s/%s", run_name, name);
    return path_of(file);
}

static bool same_checkpoint(const char *a, const char *b) {
    unsigned char *x, *y;
    size_t m, n;
    ok(icseg_file_read(file_of(a, "checkpoint.safetensors"), 1 << 30, &x, &m, &error));
    ok(icseg_file_read(file_of(b, "checkpoint.safetensors"), 1 << 30, &y, &n, &error));
    bool same = m == n && !memcmp(x, y, m);
    icseg_free(x);
    icseg_free(y);
    return same;
}

/* -- learning */

static void it_learns_what_pictures_show(void **state) {
    (void)state;
    test_run r = {.out = "learns",
                  .set = {"pretrain.steps=60", "pretrain.lr=2e-3", "pretrain.batch=8", "pretrain.eval_every=0",
                          "pretrain.log_every=10"}};
    run_well(&r);
    assert_int_equal(r.result.steps, 60);
    assert_int_equal(r.result.scores.pairs, PAIRS);
    assert_true(r.result.scores.zero_shot == 1); /* four colours; a quarter by chance */
    assert_true(r.result.scores.image_to_text[0] == 1 && r.result.scores.text_to_image[0] == 1);
    assert_true(r.result.logit_scale > 10 && r.result.logit_scale <= 100.001);
    icseg_log log;
    ok(icseg_log_read(&log, file_of("learns", "log.jsonl"), &error));
    assert_int_equal(log.steps, 6);
    assert_int_equal(log.score_count, 1);
    assert_int_equal(log.score_names, 7);
    assert_true(log.step[5].loss[0] < 0.8 * log.step[0].loss[0]);
    icseg_log_close(&log);
    assert_true(icseg_file_exists(file_of("learns", "report.html")));
}

/* The checkpoint is a CLIP model: a classifier tells the colours of pictures. */
static void its_checkpoint_classifies(void **state) {
    (void)state;
    char weights[PATH_SIZE];
    snprintf(weights, sizeof weights, "%s", file_of("learns", "checkpoint.safetensors"));
    icseg_classifier_options options = {ICSEG_CLASSIFIER_OPTIONS_INIT, .weights = weights, .class_names = colors,
                                        .class_count = COLORS};
    icseg_classifier *classifier;
    ok(icseg_classifier_open(&classifier, &options, NULL, &error));
    for (int i = 0; i < COLORS; i++) {
        char name[20];
        icseg_image image;
        float shares[COLORS];
        snprintf(name, sizeof name, "pairs/%02d.png", i);
        ok(icseg_image_read(&image, path_of(name), &error));
        ok(icseg_classifier_run(classifier, &image, shares, NULL, &error));
        for (int k = 0; k < COLORS; k++)
            if (k != i) assert_true(shares[i] > shares[k]);
        icseg_image_close(&image);
    }
    icseg_classifier_close(&classifier);
}

/* If all embeddings are equal, nothing is found: equal similarities do not count as hits. */
static void encoders_that_collapsed_score_nothing(void **state) {
    (void)state;
    const icseg_towers_options options = {.batch = 2, .chunk = 2};
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_pretrain_scores scores;
    icseg_scoring s = {.limit = PAIRS};
    icseg_pair_source *source;
    icseg_tokenizer *tokenizer;
    int32_t left_out;
    ok(icseg_config_preset(&config, "tiny-resnet", &error));
    config.vocab_size = ICSEG_BYTE_VOCAB;
    ok(icseg_towers_open(&s.towers, &config, &options, &error)); /* all weights are zero */
    ok(icseg_params_load(icseg_towers_params(s.towers), &error));
    ok(icseg_pair_source_open(&source, path_of("pairs"), &error));
    ok(icseg_tokenizer_open_bytes(&tokenizer, &error));
    s.source = source;
    s.tokenizer = tokenizer;
    ok(icseg_pairs_score(&s, NULL, &scores, &left_out, &error));
    assert_int_equal(scores.pairs, PAIRS);
    assert_int_equal(left_out, 0);
    assert_true(scores.zero_shot == 0);
    assert_true(scores.image_to_text[0] == 0 && scores.text_to_image[0] == 0);
    icseg_tokenizer_close(&tokenizer);
    icseg_pair_source_close(&source);
    icseg_towers_close(&s.towers);
}

/* Pairs of one caption all match each other. */
static void pairs_of_one_caption_match_each_other(void **state) {
    (void)state;
    write_pairs("equal", 4);
    char key[PATH_SIZE + 30], list[PATH_SIZE];
    icseg_string text = {0};
    for (int i = 0; i < 4; i++) icseg_string_printf(&text, "{\"image\": \"%02d.png\", \"caption\": \"the same\"}\n", i);
    ok(icseg_file_write(path_of("equal/captions.jsonl"), text.data, text.size, &error));
    icseg_string_close(&text);
    snprintf(list, sizeof list, "%s", path_of("equal"));
    snprintf(key, sizeof key, "pretrain.val_pairs=%s", list);
    test_run r = {.out = "equal_run", .set = {key, "pretrain.steps=3"}};
    run_well(&r);
    assert_true(r.result.scores.image_to_text[0] == 1 && r.result.scores.text_to_image[0] == 1);
    assert_true(isnan(r.result.scores.zero_shot)); /* no classes */
    icseg_log log;
    ok(icseg_log_read(&log, file_of("equal_run", "log.jsonl"), &error));
    assert_int_equal(log.score_names, 6);
    for (int i = 0; i < 6; i++) assert_true(log.scores[0].value[i] == 1);
    icseg_log_close(&log);
}

/* -- the learning rate */

static void the_learning_rate_warms_up_and_falls(void **state) {
    (void)state;
    icseg_recipe_settings s = {.pretrain = {.steps = 110, .warmup = 10, .lr = 1, .min_lr = 0.2, .power = 2}};
    assert_near(icseg_pretrain_lr(&s, 0), 0.1, 1e-12);
    assert_near(icseg_pretrain_lr(&s, 9), 1, 1e-12);
    assert_near(icseg_pretrain_lr(&s, 10), 1, 1e-12);
    assert_near(icseg_pretrain_lr(&s, 60), 0.6, 1e-12); /* half of the way */
    assert_near(icseg_pretrain_lr(&s, 35), 0.2 + 0.8 * 0.5 * (1 + sqrt(0.5)), 1e-12);
    s.pretrain.decay = ICSEG_PRETRAIN_POLY;
    assert_near(icseg_pretrain_lr(&s, 60), 0.2 + 0.8 * 0.25, 1e-12);
    s.pretrain.warmup = 0;
    assert_near(icseg_pretrain_lr(&s, 0), 1, 1e-12);
}

/* -- resuming */

static void a_stopped_run_resumes_to_the_same_bytes(void **state) {
    (void)state;
    run_well(&(test_run){.out = "whole"});
    icseg_log whole, stopped;
    ok(icseg_log_read(&whole, file_of("whole", "log.jsonl"), &error));
    assert_int_equal(whole.score_count, 2);
    icseg_safetensors *file;
    ok(icseg_safetensors_open(&file, file_of("whole", "checkpoint.safetensors"), &error));
    assert_non_null(strstr(icseg_safetensors_metadata(file, "icseg.pretrain"), "\"eval_pending\": false"));
    icseg_safetensors_close(&file);
    for (int64_t at = 1; at < 6; at++) {
        test_run r = {.out = "stopped", .stop_at = at};
        run_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
        r.resume = true;
        r.stop_at = 0;
        run_well(&r);
        assert_non_null(strstr(r.messages, "resumes after step"));
        assert_true(same_checkpoint("whole", "stopped"));
        ok(icseg_log_read(&stopped, file_of("stopped", "log.jsonl"), &error));
        assert_int_equal(stopped.steps, whole.steps);
        assert_int_equal(stopped.score_count, whole.score_count);
        for (int64_t i = 0; i < whole.steps; i++) assert_true(stopped.step[i].loss[0] == whole.step[i].loss[0]);
        for (int64_t i = 0; i < whole.score_count; i++) {
            assert_int_equal(stopped.scores[i].step, whole.scores[i].step);
            assert_memory_equal(stopped.scores[i].value, whole.scores[i].value, 7 * sizeof(double));
        }
        icseg_log_close(&stopped);
        run_shell("rm -rf '%s'", path_of("stopped"));
    }
    icseg_log_close(&whole);
}

static void loader_threads_do_not_change_a_run(void **state) {
    (void)state;
    run_well(&(test_run){.out = "two_loaders", .set = {"pretrain.loader_threads=2"}});
    /* the recipes in the files differ, not the weights */
    icseg_safetensors *a, *b;
    ok(icseg_safetensors_open(&a, file_of("whole", "checkpoint.safetensors"), &error));
    ok(icseg_safetensors_open(&b, file_of("two_loaders", "checkpoint.safetensors"), &error));
    assert_true(icseg_safetensors_count(a) > 100);
    for (size_t i = 0; i < icseg_safetensors_count(a); i++) {
        const icseg_safetensors_entry *x = icseg_safetensors_at(a, i);
        size_t count = (size_t)icseg_shape_count(x->shape);
        float *one = icseg_alloc_array(count + 1, sizeof *one), *two = icseg_alloc_array(count + 1, sizeof *two);
        ok(icseg_safetensors_read_f32(a, x->name, x->shape, one, &error));
        ok(icseg_safetensors_read_f32(b, x->name, x->shape, two, &error));
        assert_memory_equal(one, two, count * sizeof *one);
        icseg_free(one);
        icseg_free(two);
    }
    icseg_safetensors_close(&a);
    icseg_safetensors_close(&b);
}

static void a_run_refuses_what_would_change_it(void **state) {
    (void)state;
    run_badly(&(test_run){.out = "whole"}, ICSEG_ERROR_ARGUMENT, "already contains a run");
    assert_int_equal(error.remedy, ICSEG_REMEDY_RESUME);
    test_run r = {.out = "begun", .stop_at = 4};
    run_badly(&r, ICSEG_ERROR_CANCELLED, "stopped after step 4 of 6");
    run_badly(&(test_run){.out = "begun", .resume = true, .set = {"pretrain.lr=1"}}, ICSEG_ERROR_ARGUMENT,
              "began with pretrain.lr = 0.0005");
    run_badly(&(test_run){.out = "begun", .resume = true, .set = {"model.text_layers=1"}}, ICSEG_ERROR_ARGUMENT,
              "model.text_layers");
    write_pairs("fewer", PAIRS - 1);
    char key[PATH_SIZE + 30];
    snprintf(key, sizeof key, "pretrain.pairs=%s", path_of("fewer"));
    run_badly(&(test_run){.out = "begun", .resume = true, .set = {key}}, ICSEG_ERROR_ARGUMENT, "the pairs differ");
    run_well(&(test_run){.out = "begun", .resume = true, .set = {"pretrain.log_every=5"}}); /* does not matter */
}

/* -- what is trained */

static int count_changed(const char *a, const char *b, const char *prefix, int *all) {
    icseg_safetensors *x, *y;
    int changed = 0;
    *all = 0;
    ok(icseg_safetensors_open(&x, file_of(a, "checkpoint.safetensors"), &error));
    ok(icseg_safetensors_open(&y, file_of(b, "checkpoint.safetensors"), &error));
    for (size_t i = 0; i < icseg_safetensors_count(x); i++) {
        const icseg_safetensors_entry *e = icseg_safetensors_at(x, i);
        if (strncmp(e->name, prefix, strlen(prefix)) != 0) continue;
        size_t count = (size_t)icseg_shape_count(e->shape);
        float *one = icseg_alloc_array(count, sizeof *one), *two = icseg_alloc_array(count, sizeof *two);
        ok(icseg_safetensors_read_f32(x, e->name, e->shape, one, &error));
        ok(icseg_safetensors_read_f32(y, e->name, e->shape, two, &error));
        changed += memcmp(one, two, count * sizeof *one) != 0;
        (*all)++;
        icseg_free(one);
        icseg_free(two);
    }
    icseg_safetensors_close(&x);
    icseg_safetensors_close(&y);
    return changed;
}

static void frozen_encoders_stay_as_they_are(void **state) {
    (void)state;
    char init[PATH_SIZE + 30];
    int all;
    snprintf(init, sizeof init, "model.init=%s", file_of("learns", "checkpoint.safetensors"));
    test_run image = {.out = "frozen_image", .set = {init, "pretrain.freeze_image=true"}};
    run_well(&image);
    assert_non_null(strstr(image.messages, "tensors loaded"));
    assert_int_equal(count_changed("learns", "frozen_image", "visual.", &all), 0); /* running statistics, too */
    assert_true(all > 20);
    assert_true(count_changed("learns", "frozen_image", "transformer.", &all) == all && all > 10);
    assert_int_equal(count_changed("learns", "frozen_image", "logit_scale", &all), 1);
    run_well(&(test_run){.out = "frozen_text", .set = {init, "pretrain.freeze_text=true"}});
    assert_int_equal(count_changed("learns", "frozen_text", "transformer.", &all), 0);
    assert_int_equal(count_changed("learns", "frozen_text", "token_embedding", &all), 0);
    assert_true(count_changed("learns", "frozen_text", "visual.", &all) > 20);
}

/* -- what is refused */

static void contradictory_keys_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *set, *field;
    } cases[] = {{"pretrain.batch=1", "pretrain.batch"},
                 {"pretrain.chunk=5", "pretrain.chunk"},
                 {"pretrain.warmup=6", "pretrain.warmup"},
                 {"pretrain.min_lr=1", "pretrain.min_lr"},
                 {"pretrain.crop_scale=0.9,0.5", "pretrain.crop_scale"},
                 {"pretrain.pairs=", "pretrain.pairs"},
                 {"model.text_heads=3", "model.text_heads"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_run r = {.out = "refused", .set = {cases[i].set}};
        assert_int_not_equal(run(&r), ICSEG_OK);
        if (strcmp(error.field, cases[i].field) != 0 && !strstr(error.message, cases[i].field + 6))
            fail_msg("%s: field %s: %s", cases[i].set, error.field, error.message);
        assert_false(icseg_folder_exists(path_of("refused")));
    }
    run_badly(&(test_run){.out = "refused", .set = {"model.init=/no/such/file"}}, ICSEG_ERROR_ARGUMENT,
              "does not exist");
    assert_false(icseg_folder_exists(path_of("refused")));
    run_badly(&(test_run){.out = "refused", .set = {"pretrain.freeze_image=true", "pretrain.freeze_text=true"}},
              ICSEG_ERROR_ARGUMENT, "nothing would be trained");
}

static void broken_pairs_are_counted_up_to_the_limit(void **state) {
    (void)state;
    char key[PATH_SIZE + 30], val[PATH_SIZE + 30];
    write_pairs("broken", PAIRS);
    ok(icseg_file_write(path_of("broken/03.png"), "no image", 8, &error));
    run_shell("rm '%s'", path_of("broken/07.png"));
    snprintf(key, sizeof key, "pretrain.pairs=%s", path_of("broken"));
    snprintf(val, sizeof val, "pretrain.val_pairs=%s", path_of("broken"));
    test_run r = {.out = "broken_run", .set = {key, val, "pretrain.broken=2"}};
    run_well(&r);
    assert_int_equal(r.result.broken, 2);
    assert_int_equal(r.result.scores.pairs, PAIRS - 2);
    assert_non_null(strstr(r.messages, "2 pairs could not be read"));
    assert_non_null(strstr(r.messages, "2 held-out pairs cannot be read"));
    run_badly(&(test_run){.out = "too_broken", .set = {key, "pretrain.broken=1"}}, ICSEG_ERROR_DATA,
              "2 pairs cannot be read; the limit is 1. The first one: ");
    assert_true(strstr(error.message, "03.png") || strstr(error.message, "07.png"));
}

static void long_captions_are_cut_and_counted(void **state) {
    (void)state;
    test_run r = {.out = "long", .set = {"model.context_length=10", "pretrain.steps=3"}};
    run_well(&r);
    assert_true(r.result.cut > 0); /* "a photo of a red" */
    assert_non_null(strstr(r.messages, "were cut, because they have more than 8 tokens"));
}

static void a_loss_that_is_not_finite_keeps_the_last_checkpoint(void **state) {
    (void)state;
    test_run r = {.out = "diverges",
                  .set = {"pretrain.lr=1e30", "pretrain.warmup=0", "pretrain.checkpoint_every=1", "pretrain.steps=50",
                          "pretrain.eval_every=0"}};
    icseg_status status = run(&r);
    assert_int_equal(status, ICSEG_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "step "));
    assert_non_null(strstr(error.message, "pretrain.lr"));
}

static void damaged_checkpoints_are_refused(void **state) {
    (void)state;
    char file[PATH_SIZE];
    run_badly(&(test_run){.out = "damaged", .stop_at = 3}, ICSEG_ERROR_CANCELLED, "resumed");
    snprintf(file, sizeof file, "%s", file_of("damaged", "checkpoint.safetensors"));
    run_shell("sed -i 's/\\\\\"step\\\\\": 3/\\\\\"step\\\\\": 9/' '%s'", file);
    run_badly(&(test_run){.out = "damaged", .resume = true}, ICSEG_ERROR_FORMAT, "step is missing or not in 0..6");
    run_shell("sed -i 's/icseg.pretrain/icseg.pretrxxn/' '%s'", file);
    run_badly(&(test_run){.out = "damaged", .resume = true}, ICSEG_ERROR_ARGUMENT,
              "not the checkpoint of a pretraining");
    run_shell("truncate -s 1000 '%s'", file);
    run_badly(&(test_run){.out = "damaged", .resume = true}, ICSEG_ERROR_FORMAT, file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns_what_pictures_show),
        cmocka_unit_test(its_checkpoint_classifies),
        cmocka_unit_test(encoders_that_collapsed_score_nothing),
        cmocka_unit_test(pairs_of_one_caption_match_each_other),
        cmocka_unit_test(the_learning_rate_warms_up_and_falls),
        cmocka_unit_test(a_stopped_run_resumes_to_the_same_bytes),
        cmocka_unit_test(loader_threads_do_not_change_a_run),
        cmocka_unit_test(a_run_refuses_what_would_change_it),
        cmocka_unit_test(frozen_encoders_stay_as_they_are),
        cmocka_unit_test(contradictory_keys_are_refused),
        cmocka_unit_test(broken_pairs_are_counted_up_to_the_limit),
        cmocka_unit_test(long_captions_are_cut_and_counted),
        cmocka_unit_test(a_loss_that_is_not_finite_keeps_the_last_checkpoint),
        cmocka_unit_test(damaged_checkpoints_are_refused),
    };
    return cmocka_run_group_tests(tests, open_folder, close_folder);
}

/* SPDX-License-Identifier: Apache-2.0
 * Training: it learns, is reproducible and resumable after every kind of stop, averages gradients as documented, does
 * not change frozen parts, reports values that are not finite, and refuses changes that do not match the run. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/synth.h"
#include "icseg/train.h"
#include "support/near.h"
#include "train/trainer.h"

enum { SETS = 12, PATH_SIZE = 200 };

static char folder[64];

static const char recipe_text[] = "model: {preset: tiny-resnet, context_length: 40, dropout: 0.1}\n"
                                  "data: {folder: none}\n"
                                  "augment: {crop: [64, 64], resize_short: 0, photometric: true}\n"
                                  "train: {steps: 6, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 2, threads: 1,\n"
                                  "        log_every: 1, eval_every: 4, checkpoint_every: 3, clip_norm: 5, seed: 3}\n"
                                  "eval: {resize_short: 0}\n";

/* Returns one of four buffers in turn. */
static const char *path_of(const char *name) {
    static char buffers[4][PATH_SIZE];
    static int next;
    char *buffer = buffers[next++ % 4];
    snprintf(buffer, PATH_SIZE, "%s/%s", folder, name);
    return buffer;
}

static void write_text(const char *name, const char *text) {
    assert_int_equal(icseg_file_write(path_of(name), text, strlen(text), NULL), ICSEG_OK);
}

static void remove_tree(const char *path) {
    char command[PATH_SIZE + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/icseg_trainer_XXXXXX");
    if (!mkdtemp(folder)) return -1;
    icseg_synth_options o = {ICSEG_SYNTH_OPTIONS_INIT,
                             .folder = path_of("data"),
                             .train = 8,
                             .val = 2,
                             .width = 96,
                             .height = 64,
                             .threads = 1};
    write_text("tiny.yaml", recipe_text);
    return icseg_synth_write(&o, NULL, NULL) == ICSEG_OK ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    remove_tree(folder);
    return 0;
}

/* -- running */

typedef struct run {
    const char *out; /* below the test's folder */
    const char *set[SETS];
    const char *data, *init;
    bool resume;
    const char *stop_stage; /* cancels when this stage has progressed so far */
    double stop_at;
    double look_at; /* and whether there is a state after this many steps */
    bool had_state;
    icseg_train_result result;
    double miou; /* of the last evaluation */
    icseg_error error;
    char messages[16384];
} run;

static bool on_progress(void *user, const icseg_progress_event *event) {
    run *r = user;
    char state[PATH_SIZE];
    snprintf(state, sizeof state, "%s/%s/checkpoint.safetensors", folder, r->out);
    if (!strcmp(event->stage, "train") && event->done == r->look_at) r->had_state = icseg_file_exists(state);
    return !r->stop_stage || strcmp(r->stop_stage, event->stage) != 0 || event->done < r->stop_at;
}

static void on_message(void *user, icseg_message_level level, const char *text) {
    run *r = user;
    (void)level;
    size_t used = strlen(r->messages);
    snprintf(r->messages + used, sizeof r->messages - used, "%s\n", text);
}

/* The recipe with the run's settings; NULL and r->error if one is refused. */
static icseg_recipe *open_recipe(run *r) {
    icseg_recipe *recipe = NULL;
    icseg_status status = icseg_recipe_open(&recipe, path_of("tiny.yaml"), &r->error);
    for (size_t i = 0; i < SETS && r->set[i] && status == ICSEG_OK; i++)
        status = icseg_recipe_assign(recipe, r->set[i], &r->error);
    if (status == ICSEG_OK)
        status = icseg_recipe_set(recipe, "data.folder", path_of(r->data ? r->data : "data"), &r->error);
    if (status == ICSEG_OK && r->init) status = icseg_recipe_set(recipe, "model.init", r->init, &r->error);
    if (status != ICSEG_OK) icseg_recipe_close(&recipe);
    return recipe;
}

static icseg_status train(run *r) {
    char out[PATH_SIZE];
    snprintf(out, sizeof out, "%s/%s", folder, r->out);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = out, .resume = r->resume};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = on_progress, .message = on_message, .user = r};
    r->messages[0] = '\0';
    r->error.status = ICSEG_OK;
    r->result.struct_size = sizeof r->result;
    icseg_recipe *recipe = open_recipe(r);
    icseg_status status = recipe ? icseg_train(recipe, &o, &progress, &r->result, &r->error) : r->error.status;
    icseg_recipe_close(&recipe);
    if (status == ICSEG_OK) r->miou = r->result.metrics->miou;
    icseg_train_result_close(&r->result);
    return status;
}

static void train_well(run *r) {
    if (train(r) != ICSEG_OK) fail_msg("%s", r->error.message);
}

/* The call must fail with this status and a message that contains `text`. */
static void train_badly(run *r, icseg_status wanted, const char *text) {
    icseg_status status = train(r);
    if (status != wanted || !strstr(r->error.message, text))
        fail_msg("%s, expected %s with \"%s\": %s", icseg_status_name(status), icseg_status_name(wanted), text,
                 r->error.message);
}

/* -- comparing */

static bool same_file_from(const char *a, const char *b, const char *name, bool tensors) {
    const char *const out[2] = {a, b};
    unsigned char *bytes[2];
    size_t size[2], start[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        char path[PATH_SIZE];
        uint64_t header;
        snprintf(path, sizeof path, "%s/%s/%s", folder, out[i], name);
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

static bool same_file(const char *a, const char *b, const char *name) { return same_file_from(a, b, name, false); }

/* Weights and moments, without the metadata: the recipe and the best evaluation. */
static bool same_tensors(const char *a, const char *b) { return same_file_from(a, b, "checkpoint.safetensors", true); }

static void read_log(icseg_log *log, const char *out) {
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s/log.jsonl", folder, out);
    assert_int_equal(icseg_log_read(log, path, NULL), ICSEG_OK);
}

/* Everything except times and memory. */
static void assert_same_log(const char *a, const char *b) {
    icseg_log left, right;
    read_log(&left, a);
    read_log(&right, b);
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

static void assert_same_run(const char *a, const char *b) {
    static const char *const names[] = {"checkpoint.safetensors", "best.safetensors", "recipe.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!same_file(a, b, names[i])) fail_msg("%s/%s and %s/%s differ", a, names[i], b, names[i]);
    assert_same_log(a, b);
}

static icseg_model *open_weights(const char *out) {
    char path[PATH_SIZE];
    icseg_error error;
    icseg_model *model;
    snprintf(path, sizeof path, "%s/%s/checkpoint.safetensors", folder, out);
    if (icseg_model_open(&model, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
    if (icseg_params_load(model->params, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return model;
}

/* Initial weights for the test's recipe, without dropout. */
static icseg_model *fresh_model(void) {
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
static int count_changed(const icseg_model *a, const icseg_model *b, const char *prefix, bool buffers, int *all) {
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

/* -- tests */

static void it_learns_eight_images(void **state) {
    (void)state;
    run r = {.out = "learns",
             .set = {"train.steps=60", "train.batch=4", "augment.photometric=false", "augment.scale=1,1",
                     "train.log_every=10", "train.eval_every=20", "model.dropout=0"}};
    train_well(&r);
    icseg_log log;
    read_log(&log, "learns");
    assert_int_equal(log.steps, 6);
    assert_int_equal(log.evals, 3);
    assert_string_equal(log.part[0], "total");
    double best = 0, best_step = 0;
    for (int64_t i = 0; i < log.evals; i++)
        if (log.eval[i].miou > best) {
            best = log.eval[i].miou;
            best_step = (double)log.eval[i].step;
        }
    assert_true(fabs(best - r.result.best_miou) < 1e-6 && best_step == (double)r.result.best_step);
    double first = log.step[0].loss[0], last = log.step[log.steps - 1].loss[0];
    if (!(last < 0.8 * first)) fail_msg("loss %g after 10 steps, %g after 60", first, last);
    icseg_log_close(&log);
}

static void two_runs_produce_the_same_bytes(void **state) {
    (void)state;
    train_well(&(run){.out = "whole"});
    train_well(&(run){.out = "repeated", .set = {"data.loader_threads=3"}});
    assert_false(same_file("whole", "repeated", "recipe.yaml")); /* it contains loader_threads */
    assert_true(same_file("whole", "repeated", "checkpoint.safetensors"));
    assert_true(same_file("whole", "repeated", "best.safetensors"));
    assert_same_log("whole", "repeated");
    train_well(&(run){.out = "seed", .set = {"train.seed=4"}});
    assert_false(same_tensors("whole", "seed"));
}

static void a_stopped_run_resumes_to_the_same_bytes(void **state) {
    (void)state;
    static const struct {
        const char *stage;
        double at;
    } stops[] = {{"train", 0}, {"train", 3}, {"train", 5}, {"evaluate", 1}};
    train_well(&(run){.out = "whole", .resume = true});
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        run r = {.out = "stopped", .stop_stage = stops[i].stage, .stop_at = stops[i].at};
        train_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
        r.resume = true;
        r.stop_stage = NULL;
        train_well(&r);
        assert_non_null(strstr(r.messages, "resumes after step"));
        assert_same_run("whole", "stopped");
        remove_tree(path_of("stopped"));
    }
}

static void a_run_stopped_at_every_step_resumes_to_the_same_bytes(void **state) {
    (void)state;
    train_well(&(run){.out = "whole", .resume = true});
    for (int step = 1; step < 6; step++) {
        run r = {.out = "slow", .resume = true, .stop_stage = "train", .stop_at = step};
        train_badly(&r, ICSEG_ERROR_CANCELLED, "stopped after step");
    }
    train_well(&(run){.out = "slow", .resume = true});
    assert_same_run("whole", "slow");
    remove_tree(path_of("slow"));
}

#define IN_BF16 .set = {"train.precision=bf16", "eval.precision=bf16"}

/* Each of the images in turn, so that some occur in the second batch of a step, some in the first step. */
static void an_image_that_cannot_be_read_ends_a_run_that_can_resume(void **state) {
    (void)state;
    char command[4 * PATH_SIZE];
    train_well(&(run){.out = "two_batches", .set = {"train.accumulate=2"}});
    for (int i = 1; i <= 8; i += 3) {
        snprintf(command, sizeof command,
                 "rm -rf '%s/cut' '%s/ended' && cp -r '%s/data' '%s/cut' && "
                 "cd '%s/cut/images/train' && f=$(ls | sed -n %dp) && truncate -s $(($(stat -c %%s $f) / 2)) $f",
                 folder, folder, folder, folder, folder, i);
        assert_int_equal(system(command), 0);
        run r = {.out = "ended", .data = "cut", .set = {"train.accumulate=2", "train.checkpoint_every=0"}};
        train_badly(&r, ICSEG_ERROR_FORMAT, "cut/images/train/");
        train_well(&(run){.out = "ended", .resume = true, .set = {"train.accumulate=2"}});
        if (!same_file("two_batches", "ended", "checkpoint.safetensors")) fail_msg("image %d: another state", i);
    }
}

static void a_resumed_run_keeps_the_settings_it_began_with(void **state) {
    (void)state;
    train_well(&(run){.out = "whole", .resume = true});
    run r = {.out = "begun", .stop_stage = "train", .stop_at = 5};
    char init[PATH_SIZE];
    snprintf(init, sizeof init, "%s/init.safetensors", folder);
    assert_int_equal(rename(path_of("whole/best.safetensors"), init), 0);
    r.init = init;
    train_badly(&r, ICSEG_ERROR_CANCELLED, "stopped after step 5");
    assert_int_equal(rename(init, path_of("whole/best.safetensors")), 0);
    train_badly(&(run){.out = "other", .init = init}, ICSEG_ERROR_ARGUMENT, "does not exist");
    run on = {.out = "begun", .resume = true, .init = "/no/such/file", .set = {"eval.tta=true", "eval.tta_scales=1"}};
    train_well(&on);
    assert_non_null(strstr(on.messages, "began with model.init"));
    assert_non_null(strstr(on.messages, "eval.tta was false and is now true"));
    assert_int_equal(on.result.best_step, 6); /* the evaluation after step 4 had other settings */
    unsigned char *text;
    size_t size;
    assert_int_equal(icseg_file_read(path_of("begun/recipe.yaml"), 1 << 20, &text, &size, NULL), ICSEG_OK);
    assert_non_null(strstr((char *)text, init));
    assert_null(strstr((char *)text, "/no/such/file"));
    icseg_free(text);
}

/* `path`: the weights of the run "whole" under "ema_model." and new ones under "model."; `plain`: those of the run. */
static void write_two_sets(const char *path, const char *plain) {
    enum { MOST = 1000 };
    static icseg_safetensors_entry entries[MOST], own[MOST];
    icseg_model *models[2] = {fresh_model(), open_weights("whole")};
    icseg_arena *arena;
    size_t count = 0;
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    for (int m = 0; m < 2; m++)
        for (int64_t i = 0; i < icseg_params_count(models[m]->params); i++) {
            const icseg_param *p = icseg_params_at(models[m]->params, i);
            float *values = icseg_arena_array(arena, (size_t)p->count, sizeof *values);
            const char *name = icseg_arena_printf(arena, "%s.%s", m ? "ema_model" : "model", p->name);
            assert_true(values && name && count < MOST);
            icseg_param_export(p, p->data, values);
            entries[count] =
                (icseg_safetensors_entry){name, ICSEG_F32, p->file_shape, values, (size_t)p->count * sizeof *values};
            own[i] = entries[count++];
            own[i].name = p->name;
        }
    assert_int_equal(icseg_safetensors_write(path, entries, count, NULL, 0, NULL), ICSEG_OK);
    assert_int_equal(icseg_safetensors_write(plain, own, count / 2, NULL, 0, NULL), ICSEG_OK);
    icseg_model_close(&models[0]);
    icseg_model_close(&models[1]);
    icseg_arena_close(&arena);
}

static void a_run_starts_from_one_of_several_sets_of_weights(void **state) {
    (void)state;
    static const char ema[] = "model.init_weights=ema";
    char two[PATH_SIZE], whole[PATH_SIZE];
    train_well(&(run){.out = "whole", .resume = true});
    snprintf(two, sizeof two, "%s/two.safetensors", folder);
    snprintf(whole, sizeof whole, "%s/whole.safetensors", folder);
    write_two_sets(two, whole);
    train_badly(&(run){.out = "none", .set = {ema}}, ICSEG_ERROR_ARGUMENT,
                "model.init: is not set, but model.init_weights = \"ema\" names a part of that file");
    run r = {.out = "none", .init = two, .set = {"model.init_weights=swa"}};
    train_badly(&r, ICSEG_ERROR_ARGUMENT, "it contains \"model\", \"ema_model\"");
    assert_string_equal(r.error.field, "model.init_weights");
    run raw = {.out = "of_raw", .init = two};
    train_well(&raw);
    assert_non_null(strstr(raw.messages, "these are the weights \"model\"; the file also contains \"ema_model\""));
    r = (run){.out = "of_ema", .init = two, .set = {ema}, .stop_stage = "train", .stop_at = 3};
    train_badly(&r, ICSEG_ERROR_CANCELLED, "stopped after step 3");
    assert_non_null(strstr(r.messages, "these are the weights \"ema_model\""));
    run on = {.out = "of_ema", .init = two, .resume = true, .set = {"model.init_weights=model"}};
    train_well(&on);
    assert_non_null(strstr(on.messages, "began with model.init_weights = \"ema\"; \"model\" is not read"));
    train_well(&(run){.out = "of_whole", .init = whole});
    assert_true(same_tensors("of_ema", "of_whole"));
    assert_false(same_tensors("of_ema", "of_raw"));
}

static void assert_logged(const char *out, int64_t evals, double miou) {
    icseg_log log;
    read_log(&log, out);
    assert_int_equal(log.evals, evals);
    assert_near(log.eval[log.evals - 1].miou, miou, 1e-6);
    icseg_log_close(&log);
}

static void a_new_evaluation_of_a_finished_run_is_logged(void **state) {
    (void)state;
    run r = {.out = "finished", .set = {"train.steps=30", "train.eval_every=0", "train.checkpoint_every=0"}};
    train_well(&r);
    double before = r.miou;
    assert_logged("finished", 1, before);
    r.resume = true;
    train_well(&r);
    assert_logged("finished", 1, before);
    r.set[3] = "eval.tta=true";
    r.set[4] = "eval.tta_scales=0.5";
    for (int i = 0; i < 2; i++) { /* the second evaluation equals the first */
        train_well(&r);
        if (!(fabs(r.miou - before) > 1e-5)) fail_msg("both evaluations return %g, so nothing is checked", before);
        assert_logged("finished", 2, r.miou);
        assert_near(r.result.best_miou, r.miou, 1e-9);
    }
}

static void the_state_records_the_best_evaluation(void **state) {
    (void)state;
    run r = {.out = "best_saved", .set = {"train.eval_every=2", "train.checkpoint_every=0"}, .look_at = 2};
    train_well(&r);
    assert_true(r.had_state);
}

static void bf16_trains_repeats_and_resumes_to_the_same_bytes(void **state) {
    (void)state;
    bool here = icseg_precision_here(ICSEG_PRECISION_BF16) == ICSEG_PRECISION_BF16;
    run first = {.out = "half", IN_BF16}, stopped = {.out = "stopped", IN_BF16, .stop_stage = "train", .stop_at = 4};
    train_well(&(run){.out = "whole", .resume = true});
    train_well(&first);
    assert_true(here == !strstr(first.messages, "f32 is used")); /* reported if the processor does not support it */
    assert_true(here == !same_tensors("whole", "half"));
    train_badly(&stopped, ICSEG_ERROR_CANCELLED, "can be resumed");
    stopped.resume = true;
    stopped.stop_stage = NULL;
    train_well(&stopped);
    assert_same_run("half", "stopped");
    icseg_log f32, bf16;
    read_log(&f32, "whole");
    read_log(&bf16, "half");
    for (int64_t i = 0; i < f32.steps; i++) {
        double a = f32.step[i].loss[0], b = bf16.step[i].loss[0];
        if (!(fabs(a - b) < 0.05 * a)) fail_msg("step %lld: loss %g in bf16, %g in f32", (long long)i + 1, b, a);
    }
    icseg_log_close(&f32);
    icseg_log_close(&bf16);
    remove_tree(path_of("stopped"));
}

/* One step of the documented rule: the mean of the batches' gradients, clipped, then AdamW with eps = 1, so that the
 * step depends on the gradient and not only on its sign. */
static void naive_step(icseg_model *model, const icseg_dataset *dataset, int batches, double clip) {
    icseg_network_options options = {.batch = 1, .height = 64, .width = 64, .training = 1, .losses = 1, .gradients = 1};
    icseg_loader_options loading = {.augment = icseg_augment_options_default(), .batch = 1, .threads = 1, .ahead = 1};
    loading.augment.crop_height = loading.augment.crop_width = 64;
    loading.augment.resize_short = 0;
    loading.seed = 3;
    icseg_adamw_options adam = {.weight_decay = 1e-4, .beta1 = 0.9, .beta2 = 0.999, .eps = 1, .backbone_lr_mult = 1};
    icseg_loader *loader;
    icseg_adamw *adamw;
    int64_t count = icseg_params_count(model->params);
    float **sum = calloc((size_t)count, sizeof *sum);
    icseg_session *session;
    assert_int_equal(icseg_session_open(&session, model, NULL, NULL), ICSEG_OK);
    assert_int_equal(icseg_loader_open(&loader, dataset, &loading, NULL), ICSEG_OK);
    assert_int_equal(icseg_adamw_open(&adamw, model->params, &adam, NULL), ICSEG_OK);
    for (int b = 0; b < batches; b++) {
        icseg_prepared_network *s;
        icseg_loader_batch batch;
        assert_int_equal(icseg_loader_next(loader, &batch, NULL), ICSEG_OK);
        assert_int_equal(icseg_session_network(session, &options, &s, NULL), ICSEG_OK);
        icseg_executor_bind(s->executor, s->network.image, batch.image);
        icseg_executor_bind(s->executor, s->network.labels, batch.labels);
        assert_int_equal(icseg_executor_run(s->executor, 3, b, NULL), ICSEG_OK);
        for (int64_t i = 0; i < count; i++) {
            const icseg_param *p = icseg_params_at(model->params, i);
            if (!p->grad) continue;
            if (!sum[i]) sum[i] = calloc((size_t)p->count, sizeof **sum);
            for (int64_t j = 0; j < p->count; j++) sum[i][j] += p->grad[j] / (float)batches;
        }
    }
    double norm = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; sum[i] && j < icseg_params_at(model->params, i)->count; j++)
            norm += (double)sum[i][j] * (double)sum[i][j];
    norm = sqrt(norm);
    assert_true(norm > clip); /* or the test would not check clipping */
    for (int64_t i = 0; i < count; i++)
        if (sum[i])
            memcpy(icseg_params_at(model->params, i)->grad, sum[i],
                   (size_t)icseg_params_at(model->params, i)->count * sizeof(float));
    icseg_adamw_step(adamw, 1, clip / (norm + 1e-6));
    for (int64_t i = 0; i < count; i++) free(sum[i]);
    free(sum);
    icseg_session_close(&session);
    icseg_adamw_close(&adamw);
    icseg_loader_close(&loader);
}

static void accumulation_averages_gradients_and_clips_their_mean(void **state) {
    (void)state;
    train_well(
        &(run){.out = "accumulated",
               .set = {"train.steps=1", "train.batch=1", "train.accumulate=3", "train.warmup=0", "model.dropout=0",
                       "train.lr=1", "train.eps=1", "train.clip_norm=0.5", "augment.photometric=true"}});
    icseg_model *trained = open_weights("accumulated"), *expected = fresh_model();
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *dataset;
    o.folder = path_of("data");
    assert_int_equal(icseg_dataset_open(&dataset, &o, NULL), ICSEG_OK);
    naive_step(expected, dataset, 3, 0.5);
    double error = 0, moved = 0;
    icseg_model *before = fresh_model();
    for (int64_t i = 0; i < icseg_params_count(expected->params); i++) {
        const icseg_param *p = icseg_params_at(expected->params, i), *q = icseg_params_at(trained->params, i);
        const float *start = icseg_params_at(before->params, i)->data;
        for (int64_t j = 0; j < p->count; j++) {
            error = fmax(error, fabs((double)p->data[j] - (double)q->data[j]));
            moved = fmax(moved, fabs((double)p->data[j] - (double)start[j]));
        }
    }
    if (!(error < 1e-4 * moved)) fail_msg("largest move %g, largest difference %g", moved, error);
    icseg_model_close(&before);
    icseg_dataset_close(&dataset);
    icseg_model_close(&trained);
    icseg_model_close(&expected);
}

static void a_frozen_image_encoder_does_not_change(void **state) {
    (void)state;
    int all;
    train_well(&(run){.out = "frozen", .set = {"train.freeze_backbone=true", "train.steps=3"}});
    icseg_model *trained = open_weights("frozen"), *before = fresh_model();
    assert_int_equal(count_changed(before, trained, "visual.", false, &all), 0);
    assert_true(all > 10);
    assert_int_equal(count_changed(before, trained, "visual.", true, &all), 0);
    assert_true(all > 10);
    assert_int_equal(count_changed(before, trained, "transformer.", false, &all), 0); /* not trained */
    assert_true(count_changed(before, trained, "decoder.", false, &all) == all && all > 10);
    icseg_model_close(&trained);
    icseg_model_close(&before);
}

/* CLIP's weights do not contain the layers for four strides. */
static void a_frozen_vit_learns_its_four_levels(void **state) {
    (void)state;
    int all;
    train_well(&(run){.out = "vit_base", .set = {"model.preset=tiny-vit", "train.steps=1", "train.warmup=0"}});
    train_well(&(run){.out = "vit_frozen",
                      .init = path_of("vit_base/checkpoint.safetensors"),
                      .set = {"model.preset=tiny-vit", "train.steps=3", "train.freeze_backbone=true"}});
    icseg_model *before = open_weights("vit_base"), *trained = open_weights("vit_frozen");
    int changed = count_changed(before, trained, "visual.fpn", false, &all);
    assert_true(changed == all && all > 4);
    assert_true(count_changed(before, trained, "visual.fpn", true, &all) > 0);
    assert_int_equal(count_changed(before, trained, "visual.", false, &all), changed);
    icseg_model_close(&trained);
    icseg_model_close(&before);
}

static void frozen_statistics_do_not_change_while_weights_train(void **state) {
    (void)state;
    int all;
    train_well(&(run){.out = "statistics", .set = {"train.freeze_bn=true", "train.steps=3"}});
    icseg_model *trained = open_weights("statistics"), *before = fresh_model();
    assert_int_equal(count_changed(before, trained, "visual.", true, &all), 0);
    assert_true(count_changed(before, trained, "visual.", false, &all) > 10);
    assert_true(count_changed(before, trained, "decoder.", true, &all) > 0);
    icseg_model_close(&trained);
    icseg_model_close(&before);
}

/* Writes initial weights with `value` at every `each`-th element of one parameter. */
static const char *spoilt_weights(const char *name, int64_t each, float value) {
    icseg_model *model = fresh_model();
    icseg_param *p = icseg_params_find(model->params, name);
    if (!p) fail_msg("the model has no %s", name);
    for (int64_t i = 0; i < p->count; i += each) p->data[i] = value;
    assert_int_equal(icseg_model_save(model, path_of("spoilt.safetensors"), NULL), ICSEG_OK);
    icseg_model_close(&model);
    return path_of("spoilt.safetensors");
}

/* The images of a run's first batch of two. */
static void first_images(char path[2][PATH_SIZE]) {
    icseg_loader_options loading = {
        .augment = icseg_augment_options_default(), .batch = 2, .threads = 1, .ahead = 1, .seed = 3};
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *dataset;
    icseg_loader *loader;
    icseg_loader_batch batch;
    loading.augment.crop_height = loading.augment.crop_width = 64;
    loading.augment.resize_short = 0;
    o.folder = path_of("data");
    assert_int_equal(icseg_dataset_open(&dataset, &o, NULL), ICSEG_OK);
    assert_int_equal(icseg_loader_open(&loader, dataset, &loading, NULL), ICSEG_OK);
    assert_int_equal(icseg_loader_next(loader, &batch, NULL), ICSEG_OK);
    for (int i = 0; i < 2; i++) snprintf(path[i], PATH_SIZE, "%s", icseg_dataset_image_path(dataset, batch.sample[i]));
    icseg_loader_close(&loader);
    icseg_dataset_close(&dataset);
}

/* The run must fail in its first step, name the images, and save nothing. */
static void fails_at_once(run *r, const char *text) {
    char image[2][PATH_SIZE], expected[3 * PATH_SIZE], file[PATH_SIZE];
    train_badly(r, ICSEG_ERROR_NUMERIC, text);
    first_images(image);
    snprintf(expected, sizeof expected, "; images: %s, %s. Files that were saved", icseg_path_name(image[0]),
             icseg_path_name(image[1]));
    if (!strstr(r->error.message, expected)) fail_msg("\"%s\" is not in: %s", expected, r->error.message);
    snprintf(expected, sizeof expected, "the images of step 1:\n  %s\n  %s\n", image[0], image[1]);
    if (!strstr(r->messages, expected)) fail_msg("\"%s\" is not in: %s", expected, r->messages);
    static const char *const saved[] = {"checkpoint", "state", "best"};
    for (int i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s/%s/%s.safetensors", folder, r->out, saved[i]);
        assert_false(icseg_file_exists(file));
    }
}

static void a_loss_that_is_not_finite_is_named(void **state) {
    (void)state;
    run r = {.out = "nan",
             .init = spoilt_weights("decoder.neck.fpn_convs.1.conv.weight", 1000, NAN),
             .set = {"train.accumulate=2"}};
    fails_at_once(&r, "step 1: the loss is not finite; first seen: decoder.neck.fpn_convs.1.conv");
}

/* The output of this layer norm is multiplied by weights of zero: it does not affect the loss, but makes these weights'
 * gradient 1e36 * 1e25 times as large. */
static void a_gradient_that_is_not_finite_is_named(void **state) {
    (void)state;
    run r = {.out = "infinite",
             .init = spoilt_weights("prompt.out.0.weight", 1, 1e36f),
             .set = {"model.contrast_weight=1e25"}};
    fails_at_once(&r, "step 1: the gradient is not finite; first seen: the gradient of prompt.out.1.linear");
}

static void a_run_that_diverges_keeps_its_last_good_checkpoint(void **state) {
    (void)state;
    run r = {.out = "diverges",
             .set = {"train.lr=1e25", "train.warmup_ratio=1", "train.min_lr=0", "train.clip_norm=0",
                     "train.checkpoint_every=1", "train.eval_every=0"}};
    icseg_status status = train(&r);
    assert_int_equal(status, ICSEG_ERROR_NUMERIC);
    assert_non_null(strstr(r.error.message, "step 2"));
    icseg_model *model = open_weights("diverges");
    for (int64_t i = 0; i < icseg_params_count(model->params); i++) {
        const icseg_param *p = icseg_params_at(model->params, i);
        for (int64_t j = 0; j < p->count; j++) assert_true(isfinite(p->data[j]));
    }
    icseg_model_close(&model);
}

static void moments_that_overflow_are_not_saved(void **state) {
    (void)state;
    run r = {.out = "overflow", .set = {"model.contrast_weight=1e25", "train.clip_norm=0", "train.checkpoint_every=1"}};
    train_badly(&r, ICSEG_ERROR_NUMERIC, "step 1: AdamW's second moment of ");
    assert_false(icseg_file_exists(path_of("overflow/checkpoint.safetensors")));
}

/* Creates the data set "renamed": the same with another name for class 0. */
static void make_renamed(void) {
    char command[5 * PATH_SIZE];
    assert_true(icseg_file_exists(path_of("data/classes.txt")));
    snprintf(command, sizeof command,
             "rm -rf '%s/renamed' && cp -r '%s/data' '%s/renamed' && sed -i s/sky/heaven/ '%s/renamed/classes.txt'",
             folder, folder, folder, folder);
    assert_int_equal(system(command), 0);
}

/* -- stepping */

/* Opens a trainer in folder/`out`. */
static icseg_trainer *open_trainer(const char *out, bool resume) {
    run r = {.out = out};
    icseg_recipe *recipe = open_recipe(&r);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = path_of(out), .resume = resume};
    icseg_trainer *trainer;
    assert_non_null(recipe);
    if (icseg_trainer_open(&trainer, recipe, &o, NULL, &r.error) != ICSEG_OK) fail_msg("%s", r.error.message);
    icseg_recipe_close(&recipe); /* the trainer has a copy */
    return trainer;
}

static void done(icseg_status status, const icseg_error *error) {
    if (status != ICSEG_OK) fail_msg("%s", error->message);
}

static void a_stepped_run_equals_icseg_train(void **state) {
    (void)state;
    icseg_error error;
    icseg_log log;
    train_well(&(run){.out = "whole", .resume = true});
    read_log(&log, "whole");
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
    assert_true(icseg_file_exists(path_of("stepped/report.html")));
    assert_same_run("whole", "stepped");
    icseg_log_close(&log);
}

/* The trainer's model and a checkpoint of its weights must predict the same labels. */
static void assert_predicts_as(icseg_trainer *trainer, const char *checkpoint) {
    icseg_model *model[2] = {icseg_trainer_model(trainer)};
    icseg_labels labels[2];
    icseg_image image;
    icseg_error error;
    done(icseg_model_open(&model[1], path_of(checkpoint), &error), &error);
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
    train_well(&(run){.out = "whole", .resume = true});
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
    assert_true(same_tensors("whole", "interrupted"));
    assert_true(icseg_file_exists(path_of("interrupted/best.safetensors")));
}

static void bad_input_is_an_error(void **state) {
    (void)state;
    run r = {.out = "bad"};
    icseg_recipe *recipe = open_recipe(&r);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = path_of("bad")};
    icseg_progress progress = {.report = on_progress}; /* without its size */
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
    assert_false(icseg_file_exists(path_of("bad/log.jsonl")));
    icseg_recipe_close(&recipe);
}

static void a_run_can_start_from_other_weights(void **state) {
    (void)state;
    char path[PATH_SIZE];
    train_well(&(run){.out = "whole", .resume = true});
    snprintf(path, sizeof path, "%s/whole/checkpoint.safetensors", folder);
    run same = {.out = "same_classes",
                .init = path,
                .set = {"train.steps=1", "train.lr=1e-30", "train.min_lr=0", "train.warmup=0", "train.weight_decay=0"}};
    train_well(&same);
    assert_null(strstr(same.messages, "keep their initial values"));
    icseg_model *initial = open_weights("whole"), *trained = open_weights("same_classes");
    int all;
    assert_int_equal(count_changed(initial, trained, "", false, &all), 0);
    icseg_model_close(&trained);

    make_renamed();
    run other = same;
    other.out = "other_classes";
    other.data = "renamed";
    train_well(&other);
    assert_non_null(strstr(other.messages, "its class list differs"));
    assert_non_null(strstr(other.messages, "keep their initial values: "));
    assert_non_null(strstr(other.messages, "decoder.head.conv_seg.weight"));
    trained = open_weights("other_classes");
    assert_int_equal(count_changed(initial, trained, "visual.", false, &all), 0);
    assert_int_equal(count_changed(initial, trained, "decoder.neck.fpn_convs.", false, &all), 0);
    assert_int_equal(count_changed(initial, trained, "decoder.head.conv_seg.weight", false, &all), 1);
    icseg_model_close(&trained);
    icseg_model_close(&initial);

    run wrong = {.out = "wrong", .init = path, .set = {"model.embed_dim=64"}};
    train_badly(&wrong, ICSEG_ERROR_CONFIG, "embed_dim = 48, but the model has 64");
    wrong.set[0] = "model.fpn_dim=32";
    train_badly(&wrong, ICSEG_ERROR_SHAPE, "decoder.");
    assert_false(icseg_file_exists(path_of("wrong/log.jsonl")));
}

static void synonyms_are_trained_and_stored_in_the_checkpoint(void **state) {
    (void)state;
    char command[3 * PATH_SIZE];
    snprintf(command, sizeof command,
             "cp -r '%s/data' '%s/synonyms' && sed -i 's/^sky$/sky, heaven/' '%s/synonyms/classes.txt'", folder, folder,
             folder);
    assert_int_equal(system(command), 0);
    run r = {.out = "mean",
             .data = "synonyms",
             .set = {"model.synonyms=mean", "model.prompt=static", "train.steps=2", "train.warmup=0"}};
    train_well(&r);
    icseg_model *model = open_weights("mean");
    assert_int_equal(model->texts.count, model->config.num_classes + 1);
    icseg_model_close(&model);
    r.set[0] = "train.steps=2";
    r.resume = true;
    train_badly(&r, ICSEG_ERROR_ARGUMENT, "began with model.synonyms = mean");
    snprintf(command, sizeof command, "sed -i 's/, heaven$/, ether/' '%s/synonyms/classes.txt'", folder);
    assert_int_equal(system(command), 0); /* the displayed name is the same */
    run renamed = {.out = "mean",
                   .data = "synonyms",
                   .resume = true,
                   .set = {"model.synonyms=mean", "model.prompt=static", "train.steps=2", "train.warmup=0"}};
    train_badly(&renamed, ICSEG_ERROR_ARGUMENT, "the tokens of the class names differ");
    r.out = "first"; /* the default: the line is the name */
    r.resume = false;
    train_well(&r);
    model = open_weights("first");
    assert_int_equal(model->texts.count, model->config.num_classes);
    icseg_model_close(&model);
}

static void changes_that_do_not_match_the_run_are_refused(void **state) {
    (void)state;
    train_well(&(run){.out = "whole", .resume = true});
    train_badly(&(run){.out = "whole"}, ICSEG_ERROR_ARGUMENT, "already contains a run");
    run r = {.out = "whole", .resume = true, .set = {"train.batch=4"}};
    train_badly(&r, ICSEG_ERROR_ARGUMENT, "the run began with train.batch = 2, but the recipe now has 4");
    r.set[0] = "augment.crop=64,96";
    train_badly(&r, ICSEG_ERROR_ARGUMENT, "augment.crop");
    r.set[0] = "model.num_classes=12";
    train_badly(&r, ICSEG_ERROR_ARGUMENT, "has 13 classes");
    r.set[0] = NULL;
    make_renamed();
    r.data = "renamed";
    train_badly(&r, ICSEG_ERROR_ARGUMENT, "class 0 was \"sky\"");
    char command[3 * PATH_SIZE];
    snprintf(command, sizeof command, "cp -r '%s/data' '%s/fewer' && rm '%s'/fewer/*/train/000003.*", folder, folder,
             folder);
    assert_int_equal(system(command), 0);
    r.data = "fewer";
    train_badly(&r, ICSEG_ERROR_ARGUMENT, "training images differ");
    train_badly(&(run){.out = "tiny.yaml/below"}, ICSEG_ERROR_IO, "tiny.yaml");

    int other = open(path_of("whole"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(other, LOCK_EX), 0);
    train_badly(&(run){.out = "whole", .resume = true}, ICSEG_ERROR_IO, "another process");
    close(other);
}

static void a_wrong_mask_is_found_before_training(void **state) {
    (void)state;
    char command[3 * PATH_SIZE];
    snprintf(command, sizeof command,
             "cp -r '%s/data' '%s/faulty' && head -n 5 '%s/data/classes.txt' >'%s/faulty/classes.txt'", folder, folder,
             folder, folder);
    assert_int_equal(system(command), 0);
    run r = {.out = "faulty_run", .data = "faulty"};
    train_badly(&r, ICSEG_ERROR_DATA, "out of range");
    assert_non_null(strstr(r.messages, "000001.png"));
    assert_false(icseg_file_exists(path_of("faulty_run/recipe.yaml")));
}

static void a_damaged_state_is_an_error(void **state) {
    (void)state;
    unsigned char *bytes;
    size_t size;
    train_well(&(run){.out = "whole", .resume = true});
    assert_int_equal(icseg_file_read(path_of("whole/checkpoint.safetensors"), 1 << 28, &bytes, &size, NULL), ICSEG_OK);
    assert_int_equal(icseg_folder_create(path_of("damaged"), NULL), ICSEG_OK);
    run r = {.out = "damaged", .resume = true};
    for (size_t keep = 0; keep < size; keep += size / 9) {
        assert_int_equal(icseg_file_write(path_of("damaged/checkpoint.safetensors"), bytes, keep, NULL), ICSEG_OK);
        train_badly(&r, ICSEG_ERROR_FORMAT, "checkpoint.safetensors");
    }
    unsigned char *at = NULL;
    for (size_t i = 0; i + 20 < 1 << 17 && !at; i++)
        if (!memcmp(bytes + i, "updates", 7)) at = bytes + i;
    assert_non_null(at);
    memcpy(at, "upd4tes", 7);
    assert_int_equal(icseg_file_write(path_of("damaged/checkpoint.safetensors"), bytes, size, NULL), ICSEG_OK);
    train_badly(&r, ICSEG_ERROR_FORMAT, "icseg.state: updates is missing");
    icseg_free(bytes);
}

static void running_out_of_memory_is_an_error(void **state) {
    (void)state;
    bool done = false;
    int64_t n = 0;
    for (; !done; n += n / 3 + 1) {
        remove_tree(path_of("memory"));
        icseg_memory_fail_after(n);
        run r = {.out = "memory", .set = {"train.steps=1", "train.warmup=0", "data.loader_threads=1"}};
        icseg_status status = train(&r);
        icseg_memory_fail_after(-1);
        done = status == ICSEG_OK;
        if (!done && status != ICSEG_ERROR_MEMORY)
            fail_msg("allocation %lld: %s: %s", (long long)n, icseg_status_name(status), r.error.message);
    }
    assert_true(n > 50); /* some allocations failed */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns_eight_images),
        cmocka_unit_test(two_runs_produce_the_same_bytes),
        cmocka_unit_test(a_stopped_run_resumes_to_the_same_bytes),
        cmocka_unit_test(a_stepped_run_equals_icseg_train),
        cmocka_unit_test(a_stepped_run_resumes),
        cmocka_unit_test(bad_input_is_an_error),
        cmocka_unit_test(a_run_stopped_at_every_step_resumes_to_the_same_bytes),
        cmocka_unit_test(an_image_that_cannot_be_read_ends_a_run_that_can_resume),
        cmocka_unit_test(a_resumed_run_keeps_the_settings_it_began_with),
        cmocka_unit_test(a_run_starts_from_one_of_several_sets_of_weights),
        cmocka_unit_test(a_new_evaluation_of_a_finished_run_is_logged),
        cmocka_unit_test(the_state_records_the_best_evaluation),
        cmocka_unit_test(bf16_trains_repeats_and_resumes_to_the_same_bytes),
        cmocka_unit_test(accumulation_averages_gradients_and_clips_their_mean),
        cmocka_unit_test(a_frozen_image_encoder_does_not_change),
        cmocka_unit_test(a_frozen_vit_learns_its_four_levels),
        cmocka_unit_test(frozen_statistics_do_not_change_while_weights_train),
        cmocka_unit_test(a_loss_that_is_not_finite_is_named),
        cmocka_unit_test(a_gradient_that_is_not_finite_is_named),
        cmocka_unit_test(a_run_that_diverges_keeps_its_last_good_checkpoint),
        cmocka_unit_test(moments_that_overflow_are_not_saved),
        cmocka_unit_test(a_run_can_start_from_other_weights),
        cmocka_unit_test(synonyms_are_trained_and_stored_in_the_checkpoint),
        cmocka_unit_test(changes_that_do_not_match_the_run_are_refused),
        cmocka_unit_test(a_wrong_mask_is_found_before_training),
        cmocka_unit_test(a_damaged_state_is_an_error),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

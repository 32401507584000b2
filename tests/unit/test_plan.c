/* SPDX-License-Identifier: Apache-2.0
 * planner/: a plan's sizes against those of a run that is trained here, changes of the recipe, advice; the limits of
 * memory (base/memory.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/memory.h"
#include "icseg/memory.h"
#include "icseg/plan.h"
#include "icseg/synth.h"
#include "train/trainer.h"

static char folder[] = "/tmp/icseg_plan_XXXXXX";
static char path_buffer[4][160];

static const char *path(const char *name) {
    static int next;
    char *out = path_buffer[next++ % 4];
    snprintf(out, sizeof path_buffer[0], "%s/%s", folder, name);
    return out;
}

static int open_folder(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    icseg_synth_options options = {ICSEG_SYNTH_OPTIONS_INIT,
                                   .folder = path("data"),
                                   .train = 6,
                                   .val = 3,
                                   .width = 160,
                                   .height = 128,
                                   .threads = 1};
    assert_int_equal(icseg_synth_write(&options, NULL, NULL), ICSEG_OK);
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) ? 1 : 0;
}

/* A model large enough for its activations to be most of the memory. */
static icseg_recipe *make_recipe(void) {
    static const char *const settings[] = {
        "model.preset=tiny-resnet", "model.resnet_width=16", "model.context_length=40", "augment.crop=128,160",
        "augment.resize_short=0",   "train.batch=8",         "train.steps=4",           "train.warmup=1",
        "train.threads=1",          "train.log_every=1",     "train.precision=f32",     "train.eval_every=2",
        "data.loader_threads=1",    "train.ema_decay=0.9",   "eval.resize_short=0"};
    icseg_recipe *recipe;
    icseg_error error = {0};
    assert_int_equal(icseg_recipe_open_preset(&recipe, NULL, &error), ICSEG_OK);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (icseg_recipe_assign(recipe, settings[i], &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(icseg_recipe_set(recipe, "data.folder", path("data"), &error), ICSEG_OK);
    return recipe;
}

static icseg_run_plan *open_plan(const icseg_recipe *recipe, icseg_plan_figures *figures) {
    icseg_plan_options options = {ICSEG_PLAN_OPTIONS_INIT, .out = path("run"), .quick = true};
    icseg_run_plan *plan;
    icseg_error error = {0};
    if (icseg_run_plan_open(&plan, recipe, &options, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    *figures = (icseg_plan_figures){ICSEG_PLAN_FIGURES_INIT};
    assert_int_equal(icseg_run_plan_figures(plan, figures, &error), ICSEG_OK);
    return plan;
}

static icseg_plan_figures figures_with(const char *assignment) {
    icseg_recipe *recipe = make_recipe();
    icseg_plan_figures figures;
    if (assignment) assert_int_equal(icseg_recipe_assign(recipe, assignment, NULL), ICSEG_OK);
    icseg_run_plan *plan = open_plan(recipe, &figures);
    icseg_run_plan_close(&plan);
    icseg_recipe_close(&recipe);
    return figures;
}

static void check_near(const char *what, size_t planned, size_t real, double tolerance) {
    double error = (double)planned / (double)real - 1;
    if (!(error <= tolerance && error >= -tolerance))
        fail_msg("%s: %zu planned, %zu in the run: %+.1f %%", what, planned, real, 100 * error);
}

/* ---- against a run ---- */

static size_t file_size(const char *name) {
    struct stat file;
    char in_run[80];
    snprintf(in_run, sizeof in_run, "run/%s", name);
    return stat(path(in_run), &file) == 0 ? (size_t)file.st_size : 0;
}

/* Trains in a process of its own, whose memory is not that of earlier tests. */
static size_t peak_of_training(const icseg_recipe *recipe) {
    struct rusage usage;
    int result;
    pid_t child = fork();
    if (child == 0) {
        icseg_train_options options = {ICSEG_TRAIN_OPTIONS_INIT, .out = path("run")};
        _exit(icseg_train(recipe, &options, NULL, NULL, NULL) != ICSEG_OK);
    }
    assert_int_equal(wait4(child, &result, 0, &usage), child);
    assert_int_equal(result, 0);
    return (size_t)usage.ru_maxrss * 1024;
}

static void memory_and_disk_are_those_of_a_run(void **state) {
    (void)state;
    icseg_recipe *recipe = make_recipe();
    icseg_plan_figures f;
    size_t peak = peak_of_training(recipe); /* before this process has threads */
    icseg_run_plan *plan = open_plan(recipe, &f);
    if (!ICSEG_EXACT_BLOCKS) check_near("memory", f.memory, peak, 0.15);
    check_near("checkpoint.safetensors", f.checkpoint, file_size("checkpoint.safetensors"), 0.01);
    check_near("best.safetensors", f.best, file_size("best.safetensors"), 0.01);
    check_near("log", f.log, file_size("log.jsonl") + file_size("recipe.yaml"), 0.15);
    size_t report = file_size("report.html") + file_size("evaluation.json") + file_size("images.jsonl");
    check_near("report", f.report, report, 0.5); /* predictions after four steps are simple pictures */
    check_near("disk", f.disk,
               report + file_size("checkpoint.safetensors") + file_size("best.safetensors") + file_size("log.jsonl"),
               0.15);
    assert_int_equal(f.disk, f.checkpoint + f.best + f.log + f.report);
    assert_int_equal(f.memory, f.weights + f.gradients + f.optimiser + f.copies + f.activations + f.loader +
                                   f.evaluation + f.rest);
    assert_true(f.steps == 4 && f.evaluations == 2 && f.saves == 1 && f.memory_fits && f.disk_fits && !f.measured);
    icseg_run_plan_close(&plan);
    icseg_recipe_close(&recipe);
}

/* The parts that the library knows exactly. */
static void weights_and_copies_are_those_of_a_trainer(void **state) {
    (void)state;
    icseg_recipe *recipe = make_recipe();
    icseg_plan_figures f = figures_with(NULL);
    icseg_train_options options = {ICSEG_TRAIN_OPTIONS_INIT, .out = path("exact")};
    icseg_trainer *t;
    icseg_prepared_network *network;
    assert_int_equal(icseg_trainer_open(&t, recipe, &options, NULL, NULL), ICSEG_OK);
    assert_int_equal(icseg_trainer_step(t, NULL, NULL), ICSEG_OK);
    assert_int_equal(icseg_trainer_evaluate(t, NULL, NULL), ICSEG_OK);
    icseg_params_memory memory = icseg_params_count_memory(t->model->params);
    assert_int_equal(f.weights, memory.plain);
    assert_int_equal(f.gradients, memory.gradients);
    size_t averages = 0;
    for (int64_t i = 0; i < icseg_params_count(t->model->params); i++)
        if (icseg_ema_other(t->ema, i)) averages += (size_t)icseg_params_at(t->model->params, i)->count * sizeof(float);
    assert_int_equal(f.optimiser, 2 * memory.gradients + averages);
    check_near("copies", f.copies, memory.packed, 0.02);
    assert_int_equal(f.loader, 5 * 8 * 128 * 160 * (3 * 4 + 2) + 128 * 160 * (3 + 2)); /* batches, and an image */
    assert_int_equal(icseg_trainer_network(t, &network, NULL), ICSEG_OK);
    assert_int_equal(f.activations, icseg_executor_summary(network->executor).workspace);
    assert_true(f.flops == icseg_executor_summary(network->executor).flops);
    icseg_trainer_close(&t);
    icseg_recipe_close(&recipe);
}

/* ---- changes of the recipe ---- */

static void every_key_changes_its_own_part(void **state) {
    (void)state;
    icseg_plan_figures f = figures_with(NULL), g = figures_with("train.batch=16");
    assert_true(g.activations > f.activations * 3 / 2 && g.loader > f.loader * 3 / 2 && g.weights == f.weights);
    g = figures_with("train.memory=low");
    assert_true(g.activations < f.activations && g.loader == f.loader && g.flops > f.flops);
    g = figures_with("train.freeze_backbone=true");
    assert_true(g.gradients < f.gradients && g.optimiser < f.optimiser && g.checkpoint < f.checkpoint);
    g = figures_with("train.ema_decay=0");
    assert_true(g.gradients == f.gradients && g.optimiser == 2 * g.gradients && g.checkpoint < f.checkpoint);
    g = figures_with("train.accumulate=3");
    assert_true(g.loader == f.loader && g.flops > 2.9 * f.flops);
    g = figures_with("eval.resize_short=1024");
    assert_true(g.activations > 2 * f.activations && g.evaluation > 2 * f.evaluation);
    g = figures_with("train.minutes=1");
    assert_true(g.steps == 0 && g.evaluations == 0);
    g = figures_with("train.steps=400000");
    assert_true(g.log > 400000 * 150 && g.evaluations == 200000);
}

static void a_run_that_does_not_fit_gets_advice(void **state) {
    (void)state;
    icseg_recipe *recipe = make_recipe(), *changed;
    icseg_plan_figures f;
    bool fits = false;
    char text[200];
    assert_int_equal(icseg_recipe_assign(recipe, "train.batch=61440", NULL), ICSEG_OK);
    icseg_run_plan *plan = open_plan(recipe, &f);
    assert_false(f.memory_fits);
    assert_true(f.advice_count > 0);
    for (int32_t i = 0; i < f.advice_count; i++) {
        const icseg_plan_advice *a = icseg_run_plan_advice(plan, i);
        assert_true(a->memory < f.memory && a->fits == (a->memory <= f.memory_available));
        assert_true(i == 0 || !a->fits || icseg_run_plan_advice(plan, i - 1)->fits); /* those that fit come first */
        fits |= a->fits;
    }
    assert_true(fits);
    assert_null(icseg_run_plan_advice(plan, f.advice_count));

    /* a recipe with the change has that memory */
    const icseg_plan_advice *first = icseg_run_plan_advice(plan, 0);
    changed = make_recipe();
    snprintf(text, sizeof text, "%s", first->change);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        assert_int_equal(icseg_recipe_assign(changed, word, NULL), ICSEG_OK);
    icseg_plan_figures g;
    icseg_run_plan *other = open_plan(changed, &g);
    assert_true(g.memory_fits);
    check_near("memory after the change", first->memory - f.rest, g.memory - g.rest, 0.001);
    icseg_run_plan_close(&other);
    icseg_run_plan_close(&plan);
    icseg_recipe_close(&changed);
    icseg_recipe_close(&recipe);
}

static void forms_and_wrong_arguments(void **state) {
    (void)state;
    icseg_recipe *recipe = make_recipe();
    icseg_plan_figures f;
    icseg_run_plan *plan = open_plan(recipe, &f), *none = (void *)&f;
    icseg_error error = {0};
    char *text;
    assert_int_equal(icseg_run_plan_text(plan, ICSEG_PLAN_TABLE, &text, &error), ICSEG_OK);
    assert_non_null(strstr(text, "program and libraries"));
    icseg_buffer_free(text);
    assert_int_equal(icseg_run_plan_text(plan, ICSEG_PLAN_JSON, &text, &error), ICSEG_OK);
    assert_non_null(strstr(text, "\"step_seconds\":null"));
    icseg_buffer_free(text);
    assert_int_equal(icseg_run_plan_text(plan, ICSEG_PLAN_FORMS, &text, &error), ICSEG_ERROR_ARGUMENT);
    icseg_plan_options wrong[] = {{ICSEG_PLAN_OPTIONS_INIT, .classes = 1},
                                  {ICSEG_PLAN_OPTIONS_INIT, .classes = 5000},
                                  {ICSEG_PLAN_OPTIONS_INIT, .seconds = -1},
                                  {ICSEG_PLAN_OPTIONS_INIT, .seconds = 4000},
                                  {ICSEG_PLAN_OPTIONS_INIT, .threads = -1}};
    const char *fields[] = {"classes", "classes", "seconds", "seconds", "threads"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        none = (void *)&f;
        assert_int_equal(icseg_run_plan_open(&none, recipe, &wrong[i], NULL, &error), ICSEG_ERROR_ARGUMENT);
        assert_null(none);
        assert_string_equal(error.field, fields[i]);
    }
    icseg_run_plan_close(&plan);
    icseg_recipe_close(&recipe);
}

static bool cancel(void *user, const icseg_progress_event *event) {
    (void)event;
    return --*(int *)user > 0;
}

static void a_measurement_can_be_cancelled_and_leaves_nothing(void **state) {
    (void)state;
    icseg_recipe *recipe = make_recipe();
    icseg_plan_options options = {ICSEG_PLAN_OPTIONS_INIT, .out = path("new/run"), .seconds = 0.01};
    icseg_plan_figures f = {ICSEG_PLAN_FIGURES_INIT};
    icseg_run_plan *plan;
    icseg_error error = {0};
    int events = 40;
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = cancel, .user = &events};
    assert_int_equal(icseg_run_plan_open(&plan, recipe, &options, &progress, &error), ICSEG_ERROR_CANCELLED);
    assert_int_equal(icseg_run_plan_open(&plan, recipe, &options, NULL, &error), ICSEG_OK);
    assert_int_equal(icseg_run_plan_figures(plan, &f, &error), ICSEG_OK);
    assert_true(f.measured && f.step_seconds > 0 && f.image_seconds > 0 && f.evaluation_seconds > 0);
    assert_true(f.total_seconds >= 4 * f.step_seconds + 2 * f.evaluation_seconds);
    assert_int_not_equal(access(path("new"), F_OK), 0);
    icseg_run_plan_close(&plan);

    options.classes = 13; /* and without the data set */
    assert_int_equal(icseg_recipe_set(recipe, "data.folder", "missing", &error), ICSEG_OK);
    assert_int_equal(icseg_run_plan_open(&plan, recipe, &options, NULL, &error), ICSEG_OK);
    assert_int_equal(icseg_run_plan_figures(plan, &f, &error), ICSEG_OK);
    assert_true(f.measured && f.step_seconds > 0 && f.image_seconds == 0 && f.evaluation_seconds == 0);
    icseg_run_plan_close(&plan);
    icseg_recipe_close(&recipe);
}

/* ---- limits of memory ---- */

static void write_text(const char *name, const char *text) {
    FILE *file = fopen(path(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void the_lowest_group_limits_the_memory(void **state) {
    (void)state;
    assert_int_equal(mkdir(path("group"), 0700) | mkdir(path("group/a"), 0700) | mkdir(path("group/a/b"), 0700), 0);
    char root[160];
    snprintf(root, sizeof root, "%s", path("group"));
    assert_true(icseg_memory_of_group(root, "/a/b") == SIZE_MAX);
    write_text("group/a/b/memory.max", "max\n");
    assert_true(icseg_memory_of_group(root, "/a/b") == SIZE_MAX);
    write_text("group/a/memory.max", "1000000\n");
    assert_true(icseg_memory_of_group(root, "/a/b") == 1000000);
    write_text("group/a/memory.stat", "anon 300000\nfile 600000\n");
    assert_true(icseg_memory_of_group(root, "/a/b") == 700000);
    write_text("group/a/b/memory.max", "500000\n");
    assert_true(icseg_memory_of_group(root, "/a/b") == 500000);
    write_text("group/a/memory.stat", "anon 2000000\n");
    assert_true(icseg_memory_of_group(root, "/a/b") == 0);
    assert_true(icseg_memory_of_group(root, "") == SIZE_MAX);
    write_text("group/memory.limit_in_bytes", "9223372036854771712\n");
    assert_true(icseg_memory_of_group(root, "/") == 9223372036854771712u);
    write_text("group/memory.limit_in_bytes", "80000\n");
    write_text("group/memory.stat", "cache 7\ntotal_rss 30000\n");
    assert_true(icseg_memory_of_group(root, "/missing") == 50000);
}

static void resource_limits_limit_the_memory(void **state) {
    (void)state;
    struct rlimit before, limit;
    if (ICSEG_EXACT_BLOCKS) skip(); /* the sanitizer has mapped more than any limit */
    size_t resident = icseg_memory_resident(), most = icseg_memory_allowance();
    assert_true(resident > 1 << 20 && most > resident);
    assert_int_equal(getrlimit(RLIMIT_DATA, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)most / 2;
    assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
    size_t least = icseg_memory_allowance();
    limit.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
    size_t none = icseg_memory_allowance();
    assert_int_equal(setrlimit(RLIMIT_DATA, &before), 0);
    assert_true(least <= most / 2 && least > most / 4 && none <= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_and_disk_are_those_of_a_run),
        cmocka_unit_test(weights_and_copies_are_those_of_a_trainer),
        cmocka_unit_test(every_key_changes_its_own_part),
        cmocka_unit_test(a_run_that_does_not_fit_gets_advice),
        cmocka_unit_test(forms_and_wrong_arguments),
        cmocka_unit_test(a_measurement_can_be_cancelled_and_leaves_nothing),
        cmocka_unit_test(the_lowest_group_limits_the_memory),
        cmocka_unit_test(resource_limits_limit_the_memory),
    };
    return cmocka_run_group_tests(tests, open_folder, close_folder);
}

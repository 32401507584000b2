/* SPDX-License-Identifier: Apache-2.0
 * Runs that fail: values that are not finite, files that are damaged, changes that do not match the run, lack of
 * memory. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/training.h"

/* Writes initial weights with `value` at every `each`-th element of one parameter. */
static const char *spoilt_weights(const char *name, int64_t each, float value) {
    icseg_model *model = test_fresh_model();
    icseg_param *p = icseg_params_find(model->params, name);
    if (!p) fail_msg("the model has no %s", name);
    for (int64_t i = 0; i < p->count; i += each) p->data[i] = value;
    assert_int_equal(icseg_model_save(model, test_run_path("spoilt.safetensors"), NULL), ICSEG_OK);
    icseg_model_close(&model);
    return test_run_path("spoilt.safetensors");
}

/* The images of a run's first batch of two. */
static void first_images(char path[2][TEST_PATH_SIZE]) {
    icseg_loader_options loading = {
        .augment = icseg_augment_options_default(), .batch = 2, .threads = 1, .ahead = 1, .seed = 3};
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *dataset;
    icseg_loader *loader;
    icseg_loader_batch batch;
    loading.augment.crop_height = loading.augment.crop_width = 64;
    loading.augment.resize_short = 0;
    o.folder = test_run_path("data");
    assert_int_equal(icseg_dataset_open(&dataset, &o, NULL), ICSEG_OK);
    assert_int_equal(icseg_loader_open(&loader, dataset, &loading, NULL), ICSEG_OK);
    assert_int_equal(icseg_loader_next(loader, &batch, NULL), ICSEG_OK);
    for (int i = 0; i < 2; i++)
        snprintf(path[i], TEST_PATH_SIZE, "%s", icseg_dataset_image_path(dataset, batch.sample[i]));
    icseg_loader_close(&loader);
    icseg_dataset_close(&dataset);
}

/* The run must fail in its first step, name the images, and save nothing. */
static void fails_at_once(test_run *r, const char *text) {
    char image[2][TEST_PATH_SIZE], expected[3 * TEST_PATH_SIZE], file[TEST_PATH_SIZE];
    test_train_badly(r, ICSEG_ERROR_NUMERIC, text);
    first_images(image);
    snprintf(expected, sizeof expected, "; images: %s, %s. Files that were saved", icseg_path_name(image[0]),
             icseg_path_name(image[1]));
    if (!strstr(r->error.message, expected)) fail_msg("\"%s\" is not in: %s", expected, r->error.message);
    snprintf(expected, sizeof expected, "the images of step 1:\n  %s\n  %s\n", image[0], image[1]);
    if (!strstr(r->messages, expected)) fail_msg("\"%s\" is not in: %s", expected, r->messages);
    static const char *const saved[] = {"checkpoint", "state", "best"};
    for (int i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s/%s/%s.safetensors", test_training_folder, r->out, saved[i]);
        assert_false(icseg_file_exists(file));
    }
}

static void a_loss_that_is_not_finite_is_named(void **state) {
    (void)state;
    test_run r = {.out = "nan",
                  .init = spoilt_weights("decoder.neck.fpn_convs.1.conv.weight", 1000, NAN),
                  .set = {"train.accumulate=2"}};
    fails_at_once(&r, "step 1: the loss is not finite; first seen: decoder.neck.fpn_convs.1.conv");
}

/* The output of this layer norm is multiplied by weights of zero: it does not affect the loss, but makes these weights'
 * gradient 1e36 * 1e25 times as large. */
static void a_gradient_that_is_not_finite_is_named(void **state) {
    (void)state;
    test_run r = {.out = "infinite",
                  .init = spoilt_weights("prompt.out.0.weight", 1, 1e36f),
                  .set = {"model.contrast_weight=1e25"}};
    fails_at_once(&r, "step 1: the gradient is not finite; first seen: the gradient of prompt.out.1.linear");
}

static void a_run_that_diverges_keeps_its_last_good_checkpoint(void **state) {
    (void)state;
    test_run r = {.out = "diverges",
                  .set = {"train.lr=1e25", "train.warmup_ratio=1", "train.min_lr=0", "train.clip_norm=0",
                          "train.checkpoint_every=1", "train.eval_every=0"}};
    icseg_status status = test_train(&r);
    assert_int_equal(status, ICSEG_ERROR_NUMERIC);
    assert_non_null(strstr(r.error.message, "step 2"));
    icseg_model *model = test_open_weights("diverges");
    for (int64_t i = 0; i < icseg_params_count(model->params); i++) {
        const icseg_param *p = icseg_params_at(model->params, i);
        for (int64_t j = 0; j < p->count; j++) assert_true(isfinite(p->data[j]));
    }
    icseg_model_close(&model);
}

static void moments_that_overflow_are_not_saved(void **state) {
    (void)state;
    test_run r = {.out = "overflow",
                  .set = {"model.contrast_weight=1e25", "train.clip_norm=0", "train.checkpoint_every=1"}};
    test_train_badly(&r, ICSEG_ERROR_NUMERIC, "step 1: AdamW's second moment of ");
    assert_false(icseg_file_exists(test_run_path("overflow/checkpoint.safetensors")));
}

static void changes_that_do_not_match_the_run_are_refused(void **state) {
    (void)state;
    test_train_well(&(test_run){.out = "whole", .resume = true});
    test_train_badly(&(test_run){.out = "whole"}, ICSEG_ERROR_ARGUMENT, "already contains a run");
    test_run r = {.out = "whole", .resume = true, .set = {"train.batch=4"}};
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "the run began with train.batch = 2, but the recipe now has 4");
    r.set[0] = "augment.crop=64,96";
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "augment.crop");
    r.set[0] = "model.num_classes=12";
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "has 13 classes");
    r.set[0] = NULL;
    test_make_renamed();
    r.data = "renamed";
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "class 0 was \"sky\"");
    char command[3 * TEST_PATH_SIZE];
    snprintf(command, sizeof command, "cp -r '%s/data' '%s/fewer' && rm '%s'/fewer/*/train/000003.*",
             test_training_folder, test_training_folder, test_training_folder);
    assert_int_equal(system(command), 0);
    r.data = "fewer";
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "training images differ");
    test_train_badly(&(test_run){.out = "tiny.yaml/below"}, ICSEG_ERROR_IO, "tiny.yaml");

    int other = open(test_run_path("whole"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(other, LOCK_EX), 0);
    test_train_badly(&(test_run){.out = "whole", .resume = true}, ICSEG_ERROR_IO, "another process");
    close(other);
}

static void a_wrong_mask_is_found_before_training(void **state) {
    (void)state;
    char command[3 * TEST_PATH_SIZE];
    snprintf(command, sizeof command,
             "cp -r '%s/data' '%s/faulty' && head -n 5 '%s/data/classes.txt' >'%s/faulty/classes.txt'",
             test_training_folder, test_training_folder, test_training_folder, test_training_folder);
    assert_int_equal(system(command), 0);
    test_run r = {.out = "faulty_run", .data = "faulty"};
    test_train_badly(&r, ICSEG_ERROR_DATA, "out of range");
    assert_non_null(strstr(r.messages, "000001.png"));
    assert_false(icseg_file_exists(test_run_path("faulty_run/recipe.yaml")));
}

static void a_damaged_state_is_an_error(void **state) {
    (void)state;
    unsigned char *bytes;
    size_t size;
    test_train_well(&(test_run){.out = "whole", .resume = true});
    assert_int_equal(icseg_file_read(test_run_path("whole/checkpoint.safetensors"), 1 << 28, &bytes, &size, NULL),
                     ICSEG_OK);
    assert_int_equal(icseg_folder_create(test_run_path("damaged"), NULL), ICSEG_OK);
    test_run r = {.out = "damaged", .resume = true};
    for (size_t keep = 0; keep < size; keep += size / 9) {
        assert_int_equal(icseg_file_write(test_run_path("damaged/checkpoint.safetensors"), bytes, keep, NULL),
                         ICSEG_OK);
        test_train_badly(&r, ICSEG_ERROR_FORMAT, "checkpoint.safetensors");
    }
    unsigned char *at = NULL;
    for (size_t i = 0; i + 20 < 1 << 17 && !at; i++)
        if (!memcmp(bytes + i, "updates", 7)) at = bytes + i;
    assert_non_null(at);
    memcpy(at, "upd4tes", 7);
    assert_int_equal(icseg_file_write(test_run_path("damaged/checkpoint.safetensors"), bytes, size, NULL), ICSEG_OK);
    test_train_badly(&r, ICSEG_ERROR_FORMAT, "icseg.state: updates is missing");
    icseg_free(bytes);
}

static void running_out_of_memory_is_an_error(void **state) {
    (void)state;
    bool done = false;
    int64_t n = 0;
    for (; !done; n += n / 3 + 1) {
        test_remove_tree(test_run_path("memory"));
        icseg_memory_fail_after(n);
        test_run r = {.out = "memory", .set = {"train.steps=1", "train.warmup=0", "data.loader_threads=1"}};
        icseg_status status = test_train(&r);
        icseg_memory_fail_after(-1);
        done = status == ICSEG_OK;
        if (!done && status != ICSEG_ERROR_MEMORY)
            fail_msg("allocation %lld: %s: %s", (long long)n, icseg_status_name(status), r.error.message);
    }
    assert_true(n > 50); /* some allocations failed */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_that_is_not_finite_is_named),
        cmocka_unit_test(a_gradient_that_is_not_finite_is_named),
        cmocka_unit_test(a_run_that_diverges_keeps_its_last_good_checkpoint),
        cmocka_unit_test(moments_that_overflow_are_not_saved),
        cmocka_unit_test(changes_that_do_not_match_the_run_are_refused),
        cmocka_unit_test(a_wrong_mask_is_found_before_training),
        cmocka_unit_test(a_damaged_state_is_an_error),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, test_training_open, test_training_close);
}

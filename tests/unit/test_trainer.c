/* SPDX-License-Identifier: Apache-2.0
 * Training: it learns, repeats to the same bytes, starts from other weights, averages gradients as documented, and does
 * not change frozen parts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "icseg/synth.h"
#include "support/near.h"
#include "support/training.h"

static void it_learns_eight_images(void **state) {
    (void)state;
    test_run r = {.out = "learns",
                  .set = {"train.steps=60", "train.batch=4", "augment.photometric=false", "augment.scale=1,1",
                          "train.log_every=10", "train.eval_every=20", "model.dropout=0"}};
    test_train_well(&r);
    icseg_log log;
    test_read_log(&log, "learns");
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
    test_train_well(&(test_run){.out = "whole"});
    test_train_well(&(test_run){.out = "repeated", .set = {"data.loader_threads=3"}});
    assert_false(test_same_file("whole", "repeated", "recipe.yaml")); /* it contains loader_threads */
    assert_true(test_same_file("whole", "repeated", "checkpoint.safetensors"));
    assert_true(test_same_file("whole", "repeated", "best.safetensors"));
    test_assert_same_log("whole", "repeated");
    test_train_well(&(test_run){.out = "seed", .set = {"train.seed=4"}});
    assert_false(test_same_tensors("whole", "seed"));
}

static void the_state_records_the_best_evaluation(void **state) {
    (void)state;
    test_run r = {.out = "best_saved", .set = {"train.eval_every=2", "train.checkpoint_every=0"}, .look_at = 2};
    test_train_well(&r);
    assert_true(r.had_state);
}

/* `path`: the weights of the run "whole" under "ema_model." and new ones under "model."; `plain`: those of the run. */
static void write_two_sets(const char *path, const char *plain) {
    enum { MOST = 1000 };
    static icseg_safetensors_entry entries[MOST], own[MOST];
    icseg_model *models[2] = {test_fresh_model(), test_open_weights("whole")};
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
    char two[TEST_PATH_SIZE], whole[TEST_PATH_SIZE];
    test_train_well(&(test_run){.out = "whole", .resume = true});
    snprintf(two, sizeof two, "%s/two.safetensors", test_training_folder);
    snprintf(whole, sizeof whole, "%s/whole.safetensors", test_training_folder);
    write_two_sets(two, whole);
    test_train_badly(&(test_run){.out = "none", .set = {ema}}, ICSEG_ERROR_ARGUMENT,
                     "model.init: is not set, but model.init_weights = \"ema\" names a part of that file");
    test_run r = {.out = "none", .init = two, .set = {"model.init_weights=swa"}};
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "it contains \"model\", \"ema_model\"");
    assert_string_equal(r.error.field, "model.init_weights");
    test_run raw = {.out = "of_raw", .init = two};
    test_train_well(&raw);
    assert_non_null(strstr(raw.messages, "these are the weights \"model\"; the file also contains \"ema_model\""));
    r = (test_run){.out = "of_ema", .init = two, .set = {ema}, .stop_stage = "train", .stop_at = 3};
    test_train_badly(&r, ICSEG_ERROR_CANCELLED, "stopped after step 3");
    assert_non_null(strstr(r.messages, "these are the weights \"ema_model\""));
    test_run on = {.out = "of_ema", .init = two, .resume = true, .set = {"model.init_weights=model"}};
    test_train_well(&on);
    assert_non_null(strstr(on.messages, "began with model.init_weights = \"ema\"; \"model\" is not read"));
    test_train_well(&(test_run){.out = "of_whole", .init = whole});
    assert_true(test_same_tensors("of_ema", "of_whole"));
    assert_false(test_same_tensors("of_ema", "of_raw"));
}

static void a_run_can_start_from_other_weights(void **state) {
    (void)state;
    char path[TEST_PATH_SIZE];
    test_train_well(&(test_run){.out = "whole", .resume = true});
    snprintf(path, sizeof path, "%s/whole/checkpoint.safetensors", test_training_folder);
    test_run same = {
        .out = "same_classes",
        .init = path,
        .set = {"train.steps=1", "train.lr=1e-30", "train.min_lr=0", "train.warmup=0", "train.weight_decay=0"}};
    test_train_well(&same);
    assert_null(strstr(same.messages, "keep their initial values"));
    icseg_model *initial = test_open_weights("whole"), *trained = test_open_weights("same_classes");
    int all;
    assert_int_equal(test_count_changed(initial, trained, "", false, &all), 0);
    icseg_model_close(&trained);

    test_make_renamed();
    test_run other = same;
    other.out = "other_classes";
    other.data = "renamed";
    test_train_well(&other);
    assert_non_null(strstr(other.messages, "its class list differs"));
    assert_non_null(strstr(other.messages, "keep their initial values: "));
    assert_non_null(strstr(other.messages, "decoder.head.conv_seg.weight"));
    trained = test_open_weights("other_classes");
    assert_int_equal(test_count_changed(initial, trained, "visual.", false, &all), 0);
    assert_int_equal(test_count_changed(initial, trained, "decoder.neck.fpn_convs.", false, &all), 0);
    assert_int_equal(test_count_changed(initial, trained, "decoder.head.conv_seg.weight", false, &all), 1);
    icseg_model_close(&trained);
    icseg_model_close(&initial);

    test_run wrong = {.out = "wrong", .init = path, .set = {"model.embed_dim=64"}};
    test_train_badly(&wrong, ICSEG_ERROR_CONFIG, "embed_dim = 48, but the model has 64");
    wrong.set[0] = "model.fpn_dim=32";
    test_train_badly(&wrong, ICSEG_ERROR_SHAPE, "decoder.");
    assert_false(icseg_file_exists(test_run_path("wrong/log.jsonl")));
}

static void synonyms_are_trained_and_stored_in_the_checkpoint(void **state) {
    (void)state;
    char command[3 * TEST_PATH_SIZE];
    snprintf(command, sizeof command,
             "cp -r '%s/data' '%s/synonyms' && sed -i 's/^sky$/sky, heaven/' '%s/synonyms/classes.txt'",
             test_training_folder, test_training_folder, test_training_folder);
    assert_int_equal(system(command), 0);
    test_run r = {.out = "mean",
                  .data = "synonyms",
                  .set = {"model.synonyms=mean", "model.prompt=static", "train.steps=2", "train.warmup=0"}};
    test_train_well(&r);
    icseg_model *model = test_open_weights("mean");
    assert_int_equal(model->texts.count, model->config.num_classes + 1);
    icseg_model_close(&model);
    r.set[0] = "train.steps=2";
    r.resume = true;
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT, "began with model.synonyms = mean");
    snprintf(command, sizeof command, "sed -i 's/, heaven$/, ether/' '%s/synonyms/classes.txt'", test_training_folder);
    assert_int_equal(system(command), 0); /* the displayed name is the same */
    test_run renamed = {.out = "mean",
                        .data = "synonyms",
                        .resume = true,
                        .set = {"model.synonyms=mean", "model.prompt=static", "train.steps=2", "train.warmup=0"}};
    test_train_badly(&renamed, ICSEG_ERROR_ARGUMENT, "the tokens of the class names differ");
    r.out = "first"; /* the default: the line is the name */
    r.resume = false;
    test_train_well(&r);
    model = test_open_weights("first");
    assert_int_equal(model->texts.count, model->config.num_classes);
    icseg_model_close(&model);
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
    test_train_well(
        &(test_run){.out = "accumulated",
                    .set = {"train.steps=1", "train.batch=1", "train.accumulate=3", "train.warmup=0", "model.dropout=0",
                            "train.lr=1", "train.eps=1", "train.clip_norm=0.5", "augment.photometric=true"}});
    icseg_model *trained = test_open_weights("accumulated"), *expected = test_fresh_model();
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *dataset;
    o.folder = test_run_path("data");
    assert_int_equal(icseg_dataset_open(&dataset, &o, NULL), ICSEG_OK);
    naive_step(expected, dataset, 3, 0.5);
    double error = 0, moved = 0;
    icseg_model *before = test_fresh_model();
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
    test_train_well(&(test_run){.out = "frozen", .set = {"train.freeze_backbone=true", "train.steps=3"}});
    icseg_model *trained = test_open_weights("frozen"), *before = test_fresh_model();
    assert_int_equal(test_count_changed(before, trained, "visual.", false, &all), 0);
    assert_true(all > 10);
    assert_int_equal(test_count_changed(before, trained, "visual.", true, &all), 0);
    assert_true(all > 10);
    assert_int_equal(test_count_changed(before, trained, "transformer.", false, &all), 0); /* not trained */
    assert_true(test_count_changed(before, trained, "decoder.", false, &all) == all && all > 10);
    icseg_model_close(&trained);
    icseg_model_close(&before);
}

/* CLIP's weights do not contain the layers for four strides. */
static void a_frozen_vit_learns_its_four_levels(void **state) {
    (void)state;
    int all;
    test_train_well(
        &(test_run){.out = "vit_base", .set = {"model.preset=tiny-vit", "train.steps=1", "train.warmup=0"}});
    test_train_well(&(test_run){.out = "vit_frozen",
                                .init = test_run_path("vit_base/checkpoint.safetensors"),
                                .set = {"model.preset=tiny-vit", "train.steps=3", "train.freeze_backbone=true"}});
    icseg_model *before = test_open_weights("vit_base"), *trained = test_open_weights("vit_frozen");
    int changed = test_count_changed(before, trained, "visual.fpn", false, &all);
    assert_true(changed == all && all > 4);
    assert_true(test_count_changed(before, trained, "visual.fpn", true, &all) > 0);
    assert_int_equal(test_count_changed(before, trained, "visual.", false, &all), changed);
    icseg_model_close(&trained);
    icseg_model_close(&before);
}

static void frozen_statistics_do_not_change_while_weights_train(void **state) {
    (void)state;
    int all;
    test_train_well(&(test_run){.out = "statistics", .set = {"train.freeze_bn=true", "train.steps=3"}});
    icseg_model *trained = test_open_weights("statistics"), *before = test_fresh_model();
    assert_int_equal(test_count_changed(before, trained, "visual.", true, &all), 0);
    assert_true(test_count_changed(before, trained, "visual.", false, &all) > 10);
    assert_true(test_count_changed(before, trained, "decoder.", true, &all) > 0);
    icseg_model_close(&trained);
    icseg_model_close(&before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns_eight_images),
        cmocka_unit_test(two_runs_produce_the_same_bytes),
        cmocka_unit_test(the_state_records_the_best_evaluation),
        cmocka_unit_test(a_run_starts_from_one_of_several_sets_of_weights),
        cmocka_unit_test(a_run_can_start_from_other_weights),
        cmocka_unit_test(synonyms_are_trained_and_stored_in_the_checkpoint),
        cmocka_unit_test(accumulation_averages_gradients_and_clips_their_mean),
        cmocka_unit_test(a_frozen_image_encoder_does_not_change),
        cmocka_unit_test(a_frozen_vit_learns_its_four_levels),
        cmocka_unit_test(frozen_statistics_do_not_change_while_weights_train),
    };
    return cmocka_run_group_tests(tests, test_training_open, test_training_close);
}

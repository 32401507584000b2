/* SPDX-License-Identifier: Apache-2.0
 * Learning rates that fall from block to block of a ViT: the rates of parameters against a table, and the distances
 * that a run's first step really moves them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/near.h"
#include "support/training.h"

typedef struct rate {
    const char *name; /* or the beginning of names */
    double rate;
} rate;

/* ViT-B/16 with 0.75, as MAE's param_groups_lrd and BEiT's LayerDecayValueAssigner number the layers: powers 13 to 0.
 */
static void the_rates_of_twelve_blocks_are_those_of_beit_and_mae(void **state) {
    (void)state;
    static const rate table[] = {{"visual.conv1.weight", 0.0237572},
                                 {"visual.class_embedding", 0.0237572},
                                 {"visual.positional_embedding", 0.0237572},
                                 {"visual.ln_pre.bias", 0.0237572},
                                 {"visual.transformer.resblocks.0.ln_1.weight", 0.0316764},
                                 {"visual.transformer.resblocks.1.attn.in_proj_weight", 0.0422351},
                                 {"visual.transformer.resblocks.10.mlp.c_fc.weight", 0.5625},
                                 {"visual.transformer.resblocks.11.mlp.c_proj.bias", 0.75},
                                 {"visual.ln_post.weight", 1},
                                 {"visual.proj", 1},
                                 {"visual.fpn1.1.weight", 1},
                                 {"transformer.resblocks.0.ln_1.weight", 1},
                                 {"decoder.lateral.conv1.weight", 1}};
    enum { ROWS = sizeof table / sizeof *table };
    icseg_adamw_options options = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .layers = 12};
    icseg_params *params;
    icseg_adamw *adamw;
    assert_int_equal(icseg_params_open(&params, NULL), ICSEG_OK);
    for (int i = 0; i < ROWS; i++)
        assert_non_null(icseg_params_declare(params, table[i].name, (icseg_shape){.rank = 1, .dim = {1}},
                                             (icseg_param_options){.trainable = true}, NULL));
    static const double decays[] = {0.75, 1, 0}, multiples[] = {1, 0.1};
    for (int d = 0; d < 3; d++)
        for (int m = 0; m < 2; m++) {
            options.layer_decay = decays[d];
            options.backbone_lr_mult = multiples[m];
            assert_int_equal(icseg_adamw_open(&adamw, params, &options, NULL), ICSEG_OK);
            for (int i = 0; i < ROWS; i++) {
                double expected =
                    (d == 0 ? table[i].rate : 1) * (strncmp(table[i].name, "visual.", 7) ? 1 : multiples[m]);
                double got = icseg_adamw_rate(adamw, i);
                if (d ? got != expected : !(fabs(got - expected) < 1e-6 * multiples[m]))
                    fail_msg("%s: %.9g, expected %.9g", table[i].name, got, expected);
            }
            icseg_adamw_close(&adamw);
        }
    icseg_params_close(&params);
}

/* Adam's first step moves a weight by its rate, whatever the gradient is. */
static double distance_moved(const icseg_param *before, const icseg_param *after) {
    double most = 0;
    for (int64_t i = 0; i < before->count; i++)
        most = fmax(most, fabs((double)after->data[i] - (double)before->data[i]));
    return most;
}

static double expected_rate(const char *name) {
    static const rate table[] = {{"visual.conv1.", 0.0125},
                                 {"visual.class_embedding", 0.0125},
                                 {"visual.positional_embedding", 0.0125},
                                 {"visual.ln_pre.", 0.0125},
                                 {"visual.transformer.resblocks.0.", 0.025},
                                 {"visual.transformer.resblocks.1.", 0.05},
                                 {"visual.transformer.resblocks.2.", 0.1},
                                 {"visual.transformer.resblocks.3.", 0.2},
                                 {"visual.", 0.4},
                                 {"", 1}};
    const rate *row = table;
    while (strncmp(name, row->name, strlen(row->name)) != 0) row++;
    return row->rate;
}

static void a_step_moves_each_parameter_by_its_rate(void **state) {
    (void)state;
    test_run r = {.out = "vit",
                  .set = {"model.preset=tiny-vit", "train.layer_decay=0.5", "train.backbone_lr_mult=0.4",
                          "train.eps=1e-30", "train.weight_decay=0", "train.warmup=0", "train.clip_norm=0"}};
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = test_run_path("vit")};
    icseg_recipe *recipe = test_run_recipe(&r);
    icseg_train_step step = {ICSEG_TRAIN_STEP_INIT};
    icseg_trainer *t;
    int counted[2] = {0};
    assert_int_equal(icseg_trainer_open(&t, recipe, &o, NULL, &r.error), ICSEG_OK);
    assert_int_equal(icseg_trainer_save(t, &r.error), ICSEG_OK);
    icseg_model *before = test_open_weights("vit");
    if (icseg_trainer_step(t, &step, &r.error) != ICSEG_OK) fail_msg("%s", r.error.message);
    assert_true(step.learning_rate == 2e-3);
    for (int64_t i = 0; i < icseg_params_count(t->model->params); i++) {
        const icseg_param *p = icseg_params_at(t->model->params, i);
        if (!p->options.trainable) continue;
        double moved = distance_moved(icseg_params_at(before->params, i), p) / step.learning_rate;
        if (moved == 0) continue; /* without a gradient */
        if (!(fabs(moved - expected_rate(p->name)) < 0.005 * expected_rate(p->name)))
            fail_msg("%s: %g, expected %g", p->name, moved, expected_rate(p->name));
        counted[expected_rate(p->name) < 0.4]++;
    }
    if (counted[0] < 20 || counted[1] < 45) fail_msg("%d and %d parameters were compared", counted[0], counted[1]);
    icseg_model_close(&before);
    icseg_trainer_close(&t);
    icseg_recipe_close(&recipe);
}

static void no_decay_changes_no_byte_and_a_resumed_run_keeps_its_decay(void **state) {
    (void)state;
#define VIT "model.preset=tiny-vit", "train.steps=4"
    test_train_well(&(test_run){.out = "one", .set = {VIT, "train.layer_decay=1"}});
    test_train_well(&(test_run){.out = "unset", .set = {VIT}});
    test_assert_same_run("one", "unset");
    test_train_well(&(test_run){.out = "whole", .set = {VIT, "train.layer_decay=0.6"}});
    assert_false(test_same_tensors("one", "whole"));
    test_run r = {.out = "parts", .set = {VIT, "train.layer_decay=0.6"}, .stop_stage = "train", .stop_at = 2};
    test_train_badly(&r, ICSEG_ERROR_CANCELLED, "can be resumed");
    r.resume = true;
    r.stop_stage = NULL;
    r.set[2] = "train.layer_decay=0.7";
    test_train_badly(&r, ICSEG_ERROR_ARGUMENT,
                     "the run began with train.layer_decay = 0.6, but the recipe now has 0.7");
    r.set[2] = "train.layer_decay=0.6";
    test_train_well(&r);
    test_assert_same_run("whole", "parts");
}

static void it_is_refused_without_the_blocks_of_a_vit(void **state) {
    (void)state;
    static const char *const bad[][3] = {
        {"train.layer_decay=0.75", "train.power=0", "train.layer_decay: 0.75: needs the blocks of a ViT, but"},
        {"train.layer_decay=0.75", "train.freeze_backbone=true",
         "has no effect, because train.freeze_backbone is true"},
        {"train.layer_decay=0", NULL, "train.layer_decay: \"0\" is not accepted"},
        {"train.layer_decay=1.1", NULL, "train.layer_decay: \"1.1\" is not accepted"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_run r = {.out = "refused",
                      .set = {i ? "model.preset=tiny-vit" : "model.preset=tiny-resnet", bad[i][0], bad[i][1]}};
        test_train_badly(&r, ICSEG_ERROR_ARGUMENT, bad[i][2]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rates_of_twelve_blocks_are_those_of_beit_and_mae),
        cmocka_unit_test(a_step_moves_each_parameter_by_its_rate),
        cmocka_unit_test(no_decay_changes_no_byte_and_a_resumed_run_keeps_its_decay),
        cmocka_unit_test(it_is_refused_without_the_blocks_of_a_vit),
    };
    return cmocka_run_group_tests(tests, test_training_open, test_training_close);
}

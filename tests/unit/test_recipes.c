/* SPDX-License-Identifier: Apache-2.0
 * The recipes that come with icseg: each passes the check if its folders and weights exist, and those of the published
 * data sets have the settings of docs/method.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "train/recipe.h"

static icseg_recipe *read_recipe(const char *name) {
    char path[512];
    icseg_error error = {0};
    icseg_recipe *r;
    snprintf(path, sizeof path, "%s/recipes/%s", ICSEG_SOURCE_DIR, name);
    if (icseg_recipe_open(&r, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
    if (icseg_recipe_set(r, "data.folder", "/tmp", &error) != ICSEG_OK ||
        icseg_recipe_set(r, "model.init", "", &error) != ICSEG_OK ||
        (r->settings.merges[0] && icseg_recipe_set(r, "model.merges", path, &error) != ICSEG_OK) ||
        icseg_recipe_check(r, &error) != ICSEG_OK)
        fail_msg("%s", error.message);
    return r;
}

static void every_recipe_passes_its_check(void **state) {
    (void)state;
    char **names;
    size_t count, recipes = 0;
    assert_int_equal(icseg_folder_list(ICSEG_SOURCE_DIR "/recipes", &names, &count, NULL), ICSEG_OK);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(icseg_path_extension(names[i]), "yaml") != 0) continue;
        icseg_recipe *r = read_recipe(names[i]);
        icseg_recipe_close(&r);
        recipes++;
    }
    assert_true(recipes >= 21);
    icseg_free(names);
}

static void has_published_training(const icseg_recipe_settings *r, int32_t side) {
    assert_int_equal(r->train.batch * r->train.accumulate, 32);
    assert_int_equal(r->train.steps, 80000);
    assert_int_equal(r->train.warmup, 1500);
    assert_true(r->train.lr == 1e-4 && r->train.weight_decay == 1e-4 && r->train.backbone_lr_mult == 0.1);
    assert_true(r->train.power == 0.9 && r->train.min_lr == 1e-6);
    assert_true(r->augment.crop_height == side && r->augment.crop_width == side && r->augment.resize_short == side);
    assert_true(r->augment.scale_min == 0.5 && r->augment.scale_max == 2 && r->augment.crop_max_share == 0.75);
    assert_true(r->augment.flip == 0.5 && r->augment.photometric);
    assert_int_equal(r->eval.mode, ICSEG_RECIPE_SLIDE);
    assert_true(r->eval.crop[0] == side && r->eval.crop[1] == side && r->eval.resize_short == side);
    assert_true(r->eval.stride[0] == side * 2 / 3 && r->eval.stride[1] == side * 2 / 3);
    static const double scales[] = {0.5, 0.75, 1.0, 1.25, 1.5, 1.75};
    assert_int_equal(r->eval.tta_count, 6);
    assert_memory_equal(r->eval.tta_scales, scales, sizeof scales);
    assert_true(r->eval.tta_flip && !r->eval.tta);
}

static void published_sets_have_the_published_settings(void **state) {
    (void)state;
    static const struct {
        const char *name;
        icseg_dataset_format format;
    } sets[] = {{"ade20k", ICSEG_DATASET_ADE20K},
                {"cocostuff10k", ICSEG_DATASET_COCOSTUFF10K},
                {"ade20k_full", ICSEG_DATASET_ADE20K_FULL}};
    static const struct {
        const char *name;
        int32_t side, embed_level;
    } nets[] = {{"rn50", 512, 3}, {"rn101", 512, 3}, {"vit-b16", 640, 2}};
    for (int i = 0; i < 18; i++) {
        int set = i / 6, net = i / 2 % 3;
        bool dense = i % 2;
        char name[64];
        snprintf(name, sizeof name, "%s_%s%s.yaml", sets[set].name, nets[net].name, dense ? "_denseclip" : "");
        icseg_recipe *recipe = read_recipe(name);
        const icseg_recipe_settings *r = &recipe->settings;
        assert_string_equal(icseg_preset_name(r->preset), nets[net].name);
        assert_int_equal(r->data.format, sets[set].format);
        assert_int_equal(r->tokenizer, ICSEG_TOKENIZER_CLIP);
        has_published_training(r, nets[net].side);
        assert_int_equal(r->model.prompt, dense ? ICSEG_PROMPT_STATIC : ICSEG_PROMPT_INSTANCE);
        assert_int_equal(r->model.post_prompt, dense);
        assert_true(dense == (r->model.contrast_weight == 0));
        for (int level = 0; level < ICSEG_LEVELS; level++)
            assert_int_equal(r->model.align[level], dense ? level == nets[net].embed_level : level > 0);
        assert_true(r->model.align_weights[nets[net].embed_level] == 0.4);
        icseg_recipe_close(&recipe);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recipe_passes_its_check),
        cmocka_unit_test(published_sets_have_the_published_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * Checks the keys of a recipe that pretraining uses. */
#include "pretrain/run.h"

static icseg_status check_pairs(const icseg_recipe *recipe, icseg_error *error) {
    const icseg_recipe_settings *s = &recipe->settings;
    if (!s->pretrain.pairs[0])
        return icseg_recipe_fail_key(recipe, "pretrain.pairs", error,
                                     "is not set; set it to the pairs of images and captions to train on");
    if (s->pretrain.crop_scale[0] > s->pretrain.crop_scale[1])
        return icseg_recipe_fail_key(recipe, "pretrain.crop_scale", error,
                                     "the smallest share %g is above the largest share %g", s->pretrain.crop_scale[0],
                                     s->pretrain.crop_scale[1]);
    return ICSEG_OK;
}

static icseg_status check_optimiser(const icseg_recipe *recipe, icseg_error *error) {
    const icseg_recipe_settings *s = &recipe->settings;
    if (s->pretrain.chunk > s->pretrain.batch)
        return icseg_recipe_fail_key(recipe, "pretrain.chunk", error, "%d is above pretrain.batch = %d",
                                     (int)s->pretrain.chunk, (int)s->pretrain.batch);
    if (s->pretrain.warmup >= s->pretrain.steps)
        return icseg_recipe_fail_key(
            recipe, "pretrain.warmup", error, "%d %s not fit into pretrain.steps = %d", (int)s->pretrain.warmup,
            icseg_plural(s->pretrain.warmup, "step of warm-up does", "steps of warm-up do"), (int)s->pretrain.steps);
    if (s->pretrain.min_lr > s->pretrain.lr)
        return icseg_recipe_fail_key(recipe, "pretrain.min_lr", error, "%g is above pretrain.lr = %g",
                                     s->pretrain.min_lr, s->pretrain.lr);
    if (s->pretrain.freeze_image && s->pretrain.freeze_text)
        return icseg_recipe_fail_key(recipe, "pretrain.freeze_text", error,
                                     "both encoders are frozen, so that nothing would be trained");
    return ICSEG_OK;
}

icseg_status icseg_pretrain_check(const icseg_recipe *recipe, icseg_error *error) {
    ICSEG_TRY(icseg_recipe_check_model(recipe, error));
    ICSEG_TRY(check_pairs(recipe, error));
    ICSEG_TRY(icseg_recipe_check_events(recipe, "pretrain", &recipe->settings.pretrain.events, error));
    return check_optimiser(recipe, error);
}

/* SPDX-License-Identifier: Apache-2.0
 * The data sets and the optimiser of a recipe, and how its evaluations resize and divide images. */
#include <stdio.h>
#include <string.h>

#include "train/trainer.h"

icseg_image_values icseg_recipe_image_values(const icseg_recipe_settings *r) {
    icseg_image_values values = {ICSEG_IMAGE_VALUES_INIT, .value_low = r->data.value_range[0],
                                 .value_high = r->data.value_range[1]};
    for (int32_t i = 0; i < r->data.band_count; i++) values.bands[i] = r->data.bands[i];
    return values;
}

static icseg_status open_split(icseg_dataset **out, const icseg_recipe_settings *r, const char *split, bool held_out,
                               icseg_error *error) {
    const icseg_image_values values = icseg_recipe_image_values(r);
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT,
                               .folder = r->data.folder,
                               .format = r->data.format,
                               .split = split,
                               .classes_file = r->data.classes[0] ? r->data.classes : NULL,
                               .reduce_zero_label = r->data.reduce_zero_label,
                               .ignore = r->data.ignore,
                               .ignore_count = r->data.ignore_count,
                               .values = &values,
                               .map = r->data.map,
                               .val_share = r->data.val_share,
                               .held_out = held_out};
    return icseg_dataset_open(out, &o, error);
}

icseg_status icseg_recipe_open_train(icseg_dataset **out, const icseg_recipe_settings *r, icseg_error *error) {
    return open_split(out, r, r->data.train_split, false, error);
}

icseg_status icseg_recipe_open_val(icseg_dataset **out, const icseg_recipe_settings *r, icseg_error *error) {
    icseg_error missing = {0};
    if (r->data.val_share > 0) return open_split(out, r, r->data.train_split, true, error);
    icseg_status status = open_split(out, r, r->data.val_split, false, &missing);
    if (status == ICSEG_OK) return status;
    if (strcmp(missing.field, "split") != 0) {
        if (error) *error = missing;
        return status;
    }
    return icseg_fail_field(error, status, "data.val_share", ICSEG_REMEDY_SET_FIELD,
                            "%s; set data.val_split to another split, or data.val_share to a share of the training "
                            "images to hold out, such as 0.2",
                            missing.message);
}

icseg_status icseg_recipe_open_adamw(icseg_adamw **out, const icseg_recipe_settings *r, icseg_params *params,
                                     icseg_error *error) {
    icseg_adamw_options options = {.weight_decay = r->train.weight_decay,
                                   .beta1 = r->train.betas[0],
                                   .beta2 = r->train.betas[1],
                                   .eps = r->train.eps,
                                   .backbone_lr_mult = r->train.backbone_lr_mult,
                                   .layer_decay = r->train.layer_decay,
                                   .layers = r->model.vit_layers};
    return icseg_adamw_open(out, params, &options, error);
}

void icseg_recipe_describe_val(const icseg_recipe_settings *r, char *out, size_t size) {
    if (r->data.val_share > 0)
        snprintf(out, size, "held-out %s", r->data.train_split);
    else
        snprintf(out, size, "%s", r->data.val_split);
}

icseg_eval_options icseg_recipe_eval_options(const icseg_recipe_settings *r) {
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    const int32_t train_crop[2] = {r->augment.crop_height, r->augment.crop_width};
    int32_t crop[2], stride[2];
    for (int i = 0; i < 2; i++) {
        crop[i] = r->eval.crop[i] ? r->eval.crop[i] : train_crop[i];
        stride[i] = r->eval.stride[i] ? r->eval.stride[i] : crop[i] * 2 / 3;
    }
    o.mode = r->eval.mode == ICSEG_RECIPE_SLIDE ? ICSEG_EVAL_SLIDE : ICSEG_EVAL_WHOLE;
    o.resize_short = r->eval.resize_short;
    o.crop_height = crop[0];
    o.crop_width = crop[1];
    o.stride_height = stride[0];
    o.stride_width = stride[1];
    for (int32_t i = 0; r->eval.tta && i < r->eval.tta_count; i++) o.scale[o.scale_count++] = r->eval.tta_scales[i];
    o.flip = r->eval.tta && r->eval.tta_flip;
    return o;
}

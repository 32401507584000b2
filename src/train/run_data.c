/* SPDX-License-Identifier: Apache-2.0
 * The data sets of a recipe, and how its evaluations resize and divide images. */
#include "train/trainer.h"

icseg_image_values icseg_recipe_image_values(const icseg_recipe_settings *r) {
    icseg_image_values values = {ICSEG_IMAGE_VALUES_INIT, .value_low = r->data.value_range[0],
                                 .value_high = r->data.value_range[1]};
    for (int32_t i = 0; i < r->data.band_count; i++) values.bands[i] = r->data.bands[i];
    return values;
}

icseg_status icseg_recipe_open_split(icseg_dataset **out, const icseg_recipe_settings *r, const char *split,
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
                               .map = r->data.map};
    return icseg_dataset_open(out, &o, error);
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

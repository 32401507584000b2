/* SPDX-License-Identifier: Apache-2.0
 * The data sets of a plan, and the sizes of their images. */
#include "icseg/image.h"
#include "planner/planner.h"

enum { LOOKED_AT = 1000 }; /* images of a split, spread over it */

static icseg_status find_sizes(const icseg_dataset *dataset, icseg_split_sizes *out, icseg_error *error) {
    int64_t count = icseg_dataset_count(dataset), looked_at = count < LOOKED_AT ? count : LOOKED_AT;
    *out = (icseg_split_sizes){.images = count};
    for (int64_t i = 0; i < looked_at; i++) {
        int32_t width, height;
        ICSEG_TRY(
            icseg_image_read_size(&width, &height, icseg_dataset_image_path(dataset, i * count / looked_at), error));
        if ((int64_t)width * height <= (int64_t)out->width * out->height) continue;
        out->width = width;
        out->height = height;
    }
    return ICSEG_OK;
}

icseg_status icseg_planning_open_data(icseg_planning *p, icseg_error *error) {
    const icseg_recipe_settings *r = &p->recipe->settings;
    if (p->options.classes) return ICSEG_OK;
    ICSEG_TRY(icseg_recipe_open_train(&p->train, r, error));
    ICSEG_TRY(icseg_recipe_open_val(&p->val, r, error));
    ICSEG_TRY(find_sizes(p->train, &p->train_sizes, error));
    return find_sizes(p->val, &p->val_sizes, error);
}

icseg_split_sizes icseg_planning_sizes(const icseg_planning *p, const icseg_recipe_settings *r, bool val) {
    if (!p->train) return (icseg_split_sizes){.width = r->augment.crop_width, .height = r->augment.crop_height};
    return val ? p->val_sizes : p->train_sizes;
}

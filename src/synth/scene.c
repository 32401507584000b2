/* SPDX-License-Identifier: Apache-2.0
 * Class names and single scenes in memory. */
#include "base/argument.h"
#include "base/struct_size.h"
#include "synth/synth.h"

static const char *const class_names[ICSEG_SYNTH_CLASSES] = {
    [ICSEG_SYNTH_SKY] = "sky",
    [ICSEG_SYNTH_MOUNTAIN] = "distant mountain",
    [ICSEG_SYNTH_GRASS] = "grass field",
    [ICSEG_SYNTH_ROAD] = "paved road",
    [ICSEG_SYNTH_WATER] = "rippling water",
    [ICSEG_SYNTH_TREE] = "leafy tree",
    [ICSEG_SYNTH_HOUSE] = "brick house",
    [ICSEG_SYNTH_ROOF] = "tiled roof",
    [ICSEG_SYNTH_FENCE] = "wooden fence",
    [ICSEG_SYNTH_CAR] = "parked car",
    [ICSEG_SYNTH_PERSON] = "person standing",
    [ICSEG_SYNTH_CONE] = "striped traffic cone",
    [ICSEG_SYNTH_LAMP] = "street lamp post",
};

const char *const *icseg_synth_class_names(void) { return class_names; }

icseg_status icseg_synth_check_size(int32_t width, int32_t height, icseg_error *error) {
    bool bad_width = width < ICSEG_SYNTH_MIN_SIDE || width > ICSEG_SYNTH_MAX_SIDE;
    if (!bad_width && height >= ICSEG_SYNTH_MIN_SIDE && height <= ICSEG_SYNTH_MAX_SIDE) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, bad_width ? "width" : "height", ICSEG_REMEDY_SET_FIELD,
                            "a scene of %d x %d pixels: both sides must be %d to %d", width, height,
                            ICSEG_SYNTH_MIN_SIDE, ICSEG_SYNTH_MAX_SIDE);
}

icseg_status icseg_synth_scene(const icseg_synth_scene_options *options, icseg_image *image, icseg_labels *labels,
                               icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_synth_scene_options, height) + sizeof(int32_t) };
    icseg_synth_scene_options o;
    ICSEG_NEED(image);
    ICSEG_NEED(labels);
    *image = (icseg_image){0};
    *labels = (icseg_labels){0};
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_synth_scene_options", error));
    int32_t width = o.width ? o.width : ICSEG_SYNTH_WIDTH, height = o.height ? o.height : ICSEG_SYNTH_HEIGHT;
    ICSEG_TRY(icseg_synth_check_size(width, height, error));
    icseg_scene scene = {0};
    icseg_rng rng = icseg_rng_open(o.seed, ICSEG_RNG_SYNTH, o.index);
    icseg_status status;
    ICSEG_TRY_GOTO(icseg_scene_compose(&scene, &rng, width, height, error));
    ICSEG_TRY_GOTO(icseg_image_create(image, width, height, error));
    ICSEG_TRY_GOTO(icseg_labels_create(labels, width, height, error));
    ICSEG_TRY_GOTO(icseg_scene_paint(&scene, image, labels, error));
    icseg_scene_close(&scene);
    return ICSEG_OK;
fail:
    icseg_scene_close(&scene);
    icseg_image_close(image);
    icseg_labels_close(labels);
    return status;
}

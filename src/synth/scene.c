/* SPDX-License-Identifier: Apache-2.0
 * Single scenes in memory. */
#include "base/argument.h"
#include "base/struct_size.h"
#include "synth/synth.h"

icseg_status icseg_synth_check_size(int32_t width, int32_t height, icseg_error *error) {
    bool bad_width = width < ICSEG_SYNTH_MIN_SIDE || width > ICSEG_SYNTH_MAX_SIDE;
    if (!bad_width && height >= ICSEG_SYNTH_MIN_SIDE && height <= ICSEG_SYNTH_MAX_SIDE) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, bad_width ? "width" : "height", ICSEG_REMEDY_SET_FIELD,
                            "a scene of %d x %d pixels: both sides must be %d to %d", width, height,
                            ICSEG_SYNTH_MIN_SIDE, ICSEG_SYNTH_MAX_SIDE);
}

icseg_status icseg_synth_read_options(icseg_synth_scene_options *out, const icseg_synth_scene_options *options,
                                      icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_synth_scene_options, height) + sizeof(int32_t) };
    ICSEG_TRY(icseg_struct_read(out, sizeof *out, options, FIRST_SIZE, "icseg_synth_scene_options", error));
    out->struct_size = sizeof *out;
    if (!out->width) out->width = ICSEG_SYNTH_WIDTH;
    if (!out->height) out->height = ICSEG_SYNTH_HEIGHT;
    ICSEG_TRY(icseg_synth_check_size(out->width, out->height, error));
    return icseg_synth_check_vocabulary(out->vocabulary, error);
}

icseg_status icseg_synth_draw(const icseg_synth_scene_options *options, icseg_synth_window seen, icseg_image *image,
                              icseg_labels *labels, icseg_error *error) {
    bool large = options->vocabulary == ICSEG_SYNTH_LARGE;
    int32_t width = options->width, height = options->height;
    icseg_scene scene = {0};
    icseg_rng rng = icseg_rng_open(options->seed, ICSEG_RNG_SYNTH, options->index);
    icseg_status status;
    ICSEG_TRY_GOTO((large ? icseg_world_compose : icseg_scene_compose)(&scene, &rng, width, height, error));
    ICSEG_TRY_GOTO(icseg_image_create(image, width, height, error));
    ICSEG_TRY_GOTO(icseg_labels_create(labels, width, height, error));
    ICSEG_TRY_GOTO(icseg_scene_paint(&scene, seen, image, labels, error));
    icseg_scene_close(&scene);
    return ICSEG_OK;
fail:
    icseg_scene_close(&scene);
    icseg_image_close(image);
    icseg_labels_close(labels);
    return status;
}

icseg_status icseg_synth_scene(const icseg_synth_scene_options *options, icseg_image *image, icseg_labels *labels,
                               icseg_error *error) {
    icseg_synth_scene_options o;
    ICSEG_NEED(image);
    ICSEG_NEED(labels);
    *image = (icseg_image){0};
    *labels = (icseg_labels){0};
    ICSEG_TRY(icseg_synth_read_options(&o, options, error));
    return icseg_synth_draw(&o, (icseg_synth_window){0, 0, o.width, o.height}, image, labels, error);
}

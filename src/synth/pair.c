/* SPDX-License-Identifier: Apache-2.0
 * Cuts squares out of generated scenes and describes them. */
#include <math.h>
#include <string.h>

#include "synth/caption.h"
#include "synth/kind.h"

enum { LEAST_SIDE = 16 };

static icseg_synth_window draw_square(const icseg_synth_pair_options *o, int32_t width, int32_t height,
                                      icseg_rng *rng) {
    int32_t most = width < height ? width : height;
    double share = o->crop_min + (o->crop_max - o->crop_min) * (double)icseg_rng_uniform(rng);
    int32_t side = (int32_t)lround(sqrt(share) * most);
    if (side < LEAST_SIDE) side = LEAST_SIDE;
    int32_t x = (int32_t)icseg_rng_below(rng, (uint64_t)(width - side) + 1);
    int32_t y = (int32_t)icseg_rng_below(rng, (uint64_t)(height - side) + 1);
    return (icseg_synth_window){x, y, x + side, y + side};
}

static icseg_status cut(const icseg_image *scene, const icseg_labels *scene_labels, icseg_synth_window w,
                        icseg_image *image, icseg_labels *labels, icseg_error *error) {
    size_t side = (size_t)(w.x1 - w.x0);
    ICSEG_TRY(icseg_image_create(image, w.x1 - w.x0, w.y1 - w.y0, error));
    ICSEG_TRY(icseg_labels_create(labels, w.x1 - w.x0, w.y1 - w.y0, error));
    for (size_t y = 0; y < side; y++) {
        size_t from = ((size_t)w.y0 + y) * (size_t)scene->width + (size_t)w.x0;
        memcpy(image->data + y * side * 3, scene->data + from * 3, side * 3);
        memcpy(labels->data + y * side, scene_labels->data + from, side * sizeof *labels->data);
    }
    return ICSEG_OK;
}

static int32_t largest_class(const icseg_labels *labels) {
    int64_t pixels[ICSEG_SYNTH_MOST_CLASSES] = {0};
    int32_t best = 0;
    for (size_t i = 0; i < (size_t)labels->width * (size_t)labels->height; i++) pixels[labels->data[i]]++;
    for (int32_t k = 1; k < ICSEG_SYNTH_MOST_CLASSES; k++)
        if (pixels[k] > pixels[best]) best = k;
    return best;
}

icseg_status icseg_synth_pair(const icseg_synth_scene_options *scene, const icseg_synth_pair_options *options,
                              icseg_image *image, icseg_string *caption, int32_t *label, icseg_labels *labels,
                              icseg_error *error) {
    icseg_synth_pair_options pair = options ? *options : (icseg_synth_pair_options){0.08, 1};
    icseg_synth_scene_options o;
    icseg_image whole = {0};
    icseg_labels whole_labels = {0}, part = {0};
    icseg_status status;
    *image = (icseg_image){0};
    if (labels) *labels = (icseg_labels){0};
    caption->size = 0;
    if (!(pair.crop_min > 0 && pair.crop_min <= pair.crop_max && pair.crop_max <= 1))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "the cut-outs of generated scenes: are %g to %g of the area; expected shares above 0, up to "
                          "1, the smaller one first",
                          pair.crop_min, pair.crop_max);
    ICSEG_TRY(icseg_synth_read_options(&o, scene, error));
    icseg_rng rng = icseg_rng_open(o.seed, ICSEG_RNG_CAPTION, o.index);
    icseg_synth_window seen = draw_square(&pair, o.width, o.height, &rng);
    ICSEG_TRY_GOTO(icseg_synth_draw(&o, seen, &whole, &whole_labels, error));
    ICSEG_TRY_GOTO(cut(&whole, &whole_labels, seen, image, &part, error));
    icseg_synth_describe(&part, o.vocabulary, &rng, caption);
    if (caption->failed) {
        status = icseg_fail_memory(error, 0, "the caption of a generated scene");
        goto fail;
    }
    *label = largest_class(&part);
fail:
    if (status != ICSEG_OK) icseg_image_close(image);
    if (status == ICSEG_OK && labels) {
        *labels = part;
        part = (icseg_labels){0};
    }
    icseg_labels_close(&part);
    icseg_labels_close(&whole_labels);
    icseg_image_close(&whole);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * The part of an image that a sample shows. */
#include <math.h>

#include "image/bicubic.h"
#include "image/normalize.h"
#include "pretrain/pair_source.h"

static int64_t at_least(int64_t x, int64_t least) { return x > least ? x : least; }

/* A square of a random share of the image's area, but not larger than its short side, somewhere in the image. The image
 * is resized such that the square has `side` pixels. A share of 1 is CLIP's preprocessing. */
static icseg_window draw_window(const icseg_pair_crop *crop, icseg_rng *rng, int64_t width, int64_t height) {
    if (crop->scale_min >= 1) return icseg_center_window(width, height, crop->side);
    int64_t side = crop->side, least = width < height ? width : height;
    double share = (double)icseg_rng_range(rng, (float)crop->scale_min, (float)crop->scale_max);
    double square = fmin((double)least, sqrt(share * (double)width * (double)height)), zoom = (double)side / square;
    icseg_window w = {.width = crop->side, .height = crop->side};
    w.full_width = at_least(llround((double)width * zoom), side);
    w.full_height = at_least(llround((double)height * zoom), side);
    w.x = (int64_t)icseg_rng_below(rng, (uint64_t)(w.full_width - side + 1));
    w.y = (int64_t)icseg_rng_below(rng, (uint64_t)(w.full_height - side + 1));
    return w;
}

static void flip_rows(icseg_image *image) {
    for (int64_t y = 0; y < image->height; y++) {
        uint8_t *left = image->data + y * image->width * 3, *right = left + (image->width - 1) * (int64_t)3;
        for (; left < right; left += 3, right -= 3)
            for (int c = 0; c < 3; c++) {
                uint8_t swap = left[c];
                left[c] = right[c];
                right[c] = swap;
            }
    }
}

icseg_status icseg_pair_crop_image(const icseg_pair_crop *crop, icseg_rng *rng, const icseg_image *image, float *out,
                                   icseg_error *error) {
    icseg_image square;
    icseg_window w = draw_window(crop, rng, image->width, image->height);
    ICSEG_TRY(icseg_bicubic_resize(&square, image, &w, error));
    if (crop->flip > 0 && (double)icseg_rng_uniform(rng) < crop->flip) flip_rows(&square);
    icseg_image_normalize(&square, out);
    icseg_image_close(&square);
    return ICSEG_OK;
}

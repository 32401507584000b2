/* SPDX-License-Identifier: Apache-2.0
 * Bicubic resizing with antialiasing, as CLIP's preprocessing needs it. The result is bit for bit that of Pillow up to
 * version 12; version 13 swaps the passes for some sizes, which changes single values by 1. Only a window of the
 * resized image is computed. */
#ifndef ICSEG_IMAGE_BICUBIC_H
#define ICSEG_IMAGE_BICUBIC_H

#include "icseg/image.h"

/* The width x height pixels from (x, y) on of an image that is resized to full_width x full_height. */
typedef struct icseg_window {
    int64_t full_width, full_height, x, y;
    int32_t width, height;
} icseg_window;

/* The window of CLIP's preprocessing: the middle square of an image whose short side is resized to `side`. */
icseg_window icseg_center_window(int64_t width, int64_t height, int32_t side);

/* Creates *out, of the window's size. ICSEG_ERROR_SHAPE when the window is not inside the resized image. */
icseg_status icseg_bicubic_resize(icseg_image *out, const icseg_image *image, const icseg_window *window,
                                  icseg_error *error);

#endif

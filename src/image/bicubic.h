/* SPDX-License-Identifier: Apache-2.0
 * Bicubic resizing with antialiasing, to the bit as Pillow up to 12 does it (13 swaps the passes for some sizes, which
 * moves single values by 1): what CLIP's preprocessing asks for.
 * Only a window of the resized picture is made. */
#ifndef ICSEG_IMAGE_BICUBIC_H
#define ICSEG_IMAGE_BICUBIC_H

#include "icseg/image.h"

/* width x height pixels from (x, y) on of a picture that is resized to full_width x full_height. */
typedef struct icseg_window {
    int64_t full_width, full_height, x, y;
    int32_t width, height;
} icseg_window;

/* *out is created, of the window's size. ICSEG_ERROR_SHAPE when the window is not inside the resized picture. */
icseg_status icseg_bicubic_resize(icseg_image *out, const icseg_image *image, const icseg_window *window,
                                  icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * A small stroke font for legends: smooth at any size, without font files. */
#ifndef ICSEG_IMAGE_FONT_H
#define ICSEG_IMAGE_FONT_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/image.h"

/* Width in pixels of UTF-8 `text`, whose capital letters are `height` pixels high. ASCII is drawn; any other character
 * is a box. */
double icseg_font_width(const char *text, double height);

/* Draws at (x, baseline), anti-aliased, clipped to the image. */
void icseg_font_draw(icseg_image *image, const char *text, double x, double baseline, double height,
                     const uint8_t color[3]);

/* Bytes of `text` that fit in `width` pixels, never ending inside a UTF-8 character. */
size_t icseg_font_fit(const char *text, double height, double width);

#endif

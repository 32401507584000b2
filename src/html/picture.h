/* SPDX-License-Identifier: Apache-2.0
 * Pictures on a page: reduced images and label maps, inlined as JPEG or PNG. */
#ifndef ICSEG_HTML_PICTURE_H
#define ICSEG_HTML_PICTURE_H

#include <stdbool.h>

#include "base/text.h"
#include "icseg/image.h"

/* The whole factor by which an image of this width is reduced to at most `limit` pixels. */
int32_t icseg_html_factor(int32_t width, int32_t limit);

/* Means of factor x factor blocks. A remainder at the right and bottom is cut off unless the image is smaller than a
 * block. */
icseg_status icseg_html_reduce(icseg_image *out, const icseg_image *image, int32_t factor, icseg_error *error);

/* The label map in the palette's colours, reduced to the same size: the label in the middle of each block. Ignored
 * pixels are hatched in grey. */
icseg_status icseg_html_paint_labels(icseg_image *out, const icseg_labels *labels, const icseg_palette *palette,
                                     int32_t factor, icseg_error *error);

/* Appends a figure: a photograph as JPEG, else PNG. The caption is escaped. */
icseg_status icseg_html_picture(icseg_string *out, const icseg_image *image, bool photograph, const char *caption,
                                icseg_error *error);

/* Appends a small square in the colour of a class; nothing without a palette. */
void icseg_html_swatch(icseg_string *out, const icseg_palette *palette, int32_t label);

#endif

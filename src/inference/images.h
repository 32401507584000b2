/* SPDX-License-Identifier: Apache-2.0
 * The images of a batch, in any supported memory layout, and reading windows of them as the network's input. */
#ifndef ICSEG_INFERENCE_IMAGES_H
#define ICSEG_INFERENCE_IMAGES_H

#include "icseg/session.h"
#include "inference/sliding.h"

/* One 8-bit image in memory. */
typedef struct icseg_pixels {
    const uint8_t *data; /* the top left pixel */
    size_t stride;       /* bytes from one row to the next */
    uint8_t size;        /* bytes of a pixel */
    uint8_t channel[3];  /* offsets of red, green and blue in a pixel */
} icseg_pixels;

/* Images of one size: 8-bit pixels, or normalised floats. A zero-initialised object is empty. */
typedef struct icseg_images {
    int32_t count, width, height;
    icseg_pixels *pixels; /* (count); NULL: floats */
    icseg_image *resized; /* (count): the memory of `pixels` if the images were resized; else NULL */
    const char *floats;  /* element (n, y, x, c) is at floats + n stride[0] + y stride[1] + x stride[2] + c stride[3] */
    int64_t stride[4];   /* bytes */
    float table[3][256]; /* normalised value of each byte, by channel */
} icseg_images;

/* Checks the size of an image. Errors call the image `name` and refer to `field`. */
icseg_status icseg_images_check_size(const char *name, const char *field, int32_t width, int32_t height,
                                     icseg_error *error);
/* Checks a batch, whose memory must outlive `out`. Errors name the field. */
icseg_status icseg_images_open(icseg_images *out, const icseg_batch *batch, icseg_error *error);
/* Opens `count` grey images. */
icseg_status icseg_images_open_grey(icseg_images *out, int32_t count, int32_t width, int32_t height,
                                    icseg_error *error);
/* Resizes the images, which must be 8-bit pixels. */
icseg_status icseg_images_resize(icseg_images *out, const icseg_images *images, int32_t width, int32_t height,
                                 icseg_error *error);
void icseg_images_close(icseg_images *images);

/* Reads a window of image `index`, or of its mirror image, and normalises it. to: (window.height, window.width, 3). */
void icseg_images_read(const icseg_images *images, int32_t index, icseg_window window, bool mirrored, float *to);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Pixels as the network's input, and the size to which an image is resized first. */
#include "image/normalize.h"

#include <math.h>
#include <stddef.h>

/* 8-bit value -> normalised value, for each channel. */
void icseg_normalize_table(float table[3][256]) {
    static const float mean[3] = ICSEG_MEAN, std[3] = ICSEG_STD;
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) table[c][v] = (float)((v / 255.0 - mean[c]) / std[c]);
}

void icseg_image_normalize(const icseg_image *image, float *out) {
    float table[3][256];
    icseg_normalize_table(table);
    size_t n = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < n; i++, out += 3)
        for (int c = 0; c < 3; c++) out[c] = table[c][image->data[3 * i + c]];
}

void icseg_resize_target(int32_t resize_short, int32_t resize_long, double r, int32_t width, int32_t height,
                         int32_t *out_width, int32_t *out_height) {
    double scale = r;
    if (resize_short) {
        int32_t small = width < height ? width : height, large = width < height ? height : width;
        scale = floor(resize_short * r) / small;
        double limit = floor(resize_long * r) / large;
        if (resize_long && limit < scale) scale = limit;
    }
    double w = floor(width * scale + 0.5), h = floor(height * scale + 0.5);
    *out_width = (int32_t)(w < 1 ? 1 : w > 1 << 30 ? 1 << 30 : w);
    *out_height = (int32_t)(h < 1 ? 1 : h > 1 << 30 ? 1 << 30 : h);
}

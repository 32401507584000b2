/* SPDX-License-Identifier: Apache-2.0
 * The linear maps of Winograd's convolutions F(4 x 4, 3 x 3) and F(6 x 6, 3 x 3), each on all channels of one tile. A
 * tensor element is a pointer to its channels, so that tiles at the border point to zeros and the maps know nothing of
 * images.
 *
 *     y = A^T [(G w G^T) * (B^T x B)] A     x 6 x 6, w 3 x 3, y 4 x 4; * is elementwise
 *
 * Toom and Cook's construction with the points 0, +-a, +-b, infinity, and for the large tiles 0, +-1/2, +-1, +-2,
 * infinity. */
#ifndef ICSEG_GRAPH_OPS_WINOGRAD_TRANSFORM_H
#define ICSEG_GRAPH_OPS_WINOGRAD_TRANSFORM_H

#include <stdbool.h>
#include <stdint.h>

enum { ICSEG_WINOGRAD_IN = 6, ICSEG_WINOGRAD_OUT = 4, ICSEG_WINOGRAD_KERNEL = 3, ICSEG_WINOGRAD_MATRICES = 36 };
enum { ICSEG_WINOGRAD_LARGE_IN = 8, ICSEG_WINOGRAD_LARGE_OUT = 6, ICSEG_WINOGRAD_LARGE_MATRICES = 64 };

/* from and to: arrays of size^2 pointers to c floats, row by row. `to` may repeat a pointer whose values are not
 * used. */
void icseg_winograd_input(const float *const *from, float *const *to, int64_t c); /* 36 -> 36: B^T x B */
/* 36 -> 16: A^T m A, plus bias (c), then max(0, .) if relu; a NULL bias adds nothing and ignores relu */
void icseg_winograd_output(const float *const *from, float *const *to, int64_t c, const float *bias, bool relu);
void icseg_winograd_output_gradient(const float *const *from, float *const *to, int64_t c); /* 16 -> 36: A dy A^T */
void icseg_winograd_weights(const float *const *from, float *const *to, int64_t c);         /* 9 -> 36: G w G^T */
void icseg_winograd_weight_gradient(const float *const *from, float *const *to, int64_t c); /* 36 -> 9: G^T du G */

/* The same for F(6 x 6, 3 x 3): 64 -> 64, 64 -> 36 and 9 -> 64. */
void icseg_winograd_large_input(const float *const *from, float *const *to, int64_t c);
void icseg_winograd_large_output(const float *const *from, float *const *to, int64_t c, const float *bias, bool relu);
void icseg_winograd_large_weights(const float *const *from, float *const *to, int64_t c);

#endif

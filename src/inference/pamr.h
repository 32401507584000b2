/* SPDX-License-Identifier: Apache-2.0
 * Pixel-adaptive mask refinement (Araslanov and Roth, "Single-Stage Semantic Segmentation from Image Labels", CVPR
 * 2020): logits flow between neighbours that look alike. */
#ifndef ICSEG_INFERENCE_PAMR_H
#define ICSEG_INFERENCE_PAMR_H

#include <stdint.h>

#include "base/error.h"

/* How much each pixel takes from each of its neighbours. Zero-initialise it. */
typedef struct icseg_pamr {
    int64_t height, width;
    float *weight; /* (16, H, W), of sum 1 at each pixel */
} icseg_pamr;

/* image (H, W, 3), of any range: only differences in proportion to the local deviation count. */
icseg_status icseg_pamr_open(icseg_pamr *out, const float *image, int64_t height, int64_t width, icseg_error *error);
void icseg_pamr_close(icseg_pamr *pamr);

/* Refines planes (count, H, W) in place; other: scratch memory of the same size. */
icseg_status icseg_pamr_run(const icseg_pamr *pamr, float *planes, float *other, int64_t count, icseg_error *error);

#endif

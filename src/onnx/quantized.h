/* SPDX-License-Identifier: Apache-2.0
 * Layers in INT8 in ONNX's notation: QuantizeLinear and DequantizeLinear around what runtimes then compute with
 * integers. */
#ifndef ICSEG_ONNX_QUANTIZED_H
#define ICSEG_ONNX_QUANTIZED_H

#include "onnx/translate.h"

/* What a layer multiplies with its weights: its input, or one part of it. */
typedef struct icseg_onnx_factor {
    const icseg_node *node; /* whose input `index` it is */
    int index;
    int64_t first, channels;  /* of the layer's input */
    icseg_quantization bytes; /* scale 0: the layer is f32 */
    const float *means;       /* (channels): of a typical input; NULL: unknown, or the layer is f32 */
} icseg_onnx_factor;

icseg_onnx_factor icseg_onnx_input_of(const icseg_onnx_translation *t, const icseg_node *layer);
/* Whether the node is a 1x1 convolution in INT8 that multiplies the two parts of its joined input separately, because
 * each has a range. */
bool icseg_onnx_split_input(const icseg_onnx_translation *t, const icseg_node *node, icseg_onnx_factor parts[2]);

/* A layer's weights: a tensor with `out` output channels along an axis. */
typedef struct icseg_onnx_weights {
    const char *name;
    icseg_shape shape;
    float *values;
    int axis;
    int64_t out;
} icseg_onnx_weights;

/* Adds to a layer's bias (out), if it is in INT8 and its calibration has mean inputs, what rounding the weights takes
 * from the means of its outputs. *bias may be NULL, a bias of zeros, and is then allocated. */
void icseg_onnx_correct_bias(icseg_onnx_translation *t, const icseg_onnx_factor *x, const icseg_onnx_weights *w,
                             float **bias);

/* The names of what a layer multiplies, its weights and its bias (out), quantised if the layer is in INT8. */
const char *icseg_onnx_layer_input(icseg_onnx_translation *t, const icseg_onnx_factor *x);
const char *icseg_onnx_layer_weights(icseg_onnx_translation *t, const icseg_onnx_factor *x,
                                     const icseg_onnx_weights *w);
const char *icseg_onnx_layer_bias(icseg_onnx_translation *t, const icseg_onnx_factor *x, const char *name,
                                  const icseg_onnx_weights *w, const float *bias);

#endif

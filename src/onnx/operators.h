/* SPDX-License-Identifier: Apache-2.0
 * The operators that can be translated, one function each. */
#ifndef ICSEG_ONNX_OPERATORS_H
#define ICSEG_ONNX_OPERATORS_H

#include "graph/op.h"
#include "onnx/translate.h"

#define ICSEG_ONNX_OPERATORS(X)                                                                                        \
    X(add)                                                                                                             \
    X(attention)                                                                                                       \
    X(attention_packed)                                                                                                \
    X(avg_pool)                                                                                                        \
    X(batch_norm)                                                                                                      \
    X(concat)                                                                                                          \
    X(conv2d)                                                                                                          \
    X(conv_transpose2x2)                                                                                               \
    X(gather_rows)                                                                                                     \
    X(gelu)                                                                                                            \
    X(group_mean)                                                                                                      \
    X(group_norm)                                                                                                      \
    X(layer_norm)                                                                                                      \
    X(linear)                                                                                                          \
    X(max_pool)                                                                                                        \
    X(mean_rows)                                                                                                       \
    X(normalize)                                                                                                       \
    X(project)                                                                                                         \
    X(quick_gelu)                                                                                                      \
    X(relu)                                                                                                            \
    X(reshape)                                                                                                         \
    X(resize_bilinear)                                                                                                 \
    X(resize_nearest)                                                                                                  \
    X(scale_channels)                                                                                                  \
    X(segment_attention)                                                                                               \
    X(similarity)                                                                                                      \
    X(slice)                                                                                                           \
    X(upsampled_argmax)

#define ICSEG_ONNX_DECLARE(name) icseg_onnx_emit icseg_onnx_##name;
ICSEG_ONNX_OPERATORS(ICSEG_ONNX_DECLARE)
#undef ICSEG_ONNX_DECLARE

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Writing a model as an ONNX file, which ONNX Runtime, OpenVINO and other programs run.
 *
 * A build with ICSEG_ONNX=OFF has this function, which then returns ICSEG_ERROR_UNSUPPORTED. */
#ifndef ICSEG_ONNX_H
#define ICSEG_ONNX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/model.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How to write an ONNX file. All fields but struct_size may be zero. */
typedef struct icseg_onnx_options {
    size_t struct_size; /**< ICSEG_ONNX_OPTIONS_INIT */
    int32_t height; /**< of the images in pixels; 0: that of the windows with which the model is evaluated, or 512 */
    int32_t width;  /**< in pixels, likewise; both or neither are set */
    /** The file accepts any number of images of any size whose sides are multiples of 32 (of a vision transformer with
     * patches of 14 pixels, 28, and so on), with height and width 0. Else it accepts one image of the given size. */
    bool dynamic;
    int32_t threads; /**< with which the file is checked; 0: all cores */
    /** The layers that a calibration covers (icseg/calibrate.h) have weights of 8 bits, and their inputs are quantised:
     * QuantizeLinear and DequantizeLinear, which runtimes turn into products of integers. */
    bool int8;
} icseg_onnx_options;

/** Initialises an icseg_onnx_options. */
#define ICSEG_ONNX_OPTIONS_INIT ICSEG_INIT(icseg_onnx_options)

/** Writes the network of a model as an ONNX file (docs/onnx.md): operators of opset 17, in f32 or INT8. Its input
 * `image` is uint8 (N, 3, H, W), red, green, blue, which the file normalises itself. Its outputs are `labels`, int64
 * (N, H, W), the class of each pixel, and `logits`, float (N, K, h, w), from which labels are interpolated. Metadata
 * has the names and colours of the classes. Class embeddings that do not depend on the image are constants; otherwise
 * the file has the text encoder for the model's classes. Thread-safe.
 *
 * @param model   a model, which is not changed. One of open vocabulary is written for one size, whose sides are
 *                multiples of the patch (32 for a ResNet), and without a threshold
 * @param path    the file to write; an existing one is replaced when the new one is complete
 * @param options NULL: all zero
 * @param progress NULL: silent. The check of the file is reported, operator by operator
 * @param error   receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if an option is wrong, or the model is not calibrated and the file is to be in INT8;
 * ICSEG_ERROR_UNSUPPORTED for a dynamic open-vocabulary model
 * or one with a threshold, for files above 2 GiB, which ONNX does not allow, and without ICSEG_ONNX;
 * ICSEG_ERROR_CANCELLED; ICSEG_ERROR_IO if the file cannot be written; ICSEG_ERROR_INTERNAL if the file would not
 * compute what the model does, which is compared before it is written */
ICSEG_API icseg_status icseg_model_export_onnx(icseg_model *model, const char *path, const icseg_onnx_options *options,
                                               const icseg_progress *progress, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

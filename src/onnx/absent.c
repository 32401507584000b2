/* SPDX-License-Identifier: Apache-2.0
 * Writing ONNX files in a build without it (ICSEG_ONNX=OFF). */
#include "base/argument.h"
#include "icseg/onnx.h"

icseg_status icseg_model_export_onnx(icseg_model *model, const char *path, const icseg_onnx_options *options,
                                     const icseg_progress *progress, icseg_error *error) {
    (void)options, (void)progress;
    ICSEG_NEED(model);
    ICSEG_NEED(path);
    return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                      "this build of icseg does not write ONNX files; build it with ICSEG_ONNX=ON");
}

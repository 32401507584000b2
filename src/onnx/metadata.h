/* SPDX-License-Identifier: Apache-2.0
 * What an ONNX file says about its model: names and colours of the classes, preprocessing. */
#ifndef ICSEG_ONNX_METADATA_H
#define ICSEG_ONNX_METADATA_H

#include <onnx.pb-c.h>

#include "model/model.h"

/* Adds the properties `classes`, `palette`, `preprocessing` and `config`, in the arena. */
icseg_status icseg_onnx_describe(Icseg__Onnx__ModelProto *out, const icseg_model *model, icseg_arena *arena,
                                 icseg_error *error);

#endif

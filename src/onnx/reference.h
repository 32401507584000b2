/* SPDX-License-Identifier: Apache-2.0
 * A model's network and its results for generated images. They are the constants of an ONNX graph, and what the graph
 * must compute. No pass has rewritten the network, except that joined inputs are split in INT8. */
#ifndef ICSEG_ONNX_REFERENCE_H
#define ICSEG_ONNX_REFERENCE_H

#include "graph/run/executor.h"
#include "model/model.h"
#include "onnx/reader.h"
#include "options/arena.h"

typedef struct icseg_onnx_reference {
    int64_t batch, height, width;
    icseg_arena *arena;
    icseg_graph *graph;
    icseg_network network;
    icseg_program *program;
    icseg_executor *executor;
    icseg_workspace *workspace;
    uint8_t *images;       /* (batch, 3, height, width) */
    icseg_shape shape;     /* of the logits: (batch, h, w, classes) */
    const float *logits;   /* of the classes, after the run */
    const int16_t *labels; /* (batch, height, width), after the run */
    icseg_model *model;
    bool int8; /* layers with a calibrated range run in INT8 */
} icseg_onnx_reference;

/* Builds the graph. Further values may be kept before it runs. Close it also after a failure. */
icseg_status icseg_onnx_reference_build(icseg_onnx_reference *out, icseg_model *model, bool int8, int64_t batch,
                                        int64_t height, int64_t width, icseg_error *error);
icseg_status icseg_onnx_reference_run(icseg_onnx_reference *reference, icseg_error *error);
/* ICSEG_ERROR_INTERNAL unless an ONNX graph with the outputs labels and logits has nearly the same results. */
icseg_status icseg_onnx_reference_check(const icseg_onnx_reference *reference, const Icseg__Onnx__GraphProto *graph,
                                        const icseg_progress *progress, icseg_error *error);
void icseg_onnx_reference_close(icseg_onnx_reference *reference);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Runs an ONNX graph, to check what is written: the operators that icseg writes, as their specification defines them,
 * independently of the operators of graph/. It reads graphs of this library only. */
#ifndef ICSEG_ONNX_READER_H
#define ICSEG_ONNX_READER_H

#include <onnx.pb-c.h>

#include "base/error.h"
#include "base/progress.h"
#include "tensor/shape.h"

/* Elements are float (FLOAT), int64_t (INT64), int32_t (INT32), or bytes (BOOL, INT8, UINT8). */
typedef struct icseg_onnx_tensor {
    int32_t type;
    icseg_shape shape;
    int64_t count;
    void *data;
    bool owned; /* freed by icseg_onnx_tensor_close */
} icseg_onnx_tensor;

void icseg_onnx_tensor_close(icseg_onnx_tensor *tensor);

/* Runs the graph on its only input. progress: NULL: silent. out (graph->n_output): its outputs, which the caller
 * closes; empty on failure. ICSEG_ERROR_INTERNAL, with the node, if the graph is not valid. */
icseg_status icseg_onnx_run(const Icseg__Onnx__GraphProto *graph, const icseg_onnx_tensor *input,
                            const icseg_progress *progress, icseg_onnx_tensor *out, icseg_error *error);

/* -- for the operators */

enum { ICSEG_ONNX_INPUTS = 16, ICSEG_ONNX_OUTPUTS = 4 };

/* A node that runs. */
typedef struct icseg_onnx_step {
    const Icseg__Onnx__NodeProto *node;
    const icseg_onnx_tensor *in[ICSEG_ONNX_INPUTS]; /* NULL: left out */
    icseg_onnx_tensor out[ICSEG_ONNX_OUTPUTS];
    int inputs;
    icseg_error *error;
} icseg_onnx_step;

typedef icseg_status icseg_onnx_operator(icseg_onnx_step *step);

/* The function for an operator, or NULL. */
icseg_onnx_operator *icseg_onnx_find_quantized(const char *type); /* reader_quantized.c */
icseg_onnx_operator *icseg_onnx_find_shaping(const char *type);   /* reader_shapes.c */
icseg_onnx_operator *icseg_onnx_find_pointwise(const char *type); /* reader_pointwise.c */
icseg_onnx_operator *icseg_onnx_find_map(const char *type);       /* reader_maps.c */

#define ICSEG_ONNX_FLOAT ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT
#define ICSEG_ONNX_INT8  ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT8
#define ICSEG_ONNX_INT32 ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT32
#define ICSEG_ONNX_INT64 ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT64
#define ICSEG_ONNX_BOOL  ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__BOOL
#define ICSEG_ONNX_UINT8 ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__UINT8

/* "NODE (TYPE): what" */
icseg_status icseg_onnx_wrong(const icseg_onnx_step *step, const char *what);
/* Fails unless `condition` holds. */
#define ICSEG_ONNX_EXPECT(step, condition)                                                                             \
    do {                                                                                                               \
        if (!(condition)) return icseg_onnx_wrong(step, #condition);                                                   \
    } while (0)

icseg_status icseg_onnx_output_tensor(icseg_onnx_step *step, int i, int32_t type, icseg_shape shape);
size_t icseg_onnx_element_size(int32_t type);

int64_t icseg_onnx_attribute(const icseg_onnx_step *step, const char *name, int64_t fallback);
float icseg_onnx_float_attribute(const icseg_onnx_step *step, const char *name, float fallback);
bool icseg_onnx_attribute_is(const icseg_onnx_step *step, const char *name, const char *text);
/* The i-th of a list, or `fallback` if the node does not have it. */
int64_t icseg_onnx_list_attribute(const icseg_onnx_step *step, const char *name, int i, int64_t fallback);

/* Whether input i is there, with this type. */
static inline bool icseg_onnx_is(const icseg_onnx_step *step, int i, int32_t type) {
    return i < step->inputs && step->in[i] && step->in[i]->type == type;
}

/* Product of the dimensions first .. end - 1. */
static inline int64_t icseg_onnx_product(icseg_shape shape, int first, int end) {
    int64_t product = 1;
    for (int i = first; i < end; i++) product *= shape.dim[i];
    return product;
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Values of the graph in the ONNX graph: constants, and sizes that are known when the model runs. */
#include <stdio.h>
#include <string.h>

#include "graph/op.h"
#include "onnx/translate.h"

/* -- constants */

float *icseg_onnx_param(icseg_onnx_translation *t, const icseg_param *param) {
    const float *values;
    float *copy, *to = icseg_onnx_memory(t->writer, param->count, sizeof *to);
    icseg_error error;
    if (!to) return NULL;
    if (icseg_param_borrow(param, &values, &copy, &error) != ICSEG_OK) {
        icseg_onnx_fail(t->writer, error.status, "%s", error.message);
        return NULL;
    }
    icseg_param_export(param, values, to);
    icseg_free(copy);
    return to;
}

/* (1, H, W, C) -> (1, C, H, W); other shapes are copied. */
static float *copy_constant(icseg_onnx_writer *w, const float *from, icseg_shape *shape) {
    int64_t count = icseg_shape_count(*shape);
    float *to = icseg_onnx_memory(w, count, sizeof *to);
    if (!to) return NULL;
    if (shape->rank != 4) {
        memcpy(to, from, (size_t)count * sizeof *to);
        return to;
    }
    int64_t batch = shape->dim[0], places = shape->dim[1] * shape->dim[2], channels = shape->dim[3];
    for (int64_t b = 0; b < batch; b++)
        for (int64_t p = 0; p < places; p++)
            for (int64_t c = 0; c < channels; c++)
                to[(b * channels + c) * places + p] = from[(b * places + p) * channels + c];
    *shape = ICSEG_SHAPE(batch, channels, shape->dim[1], shape->dim[2]);
    return to;
}

static const char *constant(icseg_onnx_translation *t, icseg_value v) {
    const icseg_value_info *info = icseg_graph_value(t->graph, v);
    icseg_onnx_writer *w = t->writer;
    icseg_shape shape = info->shape;
    const float *values;
    char name[512];
    if (info->kind == ICSEG_VALUE_PARAM) {
        values = icseg_onnx_param(t, info->param);
        snprintf(name, sizeof name, "%s", info->param->name);
    } else {
        const float *from = icseg_executor_data(t->constants, v);
        if (!from) return icseg_onnx_fail(w, ICSEG_ERROR_INTERNAL, "value %d has no data", (int)v);
        values = copy_constant(w, from, &shape);
        const char *from_node = info->producer < 0 ? info->name : icseg_graph_node(t->graph, info->producer)->name;
        snprintf(name, sizeof name, "%s.value%d", from_node, (int)v);
    }
    return icseg_onnx_initializer(w, name, ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, shape, values);
}

const char *icseg_onnx_operand(icseg_onnx_translation *t, const icseg_node *node, int i) {
    icseg_value v = node->input[i];
    if (!t->value[v].name) t->value[v].name = constant(t, v);
    return t->value[v].name;
}

/* -- sizes */

static const char *shape_of(icseg_onnx_translation *t, icseg_value v, const char *what, int first, int end) {
    char name[512];
    snprintf(name, sizeof name, "%.480s.%s", t->value[v].name, what);
    for (size_t i = 0; i < t->writer->nodes.count; i++) {
        const Icseg__Onnx__NodeProto *node = t->writer->nodes.item[i];
        if (!strcmp(node->name, name)) return node->name;
    }
    const char *out = ICSEG_ONNX_NODE(t->writer, name, "Shape", t->value[v].name);
    icseg_onnx_int(t->writer, "start", first);
    icseg_onnx_int(t->writer, "end", end);
    return out;
}

const char *icseg_onnx_map_size(icseg_onnx_translation *t, icseg_value map) {
    const int64_t *dim = icseg_graph_value(t->graph, map)->shape.dim;
    if (!t->dynamic) return ICSEG_ONNX_VECTOR(t->writer, dim[1], dim[2]);
    return t->value[map].name ? shape_of(t, map, "size", 2, 4) : NULL;
}

const char *icseg_onnx_batch(icseg_onnx_translation *t) {
    if (!t->dynamic) return ICSEG_ONNX_VECTOR(t->writer, 1);
    return shape_of(t, t->image, "batch", 0, 1);
}

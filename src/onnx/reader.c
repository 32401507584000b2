/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/reader.h"

#include <string.h>

#include "base/memory.h"

/* A tensor under its name. */
typedef struct value {
    const char *name;
    icseg_onnx_tensor tensor;
    size_t readers; /* nodes that have yet to read it */
} value;

typedef struct reader {
    const Icseg__Onnx__GraphProto *graph;
    value *values;
    size_t count;
    icseg_error *error;
    icseg_stage stage;
} reader;

/* -- running */

static value *find_value(const reader *r, const char *name) {
    for (size_t i = r->count; i-- > 0;)
        if (!strcmp(r->values[i].name, name)) return &r->values[i];
    return NULL;
}

static size_t count_readers(const reader *r, const char *name) {
    size_t readers = 0;
    for (size_t n = 0; n < r->graph->n_node; n++)
        for (size_t i = 0; i < r->graph->node[n]->n_input; i++) readers += !strcmp(r->graph->node[n]->input[i], name);
    for (size_t i = 0; i < r->graph->n_output; i++) readers += !strcmp(r->graph->output[i]->name, name);
    return readers;
}

/* Takes the tensor. */
static void add_value(reader *r, const char *name, icseg_onnx_tensor tensor) {
    value *v = &r->values[r->count++];
    *v = (value){.name = name, .tensor = tensor, .readers = count_readers(r, name)};
    if (!v->readers) icseg_onnx_tensor_close(&v->tensor);
}

static icseg_status add_initializer(reader *r, const Icseg__Onnx__TensorProto *t) {
    icseg_onnx_tensor tensor = {.type = t->data_type, .data = t->raw_data.data};
    if (t->n_dims > ICSEG_MAX_RANK || find_value(r, t->name))
        return icseg_fail(r->error, ICSEG_ERROR_INTERNAL, "the ONNX tensor %s is not valid", t->name);
    tensor.shape.rank = (int32_t)t->n_dims;
    for (size_t i = 0; i < t->n_dims; i++) tensor.shape.dim[i] = t->dims[i];
    tensor.count = icseg_shape_count(tensor.shape);
    if (tensor.count < 0 || (size_t)tensor.count * icseg_onnx_element_size(tensor.type) != t->raw_data.len)
        return icseg_fail(r->error, ICSEG_ERROR_INTERNAL, "the ONNX tensor %s has the wrong size", t->name);
    add_value(r, t->name, tensor);
    return ICSEG_OK;
}

static icseg_status run_node(reader *r, const Icseg__Onnx__NodeProto *node) {
    icseg_onnx_step step = {.node = node, .inputs = (int)node->n_input, .error = r->error};
    icseg_onnx_operator *run = icseg_onnx_find_shaping(node->op_type);
    if (!run) run = icseg_onnx_find_pointwise(node->op_type);
    if (!run) run = icseg_onnx_find_map(node->op_type);
    if (!run) run = icseg_onnx_find_quantized(node->op_type);
    if (!run) return icseg_onnx_wrong(&step, "this operator is not known");
    ICSEG_ONNX_EXPECT(&step, node->n_input <= ICSEG_ONNX_INPUTS && node->n_output <= ICSEG_ONNX_OUTPUTS);
    for (size_t i = 0; i < node->n_input; i++) {
        if (!node->input[i][0]) continue;
        value *v = find_value(r, node->input[i]);
        ICSEG_ONNX_EXPECT(&step, v);
        step.in[i] = &v->tensor;
    }
    icseg_status status = run(&step);
    for (size_t i = 0; i < node->n_output; i++) {
        if (status != ICSEG_OK)
            icseg_onnx_tensor_close(&step.out[i]);
        else
            add_value(r, node->output[i], step.out[i]);
    }
    if (status != ICSEG_OK) return status;
    for (size_t i = 0; i < node->n_input; i++) {
        value *v = find_value(r, node->input[i]);
        if (v && --v->readers == 0) icseg_onnx_tensor_close(&v->tensor);
    }
    return ICSEG_OK;
}

static icseg_status run_graph(reader *r, const icseg_onnx_tensor *input, icseg_onnx_tensor *out) {
    const Icseg__Onnx__GraphProto *g = r->graph;
    icseg_onnx_tensor borrowed = *input;
    borrowed.owned = false;
    if (g->n_input != 1) return icseg_fail(r->error, ICSEG_ERROR_INTERNAL, "the ONNX graph does not have one input");
    add_value(r, g->input[0]->name, borrowed);
    for (size_t i = 0; i < g->n_initializer; i++) ICSEG_TRY(add_initializer(r, g->initializer[i]));
    for (size_t i = 0; i < g->n_node; i++) {
        ICSEG_TRY(icseg_stage_report(&r->stage, (int64_t)i, "", r->error));
        ICSEG_TRY(run_node(r, g->node[i]));
    }
    ICSEG_TRY(icseg_stage_report(&r->stage, (int64_t)g->n_node, "", r->error));
    for (size_t i = 0; i < g->n_output; i++) {
        value *v = find_value(r, g->output[i]->name);
        if (!v || !v->tensor.owned)
            return icseg_fail(r->error, ICSEG_ERROR_INTERNAL, "the ONNX graph has no output %s", g->output[i]->name);
        out[i] = v->tensor;
        v->tensor = (icseg_onnx_tensor){0};
    }
    return ICSEG_OK;
}

icseg_status icseg_onnx_run(const Icseg__Onnx__GraphProto *graph, const icseg_onnx_tensor *input,
                            const icseg_progress *progress, icseg_onnx_tensor *out, icseg_error *error) {
    reader r = {.graph = graph, .error = error};
    r.stage = icseg_stage_begin(progress, "check", (int64_t)graph->n_node, "operators");
    memset(out, 0, graph->n_output * sizeof *out);

    r.values = icseg_calloc_array(1 + graph->n_initializer + graph->n_node * ICSEG_ONNX_OUTPUTS, sizeof *r.values);
    if (!r.values) return icseg_fail_memory(error, 0, "an ONNX graph");
    icseg_status status = run_graph(&r, input, out);
    for (size_t i = 0; i < r.count; i++) icseg_onnx_tensor_close(&r.values[i].tensor);
    icseg_free(r.values);
    for (size_t i = 0; status != ICSEG_OK && i < graph->n_output; i++) icseg_onnx_tensor_close(&out[i]);
    return status;
}

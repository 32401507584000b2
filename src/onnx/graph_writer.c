/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/graph_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 512 };

icseg_status icseg_onnx_status(const icseg_onnx_writer *w, icseg_error *error) {
    if (w->status != ICSEG_OK && error) *error = w->error;
    return w->status;
}

const char *icseg_onnx_fail(icseg_onnx_writer *w, icseg_status status, const char *format, ...) {
    va_list args;
    if (w->status != ICSEG_OK) return NULL;
    va_start(args, format);
    w->status = icseg_fail_v(&w->error, status, format, args);
    va_end(args);
    return NULL;
}

static void *no_memory(icseg_onnx_writer *w) {
    icseg_onnx_fail(w, ICSEG_ERROR_MEMORY, "out of memory for an ONNX model");
    return NULL;
}

/* A zeroed block in the arena; NULL if the writer has an error. */
static void *take(icseg_onnx_writer *w, size_t count, size_t size) {
    if (w->status != ICSEG_OK) return NULL;
    void *block = icseg_arena_array(w->arena, count, size);
    return block ? block : no_memory(w);
}

static char *copy_text(icseg_onnx_writer *w, const char *text) {
    if (w->status != ICSEG_OK) return NULL;
    char *copy = icseg_arena_strdup(w->arena, text);
    return copy ? copy : no_memory(w);
}

static bool push(icseg_onnx_writer *w, icseg_onnx_list *list, void *item) {
    if (!item) return false;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        void **grown = take(w, capacity, sizeof *grown);
        if (!grown) return false;
        if (list->count) memcpy(grown, list->item, list->count * sizeof *grown);
        list->item = grown;
        list->capacity = capacity;
    }
    list->item[list->count++] = item;
    return true;
}

/* -- names */

static const Icseg__Onnx__TensorProto *find_initializer(const icseg_onnx_writer *w, const char *name) {
    for (size_t i = 0; i < w->initializers.count; i++) {
        const Icseg__Onnx__TensorProto *t = w->initializers.item[i];
        if (!strcmp(t->name, name)) return t;
    }
    return NULL;
}

const char *icseg_onnx_find(const icseg_onnx_writer *w, const char *name) {
    const Icseg__Onnx__TensorProto *t = find_initializer(w, name);
    return t ? t->name : NULL;
}

static bool is_output(const icseg_onnx_writer *w, const char *name) {
    for (size_t i = 0; i < w->nodes.count; i++) {
        const Icseg__Onnx__NodeProto *node = w->nodes.item[i];
        for (size_t j = 0; j < node->n_output; j++)
            if (!strcmp(node->output[j], name)) return true;
    }
    return false;
}

static char *unused_name(icseg_onnx_writer *w, const char *name) {
    char text[NAME_SIZE];
    snprintf(text, sizeof text, "%s", name);
    for (int i = 2; is_output(w, text) || find_initializer(w, text); i++)
        snprintf(text, sizeof text, "%.480s.%d", name, i);
    return copy_text(w, text);
}

const char *icseg_onnx_append(icseg_onnx_writer *w, const char *name, const char *type, int count,
                              const char *const *inputs) {
    enum { OUTPUTS = 4 };
    Icseg__Onnx__NodeProto *node = take(w, 1, sizeof *node);
    if (!node) return NULL;
    icseg__onnx__node_proto__init(node);
    node->name = unused_name(w, name);
    node->op_type = copy_text(w, type);
    node->output = take(w, OUTPUTS, sizeof *node->output);
    node->input = take(w, (size_t)count, sizeof *node->input);
    if (w->status != ICSEG_OK) return NULL;
    for (int i = 0; i < count; i++) {
        if (!inputs[i]) return icseg_onnx_fail(w, ICSEG_ERROR_INTERNAL, "%s: input %d of %s is missing", name, i, type);
        node->input[i] = (char *)inputs[i];
    }
    node->n_input = (size_t)count;
    node->output[node->n_output++] = node->name;
    return push(w, &w->nodes, node) ? node->name : NULL;
}

static Icseg__Onnx__NodeProto *last(icseg_onnx_writer *w) {
    return w->status == ICSEG_OK && w->nodes.count ? w->nodes.item[w->nodes.count - 1] : NULL;
}

const char *icseg_onnx_another_output(icseg_onnx_writer *w, const char *name) {
    Icseg__Onnx__NodeProto *node = last(w);
    char *unused = node ? unused_name(w, name) : NULL;
    if (unused) node->output[node->n_output++] = unused;
    return unused;
}

static Icseg__Onnx__AttributeProto *attribute(icseg_onnx_writer *w, const char *name,
                                              Icseg__Onnx__AttributeProto__AttributeType type) {
    enum { ATTRIBUTES = 8 };
    Icseg__Onnx__NodeProto *node = last(w);
    if (node && !node->attribute) node->attribute = take(w, ATTRIBUTES, sizeof *node->attribute);
    Icseg__Onnx__AttributeProto *a = take(w, 1, sizeof *a);
    if (!node || !a) return NULL;
    icseg__onnx__attribute_proto__init(a);
    a->name = copy_text(w, name);
    a->has_type = 1;
    a->type = type;
    node->attribute[node->n_attribute++] = a;
    return a;
}

void icseg_onnx_int(icseg_onnx_writer *w, const char *name, int64_t value) {
    Icseg__Onnx__AttributeProto *a = attribute(w, name, ICSEG__ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (!a) return;
    a->has_i = 1;
    a->i = value;
}

void icseg_onnx_float(icseg_onnx_writer *w, const char *name, float value) {
    Icseg__Onnx__AttributeProto *a = attribute(w, name, ICSEG__ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (!a) return;
    a->has_f = 1;
    a->f = value;
}

void icseg_onnx_text(icseg_onnx_writer *w, const char *name, const char *value) {
    Icseg__Onnx__AttributeProto *a = attribute(w, name, ICSEG__ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    if (!a) return;
    a->has_s = 1;
    a->s.data = (uint8_t *)copy_text(w, value);
    a->s.len = strlen(value);
}

void icseg_onnx_ints(icseg_onnx_writer *w, const char *name, int count, const int64_t *values) {
    Icseg__Onnx__AttributeProto *a = attribute(w, name, ICSEG__ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t *copy = take(w, (size_t)count, sizeof *copy);
    if (!a || !copy) return;
    memcpy(copy, values, (size_t)count * sizeof *copy);
    a->ints = copy;
    a->n_ints = (size_t)count;
}

/* -- initialisers */

static size_t element_size(int32_t type) {
    return type == ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT   ? sizeof(float)
           : type == ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ? sizeof(int64_t)
           : type == ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT32 ? sizeof(int32_t)
                                                                 : 1; /* BOOL, INT8, UINT8 */
}

static bool same_tensor(const Icseg__Onnx__TensorProto *a, const Icseg__Onnx__TensorProto *b) {
    return a->data_type == b->data_type && a->n_dims == b->n_dims &&
           !memcmp(a->dims, b->dims, a->n_dims * sizeof *a->dims) && a->raw_data.len == b->raw_data.len &&
           !memcmp(a->raw_data.data, b->raw_data.data, a->raw_data.len);
}

const char *icseg_onnx_initializer(icseg_onnx_writer *w, const char *name, int32_t type, icseg_shape shape,
                                   const void *values) {
    Icseg__Onnx__TensorProto *t = take(w, 1, sizeof *t);
    int64_t *dims = take(w, (size_t)shape.rank + 1, sizeof *dims);
    if (!t || !dims || !values) return NULL;
    memcpy(dims, shape.dim, (size_t)shape.rank * sizeof *dims);
    icseg__onnx__tensor_proto__init(t);
    t->n_dims = (size_t)shape.rank;
    t->dims = dims;
    t->has_data_type = 1;
    t->data_type = type;
    t->has_raw_data = 1;
    t->raw_data.data = (uint8_t *)values;
    t->raw_data.len = (size_t)icseg_shape_count(shape) * element_size(type);
    const Icseg__Onnx__TensorProto *known = find_initializer(w, name);
    if (known && same_tensor(known, t)) return known->name;
    t->name = unused_name(w, name);
    w->bytes += t->raw_data.len;
    if (w->most_bytes && w->bytes > w->most_bytes)
        return icseg_onnx_fail(w, ICSEG_ERROR_UNSUPPORTED,
                               "the weights do not fit into an ONNX file, which has less than 2 GiB; export a smaller "
                               "model");
    return t->name && push(w, &w->initializers, t) ? t->name : NULL;
}

void *icseg_onnx_memory(icseg_onnx_writer *w, int64_t count, size_t size) { return take(w, (size_t)count, size); }

const char *icseg_onnx_vector(icseg_onnx_writer *w, int count, const int64_t *values) {
    char name[NAME_SIZE];
    int at = snprintf(name, sizeof name, "int64");
    for (int i = 0; i < count; i++) at += snprintf(name + at, sizeof name - (size_t)at, ".%lld", (long long)values[i]);
    const char *known = icseg_onnx_find(w, name);
    if (known) return known;
    int64_t *copy = take(w, (size_t)count, sizeof *copy);
    if (copy) memcpy(copy, values, (size_t)count * sizeof *copy);
    return icseg_onnx_initializer(w, name, ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT64, ICSEG_SHAPE(count), copy);
}

const char *icseg_onnx_scalar(icseg_onnx_writer *w, float value) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "float.%.9g", (double)value);
    const char *known = icseg_onnx_find(w, name);
    if (known) return known;
    float *copy = take(w, 1, sizeof *copy);
    if (copy) *copy = value;
    return icseg_onnx_initializer(w, name, ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, (icseg_shape){0}, copy);
}

/* -- the graph */

static void add_dimension(icseg_onnx_writer *w, Icseg__Onnx__TensorShapeProto *shape, int64_t size,
                          const char *symbol) {
    Icseg__Onnx__TensorShapeProto__Dimension *d = take(w, 1, sizeof *d);
    if (!d) return;
    icseg__onnx__tensor_shape_proto__dimension__init(d);
    if (size >= 0) {
        d->value_case = ICSEG__ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        d->dim_value = size;
    } else {
        d->value_case = ICSEG__ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        d->dim_param = copy_text(w, symbol);
    }
    shape->dim[shape->n_dim++] = d;
}

static void add_port(icseg_onnx_writer *w, icseg_onnx_list *list, const icseg_onnx_port *port) {
    Icseg__Onnx__ValueInfoProto *info = take(w, 1, sizeof *info);
    Icseg__Onnx__TypeProto *type = take(w, 1, sizeof *type);
    Icseg__Onnx__TypeProto__Tensor *tensor = take(w, 1, sizeof *tensor);
    Icseg__Onnx__TensorShapeProto *shape = take(w, 1, sizeof *shape);
    if (!info || !type || !tensor || !shape) return;
    icseg__onnx__value_info_proto__init(info);
    icseg__onnx__type_proto__init(type);
    icseg__onnx__type_proto__tensor__init(tensor);
    icseg__onnx__tensor_shape_proto__init(shape);
    info->name = copy_text(w, port->name);
    info->doc_string = copy_text(w, port->doc);
    info->type = type;
    type->value_case = ICSEG__ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = port->type;
    tensor->shape = shape;
    shape->dim = take(w, ICSEG_MAX_RANK, sizeof *shape->dim);
    for (int i = 0; i < port->shape.rank && shape->dim; i++)
        add_dimension(w, shape, port->shape.dim[i], port->symbol[i]);
    push(w, list, info);
}

void icseg_onnx_input(icseg_onnx_writer *w, const icseg_onnx_port *port) { add_port(w, &w->inputs, port); }
void icseg_onnx_output(icseg_onnx_writer *w, const icseg_onnx_port *port) { add_port(w, &w->outputs, port); }

Icseg__Onnx__GraphProto *icseg_onnx_graph(icseg_onnx_writer *w, const char *name) {
    Icseg__Onnx__GraphProto *graph = take(w, 1, sizeof *graph);
    if (!graph) return NULL;
    icseg__onnx__graph_proto__init(graph);
    graph->name = copy_text(w, name);
    graph->node = (Icseg__Onnx__NodeProto **)w->nodes.item;
    graph->n_node = w->nodes.count;
    graph->initializer = (Icseg__Onnx__TensorProto **)w->initializers.item;
    graph->n_initializer = w->initializers.count;
    graph->input = (Icseg__Onnx__ValueInfoProto **)w->inputs.item;
    graph->n_input = w->inputs.count;
    graph->output = (Icseg__Onnx__ValueInfoProto **)w->outputs.item;
    graph->n_output = w->outputs.count;
    return w->status == ICSEG_OK ? graph : NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 * Operators without weights or attention of their own. */
#include "onnx/operators.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/ops/attributes.h"
#include "onnx/quantized.h"

static icseg_shape shape_of(const icseg_onnx_translation *t, icseg_value v) {
    return icseg_graph_value(t->graph, v)->shape;
}

static icseg_shape in_shape(const icseg_onnx_translation *t, const icseg_node *n, int i) {
    return shape_of(t, n->input[i]);
}

static icseg_shape out_shape(const icseg_onnx_translation *t, const icseg_node *n) { return shape_of(t, n->output[0]); }

/* An axis of a value with `rank` axes, in ONNX. */
static int axis_of(int rank, int axis) {
    static const int of_map[] = {0, 2, 3, 1};
    return rank == 4 ? of_map[axis] : axis;
}

/* -- pointwise */

const char *icseg_onnx_add(icseg_onnx_translation *t, const icseg_node *n) {
    if (in_shape(t, n, 0).rank == 4 && in_shape(t, n, 1).rank != 4)
        return icseg_onnx_fail(t->writer, ICSEG_ERROR_UNSUPPORTED, "%s: a row is added to a map", n->name);
    return ICSEG_ONNX_NODE(t->writer, n->name, "Add", icseg_onnx_operand(t, n, 0), icseg_onnx_operand(t, n, 1));
}

const char *icseg_onnx_relu(icseg_onnx_translation *t, const icseg_node *n) {
    return ICSEG_ONNX_NODE(t->writer, n->name, "Relu", icseg_onnx_operand(t, n, 0));
}

const char *icseg_onnx_quick_gelu(icseg_onnx_translation *t, const icseg_node *n) {
    icseg_onnx_writer *w = t->writer;
    const char *x = icseg_onnx_operand(t, n, 0);
    const char *scaled = ICSEG_ONNX_NODE(w, n->name, "Mul", x, icseg_onnx_scalar(w, 1.702f));
    return ICSEG_ONNX_NODE(w, n->name, "Mul", x, ICSEG_ONNX_NODE(w, n->name, "Sigmoid", scaled));
}

/* In the order in which PyTorch's exporter writes it, which runtimes recognise. */
const char *icseg_onnx_gelu(icseg_onnx_translation *t, const icseg_node *n) {
    icseg_onnx_writer *w = t->writer;
    const char *x = icseg_onnx_operand(t, n, 0);
    const char *y = ICSEG_ONNX_NODE(w, n->name, "Div", x, icseg_onnx_scalar(w, sqrtf(2)));
    y = ICSEG_ONNX_NODE(w, n->name, "Erf", y);
    y = ICSEG_ONNX_NODE(w, n->name, "Add", y, icseg_onnx_scalar(w, 1));
    y = ICSEG_ONNX_NODE(w, n->name, "Mul", x, y);
    return ICSEG_ONNX_NODE(w, n->name, "Mul", y, icseg_onnx_scalar(w, 0.5f));
}

/* -- normalisation */

const char *icseg_onnx_layer_norm(icseg_onnx_translation *t, const icseg_node *n) {
    const char *y = ICSEG_ONNX_NODE(t->writer, n->name, "LayerNormalization", icseg_onnx_operand(t, n, 0),
                                    icseg_onnx_operand(t, n, 1), icseg_onnx_operand(t, n, 2));
    icseg_onnx_int(t->writer, "axis", -1);
    icseg_onnx_float(t->writer, "epsilon", *(const float *)n->attributes);
    return y;
}

/* A constant (C) as (C, 1, 1). */
static const char *of_map(icseg_onnx_translation *t, const icseg_node *n, int i) {
    enum { FLOAT = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT };
    icseg_value v = n->input[i];
    const icseg_param *param = icseg_graph_param_of(t->graph, v);
    const float *values = param ? icseg_onnx_param(t, param) : icseg_executor_data(t->constants, v);
    if (t->value[v].varies) return icseg_onnx_fail(t->writer, ICSEG_ERROR_UNSUPPORTED, "%s: factors vary", n->name);
    return icseg_onnx_initializer(t->writer, param ? param->name : icseg_graph_value(t->graph, v)->name, FLOAT,
                                  ICSEG_SHAPE(in_shape(t, n, i).dim[0], 1, 1), values);
}

const char *icseg_onnx_scale_channels(icseg_onnx_translation *t, const icseg_node *n) {
    const char *factors = in_shape(t, n, 0).rank == 4 ? of_map(t, n, 1) : icseg_onnx_operand(t, n, 1);
    return ICSEG_ONNX_NODE(t->writer, n->name, "Mul", icseg_onnx_operand(t, n, 0), factors);
}

static const char *ones(icseg_onnx_writer *w, const char *name, float value) {
    const char *known = icseg_onnx_find(w, name);
    float *one = known ? NULL : icseg_onnx_memory(w, 1, sizeof *one);
    if (one) *one = value;
    return known ? known
                 : icseg_onnx_initializer(w, name, ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, ICSEG_SHAPE(1), one);
}

/* GroupNormalization is new in opset 21; this is what PyTorch's exporter writes before. */
const char *icseg_onnx_group_norm(icseg_onnx_translation *t, const icseg_node *n) {
    icseg_onnx_writer *w = t->writer;
    const char *x = icseg_onnx_operand(t, n, 0);
    const char *size = ICSEG_ONNX_NODE(w, n->name, "Shape", x);
    const char *y = ICSEG_ONNX_NODE(w, n->name, "Reshape", x, ICSEG_ONNX_VECTOR(w, 0, 1, -1));
    y = ICSEG_ONNX_NODE(w, n->name, "InstanceNormalization", y, ones(w, "one", 1), ones(w, "zero", 0));
    icseg_onnx_float(w, "epsilon", *(const float *)n->attributes);
    y = ICSEG_ONNX_NODE(w, n->name, "Reshape", y, size);
    y = ICSEG_ONNX_NODE(w, n->name, "Mul", y, of_map(t, n, 1));
    return ICSEG_ONNX_NODE(w, n->name, "Add", y, of_map(t, n, 2));
}

const char *icseg_onnx_normalize(icseg_onnx_translation *t, const icseg_node *n) {
    icseg_onnx_writer *w = t->writer;
    const char *x = icseg_onnx_operand(t, n, 0), *length = ICSEG_ONNX_NODE(w, n->name, "ReduceL2", x);
    ICSEG_ONNX_INTS(w, "axes", -1);
    icseg_onnx_int(w, "keepdims", 1);
    length = ICSEG_ONNX_NODE(w, n->name, "Clip", length, icseg_onnx_scalar(w, 1e-12f));
    return ICSEG_ONNX_NODE(w, n->name, "Div", x, length);
}

/* -- rows */

const char *icseg_onnx_slice(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_slice_attributes *a = n->attributes;
    icseg_shape in = in_shape(t, n, 0);
    int64_t end = a->begin + out_shape(t, n).dim[a->axis];
    if (end == in.dim[a->axis]) end = INT64_MAX; /* which fits every size */
    return ICSEG_ONNX_NODE(t->writer, n->name, "Slice", icseg_onnx_operand(t, n, 0),
                           ICSEG_ONNX_VECTOR(t->writer, a->begin), ICSEG_ONNX_VECTOR(t->writer, end),
                           ICSEG_ONNX_VECTOR(t->writer, axis_of(in.rank, a->axis)));
}

/* A constant (1, L, C) repeated for each image. */
static const char *expanded(icseg_onnx_translation *t, const icseg_node *n, int i) {
    icseg_shape s = in_shape(t, n, i);
    const char *size = ICSEG_ONNX_NODE(t->writer, n->name, "Concat", icseg_onnx_batch(t),
                                       icseg_onnx_vector(t->writer, s.rank - 1, s.dim + 1));
    icseg_onnx_int(t->writer, "axis", 0);
    return ICSEG_ONNX_NODE(t->writer, n->name, "Expand", icseg_onnx_operand(t, n, i), size);
}

const char *icseg_onnx_concat(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_onnx_value *value = &t->value[n->output[0]];
    const char *in[ICSEG_MAX_INPUTS];
    icseg_onnx_factor parts[2];
    if (value->readers == 1 && icseg_onnx_split_input(t, icseg_graph_node(t->graph, value->reader), parts)) return NULL;
    int axis = *(const int *)n->attributes;
    for (int i = 0; i < n->input_count; i++) {
        bool repeat = t->dynamic && axis > 0 && !t->value[n->input[i]].varies;
        in[i] = repeat ? expanded(t, n, i) : icseg_onnx_operand(t, n, i);
    }
    const char *y = icseg_onnx_append(t->writer, n->name, "Concat", n->input_count, in);
    icseg_onnx_int(t->writer, "axis", axis_of(out_shape(t, n).rank, axis));
    return y;
}

const char *icseg_onnx_gather_rows(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_rows_attributes *a = n->attributes;
    int64_t *rows = icseg_onnx_memory(t->writer, a->count, sizeof *rows);
    char name[512];
    for (int i = 0; rows && i < a->count; i++) rows[i] = a->rows[i];
    snprintf(name, sizeof name, "%s.rows%d", n->name, (int)n->index);
    const char *list = icseg_onnx_initializer(t->writer, name, ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
                                              ICSEG_SHAPE(a->count), rows);
    const char *y = ICSEG_ONNX_NODE(t->writer, n->name, "Gather", icseg_onnx_operand(t, n, 0), list);
    icseg_onnx_int(t->writer, "axis", 1);
    return y;
}

/* A product with a matrix of shares. */
const char *icseg_onnx_group_mean(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_groups_attributes *a = n->attributes;
    int64_t rows = in_shape(t, n, 0).dim[1];
    float *share = icseg_onnx_memory(t->writer, a->count * rows, sizeof *share);
    char name[512];
    for (int g = 0, row = 0; share && g < a->count; row = a->ends[g++])
        for (int r = row; r < a->ends[g]; r++) share[g * rows + r] = 1 / (float)(a->ends[g] - row);
    snprintf(name, sizeof name, "%s.shares%d", n->name, (int)n->index);
    const char *shares = icseg_onnx_initializer(t->writer, name, ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
                                                ICSEG_SHAPE(a->count, rows), share);
    return ICSEG_ONNX_NODE(t->writer, n->name, "MatMul", shares, icseg_onnx_operand(t, n, 0));
}

const char *icseg_onnx_mean_rows(icseg_onnx_translation *t, const icseg_node *n) {
    const char *y = ICSEG_ONNX_NODE(t->writer, n->name, "ReduceMean", icseg_onnx_operand(t, n, 0));
    ICSEG_ONNX_INTS(t->writer, "axes", 1);
    icseg_onnx_int(t->writer, "keepdims", 1);
    return y;
}

/* (B, H, W, C) -> (B, H W, C) or, of one image, (H W, C) */
static const char *map_to_rows(icseg_onnx_translation *t, const icseg_node *n) {
    icseg_onnx_writer *w = t->writer;
    int64_t channels = in_shape(t, n, 0).dim[3];
    const char *x = icseg_onnx_operand(t, n, 0), *y;
    if (out_shape(t, n).rank == 3) {
        y = ICSEG_ONNX_NODE(w, n->name, "Transpose",
                            ICSEG_ONNX_NODE(w, n->name, "Reshape", x, ICSEG_ONNX_VECTOR(w, 0, channels, -1)));
        ICSEG_ONNX_INTS(w, "perm", 0, 2, 1);
    } else {
        y = ICSEG_ONNX_NODE(w, n->name, "Transpose",
                            ICSEG_ONNX_NODE(w, n->name, "Reshape", x, ICSEG_ONNX_VECTOR(w, channels, -1)));
        ICSEG_ONNX_INTS(w, "perm", 1, 0);
    }
    return y;
}

static const char *rows_to_map(icseg_onnx_translation *t, const icseg_node *n) {
    icseg_onnx_writer *w = t->writer;
    icseg_shape out = out_shape(t, n);
    icseg_value grid = t->value[n->input[0]].grid;
    if (grid == ICSEG_NONE || shape_of(t, grid).dim[1] != out.dim[1] || shape_of(t, grid).dim[2] != out.dim[2])
        return icseg_onnx_fail(w, ICSEG_ERROR_UNSUPPORTED, "%s: rows that are not the positions of a map", n->name);
    const char *y = ICSEG_ONNX_NODE(w, n->name, "Transpose", icseg_onnx_operand(t, n, 0));
    ICSEG_ONNX_INTS(w, "perm", 0, 2, 1);
    if (!t->dynamic)
        return ICSEG_ONNX_NODE(w, n->name, "Reshape", y, ICSEG_ONNX_VECTOR(w, 0, out.dim[3], out.dim[1], out.dim[2]));
    const char *size =
        ICSEG_ONNX_NODE(w, n->name, "Concat", ICSEG_ONNX_VECTOR(w, 0, out.dim[3]), icseg_onnx_map_size(t, grid));
    icseg_onnx_int(w, "axis", 0);
    return ICSEG_ONNX_NODE(w, n->name, "Reshape", y, size);
}

const char *icseg_onnx_reshape(icseg_onnx_translation *t, const icseg_node *n) {
    icseg_shape in = in_shape(t, n, 0), out = out_shape(t, n);
    if (in.rank == 4 && out.rank < 4 && out.dim[out.rank - 1] == in.dim[3]) return map_to_rows(t, n);
    if (in.rank == 3 && out.rank == 4 && out.dim[3] == in.dim[2]) return rows_to_map(t, n);
    return icseg_onnx_fail(t->writer, ICSEG_ERROR_UNSUPPORTED, "%s: neither from rows to a map nor from a map to rows",
                           n->name);
}

/* -- maps */

static const char *pool(icseg_onnx_translation *t, const icseg_node *n, const char *type) {
    int size = *(const int *)n->attributes;
    const char *y = ICSEG_ONNX_NODE(t->writer, n->name, type, icseg_onnx_operand(t, n, 0));
    ICSEG_ONNX_INTS(t->writer, "kernel_shape", size, size);
    ICSEG_ONNX_INTS(t->writer, "strides", size, size);
    return y;
}

const char *icseg_onnx_avg_pool(icseg_onnx_translation *t, const icseg_node *n) { return pool(t, n, "AveragePool"); }
const char *icseg_onnx_max_pool(icseg_onnx_translation *t, const icseg_node *n) { return pool(t, n, "MaxPool"); }

static const char *twice(icseg_onnx_writer *w) {
    static const float factors[] = {1, 1, 2, 2};
    const char *known = icseg_onnx_find(w, "twice");
    return known ? known
                 : icseg_onnx_initializer(w, "twice", ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, ICSEG_SHAPE(4),
                                          factors);
}

/* Resize to the height and width in `size`, or to twice the size if that is NULL. */
static const char *resize(icseg_onnx_translation *t, const icseg_node *n, const char *x, const char *size,
                          bool bilinear) {
    icseg_onnx_writer *w = t->writer;
    int64_t channels = in_shape(t, n, 0).dim[3];
    if (size) { /* of the same number of images */
        const char *first = ICSEG_ONNX_NODE(w, n->name, "Shape", x);
        icseg_onnx_int(w, "start", 0);
        icseg_onnx_int(w, "end", 1);
        size = ICSEG_ONNX_NODE(w, n->name, "Concat", first, ICSEG_ONNX_VECTOR(w, channels), size);
        icseg_onnx_int(w, "axis", 0);
    }
    const char *y = size ? ICSEG_ONNX_NODE(w, n->name, "Resize", x, "", "", size)
                         : ICSEG_ONNX_NODE(w, n->name, "Resize", x, "", twice(w));
    icseg_onnx_text(w, "mode", bilinear ? "linear" : "nearest");
    icseg_onnx_text(w, "coordinate_transformation_mode", bilinear ? "half_pixel" : "asymmetric");
    if (!bilinear) icseg_onnx_text(w, "nearest_mode", "floor");
    return y;
}

/* The size of a resize that doubles is NULL. Other sizes of a dynamic model are those of positions: the image's. */
static const char *size_of_resize(icseg_onnx_translation *t, const icseg_node *n) {
    icseg_shape in = in_shape(t, n, 0), out = out_shape(t, n);
    bool positions = !t->value[n->input[0]].varies;
    if (!positions && out.dim[1] == 2 * in.dim[1] && out.dim[2] == 2 * in.dim[2]) return NULL;
    if (!t->dynamic) return ICSEG_ONNX_VECTOR(t->writer, out.dim[1], out.dim[2]);
    icseg_value map = t->latest_map;
    bool same = map != ICSEG_NONE && shape_of(t, map).dim[1] == out.dim[1] && shape_of(t, map).dim[2] == out.dim[2];
    if (!positions || !same)
        return icseg_onnx_fail(t->writer, ICSEG_ERROR_UNSUPPORTED, "%s: a size that is not known beforehand", n->name);
    return icseg_onnx_map_size(t, map);
}

const char *icseg_onnx_resize_bilinear(icseg_onnx_translation *t, const icseg_node *n) {
    return resize(t, n, icseg_onnx_operand(t, n, 0), size_of_resize(t, n), true);
}

const char *icseg_onnx_resize_nearest(icseg_onnx_translation *t, const icseg_node *n) {
    return resize(t, n, icseg_onnx_operand(t, n, 0), size_of_resize(t, n), false);
}

const char *icseg_onnx_upsampled_argmax(icseg_onnx_translation *t, const icseg_node *n) {
    const char *y = resize(t, n, icseg_onnx_operand(t, n, 0), icseg_onnx_map_size(t, t->image), true);
    y = ICSEG_ONNX_NODE(t->writer, n->name, "ArgMax", y);
    icseg_onnx_int(t->writer, "axis", 1);
    icseg_onnx_int(t->writer, "keepdims", 0);
    return y;
}

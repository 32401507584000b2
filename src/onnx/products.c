/* SPDX-License-Identifier: Apache-2.0
 * Operators with weights, and attention. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compute/backend/shapes.h"
#include "graph/ops.h"
#include "graph/ops/attention_attributes.h"
#include "graph/ops/attributes.h"
#include "onnx/operators.h"
#include "onnx/quantized.h"

enum { FLOAT = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT };

/* The parameter that is a node's input i, or NULL and an error. */
static const icseg_param *param_of(icseg_onnx_translation *t, const icseg_node *n, int i) {
    const icseg_param *param = icseg_graph_param_of(t->graph, n->input[i]);
    if (!param) icseg_onnx_fail(t->writer, ICSEG_ERROR_UNSUPPORTED, "%s: the weight is not a parameter", n->name);
    return param;
}

/* -- convolutions */

/* Weights in ONNX's layout, which is that of files, and a bias or NULL. */
typedef struct map {
    const icseg_param *weight;
    float *weights, *bias;
    int64_t out;
    bool transposed; /* (I, O, H, W) instead of (O, I, H, W) */
} map;

/* The batch norm that alone reads the node's output, or NULL. */
static const icseg_node *batch_norm_after(const icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_onnx_value *y = &t->value[n->output[0]];
    const icseg_node *reader = icseg_graph_node(t->graph, y->reader);
    return y->readers == 1 && !strcmp(reader->op->name, "batch_norm") ? reader : NULL;
}

/* Scales the map's outputs and adds to them what a batch norm with running statistics does. */
static void fold_batch_norm(icseg_onnx_translation *t, map *m, const icseg_node *norm) {
    const icseg_batch_norm_options *o = norm->attributes;
    const float *in[4]; /* weight, bias, mean, variance */
    for (int i = 0; i < 4; i++) {
        const icseg_param *param = param_of(t, norm, i + 1);
        in[i] = param ? icseg_onnx_param(t, param) : NULL;
    }
    if (!m->bias) m->bias = icseg_onnx_memory(t->writer, m->out, sizeof *m->bias);
    if (icseg_onnx_status(t->writer, NULL) != ICSEG_OK) return;
    const int64_t *dim = m->weight->file_shape.dim;
    int64_t kernel = dim[2] * dim[3], outer = m->transposed ? dim[0] : 1, inner = m->transposed ? 1 : dim[1];
    for (int64_t c = 0; c < m->out; c++) {
        double scale = in[0][c] / sqrt((double)in[3][c] + o->eps);
        for (int64_t i = 0; i < outer; i++) {
            float *w = m->weights + (i * m->out + c) * inner * kernel;
            for (int64_t k = 0; k < inner * kernel; k++) w[k] = (float)(w[k] * scale);
        }
        m->bias[c] = (float)(in[1][c] + (m->bias[c] - in[2][c]) * scale);
    }
}

/* Reads the map with its batch norm, if one follows. */
static bool read_map(icseg_onnx_translation *t, const icseg_node *n, map *m) {
    const icseg_node *norm = batch_norm_after(t, n);
    const icseg_param *bias = n->input_count > 2 ? param_of(t, n, 2) : NULL;
    m->weight = param_of(t, n, 1);
    if (!m->weight) return false;
    m->out = m->weight->file_shape.dim[m->transposed];
    m->weights = icseg_onnx_param(t, m->weight);
    if (bias) m->bias = icseg_onnx_param(t, bias);
    if (norm) fold_batch_norm(t, m, norm);
    return true;
}

/* Appends the operator for all of the map's input, or for a part of it. bias: may be NULL. */
static const char *append_map(icseg_onnx_translation *t, const icseg_node *n, const char *type,
                              const icseg_onnx_factor *x, const icseg_onnx_weights *weights, const float *bias) {
    char name[512];
    const char *in[3] = {icseg_onnx_layer_input(t, x), icseg_onnx_layer_weights(t, x, weights)};
    snprintf(name, sizeof name, "%s.bias", n->scope);
    if (bias) in[2] = icseg_onnx_layer_bias(t, x, name, weights, bias);
    const char *y = icseg_onnx_append(t->writer, n->name, type, bias ? 3 : 2, in);
    ICSEG_ONNX_INTS(t->writer, "kernel_shape", weights->shape.dim[2], weights->shape.dim[3]);
    return y;
}

static const char *convolution(icseg_onnx_translation *t, const icseg_node *n, const char *type, map *m) {
    if (!read_map(t, n, m)) return NULL;
    const icseg_onnx_factor x = icseg_onnx_input_of(t, n);
    const icseg_onnx_weights weights = {m->weight->name, m->weight->file_shape, m->weights, m->transposed, m->out};
    icseg_onnx_correct_bias(t, &x, &weights, &m->bias);
    return append_map(t, n, type, &x, &weights, m->bias);
}

/* The weights of a 1x1 convolution for one part of its input. */
static icseg_onnx_weights weights_of_part(icseg_onnx_translation *t, const map *m, const icseg_onnx_factor *part) {
    const int64_t in = m->weight->file_shape.dim[1];
    const char *name = icseg_arena_printf(t->writer->arena, "%s.part%d", m->weight->name, part->index + 1);
    float *to = m->weights ? icseg_onnx_memory(t->writer, m->out * part->channels, sizeof *to) : NULL;
    if (!name) icseg_onnx_fail(t->writer, ICSEG_ERROR_MEMORY, "out of memory for an ONNX model");
    for (int64_t o = 0; to && o < m->out; o++)
        memcpy(to + o * part->channels, m->weights + o * in + part->first, (size_t)part->channels * sizeof *to);
    return (icseg_onnx_weights){name, ICSEG_SHAPE(m->out, part->channels, 1, 1), to, 0, m->out};
}

/* One convolution of each part, so that runtimes can compute both with integers. */
static const char *sum_of_parts(icseg_onnx_translation *t, const icseg_node *n, const icseg_onnx_factor parts[2]) {
    map m = {0};
    const char *y[2];
    if (!read_map(t, n, &m)) return NULL;
    const icseg_onnx_weights weights[] = {weights_of_part(t, &m, &parts[0]), weights_of_part(t, &m, &parts[1])};
    if (icseg_onnx_status(t->writer, NULL) != ICSEG_OK) return NULL;
    for (int i = 0; i < 2; i++) icseg_onnx_correct_bias(t, &parts[i], &weights[i], &m.bias);
    for (int i = 0; i < 2; i++) y[i] = append_map(t, n, "Conv", &parts[i], &weights[i], i ? NULL : m.bias);
    return ICSEG_ONNX_NODE(t->writer, n->name, "Add", y[0], y[1]);
}

const char *icseg_onnx_conv2d(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_conv_shape *s = n->attributes;
    icseg_onnx_factor parts[2];
    map m = {0};
    if (icseg_onnx_split_input(t, n, parts)) return sum_of_parts(t, n, parts);
    const char *y = convolution(t, n, "Conv", &m);
    ICSEG_ONNX_INTS(t->writer, "strides", s->stride, s->stride);
    ICSEG_ONNX_INTS(t->writer, "pads", s->padding, s->padding, s->padding, s->padding);
    return y;
}

const char *icseg_onnx_conv_transpose2x2(icseg_onnx_translation *t, const icseg_node *n) {
    map m = {.transposed = true};
    const char *y = convolution(t, n, "ConvTranspose", &m);
    ICSEG_ONNX_INTS(t->writer, "strides", 2, 2);
    return y;
}

/* The convolution before it contains it. */
const char *icseg_onnx_batch_norm(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_batch_norm_options *o = n->attributes;
    int32_t before = icseg_graph_value(t->graph, n->input[0])->producer;
    const icseg_node *producer = before >= 0 ? icseg_graph_node(t->graph, before) : NULL;
    if (!producer || strncmp(producer->op->name, "conv", 4) != 0 || batch_norm_after(t, producer) != n)
        return icseg_onnx_fail(t->writer, ICSEG_ERROR_UNSUPPORTED, "%s: no convolution before it", n->name);
    const char *y = icseg_onnx_operand(t, n, 0);
    return o->relu ? ICSEG_ONNX_NODE(t->writer, n->name, "Relu", y) : y;
}

/* -- products */

/* A weight (O, I) as (I, O). */
static float *transposed(icseg_onnx_translation *t, const icseg_param *param) {
    int64_t rows = param->shape.dim[0], columns = param->shape.dim[1];
    const float *from = icseg_onnx_param(t, param);
    float *to = icseg_onnx_memory(t->writer, param->count, sizeof *to);
    if (!from || !to) return NULL;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c];
    return to;
}

/* x (.., I) times a weight (I, O), plus a bias, which may be NULL. */
static const char *rows_times(icseg_onnx_translation *t, const icseg_node *n, const icseg_onnx_weights *weights,
                              float *bias) {
    icseg_onnx_writer *w = t->writer;
    char name[512];
    const icseg_onnx_factor input = icseg_onnx_input_of(t, n);
    icseg_onnx_correct_bias(t, &input, weights, &bias);
    const char *x = icseg_onnx_layer_input(t, &input), *matrix = icseg_onnx_layer_weights(t, &input, weights);
    const char *y = ICSEG_ONNX_NODE(w, n->name, "MatMul", x, matrix);
    if (!bias) return y;
    snprintf(name, sizeof name, "%s.bias", weights->name);
    return ICSEG_ONNX_NODE(w, n->name, "Add", y,
                           icseg_onnx_initializer(w, name, FLOAT, ICSEG_SHAPE(weights->out), bias));
}

const char *icseg_onnx_linear(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_param *weight = param_of(t, n, 1), *bias = n->input_count > 2 ? param_of(t, n, 2) : NULL;
    if (!weight || (n->input_count > 2 && !bias)) return NULL;
    const icseg_onnx_weights weights = {weight->name, ICSEG_SHAPE(weight->shape.dim[1], weight->shape.dim[0]),
                                        transposed(t, weight), 1, weight->shape.dim[0]};
    return rows_times(t, n, &weights, bias ? icseg_onnx_param(t, bias) : NULL);
}

const char *icseg_onnx_project(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_param *weight = param_of(t, n, 1);
    if (!weight) return NULL;
    const icseg_onnx_weights weights = {weight->name, weight->shape, icseg_onnx_param(t, weight), 1,
                                        weight->shape.dim[1]};
    return rows_times(t, n, &weights, NULL);
}

const char *icseg_onnx_similarity(icseg_onnx_translation *t, const icseg_node *n) {
    icseg_onnx_writer *w = t->writer;
    const char *b = ICSEG_ONNX_NODE(w, n->name, "Transpose", icseg_onnx_operand(t, n, 1));
    ICSEG_ONNX_INTS(w, "perm", 0, 2, 1);
    return ICSEG_ONNX_NODE(w, n->name, "MatMul", icseg_onnx_operand(t, n, 0), b);
}

/* -- attention */

/* x (B, L, W) -> (B, heads, L, D), or (B, heads, D, L) if `columns` */
static const char *split_heads(icseg_onnx_translation *t, const icseg_node *n, const char *x, int64_t heads,
                               int64_t width, bool columns) {
    icseg_onnx_writer *w = t->writer;
    x = ICSEG_ONNX_NODE(w, n->name, "Reshape", x, ICSEG_ONNX_VECTOR(w, 0, 0, heads, width / heads));
    x = ICSEG_ONNX_NODE(w, n->name, "Transpose", x);
    if (columns)
        ICSEG_ONNX_INTS(w, "perm", 0, 2, 3, 1);
    else
        ICSEG_ONNX_INTS(w, "perm", 0, 2, 1, 3);
    return x;
}

/* mask: which keys a query sees, (L, L) of bool; NULL: all. near: what is added to scores, (Lq, Lk), or NULL */
static const char *attend(icseg_onnx_translation *t, const icseg_node *n, const char *const qkv[3], int64_t heads,
                          int64_t width, const char *mask, const char *near) {
    icseg_onnx_writer *w = t->writer;
    int64_t depth = width / heads; /* without a remainder */
    const char *scale = icseg_onnx_scalar(w, 1 / sqrtf((float)depth));
    const char *q = split_heads(t, n, ICSEG_ONNX_NODE(w, n->name, "Mul", qkv[0], scale), heads, width, false);
    const char *k = split_heads(t, n, qkv[1], heads, width, true), *v = split_heads(t, n, qkv[2], heads, width, false);
    const char *p = ICSEG_ONNX_NODE(w, n->name, "MatMul", q, k);
    if (mask) p = ICSEG_ONNX_NODE(w, n->name, "Where", mask, p, icseg_onnx_scalar(w, -3e38f));
    if (near) p = ICSEG_ONNX_NODE(w, n->name, "Add", p, near);
    p = ICSEG_ONNX_NODE(w, n->name, "Softmax", p);
    icseg_onnx_int(w, "axis", -1);
    const char *y = ICSEG_ONNX_NODE(w, n->name, "Transpose", ICSEG_ONNX_NODE(w, n->name, "MatMul", p, v));
    ICSEG_ONNX_INTS(w, "perm", 0, 2, 1, 3);
    return ICSEG_ONNX_NODE(w, n->name, "Reshape", y, ICSEG_ONNX_VECTOR(w, 0, 0, width));
}

/* Queries are the positions of a grid, and so are the last keys. */
static const char *nearness(icseg_onnx_translation *t, const icseg_node *n, const icseg_attention_attributes *a) {
    float *near = icseg_onnx_memory(t->writer, a->queries * a->keys, sizeof *near);
    char name[512];
    double factor = -1 / (2 * a->grid.deviation * a->grid.deviation);
    for (int64_t q = 0; near && q < a->queries; q++)
        for (int64_t k = 0; k < a->queries; k++) {
            int64_t rows = q / a->grid.columns - k / a->grid.columns;
            int64_t columns = q % a->grid.columns - k % a->grid.columns;
            near[q * a->keys + a->keys - a->queries + k] =
                (float)exp(factor * (double)(rows * rows + columns * columns));
        }
    snprintf(name, sizeof name, "%s.near", n->name);
    return icseg_onnx_initializer(t->writer, name, FLOAT, ICSEG_SHAPE(a->queries, a->keys), near);
}

const char *icseg_onnx_attention(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_attention_attributes *a = n->attributes;
    const char *qkv[3], *near = a->grid.rows ? nearness(t, n, a) : NULL;
    for (int i = 0; i < 3; i++) qkv[i] = icseg_onnx_operand(t, n, i);
    return attend(t, n, qkv, a->heads, a->width, NULL, near);
}

static void split_qkv(icseg_onnx_translation *t, const icseg_node *n, int64_t width, const char *qkv[3]) {
    icseg_onnx_writer *w = t->writer;
    qkv[0] =
        ICSEG_ONNX_NODE(w, n->name, "Split", icseg_onnx_operand(t, n, 0), ICSEG_ONNX_VECTOR(w, width, width, width));
    icseg_onnx_int(w, "axis", -1);
    for (int i = 1; i < 3; i++) qkv[i] = icseg_onnx_another_output(w, n->name);
}

const char *icseg_onnx_attention_packed(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_attention_attributes *a = n->attributes;
    const char *qkv[3];
    split_qkv(t, n, a->width, qkv);
    return attend(t, n, qkv, a->heads, a->width, NULL, NULL);
}

/* Row q sees row k if k is not after q and is in the prefix or in q's segment. All layers share the mask. */
static const char *segment_mask(icseg_onnx_translation *t, const icseg_segment_attributes *a, int64_t rows) {
    enum { BOOL = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__BOOL };
    const char *known = icseg_onnx_find(t->writer, "text.mask");
    bool *mask = known ? NULL : icseg_onnx_memory(t->writer, rows * rows, sizeof *mask);
    if (!mask) return known;
    for (int64_t i = -1, first = 0, length; i < a->count; i++, first += length) {
        length = i < 0 ? a->prefix : a->lengths[i];
        for (int64_t q = first; q < first + length; q++)
            for (int64_t k = 0; k <= q; k++) mask[q * rows + k] = k < a->prefix || k >= first;
    }
    return icseg_onnx_initializer(t->writer, "text.mask", BOOL, ICSEG_SHAPE(rows, rows), mask);
}

const char *icseg_onnx_segment_attention(icseg_onnx_translation *t, const icseg_node *n) {
    const icseg_segment_attributes *a = n->attributes;
    icseg_shape s = icseg_graph_value(t->graph, n->output[0])->shape;
    const char *qkv[3];
    split_qkv(t, n, s.dim[2], qkv);
    return attend(t, n, qkv, a->heads, s.dim[2], segment_mask(t, a, s.dim[1]), NULL);
}

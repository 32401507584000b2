/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/quantized.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compute/backend/shapes.h"
#include "graph/activation_ranges.h"
#include "graph/op.h"

enum {
    FLOAT = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    INT8 = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
    INT32 = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    UINT8 = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
    NAME_SIZE = 512
};

static icseg_quantization quantization_of(const icseg_onnx_translation *t, const icseg_node *layer,
                                          icseg_layer_side side) {
    enum { LEAST_CHANNELS = 32 }; /* as in icseg's own INT8: smaller layers gain nothing */
    const icseg_param *param = t->ranges ? icseg_activation_ranges_layer(t->graph, layer) : NULL;
    if (!param) return (icseg_quantization){0};
    int64_t in = icseg_graph_dim(t->graph, layer->input[0], -1), out = icseg_graph_dim(t->graph, layer->output[0], -1);
    if (in < LEAST_CHANNELS || out < LEAST_CHANNELS) return (icseg_quantization){0};
    return icseg_activation_range_quantization(icseg_activation_ranges_find(t->ranges, param, side));
}

icseg_onnx_factor icseg_onnx_input_of(const icseg_onnx_translation *t, const icseg_node *layer) {
    icseg_onnx_factor x = {.node = layer,
                           .channels = icseg_graph_dim(t->graph, layer->input[0], -1),
                           .bytes = quantization_of(t, layer, ICSEG_LAYER_IN)};
    if (!(x.bytes.scale > 0)) return x;
    icseg_input_means means = icseg_activation_ranges_means(t->ranges, icseg_activation_ranges_layer(t->graph, layer));
    if (means.count == x.channels) x.means = means.values;
    return x;
}

static bool is_convolution_1x1(const icseg_node *node) {
    const icseg_conv_shape *s = node->attributes;
    return !strcmp(node->op->name, "conv2d") && s->kernel_height == 1 && s->kernel_width == 1 && s->stride == 1 &&
           s->padding == 0;
}

bool icseg_onnx_split_input(const icseg_onnx_translation *t, const icseg_node *layer, icseg_onnx_factor parts[2]) {
    icseg_value joined[2];
    int64_t first = 0;
    if (!is_convolution_1x1(layer)) return false;
    const icseg_onnx_factor whole = icseg_onnx_input_of(t, layer);
    if (!(whole.bytes.scale > 0) || !icseg_activation_ranges_joined(t->graph, layer, joined)) return false;
    for (int i = 0; i < 2; i++) {
        int64_t channels = icseg_graph_dim(t->graph, joined[i], -1);
        parts[i] = (icseg_onnx_factor){
            .node = icseg_graph_node(t->graph, icseg_graph_value(t->graph, layer->input[0])->producer),
            .index = i,
            .first = first,
            .channels = channels,
            .bytes = quantization_of(t, layer, i ? ICSEG_LAYER_SECOND : ICSEG_LAYER_FIRST),
            .means = whole.means ? whole.means + first : NULL};
        if (!(parts[i].bytes.scale > 0) || !t->value[joined[i]].varies) return false;
        first += channels;
    }
    return true;
}

static const char *zero_point(icseg_onnx_writer *w, int32_t value) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "byte.%d", (int)value);
    const char *known = icseg_onnx_find(w, name);
    uint8_t *copy = known ? NULL : icseg_onnx_memory(w, 1, sizeof *copy);
    if (copy) *copy = (uint8_t)value;
    return known ? known : icseg_onnx_initializer(w, name, UINT8, (icseg_shape){0}, copy);
}

/* The output of the node with this name, or NULL. */
static const char *find_node(const icseg_onnx_writer *w, const char *name) {
    for (size_t i = 0; i < w->nodes.count; i++) {
        const Icseg__Onnx__NodeProto *node = w->nodes.item[i];
        if (!strcmp(node->name, name)) return node->output[0];
    }
    return NULL;
}

/* Layers that read the same value in the same quantisation share it. */
const char *icseg_onnx_layer_input(icseg_onnx_translation *t, const icseg_onnx_factor *factor) {
    icseg_onnx_writer *w = t->writer;
    icseg_quantization q = factor->bytes;
    const char *x = icseg_onnx_operand(t, factor->node, factor->index);
    char name[NAME_SIZE];
    if (!x || !(q.scale > 0)) return x;
    snprintf(name, sizeof name, "%.400s.bytes.%.9g.%d", x, (double)q.scale, (int)q.zero_point);
    const char *bytes = find_node(w, name), *scale = icseg_onnx_scalar(w, q.scale), *zero = zero_point(w, q.zero_point);
    if (!bytes) bytes = ICSEG_ONNX_NODE(w, name, "QuantizeLinear", x, scale, zero);
    snprintf(name, sizeof name, "%.400s.rounded.%.9g.%d", x, (double)q.scale, (int)q.zero_point);
    const char *rounded = find_node(w, name);
    return rounded ? rounded : ICSEG_ONNX_NODE(w, name, "DequantizeLinear", bytes, scale, zero);
}

/* Elements of one output channel: `runs` of `length`, the first at `first`, `stride` apart. */
typedef struct channel {
    int64_t runs, length, stride;
} channel;

static channel channel_of(const icseg_onnx_weights *w) {
    channel c = {.runs = 1, .length = 1};
    for (int i = 0; i < w->axis; i++) c.runs *= w->shape.dim[i];
    for (int i = w->axis + 1; i < w->shape.rank; i++) c.length *= w->shape.dim[i];
    c.stride = w->out * c.length;
    return c;
}

/* A 127th of the largest magnitude, as in icseg's own INT8. */
static float scale_of(const icseg_onnx_weights *w, channel c, int64_t o) {
    float largest = 0;
    for (int64_t r = 0; r < c.runs; r++)
        for (int64_t i = 0; i < c.length; i++)
            largest = fmaxf(largest, fabsf(w->values[r * c.stride + o * c.length + i]));
    return largest > 0 ? largest / 127 : 1;
}

static float rounded(float weight, float scale) { return (float)lrintf(weight * (1 / scale)); }

/* Of the input channels, whose number is that of the means, and the taps: w has (.., in, .., taps) without `axis`. */
static double lost_mean(const icseg_onnx_weights *w, channel c, int64_t o, const icseg_onnx_factor *x) {
    int64_t taps = w->axis == 0 ? c.length / x->channels : c.length; /* (O, I, taps) or (I, O, taps) */
    float scale = scale_of(w, c, o);
    double sum = 0;
    for (int64_t r = 0; r < c.runs; r++)
        for (int64_t i = 0; i < c.length; i++) {
            float weight = w->values[r * c.stride + o * c.length + i];
            int64_t input = w->axis == 0 ? i / taps : r;
            sum += (double)x->means[input] * (double)(weight - rounded(weight, scale) * scale);
        }
    return sum;
}

void icseg_onnx_correct_bias(icseg_onnx_translation *t, const icseg_onnx_factor *x, const icseg_onnx_weights *w,
                             float **bias) {
    if (!x->means || !w->values) return;
    channel c = channel_of(w);
    if (!*bias) *bias = icseg_onnx_memory(t->writer, w->out, sizeof **bias);
    for (int64_t o = 0; *bias && o < w->out; o++) (*bias)[o] += (float)lost_mean(w, c, o, x);
}

static int8_t *round_weights(icseg_onnx_writer *writer, const icseg_onnx_weights *w, channel c, const float *scale) {
    int8_t *to = icseg_onnx_memory(writer, icseg_shape_count(w->shape), sizeof *to);
    for (int64_t o = 0; to && o < w->out; o++)
        for (int64_t r = 0; r < c.runs; r++)
            for (int64_t i = 0; i < c.length; i++) {
                int64_t at = r * c.stride + o * c.length + i;
                to[at] = (int8_t)rounded(w->values[at], scale[o]);
            }
    return to;
}

static const char *dequantize(icseg_onnx_writer *w, const char *name, const char *integers, const char *scale,
                              int axis) {
    const char *out = ICSEG_ONNX_NODE(w, name, "DequantizeLinear", integers, scale);
    icseg_onnx_int(w, "axis", axis);
    return out;
}

const char *icseg_onnx_layer_weights(icseg_onnx_translation *t, const icseg_onnx_factor *x,
                                     const icseg_onnx_weights *w) {
    icseg_onnx_writer *writer = t->writer;
    char name[NAME_SIZE];
    if (!(x->bytes.scale > 0)) return icseg_onnx_initializer(writer, w->name, FLOAT, w->shape, w->values);
    float *scale = w->values ? icseg_onnx_memory(writer, w->out, sizeof *scale) : NULL;
    if (!scale) return NULL;
    channel c = channel_of(w);
    for (int64_t o = 0; o < w->out; o++) scale[o] = scale_of(w, c, o);
    const char *integers = icseg_onnx_initializer(writer, w->name, INT8, w->shape, round_weights(writer, w, c, scale));
    snprintf(name, sizeof name, "%.480s.scale", w->name);
    const char *scales = icseg_onnx_initializer(writer, name, FLOAT, ICSEG_SHAPE(w->out), scale);
    snprintf(name, sizeof name, "%.480s.rounded", w->name);
    return dequantize(writer, name, integers, scales, w->axis);
}

/* As runtimes need it to compute with integers only: an integer whose scale is that of the products. */
const char *icseg_onnx_layer_bias(icseg_onnx_translation *t, const icseg_onnx_factor *x, const char *name,
                                  const icseg_onnx_weights *w, const float *bias) {
    icseg_onnx_writer *writer = t->writer;
    icseg_quantization q = x->bytes;
    char part[NAME_SIZE];
    if (!(q.scale > 0) || !bias) return icseg_onnx_initializer(writer, name, FLOAT, ICSEG_SHAPE(w->out), bias);
    float *scale = icseg_onnx_memory(writer, w->out, sizeof *scale);
    int32_t *integer = icseg_onnx_memory(writer, w->out, sizeof *integer);
    channel c = channel_of(w);
    for (int64_t o = 0; scale && integer && o < w->out; o++) {
        scale[o] = q.scale * scale_of(w, c, o);
        double steps = (double)bias[o] / (double)scale[o];
        if (!(fabs(steps) <= INT32_MAX)) return icseg_onnx_initializer(writer, name, FLOAT, ICSEG_SHAPE(w->out), bias);
        integer[o] = (int32_t)lrint(steps);
    }
    const char *integers = icseg_onnx_initializer(writer, name, INT32, ICSEG_SHAPE(w->out), integer);
    snprintf(part, sizeof part, "%.480s.scale", name);
    const char *scales = icseg_onnx_initializer(writer, part, FLOAT, ICSEG_SHAPE(w->out), scale);
    snprintf(part, sizeof part, "%.480s.rounded", name);
    return dequantize(writer, part, integers, scales, 0);
}

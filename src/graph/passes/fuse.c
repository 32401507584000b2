/* SPDX-License-Identifier: Apache-2.0
 * Fusion. Nodes are visited in order. A node that can be computed together with its producer becomes one node for both,
 * with the same output value. The producer then has no reader, and the executor leaves it out. */
#include "graph/passes/fuse.h"

#include <string.h>

#include "graph/internal.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/fused.h"
#include "graph/ops/operators.h"

enum { BN_X, BN_WEIGHT, BN_BIAS, BN_MEAN, BN_VAR };

typedef struct fusion {
    icseg_graph *graph;
    const int32_t *readers; /* (values): nodes that read each */
} fusion;

/* A convolution or linear layer, alone or fused with other nodes. */
typedef struct map {
    const icseg_node *node;
    const icseg_op *op; /* the fused one */
    icseg_value input[ICSEG_FUSED_INPUTS];
    union {
        icseg_fused_conv conv;
        icseg_fused_linear linear;
    } attributes;
    size_t attributes_size;
    icseg_activation activation;
} map;

/* The node that computes `value`, if `value` has a single reader. */
static const icseg_node *producer_of(const fusion *f, icseg_value value) {
    const icseg_value_info *info = f->graph->values[value];
    if (info->kind != ICSEG_VALUE_COMPUTED || info->view_of != ICSEG_NONE || info->keep || f->readers[value] != 1)
        return NULL;
    return f->graph->nodes[info->producer];
}

/* The map that computes `value`, if `value` has a single reader. */
static bool map_producing(const fusion *f, icseg_value value, map *out) {
    const icseg_node *node = producer_of(f, value);
    if (!node) return false;
    *out = (map){.node = node};
    for (int i = 0; i < ICSEG_FUSED_INPUTS; i++) out->input[i] = i < node->input_count ? node->input[i] : ICSEG_NONE;
    if (node->op == &icseg_op_conv2d) {
        out->op = &icseg_op_conv2d_fused;
        out->attributes.conv.shape = *(const icseg_conv_shape *)node->attributes;
        out->attributes_size = sizeof out->attributes.conv;
    } else if (node->op == &icseg_op_linear || node->op == &icseg_op_project) {
        out->op = &icseg_op_linear_fused;
        out->attributes.linear.shape = *(const icseg_matmul_shape *)node->attributes;
        out->attributes_size = sizeof out->attributes.linear;
    } else if (node->op == &icseg_op_conv2d_fused) {
        out->op = node->op;
        out->attributes.conv = *(const icseg_fused_conv *)node->attributes;
        out->attributes_size = sizeof out->attributes.conv;
        out->activation = out->attributes.conv.activation;
    } else if (node->op == &icseg_op_linear_fused) {
        out->op = node->op;
        out->attributes.linear = *(const icseg_fused_linear *)node->attributes;
        out->attributes_size = sizeof out->attributes.linear;
        out->activation = out->attributes.linear.activation;
    }
    return out->op && out->activation == ICSEG_ACTIVATION_NONE;
}

/* Turns `node` into the map. */
static void replace(const fusion *f, icseg_node *node, const map *m) {
    const void *attributes = icseg_arena_copy(f->graph->arena, &m->attributes, m->attributes_size);
    if (!attributes) {
        icseg_graph_fail(f->graph, "fuse", ICSEG_ERROR_MEMORY, "out of memory");
        return;
    }
    icseg_node_become(f->graph, node, m->op, m->node->scope);
    node->attributes = attributes;
    node->output_count = 1;
    node->input_count = m->op == &icseg_op_conv2d_fused ? ICSEG_FUSED_INPUTS : ICSEG_FUSED_RESIDUAL + 1;
    memcpy(node->input, m->input, (size_t)node->input_count * sizeof *node->input);
}

static void set_activation(map *m, icseg_activation activation) {
    if (m->op == &icseg_op_conv2d_fused)
        m->attributes.conv.activation = activation;
    else
        m->attributes.linear.activation = activation;
}

static bool is_param(const fusion *f, icseg_value value) { return f->graph->values[value]->kind == ICSEG_VALUE_PARAM; }

/* A bias that is a parameter, or none. */
static bool is_bias(const fusion *f, icseg_value value) { return value == ICSEG_NONE || is_param(f, value); }

static void fuse_batch_norm(const fusion *f, icseg_node *node) {
    const icseg_batch_norm_options *o = node->attributes;
    map m;
    if (o->batch_statistics || !map_producing(f, node->input[BN_X], &m) || m.op != &icseg_op_conv2d_fused) return;
    if (m.input[ICSEG_FUSED_RESIDUAL] != ICSEG_NONE || m.input[ICSEG_FUSED_GAMMA] != ICSEG_NONE) return;
    if (!is_param(f, m.input[ICSEG_FUSED_WEIGHT])) return;
    if (m.input[ICSEG_FUSED_BIAS] != ICSEG_NONE && !is_param(f, m.input[ICSEG_FUSED_BIAS])) return;
    for (int i = BN_WEIGHT; i <= BN_VAR; i++) {
        if (!is_param(f, node->input[i])) return;
        m.input[ICSEG_FUSED_GAMMA + i - BN_WEIGHT] = node->input[i];
    }
    for (int i = 1; i < node->output_count; i++) /* the moments, for the gradient: the fused node has none */
        if (f->readers[node->output[i]] || f->graph->values[node->output[i]]->keep) return;
    m.attributes.conv.eps = o->eps;
    if (o->relu) set_activation(&m, ICSEG_ACTIVATION_RELU);
    replace(f, node, &m);
}

static void fuse_add(const fusion *f, icseg_node *node) {
    for (int side = 0; side < 2; side++) {
        map m;
        icseg_value residual = node->input[1 - side];
        if (residual == node->input[side] || !map_producing(f, node->input[side], &m)) continue;
        if (m.input[ICSEG_FUSED_RESIDUAL] != ICSEG_NONE) continue;
        if (!icseg_shape_equal(f->graph->values[residual]->shape, f->graph->values[node->output[0]]->shape)) continue;
        if (!icseg_shape_equal(f->graph->values[node->input[side]]->shape, f->graph->values[residual]->shape)) continue;
        m.input[ICSEG_FUSED_RESIDUAL] = residual;
        replace(f, node, &m);
        return;
    }
}

/* Turns the sum into the resize, with the other summand as its second input. */
static void fuse_resize(const fusion *f, icseg_node *node) {
    for (int side = 0; side < 2; side++) {
        icseg_value resized = node->input[side], residual = node->input[1 - side];
        const icseg_node *resize = producer_of(f, resized);
        if (residual == resized || !resize || resize->op != &icseg_op_resize_bilinear || resize->input_count > 1)
            continue;
        if (!icseg_shape_equal(f->graph->values[residual]->shape, f->graph->values[resized]->shape)) continue;
        icseg_node_become(f->graph, node, resize->op, resize->scope);
        node->attributes = resize->attributes;
        node->input[0] = resize->input[0];
        node->input[1] = residual;
        return;
    }
}

static void fuse_activation(const fusion *f, icseg_node *node, icseg_activation activation) {
    map m;
    if (!map_producing(f, node->input[0], &m)) return;
    set_activation(&m, activation);
    replace(f, node, &m);
}

void icseg_graph_fuse(icseg_graph *g) {
    if (g->error.status != ICSEG_OK) return;
    int32_t *readers = icseg_graph_count_readers(g);
    if (!readers) return;
    g->forward_only = true;
    const fusion f = {.graph = g, .readers = readers};
    for (int32_t n = 0; n < g->node_count; n++) {
        icseg_node *node = g->nodes[n];
        if (node->op == &icseg_op_batch_norm) {
            fuse_batch_norm(&f, node);
        } else if (node->op == &icseg_op_add) {
            fuse_add(&f, node);
            if (node->op == &icseg_op_add) fuse_resize(&f, node);
        } else if (node->op == &icseg_op_relu) {
            fuse_activation(&f, node, ICSEG_ACTIVATION_RELU);
        } else if (node->op == &icseg_op_quick_gelu) {
            fuse_activation(&f, node, ICSEG_ACTIVATION_QUICK_GELU);
        } else if (node->op == &icseg_op_gelu) {
            fuse_activation(&f, node, ICSEG_ACTIVATION_GELU);
        }
    }
}

/* -- pairs of linear layers */

/* The linear layer whose only reader is the linear layer `node`, if computing both in blocks of rows is faster. */
static const icseg_node *first_map_of(const fusion *f, const icseg_node *node) {
    if (node->op != &icseg_op_linear_fused) return NULL;
    const icseg_node *first = producer_of(f, node->input[ICSEG_FUSED_X]);
    if (!first || first->op != &icseg_op_linear_fused) return NULL;
    const icseg_fused_linear *a = first->attributes, *b = node->attributes;
    if (first->input[ICSEG_FUSED_RESIDUAL] != ICSEG_NONE || b->shape.rows != a->shape.rows) return NULL;
    int64_t bytes = f->graph->values[node->input[ICSEG_FUSED_X]]->count * (int64_t)sizeof(float);
    return icseg_linear_pair_is_faster(a->shape.rows, bytes) ? first : NULL;
}

static void fuse_pair(icseg_graph *g, const icseg_node *first, icseg_node *second) {
    const icseg_fused_linear *a = first->attributes, *b = second->attributes;
    const icseg_fused_pair pair = {{*a, *b}};
    const icseg_value input[ICSEG_PAIR_INPUTS] = {[ICSEG_PAIR_X] = first->input[ICSEG_FUSED_X],
                                                  [ICSEG_PAIR_FIRST_WEIGHT] = first->input[ICSEG_FUSED_WEIGHT],
                                                  [ICSEG_PAIR_FIRST_BIAS] = first->input[ICSEG_FUSED_BIAS],
                                                  [ICSEG_PAIR_SECOND_WEIGHT] = second->input[ICSEG_FUSED_WEIGHT],
                                                  [ICSEG_PAIR_SECOND_BIAS] = second->input[ICSEG_FUSED_BIAS],
                                                  [ICSEG_PAIR_RESIDUAL] = second->input[ICSEG_FUSED_RESIDUAL]};
    const void *attributes = icseg_arena_copy(g->arena, &pair, sizeof pair);
    if (!attributes) {
        icseg_graph_fail(g, "fuse", ICSEG_ERROR_MEMORY, "out of memory");
        return;
    }
    icseg_node_become(g, second, &icseg_op_linear_pair, second->scope);
    second->attributes = attributes;
    second->input_count = ICSEG_PAIR_INPUTS;
    memcpy(second->input, input, sizeof input);
}

void icseg_graph_fuse_pairs(icseg_graph *g) {
    if (g->error.status != ICSEG_OK) return;
    const fusion f = {.graph = g, .readers = icseg_graph_count_readers(g)};
    for (int32_t n = 0; f.readers && n < g->node_count; n++) {
        const icseg_node *first = first_map_of(&f, g->nodes[n]);
        if (first) fuse_pair(g, first, g->nodes[n]);
    }
}

/* -- transposed convolutions */

/* A convolution of single pixels with parameters as its weights and bias, and nothing after it but a residual. */
static bool is_pixel_map(const fusion *f, const icseg_node *node, icseg_value input[ICSEG_FUSED_INPUTS]) {
    bool fused = node->op == &icseg_op_conv2d_fused;
    if (!fused && node->op != &icseg_op_conv2d) return false;
    const icseg_fused_conv *a = node->attributes;
    const icseg_conv_shape *s = &a->shape; /* also the attributes of conv2d */
    for (int i = 0; i < ICSEG_FUSED_INPUTS; i++) input[i] = i < node->input_count ? node->input[i] : ICSEG_NONE;
    return s->kernel_height == 1 && s->kernel_width == 1 && s->stride == 1 && s->padding == 0 &&
           !(fused && a->activation != ICSEG_ACTIVATION_NONE) && input[ICSEG_FUSED_GAMMA] == ICSEG_NONE &&
           is_param(f, input[ICSEG_FUSED_WEIGHT]) && is_bias(f, input[ICSEG_FUSED_BIAS]);
}

static void fuse_transposed(const fusion *f, icseg_node *node) {
    icseg_value second[ICSEG_FUSED_INPUTS], out = node->output[0];
    bool used = f->readers[out] > 0 || f->graph->values[out]->keep; /* not already part of another node */
    if (!used || !is_pixel_map(f, node, second)) return;
    const icseg_node *first = producer_of(f, second[ICSEG_FUSED_X]);
    if (!first || first->op != &icseg_op_conv_transpose2x2 || !is_param(f, first->input[1])) return;
    icseg_value bias = first->input_count > 2 ? first->input[2] : ICSEG_NONE;
    if (!is_bias(f, bias)) return;
    icseg_transpose_map both = {.shape = *(const icseg_transpose_shape *)first->attributes};
    both.between = both.shape.out;
    both.shape.out = f->graph->values[out]->shape.dim[3];
    if (!icseg_transpose_map_is_faster(&both)) return;
    const icseg_value input[ICSEG_MAP_INPUTS] = {[ICSEG_MAP_X] = first->input[0],
                                                 [ICSEG_MAP_FIRST_WEIGHT] = first->input[1],
                                                 [ICSEG_MAP_FIRST_BIAS] = bias,
                                                 [ICSEG_MAP_SECOND_WEIGHT] = second[ICSEG_FUSED_WEIGHT],
                                                 [ICSEG_MAP_SECOND_BIAS] = second[ICSEG_FUSED_BIAS],
                                                 [ICSEG_MAP_RESIDUAL] = second[ICSEG_FUSED_RESIDUAL]};
    const void *attributes = icseg_arena_copy(f->graph->arena, &both, sizeof both);
    if (!attributes) {
        icseg_graph_fail(f->graph, "fuse", ICSEG_ERROR_MEMORY, "out of memory");
        return;
    }
    icseg_node_become(f->graph, node, &icseg_op_conv_transpose2x2_map, node->scope);
    node->attributes = attributes;
    node->input_count = ICSEG_MAP_INPUTS;
    memcpy(node->input, input, sizeof input);
}

void icseg_graph_fuse_transposed(icseg_graph *g) {
    if (g->error.status != ICSEG_OK) return;
    const fusion f = {.graph = g, .readers = icseg_graph_count_readers(g)};
    for (int32_t n = 0; f.readers && n < g->node_count; n++) fuse_transposed(&f, g->nodes[n]);
}

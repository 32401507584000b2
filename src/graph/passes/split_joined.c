/* SPDX-License-Identifier: Apache-2.0
 * Convolutions that read the parts of a joined value. The node that joins them is then left out, unless it has another
 * reader. */
#include "graph/passes/split_joined.h"

#include <string.h>

#include "graph/activation_ranges.h"
#include "graph/internal.h"
#include "graph/node.h"
#include "graph/ops/fused.h"

/* The convolution as conv2d_fused, with the parts as its inputs. False if it is another operator. */
static bool split(const icseg_node *node, const icseg_value parts[2], icseg_fused_conv *attributes, icseg_node *out) {
    *out = *node;
    if (node->op == &icseg_op_conv2d) {
        *attributes = (icseg_fused_conv){.shape = *(const icseg_conv_shape *)node->attributes};
        out->op = &icseg_op_conv2d_fused;
        out->attributes = attributes;
        out->input_count = ICSEG_FUSED_INPUTS;
        for (int i = node->input_count; i < ICSEG_FUSED_INPUTS; i++) out->input[i] = ICSEG_NONE;
    } else if (node->op != &icseg_op_conv2d_fused) {
        return false;
    }
    out->input[ICSEG_FUSED_X] = parts[0];
    out->input[ICSEG_FUSED_SECOND] = parts[1];
    return true;
}

static bool is_reduced(const icseg_graph *g, const icseg_node *node) {
    icseg_activation_range first = icseg_activation_ranges_of_input(g, node, ICSEG_FUSED_X);
    const icseg_primitive_options options = {.precision = ICSEG_PRODUCT_INT8,
                                             .in_bytes = icseg_activation_range_quantization(first),
                                             .second = icseg_second_input_of(g, node)};
    return icseg_conv_reduces(g, node, options);
}

void icseg_graph_split_joined(icseg_graph *g) {
    if (g->error.status != ICSEG_OK || !g->ranges || icseg_activation_ranges_recording(g->ranges)) return;
    for (int32_t n = 0; n < g->node_count; n++) {
        icseg_node *node = g->nodes[n], with_parts;
        icseg_fused_conv attributes;
        icseg_value parts[2];
        if (!icseg_activation_ranges_layer(g, node) || !icseg_activation_ranges_joined(g, node, parts)) continue;
        if (!split(node, parts, &attributes, &with_parts) || !is_reduced(g, &with_parts)) continue;
        if (node->op == &icseg_op_conv2d) {
            with_parts.attributes = icseg_arena_copy(g->arena, &attributes, sizeof attributes);
            if (!with_parts.attributes) {
                icseg_graph_fail(g, "split_joined", ICSEG_ERROR_MEMORY, "out of memory");
                return;
            }
            icseg_node_become(g, node, &icseg_op_conv2d_fused, node->scope);
        }
        node->attributes = with_parts.attributes;
        node->input_count = with_parts.input_count;
        memcpy(node->input, with_parts.input, sizeof node->input);
    }
}

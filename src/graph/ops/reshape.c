/* SPDX-License-Identifier: Apache-2.0
 * reshape: a view of the same data in another shape; so is its gradient. */
#include "graph/node.h"
#include "graph/ops.h"

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    grad_in[0] = icseg_reshape(g, grad_out[0], icseg_graph_value(g, node->input[0])->shape);
}

const icseg_op icseg_op_reshape = {.name = "reshape", .gradient = gradient};

icseg_value icseg_reshape(icseg_graph *g, icseg_value x, icseg_shape shape) {
    icseg_node *node = icseg_node_append(g, &icseg_op_reshape, NULL, 0, &x, 1, 0);
    if (!node) return ICSEG_NONE;
    const icseg_value_info *from = icseg_graph_value(g, x);
    if (icseg_shape_count(shape) != from->count) {
        char s[ICSEG_SHAPE_TEXT], t[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "reshape", ICSEG_ERROR_SHAPE, "%s does not have as many elements as %s",
                                icseg_shape_text(from->shape, s, sizeof s), icseg_shape_text(shape, t, sizeof t));
    }
    return icseg_node_output_view(g, node, shape);
}

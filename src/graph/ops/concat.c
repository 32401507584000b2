/* SPDX-License-Identifier: Apache-2.0
 * concat along an axis; its gradient is a slice for each input. */
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/cast.h"
#include "graph/ops/chunks.h"

static icseg_status concat_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    int axis = *(const int *)k->node->attributes;
    const icseg_value_info *out = icseg_kernel_out(k, 0);
    int64_t rows = 1, at = 0;
    for (int i = 0; i < axis; i++) rows *= out->shape.dim[i];
    for (int i = 0; i < k->node->input_count; i++) {
        int64_t length = icseg_kernel_in(k, i)->count / rows;
        icseg_runs to = {(char *)k->out[0] + (size_t)at * icseg_dtype_size(out->dtype), icseg_format_of(out),
                         out->count / rows};
        icseg_copy_runs(to, (icseg_runs){k->in[i], icseg_format_of(icseg_kernel_in(k, i)), length}, rows, length);
        at += length;
    }
    return ICSEG_OK;
}

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    int axis = *(const int *)node->attributes;
    int64_t at = 0;
    for (int i = 0; i < node->input_count; i++) {
        int64_t length = icseg_graph_dim(g, node->input[i], axis);
        if (icseg_node_needs_grad(g, node, i)) grad_in[i] = icseg_slice(g, grad_out[0], axis, at, length);
        at += length;
    }
}

const icseg_op icseg_op_concat = {.name = "concat",
                                  .gradient = gradient,
                                  .cheap = true,
                                  .run = concat_run,
                                  .bf16 = {.in = (1 << ICSEG_MAX_INPUTS) - 1, .out = 1},
                                  .int8 = {.in = (1 << ICSEG_MAX_INPUTS) - 1, .out = 1, .mixed = true, .joins = true}};

icseg_value icseg_concat(icseg_graph *g, int count, const icseg_value *values, int axis) {
    if (count < 1 || count > ICSEG_MAX_INPUTS)
        return icseg_graph_fail(g, "concat", ICSEG_ERROR_INTERNAL, "%d values given, 1 to %d can be joined", count,
                                ICSEG_MAX_INPUTS);
    int rank = values[0] == ICSEG_NONE ? 0 : icseg_graph_value(g, values[0])->shape.rank;
    if (axis < 0) axis += rank;
    icseg_node *node = icseg_node_append(g, &icseg_op_concat, &axis, sizeof axis, values, count, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape shape = icseg_graph_value(g, values[0])->shape;
    for (int i = 0; i < count; i++) {
        icseg_shape other = icseg_graph_value(g, values[i])->shape;
        bool fits = axis >= 0 && axis < rank && other.rank == rank;
        for (int d = 0; d < rank && fits; d++) fits = d == axis || other.dim[d] == shape.dim[d];
        if (!fits) {
            char s[ICSEG_SHAPE_TEXT], t[ICSEG_SHAPE_TEXT];
            return icseg_graph_fail(g, "concat", ICSEG_ERROR_SHAPE, "%s cannot be joined to %s along axis %d",
                                    icseg_shape_text(other, t, sizeof t), icseg_shape_text(shape, s, sizeof s), axis);
        }
        if (i > 0) shape.dim[axis] += other.dim[axis];
    }
    return icseg_node_output(g, node, ICSEG_F32, shape);
}

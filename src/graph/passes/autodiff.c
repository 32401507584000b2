/* SPDX-License-Identifier: Apache-2.0
 * Reverse-mode differentiation: walks the nodes backwards and appends each operator's gradient nodes. */
#include "graph/passes/autodiff.h"

#include <string.h>

#include "graph/internal.h"
#include "graph/node.h"
#include "graph/ops.h"

/* Copies or adds a gradient to its parameter's buffer, if it could not be computed there directly. */
typedef struct store_attributes {
    bool add;
} store_attributes;

static icseg_status store_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    int64_t n = icseg_kernel_out(k, 0)->count;
    const float *from = k->in[0];
    float *to = k->out[0];
    if (((const store_attributes *)k->node->attributes)->add) {
#pragma omp parallel for simd
        for (int64_t i = 0; i < n; i++) to[i] += from[i];
    } else {
        memcpy(to, from, (size_t)n * sizeof *to);
    }
    return ICSEG_OK;
}

static const icseg_op store_op = {.name = "store_gradient", .run = store_run};

static void bind_to_param(icseg_graph *g, icseg_value grad, icseg_param *param, bool accumulate) {
    icseg_value_info *info = g->values[grad];
    if (info->count != param->count) {
        icseg_graph_fail(g, "backward", ICSEG_ERROR_INTERNAL, "the gradient of %s has another size", param->name);
        return;
    }
    if (!accumulate && info->kind == ICSEG_VALUE_COMPUTED && info->view_of == ICSEG_NONE && !info->param &&
        !info->keep) {
        info->param = param;
        return;
    }
    store_attributes attributes = {.add = accumulate};
    icseg_graph_push(g, "%s", param->name);
    icseg_node *node = icseg_node_append(g, &store_op, &attributes, sizeof attributes, &grad, 1, 0);
    icseg_graph_pop(g);
    if (!node) return;
    icseg_value stored = icseg_node_output(g, node, ICSEG_F32, param->shape);
    if (stored != ICSEG_NONE) g->values[stored]->param = param;
}

static void add_gradient(icseg_graph *g, icseg_value *slot, icseg_value grad) {
    if (grad != ICSEG_NONE) *slot = *slot == ICSEG_NONE ? grad : icseg_add(g, *slot, grad);
}

void icseg_graph_backward(icseg_graph *g, int count, const icseg_value *outputs, const icseg_value *grads,
                          bool accumulate) {
    if (g->error.status != ICSEG_OK) return;
    int32_t value_count = g->value_count, node_count = g->node_count;
    icseg_value *grad = icseg_arena_array(g->arena, (size_t)value_count, sizeof *grad);
    if (!grad) {
        icseg_graph_fail(g, "backward", ICSEG_ERROR_MEMORY, "out of memory");
        return;
    }
    for (icseg_value v = 0; v < value_count; v++) grad[v] = ICSEG_NONE;
    g->in_backward = true;
    for (int i = 0; i < count; i++) add_gradient(g, &grad[outputs[i]], grads[i]);

    for (int32_t n = node_count - 1; n >= 0 && g->error.status == ICSEG_OK; n--) {
        const icseg_node *node = g->nodes[n];
        icseg_value out[ICSEG_MAX_OUTPUTS], in[ICSEG_MAX_INPUTS];
        bool reached = false, needed = false;
        for (int i = 0; i < node->output_count; i++) {
            out[i] = grad[node->output[i]];
            reached |= out[i] != ICSEG_NONE;
        }
        for (int i = 0; i < node->input_count; i++) {
            in[i] = ICSEG_NONE;
            needed |= icseg_node_needs_grad(g, node, i);
        }
        if (!reached || !needed || !node->op->gradient) continue;
        g->inherited_scope = node->scope;
        node->op->gradient(g, node, out, in);
        for (int i = 0; i < node->input_count; i++)
            if (icseg_node_needs_grad(g, node, i)) add_gradient(g, &grad[node->input[i]], in[i]);
    }
    g->inherited_scope = NULL;

    for (icseg_value v = 0; v < value_count && g->error.status == ICSEG_OK; v++)
        if (g->values[v]->kind == ICSEG_VALUE_PARAM && g->values[v]->needs_grad && grad[v] != ICSEG_NONE)
            bind_to_param(g, grad[v], g->values[v]->param, accumulate);
    g->in_backward = false;
}

/* SPDX-License-Identifier: Apache-2.0
 * Opening a program: planning the graph's memory and preparing its kernels. */
#include "graph/run/program.h"

#include "graph/ops/operators.h"

static void count_work(icseg_program *p, const icseg_node *node) {
    if (!node->op->run) return;
    if (node->op->flops) p->summary.flops += node->op->flops(p->graph, node);
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < (side ? node->output_count : node->input_count); i++) {
            icseg_value v = side ? node->output[i] : node->input[i];
            if (v == ICSEG_NONE) continue;
            const icseg_value_info *info = icseg_graph_value(p->graph, v);
            p->summary.bytes += (double)info->count * (double)icseg_dtype_size(info->dtype);
        }
}

static void place_scratch(icseg_program *p, icseg_kernel *k, int32_t node) {
    k->scratch_offset = k->scratch_size ? icseg_plan_gap(&p->plan, p->graph, node, k->scratch_size) : 0;
    if (k->scratch_size > p->summary.scratch) p->summary.scratch = k->scratch_size;
    p->summary.kept += k->kept_size;
    if (k->scratch_offset + k->scratch_size > p->summary.workspace)
        p->summary.workspace = k->scratch_offset + k->scratch_size;
}

static icseg_status prepare(icseg_program *p, icseg_error *error) {
    for (int32_t n = 0; n < icseg_graph_node_count(p->graph); n++) {
        if (!p->plan.live[n]) continue;
        icseg_kernel *k = &p->kernels[n];
        k->graph = p->graph;
        k->node = icseg_graph_node(p->graph, n);
        icseg_status status = k->node->op->prepare ? k->node->op->prepare(k, error) : ICSEG_OK;
        if (status != ICSEG_OK) {
            icseg_fail_prefix(error, "%s", k->node->name);
            return status;
        }
        place_scratch(p, k, n);
        count_work(p, k->node);
    }
    return ICSEG_OK;
}

static icseg_status build(icseg_program *p, icseg_error *error) {
    p->kernels = icseg_calloc_array((size_t)icseg_graph_node_count(p->graph) + 1, sizeof *p->kernels);
    if (!p->kernels) return icseg_fail_memory(error, 0, "kernels");
    ICSEG_TRY(icseg_plan_open(&p->plan, p->graph, error));
    p->summary.activations = p->summary.workspace = p->plan.activations;
    p->summary.unplanned = p->plan.unplanned;
    return prepare(p, error);
}

icseg_status icseg_program_open(icseg_program **out, const icseg_graph *graph, icseg_error *error) {
    *out = NULL;
    ICSEG_TRY(icseg_graph_status(graph, error));
    icseg_program *p = icseg_calloc_array(1, sizeof *p);
    if (!p) return icseg_fail_memory(error, 0, "a program");
    p->graph = graph;
    icseg_status status = build(p, error);
    if (status == ICSEG_OK)
        *out = p;
    else
        icseg_program_close(&p);
    return status;
}

void icseg_program_close(icseg_program **program) {
    if (!program || !*program) return;
    icseg_program *p = *program;
    for (int32_t n = 0; p->kernels && n < icseg_graph_node_count(p->graph); n++)
        if (p->kernels[n].node && p->kernels[n].node->op->release) p->kernels[n].node->op->release(&p->kernels[n]);
    icseg_plan_close(&p->plan);
    icseg_free(p->kernels);
    icseg_free(p);
    *program = NULL;
}

static void count_layer(icseg_layer_count *count, const icseg_kernel *k) {
    if (icseg_kernel_in(k, 0)->dtype == ICSEG_BF16)
        count->bf16++;
    else if (k->precision == ICSEG_PRODUCT_BF16X2)
        count->bf16x2++;
    else if (k->precision == ICSEG_PRODUCT_INT8)
        count->int8++;
    else
        count->f32++;
}

static void count_attention(icseg_layer_count *count, const icseg_kernel *k) {
    const icseg_op *op = k->node->op;
    if (op != &icseg_op_attention && op != &icseg_op_attention_packed && op != &icseg_op_segment_attention) return;
    *(k->precision == ICSEG_PRODUCT_INT8 ? &count->attention_int8 : &count->attention_f32) += 1;
}

icseg_layer_count icseg_program_layers(const icseg_program *program) {
    icseg_layer_count count = {0};
    for (int32_t n = 0; n < icseg_graph_node_count(program->graph); n++) {
        const icseg_kernel *k = &program->kernels[n];
        if (k->node) count_attention(&count, k);
        for (int i = 0; k->node && i < k->node->input_count; i++) {
            const icseg_param *p =
                k->node->input[i] == ICSEG_NONE ? NULL : icseg_graph_param_of(program->graph, k->node->input[i]);
            if (p && p->is_layer) count_layer(&count, k);
        }
    }
    return count;
}

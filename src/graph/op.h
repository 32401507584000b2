/* SPDX-License-Identifier: Apache-2.0
 * What an operator is. Adding one: one file in graph/ops/ with its icseg_op, its builder (declared in graph/ops.h) and
 * its gradient; one line in graph/ops/list.h; a naive reference and a case in tests/unit/test_ops_*.c.
 * docs/add-an-operator.md walks through it. */
#ifndef ICSEG_GRAPH_OP_H
#define ICSEG_GRAPH_OP_H

#include "graph/graph.h"

/* A node made ready to run: what prepare() fills and run() uses. */
typedef struct icseg_kernel {
    const icseg_graph *graph;
    const icseg_node *node;
    void *state;                /* the operator's own; released by op->release */
    size_t scratch_size;        /* bytes wanted in the scratch area while running, set by prepare */
    void *in[ICSEG_MAX_INPUTS]; /* data, set by the executor before run; NULL where the input is ICSEG_NONE */
    void *out[ICSEG_MAX_OUTPUTS];
} icseg_kernel;

/* What one run of the graph brings along. */
typedef struct icseg_run {
    uint64_t seed; /* of dropout */
    int64_t step;  /* counts runs of the training graph */
    void *scratch; /* 64-byte aligned, at least scratch_size bytes */
} icseg_run;

/* How much work a node is; for `icseg info` and `icseg bench`. */
typedef struct icseg_work {
    double flops; /* a multiply-add counts as two */
    double bytes; /* tensors read and written, each once */
} icseg_work;

/* Which tensors of a node may be bf16 (graph/passes/precision.h); bit i: input or output i. What is in no mask is f32.
 */
typedef struct icseg_bf16_rules {
    uint32_t in, out;
    bool same; /* all of `in` and `out`, or none */
    /* Inputs of the node's product, of which all are bf16 or none: they are worth a cast, since the product then is
     * several times faster. A node whose product is not bf16 has no bf16 at all. */
    uint32_t product;
    bool (*pays)(const icseg_graph *graph, const icseg_node *node); /* whether it is faster; NULL: always */
} icseg_bf16_rules;

struct icseg_op {
    const char *name;

    /* Appends nodes that compute the gradient: grad_out[i] is the gradient of output i or ICSEG_NONE (then zero); set
     * grad_in[i] for the inputs whose value has needs_grad (others may stay ICSEG_NONE). NULL: not differentiable. */
    void (*gradient)(icseg_graph *graph, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in);

    /* Creates primitives and tables for the node's shapes; NULL when there is nothing to prepare. On failure release
     * is still called. */
    icseg_status (*prepare)(icseg_kernel *kernel, icseg_error *error);

    /* Computes the outputs. Deterministic for a given number of threads. May use `omp parallel for`. NULL for a view.
     */
    icseg_status (*run)(icseg_kernel *kernel, const icseg_run *run, icseg_error *error);

    void (*release)(icseg_kernel *kernel); /* frees kernel->state; NULL when there is none */

    double (*flops)(const icseg_graph *graph, const icseg_node *node); /* multiply-add = 2; NULL: counted as none */

    /* What graph/passes/recompute.h may do with output 0, which then is not kept for the backward pass. An operator
     * without effects is simply run again on the same inputs; one with effects has `recompute`, which appends a node
     * that has none.
     */
    bool cheap; /* a pass over memory, done again rather than kept where its inputs are there anyway */
    bool never_recompute;
    icseg_value (*recompute)(icseg_graph *graph, const icseg_node *node, const icseg_value *inputs);

    /* Bit i: where input i is a parameter the operator gets its values by itself (icseg_weights_get and relatives), as
     * they may only be wanted packed. kernel->in[i] can be NULL then. */
    uint32_t lazy_inputs;

    /* Bit i: output 0 may take the storage of input i when nobody reads that input afterwards (same size and type). */
    uint32_t in_place;

    icseg_bf16_rules bf16;
};

/* Used by builders. append: copies the attributes (size bytes) and inputs; outputs are added with icseg_node_output, in
 * order. Returns NULL when the graph has already failed, when an input that is not `optional` (bit mask) is
 * ICSEG_NONE, or when memory is out. Node pointers are stable. */
icseg_node *icseg_node_append(icseg_graph *graph, const icseg_op *op, const void *attributes, size_t size,
                              const icseg_value *inputs, int count, uint32_t optional);
icseg_value icseg_node_output(icseg_graph *graph, icseg_node *node, icseg_dtype dtype, icseg_shape shape);
/* An output that shares input 0's storage: same number of elements, other shape. */
icseg_value icseg_node_output_view(icseg_graph *graph, icseg_node *node, icseg_shape shape);

/* Records the first fault; the text is prefixed with the scope and the operator's name. Returns ICSEG_NONE. */
icseg_value icseg_graph_fail(icseg_graph *graph, const char *op, icseg_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Facts of a kernel's tensors, for prepare and run. */
static inline const icseg_value_info *icseg_kernel_in(const icseg_kernel *k, int i) {
    return icseg_graph_value(k->graph, k->node->input[i]);
}
static inline const icseg_value_info *icseg_kernel_out(const icseg_kernel *k, int i) {
    return icseg_graph_value(k->graph, k->node->output[i]);
}

/* Whether input i of a node wants a gradient. */
static inline bool icseg_node_wants(const icseg_graph *graph, const icseg_node *node, int i) {
    return node->input[i] != ICSEG_NONE && icseg_graph_value(graph, node->input[i])->needs_grad;
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The interface of an operator. To add one, write a file in graph/ops/ with its icseg_op, its gradient and its builder
 * (declared in graph/ops.h), add a line to graph/ops/list.h, and add a naive reference and a case to
 * tests/unit/test_ops_*.c. docs/add-an-operator.md shows how. */
#ifndef ICSEG_GRAPH_OP_H
#define ICSEG_GRAPH_OP_H

#include "base/check.h"
#include "graph/graph.h"
#include "group/group.h"

/* A node that is ready to run: filled by prepare(), used by run(), possibly of several threads at the same time. */
typedef struct icseg_kernel {
    const icseg_graph *graph;
    const icseg_node *node;
    void *state;                       /* the operator's own; released by op->release */
    icseg_product_precision precision; /* in which it multiplies f32 tensors, set by prepare(); F32 if it does not */
    uint32_t expanded_inputs;   /* bit i: scratch memory is reserved for weights i, whose packed copy may be f16 */
    size_t scratch_size;        /* scratch bytes that run() needs, set by prepare() */
    size_t scratch_offset;      /* where they are in the workspace, set by the executor */
    size_t kept_size;           /* bytes of copies of weights that stay after the first run, set by prepare() */
    void *in[ICSEG_MAX_INPUTS]; /* data, set by the executor for each run(); NULL where the input is ICSEG_NONE */
    void *out[ICSEG_MAX_OUTPUTS];
} icseg_kernel;

/* One run of the graph. */
typedef struct icseg_run {
    uint64_t seed;      /* of dropout */
    int64_t step;       /* counts runs of the training graph */
    void *scratch;      /* 64-byte aligned, at least scratch_size bytes */
    icseg_group *group; /* processes that run the graph at the same time, each on its part of the batch; NULL: alone */
} icseg_run;

/* Which tensors of a node may be bf16 (graph/passes/precision.h). Bit i: input or output i. Tensors without a bit are
 * f32. */
typedef struct icseg_bf16_rules {
    uint32_t in, out;
    bool same; /* all of `in` and `out`, or none */
    /* Inputs of the node's product; all of them are bf16 or none. They are worth a cast, because a bf16 product is
     * several times faster. A node whose product is not bf16 has no bf16 tensors at all. */
    uint32_t product;
    bool (*is_faster)(const icseg_graph *graph, const icseg_node *node); /* NULL: a bf16 product is always faster */
} icseg_bf16_rules;

/* How a node computes in INT8 (graph/passes/quantize.h). */
typedef struct icseg_int8_rules {
    /* Whether the node multiplies input 0 with the weights in input 1 in INT8, in these options. NULL: it is not a
     * layer. With `in` it moves or averages values, otherwise it quantises results that it computes in f32. */
    bool (*reduces)(const icseg_graph *graph, const icseg_node *node, icseg_primitive_options options);
    uint32_t in, out; /* Bit i: input or output i may be ICSEG_U8. A layer that does not reduce has none */
    int second;       /* The input with the last channels of x, with a range of its own (icseg_second_input); 0: none */
    /* Without `reduces`: both input 0 and output 0 are bytes, or none, unless `mixed`. */
    bool mixed;
    bool same;  /* and in the same quantisation */
    bool joins; /* output 0 is its inputs, joined along one axis */
} icseg_int8_rules;

struct icseg_op {
    const char *name;

    /* Appends nodes that compute the gradient. grad_out[i] is the gradient of output i, or ICSEG_NONE for zero. Set
     * grad_in[i] for each input whose value has needs_grad; others may stay ICSEG_NONE. NULL: not differentiable. */
    void (*gradient)(icseg_graph *graph, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in);

    /* Creates primitives and tables for the node's shapes; NULL: nothing to prepare. release() is called even after a
     * failure. */
    icseg_status (*prepare)(icseg_kernel *kernel, icseg_error *error);

    /* Computes the outputs; deterministic for a given number of threads. May use `omp parallel for`. Several threads
     * may run it at the same time on data of their own: the kernel's state does not change. NULL: a view. */
    icseg_status (*run)(const icseg_kernel *kernel, const icseg_run *run, icseg_error *error);

    void (*release)(icseg_kernel *kernel); /* frees kernel->state; may be NULL */

    double (*flops)(const icseg_graph *graph, const icseg_node *node); /* a multiply-add counts as two; NULL: zero */

    /* How graph/passes/recompute.h may drop output 0 after the forward pass and compute it again in the backward pass:
     * by running the operator again on the same inputs, or, if it has side effects, by the node without side effects
     * that `recompute` appends. */
    bool cheap; /* a pass over memory: recomputed rather than kept, if its inputs are available anyway */
    bool never_recompute;
    icseg_value (*recompute)(icseg_graph *graph, const icseg_node *node, const icseg_value *inputs);

    /* Bit i: when input i is a parameter, the operator loads its values itself (icseg_weights_get), because it may need
     * only a packed copy. kernel->in[i] may then be NULL. */
    uint32_t lazy_inputs;

    /* Bit i: output 0 may take the storage of input i, of the same size and type, when nothing else reads it later. */
    uint32_t in_place;

    icseg_bf16_rules bf16;

    icseg_int8_rules int8;
};

/* Whether a node's x has a second part (icseg_int8_rules.second). */
static inline bool icseg_node_has_second(const icseg_node *node) {
    int i = node->op->int8.second;
    return i && i < node->input_count && node->input[i] != ICSEG_NONE;
}

/* A kernel's tensors, for prepare() and run(). */
static inline const icseg_value_info *icseg_kernel_in(const icseg_kernel *k, int i) {
    ICSEG_CHECK(i >= 0 && i < k->node->input_count);
    return icseg_graph_value(k->graph, k->node->input[i]);
}
static inline const icseg_value_info *icseg_kernel_out(const icseg_kernel *k, int i) {
    ICSEG_CHECK(i >= 0 && i < k->node->output_count);
    return icseg_graph_value(k->graph, k->node->output[i]);
}

#endif

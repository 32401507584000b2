/* SPDX-License-Identifier: Apache-2.0
 * A program: a graph prepared for running, with the plan of its memory and its kernels. Opening it is slow and is done
 * once for a graph. It does not change afterwards: executors (graph/run/executor.h) of several threads may run it at
 * the same time. */
#ifndef ICSEG_GRAPH_RUN_PROGRAM_H
#define ICSEG_GRAPH_RUN_PROGRAM_H

#include "graph/op.h"
#include "graph/passes/plan.h"

typedef struct icseg_plan_summary {
    size_t activations; /* bytes that the values need */
    size_t unplanned;   /* bytes that the same values would take without reuse */
    size_t scratch;     /* bytes of scratch memory of the node that needs the most */
    size_t workspace;   /* bytes of the block with both, at most their sum: scratch memory uses gaps between values */
    size_t kept;        /* bytes of copies of weights that stay after the first run */
    double flops, bytes;
} icseg_plan_summary;

typedef struct icseg_program {
    const icseg_graph *graph; /* borrowed */
    icseg_plan plan;
    icseg_kernel *kernels; /* (nodes); kernels[i].node is NULL if its results are not needed */
    icseg_plan_summary summary;
} icseg_program;

/* Kernels are prepared for the current number of OpenMP threads. The graph must outlive the program. */
icseg_status icseg_program_open(icseg_program **out, const icseg_graph *graph, icseg_error *error);
void icseg_program_close(icseg_program **program);

/* Numbers of layers (graph/activation_ranges.h), and of attention operators, that are computed in each precision. */
typedef struct icseg_layer_count {
    int32_t f32, bf16, bf16x2, int8;
    int32_t attention_f32, attention_int8;
} icseg_layer_count;
icseg_layer_count icseg_program_layers(const icseg_program *program);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * What attention.c and attention_gradient.c share. */
#ifndef ICSEG_GRAPH_OPS_ATTENTION_ATTRIBUTES_H
#define ICSEG_GRAPH_OPS_ATTENTION_ATTRIBUTES_H

#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/attention_tile.h"

enum { ICSEG_Q, ICSEG_K, ICSEG_V };

typedef struct icseg_attention_attributes {
    int64_t batch, queries, keys, width, heads;
    bool packed;               /* input 0 is [q | k | v]; otherwise inputs 0, 1, 2 */
    bool needs[3];             /* the gradient node: of q, k, v */
    icseg_attention_grid grid; /* of nearby positions; rows 0: none */
} icseg_attention_attributes;

/* Rows of q, k or v, or of their gradients: the number of elements from row to row, and the address of a row. */
int64_t icseg_attention_pitch(const icseg_attention_attributes *a);
float *icseg_attention_rows(const icseg_attention_attributes *a, void *const *tensors, int which, int64_t image,
                            int64_t row);

float icseg_attention_scale(const icseg_attention_attributes *a); /* 1 / sqrt(D) */

/* What the grid adds to scores, times `factor`. One allocation, which the caller frees through *memory; without a grid
 * there is none. */
icseg_status icseg_attention_near_open(icseg_attention_near *out, float **memory, const icseg_attention_attributes *a,
                                       double factor, icseg_error *error);

/* Multiply-adds count as two operations. */
double icseg_attention_work(const icseg_attention_attributes *a, int products);

void icseg_attention_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out,
                              icseg_value *grad_in);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Declares every operator of graph/ops/list.h: icseg_op_add, icseg_op_conv2d, ... */
#ifndef ICSEG_GRAPH_OPS_OPERATORS_H
#define ICSEG_GRAPH_OPS_OPERATORS_H

#include "graph/op.h"

#define ICSEG_OP(NAME)       extern const icseg_op icseg_op_##NAME;
#define ICSEG_FUSED_OP(NAME) ICSEG_OP(NAME)
#include "graph/ops/list.h"
#undef ICSEG_FUSED_OP
#undef ICSEG_OP

#endif

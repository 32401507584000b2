/* SPDX-License-Identifier: Apache-2.0
 * cast: converts a tensor to another type. Only icseg_graph_use_bf16 appends it. */
#ifndef ICSEG_GRAPH_OPS_CAST_H
#define ICSEG_GRAPH_OPS_CAST_H

#include "graph/node.h"

icseg_value icseg_cast(icseg_graph *g, icseg_value x, icseg_dtype dtype); /* f32 or bf16 -> f32 or bf16 */

/* Casts `count` elements in memory, in parallel. */
void icseg_cast_elements(void *to, icseg_dtype to_type, const void *from, icseg_dtype from_type, int64_t count);

/* The same with one thread. */
void icseg_cast_block(void *to, icseg_dtype to_type, const void *from, icseg_dtype from_type, int64_t count);

#endif

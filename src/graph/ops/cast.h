/* SPDX-License-Identifier: Apache-2.0
 * cast: converts a tensor to another type. Only icseg_graph_use_bf16 appends it. Other operators convert elements. */
#ifndef ICSEG_GRAPH_OPS_CAST_H
#define ICSEG_GRAPH_OPS_CAST_H

#include "graph/node.h"

icseg_value icseg_cast(icseg_graph *g, icseg_value x, icseg_dtype dtype); /* f32 or bf16 -> f32 or bf16 */

/* Converts `count` elements in memory, in parallel: between f32, bf16 and bytes, but not between bf16 and bytes. */
void icseg_cast_elements(void *to, icseg_format to_format, const void *from, icseg_format from_format, int64_t count);

/* The same with one thread. */
void icseg_cast_block(void *to, icseg_format to_format, const void *from, icseg_format from_format, int64_t count);

/* The format of a value. */
static inline icseg_format icseg_format_of(const icseg_value_info *value) {
    return (icseg_format){value->dtype, value->quantization};
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 * cast: f32 to bf16 and back. */
#include "graph/ops/cast.h"

#include <string.h>

#include "tensor/bf16.h"

enum { BLOCK = 16384 };

void icseg_cast_block(void *to, icseg_dtype to_type, const void *from, icseg_dtype from_type, int64_t n) {
    if (to_type == from_type)
        memcpy(to, from, (size_t)n * icseg_dtype_size(to_type));
    else if (to_type == ICSEG_BF16)
        icseg_bf16_from_f32(to, from, (size_t)n);
    else
        icseg_f32_from(to, from, from_type, (size_t)n);
}

void icseg_cast_elements(void *to, icseg_dtype to_type, const void *from, icseg_dtype from_type, int64_t count) {
    bool to_bf16 = to_type == ICSEG_BF16, from_bf16 = from_type == ICSEG_BF16;
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < count; at += BLOCK)
        icseg_cast_block(icseg_at(to, to_bf16, at), to_type, icseg_at(from, from_bf16, at), from_type,
                         count - at < BLOCK ? count - at : BLOCK);
}

static icseg_status cast_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const icseg_value_info *x = icseg_kernel_in(k, 0), *y = icseg_kernel_out(k, 0);
    icseg_cast_elements(k->out[0], y->dtype, k->in[0], x->dtype, x->count);
    return ICSEG_OK;
}

static const icseg_op cast_op = {.name = "cast", .run = cast_run, .cheap = true};

icseg_value icseg_cast(icseg_graph *g, icseg_value x, icseg_dtype dtype) {
    icseg_node *node = icseg_node_append(g, &cast_op, NULL, 0, &x, 1, 0);
    return node ? icseg_node_output(g, node, dtype, icseg_graph_value(g, x)->shape) : ICSEG_NONE;
}

/* SPDX-License-Identifier: Apache-2.0
 * embedding: rows of a frozen table, by id. */
#include <string.h>

#include "graph/op.h"
#include "graph/ops.h"

static icseg_status embedding_run(icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const int32_t *ids = k->node->attributes;
    const icseg_shape *out = &icseg_kernel_out(k, 0)->shape;
    size_t width = (size_t)out->dim[1];
    for (int64_t i = 0; i < out->dim[0]; i++)
        memcpy((float *)k->out[0] + (size_t)i * width, (const float *)k->in[0] + (size_t)ids[i] * width,
               width * sizeof(float));
    return ICSEG_OK;
}

const icseg_op icseg_op_embedding = {.name = "embedding", .run = embedding_run};

icseg_value icseg_embedding(icseg_graph *g, icseg_value table, int count, const int32_t *ids) {
    icseg_node *node = icseg_node_append(g, &icseg_op_embedding, ids, (size_t)count * sizeof *ids, &table, 1, 0);
    if (!node) return ICSEG_NONE;
    int64_t rows = icseg_graph_dim(g, table, 0);
    if (icseg_graph_value(g, table)->shape.rank != 2)
        return icseg_graph_fail(g, "embedding", ICSEG_ERROR_SHAPE, "the table needs two axes");
    for (int i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= rows)
            return icseg_graph_fail(g, "embedding", ICSEG_ERROR_CONFIG, "id %d is not in 0..%lld", ids[i],
                                    (long long)rows - 1);
    return icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(count, icseg_graph_dim(g, table, 1)));
}

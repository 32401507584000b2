/* SPDX-License-Identifier: Apache-2.0
 * embedding: rows of a frozen table, by id. */
#include <string.h>

#include "base/memory.h"
#include "graph/node.h"
#include "graph/ops.h"

/* Rows of a table that is not in memory are read once: a vocabulary takes a hundred megabytes, and the names in use are
 * a few hundred rows of it. Read under the table's lock, and not changed as long as the table does not change. */
typedef struct embedding_state {
    uint64_t version; /* of the table when the rows were read; 0: not read yet */
    float *rows;
} embedding_state;

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    k->state = icseg_calloc_array(1, sizeof(embedding_state));
    return k->state ? ICSEG_OK : icseg_fail_memory(error, 0, "an embedding");
}

static icseg_status read_rows(const icseg_kernel *k, const icseg_param *table, icseg_error *error) {
    const icseg_value_info *out = icseg_kernel_out(k, 0);
    embedding_state *s = k->state;
    size_t bytes = (size_t)out->count * sizeof(float);
    if (s->rows && s->version == table->version) return ICSEG_OK;
    if (!s->rows) s->rows = icseg_alloc(bytes);
    if (!s->rows) return icseg_fail_memory_in(error, bytes, table->name);
    s->version = 0;
    ICSEG_TRY(icseg_param_read_rows(table, out->shape.dim[0], k->node->attributes, s->rows, error));
    s->version = table->version;
    return ICSEG_OK;
}

static icseg_status embedding_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run;
    const int32_t *ids = k->node->attributes;
    const icseg_value_info *out = icseg_kernel_out(k, 0);
    const embedding_state *s = k->state;
    size_t width = (size_t)out->shape.dim[1];
    if (!k->in[0]) {
        const icseg_param *table = icseg_kernel_in(k, 0)->param;
        pthread_mutex_lock(table->lock);
        icseg_status status = read_rows(k, table, error);
        pthread_mutex_unlock(table->lock);
        if (status == ICSEG_OK) memcpy(k->out[0], s->rows, (size_t)out->count * sizeof(float));
        return status;
    }
    for (int64_t i = 0; i < out->shape.dim[0]; i++)
        memcpy((float *)k->out[0] + (size_t)i * width, (const float *)k->in[0] + (size_t)ids[i] * width,
               width * sizeof(float));
    return ICSEG_OK;
}

static void release(icseg_kernel *k) {
    embedding_state *s = k->state;
    if (s) icseg_free(s->rows);
    icseg_free(s);
}

const icseg_op icseg_op_embedding = {
    .name = "embedding", .prepare = prepare, .run = embedding_run, .release = release, .lazy_inputs = 1};

icseg_value icseg_embedding(icseg_graph *g, icseg_value table, int count, const int32_t *ids) {
    icseg_node *node = icseg_node_append(g, &icseg_op_embedding, ids, (size_t)count * sizeof *ids, &table, 1, 0);
    if (!node) return ICSEG_NONE;
    int64_t rows = icseg_graph_dim(g, table, 0);
    if (icseg_graph_value(g, table)->shape.rank != 2)
        return icseg_graph_fail(g, "embedding", ICSEG_ERROR_SHAPE, "the table must have two axes");
    for (int i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= rows)
            return icseg_graph_fail(g, "embedding", ICSEG_ERROR_CONFIG, "id %d is not in 0..%lld", ids[i],
                                    (long long)rows - 1);
    return icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(count, icseg_graph_dim(g, table, 1)));
}

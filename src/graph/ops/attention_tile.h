/* SPDX-License-Identifier: Apache-2.0
 * softmax(scale q k^T + near) v of one head, for tiles of queries. Scores exist for one tile and a block of keys only,
 * in the first-level cache: the sums are rescaled when a later block has a larger score (Milakov and Gimelshein 2018,
 * arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135). */
#ifndef ICSEG_GRAPH_OPS_ATTENTION_TILE_H
#define ICSEG_GRAPH_OPS_ATTENTION_TILE_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/quantization.h"

/* What is added to the scores of nearby positions of a grid: row[dy] * column[dx] for a query and a key whose distance
 * is dy rows and dx columns. The queries are the grid's positions, row by row, and the last keys are, too. */
typedef struct icseg_attention_near {
    int64_t rows, columns;     /* 0 rows: nothing is added */
    const float *row, *column; /* of distance 0; valid for distances 1 - rows .. rows - 1, 1 - columns .. columns - 1 */
} icseg_attention_near;

/* One head of one image; rows are `pitch` numbers apart. */
typedef struct icseg_attention_head {
    const float *q, *k, *v;   /* (queries, depth), (keys, depth), (keys, depth) */
    void *out;                /* (queries, depth): f32, or bytes */
    icseg_quantization bytes; /* of the result; scale 0: it is f32 */
    int64_t q_pitch, kv_pitch, out_pitch;
    int64_t queries, keys, depth;
    float scale;
    icseg_attention_near near;
} icseg_attention_head;

/* Where the result of a query is. */
static inline void *icseg_attention_out(const icseg_attention_head *head, int64_t query) {
    size_t size = head->bytes.scale > 0 ? 1 : sizeof(float);
    return (char *)head->out + (size_t)(query * head->out_pitch) * size;
}

/* The number of tiles into which the queries are divided, on this processor. */
int64_t icseg_attention_tiles(int64_t queries);

/* Numbers of scratch memory for each thread. Of `near`, only rows and columns are read. */
size_t icseg_attention_scratch(int64_t keys, int64_t depth, const icseg_attention_near *near);

/* Computes the tiles [first, end) in the calling thread. scratch: 64-byte aligned. A tile's result does not depend on
 * the others, nor on the number of threads. */
void icseg_attention_run(const icseg_attention_head *head, int64_t first, int64_t end, float *scratch);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Shared by the row-wise operators: a matrix divided into chunks of rows. The division depends on the shape only, so
 * that sums over rows (float inside a chunk, double across chunks, in order) have the same bits for any number of
 * threads. */
#ifndef ICSEG_GRAPH_OPS_CHUNKS_H
#define ICSEG_GRAPH_OPS_CHUNKS_H

#include "graph/node.h"

typedef struct icseg_chunks {
    int64_t rows, width; /* of the matrix */
    int64_t step, count; /* rows of all chunks but the last; number of chunks */
} icseg_chunks;

/* Chunks of about 128 KB, so that reading one a second time hits the second-level cache, and of at most 512 rows, so
 * that float sums stay accurate. */
static inline icseg_chunks icseg_chunks_of(int64_t rows, int64_t width) {
    int64_t step = 32768 / width;
    step = step < 8 ? 8 : step > 512 ? 512 : step;
    return (icseg_chunks){rows, width, step, (rows + step - 1) / step};
}

static inline int64_t icseg_chunk_rows(const icseg_chunks *m, int64_t i) {
    int64_t left = m->rows - i * m->step;
    return left < m->step ? left : m->step;
}

/* out[j] = sum over i of partial[i * stride + j], i < count, j < width; in double, in order. */
void icseg_sum_partials(const float *partial, int64_t count, int64_t stride, int64_t width, float *out);

/* The same run of elements in each row of a matrix. */
typedef struct icseg_runs {
    const void *data; /* first element of the first run */
    icseg_format format;
    int64_t stride; /* elements from row to row */
} icseg_runs;
/* Copies `rows` runs of `run` elements from one matrix to another, in parallel, and converts them (graph/ops/cast.h).
 */
void icseg_copy_runs(icseg_runs to, icseg_runs from, int64_t rows, int64_t run);

/* Whether `value`, called `name` in the message, has shape (C) for x (..., C). If not, the graph fails. */
bool icseg_check_channels(icseg_graph *g, const char *op, icseg_value x, const char *name, icseg_value value);

#endif

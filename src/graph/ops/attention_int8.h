/* SPDX-License-Identifier: Apache-2.0
 * softmax(scale q k^T) v of one head in INT8. Queries, keys and values are rounded to integers of 8 bits, with units
 * that their own values determine (attention_int8_operands.h); no calibration is needed. Scores are f32. For each query
 * and block of 128 keys, e^(score - the block's largest) is rounded to multiples of 1/255, and the sum by which the
 * result is divided is that of the rounded numbers. Sums of products of integers are exact, so all kinds of processors
 * give the same bits, for any number of threads. */
#ifndef ICSEG_GRAPH_OPS_ATTENTION_INT8_H
#define ICSEG_GRAPH_OPS_ATTENTION_INT8_H

#include <stdbool.h>

#include "graph/ops/attention_tile.h"

/* Whether this processor computes such heads faster in INT8 than in f32. */
bool icseg_attention_int8_is_faster(int64_t queries, int64_t keys, int64_t depth);

/* Bytes for the quantised keys and values of a head, and of scratch memory for each thread. */
size_t icseg_attention_int8_operands(int64_t keys, int64_t depth);
size_t icseg_attention_int8_scratch(int64_t depth);

/* The number of tiles into which the queries are divided, on this processor. */
int64_t icseg_attention_int8_tiles(int64_t queries);

/* Quantise the keys and the values of a head; two threads may do so at the same time. Then several threads may compute
 * tiles [first, end). A tile's result does not depend on the others. All memory: 64-byte aligned. */
void icseg_attention_int8_keys(const icseg_attention_head *head, char *operands);
void icseg_attention_int8_values(const icseg_attention_head *head, char *operands);
void icseg_attention_int8_run(const icseg_attention_head *head, char *operands, int64_t first, int64_t end,
                              char *scratch);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The operands of attention in INT8 (attention_int8.h): rows of a head as integers. */
#ifndef ICSEG_GRAPH_OPS_ATTENTION_INT8_OPERANDS_H
#define ICSEG_GRAPH_OPS_ATTENTION_INT8_OPERANDS_H

#include "base/system.h"
#include "compute/reduced/multiplier.h"
#include "graph/ops/attention_tile.h"

/* Keys, and channels of the values, are rows of integers in panels of 16 rows: (panels, steps, 16 rows, 64 bytes). A
 * step has `inner` integers of each row: 64 bytes, or 32 of 16 bits. Everything is padded with zeros.
 *
 * Keys and queries: softmax does not change when the same vector is subtracted from all keys, nor the scores when a
 * channel of the keys is divided by what its queries are multiplied with. So a mean that exceeds the deviation is
 * subtracted from a channel of the keys, and the factors give both sides the same size in each channel. Each key and
 * each query then has a unit of its own: 1/127 of its largest magnitude. Queries are stored plus 128. key_bias removes
 * what this adds to the products.
 *
 * Values: each channel has the middle and 1/254 of the width of its interval.
 *
 * A number that is not finite, or whose unit or bias is not, makes each result that depends on it NaN. */
typedef struct icseg_attention_operands {
    int64_t inner, deep, key_steps, key_panels, value_steps, value_panels; /* deep: depth, padded to whole steps */
    float *factor;                    /* (deep): of queries; includes the scale and the binary logarithm of e */
    float *centre;                    /* (deep): of keys */
    float *inverse;                   /* (deep): of keys */
    float *key_unit, *key_bias;       /* (16 key_panels) */
    float *value_unit, *value_centre; /* (16 value_panels) */
    float *poison;                    /* (1): 0, or NaN if a key's unit or bias is not finite; added to all results */
    float *low, *high, *row;          /* while quantising: (16 value_panels), (16 value_panels), (deep) */
    int32_t *words;                   /* while quantising: (16 value_panels) */
    char *keys, *values;
} icseg_attention_operands;

/* Divides the memory of a head (NULL: none yet), 64-byte aligned. Returns its bytes. */
size_t icseg_attention_operands_divide(icseg_attention_operands *o, char *memory, int64_t keys, int64_t depth,
                                       int64_t inner);

/* Both may run at the same time. Of q, the size of each channel matters. */
void icseg_attention_quantise_keys(const icseg_attention_head *head, const icseg_attention_operands *o);
void icseg_attention_quantise_values(const icseg_attention_head *head, const icseg_attention_operands *o);

/* Rows are too far apart for the hardware prefetcher. Prefetching rows beyond the last one is harmless. */
ICSEG_INLINE void icseg_attention_prefetch(const float *row, int64_t depth) {
    enum { LINE = 16 };
    for (int64_t d = 0; d < depth; d += LINE) __builtin_prefetch(row + d);
}

/* Returns the unit. row (deep): scratch memory. to: `deep` integers plus 128, of the operands' size. */
float icseg_attention_quantise_query(const float *q, int64_t depth, const icseg_attention_operands *o, float *row,
                                     char *to);

#endif

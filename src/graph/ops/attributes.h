/* SPDX-License-Identifier: Apache-2.0
 * Attributes of nodes whose operators other folders translate. */
#ifndef ICSEG_GRAPH_OPS_ATTRIBUTES_H
#define ICSEG_GRAPH_OPS_ATTRIBUTES_H

#include <stdint.h>

typedef struct icseg_slice_attributes {
    int axis; /* not negative */
    int64_t begin;
} icseg_slice_attributes;

typedef struct icseg_rows_attributes {
    int count;
    const int32_t *rows; /* (count), strictly ascending; in the graph's arena */
} icseg_rows_attributes;

typedef struct icseg_groups_attributes {
    int count;
    const int32_t *ends; /* (count): the row after each group; in the graph's arena */
} icseg_groups_attributes;

typedef struct icseg_segment_attributes {
    int32_t heads, prefix, count, longest; /* longest: rows of the longest segment or the prefix */
    int32_t lengths[];
} icseg_segment_attributes;

#endif

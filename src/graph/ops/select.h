/* SPDX-License-Identifier: Apache-2.0
 * Which positives and negatives a contrastive loss takes (docs/method.md, "Losses"). */
#ifndef ICSEG_GRAPH_OPS_SELECT_H
#define ICSEG_GRAPH_OPS_SELECT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct icseg_candidate {
    float a;        /* score / tau; finite */
    int32_t index;  /* unique among the candidates */
    uint64_t order; /* for icseg_select */
} icseg_candidate;

/* A random number that is a function of its arguments. Nested calls make one of several indices. */
uint64_t icseg_select_key(uint64_t key, int64_t index);

/* Moves the chosen candidates to the front and returns their number, at most `wanted`. The hardest have the lowest
 * scores (`lowest`) or the highest; of equal scores, the lower index is harder. part 0: the hardest;
 * otherwise random ones of the hardest 1 / part of all, or of the `wanted` hardest if these are more. The random order
 * is a function of `key` and the indices. */
int64_t icseg_select(icseg_candidate *candidates, int64_t count, int64_t wanted, bool lowest, int32_t part,
                     uint64_t key);

#endif

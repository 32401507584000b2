/* SPDX-License-Identifier: Apache-2.0
 * One head of attention in dense tensors, for the tests of its kernels. */
#ifndef ICSEG_TESTS_SUPPORT_ATTENTION_H
#define ICSEG_TESTS_SUPPORT_ATTENTION_H

#include <math.h>

#include "graph/ops/attention_tile.h"

/* The first `depth` of `pitch` numbers in each row of q, out (queries) and k, v (keys). */
static inline icseg_attention_head test_attention_head(const float *q, const float *k, const float *v, float *out,
                                                       int64_t pitch, int64_t queries, int64_t keys, int64_t depth) {
    return (icseg_attention_head){.q = q,
                                  .k = k,
                                  .v = v,
                                  .out = out,
                                  .q_pitch = pitch,
                                  .kv_pitch = pitch,
                                  .out_pitch = pitch,
                                  .queries = queries,
                                  .keys = keys,
                                  .depth = depth,
                                  .scale = 1 / sqrtf((float)depth)};
}

#endif

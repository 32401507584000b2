/* SPDX-License-Identifier: Apache-2.0
 * Selecting positives and negatives by difficulty and at random (reference: select). */
#include "graph/ops/select.h"

#include <stdlib.h>

#include "base/rng.h"

static int lowest_first(const void *x, const void *y) {
    const icseg_candidate *p = x, *q = y;
    if (p->a != q->a) return p->a < q->a ? -1 : 1;
    return p->index < q->index ? -1 : 1;
}

static int highest_first(const void *x, const void *y) {
    const icseg_candidate *p = x, *q = y;
    if (p->a != q->a) return p->a > q->a ? -1 : 1;
    return p->index < q->index ? -1 : 1;
}

static int in_order(const void *x, const void *y) {
    const icseg_candidate *p = x, *q = y;
    if (p->order != q->order) return p->order < q->order ? -1 : 1;
    return p->index < q->index ? -1 : 1;
}

uint64_t icseg_select_key(uint64_t key, int64_t index) {
    icseg_rng rng = icseg_rng_open(key, ICSEG_RNG_CONTRAST, (uint64_t)index);
    return icseg_rng_u64(&rng);
}

int64_t icseg_select(icseg_candidate *candidates, int64_t count, int64_t wanted, bool lowest, int32_t part,
                     uint64_t key) {
    if (wanted > count) wanted = count;
    qsort(candidates, (size_t)count, sizeof *candidates, lowest ? lowest_first : highest_first);
    if (part == 0) return wanted;
    int64_t pool = (count + part - 1) / part;
    if (pool < wanted) pool = wanted;
    for (int64_t i = 0; i < pool; i++) candidates[i].order = icseg_select_key(key, candidates[i].index);
    qsort(candidates, (size_t)pool, sizeof *candidates, in_order);
    return wanted;
}

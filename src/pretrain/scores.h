/* SPDX-License-Identifier: Apache-2.0
 * How well both encoders agree on held-out pairs: retrieval, and zero-shot classification. */
#ifndef ICSEG_PRETRAIN_SCORES_H
#define ICSEG_PRETRAIN_SCORES_H

#include "base/progress.h"
#include "icseg/pretrain.h"
#include "pretrain/pair_loader.h"

typedef struct icseg_scoring {
    const icseg_pair_source *source;
    icseg_towers *towers;
    const icseg_tokenizer *tokenizer;
    int32_t limit; /* pairs: the first of the source that can be read */
} icseg_scoring;

/* Each image is seen as CLIP sees it, with its first caption that the seed selects. Pairs that cannot be read are left
 * out; *left_out counts them. ICSEG_ERROR_DATA if fewer than two can be read. */
icseg_status icseg_pairs_score(const icseg_scoring *scoring, const icseg_progress *progress, icseg_pretrain_scores *out,
                               int32_t *left_out, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Batches of pairs for pretraining: threads read, crop and tokenise ahead of the trainer. Sample n of the run is a
 * function of the source, the seed and n. A pair that cannot be read is replaced by the next one in the source. */
#ifndef ICSEG_PRETRAIN_PAIR_LOADER_H
#define ICSEG_PRETRAIN_PAIR_LOADER_H

#include "pretrain/pair_source.h"
#include "pretrain/towers.h"
#include "text/tokenizer.h"

typedef struct icseg_pair_loader_options {
    icseg_pair_crop crop;
    const icseg_tokenizer *tokenizer; /* must outlive the loader */
    int32_t context_length;           /* tokens of a caption, with SOS and EOS; longer ones are cut */
    int32_t batch, threads, ahead;    /* as for icseg_loader_options */
    int64_t broken;                   /* so many pairs may be unreadable */
    uint64_t seed;
    int64_t first_step;
} icseg_pair_loader_options;

typedef struct icseg_pair_batch {
    const float *images;     /* (batch, side, side, 3) */
    icseg_captions captions; /* as short as the longest of them allows, rounded up to a multiple of 8 */
} icseg_pair_batch;

/* What was found so far in all samples that were made. */
typedef struct icseg_pair_counts {
    int64_t broken;  /* different pairs that cannot be read */
    int64_t cut;     /* samples whose caption was cut */
    char first[400]; /* why the first broken pair cannot be read; "" */
} icseg_pair_counts;

typedef struct icseg_pair_loader icseg_pair_loader;

/* The source must outlive the loader. */
icseg_status icseg_pair_loader_open(icseg_pair_loader **out, const icseg_pair_source *source,
                                    const icseg_pair_loader_options *options, icseg_error *error);
/* The next batch, valid until the next call. ICSEG_ERROR_DATA if more pairs than allowed are broken. */
icseg_status icseg_pair_loader_next(icseg_pair_loader *loader, icseg_pair_batch *out, icseg_error *error);
icseg_pair_counts icseg_pair_loader_counts(icseg_pair_loader *loader);
void icseg_pair_loader_close(icseg_pair_loader **loader);

#endif

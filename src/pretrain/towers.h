/* SPDX-License-Identifier: Apache-2.0
 * CLIP's two encoders in training. A batch of pairs is divided into chunks. First every chunk is encoded, without
 * gradients; then the loss of the whole batch gives the gradient of each embedding; then every chunk is encoded again,
 * with the gradients of the weights. The result is the gradient of the whole batch in the memory of one chunk
 * (GradCache, arXiv 2101.06983). Batch norms take the statistics of a chunk. */
#ifndef ICSEG_PRETRAIN_TOWERS_H
#define ICSEG_PRETRAIN_TOWERS_H

#include "graph/passes/recompute.h"
#include "icseg/model.h"
#include "model/clip.h"

typedef struct icseg_towers icseg_towers;

typedef struct icseg_towers_options {
    int32_t batch, chunk;      /* pairs; chunk <= batch */
    icseg_precision precision; /* F32 or BF16 */
    icseg_memory memory;
    bool freeze_image, freeze_text;
} icseg_towers_options;

/* Texts of a batch as token ids, padded: row i is SOS, the text, EOS, and then any ids. */
typedef struct icseg_captions {
    int32_t length;      /* of a row */
    const int32_t *ids;  /* (batch, length) */
    const int32_t *last; /* (batch): the index of EOS */
} icseg_captions;

/* Opens the encoders of a configuration, whose values the caller then sets: icseg_towers_params has all of them, also
 * logit_scale, the logarithm. */
icseg_status icseg_towers_open(icseg_towers **out, const icseg_config *config, const icseg_towers_options *options,
                               icseg_error *error);
void icseg_towers_close(icseg_towers **towers);
icseg_params *icseg_towers_params(const icseg_towers *towers);
/* The encoders in inference, with the current values; borrowed. */
icseg_clip *icseg_towers_clip(icseg_towers *towers);

/* The loss of a batch and its gradients: param->grad of every parameter that trains, and the running statistics of the
 * batch norms, change. images (batch, S, S, 3), normalised. */
icseg_status icseg_towers_learn(icseg_towers *towers, const float *images, const icseg_captions *captions, float *loss,
                                icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Plain CLIP: an image encoder and a text encoder with a joint embedding, without the parts that segment. */
#ifndef ICSEG_MODEL_CLIP_H
#define ICSEG_MODEL_CLIP_H

#include "graph/run/executor.h"
#include "icseg/progress.h"
#include "model/builder.h"

/* The two encoders. */
typedef enum icseg_clip_towers {
    ICSEG_CLIP_IMAGE = 1,
    ICSEG_CLIP_TEXT = 2,
    ICSEG_CLIP_BOTH = ICSEG_CLIP_IMAGE | ICSEG_CLIP_TEXT
} icseg_clip_towers;

typedef struct icseg_clip {
    icseg_config config; /* only CLIP's fields are used; any patch size */
    icseg_clip_towers towers;
    icseg_params *params;
    icseg_workspace *workspace;
    icseg_graph *graph; /* of the image encoder, for one image */
    icseg_executor *executor;
    icseg_value image, embedding;
} icseg_clip;

/* Declares the parameters of one or both encoders (zero). ICSEG_ERROR_CONFIG when heads do not divide widths. */
icseg_status icseg_clip_open(icseg_clip *out, const icseg_config *config, icseg_clip_towers towers, icseg_error *error);
void icseg_clip_close(icseg_clip *clip);

enum { ICSEG_CLIP_MAX_SIDE = 2048 };

/* Side in pixels of the square images that the stored positions fit. */
int64_t icseg_clip_side(const icseg_config *config);

/* image (S, S, 3), normalised -> out (C), the projected embedding, not normalised. The first call prepares
 * the encoder: call it when the parameters are loaded. */
icseg_status icseg_clip_encode_image(icseg_clip *clip, const float *image, float *out, icseg_error *error);

/* Receives the embedding (C) of text `index`, as above. */
typedef struct icseg_text_sink {
    icseg_status (*take)(void *user, int32_t index, const float *embedding, icseg_error *error);
    void *user;
} icseg_text_sink;

/* texts[i]: ids without SOS and EOS. The sink gets every text once, in an order that depends on the texts only: texts
 * are sorted, equal texts are encoded once, and the rows of tokens with which a batch begins are computed once. A text
 * that is too long is ICSEG_ERROR_CONFIG. `progress` (stage "encode texts") may be NULL; one batch is not reported. */
icseg_status icseg_clip_encode_texts(icseg_clip *clip, const icseg_tokens *texts, int32_t count,
                                     const icseg_progress *progress, const icseg_text_sink *sink, icseg_error *error);

/* Texts [begin, end) of a sorted list, all different, are a batch and share their first `common` tokens. */
typedef struct icseg_text_batch {
    int32_t begin, end, common;
} icseg_text_batch;

/* Divides sorted, different texts (count) into batches that need the least time. batches (count): *batch_count are
 * written. */
icseg_status icseg_clip_plan_texts(const icseg_tokens *texts, int32_t count, icseg_text_batch *batches,
                                   int32_t *batch_count, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Plain CLIP: an image encoder and a text encoder with a joint embedding, without the parts that segment. */
#ifndef ICSEG_MODEL_CLIP_H
#define ICSEG_MODEL_CLIP_H

#include "graph/run/executor.h"
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
icseg_status icseg_clip_open(icseg_clip *out, const icseg_config *config, icseg_clip_towers towers,
                             icseg_error *error);
void icseg_clip_close(icseg_clip *clip);

enum { ICSEG_CLIP_MAX_SIDE = 2048 };

/* Side in pixels of the square images that the stored positions fit. */
int64_t icseg_clip_side(const icseg_config *config);

/* image (S, S, 3), normalised -> out (C), the projected embedding, not normalised. The first call prepares
 * the encoder: call it when the parameters are loaded. */
icseg_status icseg_clip_encode_image(icseg_clip *clip, const float *image, float *out, icseg_error *error);

/* texts[i]: ids without SOS and EOS -> out (count, C), as above. A text that is too long is ICSEG_ERROR_CONFIG.
 * `progress` may be NULL; it is called (stage "encode texts") if the texts do not fit into one batch. Equal texts are
 * encoded once, and texts that begin alike share the rows of their common tokens, whatever their order. */
icseg_status icseg_clip_encode_texts(icseg_clip *clip, const icseg_tokens *texts, int32_t count,
                                     const icseg_progress *progress, float *out, icseg_error *error);

#endif

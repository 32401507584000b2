/* SPDX-License-Identifier: Apache-2.0
 * The whole model as a graph for one input shape: from the image to score maps, logits, losses and label maps. */
#ifndef ICSEG_MODEL_NETWORK_H
#define ICSEG_MODEL_NETWORK_H

#include "graph/activation_ranges.h"
#include "icseg/model.h"
#include "model/builder.h"
#include "model/config.h"

enum {
    ICSEG_KEEP_LOGITS = 1,
    ICSEG_KEEP_SCORES = 2,
    ICSEG_KEEP_TEXT = 4,
    ICSEG_KEEP_OUTPUTS = ICSEG_KEEP_LOGITS | ICSEG_KEEP_SCORES | ICSEG_KEEP_TEXT,
    ICSEG_KEEP_EMBEDDING = 8, /* of the image; computed separately only with this */
    ICSEG_KEEP_ATTENTION = 16 /* of the prompts; computed only with this */
};

/* Options of a network. Zero-initialise first: sessions compare options bytewise. */
typedef struct icseg_network_options {
    int64_t batch, height, width;          /* of the image */
    int64_t predict_height, predict_width; /* 0: no label map */
    int32_t confidence;                    /* with the label map: its probability */
    int32_t training;                      /* batch statistics, dropout */
    int32_t losses;                        /* labels (B, height, width) -> losses */
    int32_t gradients;                     /* of the total loss, into the parameters */
    int32_t accumulate;                    /* gradients are added to the present ones */
    int32_t freeze_bn;                     /* the image encoder's running statistics are used and kept */
    int32_t sync_bn;                       /* batch statistics are those of the group's batch */
    uint32_t keep;                         /* values that stay readable after a run: ICSEG_KEEP_* */
    int32_t plain;                         /* the graph runs as described: no operators are fused */
    int32_t precision;                     /* icseg_precision, not AUTO */
    int32_t low_memory;                    /* gradients with ICSEG_MEMORY_LOW (graph/passes/recompute.h) */
    int32_t text_given;                    /* text is an input if it does not depend on the image */
} icseg_network_options;
_Static_assert(sizeof(icseg_network_options) == 5 * sizeof(int64_t) + 12 * sizeof(int32_t), "no padding to compare");

/* Values of the built graph; ICSEG_NONE where not built. */
typedef struct icseg_network {
    icseg_value image;               /* input (B, H, W, 3), normalised */
    icseg_value labels;              /* input I16 (B, H, W) */
    icseg_value given_text;          /* input (1, K, C), with options.text_given */
    icseg_value text;                /* (Bt, K, C); Bt = 1 if the text does not depend on the image */
    icseg_value embedding;           /* (B, 1, C): CLIP's global token, with ICSEG_KEEP_EMBEDDING */
    icseg_value attention;           /* (B, N, h, w): of the prompts (icseg_build_prompts), with ICSEG_KEEP_ATTENTION */
    icseg_value positions;           /* (B, h, w, C) at unit length, which the contrastive loss remembers */
    icseg_value score[ICSEG_LEVELS]; /* (B, h, w, K), aligned levels */
    icseg_value logits;              /* (B, h, w, K), of the size of the first level */
    icseg_value decode, align[ICSEG_LEVELS], contrast, total; /* losses, (1), weighted */
    icseg_value prediction[2]; /* I16 (B, predict_height, predict_width), and its confidence, f32 */
} icseg_network;

/* Whether a run changes nothing but its own outputs. */
static inline bool icseg_network_is_forward(const icseg_network_options *options) {
    return !options->training && !options->gradients && !options->plain;
}

/* texts: of num_classes classes. With `declare` the parameters are created in `params`, else looked up. */
icseg_status icseg_network_build(icseg_network *out, icseg_graph *graph, icseg_params *params,
                                 const icseg_config *config, const icseg_texts *texts, bool declare,
                                 const icseg_network_options *options, icseg_activation_ranges *ranges,
                                 icseg_error *error);

/* Whether all images have the same class embeddings (before post-model prompting). */
bool icseg_network_text_is_fixed(const icseg_config *config);
/* Whether the options, all zero but the precision, ask for these embeddings alone. */
static inline bool icseg_network_is_text_alone(const icseg_network_options *options) { return !options->batch; }
/* The graph of these embeddings alone: (1, K, C), kept. */
icseg_status icseg_network_build_text(icseg_value *out, icseg_graph *graph, icseg_params *params,
                                      const icseg_config *config, const icseg_texts *texts, icseg_precision precision,
                                      icseg_activation_ranges *ranges, icseg_error *error);

/* Rewrites a graph that is only run forward: operators are fused, products multiply in `precision`; ranges: for
 * ICSEG_PRECISION_INT8, which may still be empty (products then are f32). */
void icseg_network_rewrite(icseg_graph *graph, icseg_precision precision, icseg_activation_ranges *ranges);

#endif

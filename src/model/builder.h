/* SPDX-License-Identifier: Apache-2.0
 * Modules as PyTorch names them, built on the graph. A parameter's name is the scope it is used in plus a leaf name, so
 * the graph's scopes are the checkpoint's names. The same code declares the parameters: a first build of any shape with
 * `declare` set creates them, later builds look them up. */
#ifndef ICSEG_MODEL_BUILDER_H
#define ICSEG_MODEL_BUILDER_H

#include "graph/graph.h"
#include "graph/ops.h"
#include "icseg/config.h"
#include "text/tokenizer.h"

typedef struct icseg_builder {
    icseg_graph *graph;
    icseg_params *params;
    const icseg_config *config;
    bool declare;         /* create missing parameters */
    bool freeze_bn;       /* the image encoder's batch norms use and keep their running statistics */
    bool sync_bn;         /* batch statistics are those of all processes' images */
    bool keep_statistics; /* batch norms use the batch's statistics, and keep the running ones */
    icseg_value *read;    /* NULL, or receives what the prompts of each image read (icseg_build_prompts) */
    bool dino_positions;  /* positions are resampled bicubically, with DINO's factors; else bilinearly */
} icseg_builder;

/* Whether a parameter or scope belongs to CLIP's image encoder: `visual.*` except `visual.fpn1` to `fpn4`, the ViT's
 * resampling to four strides, which published CLIP weights lack. This decides which parameters freeze. */
bool icseg_is_image_encoder(const char *name);

/* A parameter of the current scope. shape is the checkpoint's. */
icseg_value icseg_build_param(icseg_builder *b, const char *leaf, icseg_shape shape, icseg_layout layout,
                              icseg_init init, float scale);

/* The same, all of this value, which no optimiser changes. */
icseg_value icseg_build_buffer(icseg_builder *b, const char *leaf, icseg_shape shape, float value);

/* Modules: each pushes `name` as a scope. x (B, H, W, I) or (..., I). Initial values are PyTorch's defaults. */
icseg_value icseg_build_conv(icseg_builder *b, const char *name, icseg_value x, int64_t out, int kernel, int stride,
                             int padding, bool bias);
icseg_value icseg_build_conv_transpose(icseg_builder *b, const char *name, icseg_value x, int64_t out);
icseg_value icseg_build_batch_norm(icseg_builder *b, const char *name, icseg_value x, bool relu);
icseg_value icseg_build_linear(icseg_builder *b, const char *name, icseg_value x, int64_t out, bool bias);
icseg_value icseg_build_layer_norm(icseg_builder *b, const char *name, icseg_value x);
icseg_value icseg_build_group_norm(icseg_builder *b, const char *name, icseg_value x);

/* A causal transformer's packed sequences (docs/method.md 2); NULL for dense attention over all rows. */
typedef struct icseg_segments {
    int32_t prefix, count;
    const int32_t *lengths;
} icseg_segments;

/* x times a constant called `name`. */
icseg_value icseg_build_scaled(icseg_builder *b, const char *name, icseg_value x, float factor);

/* What the blocks of a transformer have in common. */
typedef struct icseg_tower {
    int32_t heads;
    int64_t mlp_width;
    const icseg_segments *segments;
} icseg_tower;

/* CLIP's pre-norm block `resblocks.INDEX` (attn, ln_1, mlp, ln_2): x (B, L, W) -> the same. With `rows`, only those
 * rows leave the block: (B, row_count, W). */
icseg_value icseg_build_block(icseg_builder *b, int index, icseg_value x, const icseg_tower *tower, float drop_path,
                              int row_count, const int32_t *rows);

/* A last block whose output keeps positions apart (icseg/open_vocabulary.h). */
typedef struct icseg_dense_block {
    enum {
        ICSEG_DENSE_QK,     /* softmax(q k^T / sqrt(d)) v */
        ICSEG_DENSE_VALUES, /* v */
        ICSEG_DENSE_QQ,     /* softmax(q q^T / sqrt(d)) v */
        ICSEG_DENSE_KK,     /* softmax(k k^T / sqrt(d)) v */
        ICSEG_DENSE_QQ_KK,  /* the sum of these two */
        ICSEG_DENSE_NEAR_KK /* softmax(k k^T / sqrt(d) + G) v (icseg_grid_attention) */
    } attention;
    bool whole;       /* with residual and MLP; else the attention's output alone */
    double deviation; /* of G, positions */
} icseg_dense_block;
/* x (B, 1 + h * w, W), the global token first -> the block's output at the positions, (B, h * w, W). */
icseg_value icseg_build_dense_block(icseg_builder *b, int index, icseg_value x, int heads, int64_t h, int64_t w,
                                    const icseg_dense_block *how);

/* The pre-norm decoder layer of prompt learner and context decoder: x (B, N, W), memory (B, M, W) -> (B, N, W).
 * *weights, unless NULL: the probabilities of its cross-attention, the mean over heads, (B, N, M). */
icseg_value icseg_build_decoder_layer(icseg_builder *b, icseg_value x, icseg_value memory, int heads,
                                      icseg_value *weights);

/* What the text encoder reads, class by class: one name each, or names whose embeddings are averaged (docs/method.md).
 */
typedef struct icseg_texts {
    int32_t count;
    const icseg_tokens *tokens; /* (count) */
    const int32_t *names;       /* (classes): how many of the texts each class has; NULL: one each, not averaged */
    icseg_tokens shared;        /* with which every text begins, before its own `tokens`; only without prompts */
} icseg_texts;

/* The output of an image encoder: maps at strides 4, 8, 16, 32, of a ViT at a quarter of its patch to
 * twice its patch, and tokens (B, 1 + HW, C), the global one first. */
typedef struct icseg_features {
    icseg_value level[ICSEG_LEVELS]; /* (B, h, w, channels) */
    icseg_value tokens;
    int64_t height, width; /* of the grid of tokens */
} icseg_features;
icseg_features icseg_build_resnet(icseg_builder *b, icseg_value image); /* image (B, H, W, 3), scope `visual` */
icseg_features icseg_build_vit(icseg_builder *b, icseg_value image);
/* Only CLIP's embedding of an image, (B, 1, C): the global token. */
icseg_value icseg_build_resnet_embedding(icseg_builder *b, icseg_value image);
icseg_value icseg_build_vit_embedding(icseg_builder *b, icseg_value image);

/* Embeddings of an image's positions, (B, h * w, C), h and w being its sides divided by the patch's, rounded down.
 * ResNet: the attention pool's values at every position (ICSEG_DENSE_VALUES), or the pool queried there. */
icseg_value icseg_build_resnet_dense(icseg_builder *b, icseg_value image, const icseg_dense_block *how);
icseg_value icseg_build_vit_dense(icseg_builder *b, icseg_value image, const icseg_dense_block *how);

/* Stored positions of the current scope, (1 + g*g, width), resampled to (1 + h*w, width). */
icseg_value icseg_build_positions(icseg_builder *b, int64_t h, int64_t w, int64_t width);

/* Prompts (Bt, N, D) or ICSEG_NONE (template) -> embeddings of the texts (Bt, count, C); Bt is 1 for the template. */
icseg_value icseg_build_text(icseg_builder *b, icseg_value prompts, const icseg_texts *texts);
/* The same -> class embeddings (Bt, K, C). A class of several names gets the mean of their embeddings at unit length,
 * normalised to unit length again. */
icseg_value icseg_build_class_text(icseg_builder *b, icseg_value prompts, const icseg_texts *texts);
/* The encoder of one text for each image, in training: ids (B, L) of I32, rows (B) of I32, the index of each text's EOS
 * in the B * L tokens -> (B, C). What follows EOS does not matter, because attention is causal. */
icseg_value icseg_build_captions(icseg_builder *b, icseg_value ids, icseg_value ends);
/* (B, N, D), or (1, N, D) for static prompts, which do not read the image. *b->read, if prompts read positions: how
 * much the last decoder layer's cross-attention takes from each position or region, the mean over heads, (B, N, h, w).
 * The rest of 1 is what it takes from the global token. */
icseg_value icseg_build_prompts(icseg_builder *b, const icseg_features *features);
/* DenseCLIP's post-model prompting: text (Bt, K, C), tokens (B, 1 + HW, C) -> (B, K, C). */
icseg_value icseg_build_post_prompt(icseg_builder *b, icseg_value text, icseg_value tokens);
/* Score maps: score[i] (B, h, w, K) for aligned levels, else ICSEG_NONE. *positions, unless NULL: the embeddings that
 * the embedding level's score map compares, (B, h, w, C), at unit length. */
void icseg_build_alignment(icseg_builder *b, const icseg_features *features, icseg_value text,
                           icseg_value score[ICSEG_LEVELS], icseg_value *positions);
/* logits (B, h, w, K) of the first level plus the mean of the score maps, resized to it and weighed by score_logits /
 * tau. */
icseg_value icseg_build_score_logits(icseg_builder *b, icseg_value logits, const icseg_value score[ICSEG_LEVELS]);
/* Levels, score maps already concatenated -> logits of the size of the first level, (B, h, w, K). */
icseg_value icseg_build_decoder(icseg_builder *b, const icseg_value level[ICSEG_LEVELS]);

#endif

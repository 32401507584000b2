/* SPDX-License-Identifier: Apache-2.0
 * Model configuration: the JSON object stored as `icpc.config` in a checkpoint (the reference's `Config`). */
#ifndef ICSEG_CONFIG_H
#define ICSEG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/memory.h"
#include "icseg/text.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ICSEG_LEVELS = 4 }; /* feature levels: strides 4, 8, 16, 32 */

typedef enum icseg_backbone { ICSEG_BACKBONE_RESNET, ICSEG_BACKBONE_VIT } icseg_backbone;

typedef enum icseg_prompt {
    ICSEG_PROMPT_TEMPLATE, /* no learnt context */
    ICSEG_PROMPT_STATIC,   /* one learnt context for all images (CoOp) */
    ICSEG_PROMPT_INSTANCE  /* the same plus a residual read from the image (ICPC) */
} icseg_prompt;

/* What stands for a class of several names, "building, edifice" (docs/method.md). */
typedef enum icseg_synonyms_use {
    ICSEG_SYNONYMS_FIRST, /* one name */
    ICSEG_SYNONYMS_MEAN   /* the mean of all names' embeddings */
} icseg_synonyms_use;

/* Field names and defaults are the reference's; see docs/method.md for what each does. */
typedef struct icseg_config {
    icseg_backbone backbone;
    int32_t resnet_layers[4], resnet_width;              /* stage depths, stem width */
    int32_t vit_patch, vit_width, vit_layers, vit_heads; /* vit_patch must be 16 */
    int32_t vit_taps[ICSEG_LEVELS];                      /* ascending block indices, counted from 0 */
    double vit_drop_path;                                /* [0, 1) */
    int32_t pos_grid;                                    /* side of the stored positional grid */
    int32_t embed_dim;                                   /* C, joint embedding width */
    int32_t text_width, text_heads, text_layers;         /* D, ... */
    int32_t vocab_size, context_length;
    icseg_prompt prompt;
    int32_t prompt_tokens, prompt_width, prompt_heads, prompt_layers; /* N, ... */
    bool post_prompt;
    int32_t post_width, post_heads, post_layers;
    bool align[ICSEG_LEVELS]; /* `align_strides`: which strides carry a score map; the embedding stride always does */
    int32_t align_dim;
    double tau;
    int32_t fpn_dim, num_classes; /* .., K */
    double dropout;
    double align_weights[ICSEG_LEVELS]; /* NaN: no weight given, refused for a stride that carries a score map */
    double contrast_weight;             /* 0: no contrastive loss */
    int32_t contrast_positives, contrast_negatives;
} icseg_config;

/* The reference's defaults: RN50, ICPC, K = 150. */
ICSEG_API icseg_config icseg_config_default(void);

/* Named starting points: "rn50", "rn101", "vit-b16", "tiny-resnet", "tiny-vit" (the reference's presets). Another name
 * is ICSEG_ERROR_ARGUMENT, and *out is left as it was. */
ICSEG_API icseg_status icseg_config_preset(icseg_config *out, const char *name, icseg_error *error);

/* Reads the JSON object. Unknown keys are ignored, missing ones take the default, wrong types are ICSEG_ERROR_FORMAT.
 * The result has been checked. On failure *out is left as it was. */
ICSEG_API icseg_status icseg_config_read_json(icseg_config *out, const char *json, icseg_error *error);
/* The same, but missing keys keep the value they have in *config: recipe over preset. On failure *config is left as it
 * was. */
ICSEG_API icseg_status icseg_config_update_json(icseg_config *config, const char *json, icseg_error *error);
/* The JSON object with every key, in the form and order of the reference's json.dumps(asdict(config)); numbers read
 * back exactly. The configuration is checked first. *out is freed with icseg_buffer_free. */
ICSEG_API icseg_status icseg_config_write_json(const icseg_config *config, char **out, icseg_error *error);

/* ICSEG_ERROR_CONFIG with the field, its value and the reason when the configuration cannot work. Fields that the
 * configuration makes no use of (vit_* of a ResNet, prompt_* of a template) are not looked at. */
ICSEG_API icseg_status icseg_config_check(const icseg_config *config, icseg_error *error);

/* Level (0..3) of the embedding stride, where image and text meet without a projection: 3 for ResNet, 2 for ViT. */
ICSEG_API int32_t icseg_config_embed_level(const icseg_config *config);
/* Channels the image encoder has at a level (0..3 for strides 4, 8, 16, 32). */
ICSEG_API int32_t icseg_config_level_channels(const icseg_config *config, int level);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Model configurations: the JSON object that a checkpoint stores as `icpc.config`, which is the `Config` of the PyTorch
 * reference. docs/method.md explains each field.
 *
 * All functions are thread-safe for different configurations. */
#ifndef ICSEG_CONFIG_H
#define ICSEG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/memory.h"
#include "icseg/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Sizes of configurations. */
enum {
    ICSEG_LEVELS = 4 /**< feature levels: strides 4, 8, 16, 32; of a ViT, patch/4 to 2 patch */
};

/** Family of the image encoder. */
typedef enum icseg_backbone {
    ICSEG_BACKBONE_RESNET, /**< CLIP's ResNet with attention pooling */
    ICSEG_BACKBONE_VIT     /**< CLIP's vision transformer */
} icseg_backbone;

/** Kind of prompt, the text around a class name. */
typedef enum icseg_prompt {
    ICSEG_PROMPT_TEMPLATE, /**< no learnt context */
    ICSEG_PROMPT_STATIC,   /**< one learnt context for all images (CoOp) */
    ICSEG_PROMPT_INSTANCE  /**< the same plus a residual that depends on the image (ICPC) */
} icseg_prompt;

/** What an instance-conditioned prompt is computed from. */
typedef enum icseg_prompt_source {
    ICSEG_PROMPT_FROM_TOKENS, /**< decoder layers that read the image's embedding at every position */
    ICSEG_PROMPT_FROM_GLOBAL, /**< two linear layers of the image's global embedding (CoCoOp's meta-net) */
    ICSEG_PROMPT_FROM_REGIONS /**< decoder layers that read the means of squares of positions */
} icseg_prompt_source;

/** What the contrastive loss compares with what. */
typedef enum icseg_contrast_anchor {
    ICSEG_CONTRAST_TEXT,  /**< a class embedding with positions of its class and of others */
    ICSEG_CONTRAST_IMAGE, /**< a position with the embeddings of its class and of others */
    ICSEG_CONTRAST_BOTH   /**< the mean of both losses */
} icseg_contrast_anchor;

/** Which positives and negatives the contrastive loss takes. */
typedef enum icseg_contrast_selection {
    ICSEG_CONTRAST_HARD,      /**< the hardest: positives with the lowest scores, negatives with the highest */
    ICSEG_CONTRAST_SEMI_HARD, /**< random ones of the hardest tenth */
    ICSEG_CONTRAST_RANDOM     /**< random ones of all */
} icseg_contrast_selection;

/** How much the loss of the labels weighs each class. */
typedef enum icseg_class_weights {
    ICSEG_CLASS_WEIGHTS_NONE,      /**< all the same */
    ICSEG_CLASS_WEIGHTS_INVERSE,   /**< by the inverse of their number of pixels in the training split */
    ICSEG_CLASS_WEIGHTS_EFFECTIVE, /**< by the inverse of their effective number of images in it (Cui et al., 2019) */
    ICSEG_CLASS_WEIGHTS_GIVEN      /**< those of a file that the recipe names (data.class_weights) */
} icseg_class_weights;

/** How the image encoder computes the embeddings of an image's positions. */
typedef enum icseg_dense_embeddings {
    ICSEG_DENSE_EMBEDDINGS_ATTENTION, /**< each position attends to all: ResNet's attention pool, ViT's last block */
    ICSEG_DENSE_EMBEDDINGS_VALUES     /**< the attention's values: each position's own (MaskCLIP, arXiv 2112.01071) */
} icseg_dense_embeddings;

/** What the score maps at other strides than the embedding stride compare with the text. */
typedef enum icseg_align_source {
    ICSEG_ALIGN_FROM_LEVEL,     /**< a projection of the level's features; the text is projected as well */
    ICSEG_ALIGN_FROM_EMBEDDINGS /**< the embeddings of the embedding stride, resized, plus a projection of the level's
                                     features that starts at zero */
} icseg_align_source;

/** Activation of CLIP's transformers. The weights do not tell which one they were trained with. */
typedef enum icseg_clip_activation {
    ICSEG_CLIP_QUICK_GELU, /**< x sigmoid(1.702 x): OpenAI's models */
    ICSEG_CLIP_GELU        /**< exact GELU, x (1 + erf(x / sqrt 2)) / 2: most models of LAION, DataComp and others */
} icseg_clip_activation;

/** How a class of several names, such as "building, edifice", is represented (docs/method.md). */
typedef enum icseg_synonyms_use {
    ICSEG_SYNONYMS_FIRST, /**< by its first name */
    ICSEG_SYNONYMS_MEAN,  /**< by the mean of the embeddings of all its names */
    ICSEG_SYNONYMS_EACH   /**< by each of its names, of which the best one counts; open-vocabulary models only */
} icseg_synonyms_use;

/** A model configuration. Zero is a value here, not a default: fill the struct with icseg_config_preset or
 * icseg_config_read_json and change what differs. */
typedef struct icseg_config {
    size_t struct_size;             /**< ICSEG_CONFIG_INIT */
    icseg_backbone backbone;        /**< family of the image encoder */
    int32_t resnet_layers[4];       /**< ResNet: blocks of the four stages */
    int32_t resnet_width;           /**< ResNet: channels of the stem */
    int32_t vit_patch;              /**< ViT: side of a patch in pixels, 4..256 */
    int32_t vit_width;              /**< ViT: channels of a token */
    int32_t vit_layers;             /**< ViT: blocks */
    int32_t vit_heads;              /**< ViT: attention heads; divides vit_width */
    int32_t vit_taps[ICSEG_LEVELS]; /**< ViT: blocks whose outputs feed the levels; from 0, ascending */
    double vit_drop_path;           /**< ViT: stochastic depth of the last block, a probability in [0, 1) */
    int32_t pos_grid;               /**< side of the stored grid of positional embeddings */
    int32_t embed_dim;              /**< C, channels of the joint embedding */
    int32_t text_width;             /**< D, channels of the text transformer */
    int32_t text_heads;             /**< text transformer: attention heads; divides text_width */
    int32_t text_layers;            /**< text transformer: blocks */
    int32_t vocab_size;             /**< text transformer: tokens of the vocabulary */
    int32_t context_length;         /**< text transformer: tokens of the longest sequence */
    icseg_prompt prompt;            /**< kind of prompt */
    int32_t prompt_tokens;          /**< N, tokens of the learnt context */
    int32_t prompt_width;           /**< prompt learner: channels */
    int32_t prompt_heads;           /**< prompt learner: attention heads; divides prompt_width */
    int32_t prompt_layers;          /**< prompt learner: decoder layers */
    bool post_prompt;               /**< DenseCLIP's context decoder after the text encoder */
    int32_t post_width;             /**< context decoder: channels */
    int32_t post_heads;             /**< context decoder: attention heads; divides post_width */
    int32_t post_layers;            /**< context decoder: layers */
    bool align[ICSEG_LEVELS];       /**< "align_strides": which strides have a score map; the embedding stride must */
    int32_t align_dim;              /**< channels in which the other strides are aligned */
    double tau;                     /**< temperature of the alignment losses */
    int32_t fpn_dim;                /**< channels of the decoder */
    int32_t num_classes;            /**< K, number of classes */
    double dropout;                 /**< a probability in [0, 1) */
    double align_weights[ICSEG_LEVELS]; /**< loss weight of each stride; NaN: none, refused for a stride in `align` */
    double contrast_weight;             /**< weight of the contrastive loss; 0 turns it off */
    int32_t contrast_positives;         /**< contrastive loss: positives of an anchor */
    int32_t contrast_negatives;         /**< contrastive loss: negatives of an anchor */
    icseg_clip_activation activation;   /**< of both of CLIP's transformers */
    int32_t vit_mlp_width;              /**< ViT: channels of the MLP of a block; 0: 4 vit_width */
    icseg_prompt_source prompt_source;  /**< prompt learner: what it reads */
    int32_t prompt_region;              /**< prompt learner: side of a region (positions) */
    int32_t prompt_depth;               /**< blocks of the text transformer that have a learnt context, 1: the input */
    icseg_contrast_anchor contrast_anchor;       /**< contrastive loss: what is compared */
    icseg_contrast_selection contrast_selection; /**< contrastive loss: which positives and negatives */
    bool contrast_strides[ICSEG_LEVELS];         /**< contrastive loss: its strides; none: the embedding stride */
    double contrast_tau;                         /**< contrastive loss: temperature; 0: tau */
    int32_t contrast_memory;                     /**< contrastive loss: embeddings of earlier images kept of a class */
    double label_smoothing;            /**< decode loss: share of the target that all classes get evenly, in [0, 1) */
    double focal_gamma;                /**< decode loss: exponent of the focal factor; 0: none */
    double ohem_threshold;             /**< decode loss: only pixels whose label is less probable count; 0: all */
    int32_t ohem_least;                /**< decode loss: but as many of each image count, the hardest ones */
    icseg_class_weights class_weights; /**< decode loss: weights of the classes */
    icseg_dense_embeddings dense_embeddings; /**< image encoder: embeddings of positions */
    double score_logits;             /**< decoder: weight of the score maps' mean, over tau, in the logits; 0: none */
    double dice_weight;              /**< decode loss: weight of the Dice loss, which is added; 0: none */
    double lovasz_weight;            /**< decode loss: weight of the Lovasz-softmax loss, which is added; 0: none */
    icseg_align_source align_source; /**< score maps at other strides than the embedding stride */
} icseg_config;

/** Initialises an icseg_config: `icseg_config c = {ICSEG_CONFIG_INIT};` */
#define ICSEG_CONFIG_INIT ICSEG_INIT(icseg_config)

/** Number of presets. */
ICSEG_API int32_t icseg_preset_count(void);
/** Name of a preset, such as "rn50": the first is the reference's default. NULL when `index` is out of range. */
ICSEG_API const char *icseg_preset_name(int32_t index);
/** One human-readable line about a preset. NULL when `index` is out of range. */
ICSEG_API const char *icseg_preset_description(int32_t index);

/** Fills *out with a preset. ICSEG_ERROR_ARGUMENT for an unknown name; *out is then unchanged. */
ICSEG_API icseg_status icseg_config_preset(icseg_config *out, const char *name, icseg_error *error);

/** Reads the JSON object. Unknown keys are ignored, and missing keys get the values of preset "rn50". The result is
 * checked. Errors: a value of the wrong type (ICSEG_ERROR_FORMAT), and those of icseg_config_check. On failure *out is
 * unchanged. */
ICSEG_API icseg_status icseg_config_read_json(icseg_config *out, const char *json, icseg_error *error);

/** The same, but missing keys keep their value in *config. On failure *config is unchanged. */
ICSEG_API icseg_status icseg_config_update_json(icseg_config *config, const char *json, icseg_error *error);

/** Writes the JSON object with every key, in the form and order of the reference's `json.dumps(asdict(config))`.
 * Numbers are read back exactly. The configuration is checked first. *out is NUL-terminated; free it with
 * icseg_buffer_free. */
ICSEG_API icseg_status icseg_config_write_json(const icseg_config *config, char **out, icseg_error *error);

/** Checks that a model can be built. ICSEG_ERROR_CONFIG with the field, its value and the reason if it cannot. Fields
 * that the configuration does not use (vit_* of a ResNet, prompt_* of a template) are not checked. */
ICSEG_API icseg_status icseg_config_check(const icseg_config *config, icseg_error *error);

/** Level (0..3) of the embedding stride, where image and text meet without a projection: 3 for ResNet, 2 for ViT. */
ICSEG_API int32_t icseg_config_embed_level(const icseg_config *config);

/** Channels of the image encoder at a level (0..3, finest first); 0 for other levels. */
ICSEG_API int32_t icseg_config_level_channels(const icseg_config *config, int level);

#ifdef __cplusplus
}
#endif
#endif

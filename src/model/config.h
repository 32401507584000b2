/* SPDX-License-Identifier: Apache-2.0
 * The table of a model's configuration fields, and the table of presets. */
#ifndef ICSEG_MODEL_CONFIG_H
#define ICSEG_MODEL_CONFIG_H

#include "icseg/config.h"
#include "options/options.h"

/* The words of each enumeration in order, then NULL; and the name of each level: its stride, if a patch has 16 pixels.
 */
extern const char *const icseg_backbone_words[];
extern const char *const icseg_prompt_words[];
extern const char *const icseg_activation_words[];
extern const char *const icseg_prompt_source_words[];
extern const char *const icseg_contrast_anchor_words[];
extern const char *const icseg_contrast_selection_words[];
extern const char *const icseg_class_weights_words[];
extern const char *const icseg_dense_embeddings_words[];
extern const char *const icseg_align_source_words[];
extern const int32_t icseg_strides[ICSEG_LEVELS];

/* The fields of icseg_config as options: names as in the JSON, limits, descriptions. */
icseg_option_table icseg_config_table(void);

/* The reference's defaults: RN50, ICPC, 150 classes. */
icseg_config icseg_config_default(void);

/* The configuration of a caller whose icseg_config may be older or newer than this library's, and back. */
icseg_status icseg_config_read(icseg_config *to, const icseg_config *from, icseg_error *error);
icseg_status icseg_config_fill(icseg_config *to, const icseg_config *from, icseg_error *error);

/* Whether the contrastive loss compares the score map of this level. */
bool icseg_config_contrasts(const icseg_config *config, int level);
/* Whether decoder layers read instance-conditioned prompts out of the image. */
bool icseg_config_decodes_prompts(const icseg_config *config);
/* The side of the squares of positions that prompts read, for a grid of height x width: 1 unless they read regions. At
 * least 1, also where a graph has failed and its sizes are 0. */
int64_t icseg_config_region_side(const icseg_config *config, int64_t height, int64_t width);
/* Channels of the MLPs of a ViT's blocks. */
int64_t icseg_config_vit_mlp_width(const icseg_config *config);
/* Taps for a ViT of any depth: after a third, half and two thirds of the blocks, and after the last. */
void icseg_config_spread_taps(icseg_config *config);
/* The smallest side of an image (pixels): with a ViT also two patches, the stride of its coarsest level. */
enum { ICSEG_MIN_SIDE = 32 };
int64_t icseg_config_min_side(const icseg_config *config);

/* What the presets of vision transformers change in recipes, for the table of presets and the help of the keys. */
#define ICSEG_VIT_PRESET    "vit-b16"
#define ICSEG_VIT_SIDE      640
#define ICSEG_VIT14_SIDE    448 /* 32 patches of 14 pixels */
#define ICSEG_VIT_DROP_PATH 0.1
#define ICSEG_QUOTE(text)   #text
#define ICSEG_DIGITS(value) ICSEG_QUOTE(value) /* the value of a macro as a string literal */

/* A named starting point of models and recipes. */
typedef struct icseg_preset {
    const char *name, *description;
    void (*configure)(icseg_config *config); /* changes the defaults */
    bool published;                          /* CLIP's architecture: recipes take CLIP's tokenizer; else bytes */
    int32_t side;                            /* recipes: training crop and short side of images (pixels) */
    double drop_path;                        /* recipes: vit_drop_path */
} icseg_preset;

/* NULL when `index` is out of range. */
const icseg_preset *icseg_preset_at(int32_t index);
/* The index of the preset, or -1 and ICSEG_ERROR_ARGUMENT in `error`, which lists the names. */
int32_t icseg_preset_find(const char *name, icseg_error *error);
/* Every preset's name, then NULL: for tables of options. */
extern const char *const icseg_preset_words[];

#endif

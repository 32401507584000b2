/* SPDX-License-Identifier: Apache-2.0
 * A configuration against the tensors of its file, before anything is built from it: a small file cannot ask for a
 * large model. Each size and each number of blocks is compared with one tensor; icseg_model_find_params compares the
 * rest. */
#include <stdarg.h>
#include <stdio.h>

#include "model/config.h"
#include "model/model.h"

typedef struct check {
    const icseg_config *config;
    const icseg_safetensors *file;
    const char *prefix;
    icseg_error *error;
} check;

enum { NAME_SIZE = 160 };

static const icseg_safetensors_entry *find(const check *c, const char *tensor) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s%s", c->prefix, tensor);
    return icseg_safetensors_find(c->file, name);
}

/* The error names the field; `value` is what it asks for. */
static icseg_status missing(const check *c, const char *field, int64_t value, const char *tensor) {
    return icseg_fail(c->error, ICSEG_ERROR_FORMAT,
                      "%s: icpc.config: \"%s\" = %lld needs the tensor \"%s%s\", which the file does not have",
                      icseg_safetensors_path(c->file), field, (long long)value, c->prefix, tensor);
}

/* The field's value makes this axis of the tensor `dim` long. */
static icseg_status check_axis(const check *c, const char *field, int64_t value, const char *tensor, int axis,
                               int64_t dim) {
    const icseg_safetensors_entry *entry = find(c, tensor);
    char text[ICSEG_SHAPE_TEXT];
    if (!entry) return missing(c, field, value, tensor);
    if (axis < entry->shape.rank && entry->shape.dim[axis] == dim) return ICSEG_OK;
    return icseg_fail(c->error, ICSEG_ERROR_SHAPE,
                      "%s: icpc.config: \"%s\" = %lld does not fit the tensor \"%s%s\" of shape %s",
                      icseg_safetensors_path(c->file), field, (long long)value, c->prefix, tensor,
                      icseg_shape_text(entry->shape, text, sizeof text));
}

static icseg_status check_size(const check *c, const char *field, int64_t value, const char *tensor, int axis) {
    return check_axis(c, field, value, tensor, axis, value);
}

/* `format` names a tensor of block number %d. */
static icseg_status check_blocks(const check *c, const char *field, int32_t count, const char *format)
    __attribute__((format(printf, 4, 0)));
static icseg_status check_blocks(const check *c, const char *field, int32_t count, const char *format) {
    for (int32_t i = 0; i < count; i++) {
        char tensor[NAME_SIZE];
        snprintf(tensor, sizeof tensor, format, i);
        if (!find(c, tensor)) return missing(c, field, count, tensor);
    }
    return ICSEG_OK;
}

static icseg_status check_resnet(const check *c) {
    static const char *const block[] = {"visual.layer1.%d.conv1.weight", "visual.layer2.%d.conv1.weight",
                                        "visual.layer3.%d.conv1.weight", "visual.layer4.%d.conv1.weight"};
    const icseg_config *g = c->config;
    int64_t grid = g->pos_grid;
    ICSEG_TRY(check_size(c, "resnet_width", g->resnet_width, "visual.conv3.weight", 0));
    for (int i = 0; i < 4; i++) ICSEG_TRY(check_blocks(c, "resnet_layers", g->resnet_layers[i], block[i]));
    return check_axis(c, "pos_grid", grid, "visual.attnpool.positional_embedding", 0, grid * grid + 1);
}

static icseg_status check_vit(const check *c) {
    const icseg_config *g = c->config;
    int64_t grid = g->pos_grid;
    ICSEG_TRY(check_size(c, "vit_width", g->vit_width, "visual.class_embedding", 0));
    ICSEG_TRY(check_size(c, "vit_patch", g->vit_patch, "visual.conv1.weight", 2));
    ICSEG_TRY(check_axis(c, "vit_mlp_width", g->vit_mlp_width, "visual.transformer.resblocks.0.mlp.c_fc.weight", 0,
                         icseg_config_vit_mlp_width(g)));
    ICSEG_TRY(check_blocks(c, "vit_layers", g->vit_layers, "visual.transformer.resblocks.%d.ln_1.weight"));
    return check_axis(c, "pos_grid", grid, "visual.positional_embedding", 0, grid * grid + 1);
}

static icseg_status check_text(const check *c) {
    const icseg_config *g = c->config;
    ICSEG_TRY(check_size(c, "vocab_size", g->vocab_size, "token_embedding.weight", 0));
    ICSEG_TRY(check_size(c, "text_width", g->text_width, "token_embedding.weight", 1));
    ICSEG_TRY(check_size(c, "context_length", g->context_length, "positional_embedding", 0));
    ICSEG_TRY(check_size(c, "embed_dim", g->embed_dim, "text_projection", 1));
    return check_blocks(c, "text_layers", g->text_layers, "transformer.resblocks.%d.ln_1.weight");
}

static icseg_status check_prompts(const check *c) {
    const icseg_config *g = c->config;
    if (g->prompt != ICSEG_PROMPT_TEMPLATE)
        ICSEG_TRY(check_size(c, "prompt_tokens", g->prompt_tokens, "prompt.context", 0));
    if (g->prompt != ICSEG_PROMPT_TEMPLATE && g->prompt_depth > 1)
        ICSEG_TRY(check_axis(c, "prompt_depth", g->prompt_depth, "prompt.deep", 0, g->prompt_depth - 1));
    if (icseg_config_decodes_prompts(g)) {
        ICSEG_TRY(check_size(c, "prompt_width", g->prompt_width, "prompt.query", 1));
        ICSEG_TRY(check_blocks(c, "prompt_layers", g->prompt_layers, "prompt.layers.%d.norm1.weight"));
    } else if (g->prompt == ICSEG_PROMPT_INSTANCE) {
        ICSEG_TRY(check_size(c, "prompt_width", g->prompt_width, "prompt.meta.0.weight", 0));
    }
    if (!g->post_prompt) return ICSEG_OK;
    ICSEG_TRY(check_size(c, "post_width", g->post_width, "post.memory_proj.1.weight", 0));
    return check_blocks(c, "post_layers", g->post_layers, "post.decoder.%d.norm1.weight");
}

static icseg_status check_decoder(const check *c) {
    const icseg_config *g = c->config;
    bool projected = false;
    for (int i = 0; i < ICSEG_LEVELS; i++) projected |= g->align[i] && i != icseg_config_embed_level(g);
    if (projected && g->align_source == ICSEG_ALIGN_FROM_LEVEL)
        ICSEG_TRY(check_size(c, "align_dim", g->align_dim, "align.text.weight", 0));
    ICSEG_TRY(check_size(c, "fpn_dim", g->fpn_dim, "decoder.neck.lateral_convs.0.conv.weight", 0));
    if (g->class_weights != ICSEG_CLASS_WEIGHTS_NONE)
        ICSEG_TRY(check_size(c, "num_classes", g->num_classes, "loss.class_weight", 0));
    if (g->contrast_weight > 0 && g->contrast_memory > 0)
        ICSEG_TRY(check_size(c, "contrast_memory", g->contrast_memory, "contrast.memory", 1));
    return check_size(c, "num_classes", g->num_classes, "decoder.head.conv_seg.weight", 0);
}

icseg_status icseg_config_check_tensors(const icseg_config *config, const icseg_safetensors *file, const char *prefix,
                                        icseg_error *error) {
    const check c = {config, file, prefix, error};
    ICSEG_TRY(config->backbone == ICSEG_BACKBONE_RESNET ? check_resnet(&c) : check_vit(&c));
    ICSEG_TRY(check_text(&c));
    ICSEG_TRY(check_prompts(&c));
    return check_decoder(&c);
}

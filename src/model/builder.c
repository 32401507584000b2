/* SPDX-License-Identifier: Apache-2.0
 * Parameters by scope, and the modules that several parts of the model share. */
#include "model/builder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/config.h"

/* The reference's param_groups: CLIP's text side never trains. */
static bool is_frozen(const char *name) {
    static const char *const text[] = {"token_embedding", "positional_embedding", "transformer.", "ln_final",
                                       "text_projection"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        if (!strncmp(name, text[i], strlen(text[i]))) return true;
    return false;
}

static icseg_value parameter(icseg_builder *b, const char *leaf, icseg_shape shape, icseg_param_options options) {
    char name[512];
    snprintf(name, sizeof name, "%s%s", icseg_graph_scope(b->graph), leaf);
    if (icseg_graph_status(b->graph, NULL) != ICSEG_OK) return ICSEG_NONE;
    icseg_param *param = icseg_params_find(b->params, name);
    if (!param && b->declare) {
        icseg_error error;
        options.trainable = !options.buffer && !is_frozen(name);
        param = icseg_params_declare(b->params, name, shape, options, &error);
        if (!param) return icseg_graph_fail(b->graph, leaf, error.status, "%s", error.message);
    }
    if (param && !icseg_shape_equal(param->file_shape, shape)) {
        char ours[ICSEG_SHAPE_TEXT], theirs[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(b->graph, leaf, ICSEG_ERROR_SHAPE, "the parameter has shape %s; expected %s",
                                icseg_shape_text(param->file_shape, theirs, sizeof theirs),
                                icseg_shape_text(shape, ours, sizeof ours));
    }
    return icseg_graph_param(b->graph, param);
}

icseg_value icseg_build_param(icseg_builder *b, const char *leaf, icseg_shape shape, icseg_layout layout,
                              icseg_init init, float scale) {
    return parameter(b, leaf, shape, (icseg_param_options){.layout = layout, .init = init, .scale = scale});
}

icseg_value icseg_build_buffer(icseg_builder *b, const char *leaf, icseg_shape shape, float value) {
    return parameter(b, leaf, shape,
                     (icseg_param_options){.init = ICSEG_INIT_CONSTANT, .scale = value, .buffer = true});
}

/* One value per channel, initialised to a constant. */
static icseg_value vector(icseg_builder *b, const char *leaf, int64_t size, float value, bool buffer) {
    return parameter(b, leaf, ICSEG_SHAPE(size),
                     (icseg_param_options){.init = ICSEG_INIT_CONSTANT, .scale = value, .buffer = buffer});
}

icseg_value icseg_build_conv(icseg_builder *b, const char *name, icseg_value x, int64_t out, int kernel, int stride,
                             int padding, bool bias) {
    int64_t in = icseg_graph_dim(b->graph, x, -1);
    float bound = 1 / sqrtf((float)(in * kernel * kernel));
    icseg_graph_push(b->graph, "%s", name);
    icseg_value weight = icseg_build_param(b, "weight", ICSEG_SHAPE(out, in, kernel, kernel), ICSEG_LAYOUT_OIHW,
                                           ICSEG_INIT_UNIFORM, bound);
    icseg_value offset = ICSEG_NONE;
    if (bias) offset = icseg_build_param(b, "bias", ICSEG_SHAPE(out), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_UNIFORM, bound);
    icseg_value y = icseg_conv2d(b->graph, x, weight, offset, stride, padding);
    icseg_graph_pop(b->graph);
    return y;
}

icseg_value icseg_build_conv_transpose(icseg_builder *b, const char *name, icseg_value x, int64_t out) {
    int64_t in = icseg_graph_dim(b->graph, x, -1);
    float bound = 1 / sqrtf((float)(out * 4)); /* PyTorch uses the second axis as the fan-in */
    icseg_graph_push(b->graph, "%s", name);
    icseg_value weight =
        icseg_build_param(b, "weight", ICSEG_SHAPE(in, out, 2, 2), ICSEG_LAYOUT_IOHW, ICSEG_INIT_UNIFORM, bound);
    icseg_value bias = icseg_build_param(b, "bias", ICSEG_SHAPE(out), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_UNIFORM, bound);
    icseg_value y = icseg_conv_transpose2x2(b->graph, x, weight, bias);
    icseg_graph_pop(b->graph);
    return y;
}

bool icseg_is_image_encoder(const char *name) {
    return !strncmp(name, "visual.", 7) && strncmp(name, "visual.fpn", 10) != 0;
}

icseg_value icseg_build_batch_norm(icseg_builder *b, const char *name, icseg_value x, bool relu) {
    int64_t channels = icseg_graph_dim(b->graph, x, -1);
    icseg_graph_push(b->graph, "%s", name);
    icseg_value weight = vector(b, "weight", channels, 1, false), bias = vector(b, "bias", channels, 0, false);
    icseg_value mean = vector(b, "running_mean", channels, 0, true), var = vector(b, "running_var", channels, 1, true);
    bool frozen = b->freeze_bn && icseg_is_image_encoder(icseg_graph_scope(b->graph));
    icseg_batch_norm_options options = {.eps = 1e-5f,
                                        .momentum = b->keep_statistics ? 0 : 0.1f,
                                        .batch_statistics = icseg_graph_training(b->graph) && !frozen,
                                        .relu = relu,
                                        .synchronised = b->sync_bn};
    icseg_value y = icseg_batch_norm(b->graph, x, weight, bias, mean, var, options);
    icseg_graph_pop(b->graph);
    return y;
}

icseg_value icseg_build_linear(icseg_builder *b, const char *name, icseg_value x, int64_t out, bool bias) {
    int64_t in = icseg_graph_dim(b->graph, x, -1);
    float bound = 1 / sqrtf((float)in);
    icseg_graph_push(b->graph, "%s", name);
    icseg_value weight =
        icseg_build_param(b, "weight", ICSEG_SHAPE(out, in), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_UNIFORM, bound);
    icseg_value offset = ICSEG_NONE;
    if (bias) offset = icseg_build_param(b, "bias", ICSEG_SHAPE(out), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_UNIFORM, bound);
    icseg_value y = icseg_linear(b->graph, x, weight, offset);
    icseg_graph_pop(b->graph);
    return y;
}

typedef icseg_value (*norm_builder)(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias, float eps);

static icseg_value norm(icseg_builder *b, norm_builder build, const char *name, icseg_value x) {
    int64_t channels = icseg_graph_dim(b->graph, x, -1);
    icseg_graph_push(b->graph, "%s", name);
    icseg_value weight = vector(b, "weight", channels, 1, false), bias = vector(b, "bias", channels, 0, false);
    icseg_value y = build(b->graph, x, weight, bias, 1e-5f);
    icseg_graph_pop(b->graph);
    return y;
}

icseg_value icseg_build_layer_norm(icseg_builder *b, const char *name, icseg_value x) {
    return norm(b, icseg_layer_norm, name, x);
}

icseg_value icseg_build_group_norm(icseg_builder *b, const char *name, icseg_value x) {
    return norm(b, icseg_group_norm, name, x);
}

/* torch.nn.MultiheadAttention's parameters: in_proj_weight, in_proj_bias, out_proj. x (B, L, W) -> (B, L, 3W) */
static icseg_value in_projection(icseg_builder *b, icseg_value x) {
    int64_t width = icseg_graph_dim(b->graph, x, -1);
    icseg_value weight = icseg_build_param(b, "in_proj_weight", ICSEG_SHAPE(3 * width, width), ICSEG_LAYOUT_PLAIN,
                                           ICSEG_INIT_UNIFORM, sqrtf(6.0f / (float)(4 * width)));
    return icseg_linear(b->graph, x, weight, vector(b, "in_proj_bias", 3 * width, 0, false));
}

/* Returns before out_proj. */
static icseg_value self_attention(icseg_builder *b, icseg_value x, int heads, const icseg_segments *segments) {
    icseg_graph *g = b->graph;
    icseg_value qkv = in_projection(b, x);
    return segments ? icseg_segment_attention(g, qkv, heads, segments->prefix, segments->count, segments->lengths)
                    : icseg_attention_packed(g, qkv, heads);
}

static icseg_value out_projection(icseg_builder *b, icseg_value x) {
    int64_t width = icseg_graph_dim(b->graph, x, -1);
    icseg_graph_push(b->graph, "out_proj");
    icseg_value weight = icseg_build_param(b, "weight", ICSEG_SHAPE(width, width), ICSEG_LAYOUT_PLAIN,
                                           ICSEG_INIT_UNIFORM, 1 / sqrtf((float)width));
    icseg_value y = icseg_linear(b->graph, x, weight, vector(b, "bias", width, 0, false));
    icseg_graph_pop(b->graph);
    return y;
}

icseg_value icseg_build_scaled(icseg_builder *b, const char *name, icseg_value x, float factor) {
    icseg_graph *g = b->graph;
    int64_t width = icseg_graph_dim(g, x, -1);
    float *gain = icseg_arena_array(icseg_graph_arena(g), (size_t)width, sizeof *gain);
    if (!gain) return icseg_graph_fail(g, name, ICSEG_ERROR_MEMORY, "out of memory");
    for (int64_t i = 0; i < width; i++) gain[i] = factor;
    return icseg_scale_channels(g, x, icseg_graph_constant(g, name, ICSEG_F32, ICSEG_SHAPE(width), gain));
}

/* The second half of a block: x + MLP(x). */
static icseg_value block_mlp(icseg_builder *b, icseg_value x, int64_t inner, float drop_path) {
    icseg_graph *g = b->graph;
    int64_t width = icseg_graph_dim(g, x, -1);
    icseg_value y = icseg_build_layer_norm(b, "ln_2", x);
    icseg_graph_push(g, "mlp");
    y = icseg_build_linear(b, "c_fc", y, inner, true);
    y = b->config->activation == ICSEG_CLIP_GELU ? icseg_gelu(g, y) : icseg_quick_gelu(g, y);
    y = icseg_build_linear(b, "c_proj", y, width, true);
    icseg_graph_pop(g);
    return icseg_add(g, x, icseg_dropout(g, y, drop_path, ICSEG_DROPOUT_SAMPLE));
}

icseg_value icseg_build_block(icseg_builder *b, int index, icseg_value x, const icseg_tower *tower, float drop_path,
                              int row_count, const int32_t *rows) {
    icseg_graph *g = b->graph;
    icseg_graph_push(g, "resblocks.%d", index);
    icseg_value y = icseg_build_layer_norm(b, "ln_1", x);
    icseg_graph_push(g, "attn");
    y = self_attention(b, y, tower->heads, tower->segments);
    if (rows) {
        y = icseg_gather_rows(g, y, row_count, rows);
        x = icseg_gather_rows(g, x, row_count, rows);
    }
    y = out_projection(b, y);
    icseg_graph_pop(g);
    x = icseg_add(g, x, icseg_dropout(g, y, drop_path, ICSEG_DROPOUT_SAMPLE));
    x = block_mlp(b, x, tower->mlp_width, drop_path);
    icseg_graph_pop(g);
    return icseg_graph_boundary(g, x);
}

/* qkv (B, 1 + h * w, 3W) -> what the positions attend to, (B, h * w, W) */
static icseg_value dense_attention(icseg_builder *b, icseg_value qkv, int heads, int64_t h, int64_t w,
                                   const icseg_dense_block *how) {
    icseg_graph *g = b->graph;
    int64_t width = icseg_graph_dim(g, qkv, 2) / 3, positions = h * w;
    icseg_value v = icseg_slice(g, qkv, 2, 2 * width, width);
    if (how->attention == ICSEG_DENSE_VALUES) return icseg_slice(g, v, 1, 1, positions);
    icseg_value q = icseg_slice(g, qkv, 2, 0, width), k = icseg_slice(g, qkv, 2, width, width);
    icseg_value q_here = icseg_slice(g, q, 1, 1, positions), k_here = icseg_slice(g, k, 1, 1, positions);
    switch (how->attention) {
    case ICSEG_DENSE_QQ: return icseg_attention(g, q_here, q, v, heads);
    case ICSEG_DENSE_KK: return icseg_attention(g, k_here, k, v, heads);
    case ICSEG_DENSE_QQ_KK:
        return icseg_add(g, icseg_attention(g, q_here, q, v, heads), icseg_attention(g, k_here, k, v, heads));
    case ICSEG_DENSE_NEAR_KK:
        return icseg_grid_attention(g, k_here, k, v, heads, (icseg_attention_grid){h, w, how->deviation});
    default: return icseg_attention(g, q_here, k, v, heads);
    }
}

icseg_value icseg_build_dense_block(icseg_builder *b, int index, icseg_value x, int heads, int64_t h, int64_t w,
                                    const icseg_dense_block *how) {
    icseg_graph *g = b->graph;
    icseg_graph_push(g, "resblocks.%d", index);
    icseg_value y = icseg_build_layer_norm(b, "ln_1", x);
    icseg_graph_push(g, "attn");
    y = out_projection(b, dense_attention(b, in_projection(b, y), heads, h, w, how));
    icseg_graph_pop(g);
    if (how->whole)
        y = block_mlp(b, icseg_add(g, icseg_slice(g, x, 1, 1, h * w), y), icseg_config_vit_mlp_width(b->config), 0);
    icseg_graph_pop(g);
    return y;
}

/* x attends to memory; four linear layers, only the last with a bias. *weights, unless NULL: the probabilities. */
static icseg_value decoder_attention(icseg_builder *b, const char *name, icseg_value x, icseg_value memory, int heads,
                                     icseg_value *weights) {
    int64_t width = icseg_graph_dim(b->graph, x, -1);
    icseg_graph_push(b->graph, "%s", name);
    icseg_value q = icseg_build_linear(b, "q_proj", x, width, false);
    icseg_value k = icseg_build_linear(b, "k_proj", memory, width, false);
    icseg_value v = icseg_build_linear(b, "v_proj", memory, width, false);
    if (weights) *weights = icseg_attention_weights(b->graph, q, k, heads);
    icseg_value y = icseg_build_linear(b, "proj", icseg_attention(b->graph, q, k, v, heads), width, true);
    icseg_graph_pop(b->graph);
    return y;
}

icseg_value icseg_build_decoder_layer(icseg_builder *b, icseg_value x, icseg_value memory, int heads,
                                      icseg_value *weights) {
    icseg_graph *g = b->graph;
    int64_t width = icseg_graph_dim(g, x, -1);
    float p = (float)b->config->dropout;
    icseg_value y = icseg_build_layer_norm(b, "norm1", x);
    y = decoder_attention(b, "self_attn", y, y, heads, NULL);
    x = icseg_add(g, x, icseg_dropout(g, y, p, ICSEG_DROPOUT_ELEMENT));
    y = decoder_attention(b, "cross_attn", icseg_build_layer_norm(b, "norm2", x), memory, heads, weights);
    x = icseg_add(g, x, icseg_dropout(g, y, p, ICSEG_DROPOUT_ELEMENT));
    y = icseg_build_layer_norm(b, "norm3", x);
    icseg_graph_push(g, "mlp");
    y = icseg_gelu(g, icseg_build_linear(b, "0", y, 4 * width, true));
    y = icseg_build_linear(b, "3", icseg_dropout(g, y, p, ICSEG_DROPOUT_ELEMENT), width, true);
    icseg_graph_pop(g);
    return icseg_graph_boundary(g, icseg_add(g, x, icseg_dropout(g, y, p, ICSEG_DROPOUT_ELEMENT)));
}

/* SPDX-License-Identifier: Apache-2.0
 * Instance-conditioned prompts before the text encoder (reference: PromptLearner) and DenseCLIP's post-model prompting
 * after it (reference: PostPrompt). */
#include "model/builder.h"
#include "model/config.h"

/* LayerNorm, Linear, LayerNorm of the image's tokens: (B, M, C) -> (B, M, width). */
static icseg_value image_memory(icseg_builder *b, const char *name, icseg_value tokens, int64_t width) {
    icseg_graph_push(b->graph, "%s", name);
    icseg_value x = icseg_build_linear(b, "1", icseg_build_layer_norm(b, "0", tokens), width, true);
    x = icseg_build_layer_norm(b, "2", x);
    icseg_graph_pop(b->graph);
    return x;
}

/* *weights, unless NULL: those of the last layer. */
static icseg_value decoder(icseg_builder *b, icseg_value x, icseg_value memory, int layers, int heads,
                           icseg_value *weights) {
    for (int i = 0; i < layers; i++) {
        icseg_graph_push(b->graph, "%d", i);
        x = icseg_build_decoder_layer(b, x, memory, heads, i == layers - 1 ? weights : NULL);
        icseg_graph_pop(b->graph);
    }
    return x;
}

/* A linear layer to the text's width that starts at zero: training starts from the static prompt. */
static icseg_value residual(icseg_builder *b, const char *name, icseg_value x) {
    int64_t in = icseg_graph_dim(b->graph, x, -1), out = b->config->text_width;
    icseg_graph_push(b->graph, "%s", name);
    icseg_value weight = icseg_build_param(b, "weight", ICSEG_SHAPE(out, in), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_ZERO, 0);
    icseg_value bias = icseg_build_param(b, "bias", ICSEG_SHAPE(out), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_ZERO, 0);
    x = icseg_linear(b->graph, x, weight, bias);
    icseg_graph_pop(b->graph);
    return x;
}

/* tokens (B, 1 + h * w, C) -> the global token and the means of squares of positions, (B, 1 + regions, C). Positions at
 * the right and at the bottom that do not fill a square are left out. */
static icseg_value region_tokens(icseg_builder *b, const icseg_features *features) {
    icseg_graph *g = b->graph;
    icseg_value tokens = features->tokens;
    int64_t batch = icseg_graph_dim(g, tokens, 0), channels = icseg_graph_dim(g, tokens, 2);
    int64_t h = features->height, w = features->width, side = icseg_config_region_side(b->config, h, w);
    icseg_value x = icseg_reshape(g, icseg_slice(g, tokens, 1, 1, h * w), ICSEG_SHAPE(batch, h, w, channels));
    x = icseg_avg_pool(g, x, (int)side);
    icseg_value both[] = {icseg_slice(g, tokens, 1, 0, 1),
                          icseg_reshape(g, x, ICSEG_SHAPE(batch, (h / side) * (w / side), channels))};
    return icseg_concat(g, 2, both, 1);
}

/* weights (B, N, 1 + positions or regions) -> those of the positions or regions, (B, N, h, w). */
static icseg_value positions_of(icseg_builder *b, icseg_value weights, const icseg_features *features) {
    icseg_graph *g = b->graph;
    int64_t side = icseg_config_region_side(b->config, features->height, features->width);
    int64_t h = features->height / side, w = features->width / side;
    return icseg_reshape(g, icseg_slice(g, weights, 2, 1, h * w),
                         ICSEG_SHAPE(icseg_graph_dim(g, weights, 0), icseg_graph_dim(g, weights, 1), h, w));
}

/* Queries read the image: (B, N, D). */
static icseg_value decoded_prompts(icseg_builder *b, const icseg_features *features) {
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    bool regions = c->prompt_source == ICSEG_PROMPT_FROM_REGIONS;
    icseg_value tokens = regions ? region_tokens(b, features) : features->tokens;
    icseg_value memory = image_memory(b, "memory", tokens, c->prompt_width);
    icseg_value query = icseg_build_param(b, "query", ICSEG_SHAPE(c->prompt_tokens, c->prompt_width),
                                          ICSEG_LAYOUT_PLAIN, ICSEG_INIT_NORMAL, 0.02f);
    icseg_value q = icseg_repeat(g, query, icseg_graph_dim(g, tokens, 0));
    icseg_graph_push(g, "layers");
    q = decoder(b, q, memory, c->prompt_layers, c->prompt_heads, b->read);
    icseg_graph_pop(g);
    if (b->read) *b->read = positions_of(b, *b->read, features);
    icseg_graph_push(g, "out");
    q = residual(b, "1", icseg_build_layer_norm(b, "0", q));
    icseg_graph_pop(g);
    return q;
}

/* CoCoOp's meta-net: one vector from the global embedding, added to every row of the context (N, D): (B, N, D). */
static icseg_value meta_prompts(icseg_builder *b, icseg_value tokens, icseg_value context) {
    icseg_graph *g = b->graph;
    icseg_value x = icseg_normalize(g, icseg_slice(g, tokens, 1, 0, 1));
    icseg_graph_push(g, "meta");
    x = residual(b, "2", icseg_relu(g, icseg_build_linear(b, "0", x, b->config->prompt_width, true)));
    icseg_graph_pop(g);
    context = icseg_repeat(g, context, icseg_graph_dim(g, tokens, 0));
    return icseg_add(g, icseg_attention(g, context, x, x, 1), context); /* attention to one row repeats this row */
}

icseg_value icseg_build_prompts(icseg_builder *b, const icseg_features *features) {
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    icseg_shape shape = ICSEG_SHAPE(c->prompt_tokens, c->text_width);
    icseg_graph_push(g, "prompt");
    icseg_value prompts = icseg_build_param(b, "context", shape, ICSEG_LAYOUT_PLAIN, ICSEG_INIT_NORMAL, 0.02f);
    if (c->prompt != ICSEG_PROMPT_INSTANCE)
        prompts = icseg_reshape(g, prompts, ICSEG_SHAPE(1, shape.dim[0], shape.dim[1]));
    else if (c->prompt_source == ICSEG_PROMPT_FROM_GLOBAL)
        prompts = meta_prompts(b, features->tokens, prompts);
    else
        prompts = icseg_add(g, decoded_prompts(b, features), prompts);
    icseg_graph_pop(g);
    return prompts;
}

icseg_value icseg_build_post_prompt(icseg_builder *b, icseg_value text, icseg_value tokens) {
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    int64_t batch = icseg_graph_dim(g, tokens, 0), classes = icseg_graph_dim(g, text, 1), width = c->embed_dim;
    if (icseg_graph_dim(g, text, 0) != batch)
        text = icseg_repeat(g, icseg_reshape(g, text, ICSEG_SHAPE(classes, width)), batch);
    icseg_graph_push(g, "post");
    icseg_value memory = image_memory(b, "memory_proj", tokens, c->post_width);
    icseg_graph_push(g, "text_proj");
    icseg_value x = icseg_build_linear(b, "1", icseg_build_layer_norm(b, "0", text), c->post_width, true);
    icseg_graph_pop(g);
    icseg_graph_push(g, "decoder");
    x = decoder(b, x, memory, c->post_layers, c->post_heads, NULL);
    icseg_graph_pop(g);
    icseg_graph_push(g, "out_proj");
    x = icseg_build_linear(b, "1", icseg_build_layer_norm(b, "0", x), width, true);
    icseg_graph_pop(g);
    icseg_value gamma =
        icseg_build_param(b, "gamma", ICSEG_SHAPE(width), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_CONSTANT, 1e-4f);
    text = icseg_add(g, text, icseg_scale_channels(g, x, gamma));
    icseg_graph_pop(g);
    return text;
}

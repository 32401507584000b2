/* SPDX-License-Identifier: Apache-2.0
 * Instance-conditioned prompts before the text encoder (reference: PromptLearner) and DenseCLIP's post-model prompting
 * after it (reference: PostPrompt). */
#include "model/builder.h"

/* LayerNorm, Linear, LayerNorm of the image's tokens: (B, M, C) -> (B, M, width). */
static icseg_value image_memory(icseg_builder *b, const char *name, icseg_value tokens, int64_t width) {
    icseg_graph_push(b->graph, "%s", name);
    icseg_value x = icseg_build_linear(b, "1", icseg_build_layer_norm(b, "0", tokens), width, true);
    x = icseg_build_layer_norm(b, "2", x);
    icseg_graph_pop(b->graph);
    return x;
}

static icseg_value decoder(icseg_builder *b, const char *name, int layers, icseg_value x, icseg_value memory,
                           int heads) {
    for (int i = 0; i < layers; i++) {
        icseg_graph_push(b->graph, "%s.%d", name, i);
        x = icseg_build_decoder_layer(b, x, memory, heads);
        icseg_graph_pop(b->graph);
    }
    return x;
}

icseg_value icseg_build_prompts(icseg_builder *b, icseg_value tokens) {
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    int64_t batch = icseg_graph_dim(g, tokens, 0), count = c->prompt_tokens, depth = c->text_width;
    icseg_graph_push(g, "prompt");
    icseg_value context =
        icseg_build_param(b, "context", ICSEG_SHAPE(count, depth), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_NORMAL, 0.02f);
    icseg_value prompts;
    if (c->prompt == ICSEG_PROMPT_INSTANCE) {
        int64_t width = c->prompt_width;
        icseg_value memory = image_memory(b, "memory", tokens, width);
        icseg_value query =
            icseg_build_param(b, "query", ICSEG_SHAPE(count, width), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_NORMAL, 0.02f);
        icseg_value q = decoder(b, "layers", c->prompt_layers, icseg_repeat(g, query, batch), memory, c->prompt_heads);
        icseg_graph_push(g, "out");
        q = icseg_build_layer_norm(b, "0", q);
        icseg_graph_push(g, "1"); /* starts at zero: training starts from the static prompt */
        icseg_value weight =
            icseg_build_param(b, "weight", ICSEG_SHAPE(depth, width), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_ZERO, 0);
        icseg_value bias = icseg_build_param(b, "bias", ICSEG_SHAPE(depth), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_ZERO, 0);
        q = icseg_linear(g, q, weight, bias);
        icseg_graph_pop(g);
        icseg_graph_pop(g);
        prompts = icseg_add(g, q, context);
    } else {
        prompts = icseg_reshape(g, context, ICSEG_SHAPE(1, count, depth));
    }
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
    x = decoder(b, "decoder", c->post_layers, x, memory, c->post_heads);
    icseg_graph_push(g, "out_proj");
    x = icseg_build_linear(b, "1", icseg_build_layer_norm(b, "0", x), width, true);
    icseg_graph_pop(g);
    icseg_value gamma =
        icseg_build_param(b, "gamma", ICSEG_SHAPE(width), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_CONSTANT, 1e-4f);
    text = icseg_add(g, text, icseg_scale_channels(g, x, gamma));
    icseg_graph_pop(g);
    return text;
}

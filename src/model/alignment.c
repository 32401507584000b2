/* SPDX-License-Identifier: Apache-2.0
 * Multi-scale alignment: a score map (the cosine of each position's vector with each class embedding) at every aligned
 * stride (reference: ICPC.forward). */
#include <stdio.h>

#include "model/builder.h"

/* v (B, h, w, D), t (Bt, K, D) normalised -> (B, h, w, K); *unit, unless NULL: v normalised, (B, h, w, D). */
static icseg_value score_map(icseg_graph *g, icseg_value v, icseg_value t, icseg_value *unit) {
    int64_t batch = icseg_graph_dim(g, v, 0), h = icseg_graph_dim(g, v, 1), w = icseg_graph_dim(g, v, 2);
    int64_t width = icseg_graph_dim(g, v, 3);
    icseg_value rows = icseg_normalize(g, icseg_reshape(g, v, ICSEG_SHAPE(batch, h * w, width)));
    if (unit) *unit = icseg_reshape(g, rows, ICSEG_SHAPE(batch, h, w, width));
    return icseg_reshape(g, icseg_similarity(g, rows, t), ICSEG_SHAPE(batch, h, w, icseg_graph_dim(g, t, 1)));
}

/* x (B, h, w, K) resized to the height and width of `as`. */
static icseg_value resized_as(icseg_graph *g, icseg_value x, icseg_value as) {
    int64_t h = icseg_graph_dim(g, as, 1), w = icseg_graph_dim(g, as, 2);
    if (icseg_graph_dim(g, x, 1) == h && icseg_graph_dim(g, x, 2) == w) return x;
    return icseg_resize_bilinear(g, x, h, w);
}

/* tokens -> the positions' embeddings as a map of the embedding level, (B, h, w, C) */
static icseg_value embedding_map(icseg_builder *b, const icseg_features *features) {
    int64_t batch = icseg_graph_dim(b->graph, features->tokens, 0), h = features->height, w = features->width;
    icseg_value v = icseg_slice(b->graph, features->tokens, 1, 1, h * w);
    return icseg_reshape(b->graph, v, ICSEG_SHAPE(batch, h, w, b->config->embed_dim));
}

/* Score maps from projections of each level's features, and of the text. */
static void align_levels(icseg_builder *b, const icseg_features *features, icseg_value text,
                         icseg_value score[ICSEG_LEVELS]) {
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    icseg_value small_text = ICSEG_NONE; /* the text at align_dim, shared by the strides */
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        if (!c->align[i] || i == icseg_config_embed_level(c)) continue;
        if (small_text == ICSEG_NONE)
            small_text = icseg_normalize(g, icseg_build_linear(b, "text", text, c->align_dim, false));
        char name[32];
        snprintf(name, sizeof name, "visual.%d", 4 << i);
        icseg_value v = icseg_build_conv(b, name, features->level[i], c->align_dim, 1, 1, 0, false);
        score[i] = score_map(g, v, small_text, NULL);
    }
}

/* v resized to the level's map, plus a 1x1 convolution of its features that starts at zero. */
static icseg_value refine(icseg_builder *b, const icseg_features *features, int level, icseg_value v) {
    icseg_graph *g = b->graph;
    icseg_value x = features->level[level];
    int64_t channels = icseg_graph_dim(g, x, 3), width = b->config->embed_dim;
    icseg_graph_push(g, "visual.%d", 4 << level);
    icseg_value weight =
        icseg_build_param(b, "weight", ICSEG_SHAPE(width, channels, 1, 1), ICSEG_LAYOUT_OIHW, ICSEG_INIT_CONSTANT, 0);
    x = icseg_conv2d(g, x, weight, ICSEG_NONE, 1, 0);
    icseg_graph_pop(g);
    return icseg_add(g, x, resized_as(g, v, x));
}

/* Score maps from embeddings that each level refines: from the embedding level to finer ones, and to coarser ones. */
static void align_embeddings(icseg_builder *b, const icseg_features *features, icseg_value unit_text,
                             icseg_value score[ICSEG_LEVELS]) {
    const int embed = icseg_config_embed_level(b->config);
    for (int step = -1; step <= 1; step += 2) {
        icseg_value v = embedding_map(b, features);
        for (int i = embed + step; i >= 0 && i < ICSEG_LEVELS; i += step) {
            if (!b->config->align[i]) continue;
            v = refine(b, features, i, v);
            score[i] = score_map(b->graph, v, unit_text, NULL);
        }
    }
}

void icseg_build_alignment(icseg_builder *b, const icseg_features *features, icseg_value text,
                           icseg_value score[ICSEG_LEVELS], icseg_value *positions) {
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    const int embed = icseg_config_embed_level(c);
    for (int i = 0; i < ICSEG_LEVELS; i++) score[i] = ICSEG_NONE;
    if (!c->align[embed]) return;
    icseg_graph_push(g, "align");
    icseg_value unit_text = icseg_normalize(g, text);
    if (c->align_source == ICSEG_ALIGN_FROM_EMBEDDINGS)
        align_embeddings(b, features, unit_text, score);
    else
        align_levels(b, features, text, score);
    score[embed] = score_map(g, embedding_map(b, features), unit_text, positions);
    icseg_graph_pop(g);
}

/* The score maps are summed from the coarsest to the finest, each sum resized to the next map. */
icseg_value icseg_build_score_logits(icseg_builder *b, icseg_value logits, const icseg_value score[ICSEG_LEVELS]) {
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    icseg_value sum = ICSEG_NONE;
    int count = 0;
    for (int i = ICSEG_LEVELS - 1; i >= 0; i--) {
        if (score[i] == ICSEG_NONE) continue;
        if (count++ == 0)
            sum = score[i];
        else
            sum = icseg_add(g, score[i], resized_as(g, sum, score[i]));
    }
    float factor = (float)(c->score_logits / c->tau / count);
    return icseg_add(g, logits, icseg_build_scaled(b, "score_logits", resized_as(g, sum, logits), factor));
}

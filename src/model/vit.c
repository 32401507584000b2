/* SPDX-License-Identifier: Apache-2.0
 * CLIP's VisionTransformer, for an image's embedding or for feature maps at strides of patch / 4, patch / 2, patch and
 * 2 patch pixels (reference: ViT). */
#include <math.h>

#include "model/builder.h"
#include "model/config.h"

/* Block output (B, 1 + hw, W) -> the level's map. */
static icseg_value feature_map(icseg_builder *b, int level, icseg_value t, int64_t h, int64_t w) {
    icseg_graph *g = b->graph;
    int64_t batch = icseg_graph_dim(g, t, 0), width = icseg_graph_dim(g, t, 2);
    icseg_value x = icseg_reshape(g, icseg_slice(g, t, 1, 1, h * w), ICSEG_SHAPE(batch, h, w, width));
    if (level == 2) return icseg_build_group_norm(b, "fpn3", x);
    icseg_graph_push(g, "fpn%d", level + 1);
    x = icseg_build_group_norm(b, "0", x);
    if (level <= 1) x = icseg_build_conv_transpose(b, "1", x, width);
    if (level == 0) {
        x = icseg_gelu(g, icseg_build_batch_norm(b, "2", x, false));
        x = icseg_build_conv_transpose(b, "4", x, width);
    }
    if (level == 3) x = icseg_max_pool(g, x, 2);
    icseg_graph_pop(g);
    return x;
}

static float initial_scale(const icseg_config *c) { return 1 / sqrtf((float)c->vit_width); }

/* image (B, H, W, 3) -> the input of the blocks, (B, 1 + h * w, W). */
static icseg_value embed_patches(icseg_builder *b, icseg_value image, int64_t *rows_out, int64_t *columns_out) {
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    int64_t width = c->vit_width, batch = icseg_graph_dim(g, image, 0);
    icseg_value x = icseg_build_conv(b, "conv1", image, width, c->vit_patch, c->vit_patch, 0, false);
    int64_t h = *rows_out = icseg_graph_dim(g, x, 1), w = *columns_out = icseg_graph_dim(g, x, 2);
    icseg_value global = icseg_build_param(b, "class_embedding", ICSEG_SHAPE(width), ICSEG_LAYOUT_PLAIN,
                                           ICSEG_INIT_NORMAL, initial_scale(c));
    icseg_value rows[] = {icseg_reshape(g, icseg_repeat(g, global, batch), ICSEG_SHAPE(batch, 1, width)),
                          icseg_reshape(g, x, ICSEG_SHAPE(batch, h * w, width))};
    icseg_value t = icseg_add(g, icseg_concat(g, 2, rows, 1), icseg_build_positions(b, h, w, width));
    return icseg_build_layer_norm(b, "ln_pre", t);
}

/* With `row`, only that row leaves the block. */
static icseg_value block(icseg_builder *b, int index, icseg_value t, float drop, const int32_t *row) {
    const icseg_config *c = b->config;
    icseg_tower tower = {.heads = c->vit_heads, .mlp_width = icseg_config_vit_mlp_width(c)};
    icseg_graph_push(b->graph, "transformer");
    t = icseg_build_block(b, index, t, &tower, drop, row ? 1 : 0, row);
    icseg_graph_pop(b->graph);
    return t;
}

/* t (B, L, W) -> (B, L, C) */
static icseg_value project(icseg_builder *b, icseg_value t) {
    const icseg_config *c = b->config;
    icseg_value proj = icseg_build_param(b, "proj", ICSEG_SHAPE(c->vit_width, c->embed_dim), ICSEG_LAYOUT_PLAIN,
                                         ICSEG_INIT_NORMAL, initial_scale(c));
    return icseg_project(b->graph, icseg_build_layer_norm(b, "ln_post", t), proj);
}

icseg_value icseg_build_vit_embedding(icseg_builder *b, icseg_value image) {
    static const int32_t class_row = 0;
    int32_t last = b->config->vit_layers - 1;
    int64_t h, w;
    icseg_graph_push(b->graph, "visual");
    icseg_value t = embed_patches(b, image, &h, &w);
    for (int i = 0; i <= last; i++) t = block(b, i, t, 0, i == last ? &class_row : NULL);
    t = project(b, t);
    icseg_graph_pop(b->graph);
    return t;
}

/* The last block in which positions keep to themselves: t (B, 1 + h * w, W) -> (B, h * w, W). */
static icseg_value dense_block(icseg_builder *b, icseg_value t, int64_t h, int64_t w, const icseg_dense_block *how) {
    icseg_graph_push(b->graph, "transformer");
    t = icseg_build_dense_block(b, b->config->vit_layers - 1, t, b->config->vit_heads, h, w, how);
    icseg_graph_pop(b->graph);
    return t;
}

icseg_features icseg_build_vit(icseg_builder *b, icseg_value image) {
    static const icseg_dense_block values = {.attention = ICSEG_DENSE_VALUES, .whole = true};
    const icseg_config *c = b->config;
    icseg_features out;
    icseg_graph_push(b->graph, "visual");
    icseg_value t = embed_patches(b, image, &out.height, &out.width), before = t;
    for (int i = 0, level = 0; i < c->vit_layers; i++) {
        float drop = c->vit_layers > 1 ? (float)(c->vit_drop_path * i / (c->vit_layers - 1)) : 0;
        before = t;
        t = block(b, i, t, drop, NULL);
        if (level < ICSEG_LEVELS && c->vit_taps[level] == i) {
            out.level[level] = feature_map(b, level, t, out.height, out.width);
            level++;
        }
    }
    if (c->dense_embeddings == ICSEG_DENSE_EMBEDDINGS_VALUES) {
        icseg_value rows[] = {icseg_slice(b->graph, t, 1, 0, 1),
                              dense_block(b, before, out.height, out.width, &values)};
        t = icseg_concat(b->graph, 2, rows, 1);
    }
    out.tokens = project(b, t);
    icseg_graph_pop(b->graph);
    return out;
}

icseg_value icseg_build_vit_dense(icseg_builder *b, icseg_value image, const icseg_dense_block *how) {
    int32_t last = b->config->vit_layers - 1;
    int64_t h, w;
    icseg_graph_push(b->graph, "visual");
    icseg_value t = embed_patches(b, image, &h, &w);
    for (int i = 0; i < last; i++) t = block(b, i, t, 0, NULL);
    t = project(b, dense_block(b, t, h, w, how));
    icseg_graph_pop(b->graph);
    return t;
}

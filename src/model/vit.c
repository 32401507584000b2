/* SPDX-License-Identifier: Apache-2.0
 * CLIP's VisionTransformer with four taps, brought to strides 4, 8, 16, 32 (reference: ViT). */
#include <math.h>

#include "model/builder.h"

/* Block output (B, 1 + hw, W) -> the level's map. */
static icseg_value tap(icseg_builder *b, int level, icseg_value t, int64_t h, int64_t w) {
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

icseg_features icseg_build_vit(icseg_builder *b, icseg_value image) {
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    int64_t width = c->vit_width, batch = icseg_graph_dim(g, image, 0);
    float scale = 1 / sqrtf((float)width);
    icseg_features out;
    icseg_graph_push(g, "visual");
    icseg_value x = icseg_build_conv(b, "conv1", image, width, c->vit_patch, c->vit_patch, 0, false);
    int64_t h = icseg_graph_dim(g, x, 1), w = icseg_graph_dim(g, x, 2);
    icseg_value global =
        icseg_build_param(b, "class_embedding", ICSEG_SHAPE(width), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_NORMAL, scale);
    icseg_value rows[] = {icseg_reshape(g, icseg_repeat(g, global, batch), ICSEG_SHAPE(batch, 1, width)),
                          icseg_reshape(g, x, ICSEG_SHAPE(batch, h * w, width))};
    icseg_value t = icseg_add(g, icseg_concat(g, 2, rows, 1), icseg_build_positions(b, h, w, width));
    t = icseg_build_layer_norm(b, "ln_pre", t);
    for (int i = 0, level = 0; i < c->vit_layers; i++) {
        float drop = c->vit_layers > 1 ? (float)(c->vit_drop_path * i / (c->vit_layers - 1)) : 0;
        icseg_graph_push(g, "transformer");
        t = icseg_build_block(b, i, t, c->vit_heads, NULL, drop, 0, NULL);
        icseg_graph_pop(g);
        if (level < ICSEG_LEVELS && c->vit_taps[level] == i) {
            out.level[level] = tap(b, level, t, h, w);
            level++;
        }
    }
    icseg_value proj =
        icseg_build_param(b, "proj", ICSEG_SHAPE(width, c->embed_dim), ICSEG_LAYOUT_PLAIN, ICSEG_INIT_NORMAL, scale);
    out.tokens = icseg_project(g, icseg_build_layer_norm(b, "ln_post", t), proj);
    icseg_graph_pop(g);
    return out;
}

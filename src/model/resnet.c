/* SPDX-License-Identifier: Apache-2.0
 * CLIP's ModifiedResNet: three-convolution stem, strides by average pooling, an attention pool queried at every
 * position (reference: ResNet, Bottleneck, AttentionPool). */
#include <math.h>

#include "model/builder.h"

static icseg_value bottleneck(icseg_builder *b, icseg_value x, int64_t planes, int stride) {
    icseg_graph *g = b->graph;
    icseg_value y = icseg_build_batch_norm(b, "bn1", icseg_build_conv(b, "conv1", x, planes, 1, 1, 0, false), true);
    y = icseg_build_batch_norm(b, "bn2", icseg_build_conv(b, "conv2", y, planes, 3, 1, 1, false), true);
    if (stride > 1) y = icseg_avg_pool(g, y, stride);
    y = icseg_build_batch_norm(b, "bn3", icseg_build_conv(b, "conv3", y, planes * 4, 1, 1, 0, false), false);
    if (stride > 1 || icseg_graph_dim(g, x, -1) != planes * 4) {
        icseg_graph_push(g, "downsample");
        if (stride > 1) x = icseg_avg_pool(g, x, stride);
        x = icseg_build_batch_norm(b, "1", icseg_build_conv(b, "0", x, planes * 4, 1, 1, 0, false), false);
        icseg_graph_pop(g);
    }
    return icseg_graph_boundary(g, icseg_relu(g, icseg_add(g, y, x)));
}

icseg_value icseg_build_positions(icseg_builder *b, int64_t h, int64_t w, int64_t width) {
    icseg_graph *g = b->graph;
    int64_t side = b->config->pos_grid;
    icseg_value stored = icseg_build_param(b, "positional_embedding", ICSEG_SHAPE(side * side + 1, width),
                                           ICSEG_LAYOUT_PLAIN, ICSEG_INIT_NORMAL, 1 / sqrtf((float)width));
    if (h == side && w == side) return stored;
    icseg_value grid = icseg_slice(g, stored, 0, 1, side * side);
    grid = icseg_reshape(g, grid, ICSEG_SHAPE(1, side, side, width));
    if (b->dino_positions)
        grid = icseg_resize_bicubic(g, grid, h, w, ((double)h + 0.1) / (double)side, ((double)w + 0.1) / (double)side);
    else
        grid = icseg_resize_bilinear(g, grid, h, w);
    icseg_value rows[] = {icseg_slice(g, stored, 0, 0, 1), icseg_reshape(g, grid, ICSEG_SHAPE(h * w, width))};
    return icseg_concat(g, 2, rows, 0);
}

/* x (B, h, w, W) -> (B, 1 + hw, C); with `global`, only the first row: (B, 1, C) */
static icseg_value attention_pool(icseg_builder *b, icseg_value x, bool global) {
    icseg_graph *g = b->graph;
    int64_t batch = icseg_graph_dim(g, x, 0), h = icseg_graph_dim(g, x, 1), w = icseg_graph_dim(g, x, 2);
    int64_t width = icseg_graph_dim(g, x, 3);
    icseg_graph_push(g, "attnpool");
    x = icseg_reshape(g, x, ICSEG_SHAPE(batch, h * w, width));
    icseg_value rows[] = {icseg_mean_rows(g, x), x};
    icseg_value t = icseg_add(g, icseg_concat(g, 2, rows, 1), icseg_build_positions(b, h, w, width));
    icseg_value q = icseg_build_linear(b, "q_proj", global ? icseg_slice(g, t, 1, 0, 1) : t, width, true);
    icseg_value k = icseg_build_linear(b, "k_proj", t, width, true);
    icseg_value v = icseg_build_linear(b, "v_proj", t, width, true);
    icseg_value y = icseg_attention(g, q, k, v, (int)(width / 64));
    y = icseg_build_linear(b, "c_proj", y, b->config->embed_dim, true);
    icseg_graph_pop(g);
    return y;
}

/* Stem and stages; level (4) gets the stages' outputs. */
static void stages(icseg_builder *b, icseg_value image, icseg_value *level) {
    static const char *const conv[] = {"conv1", "conv2", "conv3"}, *const bn[] = {"bn1", "bn2", "bn3"};
    icseg_graph *g = b->graph;
    int64_t width = b->config->resnet_width;
    icseg_value x = image;
    for (int i = 0; i < 3; i++) {
        x = icseg_build_conv(b, conv[i], x, i < 2 ? width / 2 : width, 3, i == 0 ? 2 : 1, 1, false);
        x = icseg_build_batch_norm(b, bn[i], x, true);
    }
    x = icseg_graph_boundary(g, icseg_avg_pool(g, x, 2));
    for (int stage = 0; stage < 4; stage++) {
        for (int block = 0; block < b->config->resnet_layers[stage]; block++) {
            icseg_graph_push(g, "layer%d.%d", stage + 1, block);
            x = bottleneck(b, x, width << stage, stage > 0 && block == 0 ? 2 : 1);
            icseg_graph_pop(g);
        }
        level[stage] = x;
    }
}

icseg_value icseg_build_resnet_embedding(icseg_builder *b, icseg_value image) {
    icseg_value level[ICSEG_LEVELS];
    icseg_graph_push(b->graph, "visual");
    stages(b, image, level);
    icseg_value embedding = attention_pool(b, level[ICSEG_LEVELS - 1], true);
    icseg_graph_pop(b->graph);
    return embedding;
}

/* x (B, h, w, W) -> the attention pool's values, without positions: (B, h * w, C) */
static icseg_value pool_values(icseg_builder *b, icseg_value x) {
    icseg_graph *g = b->graph;
    int64_t width = icseg_graph_dim(g, x, 3);
    icseg_graph_push(g, "attnpool");
    x = icseg_reshape(
        g, x, ICSEG_SHAPE(icseg_graph_dim(g, x, 0), icseg_graph_dim(g, x, 1) * icseg_graph_dim(g, x, 2), width));
    x = icseg_build_linear(b, "c_proj", icseg_build_linear(b, "v_proj", x, width, true), b->config->embed_dim, true);
    icseg_graph_pop(g);
    return x;
}

icseg_features icseg_build_resnet(icseg_builder *b, icseg_value image) {
    icseg_features out = {0};
    bool values = b->config->dense_embeddings == ICSEG_DENSE_EMBEDDINGS_VALUES;
    icseg_graph_push(b->graph, "visual");
    stages(b, image, out.level);
    icseg_value last = out.level[ICSEG_LEVELS - 1];
    out.tokens = attention_pool(b, last, values);
    if (values) {
        icseg_value rows[] = {out.tokens, pool_values(b, last)};
        out.tokens = icseg_concat(b->graph, 2, rows, 1);
    }
    out.height = icseg_graph_dim(b->graph, last, 1);
    out.width = icseg_graph_dim(b->graph, last, 2);
    icseg_graph_pop(b->graph);
    return out;
}

icseg_value icseg_build_resnet_dense(icseg_builder *b, icseg_value image, const icseg_dense_block *how) {
    icseg_value level[ICSEG_LEVELS], out;
    icseg_graph_push(b->graph, "visual");
    stages(b, image, level);
    icseg_value x = level[ICSEG_LEVELS - 1];
    if (how->attention == ICSEG_DENSE_VALUES) {
        out = pool_values(b, x);
    } else {
        int64_t positions = icseg_graph_dim(b->graph, x, 1) * icseg_graph_dim(b->graph, x, 2);
        out = icseg_slice(b->graph, attention_pool(b, x, false), 1, 1, positions);
    }
    icseg_graph_pop(b->graph);
    return out;
}

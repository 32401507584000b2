/* SPDX-License-Identifier: Apache-2.0
 * FPN neck and Semantic FPN head; parameter names follow mmsegmentation (reference: SemanticFPN). */
#include "model/builder.h"

static icseg_value neck_conv(icseg_builder *b, const char *list, int index, icseg_value x, int kernel) {
    icseg_graph_push(b->graph, "%s.%d", list, index);
    x = icseg_build_conv(b, "conv", x, b->config->fpn_dim, kernel, 1, kernel / 2, true);
    icseg_graph_pop(b->graph);
    return x;
}

static icseg_value upsample_2x(icseg_graph *g, icseg_value x) {
    return icseg_resize_bilinear(g, x, 2 * icseg_graph_dim(g, x, 1), 2 * icseg_graph_dim(g, x, 2));
}

/* One scale: convolution, batch norm, ReLU, and x2 bilinear upsampling until stride 4, except the last upsampling. */
static icseg_value scale_head(icseg_builder *b, int level, icseg_value x) {
    icseg_graph *g = b->graph;
    for (int i = 0; i < (level > 0 ? level : 1); i++) {
        if (i > 0) x = icseg_graph_boundary(g, upsample_2x(g, x));
        icseg_graph_push(g, "scale_heads.%d.%d", level, level > 0 ? 2 * i : 0);
        x = icseg_build_conv(b, "conv", x, b->config->fpn_dim, 3, 1, 1, false);
        x = icseg_build_batch_norm(b, "bn", x, true);
        icseg_graph_pop(g);
    }
    return x;
}

static bool same_shape(const icseg_graph *g, icseg_value a, icseg_value b) {
    return icseg_graph_dim(g, a, 1) == icseg_graph_dim(g, b, 1) && icseg_graph_dim(g, a, 2) == icseg_graph_dim(g, b, 2);
}

/* sum + the last upsampling of x */
static icseg_value add_upsampled(icseg_graph *g, icseg_value sum, icseg_value x) {
    x = upsample_2x(g, x);
    if (!same_shape(g, x, sum)) x = icseg_resize_bilinear(g, x, icseg_graph_dim(g, sum, 1), icseg_graph_dim(g, sum, 2));
    return icseg_add(g, sum, x);
}

/* The sum of all scales. Upsampling is linear, so maps of equal size are summed before it. */
static icseg_value sum_scales(icseg_builder *b, const icseg_value x[ICSEG_LEVELS]) {
    icseg_graph *g = b->graph;
    icseg_value sum = scale_head(b, 0, x[0]), half = ICSEG_NONE;
    for (int i = 1; i < ICSEG_LEVELS; i++) {
        icseg_value y = scale_head(b, i, x[i]);
        if (half != ICSEG_NONE && same_shape(g, half, y)) {
            half = icseg_add(g, half, y);
            continue;
        }
        if (half != ICSEG_NONE) sum = add_upsampled(g, sum, half);
        half = y;
    }
    return half == ICSEG_NONE ? sum : add_upsampled(g, sum, half);
}

icseg_value icseg_build_decoder(icseg_builder *b, const icseg_value level[ICSEG_LEVELS]) {
    icseg_graph *g = b->graph;
    icseg_value x[ICSEG_LEVELS];
    icseg_graph_push(g, "decoder");
    icseg_graph_push(g, "neck");
    for (int i = 0; i < ICSEG_LEVELS; i++) x[i] = neck_conv(b, "lateral_convs", i, level[i], 1);
    for (int i = ICSEG_LEVELS - 1; i > 0; i--) {
        int64_t h = icseg_graph_dim(g, x[i - 1], 1), w = icseg_graph_dim(g, x[i - 1], 2);
        x[i - 1] = icseg_add(g, x[i - 1], icseg_resize_nearest(g, x[i], h, w));
    }
    for (int i = 0; i < ICSEG_LEVELS; i++) x[i] = icseg_graph_boundary(g, neck_conv(b, "fpn_convs", i, x[i], 3));
    icseg_graph_pop(g);

    icseg_graph_push(g, "head");
    icseg_value sum = icseg_graph_boundary(g, sum_scales(b, x));
    sum = icseg_dropout(g, sum, (float)b->config->dropout, ICSEG_DROPOUT_CHANNEL);
    icseg_value logits = icseg_build_conv(b, "conv_seg", sum, b->config->num_classes, 1, 1, 0, true);
    icseg_graph_pop(g);
    icseg_graph_pop(g);
    return logits;
}

/* SPDX-License-Identifier: Apache-2.0
 * The builders, one function per operator. They take and return values of the same graph, f32 unless stated otherwise.
 * If shapes do not fit, the graph fails with a message that contains them. */
#ifndef ICSEG_GRAPH_OPS_H
#define ICSEG_GRAPH_OPS_H

#include "graph/graph.h"

/* -- linear algebra (compute/) */

/* x (B, H, W, I), weight (O, kh, kw, I), bias (O) or ICSEG_NONE -> (B, H', W', O), H' = (H + 2 padding - kh) / stride
 * + 1. */
icseg_value icseg_conv2d(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias, int stride, int padding);
/* Kernel 2, stride 2: x (B, H, W, I), weight (2, 2, O, I), bias (O) or ICSEG_NONE -> (B, 2H, 2W, O). */
icseg_value icseg_conv_transpose2x2(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias);
/* x (..., I), weight (O, I), bias (O) or ICSEG_NONE -> x W^T + b (..., O): PyTorch's Linear. */
icseg_value icseg_linear(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias);
/* x (..., I), weight (I, O) -> x W (..., O): CLIP's projections. */
icseg_value icseg_project(icseg_graph *g, icseg_value x, icseg_value weight);
/* a (B, M, C), b (B, N, C) or (1, N, C) for all images -> a b^T (B, M, N). */
icseg_value icseg_similarity(icseg_graph *g, icseg_value a, icseg_value b);

/* -- attention: softmax(q k^T / sqrt(width / heads)) v per head; probabilities are never stored, and the backward pass
 * recomputes them block by block */

/* q (B, Lq, W), k and v (B, Lk, W) -> (B, Lq, W). */
icseg_value icseg_attention(icseg_graph *g, icseg_value q, icseg_value k, icseg_value v, int heads);
/* The queries are the positions of a grid, row by row, and so are the last keys; other keys come before them. A query
 * and a key of the grid at distance d, in positions, have exp(-d^2 / (2 deviation^2)) added to their scaled score. */
typedef struct icseg_attention_grid {
    int64_t rows, columns; /* 0 rows: no grid */
    double deviation;
} icseg_attention_grid;
icseg_value icseg_grid_attention(icseg_graph *g, icseg_value q, icseg_value k, icseg_value v, int heads,
                                 icseg_attention_grid grid);
/* qkv (B, L, 3W): [q | k | v] in the last axis, the output of one linear layer -> (B, L, W). */
icseg_value icseg_attention_packed(icseg_graph *g, icseg_value qkv, int heads);
/* q (B, Lq, W), k (B, Lk, W) -> the probabilities softmax(q k^T / sqrt(width / heads)), the mean over heads: (B, Lq,
 * Lk). No gradient. */
icseg_value icseg_attention_weights(icseg_graph *g, icseg_value q, icseg_value k, int heads);
/* Shared-prefix causal attention (docs/method.md 2). qkv (B, L, 3W), L = prefix + sum of lengths: rows 0 .. prefix-1
 * attend causally to the prefix; then `count` segments of lengths[i] rows, each attending to the whole prefix and
 * causally to its own rows. lengths is copied. -> (B, L, W). Plain C. */
icseg_value icseg_segment_attention(icseg_graph *g, icseg_value qkv, int heads, int prefix, int count,
                                    const int32_t *lengths);

/* -- normalisation */

typedef struct icseg_batch_norm_options {
    float eps, momentum;   /* 1e-5, 0.1 */
    bool batch_statistics; /* normalise with the batch's statistics and update the running ones; else use the running
                              ones */
    bool relu;             /* max(0, .) of the result, fused */
    bool synchronised;     /* the batch is that of all processes of the group that runs the graph */
} icseg_batch_norm_options;
/* x (..., C); weight, bias, running_mean, running_var (C) -> (..., C). The running variance uses the unbiased
 * estimate. */
icseg_value icseg_batch_norm(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias,
                             icseg_value running_mean, icseg_value running_var, icseg_batch_norm_options options);
/* Over the last axis; weight, bias (C). */
icseg_value icseg_layer_norm(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias, float eps);
/* GroupNorm with one group: over everything but the batch axis; x (B, ..., C), weight, bias (C). */
icseg_value icseg_group_norm(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias, float eps);
/* Rows of the last axis divided by max(their L2 norm, 1e-12). */
icseg_value icseg_normalize(icseg_graph *g, icseg_value x);

/* -- pointwise */

icseg_value icseg_relu(icseg_graph *g, icseg_value x);
icseg_value icseg_quick_gelu(icseg_graph *g, icseg_value x); /* x sigmoid(1.702 x) */
icseg_value icseg_gelu(icseg_graph *g, icseg_value x);       /* exact: x (1 + erf(x / sqrt 2)) / 2 */
/* b has a's shape, or a shape that is a suffix of it (broadcast over the leading axes) -> a's shape. */
icseg_value icseg_add(icseg_graph *g, icseg_value a, icseg_value b);
/* x (..., C) times gamma (C). */
icseg_value icseg_scale_channels(icseg_graph *g, icseg_value x, icseg_value gamma);

typedef enum icseg_dropout_mode {
    ICSEG_DROPOUT_ELEMENT, /* each element independently */
    ICSEG_DROPOUT_CHANNEL, /* x (B, ..., C): whole channels of a sample (Dropout2d) */
    ICSEG_DROPOUT_SAMPLE   /* x (B, ...): whole samples (stochastic depth) */
} icseg_dropout_mode;
/* Zero with probability p, else x / (1 - p). The mask is a function of (seed, step, node): nothing is stored, and the
 * gradient applies the same mask. Returns x itself when p == 0 or the graph is not a training graph. */
icseg_value icseg_dropout(icseg_graph *g, icseg_value x, float p, icseg_dropout_mode mode);

/* -- shape and space */

icseg_value icseg_reshape(icseg_graph *g, icseg_value x, icseg_shape shape); /* a view: no copy */
icseg_value icseg_concat(icseg_graph *g, int count, const icseg_value *values, int axis);
icseg_value icseg_slice(icseg_graph *g, icseg_value x, int axis, int64_t begin, int64_t length);
icseg_value icseg_repeat(icseg_graph *g, icseg_value x, int64_t count); /* x S -> (count, S...) */
/* table (R, C), ids[count] < R; copied -> (count, C). No gradient: for frozen tables. */
icseg_value icseg_embedding(icseg_graph *g, icseg_value table, int count, const int32_t *ids);
/* table (R, C), ids (S...) of I32, an input of the graph -> (S..., C). A run with an id outside of the table fails with
 * ICSEG_ERROR_ARGUMENT. */
icseg_value icseg_lookup(icseg_graph *g, icseg_value table, icseg_value ids);
/* x (B, L, C), rows[count] < L, strictly ascending; copied -> (B, count, C). */
icseg_value icseg_gather_rows(icseg_graph *g, icseg_value x, int count, const int32_t *rows);
/* x (B, L, C) -> (B, count, C): means of sizes[0] rows, the next sizes[1] rows, ...; L is their sum. */
icseg_value icseg_group_mean(icseg_graph *g, icseg_value x, int count, const int32_t *sizes);
icseg_value icseg_mean_rows(icseg_graph *g, icseg_value x);          /* x (B, L, C) -> (B, 1, C) */
icseg_value icseg_avg_pool(icseg_graph *g, icseg_value x, int size); /* x (B, H, W, C), stride = size, floor */
/* The same windows; the gradient goes to the first maximum. */
icseg_value icseg_max_pool(icseg_graph *g, icseg_value x, int size);
/* x (B, h, w, C) -> (B, H, W, C). Bilinear: half-pixel centres, edges clamped (align_corners=False). Nearest:
 * PyTorch's 'nearest', source = floor(i * (float)h / H). */
icseg_value icseg_resize_bilinear(icseg_graph *g, icseg_value x, int64_t height, int64_t width);
icseg_value icseg_resize_nearest(icseg_graph *g, icseg_value x, int64_t height, int64_t width);

/* Bicubic (a = -0.75, edges clamped), as PyTorch's interpolate(scale_factor=(scale_y, scale_x)) does without
 * recomputing the factors: output i reads around (i + 0.5) / scale - 0.5. No gradient. */
icseg_value icseg_resize_bicubic(icseg_graph *g, icseg_value x, int64_t height, int64_t width, double scale_y,
                                 double scale_x);

/* -- losses and predictions; labels are I16 (B, H, W), ICSEG_LABEL_IGNORE = -1 */

typedef struct icseg_cross_entropy_options {
    float scale, weight;
    float smoothing;   /* label smoothing, in [0, 1): this share of the target is spread evenly over all classes */
    float gamma;       /* focal loss: the factor (1 - p)^gamma of a label of probability p; 0: 1. Not with smoothing */
    float mined_below; /* only pixels whose label has a lower probability count; 0: all */
    int64_t mined_least; /* but about this many of an image, the hardest ones, always count */
} icseg_cross_entropy_options;
/* weight * mean over labelled pixels of the cross-entropy of `scale * logits` upsampled bilinearly to (H, W). logits
 * (B, h, w, K) -> (1). class_weight (K) or ICSEG_NONE: weighs pixels by their label, also in the mean, and with
 * smoothing the classes (PyTorch's cross_entropy). No tensor of size H * W * K exists. Without a labelled pixel the
 * loss is 0 (PyTorch returns NaN). */
icseg_value icseg_upsampled_cross_entropy(icseg_graph *g, icseg_value logits, icseg_value labels,
                                          icseg_value class_weight, icseg_cross_entropy_options options);
/* weight * (1 - the mean over the classes c of the labels of 2 sum of p_c y_c / (sum of p_c + sum of y_c)); sums over
 * the labelled pixels of the batch, p: softmax of the logits upsampled bilinearly, y_c: 1 where the label is c, else 0.
 * logits (B, h, w, K) -> (1); 0 without a labelled pixel. */
icseg_value icseg_dice_loss(icseg_graph *g, icseg_value logits, icseg_value labels, float weight);
/* weight * the mean over the classes c of the labels of the Lovasz extension of the Jaccard loss (arXiv 1705.08790) at
 * |y_c - p_c| of the labelled pixels. Shapes as above. A group of processes is refused. */
icseg_value icseg_lovasz_loss(icseg_graph *g, icseg_value logits, icseg_value labels, float weight);
typedef struct icseg_contrast_options {
    float tau, weight;
    int32_t positives, negatives;
    bool text_anchors, image_anchors; /* at least one; both: the mean of two losses */
    int32_t part; /* positives and negatives are random ones of the hardest 1 / part; 0: the hardest */
} icseg_contrast_options;
/* The align-guided contrastive loss (docs/method.md): score (B, h, w, K) -> (1); 0 without pairs. With a memory (K, M,
 * C) of unit vectors, an empty entry being zero, and memory_score (B, K, K * M), the classes' scores with its entries,
 * these are further positives and negatives of the text's anchors. Without one, both are ICSEG_NONE. */
icseg_value icseg_align_contrast(icseg_graph *g, icseg_value score, icseg_value labels, icseg_value memory_score,
                                 icseg_value memory, icseg_contrast_options options);
/* v (B, h, w, C), memory (K, M, C), a parameter -> the memory as it was before, (K * M, C), without a gradient. A
 * training graph then puts the mean of v over each class of each image first in the class's list, at unit length, so
 * that the oldest entry leaves it. */
icseg_value icseg_class_memory(icseg_graph *g, icseg_value v, icseg_value labels, icseg_value memory);
/* CLIP's loss: similarity (1, N, N) of N images (rows) and their N texts (columns), log_scale (1) -> (1): the mean
 * cross-entropy of rows and columns of exp(log_scale) * similarity, in which the diagonal is right. */
icseg_value icseg_clip_contrast(icseg_graph *g, icseg_value similarity, icseg_value log_scale);
/* logits (B, h, w, K) upsampled bilinearly to (H, W) -> out[0]: the class with the largest logit (the lowest index
 * among equals), I16 (B, H, W); out[1]: its softmax probability, f32 (B, H, W), if `confidence`, else ICSEG_NONE. */
void icseg_upsampled_argmax(icseg_graph *g, icseg_value logits, int64_t height, int64_t width, bool confidence,
                            icseg_value out[2]);

#endif

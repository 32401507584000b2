/* SPDX-License-Identifier: Apache-2.0
 * The whole model (reference: ICPC.forward, ICPC.losses). */
#include "model/network.h"

#include <stdio.h>

#include "graph/passes/fuse.h"
#include "graph/passes/precision.h"
#include "graph/passes/quantize.h"
#include "graph/passes/recompute.h"
#include "graph/passes/split_joined.h"
#include "graph/passes/autodiff.h"

bool icseg_network_text_is_fixed(const icseg_config *config) { return config->prompt != ICSEG_PROMPT_INSTANCE; }

/* features: of the images, unless the text is fixed */
static icseg_value build_text(icseg_builder *b, const icseg_features *features, const icseg_texts *texts) {
    bool learnt = b->config->prompt != ICSEG_PROMPT_TEMPLATE;
    return icseg_build_class_text(b, learnt ? icseg_build_prompts(b, features) : ICSEG_NONE, texts);
}

void icseg_network_rewrite(icseg_graph *g, icseg_precision precision, icseg_activation_ranges *ranges) {
    icseg_graph_fuse(g);
    if (precision != ICSEG_PRECISION_INT8)
        icseg_graph_fuse_transposed(g); /* in INT8, each map has a range of its own */
    if (precision == ICSEG_PRECISION_BF16) {
        icseg_graph_use_bf16(g);
        return;
    }
    if (precision == ICSEG_PRECISION_BF16X2) icseg_graph_use_precision(g, ICSEG_PRODUCT_BF16X2, NULL);
    if (precision == ICSEG_PRECISION_INT8) {
        icseg_graph_use_precision(g, ICSEG_PRODUCT_INT8, ranges);
        icseg_graph_split_joined(g);
        icseg_graph_use_bytes(g);
    } else {
        icseg_graph_fuse_pairs(g);
    }
}

icseg_status icseg_network_build_text(icseg_value *out, icseg_graph *g, icseg_params *params,
                                      const icseg_config *config, const icseg_texts *texts, icseg_precision precision,
                                      icseg_activation_ranges *ranges, icseg_error *error) {
    icseg_builder b = {.graph = g, .params = params, .config = config};
    *out = build_text(&b, NULL, texts);
    icseg_graph_keep(g, *out, "text");
    icseg_network_rewrite(g, precision, ranges);
    return icseg_graph_status(g, error);
}

static bool remembers(const icseg_config *c) { return c->contrast_weight > 0 && c->contrast_memory > 0; }

static void build_forward(icseg_builder *b, const icseg_texts *texts, const icseg_network_options *o,
                          icseg_network *n) {
    const icseg_config *c = b->config;
    icseg_features f =
        c->backbone == ICSEG_BACKBONE_RESNET ? icseg_build_resnet(b, n->image) : icseg_build_vit(b, n->image);
    b->read = o->keep & ICSEG_KEEP_ATTENTION ? &n->attention : NULL;
    n->text = n->given_text != ICSEG_NONE ? n->given_text : build_text(b, &f, texts);
    if (c->post_prompt) n->text = icseg_build_post_prompt(b, n->text, f.tokens);
    icseg_build_alignment(b, &f, n->text, n->score, o->losses && remembers(c) ? &n->positions : NULL);
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        if (!c->align[i]) continue;
        icseg_value both[] = {f.level[i], n->score[i]};
        f.level[i] = icseg_concat(b->graph, 2, both, 3);
    }
    n->logits = icseg_build_decoder(b, f.level);
    if (c->score_logits > 0) n->logits = icseg_build_score_logits(b, n->logits, n->score);
    if (o->keep & ICSEG_KEEP_EMBEDDING) n->embedding = icseg_slice(b->graph, f.tokens, 1, 0, 1);
}

/* The embeddings that the contrastive loss keeps of earlier images, (K, M, C), or ICSEG_NONE. Empty at the start. */
static icseg_value contrast_memory(icseg_builder *b) {
    const icseg_config *c = b->config;
    if (!remembers(c)) return ICSEG_NONE;
    icseg_graph_push(b->graph, "contrast");
    icseg_value memory =
        icseg_build_buffer(b, "memory", ICSEG_SHAPE(c->num_classes, c->contrast_memory, c->embed_dim), 0);
    icseg_graph_pop(b->graph);
    return memory;
}

/* Of the decode loss, (K), or ICSEG_NONE. In the scope `loss`. */
static icseg_value class_weight(icseg_builder *b) {
    if (b->config->class_weights == ICSEG_CLASS_WEIGHTS_NONE) return ICSEG_NONE;
    return icseg_build_buffer(b, "class_weight", ICSEG_SHAPE(b->config->num_classes), 1);
}

/* Parameters that only the losses read. */
static void declare_losses(icseg_builder *b) {
    contrast_memory(b);
    icseg_graph_push(b->graph, "loss");
    class_weight(b);
    icseg_graph_pop(b->graph);
}

/* The contrastive loss of one level's score map. */
static icseg_value contrast_at(icseg_builder *b, const icseg_network *n, int level, icseg_value memory, float weight) {
    static const int32_t part[] = {
        [ICSEG_CONTRAST_HARD] = 0, [ICSEG_CONTRAST_SEMI_HARD] = 10, [ICSEG_CONTRAST_RANDOM] = 1};
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    icseg_contrast_options options = {.tau = (float)(c->contrast_tau > 0 ? c->contrast_tau : c->tau),
                                      .weight = weight,
                                      .positives = c->contrast_positives,
                                      .negatives = c->contrast_negatives,
                                      .text_anchors = c->contrast_anchor != ICSEG_CONTRAST_IMAGE,
                                      .image_anchors = c->contrast_anchor != ICSEG_CONTRAST_TEXT,
                                      .part = part[c->contrast_selection]};
    if (memory == ICSEG_NONE || level != icseg_config_embed_level(c))
        return icseg_align_contrast(g, n->score[level], n->labels, ICSEG_NONE, ICSEG_NONE, options);
    int64_t batch = icseg_graph_dim(g, n->image, 0), classes = c->num_classes, entries = classes * c->contrast_memory;
    icseg_value rows = icseg_class_memory(g, n->positions, n->labels, memory);
    icseg_value score = icseg_linear(g, icseg_normalize(g, n->text), rows, ICSEG_NONE); /* (Bt, K, entries) */
    if (icseg_graph_dim(g, score, 0) != batch)
        score = icseg_repeat(g, icseg_reshape(g, score, ICSEG_SHAPE(classes, entries)), batch);
    icseg_value kept = icseg_reshape(g, rows, ICSEG_SHAPE(classes, c->contrast_memory, c->embed_dim));
    return icseg_align_contrast(g, n->score[level], n->labels, score, kept, options);
}

/* The mean over the strides that it compares. */
static icseg_value build_contrast(icseg_builder *b, const icseg_network *n, icseg_value memory) {
    const icseg_config *c = b->config;
    icseg_value sum = ICSEG_NONE;
    int levels = 0;
    for (int i = 0; i < ICSEG_LEVELS; i++) levels += icseg_config_contrasts(c, i);
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        if (!icseg_config_contrasts(c, i)) continue;
        icseg_value loss = contrast_at(b, n, i, memory, (float)(c->contrast_weight / levels));
        sum = sum == ICSEG_NONE ? loss : icseg_add(b->graph, sum, loss);
    }
    return sum;
}

static void build_losses(icseg_builder *b, icseg_network *n) {
    static const char *const align_name[ICSEG_LEVELS] = {"align.4", "align.8", "align.16", "align.32"};
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    icseg_value memory = contrast_memory(b); /* outside of the scope: it is a parameter of the model */
    icseg_graph_push(g, "loss");
    icseg_cross_entropy_options decode = {.scale = 1,
                                          .weight = 1,
                                          .smoothing = (float)c->label_smoothing,
                                          .gamma = (float)c->focal_gamma,
                                          .mined_below = (float)c->ohem_threshold,
                                          .mined_least = c->ohem_least};
    n->decode = icseg_upsampled_cross_entropy(g, n->logits, n->labels, class_weight(b), decode);
    if (c->dice_weight > 0)
        n->decode = icseg_add(g, n->decode, icseg_dice_loss(g, n->logits, n->labels, (float)c->dice_weight));
    if (c->lovasz_weight > 0)
        n->decode = icseg_add(g, n->decode, icseg_lovasz_loss(g, n->logits, n->labels, (float)c->lovasz_weight));
    n->total = n->decode;
    icseg_graph_keep(g, n->decode, "decode");
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        if (!c->align[i]) continue;
        n->align[i] = icseg_upsampled_cross_entropy(
            g, n->score[i], n->labels, ICSEG_NONE,
            (icseg_cross_entropy_options){.scale = 1 / (float)c->tau, .weight = (float)c->align_weights[i]});
        icseg_graph_keep(g, n->align[i], align_name[i]);
        n->total = icseg_add(g, n->total, n->align[i]);
    }
    if (c->contrast_weight > 0) {
        n->contrast = build_contrast(b, n, memory);
        icseg_graph_keep(g, n->contrast, "contrast");
        n->total = icseg_add(g, n->total, n->contrast);
    }
    icseg_graph_keep(g, n->total, "total");
    icseg_graph_pop(g);
}

icseg_status icseg_network_build(icseg_network *n, icseg_graph *g, icseg_params *params, const icseg_config *config,
                                 const icseg_texts *texts, bool declare, const icseg_network_options *o,
                                 icseg_activation_ranges *ranges, icseg_error *error) {
    int64_t least = icseg_config_min_side(config);
    if (o->batch < 1 || o->height < least || o->width < least)
        return icseg_fail(error, ICSEG_ERROR_SHAPE,
                          "an input of %lld %s of %lldx%lld: both sides must be at least %lld", (long long)o->batch,
                          icseg_plural(o->batch, "image", "images"), (long long)o->width, (long long)o->height,
                          (long long)least);
    icseg_builder b = {.graph = g,
                       .params = params,
                       .config = config,
                       .declare = declare,
                       .freeze_bn = o->freeze_bn != 0,
                       .sync_bn = o->sync_bn != 0};
    for (icseg_value *v = (icseg_value *)n; v < (icseg_value *)(n + 1); v++) *v = ICSEG_NONE;
    n->image = icseg_graph_input(g, "image", ICSEG_F32, ICSEG_SHAPE(o->batch, o->height, o->width, 3));
    if (o->text_given)
        n->given_text = icseg_graph_input(g, "text", ICSEG_F32, ICSEG_SHAPE(1, config->num_classes, config->embed_dim));
    build_forward(&b, texts, o, n);
    if (declare) declare_losses(&b);
    if (o->keep & ICSEG_KEEP_LOGITS) icseg_graph_keep(g, n->logits, "logits");
    if (o->keep & ICSEG_KEEP_TEXT) icseg_graph_keep(g, n->text, "text");
    if (o->keep & ICSEG_KEEP_ATTENTION) icseg_graph_keep(g, n->attention, "attention");
    if (o->keep & ICSEG_KEEP_EMBEDDING) icseg_graph_keep(g, n->embedding, "embedding");
    for (int i = 0; i < ICSEG_LEVELS && o->keep & ICSEG_KEEP_SCORES; i++) icseg_graph_keep(g, n->score[i], "score");
    if (o->predict_height > 0) {
        icseg_upsampled_argmax(g, n->logits, o->predict_height, o->predict_width, o->confidence != 0, n->prediction);
        icseg_graph_keep(g, n->prediction[0], "prediction");
        icseg_graph_keep(g, n->prediction[1], "confidence");
    }
    if (o->losses) {
        n->labels = icseg_graph_input(g, "labels", ICSEG_I16, ICSEG_SHAPE(o->batch, o->height, o->width));
        build_losses(&b, n);
    }
    if (o->gradients) {
        static const float one = 1;
        icseg_value seed = icseg_graph_constant(g, "one", ICSEG_F32, ICSEG_SHAPE(1), &one);
        icseg_graph_backward(g, 1, &n->total, &seed, o->accumulate != 0);
    }
    icseg_precision precision = (icseg_precision)o->precision;
    bool forward = !declare && !o->training && !o->gradients && !o->plain;
    if (forward)
        icseg_network_rewrite(g, precision, ranges);
    else if (!declare && precision == ICSEG_PRECISION_BF16)
        icseg_graph_use_bf16(g);
    if (o->gradients && !o->plain) icseg_graph_recompute(g, o->low_memory ? ICSEG_MEMORY_LOW : ICSEG_MEMORY_NORMAL);
    return icseg_graph_status(g, error);
}

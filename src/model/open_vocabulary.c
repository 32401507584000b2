/* SPDX-License-Identifier: Apache-2.0
 * Segmentation without training. */
#include "model/open_vocabulary.h"

#include "base/text.h"

static const double deviation = 5; /* of NACLIP's G, positions */

/* What replaces the last block, by method. */
static const struct {
    const char *name;
    bool resnet; /* also for ResNets */
    icseg_dense_block block;
} methods[] = {
    [ICSEG_OPEN_AUTO] = {"auto", true, {0}},
    [ICSEG_OPEN_CLIP] = {"clip", true, {.attention = ICSEG_DENSE_QK, .whole = true}},
    [ICSEG_OPEN_MASKCLIP] = {"maskclip", true, {.attention = ICSEG_DENSE_VALUES, .whole = true}},
    [ICSEG_OPEN_SCLIP] = {"sclip", false, {.attention = ICSEG_DENSE_QQ_KK, .whole = true}},
    [ICSEG_OPEN_CLEARCLIP] = {"clearclip", false, {.attention = ICSEG_DENSE_QQ}},
    [ICSEG_OPEN_NACLIP] = {"naclip", false, {.attention = ICSEG_DENSE_NEAR_KK}},
    [ICSEG_OPEN_NACLIP_VANILLA] = {"naclip_vanilla", false, {.attention = ICSEG_DENSE_NEAR_KK, .whole = true}},
    [ICSEG_OPEN_KK_REDUCED] = {"kk_reduced", false, {.attention = ICSEG_DENSE_KK}},
};
enum { METHODS = sizeof methods / sizeof *methods };

const char *icseg_open_method_name(icseg_open_method method) {
    return (unsigned)method < METHODS ? methods[method].name : NULL;
}

icseg_status icseg_open_method_resolve(icseg_open_method *method, const icseg_config *config, icseg_error *error) {
    bool resnet = config->backbone == ICSEG_BACKBONE_RESNET;
    if (!icseg_open_method_name(*method))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "method", ICSEG_REMEDY_SET_FIELD,
                                "method is %d: not a value of icseg_open_method", (int)*method);
    if (*method == ICSEG_OPEN_AUTO) *method = resnet ? ICSEG_OPEN_MASKCLIP : ICSEG_OPEN_NACLIP;
    if (!resnet || methods[*method].resnet) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_UNSUPPORTED, "method", ICSEG_REMEDY_SET_FIELD,
                            "%s changes the last block of a vision transformer, but the image encoder is a ResNet; use "
                            "maskclip or clip",
                            methods[*method].name);
}

int32_t icseg_open_vocabulary_patch(const icseg_config *config) {
    return config->backbone == ICSEG_BACKBONE_RESNET ? 32 : config->vit_patch;
}

icseg_status icseg_network_build_open(icseg_network *n, icseg_graph *g, icseg_params *params,
                                      const icseg_config *config, const icseg_open_vocabulary *open, bool declare,
                                      const icseg_network_options *o, icseg_activation_ranges *ranges,
                                      icseg_error *error) {
    int64_t patch = icseg_open_vocabulary_patch(config), words = open->info.word_count;
    int64_t least = ICSEG_MIN_SIDE > patch ? ICSEG_MIN_SIDE : patch;
    if (o->batch < 1 || o->height < least || o->width < least)
        return icseg_fail(error, ICSEG_ERROR_SHAPE,
                          "an input of %lld %s of %lldx%lld: both sides must be at least %lld", (long long)o->batch,
                          icseg_plural(o->batch, "image", "images"), (long long)o->width, (long long)o->height,
                          (long long)least);
    icseg_builder b = {.graph = g, .params = params, .config = config, .declare = declare, .dino_positions = true};
    icseg_dense_block block = methods[open->info.method].block;
    block.deviation = deviation;
    for (icseg_value *v = (icseg_value *)n; v < (icseg_value *)(n + 1); v++) *v = ICSEG_NONE;
    n->image = icseg_graph_input(g, "image", ICSEG_F32, ICSEG_SHAPE(o->batch, o->height, o->width, 3));
    n->text = n->given_text = icseg_graph_input(g, "text", ICSEG_F32, ICSEG_SHAPE(1, words, config->embed_dim));
    icseg_value features = config->backbone == ICSEG_BACKBONE_RESNET ? icseg_build_resnet_dense(&b, n->image, &block)
                                                                     : icseg_build_vit_dense(&b, n->image, &block);
    icseg_value cosines = icseg_similarity(g, icseg_normalize(g, features), n->text);
    cosines = icseg_reshape(g, cosines, ICSEG_SHAPE(o->batch, o->height / patch, o->width / patch, words));
    n->score[icseg_config_embed_level(config)] = cosines;
    n->logits = icseg_build_scaled(&b, "logit_scale", cosines, (float)open->info.logit_scale);
    if (o->keep & ICSEG_KEEP_LOGITS) icseg_graph_keep(g, n->logits, "logits");
    if (o->keep & ICSEG_KEEP_TEXT) icseg_graph_keep(g, n->text, "text");
    if (o->keep & ICSEG_KEEP_SCORES) icseg_graph_keep(g, cosines, "score");
    if (!declare && !o->plain) icseg_network_rewrite(g, (icseg_precision)o->precision, ranges);
    return icseg_graph_status(g, error);
}

void icseg_open_vocabulary_best(const icseg_open_vocabulary *open, int32_t classes, const float *from, int64_t count,
                                float *to) {
    for (int64_t i = 0; i < count; i++)
        for (int32_t k = 0; k < classes; k++) {
            float best = *from++;
            for (int32_t w = 1; open->words && w < open->words[k]; w++, from++) best = *from > best ? *from : best;
            *to++ = best;
        }
}

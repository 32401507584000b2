/* SPDX-License-Identifier: Apache-2.0
 * Plain CLIP: parameters, and one graph for each encoder. */
#include "model/clip.h"

#include <string.h>

#include "graph/passes/fuse.h"

int64_t icseg_clip_side(const icseg_config *c) {
    return (int64_t)c->pos_grid * (c->backbone == ICSEG_BACKBONE_RESNET ? 32 : c->vit_patch);
}

static icseg_status check(const icseg_config *c, icseg_error *error) {
    bool vit = c->backbone == ICSEG_BACKBONE_VIT;
    int64_t width = vit ? c->vit_width : (int64_t)c->resnet_width * 32;
    int64_t heads = vit ? c->vit_heads : width / 64;
    if (heads < 1 || width % heads || c->text_heads < 1 || c->text_width % c->text_heads)
        return icseg_fail(error, ICSEG_ERROR_CONFIG,
                          "image: %lld heads for %lld channels, text: %d heads for %d: heads must divide channels",
                          (long long)heads, (long long)width, c->text_heads, c->text_width);
    int64_t side = icseg_clip_side(c);
    if (side >= 1 && side <= ICSEG_CLIP_MAX_SIDE) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_CONFIG,
                      "a grid of %d positions a side means images of %lld pixels a side; the largest is %d",
                      c->pos_grid, (long long)side, ICSEG_CLIP_MAX_SIDE);
}

static void build_image(icseg_clip *c, icseg_graph *g, bool declare, icseg_value *image, icseg_value *embedding) {
    icseg_builder b = {.graph = g, .params = c->params, .config = &c->config, .declare = declare};
    int64_t side = icseg_clip_side(&c->config);
    *image = icseg_graph_input(g, "image", ICSEG_F32, ICSEG_SHAPE(1, side, side, 3));
    *embedding = c->config.backbone == ICSEG_BACKBONE_RESNET ? icseg_build_resnet_embedding(&b, *image)
                                                             : icseg_build_vit_embedding(&b, *image);
    icseg_graph_keep(g, *embedding, "embedding");
}

static icseg_status declare_params(icseg_clip *c, icseg_error *error) {
    static const int32_t id = 0;
    icseg_graph *graph;
    icseg_value image, embedding;
    ICSEG_TRY(icseg_graph_open(&graph, false, error));
    icseg_builder b = {.graph = graph, .params = c->params, .config = &c->config, .declare = true};
    if (c->towers & ICSEG_CLIP_IMAGE) build_image(c, graph, true, &image, &embedding);
    if (c->towers & ICSEG_CLIP_TEXT)
        icseg_build_text(&b, ICSEG_NONE, &(icseg_texts){.count = 1, .tokens = &(icseg_tokens){1, &id}});
    icseg_status status = icseg_graph_status(graph, error);
    icseg_graph_close(&graph);
    return status;
}

icseg_status icseg_clip_open(icseg_clip *out, const icseg_config *config, icseg_clip_towers towers,
                             icseg_error *error) {
    icseg_status status;
    *out = (icseg_clip){.config = *config, .towers = towers};
    ICSEG_TRY_GOTO(check(config, error));
    ICSEG_TRY_GOTO(icseg_params_open(&out->params, error));
    ICSEG_TRY_GOTO(icseg_workspace_open(&out->workspace, error));
    ICSEG_TRY_GOTO(declare_params(out, error));
    return ICSEG_OK;
fail:
    icseg_clip_close(out);
    return status;
}

void icseg_clip_close(icseg_clip *c) {
    icseg_executor_close(&c->executor);
    icseg_graph_close(&c->graph);
    icseg_workspace_close(&c->workspace);
    icseg_params_close(&c->params);
    *c = (icseg_clip){0};
}

static icseg_status open_image_encoder(icseg_clip *c, icseg_error *error) {
    ICSEG_TRY(icseg_graph_open(&c->graph, false, error));
    build_image(c, c->graph, false, &c->image, &c->embedding);
    icseg_graph_fuse(c->graph);
    ICSEG_TRY(icseg_graph_status(c->graph, error));
    return icseg_executor_open(&c->executor, c->graph, c->workspace, error);
}

icseg_status icseg_clip_encode_image(icseg_clip *c, const float *image, float *out, icseg_error *error) {
    if (!c->executor) {
        icseg_graph_close(&c->graph); /* of an attempt that failed */
        ICSEG_TRY(open_image_encoder(c, error));
    }
    icseg_executor_bind(c->executor, c->image, image);
    ICSEG_TRY(icseg_executor_run(c->executor, 0, 0, error));
    memcpy(out, icseg_executor_data(c->executor, c->embedding), (size_t)c->config.embed_dim * sizeof *out);
    return ICSEG_OK;
}

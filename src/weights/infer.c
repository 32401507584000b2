/* SPDX-License-Identifier: Apache-2.0
 * Infers the architecture of a set of weights from the shapes of its tensors, and lists the tensors that CLIP has.
 */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/internal.h"
#include "base/json.h"
#include "model/config.h"

enum { HEAD_WIDTH = 64, MAX_LAYERS = 1000, MAX_DIM = 1 << 22 };

typedef struct reader {
    const icseg_weights *weights;
    icseg_error *error;
} reader;

/* The tensor's shape. A missing tensor, a wrong rank and dimensions that no model has are errors. */
static icseg_status shape_of(const reader *r, const char *name, int rank, icseg_shape *out) {
    const icseg_weights_entry *entry = icseg_weights_find(r->weights, name);
    const char *path = icseg_weights_path(r->weights);
    if (!entry)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: not the weights of a whole CLIP model: %s is missing",
                          path, name);
    *out = entry->shape;
    bool good = out->rank == rank;
    for (int i = 0; i < rank && good; i++) good = out->dim[i] > 0 && out->dim[i] <= MAX_DIM;
    if (good) return ICSEG_OK;
    char text[ICSEG_SHAPE_TEXT];
    return icseg_fail(r->error, ICSEG_ERROR_SHAPE, "%s: %s has shape %s; expected %d dimensions", path, name,
                      icseg_shape_text(*out, text, sizeof text), rank);
}

static icseg_status dim_of(const reader *r, const char *name, int rank, int axis, int32_t *out) {
    icseg_shape shape;
    ICSEG_TRY(shape_of(r, name, rank, &shape));
    *out = (int32_t)shape.dim[axis];
    return ICSEG_OK;
}

/* One more than the highest N of the tensors PREFIX N ".*", of which there must be some. */
static icseg_status layers_of(const reader *r, const char *prefix, int32_t *out) {
    int32_t layers = 0;
    size_t size = strlen(prefix);
    for (size_t i = 0; i < icseg_weights_count(r->weights); i++) {
        const char *name = icseg_weights_at(r->weights, i)->name;
        if (strncmp(name, prefix, size)) continue;
        char *end;
        long index = strtol(name + size, &end, 10);
        if (end != name + size && *end == '.' && index >= layers && index < MAX_LAYERS) layers = (int32_t)index + 1;
    }
    *out = layers;
    if (layers) return ICSEG_OK;
    return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: the weights are not complete: there are no tensors %s0.*",
                      icseg_weights_path(r->weights), prefix);
}

/* `known`: by the file, or 0. CLIP's heads are 64 wide, but the image encoders of H/14, g/14 and bigG/14 have 16. */
static icseg_status heads_of(const reader *r, const char *what, int32_t known, int32_t width, int32_t *out) {
    bool huge = width == 1280 || width == 1408 || width == 1664;
    *out = width < HEAD_WIDTH ? 1 : width / HEAD_WIDTH;
    if (huge && !strcmp(what, "vit_heads")) *out = 16;
    if (!known) return ICSEG_OK;
    *out = known;
    if (width % known == 0) return ICSEG_OK;
    return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                      "%s: its configuration says %s = %d, which does not divide the width, %d",
                      icseg_weights_path(r->weights), what, known, width);
}

/* (1 + g * g, width) -> g */
static icseg_status grid_of(const reader *r, const char *name, int32_t *out) {
    int32_t rows;
    ICSEG_TRY(dim_of(r, name, 2, 0, &rows));
    *out = (int32_t)lround(sqrt(rows - 1));
    if (*out > 0 && *out * *out + 1 == rows) return ICSEG_OK;
    return icseg_fail(r->error, ICSEG_ERROR_SHAPE, "%s: %s has %d rows, which is not a square plus one",
                      icseg_weights_path(r->weights), name, rows);
}

/* ------------------------------------------------------------------------------------------------------- encoders */

static icseg_status infer_resnet(const reader *r, icseg_config *c) {
    c->backbone = ICSEG_BACKBONE_RESNET;
    ICSEG_TRY(dim_of(r, "visual.conv3.weight", 4, 0, &c->resnet_width));
    for (int i = 0; i < 4; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "visual.layer%d.", i + 1);
        ICSEG_TRY(layers_of(r, prefix, &c->resnet_layers[i]));
    }
    return grid_of(r, "visual.attnpool.positional_embedding", &c->pos_grid);
}

/* Taps are not in the shapes: those of the configuration stay if they are for this depth. */
static void choose_taps(icseg_config *c) {
    bool fit = true;
    for (int i = 0; i < ICSEG_LEVELS; i++) fit &= c->vit_taps[i] < c->vit_layers;
    if (!fit || c->vit_taps[ICSEG_LEVELS - 1] != c->vit_layers - 1) icseg_config_spread_taps(c);
}

static icseg_status infer_mlp(const reader *r, icseg_config *c) {
    int32_t width;
    ICSEG_TRY(dim_of(r, "visual.transformer.resblocks.0.mlp.c_fc.weight", 2, 0, &width));
    if (width != icseg_config_vit_mlp_width(c)) c->vit_mlp_width = width == 4 * (int64_t)c->vit_width ? 0 : width;
    return ICSEG_OK;
}

static icseg_status infer_vit(const reader *r, icseg_config *c, int32_t heads) {
    icseg_shape patch;
    c->backbone = ICSEG_BACKBONE_VIT;
    ICSEG_TRY(shape_of(r, "visual.conv1.weight", 4, &patch));
    c->vit_width = (int32_t)patch.dim[0];
    c->vit_patch = (int32_t)patch.dim[3];
    ICSEG_TRY(layers_of(r, "visual.transformer.resblocks.", &c->vit_layers));
    ICSEG_TRY(heads_of(r, "vit_heads", heads, c->vit_width, &c->vit_heads));
    ICSEG_TRY(infer_mlp(r, c));
    choose_taps(c);
    return grid_of(r, "visual.positional_embedding", &c->pos_grid);
}

static icseg_status infer_text(const reader *r, icseg_config *c, int32_t heads) {
    ICSEG_TRY(dim_of(r, "token_embedding.weight", 2, 0, &c->vocab_size));
    ICSEG_TRY(dim_of(r, "token_embedding.weight", 2, 1, &c->text_width));
    ICSEG_TRY(dim_of(r, "positional_embedding", 2, 0, &c->context_length));
    ICSEG_TRY(dim_of(r, "text_projection", 2, 1, &c->embed_dim));
    ICSEG_TRY(layers_of(r, "transformer.resblocks.", &c->text_layers));
    return heads_of(r, "text_heads", heads, c->text_width, &c->text_heads);
}

/* ------------------------------------------------------------------------------------------------- segmentation */

static icseg_status infer_prompts(const reader *r, icseg_config *c, bool keep) {
    c->prompt = ICSEG_PROMPT_TEMPLATE;
    if (icseg_weights_find(r->weights, "prompt.context")) {
        c->prompt = ICSEG_PROMPT_STATIC;
        ICSEG_TRY(dim_of(r, "prompt.context", 2, 0, &c->prompt_tokens));
    }
    if (icseg_weights_find(r->weights, "prompt.query")) {
        c->prompt = ICSEG_PROMPT_INSTANCE;
        ICSEG_TRY(dim_of(r, "prompt.query", 2, 1, &c->prompt_width));
        ICSEG_TRY(layers_of(r, "prompt.layers.", &c->prompt_layers));
        ICSEG_TRY(heads_of(r, "prompt_heads", keep ? c->prompt_heads : 0, c->prompt_width, &c->prompt_heads));
    }
    c->post_prompt = icseg_weights_find(r->weights, "post.gamma") != NULL;
    if (!c->post_prompt) return ICSEG_OK;
    ICSEG_TRY(dim_of(r, "post.text_proj.1.weight", 2, 0, &c->post_width));
    ICSEG_TRY(layers_of(r, "post.decoder.", &c->post_layers));
    return heads_of(r, "post_heads", keep ? c->post_heads : 0, c->post_width, &c->post_heads);
}

/* A level that carries a score map has K more channels than the encoder outputs. */
static icseg_status infer_decoder(const reader *r, icseg_config *c) {
    ICSEG_TRY(dim_of(r, "decoder.head.conv_seg.weight", 4, 0, &c->num_classes));
    ICSEG_TRY(dim_of(r, "decoder.head.conv_seg.weight", 4, 1, &c->fpn_dim));
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        char name[64];
        int32_t in, own = icseg_config_level_channels(c, i);
        snprintf(name, sizeof name, "decoder.neck.lateral_convs.%d.conv.weight", i);
        ICSEG_TRY(dim_of(r, name, 4, 1, &in));
        if (in != own && in - own != c->num_classes)
            return icseg_fail(r->error, ICSEG_ERROR_SHAPE,
                              "%s: %s takes %d channels; the encoder outputs %d, or %d with a score map of %d classes",
                              icseg_weights_path(r->weights), name, in, own, own + c->num_classes, c->num_classes);
        c->align[i] = in != own;
        if (c->align[i] && isnan(c->align_weights[i])) c->align_weights[i] = 0;
    }
    if (icseg_weights_find(r->weights, "align.text.weight"))
        ICSEG_TRY(dim_of(r, "align.text.weight", 2, 0, &c->align_dim));
    return ICSEG_OK;
}

icseg_status icseg_weights_infer(const icseg_weights *w, icseg_config *config, icseg_error *error) {
    const reader r = {w, error};
    icseg_config c = *config;
    const char *own = icseg_weights_metadata(w, "icpc.config");
    ICSEG_TRY(icseg_weights_refuse_foreign(w, error));
    if (w->facts.activation_known) c.activation = w->facts.activation;
    icseg_status status = own ? icseg_config_update_json(&c, own, error) : ICSEG_OK;
    if (status != ICSEG_OK) {
        icseg_fail_prefix(error, "%s: icpc.config", w->path);
        return status;
    }
    bool vit = icseg_weights_find(w, "visual.class_embedding") != NULL;
    ICSEG_TRY(vit ? infer_vit(&r, &c, own ? c.vit_heads : w->facts.vit_heads) : infer_resnet(&r, &c));
    ICSEG_TRY(infer_text(&r, &c, own ? c.text_heads : w->facts.text_heads));
    if (icseg_weights_has_decoder(w)) {
        ICSEG_TRY(infer_prompts(&r, &c, own));
        ICSEG_TRY(infer_decoder(&r, &c));
        if (!strcmp(w->naming, "DenseCLIP")) { /* its losses: the score map's at weight 0.4, no contrast */
            c.contrast_weight = 0;
            c.align_weights[icseg_config_embed_level(&c)] = 0.4;
        }
    }
    *config = c;
    return ICSEG_OK;
}

/* ---------------------------------------------------------------------------------------------- CLIP's own tensors */

typedef struct expectation {
    const icseg_weights *weights;
    icseg_weights_report *report;
    icseg_status status;
    icseg_error *error;
    size_t found;
} expectation;

static void expect(expectation *e, icseg_shape shape, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void expect(expectation *e, icseg_shape shape, const char *format, ...) {
    char name[200];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    const icseg_weights_entry *entry = icseg_weights_find(e->weights, name);
    if (e->status != ICSEG_OK) return;
    if (entry && icseg_shape_equal(entry->shape, shape))
        e->found++;
    else
        e->status = icseg_weights_report_add(
            e->report,
            (icseg_weights_finding){.kind = entry ? ICSEG_WEIGHTS_WRONG_SHAPE : ICSEG_WEIGHTS_MISSING,
                                    .name = name,
                                    .model = shape,
                                    .file = entry ? entry->shape : shape},
            e->error);
}

static void expect_pair(expectation *e, icseg_shape weight, int64_t bias, const char *prefix, const char *name) {
    expect(e, weight, "%s%s.weight", prefix, name);
    expect(e, ICSEG_SHAPE(bias), "%s%s.bias", prefix, name);
}

static void expect_norm(expectation *e, int64_t width, const char *prefix, const char *name) {
    expect_pair(e, ICSEG_SHAPE(width), width, prefix, name);
    if (strncmp(name, "bn", 2) && strcmp(name, "downsample.1")) return;
    expect(e, ICSEG_SHAPE(width), "%s%s.running_mean", prefix, name);
    expect(e, ICSEG_SHAPE(width), "%s%s.running_var", prefix, name);
}

static void expect_blocks(expectation *e, const char *where, int32_t layers, int64_t width, int64_t mlp) {
    for (int32_t i = 0; i < layers; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "%stransformer.resblocks.%d.", where, i);
        expect(e, ICSEG_SHAPE(3 * width, width), "%sattn.in_proj_weight", prefix);
        expect(e, ICSEG_SHAPE(3 * width), "%sattn.in_proj_bias", prefix);
        expect_pair(e, ICSEG_SHAPE(width, width), width, prefix, "attn.out_proj");
        expect_norm(e, width, prefix, "ln_1");
        expect_norm(e, width, prefix, "ln_2");
        expect_pair(e, ICSEG_SHAPE(mlp, width), mlp, prefix, "mlp.c_fc");
        expect_pair(e, ICSEG_SHAPE(width, mlp), width, prefix, "mlp.c_proj");
    }
}

static void expect_resnet(expectation *e, const icseg_config *c) {
    int64_t width = c->resnet_width, in = 3;
    for (int i = 1; i <= 3; i++) {
        int64_t out = i < 3 ? width / 2 : width;
        char norm[16];
        snprintf(norm, sizeof norm, "bn%d", i);
        expect(e, ICSEG_SHAPE(out, in, 3, 3), "visual.conv%d.weight", i);
        expect_norm(e, out, "visual.", norm);
        in = out;
    }
    for (int stage = 0; stage < 4; stage++)
        for (int32_t i = 0; i < c->resnet_layers[stage]; i++) {
            int64_t planes = width << stage, out = planes * 4;
            char prefix[64];
            snprintf(prefix, sizeof prefix, "visual.layer%d.%d.", stage + 1, i);
            expect(e, ICSEG_SHAPE(planes, in, 1, 1), "%sconv1.weight", prefix);
            expect(e, ICSEG_SHAPE(planes, planes, 3, 3), "%sconv2.weight", prefix);
            expect(e, ICSEG_SHAPE(out, planes, 1, 1), "%sconv3.weight", prefix);
            expect_norm(e, planes, prefix, "bn1");
            expect_norm(e, planes, prefix, "bn2");
            expect_norm(e, out, prefix, "bn3");
            if (i == 0) {
                expect(e, ICSEG_SHAPE(out, in, 1, 1), "%sdownsample.0.weight", prefix);
                expect_norm(e, out, prefix, "downsample.1");
            }
            in = out;
        }
    int64_t grid = c->pos_grid;
    expect(e, ICSEG_SHAPE(grid * grid + 1, in), "visual.attnpool.positional_embedding");
    expect_pair(e, ICSEG_SHAPE(in, in), in, "visual.attnpool.", "q_proj");
    expect_pair(e, ICSEG_SHAPE(in, in), in, "visual.attnpool.", "k_proj");
    expect_pair(e, ICSEG_SHAPE(in, in), in, "visual.attnpool.", "v_proj");
    expect_pair(e, ICSEG_SHAPE(c->embed_dim, in), c->embed_dim, "visual.attnpool.", "c_proj");
}

static void expect_vit(expectation *e, const icseg_config *c) {
    int64_t width = c->vit_width, grid = c->pos_grid, patch = c->vit_patch;
    expect(e, ICSEG_SHAPE(width, 3, patch, patch), "visual.conv1.weight");
    expect(e, ICSEG_SHAPE(width), "visual.class_embedding");
    expect(e, ICSEG_SHAPE(grid * grid + 1, width), "visual.positional_embedding");
    expect_norm(e, width, "visual.", "ln_pre");
    expect_blocks(e, "visual.", c->vit_layers, width, icseg_config_vit_mlp_width(c));
    expect_norm(e, width, "visual.", "ln_post");
    expect(e, ICSEG_SHAPE(width, c->embed_dim), "visual.proj");
}

icseg_status icseg_weights_check_clip(const icseg_weights *w, const icseg_config *c, icseg_weights_report *report,
                                      icseg_error *error) {
    expectation e = {.weights = w, .report = report, .error = error};
    int64_t width = c->text_width;
    if (c->backbone == ICSEG_BACKBONE_RESNET)
        expect_resnet(&e, c);
    else
        expect_vit(&e, c);
    expect(&e, ICSEG_SHAPE(c->vocab_size, width), "token_embedding.weight");
    expect(&e, ICSEG_SHAPE(c->context_length, width), "positional_embedding");
    expect_blocks(&e, "", c->text_layers, width, 4 * width);
    expect_norm(&e, width, "", "ln_final");
    expect(&e, ICSEG_SHAPE(width, c->embed_dim), "text_projection");
    for (size_t i = 0; i < w->foreign_count && e.status == ICSEG_OK; i++)
        e.status = icseg_weights_report_add(
            report, (icseg_weights_finding){.kind = ICSEG_WEIGHTS_UNEXPECTED, .name = w->foreign[i]}, error);
    icseg_weights_report_activation(report, w, c);
    report->loaded = e.found;
    report->container = w->container;
    report->naming = w->naming;
    return e.status;
}

/* SPDX-License-Identifier: Apache-2.0
 * CLIP's two encoders in training, chunk by chunk. */
#include "pretrain/towers.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "graph/ops.h"
#include "graph/passes/autodiff.h"
#include "graph/passes/precision.h"

enum { TOWERS = 2 };

/* One encoder for `size` images, or texts of `length` tokens. */
typedef struct network {
    icseg_graph *graph;
    icseg_executor *executor;
    icseg_value in, last, gradient, embedding; /* last: of texts; gradient: of the embedding */
    int32_t size, length;
    bool learns;
    struct network *next;
} network;

struct icseg_towers {
    icseg_clip clip;
    icseg_towers_options options;
    network *networks;
    icseg_params *embeddings; /* of a batch, with their gradients: the parameters of the loss */
    icseg_param *embedding[TOWERS];
    icseg_graph *loss_graph;
    icseg_executor *loss_executor;
    icseg_value loss;
    int32_t *rows; /* (batch): of EOS in a chunk's rows */
};

/* -- the networks */

/* The encoder of `tower`, whose inputs are of `size` and `length`. */
static void build_encoder(const icseg_towers *t, icseg_clip_towers tower, network *n) {
    icseg_builder b = {.graph = n->graph,
                       .params = t->clip.params,
                       .config = &t->clip.config,
                       .freeze_bn = t->options.freeze_image,
                       .keep_statistics = !n->learns};
    int64_t side = icseg_clip_side(b.config), size = n->size;
    if (tower == ICSEG_CLIP_IMAGE) {
        n->in = icseg_graph_input(n->graph, "image", ICSEG_F32, ICSEG_SHAPE(size, side, side, 3));
        n->embedding = b.config->backbone == ICSEG_BACKBONE_RESNET ? icseg_build_resnet_embedding(&b, n->in)
                                                                   : icseg_build_vit_embedding(&b, n->in);
        n->embedding = icseg_reshape(n->graph, n->embedding, ICSEG_SHAPE(size, b.config->embed_dim));
    } else {
        n->in = icseg_graph_input(n->graph, "ids", ICSEG_I32, ICSEG_SHAPE(size, n->length));
        n->last = icseg_graph_input(n->graph, "rows", ICSEG_I32, ICSEG_SHAPE(size));
        n->embedding = icseg_build_captions(&b, n->in, n->last);
    }
    icseg_graph_keep(n->graph, n->embedding, "embedding");
}

static icseg_status build_network(const icseg_towers *t, icseg_clip_towers tower, network *n, icseg_error *error) {
    ICSEG_TRY(icseg_graph_open(&n->graph, true, error));
    build_encoder(t, tower, n);
    if (n->learns) {
        n->gradient =
            icseg_graph_input(n->graph, "gradient", ICSEG_F32, ICSEG_SHAPE(n->size, t->clip.config.embed_dim));
        icseg_graph_backward(n->graph, 1, &n->embedding, &n->gradient, true);
    }
    if (t->options.precision == ICSEG_PRECISION_BF16) icseg_graph_use_bf16(n->graph);
    if (n->learns) icseg_graph_recompute(n->graph, t->options.memory);
    ICSEG_TRY(icseg_graph_status(n->graph, error));
    return icseg_executor_open(&n->executor, n->graph, t->clip.workspace, error);
}

static void free_network(network *n) {
    icseg_executor_close(&n->executor);
    icseg_graph_close(&n->graph);
    icseg_free(n);
}

/* length: 0 for images */
static icseg_status get_network(icseg_towers *t, int32_t size, int32_t length, bool learns, network **out,
                                icseg_error *error) {
    for (network *n = t->networks; n; n = n->next)
        if (n->size == size && n->length == length && n->learns == learns) {
            *out = n;
            return ICSEG_OK;
        }
    network *n = icseg_calloc_array(1, sizeof *n);
    if (!n) return icseg_fail_memory(error, sizeof *n, "an encoder");
    n->size = size;
    n->length = length;
    n->learns = learns;
    icseg_status status = build_network(t, length ? ICSEG_CLIP_TEXT : ICSEG_CLIP_IMAGE, n, error);
    if (status != ICSEG_OK) {
        free_network(n);
        return status;
    }
    n->next = t->networks;
    t->networks = *out = n;
    return ICSEG_OK;
}

/* -- the loss */

static icseg_status declare_embeddings(icseg_towers *t, icseg_error *error) {
    static const char *const names[TOWERS] = {"images", "texts"};
    ICSEG_TRY(icseg_params_open(&t->embeddings, error));
    for (int i = 0; i < TOWERS; i++) {
        t->embedding[i] =
            icseg_params_declare(t->embeddings, names[i], ICSEG_SHAPE(t->options.batch, t->clip.config.embed_dim),
                                 (icseg_param_options){.trainable = true}, error);
        if (!t->embedding[i]) return error->status;
        ICSEG_TRY(icseg_param_load(t->embedding[i], error));
    }
    return icseg_params_allocate_gradients(t->embeddings, error);
}

static icseg_status open_loss(icseg_towers *t, icseg_error *error) {
    static const float one = 1;
    icseg_value unit[TOWERS];
    int64_t batch = t->options.batch, width = t->clip.config.embed_dim;
    ICSEG_TRY(declare_embeddings(t, error));
    ICSEG_TRY(icseg_graph_open(&t->loss_graph, true, error));
    icseg_graph *g = t->loss_graph;
    for (int i = 0; i < TOWERS; i++)
        unit[i] =
            icseg_reshape(g, icseg_normalize(g, icseg_graph_param(g, t->embedding[i])), ICSEG_SHAPE(1, batch, width));
    icseg_value scale = icseg_graph_param(g, icseg_params_find(t->clip.params, "logit_scale"));
    t->loss = icseg_clip_contrast(g, icseg_similarity(g, unit[0], unit[1]), scale);
    icseg_graph_keep(g, t->loss, "loss");
    icseg_value seed = icseg_graph_constant(g, "one", ICSEG_F32, ICSEG_SHAPE(1), &one);
    icseg_graph_backward(g, 1, &t->loss, &seed, false);
    ICSEG_TRY(icseg_graph_status(g, error));
    return icseg_executor_open(&t->loss_executor, g, t->clip.workspace, error);
}

/* -- opening */

/* The values from which CLIP starts, where they are not PyTorch's: embeddings of tokens, and a temperature of 0.07. */
static icseg_status declare_scale(icseg_towers *t, icseg_error *error) {
    const icseg_param_options options = {.init = ICSEG_INIT_CONSTANT, .scale = logf(1 / 0.07f), .trainable = true};
    icseg_params_find(t->clip.params, "token_embedding.weight")->options.scale = 0.02f;
    return icseg_params_declare(t->clip.params, "logit_scale", (icseg_shape){.rank = 0}, options, error)
               ? ICSEG_OK
               : error->status;
}

static void choose_trained(const icseg_towers *t) {
    for (int64_t i = 0; i < icseg_params_count(t->clip.params); i++) {
        icseg_param *p = icseg_params_at(t->clip.params, i);
        bool scale = !strcmp(p->name, "logit_scale"), image = icseg_is_image_encoder(p->name);
        bool frozen = image ? t->options.freeze_image : !scale && t->options.freeze_text;
        p->options.trainable = !p->options.buffer && !frozen;
    }
}

static icseg_status open_all(icseg_towers *t, icseg_error *error) {
    ICSEG_TRY(declare_scale(t, error));
    choose_trained(t);
    t->rows = icseg_alloc_array((size_t)t->options.batch, sizeof *t->rows);
    if (!t->rows) return icseg_fail_memory(error, 0, "a batch");
    return open_loss(t, error);
}

icseg_status icseg_towers_open(icseg_towers **out, const icseg_config *config, const icseg_towers_options *options,
                               icseg_error *error) {
    icseg_towers *t = *out = icseg_calloc_array(1, sizeof *t);
    if (!t) return icseg_fail_memory(error, sizeof *t, "the encoders");
    t->options = *options;
    icseg_status status = icseg_clip_open(&t->clip, config, ICSEG_CLIP_BOTH, error);
    if (status == ICSEG_OK) status = open_all(t, error);
    if (status != ICSEG_OK) icseg_towers_close(out);
    return status;
}

void icseg_towers_close(icseg_towers **towers) {
    icseg_towers *t = *towers;
    *towers = NULL;
    if (!t) return;
    while (t->networks) {
        network *n = t->networks;
        t->networks = n->next;
        free_network(n);
    }
    icseg_executor_close(&t->loss_executor);
    icseg_graph_close(&t->loss_graph);
    icseg_params_close(&t->embeddings);
    icseg_clip_close(&t->clip);
    icseg_free(t->rows);
    icseg_free(t);
}

icseg_params *icseg_towers_params(const icseg_towers *t) { return t->clip.params; }
icseg_clip *icseg_towers_clip(icseg_towers *t) { return &t->clip; }

/* -- a batch */

/* A network whose inputs are those of the chunk that begins at pair `begin`. */
static icseg_status bind_chunk(icseg_towers *t, int tower, const float *images, const icseg_captions *captions,
                               int32_t begin, bool learns, network **out, icseg_error *error) {
    int32_t left = t->options.batch - begin, size = left < t->options.chunk ? left : t->options.chunk;
    int64_t side = icseg_clip_side(&t->clip.config);
    ICSEG_TRY(get_network(t, size, tower ? captions->length : 0, learns, out, error));
    network *n = *out;
    if (!tower) {
        icseg_executor_bind(n->executor, n->in, images + begin * side * side * 3);
        return ICSEG_OK;
    }
    for (int32_t i = 0; i < size; i++) t->rows[i] = i * captions->length + captions->last[begin + i];
    icseg_executor_bind(n->executor, n->in, captions->ids + (int64_t)begin * captions->length);
    icseg_executor_bind(n->executor, n->last, t->rows);
    return ICSEG_OK;
}

static icseg_status encode(icseg_towers *t, int tower, const float *images, const icseg_captions *captions,
                           icseg_error *error) {
    size_t width = (size_t)t->clip.config.embed_dim;
    for (int32_t begin = 0; begin < t->options.batch; begin += t->options.chunk) {
        network *n;
        ICSEG_TRY(bind_chunk(t, tower, images, captions, begin, false, &n, error));
        ICSEG_TRY(icseg_executor_run(n->executor, 0, 0, error));
        memcpy(t->embedding[tower]->data + (size_t)begin * width, icseg_executor_data(n->executor, n->embedding),
               (size_t)n->size * width * sizeof(float));
    }
    t->embedding[tower]->version++;
    return ICSEG_OK;
}

static icseg_status learn(icseg_towers *t, int tower, const float *images, const icseg_captions *captions,
                          icseg_error *error) {
    size_t width = (size_t)t->clip.config.embed_dim;
    for (int32_t begin = 0; begin < t->options.batch; begin += t->options.chunk) {
        network *n;
        ICSEG_TRY(bind_chunk(t, tower, images, captions, begin, true, &n, error));
        icseg_executor_bind(n->executor, n->gradient, t->embedding[tower]->grad + (size_t)begin * width);
        ICSEG_TRY(icseg_executor_run(n->executor, 0, 0, error));
    }
    return ICSEG_OK;
}

icseg_status icseg_towers_learn(icseg_towers *t, const float *images, const icseg_captions *captions, float *loss,
                                icseg_error *error) {
    const bool frozen[TOWERS] = {t->options.freeze_image, t->options.freeze_text};
    for (int i = 0; i < TOWERS; i++) ICSEG_TRY(encode(t, i, images, captions, error));
    icseg_params_zero_gradients(t->clip.params);
    ICSEG_TRY(icseg_executor_run(t->loss_executor, 0, 0, error));
    *loss = *(const float *)icseg_executor_data(t->loss_executor, t->loss);
    for (int i = 0; i < TOWERS; i++)
        if (!frozen[i]) ICSEG_TRY(learn(t, i, images, captions, error));
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * CLIP's text encoder with shared prefixes (docs/method.md 2): per image one prefix `SOS, prompts`, then per class its
 * name's tokens and EOS, packed without padding. The prefix of texts without prompts may be `SOS, common tokens`. Only
 * the rows at EOS leave the last block (reference: encode_text). */
#include <math.h>
#include <string.h>

#include "model/builder.h"

/* The rows after the prefix: their token ids, their positions, and the index of each text's EOS in the sequence. */
typedef struct rows {
    int32_t count, *id, *position, *length, *eos;
} rows;

/* The class that text `index` belongs to. */
static int32_t class_of(const icseg_texts *texts, int32_t index) {
    int32_t k = 0;
    if (!texts->names) return index;
    for (int32_t left = index; left >= texts->names[k]; k++) left -= texts->names[k];
    return k;
}

static bool list_rows(icseg_builder *b, const icseg_texts *texts, int32_t prefix, rows *out) {
    icseg_arena *arena = icseg_graph_arena(b->graph);
    const icseg_tokens *names = texts->tokens;
    int32_t count = texts->count;
    int64_t total = 0;
    for (int32_t k = 0; k < count; k++) {
        int64_t needed = (int64_t)prefix + names[k].count + 1;
        if (needed > b->config->context_length) {
            icseg_graph_fail(b->graph, "text", ICSEG_ERROR_CONFIG,
                             "%s of class %d has %d %s; with %d %s before it and one after, "
                             "context_length %d allows %d",
                             texts->names ? "a name" : "the name", class_of(texts, k), names[k].count,
                             icseg_plural(names[k].count, "token", "tokens"), prefix,
                             icseg_plural(prefix, "token", "tokens"), b->config->context_length,
                             b->config->context_length - prefix - 1);
            return false;
        }
        total += names[k].count + 1;
    }
    out->id = icseg_arena_array(arena, (size_t)total, sizeof *out->id);
    out->position = icseg_arena_array(arena, (size_t)total, sizeof *out->position);
    out->length = icseg_arena_array(arena, (size_t)count, sizeof *out->length);
    out->eos = icseg_arena_array(arena, (size_t)count, sizeof *out->eos);
    if (!out->id || !out->position || !out->length || !out->eos) {
        icseg_graph_fail(b->graph, "text", ICSEG_ERROR_MEMORY, "out of memory");
        return false;
    }
    for (int32_t k = 0; k < count; k++) {
        out->length[k] = names[k].count + 1;
        for (int32_t i = 0; i < out->length[k]; i++, out->count++) {
            out->id[out->count] = i < names[k].count ? names[k].ids[i] : b->config->vocab_size - 1;
            out->position[out->count] = prefix + i;
        }
        out->eos[k] = prefix + out->count - 1;
    }
    return true;
}

/* SOS and the tokens that all texts share; NULL if memory is short. */
static int32_t *start_of(icseg_builder *b, const icseg_texts *texts) {
    const icseg_tokens *shared = &texts->shared;
    int32_t *ids = icseg_arena_array(icseg_graph_arena(b->graph), 1 + (size_t)shared->count, sizeof *ids);
    if (!ids) {
        icseg_graph_fail(b->graph, "text", ICSEG_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    ids[0] = b->config->vocab_size - 2;
    if (shared->count) memcpy(ids + 1, shared->ids, (size_t)shared->count * sizeof *ids);
    return ids;
}

static icseg_value token_table(icseg_builder *b) {
    return icseg_build_param(b, "token_embedding.weight", ICSEG_SHAPE(b->config->vocab_size, b->config->text_width),
                             ICSEG_LAYOUT_PLAIN, ICSEG_INIT_NORMAL, 1);
}

static icseg_value position_table(icseg_builder *b) {
    return icseg_build_param(b, "positional_embedding", ICSEG_SHAPE(b->config->context_length, b->config->text_width),
                             ICSEG_LAYOUT_PLAIN, ICSEG_INIT_NORMAL, 0.01f);
}

/* x (..., W), the rows at EOS -> (..., C) */
static icseg_value project_text(icseg_builder *b, icseg_value x) {
    int64_t width = b->config->text_width;
    icseg_value projection = icseg_build_param(b, "text_projection", ICSEG_SHAPE(width, b->config->embed_dim),
                                               ICSEG_LAYOUT_PLAIN, ICSEG_INIT_NORMAL, 1 / sqrtf((float)width));
    return icseg_project(b->graph, icseg_build_layer_norm(b, "ln_final", x), projection);
}

/* Adds the context of block `index` to the rows of the prompt, which begin at row `first` of x (B, L, W). */
static icseg_value add_context(icseg_builder *b, icseg_value x, icseg_value contexts, int index, int64_t first) {
    icseg_graph *g = b->graph;
    int64_t length = b->config->prompt_tokens, after = first + length;
    icseg_value context = icseg_slice(g, contexts, 0, index - 1, 1);
    context = icseg_reshape(g, context, ICSEG_SHAPE(length, b->config->text_width));
    icseg_value part[] = {icseg_slice(g, x, 1, 0, first), icseg_add(g, icseg_slice(g, x, 1, first, length), context),
                          icseg_slice(g, x, 1, after, icseg_graph_dim(g, x, 1) - after)};
    return icseg_concat(g, 3, part, 1);
}

/* The contexts of all blocks but the first, (prompt_depth - 1, N, W), or ICSEG_NONE. They start at zero. */
static icseg_value deep_contexts(icseg_builder *b) {
    const icseg_config *c = b->config;
    if (c->prompt_depth == 1) return ICSEG_NONE;
    icseg_shape shape = ICSEG_SHAPE(c->prompt_depth - 1, c->prompt_tokens, c->text_width);
    icseg_graph_push(b->graph, "prompt");
    icseg_value contexts = icseg_build_param(b, "deep", shape, ICSEG_LAYOUT_PLAIN, ICSEG_INIT_ZERO, 0);
    icseg_graph_pop(b->graph);
    return contexts;
}

icseg_value icseg_build_text(icseg_builder *b, icseg_value prompts, const icseg_texts *texts) {
    const icseg_config *c = b->config;
    icseg_graph *g = b->graph;
    int64_t width = c->text_width, batch = prompts == ICSEG_NONE ? 1 : icseg_graph_dim(g, prompts, 0);
    int32_t learnt = prompts == ICSEG_NONE ? 0 : (int32_t)icseg_graph_dim(g, prompts, 1);
    int32_t common = 1 + texts->shared.count, prefix = common + learnt, *start;
    rows list = {0};
    if (icseg_graph_status(g, NULL) != ICSEG_OK || !list_rows(b, texts, prefix, &list)) return ICSEG_NONE;
    if (!(start = start_of(b, texts))) return ICSEG_NONE;

    icseg_value table = token_table(b), positions = position_table(b);
    icseg_value part[3];
    int parts = 0;
    icseg_value first = icseg_add(g, icseg_embedding(g, table, common, start), icseg_slice(g, positions, 0, 0, common));
    part[parts++] = icseg_repeat(g, first, batch);
    if (learnt) part[parts++] = icseg_add(g, prompts, icseg_slice(g, positions, 0, common, learnt));
    icseg_value name_rows = icseg_add(g, icseg_embedding(g, table, list.count, list.id),
                                      icseg_embedding(g, positions, list.count, list.position));
    part[parts++] = icseg_repeat(g, name_rows, batch);
    icseg_value x = icseg_concat(g, parts, part, 1);

    icseg_segments segments = {.prefix = prefix, .count = texts->count, .lengths = list.length};
    icseg_tower tower = {.heads = c->text_heads, .mlp_width = 4 * width, .segments = &segments};
    icseg_value contexts = learnt ? deep_contexts(b) : ICSEG_NONE;
    icseg_graph_push(g, "transformer");
    for (int i = 0; i < c->text_layers; i++) {
        bool last = i == c->text_layers - 1;
        if (contexts != ICSEG_NONE && i > 0 && i < c->prompt_depth) x = add_context(b, x, contexts, i, common);
        x = icseg_build_block(b, i, x, &tower, 0, texts->count, last ? list.eos : NULL);
    }
    icseg_graph_pop(g);
    return project_text(b, x);
}

icseg_value icseg_build_captions(icseg_builder *b, icseg_value ids, icseg_value ends) {
    icseg_graph *g = b->graph;
    int64_t batch = icseg_graph_dim(g, ids, 0), length = icseg_graph_dim(g, ids, 1), width = b->config->text_width;
    const int32_t after_first = (int32_t)length - 1;
    const icseg_segments segments = {.prefix = 1, .count = 1, .lengths = &after_first};
    icseg_tower tower = {.heads = b->config->text_heads, .mlp_width = 4 * width, .segments = &segments};
    icseg_value positions = icseg_repeat(g, icseg_slice(g, position_table(b), 0, 0, length), batch);
    icseg_value x = icseg_add(g, icseg_lookup(g, token_table(b), ids), positions);
    icseg_graph_push(g, "transformer");
    for (int i = 0; i < b->config->text_layers; i++) x = icseg_build_block(b, i, x, &tower, 0, 0, NULL);
    icseg_graph_pop(g);
    return project_text(b, icseg_lookup(g, icseg_reshape(g, x, ICSEG_SHAPE(batch * length, width)), ends));
}

icseg_value icseg_build_class_text(icseg_builder *b, icseg_value prompts, const icseg_texts *texts) {
    icseg_graph *g = b->graph;
    icseg_value embedding = icseg_build_text(b, prompts, texts);
    if (!texts->names) return embedding;
    return icseg_normalize(g, icseg_group_mean(g, icseg_normalize(g, embedding), b->config->num_classes, texts->names));
}

/* SPDX-License-Identifier: Apache-2.0
 * Retrieval and zero-shot accuracy on held-out pairs. */
#include "pretrain/scores.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { SEED = 1, RECALLS = ICSEG_PRETRAIN_RECALLS };

static const int32_t recall_ranks[RECALLS] = {1, 5, 10};

/* What is known about the pairs that are scored. */
typedef struct table {
    const icseg_scoring *from;
    icseg_clip *clip;
    icseg_arena *arena;
    int32_t count, room, width;
    float *images, *texts, *classes; /* (count, width) and (class_count, width), at unit length */
    const char **captions;
    int32_t *labels;
} table;

static void normalise(float *x, int32_t width) {
    double sum = 0;
    for (int32_t i = 0; i < width; i++) sum += (double)x[i] * (double)x[i];
    double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (int32_t i = 0; i < width; i++) x[i] = (float)((double)x[i] * scale);
}

static float dot(const float *a, const float *b, int32_t width) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int32_t i = 0; i < width; i++) sum += a[i] * b[i];
    return sum;
}

/* -- encoding */

static icseg_status add_pair(table *t, int64_t item, float *pixels, icseg_error *error) {
    const icseg_pair_crop crop = {.scale_min = 1, .scale_max = 1, .side = (int32_t)icseg_clip_side(&t->clip->config)};
    icseg_rng rng = icseg_rng_open(SEED, ICSEG_RNG_AUGMENT, (uint64_t)item);
    icseg_pair_text text = {.label = -1};
    icseg_status status = t->from->source->draw(t->from->source, item, &crop, &rng, pixels, &text, error);
    const char *caption = NULL;
    if (status == ICSEG_OK && !text.caption.failed) caption = icseg_arena_strdup(t->arena, text.caption.data);
    icseg_string_close(&text.caption);
    ICSEG_TRY(status);
    if (!caption) return icseg_fail_memory(error, 0, "the captions");
    float *image = t->images + (size_t)t->count * (size_t)t->width;
    ICSEG_TRY(icseg_clip_encode_image(t->clip, pixels, image, error));
    normalise(image, t->width);
    t->captions[t->count] = caption;
    t->labels[t->count++] = text.label;
    return ICSEG_OK;
}

static icseg_status encode_images(table *t, const icseg_progress *progress, int32_t *left_out, icseg_error *error) {
    int64_t side = icseg_clip_side(&t->clip->config);
    float *pixels = icseg_arena_array(t->arena, (size_t)(side * side * 3), sizeof *pixels);
    if (!pixels) return icseg_fail_memory(error, 0, "an image");
    icseg_stage stage = icseg_stage_begin(progress, "evaluate", t->room, "pairs");
    icseg_error first = {0};
    *left_out = 0;
    for (int64_t item = 0; item < t->from->source->count && t->count < t->room; item++) {
        icseg_error why;
        icseg_status status = add_pair(t, item, pixels, &why);
        if (status == ICSEG_ERROR_MEMORY || status == ICSEG_ERROR_NUMERIC)
            return icseg_fail(error, status, "%s", why.message);
        if (status != ICSEG_OK && (*left_out)++ == 0) first = why;
        ICSEG_TRY(icseg_stage_report(&stage, t->count, "", error));
    }
    if (t->count > 1) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA, "%d held-out %s can be read; expected at least 2%s%s", (int)t->count,
                      icseg_plural(t->count, "pair", "pairs"), first.message[0] ? ". The first one that cannot: " : "",
                      first.message);
}

/* Where the embeddings of texts go. */
typedef struct sink {
    float *out;
    int32_t width;
} sink;

static icseg_status take_text(void *user, int32_t index, const float *embedding, icseg_error *error) {
    const sink *s = user;
    (void)error;
    float *out = s->out + (size_t)index * (size_t)s->width;
    memcpy(out, embedding, (size_t)s->width * sizeof *out);
    normalise(out, s->width);
    return ICSEG_OK;
}

/* texts (count) -> out (count, width) */
static icseg_status encode_texts(table *t, const char *const *texts, int32_t count, float **out, icseg_error *error) {
    int32_t limit = t->clip->config.context_length - 2;
    icseg_tokens *tokens = icseg_arena_array(t->arena, (size_t)count, sizeof *tokens);
    *out = icseg_arena_array(t->arena, (size_t)count, (size_t)t->width * sizeof **out);
    if (!tokens || !*out) return icseg_fail_memory(error, 0, "the embeddings of texts");
    for (int32_t i = 0; i < count; i++) {
        ICSEG_TRY(icseg_tokenize(t->from->tokenizer, texts[i], t->arena, &tokens[i], error));
        if (tokens[i].count > limit) tokens[i].count = limit;
    }
    sink s = {*out, t->width};
    return icseg_clip_encode_texts(t->clip, tokens, count, NULL, &(icseg_text_sink){take_text, &s}, error);
}

static icseg_status encode_classes(table *t, icseg_error *error) {
    const icseg_pair_source *source = t->from->source;
    const char **texts = icseg_arena_array(t->arena, (size_t)source->class_count, sizeof *texts);
    if (!texts) return icseg_fail_memory(error, 0, "the names of classes");
    for (int32_t k = 0; k < source->class_count; k++) {
        texts[k] = icseg_arena_printf(t->arena, "a photo of a %s", source->classes[k]);
        if (!texts[k]) return icseg_fail_memory(error, 0, "the names of classes");
    }
    return encode_texts(t, texts, source->class_count, &t->classes, error);
}

/* -- scores */

/* How many embeddings of `others` are at least as near to `x` as its own pair's. Those of the same caption do not
 * count, because they match as well. */
static int32_t rank_of(const table *t, const float *x, const float *others, int32_t own) {
    float similarity = dot(x, others + (size_t)own * (size_t)t->width, t->width);
    int32_t rank = 0;
    for (int32_t i = 0; i < t->count; i++)
        rank += i != own && dot(x, others + (size_t)i * (size_t)t->width, t->width) >= similarity &&
                strcmp(t->captions[i], t->captions[own]) != 0;
    return rank;
}

static void score_retrieval(const table *t, const float *from, const float *to, double recall[RECALLS]) {
    int32_t hits[RECALLS] = {0};
#pragma omp parallel for reduction(+ : hits[:RECALLS])
    for (int32_t i = 0; i < t->count; i++) {
        int32_t rank = rank_of(t, from + (size_t)i * (size_t)t->width, to, i);
        for (int r = 0; r < RECALLS; r++) hits[r] += rank < recall_ranks[r];
    }
    for (int r = 0; r < RECALLS; r++) recall[r] = (double)hits[r] / t->count;
}

/* Whether the class is nearer than all others. */
static bool is_nearest(const table *t, const float *image, int32_t label) {
    float own = dot(image, t->classes + (size_t)label * (size_t)t->width, t->width);
    for (int32_t k = 0; k < t->from->source->class_count; k++)
        if (k != label && dot(image, t->classes + (size_t)k * (size_t)t->width, t->width) >= own) return false;
    return true;
}

static double score_zero_shot(const table *t) {
    int32_t labelled = 0, right = 0;
    for (int32_t i = 0; i < t->count; i++) {
        if (t->labels[i] < 0) continue;
        labelled++;
        right += is_nearest(t, t->images + (size_t)i * (size_t)t->width, t->labels[i]);
    }
    return labelled ? (double)right / labelled : (double)NAN;
}

static icseg_status score(table *t, const icseg_progress *progress, icseg_pretrain_scores *out, int32_t *left_out,
                          icseg_error *error) {
    ICSEG_TRY(icseg_arena_open(&t->arena, error));
    t->images = icseg_arena_array(t->arena, (size_t)t->room, (size_t)t->width * sizeof *t->images);
    t->captions = icseg_arena_array(t->arena, (size_t)t->room, sizeof *t->captions);
    t->labels = icseg_arena_array(t->arena, (size_t)t->room, sizeof *t->labels);
    if (!t->images || !t->captions || !t->labels) return icseg_fail_memory(error, 0, "the held-out pairs");
    ICSEG_TRY(encode_images(t, progress, left_out, error));
    ICSEG_TRY(encode_texts(t, t->captions, t->count, &t->texts, error));
    out->pairs = t->count;
    score_retrieval(t, t->images, t->texts, out->image_to_text);
    score_retrieval(t, t->texts, t->images, out->text_to_image);
    out->zero_shot = (double)NAN;
    if (t->from->source->class_count < 2) return ICSEG_OK;
    ICSEG_TRY(encode_classes(t, error));
    out->zero_shot = score_zero_shot(t);
    return ICSEG_OK;
}

icseg_status icseg_pairs_score(const icseg_scoring *scoring, const icseg_progress *progress, icseg_pretrain_scores *out,
                               int32_t *left_out, icseg_error *error) {
    int64_t count = scoring->source->count;
    table t = {.from = scoring,
               .clip = icseg_towers_clip(scoring->towers),
               .room = count < scoring->limit ? (int32_t)count : scoring->limit};
    t.width = t.clip->config.embed_dim;
    icseg_status status = score(&t, progress, out, left_out, error);
    icseg_arena_close(&t.arena);
    return status;
}

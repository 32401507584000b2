/* SPDX-License-Identifier: Apache-2.0
 * Many texts through CLIP's text encoder. Texts are sorted by their tokens, so that those of one template are
 * neighbours and begin alike. The rows of the tokens that a batch shares are computed once (text_encoder.c). */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/progress.h"
#include "graph/passes/fuse.h"
#include "model/clip.h"

/* BATCH_ROWS: tokens that are encoded together. BATCH_COST: what a batch costs beside its rows, in rows. */
enum { BATCH_ROWS = 1024, BATCH_COST = 32 };

/* ------------------------------------------------------------------------------------------------------ batches */

static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

static int32_t common_tokens(const icseg_tokens *a, const icseg_tokens *b) {
    int32_t n = 0, most = least(a->count, b->count);
    while (n < most && a->ids[n] == b->ids[n]) n++;
    return n;
}

/* For the first `end` texts: the least cost, and where the last batch begins and what it shares. */
typedef struct choice {
    int64_t cost;
    int32_t begin, common;
    int32_t next; /* tokens that the texts end - 1 and end have in common */
} choice;

/* Chooses the last batch of the first `end` texts; best[0 .. end - 1] are known. A batch has SOS and the shared tokens
 * once, and of each text the other tokens and EOS. */
static choice choose(const icseg_tokens *texts, const choice *best, int32_t end) {
    choice chosen = {.cost = INT64_MAX};
    int64_t tokens = 0;
    int32_t common = texts[end - 1].count;
    for (int32_t begin = end - 1; begin >= 0; begin--) {
        int64_t size = end - begin;
        tokens += texts[begin].count;
        if (size > 1) common = least(common, best[begin + 1].next);
        int64_t rows = 1 + common + tokens + size * (1 - common), cost = best[begin].cost + BATCH_COST + rows;
        if (rows > BATCH_ROWS && size > 1) break; /* a longer batch has more rows */
        if (cost < chosen.cost) chosen = (choice){cost, begin, common, 0};
    }
    return chosen;
}

icseg_status icseg_clip_plan_texts(const icseg_tokens *texts, int32_t count, icseg_text_batch *batches,
                                   int32_t *batch_count, icseg_error *error) {
    choice *best = icseg_alloc_array((size_t)count + 1, sizeof *best);
    int32_t n = 0;
    *batch_count = 0;
    if (!best) return icseg_fail_memory(error, ((size_t)count + 1) * sizeof *best, "texts");
    best[0] = (choice){0};
    for (int32_t end = 1; end <= count; end++) {
        best[end] = choose(texts, best, end);
        if (end < count) best[end].next = common_tokens(&texts[end - 1], &texts[end]);
    }
    for (int32_t end = count; end > 0; end = best[end].begin)
        batches[n++] = (icseg_text_batch){best[end].begin, end, best[end].common};
    for (int32_t i = 0; i < n / 2; i++) { /* in the order of the texts */
        icseg_text_batch last = batches[n - 1 - i];
        batches[n - 1 - i] = batches[i];
        batches[i] = last;
    }
    icseg_free(best);
    *batch_count = n;
    return ICSEG_OK;
}

/* ----------------------------------------------------------------------------------------------------- encoding */

/* A text and its place among the caller's. */
typedef struct sorted_text {
    icseg_tokens tokens;
    int32_t index;
} sorted_text;

/* The work of one call; all arrays have one element for each text. */
typedef struct job {
    icseg_clip *clip;
    sorted_text *sorted;
    icseg_tokens *unique; /* the different ones, sorted */
    int32_t *first;       /* of `unique`: the first of `sorted`; one more element, the number of texts */
    icseg_text_batch *batches;
    const icseg_text_sink *sink;
    icseg_error *error;
} job;

static int compare_tokens(const icseg_tokens *a, const icseg_tokens *b) {
    int32_t n = common_tokens(a, b);
    if (n < a->count && n < b->count) return a->ids[n] < b->ids[n] ? -1 : 1;
    return (a->count > b->count) - (a->count < b->count);
}

static int compare_texts(const void *a, const void *b) {
    const sorted_text *x = a, *y = b;
    int order = compare_tokens(&x->tokens, &y->tokens);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Fills `sorted`, `unique` and `first`; returns the number of different texts. */
static int32_t sort_texts(job *j, const icseg_tokens *texts, int32_t count) {
    int32_t different = 0;
    for (int32_t i = 0; i < count; i++) j->sorted[i] = (sorted_text){texts[i], i};
    qsort(j->sorted, (size_t)count, sizeof *j->sorted, compare_texts);
    for (int32_t i = 0; i < count; i++) {
        const icseg_tokens *tokens = &j->sorted[i].tokens;
        if (different && !compare_tokens(&j->unique[different - 1], tokens)) continue;
        j->first[different] = i;
        j->unique[different++] = *tokens;
    }
    j->first[different] = count;
    return different;
}

/* Hands the embeddings (end - begin, C) of a batch to the sink. */
static icseg_status deliver(const job *j, const icseg_text_batch *batch, const float *embeddings) {
    for (int32_t k = batch->begin; k < batch->end; k++, embeddings += j->clip->config.embed_dim)
        for (int32_t i = j->first[k]; i < j->first[k + 1]; i++)
            ICSEG_TRY(j->sink->take(j->sink->user, j->sorted[i].index, embeddings, j->error));
    return ICSEG_OK;
}

static icseg_value build(icseg_clip *c, icseg_graph *g, const icseg_texts *texts) {
    icseg_builder b = {.graph = g, .params = c->params, .config = &c->config};
    icseg_value embeddings = icseg_build_text(&b, ICSEG_NONE, texts);
    icseg_graph_keep(g, embeddings, "texts");
    icseg_graph_fuse(g);
    return embeddings;
}

/* The tokens of the batch's texts lose the common ones, which come back as the shared prefix. */
static icseg_status encode_batch(const job *j, const icseg_text_batch *batch) {
    icseg_tokens *own = j->unique + batch->begin;
    icseg_texts texts = {batch->end - batch->begin, own, NULL, {batch->common, own->ids}};
    icseg_graph *graph;
    icseg_executor *executor = NULL;
    for (int32_t i = 0; i < texts.count; i++)
        own[i] = (icseg_tokens){own[i].count - batch->common, own[i].ids + batch->common};
    ICSEG_TRY(icseg_graph_open(&graph, false, j->error));
    icseg_value value = build(j->clip, graph, &texts);
    icseg_status status = icseg_graph_status(graph, j->error);
    if (status == ICSEG_OK) status = icseg_executor_open(&executor, graph, j->clip->workspace, j->error);
    if (status == ICSEG_OK) status = icseg_executor_run(executor, 0, 0, j->error);
    if (status == ICSEG_OK) status = deliver(j, batch, icseg_executor_data(executor, value));
    icseg_executor_close(&executor);
    icseg_graph_close(&graph);
    return status;
}

static icseg_status encode(job *j, const icseg_tokens *texts, int32_t count, const icseg_progress *progress) {
    icseg_stage stage = icseg_stage_begin(progress, "encode texts", count, "texts");
    int32_t batches;
    ICSEG_TRY(icseg_clip_plan_texts(j->unique, sort_texts(j, texts, count), j->batches, &batches, j->error));
    for (int32_t i = 0; i < batches; i++) {
        ICSEG_TRY(encode_batch(j, &j->batches[i]));
        if (batches > 1) ICSEG_TRY(icseg_stage_report(&stage, j->first[j->batches[i].end], NULL, j->error));
    }
    return ICSEG_OK;
}

icseg_status icseg_clip_encode_texts(icseg_clip *clip, const icseg_tokens *texts, int32_t count,
                                     const icseg_progress *progress, const icseg_text_sink *sink, icseg_error *error) {
    icseg_arena *arena;
    size_t n = (size_t)count;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    job j = {.clip = clip,
             .sorted = icseg_arena_array(arena, n, sizeof *j.sorted),
             .unique = icseg_arena_array(arena, n, sizeof *j.unique),
             .first = icseg_arena_array(arena, n + 1, sizeof *j.first),
             .batches = icseg_arena_array(arena, n, sizeof *j.batches),
             .sink = sink,
             .error = error};
    icseg_status status = j.sorted && j.unique && j.first && j.batches ? encode(&j, texts, count, progress)
                                                                       : icseg_fail_memory(error, 0, "texts");
    icseg_arena_close(&arena);
    return status;
}

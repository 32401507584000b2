/* SPDX-License-Identifier: Apache-2.0
 * Batches of pairs: the samples of a ring, and the pairs that cannot be read. */
#include "pretrain/pair_loader.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "loader/ring.h"

enum { LENGTH_STEP = 8, IMAGE = 0, CAPTION = 1 };

struct icseg_pair_loader {
    const icseg_pair_source *source;
    icseg_pair_loader_options options;
    icseg_ring *ring;
    int32_t *ids, *last; /* of the batch that the caller reads */
    pthread_mutex_t lock;
    bool *is_broken; /* (pairs), under the lock, as are the counts */
    icseg_pair_counts counts;
};

/* The second part of a sample: its number of tokens, and the tokens. */
static size_t caption_bytes(const icseg_pair_loader *l) {
    return (1 + (size_t)l->options.context_length) * sizeof(int32_t);
}

/* -- pairs that cannot be read */

/* Remembers why the pair cannot be read; an error if there are too many. */
static icseg_status note_broken(icseg_pair_loader *l, int64_t item, const icseg_error *why, icseg_error *error) {
    pthread_mutex_lock(&l->lock);
    if (!l->is_broken[item]) l->counts.broken++;
    if (!l->counts.first[0]) snprintf(l->counts.first, sizeof l->counts.first, "%.390s", why->message);
    l->is_broken[item] = true;
    int64_t broken = l->counts.broken;
    pthread_mutex_unlock(&l->lock);
    if (broken <= l->options.broken) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA, "%lld %s cannot be read; the limit is %lld. The first one: %.300s",
                      (long long)broken, icseg_plural(broken, "pair", "pairs"), (long long)l->options.broken,
                      l->counts.first);
}

/* What is wrong with one pair, and not with the machine. */
static bool blames_pair(icseg_status status) { return status != ICSEG_ERROR_MEMORY && status != ICSEG_ERROR_CANCELLED; }

/* -- samples */

static icseg_status tokenize(icseg_pair_loader *l, const char *caption, int32_t *out, icseg_error *error) {
    int32_t limit = l->options.context_length - 2, *ids, count;
    ICSEG_TRY(icseg_tokenizer_encode(l->options.tokenizer, caption, false, &ids, &count, error));
    if (count > limit) {
        pthread_mutex_lock(&l->lock);
        l->counts.cut++;
        pthread_mutex_unlock(&l->lock);
        count = limit;
    }
    *out++ = count + 2;
    *out++ = icseg_tokenizer_sos(l->options.tokenizer);
    memcpy(out, ids, (size_t)count * sizeof *out);
    out[count] = icseg_tokenizer_eos(l->options.tokenizer);
    icseg_buffer_free(ids);
    return ICSEG_OK;
}

static icseg_status draw(icseg_pair_loader *l, uint64_t n, int64_t item, void *const part[ICSEG_RING_PARTS],
                         icseg_error *error) {
    icseg_rng rng = icseg_rng_open(l->options.seed, ICSEG_RNG_AUGMENT, n);
    icseg_pair_text text = {.label = -1};
    icseg_status status = l->source->draw(l->source, item, &l->options.crop, &rng, part[IMAGE], &text, error);
    if (status == ICSEG_OK && text.caption.failed) status = icseg_fail_memory(error, 0, "a caption");
    if (status == ICSEG_OK) status = tokenize(l, text.caption.data, part[CAPTION], error);
    icseg_string_close(&text.caption);
    return status;
}

static icseg_status make_sample(const void *user, uint64_t n, int64_t item, void *const part[ICSEG_RING_PARTS],
                                icseg_error *error) {
    icseg_pair_loader *l = (icseg_pair_loader *)user;
    for (int64_t tried = 0; tried < l->source->count; tried++, item = (item + 1) % l->source->count) {
        icseg_error why;
        icseg_status status = draw(l, n, item, part, &why);
        if (status == ICSEG_OK) return ICSEG_OK;
        if (!blames_pair(status)) return icseg_fail(error, status, "%s", why.message);
        ICSEG_TRY(note_broken(l, item, &why, error));
    }
    return icseg_fail(error, ICSEG_ERROR_DATA, "none of the %lld pairs can be read. The first one: %.300s",
                      (long long)l->source->count, l->counts.first);
}

/* -- the loader */

static icseg_status open_ring(icseg_pair_loader *l, icseg_error *error) {
    const icseg_pair_loader_options *o = &l->options;
    size_t pixels = (size_t)o->crop.side * (size_t)o->crop.side * 3;
    icseg_ring_options ring = {.items = l->source->count,
                               .bytes = {pixels * sizeof(float), caption_bytes(l)},
                               .batch = o->batch,
                               .threads = o->threads,
                               .ahead = o->ahead,
                               .seed = o->seed,
                               .first_step = o->first_step,
                               .make = make_sample,
                               .user = l};
    l->ids = icseg_alloc_array((size_t)o->batch, (size_t)o->context_length * sizeof *l->ids);
    l->last = icseg_alloc_array((size_t)o->batch, sizeof *l->last);
    l->is_broken = icseg_calloc_array((size_t)l->source->count, sizeof *l->is_broken);
    if (!l->ids || !l->last || !l->is_broken) return icseg_fail_memory(error, 0, "a batch of captions");
    return icseg_ring_open(&l->ring, &ring, error);
}

icseg_status icseg_pair_loader_open(icseg_pair_loader **out, const icseg_pair_source *source,
                                    const icseg_pair_loader_options *options, icseg_error *error) {
    icseg_pair_loader *l = *out = icseg_calloc_array(1, sizeof *l);
    if (!l) return icseg_fail_memory(error, sizeof *l, "the loader");
    l->source = source;
    l->options = *options;
    pthread_mutex_init(&l->lock, NULL);
    icseg_status status = open_ring(l, error);
    if (status != ICSEG_OK) icseg_pair_loader_close(out);
    return status;
}

icseg_status icseg_pair_loader_next(icseg_pair_loader *l, icseg_pair_batch *out, icseg_error *error) {
    const int32_t context = l->options.context_length, batch = l->options.batch;
    icseg_ring_batch b;
    int32_t longest = 0;
    *out = (icseg_pair_batch){0};
    ICSEG_TRY(icseg_ring_next(l->ring, &b, error));
    const int32_t *caption = b.part[CAPTION];
    for (int32_t i = 0; i < batch; i++) {
        int32_t length = caption[(size_t)i * (size_t)(1 + context)];
        l->last[i] = length - 1;
        longest = length > longest ? length : longest;
    }
    longest = (longest + LENGTH_STEP - 1) / LENGTH_STEP * LENGTH_STEP;
    if (longest > context) longest = context;
    for (int32_t i = 0; i < batch; i++) {
        const int32_t *from = caption + (size_t)i * (size_t)(1 + context);
        int32_t *to = l->ids + (size_t)i * (size_t)longest;
        for (int32_t k = 0; k < longest; k++) to[k] = k < from[0] ? from[1 + k] : 0;
    }
    *out = (icseg_pair_batch){.images = b.part[IMAGE], .captions = {.length = longest, .ids = l->ids, .last = l->last}};
    return ICSEG_OK;
}

icseg_pair_counts icseg_pair_loader_counts(icseg_pair_loader *l) {
    pthread_mutex_lock(&l->lock);
    icseg_pair_counts counts = l->counts;
    pthread_mutex_unlock(&l->lock);
    return counts;
}

void icseg_pair_loader_close(icseg_pair_loader **loader) {
    icseg_pair_loader *l = *loader;
    *loader = NULL;
    if (!l) return;
    icseg_ring_close(&l->ring);
    pthread_mutex_destroy(&l->lock);
    icseg_free(l->ids);
    icseg_free(l->last);
    icseg_free(l->is_broken);
    icseg_free(l);
}
